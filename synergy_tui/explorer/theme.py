"""The two themes: colours from the 256 of a terminal, so that they are the same over SSH."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="synergy-dark",
    primary="#5fafd7",
    secondary="#87d7ff",
    accent="#ffaf5f",
    warning="#ffd787",
    error="#ff8787",
    success="#87d7af",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
    variables={"footer-key-foreground": "#ffaf5f", "border": "#444444"},
)

LIGHT = Theme(
    name="synergy-light",
    primary="#005faf",
    secondary="#0087af",
    accent="#874b00",
    warning="#5f5f00",
    error="#af0000",
    success="#005f00",
    foreground="#262626",
    background="#eeeeee",
    surface="#ffffff",
    panel="#dadada",
    dark=False,
    variables={"footer-key-foreground": "#874b00", "border": "#b2b2b2"},
)
