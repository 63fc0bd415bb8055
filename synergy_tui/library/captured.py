"""A capture: a subject's prompts, its answers, and the activity of its units meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from synergy_tui.library.table import Table
from synergy_tui.store import load, tabled
from synergy_tui.store.cache import Cache as Store
from synergy_tui.units import Naming

_UNITS = """SELECT unit_index, u.layer, u.unit, u.kind, u.depth, u.name, u.group_name FROM units u WHERE capture = $1
    ORDER BY unit_index"""

_TOKENS = """SELECT prompt, p.id, p.category, p.text AS asked, r.text AS answered, r.tokens, r.pieces, r.steps, r.ended,
    r.valid FROM prompts p JOIN responses r USING (capture, prompt) WHERE capture = $1 ORDER BY prompt"""


@dataclass(frozen=True)
class Capture:
    """One capture of a cache."""

    store: Store
    id: str

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Its row: tasks, layers, units_per_layer, prompts, valid_prompts, steps, dtype, device, decoding and so on."""
        return load.one(self.store, "capture", self.id)

    @cached_property
    def subject(self) -> str:
        """Name of the language model."""
        query = "SELECT name FROM subjects WHERE subject = $1"
        return str(load.rows(self.store, query, self.facts["subject"])[0]["name"])

    @property
    def shape(self) -> tuple[int, int]:
        """(layers, units per layer) of its maps."""
        return self.facts["layers"], self.facts["units_per_layer"]

    @cached_property
    def naming(self) -> Naming:
        """The names of its units and layers."""
        return load.naming(self.store, self.id)

    def units(self) -> Table:
        """A row per unit: unit_index, layer, unit, kind, depth, name, group_name."""
        return Table(tabled.of(self.store, _UNITS, self.id))

    def tokens(self) -> Table:
        """A row per prompt: the text asked, the answer, token ids, pieces of text, steps, and whether the answer ended
        and is long enough.

        >>> import synergy_tui as st
        >>> st.sample().capture("latest").tokens()["id"].shape
        (30,)
        """
        return Table(tabled.of(self.store, _TOKENS, self.id))

    def series(self, prompts: Sequence[int] | None = None) -> np.ndarray:
        """[prompts, units, steps] activity: the L2 norm of each unit's output at each step; NaN past a response's end
        and where there is no unit. For all prompts, or for the prompts with these numbers, in their order.

        >>> import synergy_tui as st
        >>> st.sample().capture("latest").series([0, 3]).shape[:2]
        (2, 270)
        """
        return load.series(self.store, self.id, None if prompts is None else [int(one) for one in prompts])

    def __repr__(self) -> str:
        from synergy_tui.drawing.tables import printable

        facts = self.facts
        return (
            f"Capture {self.id} · {printable(self.subject)} · {facts['layers']} × {facts['units_per_layer']} "
            f"{facts['kind']} · {facts['valid_prompts']} of {facts['prompts']} responses long enough"
        )

    def _repr_html_(self) -> str:
        from synergy_tui.library import shown

        return shown.page(shown.line(repr(self)))
