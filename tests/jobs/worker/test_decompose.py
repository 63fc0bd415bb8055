"""What `import` and `decompose` make of series measured elsewhere: one database that says how sure each number is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Command, ar1, until, worker_of

from synergy_tui.analysis.profile import SIDES
from synergy_tui.bench import planted
from synergy_tui.errors import UsageError
from synergy_tui.incoming.series import import_series
from synergy_tui.jobs import plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import DecomposeRequest
from synergy_tui.jobs.worker import decompose as worker
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.phiid import ATOMS, decompose, preprocess, surrogates
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import RANKINGS, STS, TESTS

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


@pytest.mark.worker
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_library_imports_as_the_command_does(cache, series):
    opened = Cache.open(cache)
    capture = import_series(opened, series, np.arange(12) // 3, name="mine")
    assert load.one(opened, "capture", capture)["valid_prompts"] == 7
    with pytest.raises(UsageError, match="3 repeats 1"):
        import_series(opened, series[[0, 1, 2, 1]])


@pytest.mark.worker
def test_a_decomposition_with_surrogates_says_how_sure_each_number_is(command, imported, series):
    found = command.json(
        "decompose", imported, "--surrogates", "80", "--null", "window-roll", "--null", "prompt-shuffle"
    )
    assert found["nulls"] == ["prompt-shuffle", "window-roll"]
    assert found["surrogates"] == 80
    assert set(found["surrogate_contrasts"]) == {"prompt-shuffle", "window-roll"}
    valid = series[[0, 1, 2, 3, 4, 5, 7]]
    whole, null = decompose(valid), surrogates(valid, draws=80)
    cache, decomposition = Cache.open(command.cache), found["decomposition"]
    assert load.one(cache, "decomposition", decomposition)["misleading"] == []

    pairs = load.rows(cache, "SELECT * FROM pairs WHERE decomposition = $1 ORDER BY x, y", decomposition)
    column = {name: np.array([row[name] for row in pairs], float) for name in pairs[0] if name != "decomposition"}
    np.testing.assert_allclose(column["sts"], whole.mean[:, STS], rtol=1e-6)
    np.testing.assert_allclose(column["sts_sd"], whole.spread[:, 0], rtol=1e-6)
    np.testing.assert_allclose(column["excess"], null.observed[:, 0] - null.moments.mean[:, 0], atol=1e-6)
    assert ((column["q"] >= column["p"] - 1e-6) & (column["p"] > 0)).all()
    driven = (column["x"] >= 3) & (column["y"] < 9)
    assert (column["rtr_q"][driven] < 0.05).mean() > 0.8
    assert (column["rtr_q"][~driven] < 0.05).mean() < 0.3

    heads = command.json("sql", "SELECT * FROM latest_heads")
    assert all(0 < row["p"] <= 1 and row["z"] is not None and row["rtr_q"] is not None for row in heads)
    tests = load.rows(cache, "SELECT * FROM unit_nulls WHERE decomposition = $1", decomposition)
    assert len(tests) == 2 * 12 * 3
    by_unit = {(row["null_name"], row["unit_index"], row["score"]): row for row in tests}
    for layer_row, unit in zip(heads, range(12), strict=True):
        tests = [by_unit[name, unit, "sts"] for name in found["nulls"]]
        # Of both in one direction: where they put it on different sides it is not coupled, whatever each says.
        assert layer_row["p"] >= max(one["p"] for one in tests) - 1e-6
        if tests[0]["z"] * tests[1]["z"] > 0:
            assert layer_row["p"] == pytest.approx(max(one["p"] for one in tests))
        elif min(abs(one["z"]) for one in tests) > 0.5:
            assert layer_row["p"] == 1
        assert layer_row["excess"] == pytest.approx(
            by_unit["prompt-shuffle", unit, "sts"]["observed"] - by_unit["prompt-shuffle", unit, "sts"]["mean"]
        )
    contrasts = "SELECT count(*) AS n, count(DISTINCT ranking) AS r FROM surrogate_contrasts"
    assert command.json("sql", contrasts) == [{"n": 2 * 80 * len(RANKINGS), "r": len(RANKINGS)}]
    # The contrast against each null, on the prompts and the cut that it takes.
    for null in found["nulls"]:
        asked = f"SELECT * FROM contrast_tests WHERE null_name = '{null}' AND decomposition = $1"
        every = {row["ranking"]: row for row in load.rows(cache, asked, decomposition)}
        assert set(every) == set(RANKINGS)
        of = load.rows(
            cache,
            "SELECT ranking, avg(contrast) AS mean FROM surrogate_contrasts WHERE null_name = $1 GROUP BY ALL",
            null,
        )
        for row in of:
            one = every[row["ranking"]]
            assert one["surrogate"] == pytest.approx(row["mean"])
            assert one["difference"] == pytest.approx(one["observed"] - one["surrogate"])
            assert one["low"] <= one["difference"] <= one["high"]
            assert (one["prompts"], one["draws"]) == (7, 80)
    sides = load.rows(cache, "SELECT * FROM contrast_sides WHERE decomposition = $1", decomposition)
    assert {(row["ranking"], row["side"]) for row in sides} == {(name, side) for name in RANKINGS for side in SIDES}
    assert all(row["low"] <= row["value"] <= row["high"] for row in sides)
    runs = load.rows(cache, "SELECT * FROM null_runs WHERE decomposition = $1", decomposition)
    assert {(row["null_name"], row["ran"], row["prompts"]) for row in runs} == {
        ("prompt-shuffle", True, 7),
        ("window-roll", True, 7),
    }
    shown = command("show", decomposition, "--ranking", "z").stdout
    assert "Against 80 surrogates each of prompt-shuffle and window-roll" in shown
    assert "The contrast minus that of surrogates on the same prompts" in shown
    assert "No surrogates" not in shown


NULLS_ASKED: dict[str, Any] = {"surrogates": 20, "nulls": ("prompt-shuffle", "window-roll")}


def decomposed(cache: Cache, series: np.ndarray, per_layer: int, name: str = "dmade") -> str:
    """A decomposition with both nulls, made in this process."""
    capture = import_series(cache, series.astype(np.float32), np.arange(series.shape[1]) // per_layer)
    job = JobFolder(cache.jobs / name)
    job.shards.mkdir(parents=True, exist_ok=True)
    spec = plan.decompose_finished(cache, DecomposeRequest(capture=capture, **NULLS_ASKED)).spec
    with Progress(job, {"id": name, "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        worker.work(job, spec, progress)
    return name


@pytest.mark.slow
def test_where_no_null_can_be_trusted_p_and_q_are_withheld_and_it_is_said_why(cache):
    """Independent units that are loud and quiet together. Everything else is there."""
    opened = Cache.open(cache)
    data = planted.WITHOUT["shared volatility"](np.random.default_rng([0, 1])).series[:7, ::3, :50]
    name = decomposed(opened, data, 2)
    row = load.one(opened, "decomposition", name)
    assert (len(row["misleading"]), "share volatility" in row["misleading"][0]) == (1, True)
    (pairs,) = load.rows(
        opened, "SELECT count(p) AS p, count(q) AS q, count(rtr_q) AS r, count(excess) AS e FROM pairs"
    )
    assert pairs == {"p": 0, "q": 0, "r": 0, "e": 66}
    tested = "SELECT count(value) AS n FROM unit_scores WHERE list_contains($1, score)"
    assert load.rows(opened, tested, list(TESTS)) == [{"n": 0}]
    assert load.rows(opened, tested, ["z", "excess"]) == [{"n": 24}]
    (single,) = load.rows(opened, "SELECT count(p) AS n FROM unit_nulls WHERE score = 'sts'")
    assert single["n"] == 24
    names = {one["name"] for one in load.rows(opened, "SELECT name FROM confounds")}
    assert "shared volatility" in names
    assert not {one for one in names if "coupled" in one}


@pytest.mark.slow
def test_a_null_that_cannot_be_run_leaves_the_other_in_place(cache):
    """Of four responses of 50 steps and three of 30 no five are alike."""
    opened = Cache.open(cache)
    series = ar1(np.random.default_rng(1), (7, 12, STEPS), 0.5)
    series[4:, :, 30:] = np.nan
    row = load.one(opened, "decomposition", decomposed(opened, series, 3))
    assert row["nulls"] == ["window-roll"]
    runs = {one["null_name"]: one for one in load.rows(opened, "SELECT * FROM null_runs")}
    assert (runs["prompt-shuffle"]["ran"], runs["window-roll"]["ran"]) == (False, True)
    assert "no 5 of the 7 usable ones" in runs["prompt-shuffle"]["note"]
    assert runs["window-roll"]["prompts"] == 7


@pytest.mark.slow
def test_responses_of_another_length_are_counted_and_the_contrast_is_told_at_every_length(cache):
    opened = Cache.open(cache)
    series = ar1(np.random.default_rng(2), (7, 12, STEPS), 0.6)
    series[3, :, 25:] = np.nan
    name = decomposed(opened, series, 3)
    runs = {one["null_name"]: one for one in load.rows(opened, "SELECT * FROM null_runs")}
    assert (runs["prompt-shuffle"]["prompts"], runs["prompt-shuffle"]["unlike"]) == (6, 1)
    assert runs["window-roll"]["prompts"] == 7
    (told,) = load.rows(opened, "SELECT value FROM confounds WHERE name = 'prompts outside the nulls'")
    assert told["value"] == 1
    lengths = load.rows(opened, "SELECT * FROM contrast_lengths ORDER BY steps")
    assert [one["steps"] for one in lengths] == [10, 20, 30, 40, 50]
    assert {one["prompts"] for one in lengths} == {6}
    query = "SELECT observed FROM contrast_tests WHERE null_name = 'prompt-shuffle' AND ranking = 'rank-difference'"
    # At the last of them it is that of the prompts and the cut of prompt-shuffle.
    assert lengths[-1]["contrast"] == pytest.approx(load.rows(opened, query)[0]["observed"])
    assert load.one(opened, "decomposition", name)["valid_prompts"] == 7


@pytest.mark.worker
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


@pytest.mark.worker
def test_lags_make_one_decomposition_each_and_preprocessing_is_recorded(command, imported, series):
    found = command.json("decompose", imported, "--lag", "1,3", "--preprocess", "detrend,drop=2")
    assert [one["lag"] for one in found] == [1, 3]
    assert {one["preprocess"] for one in found} == {"detrend,drop=2"}
    prepared = preprocess(series[[0, 1, 2, 3, 4, 5, 7]], ["detrend", "drop=2"])
    for one in found:
        query = f"SELECT avg(rtr) AS rtr FROM pairs WHERE decomposition = '{one['decomposition']}'"
        expected = decompose(prepared, lag=one["lag"]).mean[:, ATOMS.index("rtr")].mean()
        assert command.json("sql", query)[0]["rtr"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.worker
def test_a_ranking_that_needs_surrogates_says_so_without(command, imported):
    found = command.json("decompose", imported)
    assert "no surrogates were drawn" in command("show", found["decomposition"], "--ranking", "z", code=2).stderr


@pytest.mark.worker
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
