"""Of how many definitions C1 is put to, and under how many it holds."""

from __future__ import annotations

import pytest

from synergy_tui.analysis.claims import Contrast
from synergy_tui.analysis.definitions import EVERY, Measured, definitions
from synergy_tui.analysis.effects import Effect
from synergy_tui.analysis.profile import SIDES
from synergy_tui.drawing import card
from synergy_tui.terms import NULLS, RANKINGS

PLAIN, CORRECTED, DISCRETE = (
    ("gaussian", "mmi", "none"),
    ("gaussian", "mmi", "analytic"),
    ("discrete", "mmi", "none"),
)


def contrast(difference: float, nulls: tuple[str, ...] = NULLS) -> Contrast:
    """A profile that C1 asks for, so far above its surrogates."""
    effect = Effect(0.2, 0.2 - difference, difference, difference - 0.05, difference + 0.05, 0.02, 0.01, 1.0, 40, 99)
    sides = dict.fromkeys(SIDES[:2], (0.2, 0.15, 0.25)) | dict.fromkeys(SIDES[2:], (-0.1, -0.15, -0.05))
    return Contrast(0.2, 0.15, 0.25, sides, dict.fromkeys(nulls, effect))


def measured(*held: str, nulls: tuple[str, ...] = NULLS, misleading: tuple[str, ...] = ()) -> Measured:
    contrasts = {name: contrast(0.15 if name in held else 0.0, nulls) for name in RANKINGS}
    return Measured(contrasts, 40, misleading)


def test_every_ranking_of_every_measured_kind_of_atoms_is_a_definition():
    found = definitions({PLAIN: measured("excess", "numit"), DISCRETE: measured("z", "numit")})
    assert found.held == ("gaussian·mmi numit", "gaussian·mmi excess", "discrete·mmi z")
    # Discrete atoms have no such null: its contrast is none of theirs, whatever was kept of it.
    assert len(found.of) == 2 * len(RANKINGS) - 1
    assert found.unmeasured == ("gaussian·mmi bias-corrected", "gaussian·ccs", "discrete·ccs")
    assert len(EVERY) == 5


def test_a_correction_adds_the_rankings_that_it_can_change():
    found = definitions({CORRECTED: measured("difference", "balance")})
    assert found.of == tuple(f"gaussian·mmi bias-corrected {name}" for name in ("balance", "tdmi-share", "numit"))
    assert found.held == ("gaussian·mmi bias-corrected balance",)


@pytest.mark.parametrize(
    "one", [measured("excess", nulls=()), measured("excess", nulls=NULLS[:1])], ids=["no nulls", "one null"]
)
def test_without_surrogates_of_every_null_nothing_is_measured(one):
    found = definitions({PLAIN: one})
    assert (found.held, found.of) == ((), ())
    assert "gaussian·mmi" in found.unmeasured


def test_where_no_null_can_be_trusted_no_definition_holds():
    found = definitions({PLAIN: measured(*RANKINGS, misleading=("shared volatility",))})
    assert (len(found.of), found.held) == (len(RANKINGS), ())


def test_the_card_says_which():
    found = definitions({PLAIN: measured("excess", "z"), DISCRETE: measured("z")})
    claim = {"definitions_held": found.held, "definitions": found.of, "unmeasured": found.unmeasured}
    assert card.definitions(claim) == (
        "holds under 3 of 13 definitions: gaussian·mmi excess, z, discrete·mmi z; "
        "not measured: gaussian·mmi bias-corrected, gaussian·ccs, discrete·ccs"
    )
    # Cards of earlier versions do not say.
    assert card.definitions({}) == card.definitions({"definitions": None}) == ""
