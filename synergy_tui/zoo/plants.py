"""Transformers with planted coupling (construction.py), for the whole path from a capture to the card of claims:
`build` writes one with its truth.json, `prompts` and `graded` make its prompts and tasks.

truth.json lists the verdicts that a run may reach; it leaves out claims that a plant says nothing about. Verdicts need
30 prompts of 100 sampled steps (`--temperature 1 --no-chat`), C3 also the graded tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui.errors import SubjectError
from synergy_tui.terms import EXPLAINED, INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED
from synergy_tui.zoo import construction
from synergy_tui.zoo.construction import NO, WORDS, YES, Circuit, Decay, Head, Lag, Vocabulary, filtered

VERSION = 1
"""Raised whenever a plant's weights change."""

LAYERS = 9
MIDDLE = range(3, 6)

WORDS_ASKED = 24
"""Words of a prompt: after this many, processes that begin at the start token are stationary."""

SYNERGY, REDUNDANCY, TRANSFER, DRIVER = KINDS = ("synergy", "redundancy", "transfer", "driver")
"""Kinds of coupling between two heads. synergy: neither shows a signal that both together reveal. redundancy: both show
one. transfer: the second does what the first did one step earlier. driver: the second follows the first at once."""

Pairs = Mapping[tuple[int, int], str]


@dataclass(frozen=True)
class Plant:
    """about: one sentence. pairs: two units (a driving unit comes first) → the kind of their coupling; all other pairs
    have no source in common. claims: claim → the right verdicts."""

    about: str
    circuit: Circuit
    pairs: Pairs
    claims: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def truth(self, name: str, seed: int) -> dict[str, Any]:
        """The contents of truth.json."""
        place = self.circuit.per_layer
        return {
            "plant": name,
            "seed": seed,
            "about": self.about,
            "layers": len(self.circuit.heads),
            "per_layer": place,
            "units": construction.described(self.circuit),
            "pairs": [
                {"first": f"{a // place}.{a % place}", "second": f"{b // place}.{b % place}", "kind": kind}
                for (a, b), kind in self.pairs.items()
            ],
            "claims": {claim: list(verdicts) for claim, verdicts in self.claims.items()},
        }

    def coupled(self, *kinds: str) -> np.ndarray:
        """Which pairs, in the order of a decomposition, are coupled in one of these ways."""
        first, second = np.triu_indices(len(self.circuit.flat), 1)
        mine = {tuple(sorted(pair)) for pair, kind in self.pairs.items() if kind in kinds}
        return np.array([pair in mine for pair in zip(first.tolist(), second.tolist(), strict=True)])

    def units(self, *roles: str) -> np.ndarray:
        """Which units have one of these roles."""
        return np.array([head.role in roles for head in self.circuit.flat])


NOT_C1 = (EXPLAINED, INCONCLUSIVE, NOT_SUPPORTED)
"""The right verdicts on C1 for a plant without the claimed organisation."""

FREE = "independent"


def _layers(heads: Iterator[Head], per_layer: int) -> tuple[tuple[Head, ...], ...]:
    return tuple(tuple(next(heads) for _ in range(per_layer)) for _ in range(LAYERS))


def _among(circuit: Circuit, kind: str, same: Callable[[Head], str]) -> dict[tuple[int, int], str]:
    """All pairs of heads that `same` puts into one group; '' means no group."""
    groups = [same(head) for head in circuit.flat]
    return {(a, b): kind for a, b in combinations(range(len(groups)), 2) if groups[a] and groups[a] == groups[b]}


def _of_role(role: str) -> Callable[[Head], str]:
    return lambda head: role if head.role == role else ""


LOADINGS = np.linspace(-0.3, 0.5, 12)
"""How much of the hidden signal each synergistic head has, beside 1 of the fast signal."""


def _synergy(idle: bool) -> Plant:
    """9 layers × 5. Four heads of every middle layer are synergistic. In every early and late layer three heads follow
    a driver and write little, the fourth is independent and writes, and the fifth carries the hidden signal, or the one
    that the answers tell."""
    loads = iter(LOADINGS)
    writes = {"synergistic": 0.0 if idle else 1.0, FREE: 1.0 if idle else 0.3, "redundant": 0.05}

    def heads() -> Iterator[Head]:
        for layer in range(LAYERS):
            for place in range(5):
                own = f"own {layer}.{place}"
                if layer in MIDDLE and place < 4:
                    shows = {"fast": 1.0, "hidden": float(next(loads)), own: 0.03}
                    yield Head("synergistic", Lag(), shows, writes=writes["synergistic"])
                elif place < 3:
                    yield Head("redundant", Decay(0.4), {"driver": 0.9, own: 0.436}, writes=writes["redundant"])
                elif place == 3:
                    yield Head(FREE, Decay(0.2), {own: 1.0}, writes=writes[FREE])
                elif layer not in MIDDLE:
                    carries = {f"answer {layer}": "what is asked"} if layer else {"hidden": "what is hidden"}
                    yield Head("carrier", Decay(0.5 if layer else 0.9), {own: 1.0}, carries)
                else:
                    yield Head("idle", Decay(0.2), {own: 1.0})

    outer = [layer for layer in range(1, LAYERS) if layer not in MIDDLE]
    circuit = Circuit(_layers(heads(), 5), answers=tuple(f"answer {layer}" for layer in outer))
    pairs = _among(circuit, SYNERGY, _of_role("synergistic")) | _among(circuit, REDUNDANCY, _of_role("redundant"))
    if idle:
        about = "As synergy, but the synergistic heads do nothing: the independent heads move the logits."
        return Plant(about, circuit, pairs, {"C1": (SUPPORTED,), "C3": (NOT_SUPPORTED, INCONCLUSIVE)})
    about = "Heads of the middle layers hide a slow signal below a fast one that they share, and move the logits."
    return Plant(about, circuit, pairs, {"C1": (SUPPORTED,), "C3": (SUPPORTED,), "C4": (SUPPORTED,)})


def _redundancy() -> Plant:
    """9 layers × 4: four groups of six near-copies, which write little, and twelve independent heads, which write."""

    def heads() -> Iterator[Head]:
        for unit in range(4 * LAYERS):
            own, group = f"own {unit}", unit % 6
            if group < 4:
                yield Head(f"copy {group}", Decay(0.7), {f"group {group}": 0.95, own: 0.312}, writes=0.05)
            else:
                yield Head(FREE, Decay(0.7), {own: 1.0}, writes=1.0)

    circuit = Circuit(_layers(heads(), 4))
    pairs = _among(circuit, REDUNDANCY, lambda head: head.role if head.role != FREE else "")
    about = "Four groups of six near-copies, which hardly move the logits, among independent heads."
    return Plant(about, circuit, pairs, {"C1": NOT_C1, "C4": (SUPPORTED,)})


def _transfer() -> Plant:
    """9 layers × 4: sixteen heads of the first four layers each drive one head of the last four."""

    def heads() -> Iterator[Head]:
        for unit in range(4 * LAYERS):
            own = f"own {unit}"
            if unit < 16:
                yield Head("drives", Decay(0.5), {own: 1.0}, {f"shown by {unit}": own})
            elif unit < 20:
                yield Head(FREE, Decay(0.5), {own: 1.0})
            else:
                yield Head("driven", Lag(1), {f"shown by {unit - 20}": 0.8, own: 0.6}, writes=1.0)

    circuit = Circuit(_layers(heads(), 4))
    pairs = {(unit, unit + 20): TRANSFER for unit in range(16)}
    return Plant("Sixteen heads each drive one head of a later layer, a step later.", circuit, pairs, {"C1": NOT_C1})


def _driver() -> Plant:
    """9 layers × 4: all heads of the next seven layers follow one head of the first."""

    def heads() -> Iterator[Head]:
        for unit in range(4 * LAYERS):
            own = f"own {unit}"
            if unit == 0:
                yield Head("driver", Decay(0.8), {own: 1.0}, {"driver": own})
            elif 4 <= unit < 32:
                yield Head("follower", Lag(), {"driver": 0.6, own: 0.8}, writes=1.0)
            else:
                yield Head(FREE, Decay(0.8), {own: 1.0})

    circuit = Circuit(_layers(heads(), 4), step=0.03)
    follow = {(0, unit): DRIVER for unit in range(4, 32)}
    pairs = follow | _among(circuit, REDUNDANCY, _of_role("follower"))
    return Plant("One slow head drives the heads of all later layers except the last.", circuit, pairs, {"C1": NOT_C1})


def _memory() -> Plant:
    """9 layers × 4, nothing coupled: heads of the middle layers are smooth over three steps, the others slow below
    noise. Three heads of the first layer carry the signals of these heads."""
    smooth = [unit for unit in range(4 * LAYERS) if unit // 4 in MIDDLE]
    slow = [unit for unit in range(4, 4 * LAYERS) if unit // 4 not in MIDDLE]
    share = float(np.sqrt(1 / 3))

    def heads() -> Iterator[Head]:
        yield Head(FREE, Lag(), {"own 0": 1.0}, {f"last {unit}": f"own {unit}" for unit in smooth})
        yield Head(FREE, Lag(1), {"own 1": 1.0}, {f"before {unit}": f"own {unit}" for unit in smooth})
        yield Head(FREE, Decay(0.3), {"own 2": 1.0})
        yield Head(FREE, Decay(0.9), {"own 3": 0.9}, {f"slow {unit}": f"slow source {unit}" for unit in slow})
        for unit in range(4, 4 * LAYERS):
            own = f"own {unit}"
            if unit in smooth:
                shows = {own: share, f"last {unit}": share, f"before {unit}": share}
                yield Head(FREE, Lag(), shows, writes=1.0)
            else:
                yield Head(FREE, Lag(), {f"slow {unit}": float(np.sqrt(0.4)), own: float(np.sqrt(0.6))}, writes=1.0)

    circuit = Circuit(_layers(heads(), 4), step=0.03)
    about = "Independent heads with memory, longer in the middle layers: nothing is coupled."
    return Plant(about, circuit, {}, {"C1": NOT_C1})


PLANTS: dict[str, Plant] = {
    "synergy": _synergy(idle=False),
    "synergy-idle": _synergy(idle=True),
    "redundancy": _redundancy(),
    "transfer": _transfer(),
    "driver": _driver(),
    "memory": _memory(),
}
"""By name."""


def plant(name: str) -> Plant:
    """The plant with this name. Raises SubjectError."""
    if name not in PLANTS:
        raise SubjectError(f"no planted transformer {name!r}", f"known: {', '.join(PLANTS)}")
    return PLANTS[name]


def build(name: str, folder: Path, seed: int = 0) -> None:
    """Writes a planted transformer as a model folder with truth.json. seed: decides which word has which code. Raises
    SubjectError for an unknown name."""
    found = plant(name)
    construction.write(found.circuit, folder, seed)
    (folder / "truth.json").write_text(json.dumps(found.truth(name, seed), indent=1) + "\n", encoding="utf-8")


def prompts(name: str, count: int, seed: int = 0) -> list[str]:
    """Prompts of words drawn independently. The same for all plants. Raises SubjectError for an unknown name."""
    words = Vocabulary(plant(name).circuit, 0).texts
    chance = np.random.default_rng([seed, 12])
    return [" ".join(words[k] for k in one) for one in chance.integers(WORDS, size=(count, WORDS_ASKED))]


LEAST_ASKED = 0.2
"""Smallest size of the signal that the answers tell, in standard deviations: nearer to 0 a task has no clear answer."""


def graded(name: str, count: int, seed: int = 0, built: int = 0) -> list[dict[str, str]]:
    """Graded tasks that the intact plant can do: words, and the answer that follows from the sign of the signal after
    them. built: the seed of its construction. Raises SubjectError for an unknown plant, and for a plant that answers
    nothing."""
    circuit = plant(name).circuit
    if not circuit.answers:
        able = [one for one, found in PLANTS.items() if found.circuit.answers]
        raise SubjectError(f"the planted transformer {name!r} answers nothing", f"those that do: {', '.join(able)}")
    words = Vocabulary(circuit, built)
    carrier = next(head for head in circuit.flat if circuit.answers[0] in head.carries)
    asked = circuit.sources.index(carrier.carries[circuit.answers[0]])
    out: list[dict[str, str]] = []
    number = 0
    while len(out) < count:
        (text,) = prompts(name, 1, seed * 1_000_003 + number)
        number += 1
        signal = filtered(carrier.attends, words.codes[words.ids(text.split()), asked])[-1]
        if abs(signal) >= LEAST_ASKED:
            row = {"id": f"asked-{len(out) + 1:03d}", "text": text, "grade": "word"}
            out.append(row | {"answer": (YES if signal > 0 else NO).removeprefix("Answer: ").removesuffix(".")})
    return out


def write_tasks(rows: Sequence[str] | Sequence[Mapping[str, str]], file: Path) -> None:
    """Writes prompts or graded tasks as the file that `--tasks` reads."""
    told = [{"text": row} if isinstance(row, str) else dict(row) for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")
