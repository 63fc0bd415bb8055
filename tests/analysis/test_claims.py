"""The verdicts: on numbers whose answer is known, and on data sets whose truth is. The long form is `synergy-tui bench
calibration`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synergy_tui.analysis import claims, profile
from synergy_tui.analysis.areas import AreaTest
from synergy_tui.analysis.claims import C6_SIDES, Climb, Contrast, Removal
from synergy_tui.analysis.effects import Effect, deciding
from synergy_tui.analysis.networks import DENSITIES, Difference
from synergy_tui.analysis.profile import SIDES
from synergy_tui.bench import calibration, planted
from synergy_tui.terms import CONTROLS, EXPLAINED, INCONCLUSIVE, NOT_SUPPORTED, NULLS, RANKINGS, SUPPORTED

RANKING = RANKINGS[0]

# C1


def effect(difference: float, half: float = 0.05, p: float = 0.01, prompts: int = 40) -> Effect:
    """A contrast that lies so far above its surrogates, give or take `half`."""
    return Effect(
        0.2, 0.2 - difference, difference, difference - half, difference + half, half / 2, p, 1.0, prompts, 99
    )


def contrast(
    *effects: Effect, ends: dict[str, tuple[float, float, float]] | None = None, value: float = 0.2, half: float = 0.05
) -> Contrast:
    """By default the middle is above both ends and these are below the mean. effects: by null, in their order."""
    sides = dict.fromkeys(SIDES[:2], (value, value - half, value + half))
    sides |= dict.fromkeys(SIDES[2:], (-value / 2, -value / 2 - half, -value / 2 + half))
    return Contrast(value, value - half, value + half, sides | (ends or {}), dict(zip(NULLS, effects, strict=False)))


def judge(one: Contrast, misleading: tuple[str, ...] = ()) -> claims.Claim:
    return claims.c1({RANKING: one}, RANKING, 40, misleading)


def test_c1_is_supported_above_both_ends_and_above_both_nulls():
    found = judge(contrast(effect(0.15), effect(0.2)))
    assert (found.verdict, found.effect, found.holds_under, found.missing) == (SUPPORTED, 0.2, (RANKING,), "")
    for name in SIDES[:2]:
        assert f"{name} +0.200 [+0.150, +0.250]" in found.told
    assert "minus window-roll surrogates +0.200 [+0.150, +0.250] (p 0.010, 40 prompts)" in found.told
    assert "holds in 100% of random halves" in found.told


@pytest.mark.parametrize(
    ("ends", "wanted", "told"),
    [
        ({SIDES[0]: (0.02, -0.05, 0.09)}, NOT_SUPPORTED, ""),  # surely less than 0.1 above the early layers
        ({SIDES[1]: (-0.3, -0.4, -0.2)}, NOT_SUPPORTED, ""),
        ({SIDES[2]: (0.1, 0.05, 0.15)}, NOT_SUPPORTED, ""),  # early layers are synergistic
        ({SIDES[1]: (0.1, -0.02, 0.22)}, INCONCLUSIVE, "an interval of middle − late that excludes 0 or 0.1"),
        ({SIDES[3]: (0.01, -0.05, 0.07)}, INCONCLUSIVE, "both ends below the mean"),
        ({SIDES[0]: (0.2, math.nan, math.nan)}, INCONCLUSIVE, "two prompts or more"),
    ],
)
def test_c1_asks_for_the_middle_above_each_end(ends, wanted, told):
    """However far the contrast is above its surrogates."""
    found = judge(contrast(effect(0.2), effect(0.2), ends=ends))
    assert found.verdict == wanted
    assert told in found.missing
    assert found.holds_under == ()


@pytest.mark.parametrize(
    ("effects", "wanted"),
    [
        ((effect(0.0), effect(0.0)), EXPLAINED),
        ((effect(0.2), effect(0.0)), EXPLAINED),  # one null is enough to explain it
        ((effect(0.04), effect(0.04)), EXPLAINED),  # [-0.01, 0.09] lies below half of 0.2
        ((effect(0.06), effect(0.06)), SUPPORTED),
        ((effect(0.2, p=0.06), effect(0.2)), INCONCLUSIVE),
        ((effect(0.0, half=0.11), effect(0.0, half=0.11)), INCONCLUSIVE),  # might be 0.11, more than half of 0.2
        ((effect(0.2), effect(0.05, half=0.06)), INCONCLUSIVE),
    ],
)
def test_c1_is_explained_by_evidence_of_absence_alone(effects, wanted):
    assert judge(contrast(*effects)).verdict == wanted


def test_an_undecided_c1_says_how_many_prompts_would_decide():
    found = judge(contrast(effect(0.2), effect(0.05, half=0.12)))
    assert found.missing == (
        "a difference from surrogates above 0 or below +0.100: "
        f"about {math.ceil(40 * (2.8 * 0.06 / 0.05) ** 2)} prompts would decide"
    )


@pytest.mark.parametrize(
    ("difference", "error", "wanted"),
    [(0.05, 0.05, 157), (0.0, 0.05, 40), (0.1, 0.05, 40), (0.3, 0.01, 21), (0.0, math.nan, None)],
)
def test_prompts_that_would_decide_by_hand(difference, error, wanted):
    """20 now, and (2.8 errors over the distance to the farther of 0 and 0.1)² times as many."""
    assert deciding(difference, error, 20, 0.1) == wanted


@pytest.mark.parametrize(
    ("one", "misleading", "told"),
    [
        (contrast(effect(0.2)), (), "surrogates of window-roll"),
        (contrast(), (), "surrogates of prompt-shuffle and window-roll"),
        (contrast(effect(0.2, prompts=9), effect(0.2)), (), "10 prompts of like length; the nulls have 9"),
        (contrast(effect(0.2), effect(0.2)), ("units share volatility",), "a null that holds: units share volatility"),
        (contrast(effect(0.0), effect(0.0)), ("units share volatility",), "a null that holds"),
        (contrast(value=math.nan), (), "three layers"),
    ],
)
def test_c1_without_nulls_that_hold_is_inconclusive(one, misleading, told):
    found = judge(one, misleading)
    assert found.verdict == INCONCLUSIVE
    assert told in found.missing


def test_c1_says_under_which_rankings_it_holds_and_under_which_it_is_reversed():
    above, below = contrast(effect(0.2), effect(0.2)), contrast(effect(-0.2), effect(-0.1))
    mixed = contrast(effect(-0.2), effect(0.2))
    found = claims.c1({"difference": above, "excess": below, "balance": mixed, RANKING: above}, RANKING, 40)
    assert (found.verdict, found.holds_under) == (SUPPORTED, ("difference", RANKING))
    assert found.of == ("difference", "excess", "balance", RANKING)
    assert found.told.endswith("reversed, below the surrogates, under excess")
    assert "reversed" not in judge(above).told


LAYER = np.arange(planted.LAYERS)


def middle_against(where: np.ndarray) -> planted.Made:
    """Of the shape of the other cases: one compilation serves all."""
    return planted.synergistic(where, 20, 60, 0.7)


def early_answer(chance: np.random.Generator) -> planted.Planted:
    """Self-prediction alone, and one of 20 answers of 24 steps where the others have 60."""
    return planted.Planted(planted.cut(planted.hump(chance, (20, planted.UNITS, 60)), np.array([24, *[60] * 19])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "wanted", "least"),
    [
        (middle_against(profile.middle(planted.LAYERS)), SUPPORTED, 5),
        (middle_against(LAYER >= 3), NOT_SUPPORTED, 2),
        (middle_against(LAYER <= 5), NOT_SUPPORTED, 2),
        (planted.WITHOUT["memory with a hump"], EXPLAINED, 3),
        (early_answer, EXPLAINED, 3),
    ],
    ids=["synergy in the middle", "late as the middle", "early as the middle", "self-prediction", "an early answer"],
)
def test_c1_of_six_data_sets_whose_truth_is_known(made, wanted, least):
    found = [
        calibration.judged(made(np.random.default_rng([seed, 1])), draws=25, seed=seed, replicates=100)
        for seed in range(6)
    ]
    verdicts = [one["C1"] for one in found]
    assert verdicts.count(wanted) >= least
    assert wanted == SUPPORTED or SUPPORTED not in verdicts
    for one in found:
        for name, (value, low, high) in one["intervals"].items():
            assert low <= value <= high, name


# C2


def climb(**changes: Any) -> Climb:
    usual = Climb("contrast", "transition", 9.0, 3.0, 5.0, 8, 40, True, "", 0.05, 0.8, "A transition.")
    return replace(usual, **changes)


@pytest.mark.parametrize(
    ("changes", "wanted", "told"),
    [
        ({}, SUPPORTED, ""),
        ({"surrogates": 0.1}, SUPPORTED, ""),
        ({"surrogates": 0.2}, INCONCLUSIVE, "surrogate ladders without a transition"),
        ({"surrogates": 0.5}, EXPLAINED, ""),
        ({"surrogates": math.nan}, INCONCLUSIVE, "surrogates of the levels"),
        ({"verdict": "gradual"}, NOT_SUPPORTED, ""),
        ({"verdict": "no change"}, NOT_SUPPORTED, ""),
        ({"verdict": "inconclusive"}, INCONCLUSIVE, "more prompts per level"),
        ({"levels": 7, "verdict": "changes"}, INCONCLUSIVE, "8 levels × 40 prompts; there are 7 × 40"),
        ({"prompts": 39, "power": 0.42}, INCONCLUSIVE, "there are 8 × 39, whose power for a step of one sd is 42%"),
        ({"prompts": 5, "verdict": "no change"}, INCONCLUSIVE, "there are 8 × 5"),
        ({"accuracy_falls": False}, INCONCLUSIVE, "difficulty was only a label"),
        ({"accuracy_falls": None, "accuracy": "nothing graded"}, INCONCLUSIVE, "accuracy of every level: nothing gra"),
        ({"accuracy_falls": None, "verdict": "no change"}, INCONCLUSIVE, "accuracy of every level"),
        ({"misleading": ("units share volatility",)}, INCONCLUSIVE, "a null that holds: units share volatility"),
    ],
)
def test_c2_follows_the_ladder_where_it_is_large_enough_and_becomes_harder(changes, wanted, told):
    found = claims.c2(climb(**changes))
    assert found.verdict == wanted
    assert told in found.missing
    assert found.of == ("contrast",)


def test_c2_without_a_ladder_is_inconclusive():
    assert (claims.c2(None).verdict, claims.c2(None).missing) == (INCONCLUSIVE, "a ladder of difficulty")


@pytest.mark.parametrize("verdict", ["transition", "gradual", "no change", "inconclusive"])
def test_only_a_transition_has_a_place(verdict):
    assert ("d* in [3, 5]" in claims.c2(climb(verdict=verdict)).told) == (verdict == "transition")


# C3 and C4


def removal(
    p: float = 0.01, below: float = 0.99, seeds: int = 20, accuracy: float = 0.01, **changes: object
) -> Removal:
    area = {name: AreaTest(1.5, 1.2, 1.8, p, below, seeds) for name in ("random", "layer-matched")}
    found: dict[str, object] = {"area": area, "divergence": 0.05, "tasks": 60, "prompts": 12, "held_out": True}
    found |= {"accuracy": dict.fromkeys(area, accuracy) if accuracy else {}, "ranking": RANKING}
    return Removal(**found | changes)  # type: ignore[arg-type]


def test_c3_needs_divergence_and_accuracy_beyond_both_controls():
    found = claims.c3(removal())
    assert (found.verdict, found.effect, found.low, found.high) == (SUPPORTED, 1.5, 1.2, 1.8)
    assert "area ×1.50 [1.20, 1.80] layer-matched (p 0.010)" in found.told
    assert claims.c3(removal(p=0.2)).verdict == NOT_SUPPORTED
    assert claims.c3(removal(accuracy=0.2)).verdict == NOT_SUPPORTED
    assert "graded tasks" in claims.c3(removal(accuracy=0.2, tasks=10)).missing
    assert "accuracy" in claims.c3(removal(accuracy=0, tasks=0)).missing
    one = {"random": AreaTest(1.5, 1.2, 1.8, 0.01, 0.99, 20)}
    assert "layer-matched" in claims.c3(removal(area=one)).missing
    assert claims.c3(None).verdict == INCONCLUSIVE


@pytest.mark.parametrize("judge", [claims.c3, claims.c4])
def test_what_leaves_both_removals_open(judge):
    for changes, told in (
        ({"seeds": 19}, "too few controls: 19 of 20 seeds"),
        ({"p": 0.08, "below": 0.08}, "more prompts or control sets: p 0.080"),
        ({"p": math.nan}, "sets that differ from each other"),
        ({"prompts": 1}, "two prompts or more"),
        ({"held_out": False}, "a ranking from other prompts than those replayed"),
    ):
        found = judge(removal(**{"below": 0.01} | changes))  # type: ignore[arg-type]
        assert (found.verdict, told in found.missing) == (INCONCLUSIVE, True), changes


def test_c4_needs_less_than_its_controls_and_the_budget():
    assert claims.c4(removal(below=0.01)).verdict == SUPPORTED
    assert claims.c4(removal(below=0.01), budget=0.04).verdict == NOT_SUPPORTED
    assert claims.c4(removal(below=0.2)).verdict == NOT_SUPPORTED
    assert claims.c4(removal(below=0.01, divergence=math.nan)).verdict == INCONCLUSIVE
    assert claims.c4(None).verdict == INCONCLUSIVE


@pytest.mark.parametrize("from_end", [False, True])
def test_c3_and_c4_of_planted_sets(from_end):
    wanted = {"planted important set": SUPPORTED, "an order of nothing": NOT_SUPPORTED}
    for name, verdict in wanted.items():
        assert [calibration.of_removal(name, from_end, seed) for seed in range(8)].count(verdict) >= 6, name
    layers = [calibration.of_removal("an order of layers alone", from_end, seed) for seed in range(8)]
    assert SUPPORTED not in layers


@pytest.mark.parametrize("share", [0.1, 0.15])
def test_one_critical_unit_in_some_control_sets_breaks_neither_side(share):
    """The t on log areas called 8 to 9 % of such orders below their controls."""
    called = np.array([calibration.critical(share, seed) for seed in range(500)])
    assert (called.mean(axis=0) <= 0.06).all()
    assert called[:, 0].any()


# C5


def test_c5_needs_five_initialisations_of_both_controls():
    controls = {how: {RANKING: np.array([0.0, 0.02, -0.02, 0.01, -0.01])} for how in CONTROLS}
    assert claims.c5({RANKING: 0.3}, controls, RANKING).verdict == SUPPORTED
    assert claims.c5({RANKING: 0.0}, controls, RANKING).verdict == NOT_SUPPORTED
    few = controls | {CONTROLS[1]: {RANKING: np.array([0.0, 0.02, -0.02, 0.01])}}
    found = claims.c5({RANKING: 0.3}, few, RANKING)
    assert (found.verdict, "4 replayed" in found.missing) == (INCONCLUSIVE, True)
    high = controls | {CONTROLS[1]: {RANKING: np.array([0.3, 0.32, 0.28, 0.31, 0.29])}}
    assert claims.c5({RANKING: 0.3}, high, RANKING).verdict == NOT_SUPPORTED
    assert "prompt-shuffle surrogates" in claims.c5({RANKING: math.nan}, controls, RANKING).missing


def test_c5_and_c6_are_not_supported_where_no_null_holds():
    controls = {how: {RANKING: np.array([0.0, 0.02, -0.02, 0.01, -0.01])} for how in CONTROLS}
    misled = ["units share volatility"]
    found = claims.c5({RANKING: 0.3}, controls, RANKING, misled)
    assert (found.verdict, "units share volatility" in found.missing) == (INCONCLUSIVE, True)
    assert claims.c5({RANKING: 0.0}, controls, RANKING, misled).verdict == NOT_SUPPORTED
    found = claims.c6(differences(), DENSITIES, 20, misled)
    assert (found.verdict, "units share volatility" in found.missing) == (INCONCLUSIVE, True)


def test_c5_against_a_t_by_hand():
    # mean 0, sd 1, k 5: t of 2.9 is 2.9/√1.2 = 2.647; the upper 5 % of Student's t with 4 is 2.132, 2.5 % 2.776
    controls = np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    controls = controls / controls.std(ddof=1)
    assert 0.025 < claims.above(2.9, controls) < 0.05
    assert np.isnan(claims.above(2.9, controls[:1]))


def test_c5_is_rarely_supported_by_chance_and_found_where_it_is_far():
    assert [calibration.of_controls(0, seed) for seed in range(300)].count(SUPPORTED) / 300 <= 0.05
    assert [calibration.of_controls(6, seed) for seed in range(100)].count(SUPPORTED) >= 90


# C6


def differences(
    low: float = 0.01, prompts: int = 20, **changes: Difference
) -> dict[tuple[str, str, float], Difference]:
    """changes: of a side under the second null at the last density, by its name with _ for blanks."""
    every = {
        (null, what, density): Difference(0.1, low, 0.2, 0.1)
        for null in NULLS
        for what in C6_SIDES
        for density in DENSITIES
    }
    at = {(NULLS[1], name.replace("_", " "), DENSITIES[2]): one for name, one in changes.items()}
    assert at.keys() <= every.keys()
    return every | at


@pytest.mark.parametrize("side", C6_SIDES)
def test_c6_needs_all_four_sides_at_every_density_under_both_nulls(side):
    def judge(**numbers: Any) -> claims.Claim:
        one = Difference(**{"value": 0.1, "low": 0.01, "high": 0.2, "raw": 0.1} | numbers)
        return claims.c6(differences(**{side.replace(" ", "_"): one}), DENSITIES, 20)

    assert judge().verdict == SUPPORTED
    assert judge().holds_under == tuple(f"{one:g}" for one in DENSITIES)
    weak = judge(low=-0.01)
    assert (weak.verdict, len(weak.holds_under), weak.measure) == (INCONCLUSIVE, 2, f"{side} at 20%")
    # 20 prompts, a reach of 2.093 errors: 20·(2.8·0.105/2.093/0.1)²
    assert weak.missing.endswith("about 40 prompts would do")
    assert judge(value=-0.1, low=-0.2, high=-0.05).verdict == NOT_SUPPORTED
    lost = judge(value=math.nan, low=math.nan, high=math.nan)
    assert (lost.verdict, "edges of positive weight at 20%" in lost.missing) == (INCONCLUSIVE, True)


def test_c6_of_less_than_all_sides_or_nulls_is_inconclusive():
    every = differences()
    plain = {key: one for key, one in every.items() if " of " not in key[1]}
    found = claims.c6(plain, DENSITIES, 20)
    assert (found.verdict, "make the networks anew" in found.missing) == (INCONCLUSIVE, True)
    assert "efficiency of sts and modularity of rtr" in found.missing
    one_null = {key: one for key, one in every.items() if key[0] == NULLS[0]}
    assert claims.c6(one_null, DENSITIES, 20).missing == "surrogates of window-roll"
    assert claims.c6({}, DENSITIES, 20).verdict == INCONCLUSIVE
