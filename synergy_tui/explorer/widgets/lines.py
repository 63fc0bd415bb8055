"""Lines of text that repaint only where they change: over SSH every cell sent takes noticeable time."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from synergy_tui.explorer.widgets.ink import Ink


class Lines(Widget):
    """Shows lines as they are; a line cut at the edge ends in `…`. `show` repaints the changed lines."""

    def __init__(self, *, id: str | None = None, classes: str | None = None, height: int | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[Text] = []
        self._strips: list[Strip] = []
        self._cut = "…"
        if height is not None:
            self.styles.height = height

    @property
    def plain(self) -> str:
        """Its text."""
        return "\n".join(line.plain for line in self._lines)

    def show(self, lines: Sequence[Text | str], ink: Ink | None = None) -> None:
        """Replaces the lines."""
        new = [Text(line) if isinstance(line, str) else line for line in lines]
        self._cut = "~" if ink is not None and ink.ascii else "…"
        if ink is not None and ink.ascii:
            new = [_ascii(line, ink) for line in new]
        grown = len(new) != len(self._lines)
        changed = [
            place
            for place in range(max(len(new), len(self._lines)))
            if place >= len(new) or place >= len(self._lines) or new[place] != self._lines[place]
        ]
        self._lines = new
        if not changed:
            return
        strips = [self._strip(line) for line in new]
        width = self.content_size.width or 10_000
        regions = []
        for place in changed:
            first, last = _difference(self._strips, strips, place, width)
            regions.append(Region(first, place, last - first, 1))
        self._strips = strips
        if grown and self.styles.height is not None and self.styles.height.is_auto:
            self.refresh(layout=True)
        else:
            self.refresh(*(one for one in regions if one.y < self.content_size.height))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        style = self.rich_style
        width = self.content_size.width
        if y >= len(self._strips):
            return Strip.blank(width, style)
        strip = self._strips[y]
        if (
            strip.cell_length > width > 1 and cell_len(strip.text.rstrip()) > width
        ):  # a part of a word or number must not look like the whole
            strip = Strip([*strip.crop(0, width - 1), Segment(self._cut)])
        return strip.apply_style(style).adjust_cell_length(width, style)

    def _strip(self, line: Text) -> Strip:
        return Strip(
            [one for one in line.render(self.app.console) if one.text and one.text != "\n"],
        )


def _difference(old: list[Strip], new: list[Strip], place: int, width: int) -> tuple[int, int]:
    """The columns of a line, first and end, between which two drawings differ."""
    if place >= len(old) or place >= len(new):
        return 0, width
    before, after = _cells(old[place]), _cells(new[place])
    first = 0
    while first < min(len(before), len(after)) and before[first] == after[first]:
        first += 1
    last = max(len(before), len(after))
    if len(before) == len(after):
        while last > first and before[last - 1] == after[last - 1]:
            last -= 1
    # One cell more on each side: a wide sign may have been cut.
    return max(first - 1, 0), min(last + 1, width) if last + 1 > first else width


def _cells(strip: Strip) -> list[tuple[str, object]]:
    out: list[tuple[str, object]] = []
    for segment in strip:
        assert isinstance(segment, Segment)
        for char in segment.text:
            out.append((char, segment.style))
    return out


def _ascii(line: Text, ink: Ink) -> Text:
    """A copy with the same styles; signs are replaced one for one or not at all."""
    plain = line.plain
    replaced = "".join(new if len(new := ink.plain(char)) == 1 else "?" if ord(char) > 126 else char for char in plain)
    out = Text(replaced, style=line.style)
    out.spans = list(line.spans)
    return out
