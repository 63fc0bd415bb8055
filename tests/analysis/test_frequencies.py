"""Wilson intervals and false discovery rates against their closed forms."""

import numpy as np
import pytest
from scipy.stats import norm

from synergy_tui.analysis import frequencies, importance


def test_wilson_intervals_are_those_of_the_closed_form_and_missing_without_answers():
    right, asked = np.array([0.0, 1.0, 7.0, 12.0, 40.0, 0.0]), np.array([9.0, 2.0, 10.0, 12.0, 97.0, 0.0])
    with np.errstate(invalid="ignore", divide="ignore"):
        z, share = norm.ppf(0.975), right / asked
        middle = (share + z**2 / (2 * asked)) / (1 + z**2 / asked)
        reach = z * np.sqrt(share * (1 - share) / asked + z**2 / (4 * asked**2)) / (1 + z**2 / asked)
    low, high = np.array([frequencies.wilson(int(k), int(n)) for k, n in zip(right, asked, strict=True)]).T
    np.testing.assert_allclose(low, middle - reach, atol=1e-12)
    np.testing.assert_allclose(high, middle + reach, atol=1e-12)
    assert np.isnan([low[-1], high[-1]]).all()
    assert low[0] == 0.0
    one = importance.binomial(7, 10)
    assert (one.value, one.low, one.high) == (0.7, low[2], high[2])
    assert np.isnan(importance.binomial(0, 0)).all()


@pytest.mark.parametrize("missing", [0, 1, 17])
def test_q_values_are_the_smallest_rate_over_all_larger_p(missing):
    p = np.random.default_rng(missing).uniform(size=50).round(2)
    p[:missing] = np.nan
    q, tests = frequencies.benjamini_hochberg(p), p[missing:]
    rank = {value: (tests <= value).sum() for value in tests}
    expected = [min(min(1.0, other * len(tests) / rank[other]) for other in tests if other >= value) for value in tests]
    np.testing.assert_allclose(q[missing:], expected, rtol=1e-12)
    assert np.isnan(q[:missing]).all()


def test_nothing_tested_has_no_q():
    assert np.isnan(frequencies.benjamini_hochberg(np.full(3, np.nan))).all()
    assert frequencies.benjamini_hochberg(np.empty(0)).shape == (0,)
