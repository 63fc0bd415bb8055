"""A table of units: what groups, layers and units are called, and what is wrong with it in one line."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from conftest import ar1

from synergy_tui.errors import UsageError
from synergy_tui.incoming.files import import_file
from synergy_tui.incoming.mapping import read_units
from synergy_tui.incoming.series import import_series
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

SERIES = ar1(np.random.default_rng(1), (4, 5, 40), 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Cache:
    return Cache.open(tmp_path_factory.mktemp("in") / "cache")


def of(cache: Cache, capture: str) -> list[tuple]:
    query = "SELECT unit_index, layer, unit, depth, name, group_name, more FROM units WHERE capture = $1 ORDER BY 1"
    return [tuple(row.values()) for row in load.rows(cache, query, capture)]


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_groups_without_layers_have_no_depth_and_may_be_unequal(opened, kind, tmp_path):
    np.save(tmp_path / "s.npy", SERIES)
    table = pa.table(
        {
            "name": ["V1", "A1", "V2", None, "MT"],
            "group": ["visual", "auditory", "visual", "auditory", "visual"],
            "x": [1.5, float("nan"), 3.0, 4.0, 5.0],
            "network": ["a", "b", "c", "d", "e"],
        }
    )
    path = tmp_path / f"u.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        pa.csv.write_csv(table, path, pa.csv.WriteOptions(delimiter="," if kind == "csv" else "\t"))
    capture = import_file(opened, tmp_path / "s.npy", path)
    found = of(opened, capture)
    assert [row[:6] for row in found] == [
        (0, 0, 0, None, "V1", "visual"),
        (1, 0, 1, None, "V2", "visual"),
        (2, 0, 2, None, "MT", "visual"),
        (3, 1, 0, None, "A1", "auditory"),
        (4, 1, 1, None, None, "auditory"),
    ]
    assert [json.loads(row[6]) for row in found[::3]] == [{"x": 1.5, "network": "a"}, {"x": None, "network": "b"}]
    kept = load.series(opened, capture)
    np.testing.assert_array_equal(kept[:, :5], SERIES[:, [0, 2, 4, 1, 3]])
    naming = load.naming(opened, capture)
    assert (naming.groups, naming.deep) == (("visual", "auditory"), False)
    assert [naming.number(text) for text in ("MT", "auditory.1", "1.1")] == [2, 4, 4]


def test_layers_may_have_names_and_keep_their_depth(opened, tmp_path):
    np.save(tmp_path / "s.npy", SERIES)
    (tmp_path / "u.csv").write_text("layer,group,unit_index\n2,late,0\n0,early,1\n0,early,4\n1,middle,3\n2,late,2\n")
    capture = import_file(opened, tmp_path / "s.npy", tmp_path / "u.csv")
    assert [row[:6] for row in of(opened, capture)] == [
        (0, 0, 0, 0.0, None, "early"),
        (1, 0, 1, 0.0, None, "early"),
        (2, 1, 0, 0.5, None, "middle"),
        (4, 2, 0, 1.0, None, "late"),
        (5, 2, 1, 1.0, None, "late"),
    ]
    assert load.one(opened, "capture", capture)["notes"] == ["1 groups have one unit, and no pair within them: middle"]
    np.testing.assert_array_equal(load.series(opened, capture)[:, [0, 1, 2, 4, 5]], SERIES[:, [1, 4, 3, 0, 2]])


def test_the_library_names_units_as_a_table_does(opened):
    capture = import_series(
        opened, SERIES, names=list("abcde"), groups=["p", "q", "p", "q", "q"], more=[{"x": k} for k in range(5)]
    )
    assert [row[4:] for row in of(opened, capture)] == [
        ("a", "p", '{"x": 0}'),
        ("c", "p", '{"x": 2}'),
        ("b", "q", '{"x": 1}'),
        ("d", "q", '{"x": 3}'),
        ("e", "q", '{"x": 4}'),
    ]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("head\n0\n1\n2\n3\n4", "give a column layer or group"),
        ("group\na\na\na\nb", "has 4 rows"),
        ("group,group\na,a\na,a\na,a\nb,b\nb,b", "several columns group"),
        ("group,x\na,1\n,1\na,1\n ,1\nb,1", "2 units have no group, in lines 3, 5"),
        ("layer\n0\n\n1\n1\n1", "has 4 rows"),
        ("layer,x\n0,1\n,1\n1,1\n1,1\n1,1", "1 units have no layer, in lines 3"),
        ("layer\n0\n0.5\n1\n1\n1", "layer is float64, not a whole number"),
        ("layer,head\n0,0\n0,1\n0,0\n1,0\n1,0", "the same layer and head: 0.0, 1.0"),
        ("layer,unit_index\n0,0\n0,1\n0,1\n1,3\n1,4", "unit_index is not 0 to 4, each once"),
        ("group,name\na,V1\na,V1\na,V2\nb,V3\nb,V4", "several units have one name: V1"),
        ("group,name\na,0.1\na,V1\na,V2\nb,V3\nb,V4", "has the name '0.1', which is what unit 0.1 is called"),
        ("group,name\na,b.0\na,V1\na,V2\nb,V3\nb,V4", "has the name 'b.0', which is what unit 1.0 is called"),
        ("group\na:b\na:b\na:b\nb\nb", "has a colon, a comma"),
        ('group\n"a,b"\n"a,b"\n"a,b"\nb\nb', "has a colon, a comma"),
        ("group\n1\n1\n2\n2\n2", "group '1' would be taken for a layer's number"),
        ("layer,group\n0,a\n0,b\n1,c\n1,c\n1,c", "layer 0 is called 'a' and 'b'"),
        ("layer,group\n0,a\n0,a\n1,a\n1,a\n1,a", "group 'a' is layer 0 and layer 1"),
        ("layer,head\n-1,0\n0,1\n0,0\n1,0\n1,1", "from -1.0 on"),
        ("layer,head\n0,0\n0,40000\n0,1\n0,2\n0,3", "a layer holds 32,767 units"),
        ("group,name\na,V1 x\na,V1\na,V2\nb,V3", "has 4 rows"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(table, told, tmp_path):
    (tmp_path / "u.csv").write_text(table + "\n")
    with pytest.raises(UsageError) as caught:
        read_units(tmp_path / "u.csv", 5)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert " · " in str(caught.value)
