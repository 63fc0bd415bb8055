"""What capture costs on SmolLM2: taps against none, step by step inside one generation; 60 prompts × 100 tokens in fp32
and bf16, and how bf16 changes the results."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

PROMPTS, STEPS, BATCH = 60, 100, 60
SMALLER = 20
"""Numbers of prompts at a time to compare with a decode step of BATCH."""
TAPPED_STEPS, TAPPED_PROMPTS = 360, 16
DTYPES = ("float32", "bfloat16")


def measure() -> dict[str, Any]:
    """Seconds, bytes, shares and correlations, by name."""
    found: dict[str, Any] = taps() | together()
    with tempfile.TemporaryDirectory() as scratch:
        files = {}
        for how in (*DTYPES, "bfloat16 replayed"):
            files[how] = Path(scratch) / f"{how}.npz"
            line = [sys.executable, "-m", "synergy_tui.bench.capture", how, str(files[how]), str(files["float32"])]
            got = subprocess.run(line, capture_output=True, text=True, check=True)
            if how in DTYPES:
                found |= {
                    f"{PROMPTS} × {STEPS}, {how}, {name}": value for name, value in json.loads(got.stdout).items()
                }
        return found | changes({how: np.load(file) for how, file in files.items()})


def taps(steps: int = TAPPED_STEPS) -> dict[str, float]:
    """Cost of a decode step with no hooks, with the taps, and with plain hooks that take a norm in every layer and copy
    it to the host, in turns: CPU time, lower quartiles, and the median of differences of neighbouring steps."""
    import torch
    from transformers import DynamicCache

    from synergy_tui.subject.taps import UnitTap, head_norms

    subject = _subject("float32")
    units, model = subject.units(), subject.model
    kept: list[np.ndarray] = []

    class Plain:
        """The hooks that one would write first."""

        def __enter__(self) -> None:
            def copy(_: Any, args: tuple[torch.Tensor, ...]) -> None:
                kept.append(head_norms(args[0][:, -1], subject.heads).cpu().numpy())

            self.handles = [one.register_forward_pre_hook(copy) for one in subject.projections]

        def __exit__(self, *exc: object) -> None:
            for handle in self.handles:
                handle.remove()
            kept.clear()

    tap = UnitTap(units, last=True)
    ways: dict[str, tuple[AbstractContextManager[Any], Callable[[], Any]]] = {
        "nothing": (nullcontext(), lambda: None),
        "taps": (tap, tap.norms),
        "plain hooks": (Plain(), lambda: np.stack(kept)),
    }
    ids = torch.randint(0, 1000, (TAPPED_PROMPTS, 44), generator=torch.Generator().manual_seed(0))
    cache = DynamicCache(config=model.config)
    took: dict[str, list[float]] = {name: [] for name in ways}
    buffer = torch.zeros((units.layers, len(ids), units.per_layer))
    with torch.inference_mode():
        position = ids.shape[1]
        ids = model(input_ids=ids, past_key_values=cache, logits_to_keep=1).logits[:, -1].argmax(-1, keepdim=True)
        for step in range(steps):
            name = list(ways)[step % len(ways)]
            context, read = ways[name]
            with context:
                begun = time.process_time()
                places = torch.full((len(ids), 1), position + step)
                out = model(input_ids=ids, position_ids=places, past_key_values=cache, logits_to_keep=1)
                value = read()
                if name == "taps":
                    buffer.copy_(value)
                took[name].append(time.process_time() - begun)
            ids = out.logits[:, -1].argmax(-1, keepdim=True)
    quartile = {name: float(np.quantile(times, 0.25)) for name, times in took.items()}
    base = quartile["nothing"]
    found: dict[str, float] = {"decode step of 16 prompts, CPU seconds": base}
    for name in ("taps", "plain hooks"):
        rounds = min(map(len, took.values()))
        apart = float(np.median(np.subtract(took[name][:rounds], took["nothing"][:rounds])))
        found[f"{name}, share of a step, lower quartiles"] = quartile[name] / base - 1
        found[f"{name}, share of a step, neighbouring steps"] = apart / base
        found[f"{name}, µs a layer, lower quartiles"] = (quartile[name] - base) / units.layers * 1e6
        found[f"{name}, µs a layer, neighbouring steps"] = apart / units.layers * 1e6
    return found | _alone(subject)


def together(steps: int = 8) -> dict[str, float]:
    """The cost of a prompt in a decode step and in a replaying pass, in small and large batches and in both number
    types: CPU milliseconds, the least of several turns."""
    import torch
    from transformers import DynamicCache

    found: dict[str, float] = {}
    draw = torch.Generator().manual_seed(0)
    for dtype in DTYPES:
        model = _subject(dtype).model
        took: dict[str, list[float]] = {}
        caches = {}
        ids = torch.randint(0, 1000, (BATCH, 66), generator=draw)
        with torch.inference_mode():
            for size in (SMALLER, BATCH):
                caches[size] = DynamicCache(config=model.config)
                model(input_ids=ids[:size], past_key_values=caches[size], logits_to_keep=1)
            for step in range(steps):
                for size, cache in caches.items():
                    places = torch.full((size, 1), ids.shape[1] + step)
                    begun = time.process_time()
                    model(input_ids=ids[:size, :1], position_ids=places, past_key_values=cache, logits_to_keep=1)
                    spent = (time.process_time() - begun) / size * 1e3
                    took.setdefault(f"decode step of {size} prompts, {dtype}, CPU ms a prompt", []).append(spent)
            whole = torch.randint(0, 1000, (SMALLER, 166), generator=draw)
            for size in (SMALLER // 4, SMALLER) * 2:
                begun = time.process_time()
                model(input_ids=whole[:size], use_cache=False, logits_to_keep=1)
                spent = (time.process_time() - begun) / size * 1e3
                took.setdefault(f"replay of {size} prompts, {dtype}, CPU ms a prompt", []).append(spent)
        found |= {name: min(times) for name, times in took.items()}
    return found


def _alone(subject: Any) -> dict[str, float]:
    """The same hooks over the same modules without the model, µs per layer: the noise of the model's steps hides
    this."""
    import torch

    from synergy_tui.subject.taps import UnitTap, head_norms

    units = subject.units()
    value = torch.randn(TAPPED_PROMPTS, 1, subject.heads * subject.head_dim)
    took: dict[str, list[float]] = {"taps": [], "plain hooks": []}
    with torch.inference_mode(), UnitTap(units, last=True) as tap:
        hooks = [list(one._forward_pre_hooks.values())[-1] for one in subject.projections]
        for _ in range(400):
            begun = time.process_time()
            for hook in hooks:
                hook(None, (value,))
            tap.norms()
            took["taps"].append(time.process_time() - begun)
            begun = time.process_time()
            for _ in hooks:
                head_norms(value[:, -1], subject.heads).cpu().numpy()
            took["plain hooks"].append(time.process_time() - begun)
    return {f"{name}, µs a layer, alone": float(np.quantile(t, 0.25)) / units.layers * 1e6 for name, t in took.items()}


def changes(captured: dict[str, Any]) -> dict[str, float]:
    """What another number type changes: free-running, where texts diverge, and on the same tokens. Spearman's
    correlation of unit scores, Pearson's of profiles, and the contrasts."""
    from scipy.stats import spearmanr

    from synergy_tui.analysis import profile, scores
    from synergy_tui.phiid import ATOMS, decompose

    found: dict[str, dict[str, np.ndarray]] = {}
    for how, file in captured.items():
        atoms = decompose(file["series"])
        unit = _unit_atoms(atoms)
        ranks = scores.ranking("rank-difference", scores.UnitValues(unit, unit[:, 0] * 0, unit[:, 0] * 0))
        by_layer = profile.profile(scores.scaled(ranks), int(file["layers"]))
        found[how] = {"sts": unit[:, ATOMS.index("sts")], "rtr": unit[:, ATOMS.index("rtr")]}
        found[how] |= {"rank-difference": ranks, "profile": by_layer, "contrast": profile.contrast(by_layer[None])}
    told: dict[str, float] = {f"contrast, {how}": float(one["contrast"][0]) for how, one in found.items()}
    first = found["float32"]
    for how, one in found.items():
        if how != "float32":
            for score in ("sts", "rtr", "rank-difference"):
                told[f"{score}, {how} ~ float32, ρ"] = float(spearmanr(first[score], one[score]).statistic)
            told[f"profile, {how} ~ float32, r"] = float(np.corrcoef(first["profile"], one["profile"])[0, 1])
            told[f"profile, {how} ~ float32, largest difference"] = float(
                np.abs(first["profile"] - one["profile"]).max()
            )
    same = [a[: len(b)] == b[: len(a)] for a, b in zip(*(_texts(captured[how]) for how in DTYPES), strict=True)]
    return told | {"responses that are the same text": float(np.mean(same))}


def _unit_atoms(atoms: Any) -> np.ndarray:
    units = int(atoms.pairs.max()) + 1
    sums, count = np.zeros((units, atoms.mean.shape[1])), np.zeros(units)
    good = np.isfinite(atoms.mean).all(axis=1)
    for side in (0, 1):
        np.add.at(sums, atoms.pairs[good, side], atoms.mean[good])
        np.add.at(count, atoms.pairs[good, side], 1)
    return sums / count[:, None]


def _texts(file: Any) -> list[list[int]]:
    return [row[row >= 0].tolist() for row in file["tokens"]]


def _subject(dtype: str) -> Any:
    from synergy_tui import settings
    from synergy_tui.subject.loading import load
    from synergy_tui.subject.sources import resolve

    return load(resolve("smollm2"), settings.load().data, "cpu", dtype)


def main() -> None:
    """One capture in its own process, for its peak memory: HOW FILE FIRST. Prints seconds and bytes."""
    from synergy_tui.capture.generate import encode, generate, replay
    from synergy_tui.tasks import prompts as tasks

    how, out, first = sys.argv[1:]
    subject = _subject(how.split()[0])
    asked = encode(subject, [one.text for one in tasks.select(tasks.load("cognitive"), PROMPTS).prompts], chat=True)
    order = sorted(range(PROMPTS), key=lambda one: len(asked[one]))
    series = np.full((PROMPTS, subject.layers * subject.heads, STEPS), np.nan, np.float32)
    tokens = np.full((PROMPTS, STEPS), -1)
    begun = time.perf_counter()
    for start in range(0, PROMPTS, BATCH):
        some = order[start : start + BATCH]
        prompts = [asked[one] for one in some]
        if "replayed" in how:
            given = _texts(np.load(first))
            texts = [given[one] for one in some]
            activities = replay(subject, prompts, texts)
        else:
            made = generate(subject, prompts, STEPS)
            texts, activities = [one.tokens for one in made], [one.activity for one in made]
        for one, text, activity in zip(some, texts, activities, strict=True):
            tokens[one, : len(text)] = text
            series[one, :, : len(text)] = activity
    seconds = time.perf_counter() - begun
    np.savez(out, series=series, tokens=tokens, layers=subject.layers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "memory": peak, "tokens": int((tokens >= 0).sum())}))


if __name__ == "__main__":
    main()
