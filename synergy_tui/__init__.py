"""synergy-tui: where in a language model information is integrated, where it is merely repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pathlib import Path

    from synergy_tui.store.cache import Cache


def open_cache(folder: str | Path | None = None) -> Cache:
    """The cache in `folder` (default: where the settings say), made if it is not there yet.

    Raises errors.CacheError when it cannot be used: locked, read-only, or from a newer version.
    """
    from synergy_tui.settings import load
    from synergy_tui.store.cache import Cache

    return Cache.open(load(cache=folder).cache)
