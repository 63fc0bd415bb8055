"""Planted transformers: their heads do what was asked for, and the tests find what was planted. The long form is
`synergy-tui bench calibration`."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from synergy_tui.ablation.interventions import Zero
from synergy_tui.bench import calibration
from synergy_tui.bench import plants as captures
from synergy_tui.bench.planted import Planted
from synergy_tui.capture.generate import Sampling, encode, generate, replay
from synergy_tui.errors import SubjectError
from synergy_tui.subject.loading import load
from synergy_tui.subject.sources import resolve
from synergy_tui.tasks import graded as grading
from synergy_tui.tasks import prompts as asking
from synergy_tui.terms import SUPPORTED
from synergy_tui.zoo import plants
from synergy_tui.zoo.construction import WORDS, Circuit, Decay, Head, Lag, Vocabulary, intended, write
from synergy_tui.zoo.plants import PLANTS

FOUR = ("synergy", "transfer", "driver", "memory")
"""These have every part of the construction."""


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


@pytest.fixture(scope="module", params=FOUR)
def name(request):
    return request.param


def codes_of(name: str, tokens: list[int]) -> np.ndarray:
    """Codes of tokens after the start token; what is no word has none."""
    codes = Vocabulary(PLANTS[name].circuit, 0).codes
    return np.concatenate([codes, np.zeros((4, codes.shape[1]))])[tokens]


def test_activity_is_the_intended_process(name):
    subject = captures.subject(name)
    asked = encode(subject, plants.prompts(name, 2), chat=True)
    circuit = PLANTS[name].circuit
    responses = generate(subject, asked, 40, sampling=Sampling(1.0, 1.0, 0))
    again = replay(subject, asked, [one.tokens for one in responses])
    for prompt, response, replayed in zip(asked, responses, again, strict=True):
        wanted = intended(circuit, codes_of(name, [*prompt[1:], *response.tokens[:-1]]))[:, len(prompt) - 2 :]
        np.testing.assert_allclose(response.activity, wanted, atol=1e-3)
        np.testing.assert_allclose(replayed, wanted, atol=1e-3)


def test_the_memory_of_a_process_is_the_one_asked_for():
    """A white source under weights that decay by φ has the autocorrelation φ and the variance 1."""
    heads = tuple(Head("alone", Decay(phi), {f"own {phi}": 1.0}) for phi in (0.3, 0.6, 0.9))
    codes = np.random.default_rng(0).choice([-1.0, 1.0], (200_000, 3))
    series = intended(Circuit((heads,)), codes)[:, 100:] - 6.0
    np.testing.assert_allclose(series.var(axis=1), 1, atol=0.03)
    own = (series[:, 1:] * series[:, :-1]).mean(axis=1) / series.var(axis=1)
    np.testing.assert_allclose(own, (0.3, 0.6, 0.9), atol=0.01)


def test_sources_are_white_under_what_is_sampled(name):
    """Over the words, sources are balanced and uncorrelated exactly, also where the logits of words differ."""
    circuit = PLANTS[name].circuit
    words = Vocabulary(circuit, 3)
    for shift in (0.0, 0.7):
        chance = np.exp(shift * words.moved)
        chance /= chance.sum()
        assert np.abs(chance @ words.codes).max() < 1e-15
    np.testing.assert_array_equal(words.codes.T @ words.codes, WORDS * np.eye(len(circuit.sources)))


def test_pairs_that_are_not_planted_have_no_source_in_common():
    for one in PLANTS.values():
        circuit = one.circuit
        made_of = {name: {name} for name in circuit.sources}
        for head in circuit.flat:
            made_of |= {name: made_of[of] for name, of in head.carries.items()}
        seen = [set().union(*(made_of[name] for name in head.shows)) for head in circuit.flat]
        shared = {pair for pair in combinations(range(len(seen)), 2) if seen[pair[0]] & seen[pair[1]]}
        assert shared == {tuple(sorted(pair)) for pair in one.pairs}


@torch.inference_mode()
def test_only_heads_that_matter_change_the_logits(name):
    subject = captures.subject(name)
    circuit, units = PLANTS[name].circuit, subject.units()
    ids = torch.tensor(encode(subject, plants.prompts(name, 1), chat=True))
    intact = subject.model(ids).logits[..., :WORDS]
    for unit, (matters, idle) in enumerate(zip(circuit.matters(), circuit.idle(), strict=True)):
        removed = {unit // circuit.per_layer: [unit % circuit.per_layer]}
        with Zero().on(units, removed):
            change = (subject.model(ids).logits[..., :WORDS] - intact).abs().max()
        if idle:
            assert change == 0
        elif circuit.flat[unit].writes:
            # By the head's own activity, a seventh of its offset to twice it.
            wanted = circuit.step * circuit.flat[unit].writes
            assert wanted / 7 < change < 2 * wanted
        else:
            assert matters or change < 1e-4


def test_the_folder_is_a_model_and_its_truth(tmp_path):
    plants.build("synergy-idle", tmp_path / "it", seed=4)
    truth = json.loads((tmp_path / "it" / "truth.json").read_text())
    subject = load(resolve(str(tmp_path / "it")), tmp_path, "cpu", "float32")
    assert (subject.layers, subject.heads) == (truth["layers"], truth["per_layer"])
    assert len(truth["units"]) == subject.layers * subject.heads
    quiet = [one for one in truth["units"] if one["role"] == "synergistic"]
    assert quiet
    assert all(one["idle"] and not one["matters"] for one in quiet)
    assert {one["kind"] for one in truth["pairs"]} == {"synergy", "redundancy"}
    assert subject.ends == ()


def test_an_unknown_plant_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(SubjectError, match=", ".join(PLANTS)):
        plants.build("synergie", tmp_path)
    with pytest.raises(SubjectError, match="answers nothing"):
        plants.graded("memory", 1)


def test_what_cannot_be_built_is_not(tmp_path):
    loud = Head("loud", Decay(0.9), {"a": 2.0})
    early = Head("early", Lag(), {"later": 1.0})
    for head, why in ((loud, "shows up to"), (early, "before it is carried")):
        later = Head("later", Lag(), {"b": 1.0}, {"later": "b"})
        with pytest.raises(ValueError, match=why):
            write(Circuit(((head,), (later,))), tmp_path)


@torch.inference_mode()
def test_the_intact_plant_answers_its_tasks_and_without_its_circuit_it_does_not(tmp_path):
    plants.write_tasks(plants.graded("synergy", 20), tmp_path / "tasks.jsonl")
    tasks = grading.load(str(tmp_path / "tasks.jsonl"))
    subject = captures.subject("synergy")
    asked = encode(subject, [one.text for one in tasks], chat=True)
    circuit = PLANTS["synergy"].circuit

    def right() -> int:
        answers = [subject.tokenizer.decode(one.tokens) for one in generate(subject, asked, 2)]
        return sum(grading.graded(*one, ended=False).name == "right" for one in zip(tasks, answers, strict=True))

    assert right() == 20
    with Zero().on(subject.units(), {layer: range(4) for layer in plants.MIDDLE}):
        assert right() < 8
    assert [one.role for one in circuit.heads[4][:4]] == ["synergistic"] * 4


def test_prompts_are_read_as_a_task_set(tmp_path):
    plants.write_tasks(plants.prompts("memory", 5, 1), tmp_path / "prompts.jsonl")
    assert [one.text for one in asking.load(str(tmp_path / "prompts.jsonl")).prompts] == plants.prompts("memory", 5, 1)


def test_planted_synergy_is_found_in_every_pair():
    """Six synergistic heads among six others: 15 of 66 pairs."""
    whole = captures.captured("synergy", 1)
    roles = [head.role for head in PLANTS["synergy"].circuit.flat]
    chosen = np.concatenate([np.flatnonzero(np.array(roles) == one)[:6] for one in ("synergistic", "independent")])
    data = Planted(whole.series[:, chosen], None, 3)
    p, excess = calibration.judged(data, draws=39, seed=1, replicates=60, keep=True)["kept"]["pairs"]
    first, second = np.triu_indices(12, 1)
    planted, apart = (first < 6) & (second < 6), (first < 6) != (second < 6)
    assert (excess > 0.1)[:, planted].all()
    assert (p[planted, 0] < 0.05).all()  # with so few pairs and draws no q is
    assert (p[apart, 0] < 0.05).mean() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["synergy", "redundancy", "memory"])
def test_what_was_planted_is_found(name):
    found = calibration.judged(captures.captured(name, 1), draws=39, seed=1, replicates=60, keep=True)
    planted = captures.found(name, found["kept"])
    assert planted["pairs, nothing: q"] < 0.05
    assert (found["C1"] == SUPPORTED) == (name == "synergy")
    if name == "synergy":
        assert planted["pairs, synergy: above, q"] > 0.9
        assert planted["units, synergy: above, q"] > 0.9
    if name == "redundancy":
        assert planted["pairs, redundancy: rtr and below, q"] > 0.8  # with more draws 1
        assert planted["units, redundancy: rtr and below, q"] > 0.9


def test_every_expected_verdict_is_one_there_is(tmp_path: Path):
    from synergy_tui.terms import VERDICTS

    for one in PLANTS.values():
        assert set(one.claims) >= {"C1"}
        assert all(set(verdicts) <= set(VERDICTS) and verdicts for verdicts in one.claims.values())
