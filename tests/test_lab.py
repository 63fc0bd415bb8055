"""The ablation lab on a subject whose heads are known: interventions, sweeps, accuracy, plans, and the intact subject
afterwards."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import make_tiny
from synergy_tui.ablation import compression, interventions
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.ablation.packing import Sequences, passes, shared_prefix
from synergy_tui.analysis import importance
from synergy_tui.analysis.areas import area, area_test
from synergy_tui.capture.generate import encode, generate
from synergy_tui.errors import Cancelled, SynergyError, UsageError
from synergy_tui.jobs import plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.worker import ablate, capture
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import load, walk
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_decomposition
from synergy_tui.subject import loading
from synergy_tui.subject.sources import resolve
from synergy_tui.tasks import graded
from synergy_tui.tasks.graded import Task, right
from synergy_tui.terms import ATOMS, INTERVENTIONS, MEASURES, RANKINGS

TEXTS = ["one", "a longer prompt", "three", "and yet another one", "five and six"]
KNOWN = (5, 10)
"""Units that carry the toy subject's answer: heads 1.1 and 2.2."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama whose attention writes to the residual stream through two heads alone."""
    folder = make_tiny(tmp_path_factory.mktemp("toy") / "toy")
    subject = loading.load(resolve(str(folder)), folder, "cpu", "float32")
    removed = {
        layer: [head for head in range(4) if layer * 4 + head not in KNOWN] for layer in range(subject.layers)
    }
    compression.save_without(subject, removed, folder.parent / "known", {})
    return folder.parent / "known"


@pytest.fixture(scope="module")
def spoken(tiny: Path) -> tuple[Any, list[list[int]], list[list[int]]]:
    """A subject with random weights, prompts and its responses."""
    subject = loading.load(resolve(str(tiny)), tiny, "cpu", "float32")
    prompts = encode(subject, [f"The same beginning: {text}" for text in TEXTS], chat=True)
    return subject, prompts, [one.tokens for one in generate(subject, prompts, 25)]


@pytest.fixture
def run(tmp_path: Path, toy: Path) -> tuple[Cache, str]:
    """A cache with a capture of the toy subject and a made-up decomposition that ranks the known heads first."""
    return _run(tmp_path, toy)


def _run(folder: Path, subject: Path) -> tuple[Cache, str]:
    cache = Cache.open(folder / "cache")
    (folder / "texts.txt").write_text("\n".join(TEXTS))
    made = plan.capture(folder, str(subject), tasks=str(folder / "texts.txt"), steps=24, batch=5)
    job = _work(cache, "ctoy", capture, made.spec)
    values = np.random.default_rng(0).normal(size=16)
    values[list(KNOWN)] = [5.0, 4.0]
    scores = [
        {"decomposition": "dtoy", "unit_index": unit, "score": name, "value": float(value)}
        for name in (*RANKINGS, *MEASURES, *ATOMS)
        for unit, value in enumerate(values)
    ]
    row = {"decomposition": "dtoy", "capture": job.id, "estimator": "gaussian", "redundancy": "mmi", "lag": 1}
    publish_decomposition(cache, "dtoy", {"decompositions": [row], "unit_scores": scores}, iter(()))
    return cache, "dtoy"


def _work(cache: Cache, name: str, kind: Any, spec: dict[str, Any]) -> JobFolder:
    """A job done in this process."""
    job = JobFolder(cache.jobs / name)
    job.shards.mkdir(parents=True, exist_ok=True)
    with Progress(job, {"id": name, "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        kind.work(job, spec, progress)
    return job


def _ablated(run: tuple[Cache, str], name: str = "atoy", **chosen: Any) -> dict[str, Any]:
    _work(run[0], name, ablate, _plan(run, **chosen).spec)
    return load.ablation(run[0], name)


def _plan(run: tuple[Cache, str], **chosen: Any) -> plan.Plan:
    usual = {"orders": ["synergy-first"], "seeds": 2, "fractions": [0.125, 0.25], "ranking": "rank-difference"}
    usual |= {"prompts": 5, "batch": 16, "dtype": None, "device": "cpu", "seed": 0}
    return plan.ablate(run[0], run[0].folder, run[1], **(usual | chosen))


def test_smoke(run):
    found = _ablated(run, orders=["synergy-first","random","layer-matched","single-units","whole-layers"], seeds=3, tasks="graded", answers=True, budget=0.5)
    print(json.dumps({k:v for k,v in found.items() if k not in ("orders","accuracy")}, default=str)[:6000])
