"""Control sets in looks: the rule is hardly ever wrong, stops early where it can, and says what all sets would have
said.
The long form is `synergy-tui bench sequential`."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from synergy_tui.analysis import areas, claims, sequential
from synergy_tui.analysis.sequential import ABOVE, BOUNDS, BUDGET, BY_OTHER, LOOK, LOOKS, NOT_ABOVE, UNDECIDED, Evidence
from synergy_tui.bench import sequential as bench
from synergy_tui.jobs.specs.ablate import MOST_SEEDS
from synergy_tui.terms import NOT_SUPPORTED, SUPPORTED


def evidence(own: float, sets: np.ndarray) -> Evidence:
    return Evidence(own, sets, (sets >= own).astype(float), np.zeros(len(sets)))


def test_the_request_allows_what_the_rule_is_worked_out_for():
    assert MOST_SEEDS == BUDGET == LOOKS[-1] == areas.ENOUGH_SEEDS
    assert set(BOUNDS) == {10, 15, 20} <= set(LOOKS)
    spent = [one.spent for one in BOUNDS.values()]
    assert spent == sorted(spent)
    assert spent[-1] == areas.ALPHA


@pytest.mark.parametrize("name", ["log-normal areas", "exponential log areas", "a critical unit in 0.1 of sets, × 2"])
def test_an_order_of_nothing_is_hardly_called(name):
    found = bench.many(bench.NULL[name], 1500, list(bench.NULL).index(name))
    called = sum(one.called for one in found)
    assert called / 1500 < 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 1500)
    assert called
    for level in (0.04, 0.05, 0.1, 0.2, 0.5, 0.8):
        some = np.mean([one.p <= level + 1e-9 for one in found])
        assert some < level + 2.6 * math.sqrt(level * (1 - level) / 1500)
    # What is refused early would have been refused in the end, whatever came.
    early = [one for one in found if one.sets < BUDGET and one.why == NOT_ABOVE]
    assert len(early) > 1200
    assert all(one.full > areas.UNCLEAR for one in early)


def test_clear_effects_save_at_least_two_fifths_of_the_sets_and_agree():
    for shift in (6.5, -1.0):
        found = bench.many(bench.NULL["log-normal areas"], 200, 7, shift)
        assert np.mean([one.sets for one in found]) <= 0.6 * BUDGET
        early = [one for one in found if one.sets < BUDGET]
        assert len(early) > 180
        assert all((one.p < areas.ALPHA) == (one.full < areas.ALPHA) for one in early)


def test_p_of_a_stopped_rank_is_valid_exactly():
    """By counting: the place of a target among exchangeable sets is that of a colour in Pólya's urn. Of the stops that
    refuse and of the last look, without what is called early."""
    states: dict[int, Fraction] = {0: Fraction(1)}
    outcome: dict[Fraction, Fraction] = {}
    for count in range(1, BUDGET + 1):
        after: dict[int, Fraction] = {}
        for above, chance in states.items():
            up = Fraction(above + 1, count + 1)
            after[above + 1] = after.get(above + 1, Fraction(0)) + chance * up
            after[above] = after.get(above, Fraction(0)) + chance * (1 - up)
        states = after
        if count % LOOK == 0:
            for above in [one for one in states if one >= 2 or count == BUDGET]:
                p = Fraction(1 + above, 1 + count)
                outcome[p] = outcome.get(p, Fraction(0)) + states.pop(above)
    assert sum(outcome.values()) == 1
    for level in outcome:
        assert sum(chance for p, chance in outcome.items() if p <= level) <= level


def test_either_control_that_refuses_ends_both():
    high, low = np.linspace(2, 3, 20), np.linspace(-1, 1, 20)
    found = sequential.course({"random": evidence(9.0, low), "layer-matched": evidence(1.5, high)})
    assert found.wanted == ()
    assert found.seen == {"random": 5, "layer-matched": 5}
    assert found.why == {"random": BY_OTHER, "layer-matched": NOT_ABOVE}
    assert found.told == "stopped after 5 of 20 random, 5 of 20 layer-matched sets: decided"
    # With fewer sets it says which are needed.
    found = sequential.course({"random": evidence(9.0, low[:10]), "layer-matched": evidence(2.6, high[:10])})
    assert found.wanted == ("layer-matched",)
    assert found.why["random"] == ABOVE
    assert found.told == ""


def test_nothing_is_called_by_rank_alone_before_its_time():
    """A target just above all sets, and a set that is the same over and over."""
    sets = np.random.default_rng(0).normal(size=20)
    found = sequential.course({"random": evidence(sets.max() + 1e-6, sets)})
    assert (found.seen["random"], found.why["random"]) == (20, UNDECIDED)
    assert sequential.p_value(evidence(sets.max() + 1e-6, sets), 20, UNDECIDED) == areas.UNCLEAR
    same = sequential.course({"random": evidence(5.0, np.ones(20))})
    assert (same.seen["random"], same.why["random"]) == (20, UNDECIDED)
    lost = sequential.course({"random": evidence(5.0, np.array([1, 2, np.nan, 3, 4]))})
    assert (lost.seen["random"], "no value" in lost.told) == (5, True)


@pytest.mark.parametrize("upward", [True, False])
@pytest.mark.parametrize("apart", [0.0, 0.3, 1.5])
def test_prompts_are_drawn_and_the_interval_excludes_1_where_it_is_called(upward, apart):
    chance = np.random.default_rng(3)
    factor = chance.lognormal(0, 0.3, 12)
    sets = chance.lognormal(0, 0.2, (20, 1)) * factor * chance.lognormal(0, 0.1, (20, 12))
    own = np.exp(apart if upward else -apart) * factor * chance.lognormal(0, 0.1, 12)
    found = sequential.course({"random": sequential.of_areas(own, sets, upward)})
    count, why = found.seen["random"], found.why["random"]
    test = sequential.tested(own, sets, upward, count, why)
    p, end = (test.p, test.low) if upward else (test.below, 1 / test.high)
    assert test.low <= test.ratio <= test.high
    assert (p < areas.ALPHA) == (end > 1) == (why == ABOVE)
    assert (why == ABOVE) == (apart > 1)
    assert bool(test.stopped) == (count < BUDGET)


def test_claims_take_a_decided_stop_and_no_other():
    def removal(p: float, seeds: int, stopped: str, divergence: float = 0.05) -> claims.Removal:
        test = areas.AreaTest(1.5, 1.2, 1.8, p, p, seeds, stopped)
        both = {"random": test, "layer-matched": test}
        return claims.Removal(both, divergence, dict.fromkeys(both, 0.01), 40, 12, "rank-difference", True)

    found = claims.c3(removal(0.04, 10, ABOVE))
    assert found.verdict == SUPPORTED
    assert "stopped after 10 random, 10 layer-matched of 20 sets: decided" in found.told
    assert claims.c3(removal(0.5, 5, NOT_ABOVE)).verdict == NOT_SUPPORTED
    assert "too few controls" in claims.c3(removal(0.04, 10, "")).missing
    # The divergence decides C4 where it is over the budget, and where another budget is asked for it decides nothing.
    assert claims.c4(removal(1 / 6, 5, areas.BY_DIVERGENCE, 0.3)).verdict == NOT_SUPPORTED
    assert "smaller budget" in claims.c4(removal(1 / 6, 5, areas.BY_DIVERGENCE, 0.3), budget=0.5).missing
