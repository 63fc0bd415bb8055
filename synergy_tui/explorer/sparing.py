"""Fewer bytes to send: Textual (8.2) repaints a changed cell from the left edge of its widget, which over SSH is most
of the cost of a cursor move. Here a repaint begins at the cell."""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


def install() -> None:
    """Replaces the method that turns a partial update into bytes, for this process. The method is private and has no
    hook: look here when Textual is updated."""
    ChopsUpdate.render_segments = _render  # type: ignore[method-assign]


def _render(self: ChopsUpdate, console: Console) -> str:
    out: list[str] = []
    last = self.spans[-1][0]
    for y, left, right in self.spans:
        for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
            if strip is None or x >= right or end <= left:
                continue
            first, until = max(x, left), min(end, right)
            if len(strip.text) != strip.cell_length:
                first = x  # a sign of two columns must not be cut
            out.append(Control.move_to(first, y).segment.text)
            out.append(strip.crop(first - x, until - x).render(console))
        if y != last:
            out.append("\n")
    return "".join(out)
