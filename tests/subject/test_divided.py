"""Tensor parallelism: what two processes that hold a model together find is what one finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import together
from conftest import TESTS, make_tiny

from synergy_tui import settings
from synergy_tui.errors import SubjectError, UsageError
from synergy_tui.subject import ranks
from synergy_tui.subject.facts import LESS, WITHOUT, check_divided
from synergy_tui.subject.source import Source

WAYS = ("zero", "mean", "resample", "noise")

HEADS, BLOCKS = ["head"], ["attention", "mlp"]

MODELS = {
    "llama": ("llama", {"num_key_value_heads": 4}),
    "grouped": ("llama", {"tie_word_embeddings": True}),
    "mixtral": ("mixtral", {"num_local_experts": 4}),
    "fused": ("phi3", {}),  # every process has all heads of it
    "few": ("llama", {"num_key_value_heads": 1}),
    "odd": ("llama", {"num_attention_heads": 3, "num_key_value_heads": 3, "hidden_size": 24}),
    "joined": ("gpt_neox", {}),  # of whose queries there is no projection, so that noise is refused in both
    "undivided": ("gpt2", {"n_inner": 48}),
}

ASKED = [
    *([name, HEADS, None] for name in MODELS),
    ["llama", BLOCKS, None],
    ["mixtral", ["expert"], None],
    ["grouped", HEADS, 7],
]


def measured(folder):
    """(number of processes, rank) → what together.py found and said."""
    for name, (family, changes) in MODELS.items():
        make_tiny(folder / name, family, num_hidden_layers=3, **changes)
    (folder / "asked.json").write_text(json.dumps(ASKED))
    together.main(folder, folder)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    place = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])}
    got = subprocess.run(
        [*command, str(TESTS / "together.py"), str(folder), str(folder)], capture_output=True, text=True, env=place
    )
    assert got.returncode == 0, got.stderr[-4000:]
    return {
        (size, rank): (
            dict(np.load(folder / f"found-{size}-{rank}.npz")),
            json.loads((folder / f"said-{size}-{rank}.json").read_text()),
        )
        for size, rank in ((1, 0), (2, 0), (2, 1))
    }


DIVIDED = [name for name in MODELS if name not in ("few", "odd", "undivided")]


@pytest.mark.worker
def test_two_processes_are_as_one(tmp_path):
    """One test, as starting them takes most of its time."""
    found = measured(tmp_path)
    for check in (_alike, _same_in_both, _put_back, _norms_alone_travel, _refused, _heard):
        check(found)


def _alike(found):
    """Series of generation, of sampling and of replay, and divergences under every intervention: to rounding."""
    one, two = found[1, 0][0], found[2, 0][0]
    assert set(two) == {key for key in one if key.partition("/")[0] in DIVIDED}
    for key, value in two.items():
        what = key.rpartition("/")[2]
        if what == "sent":
            continue
        assert value.shape == one[key].shape, key
        if value.dtype.kind != "f":
            assert (value == one[key]).all(), key
            continue
        scale = 1.0 if what.partition("-")[0] in WAYS else np.nanmax(one[key])
        np.testing.assert_allclose(value, one[key], rtol=0, atol=1e-5 * scale, err_msg=key)
    changed = [value for key, value in two.items() if key.endswith("-two")]
    assert all(divergence[0].max() > 1e-3 for divergence in changed)


def _same_in_both(found):
    (first, said), (second, says) = found[2, 0], found[2, 1]
    assert said == says
    assert set(first) == set(second)
    assert all(np.array_equal(first[key], second[key], equal_nan=True) for key in first)


def _put_back(found):
    values = found[2, 0][0]
    after = [value for key, value in values.items() if key.endswith("-after")]
    assert after
    assert all(np.allclose(one, [[0.0], [1.0], [0.0]], rtol=0, atol=1e-6) for one in after)


def _norms_alone_travel(found):
    """Four bytes a head and token, of each head from the one process that has it."""
    values = found[2, 0][0]
    heads = 3 * 4
    for name in ("llama", "grouped", "mixtral"):
        assert values[f"{name}/head/None/sent"] == 4 * heads / 2
    for whole in ("fused/head/None", "llama/attention,mlp/None", "mixtral/expert/None"):
        assert values[f"{whole}/sent"] == 0


def _refused(found):
    said = found[2, 0][1]
    assert said["few/head/None"].endswith("has 1 key and value heads, which 2 processes cannot divide · " + LESS)
    assert said["odd/head/None"].endswith("has 3 attention heads, which 2 processes cannot divide · " + LESS)
    assert said["undivided/head/None"].endswith("gpt2 has no plan to divide it over 2 processes · " + WITHOUT)
    assert set(said) - {"told", "empty", "agreed"} == {"few/head/None", "odd/head/None", "undivided/head/None"}
    assert "joined/head/None/refused-noise" in found[2, 0][0]


def _heard(found):
    for rank in (0, 1):
        said = found[2, rank][1]
        assert (said["told"], said["empty"], said["agreed"]) == ("part-0001, ü", "", [True, False])


def test_a_process_alone_is_told_what_it_says():
    value = np.arange(3)
    assert (ranks.size(), ranks.rank(), ranks.tell("a")) == (1, 0, "a")
    assert ranks.same(value) is value
    assert ranks.agreed(False) is False


def test_memory_that_runs_out_in_a_process_alone_is_for_others_to_mend():
    with pytest.raises(MemoryError), ranks.in_step():
        raise MemoryError


def test_a_group_is_named_by_the_environment(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert settings.rank() == settings.Rank(1, 2, 1, 2)
    with pytest.raises(UsageError, match="cuda:1 is one GPU, and 2 processes need one each · give cuda, or cpu"):
        ranks.join("cuda:1")
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(UsageError, match="WORLD_SIZE is 2 and RANK is no number"):
        settings.rank()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert settings.rank() is None
    assert ranks.join("cuda:1") == 0


def test_what_is_known_before_it_is_loaded_is_refused_then():
    def source(kind="folder", adapter=None, **geometry):
        return Source("it", kind, "/it", geometry=geometry, adapter=adapter)

    check_divided(source("gguf"), 1)
    check_divided(source(heads=32), 4)
    for one, match in (
        (source("gguf"), "it is a GGUF file"),
        (source(adapter="/lora"), "the adapter /lora cannot be merged"),
        (source(ssm_heads=8), "it has ssm-heads"),
        (source(heads=9), "it has 9 attention heads, which 4 processes cannot divide"),
    ):
        with pytest.raises(SubjectError, match=match):
            check_divided(one, 4)
