"""Activity of planted transformers (zoo/plants.py), captured as users capture it, and how much of the planted coupling
the tests find: the table "planted transformers" of calibration.py."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synergy_tui.analysis.frequencies import benjamini_hochberg
from synergy_tui.bench.planted import Planted
from synergy_tui.capture.generate import Sampling, encode, generate
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sources import resolve
from synergy_tui.terms import COUPLED
from synergy_tui.zoo.plants import KINDS, build, plant, prompts

PROMPTS, STEPS = 30, 100

LEVEL = 0.05

Kept = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""For "pairs" and "units": p of sts, rtr and TDMI, and the excess under each null."""

Found = dict[str, float]


@cache
def subject(name: str, seed: int = 0) -> Subject:
    """A planted transformer, built and loaded from its folder."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        build(name, Path(folder), seed)
        return load(resolve(folder), Path(folder), "cpu", "float32")


def captured(name: str, seed: int, count: int = PROMPTS, steps: int = STEPS) -> Planted:
    """Activity over sampled responses to prompts that the seed draws."""
    mine = subject(name)
    asked = encode(mine, prompts(name, count, seed), chat=True)
    responses = generate(mine, asked, steps, sampling=Sampling(1.0, 1.0, seed))
    return Planted(np.stack([one.activity for one in responses]).astype(np.float64), None, mine.layers)


def found(name: str, kept: Kept) -> Found:
    """Shares of pairs by the kind planted in them, and of units by whether they are in a coupled pair."""
    one = plant(name)
    circuit = one.circuit
    units = np.arange(len(circuit.flat))
    in_pairs = {kind: {unit for pair, mine in one.pairs.items() if mine == kind for unit in pair} for kind in KINDS}
    of = {"pairs": {kind: one.coupled(kind) for kind in KINDS}}
    of["units"] = {kind: np.isin(units, list(inside)) for kind, inside in in_pairs.items()}
    out: Found = {}
    for what, kinds in of.items():
        p, excess = kept[what]
        called, redundant = (benjamini_hochberg(p[:, k]) < COUPLED for k in (0, 1))
        above, below = (excess > 0).all(axis=0), (excess < 0).all(axis=0)
        nothing = ~np.any(list(kinds.values()), axis=0)
        with np.errstate(invalid="ignore"):
            low = p[:, 0] < LEVEL
        for kind, mine in kinds.items():
            if mine.any():
                out |= {
                    f"{what}, {kind}: above, q": float((called & above)[mine].mean()),
                    f"{what}, {kind}: below, q": float((called & below)[mine].mean()),
                    f"{what}, {kind}: rtr, q": float(redundant[mine].mean()),
                    f"{what}, {kind}: rtr and below, q": float((redundant & called & below)[mine].mean()),
                }
        if nothing.any():
            out |= {
                f"{what}, nothing: p": float(low[nothing].mean()),
                f"{what}, nothing: q": float(called[nothing].mean()),
                f"{what}, nothing: rtr, q": float(redundant[nothing].mean()),
            }
    return out


def shares(several: Sequence[Found]) -> dict[str, Any]:
    """Mean shares with intervals over captures."""
    out = {}
    for name in several[0]:
        values = np.array([one[name] for one in several])
        reach = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        out[name] = f"{values.mean():.3f} [{max(values.mean() - reach, 0):.3f}, {min(values.mean() + reach, 1):.3f}]"
    return out
