"""store/arriving: what was exported is in another cache as it was; what is not whole or not honest changes nothing."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import REFERENCE

import synergy_tui as st
from synergy_tui.bench.made import make_run
from synergy_tui.errors import CacheError, UsageError
from synergy_tui.settings import shipped
from synergy_tui.store import check, load
from synergy_tui.store.archive import Archive, export
from synergy_tui.store.arriving import import_archive
from synergy_tui.store.cache import Cache
from synergy_tui.store.exports import write
from synergy_tui.store.publish import delete
from synergy_tui.store.schema import TABLES

Members = dict[str, bytes]


EVERYTHING = (*(name for name in TABLES if name != "meta"), "pairs", "series", "heads")


def content(cache: Cache, names: Sequence[str] = EVERYTHING) -> dict[str, tuple[int, int]]:
    """How many rows every table and bulk view has, and a sum that tells what is in them. Where a result stands among
    the newest is the cache's own."""
    out = {}
    with cache.read() as con:
        for name in names:
            columns = [row[0] for row in con.execute(f"DESCRIBE {name}").fetchall() if row[0] != "serial"]
            listed = ", ".join(f'"{one}"' for one in sorted(columns))
            (out[name],) = con.execute(f"SELECT count(*), sum(hash({listed})) FROM {name}").fetchall()
    return out


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cache, Path]:
    """A made-up run in a cache, and the file it was exported to."""
    folder = tmp_path_factory.mktemp("origin")
    cache = Cache.open(folder / "cache")
    make_run(cache, 3, 2)
    write(cache, "d3x2", folder / "run.synergy", "archive")
    return cache, folder / "run.synergy"


def test_the_sample_is_as_it_was_and_comes_once(tmp_path, command):
    sample = Archive.open(shipped("sample"))
    write(sample, "dfe1085f5", tmp_path / "run.synergy", "archive")
    got = command("import", str(tmp_path / "run.synergy"))
    assert got.stdout.startswith("cb0c383a7, dfe1085f5, a5df4fd62: imported\n")
    cache = Cache.open(tmp_path / "cache")
    before = content(sample)
    assert before["series"][0] > 100_000
    assert content(cache) == before
    assert check.check(cache) == []
    again = command("import", str(tmp_path / "run.synergy"))
    assert again.stdout.startswith("a5df4fd62, cb0c383a7, dfe1085f5: in this cache already, equal\n")
    # A folder is the same, and what is missing of it comes.
    delete(cache, "a5df4fd62")
    export(sample, "dfe1085f5", tmp_path / "folder")
    assert command.json("import", str(tmp_path / "folder"))["new"] == ["a5df4fd62"]
    some = [name for name in TABLES if name.startswith("ablation")]
    assert content(cache, some) == {name: before[name] for name in some}


@pytest.mark.parametrize("version", [1, 4])
def test_what_earlier_versions_exported_is_imported(version, tmp_path):
    with zipfile.ZipFile(REFERENCE / f"version-{version}.zip") as file:
        file.extractall(tmp_path)
    old = tmp_path
    there = Archive.open(old / "export")
    cache = Cache.open(tmp_path / "new")
    found = import_archive(cache, old / "export")
    some = ("unit_scores", "layer_profiles", "pairs", "series", "heads", "prompts")
    assert content(cache, some) == content(there, some)
    assert check.check(cache) == []
    assert load.one(cache, "decomposition", found.run)["precision"] in ("float64", "float32")
    assert import_archive(cache, old / "export").new == ()


@pytest.mark.worker
def test_a_run_of_a_model_and_its_ablation_are_as_they_were(tmp_path):
    cache = st.open_cache(tmp_path / "cache")
    run = st.run("zoo:induction", prompts=6, steps=24, cache=cache, progress=False)
    ablation = st.ablate(run, orders=["synergy-first", "random", "single-units"], seeds=2, fractions=[0.25], prompts=4)
    assert set(ablation.curves()["removal_order"]) == {"synergy-first", "random"}
    assert ablation.map().shape == run.map().shape == (4, 8)
    assert ablation.run.id == run.id
    write(cache.store, run.id, tmp_path / "run.synergy", "archive")
    other = Cache.open(tmp_path / "other")
    found = import_archive(other, tmp_path / "run.synergy")
    assert found.new == (run.capture.id, run.id, ablation.id)
    assert content(other) == content(cache.store)


def test_the_newest_is_what_came_last(origin, tmp_path):
    """A stranger's file does not push aside what is one's own."""
    cache = Cache.open(tmp_path / "other")
    make_run(cache, 2, 2, name="own")
    control = pa.table({"control": ["cown", "celsewhere"], "capture": ["c3x2"] * 2, "how": ["replayed"] * 2})
    path = packed(tmp_path / "run.synergy", members(origin[1]) | {"tables/controls.parquet": saved(control)})
    import_archive(cache, path)
    assert load.find(cache, "decomposition", None, latest=True) == "d3x2"
    assert [row["control"] for row in load.rows(cache, "FROM controls")] == ["celsewhere"]
    delete(cache, "d3x2")
    assert load.find(cache, "decomposition", None, latest=True) == "down"


# What is refused.


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(path: Path, parts: Members, manifest: bool = True, **entry: int) -> Path:
    """A file of members, its manifest true unless told otherwise. entry: attributes of the members' entries."""
    if manifest:
        told = json.loads(parts["manifest.json"])
        told["members"] = {
            name: {"bytes": len(one), "sha256": sha256(one).hexdigest()}
            for name, one in parts.items()
            if name != "manifest.json"
        }
        parts = parts | {"manifest.json": json.dumps(told).encode()}
    with zipfile.ZipFile(path, "w") as file:
        for name, one in parts.items():
            info = zipfile.ZipInfo(name)
            for key, value in entry.items() if name != "manifest.json" else ():
                setattr(info, key, value)
            file.writestr(info, one)
    return path


def table(parts: Members, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(parts[name]))


def saved(made: pa.Table, **how: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(made, out, **how)
    return out.getvalue()


def changed(name: str, column: str, value: object) -> Callable[[Members], Members]:
    """The first row of a table has another value."""

    def change(parts: Members) -> Members:
        rows = table(parts, name)
        place = rows.schema.get_field_index(column)
        values = rows[column].to_pylist()
        values[0] = value
        return parts | {
            name: saved(
                rows.set_column(place, rows.schema.field(column), pa.array(values, rows.schema.field(column).type))
            )
        }

    return change


def manifest(**values: object) -> Callable[[Members], Members]:
    return lambda parts: parts | {"manifest.json": json.dumps(json.loads(parts["manifest.json"]) | values).encode()}


PAIRS, SERIES = "pairs/decomposition=d3x2/pairs.parquet", "series/capture=c3x2/series.parquet"
SCORES, CAPTURES = "tables/unit_scores.parquet", "tables/captures.parquet"


def without(name: str) -> Callable[[Members], Members]:
    return lambda parts: {key: one for key, one in parts.items() if key != name}


def with_member(name: str) -> Callable[[Members], Members]:
    return lambda parts: parts | {name: b"x"}


def many_rows(parts: Members) -> Members:
    """Two million rows of a pair in one group, which is small in the file."""
    row = table(parts, PAIRS).slice(0, 1)
    return parts | {PAIRS: saved(row.take(pa.array([0] * 2_100_000, pa.int32())), row_group_size=2_100_000)}


def long_text(parts: Members) -> Members:
    """Two thousand times a text of a megabyte that is kept once."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), pa.array(["x" * 2**20]))
    return parts | {"tables/recipes.parquet": saved(pa.table({"result": ["d3x2"] * 2000, "command": text}))}


def ordered_wrongly(parts: Members) -> Members:
    rows = table(parts, SERIES)
    return parts | {SERIES: saved(rows.take(pc.sort_indices(rows, [("prompt", "descending")])))}


CHANGES: dict[str, tuple[Callable[[Members], Members], str]] = {
    "climbing": (with_member("tables/../../../evil.parquet"), "names a place outside"),
    "absolute": (with_member("/tmp/evil.parquet"), "names a place outside"),
    "backslash": (with_member("..\\evil.parquet"), "names a place outside"),
    "unknown member": (with_member("evil.py"), "not part of a run"),
    "unknown table": (with_member("tables/spells.parquet"), "this version does not know · update"),
    "newer": (manifest(schema=99), "newer version"),
    "newer layout": (manifest(layout=2), "newer version"),
    "newer tables": (changed("tables/meta.parquet", "version", 99), "newer version"),
    "other format": (manifest(format="zip"), "not an exported run"),
    "other run": (manifest(decomposition="dother"), "which it lacks"),
    "deep manifest": (lambda parts: parts | {"manifest.json": b"[" * 100_000}, "manifest that cannot be read"),
    "no pairs": (without(PAIRS), "lacks the pairs"),
    "no series": (without(SERIES), "lacks the series"),
    "no captures": (without(CAPTURES), "lacks the capture of"),
    "no subjects": (without("tables/subjects.parquet"), "lacks the subject of"),
    "other pairs": (lambda parts: parts | {PAIRS.replace("d3x2", "d9"): parts[PAIRS]}, "numbers of d9"),
    "no Parquet": (lambda parts: parts | {SCORES: b"PAR1" + b"\0" * 90}, "is damaged"),
    "cut pairs": (lambda parts: parts | {PAIRS: parts[PAIRS][:500]}, "is damaged"),
    "more columns": (
        lambda parts: (
            parts
            | {SCORES: saved(table(parts, SCORES).append_column("x", pa.array([1] * table(parts, SCORES).num_rows)))}
        ),
        "unit_scores.x that this version does not know",
    ),
    "other type": (
        lambda parts: (
            parts
            | {
                SCORES: saved(
                    table(parts, SCORES).set_column(0, "decomposition", pa.array([1] * table(parts, SCORES).num_rows))
                )
            }
        ),
        "as BIGINT and not as VARCHAR",
    ),
    "an id that climbs": (
        changed("tables/decompositions.parquet", "decomposition", "../../x"),
        "lacks|no decomposition",
    ),
    "rows of another": (changed(SCORES, "decomposition", "d1"), "belong to no decomposition: d1"),
    "recipe of another": (changed("tables/recipes.parquet", "result", "d1"), "a result that it lacks: d1"),
    "a unit too many": (changed(SCORES, "unit_index", 6), "does not exist: 6"),
    "a unit below 0": (changed(SCORES, "unit_index", -1), "does not exist: -1"),
    "an endless map": (changed(CAPTURES, "layers", 2**31 - 1), "impossible size"),
    "no JSON": (changed(CAPTURES, "versions", "{"), "no JSON in captures.versions"),
    "JSON that is no object": (changed(CAPTURES, "versions", "[1]"), "no JSON in captures.versions"),
    "pair of no unit": (changed(PAIRS, "y", 6), "a y in the pairs"),
    "endless steps": (changed(SERIES, "step", 2**30), "a step in the series"),
    "no order": (ordered_wrongly, "out of order"),
    "many rows": (many_rows, "2,100,000 rows of pairs"),
    "long text": (long_text, "bytes of recipes.command"),
}


def refused(cache: Cache, path: Path, why: str, error: type[Exception] = UsageError) -> None:
    """It is refused in one line, and nothing of it is left."""
    before = rows_and_files(cache)
    with pytest.raises(error, match=why) as told:
        import_archive(cache, path)
    assert len(str(told.value).splitlines()) == 1
    assert told.value.next_step
    assert rows_and_files(cache) == before


def rows_and_files(cache: Cache) -> tuple[list[tuple[int]], list[Path]]:
    """How many rows all tables have, and the files there are beside the catalogue."""
    with cache.read() as con:
        rows = con.execute(" UNION ALL ".join(f"SELECT count(*) FROM {name}" for name in TABLES)).fetchall()
    folders = (cache.folder / one for one in ("pairs", "series", "unfinished"))
    return rows, sorted(path for folder in folders if folder.exists() for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache.open(tmp_path_factory.mktemp("empty") / "cache")


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_not_whole_or_not_honest_is_refused(what, origin, empty, tmp_path):
    change, why = CHANGES[what]
    parts = change(members(origin[1]))
    refused(empty, packed(tmp_path / "run.synergy", parts, manifest=what != "deep manifest"), why)
    assert [one.name for one in tmp_path.iterdir()] == ["run.synergy"]


def test_what_a_zip_can_do_is_refused(origin, empty, tmp_path):
    parts = members(origin[1])
    refused(empty, packed(tmp_path / "1.synergy", parts, external_attr=(stat.S_IFLNK | 0o777) << 16), "no plain file")
    refused(empty, packed(tmp_path / "2.synergy", parts, compress_type=zipfile.ZIP_DEFLATED), "compressed")
    with zipfile.ZipFile(tmp_path / "2.synergy", "w") as file:
        for name in ("manifest.json", SCORES):
            file.writestr(name, parts[name])
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr(SCORES, parts[SCORES])
    refused(empty, tmp_path / "2.synergy", "twice")
    whole = origin[1].read_bytes()
    (tmp_path / "3.synergy").write_bytes(whole[:-400])
    refused(empty, tmp_path / "3.synergy", "is damaged")
    place = whole.index(b"PAR1", len(whole) // 2) + 100
    (tmp_path / "4.synergy").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    refused(empty, tmp_path / "4.synergy", "is damaged")
    refused(empty, packed(tmp_path / "5.synergy", parts | {SCORES: parts[SCORES] + b"x"}, manifest=False), "is damaged")
    # The directory at the end says that one member has two gigabytes.
    entry = whole.rindex(b"PK\x01\x02")
    lying = whole[: entry + 20] + struct.pack("<II", 2**31 - 1, 2**31 - 1) + whole[entry + 28 :]
    (tmp_path / "6.synergy").write_bytes(lying)
    refused(empty, tmp_path / "6.synergy", "declares 2,1|is damaged")
    (tmp_path / "7.synergy").write_bytes(b"")
    refused(empty, tmp_path / "7.synergy", "is damaged")
    refused(empty, tmp_path / "8.synergy", "there is no")


def test_a_link_in_a_folder_is_refused(origin, empty, tmp_path):
    export(origin[0], "d3x2", tmp_path / "run")
    secret = tmp_path / "secret.parquet"
    (tmp_path / "run" / PAIRS).rename(secret)
    (tmp_path / "run" / PAIRS).symlink_to(secret)
    refused(empty, tmp_path / "run", "no plain file")


def test_an_id_with_other_content_stays_as_it_is(origin, tmp_path):
    cache = Cache.open(tmp_path / "cache")
    import_archive(cache, origin[1])
    parts = members(origin[1])
    for name, column in ((SCORES, "value"), (PAIRS, "sts"), (SERIES, "value"), (CAPTURES, "seed")):
        other = packed(tmp_path / "other.synergy", changed(name, column, 0.5 if column != "seed" else 5)(parts))
        refused(cache, other, "is in this cache already, with other content")


def test_a_failure_half_way_leaves_nothing(origin, tmp_path):
    """The series are in their place when the pairs cannot be put in theirs."""
    cache = Cache.open(tmp_path / "cache")
    (cache.folder / "pairs" / "decomposition=d3x2").write_text("in the way")
    with pytest.raises(CacheError, match="cannot be"):
        import_archive(cache, origin[1])
    assert not cache.series_folder("c3x2").exists()
    assert load.overview(cache) == []
    (cache.folder / "pairs" / "decomposition=d3x2").unlink()
    assert import_archive(cache, origin[1]).new == ("c3x2", "d3x2")
