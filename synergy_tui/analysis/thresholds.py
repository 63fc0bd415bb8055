"""The numbers that decide verdicts. They are here so that a plan can be sealed with them without SciPy. NumPy."""

from __future__ import annotations

from typing import Any

from synergy_tui import terms
from synergy_tui.analysis.areas import ALPHA, ENOUGH_SEEDS, PRIMARY, SAME, UNCLEAR, UPPERS

SMALLEST_CONTRAST = 0.1
"""C1, on the scaled value: middle layers that are less than this above an end are not above it. An interval below it is
evidence of absence."""

EXPLAINED_SHARE = 0.5
"""C1: the largest share of the contrast that surrogates may leave unexplained if self-prediction explains it."""

ENOUGH_CONTROLS = 5
"""Random initialisations of each kind of control."""

ENOUGH_TASKS = 20
"""Graded tasks that the intact subject can do; with fewer, a failed test of accuracy says nothing."""

BUDGET = 0.1
"""C4: the most divergence allowed with a quarter of the units removed, nats per token."""

AS_FEW, AS_MANY = 0.1, 0.5
"""Shares of surrogate ladders with a transition: up to the first the test fails on them; from the second on they
explain it."""

LOOK = 5
"""C3 and C4: control sets drawn between two looks."""

BOUNDS = {10: (4.0, 1.0, 0.04), 15: (3.0, 1.0, 0.045), ENOUGH_SEEDS: (2.25, 0.3, ALPHA)}
"""C3 and C4, by the number of sets at a look: t of the target, its lead over the nearest set, and the error up to there
(sequential.Bound). The first look can only refuse."""

DENSITIES = (0.05, 0.1, 0.2)
"""C6: shares of all pairs that are edges."""

SMALLEST_TURN = 0.05
"""C8: a contrast of the dimension within this share of the mean dimension is not a turn. An interval within it is
evidence of absence."""

COINCIDES = 0.02
"""p below which two profiles coincide. It is not 0.05: `coincidence` does not know all kinds of random profile, and
with some others a p below 0.05 comes up in 9 of 100 independent pairs (docs/errors-claims.md)."""

SMALLEST_ALIGNMENT = 0.1
"""C9: an interval of the alignment below this is evidence that there is no alignment."""

SMALLEST_RISE = 0.05
"""C9: middle layers whose alignment is less than this above an end's are not above it."""

ENOUGH_PAIRS = 24
"""With fewer pairs of prompts, alignment decides nothing."""


def every() -> dict[str, Any]:
    """Name → value of every threshold that decides a verdict."""
    return {
        "ALPHA": ALPHA,
        "AS_FEW": AS_FEW,
        "AS_MANY": AS_MANY,
        "BOUNDS": {str(count): list(one) for count, one in BOUNDS.items()},
        "BUDGET": BUDGET,
        "COINCIDES": COINCIDES,
        "DENSITIES": list(DENSITIES),
        "ENOUGH_CONTROLS": ENOUGH_CONTROLS,
        "ENOUGH_PAIRS": ENOUGH_PAIRS,
        "ENOUGH_PROMPTS": terms.ENOUGH_PROMPTS,
        "ENOUGH_SEEDS": ENOUGH_SEEDS,
        "ENOUGH_TASKS": ENOUGH_TASKS,
        "EXPLAINED_SHARE": EXPLAINED_SHARE,
        "FULL_LADDER": list(terms.FULL_LADDER),
        "LOOK": LOOK,
        "PRIMARY": PRIMARY,
        "SAME": SAME,
        "SMALLEST_ALIGNMENT": SMALLEST_ALIGNMENT,
        "SMALLEST_CONTRAST": SMALLEST_CONTRAST,
        "SMALLEST_RISE": SMALLEST_RISE,
        "SMALLEST_TURN": SMALLEST_TURN,
        "UNCLEAR": UNCLEAR,
        "UPPERS": list(UPPERS),
    }
