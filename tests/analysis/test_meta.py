"""Meta-analysis of cards against published and closed answers, and C7 on atlases whose truth is known."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from synergy_tui.analysis import claims, family, meta, student, universality
from synergy_tui.analysis.moderators import moderators
from synergy_tui.bench import atlas as made
from synergy_tui.store.atlas import AtlasCard, AtlasClaim
from synergy_tui.terms import EXPLAINED, HETEROGENEOUS, INCONCLUSIVE, METHOD, NOT_SUPPORTED, SUPPORTED

# Colditz et al. 1994, as metafor's dat.bcg: cases and others, vaccinated and not.
BCG = """4 119 11 128;6 300 29 274;3 228 11 209;62 13536 248 12619;33 5036 47 5761;180 1361 372 1079;8 2537 10 619
505 87886 499 87892;29 7470 45 7232;17 1699 65 1600;186 50448 141 27197;5 2493 3 2338;27 16886 29 17825"""


def bcg() -> tuple[np.ndarray, np.ndarray]:
    table = np.array([row.split() for row in BCG.replace("\n", ";").split(";")], float)
    a, b, c, d = table.T
    return np.log(a / (a + b) * (c + d) / c), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


def cards(values: list[float], error: float = 0.1, n: int = 40, measure: str = "contrast", claim: str = "C1", **other):
    """Cards of one family each, with the effects given and 95 % intervals of Student's t."""
    half = student.reach(0.95, n - 1) * error
    out = []
    for place, value in enumerate(values):
        ends = (value - half, value + half)
        if "×" in measure:
            wide = stats.norm.ppf(0.95) * error
            value, ends = math.exp(value), (math.exp(value - wide), math.exp(value + wide))
        level = 0.9 if "×" in measure else 0.95
        one = AtlasClaim(other.get("verdict", SUPPORTED), value, measure, *ends, level, n, "", "")
        out.append(made.card(place, f"family {place}", {claim: one}))
    return out


def test_the_published_example_comes_out():
    values, variances = bcg()
    assert meta.cochran(values, variances) == pytest.approx(152.2330, abs=1e-4)
    assert meta.paule_mandel(values, variances) == pytest.approx(0.3181, abs=5e-5)


def test_values_of_one_precision_have_a_closed_answer():
    """τ² is the sample variance minus that of sampling, and the interval Student's of the plain mean."""
    values = [0.1, 0.3, 0.35, 0.6, 0.9]
    found = meta.groups(cards(values, 0.1), "C1")[0].result
    sd, half = np.std(values, ddof=1), stats.t.ppf(0.975, 4) * np.std(values, ddof=1) / math.sqrt(5)
    assert found.tau == pytest.approx(math.sqrt(sd**2 - 0.01))
    assert (found.effect, found.low, found.high) == pytest.approx((0.45, 0.45 - half, 0.45 + half))
    assert found.p_mean == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert found.p == pytest.approx(stats.chi2.sf(found.q, 4))
    wide = stats.t.ppf(0.975, 3) * math.sqrt(found.tau**2 + sd**2 / 5)
    assert found.predicted == pytest.approx((0.45 - wide, 0.45 + wide))


def test_equal_effects_are_a_fixed_effect():
    found = meta.groups(cards([0.3] * 4, 0.1), "C1")[0].result
    half = stats.t.ppf(0.975, 3) * 0.1 / 2
    assert (found.tau, found.i2, found.q) == pytest.approx((0, 0, 0), abs=1e-12)
    assert (found.effect, found.low, found.high) == pytest.approx((0.3, 0.3 - half, 0.3 + half))


def test_ratios_are_taken_together_by_their_logarithms():
    found = meta.groups(cards([-0.2, 0.2, -0.5, 0.5], 0.1, measure="area, × random (90 %)", claim="C3"), "C3")[0]
    assert found.ratio
    assert found.result.effect == pytest.approx(1.0)
    assert found.result.low * found.result.high == pytest.approx(1.0)
    assert found.models[0].error == pytest.approx(0.1)


@pytest.mark.parametrize("freedom", [1, 2, 5, 6, 39])
def test_tails_are_those_of_scipy(freedom: int):
    for value in (0.0, 0.3, 2.1, 9.0, 60.0):
        assert meta.chi2_beyond(value, freedom) == pytest.approx(stats.chi2.sf(value, freedom), rel=1e-9)
        assert student.beyond(value, freedom) == pytest.approx(2 * stats.t.sf(value, freedom), abs=1e-12)


def test_intervals_hold_the_mean_and_a_new_model():
    held = np.array([made.of_mean(5, 0.1, seed)[:2] for seed in range(100)]).mean(axis=0)
    assert (held > 0.87).all()


def test_what_cannot_be_taken_together_is_kept_apart():
    first = cards([0.1, 0.2, 0.3])
    others = [
        replace(one, entry=f"o{one.entry}", **{key: value})
        for one, key, value in zip(
            first, ("method", "definition", "kind"), (METHOD - 1, "gaussian·ccs τ1", "expert"), strict=True
        )
    ]
    groups = meta.groups([*first, *others], "C1")
    assert [len(one.models) for one in groups] == [3, 1, 1, 1]
    assert groups[0].result is not None
    assert all(one.result is None and "3 models" in one.why for one in groups[1:])
    of_two = cards([0.1], claim="C6", measure="modularity at 5%") + cards([0.2], claim="C6", measure="efficiency at 5%")
    assert len(meta.groups(of_two, "C6")) == 2


def test_a_subject_counts_once_and_random_weights_are_no_model():
    one, two, three, four = cards([0.1, 0.2, 0.3, 0.4])
    again = replace(one, entry="m9", origin="file")
    steps = [replace(three, entry=f"s{step}", subject=f"step {step}", training_step=step) for step in (10, 20, 5)]
    random = replace(four, entry="r", subject="m, random weights 1", weights="random")
    (found,) = meta.groups([one, two, again, *steps, random], "C1")
    assert {each.entry for each in found.models} == {"m0", "m1", "s20"}
    assert [each.entry for each in found.random] == ["r"]
    assert found.left_out == ("1 card of a subject that has another one", "2 checkpoints before the last of a training")


def test_cards_without_an_effect_are_there_and_weigh_nothing():
    nothing = AtlasClaim(INCONCLUSIVE, math.nan, "", math.nan, math.nan, 0.95, None, "a run", "")
    more = [replace(one, entry=f"n{one.entry}", subject=one.entry, claims={"C1": nothing}) for one in cards([0, 0])]
    (found,) = meta.groups([*cards([0.1, 0.2, 0.3]), *more], "C1")
    assert len(found.models) == 5
    assert sum(one.weight for one in found.known) == pytest.approx(1.0)
    assert found.result.models == 3
    (alone,) = meta.groups(more, "C1")
    assert (alone.result, moderators(alone)) == (None, ())
    assert universality.universality(alone).verdict == INCONCLUSIVE


# Moderators.


def test_a_moderator_is_described_below_ten_models_and_tested_from_then_on():
    few = moderators(meta.groups(cards([0.1 * k for k in range(9)]), "C1")[0])
    assert all(math.isnan(one.p) for one in few)
    assert "described, not tested" in few[0].said
    rising = [
        replace(one, parameters=10 ** (8 + place)) for place, one in enumerate(cards([0.1 * k for k in range(12)]))
    ]
    found = {one.name: one for one in moderators(meta.groups(rising, "C1")[0])}
    assert found["size"].slope == pytest.approx(0.1)
    assert found["size"].low < 0.1 < found["size"].high
    assert found["size"].p == pytest.approx(1 / 1000)
    assert found["tuned"].parts["base"][:2] == pytest.approx((6, 0.5))
    assert "differ in other ways too" in found["size"].said


def test_random_weights_are_a_moderator():
    own = cards([0.4, 0.5, 0.6, 0.5, 0.45, 0.55])
    random = [replace(one, entry=f"r{one.entry}", subject=f"r{one.entry}", weights="random")
              for one in cards([0.0, 0.1, -0.1, 0.0, 0.05, -0.05])]  # fmt: skip
    (group,) = meta.groups([*own, *random], "C1")
    found = {one.name: one for one in moderators(group)}
    assert found["weights"].parts["random"][1] == pytest.approx(0.0)
    assert found["weights"].p < 0.01
    assert found["depth"].models == 6


def test_moderators_that_are_none_are_seldom_found():
    hits = [made.of_moderators(12, 0.0, seed) for seed in range(30)]
    assert sum(one["size"] for one in hits) <= 6
    assert sum(one["tuned"] for one in hits) <= 6


def test_holm_is_as_by_hand():
    assert family.holm([0.01, math.nan, 0.04, 0.03])[::2] == pytest.approx([0.03, 0.06])
    assert family.holm([0.01, math.nan, 0.04, 0.03])[3] == pytest.approx(0.06)


# C7.


def test_the_bound_of_c1_is_half_of_what_a_card_takes_for_a_contrast():
    assert universality.BOUNDS["C1"] == claims.SMALLEST_CONTRAST / 2


def test_at_least_counts_what_is_shown():
    assert universality.at_least([1e-9] * 8) == 8
    assert universality.at_least([0.5] * 8) == 0
    assert universality.at_least([1e-9] * 3 + [0.9] * 5) == 3
    # The last of two: Fisher's combination of one p is that p.
    assert universality.at_least([1e-9, 0.049]) == 2
    assert universality.at_least([1e-9, 0.051]) == 1
    chance = np.random.default_rng(0)
    for below in (1.0, 0.5):
        wrong = sum(universality.at_least([1e-12, 1e-12, *chance.random(6)], below=below) > 2 for _ in range(1000))
        assert wrong <= 75  # 5 % are allowed; 3.6 standard deviations


def test_a_share_of_those_drawn_is_that_of_clopper_and_pearson():
    for count, n in ((3, 8), (8, 8), (19, 20)):
        assert universality.drawn_at_least(count, n) == pytest.approx(stats.beta.ppf(0.025, count, n - count + 1))
    assert universality.drawn_at_least(0, 8) == 0


@pytest.mark.parametrize("models", [8, 12])
def test_c7_says_what_is_true_of_an_atlas(models: int):
    def counted(case: str) -> Counter[str]:
        return Counter(made.of_c7(case, models, 0.025, seed) for seed in range(30))

    assert counted("true in all")[SUPPORTED] >= 27
    assert counted("true in half")[HETEROGENEOUS] >= 22
    none = counted("true in none")
    assert none[SUPPORTED] == 0
    assert none[NOT_SUPPORTED] >= 22
    assert counted("explained in all")[EXPLAINED] >= 27
    assert counted("most but one, the others at the bound")[SUPPORTED] <= 6


def test_c7_asks_for_models_families_and_the_cards_themselves():
    def judged(some: list[AtlasCard], claim: str = "C1") -> universality.Universal:
        return universality.universality(meta.groups(some, claim)[0])

    ten = cards([0.6] * 10, 0.05)
    assert judged(ten).verdict == SUPPORTED
    assert "8 models" in judged(ten[:7]).missing
    assert "3 families; there is 1" in judged([replace(one, family="one") for one in ten]).missing
    assert "0 of 10" in judged(cards([0.6] * 10, 0.05, verdict=INCONCLUSIVE)).missing
    assert judged(cards([0.6] * 10, 0.05, verdict=NOT_SUPPORTED)).verdict == NOT_SUPPORTED
    # C4 holds below its bound, and areas without a difference are no support of C3.
    area = "area, × random (90 %)"
    assert judged(cards([-0.6] * 10, 0.05, measure=area, claim="C4"), "C4").verdict == SUPPORTED
    assert (
        judged(cards([0.0] * 10, 0.05, measure=area, claim="C3", verdict=INCONCLUSIVE), "C3").verdict == NOT_SUPPORTED
    )
    assert "claimed side" in judged(cards([0.6] * 10, 0.05, claim="C8"), "C8").missing
