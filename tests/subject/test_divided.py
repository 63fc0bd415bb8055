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

from synergy_tui.subject import ranks

HEADS, BLOCKS = ["head"], ["attention", "mlp"]

MODELS = {
    "llama": ("llama", {"num_key_value_heads": 4}),
    "grouped": ("llama", {"tie_word_embeddings": True}),
    "mixtral": ("mixtral", {"num_local_experts": 4}),
    "fused": ("phi3", {}),  # every process has all heads of it
    "few": ("llama", {"num_key_value_heads": 1}),
    "odd": ("llama", {"num_attention_heads": 3, "num_key_value_heads": 3, "hidden_size": 24}),
    "undivided": ("gpt2", {"n_inner": 48}),
}

ASKED = [
    *([name, HEADS, None] for name in MODELS),
    ["llama", BLOCKS, None],
    ["mixtral", ["expert"], None],
    ["grouped", HEADS, 7],
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """(by number of processes, by rank) → what together.py found and said."""
    folder = tmp_path_factory.mktemp("together")
    for name, (family, changes) in MODELS.items():
        make_tiny(folder / name, family, **changes)
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
