"""What this machine has. Separate processes ask torch and JAX, so that asking loads nothing here."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from synergy_tui import __version__
from synergy_tui.errors import SynergyError
from synergy_tui.jobs.devices import cores
from synergy_tui.jobs.specs.pull import CheckRequest
from synergy_tui.settings import worker_environment

PATIENCE = 60.0


def examine(cache: Path) -> dict[str, Any]:
    """Versions, devices with free memory (bytes), free disk and whether the cache opens."""
    memory = psutil.virtual_memory()
    children = {name: _start(name, cache) for name in ("torch", "jax")}
    found: dict[str, Any] = {
        "synergy-tui": __version__,
        "python": platform.python_version(),
        "cores": cores(),
        "memory": {"free": memory.available, "total": memory.total},
        "cache": _cache(cache),
    }
    return found | {name: _answer(child) for name, child in children.items()}


def measure(name: str, cache: Path) -> dict[str, Any]:
    """Runs one measurement of bench/ in a process of its own. Raises SynergyError when it fails."""
    command = [sys.executable, "-m", "synergy_tui.bench", name]
    got = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=worker_environment(cache)
    )
    if got.returncode:
        raise SynergyError(f"bench {name} failed: {got.stderr.strip().splitlines()[-1:]}", "synergy-tui doctor")
    return json.loads(got.stdout)


def parity(request: CheckRequest, data: Path, cache: Path, steps: int, quiet: bool = False) -> dict[str, Any]:
    """What `subjects check` finds, in a process of its own that reports to standard error what it does, unless `quiet`.
    Raises SynergyError."""
    command = [
        sys.executable,
        "-m",
        "synergy_tui.jobs.worker.parity",
        json.dumps(request.to_json()),
        str(data),
        str(steps),
    ]
    got = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        env=worker_environment(cache),
    )
    if got.returncode:
        where = "leave out --quiet to see why" if quiet else "see the lines above"
        raise SynergyError("the comparison ended before its time", where)
    found: dict[str, Any] = json.loads(got.stdout.splitlines()[-1])
    if "what" in found:
        error = SynergyError(found["what"], found["next"])
        error.exit_code = found["code"]
        raise error
    return found


def _start(library: str, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "synergy_tui.jobs.worker.devices", library],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=worker_environment(cache),
        text=True,
    )


def _answer(child: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        out, err = child.communicate(timeout=PATIENCE)
        return json.loads(out)
    except subprocess.TimeoutExpired:
        child.kill()
        return {"error": f"no answer in {PATIENCE:.0f} s"}
    except ValueError:
        return {"error": (err.strip().splitlines() or ["it ended without an answer"])[-1]}


def _cache(folder: Path) -> dict[str, Any]:
    from synergy_tui.store.archive import open_any

    try:
        opened = open_any(folder)
        with opened.read() as con:
            captures, decompositions = con.execute(
                "SELECT (SELECT count(*) FROM captures), (SELECT count(*) FROM decompositions)"
            ).fetchone() or (0, 0)
    except SynergyError as error:
        return {"folder": str(folder), "error": str(error)}
    free = psutil.disk_usage(str(folder)).free
    return {"folder": str(folder), "captures": captures, "decompositions": decompositions, "free": free}
