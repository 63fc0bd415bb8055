"""A cache of results, for its user."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from synergy_tui.library.captured import Capture
from synergy_tui.library.results import Ablation, Card, Run
from synergy_tui.library.table import Table
from synergy_tui.settings import load as settings
from synergy_tui.settings import shipped, user_path
from synergy_tui.store import load, tabled
from synergy_tui.store.archive import Archive, open_any
from synergy_tui.store.cache import Cache as Store
from synergy_tui.store.schema import NEWEST_FIRST

if TYPE_CHECKING:
    import duckdb

LATEST = "latest"


@dataclass(frozen=True)
class Cache:
    """The content of a folder. Every call is one short read, so other programs may work in it meanwhile. Made by
    `open_cache` and `sample`."""

    store: Store = field(repr=False)

    @property
    def folder(self) -> Path:
        """Its path."""
        return self.store.folder

    def __repr__(self) -> str:
        return f"Cache({str(self.folder)!r})"

    def runs(self) -> Table:
        """All decompositions, the newest first; controls and the levels of ladders last.

        >>> import synergy_tui as st
        >>> st.sample().runs()["run"].tolist()
        ['dfe1085f5']
        """
        with self.store.read() as con:
            ordered = f"SELECT decomposition FROM decompositions ORDER BY {NEWEST_FIRST['decomposition']}"
            ids = [one for (one,) in con.execute(ordered).fetchall()]
        query = """SELECT decomposition AS run, d.capture, s.name AS subject, c.tasks, c.valid_prompts, c.prompts,
            c.steps, c.layers, c.units_per_layer, c.kind, estimator, redundancy, lag, pool, preprocess, nulls,
            surrogates, d.created FROM decompositions d JOIN captures c USING (capture)
            JOIN subjects s USING (subject) ORDER BY list_position($1, decomposition)"""
        return Table(tabled.of(self.store, query, ids))

    def run(self, run: str = LATEST) -> Run:
        """One decomposition: by its id, the beginning of its id, or `latest`; a capture stands for its newest
        decomposition. Raises UsageError when none or several match."""
        return Run(self.store, self._find("decomposition", run))

    def capture(self, capture: str = LATEST) -> Capture:
        """One capture, likewise; a decomposition stands for its own capture."""
        return Capture(self.store, self._find("capture", capture))

    def ablation(self, ablation: str = LATEST) -> Ablation:
        """One ablation, likewise."""
        return Ablation(self.store, self._find("ablation", ablation))

    def card(self, card: str = LATEST) -> Card:
        """One claims card, likewise."""
        return Card(self.store, self._find("card", card))

    def _find(self, kind: str, one: str) -> str:
        return load.find(self.store, kind, None if one == LATEST else one, latest=one == LATEST)

    def sql(self, query: str, *, max_rows: int | None = None, max_seconds: float = 60.0) -> Table:
        """The answer to one SELECT or EXPLAIN in DuckDB's dialect; SHOW TABLES and DESCRIBE heads list the tables and
        columns. Raises QueryError when it does not parse, is another statement, reaches for files outside the cache,
        fails, or takes too long.

        >>> import synergy_tui as st
        >>> st.sample().sql("SELECT count(*) AS n FROM latest_heads").rows()
        [{'n': 270}]
        """
        return Table(tabled.ask(self.store, query, max_rows, max_seconds))

    def read(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A read-only connection to the catalogue, for one question: no process can write while it is open."""
        return self.store.read()

    def _repr_html_(self) -> str:
        return self.runs()._repr_html_()


def open_cache(folder: str | Path | None = None) -> Cache:
    """The cache in `folder` (default: the settings' folder), made if it does not exist; or the exported run there.

    Raises errors.CacheError when it cannot be used: locked, read-only, or from a newer version.
    """
    return Cache(open_any(settings(cache=user_path(folder) if folder is not None else None).cache))


def sample() -> Cache:
    """The result that ships with synergy-tui: heads of SmolLM2 over 30 prompts.

    >>> import synergy_tui as st
    >>> st.sample().run("latest")  # doctest: +ELLIPSIS
    Run dfe1085f5 · SmolLM2-135M-Instruct · 30 × 9 heads · 30 of 30 prompts · ... · contrast +0.09 [+0.05, +0.14]
    """
    return Cache(Archive.open(shipped("sample")))
