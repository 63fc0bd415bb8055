"""C8 and C9 on data sets whose truth is known, and what they lack."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.analysis.geometric_claims import Geometry, Measured, c8, c9
from synergy_tui.analysis.geometry import SIDES
from synergy_tui.bench.geometry import C8, C9, LAYERS, alignment_case, dimension_case
from synergy_tui.terms import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED

HUMP = np.exp(-(((np.linspace(0, 1, LAYERS) - 0.5) / 0.2) ** 2))


@pytest.mark.parametrize(
    ("case", "verdicts"),
    [
        ("a hump, and synergy has it too", {SUPPORTED}),
        ("a dip, and synergy has a hump", {SUPPORTED}),
        ("a hump, and synergy goes its own way", {INCONCLUSIVE, NOT_SUPPORTED}),
        ("the same dimension in all layers", {INCONCLUSIVE, NOT_SUPPORTED}),
        ("a dimension that grows", {NOT_SUPPORTED}),
    ],
)
def test_c8_by_its_truth(case: str, verdicts: set[str]) -> None:
    chance = np.random.default_rng(0)
    found = [dimension_case(chance, *C8[case]) for _ in range(2)]
    assert {one.verdict for one in found} <= verdicts, [one.told for one in found]
    if case == "a dip, and synergy has a hump":
        assert all("a dip of the dimension, which goes against synergy" in one.told for one in found)


@pytest.mark.parametrize(
    ("case", "verdicts"),
    [
        ("most alike in the middle", {SUPPORTED}),
        ("nothing shared", {NOT_SUPPORTED}),
        ("alike in all layers", {NOT_SUPPORTED}),
        ("more alike the later", {NOT_SUPPORTED}),
    ],
)
def test_c9_by_its_truth(case: str, verdicts: set[str]) -> None:
    chance = np.random.default_rng(0)
    found = [alignment_case(chance, C9[case]) for _ in range(2)]
    assert {one.verdict for one in found} <= verdicts, [one.told for one in found]


def turned(value: float, half: float) -> dict[str, Measured]:
    return {name: Measured(value, value - half, value + half) for name in SIDES}


def test_what_they_lack_is_said() -> None:
    profiles = {"r": HUMP}
    assert "geometry" in c8(None, profiles, "r").missing
    assert "geometry" in c9(None).missing
    assert "most states" in c8(Geometry(HUMP, note="most states are the same"), profiles, "r").missing
    known = Geometry(3 + HUMP, turned(1.0, 0.1), turned(0.3, 0.1), 1, 24, 48)
    assert c8(known, profiles, "r").verdict == SUPPORTED
    assert "10 prompts" in c8(Geometry(3 + HUMP, turned(1.0, 0.1), scale=1, prompts=5), profiles, "r").missing
    few = Geometry(3 + HUMP[:6], turned(1.0, 0.1), scale=1, prompts=24)
    assert "8 layers" in c8(few, {"r": HUMP[:6]}, "r").missing
    assert "8 layers" in c8(known, {}, "r").missing
    assert "more prompts" in c8(Geometry(3 + HUMP, turned(1.0, 1.1), scale=1, prompts=24), profiles, "r").missing
    assert c8(Geometry(3 + HUMP, turned(0.0, 0.01), scale=1, prompts=24), profiles, "r").verdict == NOT_SUPPORTED
    nothing = turned(float("nan"), float("nan"))
    assert "three layers" in c8(Geometry(np.array([3.0, 4.0]), nothing), profiles, "r").missing
    assert "three layers" in c9(Geometry(np.array([3.0, 4.0]), aligned=nothing)).missing
    assert "24 pairs" in c9(Geometry(HUMP, aligned=turned(0.3, 0.1), pairs=12)).missing


def test_slow_profiles_say_nothing_of_coincidence() -> None:
    """Two that are trends alone go together whatever they are."""
    trend = np.linspace(-1, 1, LAYERS) ** 2
    found = c8(
        Geometry(5 - trend, turned(1.0, 0.1), scale=1, prompts=24), {"r": trend + 0.3 * np.linspace(0, 1, LAYERS)}, "r"
    )
    assert found.verdict == INCONCLUSIVE
    assert "trend" in found.missing
