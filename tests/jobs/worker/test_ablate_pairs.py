"""Pairs removed together on a tiny subject with random weights: what is measured is what a marked set of two is, their
controls are what they are said to be, and what was measured before is not measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from synergy_tui.ablation.pairs import MIDDLE
from synergy_tui.drawing import curves
from synergy_tui.errors import Cancelled, UsageError
from synergy_tui.jobs import plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import AblateRequest, CaptureRequest, Spec
from synergy_tui.jobs.worker import ablate, capture
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import load, walk
from synergy_tui.store.archive import Archive, export
from synergy_tui.store.bulk import PAIR_FILE
from synergy_tui.store.cache import Cache
from synergy_tui.store.check import check
from synergy_tui.store.publish import delete, publish_decomposition
from synergy_tui.terms import ATOMS, MEASURES, RANKINGS

UNITS, PER_LAYER = 16, 4
TEXTS = ["one", "a longer prompt", "three", "and yet another one", "five and six"]

Made = tuple[Cache, str]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Made:
    """A capture and a made-up decomposition of it: sts, rtr of all 120 pairs are known, without surrogates."""
    folder = tmp_path_factory.mktemp("pairs")
    cache = Cache.open(folder / "cache")
    (folder / "texts.txt").write_text("\n".join(TEXTS))
    asked = CaptureRequest(subject=str(tiny), tasks=str(folder / "texts.txt"), steps=24, batch=5)
    job = _work(cache, "cpairs", capture, plan.capture(folder, asked).spec)
    for name, excess in (("dpairs", False), ("dnulls", True)):
        _decomposed(cache, job.id, name, _pairs(excess))
    return cache, "dpairs"


def _decomposed(cache: Cache, capture_id: str, name: str, pairs: pa.Table) -> None:
    scores = [
        {"decomposition": name, "unit_index": unit, "score": score, "value": float(unit)}
        for score in (*RANKINGS, *MEASURES, *ATOMS)
        for unit in range(UNITS)
    ]
    row = {"decomposition": name, "capture": capture_id, "estimator": "gaussian", "redundancy": "mmi", "lag": 1}
    publish_decomposition(cache, name, {"decompositions": [row], "unit_scores": scores}, iter([pairs]))


def _pairs(excess: bool, known: int = 120) -> pa.Table:
    x, y = np.triu_indices(UNITS, 1)
    chance = np.random.default_rng(3)
    columns: dict[str, Any] = {name: np.zeros(len(x), np.float32) for name in ATOMS}
    columns |= {name: chance.random(len(x)).astype(np.float32) for name in ("sts", "rtr")}
    columns["sts"][known:] = np.nan
    columns |= {"x": x, "y": y, "offset": columns["sts"] / 2, "valid_prompts": np.full(len(x), 5)}
    for side, unit in (("x", x), ("y", y)):
        columns |= {f"{side}_layer": unit // PER_LAYER, f"{side}_unit": unit % PER_LAYER}
    columns["reason"] = np.zeros(len(x), int)
    if excess:
        columns["excess"] = -columns["sts"]
    arrays = {name: pa.array(column) for name, column in columns.items()}
    for field in PAIR_FILE:
        arrays.setdefault(field.name, pa.nulls(len(x), field.type))
    return pa.table(arrays).select(PAIR_FILE.names).cast(PAIR_FILE)


def _work(cache: Cache, name: str, kind: Any, spec: Spec) -> JobFolder:
    job = JobFolder(cache.jobs / name)
    job.shards.mkdir(parents=True, exist_ok=True)
    with Progress(job, {"id": name, "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        kind.work(job, spec, progress)
    return job


def _plan(run: Made, **chosen: Any) -> plan.Plan[Any]:
    usual = {"orders": ["pairs"], "pairs": 4, "fractions": [0.125], "prompts": 3, "device": "cpu", "seeds": 1}
    return plan.ablate(run[0], run[0].folder, AblateRequest(decomposition=run[1], **(usual | chosen)))


def _ablated(run: Made, name: str, **chosen: Any) -> dict[str, Any]:
    _work(run[0], name, ablate, _plan(run, **chosen).spec)
    return load.ablation(run[0], name)


@pytest.fixture(scope="module")
def found(run: Made) -> dict[str, Any]:
    return _ablated(run, "afirst")


def test_a_pair_costs_what_a_marked_set_of_its_two_units_does(run, found):
    alone = {one["unit_index"]: one["divergence"] for one in found["sweeps"]["single-units"]}
    assert len(alone) == UNITS  # the job removed every unit alone, to match the controls
    assert len(found["pairs"]) == 16  # four by sts, four by rtr, and a control of each
    for one in found["pairs"]:
        assert one["divergence_x"] == pytest.approx(alone[one["x"]], rel=1e-9)
        assert one["divergence_y"] == pytest.approx(alone[one["y"]], rel=1e-9)
        parts = one["divergence"] - one["divergence_x"] - one["divergence_y"]
        assert one["interaction"] == pytest.approx(parts, abs=1e-12)
        assert one["low"] < one["interaction"] < one["high"]
    for number, one in enumerate(found["pairs"][::7]):
        names = (f"{one['x_layer']}.{one['x_unit']}", f"{one['y_layer']}.{one['y_unit']}")
        marked = _ablated(run, f"amarked{number}", orders=["marked"], units=names, pairs=20)
        (curve,) = marked["orders"]["marked"]["curves"]
        assert curve["removed"] == [2]
        assert one["divergence"] == curve["divergence"][0] > 1e-4


def test_the_strongest_are_chosen_and_their_controls_are_of_the_same_layers_and_middling(run, found):
    table = _pairs(False)
    x, y, sts, rtr = (table[name].to_numpy() for name in ("x", "y", "sts", "rtr"))
    chosen = {(one["x"], one["y"]) for one in found["pairs"] if one["role"] == "chosen"}
    for score, values in (("sts", sts), ("rtr", rtr)):
        mine = {(one["x"], one["y"]) for one in found["pairs"] if (one["score"], one["role"]) == (score, "chosen")}
        assert mine == {(int(x[at]), int(y[at])) for at in np.argsort(-values)[:4]}
        controls = [one for one in found["pairs"] if (one["score"], one["role"]) == (score, "control")]
        assert {(one["control_of_x"], one["control_of_y"]) for one in controls} == mine
        assert len({(one["x"], one["y"]) for one in controls}) == 4
        for one in controls:
            layers = (one["x_layer"], one["y_layer"])
            assert (one["x"], one["y"]) not in chosen
            assert layers == (one["control_of_x"] // PER_LAYER, one["control_of_y"] // PER_LAYER)
            alike = values[(x // PER_LAYER == layers[0]) & (y // PER_LAYER == layers[1])]
            low, high = np.quantile(alike, MIDDLE)
            assert low <= one[score] <= high
    tests = {one["score"]: one for one in found["pair_tests"]}
    assert set(tests) == {"sts", "rtr"}
    for score, one in tests.items():
        assert (one["chosen"], one["matched"]) == (4, 4)
        mean = {
            role: np.mean([p["interaction"] for p in found["pairs"] if (p["score"], p["role"]) == (score, role)])
            for role in ("chosen", "control")
        }
        assert one["difference"] == pytest.approx(mean["chosen"] - mean["control"], abs=1e-12)
        assert f"Pairs strong in {score} against their controls: interaction" in found["verdict"]
    assert "Spearman of interaction over 16 pairs: sts" in found["verdict"]
    assert "No targeted order" not in found["verdict"]


def test_costs_of_an_earlier_sweep_are_taken_and_give_the_same(run, found):
    """The same prompts, the same numbers; the sweep is not measured and not published again."""
    again = _plan(run)
    assert again.spec.hash == _plan(run).spec.hash
    later = _ablated(run, "alater")
    assert later["sweeps"] == {}
    assert later["pairs"] == found["pairs"]
    assert later["pair_tests"] == found["pair_tests"]
    shards = {path.stem for path in (run[0].jobs / "alater" / "shards").glob("single-units-*")}
    units = {unit for one in found["pairs"] for unit in (one["x"], one["y"])}
    assert shards <= {f"single-units-{unit}" for unit in units}
    # On other prompts units cost something else.
    assert load.single_costs(run[0], again.spec.like(), UNITS) is not None
    assert load.single_costs(run[0], _plan(run, prompts=2).spec.like(), UNITS) is None
    assert load.single_costs(run[0], _plan(run, intervention="noise").spec.like(), UNITS) is None


def test_a_cancelled_job_goes_on_to_the_same_numbers(run, found):
    spec = _plan(run, prompts=2).spec
    whole = load.ablation(run[0], _work(run[0], "awhole", ablate, spec).id)
    delete(run[0], "awhole")
    for number in (15, 27):  # among the single units, among the controls
        job = JobFolder(run[0].jobs / f"astop{number}")
        job.shards.mkdir(parents=True)
        with Progress(job, {"id": job.id, "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
            advance = progress.advance

            def stop(parts: float = 1, job: JobFolder = job, number: int = number, advance: Any = advance) -> None:
                if len(list(job.shards.iterdir())) == number:
                    job.cancel_flag.touch()
                advance(parts)

            progress.advance = stop  # type: ignore[method-assign]
            with pytest.raises(Cancelled):
                ablate.work(job, spec, progress)
        job.cancel_flag.unlink()
        before = {path.name: path.stat().st_mtime_ns for path in job.shards.iterdir()}
        resumed = load.ablation(run[0], _work(run[0], job.id, ablate, spec).id)
        assert resumed["pairs"] == whole["pairs"]
        assert resumed["pair_tests"] == whole["pair_tests"]
        assert resumed["sweeps"] == whole["sweeps"]
        assert before.items() <= {path.name: path.stat().st_mtime_ns for path in job.shards.iterdir()}.items()
        delete(run[0], job.id)


def test_they_are_exported_read_and_deleted_with_their_ablation(run, found, tmp_path):
    cache, decomposition = run
    one = found["pairs"][0]
    there = walk.removed_pair(cache, decomposition, one["y"], one["x"])
    assert (there["interaction"], there["low"], there["high"]) == (one["interaction"], one["low"], one["high"])
    assert [row["score"] for row in walk.pair_tests(cache, decomposition)] == ["sts", "rtr"]
    export(cache, decomposition, tmp_path / "out")
    archive = Archive.open(tmp_path / "out")
    assert load.ablation(archive, "afirst")["pairs"] == found["pairs"]
    assert walk.removed_pair(archive, decomposition, one["x"], one["y"]) == there
    assert check(cache) == []
    gone = _ablated(run, "agone", orders=["pairs"], pairs=1, pairs_by=["rtr"], prompts=1)
    assert len(gone["pairs"]) == 2
    assert "needs two pairs and two prompts" in gone["verdict"]
    delete(cache, "agone")
    for table in ("ablation_pairs", "ablation_pair_tests"):
        assert load.rows(cache, f"SELECT * FROM {table} WHERE ablation = 'agone'") == []
    with cache.write() as con:
        con.execute("INSERT INTO ablation_pairs (ablation, x, y) VALUES ('alost', 0, 1)")
    assert check(cache) == ["1 rows of ablation_pairs belonged to no ablation; removed"]


def test_excess_is_among_the_scores_where_there_are_surrogates(run):
    assert _plan(run).spec.pairs_by == ("sts", "rtr")
    assert _plan((run[0], "dnulls")).spec.pairs_by == ("sts", "rtr", "excess")
    with pytest.raises(UsageError, match="no pair of dpairs has a value for excess · decompose it with --surrogates"):
        _plan(run, pairs_by=["excess"])


def test_pairs_that_cannot_be_had_are_told(run):
    cache = run[0]
    with pytest.raises(UsageError, match=r"40 of the 120 pairs with a value for sts .* at most 30"):
        _plan(run, pairs=40)
    (row,) = load.rows(cache, "SELECT capture FROM decompositions WHERE decomposition = 'dpairs'")
    for name, known, said in (("dnone", 0, "no pair of dnone has a value for sts"), ("dfew", 3, "with more units")):
        _decomposed(cache, row["capture"], name, _pairs(False, known))
        with pytest.raises(UsageError, match=said):
            _plan((cache, name), pairs=1)
    with pytest.raises(UsageError, match="no pairs are removed · add the removal order `pairs`"):
        AblateRequest(decomposition="d", pairs=5)
    with pytest.raises(UsageError, match="no score of pairs 'tdmi'"):
        AblateRequest(decomposition="d", orders=("pairs",), pairs_by=("tdmi",))
    with pytest.raises(UsageError, match="save writes a plan, and there is no plan"):
        AblateRequest(decomposition="d", orders=("pairs",), save="/new")


def test_a_budget_and_pairs_share_the_sweep_of_single_units(run):
    made = _plan(run, budget=0.05, pairs=2, prompts=2, orders=["synergy-first", "pairs"])
    made = made.spec.replace(most=5)
    _work(run[0], "abudget", ablate, made)
    found = load.ablation(run[0], "abudget")
    assert len(found["sweeps"]["single-units"]) == UNITS
    assert found["plan"]["budget"] == 0.05
    assert len(found["pairs"]) == 8
    assert found["orders"]["synergy-first"]["curves"]
    beside = curves.beside(found)
    (title,) = (one for one in beside if one.startswith("pairs removed together"))
    assert len(beside[title]) == 4
    assert all(one["control"] and one["its"] is not None for one in beside[title])


def test_the_hash_of_an_ablation_without_pairs_knows_nothing_of_them(run):
    spec = _plan(run, orders=["synergy-first"], pairs=20).spec
    assert not {"pairs", "pairs_by"} & set(spec.identity())
    assert _plan(run).spec.hash != _plan(run, pairs=3).spec.hash
