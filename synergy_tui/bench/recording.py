"""A recording of the first minute, as asciinema plays it: python -m synergy_tui.bench.recording FILE.cast

The explorer runs in its own terminal on the sample result; KEYS lists which keys are pressed, and when.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from synergy_tui.bench.explorer import Terminal

SIZE = (120, 36)

ENTER, ESCAPE, RIGHT, DOWN = "\r", "\x1b", "\x1b[C", "\x1b[B"

KEYS = (
    *((3.0, ENTER), (2.5, ENTER), (2.5, ENTER), (2.0, ENTER), (2.0, ENTER)),  # the tour
    *((1.0, "e"), (0.7, "e"), (0.7, "e"), (0.8, "r"), (0.8, "R")),
    *((0.8, "f"), (1.2, "f"), (0.8, "t"), (1.0, RIGHT), (0.3, RIGHT), (0.3, RIGHT), (0.3, DOWN)),
    *((1.2, "p"), (1.2, "+"), (0.8, "c"), (1.5, "a"), (1.8, ESCAPE), (0.8, "q")),
)
"""Seconds before each key, and the key."""

LONGEST = 1.5
"""Seconds of silence to keep."""


def record(path: Path) -> None:
    """Writes the recording (asciicast v2): relative times, silences shortened."""
    columns, rows = SIZE
    with tempfile.TemporaryDirectory() as home:
        terminal = Terminal(["explore", "--cache", str(Path(home) / "cache")], Path(home), columns, rows)
        terminal.wait_for("doubts")
        for pause, key in KEYS:
            time.sleep(pause)
            terminal.send(key)
        time.sleep(0.5)
        terminal.close()
    header = {"version": 2, "width": columns, "height": rows, "title": "synergy-tui: the first minute"}
    lines, now, before = [json.dumps(header | {"env": {"TERM": "xterm-256color"}})], 0.0, terminal.began
    pending = b""
    for when, chunk in terminal.chunks:
        now += min(when - before, LONGEST)
        before = when
        pending += chunk
        text = pending.decode("utf-8", "ignore")
        if text.encode() != pending:
            continue  # a character arrives in two parts
        pending = b""
        lines.append(json.dumps([round(now, 3), "o", text]))
    path.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    os.environ.pop("TMUX", None)
    record(Path(sys.argv[1]))
