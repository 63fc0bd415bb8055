"""A scores job: what it stores is what is measured, it goes on where it stopped, and it says whether synergy predicts
removal better, whichever of the two was made first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, make_tiny

from synergy_tui.ablation import first_order
from synergy_tui.capture.attention import patterns
from synergy_tui.errors import UsageError
from synergy_tui.explorer.ablations import result
from synergy_tui.explorer.help import MEANINGS
from synergy_tui.explorer.run import Place, open_run
from synergy_tui.explorer.telling import about_unit, panel
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.jobs import parts, plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import AblateRequest, CaptureRequest, ScoresRequest, Spec
from synergy_tui.jobs.worker import ablate, capture, scores
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import archive, load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import delete, publish_decomposition
from synergy_tui.store.query import ask
from synergy_tui.store.run import read
from synergy_tui.subject import loading
from synergy_tui.subject.sources import resolve
from synergy_tui.terms import BASELINES, HEADS, PATTERNS, RANKINGS, column

TEXTS = [f"This is text {one} of some that begin alike: {'abc' * one}" for one in range(8)]


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


def work(cache: Cache, name: str, kind: Any, spec: Spec) -> JobFolder:
    """A job done in this process."""
    job = JobFolder(cache.jobs / name)
    job.shards.mkdir(parents=True, exist_ok=True)
    with Progress(job, {"id": name, "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        kind.work(job, spec, progress)
    return job


def captured(folder: Path, subject: Path, units: int, kinds: tuple[str, ...] = HEADS) -> Cache:
    """A cache with a capture and a made-up decomposition, in which the ranking comes from unit_prompts too."""
    cache = Cache.open(folder / "cache")
    (folder / "texts.txt").write_text("\n".join(TEXTS))
    asked = CaptureRequest(subject=str(subject), tasks=str(folder / "texts.txt"), steps=24, batch=8, kinds=kinds)
    work(cache, "c1", capture, plan.capture(folder, asked).spec)
    chance = np.random.default_rng(0)
    values = chance.normal(size=units)
    score = [
        {"decomposition": "d1", "unit_index": unit, "score": name, "value": float(value)}
        for name in (*RANKINGS, "sts", "rtr", "tdmi", "norm")
        for unit, value in enumerate(values)
    ]
    prompts = [
        {"decomposition": "d1", "prompt": prompt, "unit_index": unit, "independence": 0.1, "balance": 0.5}
        | {name: float(value) for name, value in zip(("sts", "rtr", "tdmi"), chance.random(3), strict=True)}
        for prompt in range(8)
        for unit in range(units)
    ]
    row = {"decomposition": "d1", "capture": "c1", "estimator": "gaussian", "redundancy": "mmi", "lag": 1}
    rows = {"decompositions": [row], "unit_scores": score, "unit_prompts": prompts}
    publish_decomposition(cache, "d1", rows, iter(()))
    return cache


def scored(cache: Cache, name: str, folder: Path, **more: Any) -> JobFolder:
    return work(cache, name, scores, plan.scores(cache, folder, ScoresRequest(capture="c1", device="cpu", **more)).spec)


def removed(cache: Cache, name: str, folder: Path) -> JobFolder:
    asked = AblateRequest(decomposition="d1", orders=("single-units",), prompts=3, device="cpu")
    return work(cache, name, ablate, plan.ablate(cache, folder, asked).spec)


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cache, Path]:
    """Scores, then an ablation, then the same scores again."""
    folder = tmp_path_factory.mktemp("scores")
    cache = captured(folder, tiny, 16)
    scored(cache, "s1", folder)
    removed(cache, "a1", folder)
    scored(cache, "s2", folder)
    return cache, tiny


def test_what_is_stored_is_what_is_measured(whole: tuple[Cache, Path]) -> None:
    cache, tiny = whole
    subject = loading.load(resolve(str(tiny)), tiny, "cpu", "float32")
    units, texts = subject.units(), load.replayable(cache, "c1")
    prompts, stored = load.scoring(cache, "s1", 16)
    assert prompts == sorted(texts)
    slopes = [first_order.slopes(subject, units, one["asked"], one["answered"]) for one in texts.values()]
    mean = first_order.means(slopes)
    for place, (slope, text) in enumerate(zip(slopes, texts.values(), strict=True)):
        seen = patterns(subject, units.sites, text["asked"], text["answered"])
        expected = {name: np.concatenate([seen[n][k] for n in range(4)]) for k, name in enumerate(PATTERNS)}
        for name, values in (expected | first_order.scores(units, mean, slope)).items():
            np.testing.assert_allclose(stored[name][:, place], values, rtol=1e-5, atol=1e-7)
    for row in load.rows(cache, "SELECT * FROM capture_scores WHERE scoring = 's1'"):
        assert row["value"] == pytest.approx(np.nanmean(stored[row["score"]][row["unit_index"]]), rel=1e-6)
        if row["score"] in ("attribution", "attention-entropy"):
            assert row["low"] < row["value"] < row["high"]
    assert load.one(cache, "scoring", "s1")["reasons"] == {}


def test_they_are_columns_of_heads_and_scores_of_the_map(whole: tuple[Cache, Path]) -> None:
    cache, _ = whole
    names = ", ".join(column(name) for name in BASELINES)
    rows = ask(cache, f"SELECT unit, {names} FROM latest_heads ORDER BY layer, unit").as_dicts()
    run = open_run(Place(cache, "d1"))
    assert [name for name in run.scores if name in BASELINES] == list(BASELINES)
    for name in BASELINES:
        np.testing.assert_array_equal(run.scores[name].shown, [one[column(name)] for one in rows])
        assert MEANINGS[name]
    assert (run.scores["attribution"].centre, run.scores["attribution"].unit) == (0, "nats")
    text = "\n".join(line.plain for line in panel(run, 3, Ink("truecolor")))
    assert all(name in text for name in BASELINES)
    assert MEANINGS["retrieval"] in " ".join(about_unit(run, 3, "retrieval"))
    assert read(cache, "d1").scores.keys() == run.scores.keys()


def test_a_job_that_is_resumed_measures_what_is_missing(whole: tuple[Cache, Path], tmp_path: Path) -> None:
    cache, _ = whole
    kept = parts.read_arrays(JobFolder(cache.jobs / "s1"), scores._shard(1))  # there until a worker ends
    assert kept is not None
    job = JobFolder(cache.jobs / "s4")
    job.shards.mkdir(parents=True)
    parts.write_arrays(job, scores._shard(1), kept | {"pattern.0": kept["pattern.0"] + 1})
    (job.shards / f"{scores._shard(0)}.npz").write_bytes(b"half")
    again = plan.scores(cache, tmp_path, ScoresRequest(capture="c1", device="cpu")).spec
    work(cache, "s4", scores, again)
    (_, own), (_, other) = load.scoring(cache, "s1", 16), load.scoring(cache, "s4", 16)
    previous = other["previous-token"] - own["previous-token"]
    np.testing.assert_allclose(previous[:4, 1], 1, rtol=1e-6)  # taken as it was
    assert not previous[:, 0].any()  # and this made again
    np.testing.assert_array_equal(other["attribution"], own["attribution"])
    delete(cache, "s4")


def test_whichever_came_first_the_comparison_is_the_same(whole: tuple[Cache, Path]) -> None:
    cache, _ = whole
    first, second = (
        load.rows(cache, "SELECT * EXCLUDE (scoring) FROM ablation_comparisons WHERE scoring = $1 ORDER BY other", one)
        for one in ("s1", "s2")
    )
    assert first == second
    assert [one["other"] for one in first] == sorted(BASELINES)
    for one in first:
        assert one["held_out"]  # five prompts are not replayed
        strength = one["spearman"] - abs(one["other_spearman"])
        assert one["difference"] == pytest.approx(strength, abs=1e-9)
        assert one["low"] <= one["difference"] <= one["high"]
    found = load.ablation(cache, "a1")["comparisons"]
    assert {one["scoring"] for one in found} == {"s2"}
    told = result(open_run(Place(cache, "d1")), [], 0).verdict
    assert "rank-difference predicts removal" in told
    for one in found:
        assert one["other"] in told


def test_baselines_are_held_out_as_the_ranking_is(whole: tuple[Cache, Path]) -> None:
    """What a score says of the prompts that removal is measured on takes no part."""
    cache, _ = whole
    prompts, alone = load.removal(cache, "a1", 16)
    _, values = load.scoring(cache, "s1", 16)
    assert len(prompts) == 3
    sweep = load.rows(cache, "SELECT unit_index, divergence FROM ablation_sweeps ORDER BY unit_index")
    np.testing.assert_allclose(alone.mean(axis=1), [one["divergence"] for one in sweep], rtol=1e-12)
    others = [one for one in range(8) if one not in prompts]
    entropy = values["attention-entropy"][:, others].mean(axis=1)
    from scipy.stats import spearmanr

    (row,) = [one for one in load.ablation(cache, "a1")["comparisons"] if one["other"] == "attention-entropy"]
    assert row["other_spearman"] == pytest.approx(spearmanr(entropy, alone.mean(axis=1)).statistic)


def test_units_that_do_not_attend_have_no_pattern_and_it_is_told_why(tmp_path: Path) -> None:
    subject = make_tiny(
        tmp_path / "bamba",
        "bamba",
        **{"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 2, "mamba_chunk_size": 8},
        attn_layer_indices=[1],
    )
    cache = captured(tmp_path, subject, 32)
    scored(cache, "s1", tmp_path, prompts=2)
    rows = load.rows(
        cache,
        """SELECT kind, score, count(*) AS n, count(value) AS known FROM capture_scores JOIN units
        USING (capture, unit_index) GROUP BY ALL""",
    )
    known = {(one["kind"], one["score"]): one["known"] == one["n"] for one in rows}
    assert all(known["ssm-head", name] == (name not in PATTERNS) for name in BASELINES)
    assert all(known["head", name] for name in ("previous-token", *BASELINES[3:]))
    reasons = load.one(cache, "scoring", "s1")["reasons"]
    assert set(PATTERNS) == set(reasons)
    assert "ssm-head" in reasons["attention-entropy"]


def test_what_cannot_be_is_refused(whole: tuple[Cache, Path], tmp_path: Path) -> None:
    cache, _ = whole
    with pytest.raises(UsageError, match="8 prompts long enough, not 9"):
        plan.scores(cache, tmp_path, ScoresRequest(capture="c1", prompts=9))
    some, other = (plan.scores(cache, tmp_path, ScoresRequest(capture="c1", prompts=one)).spec for one in (3, 8))
    every = plan.scores(cache, tmp_path, ScoresRequest(capture="c1")).spec
    assert some.hash != every.hash == other.hash


def test_an_exported_run_has_them_and_a_deleted_capture_leaves_none(whole: tuple[Cache, Path], tmp_path: Path) -> None:
    shutil.copytree(whole[0].folder, tmp_path / "cache")
    cache = Cache.open(tmp_path / "cache")
    archive.export(cache, "d1", tmp_path / "exported")
    exported = archive.Archive.open(tmp_path / "exported")
    assert set(BASELINES) < set(read(exported, "d1").scores)
    assert len(load.ablation(exported, "a1")["comparisons"]) == len(BASELINES)
    assert [one["result"] for one in load.recipe(exported, "s1")] == ["c1", "s1"]
    assert delete(cache, "c1") == {
        **{"capture": 1, "decomposition": 1, "ladder": 0, "scoring": 2, "ablation": 1, "network": 0, "card": 0},
        **{"geometry": 0},
    }
    for name in ("capture_scores", "capture_score_prompts", "ablation_comparisons", "ablation_units", "recipes"):
        assert load.rows(cache, f"SELECT * FROM {name}") == []


@pytest.mark.worker
def test_the_command_scores_and_compares(tiny: Path, command: Command) -> None:
    run = command.json("run", str(tiny), "--prompts", "3", "--steps", "24")
    assert run["comparisons"] == []
    found = command.json("scores", run["capture"])
    assert {one["score"] for one in found["scores"]} == set(BASELINES)
    assert (found["prompts"], found["comparisons"]) == (3, {})
    ablated = command("ablate", run["decomposition"], "--orders", "single-units", "--prompts", "2").stdout
    shown = command("show", run["decomposition"]).stdout
    for text in (ablated, shown):
        assert text.count("rank-difference predicts removal") == len(BASELINES)
    kinds = [json.loads(one["request"])["kind"] for one in command.json("sql", "FROM recipes ORDER BY rowid")]
    assert kinds == ["capture", "decompose", "scores", "ablate"]
