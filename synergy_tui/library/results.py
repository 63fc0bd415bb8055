"""Results made from captures: runs with their maps, ablations with their curves, cards with their claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from synergy_tui.drawing import card as drawn
from synergy_tui.drawing.doubts import Doubt, doubts
from synergy_tui.errors import UsageError
from synergy_tui.library import shown
from synergy_tui.library.captured import Capture
from synergy_tui.library.table import Table
from synergy_tui.store import cards, load, tabled, walk
from synergy_tui.store.cache import Cache as Store
from synergy_tui.store.run import Run as Read
from synergy_tui.store.run import Score, read
from synergy_tui.terms import ATOMS, METHOD_FIELDS, RANKINGS

WHAT = ("scaled", "value", "low", "high")

_UNITS = """SELECT u.unit_index, u.layer, u.unit, u.kind, u.depth, u.name, u.group_name,
    h.* EXCLUDE (name, group_name, decomposition, capture, subject, layer, unit, depth)
    FROM units u LEFT JOIN (SELECT * FROM heads WHERE decomposition = $2) h ON h.layer = u.layer AND h.unit = u.unit
    WHERE u.capture = $1 ORDER BY u.unit_index"""


@dataclass(frozen=True)
class Run:
    """One decomposition of a cache."""

    store: Store = field(repr=False)
    id: str

    @cached_property
    def read(self) -> Read:
        """All its stored data except pairs and series, as one value."""
        return read(self.store, self.id)

    @property
    def facts(self) -> dict[str, Any]:
        """Decomposition, capture and subject in one row."""
        return dict(self.read.row)

    @property
    def decomposition(self) -> dict[str, Any]:
        """How its pairs were decomposed, and against which nulls.

        >>> import synergy_tui as st
        >>> facts = st.sample().run().decomposition
        >>> facts["estimator"], facts["redundancy"], facts["lag"], facts["surrogates"]
        ('gaussian', 'mmi', 1, 200)
        """
        names = (
            *METHOD_FIELDS,
            "nulls",
            "surrogates",
            "pairs",
            "valid_pairs",
            "valid_prompts",
            "reasons",
            "misleading",
        )
        return {name: self.read.row[name] for name in (*names, "replicates", "seed", "method")}

    @property
    def capture(self) -> Capture:
        """The capture that it decomposes."""
        return Capture(self.store, str(self.read.row["capture"]))

    @property
    def subject(self) -> str:
        """Name of the language model."""
        return str(self.read.row["name"])

    @property
    def shape(self) -> tuple[int, int]:
        """(layers, units per layer) of the map."""
        return self.read.shape

    @property
    def scores(self) -> list[str]:
        """What `map` can show: rankings, atoms and measures."""
        return list(self.read.scores)

    def map(self, ranking: str = RANKINGS[0], what: str = "scaled") -> np.ndarray:
        """[layers, units] of a ranking, an atom or another score; NaN where there is no unit, or no value. what:
        `scaled` has rankings in [0, 1], synergistic high, and all other scores as they are; `value` is raw, nats for
        atoms; `low` and `high` are the 95 % interval of `scaled`. Raises UsageError for a score that the run does not
        have.

        >>> import synergy_tui as st
        >>> synergy = st.sample().run().map("sts")
        >>> synergy.shape, bool(synergy.min() > 0)
        ((30, 9), True)
        """
        if what not in WHAT:
            raise UsageError(f"no {what!r} of a map", f"known: {', '.join(WHAT)}")
        score = self._score(ranking)
        found = {"scaled": score.shown, "value": score.values, "low": score.low, "high": score.high}[what]
        return np.array(found, float).reshape(self.shape)

    def _score(self, name: str) -> Score:
        if name in RANKINGS and name not in self.read.scores:
            self.read.check_ranking(name)
        if name not in self.read.scores:
            raise UsageError(f"{self.id} has no score {name!r}", f"it has {', '.join(self.read.scores)}")
        return self.read.scores[name]

    def profile(self, ranking: str = RANKINGS[0]) -> Table:
        """Mean of each layer's units in a ranking, scaled: layer, depth, value, and low and high of its 95 %
        interval."""
        self.read.check_ranking(ranking)
        query = """SELECT layer, depth, value, low, high FROM layer_profiles WHERE decomposition = $1 AND ranking = $2
            ORDER BY layer"""
        return Table(tabled.of(self.store, query, self.id, ranking))

    @property
    def contrasts(self) -> Table:
        """Middle layers minus the others in every ranking, with the 95 % interval, and the profile's curvature."""
        query = "SELECT * EXCLUDE (decomposition) FROM contrasts WHERE decomposition = $1 ORDER BY ranking"
        return Table(tabled.of(self.store, query, self.id))

    @property
    def confounds(self) -> dict[str, float | None]:
        """The values that speak against reading the map as a finding, by name."""
        return dict(self.read.confounds)

    def doubts(self) -> list[Doubt]:
        """The same in words, the worst first: `level` is 0 for grave doubts, `text` is the doubt in words.

        >>> import synergy_tui as st
        >>> st.sample().run().doubts()[0].level
        0
        """
        row = self.read.row
        return doubts(self.read.confounds, row.get("nulls") or (), row.get("valid_prompts"))

    def units(self) -> Table:
        """A row per unit with its place, its name, and all its scores side by side; atoms are in nats, `rank` is the
        default ranking in [0, 1]."""
        return Table(tabled.of(self.store, _UNITS, self.capture.id, self.id))

    def pairs(self, limit: int | None = None, by: str = "sts") -> Table:
        """A row per pair x < y with its sixteen atoms in nats, and z, p and q if surrogates were drawn. limit: at most
        so many rows, the highest in `by` first; without it, all rows in order.

        >>> import synergy_tui as st
        >>> len(st.sample().run().pairs(5))
        5
        """
        query = "SELECT * EXCLUDE (decomposition) FROM pairs WHERE decomposition = $1"
        if limit is None:
            return Table(tabled.of(self.store, f"{query} ORDER BY x, y", self.id))
        known = (*ATOMS, "tdmi", "excess", "offset", "z")
        if by not in known:
            raise UsageError(f"pairs are not ordered by {by!r}", f"known: {', '.join(known)}")
        which = f'AND isfinite("{by}") ORDER BY "{by}" DESC, x, y LIMIT {int(limit)}'
        return Table(tabled.of(self.store, f"{query} {which}", self.id))

    def matrix(self, atom: str = "sts") -> np.ndarray:
        """[units, units] float32 of an atom, of `tdmi` or of `excess`, in nats: the row is x, the column y, both as
        unit_index. NaN on the diagonal and for pairs without a value.

        >>> import synergy_tui as st
        >>> st.sample().run().matrix("rtr").shape
        (270, 270)
        """
        if atom not in (*ATOMS, "tdmi", "excess"):
            raise UsageError(f"no matrix of {atom!r}", f"known: {', '.join((*ATOMS, 'tdmi', 'excess'))}")
        return walk.pair_matrix(self.store, self.id, atom, self.shape[0] * self.shape[1])

    def series(self, prompts: Sequence[int] | None = None) -> np.ndarray:
        """[prompts, units, steps] activity, as Capture.series."""
        return self.capture.series(prompts)

    def tokens(self) -> Table:
        """Prompts and answers, as Capture.tokens."""
        return self.capture.tokens()

    def ablations(self) -> list[Ablation]:
        """Its ablations, the newest first."""
        return [Ablation(self.store, one["ablation"]) for one in walk.ablations(self.store, self.id)]

    def curves(self) -> Table:
        """Curves of all its ablations, as Ablation.curves, with the ablation in a column."""
        query = """SELECT c.* FROM ablation_curves c JOIN ablations USING (ablation) WHERE decomposition = $1
            ORDER BY ablation, removal_order, target NULLS FIRST, seed NULLS FIRST, fraction"""
        return Table(tabled.of(self.store, query, self.id))

    def card(self) -> Card:
        """The newest claims card about its capture, by the same method. Raises UsageError when there is no card."""
        found = cards.newest_card(self.store, self.id)
        if found is None:
            raise UsageError(f"{self.id} has no claims card", f"synergy_tui.claims({self.id!r}) makes one")
        return Card(self.store, found)

    def sql(self, query: str, *, max_rows: int | None = None, max_seconds: float = 60.0) -> Table:
        """As Cache.sql: it queries the whole cache."""
        return Table(tabled.ask(self.store, query, max_rows, max_seconds))

    def recipe(self) -> list[str]:
        """The commands that make it."""
        return [one["command"] for one in load.recipe(self.store, self.id)]

    def text(self, ranking: str = RANKINGS[0], width: int = 100) -> str:
        """The map with its profile, its reading and its doubts, as `synergy-tui show` prints them without colours."""
        import io

        from rich.console import Console

        from synergy_tui.drawing.atlas import Atlas, draw

        self.read.check_ranking(ranking)
        out = io.StringIO()
        draw(Atlas(self.read, ranking), Console(file=out, width=width, color_system=None, highlight=False))
        return out.getvalue()

    def __repr__(self) -> str:
        from synergy_tui.drawing.atlas import what
        from synergy_tui.drawing.tables import printable

        row, told = self.read.row, self.read.contrasts.get(RANKINGS[0]) or {}
        parts = [
            f"Run {self.id}",
            printable(self.subject),
            f"{self.shape[0]} × {self.shape[1]} {what(row)}",
            f"{row['valid_prompts']} of {row['prompts']} prompts",
            f"{row['estimator']}·{row['redundancy']} τ{row['lag']}",
        ]
        if told.get("contrast") is not None:
            interval = "" if told["low"] is None else f" [{told['low']:+.2f}, {told['high']:+.2f}]"
            parts.append(f"contrast {told['contrast']:+.2f}{interval}")
        return " · ".join(parts)

    def show(self, ranking: str = RANKINGS[0]) -> Shown:
        """The map of a ranking or of another score, with the profile of rankings, as a picture for notebooks."""
        self._score(ranking)
        return Shown(self, ranking)

    def _repr_html_(self) -> str:
        return self.show()._repr_html_() if self.read.scores else ""


@dataclass(frozen=True)
class Shown:
    """A drawing of a run in one of its scores."""

    run: Run
    ranking: str

    def __repr__(self) -> str:
        return self.run.text(self.ranking) if self.ranking in self.run.read.contrasts else repr(self.run)

    def _repr_html_(self) -> str:
        return shown.run(self.run.read, self.ranking, self.run.capture.naming, self.run.doubts())


@dataclass(frozen=True)
class Ablation:
    """One ablation of a cache."""

    store: Store = field(repr=False)
    id: str

    @cached_property
    def facts(self) -> dict[str, Any]:
        """All that `ablate --json` prints: its row, orders with their curves and areas, ratios to controls, sweeps,
        correlations, accuracy, plan, pairs."""
        return load.ablation(self.store, self.id)

    @property
    def run(self) -> Run:
        """The run whose rankings gave the orders."""
        return Run(self.store, self.facts["decomposition"])

    @property
    def verdict(self) -> str:
        """Its verdict, in a sentence."""
        return str(self.facts["verdict"] or "")

    def curves(self) -> Table:
        """A row per removal order, set of units and fraction removed: `divergence` is KL(intact ‖ ablated) in nats per
        token, `top1` the share of steps whose likeliest token stays the same.

        >>> import synergy_tui as st
        >>> st.sample().ablation().curves().columns[:4]
        ['removal_order', 'target', 'seed', 'fraction']
        """
        query = """SELECT * EXCLUDE (ablation) FROM ablation_curves WHERE ablation = $1
            ORDER BY removal_order, target NULLS FIRST, seed NULLS FIRST, fraction"""
        return Table(tabled.of(self.store, query, self.id))

    def ratios(self) -> Table:
        """Targeted orders against their controls, prompts paired, with intervals."""
        query = """SELECT * EXCLUDE (ablation) FROM ablation_ratios WHERE ablation = $1
            ORDER BY removal_order, control, category NULLS FIRST"""
        return Table(tabled.of(self.store, query, self.id))

    def map(self) -> np.ndarray:
        """[layers, units] divergence without each unit alone, nats per token; NaN where missing. Raises UsageError if
        units were not removed one by one."""
        shape = self.run.shape
        found = walk.sweep(self.store, self.id, shape[0] * shape[1])
        if found is None:
            raise UsageError(f"{self.id} has no sweep of single units", 'ablate with orders=("single-units",)')
        return found.reshape(shape)

    def __repr__(self) -> str:
        facts = self.facts
        about = (
            f"Ablation {self.id} · of {facts['decomposition']} · {facts['intervention']} · {facts['prompts']} prompts"
        )
        return f"{about} · {self.verdict}" if self.verdict else about

    def _repr_html_(self) -> str:
        from synergy_tui.drawing import curves

        rows = curves.rows(self.facts["orders"])
        parts = [shown.line(repr(self))]
        if rows:
            parts.append(shown.table(rows, list(rows[0]), len(rows)))
        return shown.page(*parts)


@dataclass(frozen=True)
class Card:
    """One card of a cache."""

    store: Store = field(repr=False)
    id: str

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Its row, with `run`, `claims` by name and `confounds`."""
        return cards.card(self.store, self.id)

    @property
    def run(self) -> Run:
        """The run with surrogates that it is about."""
        return Run(self.store, self.facts["decomposition"])

    @property
    def verdicts(self) -> dict[str, str]:
        """Claim → supported; present, but explained by self-prediction; not supported; or inconclusive."""
        return {name: claim["verdict"] for name, claim in self.facts["claims"].items()}

    def claims(self) -> Table:
        """A row per claim: verdict, effect with its 95 % interval, the sample, and what is missing."""
        query = "SELECT * EXCLUDE (card) FROM claims WHERE card = $1 ORDER BY claim"
        return Table(tabled.of(self.store, query, self.id))

    def markdown(self) -> str:
        """The card as a page."""
        return drawn.as_markdown(self.facts)

    def __repr__(self) -> str:
        return "\n".join(line.plain for line in drawn.draw(self.facts, 118, plain=True))

    def _repr_html_(self) -> str:
        rows = [
            {
                "claim": f"{name} {claim['statement']}",
                "verdict": drawn.verdict(claim),
                "effect": drawn.effect(claim),
                "told": claim["told"] or "",
                "missing": claim["missing"] or "",
            }
            for name, claim in self.facts["claims"].items()
        ]
        parts = [shown.line(drawn.title(self.facts))]
        if said := drawn.too_old(self.facts):
            parts.append(shown.line(said))
        return shown.page(
            *parts, shown.table(rows, list(rows[0]) if rows else [], len(rows)), shown.doubts(self.run.doubts())
        )
