"""What every result is stored with: the versions of the software behind it, and the command that makes it anew."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from synergy_tui import __version__
from synergy_tui.jobs.records import recipe
from synergy_tui.jobs.specs import Spec


def versions(*packages: str) -> dict[str, str]:
    """Versions of this tool, Python and the named packages."""
    return {
        "synergy-tui": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def recipes(result: str, spec: Spec) -> list[dict[str, Any]]:
    """Rows of recipes."""
    return [recipe(result, spec)]
