"""Ground truth of exact joint distributions, and of samples drawn from them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from synergy_tui.errors import UsageError
from synergy_tui.phiid import ATOMS, decompose, decompose_joint

A = {name: place for place, name in enumerate(ATOMS)}
LN2 = np.log(2)
FLIP = 0.1
KEPT = LN2 + FLIP * np.log(FLIP) + (1 - FLIP) * np.log(1 - FLIP)
"""What a bit that is flipped one time in ten still tells: ln 2 − H(0.1)."""


def joint(*rules: tuple[float, object]) -> np.ndarray:
    """p[x, y, x', y'] with fair, independent x and y, mixed from rules (weight, (x, y) → iterable of (x', y'))."""
    p = np.zeros((2, 2, 2, 2))
    for weight, rule in rules:
        for x, y in product((0, 1), repeat=2):
            outcomes = list(rule(x, y))
            for fx, fy in outcomes:
                p[x, y, fx, fy] += weight / 4 / len(outcomes)
    return p


def coin(value: int) -> list[tuple[int, int]]:
    """x' = value, y' a fresh coin."""
    return [(value, 0), (value, 1)]


def noisy_parity() -> np.ndarray:
    """The parity of two fresh bits persists but for a flip."""
    same = lambda x, y: [(a, a ^ x ^ y) for a in (0, 1)]  # noqa: E731
    other = lambda x, y: [(a, 1 - (a ^ x ^ y)) for a in (0, 1)]  # noqa: E731
    return joint((1 - FLIP, same), (FLIP, other))


def copies() -> np.ndarray:
    """x and y are one bit that persists but for a flip."""
    p = np.zeros((2, 2, 2, 2))
    for bit in (0, 1):
        p[bit, bit, bit, bit], p[bit, bit, 1 - bit, 1 - bit] = (1 - FLIP) / 2, FLIP / 2
    return p


def kept_in_x() -> np.ndarray:
    """x = y is one bit that only x' keeps."""
    p = np.zeros((2, 2, 2, 2))
    for bit, fresh in product((0, 1), repeat=2):
        p[bit, bit, bit, fresh] = 1 / 4
    return p


TABLE = {
    "noisy parity": (noisy_parity(), {"sts": KEPT}),
    "identical copies": (copies(), {"rtr": KEPT}),
    "one-way gate": (joint((1, lambda x, y: coin(x ^ y))), {"stx": LN2}),
    "gate to both": (joint((1, lambda x, y: [(x ^ y, x ^ y)])), {"str": LN2}),
    "delayed copy": (joint((1, lambda x, y: [(0, x), (1, x)])), {"xty": LN2}),
    "broadcast": (joint((1, lambda x, y: [(x, x)])), {"xtr": LN2}),
    "copy kept in one": (kept_in_x(), {"rtx": LN2}),
    "parity tells one": (joint((1, lambda x, y: [(a, a ^ x) for a in (0, 1)])), {"xts": LN2}),
}


@pytest.mark.parametrize("redundancy", ["mmi", "ccs"])
@pytest.mark.parametrize("name", TABLE)
def test_an_exact_joint_has_the_one_atom_it_is_made_of(name, redundancy):
    p, truth = TABLE[name]
    expected = [truth.get(atom, 0.0) for atom in ATOMS]
    np.testing.assert_allclose(decompose_joint(p, redundancy), expected, rtol=0, atol=1e-12)


def test_two_independent_copies_are_unique_under_ccs_and_synergistic_under_mmi():
    p = joint((1, lambda x, y: [(x, y)]))
    expected = [{"xtx": LN2, "yty": LN2}.get(atom, 0.0) for atom in ATOMS]
    np.testing.assert_allclose(decompose_joint(p, "ccs"), expected, atol=1e-12)
    under_mmi = decompose_joint(p, "mmi")
    assert under_mmi[A["sts"]] == pytest.approx(2 * LN2, abs=1e-12)
    assert under_mmi.sum() == pytest.approx(2 * LN2, abs=1e-12)
    assert under_mmi.min() < -0.5  # the atoms that cancel


@pytest.mark.parametrize(
    ("p", "redundancy", "said"),
    [
        (np.ones((2, 2, 2)) / 8, "mmi", r"\[2, 2, 2, 2\]"),
        (np.ones((2, 2, 2, 2)), "mmi", "sums to 16"),
        (np.full((2, 2, 2, 2), np.nan), "mmi", "of probabilities"),
        (np.ones((2, 2, 2, 2)) / 16, "best", "no redundancy 'best'"),
    ],
)
def test_what_is_no_distribution_is_refused(p, redundancy, said):
    with pytest.raises(UsageError, match=said):
        decompose_joint(p, redundancy)


def parity_series(steps: int) -> np.ndarray:
    """Two bits whose parity persists but for a flip at one step in ten."""
    chance = np.random.default_rng(1)
    parity = np.cumsum(chance.random(steps) < FLIP) % 2
    x = chance.integers(2, size=steps)
    return np.stack([x, x ^ parity]).astype(float)


def copied_series(steps: int) -> np.ndarray:
    bit = np.cumsum(np.random.default_rng(2).random(steps) < FLIP) % 2
    return np.stack([bit, bit]).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize(("made", "atom", "redundancy"), [
    (parity_series, "sts", "mmi"), (copied_series, "rtr", "mmi"), (copied_series, "rtr", "ccs"),
])  # fmt: skip
def test_samples_of_ten_thousand_steps_show_that_atom_alone(made, atom, redundancy):
    found = decompose(made(10_000)[None], "discrete", redundancy).mean[0]
    assert found[A[atom]] == pytest.approx(KEPT, abs=0.02)
    assert np.abs(np.delete(found, A[atom])).max() <= 0.002


def test_sampled_parity_under_ccs_is_discontinuous():
    """Where no single unit informs, sampling noise decides what shares a sign, at any length; the exact joint has none
    of it. Documented, not mended."""
    p, _ = TABLE["noisy parity"]
    noise = np.random.default_rng(0).normal(size=(200, 2, 2, 2, 2))
    for size in (1e-3, 1e-6):
        tilted = [decompose_joint(one / one.sum(), "ccs")[A["rtr"]] for one in p * (1 + size * noise)]
        assert np.abs(tilted).max() > 0.1
