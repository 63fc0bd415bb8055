"""What every result is recorded with: the versions of what made it."""

from __future__ import annotations

import platform
from importlib.metadata import version

from synergy_tui import __version__


def versions(*packages: str) -> dict[str, str]:
    """Versions of this tool, Python and the named packages."""
    return {
        "synergy-tui": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
