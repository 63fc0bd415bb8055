"""A report → files on disk: whole or not at all, and nothing is overwritten unasked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import quote

from synergy_tui.errors import UsageError
from synergy_tui.report import content as gathering
from synergy_tui.report import markdown as marked
from synergy_tui.report import page, pictures
from synergy_tui.store.cache import Cache
from synergy_tui.terms import RANKINGS


def write(
    cache: Cache,
    decomposition: str,
    target: Path,
    *,
    ranking: str = RANKINGS[0],
    markdown: bool = False,
    force: bool = False,
    sample: bool = False,
) -> list[Path]:
    """Writes the report of a run as HTML, or as Markdown with its figures in the folder TARGET_files; returns the files.
    Raises UsageError when something is there already and `force` is not given, or the place cannot be written."""
    folder = target.with_name(f"{target.stem}_files")
    for path in (target, folder) if markdown else (target,):
        _free(path, force)
    content = gathering.gather(cache, decomposition, ranking, sample)
    if not markdown:
        drawn = pictures.draw(cache, decomposition, ranking, leave_out=("tokens",))
        _write(target, page.page(content, drawn))
        return [target]
    drawn = pictures.draw(cache, decomposition, ranking, dark=False)
    there = [one for one in drawn if one.light]
    try:
        if there:
            folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror or error}", "choose another place") from None
    for one in there:
        _write(folder / f"{one.kind}.svg", one.light)
    _write(target, marked.markdown(content, drawn, quote(folder.name)))
    return [target, *(folder / f"{one.kind}.svg" for one in there)]


def _free(path: Path, force: bool) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "make it, or choose another place")
    if path.is_dir() and not path.name.endswith("_files"):
        raise UsageError(f"{path} is a folder", "name a file in it")
    if (path.exists() or path.is_symlink()) and not force:
        raise UsageError(f"{path} is there already", "give another name, or --force")


def _write(path: Path, text: str) -> None:
    """Under another name first, so that nobody sees half of it."""
    try:
        handle, made = tempfile.mkstemp(prefix=f".{path.name[:40]}-", dir=path.parent)
        try:
            with open(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(made, 0o666 & ~mask)
            os.replace(made, path)
        except BaseException:
            os.unlink(made)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", "choose another place") from None
