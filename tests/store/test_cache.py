"""The cache: one database for SQL, safe from strangers, readable beside writers, whole after anything."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import REFERENCE, Command

from synergy_tui.errors import CacheError, QueryError, UsageError
from synergy_tui.store import cards, check, load, publish, schema
from synergy_tui.store.archive import Archive, export
from synergy_tui.store.bulk import PAIR_FILE
from synergy_tui.store.cache import Cache
from synergy_tui.store.query import ask
from synergy_tui.store.written import write
from synergy_tui.terms import ATOMS


def filled(folder: Path, capture: str = "c1", decomposition: str = "d1") -> Cache:
    """A cache with one small run of 2 × 3 units, published as workers do."""
    cache = Cache.open(folder)
    units = [
        {"capture": capture, "unit_index": i, "layer": i // 3, "unit": i % 3, "depth": float(i // 3)} for i in range(6)
    ]
    rows = {
        "subjects": [{"subject": "s1", "name": "Tiny", "source": "folder", "place": "/x", "layers": 2, "heads": 3}],
        "captures": [
            {
                "capture": capture,
                "subject": "s1",
                "tasks": "t",
                "layers": 2,
                "units_per_layer": 3,
                "prompts": 1,
                "steps": 2,
            }
        ],
        "prompts": [{"capture": capture, "prompt": 0, "id": "a", "category": "", "text": "hi", "tokens": [1, 2]}],
        "responses": [{"capture": capture, "prompt": 0, "text": "ho", "tokens": [3, 4], "steps": 2, "valid": True}],
        "units": units,
    }
    index = np.repeat(np.arange(6), 2)
    series = pa.table(
        {"prompt": [0] * 12, "unit_index": index, "layer": index // 3, "unit": index % 3, "step": [0, 1] * 6,
         "value": np.arange(12.0)}
    )  # fmt: skip
    publish.publish_capture(cache, capture, rows, [series])
    x, y = np.triu_indices(6, 1)
    pairs = {"x": x, "y": y, "x_layer": x // 3, "x_unit": x % 3, "y_layer": y // 3, "y_unit": y % 3}
    pairs |= {atom: np.full(15, number / 16) for number, atom in enumerate(ATOMS)}
    pairs |= {name: np.zeros(15) for name, _ in schema.PAIR_EXTRAS}
    pairs |= {"offset": np.zeros(15), "valid_prompts": np.ones(15, int), "reason": np.zeros(15, int)}
    scores = [
        {"decomposition": decomposition, "unit_index": i, "score": score, "value": i / 10, "scaled": scaled}
        for i in range(6)
        for score, scaled in (("sts", None), ("rank-difference", i / 5))
    ]
    result = {
        "decompositions": [{"decomposition": decomposition, "capture": capture, "estimator": "gaussian", "pairs": 15}],
        "unit_scores": pa.Table.from_pylist(scores),
    }
    publish.publish_decomposition(cache, decomposition, result, [pa.table(pairs).select(PAIR_FILE.names)])
    return cache


@pytest.mark.slow
def test_views_make_one_database_of_catalogue_and_bulk(cache):
    opened = filled(cache)
    one = lambda sql: ask(opened, sql).rows  # noqa: E731
    assert one("SELECT count(*), avg(tdmi), max(y_layer) FROM pairs WHERE decomposition = 'd1'") == [(15, 7.5, 1)]
    assert one("SELECT layer, unit, sum(value) FROM series GROUP BY ALL ORDER BY ALL")[:2] == [(0, 0, 1.0), (0, 1, 5.0)]
    assert one("SELECT layer, round(avg(rank), 3) FROM latest_heads GROUP BY layer ORDER BY layer") == [
        (0, 0.2),
        (1, 0.8),
    ]
    assert one("SELECT subject, sts FROM heads WHERE unit = 2 AND layer = 1") == [("Tiny", 0.5)]
    assert load.series(opened, "c1").shape == (1, 6, 2)
    assert load.series(opened, "c1")[0, 3].tolist() == [6, 7]


@pytest.mark.slow
def test_a_plain_duckdb_connection_sees_the_same(cache):
    filled(cache)
    with duckdb.connect(str(cache / "cache.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM pairs").fetchone() == (15,)
        assert con.execute("SELECT count(*) FROM latest_heads").fetchone() == (6,)


@pytest.mark.slow
def test_every_table_view_and_column_has_a_comment(cache):
    with Cache.open(cache).read() as con:
        columns = con.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
        tables = con.execute(
            "SELECT table_name, comment FROM duckdb_tables() UNION ALL "
            "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
    assert len(tables) == len(schema.TABLES) + 5
    assert [row for row in columns + tables if not row[-1]] == []


@pytest.mark.slow
def test_publishing_twice_is_once(cache):
    filled(cache)
    filled(cache)
    assert ask(Cache.open(cache), "SELECT count(*) FROM unit_scores").rows == [(12,)]


@pytest.mark.slow
def test_what_fails_half_way_is_not_visible(cache):
    opened = filled(cache)
    rows = {"decompositions": [{"decomposition": "d2", "capture": "c1"}], "unit_scores": [{"no such column": 1}]}
    with pytest.raises(duckdb.Error):
        publish.publish_decomposition(opened, "d2", rows, [])
    assert ask(opened, "SELECT decomposition FROM decompositions").rows == [("d1",)]
    stray = opened.pairs_folder("d3")
    stray.mkdir()
    (stray / "pairs.parquet").write_bytes(b"")
    assert "belonged to no run" in check.check(opened)[0]
    assert check.check(opened) == []


@pytest.mark.slow
def test_what_was_made_from_a_deleted_run_is_not_published(cache):
    opened = filled(cache)
    publish.delete(opened, "c1")
    with pytest.raises(CacheError, match="capture c1 was deleted meanwhile"):
        publish.publish_decomposition(opened, "d2", {"decompositions": [{"decomposition": "d2", "capture": "c1"}]}, [])
    with pytest.raises(CacheError, match="decomposition d1 was deleted meanwhile"):
        publish.publish_ablation(opened, "a1", {"ablations": [{"ablation": "a1", "decomposition": "d1"}]})
    assert check.check(opened) == []


@pytest.mark.slow
def test_rows_that_belong_to_no_run_are_found_and_removed(cache):
    opened = filled(cache)
    filled(cache, "c2", "d2")
    with opened.write() as con:
        con.execute("DELETE FROM captures WHERE capture = 'c1'")
        con.execute("INSERT INTO ablation_curves BY NAME SELECT 'a7' AS ablation")
    problems = check.check(opened)
    assert "decomposition d1 was made from a capture that is not there; removed" in problems
    assert "1 rows of ablation_curves belonged to no ablation; removed" in problems
    assert "12 rows of unit_scores belonged to no decomposition; removed" in problems
    assert any("pairs of d1 belonged to no run" in one for one in problems)
    assert check.check(opened) == []
    assert ask(opened, "SELECT decomposition, count(*) FROM pairs GROUP BY ALL").rows == [("d2", 15)]


@pytest.mark.slow
def test_compacting_gives_room_back_and_changes_nothing(cache):
    opened = filled(cache)
    for number in range(2, 5):
        filled(cache, f"c{number}", f"d{number}")
        with opened.write() as con:
            con.execute("INSERT INTO confounds SELECT 'd1', 'x' || range, random() FROM range(200000)")
    with opened.write() as con:
        con.execute("DELETE FROM confounds")
    everything = "SELECT table_name, column_name, comment FROM duckdb_columns() ORDER BY ALL"
    of_runs = "SELECT d.*, u.* FROM decompositions d JOIN unit_scores u USING (decomposition) ORDER BY ALL"
    before = [ask(opened, query).rows for query in (everything, of_runs, "SELECT * FROM meta")]
    large, small = opened.compact()
    assert small < large / 2
    assert [ask(opened, query).rows for query in (everything, of_runs, "SELECT * FROM meta")] == before
    filled(cache, "c9", "d9")  # it can be written on
    assert check.check(opened) == []
    assert not list(opened.folder.glob("*.new*"))


@pytest.mark.slow
def test_a_held_or_full_cache_is_not_compacted_and_stays_as_it_is(cache, monkeypatch):
    opened = filled(cache)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synergy_tui.store.cache.os.fsync", full)
    with pytest.raises(CacheError, match="No space left"):
        opened.compact()
    monkeypatch.undo()
    assert ask(opened, "SELECT count(*) FROM unit_scores").rows == [(12,)]
    assert not list(opened.folder.glob("*.new*"))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_an_answer_becomes_a_file_of_any_length(cache, tmp_path, form):
    opened, target = filled(cache), tmp_path / f"answer.{form}"
    read = pq.read_table if form == "parquet" else lambda path: pa.ipc.open_file(path).read_all()
    assert write(opened, "SELECT x, x FROM pairs, range(100000)", target, form) == (1_500_000, False)
    table = read(target)
    assert (table.num_rows, table.column_names) == (1_500_000, ["x", "x_2"])
    with pytest.raises(QueryError, match="is there already"):
        write(opened, "SELECT 1", target, form)
    other = tmp_path / "other"
    assert write(opened, "SELECT * FROM pairs", other, form, max_rows=4) == (4, True)
    assert read(other).num_rows == 4
    for sql, said in (
        ("SELECT * FROM range(100000000000)", "longer than 0 s"),
        ("SELECT error('ho')", "ho"),
        ("SELECT * FROM read_csv('/etc/passwd')", "nothing else on this disk"),
        ("COPY pairs TO 'x'", "not COPY"),
    ):
        with pytest.raises(QueryError, match=said):
            write(opened, sql, tmp_path / "none", form, max_seconds=0.2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer." + form, "cache", "other"]


@pytest.mark.slow
def test_a_run_is_deleted_whole(cache):
    opened = filled(cache)
    filled(cache, "c2", "d2")
    assert {kind: count for kind, count in publish.delete(opened, "c1").items() if count} == {
        "capture": 1,
        "decomposition": 1,
    }
    for table in ("captures", "prompts", "units", "decompositions", "unit_scores"):
        assert ask(
            opened, f"SELECT count(*) FROM {table} WHERE list_contains(['c1', 'd1'], {table_key(table)})"
        ).rows == [(0,)]
    assert not opened.series_folder("c1").exists()
    assert not opened.pairs_folder("d1").exists()
    assert ask(opened, "SELECT count(*) FROM pairs").rows == [(15,)]


def table_key(table: str) -> str:
    return "decomposition" if table in ("decompositions", "unit_scores") else "capture"


@pytest.mark.slow
def test_a_moved_cache_finds_its_files_again(cache, tmp_path):
    filled(cache)
    cache.rename(tmp_path / "it's elsewhere")
    moved = Cache.open(tmp_path / "it's elsewhere")
    assert ask(moved, "SELECT count(*) FROM pairs").rows == [(15,)]


@pytest.mark.slow
def test_a_moved_cache_on_a_read_only_disk_is_read_where_it_is(cache, tmp_path, monkeypatch):
    filled(cache)
    cache.rename(tmp_path / "moved")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert ask(Cache.open(tmp_path / "moved"), "SELECT count(*) FROM pairs").rows == [(15,)]


@pytest.mark.parametrize("name", ["br [x]", "qm?", "st*r"])
def test_a_folder_that_is_a_pattern_cannot_be_a_cache(tmp_path, name):
    with pytest.raises(CacheError, match="without"):
        Cache.open(tmp_path / name)


@pytest.mark.slow
def test_a_check_leaves_a_publication_in_progress_alone(cache):
    """The bulk file waits outside the cache until the catalogue is held: a check meanwhile finds nothing to remove."""
    opened = filled(cache)
    found: list[list[str]] = []

    def pairs():
        found.append(check.check(opened))
        yield from ()

    publish.publish_decomposition(opened, "d2", {"decompositions": [{"decomposition": "d2", "capture": "c1"}]}, pairs())
    assert found == [[]]
    assert check.check(opened) == []
    assert (opened.pairs_folder("d2") / "pairs.parquet").exists()


@pytest.mark.slow
def test_a_bulk_file_of_something_else_is_found(cache):
    opened = filled(cache)
    pq.write_table(pa.table({"x": [1]}), opened.pairs_folder("d1") / "pairs.parquet")
    assert "wrong columns" in check.check(opened)[0]


@pytest.mark.slow
def test_damaged_and_missing_files_are_found(cache):
    opened = filled(cache)
    file = opened.pairs_folder("d1") / "pairs.parquet"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    (opened.series_folder("c1") / "series.parquet").unlink()
    found = check.check(opened)
    assert len(found) == 2
    assert "pairs of d1 are damaged" in found[0]
    assert "series of c1 are missing" in found[1]
    with pytest.raises(CacheError, match="missing or damaged"):
        load.series(opened, "c1")


HOLDER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(cache):
    """The catalogue open for writing in another process, until it is told to let go."""
    filled(cache)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(cache / "cache.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    holder.stdout.readline()
    yield holder
    holder.kill()
    holder.wait()


@pytest.mark.worker
def test_a_locked_catalogue_is_told_with_its_holder(cache, held):
    with pytest.raises(CacheError, match=rf"\(PID {held.pid}\)"):
        Cache.open(cache, patience=0.1)


@pytest.mark.worker
def test_readers_and_writers_wait_for_a_lock_to_go(cache, held):
    threading.Timer(0.5, held.stdin.close).start()
    opened = Cache.open(cache)
    with opened.write() as con:
        con.execute("DELETE FROM confounds")


@pytest.mark.worker
def test_readers_get_through_while_results_are_published(cache):
    """Two processes publish as fast as they can; every read in between is answered and sees whole results alone."""
    opened = filled(cache)
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from synergy_tui.store import publish
        from synergy_tui.store.cache import Cache
        cache = Cache.open(Path(sys.argv[1]))
        for number in range(12):
            name = f"a{sys.argv[2]}{number}"
            rows = {"ablations": [{"ablation": name, "decomposition": "d1", "capture": "c1"}],
                    "ablation_curves": [{"ablation": name, "fraction": f / 10} for f in range(10)]}
            publish.publish_ablation(cache, name, rows)
        """
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(cache), tag]) for tag in "xy"]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        curves = "(SELECT count(*) FROM ablation_curves)"
        assert ask(opened, f"SELECT {curves} = 10 * (SELECT count(*) FROM ablations)").rows == [(True,)]
        reads += 1
    assert [writer.wait() for writer in writers] == [0, 0]
    assert reads > 5
    assert ask(opened, "SELECT count(*) FROM ablations").rows == [(24,)]


@pytest.mark.slow
def test_a_newer_cache_is_refused(cache):
    opened = Cache.open(cache)
    with opened.write() as con:
        con.execute("UPDATE meta SET version = 99")
    with pytest.raises(CacheError, match="schema 99"):
        Cache.open(cache)


def written_by(version: int, where: Path) -> Path:
    """A cache and an exported run as that version of the schema wrote them."""
    with zipfile.ZipFile(REFERENCE / f"version-{version}.zip") as file:
        file.extractall(where)
    return where


@pytest.fixture
def version_1(tmp_path):
    return written_by(1, tmp_path)


def test_every_version_there_has_been_is_at_hand():
    known = {int(path.stem.removeprefix("version-")) for path in REFERENCE.glob("version-*.zip")}
    assert known == set(range(1, schema.VERSION))


@pytest.mark.slow
def test_a_cache_of_version_2_is_brought_to_this_one_with_all_it_holds(tmp_path):
    old = written_by(2, tmp_path)
    tables = ("captures", "unit_scores", "unit_nulls", "surrogate_contrasts", "ablation_curves", "decompositions")
    with duckdb.connect(str(old / "cache" / "cache.duckdb"), read_only=True) as con:
        assert con.execute("SELECT version FROM meta").fetchone() == (2,)
        before = {
            name: con.execute(f"SELECT count(*), hash(list(t ORDER BY t)) FROM {name} t").fetchall() for name in tables
        }
        columns = {name: [row[0] for row in con.execute(f"DESCRIBE {name}").fetchall()] for name in tables}
    opened = Cache.open(old / "cache")
    for name in tables:
        had = f"SELECT {', '.join(columns[name])} FROM {name}"
        assert ask(opened, f"SELECT count(*), hash(list(t ORDER BY t)) FROM ({had}) t").rows == before[name]
    assert ask(opened, "SELECT count(*), count(z) FROM pairs").rows == [(120, 120)]
    assert check.check(opened) == []
    query = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() ORDER BY ALL"
    assert ask(opened, query).rows == ask(Cache.open(old / "new"), query).rows
    with pytest.raises(UsageError, match="kept no recipes"):
        load.recipe(opened, "d65")
    archive = Archive.open(old / "export")
    assert ask(archive, "SELECT count(*), count(p) FROM heads").rows == [(16, 16)]
    assert ask(archive, "SELECT count(*) FROM recipes").rows == [(0,)]


@pytest.mark.slow
def test_a_cache_of_version_3_is_brought_to_this_one_with_all_it_holds(tmp_path):
    old = written_by(3, tmp_path)
    tables = ("captures", "unit_scores", "surrogate_contrasts", "ablation_curves", "ablation_sweeps", "recipes")
    with duckdb.connect(str(old / "cache" / "cache.duckdb"), read_only=True) as con:
        assert con.execute("SELECT version FROM meta").fetchone() == (3,)
        columns = {name: ", ".join(row[0] for row in con.execute(f"DESCRIBE {name}").fetchall()) for name in tables}
        had = {
            name: f"SELECT count(*), hash(list(t ORDER BY t)) FROM (SELECT {columns[name]} FROM {name}) t"
            for name in tables
        }
        before = {name: con.execute(had[name]).fetchall() for name in tables}
    opened = Cache.open(old / "cache")
    for name in tables:
        assert ask(opened, had[name]).rows == before[name]
    assert check.check(opened) == []
    query = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() ORDER BY ALL"
    assert ask(opened, query).rows == ask(Cache.open(old / "new"), query).rows
    assert ask(opened, "SELECT count(*) FROM claims").rows == [(0,)]
    archive = Archive.open(old / "export")
    assert ask(archive, "SELECT count(*) FROM networks").rows == [(0,)]
    assert ask(archive, "SELECT count(*) FROM ablation_sweeps").rows == [(16,)]


@pytest.mark.slow
def test_a_cache_of_version_6_is_brought_to_this_one_also_where_it_was_copied_to(tmp_path):
    """The first after which views look into columns that its tables lack."""
    old = written_by(6, tmp_path)
    tables = ("captures", "units", "unit_scores", "unit_nulls", "ablation_curves", "networks", "capture_scores")
    with duckdb.connect(str(old / "cache" / "cache.duckdb"), read_only=True) as con:
        assert con.execute("SELECT version FROM meta").fetchone() == (6,)
        columns = {name: ", ".join(row[0] for row in con.execute(f"DESCRIBE {name}").fetchall()) for name in tables}
        had = {
            name: f"SELECT count(*), hash(list(t ORDER BY t)) FROM (SELECT {columns[name]} FROM {name}) t"
            for name in tables
        }
        before = {name: con.execute(had[name]).fetchall() for name in tables}
    opened = Cache.open(old / "cache")
    for name in tables:
        assert ask(opened, had[name]).rows == before[name]
        assert before[name][0][0]
    assert check.check(opened) == []
    query = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() ORDER BY ALL"
    assert ask(opened, query).rows == ask(Cache.open(old / "new"), query).rows
    named = "SELECT count(*), count(name), count(depth) FROM heads"
    assert ask(opened, named).rows == ask(Archive.open(old / "export"), named).rows == [(32, 0, 32)]


@pytest.mark.worker
def test_results_of_an_earlier_method_keep_their_numbers_say_so_and_are_renewed_from_their_capture(tmp_path):
    """Version 4 of the schema is the last that wrote results of the first version of the method."""
    old = written_by(4, tmp_path)
    command = Command(old / "cache")
    query = """SELECT decomposition FROM decompositions WHERE surrogates > 0
        AND decomposition NOT IN (SELECT map FROM ladder_levels WHERE map IS NOT NULL)"""
    (row,) = load.rows(Cache.open(old / "cache"), query)
    run = row["decomposition"]
    scores = "SELECT hash(list(t ORDER BY t)) FROM (SELECT * FROM unit_scores WHERE decomposition = $1) t"
    captures = "SELECT count(*) FROM captures"
    opened = Cache.open(old / "cache")
    before = load.rows(opened, scores, run), load.rows(opened, captures)
    assert "made by an earlier method" in command("show", run).stdout
    assert f"bring it up to date: synergy-tui renew {run}" in command("claims", run, code=2).stderr
    assert "made by an earlier method, some of whose verdicts do not hold" in card_lines(
        opened, cards.newest_card(opened, run)
    )
    (made,) = command.json("renew", run)
    assert made["was"] == run
    assert (load.rows(opened, scores, run), load.rows(opened, captures)) == before
    shown = command("show", made["is"]).stdout
    assert "made by an earlier method" not in shown
    assert "up to date" in command("renew", made["is"]).stderr
    assert load.rows(opened, "SELECT count(*) AS n FROM contrast_tests WHERE decomposition = $1", made["is"])[0]["n"]
    # What was exported before says so too, and a ladder.
    assert "made by an earlier method" in Command(old / "export")("show").stdout
    (ladder,) = load.rows(opened, "SELECT ladder FROM ladders")
    (level, *_) = load.rows(opened, "SELECT map FROM ladder_levels WHERE map IS NOT NULL ORDER BY level")
    refused = command("renew", level["map"], code=2).stderr
    assert f"is a level of ladder {ladder['ladder']}" in refused
    assert "climb it anew: synergy-tui difficulty" in refused
    assert load.ladder(opened, ladder["ladder"])["method"] == 1


def card_lines(opened, card):
    from synergy_tui.drawing import card as drawn

    return "\n".join(line.plain for line in drawn.draw(cards.card(opened, card), 140))


@pytest.mark.slow
def test_a_cache_of_version_1_is_brought_to_this_one_with_all_it_holds(version_1):
    with duckdb.connect(str(version_1 / "cache" / "cache.duckdb"), read_only=True) as con:
        assert con.execute("SELECT version FROM meta").fetchone() == (1,)
        before = con.execute("SELECT * FROM unit_scores ORDER BY ALL").fetchall()
    opened = Cache.open(version_1 / "cache")
    assert ask(opened, "SELECT version FROM meta").rows == [(schema.VERSION,)]
    assert ask(opened, "SELECT * FROM unit_scores ORDER BY ALL").rows == before
    assert ask(opened, "SELECT precision, nulls, surrogates FROM decompositions").rows == [("float64", [], 0)]
    assert ask(opened, "SELECT count(*), count(sts), count(p) FROM pairs").rows == [(15, 15, 0)]
    assert ask(opened, "SELECT count(*), count(rank), count(p) FROM heads").rows == [(6, 6, 0)]
    assert check.check(opened) == []
    # It has the tables, columns and comments of a new one, and takes new runs beside the old.
    new = Cache.open(version_1 / "new")
    query = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() ORDER BY ALL"
    assert ask(opened, query).rows == ask(new, query).rows
    filled(version_1 / "cache", "c2", "d2")
    assert ask(opened, "SELECT decomposition, count(*), count(p) FROM pairs GROUP BY ALL ORDER BY ALL").rows == [
        ("d1", 15, 0),
        ("d2", 15, 15),
    ]


def test_an_old_cache_that_cannot_be_written_says_so(version_1, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CacheError, match="older version and cannot be written"):
        Cache.open(version_1 / "cache")


def test_a_run_exported_by_version_1_is_read(version_1):
    archive = Archive.open(version_1 / "export")
    assert ask(archive, "SELECT count(*), count(z) FROM pairs").rows == [(15, 0)]
    assert ask(archive, "SELECT count(*), count(rank), count(q) FROM heads").rows == [(6, 6, 0)]
    assert ask(archive, "SELECT surrogates FROM decompositions").rows == [(None,)]
    assert ask(archive, "SELECT count(*) FROM unit_nulls").rows == [(0,)]


def test_files_that_are_no_cache_are_refused(cache, tmp_path):
    cache.mkdir()
    (cache / "cache.duckdb").write_bytes(b"not a database" * 100)
    with pytest.raises(CacheError, match="cannot be read"):
        Cache.open(cache)
    other = tmp_path / "other"
    other.mkdir()
    duckdb.connect(str(other / "cache.duckdb")).close()
    with pytest.raises(CacheError, match="no synergy-tui cache"):
        Cache.open(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("", "one statement at a time"),
        ("SELECT nothing FROM heads", "nothing"),
        ("DROP TABLE units", "not DROP"),
        ("DELETE FROM units", "not DELETE"),
        ("INSERT INTO units VALUES (1)", "not INSERT"),
        ("COPY units TO 'x.csv'", "not COPY"),
        ("ATTACH 'x.db' AS x", "not ATTACH"),
        ("INSTALL httpfs", "not LOAD"),
        ("SET threads = 1", "not SET"),
        ("PRAGMA version", "not PRAGMA"),
        ("SELECT * FROM read_csv('/etc/passwd')", "Permission"),
        ("SELECT * FROM read_text('/etc/passwd')", "Permission"),
        ("SELECT * FROM '/etc/passwd'", "/etc/passwd"),
        ("SELECT * FROM glob('/etc/*')", "Permission"),
        ("SELECT * FROM read_parquet('../*.parquet')", "Permission"),
        ("EXPLAIN ANALYZE COPY units TO 'x.csv'", "not EXPLAIN of anything but a SELECT"),
        ("/* x */ EXPLAIN -- y\n ANALYZE SELECT 1", "not EXPLAIN of anything but a SELECT"),
        ("EXPLAIN COPY (SELECT 1) TO '{cache}/cache.duckdb' (FORMAT csv)", "not EXPLAIN of anything but a SELECT"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO '{cache}/cache.duckdb' (FORMAT csv)", "anything but a SELECT"),
        ("EXPLAIN (ANALYZE, FORMAT json) DELETE FROM units", "anything but a SELECT"),
        ("EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", "anything but a SELECT"),
        ("SELECT '\ud800'", "surrogates"),
        ("SELECT count(*) FROM range(100000000000000)", "took longer than"),
    ],
)
def test_sql_that_is_no_question_to_the_cache_is_refused(cache, sql, said):
    opened = filled(cache)
    before = sorted(path.relative_to(cache) for path in cache.rglob("*"))
    with pytest.raises(QueryError, match=said):
        ask(opened, sql.replace("{cache}", str(cache)), max_seconds=0.5)
    assert sorted(path.relative_to(cache) for path in cache.rglob("*")) == before
    assert ask(opened, "SELECT count(*) FROM units").rows == [(6,)]


@pytest.mark.slow
def test_explain_of_a_select_is_answered(cache):
    (row,) = ask(Cache.open(cache), "EXPLAIN SELECT count(*) FROM units").rows
    assert "units" in row[1]


@pytest.mark.slow
def test_columns_of_one_name_are_told_apart(cache):
    assert ask(Cache.open(cache), "SELECT 1 AS a, 2 AS a").as_dicts() == [{"a": 1, "a_2": 2}]


@pytest.mark.slow
def test_a_huge_answer_is_cut_and_says_so(cache):
    answer = ask(Cache.open(cache), "SELECT * FROM range(100000000000)", max_rows=10)
    assert (len(answer.rows), answer.more) == (10, True)


@pytest.mark.slow
def test_an_exported_run_opens_like_a_cache_and_stays_as_it_is(cache, tmp_path):
    opened = filled(cache)
    filled(cache, "c2", "d2")
    export(opened, "d1", tmp_path / "out")
    archive = Archive.open(tmp_path / "out")
    assert ask(archive, "SELECT count(*) FROM pairs").rows == [(15,)]
    assert ask(archive, "SELECT capture FROM captures").rows == [("c1",)]
    assert load.find(archive, "decomposition", None, latest=True) == "d1"
    with pytest.raises(CacheError, match="stays as it is"), archive.write():
        pass
    with pytest.raises(UsageError, match="is there already"):
        export(opened, "d1", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot be written"):
        export(opened, "d1", tmp_path / "file" / "out")
    assert str(cache) not in " ".join(map(str, ask(archive, "SELECT * FROM meta").rows))
