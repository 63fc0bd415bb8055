"""What verdicts are decided by, as numbers. They stand here so that a plan can be sealed with them without SciPy.
NumPy."""

from __future__ import annotations

from typing import Any

from synergy_tui import terms
from synergy_tui.analysis.areas import ALPHA, ENOUGH_SEEDS, PRIMARY, SAME, UNCLEAR, UPPERS

SMALLEST_CONTRAST = 0.1
"""Of C1, on the scaled value: middle layers that are less than this above an end are not above it. An interval that
lies below it is evidence of absence."""

EXPLAINED_SHARE = 0.5
"""Of C1: the largest share of the contrast that surrogates may leave unexplained where self-prediction explains it."""

ENOUGH_CONTROLS = 5
"""Random initialisations of each kind of control."""

ENOUGH_TASKS = 20
"""Graded tasks the intact subject can do; with fewer a failed test of accuracy says nothing."""

BUDGET = 0.1
"""Of C4: most divergence with a quarter of the units removed, nats per token."""

AS_FEW, AS_MANY = 0.1, 0.5
"""Shares of surrogate ladders with a transition up to which the test fails on them, and from which on they explain
it."""

LOOK = 5
"""Of C3 and C4: control sets that are drawn between two looks."""

BOUNDS = {10: (4.0, 1.0, 0.04), 15: (3.0, 1.0, 0.045), ENOUGH_SEEDS: (2.25, 0.3, ALPHA)}
"""Of C3 and C4, by the number of sets at a look: t of the target, its lead over the nearest set, and the error up to
there (sequential.Bound). The first look can only refuse."""

DENSITIES = (0.05, 0.1, 0.2)
"""Of C6: shares of all pairs that are edges."""

SMALLEST_TURN = 0.05
"""Of C8: a contrast of the dimension within this share of the mean dimension is no turn. An interval that lies within
it is evidence of absence."""

COINCIDES = 0.02
"""p below which two profiles coincide. Not 0.05: the kinds of random profile that `coincidence` knows are not all there
are, and with some others a p below 0.05 comes up in 9 of 100 independent pairs (docs/errors-claims.md)."""

SMALLEST_ALIGNMENT = 0.1
"""Of C9: an alignment whose interval lies below this is none."""

SMALLEST_RISE = 0.05
"""Of C9: middle layers whose alignment is less than this above an end's are not above it."""

ENOUGH_PAIRS = 24
"""Pairs of prompts below which alignment decides nothing."""


def every() -> dict[str, Any]:
    """Name → value, of all that decide a verdict."""
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
