"""The ablation lab on units of every kind in every family: what the fast way measures is what the plain one does, and
afterwards the subject is what it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import byte_tokenizer

from synergy_tui.ablation import compression, interventions
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.bench.families import subject_of
from synergy_tui.capture.generate import generate
from synergy_tui.errors import SubjectError
from synergy_tui.subject.families import FAMILIES
from synergy_tui.subject.sites import Units
from synergy_tui.subject.taps import UnitsRemoved, UnitTap
from synergy_tui.terms import INTERVENTIONS

SHAPES = ("llama", "gpt2", "gemma2", "falcon", "mixtral", "gpt_oss", "deepseek_v3", "mamba2", "bamba", "zamba2")
"""Families that differ in where their units are: all interventions are tried on these, zero on all."""
PROMPTS = [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 9, 8], [1, 2, 20, 21, 22, 23]]


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


def _some(units: Units, subject) -> dict[int, list[int]]:
    """Units of two layers; of experts two that are used."""
    with torch.inference_mode(), UnitTap(units, last=False) as tap:
        subject.model(torch.tensor([[1, 2, 3, 9, 8, 20, 21, 22]]), use_cache=False)
        used = tap.norms()[:, 0].nan_to_num().sum(dim=1)
    layers = sorted({site.layer for site in units.sites})
    return {layer: used[layer].topk(min(2, units.per_layer)).indices.tolist() for layer in {layers[-1], layers[0]}}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_intervention_on_every_kind_is_the_plain_way(name):
    subject = subject_of(name)
    responses = [one.tokens[:9] for one in generate(subject, PROMPTS, 9)]
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        before = subject.model(ids, use_cache=False).logits
    for kind in sorted({site.kind for site in subject.sites}):
        units = subject.units((kind,))
        removed = _some(units, subject)
        for how in INTERVENTIONS if name in SHAPES else ("zero",):

            def made(how=how, units=units):
                return {
                    "zero": interventions.Zero,
                    "mean": lambda: interventions.Mean(
                        interventions.reference_means(subject, units, PROMPTS, responses, 2)
                    ),
                    "resample": lambda: interventions.Resample(1),
                    "noise": lambda: interventions.Noise(subject, 0.5, 1),
                }[how]()

            try:
                fast = IntactBehaviour(subject, PROMPTS, responses, 3, made(), units=units).under(removed)
            except SubjectError as error:
                assert (how, "no query projection" in str(error)) == ("noise", True)  # noqa: PT017
                continue
            slow = IntactBehaviour(
                subject, PROMPTS, responses, 1, made(), packed=False, from_layer=False, units=units
            ).under(removed)
            assert slow.divergence.max() > 1e-5, (kind, how)
            for mine, theirs in zip(fast, slow, strict=True):
                np.testing.assert_allclose(mine, theirs, atol=2e-5, rtol=1e-3, err_msg=f"{kind} {how}")
            if how == "zero":
                np.testing.assert_allclose(
                    slow.divergence, _plain(subject, units, removed, responses), atol=2e-5, rtol=1e-3
                )
    with torch.inference_mode():
        assert torch.equal(subject.model(ids, use_cache=False).logits, before)


def _plain(subject, units, removed, responses) -> list[float]:
    out = []
    for prompt, response in zip(PROMPTS, responses, strict=True):
        ids = torch.tensor([[*prompt, *response]])
        with torch.inference_mode():
            p = subject.model(ids, use_cache=False).logits[0, len(prompt) - 1 : -1].double().log_softmax(-1)
            with UnitsRemoved(units, removed):
                q = subject.model(ids, use_cache=False).logits[0, len(prompt) - 1 : -1].double().log_softmax(-1)
        out.append(float((p.exp() * (p - q)).sum(-1).mean()))
    return out


@pytest.mark.parametrize("name", SHAPES)
def test_a_copy_without_units_of_any_kind_has_the_logits_of_the_intervention(name, tmp_path):
    from transformers import AutoModelForCausalLM

    subject = subject_of(name)
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        before = subject.model(ids, use_cache=False).logits
    for kind in sorted({site.kind for site in subject.sites}):
        units = subject.units((kind,))
        removed = _some(units, subject)
        with torch.inference_mode(), UnitsRemoved(units, removed):
            expected = subject.model(ids, use_cache=False).logits
        assert (expected - before).abs().max() > 1e-4
        compression.save_without(subject, units, removed, tmp_path / kind, {})
        assert compression.saved(subject, units, removed) > 0
        with torch.inference_mode():
            found = AutoModelForCausalLM.from_pretrained(tmp_path / kind).eval()(ids, use_cache=False).logits
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4, msg=lambda said, kind=kind: kind + said)
            assert torch.equal(subject.model(ids, use_cache=False).logits, before), kind


@pytest.mark.worker
@pytest.mark.parametrize(("name", "kind", "units"), [("mixtral", "expert", 24), ("bamba", "head,ssm-head", 28)])
def test_the_lab_takes_experts_and_heads_of_both_kinds(name: str, kind: str, units: int, command: Any, tmp_path: Path):
    """Bamba's one layer of attention has fewer heads than its mixers: places of the map are empty, and no unit's."""
    folder = tmp_path / name
    subject_of(name).model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    made = command.json("run", str(folder), "--kind", kind, "--prompts", "6", "--steps", "30", "--yes")
    saved = tmp_path / "saved"
    chosen = ["--orders", "synergy-first,random,layer-matched,single-units,whole-layers", "--seeds", "2"]
    more = ["--fractions", "0.125,0.25", "--prompts", "3", "--budget", "5", "--save", str(saved), "--yes"]
    found = command.json("ablate", made["decomposition"], *chosen, *more)
    sweep = found["sweeps"]["single-units"]
    assert len(sweep) == units
    assert sum(one["divergence"] > 0 for one in sweep) > units / 2
    assert len(found["sweeps"]["whole-layers"]) == 4
    query = f"SELECT max(removed) AS most FROM ablation_curves WHERE ablation = '{found['ablation']}'"
    assert command.json("sql", query)[0]["most"] == units // 4
    assert json.loads((saved / "plan.json").read_text())["heads" if "head" in kind else "units"]
    said = command("ablate", made["decomposition"], "--units", "1.7" if name == "bamba" else "9.1", code=2).stderr
    assert "unit" in said
