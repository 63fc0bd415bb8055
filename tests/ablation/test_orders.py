"""Removal orders, behaviour divergence against the plain way, areas and their test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from synergy_tui.ablation import orders
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.analysis.areas import AreaTest, area, area_test, rank_test, verdict
from synergy_tui.capture.generate import encode, generate
from synergy_tui.subject.loading import load
from synergy_tui.subject.sources import resolve
from synergy_tui.subject.taps import HeadsRemoved

LAYER_OF = np.repeat(np.arange(6), 4)
RAW = np.random.default_rng(0).normal(size=24)


def test_targeted_orders_follow_the_ranking_with_unknown_units_last():
    raw = RAW.copy()
    raw[5] = np.nan
    synergy, redundancy = orders.make(["synergy-first", "redundancy-first"], raw, raw, LAYER_OF, 1, 0)
    assert synergy.units[0] == np.nanargmax(raw)
    assert redundancy.units[0] == np.nanargmin(raw)
    assert synergy.units[-1] == redundancy.units[-1] == 5
    assert sorted(synergy.units) == list(range(24))


def test_layer_matched_sets_keep_every_fractions_count_per_layer():
    made = orders.make(["synergy-first", "redundancy-first", "layer-matched"], RAW, RAW, LAYER_OF, 5, 0)
    targets = {one.name: one for one in made if one.seed is None}
    matched = [one for one in made if one.name == "layer-matched"]
    assert [(one.target, one.seed) for one in matched] == [
        (target, seed) for target in ("synergy-first", "redundancy-first") for seed in range(5)
    ]
    for one in matched:
        for fraction in (0.1, 0.25, 0.5, 1.0):
            mine, theirs = (LAYER_OF[order.first(fraction)] for order in (one, targets[one.target]))
            np.testing.assert_array_equal(np.bincount(mine, minlength=6), np.bincount(theirs, minlength=6))
    assert len({tuple(one.units) for one in matched}) == 10


def test_a_marked_set_comes_first_and_its_control_takes_as_many_from_each_layer():
    marked = [1, 2, 9, 20]
    made = orders.make(["marked", "layer-matched", "random"], RAW, RAW, LAYER_OF, 4, 0, marked)
    target = made[0]
    assert set(target.units[:4]) == set(marked)
    assert RAW[target.units[0]] == max(RAW[marked])
    for one in made[1:]:
        assert sorted(one.units) == list(range(24))
        if one.name == "layer-matched":
            assert one.target == "marked"
            counts = np.bincount(LAYER_OF[one.first(4 / 24)], minlength=6)
            np.testing.assert_array_equal(counts, np.bincount(LAYER_OF[marked], minlength=6))


def test_controls_depend_on_their_seed_alone():
    again = [orders.make(["random"], RAW * scale, RAW, LAYER_OF, 3, 7) for scale in (1, -2)]
    for one, other in zip(*again, strict=True):
        np.testing.assert_array_equal(one.units, other.units)


def test_equal_ranks_are_not_ordered_by_their_layer():
    ties, tie_break = np.zeros(24), np.arange(24.0)
    synergy, redundancy = orders.make(["synergy-first", "redundancy-first"], ties, tie_break, LAYER_OF, 1, 0)
    assert synergy.units.tolist() == list(range(23, -1, -1))
    assert redundancy.units.tolist() == list(range(24))


def test_units_without_a_value_go_last_in_controls_too():
    raw = RAW.copy()
    raw[[2, 9, 17]] = np.nan
    for order in orders.make(["synergy-first", "random", "layer-matched"], raw, RAW, LAYER_OF, 4, 0):
        assert set(order.units[-3:]) == {2, 9, 17}, order


def test_the_number_removed_is_rounded_half_up():
    (order,) = orders.make(["synergy-first"], np.arange(270.0), np.arange(270.0), np.repeat(np.arange(30), 9), 1, 0)
    assert [len(order.first(fraction)) for fraction in (0.05, 0.15, 0.25, 1.0)] == [14, 41, 68, 270]


def test_full_layers_have_no_freedom():
    assert orders.full_layers(np.array([0, 1, 2, 3, 8, 9]), LAYER_OF) == 1


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_divergence_is_that_of_the_plain_way(tiny, tmp_path, batch):
    """One prompt at a time, all logits kept, KL by its definition."""
    subject = load(resolve(str(tiny)), tmp_path, "cpu", "float32")
    prompts = encode(subject, ["one", "a longer prompt", "three", "and yet another one"], chat=True)
    responses = [one.tokens for one in generate(subject, prompts, 25)]
    removed = {0: [1], 2: [0, 3], 3: [2]}
    found = IntactBehaviour(subject, prompts, responses, batch).under(removed)
    for number, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        ids = torch.tensor([[*prompt, *response]])
        steps = slice(len(prompt) - 1, ids.shape[1] - 1)
        with torch.inference_mode():
            p = subject.model(ids).logits[0, steps].double().log_softmax(-1)
            with HeadsRemoved(subject.projections, subject.heads, removed):
                q = subject.model(ids).logits[0, steps].double().log_softmax(-1)
        chosen = torch.tensor(response)[:, None]
        assert found.divergence[number] == pytest.approx((p.exp() * (p - q)).sum(-1).mean().item(), abs=1e-5)
        assert found.top1[number] == pytest.approx((p.argmax(-1) == q.argmax(-1)).double().mean().item())
        assert found.surprisal_change[number] == pytest.approx((p - q).gather(1, chosen).mean().item(), abs=1e-5)


def test_divergence_of_a_bf16_model_is_no_noisier_than_its_hidden_states(tiny, tmp_path):
    """Logits rounded to bf16 would drown a small divergence; the output embedding is applied in fp32."""
    subject = load(resolve(str(tiny)), tmp_path, "cpu", "bfloat16")
    prompts = encode(subject, ["one", "a longer prompt"], chat=True)
    responses = [one.tokens for one in generate(subject, prompts, 25)]
    removed = {2: [1]}
    found = IntactBehaviour(subject, prompts, responses, 1, packed=False).under(removed)
    weight = subject.model.get_output_embeddings().weight.double()
    for number, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        ids, first = torch.tensor([[*prompt, *response[:-1]]]), len(prompt) - 1

        def log_p(ids=ids, start=first):
            hidden = subject.base(input_ids=ids, use_cache=False).last_hidden_state[0, start:]
            return (hidden.double() @ weight.T).log_softmax(-1)

        with torch.inference_mode():
            p = log_p()
            with HeadsRemoved(subject.projections, subject.heads, removed):
                q = log_p()
        expected = (p.exp() * (p - q)).sum(-1).mean().item()
        assert found.divergence[number] == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_removing_nothing_changes_nothing_and_leaves_the_subject_intact(tiny, tmp_path):
    subject = load(resolve(str(tiny)), tmp_path, "cpu", "float32")
    prompts = encode(subject, ["one", "two"], chat=True)
    responses = [one.tokens for one in generate(subject, prompts, 10)]
    ids = torch.arange(12)[None]
    with torch.inference_mode():
        before = subject.model(ids).logits
        intact = IntactBehaviour(subject, prompts, responses, 2)
        np.testing.assert_array_equal(intact.under({}).divergence, 0)
        intact.under({1: [0, 1, 2, 3]})
        assert torch.equal(subject.model(ids).logits, before)


def test_area_is_by_trapezoids_from_the_origin():
    fractions, divergence = np.array([0.5, 0.1, 0.25]), np.array([5.0, 1.0, 2.5])
    for upper in (0.1, 0.2, 0.25, 0.4):
        assert area(fractions, divergence, upper) == pytest.approx(10 * upper**2 / 2)
    assert np.isnan(area(fractions, divergence, 1.0))
    assert np.isnan(area(fractions, np.array([5.0, np.nan, 2.5]), 0.25))
    assert np.isnan(area(np.array([0.5, 1.0]), np.array([1.0, 2.0]), 0.25))  # no point of its own below 0.25


# The test of areas


def of_areas(target: float, controls: np.ndarray) -> AreaTest:
    """Of prompts that are all the same: areas are certain."""
    return area_test(np.full(3, target), np.repeat(controls[:, None], 3, axis=1), replicates=20)


CONTROLS = np.exp(np.random.default_rng(0).normal(0, 0.2, 20))


@pytest.mark.parametrize("beaten", [0, 1, 7, 19, 20])
def test_of_certain_areas_p_is_the_rank_among_the_sets(beaten):
    ends = np.sort(CONTROLS)
    target = (
        np.sqrt(ends[beaten - 1] * ends[beaten]) if 0 < beaten < 20 else ends[0] / 2 if not beaten else ends[-1] * 2
    )
    found = of_areas(target, CONTROLS)
    assert found.p == pytest.approx((1 + 20 - beaten) / 21)
    assert found.below == pytest.approx((1 + beaten) / 21)
    assert found.ratio == pytest.approx(target / np.exp(np.median(np.log(CONTROLS))))
    assert found.seeds == 20
    # A ratio to the largest set, and to the smallest: the interval inverts the test.
    assert (found.low, found.high) == (pytest.approx(target / ends[-1]), pytest.approx(target / ends[0]))


def test_a_tie_counts_for_neither_side():
    found = of_areas(CONTROLS[3], CONTROLS)
    assert found.p + found.below == pytest.approx((20 + 2 + 1) / 21)


def test_uncertain_prompts_make_p_larger_by_the_share_of_draws_in_which_a_set_is_ahead():
    """Two prompts of which one decides: it is drawn never, once or twice with 1/4, 1/2 and 1/4."""
    target, other = np.array([2.0, 0.1]), np.array([1.0, 1.0])
    controls = np.stack([other, *[0.01 * other] * 19])
    found = area_test(target, controls, replicates=20_000)
    assert found.p == pytest.approx((1 + 1 / 4) / 21, abs=0.001)
    assert found.below == pytest.approx((1 + 19 + 3 / 4) / 21, abs=0.001)


def test_area_test_keeps_its_level_on_both_sides():
    """Of targets that are such a set themselves, with prompts that are hard for every set alike."""
    chance = np.random.default_rng(0)
    sets = chance.normal(0, 0.3, (1000, 21, 1)) + chance.normal(0, 1, (1000, 1, 6))
    areas = np.exp(sets + 0.02 * chance.normal(size=(1000, 21, 6)))
    found = [area_test(one[0], one[1:], replicates=100) for one in areas]
    for side in ("p", "below"):
        assert 0.015 < np.mean([getattr(one, side) < 0.05 for one in found]) < 0.06


def test_the_interval_of_an_area_excludes_1_exactly_where_p_says_so():
    """And contains the ratio; so they cannot contradict each other."""
    chance = np.random.default_rng(1)
    above = below = 0
    for seed in range(300):
        shift = chance.normal(0, 0.4)
        noise = chance.normal(0, 0.2, (21, 1)) + chance.normal(0, chance.choice([0.05, 0.5]), (21, 8))
        areas = np.exp(noise + chance.normal(0, 1, 8))
        found = area_test(np.exp(shift) * areas[0], areas[1:], seed, 100)
        assert found.low <= found.ratio <= found.high
        assert (found.low > 1) == (found.p < 0.05)
        assert (found.high < 1) == (found.below < 0.05)
        above, below = above + (found.low > 1), below + (found.high < 1)
    assert min(above, below) > 20


def test_fewer_than_twenty_sets_have_no_interval():
    found = of_areas(9.0, CONTROLS[:19])
    assert (found.low, found.high) == (0, np.inf)
    assert found.p == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("target", "controls"),
    [
        (9.0, np.array([1.0, -0.1])),
        (0.0, CONTROLS),
        (np.nan, CONTROLS),
        (9.0, np.array([1.0, np.inf])),
        (9.0, CONTROLS[:0]),
    ],
)
def test_areas_that_are_not_positive_have_no_test(target, controls):
    found = of_areas(target, controls)
    assert np.isnan([found.ratio, found.low, found.high, found.p, found.below]).all()
    assert found.seeds == len(controls)


def test_an_accuracy_is_ranked_among_its_controls_with_ties_against_it():
    controls = np.array([0.5, 0.6, 0.6, 0.7])
    for target, sets in ((0.4, 0), (0.5, 1), (0.6, 3), (0.9, 4)):
        assert rank_test(target, controls) == (1 + sets) / 5
    assert np.isnan(rank_test(0.4, np.full(20, 0.5)))
    assert np.isnan(rank_test(0.4, controls[:1]))


def test_verdict_says_what_is_missing_before_it_says_anything_else():
    strong, weak = of_areas(9.0, CONTROLS), of_areas(1.0, CONTROLS)
    few = of_areas(9.0, np.array([1.0, 1.1, 0.9]))
    both = {"random": strong, "layer-matched": strong}
    assert verdict("synergy-first", 9.0, both).endswith(": disproportionate.")
    assert verdict("synergy-first", 9.0, both | {"layer-matched": weak}).endswith(": not disproportionate.")
    assert verdict("redundancy-first", 9.0, both).endswith(": not less than its controls.")
    assert "too few controls (3 of 20 seeds)" in verdict("synergy-first", 9.0, both | {"random": few})
    assert "no control layer-matched" in verdict("synergy-first", 9.0, {"random": strong})
    assert "has no area over" in verdict("synergy-first", float("nan"), both)
    assert "no controls" in verdict("synergy-first", 9.0, {})
    assert "not positive" in verdict("synergy-first", 9.0, both | {"random": of_areas(9.0, np.array([1.0, -0.1]))})


@pytest.mark.parametrize("rounding", [0.0, 1e-12, 1e-9])
def test_controls_that_are_all_the_same_set_give_no_verdict(rounding):
    same = 0.01 * (1 + rounding * np.random.default_rng(0).normal(size=20))
    said = verdict("synergy-first", 0.01, {"random": of_areas(9.0, CONTROLS), "layer-matched": of_areas(0.01, same)})
    assert "inconclusive, the layer-matched sets do not differ" in said


@pytest.mark.parametrize(("own", "asked"), [(3.0, True), (1.0, False)])
def test_accuracy_is_asked_for_only_where_the_area_may_be_above_its_controls(own, asked):
    """A card's ablation leaves out graded tasks where C3 is decided without them."""
    import pyarrow as pa

    from synergy_tui.ablation.condition import Condition
    from synergy_tui.jobs.specs import AblateSpec
    from synergy_tui.jobs.worker.ablate_rows import disproportionate
    from synergy_tui.subject.source import Source

    chance = np.random.default_rng(0)
    orders = [("synergy-first", None, None, own)]
    for seed in range(20):
        level = 1 + 0.02 * (seed - 10)
        orders += [("random", None, seed, level), ("layer-matched", "synergy-first", seed, level)]
    conditions, tables = [], []
    for name, target, seed, level in orders:
        for fraction in (0.1, 0.25):
            conditions.append(Condition(name, target, seed, fraction, (0,)))
            values = level * fraction * (1 + 0.001 * chance.normal(size=6))
            tables.append(pa.table({"prompt": list(range(6)), "divergence": values}))
    spec = AblateSpec(
        decomposition="d",
        capture="c",
        source=Source("toy", "folder", "/toy"),
        data="",
        kinds=("head",),
        chat=False,
        orders=("synergy-first", "random", "layer-matched"),
        replayed=tuple(range(6)),
    )
    assert disproportionate(spec, conditions, tables) is asked
