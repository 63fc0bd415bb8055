"""Last view, selection, unsaved SQL and pinned sets between two starts: one small JSON file of the user. Errors in
reading or writing it are ignored: it holds nothing measured."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

FILE = "explorer.json"
MOST_HISTORY, MOST_CACHES = 200, 50


class State:
    """What the explorer remembers. `here`: for this cache only; everything else for all caches. toured, hinted: whether
    the tour and the hint about tmux were shown."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._path = folder / FILE
        self._cache = str(cache)
        self._written = ""
        content: Any = {}
        with contextlib.suppress(OSError, ValueError, RecursionError):
            content = json.loads(self._path.read_text("utf-8"))
        content = content if isinstance(content, dict) else {}
        self._caches = _dict(content.get("caches"))
        self.here: dict[str, Any] = _dict(self._caches.get(self._cache))
        self.pins: dict[str, list[str]] = {
            name: [one for one in units if isinstance(one, str)]
            for name, units in _dict(content.get("pins")).items()
            if isinstance(units, list)
        }
        history = content.get("history")
        self.history: list[str] = [one for one in history if isinstance(one, str)] if isinstance(history, list) else []
        self.hinted = content.get("hinted") is True
        self.toured = content.get("toured") is True
        self.theme: str | None = content.get("theme") if isinstance(content.get("theme"), str) else None

    def text(self, name: str) -> str | None:
        """A word kept for this cache."""
        value = self.here.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int:
        """A number kept for this cache, 0 when there is none."""
        value = self.here.get(name)
        return value if isinstance(value, int) and 0 <= value < 2**31 else 0

    def shape(self) -> tuple[int, int] | None:
        """Layers and units of the map shown last, None when none was."""
        layers, units = self.number("layers"), self.number("per_layer")
        return (layers, units) if layers and units else None

    def asked(self, sql: str) -> None:
        """Adds to the history, the newest last."""
        self.history = [*[one for one in self.history if one != sql][-MOST_HISTORY + 1 :], sql]

    def save(self) -> None:
        """Writes the file when the state has changed. May block."""
        caches = {name: one for name, one in self._caches.items() if name != self._cache}
        caches = dict(list(caches.items())[-MOST_CACHES + 1 :]) | {self._cache: self.here}
        content: dict[str, Any] = {"caches": caches, "pins": self.pins, "history": self.history, "theme": self.theme}
        content |= {"toured": self.toured, "hinted": self.hinted}
        text = json.dumps(content, sort_keys=True)
        if text == self._written:
            return
        from synergy_tui.jobs.folder import write_json  # psutil and filelock: not before the first paint

        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._path, content)
            self._written = text


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
