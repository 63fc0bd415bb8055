"""What test_divided asks, run by one process or by several that hold the model together (started by torchrun):
python together.py FOLDER OUT. FOLDER has a folder of models and asked.json. Each process writes what it found to OUT,
so that the test compares numbers and not words."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synergy_tui.ablation import compression
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.ablation.interventions import Mean, Noise, Resample, Zero, reference_means
from synergy_tui.capture.generate import Sampling, generate, replay
from synergy_tui.errors import SynergyError
from synergy_tui.subject import ranks
from synergy_tui.subject.loading import load
from synergy_tui.subject.sources import resolve

STEPS = 6

Found = dict[str, np.ndarray]


def main(folder: Path, out: Path) -> None:
    """Everything that is asked, in one start of the processes."""
    torch.set_num_threads(1)
    rank = ranks.join("cpu")
    found: Found = {}
    said: dict[str, Any] = {"told": ranks.tell("part-0001, ü" if rank == 0 else "unheard"), "empty": ranks.tell("")}
    said["agreed"] = [ranks.agreed(True), ranks.agreed(rank == 0)]
    for name, kinds, seed in json.loads((folder / "asked.json").read_text()):
        key = f"{name}/{','.join(kinds)}/{seed}"
        try:
            found |= {f"{key}/{what}": value for what, value in measured(folder / name, tuple(kinds), seed).items()}
        except SynergyError as error:
            said[key] = str(error)
    np.savez(out / f"found-{ranks.size()}-{rank}.npz", **found)
    (out / f"said-{ranks.size()}-{rank}.json").write_text(json.dumps(said))
    ranks.leave()


def measured(model: Path, kinds: tuple[str, ...], seed: int | None) -> Found:
    """Series and divergences of one subject, and the bytes of norms that this process sent for each token."""
    subject = load(resolve(str(model), weights_seed=seed), model, "cpu", "float32")
    units = subject.units(kinds)
    chance = np.random.default_rng(0)
    prompts = [chance.integers(0, 256, length).tolist() for length in (9, 4, 6)]
    sent, gathered = [], ranks.gathered

    def counted(value: torch.Tensor) -> torch.Tensor:
        sent.append(value.numel() * value.itemsize)
        return gathered(value)

    ranks.gathered = counted
    greedy = generate(subject, prompts, STEPS, units=units)
    ranks.gathered = gathered
    drawn = generate(subject, prompts, STEPS, units=units, sampling=Sampling(1.5, 0.95, 3))
    responses = [one.tokens for one in greedy]
    out = {
        "sent": np.array(sum(sent) / (STEPS * len(prompts))),
        "parameters": np.array(subject.record["parameters"]),
        "subject": np.frombuffer(subject.record["subject"].encode(), np.uint8),
        "tokens": _flat(responses),
        "drawn": _flat([one.tokens for one in drawn]),
        "series": np.concatenate([one.activity for one in greedy], axis=1),
        "drawn_series": np.concatenate([one.activity for one in drawn], axis=1),
        "replayed": np.concatenate(replay(subject, prompts, responses, units), axis=1),
    }
    last = units.per_layer - 1
    sets = {"one": {1: [0]}, "two": {0: [0], 2: [last]}}
    ways: dict[str, Any] = {"zero": Zero(), "resample": Resample(5)}
    ways["mean"] = Mean(reference_means(subject, units, prompts[:2], responses[:2], 2))
    if kinds == ("head",) and model.name != "fused":
        ways["noise"] = Noise(subject, 0.7, 4)
    for way, how in ways.items():
        intact = IntactBehaviour(subject, prompts, responses, 3, how, units=units)
        out[f"packed-{way}"] = np.array(intact.packed)
        try:
            out |= {f"{way}-{name}": np.array(intact.under(removed)) for name, removed in sets.items()}
        except SynergyError as error:
            out[f"refused-{way}"] = np.frombuffer(str(error).encode(), np.uint8)
        out[f"{way}-after"] = np.array(intact.under({}))
    if kinds == ("head",):
        with Zero().on(units, sets["two"]):
            out["answered"] = _flat([one.tokens for one in generate(subject, prompts, STEPS, units=units)])
        out["saved"] = np.array(compression.saved(subject, units, {0: [0, 1], 2: [last]}))
    return out


def _flat(tokens: list[list[int]]) -> np.ndarray:
    return np.array([one for row in tokens for one in [*row, -1]])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
