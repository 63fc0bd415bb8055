"""A report → files on disk: whole or not at all; nothing is overwritten without `force`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from synergy_tui.errors import UsageError
from synergy_tui.report import content as gathering
from synergy_tui.report import markdown as marked
from synergy_tui.report import page, pictures
from synergy_tui.store.archive import Archive
from synergy_tui.store.cache import READ_PATIENCE, Cache
from synergy_tui.terms import RANKINGS

if TYPE_CHECKING:
    import duckdb


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
    """Writes the report of a run as HTML, or as Markdown with its figures in the folder TARGET_files, and returns the
    files. Raises UsageError if a file is there already and `force` is not given, or if it cannot be
    written."""
    folder = target.with_name(f"{target.stem}_files")
    for path in (target, folder) if markdown else (target,):
        _free(path, force)
    with _opened(cache) as once:
        content = gathering.gather(once, decomposition, ranking, sample)
        # A page shows tokens as interactive text instead.
        without = () if markdown else ("tokens",)
        drawn = pictures.draw(once, decomposition, ranking, content.parts, not markdown, without)
    if not markdown:
        _write(target, page.page(content, drawn))
        return [target]
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


@dataclass(frozen=True)
class _Once(Archive):
    """An exported run that stays open: a report reads it a hundred times, and opening it takes 0.1 s each time."""

    held: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def read(self, patience: float = READ_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """The open connection."""
        assert self.held is not None
        yield self.held


@contextmanager
def _opened(cache: Cache) -> Iterator[Cache]:
    """The cache itself; an exported run, which no other process writes, is opened once."""
    if not isinstance(cache, Archive):
        yield cache
        return
    with cache.read() as held:
        yield _Once(cache.folder, held=held)


def _free(path: Path, force: bool) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "make it, or choose another place")
    if path.is_dir() and not path.name.endswith("_files"):
        raise UsageError(f"{path} is a folder", "name a file in it")
    if (path.exists() or path.is_symlink()) and not force:
        raise UsageError(f"{path} is there already", "give another name, or --force")


def _write(path: Path, text: str) -> None:
    """Writes a file, first under another name, so that nobody sees half of it."""
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
