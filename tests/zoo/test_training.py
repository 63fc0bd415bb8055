"""Training: what is to do nothing does nothing at every checkpoint, and what did not converge is not kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from synergy_tui.errors import SubjectError
from synergy_tui.zoo import __main__ as command
from synergy_tui.zoo import truth
from synergy_tui.zoo.languages import language
from synergy_tui.zoo.training import HEADS, RECIPES, checkpoints, train


def test_checkpoints_end_with_the_training() -> None:
    """Nine of them, growing."""
    found = checkpoints(1000)
    assert found == sorted(set(found))
    assert (len(found), found[-1]) == (9, 1000)


@pytest.mark.slow
def test_severed_heads_and_empty_mlps_stay_so() -> None:
    """After some steps of the real training."""
    torch.set_num_threads(1)
    recipe = dataclasses.replace(RECIPES["induction"], steps=4, batch=2)
    *_, last = train(recipe, 0)
    assert last.step == 4
    for number, heads in last.severed.items():
        layer = last.model.base_model.layers[number]
        weight = layer.self_attn.o_proj.weight
        by_head = weight.detach().unflatten(1, (HEADS, -1)).abs().sum(dim=(0, 2))
        assert [head for head in range(HEADS) if by_head[head] == 0] == heads
        assert not layer.mlp.down_proj.weight.any()


@pytest.mark.slow
def test_what_did_not_converge_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps teach nothing: it says so, names the way out, and writes no file."""
    monkeypatch.setitem(RECIPES, "grammar", dataclasses.replace(RECIPES["grammar"], steps=4, batch=2))
    with pytest.raises(SubjectError, match=r"did not converge.*another --seed"):
        command.make("grammar", tmp_path / "out", 0, True)
    assert not (tmp_path / "out").exists()


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    """With the names there are."""
    with pytest.raises(SubjectError, match="state-space"):
        command.make("latin", tmp_path, 0, False)


@pytest.mark.slow
def test_one_seed_gives_one_model() -> None:
    """Two trainings with one seed have the same weights, to the last bit."""
    torch.set_num_threads(1)
    recipe = dataclasses.replace(RECIPES["addition"], steps=3, batch=2)
    models = [list(train(recipe, 5))[-1].model for _ in range(2)]
    first, second = (torch.cat([value.flatten() for value in one.parameters()]) for one in models)
    assert torch.equal(first, second)


@pytest.mark.slow
def test_cost_is_a_rise_in_loss() -> None:
    """Of an untrained model without one head: by removing it from the weights by hand."""
    torch.set_num_threads(1)
    recipe = dataclasses.replace(RECIPES["induction"], steps=1, batch=2)
    (made,) = train(recipe, 1)
    of = language("induction")
    found = truth.units(made.model, of, made.severed)["head"]
    for layer, heads in made.severed.items():
        assert [found["cost"][layer][head] for head in heads] == [0.0] * len(heads)
        assert [[layer, head] in found["nothing"] for head in heads] == [True] * len(heads)
