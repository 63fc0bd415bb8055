"""The lines of stages: what they keep on narrow terminals, and that none of them wraps."""

from __future__ import annotations

import io
import re
from typing import Any

import pyte
import pytest
from rich.cells import cell_len
from rich.console import Console

from synergy_tui.drawing.progress import StagePrinter, done, running


def stage(**changes: Any) -> dict[str, Any]:
    usual = {"name": "capture", "detail": "60 prompts × 100 steps", "done": 45, "total": 60, "unit": "tok"}
    return usual | {"rate": 128.0, "seconds": 90.0} | changes


STAGES = [
    stage(),
    stage(name="load", detail="SmolLM2-135M-Instruct  30 layers × 9 heads", total=0, done=0, rate=0),
    stage(name="decompose", detail="36,315 pairs × 60 prompts", unit="pairs", rate=123_456.0),
    stage(name="judge", detail="日本語のモデルの長い名前 of 12345678 units", unit="order parameters", rate=3.2),
    stage(name="surrogates", detail="200 of prompt-shuffle " * 4, unit="draws", rate=0.2, seconds=36_000.0),
]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("one", STAGES, ids=lambda one: one["name"])
def test_a_line_fits_and_keeps_name_share_and_time(one, width):
    line = running(one, width).plain
    assert cell_len(line) <= width
    assert line.split()[0] == one["name"]
    if one["total"]:
        assert re.search(r" 75%  .* left$", line)
        assert line.endswith("30 s left" if one["seconds"] == 90 else "200:00 left")
    for kept in (0, 36):
        line = done(one | {"kept": kept}, width).plain
        assert cell_len(line) <= width
        assert line.split()[0] == one["name"]
        assert re.search(r"  done  (1:30|600:00)", line)
    for line in (running(one, width).plain, done(one, width).plain):
        # No number is cut: digits before an ellipsis are all that there are.
        for number in re.findall(r"([\d,]+)…", line):
            assert re.search(rf"(?<![\d,]){number}(?![\d,])", one["detail"])


@pytest.mark.parametrize(("width", "bar"), [(80, 8), (60, 8), (120, 24)])
def test_the_bar_has_its_share_of_what_it_is_wide(width, bar):
    for many in range(61):
        line = running(stage(done=many), width).plain
        assert line.count("━") * 2 + line.count("╸") == round(many / 60 * bar * 2)


def test_a_line_for_no_terminal_is_whole():
    assert done(STAGES[4] | {"kept": 3}, None).plain == (
        f" surrogates {'200 of prompt-shuffle ' * 4}  done  600:00  0.2 draws/s  (3.0 draws kept from before)"
    )


@pytest.mark.parametrize("width", [60, 80])
def test_nothing_wraps_on_a_terminal_and_what_has_ended_stays(width):
    """Every line of the screen is a stage, and none is there twice: the drawing moves up by as many as it has."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=24, force_terminal=True, color_system="256", legacy_windows=False)
    with StagePrinter(console) as shown:
        for job in range(12):
            passed: list[dict[str, Any]] = []
            for one in STAGES:
                for many in (0, 10, 45, 60):
                    shown.show(f"j{job}", {"stages": [*passed, one | {"done": many}]})
                passed.append(one | {"done": 60, "ended": True})
                shown.show(f"j{job}", {"stages": passed})
    screen = pyte.HistoryScreen(width, 24, history=999, ratio=1)
    pyte.Stream(screen).feed(out.getvalue().replace("\n", "\r\n"))
    above = ["".join(line[place].data for place in range(width)) for line in screen.history.top]
    lines = [line.rstrip() for line in (*above, *screen.display) if line.strip()]
    assert [line.split()[0] for line in lines] == [one["name"] for one in STAGES] * 12
    assert all("  done  " in line for line in lines)
