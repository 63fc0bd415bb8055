"""A run piece by piece: what the explorer reads is what the cache holds, from either side of a pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synergy_tui.errors import CacheError, UsageError
from synergy_tui.explorer.widgets.matrix import levels
from synergy_tui.jobs import parts
from synergy_tui.settings import shipped
from synergy_tui.store import run as stored
from synergy_tui.store import walk
from synergy_tui.store.archive import Archive
from synergy_tui.store.query import ask
from synergy_tui.terms import ATOMS, RTR, STS

SWAPPED = {
    "xtx": "yty",
    "rtx": "rty",
    "xts": "yts",
    "stx": "sty",
    "xtr": "ytr",
    "xty": "ytx",
    "sts": "sts",
    "rtr": "rtr",
}


@pytest.fixture(scope="module")
def sample() -> tuple[Archive, str]:
    archive = Archive.open(shipped("sample"))
    return archive, ask(archive, "SELECT decomposition FROM decompositions").rows[0][0]


@pytest.mark.slow
def test_a_unit_is_x_in_all_its_pairs(sample):
    archive, run = sample
    unit = 100
    found = walk.partners(archive, run, unit)
    assert sorted(found["partner"]) == [one for one in range(270) if one != unit]
    for partner in (3, 200):
        place = int(np.flatnonzero(found["partner"] == partner)[0])
        x, y = min(unit, partner), max(unit, partner)
        row = ask(
            archive, f"SELECT {', '.join(ATOMS)}, tdmi, excess, z FROM pairs WHERE x = {x} AND y = {y}"
        ).as_dicts()[0]
        for mine, theirs in SWAPPED.items():
            assert found[mine][place] == pytest.approx(row[mine if unit == x else theirs])
        assert found["tdmi"][place] == pytest.approx(row["tdmi"], abs=1e-6)
        one = walk.pair(archive, run, unit, partner)
        assert one["xty"] == pytest.approx(found["xty"][place])
        # Against surrogates where there are some, as everywhere else.
        assert one["excess"] == pytest.approx(row["excess"]) == pytest.approx(found["excess"][place])
        assert one["z"] == pytest.approx(row["z"])


@pytest.mark.slow
def test_the_matrix_is_the_pairs_from_both_sides(sample):
    archive, run = sample
    for atom in ("sts", "xty", "tdmi", "excess"):
        matrix = walk.pair_matrix(archive, run, atom, 270)
        assert np.isnan(np.diag(matrix)).all()
        for x, y in ((3, 200), (200, 3), (0, 269)):
            assert matrix[x, y] == pytest.approx(walk.pair(archive, run, x, y)[atom], rel=1e-5, abs=1e-7)


def test_cells_are_means_of_their_known_pairs_and_end_at_layers():
    matrix = np.random.default_rng(0).normal(size=(21, 21)).astype(np.float32)
    np.fill_diagonal(matrix, np.nan)
    matrix[3] = np.nan
    found = levels(matrix, 7)
    assert [int(np.diff(level.edges).max()) for level in found] == [7, 3, 1]
    for level in found:
        assert set(range(0, 22, 7)) <= set(level.edges.tolist())
        for row in range(len(level.edges) - 1):
            for column in range(len(level.edges) - 1):
                part = matrix[level.edges[row] : level.edges[row + 1], level.edges[column] : level.edges[column + 1]]
                known = part[np.isfinite(part)]
                expected = known.mean() if len(known) else np.nan
                np.testing.assert_allclose(level.values[row, column], expected, rtol=1e-5, atol=1e-6)


def test_series_by_prompt_and_by_unit_agree(sample):
    archive, _ = sample
    capture = ask(archive, "SELECT capture FROM captures").rows[0][0]
    of_unit = walk.series_of_unit(archive, capture, 17)
    of_prompt = walk.series_of_prompt(archive, capture, 5)
    np.testing.assert_allclose(of_prompt[17][: len(of_unit[5])], of_unit[5], rtol=1e-6)
    assert len(of_unit) == 30


def test_what_is_not_there_is_told(sample, tmp_path):
    archive, run = sample
    with pytest.raises(UsageError, match="no longer in this cache"):
        stored.read(archive, "dnone")
    with pytest.raises(CacheError, match="is missing"):
        walk.pair_matrix(archive, "dnone", "sts", 3)
    assert walk.pair(archive, run, 4, 4) == {}


def test_a_growing_map_is_the_mean_of_the_blocks_there_are(tmp_path: Path):
    chance = np.random.default_rng(0)
    pairs = np.array([(i, j) for i in range(5) for j in range(i + 1, 5)], np.int32)
    mean = chance.normal(size=(10, 16))
    mean[0] = np.nan
    np.savez(tmp_path / "block-0000.npz", pairs=pairs[:4], mean=mean[:4])
    (tmp_path / "block-0001.npz").write_bytes(b"half")
    found, share = parts.partial_map(tmp_path, "decompose", 6)
    assert share == pytest.approx(4 / 6)  # 0 with 2, 3 and 4; its pair with 1 is invalid, and 5 has none yet
    np.testing.assert_allclose(found["sts"][0], mean[1:4, STS].mean())
    np.testing.assert_allclose(found["rtr"][3], mean[2, RTR])
    np.testing.assert_allclose(found["difference"][3], mean[2, STS] - mean[2, RTR])
    assert np.isnan(found["sts"][1])


def test_growing_curves_come_from_the_conditions_there_are(tmp_path: Path):
    table = pa.table({"prompt": [0, 1], "divergence": [0.2, 0.4]})
    told = {"removal_order": "layer-matched", "target": "marked", "seed": "3", "fraction": "0.1"}
    pq.write_table(table.replace_schema_metadata(told), tmp_path / "one.parquet")
    (tmp_path / "two.parquet").write_bytes(b"half")
    (point,) = parts.partial_curves(tmp_path)
    assert vars(point) == told | {"fraction": 0.1, "divergence": pytest.approx(0.3)}
