"""A geometry job: the states are those of the model, and a run of the command line ends in a table and two verdicts."""

from __future__ import annotations

import pytest
import torch

from synergy_tui.capture.residual import states
from synergy_tui.explorer.run import Place, open_run
from synergy_tui.explorer.views.atlas import _picture
from synergy_tui.store import cards, load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import delete
from synergy_tui.store.run import read
from synergy_tui.subject import loading
from synergy_tui.subject.sources import resolve


@pytest.mark.parametrize("name", ["zoo:induction", "zoo:state-space", "zoo:mixture", "zoo:hybrid"])
def test_states_are_what_stands_behind_every_layer(name, tmp_path, one_thread):
    """Of sequences in a batch, against what transformers calls hidden states of each alone."""
    subject = loading.load(resolve(name), tmp_path, "cpu", "float32")
    sequences = [[3, 5, 7, 9, 4, 6], [8, 2, 11], [5]]
    wanted = [[0, 2, 5], [2], []]
    found = states(subject, sequences, wanted)
    for tokens, places, one in zip(sequences, wanted, found, strict=True):
        with torch.inference_mode():
            hidden = subject.base(input_ids=torch.tensor([tokens]), output_hidden_states=True, use_cache=False)
        assert one.shape[:2] == (subject.layers, len(places))
        # What transformers calls hidden states begins with the embeddings in most families, and ends normalised.
        first = 0 if name == "zoo:state-space" else 1
        for layer in range(subject.layers - 1):
            expected = hidden.hidden_states[layer + first][0, places]
            assert one[layer] == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.mark.worker
def test_a_geometry_by_the_command_line(command, cache):
    run = command.json("run", "zoo:induction", "--prompts", "12", "--steps", "40")["decomposition"]
    capture = load.rows(Cache.open(cache), "SELECT capture FROM captures")[0]["capture"]
    assert read(Cache.open(cache), run).geometry == []
    found = command.json("geometry", run, "--tokens", "300", "--permutations", "99")
    assert (found["capture"], found["tokens"], found["prompts"], found["pairs"]) == (capture, 300, 12, 0)
    layers = found["layers_found"]
    assert all(0 < one["low"] < one["dimension"] < one["high"] for one in layers)
    # Its words are not those of the pairs: a number would be one of unknown words.
    assert all(one["alignment"] is None and "same tokens" in one["note"] for one in layers)
    assert {one["of"] for one in found["contrasts"]} == {"dimension"}
    opened = Cache.open(cache)
    shown = open_run(Place(opened, run))
    assert [one["value"] for one in shown.beside("dimension")] == [one["dimension"] for one in layers]
    assert shown.beside("alignment") == []
    picture = _picture(shown, "rank-difference", False, frozenset(), "dimension")
    assert picture.beside == "dimension"
    assert picture.profile[0]["value"] == layers[0]["dimension"]
    assert _picture(shown, "rank-difference", False, frozenset(), "alignment").beside == ""
    card = command.json("claims", run, "--parts", "geometry")
    assert card["C8"]["effect"] is not None
    assert "alignment" in card["C9"]["missing"]
    row = cards.card(opened, cards.newest_card(opened, run))
    assert row["parts"]["geometry"]
    assert "Behind each layer" in command("show", run).stdout
    deleted = delete(opened, capture)
    assert deleted["geometry"] == 2  # the card's, of as many tokens as there are, is another
    assert not load.rows(opened, "SELECT * FROM geometry_layers")
