"""A cache folder: who may read or write its catalogue and when, and the errors of a locked, read-only or foreign one.

While one process writes, DuckDB lets no other process even read, so no process keeps the catalogue open: a connection
lives for one question or one transaction.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from synergy_tui.errors import CacheError
from synergy_tui.store import schema

READ_PATIENCE, WRITE_PATIENCE = 3.0, 30.0
"""Seconds to wait for the catalogue before an error names its holder. Our own writers hold it for about 0.1."""

WORK_PATIENCE = 900.0
"""Seconds that background work waits for a user's shell or long query to release the catalogue."""

WORTH_TELLING = 1.0
"""Seconds after which a waiting process reports the holder."""

BREATH = 0.03
"""Seconds between two of our writers, so that readers get in even when many results are published in a row."""


@dataclass(frozen=True)
class Cache:
    """A usable cache folder. Made by `open`, which checks it. on_wait: for background work, which waits longer than a
    person would; it is called repeatedly with the holder of the catalogue, and an exception from it ends the
    waiting."""

    folder: Path
    on_wait: Callable[[str], None] | None = None

    @classmethod
    def open(cls, folder: Path, patience: float = READ_PATIENCE, on_wait: Callable[[str], None] | None = None) -> Cache:
        """The cache in `folder`: made when missing; its tables are brought to this version after an update, and its
        views are renewed after an update or a move.

        Raises CacheError when the folder cannot be written at first use, is from a newer version, or is not a cache.
        """
        cache = cls(folder.resolve(), on_wait)
        if any(char in str(cache.folder) for char in "*?[]"):
            # DuckDB finds the bulk files by a glob pattern, in which these characters are special.
            raise CacheError(f"a cache cannot be in {cache.folder}", "use a path without * ? [ ]")
        if not cache.catalogue.exists():
            cache._create()
        with cache.read(patience) as con:
            older = cache._check_version(con) < schema.VERSION
            (views,) = con.execute("SELECT views FROM meta").fetchone() or ("",)
        if older:
            cache._migrate()
        elif views != schema.views_hash(cache.folder) and os.access(cache.catalogue, os.W_OK):
            cache.renew_views()
        return cache

    @property
    def catalogue(self) -> Path:
        """The DuckDB file."""
        return self.folder / "cache.duckdb"

    @property
    def jobs(self) -> Path:
        """Folder of the job folders."""
        return self.folder / "jobs"

    @property
    def unfinished(self) -> Path:
        """Bulk files that are not yet in the cache."""
        return self.folder / "unfinished"

    def pairs_folder(self, decomposition: str) -> Path:
        """Partition of a decomposition's pairs."""
        return self.folder / "pairs" / f"decomposition={decomposition}"

    def series_folder(self, capture: str) -> Path:
        """Partition of a capture's series."""
        return self.folder / "series" / f"capture={capture}"

    @contextmanager
    def read(self, patience: float = READ_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection for one question. Raises CacheError when another process holds the catalogue."""
        con = self._connect(read_only=True, patience=patience)
        try:
            self._follow_a_move(con)
            yield con
        finally:
            con.close()

    @contextmanager
    def write(self, patience: float = WRITE_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction: committed when the block ends without an error, rolled back when it
        raises."""
        try:
            with FileLock(self.folder / "cache.lock").acquire(timeout=patience):
                con = self._connect(read_only=False, patience=patience)
                try:
                    con.execute("BEGIN")
                    yield con
                    con.execute("COMMIT")
                finally:
                    con.close()
                    time.sleep(BREATH)
        except Timeout:
            raise CacheError(
                f"another synergy-tui process has been writing {self.folder} for {patience:.0f} s",
                "try again",
            ) from None
        except (OSError, duckdb.IOException) as error:
            raise self._unwritable(error) from None

    def compact(self) -> tuple[int, int]:
        """Writes the catalogue anew without the space of deleted rows; returns its bytes before and after. Raises
        CacheError when the catalogue is held or cannot be written; then it stays as it is."""
        fresh = self.folder / "cache.duckdb.new"
        with self.write() as con:
            # Held until the new one is in its place, so that no process writes to the old one meanwhile.
            con.execute("COMMIT")
            con.execute("CHECKPOINT")
            before = self.catalogue.stat().st_size
            fresh.unlink(missing_ok=True)
            try:
                new = duckdb.connect(str(fresh))
                schema.create(new, self.folder)
                new.close()
                con.execute(f"ATTACH '{str(fresh).replace(chr(39), chr(39) * 2)}' AS fresh")
                for name in schema.TABLES:
                    if name != "meta":
                        con.execute(f"INSERT INTO fresh.{name} BY NAME SELECT * FROM {name} ORDER BY rowid")
                con.execute("DETACH fresh")
                with open(fresh, "rb") as file:
                    os.fsync(file.fileno())
                os.replace(fresh, self.catalogue)
            except BaseException:
                with suppress(OSError):
                    fresh.unlink(missing_ok=True)
                raise
            con.execute("BEGIN")
        return before, self.catalogue.stat().st_size

    def renew_views(self) -> None:
        """Points the views at the folder as it is now."""
        with self.write() as con:
            schema.create_views(con, self.folder)

    def _follow_a_move(self, con: duckdb.DuckDBPyConnection) -> None:
        """A cache that was moved and cannot be written gets its views for this connection only."""
        try:
            # Read to the end: an unread result would block the connection.
            rows = con.execute("SELECT folder, version FROM meta").fetchall()
        except duckdb.Error:
            return  # not our cache, as `open` will say
        # An older one lacks tables of today's views: `open` brings it up to date, or says that it cannot.
        if rows and rows[0][0] != str(self.folder) and rows[0][1] == schema.VERSION:
            for name, (_, select, _) in schema.views(self.folder).items():
                con.execute(f"CREATE TEMP VIEW {name} AS {select}")

    def _create(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.folder / "create.lock").acquire(timeout=WRITE_PATIENCE):
                if self.catalogue.exists():
                    return
                from synergy_tui.store.bulk import write_empty  # importing pyarrow would cost readers 0.1 s

                write_empty(self.folder)
                nothing = self.jobs / schema.NOTHING
                nothing.mkdir(parents=True, exist_ok=True)
                (nothing / "status.json").write_text("{}\n")
                # Made under another name, so that an existing catalogue is always whole.
                unfinished = self.folder / "cache.duckdb.new"
                for leftover in self.folder.glob("cache.duckdb.new*"):
                    leftover.unlink()
                con = duckdb.connect(str(unfinished))
                schema.create(con, self.folder)
                con.close()
                unfinished.rename(self.catalogue)
        except (OSError, duckdb.IOException) as error:
            raise self._unwritable(error) from None

    def _connect(self, read_only: bool, patience: float) -> duckdb.DuckDBPyConnection:
        began = time.monotonic()
        patience = patience if self.on_wait is None else WORK_PATIENCE
        while True:
            try:
                return duckdb.connect(str(self.catalogue), read_only=read_only)
            except duckdb.IOException as error:
                text = str(error)
                if "lock" not in text:
                    if isinstance(error, duckdb.IOException) and re.search(r"version|newer", text):
                        raise CacheError(
                            f"{self.catalogue} was written by a newer DuckDB",
                            "update synergy-tui, or use --cache",
                        ) from None
                    raise self._unreadable(text) from None
                waited, held = time.monotonic() - began, f"open for writing in {_holder(text)}"
                if waited > patience:
                    raise CacheError(f"{self.catalogue} is {held}", "close it there, then try again") from None
                if self.on_wait is not None and waited > WORTH_TELLING:
                    self.on_wait(f"the cache is {held}")
                time.sleep(BREATH / 6 if waited < WORTH_TELLING else 0.1)
            except duckdb.Error as error:
                # Another thread of this process has it open in the other mode, or is just closing it: neither lasts.
                passing = any(one in str(error) for one in ("different configuration", "already attached"))
                if not passing or time.monotonic() - began > patience:
                    raise self._unreadable(str(error)) from None
                time.sleep(BREATH / 6)

    def _migrate(self) -> None:
        """Brings an older cache to this version: first its pair files, which the older version can still read, then
        tables and views at once. Another process may have done it first."""
        import pyarrow as pa  # its 0.1 s are spent only on an older cache

        from synergy_tui.store.bulk import complete

        if not os.access(self.catalogue, os.W_OK):
            raise CacheError(
                f"the cache {self.folder} is of an older version and cannot be written",
                "copy it to where it can be, or mend its permissions",
            )
        for path in self.folder.glob("pairs/*/pairs.parquet"):
            # A damaged file stays as it is, for `cache check` to find.
            with suppress(OSError, pa.ArrowException):
                complete(path)
        with self.write() as con:
            version = self._check_version(con)
            if version < schema.VERSION:
                schema.migrate(con, version)
                schema.create_views(con, self.folder)

    def _check_version(self, con: duckdb.DuckDBPyConnection) -> int:
        """The catalogue's version: this one or an older one."""
        try:
            row = con.execute("SELECT version FROM meta").fetchone()
        except duckdb.CatalogException:
            row = None
        if row is None:
            raise CacheError(f"{self.catalogue} is a DuckDB file but no synergy-tui cache", "use --cache")
        if row[0] > schema.VERSION:
            raise CacheError(
                f"the cache {self.folder} has schema {row[0]}, this synergy-tui knows {schema.VERSION}",
                "update synergy-tui, or use --cache with another folder",
            )
        return row[0]

    def _unreadable(self, text: str) -> CacheError:
        return CacheError(
            f"{self.catalogue} cannot be read: {text.splitlines()[0]}",
            "restore it from a copy, or use --cache with another folder",
        )

    def _unwritable(self, error: Exception) -> CacheError:
        what = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        return CacheError(
            f"the cache {self.folder} cannot be written: {what}",
            "free space or mend its permissions, or use --cache with another folder",
        )


def _holder(text: str) -> str:
    found = re.search(r"held in (\S+) \(PID (\d+)\)", text)
    return f"{Path(found[1]).name} (PID {found[2]})" if found else "another process"
