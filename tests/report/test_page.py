"""The report in a browser: it works without a network, by keyboard, on a phone, and nothing that prompts, models and
users have written does anything in it."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Heard, browser

from synergy_tui.bench.made import make_run
from synergy_tui.report import writing
from synergy_tui.store.cache import Cache

HOSTILE = (
    "</script><script>window.hit = 1</script>",
    '<img src="x" onerror="window.hit = 2">',
    '"><svg onload="window.hit = 3">',
    "<!--<script>",
    "\u2028window.hit = 4;//",
    "'];window.hit = 5;[",
    "\u202egnihton \x1b[2J",
    "=1+1",
    "https://elsewhere.example/",
)

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 4 groups × 5 units, of which 1.2 is missing and 0.1 has a name, with hostile words everywhere."""
    folder = tmp_path_factory.mktemp("hostile")
    cache = Cache.open(folder / "cache")
    run = make_run(cache, 4, 5, text=HOSTILE, called=HOSTILE[0], tasks=HOSTILE[1], pairs=False)
    with cache.write() as con:
        con.execute("DELETE FROM units WHERE layer = 1 AND unit = 2")
        con.execute("UPDATE units SET group_name = 'group ' || layer || $1, depth = NULL", [HOSTILE[2]])
        con.execute("UPDATE units SET name = '=1+1' WHERE unit_index = 1")
        con.execute("UPDATE units SET name = $1 WHERE unit_index = 3", [HOSTILE[0]])
        con.execute("UPDATE prompts SET category = $1, id = $1", [HOSTILE[2]])
        con.execute("UPDATE recipes SET command = command || ' ' || $1", [HOSTILE[0]])
    writing.write(cache, run, folder / "report.html")
    writing.write(cache, run, folder / "report.md", markdown=True)
    return folder / "report.html"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


def opened(chromium: Any, path: Path, width: int, scheme: str) -> tuple[Any, Heard]:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    heard = Heard(page, ("file:", "data:"))
    page.goto(path.as_uri())
    return page, heard


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_it_needs_no_network_and_runs_no_script_of_others(
    chromium: Any, hostile: Path, width: int, scheme: str
) -> None:
    page, heard = opened(chromium, hostile, width, scheme)
    for place in range(4):
        page.select_option("#prompt", str(place))
    page.select_option("#score", "sts")
    # What was written is there to read, sign by sign, and direction and terminal signs are shown.
    words = page.inner_text("#words")
    assert [one in words for one in (HOSTILE[0], HOSTILE[1], "\\u202e", "\u202e")] == [True, True, True, False]
    assert page.inner_text("h1").endswith(HOSTILE[0])
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("document.querySelectorAll('img:not(figure img), main svg, a[href^=http]').length") == 0
    assert heard.errors + heard.foreign == []
    # Nor would a script that got in.
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hit = 9'}))"
    )
    assert page.evaluate("window.hit") is None
    assert any("Content Security Policy" in one for one in heard.errors)


def test_the_map_is_walked_by_keys_over_holes(chromium: Any, hostile: Path) -> None:
    page, heard = opened(chromium, hostile, 1000, "light")
    page.focus("#map td[tabindex='0']")

    def after(*keys: str) -> str:
        for key in keys:
            page.keyboard.press(key)
        return page.inner_text("#unit strong")

    group = f"group 1{HOSTILE[2]}"
    assert after("ArrowRight") == "=1+1"
    assert after("ArrowDown") == f"{group}.1"
    assert after("ArrowRight") == f"{group}.3"  # 1.2 is not there
    assert after("Home") == f"{group}.0"
    assert after("End") == f"{group}.4"
    assert after("ArrowRight") == f"{group}.4"
    assert page.evaluate("document.activeElement.dataset.unit") == "9"
    colour = "getComputedStyle(document.activeElement).backgroundColor"
    before = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{colour} !== '{before}'")
    assert page.get_attribute("#map td.hole", "aria-label") == "no unit here"
    assert page.locator("#map td.hole").count() == 1
    assert heard.errors == []


def test_tokens_are_coloured_by_what_is_chosen(chromium: Any, hostile: Path) -> None:
    page, _ = opened(chromium, hostile, 1000, "light")
    colours = "[...document.querySelectorAll('#words span')].map((one) => one.style.backgroundColor)"
    synergy = page.evaluate(colours)
    assert synergy[0] == ""
    assert all(synergy[1:])
    page.select_option("#atom", "rtr")
    assert page.evaluate(colours) != synergy
    page.focus("#words")
    page.keyboard.press("End")
    assert page.inner_text("#token").startswith("step 39 ")
    assert "rtr" in page.inner_text("#token")


def test_what_is_downloaded_is_the_table(chromium: Any, hostile: Path) -> None:
    from synergy_tui.store import load

    page, _ = opened(chromium, hostile, 1000, "light")
    with page.expect_download() as waiting:
        page.click("a[download$='units.csv']")
    assert waiting.value.suggested_filename == "d4x5-units.csv"
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text("utf-8"))))
    assert len(rows) == 19
    cache = Cache.open(hostile.parent / "cache")
    query = "SELECT unit_index, value FROM unit_scores WHERE score = 'sts' AND unit_index <> 7 ORDER BY unit_index"
    kept = load.rows(cache, query)
    assert [int(row["unit_index"]) for row in rows] == [row["unit_index"] for row in kept]
    assert [float(row["sts"]) for row in rows] == pytest.approx([row["value"] for row in kept], rel=1e-8)
    assert rows[1]["called"] == "'=1+1"
    assert any(float(row["difference"]) < 0 for row in rows)


def test_every_control_has_a_name_and_headings_follow_each_other(chromium: Any, hostile: Path) -> None:
    page, _ = opened(chromium, hostile, 1000, "light")
    nameless = page.evaluate(
        """[...document.querySelectorAll("select, img, [role=region], [role=grid], [role=group], nav, section")].filter(
        (one) => !(one.labels?.length || one.getAttribute("aria-label") || one.getAttribute("alt")
        || one.getAttribute("aria-labelledby"))).map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map((one) => one.id)).size") == page.evaluate(
        "document.querySelectorAll('[id]').length"
    )


def test_markdown_shows_hostile_words_and_takes_none_for_markup(hostile: Path) -> None:
    text = hostile.with_suffix(".md").read_text("utf-8")
    outside = [part for place, part in enumerate(text.split("```")) if place % 2 == 0]
    assert "<script" not in "".join(outside)
    assert "<img" not in "".join(outside)
    assert "<svg" not in "".join(outside)
    assert "&lt;script>window.hit = 1" in text
    assert all(line.startswith(("|", "\\|")) or "|" not in line.replace("\\|", "") for line in text.splitlines())
    figures = sorted(path.name for path in (hostile.parent / "report_files").iterdir())
    assert [f"(<report_files/{name}>)" in text for name in figures] == [True] * len(figures)
    assert "map.svg" in figures
