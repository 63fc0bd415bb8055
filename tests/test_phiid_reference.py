"""Agreement with the public reference implementation (see reference/README.md)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import REFERENCE

from synergy_tui.phiid import ATOMS, decompose
from synergy_tui.phiid.local import local_pair

ALL = json.loads((REFERENCE / "phyid_atoms.json").read_text())
CASES = [case for case in ALL if (case["kind"], case["redundancy"]) == ("gaussian", "MMI")]

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


@pytest.mark.parametrize(
    ("estimator", "redundancy", "count"),
    [("gaussian", "MMI", 86), ("gaussian", "CCS", 86), ("discrete", "MMI", 86), ("discrete", "CCS", 74)],
)
def test_local_atoms_average_to_the_reference(estimator, redundancy, count, series):
    cases = [case for case in ALL if (case["kind"], case["redundancy"]) == (estimator, redundancy)]
    assert len(cases) == count
    for case in cases:
        found = local_pair(*series[case["case"]], estimator, redundancy.lower(), case["tau"]).atoms.mean(axis=0)
        expected = np.array([case["atoms"][name] for name in ATOMS]) * (np.log(2) if case["unit"] == "bits" else 1)
        tolerance = TOLERANCE.get(case["case"], 1e-9)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=f"{case['case']} {case['tau']}")
