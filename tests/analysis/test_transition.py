"""Difficulty on arrays: how often the verdict is wrong, what order parameters are, and grades."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.analysis import ladder, order, profile, scores
from synergy_tui.analysis.order import LevelAtoms, order_parameters
from synergy_tui.analysis.transition import CHANGES, CHANGES_A_LEVEL, curves, judge, power
from synergy_tui.bench import difficulty
from synergy_tui.errors import TaskError
from synergy_tui.tasks.verifiers import VERIFIERS, grade
from synergy_tui.terms import GRADES, LADDER_VERDICTS, MODELS, ORDER_PARAMETERS, STS

NAMES = [str(level) for level in range(1, 9)]


# The verdict, calibrated. The long form is bench/difficulty.py.


@pytest.mark.slow
@pytest.mark.parametrize("jitter", [0.0, difficulty.JITTER])
@pytest.mark.parametrize("name", ["flat", "linear", "saturating", "quadratic", "hump"])
def test_smooth_ladders_are_rarely_called_a_transition(name, jitter):
    for size in (0.0,) if name == "flat" else (1.0, 2.0):
        found = difficulty.alone(difficulty.SMOOTH[name], size, jitter, 400, seed=11)
        assert found["transition"] <= 0.05


@pytest.mark.parametrize("name", ["step", "sigmoid, 10 % wide"])
def test_sudden_ladders_are_found_and_their_place_is_in_the_interval(name):
    found = difficulty.alone(difficulty.SUDDEN[name], 2.0, 0.0, 400, seed=12)
    assert found["transition"] >= 0.8
    assert found["covered"] >= 0.9


@pytest.mark.parametrize(("levels", "jitter", "drift"), [(8, 0.5, 0.8), (12, 0.5, 0.8), (8, 1.0, 0.9), (8, 0.5, 0.0)])
def test_flat_ladders_whose_levels_drift_rarely_change(levels, jitter, drift):
    """Whatever their levels have in common with the next one, each of them has a value of its own. With a ΔBIC of 6 a
    third of them were called gradual."""
    found = difficulty.alone(difficulty.SMOOTH["flat"], 0.0, jitter, 400, levels, seed=5, drift=drift)
    assert found["transition"] + found["gradual"] <= 0.05
    assert found["inconclusive"] > 0.8


def test_drifting_levels_are_as_far_apart_and_as_alike_as_asked():
    found = difficulty._drifting((20_000, 8), 0.8, np.random.default_rng(0))
    np.testing.assert_allclose(found.std(axis=0), 1, atol=0.02)
    np.testing.assert_allclose(np.corrcoef(found.T)[0], 0.8 ** np.arange(8), atol=0.03)


def test_gradual_and_no_change_are_said_where_they_are_so():
    linear = difficulty.alone(difficulty.SMOOTH["linear"], 3.0, 0.0, 400, seed=13)
    flat = difficulty.alone(difficulty.SMOOTH["flat"], 0.0, 0.0, 400, seed=13)
    hump = difficulty.alone(difficulty.SMOOTH["hump"], 3.0, 0.0, 400, seed=13)
    assert linear["gradual"] > 0.9
    assert flat["no change"] > 0.5
    assert flat["gradual"] < 0.01
    assert hump["no change"] == 0.0
    assert hump["gradual"] > 0.9


def test_the_change_that_is_asked_for_grows_with_the_levels():
    """The same drift reaches a larger ΔBIC over more levels. Steps of growing size, by their ΔBIC against constant."""
    x, size = np.arange(1.0, 9), np.linspace(0.5, 2, 31)
    means = size[:, None] * (x > 4)
    found = judge(x, means, np.full(31, 1 / 40), np.ones(31))
    np.testing.assert_array_equal(found.verdict == "transition", found.change > CHANGES)
    assert {"transition", "inconclusive"} == set(found.verdict)
    x = np.arange(1.0, 13)
    more = judge(x, size[:, None] * (x > 6), np.full(31, 1 / 40), np.ones(31))
    np.testing.assert_array_equal(more.verdict == "transition", more.change > CHANGES + 4 * CHANGES_A_LEVEL)


@pytest.mark.slow
def test_power_is_the_share_of_steps_that_are_found():
    assert power(8, 40, 2.0) == pytest.approx(
        difficulty.alone(difficulty.SUDDEN["step"], 2.0, 0.0, 1000, seed=14)["transition"], abs=0.05
    )
    assert power(8, 20) < power(8, 80) < power(8, 320) > 0.95
    assert power(7, 400) == power(8, 1) == 0


def test_few_levels_know_no_transition():
    for levels, allowed in ((7, {"changes", "no change", "inconclusive"}), (4, {"comparison"})):
        found = difficulty.alone(difficulty.SUDDEN["step"], 4.0, 0.0, 50, levels=levels)
        assert {name for name in LADDER_VERDICTS if found[name]} <= allowed


def test_plain_bic_on_five_levels_would_claim_transitions_and_this_does_not():
    chance = np.random.default_rng(0)
    x, means = np.arange(1.0, 6), chance.normal(size=(500, 5)) / np.sqrt(40)
    found = judge(x, means, np.full(500, 1e-9), np.ones(500))  # without a floor under the variance
    assert (found.delta_bic > 0).mean() > 0.2
    assert not (found.verdict == "transition").any()


@pytest.mark.slow
def test_the_whole_path_tells_a_planted_step_from_a_planted_line():
    """Planted coupling → series → ΦID → order parameter → verdict."""
    path = difficulty.Path(drives=5, repeats=8)
    assert path.reach > 2
    u = np.linspace(0, 1, 8)
    step, _ = path.ladder(2.0 * (u > 0.5), np.random.default_rng(0))
    line, _ = path.ladder(2.0 * u, np.random.default_rng(1))
    assert (step.verdict, step.d_low, step.d_high) == ("transition", 4, 5)
    assert line.verdict == "gradual"


def test_the_models_are_what_they_are_called():
    x = np.arange(1.0, 9)
    step = np.where(x > 4, 3.0, 1.0)
    found = judge(x, step[None], np.array([1e-4]), np.array([0.1]))
    assert (found.verdict[0], MODELS[found.best[0]]) == ("transition", "step")
    assert (found.d_star[0], found.d_low[0], found.d_high[0]) == (4.5, 4, 5)
    lines = curves(x, step, x)
    np.testing.assert_allclose(lines["step"], step)
    np.testing.assert_allclose(lines["constant"], 2.0)
    np.testing.assert_allclose(curves(x, 2 * x - 1, x)["linear"], 2 * x - 1)
    np.testing.assert_allclose(curves(x, x**2, x)["quadratic"], x**2, atol=1e-9)
    smooth = 1 / (1 + np.exp(-(x - 4.5) * 1.5))
    assert np.abs(curves(x, smooth, x)["sigmoid"] - smooth).max() < 0.02


def test_levels_without_a_value_are_left_out_of_the_curve():
    chance = np.random.default_rng(1)
    values = [chance.normal(size=40) + 5 * (level > 4) for level in range(9)]
    values[2] = np.full(40, np.nan)
    found = ladder.curve("contrast", values, 100, missing="level 3 has no value: too short")
    assert np.isnan(found.mean[2])
    assert found.verdict == "transition"
    assert (found.d_low, found.d_high) == (5, 6)
    values[3] = np.empty(0)
    assert ladder.curve("contrast", values, 100).verdict == "changes"


# Order parameters


def _level(chance, prompts=24, layers=6, per_layer=4, middle=0.0):
    units = layers * per_layer
    atoms = chance.normal(0.05, 0.02, size=(prompts, units, 16))
    layer = np.arange(units) // per_layer
    atoms[:, :, STS] += 0.05 * np.sin(np.arange(units)) + middle * ((layer >= 2) & (layer <= 3))
    offset = chance.normal(0.02, 0.01, size=(prompts, units))
    return LevelAtoms(atoms, offset, chance.random((prompts, units)), None, 1 + chance.random((prompts, units)))


def test_order_parameters_are_those_of_the_levels_map():
    chance = np.random.default_rng(2)
    levels = [_level(chance, middle=0.0), _level(chance, middle=0.4)]
    found = order_parameters(levels, 6)
    assert set(found.values) == set(ORDER_PARAMETERS)
    for place, level in enumerate(levels):
        values = scores.values_over(level.unit_prompt, level.offset, level.balance)
        scaled = scores.scaled(scores.ranking("rank-difference", values))
        own = float(profile.contrast(profile.profile(scaled, 6)))
        assert found.values["contrast"][place].mean() == pytest.approx(own)
    higher = ("contrast", "layer-order", "core-share", "excess")
    assert all(found.values[name][1].mean() > found.values[name][0].mean() for name in higher)


def test_pseudo_values_of_a_mean_are_the_values_themselves():
    values = np.random.default_rng(3).normal(size=30)
    without = (values.sum() - values) / 29
    np.testing.assert_allclose(order.pseudo_values(np.array([values.mean()]), without), values)


@pytest.mark.slow
def test_the_error_of_an_order_parameter_is_what_levels_differ_by():
    """Of two levels of one population: what they share, as the core, is no error of the curve."""
    chance = np.random.default_rng(4)
    found = [order_parameters([_level(chance), _level(chance)], 6).values for _ in range(60)]
    for name in ORDER_PARAMETERS:
        apart = np.array([one[name][0].mean() - one[name][1].mean() for one in found])
        said = np.sqrt(np.mean([sum(level.var(ddof=1) / 24 for level in one[name]) for one in found]))
        assert 0.7 < said / apart.std(ddof=1) < 2.5, name


def test_the_core_is_never_taken_from_the_prompt_it_is_applied_to():
    """Noise alone: a core chosen on the same prompts would hold more than its part."""
    chance = np.random.default_rng(5)
    shares = []
    for _ in range(20):
        atoms = np.zeros((10, 40, 16))
        atoms[..., STS] = 1 + 0.5 * chance.normal(size=(10, 40))
        level = LevelAtoms(atoms, np.zeros((10, 40)), np.ones((10, 40)), None, np.ones((10, 40)))
        shares.append(order_parameters([level], 10, "excess").values["core-share"][0].mean())
    assert np.mean(shares) == pytest.approx(0.25, abs=0.015)


def test_excess_is_synergy_minus_its_surrogate_mean():
    level = _level(np.random.default_rng(6))
    surrogate = np.linspace(0, 0.1, 24)
    shifted = LevelAtoms(level.unit_prompt, level.offset, level.balance, surrogate, level.norm)
    np.testing.assert_allclose(shifted.excess().mean(axis=0), level.unit_prompt[..., STS].mean(axis=0) - surrogate)


def test_a_share_of_nothing_is_no_number():
    chance = np.random.default_rng(7)
    level = _level(chance)
    atoms = level.unit_prompt.copy()
    atoms[..., STS] = level.offset + chance.normal(size=level.offset.shape)
    found = order_parameters([LevelAtoms(atoms, level.offset, level.balance, None, level.norm)], 6)
    assert np.isnan(found.values["core-share"][0]).all()
    assert "not clearly different from 0" in found.reasons["core-share", 0]


def test_susceptibility_peaks_only_where_a_level_varies_more():
    chance = np.random.default_rng(8)
    flat = [ladder.peak_test([chance.normal(size=40) for _ in range(8)], draws=100) for _ in range(60)]
    assert np.mean(np.array(flat) < 0.05) < 0.15
    wild = [chance.normal(size=40) * (3 if level == 4 else 1) for level in range(8)]
    assert ladder.peak_test(wild) < 0.01
    assert ladder.curve("contrast", wild, 10).peak == 4


# Accuracy


def test_accuracy_that_does_not_fall_makes_difficulty_a_label():
    forty, none = np.full(8, 40.0), np.zeros(8)
    values = [np.random.default_rng(9).normal(size=40) for _ in range(8)]
    curve = ladder.curve("contrast", values, 10)
    falling = ladder.accuracy(np.array([38.0, 36, 30, 22, 14, 9, 4, 1]), forty, none)
    assert falling.falls
    assert "falls from 95% to 2%" in ladder.sentence(curve, falling, NAMES)
    for right in (0.0, 40.0):
        flat = ladder.accuracy(np.full(8, right), forty, none)
        assert (flat.falls, flat.flat) == (False, True)
        assert "at every level: difficulty was only a label" in ladder.sentence(curve, flat, NAMES)
    rising = ladder.accuracy(np.array([1.0, 4, 9, 14, 22, 30, 36, 38]), forty, none)
    assert rising.falls is False
    assert "does not fall" in ladder.sentence(curve, rising, NAMES)
    nothing = ladder.accuracy(none, none, none)
    assert nothing.falls is None
    assert "Nothing was graded" in ladder.sentence(curve, nothing, NAMES)


def test_a_level_with_more_than_a_tenth_cut_off_has_no_accuracy():
    """Cut-off answers are not wrong ones: of hard levels most are, and accuracy would seem to fall."""
    right, asked = np.array([38.0, 36, 30, 22, 14, 9, 4, 1]), np.full(8, 36.0)
    few = ladder.accuracy(right[2:], asked[2:], np.full(6, 4.0))  # 4 of 40
    assert (few.falls, few.cut_off) == (True, 0)
    np.testing.assert_allclose(few.share, right[2:] / 36)
    many = ladder.accuracy(right, np.full(8, 40.0), np.array([0.0, 0, 0, 0, 4, 5, 30, 0]))
    assert (many.falls, many.cut_off) == (None, 2)
    assert np.isnan(many.share).tolist() == [False] * 5 + [True] * 2 + [False]
    assert np.isnan(many.low).tolist() == np.isnan(many.share).tolist()
    curve = ladder.curve("contrast", [np.random.default_rng(9).normal(size=40) for _ in range(8)], 10)
    told = ladder.sentence(curve, many, NAMES)
    assert "2 of 8 levels have no accuracy: more than 10% of their answers were cut off" in told
    assert "only a label" not in told
    every = ladder.accuracy(np.zeros(8), np.zeros(8), np.full(8, 40.0))
    assert (every.falls, every.cut_off) == (None, 8)


def test_two_levels_are_compared_with_an_interval():
    chance = np.random.default_rng(10)
    covered = 0
    for _ in range(200):
        (found,) = ladder.differences([chance.normal(size=40), 0.5 + 2 * chance.normal(size=30)])
        covered += found.low <= 0.5 <= found.high
    assert 0.9 <= covered / 200 <= 0.985
    values = [chance.normal(size=40), 3 + chance.normal(size=40)]
    curve = ladder.curve("contrast", values, 10)
    assert curve.verdict == "comparison"
    graded = ladder.accuracy(np.array([30.0, 10]), np.array([40.0, 40]), np.zeros(2))
    told = ladder.sentence(curve, graded, ["Easy", "Challenge"], ladder.differences(values)[-1])
    assert "no verdict: Challenge is higher" in told


# Grades


@pytest.mark.parametrize(
    ("verifier", "response", "answer", "wanted"),
    [
        ("number", "To add 6 and 1: 6 + 1 = 7.\n\nIn a 2nd example, 3 + 3 = 6", "7", "right"),
        ("number", "5 + 9 = 16. So the answer is 14.", "14", "right"),
        ("number", "The answer is 1,250.00 dollars", "1250", "right"),
        ("number", "It appears three times", "3", "right"),
        ("number", "I cannot say", "3", "unparsable"),
        ("number", "= -7", "7", "wrong"),
        ("digits", "The number 10 in base 11 is a.", "a", "right"),
        ("digits", "It is written as 0x4F", "4f", "right"),
        ("digits", "Well...", "4f", "unparsable"),
        ("yes-no", "Yes, because no fish can fly", "yes", "right"),
        ("yes-no", "No. The answer is yes", "yes", "right"),
        ("yes-no", "It depends", "yes", "unparsable"),
        ("order", "Sorted: Ant, bee, cat. The list was cat, bee, ant.", "ant, bee, cat", "right"),
        ("order", "The words are cat, bee, ant", "ant, bee, cat", "wrong"),
        ("order", "ant and bee", "ant, bee, cat", "unparsable"),
        ("roles", "Ann is a knight. So Bob must be a knave.", "Ann knight, Bob knave", "right"),
        ("roles", "Ann is a knight", "Ann knight, Bob knave", "unparsable"),
        ("choice", "The answer is (B) because", "B", "right"),
        ("choice", "A bird has wings. C) is it", "C", "right"),
        ("choice", "A bird has wings", "A", "unparsable"),
        ("boxed", "So $x = \\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}", "right"),
        ("boxed", "Thus the answer is 12.0", "12", "right"),
        ("phrase", "It is the Blue River.", "blue river|lake", "right"),
        ("phrase", "", "blue", "unparsable"),
    ],
)
def test_verifiers(verifier, response, answer, wanted):
    assert grade(verifier, response, answer)[0] == wanted


def test_a_verifier_that_raises_is_counted_and_nothing_is_evaluated():
    found = grade("roles", "Ann is a knight", "no roles at all")
    assert (found.name, found.found) == ("failed", "")
    assert found.error.startswith("ValueError")
    for verifier in VERIFIERS:
        for hostile in ("__import__('os').abort()", "(((((", "\x1b[2J\\boxed{", "9" * 30_000, "a " * 20_000, "\0"):
            assert grade(verifier, hostile, "Ann knight" if verifier == "roles" else "1")[0] in GRADES[:3]
    with pytest.raises(TaskError, match="no verifier 'eval'"):
        grade("eval", "1", "1")
