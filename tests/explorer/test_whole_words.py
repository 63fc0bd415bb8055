"""No word and no number is cut: every view at sizes from 60 × 18 to 250 × 60, over made-up data with long names.

A number that ends in an ellipsis is cut. A word is taken for cut when it ends at the right edge of its widget and is
the beginning of a longer word that the same view shows elsewhere, or in another size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import drive, settle
from rich.cells import cell_len
from textual.geometry import Region
from textual.widget import Widget

from synergy_tui.bench.atlas import make_atlas
from synergy_tui.bench.made import make_run
from synergy_tui.explorer.views import VIEWS
from synergy_tui.store.cache import Cache

SIZES = ((60, 18), (80, 24), (120, 36), (200, 50), (250, 60))
LARGEST = SIZES[-1]

FEW = ((60, 18), LARGEST)
"""Sizes for names that differ in nothing but their signs."""

LONG = ("a-model-with-a-name-that-nobody-can-say-without-a-breath-" * 4)[:200]

NAMES = {"long": (LONG, LONG), "wide and right-to-left": ("大型語言模型-測試-" * 8, "نموذج-لغوي-كبير-" * 8)}
"""What two runs are called."""
WORD = re.compile(r"[\w.+\-/×−]*[\w%]")


def leaves(app) -> Iterator[tuple[Widget, Region]]:
    """Widgets that draw something themselves, and where of that is seen."""
    for widget, place in app.screen._compositor.visible_widgets.items():
        inside = widget.scrollable_content_region if widget.is_scrollable else widget.content_region
        region = inside.intersection(place[0].intersection(place[1]))
        if region and not list(widget.children):
            yield widget, region


def cells(strip) -> list[str]:
    """What is in every column; a sign of two columns leaves the second one empty."""
    return [part for char in strip.text for part in (char, *[""] * (cell_len(char) - 1))]


def words(app) -> Iterator[tuple[str, bool, str]]:
    """(word, whether it ends at the edge of its widget, where) of everything on the screen."""
    lines = [cells(strip) for strip in app.screen._compositor.render_strips()]
    for widget, region in leaves(app):
        for y in range(region.y, region.bottom):
            line = "".join(lines[y][region.x : region.right])
            full = cell_len(line) == region.width
            for found in re.finditer(r"(?<![\w…])[+−-]?\d[\d.,/]*(?<![,])…", line):
                yield found[0], True, f"{widget!r} line {y}: {line!r}"
            for found in WORD.finditer(line):
                yield found[0], full and found.end() == len(line), f"{widget!r} line {y}: {line!r}"


def cut(seen: dict[tuple[int, int], list[tuple[str, bool, str]]]) -> list[str]:
    """Words at an edge that are the beginning of another one, with the size."""
    whole = {word for found in seen.values() for word, edge, _ in found if not edge}
    whole |= {word for word, _, _ in seen[LARGEST]}
    out = []
    for size, found in seen.items():
        for word, edge, where in found:
            if word.endswith("…"):
                out.append(f"{size}: {word} in {where}")
                continue
            longer = any(other != word and other.startswith(word) for other in whole)
            if edge and word not in whole and longer:
                out.append(f"{size}: {word} in {where}")
    return out


def test_a_cut_word_is_found_and_a_whole_one_is_not() -> None:
    seen = {
        (60, 18): [("synerg", True, "a"), ("synergy", True, "b"), ("158/27", True, "c"), ("other", True, "d")],
        LARGEST: [("synergy", False, "a"), ("158/270", False, "c")],
    }
    assert [one.split(": ")[1] for one in cut(seen)] == ["synerg in a", "158/27 in c"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["long", pytest.param("wide and right-to-left", marks=pytest.mark.long)])
def test_no_view_cuts_a_word_or_a_number_at_any_size(tmp_path: Path, name: str) -> None:
    cache = Cache.open(tmp_path / "cache")
    text = ("unbelievable ", "12345678901234567890 ", "a ", "\n", "naïve ")
    for run, called in zip(("one", "two"), NAMES[name], strict=True):
        make_run(cache, 26, 12, 12, 60, run, text, called=f"{called} {run}", tasks=f"{called}.jsonl")

    async def look(app, pilot):
        wrong = []
        for view, opening in VIEWS.items():
            await pilot.press("escape", "escape", opening.key)
            seen = {}
            for size in SIZES if name == "long" else FEW:
                await pilot.resize_terminal(*size)
                await settle(app, pilot, rest=0.3)
                assert app.view.id == view
                seen[size] = list(words(app))
            wrong += [f"{view} {one}" for one in cut(seen)]
        assert not wrong, "\n".join(wrong)

    drive(look, cache.folder)


@pytest.mark.slow
def test_an_atlas_of_many_models_is_cut_nowhere(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "cache")
    make_atlas(cache, 12, layers=4, per_layer=2)

    async def look(app, pilot):
        seen: dict[tuple[int, int], list[tuple[str, bool, str]]] = {}
        for below in range(3):
            await pilot.press("o" if below else "A")
            seen = {}
            for size in (*FEW, SIZES[1]):
                await pilot.resize_terminal(*size)
                await settle(app, pilot, rest=0.3)
                seen[size] = list(words(app))
            assert app.view.id == "models"
            assert not cut(seen), "\n".join(cut(seen))

    drive(look, cache.folder)
