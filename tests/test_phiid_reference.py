"""Agreement with the public reference implementation, Gaussian with MMI (see reference/README.md)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import REFERENCE

from synergy_tui.phiid import ATOMS, decompose

CASES = [
    case
    for case in json.loads((REFERENCE / "phyid_atoms.json").read_text())
    if (case["kind"], case["redundancy"]) == ("gaussian", "MMI")
]

# The reference computes determinants where we factorise: it is off by itself for nearly equal series.
TOLERANCE = {"near_copy_0.001": 5e-9, "near_copy_0.0001": 2e-7}


@pytest.fixture(scope="module")
def series() -> dict[str, np.ndarray]:
    return dict(np.load(REFERENCE / "phyid_series.npz"))


def test_there_are_reference_cases():
    assert len(CASES) > 80


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['case']}-lag{case['tau']}")
def test_all_sixteen_atoms_agree_with_the_reference(case, series):
    found = decompose(series[case["case"]][None], lag=case["tau"])
    expected = [case["atoms"][name] for name in ATOMS]
    np.testing.assert_allclose(found.mean[0], expected, rtol=0, atol=TOLERANCE.get(case["case"], 1e-9))
