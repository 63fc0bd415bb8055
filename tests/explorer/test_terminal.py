"""The explorer in a real pseudo-terminal: how it ends, what it sends, what goes on without it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pyte
import pytest
from conftest import until

from synergy_tui.bench.explorer import Terminal
from synergy_tui.bench.made import make_run
from synergy_tui.store.cache import Cache


def shown(terminal: Terminal, word: str, timeout: float = 120) -> list[str]:
    """The lines of the screen as soon as a word stands in one of them: painted in pieces, words come in any order."""
    size = os.get_terminal_size(terminal._master)
    screen = pyte.Screen(size.columns, size.lines)
    stream = pyte.ByteStream(screen)
    place, deadline = 0, time.perf_counter() + timeout
    while time.perf_counter() < deadline:
        while place < len(terminal.chunks):
            stream.feed(terminal.chunks[place][1])
            place += 1
            if any(word in line for line in screen.display):
                return list(screen.display)
        time.sleep(0.01)
    raise TimeoutError(f"{word!r} did not come:\n" + "\n".join(screen.display))


@pytest.fixture
def opened(cache: Path, tmp_path: Path) -> Any:
    """The explorer at 200 × 50 in 256 colours, on a run of 16 layers × 16 units."""
    make_run(Cache.open(cache), 16, 16)
    terminal = Terminal(["explore", "--cache", str(cache)], tmp_path)
    shown(terminal, "doubts")
    terminal.settle(1.0)
    yield terminal
    if terminal.process.poll() is None:
        terminal.close()


@pytest.mark.worker
@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_gives_the_terminal_back(opened: Terminal, number: signal.Signals, code: int) -> None:
    opened.process.send_signal(number)
    assert opened.process.wait(60) == code
    time.sleep(0.2)
    said = b"".join(chunk for _, chunk in opened.chunks)
    for off in (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?25h"):
        assert off in said[-2000:], off


@pytest.mark.worker
def test_q_ends_it_with_zero(opened: Terminal) -> None:
    opened.press("q")
    assert opened.process.wait(60) == 0


@pytest.mark.worker
def test_a_closed_terminal_ends_it_and_its_jobs_go_on(cache: Path, tiny: Path, tmp_path: Path, command: Any) -> None:
    jobs = command.json("run", str(tiny), "--prompts", "12", "--steps", "400", "--batch", "1", "--detach", "--yes")
    terminal = Terminal(["explore", "--cache", str(cache)], tmp_path)
    shown(terminal, "capture")
    os.close(terminal._master)
    terminal.process.wait(60)
    for one in ("capture", "decompose"):
        assert command.wait(jobs[one], "done", "failed")["state"] == "done"
    again = Terminal(["explore", "--cache", str(cache)], tmp_path)
    shown(again, tiny.name)
    again.close()


@pytest.mark.worker
def test_idle_sends_nothing_and_a_move_little(opened: Terminal) -> None:
    def silent() -> bool:
        before = opened.sent()
        time.sleep(3)
        return opened.sent() == before

    # On a busy machine the last of what is shown at the start comes late; what repaints on a clock is never silent.
    assert any(silent() for _ in range(10))
    opened.settle(1.5)
    for key in "jjllkkhhjl":
        _, count = opened.press(key)
        assert 0 < count < 2048, key


@pytest.mark.worker
def test_sixteen_colours_are_told(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(Cache.open(cache), 4, 4)
    terminal = Terminal(["explore", "--cache", str(cache), "--color", "16"], tmp_path)
    shown(terminal, "16 colours")
    terminal.close()


def test_without_a_terminal_there_is_a_word(command: Any) -> None:
    assert "show draws the map as text" in command("explore", code=2).stderr


@pytest.mark.worker
def test_a_first_start_has_the_sample(cache: Path, tmp_path: Path) -> None:
    terminal = Terminal(["--cache", str(cache)], tmp_path, 80, 24)
    shown(terminal, "sample result")
    shown(terminal, "above both nulls")
    terminal.close()
    assert until(lambda: (cache / "cache.duckdb").exists())
