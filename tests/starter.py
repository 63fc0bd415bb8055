"""python tests/starter.py: starts workers for one run of the tests. It has loaded what workers load and forks one for
each job, which takes milliseconds where a new process takes seconds. Nothing has run a thread pool, a GPU or JAX
before a fork: they are imported at most."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

LOADED = (
    "duckdb",
    "pyarrow.parquet",
    "scipy.stats",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "synergy_tui.jobs.worker.__main__",
    "synergy_tui.jobs.worker.capture",
    "synergy_tui.jobs.worker.ablate",
)


class Starter:
    """The starter's process, from the side of who wants workers."""

    def __init__(self, started: set[str]) -> None:
        """started: takes the jobs that workers were started for."""
        self.started = started
        self._lock = threading.Lock()
        self._mine: socket.socket | None = None

    def __call__(self, arguments: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str]) -> int:
        """Starts `python -m synergy_tui.jobs.worker JOB`; its process id."""
        with self._lock:
            if self._mine is None:
                self._mine = _begin()
            self.started.add(arguments[-1])
            asked = {"arguments": list(arguments), "log": str(log), "folder": str(folder), "env": dict(environment)}
            self._mine.sendall(json.dumps(asked).encode() + b"\n")
            return int(self._mine.recv(64))


def _begin() -> socket.socket:
    mine, its = socket.socketpair()
    process = subprocess.Popen([sys.executable, __file__, str(its.fileno())], pass_fds=[its.fileno()])
    its.close()
    atexit.register(process.wait)
    atexit.register(mine.close)
    return mine


def serve(number: int) -> None:
    """Forks a worker for every line; ends with the connection."""
    for name in LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers: they are known by their folders
    connection = socket.socket(fileno=number)
    for line in connection.makefile("rb"):
        asked = json.loads(line)
        if (child := os.fork()) == 0:
            connection.detach()
            os.close(number)
            _work(asked["arguments"], Path(asked["log"]), asked["folder"], asked["env"])
        connection.sendall(str(child).encode())


def _work(arguments: list[str], log: Path, folder: str, environment: dict[str, str]) -> None:
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = arguments
        from synergy_tui.jobs.worker.__main__ import main

        code = main()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
