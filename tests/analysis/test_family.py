"""Holm's correction and families of analyses."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.analysis.family import corrected, holm


def test_holm_by_hand() -> None:
    # Smallest first: 4 × 0.005, 3 × 0.01, 2 × 0.03, and 0.04 not below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, float("nan"), 0.7]) == pytest.approx([1.0, float("nan"), 1.0], nan_ok=True)
    assert holm([]) == []


def test_a_family_without_effects_has_a_finding_in_one_case_of_twenty() -> None:
    chance = np.random.default_rng(0)
    found = np.mean([min(holm(list(chance.random(15)))) <= 0.05 for _ in range(4000)])
    assert 0.04 <= found <= 0.06
    uncorrected = np.mean([chance.random(15).min() <= 0.05 for _ in range(4000)])
    assert uncorrected > 0.5


def test_the_primary_analysis_is_not_corrected_and_does_not_count() -> None:
    p = {("C1", "a"): 0.04, ("C1", "b"): 0.02, ("C3", "a"): 0.03, ("C2", "a"): float("nan")}
    found = corrected(p, [("C1", "a")])
    assert found.pop(("C2", "a")) != found.get(("C2", "a"))
    assert found == pytest.approx({("C1", "b"): 0.04, ("C3", "a"): 0.04})
