"""Tables with a row per question and head: in whatever order rows come and however small the blocks in which they are
read, the capture is the same; rows that are wrong are counted, and said by their lines."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from conftest import ar1

from synergy_tui.errors import UsageError
from synergy_tui.incoming import blocks, steps
from synergy_tui.incoming.files import Choices, import_file
from synergy_tui.incoming.series import import_series
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

LAYERS, HEADS, STEPS = 3, 2, 30
SERIES = ar1(np.random.default_rng(1), (7, LAYERS * HEADS, STEPS), 0.5).astype(np.float32)
SERIES[2, :, 24:] = np.nan
IDS = ["007", "q,1", 'q"2"', "q3", "q\u202e4", "q5", "q6"]
CATEGORIES = ["a", "b", "a", "b", "a", "b", "a\x1b[31m"]


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Cache:
    return Cache.open(tmp_path_factory.mktemp("in") / "cache")


@pytest.fixture(scope="module")
def expected(opened) -> list[list[dict]]:
    layers, heads = np.divmod(np.arange(LAYERS * HEADS), HEADS)
    made = import_series(opened, SERIES, layers, heads, ids=IDS, categories=CATEGORIES)
    return tables(opened, made)


def tables(cache: Cache, capture: str) -> list[list[dict]]:
    return [
        load.rows(cache, f"SELECT * EXCLUDE (capture) FROM {table} WHERE capture = $1 ORDER BY ALL", capture)
        for table in ("series", "units", "responses", "prompts")
    ]


def lines_of(series: np.ndarray = SERIES, empty: str = "", ids: list[str] = IDS) -> list[str]:
    """Rows of a table like those of published pipelines, question by question."""
    out = []
    for one, category, values in zip(ids, CATEGORIES, series, strict=False):
        quoted = '"' + one.replace('"', '""') + '"'
        for unit, row in enumerate(values):
            cells = [empty if np.isnan(x) else repr(float(x)) for x in row]
            out.append(",".join([quoted, category, str(unit // HEADS), str(unit % HEADS), *cells]))
    return out


def write(path: Path, lines: list[str]) -> Path:
    header = ",".join(["Prompt_ID", "Category", "Layer", "Head", *(f"Step_{k}" for k in range(1, STEPS + 1))])
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.mark.parametrize("block", [700, 5_000, 1 << 24])
@pytest.mark.parametrize("order", ["questions", "heads", "shuffled"])
def test_rows_in_any_order_and_blocks_make_one_capture(opened, expected, block, order, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", block)
    monkeypatch.setattr(steps, "AT_ONCE", 3_000)
    lines = lines_of()
    if order == "heads":
        lines = [line for k in range(6) for line in lines[k::6]]
    elif order == "shuffled":
        # The first rows of all questions keep their order, which is that of the questions in the capture.
        chance = np.random.default_rng(3)
        rest = [line for k, line in enumerate(lines) if k % 6]
        lines = lines[::6] + [rest[k] for k in chance.permutation(len(rest))]
    found = import_file(opened, write(tmp_path / "s.csv", lines))
    assert tables(opened, found) == expected
    assert load.one(opened, "capture", found)["notes"] == []
    assert list(opened.unfinished.iterdir()) == []


def test_zipped_tables_and_parquet_and_parts_are_the_same(opened, expected, tmp_path):
    whole = write(tmp_path / "s.csv", lines_of(empty="NaN"))
    zipped = tmp_path / "s.csv.gz"
    zipped.write_bytes(gzip.compress(whole.read_bytes()))
    text = pyarrow.csv.ConvertOptions(column_types={"Prompt_ID": pyarrow.string()})
    pq.write_table(pyarrow.csv.read_csv(whole, convert_options=text), tmp_path / "s.parquet")
    parts = [write(tmp_path / "1.csv", lines_of()[:18]), write(tmp_path / "2.csv", lines_of()[18:])]
    for one in (zipped, tmp_path / "s.parquet", parts):
        assert tables(opened, import_file(opened, one)) == expected


def test_lengths_say_where_responses_end_and_zeros_are_asked_about_without_them(opened, expected, tmp_path):
    padded = write(tmp_path / "s.csv", lines_of(empty="0"))
    with pytest.raises(UsageError, match="ends with exact zeros in all units over 6 steps"):
        import_file(opened, padded)
    rows = "".join(f'"{one.replace(chr(34), chr(34) * 2)}",{24 if k == 2 else 30}\n' for k, one in enumerate(IDS))
    (tmp_path / "lengths.csv").write_text("question_id,effective_length\n" + rows)
    found = import_file(opened, padded, choices=Choices(lengths=tmp_path / "lengths.csv"))
    assert tables(opened, found) == expected
    assert "--lengths" in load.recipe(opened, found)[0]["command"]
    (tmp_path / "odd.csv").write_text("Prompt_ID,Effective_Length\n007,20\nother,3\n")
    notes = load.one(
        opened,
        "capture",
        import_file(opened, write(tmp_path / "t.csv", lines_of()), choices=Choices(lengths=tmp_path / "odd.csv")),
    )["notes"]
    assert notes[0] == "values beyond the given length are left out: 007"
    assert notes[1].startswith("questions have no length and are kept as they are: q,1, ")
    assert notes[2] == "lengths are given for questions that are not there: other"


def test_what_is_wrong_with_rows_is_counted_and_said_by_their_lines(opened, tmp_path):
    lines = lines_of()
    lines[3] = lines[3].replace(",1,1,", ",one,1,", 1)
    lines[7] = "q,1,b,0,1,1.5"
    lines[13] = lines[13].replace(",0,1,", ",0,1.5,", 1)
    lines[20] = lines[20].rpartition(",")[0] + ",x"
    lines.insert(30, lines[29])
    del lines[27]
    lines.append(lines[-1].rpartition(",")[0] + ",9.5")
    found = import_file(opened, write(tmp_path / "s.csv", lines))
    notes = load.one(opened, "capture", found)["notes"]
    assert notes[0] == (
        "4 rows cannot be read and are left out: line 9: 6 cells, not 34; line 5: Layer is 'one'; "
        "line 22: Step_30 is 'x'; line 15: Head is 1.5, not a whole number from 0"
    )
    assert notes[1].startswith("5 rows are missing, whose units have no value there: 1.1 in 007, 0.1 in q,1, ")
    assert notes[2] == "1 rows are there twice, and count once"
    assert notes[3] == "rows of one question and head differ, and are left out: 2.1 in q6"
    kept = load.series(opened, found)
    without = np.isnan(kept).all(axis=2)
    assert np.argwhere(without).tolist() == [[0, 3], [1, 1], [2, 1], [3, 2], [4, 3], [6, 5]]
    np.testing.assert_array_equal(kept[~without], SERIES[~without])


def test_questions_repeated_are_refused_or_dropped_and_fine_series_kept_in_float64(opened, tmp_path):
    fine = 1e4 + 4e-3 * SERIES.astype(float)
    twice = np.concatenate([fine, fine[1:2]])[[0, 1, 2, 3, 4, 5, 7]]
    path = write(tmp_path / "s.csv", lines_of(twice))
    with pytest.raises(UsageError, match="q6 repeats q,1 · keep one of each, or --repeats drop"):
        import_file(opened, path)
    found = import_file(opened, path, choices=Choices(repeats="drop"))
    np.testing.assert_array_equal(load.series(opened, found), fine[:6].reshape(6, 6, -1))
    assert load.one(opened, "capture", found)["notes"] == ["1 prompt is left out as repeated: q6 repeats q,1"]


def test_units_of_a_step_table_are_named_by_layer_and_head(opened, tmp_path):
    path = write(tmp_path / "s.csv", lines_of())
    rows = [f"{k // 2},{k % 2},h{k}" for k in range(6)]
    (tmp_path / "u.csv").write_text("layer,head,name\n" + "\n".join(rows[::-1]))
    naming = load.naming(opened, import_file(opened, path, tmp_path / "u.csv"))
    assert [naming.unit(k) for k in range(6)] == [f"h{k}" for k in range(6)]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("question_id,layer,step_1,step_2", "no column head"),
        ("layer,head,step_1,step_2", "no column question_id"),
        ("question_id,layer,head,step_1,step_3", "no column step_2"),
        ("question_id,layer,head,step_2,step_3", "no column step_1"),
        ("question_id,layer,head,step_1,Step_1", "several columns step_1"),
        ("question_id,layer,head,step_1,step_2", "has no row that can be read: line 2: layer is 'x'"),
    ],
)
def test_tables_that_are_nearly_step_tables_are_refused(header, told, opened, tmp_path):
    (tmp_path / "s.csv").write_text(f"{header}\na,x,0,1,2\n")
    with pytest.raises(UsageError, match=told):
        import_file(opened, tmp_path / "s.csv")
