"""The view of all cards: its cells are those of the cards, what stands below them is of the cards that are shown."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from driving import drive, settle, type_in, until_in

from synergy_tui.analysis import meta
from synergy_tui.bench.atlas import card, make_atlas
from synergy_tui.explorer.cards import fitting, ordered
from synergy_tui.explorer.model_rows import cell, cursor_line, profile_lines
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.store import atlas, atlas_files
from synergy_tui.store.atlas import AtlasClaim, ProfilePoint
from synergy_tui.store.cache import Cache
from synergy_tui.terms import EXPLAINED, SUPPORTED


def claim(effect: float, verdict: str = SUPPORTED, measure: str = "contrast") -> AtlasClaim:
    return AtlasClaim(verdict, effect, measure, effect - 0.1, effect + 0.1, 0.95, 40, "", "")


CARDS = (
    replace(card(0, "llama", {"C1": claim(0.3)}), subject="smol", parameters=134_515_008, tuned="instruct"),
    replace(card(1, "llama", {"C1": claim(0.5, EXPLAINED)}), subject="big", parameters=1_700_000_000, tuned="base"),
    replace(card(2, "gpt2", {}), subject="zoo:induction", parameters=None, weights="random", training_step=512),
)


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("", ["smol", "big", "zoo:induction"]),
        ("family:LLAMA tuned:base", ["big"]),
        ("size:<1B", ["smol"]),
        ("size:135M", ["smol"]),
        ("size:none", ["zoo:induction"]),
        ("step:>=512", ["zoo:induction"]),
        ("C1:present", ["big"]),
        ("c1:none weights:random", ["zoo:induction"]),
        ("zoo:induction", ["zoo:induction"]),
        ("smol from:here", ["smol"]),
        ("family:", ["smol", "big", "zoo:induction"]),
    ],
)
def test_a_text_asks_for_cards(text: str, subjects: list[str]) -> None:
    assert fitting(CARDS, text) == (tuple(one for one in CARDS if one.subject in subjects), "")


def test_what_cannot_be_asked_is_told_and_narrows_nothing() -> None:
    cards, wrong = fitting(CARDS, "famly:llama size:large")
    assert cards == CARDS
    assert "no 'famly'" in wrong
    assert "'large' is no number" in wrong


@pytest.mark.parametrize(
    ("by", "forwards", "backwards"),
    [("C1", [1, 0, 2], [0, 1, 2]), ("size", [0, 1, 2], [1, 0, 2]), ("tuned", [1, 2, 0], [0, 2, 1])],
)
def test_what_is_not_known_comes_last_in_both_directions(by: str, forwards: list[int], backwards: list[int]) -> None:
    for order, reverse in ((forwards, False), (backwards, True)):
        assert ordered(CARDS, by, reverse) == tuple(CARDS[one] for one in order)


def test_a_cell_tells_whole_numbers_or_none() -> None:
    assert [cell(claim(0.25), room) for room in (23, 10, 7, 2)] == [
        "● +0.25 [+0.15, +0.35]",
        "● +0.25",
        "● +0.25",
        "●",
    ]
    assert cell(claim(1234.56, measure="ΔBIC"), 7) == "●"
    assert cell(claim(123.4, measure="ΔBIC"), 7) == "● 123"
    assert cell(None, 7) == ""


def test_many_profiles_are_means_of_families_in_a_band_that_holds_all() -> None:
    def profiled(place: int, value: float) -> atlas.AtlasCard:
        points = tuple(ProfilePoint(layer, depth, value, 0, 1) for layer, depth in enumerate((0.0, 0.5, 1.0)))
        return replace(card(place, f"family {place % 2}", {}), profile=points)

    cards = [profiled(place, place / 100) for place in range(30)]
    *families, mean = profile_lines(cards)
    assert [(one.name, round(one.ys[0], 6)) for one in families] == [
        ("A family 0 (15)", 0.14),
        ("B family 1 (15)", 0.15),
    ]
    assert (mean.low[0], round(mean.ys[0], 6), mean.high[-1]) == (0, 0.145, 0.29)
    assert cursor_line(cards, cards[3])[0].ys == [0.03] * 3
    assert len(profile_lines(cards[:9])) == 10


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve cards of a cache, and one of another."""
    folder = tmp_path_factory.mktemp("models")
    other, cache = Cache.open(folder / "other"), Cache.open(folder / "cache")
    make_atlas(other, 13, layers=4, per_layer=2)
    atlas_files.write(atlas.read(other).cards[12:], folder / "cards.json")
    make_atlas(cache, 12, layers=4, per_layer=2)
    atlas_files.take_in(cache, folder / "cards.json")
    return cache.folder


def test_the_cursor_the_forest_and_the_filter(filled: Path) -> None:
    cards = atlas.read(Cache.open(filled)).cards

    async def press(app, pilot):
        await pilot.press("A")
        await until_in(app, pilot, lambda: "C1 over 13 models" in app.plain_screen(), "the forest")
        await pilot.press("right", "right", "down")
        await until_in(app, pilot, lambda: "C3 over 13 models" in app.plain_screen(), "another claim")
        assert app.view.value().startswith(f"C3 of made 001: {cell(cards[1].claims['C3'], 1)}")
        mean = meta.groups(cards, "C3")[0].result
        assert re.search(rf"mean +{mean.effect:.2f} \[{mean.low:.2f}, {mean.high:.2f}\]", app.plain_screen())
        await pilot.press("O")
        await settle(app, pilot)
        shown = [one.claims["C3"].effect for one in app.view._cards]
        assert shown == sorted(shown, reverse=True)
        assert app.view.card.entry == cards[1].entry  # the cursor stayed on its card
        await pilot.press("O", "O", "slash")
        await type_in(pilot, "made 00")
        await pilot.press("enter")
        await until_in(app, pilot, lambda: "C3 over 10 models" in app.plain_screen(), "the filter")
        await pilot.press("o")
        await until_in(app, pilot, lambda: "Random effects over 10 models" in app.plain_screen(), "what is said")
        await pilot.press("o")
        await until_in(app, pilot, lambda: "Profiles of 10 models" in app.plain_screen(), "the profiles")
        assert app.view.command() == "synergy-tui atlas --profiles"
        await pilot.press("o", "escape", "G", "enter")
        await until_in(app, pilot, lambda: "came from a file" in app.plain_screen(), "a card from elsewhere")
        await pilot.press("g", "enter")
        await until_in(app, pilot, lambda: app.view.id == "claims", "the claims view")
        assert app.shown.place.id == cards[0].decomposition

    drive(press, filled, (120, 40))


def test_signs_of_ascii_are_enough(filled: Path) -> None:
    async def look(app, pilot):
        await pilot.press("A")
        for key in ("right", "o", "o"):
            await pilot.press(key)
            await settle(app, pilot)
            assert all(one.plain.isascii() for one in app.view.query(Lines))

    drive(look, filled, (80, 24), ascii=True)
