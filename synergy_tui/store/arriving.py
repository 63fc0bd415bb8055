"""An exported run, as a file or a folder → results of a cache with the same ids, times and numbers. Nothing in it is
trusted: a file that writes outside its folder, lies about its size, is damaged, or has rows without a parent is refused
with one line, and nothing of it enters the cache."""

from __future__ import annotations

import json
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synergy_tui.errors import CacheError, UsageError
from synergy_tui.store import schema
from synergy_tui.store.archive import is_archive
from synergy_tui.store.bulk import PAIR_FILE, SERIES_FILE, series_file, write_parquet
from synergy_tui.store.cache import WORK_PATIENCE, Cache
from synergy_tui.store.exports.packed import FORMAT, LAYOUT, MANIFEST, digest
from synergy_tui.store.tables import KEYS, PARENTS, TABLES
from synergy_tui.units import MOST_PLACES

ENDING = ".synergy"

MOST_ROWS, MOST_BYTES = 50_000_000, 4 << 30
"""Limits of a table of the catalogue: rows, and bytes of values or of texts."""

MOST_OF_A_GROUP = 1 << 21
"""Most rows in a row group of a bulk file; our own groups have at most half of it."""

DENSE = 1000
"""Rows per byte of a bulk file, and values of a series per row, above which the file is a decompression bomb."""

_AGAIN = "export it again"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_MEMBER = re.compile(
    r"tables/(?P<table>[a-z_]+)\.parquet|pairs/decomposition=(?P<decomposition>[^/]+)/pairs\.parquet"
    r"|series/capture=(?P<capture>[^/]+)/series\.parquet"
)

_JSON = {"versions": dict, "reasons": dict, "parts": dict, "more": dict, "spot_check": object, "request": object}
"""Columns that hold JSON, and the type it must have."""

_LINKS = ("recipes", "controls", "ablation_comparisons")
"""Tables whose rows may change while the results they describe stay the same."""


@dataclass(frozen=True)
class Arrived:
    """What an import did. run: the decomposition that was imported. new: ids that were added to the cache; there: ids
    that it already had, with equal content."""

    run: str
    new: tuple[str, ...]
    there: tuple[str, ...]


def is_run(place: Path) -> bool:
    """Whether a path is an exported run: its folder, or a file with its ending."""
    return is_archive(place) if place.is_dir() else place.suffix.lower() == ENDING


def import_archive(cache: Cache, place: Path) -> Arrived:
    """Takes in an exported run, a file or a folder. Ids stay; serial numbers are assigned anew. Results that the cache
    already has with equal content stay as they are.

    Raises UsageError when `place` is not a whole exported run, is from a newer version, or has an id that the cache has
    with other content; CacheError when the cache cannot be written.
    """
    try:
        cache.unfinished.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.unfinished, prefix="arriving-") as scratch:
            folder = Path(scratch)
            told = _copied(place, folder) if place.is_dir() else _unpacked(place, folder)
            arriving = _read(place, folder)
            return _taken_in(cache, place, folder, arriving, told)
    except OSError as error:
        raise CacheError(f"{place} cannot be imported: {error.strerror or error}", "free space, or check it") from None


def _damaged(place: Path, what: str, step: str = _AGAIN) -> UsageError:
    return UsageError(f"{place} {what}", step)


# From the file or the folder to plain files of known names.


def _unpacked(place: Path, folder: Path) -> str:
    """Unpacks the members of a file into `folder`, each with the length and the content that the manifest states;
    returns the run that the file holds."""
    try:
        with zipfile.ZipFile(place) as file:
            entries = file.infolist()
            _check_entries(place, entries)
            manifest = _manifest(place, file)
            _check_members(place, manifest["members"], [one.filename for one in entries])
            for name, said in manifest["members"].items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(name) as source:
                    _copy(source, target, said["bytes"])
                if target.stat().st_size != said["bytes"] or digest(target) != said["sha256"]:
                    raise _damaged(place, f"is damaged: {name} is not what its manifest says")
            return str(manifest["decomposition"])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise _damaged(place, f"is damaged: {str(error).splitlines()[0] if str(error) else 'it ends early'}") from None
    except FileNotFoundError:
        raise UsageError(f"there is no {place}", "check the name") from None


def _check_entries(place: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Checks names, kinds and sizes before anything is read."""
    seen: set[str] = set()
    for one in entries:
        name = one.filename
        if one.orig_filename != name or name.startswith(("/", "\\")) or "\\" in name or ".." in name.split("/"):
            raise _damaged(place, f"names a place outside of it: {name[:60]!r}", "do not trust it")
        kind = stat.S_IFMT(one.external_attr >> 16)
        if one.is_dir() or kind not in (0, stat.S_IFREG):
            raise _damaged(place, f"holds {name[:60]!r}, which is no plain file", "do not trust it")
        if name in seen:
            raise _damaged(place, f"holds {name[:60]!r} twice", "do not trust it")
        seen.add(name)
        if one.flag_bits & 1 or one.compress_type != zipfile.ZIP_STORED or one.file_size != one.compress_size:
            raise _damaged(place, f"has {name[:60]!r} compressed or encrypted, which our exports never are")
    declared = sum(one.file_size for one in entries)
    if declared > place.stat().st_size:
        raise _damaged(place, f"declares {declared:,} bytes and has {place.stat().st_size:,}", "do not trust it")


def _manifest(place: Path, file: zipfile.ZipFile) -> dict[str, Any]:
    """The manifest, with its form checked."""
    if MANIFEST not in file.namelist() or file.getinfo(MANIFEST).file_size > 1 << 20:
        raise _damaged(place, "has no manifest: it is not an exported run", "give a file that synergy-tui export made")
    try:
        found = json.loads(file.read(MANIFEST))
        if found["format"] != FORMAT:
            raise _damaged(place, "is not an exported run", "give a file that synergy-tui export made")
        for name, known in (("layout", LAYOUT), ("schema", schema.VERSION)):
            if int(found[name]) > known:
                raise _newer(place, int(found[name]), known)
        members, run = found["members"], found["decomposition"]
        whole = isinstance(run, str) and all(
            isinstance(one["sha256"], str) and isinstance(one["bytes"], int) for one in members.values()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise _damaged(place, "has a manifest that cannot be read")
    return dict(found)


def _newer(place: Path, found: int, known: int) -> UsageError:
    return UsageError(
        f"{place} was exported by a newer version ({found}, this one knows {known})", "update synergy-tui"
    )


def _check_members(place: Path, said: Mapping[str, Any], names: list[str]) -> None:
    """Checks that the members are those of the manifest, and that all of them are known."""
    there = set(names) - {MANIFEST}
    if missing := sorted(set(said) - there):
        raise _damaged(place, f"lacks {missing[0][:60]!r}")
    if more := sorted(there - set(said)):
        raise _damaged(place, f"holds {more[0][:60]!r}, which its manifest does not name", "do not trust it")
    for name in names:
        if name != MANIFEST:
            _known(place, name)


def _known(place: Path, name: str) -> None:
    found = _MEMBER.fullmatch(name)
    if found is None:
        raise _damaged(place, f"holds {name[:60]!r}, which is not part of a run")
    if (table := found["table"]) is not None and table not in TABLES:
        raise _damaged(place, f"has a table {table[:60]!r} that this version does not know", "update synergy-tui")
    _check_id(place, found["decomposition"] or found["capture"] or "a")


def _check_id(place: Path, one: Any) -> str:
    if not isinstance(one, str) or _ID.fullmatch(one) is None:
        raise _damaged(place, f"has an invalid id: {str(one)[:60]!r}", "do not trust it")
    return one


def _copied(place: Path, folder: Path) -> str:
    """The same for a folder, which has no manifest: files that are not part of a run are passed over. Returns an empty
    name: the tables say which run it is."""
    for path in sorted(place.glob("*/**/*.parquet")):
        name = path.relative_to(place).as_posix()
        if name.partition("/")[0] not in ("tables", "pairs", "series"):
            continue
        if any(one.is_symlink() for one in (path, *path.parents[: name.count("/")])) or not path.is_file():
            raise _damaged(place, f"holds {name[:60]!r}, which is no plain file", "do not trust it")
        _known(place, name)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source:
            _copy(source, target, path.stat().st_size)
    return ""


def _copy(source: IO[bytes], target: Path, size: int) -> None:
    """Copies at most `size` bytes, and one more that shows that there are others."""
    with target.open("wb") as sink:
        left = size + 1
        while left and (block := source.read(min(left, 1 << 20))):
            sink.write(block)
            left -= len(block)


# From the files to tables whose rows belong together.


@dataclass(frozen=True)
class _Read:
    """tables: rows by table, in this version's form; tables of results, and others that have rows. ids: by key."""

    tables: dict[str, pa.Table]
    ids: dict[str, list[str]]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table."""
        return list(self.tables[name].to_pylist()) if name in self.tables else []


def _read(place: Path, folder: Path) -> _Read:
    """The tables, checked, and brought to this version."""
    con = duckdb.connect()
    try:
        con.execute(f"SET temp_directory = '{_sql(folder / 'spilled')}'")
        con.execute(
            "; ".join(
                f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind, _ in columns)})"
                for name, (_, columns) in TABLES.items()
            )
        )
        for name in TABLES:
            path = folder / "tables" / f"{name}.parquet"
            if path.exists() and _has_rows(place, con, name, path):
                con.execute(
                    f"INSERT INTO {name} BY NAME SELECT * FROM read_parquet('{_sql(path)}', hive_partitioning = false)"
                )
        ((version,),) = con.execute("SELECT coalesce(min(version), 0) FROM meta").fetchall() or ((0,),)
        if not 1 <= version <= schema.VERSION:
            raise _newer(place, version, schema.VERSION) if version else _damaged(place, "does not say its version")
        schema.catch_up(con, version)
        found = {
            name: con.sql(f"SELECT * FROM {name} ORDER BY rowid").to_arrow_table() for name in TABLES if name != "meta"
        }
        found = {name: rows for name, rows in found.items() if len(rows) or name in KEYS.values()}
        _check_rows(place, con, found)
    except (duckdb.Error, pa.ArrowException) as error:
        raise _damaged(place, f"is damaged: {str(error).splitlines()[0][:200]}") from None
    finally:
        con.close()
    ids = {key: [_check_id(place, one) for one in found[table][key].to_pylist()] for key, table in KEYS.items()}
    if len(set(every := [one for some in ids.values() for one in some])) < len(every):
        raise _damaged(place, "gives one id to two results", "do not trust it")
    return _Read(found, ids)


def _has_rows(place: Path, con: duckdb.DuckDBPyConnection, name: str, path: Path) -> bool:
    """Whether a table has rows; if so, checks its declared size and its columns."""
    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        size = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    if not metadata.num_rows:
        return False
    if metadata.num_rows > MOST_ROWS or size > MOST_BYTES:
        raise _damaged(place, f"declares {metadata.num_rows:,} rows of {name} in {size:,} bytes", "do not trust it")
    kinds = {column: kind.removesuffix(" PRIMARY KEY") for column, kind, _ in TABLES[name][1]}
    read = f"read_parquet('{_sql(path)}', hive_partitioning = false)"
    for column, kind, *_ in con.execute(f"DESCRIBE SELECT * FROM {read}").fetchall():
        if column not in kinds:
            what = f"has a column {name}.{column[:60]} that this version does not know"
            raise _damaged(place, what, "update synergy-tui")
        if kind != kinds[column]:
            raise _damaged(place, f"has {name}.{column} as {kind[:60]} and not as {kinds[column]}")
        # A text that is kept once for many rows is small only in the file.
        if (measure := {"VARCHAR": "strlen"}.get(kind, "len" if kind.endswith("[]") else "")) != "":
            ((total,),) = con.execute(f'SELECT coalesce(sum({measure}("{column}")), 0) FROM {read}').fetchall()
            if total > MOST_BYTES // 4:
                raise _damaged(place, f"declares {total:,} bytes of {name}.{column}", "do not trust it")
    return True


def _check_rows(place: Path, con: duckdb.DuckDBPyConnection, found: Mapping[str, pa.Table]) -> None:
    """Checks that all rows belong to a result in the file, and that all unit numbers are possible."""

    def refuse(query: str, what: str) -> None:
        if (found := con.execute(f"{query} LIMIT 1").fetchone()) is not None:
            raise _damaged(place, what.format(*(str(one)[:60] for one in found)))

    if not con.execute("SELECT 1 FROM decompositions LIMIT 1").fetchone():
        raise _damaged(place, "holds no decomposition")
    refuse(
        "SELECT capture FROM captures WHERE subject NOT IN (SELECT subject FROM subjects) OR subject IS NULL",
        "lacks the subject of capture {}",
    )
    sizes = ("layers", "units_per_layer", "prompts", "steps")
    refuse(
        f"""SELECT capture FROM captures WHERE {" OR ".join(f"{name} IS NULL OR {name} < 0" for name in sizes)}
        OR layers < 1 OR units_per_layer < 1 OR layers::BIGINT * units_per_layer > {MOST_PLACES}""",
        "has a capture {} of an impossible size",
    )
    for key, parent in PARENTS.items():
        known = f"SELECT {parent} FROM {KEYS[parent]}"
        refuse(
            f"SELECT {key} FROM {KEYS[key]} WHERE {parent} IS NULL OR {parent} NOT IN ({known})",
            f"lacks the {parent} of {key} {{}}",
        )
    for name, (_, columns) in TABLES.items():
        owner, names = columns[0][0], [column for column, _, _ in columns]
        if name not in found:
            continue
        if owner in KEYS and name not in KEYS.values():
            known = f"SELECT {owner} FROM {KEYS[owner]}"
            refuse(
                f"SELECT {owner} FROM {name} WHERE {owner} IS NULL OR {owner} NOT IN ({known})",
                f"has rows of {name} that belong to no {owner}: {{}}",
            )
        for column in set(names) & {"unit_index", "x", "y"}:
            refuse(
                f"""SELECT {column} FROM {name} WHERE {column} < 0
                OR {column} >= (SELECT min(layers::BIGINT * units_per_layer) FROM captures)""",
                f"has a unit in {name} that does not exist: {{}}",
            )
        for column in set(names) & set(_JSON):
            kind = f" OR json_type({column}) <> 'OBJECT'" if _JSON[column] is dict else ""
            refuse(
                f"SELECT {column} FROM {name} WHERE {column} IS NOT NULL AND (NOT json_valid({column}){kind})",
                f"has no JSON in {name}.{column}: {{}}",
            )
    every = " UNION ALL ".join(f"SELECT {key} FROM {table}" for key, table in KEYS.items())
    refuse(f"SELECT result FROM recipes WHERE result NOT IN ({every})", "has a recipe of a result that it lacks: {}")
    refuse(
        "SELECT control FROM controls WHERE capture NOT IN (FROM (SELECT capture FROM captures))", "has a control {}"
    )


# From the tables to the cache.


def _taken_in(cache: Cache, place: Path, folder: Path, arriving: _Read, said: str) -> Arrived:
    run = said or _main(arriving)
    if run not in arriving.ids["decomposition"]:
        raise _damaged(place, f"claims to hold {run[:60]!r}, which it lacks")
    bulk = _bulk(cache, place, folder, arriving)
    with cache.read() as con:
        there = _there(con, arriving)
        _refuse_others(con, arriving, there)
    for one, (source, target) in bulk.items():
        if one in there and not _same_rows(source, target):
            raise _other(one)
    new = [one for ids in arriving.ids.values() for one in ids if one not in there]
    with _moving() as moved, cache.write(WORK_PATIENCE) as con:
        if _there(con, arriving) != there:
            raise CacheError(f"{cache.folder} was changed meanwhile", "import it again")
        for one, (source, target) in bulk.items():
            if one not in there:
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
                moved.append(target)
        for name, content in arriving.tables.items():
            _insert(con, name, content, new)
    return Arrived(run, tuple(new), tuple(sorted(there)))


@contextmanager
def _moving() -> Iterator[list[Path]]:
    """Bulk files that were moved to their places; they are removed when the block raises."""
    moved: list[Path] = []
    try:
        yield moved
    except BaseException:
        for path in moved:
            with suppress(OSError):
                shutil.rmtree(path.parent)
        raise


def _main(arriving: _Read) -> str:
    """The main decomposition of a folder: the newest that is not a level of a ladder, else the newest."""
    levels = {one["map"] for one in arriving.rows("ladder_levels")}
    order = [
        (one["decomposition"] not in levels, one["serial"] or 0, one["decomposition"])
        for one in arriving.rows("decompositions")
    ]
    return str(max(order)[2])


def _there(con: duckdb.DuckDBPyConnection, arriving: _Read) -> set[str]:
    """The ids that the cache already has."""
    found: set[str] = set()
    for key, ids in arriving.ids.items():
        rows = con.execute(f"SELECT {key} FROM {KEYS[key]} WHERE list_contains(?, {key})", [ids]).fetchall()
        found |= {one for (one,) in rows}
    every = [one for ids in arriving.ids.values() for one in ids]
    for key, table in KEYS.items():
        rows = con.execute(f"SELECT {key} FROM {table} WHERE list_contains(?, {key})", [every]).fetchall()
        if wrong := [one for (one,) in rows if one not in arriving.ids[key]]:
            raise _other(wrong[0])
    return found


def _other(one: str) -> UsageError:
    return UsageError(
        f"{one} is in this cache already, with other content", "import it into another cache, with --cache FOLDER"
    )


def _refuse_others(con: duckdb.DuckDBPyConnection, arriving: _Read, there: set[str]) -> None:
    """Raises UsageError for an id that the cache has with other rows."""
    for name, content in arriving.tables.items():
        owner = TABLES[name][1][0][0]
        if owner not in KEYS or name in _LINKS:
            continue
        known = [one for one in arriving.ids[owner] if one in there]
        if not known:
            continue
        columns = ", ".join(f'"{column}"' for column in content.column_names if column != "serial")
        con.register("arriving", content)
        sides = [
            f"SELECT {columns} FROM {side} WHERE list_contains($1, {owner})" for side in ("arriving", f"main.{name}")
        ]
        for first, second in (sides, sides[::-1]):
            row = con.execute(f"SELECT {owner} FROM ({first} EXCEPT ALL {second}) LIMIT 1", [known]).fetchone()
            if row is not None:
                raise _other(str(row[0]))
        con.unregister("arriving")


def _insert(con: duckdb.DuckDBPyConnection, name: str, content: pa.Table, new: list[str]) -> None:
    """Inserts the rows of new results. Their serial numbers follow the newest in the cache, in the order they had."""
    columns = [column for column, _, _ in TABLES[name][1]]
    owner = columns[0]
    con.register("arriving", content)
    select = ", ".join(f'a."{column}"' for column in columns)
    if name == "subjects":
        con.execute(f"INSERT OR IGNORE INTO {name} BY NAME SELECT {select} FROM arriving a")
    elif name in _LINKS:
        # New rows of a result that was there are inserted too, such as a control that was made later.
        same = " AND ".join(f'b."{column}" IS NOT DISTINCT FROM a."{column}"' for column in _SAME_LINK[name])
        # A file from elsewhere must not declare a capture of this cache a control.
        own = " AND a.control NOT IN (SELECT capture FROM captures)" if name == "controls" else ""
        con.execute(
            f"""INSERT INTO main.{name} BY NAME SELECT {select} FROM arriving a
            WHERE NOT EXISTS (SELECT 1 FROM main.{name} b WHERE {same}){own}"""
        )
    else:
        if name in KEYS.values():
            ((last,),) = con.execute(f"SELECT coalesce(max(serial), 0) FROM {name}").fetchall()
            place = f"{int(last)} + dense_rank() OVER (ORDER BY a.serial NULLS FIRST, a.created, a.{owner})"
            select = select.replace('a."serial"', f"{place} AS serial")
        con.execute(
            f"INSERT INTO main.{name} BY NAME SELECT {select} FROM arriving a WHERE list_contains($1, {owner})", [new]
        )
    con.unregister("arriving")


_SAME_LINK = {
    "recipes": ("result",),
    "controls": ("control",),
    "ablation_comparisons": ("ablation", "scoring", "ranking", "other"),
}
"""Columns that decide whether two rows of these tables say the same."""


# Bulk files are written anew, so that their metadata is true.


def _bulk(cache: Cache, place: Path, folder: Path, arriving: _Read) -> dict[str, tuple[Path, Path]]:
    """Writes the file of each decomposition and capture anew; returns it by id, with its place in the cache."""
    out = {}
    shapes = {one["capture"]: one for one in arriving.rows("captures")}
    expected = [("series", "capture", one, one) for one in arriving.ids["capture"]]
    expected += [
        ("pairs", "decomposition", one["decomposition"], one["capture"]) for one in arriving.rows("decompositions")
    ]
    for kind, key, one, capture in expected:
        path = folder / kind / f"{key}={one}" / f"{kind}.parquet"
        if not path.exists():
            raise _damaged(place, f"lacks the {kind} of {one}")
        try:
            with pq.ParquetFile(path) as file:
                form = _form(place, kind, one, file)
                fresh = path.with_name("fresh.parquet")
                write_parquet(fresh, _groups(place, kind, one, file, form, shapes[capture], path.stat().st_size), form)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(place, f"is damaged: {kind} of {one}: {str(error).splitlines()[0][:200]}") from None
        home = cache.pairs_folder(one) if kind == "pairs" else cache.series_folder(one)
        out[one] = (fresh, home / f"{kind}.parquet")
    left = {one.name.partition("=")[2] for kind in ("pairs", "series") for one in (folder / kind).glob("*")} - set(out)
    if left:
        raise _damaged(place, f"has numbers of {sorted(left)[0][:60]}, which it lacks")
    return out


def _form(place: Path, kind: str, one: str, file: pq.ParquetFile) -> pa.Schema:
    """The schema of a bulk file, as this version writes it."""
    found = file.schema_arrow.remove_metadata()
    wide = kind == "series" and found.names == SERIES_FILE.names and found.field("value").type == pa.float64()
    form = PAIR_FILE if kind == "pairs" else series_file(wide)
    needed = set(form.names) if kind == "series" else set(form.names[: form.get_field_index("offset") + 1])
    known = {field.name: field.type for field in form}
    if not needed <= set(found.names) or any(known.get(field.name) != field.type for field in found):
        raise _damaged(place, f"has wrong columns in the {kind} of {one}")
    return form


def _groups(
    place: Path, kind: str, one: str, file: pq.ParquetFile, form: pa.Schema, shape: dict[str, Any], size: int
) -> Iterator[pa.Table]:
    """The row groups of a bulk file, checked: its units, prompts and steps exist and are in order."""
    metadata = file.metadata
    units = shape["layers"] * shape["units_per_layer"]
    dense = 10_000_000 + DENSE * size
    if metadata.num_rows > dense or (
        kind == "series" and shape["prompts"] * units * shape["steps"] > 10_000_000 + DENSE * metadata.num_rows
    ):
        raise _damaged(place, f"declares {metadata.num_rows:,} rows of {kind} in {size:,} bytes", "do not trust it")
    most = {"x": units, "y": units, "unit_index": units, "prompt": shape["prompts"], "step": shape["steps"]}
    last = -1
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.num_rows > MOST_OF_A_GROUP or group.total_byte_size > MOST_BYTES:
            raise _damaged(place, f"declares {group.num_rows:,} rows of {kind} in one group", "do not trust it")
        table = file.read_row_group(number)
        for name in set(most) & set(table.column_names):
            values = table[name].to_numpy()
            if table[name].null_count or (len(values) and not 0 <= values.min() <= values.max() < most[name]):
                raise _damaged(place, f"has a {name} in the {kind} of {one} that does not exist")
        order = table["x" if kind == "pairs" else "prompt"].to_numpy()
        if len(order) and (order[0] < last or (np.diff(order) < 0).any()):
            raise _damaged(place, f"has the {kind} of {one} out of order")
        last = int(order[-1]) if len(order) else last
        for field in form:
            if field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        yield table.select(form.names).replace_schema_metadata(None)


def _same_rows(first: Path, second: Path) -> bool:
    """Whether two bulk files have equal columns and rows; NaN equals NaN."""
    try:
        with pq.ParquetFile(first) as one, pq.ParquetFile(second) as other:
            alike = one.schema_arrow.equals(other.schema_arrow) and one.metadata.num_rows == other.metadata.num_rows
            batches = zip(one.iter_batches(1 << 16), other.iter_batches(1 << 16), strict=True)
            return alike and all(_same(mine, theirs) for mine, theirs in batches)
    except (pa.ArrowException, OSError, ValueError):
        return False


def _same(first: pa.RecordBatch, second: pa.RecordBatch) -> bool:
    return len(first) == len(second) and all(
        mine.is_null().equals(theirs.is_null())
        and np.array_equal(
            mine.to_numpy(zero_copy_only=False),
            theirs.to_numpy(zero_copy_only=False),
            equal_nan=pa.types.is_floating(mine.type) or mine.null_count > 0,
        )
        for mine, theirs in zip(first.columns, second.columns, strict=True)
    )


def _sql(path: Path) -> str:
    return str(path).replace("'", "''")
