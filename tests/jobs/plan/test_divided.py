"""How many processes hold a subject is asked for once, and inherited by what replays its capture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from synergy_tui.errors import SubjectError, UsageError
from synergy_tui.jobs import plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import AblateRequest, CaptureRequest, LadderRequest
from synergy_tui.jobs.specs.method import Method
from synergy_tui.jobs.worker import capture
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_decomposition
from synergy_tui.terms import ATOMS, CONTROLS, MEASURES, RANKINGS


@pytest.fixture
def captured(cache: Path, tiny: Path) -> Cache:
    """A capture ctoy of a subject that two processes were to hold, and a decomposition dtoy with made-up scores. (One
    process did: a worker that joins no group is alone.)"""
    opened = Cache.open(cache)
    (cache / "texts.txt").write_text("one\ntwo words\nthe third\nx\nand the fifth")
    asked = CaptureRequest(subject=str(tiny), tasks=str(cache / "texts.txt"), steps=20, device="cpu", tensor_parallel=2)
    made = plan.capture(cache, asked)
    assert made.spec.tensor_parallel == 2
    job = JobFolder(opened.jobs / "ctoy")
    job.shards.mkdir(parents=True)
    with Progress(job, {"id": "ctoy", "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        capture.work(job, made.spec, progress)
    values = np.random.default_rng(0).normal(size=16)
    scores = [
        {"decomposition": "dtoy", "unit_index": unit, "score": name, "value": float(value)}
        for name in (*RANKINGS, *MEASURES, *ATOMS)
        for unit, value in enumerate(values)
    ]
    row = {"decomposition": "dtoy", "capture": "ctoy", "estimator": "gaussian", "redundancy": "mmi", "lag": 1}
    publish_decomposition(opened, "dtoy", {"decompositions": [row], "unit_scores": scores}, iter(()))
    return opened


def test_ablations_and_controls_inherit_it(captured: Cache) -> None:
    def ablated(**chosen: object) -> int:
        asked = AblateRequest(decomposition="dtoy", prompts=3, seeds=2, orders=("synergy-first",), **chosen)
        return plan.ablate(captured, captured.folder, asked).spec.tensor_parallel

    assert ablated() == 2
    assert ablated(tensor_parallel=4) == 4
    with pytest.raises(UsageError, match=r"device cuda:1 is one GPU, and tensor-parallel 2 needs one for each process"):
        ablated(device="cuda:1")
    for how in CONTROLS:
        found = plan.controls(captured, captured.folder, "ctoy", Method(), how=how, seeds=2, device="cpu")
        assert [one.spec.tensor_parallel for one, _ in found] == [2, 2]


def test_of_a_ladder_the_capture_alone_is_made_by_several(cache: Path, tiny: Path) -> None:
    rows = [{"text": f"{level} {one}", "level": level, "answer": "1"} for level in (1, 2) for one in range(5)]
    opened = Cache.open(cache)
    (cache / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = LadderRequest(
        subject=str(tiny), ladder=str(cache / "own.jsonl"), tensor_parallel=2, device="cpu", prompts=5
    )
    captured, ladder = plan.difficulty(opened, cache, asked).plans
    assert (captured.spec.processes, ladder.spec.processes) == (2, 1)
    assert "--tensor-parallel 2" in ladder.spec.command()
    assert captured.spec.replace(tensor_parallel=1).hash == captured.spec.hash


def test_what_cannot_be_divided_is_refused_before_a_job_is_made(cache: Path, tiny: Path) -> None:
    with pytest.raises(
        SubjectError, match="has 4 attention heads, which 3 processes cannot divide · ask for a smaller"
    ):
        plan.capture(cache, CaptureRequest(subject=str(tiny), tensor_parallel=3, device="cpu"))
    with pytest.raises(UsageError, match=r"save writes a model that is whole on one device"):
        AblateRequest(decomposition="d", budget=0.1, save="/new", tensor_parallel=2)
