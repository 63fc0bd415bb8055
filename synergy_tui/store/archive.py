"""A run as a portable folder of Parquet: tables/*.parquet and the bulk files. It is read like a cache and never
written. The sample result that ships with the package is an archive."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from synergy_tui.errors import CacheError, UsageError
from synergy_tui.store import schema
from synergy_tui.store.cache import READ_PATIENCE, WRITE_PATIENCE, Cache
from synergy_tui.store.tables import KEYS, PARENTS

_MADE_FROM_IT = tuple(key for key, parent in PARENTS.items() if parent == "decomposition")


@dataclass(frozen=True)
class Archive(Cache):
    """An exported run, opened like a cache. Writing raises CacheError."""

    @classmethod
    def open(
        cls, folder: Path, patience: float = READ_PATIENCE, on_wait: Callable[[str], None] | None = None
    ) -> Archive:
        """The archive in `folder`. Raises CacheError when the folder holds no archive, or one from a newer version."""
        archive = cls(folder.resolve())
        if not is_archive(archive.folder):
            raise CacheError(f"{folder} holds no exported run", "give a folder that synergy-tui export made")
        with archive.read() as con:
            archive._check_version(con)
        return archive

    @contextmanager
    def read(self, patience: float = READ_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that sees the run's tables and views."""
        con = duckdb.connect()
        here = str(self.folder).replace("'", "''")
        try:
            for name in schema.TABLES:
                con.execute(f"CREATE VIEW {name} AS {self._table(here, name)}")
            for name, (_, select, _) in schema.views(self.folder).items():
                if name != "jobs":
                    con.execute(f"CREATE VIEW {name} AS {select}")
            yield con
        except duckdb.IOException as error:
            raise CacheError(f"{self.folder} is not whole: {str(error).splitlines()[0]}", "export it again") from None
        finally:
            con.close()

    def _table(self, here: str, name: str) -> str:
        """A table of the run; empty if its version did not have this table."""
        if not (self.folder / "tables" / f"{name}.parquet").exists():
            return schema.empty(name)
        return f"SELECT * FROM read_parquet('{here}/tables/{name}.parquet') UNION ALL BY NAME {schema.empty(name)}"

    @contextmanager
    def write(self, patience: float = WRITE_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """Raises CacheError: an exported run stays as it is."""
        raise CacheError(f"{self.folder} is an exported run and stays as it is", "use --cache with a cache folder")
        yield  # pragma: no cover


def is_archive(folder: Path) -> bool:
    """Whether a folder holds an exported run."""
    return (folder / "tables" / "meta.parquet").exists()


def open_any(folder: Path) -> Cache:
    """The cache or the exported run in `folder`."""
    return Archive.open(folder) if is_archive(folder) else Cache.open(folder)


def export(cache: Cache, decomposition: str, folder: Path) -> None:
    """Writes a decomposition with its capture and its ablations to a new folder, which appears whole. Raises UsageError
    when the folder exists already, CacheError when it cannot be written."""
    with appearing(folder) as unfinished:
        write_folder(cache, decomposition, unfinished)


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A place beside `folder` for a new folder, which is renamed to `folder` when the block ends without an error.
    Raises UsageError when the folder exists already, CacheError when it cannot be written."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there already", "give a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            unfinished = Path(scratch) / "run"
            yield unfinished
            unfinished.replace(folder)
    except (OSError, duckdb.IOException) as error:
        what = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise CacheError(f"{folder} cannot be written: {what}", "give another folder") from None


@dataclass(frozen=True)
class Extent:
    """What belongs to a run. decompositions: the run and, if it is a level of a ladder, the maps of the other levels.
    where: table → the condition that its rows meet."""

    capture: str
    decompositions: tuple[str, ...]
    where: dict[str, str]


def extent(con: duckdb.DuckDBPyConnection, decomposition: str) -> Extent:
    """What belongs to a decomposition. Raises UsageError when it is not there."""
    found = con.execute("SELECT capture FROM decompositions WHERE decomposition = ?", [decomposition]).fetchone()
    if found is None:
        raise UsageError(f"no decomposition {decomposition} in this cache", "synergy-tui cache info lists them")
    (capture,) = found
    # The map of one level of a ladder travels with the whole ladder.
    with_it = con.execute(
        "SELECT map FROM ladder_levels WHERE map IS NOT NULL AND ladder IN "
        "(SELECT ladder FROM ladder_levels WHERE map = ?) AND map <> ? ORDER BY map",
        [decomposition, decomposition],
    ).fetchall()
    every = (decomposition, *(one for (one,) in with_it))
    return Extent(capture, every, {name: _condition(name, capture, every) for name in schema.TABLES})


def _condition(name: str, capture: str, decompositions: tuple[str, ...]) -> str:
    """Which rows of a table belong to a run."""
    listed = ", ".join(f"'{one}'" for one in decompositions)
    keys = {column for column, _, _ in schema.TABLES[name][1]}
    if "entry" in keys:
        return "false"  # cards of other caches belong to no run of this one
    if "decomposition" in keys:
        return f"decomposition IN ({listed})"
    if "capture" in keys:
        return f"capture = '{capture}'"
    if key := next((key for key in _MADE_FROM_IT if key in keys), None):
        return f"{key} IN (SELECT {key} FROM {KEYS[key]} WHERE decomposition IN ({listed}))"
    if key := next((key for key in ("ladder", "geometry") if key in keys), None):
        return f"{key} IN (SELECT {key} FROM {KEYS[key]} WHERE capture = '{capture}')"
    if name == "recipes":
        made = " UNION ".join(
            f"SELECT {key} FROM {KEYS[key]} WHERE decomposition IN ({listed})" for key in _MADE_FROM_IT
        )
        beside = " UNION ".join(
            f"SELECT {key} FROM {KEYS[key]} WHERE capture = '{capture}'" for key in ("ladder", "scoring", "geometry")
        )
        return f"result IN ('{capture}', {listed}) OR result IN ({made}) OR result IN ({beside})"
    if name == "subjects":
        return f"subject IN (SELECT subject FROM captures WHERE capture = '{capture}')"
    return "true"


def write_folder(cache: Cache, decomposition: str, folder: Path) -> None:
    """Writes the tables and bulk files of a run into a folder that does not exist yet. Raises OSError."""
    (folder / "tables").mkdir(parents=True)
    with cache.read() as con:
        found = extent(con, decomposition)
        for name, which in found.where.items():
            # The folder of the original cache is private, and no longer true.
            content = "* REPLACE ('' AS folder, '' AS views)" if name == "meta" else "*"
            target = str(folder / "tables" / f"{name}.parquet").replace("'", "''")
            con.execute(
                f"COPY (SELECT {content} FROM {name} WHERE {which}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
            )
    for one in found.decompositions:
        shutil.copytree(cache.pairs_folder(one), Archive(folder).pairs_folder(one))
    shutil.copytree(cache.series_folder(found.capture), Archive(folder).series_folder(found.capture))
