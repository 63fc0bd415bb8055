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


def every() -> dict[str, Any]:
    """Name → value, of all that decide a verdict."""
    return {
        "ALPHA": ALPHA,
        "AS_FEW": AS_FEW,
        "AS_MANY": AS_MANY,
        "BOUNDS": {str(count): list(one) for count, one in BOUNDS.items()},
        "BUDGET": BUDGET,
        "DENSITIES": list(DENSITIES),
        "ENOUGH_CONTROLS": ENOUGH_CONTROLS,
        "ENOUGH_PROMPTS": terms.ENOUGH_PROMPTS,
        "ENOUGH_SEEDS": ENOUGH_SEEDS,
        "ENOUGH_TASKS": ENOUGH_TASKS,
        "EXPLAINED_SHARE": EXPLAINED_SHARE,
        "FULL_LADDER": list(terms.FULL_LADDER),
        "LOOK": LOOK,
        "PRIMARY": PRIMARY,
        "SAME": SAME,
        "SMALLEST_CONTRAST": SMALLEST_CONTRAST,
        "UNCLEAR": UNCLEAR,
        "UPPERS": list(UPPERS),
    }
