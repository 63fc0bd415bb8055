"""Names of units and their numbers."""

import pytest

from synergy_tui.errors import UsageError
from synergy_tui.units import UnitName


def test_names_and_numbers_are_each_others_inverse_and_sort_alike():
    found = [UnitName.of(number, 9) for number in range(36)]
    assert [UnitName.parse(str(one), 4, 9).number(9) for one in found] == list(range(36))
    assert found == sorted(found)
    assert str(found[10]) == "1.1"


@pytest.mark.parametrize(
    "word", ["", "3", "3.", ".1", "-1.2", "4.0", "0.9", "1.2.3", "²·1", "².1", "1. 2", "L1H2", "9" * 5000 + ".1"]
)
def test_what_names_no_unit_of_the_map_is_refused_with_what_is_allowed(word):
    with pytest.raises(UsageError, match=r"among 4 layers × 9") as caught:
        UnitName.parse(word, 4, 9)
    assert caught.value.next_step == "name units as layer.unit: 3.1"
