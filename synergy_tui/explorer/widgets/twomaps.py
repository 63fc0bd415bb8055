"""Two scores of the same units as maps side by side, for comparison place by place."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from textual.app import ComposeResult
from textual.containers import Horizontal

from synergy_tui.explorer.run import Run, Score
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.map import LayerMap, Picture


class TwoMaps(Horizontal):
    """`show` gives it two scores. The cursor of both is the unit whose second value is largest."""

    def __init__(self, ink: Ink, id: str | None = None) -> None:
        super().__init__(id=id)
        self._maps = LayerMap(ink), LayerMap(ink)
        for one in self._maps:
            one.with_profile = one.can_focus = False

    def compose(self) -> ComposeResult:
        yield from self._maps

    def show(self, run: Run, first: Score, second: Score, marks: Collection[int]) -> None:
        """Draws both."""
        shape = (run.layers, run.per_layer)
        marked = np.zeros(run.units, bool)
        marked[list(marks)] = True
        nothing = np.zeros(shape, bool)
        known = np.isfinite(second.values)
        most = int(np.nanargmax(second.values)) if known.any() else 0
        for map_, score in zip(self._maps, (first, second), strict=True):
            diverging = score.centre is not None
            colour, values = score.colour().reshape(shape), score.shown.reshape(shape)
            picture = Picture(colour, nothing, marked.reshape(shape), diverging, [], 0.0, 1.0, values, **run.rows)
            map_.show(picture, divmod(most, run.per_layer))
            map_.border_title = score.name
        self._maps[1].border_subtitle = (
            f"{run.name(most)}: {second.values[most]:.3g} nats, the most of {known.sum()}" if known.any() else ""
        )
