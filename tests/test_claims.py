"""The verdicts: on numbers whose answer is known, and on simulated models in the short form of `bench claims`."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.analysis import claims
from synergy_tui.analysis.areas import AreaTest
from synergy_tui.analysis.claims import Contrast, Removal
from synergy_tui.analysis.networks import DENSITIES, Difference
from synergy_tui.bench import claims as simulated
from synergy_tui.terms import CONTROLS, EXPLAINED, INCONCLUSIVE, NOT_SUPPORTED, NULLS, RANKINGS, SUPPORTED

RANKING = RANKINGS[0]


def contrast(value: float, low: float, high: float, ends: float = 0.05, nulls: tuple[str, ...] = NULLS) -> Contrast:
    return Contrast(value, low, high, {null: np.linspace(-ends, ends, 200) for null in nulls})


def test_c1_needs_the_interval_and_both_nulls():
    judge = lambda one: claims.c1({RANKING: one}, RANKING, 40)  # noqa: E731
    assert judge(contrast(0.2, 0.1, 0.3)).verdict == SUPPORTED
    assert judge(contrast(0.2, 0.1, 0.3, ends=0.4)).verdict == EXPLAINED
    mixed = {NULLS[0]: np.linspace(-0.1, 0.1, 200), NULLS[1]: np.linspace(0, 0.4, 200)}
    assert judge(Contrast(0.2, 0.1, 0.3, mixed)).verdict == EXPLAINED
    assert judge(contrast(-0.2, -0.3, -0.1)).verdict == NOT_SUPPORTED
    assert judge(contrast(0.01, -0.05, 0.07)).verdict == NOT_SUPPORTED
    wide = judge(contrast(0.1, -0.1, 0.3))
    assert (wide.verdict, "more prompts" in wide.missing) == (INCONCLUSIVE, True)
    one_null = judge(contrast(0.2, 0.1, 0.3, nulls=NULLS[:1]))
    assert one_null.verdict == INCONCLUSIVE
    assert NULLS[1] in one_null.missing


def test_c1_says_under_how_many_rankings_it_holds():
    found = claims.c1({"difference": contrast(0.2, 0.1, 0.3), RANKING: contrast(0.2, 0.1, 0.3, 0.4)}, RANKING, 40)
    assert (found.verdict, found.holds_under, found.of) == (EXPLAINED, ("difference",), ("difference", RANKING))


def test_c1_of_two_layers_has_no_contrast():
    found = claims.c1({RANKING: contrast(np.nan, np.nan, np.nan)}, RANKING, 40)
    assert (found.verdict, "three layers" in found.missing) == (INCONCLUSIVE, True)


def test_the_percentile_of_39_draws_is_exceeded_by_one_of_40_equal_values_in_twenty():
    chance = np.random.default_rng(0)
    values = chance.normal(size=(20_000, 40))
    share = np.mean([one[0] > claims._percentile(one[1:]) for one in values])
    assert 0.045 < share < 0.055


def ladder(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {"verdict": "transition", "accuracy_falls": True, "delta_bic": 9.0, "levels": 8}
    row |= {"order_parameter": "contrast", "d_low": 3.0, "d_high": 5.0, "sentence": ""}
    return row | changes


def test_c2_follows_the_ladder_and_asks_that_accuracy_falls():
    assert claims.c2(ladder()).verdict == SUPPORTED
    assert claims.c2(ladder(verdict="gradual")).verdict == NOT_SUPPORTED
    assert claims.c2(ladder(verdict="no change")).verdict == NOT_SUPPORTED
    assert claims.c2(ladder(verdict="inconclusive")).verdict == INCONCLUSIVE
    assert "8 levels" in claims.c2(ladder(verdict="changes")).missing
    assert "only a label" in claims.c2(ladder(accuracy_falls=False)).missing
    assert "only a label" in claims.c2(ladder(accuracy_falls=None)).missing
    assert claims.c2(None).verdict == INCONCLUSIVE


def removal(
    p: float = 0.01, below: float = 0.99, seeds: int = 20, accuracy: float = 0.01, **changes: object
) -> Removal:
    area = {name: AreaTest(1.5, 3.0, p, below, seeds) for name in ("random", "layer-matched")}
    found: dict[str, object] = {"area": area, "ratio": (1.5, 1.2, 1.8), "divergence": 0.05, "tasks": 60, "prompts": 12}
    found |= {"accuracy": dict.fromkeys(area, accuracy) if accuracy else {}, "ranking": RANKING}
    return Removal(**found | changes)  # type: ignore[arg-type]


def test_c3_needs_divergence_and_accuracy_beyond_both_controls():
    assert claims.c3(removal()).verdict == SUPPORTED
    assert claims.c3(removal(p=0.2)).verdict == NOT_SUPPORTED
    assert claims.c3(removal(accuracy=0.2)).verdict == NOT_SUPPORTED
    assert "graded tasks" in claims.c3(removal(accuracy=0.2, tasks=10)).missing
    assert "accuracy" in claims.c3(removal(accuracy=0, tasks=0)).missing
    one = {"random": AreaTest(1.5, 3.0, 0.01, 0.99, 20)}
    assert "layer-matched" in claims.c3(removal(area=one)).missing
    assert claims.c3(None).verdict == INCONCLUSIVE


def test_too_few_seeds_give_no_verdict():
    for judge in (claims.c3, claims.c4):
        found = judge(removal(seeds=19, below=0.01))
        assert (found.verdict, found.missing) == (INCONCLUSIVE, "too few controls: 19 of 20 seeds")


def test_c4_needs_less_than_its_controls_and_the_budget():
    assert claims.c4(removal(below=0.01)).verdict == SUPPORTED
    assert claims.c4(removal(below=0.01), budget=0.04).verdict == NOT_SUPPORTED
    assert claims.c4(removal(below=0.2)).verdict == NOT_SUPPORTED


def test_c5_needs_five_initialisations_of_both_controls():
    controls = {how: {RANKING: np.array([0.0, 0.02, -0.02, 0.01, -0.01])} for how in CONTROLS}
    assert claims.c5({RANKING: 0.3}, controls, RANKING).verdict == SUPPORTED
    assert claims.c5({RANKING: 0.0}, controls, RANKING).verdict == NOT_SUPPORTED
    few = controls | {CONTROLS[1]: {RANKING: np.array([0.0, 0.02, -0.02, 0.01])}}
    found = claims.c5({RANKING: 0.3}, few, RANKING)
    assert (found.verdict, "4 replayed" in found.missing) == (INCONCLUSIVE, True)
    high = controls | {CONTROLS[1]: {RANKING: np.array([0.3, 0.32, 0.28, 0.31, 0.29])}}
    assert claims.c5({RANKING: 0.3}, high, RANKING).verdict == NOT_SUPPORTED


def test_c5_against_a_t_by_hand():
    # mean 0, sd 1, k 5: t of 2.9 is 2.9/√1.2 = 2.647; the upper 5 % of Student's t with 4 is 2.132, 2.5 % 2.776
    controls = np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    controls = controls / controls.std(ddof=1)
    assert 0.025 < claims.above(2.9, controls) < 0.05
    assert np.isnan(claims.above(2.9, controls[:1]))


def differences(low: float) -> dict[tuple[str, str, float], Difference]:
    return {
        (null, what, density): Difference(0.1, low, 0.2, 0.1)
        for null in NULLS
        for what in ("efficiency", "modularity")
        for density in DENSITIES
    }


def test_c6_needs_every_density_and_both_nulls():
    judge = lambda found: claims.c6(found, DENSITIES, 20)  # noqa: E731
    assert judge(differences(0.01)).verdict == SUPPORTED
    weak = differences(0.01) | {(NULLS[1], "modularity", DENSITIES[2]): Difference(0.1, -0.01, 0.2, 0.1)}
    assert judge(weak).verdict == INCONCLUSIVE
    assert len(judge(weak).holds_under) == 2
    against = differences(0.01) | {(NULLS[1], "modularity", DENSITIES[2]): Difference(-0.1, -0.2, -0.05, -0.1)}
    assert judge(against).verdict == NOT_SUPPORTED
    lost = differences(0.01) | {(NULLS[1], "modularity", DENSITIES[2]): Difference(*[float("nan")] * 4)}
    assert judge(lost).verdict == INCONCLUSIVE
    assert judge({}).verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (simulated.hump, EXPLAINED),
        (simulated.coupled(simulated.STRENGTH), SUPPORTED),
        (simulated.uncoupled, None),
        (simulated.redundant, None),
    ],
)
def test_c1_of_simulated_models(made, wanted):
    """Three of each kind; the table of 200 is in analysis/CLAIMS.md. `None`: anything but supported."""
    verdicts = [simulated.judge(made(np.random.default_rng([seed, 1])), seed=seed)[0].verdict for seed in range(3)]
    if wanted is None:
        assert SUPPORTED not in verdicts
    else:
        assert verdicts.count(wanted) >= 2


def test_c3_and_c4_of_planted_sets():
    for name, verdict in (("planted important set", SUPPORTED), ("an order of nothing", NOT_SUPPORTED)):
        order = simulated.ORDERS[name]
        chances = [np.random.default_rng([seed, 3]) for seed in range(8)]
        assert [claims.c3(simulated.removal(one, *order(one))).verdict for one in chances].count(verdict) >= 7
        assert [claims.c4(simulated._from_end(one, order)).verdict for one in chances].count(verdict) >= 7
