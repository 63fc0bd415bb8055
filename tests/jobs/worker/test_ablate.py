"""The ablation lab on a subject whose heads are known: interventions, sweeps, accuracy, plans, and the intact subject
afterwards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from conftest import make_tiny

from synergy_tui.ablation import compression, interventions
from synergy_tui.ablation.condition import Condition
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.ablation.packing import Sequences, passes, shared_prefix
from synergy_tui.analysis import importance
from synergy_tui.analysis.areas import area, area_test
from synergy_tui.capture.generate import encode, generate
from synergy_tui.drawing import curves
from synergy_tui.errors import Cancelled, SynergyError, UsageError
from synergy_tui.jobs import parts, plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.rankings import rankings
from synergy_tui.jobs.specs import AblateRequest, AblateSpec, CaptureRequest, Spec
from synergy_tui.jobs.worker import ablate, ablate_rows, capture
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import load, walk
from synergy_tui.store import run as stored
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_decomposition
from synergy_tui.subject import loading
from synergy_tui.subject.source import Source
from synergy_tui.subject.sources import resolve
from synergy_tui.terms import ATOMS, INTERVENTIONS, MEASURES, RANKINGS

TEXTS = ["one", "a longer prompt", "three", "and yet another one", "five and six"]
KNOWN = (5, 10)
"""Units that carry the toy subject's answer: heads 1.1 and 2.2."""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """OpenMP's threads spin while they wait: on a tiny model with busy cores that is nearly all of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama in which two heads write to the residual stream what they did and all others next to nothing."""
    from transformers import AutoModelForCausalLM

    folder = make_tiny(tmp_path_factory.mktemp("toy") / "toy")
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for layer, one in enumerate(model.model.layers):
            for head in range(4):
                if layer * 4 + head not in KNOWN:
                    one.self_attn.o_proj.weight[:, head * 8 : head * 8 + 8] *= 0.003
    model.save_pretrained(folder)
    return folder


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
    made = plan.capture(
        folder, CaptureRequest(subject=str(subject), tasks=str(folder / "texts.txt"), steps=24, batch=5)
    )
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


def _work(cache: Cache, name: str, kind: Any, spec: Spec) -> JobFolder:
    """A job done in this process."""
    job = JobFolder(cache.jobs / name)
    job.shards.mkdir(parents=True, exist_ok=True)
    with Progress(job, {"id": name, "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        kind.work(job, spec, progress)
    return job


def _ablated(run: tuple[Cache, str], name: str = "atoy", **chosen: Any) -> dict[str, Any]:
    _work(run[0], name, ablate, _plan(run, **chosen).spec)
    return load.ablation(run[0], name)


def _plan(run: tuple[Cache, str], **chosen: Any) -> plan.Plan[Any]:
    usual = {"orders": ["synergy-first"], "seeds": 2, "fractions": [0.125, 0.25], "prompts": 5, "device": "cpu"}
    return plan.ablate(run[0], run[0].folder, AblateRequest(decomposition=run[1], **(usual | chosen)))


# The measurement


@pytest.mark.slow
@pytest.mark.parametrize("how", INTERVENTIONS)
def test_packed_from_the_first_layer_is_the_plain_way_under_every_intervention(spoken, how):
    """Padding, no shared prefix, no cached residual: the same numbers."""
    subject, prompts, responses = spoken
    assert shared_prefix(Sequences(prompts, responses), range(5)) > 10

    def under(**chosen):
        made = {
            "zero": interventions.Zero,
            "mean": lambda: interventions.Mean(
                interventions.reference_means(subject, subject.units(), prompts, responses, 2)
            ),
            "resample": lambda: interventions.Resample(3),
            "noise": lambda: interventions.Noise(subject, 0.7, 3),
        }[how]()
        intact = IntactBehaviour(subject, prompts, responses, intervention=made, **chosen)
        return intact, [intact.under(one) for one in ({2: [1]}, {1: [0, 3], 3: [2]}, {0: [2]}, {3: [0]})]

    lab, fast = under(batch=4)
    assert lab.packed
    _, plain = under(batch=1, packed=False, from_layer=False)
    for one, other in zip(fast, plain, strict=True):
        assert other.divergence.min() > 1e-4
        for mine, theirs in zip(one, other, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_mean_and_resample_take_what_the_intact_heads_gave(spoken):
    """By hand, on one prompt: the head's slice is replaced and the model run once."""
    subject, prompts, responses = spoken
    kept: list[torch.Tensor] = []
    hook = subject.projections[1].register_forward_pre_hook(lambda _, args: kept.append(args[0][0]))
    sequences = Sequences(prompts, responses)
    with torch.inference_mode():
        for one in range(5):
            subject.model(torch.tensor([sequences.whole(one)]))
    hook.remove()
    first = [sequences.first_step(one) for one in range(5)]
    mean = torch.cat([value[start:] for value, start in zip(kept, first, strict=True)]).mean(dim=0)
    found = interventions.reference_means(subject, subject.units(), prompts, responses, 2)[1]
    torch.testing.assert_close(found, mean, atol=1e-5, rtol=1e-5)

    how = interventions.Resample(3)
    IntactBehaviour(subject, prompts, responses, 3, how)
    donor = interventions.donors(5, 3)
    assert sorted(donor) == list(range(5))
    assert not (donor == np.arange(5)).any()
    seen: list[torch.Tensor] = []
    made = passes(sequences, 3, subject.device, packed=True)
    with torch.inference_mode():
        for number, one in enumerate(made):
            with how.on(subject.units(), {1: [2]}, number):
                hook = subject.projections[1].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
                from synergy_tui.ablation.packing import attention_of

                with attention_of(subject.model.base_model, one):
                    subject.model.base_model(input_ids=one.ids, position_ids=one.positions, use_cache=False)
                hook.remove()
            for sequence in one.sequences:
                row, columns = one.at[sequence]
                mine, other = seen[number][row, columns], donor[sequence]
                steps = torch.arange(len(mine) - first[sequence]).clamp(max=len(responses[other]) - 1)
                torch.testing.assert_close(mine[first[sequence] :, 16:24], kept[other][first[other] + steps, 16:24])
                torch.testing.assert_close(mine[:, :16], kept[sequence][:, :16], atol=1e-5, rtol=1e-4)


def test_noise_depends_on_the_seed_and_the_head_alone(spoken):
    subject, prompts, responses = spoken

    def under(seed: int, removed: dict[int, list[int]], alpha: float = 0.5) -> np.ndarray:
        how = interventions.Noise(subject, alpha, seed)
        return IntactBehaviour(subject, prompts, responses, 8, how).under(removed).divergence

    np.testing.assert_array_equal(under(1, {2: [0, 1]}), under(1, {2: [0, 1]}))
    np.testing.assert_allclose(under(1, {2: [0, 1]}), under(1, {2: [1, 0]}), atol=1e-5)
    assert not np.allclose(under(1, {2: [0]}), under(2, {2: [0]}), rtol=1e-3)
    assert under(1, {2: [0]}, 2.0).mean() > under(1, {2: [0]}).mean()


@pytest.mark.slow
@pytest.mark.parametrize("how", INTERVENTIONS)
def test_the_intact_subject_is_intact_after_a_sweep_an_error_and_a_cancel(spoken, how, monkeypatch):
    """Bit-identical logits, no hook and no changed method left."""
    subject, prompts, responses = spoken
    ids = torch.arange(20)[None]
    made = {
        "zero": interventions.Zero(),
        "mean": interventions.Mean(interventions.reference_means(subject, subject.units(), prompts, responses, 5)),
        "resample": interventions.Resample(0),
        "noise": interventions.Noise(subject, 1.0, 0),
    }[how]
    with torch.inference_mode():
        before = subject.model(ids).logits
    attention = subject.model.config._attn_implementation
    intact = IntactBehaviour(subject, prompts, responses, 5, made)
    for unit in range(16):
        intact.under({unit // 4: [unit % 4]})
    for error in (RuntimeError("no memory"), Cancelled("cancelled", "resume")):
        # In the midst of a pass: hooks in place, layers skipped, attention swapped.
        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        hook = subject.model.base_model.layers[3].register_forward_pre_hook(fail)
        with pytest.raises(type(error)):
            intact.under({2: [1], 3: [0]})
        hook.remove()
    with torch.inference_mode():
        assert torch.equal(subject.model(ids).logits, before)
    assert subject.model.config._attn_implementation == attention
    for module in subject.model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in module.__dict__


# The lab as a job


@pytest.mark.slow
def test_the_sweep_finds_the_heads_that_carry_the_answer_and_controls_do_not(run):
    orders = ["synergy-first", "random", "layer-matched", "single-units", "whole-layers"]
    found = _ablated(run, orders=orders, seeds=20, fractions=[0.125, 0.375])
    alone = {one["unit_index"]: one["divergence"] for one in found["sweeps"]["single-units"]}
    assert set(sorted(alone, key=lambda unit: -alone[unit])[:2]) == set(KNOWN)
    layers = {one["layer"]: one["divergence"] for one in found["sweeps"]["whole-layers"]}
    assert set(sorted(layers, key=lambda layer: -layers[layer])[:2]) == {1, 2}
    assert "synergy-first: area over [0, 0.25] is" in found["verdict"]
    # Of these prompts none is left for the ranking to come from.
    assert found["held_out"] is False
    assert "The ranking and the replay share prompts" in found["verdict"]
    ratio = {one["control"]: one for one in found["ratios"] if one["removal_order"] == "synergy-first"}
    assert ratio["random"]["low"] > 1
    assert ratio["random"]["p_above"] < 0.05
    (curve,) = found["orders"]["synergy-first"]["curves"]
    others = [one["divergence"][0] for one in found["orders"]["random"]["curves"]]
    assert curve["divergence"][0] > np.median(others) * 3
    # Two heads of 16: one of the 20 sets with as many from each layer is the very same, and counts against it.
    matched = [one["divergence"][0] for one in found["orders"]["layer-matched"]["curves"]]
    assert sum(one == pytest.approx(curve["divergence"][0]) for one in matched) == 1
    assert ratio["layer-matched"]["ratio"] > 3
    assert 0.05 < ratio["layer-matched"]["p_above"] < 2.5 / 21
    assert ratio["layer-matched"]["low"] < 1
    by_name = {one["ranking"]: one for one in found["correlations"]}
    assert by_name["rank-difference"]["units"] == 16
    assert by_name["rank-difference"]["low"] <= by_name["rank-difference"]["spearman"]
    # A second map beside the first.
    score = stored.read(*run).scores["divergence"]
    assert set(np.argsort(score.values)[-2:]) == set(KNOWN)
    assert (score.low <= score.values + 1e-12).all()
    assert (score.values <= score.high + 1e-12).all()


@pytest.mark.slow
def test_the_ranking_comes_from_prompts_that_are_not_replayed_where_there_are_five(run):
    """On the prompts replayed, and so over all, other heads rank first."""
    cache, _ = run
    first = {0: (0, 3), 1: KNOWN}
    rows = [
        {"decomposition": "dheld", "prompt": prompt, "unit_index": unit, "sts": value, "rtr": 1.0, "tdmi": 9.0}
        | {"balance": 0.5, "independence": 0.1}
        for prompt in range(10)
        for unit, value in enumerate(
            [1 + (10 - prompt) * (unit in first[prompt // 5]) + unit / 100 for unit in range(16)]
        )
    ]
    (own,) = load.rows(cache, "SELECT capture FROM decompositions WHERE decomposition = 'dtoy'")
    row = {"decomposition": "dheld", "capture": own["capture"], "estimator": "gaussian", "redundancy": "mmi", "lag": 1}
    scores = [
        {"decomposition": "dheld", "unit_index": unit, "score": name, "value": 1.0 * (unit in first[0])}
        for name in (*RANKINGS, *MEASURES, *ATOMS)
        for unit in range(16)
    ]
    tables = {"decompositions": [row], "unit_scores": scores}
    publish_decomposition(cache, "dheld", tables | {"unit_prompts": rows}, iter(()))
    made = _plan((cache, "dheld"), fractions=[0.125]).spec
    assert made.held_out
    found = {
        name: set(np.argsort(value)[-2:]) for name, value in rankings(cache, "dheld", (4, 4), made.replayed).items()
    }
    assert found["difference"] == found["rank-difference"] == found["tdmi-share"] == set(KNOWN)
    shared = rankings(cache, "dheld", (4, 4))
    assert set(np.argsort(shared["difference"])[-2:]) == set(first[0])
    told = _ablated((cache, "dheld"), fractions=[0.125], orders=["synergy-first", "random"])
    assert told["held_out"]
    assert "share prompts" not in told["verdict"]
    (curve,) = told["orders"]["synergy-first"]["curves"]
    assert curve["divergence"][0] > 0.3


@pytest.mark.slow
def test_a_cancelled_lab_keeps_what_is_there_and_goes_on_to_the_same_numbers(run):
    spec = _plan(run, orders=["synergy-first", "single-units"]).spec
    whole = load.ablation(run[0], _work(run[0], "awhole", ablate, spec).id)
    job = JobFolder(run[0].jobs / "astop")
    job.shards.mkdir(parents=True)
    with Progress(job, {"id": "astop", "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        advance = progress.advance

        def stop(parts: float = 1) -> None:
            if len(list(job.shards.iterdir())) == 5:
                job.cancel_flag.touch()
            advance(parts)

        progress.advance = stop  # type: ignore[method-assign]
        with pytest.raises(Cancelled):
            ablate.work(job, spec, progress)
    assert len(parts.partial_curves(job.shards)) == 2
    assert len(parts.partial_sweep(job.shards, 16)[0]) == 16
    job.cancel_flag.unlink()
    resumed = load.ablation(run[0], _work(run[0], "astop", ablate, spec).id)
    assert resumed["sweeps"] == whole["sweeps"]
    assert resumed["orders"] == whole["orders"]


@pytest.mark.slow
def test_controls_are_drawn_until_the_verdict_is_decided(run):
    """With six of sixteen heads removed, random sets hold those that matter too often for any order to stand out."""
    orders = ["synergy-first", "random", "layer-matched"]
    chosen: dict[str, Any] = {"orders": orders, "seeds": 20, "fractions": [0.25, 0.375], "prompts": 3}
    planned = _plan(run, **chosen, stop="decided")
    assert planned.cost.time.startswith("at most")
    found = load.ablation(run[0], _work(run[0], "adecided", ablate, planned.spec).id)
    assert (found["drawn"], found["drawn_of"], found["stop"]) == (10, 40, "decided")
    assert found["stopped"] == "synergy-first stopped after 5 of 20 random, 5 of 20 layer-matched sets: decided"
    assert "not disproportionate; stopped after 5 of 20 random" in found["verdict"]
    tested = [one for one in found["ratios"] if one["category"] is None]
    assert {(one["seeds"], one["seeds_of"]) for one in tested} == {(5, 20)}
    assert "not above" in {one["stopped"] for one in tested}
    assert max(one["p_above"] for one in tested) > 0.1
    assert len(found["orders"]["random"]["curves"]) == 5


@pytest.mark.slow
def test_a_job_that_was_ended_within_a_look_goes_on_there_and_draws_what_all_draws(run):
    """This order is undecided to the end: one of its sets is the very same two heads."""
    orders = ["synergy-first", "random", "layer-matched"]
    chosen: dict[str, Any] = {"orders": orders, "seeds": 20, "fractions": [0.125, 0.375], "prompts": 2}
    whole = _ablated(run, "aall", **chosen)
    spec, job = _plan(run, **chosen, stop="decided").spec, JobFolder(run[0].jobs / "ahalf")
    job.shards.mkdir(parents=True)
    with Progress(job, {"id": "ahalf", "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        advance = progress.advance

        def stop(parts: float = 1) -> None:
            if len(list(job.shards.iterdir())) == 25:  # the first look has 22
                job.cancel_flag.touch()
            advance(parts)

        progress.advance = stop  # type: ignore[method-assign]
        with pytest.raises(Cancelled):
            ablate.work(job, spec, progress)
    job.cancel_flag.unlink()
    first = {one.name: one.stat().st_mtime_ns for one in job.shards.iterdir()}
    resumed = load.ablation(run[0], _work(run[0], "ahalf", ablate, spec).id)
    assert first.items() <= {one.name: one.stat().st_mtime_ns for one in job.shards.iterdir()}.items()
    assert resumed["orders"] == whole["orders"]
    assert (resumed["drawn"], resumed["stopped"]) == (whole["drawn"], whole["stopped"]) == (40, None)


@pytest.mark.slow
def test_a_divergence_over_the_budget_of_c4_needs_no_more_than_the_first_look(run):
    chosen: dict[str, Any] = {"orders": ["redundancy-first", "random"], "seeds": 20, "fractions": [0.25], "prompts": 2}
    request = AblateRequest(decomposition=run[1], device="cpu", stop="decided", **chosen)
    for budget, drawn in ((1e-9, {5}), (None, {5, 10, 15, 20})):
        spec = plan.ablate(run[0], run[0].folder, request, dispensable=budget).spec
        found = load.ablation(run[0], _work(run[0], f"a{budget}", ablate, spec).id)
        assert found["drawn"] in drawn
        assert ("by the divergence alone" in (found["stopped"] or "")) == (budget is not None)


@pytest.mark.parametrize("stop", ["decided", "all"])
def test_a_rule_to_stop_is_part_of_what_was_asked_for(run, stop):
    """What was done before there was one is what `all` does; for other numbers of seeds there is no rule."""
    chosen: dict[str, Any] = {"seeds": 20, "orders": ["synergy-first", "random"]}
    usual = _plan(run, **chosen).spec
    assert (_plan(run, **chosen, stop=stop).spec.hash == usual.hash) == (stop == "all")
    assert "stop" not in usual.identity()
    with pytest.raises(UsageError, match="20 seeds, not 40"):
        _plan(run, seeds=40, stop="decided")


@pytest.mark.slow
def test_a_plan_saved_as_a_model_has_the_logits_of_the_intervention(run, tmp_path):
    found = _ablated(run, orders=["single-units"], budget=0.05, save=str(tmp_path / "pruned"), prompts=3)
    written = json.loads((tmp_path / "pruned" / "plan.json").read_text())
    heads = {int(layer): units for layer, units in written["heads"].items()}
    units = [(one["layer"], one["unit"]) for one in found["plan"]["units"]]
    assert sorted((layer, unit) for layer, some in heads.items() for unit in some) == sorted(units)
    assert found["plan"]["divergence"] <= 0.05
    assert 1 <= found["plan"]["removed"] < 15
    assert found["plan"]["held_out_prompts"] == 2
    assert found["plan"]["held_out"] > 0
    assert not set(KNOWN) & {layer * 4 + unit for layer, unit in units}
    reached = [one["divergence"] for one in found["plan"]["units"]]
    assert reached == sorted(reached) or max(reached) <= 0.05
    intact = loading.load(
        resolve(load.rows(run[0], "SELECT place FROM subjects")[0]["place"]), tmp_path, "cpu", "float32"
    )
    pruned = loading.load(resolve(str(tmp_path / "pruned")), tmp_path, "cpu", "float32")
    ids = torch.arange(30)[None]
    with torch.inference_mode(), interventions.Zero().on(intact.units(), heads):
        expected = intact.model(ids).logits
    with torch.inference_mode():
        torch.testing.assert_close(pruned.model(ids).logits, expected, atol=1e-6, rtol=0)
    width = 8 * 32
    groups = [
        (layer, group) for layer, some in heads.items() for group in (0, 1) if {2 * group, 2 * group + 1} <= set(some)
    ]
    assert found["plan"]["parameters_saved"] == 2 * width * len(units) + 2 * width * len(groups)


def test_a_plan_takes_the_cheapest_set_and_remeasures_when_units_stand_in_for_each_other():
    """Units 0 and 1 are copies: either may go, not both. Single divergences say otherwise."""

    def measure(units):
        gone = set(units)
        return 0.01 * len(gone) + (1.0 if {0, 1} <= gone else 0.0) + (0.5 if 4 in gone else 0.0)

    alone = np.array([0.01, 0.01, 0.01, 0.01, 0.51])
    found = compression.plan(alone, 0.1, measure, 100)
    assert len(found.units) == 3
    assert not {0, 1} <= set(found.units)
    assert 4 not in found.units
    assert found.divergence[-1] == pytest.approx(0.03)
    assert len(compression.plan(alone, 0.1, measure, 2).units) == 2
    with pytest.raises(UsageError, match="below what one unit costs"):
        compression.plan(alone, 0.001, measure, 100)


@pytest.mark.slow
def test_bf16_is_checked_in_float32(run):
    found = _ablated(run, orders=["single-units"], dtype="bfloat16", prompts=2)
    assert found["spot_check"]["conditions"] >= 4
    assert 0 < found["spot_check"]["largest difference"] < 0.2
    assert "measured again in float32" in found["verdict"]


@pytest.mark.slow
def test_the_ablated_subject_answers_by_itself_and_is_graded(run, monkeypatch, tmp_path):
    """Tasks whose right answers are what the intact subject says: it can do all of them, and without its heads not."""
    subject = loading.load(
        resolve(load.rows(run[0], "SELECT place FROM subjects")[0]["place"]), tmp_path, "cpu", "float32"
    )
    asked = ["alpha", "beta", "gamma", "delta"]
    said = generate(subject, encode(subject, asked, chat=True), 24)
    texts = [subject.tokenizer.decode(one.tokens, skip_special_tokens=True) for one in said]
    # Whole words of the first line.
    lines = [re.sub(r"\W*\w*$", "", text.strip().partition("\n")[0]) for text in texts]
    rows_ = [
        {"id": text, "category": "echo" if number < 2 else "more", "text": text, "answer": line, "grade": "phrase"}
        for number, (text, line) in enumerate(zip(asked, lines, strict=True))
        if line.strip() and "|" not in line
    ]
    rows_.append({"id": "never", "category": "cannot", "text": "x", "answer": "no such thing", "grade": "phrase"})
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows_))
    tasks = str(tmp_path / "mine.jsonl")
    found = _ablated(
        run, orders=["synergy-first", "random"], tasks=tasks, answers=True, fractions=[0.25, 1.0], answer_steps=24
    )
    intact = {one["category"]: one for one in found["accuracy"] if one["removal_order"] == "intact"}
    assert intact["cannot"]["able"] is False
    assert intact["cannot"]["correct"] == 0  # cut off at 24 tokens, or wrong
    assert intact[None]["accuracy"] == 1
    assert intact[None]["tasks"] == len(rows_) - 1
    ablated = [one for one in found["accuracy"] if one["removal_order"] == "synergy-first"]
    assert all(one["fraction"] == 0.25 and one["category"] != "cannot" for one in ablated)
    assert "Accuracy without 25% synergy-first" in found["verdict"]
    answers = walk.answers(run[0], found["ablation"])
    assert {one["removal_order"] for one in answers} == {"synergy-first", "random"}
    assert all(one["pieces"] for one in answers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"fractions": [0.1, 1.5]}, "not numbers above 0 up to 1"),
        ({"fractions": [float("nan")]}, "not numbers above 0 up to 1"),
        ({"orders": ["marked"]}, "go together"),
        ({"orders": ["marked"], "units": ["0.3", "9.0"]}, "no unit '9.0' among 4 layers"),
        ({"orders": ["marked"], "units": [f"{one // 4}.{one % 4}" for one in range(16)]}, "all units of the model"),
        (
            {"orders": ["marked", "layer-matched"], "units": ["0.0", "1.1"], "seeds": 20},
            "16 distinct layer-matched of marked sets, not 20",
        ),
        ({"orders": ["random"], "fractions": [0.0625], "seeds": 20}, "16 distinct random sets, not 20"),
        ({"intervention": "mean"}, "needs a reference set"),
        ({"intervention": "mean", "prompts": 4, "reference": 2}, "needs a reference set"),
        ({"intervention": "resample", "prompts": 1}, "needs another prompt"),
        ({"intervention": "resample", "tasks": "graded"}, "does not have"),
        ({"intervention": "noise", "alpha": 0.0}, "alpha 0.0 is not a number above 0"),
        ({"intervention": "none"}, "no intervention 'none'"),
        ({"orders": ["backwards"]}, "no removal order"),
        ({"budget": -1.0}, "budget -1.0 is not a number above 0"),
        ({"budget": 0.1, "intervention": "noise"}, "a plan sets units to zero"),
        ({"save": "here"}, "there is no plan"),
        ({"tasks": "no-such-file.jsonl"}, "no graded tasks"),
        ({"prompts": 6}, "has 5 prompts long enough, not 6"),
    ],
)
def test_bad_input_is_refused_in_one_line_with_the_next_step(run_once, chosen, said):
    with pytest.raises(SynergyError, match=said) as found:
        _plan(run_once, **chosen)
    assert "\n" not in str(found.value)
    assert "·" in str(found.value)


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory, toy: Path) -> tuple[Cache, str]:
    return _run(tmp_path_factory.mktemp("once"), toy)


# What is said of it


def test_an_overflow_is_told_as_missing_and_never_drawn_as_a_number():
    point = {"seed": None, "target": None, "fraction": [0.1, 0.25], "top1": [1.0, 0.0]}
    curve = point | {"divergence": [0.5, None], "perplexity_ratio": [1.5, None]}
    orders = {"synergy-first": {"curves": [curve]}}
    first, second = curves.rows(orders)
    assert first["divergence"] == 0.5
    assert np.isnan(second["divergence"])
    assert np.isnan(second["perplexity_ratio"])
    assert "0.10" in curves.draw(orders, 60).plain
    tables_ = [
        pa.table({"prompt": [0], "divergence": [v], "top1": [1.0], "surprisal_change": [v]}) for v in (0.5, np.inf)
    ]
    some = [Condition("synergy-first", None, None, share, (0,)) for share in (0.1, 0.25)]
    spec = AblateSpec(
        decomposition="d",
        capture="c",
        source=Source("toy", "folder", "/toy"),
        data="",
        kinds=("head",),
        chat=False,
        replayed=(0,),
        orders=("synergy-first",),
        fractions=(0.1, 0.25),
        dtype="float32",
    )
    made = ablate_rows.rows("a", spec, some, tables_, {0: 0, 1: 0}, (1, 2), {}, {}, {})
    assert "1 conditions gave no finite divergence" in made["ablations"][0]["verdict"]
    for name in ("divergence", "perplexity_ratio"):
        assert made["ablation_curves"][name].to_pylist()[0] > 0
        assert made["ablation_curves"][name].to_pylist()[1] is None


def test_the_area_test_calls_three_to_seven_percent_of_null_targets():
    """500 targets that are random sets themselves, against 20 random sets: units of unequal weight, divergence of a set
    their sum with noise, areas over [0, 0.25]."""
    chance = np.random.default_rng(0)
    fractions, worth = np.array([0.05, 0.1, 0.15, 0.2, 0.25]), chance.lognormal(0, 1, 270)
    counts = np.floor(fractions * 270 + 0.5).astype(int)

    def drawn() -> float:
        sums = np.cumsum(worth[chance.permutation(270)])[counts - 1]
        return area(fractions, sums * np.exp(0.05 * chance.normal(size=5)), 0.25)

    sets = [np.array([[drawn()] for _ in range(21)]) for _ in range(500)]
    found = [area_test(one[0], one[1:], replicates=10) for one in sets]
    for side in ("p", "below"):
        assert 0.03 <= np.mean([getattr(one, side) < 0.05 for one in found]) <= 0.07


def test_paired_intervals_cover_the_ratio_they_are_of():
    """Prompts differ a lot and in all sets alike: pairing takes that out. The ratio is to a set yet to be drawn."""
    chance = np.random.default_rng(0)
    covered, widths, apart = 0, [], []
    for seed in range(100):
        prompt = chance.lognormal(0, 1, 12)
        target = 1.5 * prompt * np.exp(0.1 * chance.normal(size=(1, 12)))
        controls = prompt * np.exp(0.1 * chance.normal(size=(21, 1, 12)))
        another, controls = controls[0].mean(), controls[1:]
        found = importance.area_ratio(np.array([0.25]), target, controls, 0.25, seed)
        assert found.low <= found.ratio <= found.high
        covered += found.low <= target.mean() / another <= found.high
        widths.append(found.high - found.low)
        shuffled = importance.area_ratio(np.array([0.25]), chance.permutation(target, axis=1), controls, 0.25, seed)
        apart.append(shuffled.high - shuffled.low)
    assert covered >= 90
    assert np.median(widths) < 0.5 < np.median(apart) / 3


def test_an_area_is_taken_of_each_prompt_once_and_a_single_fraction_is_the_divergence_there():
    chance = np.random.default_rng(1)
    fractions = np.array([0.1, 0.25, 0.5])
    target, controls = chance.gamma(9, size=(3, 4)), chance.gamma(3, size=(20, 3, 4))
    found = importance.area_ratio(fractions, target, controls, 0.25, 7)
    by_prompt = [area(fractions, column, 0.25) for column in target.T]
    others = [[area(fractions, column, 0.25) for column in one.T] for one in controls]
    expected = area_test(np.array(by_prompt), np.array(others), 7)
    numbers = [[value for value in vars(one).values() if not isinstance(value, str)] for one in (found, expected)]
    np.testing.assert_allclose(*numbers)
    whole = importance.area_ratio(np.array([0.3]), target[:1], controls[:, :1], 0.3)
    assert whole.ratio == pytest.approx(target[0].mean() / np.exp(np.median(np.log(controls[:, 0].mean(axis=1)))))


def test_paired_tasks_show_a_change_that_unpaired_ones_hide():
    """40 tasks, half of them hard for every set; the target loses four more of the easy ones."""
    easy = np.repeat([1.0, 0.0], 20)
    own = easy.copy()
    own[:4] = 0
    found = importance.accuracy_change(own, np.tile(easy, (5, 1)))
    assert found.value == pytest.approx(-0.1)
    assert found.high < 0
    assert importance.binomial(16, 40).high > 0.5
    assert np.isnan(importance.accuracy_change(own, np.empty((0, 40))).value)


def test_partial_correlation_takes_depth_out():
    chance = np.random.default_rng(0)
    layer_of = np.repeat(np.arange(10), 9)
    depth = np.sin(layer_of / 2)[:, None]
    alone = depth + 0.3 * chance.normal(size=(90, 1)) + 0.1 * chance.normal(size=(90, 8))
    plain, partial = importance.correlation(alone, depth[:, 0] + 0.3 * chance.normal(size=90), layer_of, replicates=200)
    assert plain.low > 0.4
    assert partial.low < 0 < partial.high
    _, one_each = importance.correlation(alone, alone[:, 0], np.arange(90), replicates=20)
    assert np.isnan(one_each.value)


def test_binomial_intervals_are_wilsons():
    found = importance.binomial(0, 10)
    assert (found.low, round(found.high, 4)) == (0.0, 0.2775)
    assert [round(one, 4) for one in importance.binomial(8, 10)] == [0.8, 0.4902, 0.9433]
