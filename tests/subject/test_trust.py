"""What a user has allowed a subject: it reaches ablations and controls, and a cache cannot speak for the user."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from conftest import Command
from safetensors.torch import load_file

from synergy_tui.jobs import plan, submit
from synergy_tui.jobs.folder import Order, new
from synergy_tui.jobs.specs import CaptureRequest
from synergy_tui.subject import trust
from synergy_tui.subject.source import Source

SMALL = ("--prompts", "5", "--steps", "24")


@pytest.fixture
def pickled(tiny: Path, tmp_path: Path) -> Path:
    """The tiny subject with its weights as pickle."""
    folder = tmp_path / "pickled"
    shutil.copytree(tiny, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


@pytest.mark.worker
def test_a_run_that_was_allowed_pickle_can_be_ablated_and_controlled(command: Command, pickled: Path) -> None:
    assert "--allow-pickle if you trust" in command("run", str(pickled), *SMALL, code=1).stderr
    run = command.json("run", str(pickled), *SMALL, "--allow-pickle")["decomposition"]
    found = command.json("ablate", run, "--seeds", "1", "--fractions", "0.25", "--prompts", "2")
    assert found["orders"]["synergy-first"]["curves"]
    controls = command.json("run", str(pickled), "--of", run, "--control", "random-weights", "--seeds", "1")
    assert [one["how"] for one in controls["controls"]] == ["free-running", "replayed"]


@pytest.mark.worker
def test_a_job_that_somebody_else_wrote_loads_no_pickle(command: Command, pickled: Path, tmp_path: Path) -> None:
    """Its spec says that it may, and nobody here has said so."""
    spec = plan.capture(tmp_path, CaptureRequest(subject=str(pickled), prompts=2, steps=24, allow_pickle=True)).spec
    job = new(command.cache, Order(spec))
    submit.start(job)
    told = command.wait(job.id, "failed", "done")
    assert told["state"] == "failed"
    assert "would run what its files hold, and you have not allowed that here" in told["error"]


def test_what_is_allowed_is_kept_by_place_and_revision() -> None:
    one = Source("x", "hub", "owner/model", "abc", pickle=True)
    assert trust.allowed("hub", "owner/model", "abc") == {"pickle": False, "remote_code": False}
    trust.remember(one)
    trust.remember(Source("y", "hub", "owner/model", "abc", remote_code=True))
    assert trust.allowed("hub", "owner/model", "abc") == {"pickle": True, "remote_code": True}
    assert trust.allowed("hub", "owner/model", "abd") == {"pickle": False, "remote_code": False}
    trust.check(one)
