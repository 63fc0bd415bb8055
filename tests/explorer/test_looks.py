"""Every view in three sizes and both themes against snapshots: the text once, the colours for each theme.

UPDATE_SNAPSHOTS=1 pytest tests/test_explorer_looks.py writes them anew; look at the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from conftest import TESTS
from driving import colours, drive, settle, until_in

SNAPSHOTS = TESTS / "snapshots"
SIZES = ((80, 24), (120, 40), (200, 60))
KEYS = {"atlas": "escape", "unit": "u", "tokens": "t", "pairs": "p", "ablation": "a", "jobs": "J", "sql": "s"}
QUESTION = "SELECT layer, unit, sts FROM heads WHERE decomposition = 'RUN' ORDER BY sts DESC, layer LIMIT 5"


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["dark", pytest.param("light", marks=pytest.mark.long)])
def test_every_view_looks_as_it_did(cache: Path, size: tuple[int, int], theme: str) -> None:
    seen: dict[str, tuple[str, list[str]]] = {}

    async def look(app, pilot):
        app.selection.unit = 14 * 9 + 5
        for name, key in KEYS.items():
            await pilot.press(key)
            await settle(app, pilot, rest=0.6)
            if name == "sql":
                app.view.editor.text = QUESTION.replace("RUN", app.shown.place.id)
                await pilot.press("f5")
                await until_in(app, pilot, lambda: "5 rows" in app.plain_screen(), "the answer")
                await settle(app, pilot)
            text = app.plain_screen()
            text = re.sub(r"\d+\.\d\d s\b", "0.00 s", text)  # how long it took is not how it looks
            seen[name] = (text, colours(app))
            await pilot.press("escape")

    drive(look, cache, size, theme=theme)
    wrong = [name for name, found in seen.items() if not _same(name, size, theme, *found)]
    assert not wrong, f"{wrong} look different; see tests/snapshots/*.new"


def _same(name: str, size: tuple[int, int], theme: str, text: str, found: list[str]) -> bool:
    stem = f"{name}-{size[0]}x{size[1]}"
    same = True
    for path, content in ((SNAPSHOTS / f"{stem}.txt", text), (SNAPSHOTS / f"{stem}-{theme}.colours", "\n".join(found))):
        if os.environ.get("UPDATE_SNAPSHOTS"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(content + "\n", "utf-8")
        elif not path.exists() or _merged(path.read_text("utf-8")) != _merged(content):
            path.with_name(path.name + ".new").write_text(content + "\n", "utf-8")
            same = False
    return same


def _merged(content: str) -> str | list[tuple[str, int]]:
    """Counts of colours, a ground that nothing was written on together with what most is written on it: a blank looks
    alike whether it has been drawn or never was. A text as it is."""
    found = re.findall(r"^ *(\d+) (\S+) on (\S+)$", content, re.MULTILINE)
    if len(found) != len(content.strip().splitlines()):
        return content.strip("\n")
    counts: dict[str, int] = {}
    most = {}
    for _, ink, ground in found:
        if ink != "none":
            most.setdefault(ground, ink)
    for count, ink, ground in found:
        name = f"{most.get(ground, ink) if ink == 'none' else ink} on {ground}"
        counts[name] = counts.get(name, 0) + int(count)
    return sorted(counts.items())


@pytest.mark.slow
def test_ascii_is_ascii(cache: Path) -> None:
    async def look(app, pilot):
        for key in KEYS.values():
            await pilot.press(key)
            await settle(app, pilot)
            odd = {char for char in app.plain_screen() if ord(char) > 126}
            # Tree guides, scroll bars and cut titles are the library's.
            assert not odd - set("▼▶│├└─▁▂▃▄▅▆▇█▉▊▋▌▍▎▏⏎…"), (key, odd)
            await pilot.press("escape")

    drive(look, cache, ascii=True)


@pytest.mark.slow
def test_without_colour_values_are_ink_and_a_number(cache: Path) -> None:
    async def look(app, pilot):
        text = app.plain_screen()
        assert "▓" in text
        assert "░" in text
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style
                for one in (style.color, style.bgcolor) if style else ():
                    triplet = one.get_truecolor() if one else (0, 0, 0)
                    assert max(triplet) - min(triplet) < 90, f"a colour without colour: {one}"

    drive(look, cache, colour="none")
