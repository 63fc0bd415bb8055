"""Names of units and their numbers."""

import pytest

from synergy_tui.errors import UsageError
from synergy_tui.units import Naming, UnitName


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


NAMED = Naming(3, 6, ("assoc", "1", "a,b"), {0: "LH_PFC_1", 7: "V1"}, deep=False)


@pytest.mark.parametrize(
    ("text", "sides", "spelled"),
    [
        ("assoc:1", ((0,), (1,)), "assoc:1"),
        (" 2 , assoc : 1 ", ((0, 2), (1,)), "assoc,2:1"),
        ("0:2", ((0,), (2,)), "assoc:2"),
        ("1,1:0", ((1,), (0,)), "1:assoc"),
    ],
)
def test_groups_of_a_contrast_are_named_or_numbered_and_spelled_in_one_way(text, sides, spelled):
    """A group that is called by a number is that one."""
    assert NAMED.sides(text) == sides
    assert NAMED.contrast(text) == spelled
    assert NAMED.contrast(spelled) == spelled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("assoc", "contrast 'assoc' has no two sides"),
        (":assoc", "has no two sides"),
        ("assoc:", "has no two sides"),
        ("assoc,:1", "has no two sides"),
        ("assoc:1:2", "has no two sides"),
        ("assoc:motor", "no group 'motor' · known: assoc, 1, a,b"),
        ("assoc:3", "no group '3' · known"),
        ("assoc,1:0", "group assoc is on both sides of the contrast · leave it out on one side"),
    ],
)
def test_a_contrast_that_is_none_is_refused_in_one_line(text, said):
    with pytest.raises(UsageError) as caught:
        NAMED.sides(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_without_names_are_called_by_their_numbers():
    plain = Naming(4, 2)
    assert plain.contrast("03:1, 0") == "3:0,1"
    with pytest.raises(UsageError, match="no layer '4' among 4 · number layers from 0"):
        plain.sides("4:0")
    assert plain.compared("3:0,1") == ("layer 3", "layers 0, 1")
    assert NAMED.compared("assoc:1") == ("group assoc", "group 1")
