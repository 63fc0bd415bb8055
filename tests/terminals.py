"""Commands on a pseudo-terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios


def on_terminal(*arguments: str, width: int = 80, code: int = 0, **environment: str) -> str:
    """What `synergy-tui` writes to a terminal of 256 colours, control sequences and all. Standard error is the same
    terminal."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-m", "synergy_tui", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=kept | {"TERM": "xterm-256color", "COLORTERM": ""} | environment,
    )
    os.close(slave)
    chunks = []
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # nobody writes any more
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(master)
    text = b"".join(chunks).decode().replace("\r\n", "\n")
    assert child.wait() == code, text
    return text
