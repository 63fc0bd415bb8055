"""The explorer in a real pseudo-terminal: first paint, key to repaint, bytes sent, memory, and its idle cost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from synergy_tui.bench.made import make_run
from synergy_tui.store.cache import Cache

QUIET = 0.03
"""Seconds of silence that end the answer to a key."""

BUSY = "import os\nos.nice(5)\nwhile os.getppid() != 1: pass"
"""A process that computes, as a job does, and ends with this one."""

LONG = "SELECT count(*) FROM range(300000) a, range(3000000) b WHERE a.range * b.range % 7 = 3"


_SEQUENCE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]")
"""Sequences that move the cursor or set a colour."""


class Terminal:
    """A program in its own pseudo-terminal; its output is read as it arrives."""

    def __init__(self, arguments: Sequence[str], home: Path, columns: int = 200, rows: int = 50) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # COLUMNS and LINES would come from the terminal that this runs in. Compiled bytecode is kept, as in an
        # installed package.
        others = ("COLORTERM", "NO_COLOR", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")
        environment = {name: value for name, value in os.environ.items() if name not in others}
        environment |= {"TERM": "xterm-256color", "XDG_STATE_HOME": tempfile.mkdtemp(dir=home)}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "synergy_tui", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self._master = master
        self.chunks: list[tuple[float, bytes]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(self._master, 1 << 16):
                self.chunks.append((time.perf_counter(), chunk))

    def wait_for(self, word: str, timeout: float = 60) -> float:
        """Seconds from the start until a word was on the screen. Raises TimeoutError."""
        seen = b""
        for place in self._places(timeout):
            when, chunk = self.chunks[place]
            seen = (seen + chunk)[-200_000:]
            # A word may arrive in pieces, because unchanged cells between them are not sent again.
            if word.encode() in _SEQUENCE.sub(b"", seen):
                return when - self.began
        raise TimeoutError(f"{word!r} did not come: {seen[-300:]!r}")

    def _places(self, timeout: float) -> Iterator[int]:
        place, deadline = 0, time.perf_counter() + timeout
        while time.perf_counter() < deadline:
            if place < len(self.chunks):
                yield place
                place += 1
            else:
                time.sleep(0.002)

    def send(self, keys: str) -> None:
        """Types."""
        os.write(self._master, keys.encode())

    def press(self, key: str, patience: float = 3.0) -> tuple[float, int]:
        """(seconds until the answer to a key was complete, its bytes)."""
        before, pressed = len(self.chunks), time.perf_counter()
        self.send(key)
        while time.perf_counter() - pressed < patience:
            time.sleep(0.001)
            if len(self.chunks) > before and time.perf_counter() - self.chunks[-1][0] > QUIET:
                break
        answer = self.chunks[before:]
        return (answer[-1][0] - pressed if answer else float("nan")), sum(len(chunk) for _, chunk in answer)

    def sent(self) -> int:
        """Bytes received so far."""
        return sum(len(chunk) for _, chunk in self.chunks)

    def settle(self, quiet: float = 0.5, timeout: float = 60) -> None:
        """Returns when nothing has been sent for a while."""
        deadline = time.perf_counter() + timeout
        while time.perf_counter() < deadline:
            time.sleep(0.02)
            if self.chunks and time.perf_counter() - self.chunks[-1][0] > quiet:
                return

    def close(self) -> int:
        """Ends the program as a lost terminal does; returns its exit code."""
        self.process.send_signal(signal.SIGHUP)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            os.close(self._master)


def measure() -> dict[str, Any]:
    """Seconds, bytes and shares by name; at 200 × 50 in 256 colours unless stated."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        wide, middle = Cache.open(home / "wide"), Cache.open(home / "middle")
        make_run(middle, 16, 64)
        make_run(wide, 80, 64)
        return {**_start(home, middle), **_map(home, wide), **_pairs(home, wide), **_loaded(home, wide)}


def _open(home: Path, cache: Cache, *more: str) -> Terminal:
    terminal = Terminal(["explore", "--cache", str(cache.folder), *more], home)
    terminal.wait_for("doubts")
    terminal.settle()
    return terminal


def _start(home: Path, cache: Cache) -> dict[str, Any]:
    paints, maps = [], []
    for _ in range(7):
        terminal = Terminal(["explore", "--cache", str(cache.folder)], home)
        paints.append(terminal.wait_for("synergy-tui"))
        maps.append(terminal.wait_for("doubts"))
        terminal.settle(0.2)
        code = terminal.close()
    terminal = _open(home, cache)
    process = psutil.Process(terminal.process.pid)
    memory = process.memory_info().rss
    before, cpu, sent = time.perf_counter(), sum(process.cpu_times()[:2]), terminal.sent()
    time.sleep(10)
    idle = (sum(process.cpu_times()[:2]) - cpu) / (time.perf_counter() - before)
    quiet = terminal.sent() - sent
    terminal.close()
    return {
        "first paint from the shell, median s": median(paints),
        "first paint at the very first start, s": paints[0],
        "map of 524,000 pairs drawn, median s": median(maps),
        "resident memory": memory,
        "exit code after SIGHUP": code,
        "idle for 10 s, bytes sent": quiet,
        "idle, share of a core": idle,
    }


def _keys(terminal: Terminal, keys: Sequence[str]) -> tuple[list[float], list[int]]:
    answers = []
    for key in keys:
        answers.append(terminal.press(key))
        time.sleep(0.02)
    return [seconds for seconds, _ in answers if seconds == seconds], [count for _, count in answers]


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[min(int(0.95 * len(values)), len(values) - 1)]


WALK = ["j"] * 30 + ["l"] * 30 + ["k"] * 20 + ["h"] * 20


def _map(home: Path, cache: Cache) -> dict[str, Any]:
    terminal = _open(home, cache)
    seconds, counts = _keys(terminal, WALK)
    ranked, _ = _keys(terminal, ["r", "f", "f"] * 5)
    terminal.close()
    return {
        "80 × 64 map, cursor move, p95 s": _p95(seconds),
        "80 × 64 map, cursor move, median s": median(seconds),
        "80 × 64 map, cursor move, p95 bytes": _p95(counts),
        "80 × 64 map, another ranking or mask, p95 s": _p95(ranked),
    }


def _pairs(home: Path, cache: Cache) -> dict[str, Any]:
    terminal = _open(home, cache)
    pressed = time.perf_counter()
    terminal.press("p", 1)
    terminal.wait_for("pairs, nats", 120)
    drawn = time.perf_counter() - pressed
    terminal.settle()
    coarse, _ = _keys(terminal, WALK)
    zoomed, _ = _keys(terminal, ["+"] * 8)
    fine, counts = _keys(terminal, WALK)
    memory = psutil.Process(terminal.process.pid).memory_info().rss
    terminal.close()
    return {
        "5,120² matrix, drawn after, s": drawn,
        "5,120² matrix, cursor move over layers, p95 s": _p95(coarse),
        "5,120² matrix, zoom, p95 s": _p95(zoomed),
        "5,120² matrix, cursor move over pairs, p95 s": _p95(fine),
        "5,120² matrix, cursor move, p95 bytes": _p95(counts),
        "5,120² matrix, resident memory": memory,
    }


def _loaded(home: Path, cache: Cache) -> dict[str, Any]:
    """A query that takes half a minute in the SQL view, three busy processes, and a walk over the map."""
    terminal = _open(home, cache)
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(3)]
    try:
        terminal.press("s")
        terminal.settle(0.3)
        for letter in LONG:
            os.write(terminal._master, letter.encode())
        terminal.settle(0.3)
        terminal.press("\x1b[15~")  # F5
        time.sleep(1)
        terminal.press("\x1b")
        time.sleep(0.3)
        terminal.press("\x1b")
        terminal.settle(0.3, 3)
        seconds, _ = _keys(terminal, WALK)
    finally:
        for one in busy:
            one.kill()
            one.wait()
        terminal.close()
    return {"80 × 64 map, a query and three jobs running, p95 s": _p95(seconds)}
