"""Under how many definitions of synergy C1 holds: every ranking, of atoms by every estimator, redundancy function and
correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synergy_tui.analysis import claims, scores
from synergy_tui.analysis.claims import Contrast
from synergy_tui.terms import BIASES, ESTIMATORS, NULLS, REDUNDANCIES, SUPPORTED

Atoms = tuple[str, str, str]
"""Estimator, redundancy function and correction."""

EVERY: tuple[Atoms, ...] = tuple(
    (estimator, redundancy, bias)
    for estimator in ESTIMATORS
    for redundancy in REDUNDANCIES
    for bias in (BIASES if (estimator, redundancy) == ("gaussian", "mmi") else BIASES[:1])
)
"""All atoms that can be measured."""

CORRECTED = ("balance", "tdmi-share", "numit")
"""Rankings of corrected atoms that differ from those of uncorrected ones. A correction takes the same amount off every
pair, so rankings of differences between units stay the same."""


@dataclass(frozen=True)
class Measured:
    """What one decomposition says about C1, in the form that claims.c1 takes."""

    contrasts: Mapping[str, Contrast]
    prompts: int
    misleading: Sequence[str] = ()


@dataclass(frozen=True)
class Definitions:
    """held: definitions under which C1 is supported, among those tested, `of`; `unmeasured`: atoms without a
    decomposition that has surrogates of every null."""

    held: tuple[str, ...]
    of: tuple[str, ...]
    unmeasured: tuple[str, ...]


def definitions(found: Mapping[Atoms, Measured]) -> Definitions:
    """The verdict of C1 by each ranking of each decomposition, by the rules of C1 only."""
    held: list[str] = []
    of: list[str] = []
    unmeasured: list[str] = []
    for atoms in EVERY:
        name, one = _name(atoms), found.get(atoms)
        if one is None or not any(set(NULLS) <= set(contrast.effects) for contrast in one.contrasts.values()):
            unmeasured.append(name)
            continue
        rankings = scores.rankings_of(*atoms[:2])
        for ranking in rankings if atoms[2] == BIASES[0] else CORRECTED:
            if ranking not in one.contrasts:
                continue
            of.append(f"{name} {ranking}")
            verdict = claims.c1({ranking: one.contrasts[ranking]}, ranking, one.prompts, one.misleading).verdict
            held += [of[-1]] if verdict == SUPPORTED else []
    return Definitions(tuple(held), tuple(of), tuple(unmeasured))


def _name(atoms: Atoms) -> str:
    estimator, redundancy, bias = atoms
    return f"{estimator}·{redundancy}" + ("" if bias == BIASES[0] else " bias-corrected")
