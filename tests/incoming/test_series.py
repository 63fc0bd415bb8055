"""Series from elsewhere: what they are called, how finely they are kept, and what is one observation measured twice."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ar1

from synergy_tui.errors import UsageError
from synergy_tui.incoming.files import import_file
from synergy_tui.incoming.series import import_series
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.check import check
from synergy_tui.store.query import ask, distinct


@pytest.fixture
def opened(tmp_path) -> Cache:
    return Cache.open(tmp_path / "cache")


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    return ar1(np.random.default_rng(1), (8, 6, 60), 0.5)


def test_layers_and_heads_keep_the_numbers_they_were_given(opened, series, tmp_path):
    np.save(tmp_path / "a.npy", series)
    rows = [(15, 1), (15, 0), (5, 1), (5, 0), (10, 0), (10, 1)]
    (tmp_path / "units.csv").write_text("layer,head\n" + "".join(f"{layer},{head}\n" for layer, head in rows))
    capture = import_file(opened, tmp_path / "a.npy", tmp_path / "units.csv")
    units = load.rows(opened, "SELECT layer, unit, unit_index FROM units WHERE capture = $1 ORDER BY 1, 2", capture)
    assert [(one["layer"], one["unit"]) for one in units] == sorted(rows)
    row = load.one(opened, "capture", capture)
    assert (row["layers"], row["units_per_layer"]) == (16, 2)
    kept = load.series(opened, capture)
    for number, (layer, head) in enumerate(rows):
        np.testing.assert_array_equal(kept[:, layer * 2 + head], series[:, number].astype(np.float32))
    assert np.isnan(kept[:, :10]).all()


def test_the_same_series_under_another_name_are_another_subject(opened, series):
    names = ("first", "second")
    made = [import_series(opened, series, np.arange(6) // 2 if one == "first" else None, name=one) for one in names]
    found = [load.one(opened, "capture", one) for one in made]
    assert found[0]["subject"] != found[1]["subject"]
    assert [one["tasks"] for one in found] == list(names)
    assert [one["layers"] for one in found] == [3, 1]


def test_long_tables_numbered_from_1_are_asked_about(opened, series, tmp_path):
    prompt, unit, step = (one.ravel() for one in np.indices(series.shape))
    for name in ("prompt", "unit_index", "step"):
        columns = {"prompt": prompt, "unit_index": unit, "step": step, "value": series.ravel()}
        columns[name] = columns[name] + 1
        pq.write_table(pa.table(columns), tmp_path / "long.parquet")
        with pytest.raises(UsageError, match=f"{name} begins with 1: is it numbered from 1"):
            import_file(opened, tmp_path / "long.parquet")


@pytest.mark.parametrize("baseline", ["prompts", "counter"])
def test_what_float32_would_lose_within_a_prompt_or_in_its_differences_is_kept_in_float64(opened, series, baseline):
    fine = 4e-3 * series
    if baseline == "prompts":
        fine = fine + 1e4 * (1 + np.arange(8))[:, None, None]
    else:
        fine = fine + 1e5 * np.arange(1, 61)
    kept = load.series(opened, import_series(opened, fine))
    assert kept.dtype == np.float64
    np.testing.assert_array_equal(kept, fine)
    assert load.series(opened, import_series(opened, series)).dtype == np.float32
    assert check(opened) == []
    read = ask(opened, "SELECT max(value), min(value) FROM series GROUP BY capture ORDER BY 1 DESC LIMIT 1")
    assert read.rows == [(fine.max(), fine.min())]


def test_prompts_measured_twice_are_refused_also_with_rounding_between(opened, series):
    twice = series[[0, 1, 2, 3, 1]]
    with pytest.raises(UsageError, match="prompts are repeated: 4 repeats 1"):
        import_series(opened, twice)
    noisy = twice + 1e-5 * np.random.default_rng(2).normal(size=twice.shape)
    with pytest.raises(UsageError, match="prompts are repeated: 4 is nearly 1"):
        import_series(opened, noisy)
    import_series(opened, twice + 0.05 * np.random.default_rng(2).normal(size=twice.shape))


def test_columns_of_equal_names_keep_names_of_their_own(opened):
    assert distinct(["a", "a", "a_2", "A"]) == ["a", "a_3", "a_2", "A_4"]
    answer = ask(opened, "SELECT 1 AS a, 2 AS a, 3 AS a_2")
    assert len(set(answer.columns)) == 3
    assert sorted(answer.as_dicts()[0].values()) == [1, 2, 3]


def test_the_newest_is_the_last_that_was_published_whatever_the_clock_says(opened, series):
    first = import_series(opened, series, name="ahead")
    with opened.write() as con:
        con.execute("UPDATE captures SET created = now() + INTERVAL 3 YEAR")
    second = import_series(opened, series, name="now")
    assert load.find(opened, "capture", None, latest=True) == second
    opened.compact()
    assert load.find(opened, "capture", None, latest=True) == second != first
