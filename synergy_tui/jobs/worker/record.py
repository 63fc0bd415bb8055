"""What every result is recorded with: the versions of what made it, and the command that makes it anew."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from synergy_tui import __version__
from synergy_tui.jobs.recipe import command
from synergy_tui.terms import METHOD


def versions(*packages: str) -> dict[str, str]:
    """Versions of this tool, Python and the named packages."""
    return {
        "synergy-tui": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def recipes(kind: str, result: str, spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of recipes."""
    return [{"result": result, "command": command(kind, spec), "method": METHOD}]
