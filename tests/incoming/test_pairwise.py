"""Tables of pairs: what a decomposition made here says of units comes out of its own pairs again, and what is wrong
with a table is said or refused."""

from __future__ import annotations

import gzip
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ar1

from synergy_tui.errors import UsageError
from synergy_tui.incoming import pairwise
from synergy_tui.store import load
from synergy_tui.store.archive import Archive, export
from synergy_tui.store.cache import Cache
from synergy_tui.store.check import check
from synergy_tui.store.query import ask
from synergy_tui.store.run import read
from synergy_tui.store.runs import compared
from synergy_tui.terms import ATOMS, OF_TWO_ATOMS, RTR, STS

COLUMNS = ["question_id", "layer_1", "head_1", "layer_2", "head_2", "syn", "red"]


@pytest.fixture
def opened(tmp_path) -> Cache:
    return Cache.open(tmp_path / "cache")


def table(questions: int = 6, layers: int = 4, heads: int = 3, seed: int = 0) -> list[list]:
    """A whole table, a list of rows."""
    x, y = np.triu_indices(layers * heads, 1)
    values = np.random.default_rng(seed).uniform(0.1, 1, (questions, len(x), 2)) + 0.1 * (x % 5)[:, None]
    return [
        [f"q{question}", *divmod(int(one), heads), *divmod(int(other), heads), *map(float, values[question, pair])]
        for question in range(questions)
        for pair, (one, other) in enumerate(zip(x, y, strict=True))
    ]


def written(place, rows: list[list], columns: list[str] = COLUMNS):
    place.write_text("\n".join(",".join(map(str, row)) for row in [columns, *rows]) + "\n")
    return place


def imported(opened: Cache, tmp_path, rows: list[list], **more) -> tuple[str, str]:
    run, lines = pairwise.import_pairs(opened, written(tmp_path / "pairs.csv", rows), replicates=20, **more)
    return run, "\n".join(lines)


@pytest.mark.worker
def test_a_decomposition_comes_out_of_its_own_pairs(command, tmp_path):
    from synergy_tui.phiid import decompose

    series = ar1(np.random.default_rng(1), (9, 8, 60), 0.6).astype(np.float32)
    series[:, 2:5] += series[:, :1]
    series[3, 6] = 1.0  # a constant window makes pairs of one prompt invalid
    series[5, :, 45:] = np.nan
    np.save(tmp_path / "a.npy", series)
    (tmp_path / "u.csv").write_text("layer,head\n" + "".join(f"{unit // 2},{unit % 2}\n" for unit in range(8)))
    capture = command.json("import", f"{tmp_path / 'a.npy'}", "--units", f"{tmp_path / 'u.csv'}")["capture"]
    original = command.json("decompose", capture, "--seed", "3")["decomposition"]

    rows = []
    for prompt, one in enumerate(series):
        found = decompose(one[None, :, : int(np.isfinite(one[0]).sum())].astype(float))
        for (x, y), mean in zip(found.pairs.tolist(), found.mean, strict=True):
            values = [mean[STS] / np.log(2), mean[RTR] / np.log(2)]
            rows.append(
                [prompt, x // 2, x % 2, y // 2, y % 2, *("" if np.isnan(v) else repr(float(v)) for v in values)]
            )
    cache = Cache.open(command.cache)
    file = written(tmp_path / "p.csv", rows, ["Prompt_ID", "Layer_1", "Head_1", "Layer_2", "Head_2", "STS", "RTR"])
    run, lines = pairwise.import_pairs(cache, file, unit="bits", seed=3)
    assert any("7 of 252 values are empty" in one for one in lines), lines

    first, second = read(cache, original), read(cache, run)
    assert set(second.scores) == {*OF_TWO_ATOMS, "sts", "rtr"}
    for name in second.scores:
        for part in ("values", "shown", "low", "high"):
            own = getattr(first.scores[name], part)
            np.testing.assert_allclose(getattr(second.scores[name], part), own, rtol=0, atol=1e-9, err_msg=name)
    for name in OF_TWO_ATOMS:
        for one, other in zip(first.profiles[name], second.profiles[name], strict=True):
            assert other == pytest.approx(one, abs=1e-9)
        assert second.contrasts[name] == pytest.approx(first.contrasts[name], abs=1e-9)
        assert np.isfinite([second.contrasts[name][end] for end in ("contrast", "low", "high")]).all()
    for name in ("synergy~redundancy", "split-half Spearman", "prompts valid"):
        assert second.confounds[name] == pytest.approx(first.confounds[name], abs=1e-9)
    query = "SELECT x, y, sts, rtr, sts_sd, rtr_sd, valid_prompts FROM pairs WHERE decomposition = '{}' ORDER BY x, y"
    for one, other in zip(*(ask(cache, query.format(name)).rows for name in (original, run)), strict=True):
        assert other == pytest.approx(one, rel=1e-6)
    assert [one.contrast for one in compared(cache, [original, run], "difference")]  # of whatever method


def test_what_two_atoms_do_not_allow_is_null_and_the_cache_is_whole(opened, tmp_path):
    run, told = imported(opened, tmp_path, table())
    assert told == "Values are taken as nats."
    found = read(opened, run)
    assert (found.row["estimator"], found.row["redundancy"], found.row["lag"], found.row["steps"]) == (
        ("imported",) + (None,) * 3
    )
    with pytest.raises(UsageError, match="no ranking excess: it was imported without other atoms, and without series"):
        found.check_ranking("excess")
    others = [name for name in ATOMS if name not in ("sts", "rtr")]
    assert ask(opened, f"SELECT count(sts), {', '.join(f'count({one})' for one in others)} FROM pairs").rows == [
        (66, *[0] * len(others))
    ]
    assert ask(opened, "SELECT count(sts), count(tdmi), count(excess) FROM heads").rows == [(12, 0, 0)]
    assert check(opened) == []
    export(opened, run, tmp_path / "out")
    again = read(Archive.open(tmp_path / "out"), run)
    np.testing.assert_array_equal(again.scores["balance"].values, found.scores["balance"].values)
    assert [one["command"].split()[:2] for one in load.recipe(opened, run)] == [["synergy-tui", "import"]]


def test_what_needs_series_is_refused_in_a_line(command, tmp_path):
    file = written(tmp_path / "pairs.csv", table(questions=2))
    shown = command("import", f"{file}").stdout
    assert "no series: tokens, nulls" in shown
    run = command.json("import", f"{file}")["decomposition"]
    for words in (("decompose",), ("networks",), ("claims", "--yes"), ("oinfo",)):
        refused = command(words[0], run, *words[1:], code=2).stderr
        assert "was imported as a table of pairs: it has no series to" in refused
        assert len(refused.splitlines()) == 1
    assert "imported and has no model to ablate" in command("ablate", run, code=2).stderr
    assert "every run is up to date" in command("renew", "--all").stderr


def test_the_same_table_in_every_form_is_the_same(opened, tmp_path):
    rows = table()
    run, _ = imported(opened, tmp_path, rows)
    own = read(opened, run)
    plain = (tmp_path / "pairs.csv").read_bytes()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(plain))
    (tmp_path / "b.csv").write_bytes(b"\xef\xbb\xbf" + plain.replace(b",", b";"))
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table({name: pa.array(one) for name, one in columns.items()}), tmp_path / "c.parquet")
    one_based = [[q, a + 1, b + 1, c + 1, d + 1, s, r] for q, a, b, c, d, s, r in rows]
    both = [row for q, a, b, c, d, s, r in rows for row in ([q, a, b, c, d, s, r], [q, c, d, a, b, s, r])]
    files = [tmp_path / "a.csv.gz", tmp_path / "b.csv", tmp_path / "c.parquet"]
    files += [written(tmp_path / "d.csv", one_based), written(tmp_path / "e.csv", both)]
    said = ["", "", "", "1.1 of the table is 0.0 here", "both directions, with equal values"]
    for file, words in zip(files, said, strict=True):
        other, lines = pairwise.import_pairs(opened, file, replicates=20)
        found = read(opened, other)
        for name, score in own.scores.items():
            np.testing.assert_allclose(found.scores[name].values, score.values, rtol=1e-12, err_msg=file.name)
        assert words in "\n".join(lines)


def test_what_is_suspicious_is_said_and_stays_with_the_run(opened, tmp_path):
    rows = table()
    rows[6 * 0 + 1][5] = -0.25  # below 0
    rows[2][6] = ""
    rows[3][5] = "nan"
    for row in rows[70:75]:
        row[5:] = [0.0, 0]
    rows += [["q0", 1, 1, 1, 1, 3, 3]]  # a unit with itself
    rows += [["q7", *row[1:]] for row in rows[132:198]]  # q2 again
    del rows[260:270]
    run, told = imported(opened, tmp_path, rows)
    for words in (
        "1 rows pair a unit with itself",
        "10 of 462 pairs × questions are not in the table",
        "2 of 452 values are empty or not finite",
        "5 of 452 values (1.1%) are exactly 0 in both atoms",
        "q7 repeats q2",
        "1 values of syn are below 0, which neither atom ever is under MMI",
    ):
        assert words in told, told
    kept = read(opened, run).confounds
    names = ("values missing", "values empty", "values exactly 0", "prompts repeated", "values below 0")
    assert [kept[name] for name in names] == [10, 2, 5, 1, 1]
    assert load.one(opened, "decomposition", run)["reasons"] == {"not finite": 2, "not in the table": 10}


def test_rows_that_are_none_are_counted_and_the_first_five_shown(opened, tmp_path):
    rows = table()
    rows[0][5] = "high"
    rows[1][1] = 1.5
    rows[2][3] = ""
    rows[3] = rows[3][:4]
    rows[4] = [*rows[4], 1, 2]
    rows[5][0] = ""
    rows[6][4] = "x\x1b[31m"
    _, told = imported(opened, tmp_path, rows)
    assert "7 rows cannot be read and are left out" in told
    assert "and 2 more" in told
    assert "row 4 (q0,0,0,1: 4 cells)" in told
    assert "high" in told
    assert "\x1b" not in told


def test_what_would_need_a_guess_is_refused(opened, tmp_path):
    rows = table()
    with pytest.raises(UsageError, match=r"several rows for one question and pair: 1, the first are rows 397 · keep"):
        imported(opened, tmp_path, [*rows, rows[7]])
    turned = [rows[7][0], *rows[7][3:5], *rows[7][1:3], rows[7][5] + 0.25, rows[7][6]]
    with pytest.raises(UsageError, match=r"1 of 1 pairs have two values.* differ by up to 0.25 nats .*--average takes"):
        imported(opened, tmp_path, [*rows, turned])
    run, told = imported(opened, tmp_path, [*rows, turned], average=True)
    assert "their mean is taken" in told
    x, y = sorted((rows[7][1] * 3 + rows[7][2], rows[7][3] * 3 + rows[7][4]))
    query = f"SELECT sts FROM pairs WHERE decomposition = '{run}' AND x = {x} AND y = {y}"
    mine = [row[5] for row in rows if row[1:5] == rows[7][1:5]]
    assert ask(opened, query).rows[0][0] == pytest.approx(np.mean(mine) + 0.125 / len(mine), rel=1e-6)
    for wrong, match in (
        ([["q", -1, 0, 1, 0, 1, 1]], "row 1 has a layer or head below 0"),
        ([["q", 0, 0, 1, 0, "", ""]], "no value of a pair"),
        ([["q", "a", 0, 1, 0, 1, 1]], r"no row of a pair: row 1 \(q, a, 0, 1, 0, 1, 1\)"),
        ([["q", 0, 0, 10**7, 0, 1, 1]], "units lie on 10,000,001 layers × 1 places"),
    ):
        with pytest.raises(UsageError, match=match):
            imported(opened, tmp_path, wrong)
    with pytest.raises(UsageError, match="columns syn and sts may both be syn"):
        pairwise.import_pairs(opened, written(tmp_path / "b.csv", rows, [*COLUMNS[:-1], "sts"]))
    (tmp_path / "c.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(UsageError, match="cannot be read"):
        pairwise.import_pairs(opened, tmp_path / "c.csv.gz")
    captures = ask(opened, "SELECT count(*) FROM captures").rows[0][0]
    assert captures == ask(opened, "SELECT count(*) FROM decompositions").rows[0][0] == 1


def test_without_questions_there_is_no_interval_and_categories_are_profiled(opened, tmp_path):
    rows = [row[1:] for row in table(questions=1)]
    run, lines = pairwise.import_pairs(opened, written(tmp_path / "one.csv", rows, COLUMNS[1:]), replicates=20)
    assert "no value has an interval" in "\n".join(lines)
    found = read(opened, run)
    assert found.contrasts["difference"]["contrast"] is not None
    assert found.contrasts["difference"]["low"] is None
    named = [[*row, "ab"[int(row[0][1:]) % 2]] for row in table()]
    run, _ = pairwise.import_pairs(opened, written(tmp_path / "two.csv", named, [*COLUMNS, "Category"]), replicates=20)
    query = f"SELECT category, prompts FROM category_contrasts WHERE decomposition = '{run}' ORDER BY 1"
    assert ask(opened, query).rows == [("a", 3), ("b", 3)]


def test_what_is_a_table_of_pairs_is_known_by_its_columns():
    assert pairwise.recognised(COLUMNS)
    assert pairwise.recognised(["Layer 1", "HEAD_1", "layer-2", "Head2", "Synergy", "Redundancy"])
    assert pairwise.recognised(["x_layer", "x_unit", "y_layer", "y_unit", "sts", "rtr", "tdmi"])
    assert not pairwise.recognised(["layer", "head", "syn", "red"])
    assert not pairwise.recognised(["prompt", "unit_index", "step", "value"])


@pytest.mark.worker
def test_an_import_loads_no_model_no_jax_and_no_scipy(tmp_path):
    file = written(tmp_path / "pairs.csv", table())
    script = (
        "import sys; from pathlib import Path; from synergy_tui.incoming import pairwise\n"
        "from synergy_tui.store.cache import Cache\n"
        f"pairwise.import_pairs(Cache.open(Path({str(tmp_path / 'cache')!r})), Path({str(file)!r}))\n"
        "print(sorted({'torch', 'jax', 'jaxlib', 'scipy', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
