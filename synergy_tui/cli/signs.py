"""ASCII signs for those that a terminal cannot show: a map stays readable if the locale has no UTF-8."""

from __future__ import annotations

import codecs
import io
import sys

_SIGNS = {
    **dict(zip("░▒▓█", ".:+#", strict=True)),
    **dict(zip("▁▂▃▄▅▆▇▏▎▍▌▋▊▉▀▐", "__..::##||||#####"[:16], strict=True)),
    **dict.fromkeys("─━═╌┄┈‐‑‒–—−╴╶╸╺", "-"),
    **dict.fromkeys("│┃║╎┆┊", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋╞╡╪╟╢╫", "+"),
    **{
        "·": "-",
        "×": "x",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "…": "~",
        "•": "*",
        "✓": "+",
        "✗": "x",
        "✖": "x",
        "◐": "/",
        "◑": "%",
        "±": "~",
    },
    **{
        "Φ": "Phi",
        "τ": "t",
        "Δ": "d",
        "α": "a",
        "σ": "s",
        "ρ": "r",
        "≥": ">=",
        "≤": "<=",
        "≈": "~",
        "°": "o",
        "²": "2",
    },
    **{"“": '"', "”": '"', "‘": "'", "’": "'", "«": "<", "»": ">", "½": "1/2", "µ": "u", "€": "E", "²": "2"},
    **dict.fromkeys("●■◆▲▼◼▶◀★", "*"),
    **dict.fromkeys("○□◇△▽◻▷◁☆", "o"),
    **dict.fromkeys("\u00a0\u2009\u202f", " "),
}


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    # A dot of a plot is one of the 256 signs of Braille.
    return "".join("*" if "\u2801" <= one <= "\u28ff" else _SIGNS.get(one, "?") for one in text), error.end


codecs.register_error("signs", _replace)


def prepare(ascii_alone: bool = False) -> None:
    """Replaces by ASCII signs all that standard output and error cannot encode, or all that is beyond ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if ascii_alone:
                stream.reconfigure(encoding="ascii", errors="signs")
            else:
                stream.reconfigure(errors="signs")
