"""What `bench truth` is made of, on cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, ttest_1samp

from synergy_tui.bench import truth
from synergy_tui.zoo import shipped
from synergy_tui.zoo.plants import PLANTS


def test_auroc_is_that_of_the_rank_test() -> None:
    """With ties: SciPy's U over the number of pairs. Perfect, reversed and constant scores: 1, 0 and a half."""
    chance = np.random.default_rng(0)
    score, positive = chance.integers(0, 6, 40).astype(float), chance.random(40) < 0.4
    u = mannwhitneyu(score[positive], score[~positive]).statistic
    assert truth.auroc(score, positive) == pytest.approx(u / (positive.sum() * (~positive).sum()))
    assert [truth.auroc(one, positive) for one in (positive * 1.0, -1.0 * positive, np.ones(40))] == [1.0, 0.0, 0.5]


def test_auroc_needs_both_kinds() -> None:
    """Units without a value do not count; without one of either kind there is none."""
    score = np.array([1.0, np.nan, 3.0])
    assert np.isnan(truth.auroc(score, np.array([False, True, False])))
    assert truth.auroc(score, np.array([False, True, True])) == 1.0


def test_intervals_are_students() -> None:
    """Means over models with SciPy's interval; NaN left out; a single model has none."""
    values = [0.2, 0.5, float("nan"), 0.9]
    ends = ttest_1samp([0.2, 0.5, 0.9], 0).confidence_interval()
    assert truth.over(values) == f"0.53 [{ends.low:.2f}, {ends.high:.2f}]"
    assert truth.over([0.5]) == "0.50"
    assert truth.over([float("nan")]) == "–"


def test_every_model_is_a_case() -> None:
    """All seeds of the zoo, and every plant as often as the bench says."""
    found = truth.cases()
    assert len(found) == len(set(found)) == 18 + truth.SEEDS * len(PLANTS)
    assert {name.partition("/")[0] for name, _ in found if not name.startswith(shipped.PLANT)} == {
        f"{shipped.ZOO}{kind}" for kind in shipped.LANGUAGE_OF
    }
