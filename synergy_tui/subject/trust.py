"""Which subjects the user allows to run code from their files. This is stored beside the user's settings, not in a
cache: a cache made by somebody else can name a subject, but cannot speak for the user."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from synergy_tui import settings
from synergy_tui.errors import SubjectError
from synergy_tui.subject.source import Source

KINDS = {"pickle": "--allow-pickle", "remote_code": "--allow-remote-code"}
"""Permissions, by their names in a source, and the options that grant them."""


def remember(source: Source) -> None:
    """Records the permissions that the user has given this subject. Raises OSError."""
    allowed = {kind for kind in KINDS if getattr(source, kind)}
    known = _read()
    key = _key(source)
    if allowed <= set(known.get(key, ())):
        return
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    known[key] = sorted(allowed | set(known.get(key, ())))
    unfinished.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    os.replace(unfinished, path)


def allowed(kind: str, place: str, revision: str | None) -> dict[str, bool]:
    """The permissions of a subject, as arguments of a source."""
    known = _read().get(_key(Source("", kind, place, revision)), ())
    return {name: name in known for name in KINDS}


def check(source: Source) -> None:
    """Raises SubjectError when a source claims permissions that the user has not given on this machine."""
    known = _read().get(_key(source), ())
    for kind, option in KINDS.items():
        if getattr(source, kind) and kind not in known:
            raise SubjectError(
                f"{source.place} would run what its files hold, and you have not allowed that here",
                f"start it anew with {option}, if you trust who made it",
            )


def _key(source: Source) -> str:
    return json.dumps([source.kind, source.place, source.revision])


def _file() -> Path:
    return settings.load().state / "allowed.json"


def _read() -> dict[str, list[str]]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads(_file().read_text("utf-8"))
        if isinstance(found, dict):
            return {str(key): [str(one) for one in value] for key, value in found.items() if isinstance(value, list)}
    return {}
