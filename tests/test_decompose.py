"""What `import` and `decompose` make of series measured elsewhere: one database that says how sure each number is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Command, ar1, until, worker_of

from synergy_tui.errors import UsageError
from synergy_tui.phiid import ATOMS, decompose, preprocess, surrogates
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.incoming import import_series
from synergy_tui.terms import RANKINGS, STS

LAYERS, PER_LAYER, PROMPTS, STEPS = 4, 3, 8, 50


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    """Units of the middle layers share a driver; two responses are shorter, one too short."""
    chance = np.random.default_rng(0)
    out = ar1(chance, (PROMPTS, LAYERS * PER_LAYER, STEPS), 0.5)
    out[:, 3:9] += 1.5 * ar1(chance, (PROMPTS, 1, STEPS), 0.5)
    out[5, :, 44:] = np.nan
    out[6, :, 10:] = np.nan
    return out.astype(np.float32)


@pytest.fixture
def imported(command: Command, series, tmp_path) -> str:
    np.save(tmp_path / "s.npy", series)
    (tmp_path / "u.csv").write_text("layer\n" + "\n".join(str(unit // PER_LAYER) for unit in range(12)))
    return command.json("import", str(tmp_path / "s.npy"), "--units", str(tmp_path / "u.csv"))["capture"]


def test_an_import_is_a_capture(command, imported, series):
    cache = Cache.open(command.cache)
    np.testing.assert_array_equal(load.series(cache, imported), series)
    np.testing.assert_array_equal(load.series(cache, imported, [5, 2]), series[[5, 2]])
    row = load.one(cache, "capture", imported)
    assert (row["layers"], row["units_per_layer"], row["prompts"], row["valid_prompts"]) == (4, 3, 8, 7)
    assert command.json("cache", "check")["problems"] == []
    found = command.json("decompose", imported)
    assert found["pairs"] == 66
    assert "imported" in command("ablate", found["decomposition"], code=2).stderr


def test_units_come_in_the_order_of_their_layers_and_npz_and_parquet_are_read(command, series, tmp_path):
    layers = np.arange(12) % 4
    pq.write_table(pa.table({"unit_index": np.arange(12)[::-1], "layer": layers[::-1]}), tmp_path / "u.parquet")
    np.savez(tmp_path / "s.npz", series=series, other=np.zeros(3))
    prompt, unit, step = (axis.ravel() for axis in np.indices(series.shape))
    there = np.isfinite(series).ravel()
    columns = {"prompt": prompt, "unit_index": unit, "step": step, "value": series.ravel()}
    pq.write_table(pa.table({name: column[there] for name, column in columns.items()}), tmp_path / "s.parquet")
    cache = Cache.open(command.cache)
    for name in ("s.npz", "s.parquet"):
        made = command.json("import", str(tmp_path / name), "--units", str(tmp_path / "u.parquet"), "--name", "Mine")
        expected = series[:, np.argsort(layers, kind="stable")]
        np.testing.assert_array_equal(load.series(cache, made["capture"]), expected)
        assert (made["layers"], made["units_per_layer"]) == (4, 3)


def test_the_library_imports_as_the_command_does(cache, series):
    opened = Cache.open(cache)
    capture = import_series(opened, series, np.arange(12) // 3, name="mine")
    assert load.one(opened, "capture", capture)["valid_prompts"] == 7
    with pytest.raises(UsageError, match="3 repeats 1"):
        import_series(opened, series[[0, 1, 2, 1]])


def test_a_decomposition_with_surrogates_says_how_sure_each_number_is(command, imported, series):
    found = command.json(
        "decompose", imported, "--surrogates", "30", "--null", "window-roll", "--null", "prompt-shuffle"
    )
    assert found["nulls"] == ["prompt-shuffle", "window-roll"]
    assert found["surrogates"] == 30
    assert set(found["surrogate_contrasts"]) == {"prompt-shuffle", "window-roll"}
    valid = series[[0, 1, 2, 3, 4, 5, 7]]
    whole, null = decompose(valid), surrogates(valid, draws=30)
    cache, decomposition = Cache.open(command.cache), found["decomposition"]

    pairs = load.rows(cache, "SELECT * FROM pairs WHERE decomposition = $1 ORDER BY x, y", decomposition)
    column = {name: np.array([row[name] for row in pairs], float) for name in pairs[0] if name != "decomposition"}
    np.testing.assert_allclose(column["sts"], whole.mean[:, STS], rtol=1e-6)
    np.testing.assert_allclose(column["sts_sd"], whole.spread[:, 0], rtol=1e-6)
    np.testing.assert_allclose(column["excess"], null.observed[:, 0] - null.moments.mean[:, 0], atol=1e-6)
    assert ((column["q"] >= column["p"] - 1e-6) & (column["p"] > 0)).all()
    driven = (column["x"] >= 3) & (column["y"] < 9)
    assert (column["rtr_q"][driven] < 0.05).mean() > 0.9
    assert (column["rtr_q"][~driven] < 0.05).mean() < 0.3

    heads = command.json("sql", "SELECT * FROM latest_heads")
    assert all(0 < row["p"] <= 1 and row["z"] is not None and row["rtr_q"] is not None for row in heads)
    tests = load.rows(cache, "SELECT * FROM unit_nulls WHERE decomposition = $1", decomposition)
    assert len(tests) == 2 * 12 * 3
    by_unit = {(row["null_name"], row["unit_index"], row["score"]): row for row in tests}
    for layer_row, unit in zip(heads, range(12), strict=True):
        p = [by_unit[name, unit, "sts"]["p"] for name in found["nulls"]]
        assert layer_row["p"] == pytest.approx(max(p))
        assert layer_row["excess"] == pytest.approx(
            by_unit["prompt-shuffle", unit, "sts"]["observed"] - by_unit["prompt-shuffle", unit, "sts"]["mean"]
        )
    contrasts = "SELECT count(*) AS n, count(DISTINCT ranking) AS r FROM surrogate_contrasts"
    assert command.json("sql", contrasts) == [{"n": 2 * 30 * len(RANKINGS), "r": len(RANKINGS)}]
    shown = command("show", decomposition, "--ranking", "z").stdout
    assert "prompt-shuffle, 30 surrogates" in shown
    assert "No surrogates" not in shown


@pytest.mark.parametrize(
    ("options", "how"),
    [
        (["--estimator", "discrete", "--redundancy", "ccs"], {"estimator": "discrete", "redundancy": "ccs"}),
        (["--pool", "pooled"], {"pool": "pooled"}),
        (["--precision", "float32"], {"precision": "float32"}),
    ],
)
def test_every_method_is_recorded_and_is_the_librarys(command, imported, series, options, how):
    found = command.json("decompose", imported, *options)
    expected = decompose(series[[0, 1, 2, 3, 4, 5, 7]], **how)
    assert how.items() <= found.items()
    assert found["nulls"] == []
    (row,) = command.json("sql", "SELECT avg(sts) AS sts, avg(rtr) AS rtr FROM pairs")
    assert row["sts"] == pytest.approx(expected.mean[:, STS].mean(), rel=1e-4)
    assert found["valid_prompts"] == 7


def test_lags_make_one_decomposition_each_and_preprocessing_is_recorded(command, imported, series):
    found = command.json("decompose", imported, "--lag", "1,3", "--preprocess", "detrend,drop=2")
    assert [one["lag"] for one in found] == [1, 3]
    assert {one["preprocess"] for one in found} == {"detrend,drop=2"}
    prepared = preprocess(series[[0, 1, 2, 3, 4, 5, 7]], ["detrend", "drop=2"])
    for one in found:
        query = f"SELECT avg(rtr) AS rtr FROM pairs WHERE decomposition = '{one['decomposition']}'"
        expected = decompose(prepared, lag=one["lag"]).mean[:, ATOMS.index("rtr")].mean()
        assert command.json("sql", query)[0]["rtr"] == pytest.approx(expected, rel=1e-5)


def test_a_ranking_that_needs_surrogates_says_so_without(command, imported):
    found = command.json("decompose", imported)
    assert "no surrogates were drawn" in command("show", found["decomposition"], "--ranking", "z", code=2).stderr


def test_a_killed_decomposition_keeps_its_blocks_and_ends_with_the_undisturbed_numbers(command, imported):
    options = ("--surrogates", "400", "--null", "prompt-shuffle", "--null", "window-roll")
    job = command.json("decompose", imported, *options, "--detach")["job"]
    shards = command.cache / "jobs" / job / "shards"
    until(lambda: list(shards.glob("prompt-shuffle-*.npz")))
    worker_of(command.cache, job).kill()
    command.wait(job, "failed")
    (shards / "block-0000.npz").write_bytes(b"damaged")
    command("jobs", "resume", job)
    stages = command.wait(job, "done")["stages"]
    assert [one.get("kept") for one in stages if one["name"] in ("decompose", "surrogates")][:2] == [None, 400]
    assert "damaged and will be made again" in command("jobs", "logs", job).stdout
    other = command.json("decompose", imported, *options)["decomposition"]
    query = "SELECT * EXCLUDE (decomposition) FROM pairs WHERE decomposition = '{}' ORDER BY x, y"
    assert command.json("sql", query.format(job)) == command.json("sql", query.format(other))
