"""A figure → SVG, PDF or PNG: the same bytes from the same command, which is in the file's metadata."""

from __future__ import annotations

import hashlib
import html
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine

from synergy_tui import __version__
from synergy_tui.drawing.tables import printable
from synergy_tui.errors import UsageError
from synergy_tui.figures import paper as on
from synergy_tui.figures.paper import Paper

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = ("svg", "pdf", "png")

NOTE = 5.0
"""Points of the small print."""


def ending(path: Path) -> str:
    """The form that a file's name asks for. Raises UsageError for a form other than svg, pdf and png."""
    form = path.suffix[1:].lower()
    if form not in ENDINGS:
        name = on.short(path.name, 60)
        raise UsageError(f"{name!r} does not end like a figure", f"end it with .{', .'.join(ENDINGS)}")
    return form


def check(path: Path, force: bool) -> None:
    """Raises UsageError if a figure cannot be written."""
    ending(path)
    name = printable(str(path))
    if path.is_dir():
        raise UsageError(f"{name} is a folder", "give a file's name")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {printable(str(path.parent))}", "make it, or give another name")
    if path.exists() and not force:
        raise UsageError(f"{name} is there already", "give another name, or --force")


def save(figure: Figure, path: Path, command: str, dpi: int, force: bool) -> None:
    """See figures.save. The figure is drawn before the file is opened, so that a failure leaves no file behind."""
    check(path, force)
    content = drawn(figure, ending(path), command, dpi)
    try:
        with open(path, "wb" if force else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{printable(str(path))} is there already", "give another name, or --force") from None


def drawn(figure: Figure, form: str, command: str, dpi: int = 300) -> bytes:
    """The content of a file, without a date."""
    title, told, program = str(figure.get_label()), printable(command), f"synergy-tui {__version__}"
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Title": title, "Description": told, "Software": program},
        "pdf": {"Title": title, "Subject": told, "Creator": program, "Producer": program, "CreationDate": None},
        "svg": {"Title": title, "Description": told, "Creator": program, "Date": None},
    }
    out = io.BytesIO()
    with on.style(Paper()):
        figure.savefig(
            out, format=form, dpi=dpi, metadata=metadata[form], facecolor=figure.get_facecolor(), backend=_BACKEND[form]
        )
    return out.getvalue()


_BACKEND = {"png": "agg", "pdf": "pdf", "svg": "svg"}


def svg(figure: Figure, command: str) -> str:
    """See figures.svg. Ids begin with a hash of the figure, so that two figures on a page share no id."""
    text = drawn(figure, "svg", command).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r"<title>.*?</title>\s*", "", text, count=1, flags=re.DOTALL)
    mark = f"f{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    text = re.sub(r'(?<=\sid=")(?=[^"])', f"{mark}-", text)
    text = re.sub(r'((?:xlink:)?href="#|url\(#)', rf"\g<1>{mark}-", text)
    head, body = text.split(">", 1)
    named = f' role="img" aria-labelledby="{mark}-title {mark}-desc">'
    title = html.escape(str(figure.get_label()))
    return (
        f'{head}{named}\n <title id="{mark}-title">{title}</title>\n'
        f' <desc id="{mark}-desc">{html.escape(printable(command))}</desc>{body}'
    )


def note(figure: Figure, text: str) -> None:
    """See figures.note."""
    wide, tall = figure.get_size_inches()
    with on.style(Paper()):
        _note(figure, text, wide, tall)


def _note(figure: Figure, text: str, wide: float, tall: float) -> None:
    lines = on.wrapped(text, (wide - 0.16) * 72, NOTE) or [""]
    more = (len(lines) * NOTE * 1.3 + 5) / 72
    engine = figure.get_layout_engine()
    figure.set_size_inches(wide, tall + more)
    share = more / (tall + more)
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, share, 1, 1 - share))
    else:
        for axes in figure.axes:
            box = axes.get_position()
            axes.set_position((box.x0, share + box.y0 * (1 - share), box.width, box.height * (1 - share)))
        for one in figure.texts:
            x, y = one.get_position()
            one.set_position((x, share + y * (1 - share)))
    for place, line in enumerate(lines):
        y = (more - (place * 1.3 + 0.3) * NOTE / 72 - 0.02) / (tall + more)
        quiet = "#8a8a8a" if figure.get_facecolor()[0] < 0.5 else "#6c6c6c"
        how: dict[str, Any] = {"va": "top", "ha": "left", "color": quiet, "parse_math": False}
        figure.text(0.08 / wide, y, line, fontproperties=FontProperties(size=NOTE), **how)
