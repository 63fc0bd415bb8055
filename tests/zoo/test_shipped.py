"""The models that ship: they solve their languages, their circuits are where truth.json says, and the tool's own path
says the same of them."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.capture.attention import patterns
from synergy_tui.capture.generate import encode, generate
from synergy_tui.errors import SubjectError
from synergy_tui.settings import shipped as data
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sources import resolve
from synergy_tui.tasks import graded, ladders, prompts
from synergy_tui.tasks.verifiers import grade
from synergy_tui.zoo import shipped
from synergy_tui.zoo.shipped import LANGUAGE_OF, ZOO

EVERY = [f"{ZOO}{kind}/{seed}" for kind in LANGUAGE_OF for seed in shipped.seeds(kind)]
KINDS = pytest.mark.parametrize("kind", LANGUAGE_OF)


@cache
def subject(name: str) -> Subject:
    """A model of the zoo, loaded once."""
    torch.set_num_threads(1)
    return load(resolve(name), Path(), "cpu", "float32")


def test_all_are_there_and_small() -> None:
    """Five seeds of induction and addition with 8 to 12 checkpoints of one, two of the others, under 15 MB together."""
    often = ("induction", "addition")
    assert {kind: len(shipped.seeds(kind)) for kind in LANGUAGE_OF} == {
        kind: 5 if kind in often else 2 for kind in LANGUAGE_OF
    }
    assert all(8 <= len(shipped.checkpoints(kind)) <= 12 for kind in often)
    assert sum(one.stat().st_size for one in data("zoo").rglob("*") if one.is_file()) < 15e6


@pytest.mark.parametrize("name", EVERY)
def test_every_seed_solves_the_easiest_level(name: str) -> None:
    """As truth.json says, on held-out prompts; of the mixture, whose languages are none easier, all together."""
    said = list(shipped.truth(name)["accuracy"].values())
    assert (said[0] if shipped.learned(name).ordered else np.mean(said)) >= 0.95


@KINDS
def test_the_tool_grades_as_truth_says(kind: str) -> None:
    """Prompts of the ladder's easiest level, answered by the tool's own batched decoding and graded by its verifier."""
    mine, ladder = subject(ZOO + kind), ladders.load(ZOO + kind, prompts=12)
    asked = ladder.on(0)
    answers = generate(mine, encode(mine, [one.text for one in asked], chat=True), shipped.learned(ZOO + kind).graded)
    texts = [mine.tokenizer.decode(one.tokens) for one in answers]
    right = [grade(one.verifier, text, one.answer).name == "right" for one, text in zip(asked, texts, strict=True)]
    assert np.mean(right) >= 0.9


@KINDS
def test_severed_heads_do_nothing_and_the_circuit_matters(kind: str) -> None:
    """Zero divergence to the last bit without the severed heads; without the most expensive unit a lot."""
    told = shipped.truth(ZOO + kind)["units"]
    mine = subject(ZOO + kind)
    texts = [one.text for one in prompts.select(prompts.load(ZOO + kind), 4).prompts]
    asked = encode(mine, texts, chat=True)
    answers = [one.tokens for one in generate(mine, asked, 30)]
    most = {name: np.nanmax([cost for row in told[name]["cost"] for cost in row or [np.nan]]) for name in told}
    for name in {"head", max(most, key=lambda one: most[one])} & set(told):
        units = mine.units((name,))
        intact = IntactBehaviour(mine, asked, answers, 4, units=units)
        severed: dict[int, list[int]] = {}
        for layer, unit in told[name]["nothing"]:
            severed.setdefault(layer, []).append(unit)
        if severed:
            assert not intact.under(severed).divergence.any()
        if name == max(most, key=lambda one: most[one]):
            cost = np.array([row or [np.nan] * units.per_layer for row in told[name]["cost"]], float)
            layer, unit = np.unravel_index(np.nanargmax(cost), cost.shape)
            assert intact.under({int(layer): [int(unit)]}).divergence.mean() > 0.05


def test_induction_has_its_heads() -> None:
    """A head that looks at the token before, in a layer below one that looks at what followed it last time; both found
    by the tool's own scores, and both in the circuit by ablation."""
    for seed in shipped.seeds("induction"):
        told = shipped.truth(f"{ZOO}induction/{seed}")["units"]["head"]
        before, induced = (np.array(told[name]) for name in ("previous-token", "induction"))
        circuit = {tuple(one) for one in told["circuit"]}
        first = [place for place in map(tuple, np.argwhere(before > 0.4)) if place in circuit]
        second = [place for place in map(tuple, np.argwhere(induced > 0.4)) if place in circuit]
        assert first, seed
        assert second, seed
        assert min(layer for layer, _ in first) < max(layer for layer, _ in second)


def test_the_tools_patterns_are_those_of_truth() -> None:
    """Two pieces of code that read attention differently name the same induction heads."""
    mine = subject(f"{ZOO}induction")
    said = np.array(shipped.truth(f"{ZOO}induction")["units"]["head"]["induction"])
    (asked,) = encode(mine, [prompts.load(f"{ZOO}induction").prompts[20].text], chat=True)
    (answer,) = generate(mine, [asked], 60)
    found = patterns(mine, mine.units().sites, asked, answer.tokens)
    mass = np.array([found[site][1].numpy() for site in sorted(found)])
    assert np.corrcoef(mass.ravel(), said.ravel())[0, 1] > 0.9


def test_every_expert_is_used_and_worth_something() -> None:
    """None is left out by its router, and the removal of any costs the model its language."""
    for seed in shipped.seeds("mixture"):
        told = shipped.truth(f"{ZOO}mixture/{seed}")["units"]["expert"]
        shares = np.array(told["share"])
        assert shares.shape == (3, 4, 4)
        assert np.allclose(shares.sum(axis=1), 1, atol=1e-3)
        assert (shares.mean(axis=2) > 0.1).all()
        assert len(told["circuit"]) == 12


def test_tasks_and_ladders_have_the_names_of_models() -> None:
    """A ladder has the language's levels; graded tasks can be answered within their length."""
    assert ladders.load("zoo:addition", prompts=3).levels == shipped.learned("zoo:addition").levels
    assert {len(one.answer.split()) for one in graded.load("zoo:grammar")} == {12}


def test_unknown_names_are_answered_with_those_there_are() -> None:
    """Of a model, a seed, and a checkpoint."""
    for name in ("zoo:latin", "zoo:induction/99", "zoo:induction/training/step-1", "zoo:induction/../addition", "zoo:"):
        with pytest.raises(SubjectError, match="zoo:induction, zoo:addition"):
            resolve(name)
    with pytest.raises(SubjectError, match="no planted transformer"):
        resolve("zoo:plant-nothing")


def test_a_damaged_weight_file_is_refused(tmp_path: Path) -> None:
    """A truncated one, by name and size."""
    place = shutil.copytree(shipped.folder("zoo:induction"), tmp_path / "copy")
    weights = place / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(SubjectError, match="truncated"):
        resolve(str(place))


def test_a_plant_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data folder is a file: it says where, and what to set."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("SYNERGY_TUI_DATA", str(tmp_path / "file"))
    with pytest.raises(SubjectError, match="SYNERGY_TUI_DATA"):
        resolve("zoo:plant-memory")
