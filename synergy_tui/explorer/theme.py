"""The themes: two of our own, with colours from a terminal's 256 so that they look the same over SSH; the terminal's
own colours; Textual's themes; and themes in a user's files."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path

from textual.color import Color, ColorParseError
from textual.theme import Theme

from synergy_tui.errors import UsageError

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

OWN = {"dark": DARK, "light": LIGHT}

TERMINAL = ("ansi", "ansi-light")
"""Names of the themes that take their colours from the terminal."""

COLOURS = tuple(
    one.name
    for one in fields(Theme)
    if one.name not in ("name", "dark", "ansi", "variables", "luminosity_spread", "text_alpha")
)
"""Colours that a theme in a file may set besides `dark`, each as "#rrggbb" or a CSS name."""


def find(word: str, folder: Path | None) -> Theme:
    """The theme of this name: ours, the terminal's, NAME.toml in `folder`, or one of Textual's. Raises UsageError when
    there is no such theme, or its file cannot be used."""
    if word in OWN:
        return OWN[word]
    if word not in TERMINAL and word in (mine := _mine(folder)):
        return _read(mine[word])
    from textual.theme import BUILTIN_THEMES

    if word in TERMINAL:
        base = BUILTIN_THEMES["ansi-light" if word == "ansi-light" else "ansi-dark"]
        return replace(base, accent="ansi_magenta" if word == "ansi-light" else "ansi_yellow")
    if word in BUILTIN_THEMES:
        return BUILTIN_THEMES[word]
    known = ", ".join(names(folder))
    raise UsageError(f"there is no theme {word!r}", f"choose one of {known}, or write {word}.toml into {folder}")


def names(folder: Path | None) -> list[str]:
    """The names of all themes: ours first, then the user's, then Textual's."""
    from textual.theme import BUILTIN_THEMES

    return list(dict.fromkeys([*OWN, *TERMINAL, *_mine(folder), *BUILTIN_THEMES]))


def _mine(folder: Path | None) -> dict[str, Path]:
    if folder is None or not folder.is_dir():
        return {}
    return {one.stem: one for one in sorted(folder.glob("*.toml"))}


def _read(path: Path) -> Theme:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "mend it, or choose another theme") from None
    dark = content.pop("dark", True)
    if not isinstance(dark, bool):
        raise UsageError(f"{path}: dark = {dark!r} says nothing", "dark is true or false")
    for name, colour in content.items():
        if name not in COLOURS:
            raise UsageError(f"{path} sets {name!r}, which themes do not have", f"known: dark, {', '.join(COLOURS)}")
        try:
            Color.parse(colour if isinstance(colour, str) else "")
        except ColorParseError:
            raise UsageError(f"{path}: {name} = {colour!r} is no colour", 'write "#rrggbb"') from None
    base = DARK if dark else LIGHT
    colours = {name: content.get(name, getattr(base, name)) for name in COLOURS}
    variables = {"footer-key-foreground": colours["accent"]} | ({} if "background" in content else base.variables)
    return Theme(name=f"user-{path.stem}", dark=dark, variables=variables, **colours)
