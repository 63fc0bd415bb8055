"""A cache written by the version before this one (catalogue version 5, jobs as flat dicts): it is brought up once, what
was made is found to be the same work, and what was left unfinished goes on.

The file holds a tiny model, its capture of 6 prompts × 24 steps, two decompositions, an ablation, networks, a ladder of
two levels with its capture, and the folders of a cancelled capture and of an ablation."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import duckdb
import pytest
from conftest import REFERENCE, Command

from synergy_tui.errors import JobError
from synergy_tui.jobs import plan
from synergy_tui.jobs.folder import JobFolder, every
from synergy_tui.jobs.plan.earlier import asked_for
from synergy_tui.jobs.specs import (
    AblateRequest,
    AblateSpec,
    CaptureRequest,
    CaptureSpec,
    DecomposeRequest,
    LadderRequest,
    NetworksRequest,
)
from synergy_tui.store import load, schema
from synergy_tui.store.cache import Cache

VERSION_5 = REFERENCE / "version-5.zip"

OLD = "/tmp/old/tiny-llama"
"""Where the model was when the cache was written."""


@pytest.fixture
def old(tmp_path: Path) -> tuple[Cache, Path]:
    """The cache, not yet opened by this version, and its model where it is now."""
    with zipfile.ZipFile(VERSION_5) as archive:
        archive.extractall(tmp_path)
    folder, model = tmp_path / "cache", tmp_path / "tiny-llama"
    with duckdb.connect(folder / "cache.duckdb") as con:
        con.execute("UPDATE subjects SET place = ?", [str(model)])
        con.execute("UPDATE recipes SET command = replace(command, ?, ?)", [OLD, str(model)])
    for file in folder.glob("jobs/*/spec.json"):
        file.write_text(file.read_text().replace(OLD, str(model)))
    return Cache.open(folder), model


@pytest.mark.slow
def test_the_catalogue_is_brought_up_and_says_what_it_said(old: tuple[Cache, Path]) -> None:
    cache, _ = old
    (row,) = load.rows(cache, "SELECT version FROM meta")
    assert row["version"] == schema.VERSION
    assert len(load.rows(cache, "SELECT * FROM captures")) == 2
    assert len(load.rows(cache, "SELECT * FROM decompositions")) == 4
    assert {one["command"].split()[1] for one in load.rows(cache, "SELECT command FROM recipes")} == {
        "capture",
        "decompose",
        "ablate",
        "networks",
        "difficulty",
    }


@pytest.mark.slow
def test_equal_work_is_found(old: tuple[Cache, Path]) -> None:
    """What this version plans has the hash that is found out for what the version before has made."""
    cache, model = old
    asked = CaptureRequest(subject=str(model), prompts=6, steps=24, dtype="float32", device="cpu")
    captured = plan.capture(model, asked)
    (own,) = load.rows(cache, "SELECT capture FROM captures WHERE capture NOT IN (SELECT capture FROM ladders)")
    maps = load.rows(
        cache, "SELECT decomposition FROM decompositions WHERE capture = $1 ORDER BY created", own["capture"]
    )
    first, second = (one["decomposition"] for one in maps)
    links = [
        plan.Link("capture", captured),
        plan.Link("map", plan.decompose(DecomposeRequest(device="cpu"), 16, 6), of=0),
        plan.Link("null", plan.decompose(DecomposeRequest(surrogates=20, device="cpu"), 16, 6), of=0),
    ]
    assert [one.found for one in plan.finished(cache, links)] == [own["capture"], first, second]
    removal = AblateRequest(decomposition=second, seeds=2, fractions=(0.25,), prompts=3, device="cpu")
    graphs = NetworksRequest(decomposition=second, draws=2, replicates=20, device="cpu")
    links = [
        plan.Link("ablation", plan.ablate(cache, model, removal)),
        plan.Link("networks", plan.networks(cache, graphs)),
    ]
    found = [one.found for one in plan.finished(cache, links)]
    assert [one and one[0] for one in found] == ["a", "n"]
    ladder = LadderRequest(subject=str(model), levels=2, prompts=5, steps=24, device="cpu")
    (made,) = load.rows(cache, "SELECT ladder FROM ladders")
    assert plan.difficulty(cache, model, ladder).finished == made["ladder"]
    # And other work is not.
    for other in (removal.replace(seeds=1), removal.replace(ranking="difference"), removal.replace(prompts=2)):
        (link,) = plan.finished(cache, [plan.Link("", plan.ablate(cache, model, other))])
        assert link.found is None
    other_capture = plan.capture(model, asked.replace(prompts=5))
    assert plan.finished(cache, [plan.Link("", other_capture)])[0].found is None


@pytest.mark.slow
def test_what_a_capture_was_asked_for_is_read_from_its_recipe(old: tuple[Cache, Path]) -> None:
    cache, model = old
    (own,) = load.rows(cache, "SELECT capture FROM captures WHERE capture NOT IN (SELECT capture FROM ladders)")
    request = asked_for(cache, own["capture"])
    assert isinstance(request, CaptureRequest)
    assert (request.subject, request.prompts, request.steps, request.dtype) == (str(model), 6, 24, "float32")


@pytest.mark.worker
def test_jobs_left_unfinished_go_on(old: tuple[Cache, Path]) -> None:
    cache, _ = old
    command = Command(cache.folder)
    jobs = {job.id: job for job in every(cache.folder)}
    stopped = next(job for job in jobs.values() if job.status()["state"] == "cancelled" and job.kind == "capture")
    spec = stopped.order().spec
    assert isinstance(spec, CaptureSpec)
    assert (spec.steps, len(spec.items)) == (300, 40)
    # An ablation of that version found its conditions out when it ran.
    ablation = next(job for job in jobs.values() if job.kind == "ablate" and len(_spec(job).replayed) == 5)
    assert _spec(ablation).conditions == ()
    status = json.loads((ablation.path / "status.json").read_text())
    ablation.write_status(status | {"state": "cancelled", "stage": "cancelled"})
    kept = load.ablation(cache, ablation.id)
    with cache.write() as con:
        con.execute("DELETE FROM ablations WHERE ablation = ?", [ablation.id])
        for name in ("ablation_curves", "ablation_sweeps", "ablation_areas", "ablation_ratios"):
            con.execute(f"DELETE FROM {name} WHERE ablation = ?", [ablation.id])
    command("jobs", "resume", ablation.id)
    command.wait(ablation.id, "done")
    assert _spec(ablation).conditions
    again = load.ablation(cache, ablation.id)
    for name in ("synergy-first", "random"):
        for one, other in zip(again["orders"][name]["curves"], kept["orders"][name]["curves"], strict=True):
            assert (one["seed"], one["fraction"]) == (other["seed"], other["fraction"])
            assert one["divergence"] == pytest.approx(other["divergence"], rel=1e-4)


def _spec(job: JobFolder) -> AblateSpec:
    spec = job.order().spec
    assert isinstance(spec, AblateSpec)
    return spec


def test_a_flat_spec_that_lacks_something_is_told(old: tuple[Cache, Path]) -> None:
    cache, _ = old
    job = next(job for job in every(cache.folder) if job.kind == "capture")
    content = json.loads((job.path / "spec.json").read_text())
    del content["prompts"]
    (job.path / "spec.json").write_text(json.dumps(content))
    with pytest.raises(JobError, match="a spec of an earlier version lacks 'prompts' · start the job anew"):
        job.order()
