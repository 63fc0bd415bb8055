"""Null blocks of a decompose job → tests of its pairs and units: z, p and q, and the contrasts of surrogate data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import effects, nulls
from synergy_tui.analysis.frequencies import benjamini_hochberg
from synergy_tui.analysis.nulls import Tested, UnitDraws
from synergy_tui.analysis.profile import Cut
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.tables import table
from synergy_tui.jobs.worker import blocks
from synergy_tui.phiid.moments import MEASURED, NullBlock
from synergy_tui.phiid.result import UnitTotals, mean_of
from synergy_tui.terms import UNCALIBRATED_NULLS

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Against:
    """The tests by the nulls of a job. units: tests by null, in the order they were run. unit_p, unit_q [units, 3]: p
    of the calibrated nulls in one direction, and its q, NaN if conditions in the data mislead the nulls; pair_q
    [pairs, 3]: likewise. counts: normal scores of surrogate pairs by null. by_prompt: see phiid.moments.NullBlock."""

    units: dict[str, Tested]
    draws: dict[str, UnitDraws]
    unit_p: np.ndarray
    unit_q: np.ndarray
    pair_q: np.ndarray
    counts: dict[str, np.ndarray]
    by_prompt: dict[str, np.ndarray]
    withheld: tuple[bool, ...]

    @property
    def first(self) -> Tested:
        """The null behind excess and z."""
        return next(iter(self.units.values()))


WHOLE, REDUNDANCY, NOTHING = (True, True, True), (False, True, False), (False, False, False)
"""Whether p and q of sts, rtr and TDMI are withheld."""


def against(job: JobFolder, names: list[str], count: int, withheld: tuple[bool, ...]) -> Against:
    """Reads the shards of all `count` blocks of the nulls `names`, one at a time. withheld: which p and q."""
    totals: dict[str, list[UnitTotals]] = {}
    counts: dict[str, np.ndarray] = {}
    by_prompt: dict[str, np.ndarray] = {}
    for name in names:
        for number in range(count):
            block = _needed(job, name, number)
            parts = [block.observed_units, *block.units]
            if name not in totals:
                totals[name], counts[name], by_prompt[name] = parts, block.counts, block.by_prompt
                continue
            counts[name] = counts[name] + block.counts
            by_prompt[name] += block.by_prompt
            for mine, other in zip(totals[name], parts, strict=True):
                mine += other
    draws = {name: _unit_draws(parts) for name, parts in totals.items()}
    units = {name: nulls.units_tested(one) for name, one in draws.items()}
    unit_p = _withheld(nulls.coupled_p([units[name] for name in _calibrated(names)]), withheld)
    pair_p = np.concatenate([_pairs_tested(job, counts, number, withheld)[1] for number in range(count)])
    return Against(units, draws, unit_p, _by_column(unit_p), _by_column(pair_p), counts, by_prompt, withheld)


def pair_columns(job: JobFolder, found: Against, count: int) -> Iterator[Columns]:
    """The columns of the pair file that the nulls fill, block by block."""
    start = 0
    for number in range(count):
        tests, p = _pairs_tested(job, found.counts, number, found.withheld)
        q = found.pair_q[start : start + len(p)]
        start += len(p)
        first = tests[0]
        columns = {"excess": first.excess, "z": first.z[:, 0]}
        for place, prefix in enumerate(("", "rtr_", "tdmi_")):
            columns |= {f"{prefix}p": p[:, place], f"{prefix}q": q[:, place]}
        yield columns


def unit_rows(decomposition: str, found: Against) -> pa.Table:
    """Rows of unit_nulls."""
    tables = []
    for name, one in found.units.items():
        q = _by_column(one.p)
        for place, score in enumerate(MEASURED):
            columns: dict[str, Any] = {
                "decomposition": [decomposition] * len(q),
                "null_name": [name] * len(q),
                "unit_index": np.arange(len(q)),
                "score": [score] * len(q),
                "draws": one.draws,
                "q": q[:, place],
            }
            for column in ("observed", "mean", "sd", "skewness", "z", "p"):
                columns[column] = getattr(one, column)[:, place]
            tables.append(table(**columns))
    return pa.concat_tables(tables)


def contrast_rows(decomposition: str, found: Against, layers: int, rankings: Sequence[str], cut: Cut) -> pa.Table:
    """Rows of surrogate_contrasts for these rankings, on the cut of the data's contrast."""
    tables = []
    for name, draws in found.draws.items():
        for ranking, values in nulls.contrasts_of_draws(draws, layers, rankings, cut).items():
            tables.append(
                table(
                    decomposition=[decomposition] * len(values),
                    null_name=[name] * len(values),
                    draw=np.arange(len(values)),
                    ranking=[ranking] * len(values),
                    contrast=values,
                )
            )
    return pa.concat_tables(tables)


def test_rows(
    decomposition: str, found: Against, layers: int, seed: int, rankings: Sequence[str], cut: Cut
) -> pa.Table | None:
    """Rows of contrast_tests for these rankings, on the cut of the data's contrast; None if there is no contrast."""
    rows: list[dict[str, Any]] = []
    for name, draws in found.draws.items():
        each = effects.effects(found.by_prompt[name], draws, layers, seed, rankings=rankings, cut=cut)
        for ranking, effect in each.items():
            rows.append({"decomposition": decomposition, "null_name": name, "ranking": ranking, **vars(effect)})
    if not rows:
        return None
    return table(**{column: np.array([row[column] for row in rows]) for column in rows[0]})


def _pairs_tested(
    job: JobFolder, counts: dict[str, np.ndarray], number: int, withheld: tuple[bool, ...]
) -> tuple[list[Tested], np.ndarray]:
    """(tests by null, p [pairs, 3] of the calibrated ones) of one block."""
    tests = {}
    for name, counted in counts.items():
        block = _needed(job, name, number)
        moments = block.moments
        mine = (block.observed, moments.mean, moments.sd, moments.skewness, moments.count)
        tests[name] = nulls.tested(*mine, counted)
    p = nulls.coupled_p([tests[name] for name in _calibrated(list(counts))])
    return list(tests.values()), _withheld(p, withheld)


def _withheld(p: np.ndarray, withheld: tuple[bool, ...]) -> np.ndarray:
    return np.where(withheld, np.nan, p)


def _calibrated(names: list[str]) -> list[str]:
    """The nulls that may call anything coupled; if only others were run, those: the run's name says so."""
    return [name for name in names if name not in UNCALIBRATED_NULLS] or names


def _unit_draws(parts: list[UnitTotals]) -> UnitDraws:
    atoms = np.stack([mean_of(one.atoms, one.pairs[:, None]) for one in parts])
    balance = np.stack([mean_of(one.balance, one.balance_prompts) for one in parts])
    return UnitDraws(atoms[0], balance[0], atoms[1:], balance[1:])


def _by_column(p: np.ndarray) -> np.ndarray:
    return np.stack([benjamini_hochberg(column) for column in p.T], axis=1)


def _needed(job: JobFolder, name: str, number: int) -> NullBlock:
    block = blocks.null_block(job, name, number)
    if block is None:
        raise OSError(f"shard {name}-{number:04d} was there and is gone")
    return block
