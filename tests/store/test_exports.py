"""store/exports: what other programs read is what the run says, and no text of a run does anything there."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import networkx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import Command
from safetensors.numpy import load_file

from synergy_tui.bench.made import make_run
from synergy_tui.errors import UsageError
from synergy_tui.store import load, walk
from synergy_tui.store.cache import Cache
from synergy_tui.store.exports import Wanted, form_of, write
from synergy_tui.store.run import read

HOSTILE = '=HYPERLINK("x")<script>alert(1)</script>\x00\x1b[31m | `x` [y](z)\n- "q": &amp; ]]>'
RUN = "dmine"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A run of 6 layers × 4 units whose subject and answers are named to do harm."""
    opened = Cache.open(tmp_path_factory.mktemp("hostile") / "cache")
    make_run(opened, 6, 4, name="mine", called=HOSTILE, text=("=1+1", "-2", " @x"))
    with opened.write() as con:
        con.execute("UPDATE units SET name = ? WHERE unit_index = 1", [HOSTILE])
        con.execute("UPDATE units SET group_name = 'a<b>' WHERE layer = 0")
        con.execute("UPDATE unit_scores SET value = NULL, scaled = NULL WHERE unit_index = 2")
    return opened


def test_the_ending_says_the_form_and_what_was_asked_for_goes_first():
    assert [form_of(Path(name), None) for name in ("a.npz", "a.SYNERGY", "a", "a.feather", "run.v2")] == [
        *("npz", "archive", "parquet", "arrow", "parquet")
    ]
    assert form_of(Path("a.npz"), "csv") == "csv"
    with pytest.raises(UsageError, match="no form 'xls'"):
        form_of(Path("a"), "xls")


def test_arrays_are_the_maps_the_profiles_and_the_matrices(opened, tmp_path):
    write(opened, RUN, tmp_path / "run.npz", "npz", Wanted(series=True))
    write(opened, RUN, tmp_path / "run.safetensors", "safetensors", Wanted(series=True))
    tensors = load_file(tmp_path / "run.safetensors")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as arrays:
        assert set(arrays.files) - {"about"} == set(tensors)
        for name, one in tensors.items():
            np.testing.assert_array_equal(one, arrays[name])
        assert json.loads(str(arrays["about"]))["subject"] == HOSTILE
    run = read(opened, RUN)
    np.testing.assert_array_equal(tensors["rank-difference.scaled"], run.scores["rank-difference"].shown.reshape(6, 4))
    assert np.isnan(tensors["sts"][0, 2])
    assert np.isfinite(tensors["sts"]).sum() == 23
    np.testing.assert_array_equal(tensors["pairs.xtr"], walk.pair_matrix(opened, RUN, "xtr", 24))
    np.testing.assert_array_equal(tensors["series"], load.series(opened, "cmine"))
    assert tensors["profile.z"].shape == (6, 3)
    assert tensors["profile.z"][2, 0] == run.profiles["z"][2]["value"]


def test_no_text_in_csv_is_a_formula_and_numbers_stay_as_they_are(opened, tmp_path):
    write(opened, RUN, tmp_path / "all", "csv")
    with (tmp_path / "all" / "subjects.csv").open(newline="") as file:
        assert next(iter(csv.DictReader(file)))["name"] == f"'{HOSTILE}"
    with (tmp_path / "all" / "prompts.csv").open(newline="") as file:
        assert {row["text"] for row in csv.DictReader(file)} == {"'=1+1-2 @x"}
    with (tmp_path / "all" / "responses.csv").open(newline="") as file:
        assert json.loads(next(iter(csv.DictReader(file)))["pieces"])[:2] == ["=1+1", "-2"]
    with (tmp_path / "all" / "unit_scores.csv").open(newline="") as file:
        values = [row["value"] for row in csv.DictReader(file) if row["score"] == "sts"]
    expected = read(opened, RUN).scores["sts"].values
    assert [float(one) if one else None for one in values] == [None if np.isnan(one) else one for one in expected]
    assert min(expected[np.isfinite(expected)]) < 0
    assert not (tmp_path / "all" / "series.csv").exists()


def test_one_table_is_a_file(opened, tmp_path):
    write(opened, RUN, tmp_path / "heads.arrow", "arrow")
    write(opened, RUN, tmp_path / "units.parquet", "parquet", Wanted(table="units"))
    write(opened, RUN, tmp_path / "series.csv", "csv", Wanted(table="series"))
    heads = pa.ipc.open_file(tmp_path / "heads.arrow").read_all()
    assert (heads.num_rows, heads["sts"].null_count) == (24, 1)
    assert pq.read_table(tmp_path / "units.parquet")["name"].to_pylist()[1] == HOSTILE
    assert len((tmp_path / "series.csv").read_text().splitlines()) == 1 + 4 * 24 * 40
    with pytest.raises(UsageError, match="no table 'x'"):
        write(opened, RUN, tmp_path / "x.csv", "csv", Wanted(table="x"))
    assert not (tmp_path / "x.csv").exists()


def test_scores_of_heads_in_both_shapes(opened, tmp_path):
    write(opened, RUN, tmp_path / "flat.json", "json", Wanted(score="sts"))
    write(opened, RUN, tmp_path / "nested.json", "json", Wanted(score="sts", shape="nested"))
    flat = json.loads((tmp_path / "flat.json").read_text().splitlines()[0])
    nested = json.loads((tmp_path / "nested.json").read_text())
    values = read(opened, RUN).scores["sts"].values
    assert flat == {f"{k // 4}-{k % 4}": values[k] for k in range(24) if k != 2}
    assert flat == {f"{layer}-{head}": value for layer, some in nested.items() for head, value in some.items()}
    with pytest.raises(UsageError, match="no score 'x'"):
        write(opened, RUN, tmp_path / "x.json", "json", Wanted(score="x"))


def test_a_network_is_the_strongest_pairs_with_the_units_names(opened, tmp_path):
    write(opened, RUN, tmp_path / "net.graphml", "graphml", Wanted(atom="rtr", density=0.1))
    graph = networkx.read_graphml(tmp_path / "net.graphml")
    matrix = walk.pair_matrix(opened, RUN, "rtr", 24)
    values = np.sort(matrix[np.triu_indices(24, 1)])[::-1]
    edges = sorted((data["weight"] for *_, data in graph.edges(data=True)), reverse=True)
    assert len(graph) == 24
    np.testing.assert_allclose(edges, values[: round(0.1 * 24 * 23 / 2)], rtol=1e-6)
    for one, other, data in graph.edges(data=True):
        assert data["weight"] == pytest.approx(matrix[int(one[1:]), int(other[1:])])
    assert graph.nodes["n1"]["name"] == HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
    assert graph.nodes["n3"] | {"rank": 0} == {
        "name": "0.3",
        "layer": 0,
        "unit": 3,
        "group": "a<b>",
        "kind": "head",
        "rank": 0,
    }
    assert "rank" not in graph.nodes["n2"]
    with pytest.raises(UsageError, match="are above 0"):
        write(opened, RUN, tmp_path / "all.graphml", "graphml", Wanted(density=1.0))


def test_a_dataset_has_a_card_and_a_file_for_each_configuration(opened, tmp_path):
    write(opened, RUN, tmp_path / "data", "dataset")
    text = (tmp_path / "data" / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    told = yaml.safe_load(front)
    assert "<script>" in told["pretty_name"]
    assert "<script>" not in body
    assert "\x1b" not in text
    files = {one["config_name"]: one["data_files"][0]["path"] for one in told["configs"]}
    assert [one["config_name"] for one in told["configs"] if one.get("default")] == ["heads"]
    assert {"units", "pairs", "unit_scores", "responses"} < set(files) - {"series"} == set(files)
    assert {name: pq.read_metadata(tmp_path / "data" / path).num_rows for name, path in files.items()}["pairs"] == 276
    on_disk = {one.relative_to(tmp_path / "data").as_posix() for one in (tmp_path / "data").rglob("*.parquet")}
    assert on_disk == set(files.values())


def test_nothing_is_replaced_and_no_option_is_passed_over(opened, tmp_path):
    command = Command(opened.folder)
    (tmp_path / "mine.npz").write_text("mine")
    for form in ("npz", "csv", "dataset", "archive", "json"):
        with pytest.raises(UsageError, match="is there already"):
            write(opened, RUN, tmp_path / "mine.npz", form)
    assert (tmp_path / "mine.npz").read_text() == "mine"
    got = command("export", RUN, str(tmp_path / "h.json"), "--series", code=2)
    assert (
        got.stderr
        == "synergy-tui: json has no series to choose · series goes with npz, safetensors, csv, arrow, dataset\n"
    )
    got = command("export", RUN, str(tmp_path / "h.json"), "--score", "sts")
    assert "dmine is in" in got.stdout
    assert json.loads((tmp_path / "h.json").read_text())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["h.json", "mine.npz"]
