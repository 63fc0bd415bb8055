"""The drawing inside the axes of a plot: cells of two pixels with bands behind and signs over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.style import Style
from rich.text import Span, Text

from synergy_tui.drawing import scale
from synergy_tui.drawing.lines import Line, Look, style
from synergy_tui.drawing.raster import Scale, filled, line, over_columns

NONE, OWN, QUIET, CURSOR = -1, 256, 257, 258
"""No colour, the terminal's own, and two that depend on the terminal."""

SPACED = 12
"""Columns between the letters of a line whose points are close together."""

Array = np.ndarray[Any, Any]

BOTH = {True: 241, False: 248}
"""Colour of overlapping bands, by whether the background is dark."""


class Canvas:
    """width × height cells. inset: columns left free at each side."""

    def __init__(
        self,
        width: int,
        height: int,
        reach: tuple[float, float],
        ends: tuple[float, float],
        inset: int,
        look: Look,
    ) -> None:
        self.width, self.height, self._inset, self._look = width, height, inset, look
        self._across, self._up = Scale(*ends, width - 2 * inset), Scale(*reach, 2 * height)
        self._reach = reach
        self.cursor_at: int | None = None
        pixels, cells = (2 * height, width), (height, width)
        self._ink = np.full(pixels, NONE, np.int16)
        self._behind = np.full(pixels, NONE, np.int16)
        self._bands = np.zeros(pixels, np.int16)
        self._sign = np.full(cells, " ", "U1")
        self._fore = np.full(cells, NONE, np.int16)

    # Places

    def column(self, x: float) -> int:
        """The column of a place on the x axis."""
        return int(self._columns([x])[0])

    def row(self, y: float) -> int:
        """The row of a value, from the top; outside the canvas if the value is beyond the limits."""
        return int(self._pixels([y])[0]) // 2

    def _columns(self, xs: Any) -> Array:
        return self._across.nearest(xs) + self._inset

    def _pixels(self, ys: Any) -> Array:
        return 2 * self.height - 1 - self._up.nearest(ys)

    def _colour(self, one: Line) -> int:
        colour = self._look.colour(one.colour)
        return OWN if colour is None else colour

    def _points(self, one: Line, *values: Any) -> tuple[Array, list[Array]]:
        """Columns in order, and values in the same order; points without a place are left out."""
        xs = np.asarray(one.xs, float)
        placed = np.flatnonzero(np.isfinite(xs))
        order = placed[np.argsort(xs[placed], kind="stable")]
        return self._columns(xs[order]), [np.asarray(some, float)[order] for some in values]

    # Layers, from behind to the front

    def band(self, one: Line) -> None:
        """Fills the area between the ends of the intervals; overlapping bands get a colour of their own."""
        if not one.band or not len(one.low):
            return
        columns, (low, high) = self._points(one, one.low, one.high)
        known = ~(np.isnan(low) | np.isnan(high))
        (lowest, _), (_, highest) = (
            over_columns(columns, self._up.places(np.where(known, ends, 0.0)), known, self.width)
            for ends in (low, high)
        )
        there = np.flatnonzero(np.isfinite(lowest))
        last = 2 * self.height - 1
        top, bottom = (last - np.floor(ends[there] + 0.5).astype(np.int64) for ends in (highest, lowest))
        covered = filled(there, top, bottom, self.width, 2 * self.height)
        colour = self._colour(one)
        colour = scale.faint(colour, self._look.dark) if self._look.filled else colour
        again = covered & (self._behind != NONE) & (self._behind != colour)
        self._behind[covered & (self._behind == NONE)] = colour
        if self._look.filled:
            self._behind[again] = BOTH[self._look.dark]
        self._bands += covered

    def zero(self) -> None:
        """A quiet rule at 0, if 0 is inside the limits."""
        if self._reach[0] < 0 < self._reach[1] and self.height > 2:
            self._put((self.row(0.0), slice(None)), "-" if self._look.ascii else "╌", QUIET)

    def cursor(self, x: float) -> None:
        """A rule from top to bottom, visible wherever there is no line."""
        if not self._across.low <= x <= self._across.high:
            return
        self.cursor_at = self.column(x)
        self._put((slice(None), self.cursor_at), "'" if self._look.ascii else "┊", CURSOR)

    def line(self, one: Line) -> None:
        """The line that joins the points."""
        if not one.joined or not len(one.ys):
            return
        columns, (ys,) = self._points(one, one.ys)
        known = np.isfinite(ys)
        if one.thin and not self._look.ascii:
            self._rule(columns, ys, known, self._colour(one))
            return
        covered = line(columns, self._pixels(np.where(known, ys, np.nan)), known, self.width, 2 * self.height)
        if self._look.ascii:
            where = np.nonzero(covered[::2] | covered[1::2])
            self._put(where, one.letter, self._colour(one))
        else:
            self._ink[covered] = self._colour(one)

    def _rule(self, columns: Array, ys: Array, known: Array, colour: int) -> None:
        """A thin line: in each column it turns from the previous column's row to its own."""
        cells = self._middle(columns, ys, known)
        before = -2
        for column, cell in enumerate(cells.tolist()):
            if cell < -1:
                before = -2
                continue
            signs = {cell: "─"} if before in (-2, cell) else {}
            if not signs:
                down = before < cell
                signs = dict.fromkeys(range(max(min(before, cell), 0), min(max(before, cell), self.height)), "│")
                signs |= {before: "╮" if down else "╯", cell: "╰" if down else "╭"}
            for row, sign in signs.items():
                if 0 <= row < self.height:
                    self._sign[row, column], self._fore[row, column] = sign, colour
            before = cell

    def _middle(self, columns: Array, ys: Array, known: Array) -> Array:
        """The row of a line in every column: −1 above and `height` below the canvas, −2 without a value."""
        places = self._up.places(np.where(known, ys, 0.0))
        least, greatest = over_columns(columns, places, known, self.width)
        middle = (least + greatest) / 2
        there = np.isfinite(middle)
        pixels = 2 * self.height - 1 - np.floor(np.where(there, middle, 0.0) + 0.5).astype(np.int64)
        return np.where(there, np.clip(pixels // 2, -1, self.height), -2)

    def bars(self, one: Line) -> None:
        """Each interval as a vertical bar on its point, with a crossbar at each end."""
        if one.band or not len(one.low):
            return
        columns, (low, high) = self._points(one, one.low, one.high)
        known = ~(np.isnan(low) | np.isnan(high))
        tops, bottoms = (self._pixels(ends[known]) // 2 for ends in (high, low))
        top, bottom = np.full(self.width, self.height), np.full(self.width, -1)
        np.minimum.at(top, columns[known], tops)
        np.maximum.at(bottom, columns[known], bottoms)
        there = np.flatnonzero(top <= bottom)
        top, bottom, colour = top[there], bottom[there], self._colour(one)
        body = filled(there, top, bottom, self.width, self.height)
        self._over(np.nonzero(body), "|" if self._look.ascii else "│", colour)
        for ends, sign in ((top, "┬"), (bottom, "┴")):
            seen = (top < bottom) & (ends >= 0) & (ends < self.height)
            if not self._look.ascii:
                self._over((ends[seen], there[seen]), sign, colour)

    def points(self, one: Line, place: int, lettered: bool) -> None:
        """A sign at each measured point; lines that colours do not distinguish get their letter here and there."""
        columns, (ys,) = self._points(one, one.ys)
        known = np.isfinite(ys)
        lettered = lettered and not self._look.ascii
        if one.marked or not one.joined:
            plain = ("o" if one.marked else ".") if self._look.ascii else "●" if one.marked else "·"
            rows, columns = self._pixels(ys[known]) // 2, columns[known]
            inside = (rows >= 0) & (rows < self.height)
            sign = one.letter if lettered and one.joined else plain
            self._over((rows[inside], columns[inside]), sign, self._colour(one))
        elif lettered:
            middle = self._middle(columns, ys, known)
            shown = np.flatnonzero((middle >= 0) & (middle < self.height))
            some = shown[4 * place % SPACED :: SPACED]
            some = some if len(some) else shown[:1]
            self._over((middle[some], some), one.letter, self._colour(one))

    def _put(self, where: tuple[Any, ...], sign: str, colour: int) -> None:
        """Signs in these rows and columns."""
        self._sign[where], self._fore[where] = sign, colour

    def _over(self, where: tuple[Any, ...], sign: str, colour: int) -> None:
        """Signs in front of the line."""
        rows, columns = where
        self._put(where, sign, colour)
        self._ink[2 * rows, columns] = self._ink[2 * rows + 1, columns] = NONE

    # Text

    def rows(self) -> list[Text]:
        """The rows as text."""
        sign, fore, behind = self._cells()
        if self.cursor_at is not None:
            here = fore[:, self.cursor_at]
            here[here != NONE] = CURSOR
        pairs = (fore.astype(np.int32) + 1) * 1000 + behind + 1
        styles = {pair: self._style(*divmod(pair, 1000)) for pair in np.unique(pairs).tolist()}
        out = []
        for signs, row in zip(sign.tolist(), pairs, strict=True):
            starts = np.concatenate([[0], np.flatnonzero(row[1:] != row[:-1]) + 1])
            ends = [*starts[1:].tolist(), self.width]
            spans = [
                Span(start, end, how)
                for start, end, pair in zip(starts.tolist(), ends, row[starts].tolist(), strict=True)
                if (how := styles[pair]) is not None
            ]
            out.append(Text("".join(signs), spans=spans))
        return out

    def _style(self, front: int, back: int) -> Style | None:
        """The style of a colour and a ground, each stored one higher."""
        front, back = front - 1, back - 1
        fore: int | str | None = {NONE: None, OWN: None, QUIET: "quiet", CURSOR: "cursor"}.get(front, front)
        return style(fore, None if back == NONE else back, self._look) if (fore, back) != (None, NONE) else None

    def _cells(self) -> tuple[Array, Array, Array]:
        """Sign, colour and ground of every cell."""
        top, bottom = self._ink[::2].copy(), self._ink[1::2].copy()
        sign, fore = self._sign.copy(), self._fore.copy()
        inked = (top != NONE) | (bottom != NONE)
        over = (sign != " ") & ~inked
        upper, lower = self._behind[::2], self._behind[1::2]
        ground = np.where(upper == lower, upper, NONE)
        if not self._look.filled:
            shaded = (upper != NONE) | (lower != NONE)
            twice = np.maximum(self._bands[::2], self._bands[1::2]) > 1
            shades = (":", "%") if self._look.ascii else ("░", "▒")
            shaded &= ~over & ~inked
            sign[shaded] = np.where(twice, shades[1], shades[0])[shaded]
            fore[shaded] = np.where(upper == NONE, lower, upper)[shaded]
            upper = lower = ground = np.full_like(ground, NONE)
        blocks = ~over & (sign == " ") | inked
        top, bottom = (np.where(one == NONE, under, one) for one, under in ((top, upper), (bottom, lower)))
        both, above, under = top == bottom, bottom == NONE, top == NONE
        full = blocks & both & inked
        half = blocks & ~both
        sign[full], fore[full] = "█", top[full]
        sign[half], fore[half] = np.where(under, "▄", "▀")[half], np.where(under, bottom, top)[half]
        behind = np.where(over, ground, NONE)
        behind[half & ~above & ~under] = bottom[half & ~above & ~under]
        empty = blocks & both & ~inked
        behind[empty] = top[empty]
        return sign, fore, behind
