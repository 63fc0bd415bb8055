"""Heads with known processes → a transformer with exactly these heads, in GPT-2's architecture, without training
(docs/method.md, section 9).

Words are drawn independently, and every word is a code of ±1: one entry for each *source*, a column of a Hadamard
matrix, so that sources are white and uncorrelated. A head attends to one earlier position, which copies, or to all of
them with decaying weights, which turns a source into an AR(1) process. It *shows* a sum of signals as its activity,
which is the norm of its output: one number, far above 0. It may *carry* other signals into the residual stream without
showing them, at a hundredth of the scale, and it may *write* to the one direction that moves the logits of words. The
words of that direction are balanced over every source, so that sampled words stay white.

Every signal is held in two dimensions, as +v and −v, beside a large constant: so layer normalisation subtracts no mean
from it and divides it by the same number at every position, to 1e-5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

WORDS = 256
"""Number of words that are sampled. There can be half as many sources."""

CONTEXT = 512

INNER = 8
"""Width of the MLPs, which do nothing."""

START, UNKNOWN, YES, NO = "<s>", "<unk>", "Answer: yes.", "Answer: no."

OFFSET = 6.0
"""The value about which every head's activity varies."""

WAVES = (54, 218, 306, 320, 362, 420)
"""Over 1024 positions, the sum of their cosines is at least 2.36 lower at every other distance than at distance 0."""

SHARPNESS = 15.0
"""Sharpness of attention to one position: the weight of any other is below exp(−35)."""

CONSTANT, STORED, CARRIED = 100.0, 0.05, 0.01
"""The constant that makes layer normalisation linear; the scale of carried signals in the residual stream, and within
the head that carries them."""

WRITTEN = 0.01
"""The scale of the direction that heads write to."""

BANNED = -30.0
"""Logit of tokens that are never sampled."""


@dataclass(frozen=True)
class Lag:
    """Attention only to the position this many steps back."""

    steps: int = 0


@dataclass(frozen=True)
class Decay:
    """Attention to all positions with weights that fall by the factor `phi` per step: an AR(1) process of a source,
    scaled to unit variance. The start token takes the weight of the steps before the first."""

    phi: float

    @property
    def scale(self) -> float:
        """The factor by which a white source of unit variance gives a process of unit variance."""
        return float(np.sqrt((1 + self.phi) / (1 - self.phi)))


@dataclass(frozen=True)
class Head:
    """What a head does. attends: where it attends. shows: signals (sources, or signals carried by heads of earlier
    layers) whose weighted sum, after attention, is its activity. carries: the name of a new signal → the signal it is
    made of. writes: its share of the direction that moves the logits; 0 writes nothing."""

    role: str
    attends: Lag | Decay
    shows: Mapping[str, float]
    carries: Mapping[str, str] = field(default_factory=dict)
    writes: float = 0.0


@dataclass(frozen=True)
class Circuit:
    """heads: the heads of every layer. step: how many logits a word moves when a head that writes 1 is removed.
    answers: the carried, equal signals whose sign the two answers tell."""

    heads: tuple[tuple[Head, ...], ...]
    step: float = 0.06
    answers: tuple[str, ...] = ()

    @property
    def per_layer(self) -> int:
        """Heads of a layer."""
        return len(self.heads[0])

    @property
    def flat(self) -> tuple[Head, ...]:
        """All heads in the order of units."""
        return tuple(head for layer in self.heads for head in layer)

    @property
    def carried(self) -> tuple[str, ...]:
        """Signals that heads carry."""
        return tuple(name for head in self.flat for name in head.carries)

    @property
    def sources(self) -> tuple[str, ...]:
        """Signals that come from words."""
        known = set(self.carried)
        return tuple(dict.fromkeys(name for head in self.flat for name in _read(head) if name not in known))

    def matters(self) -> list[bool]:
        """By unit, whether the logits change when it is removed: it writes, or a head that matters reads what it
        carries."""
        needed = set(self.answers)
        found = [False] * len(self.flat)
        for unit, head in reversed(list(enumerate(self.flat))):
            found[unit] = bool(head.writes) or not needed.isdisjoint(head.carries)
            if head.writes:
                needed |= set(head.shows)
            needed |= {made_of for name, made_of in head.carries.items() if name in needed}
        return found

    def idle(self) -> list[bool]:
        """By unit, whether its rows of the output projection are 0: then it has no effect, to the last bit."""
        return [not head.writes and not head.carries for head in self.flat]


def _read(head: Head) -> list[str]:
    return [*head.shows, *head.carries.values()]


ANSWER_BASE, ANSWER_SLOPE = 0.2, 0.8
"""How far the logits of the two answers are above those of words, and how far they separate per unit of their signal.
"""


def intended(circuit: Circuit, codes: np.ndarray) -> np.ndarray:
    """The intended activity of every head [units, steps], from the codes of words since the start token [steps, sources
    in the circuit's order]. It needs no transformer: each attention is a filter."""
    signals = {name: codes[:, k].astype(float) for k, name in enumerate(circuit.sources)}
    out = np.empty((len(circuit.flat), len(codes)))
    for start, layer in enumerate(circuit.heads):
        made: dict[str, np.ndarray] = {}
        for place, head in enumerate(layer):
            shown = sum((weight * signals[name] for name, weight in head.shows.items()), np.zeros(len(codes)))
            out[start * circuit.per_layer + place] = OFFSET + filtered(head.attends, shown)
            made |= {name: filtered(head.attends, signals[of]) for name, of in head.carries.items()}
        signals |= made
    return out


def _check(circuit: Circuit) -> None:
    """Raises ValueError for a head whose activity could reach 0, where a norm turns back, and for a head that reads a
    signal before it is carried."""
    most = dict.fromkeys(circuit.sources, 1.0)
    for layer in circuit.heads:
        made: dict[str, float] = {}
        for head in layer:
            gain = head.attends.scale if isinstance(head.attends, Decay) else 1.0
            if absent := [name for name in _read(head) if name not in most]:
                raise ValueError(f"{absent[0]} is read before it is carried")
            reach = gain * sum(abs(weight) * most[name] for name, weight in head.shows.items())
            if reach >= OFFSET:
                raise ValueError(f"a head of the role {head.role} shows up to {reach:.1f} about {OFFSET}")
            made |= {name: gain * most[of] for name, of in head.carries.items()}
        most |= made


def filtered(attends: Lag | Decay, series: np.ndarray) -> np.ndarray:
    """A series after a head's attention; it begins after the start token, where it is 0."""
    if isinstance(attends, Lag):
        return np.concatenate([np.zeros(attends.steps), series])[: len(series)]
    out, last = np.empty(len(series)), 0.0
    for step, value in enumerate(series):
        last = attends.phi * last + (1 - attends.phi) * attends.scale * value
        out[step] = last
    return out


class Vocabulary:
    """Words with their codes. seed: decides which column of the Hadamard matrix belongs to which source, and which row
    to which word."""

    def __init__(self, circuit: Circuit, seed: int) -> None:
        chance = np.random.default_rng([seed, 11])
        half = WORDS // 2
        count = len(circuit.sources)
        if count > half:
            raise ValueError(f"{count} sources, but at most {half} are possible")
        # Columns of one half are sources, columns of the other move logits: no product of the latter is a source.
        columns = half + chance.permutation(half)[:count]
        moves = 1 + int(chance.integers(half - 1))
        matrix = _hadamard(WORDS)[chance.permutation(WORDS)]
        self.codes, self.moved = matrix[:, columns], matrix[:, moves]
        self.texts = [*(f"w{number:03d}" for number in range(WORDS)), START, UNKNOWN, YES, NO]

    def ids(self, texts: Iterable[str]) -> list[int]:
        """Numbers of tokens."""
        return [self.texts.index(text) for text in texts]


def _hadamard(size: int) -> np.ndarray:
    row, column = np.indices((size, size))
    return 1.0 - 2.0 * (np.bitwise_count(row & column) % 2)


class _Stream:
    """The contents of the residual stream's dimensions: signal k is +v in dimension 2k and −v in the next."""

    def __init__(self, circuit: Circuit) -> None:
        waves = [f"{wave}{k}" for k in range(len(WAVES)) for wave in ("cos ", "sin ")]
        fixed = ["constant", "position", "rest of position", *waves, "start", "blank", "logits"]
        names = [*fixed, *circuit.sources, *circuit.carried]
        if len(set(names)) < len(names):
            raise ValueError("two signals have one name")
        self.place = {name: 2 * k for k, name in enumerate(names)}
        most = max(1 + len(head.carries) for head in circuit.flat)
        self.head_width = max(-(-2 * len(names) // circuit.per_layer), 2 * len(WAVES), most)
        self.width = self.head_width * circuit.per_layer
        sources = len(circuit.sources)
        self.norm = float(np.sqrt(2 * (CONSTANT**2 + 1 + len(WAVES) + sources) / self.width))
        self.blank = float(np.sqrt(sources))
        self.scale = dict.fromkeys(names, 1.0) | dict.fromkeys(circuit.carried, STORED) | {"logits": WRITTEN}

    def hold(self, row: np.ndarray, name: str, value: float) -> None:
        """Puts a value into a vector of the stream."""
        at = self.place[name]
        row[at], row[at + 1] = value * self.scale[name], -value * self.scale[name]

    def read(self, column: np.ndarray, name: str, weight: float) -> None:
        """Adds to a column of weights the entries that read the signal."""
        at, part = self.place[name], weight / (2 * self.scale[name])
        column[at] += part
        column[at + 1] -= part


Weights = dict[str, np.ndarray]
"""Weights by their names in GPT-2."""


def write(circuit: Circuit, folder: Path, seed: int = 0) -> None:
    """Writes the transformer as a model folder: configuration, weights in float32, tokenizer."""
    from safetensors.numpy import save_file

    _check(circuit)
    stream, words = _Stream(circuit), Vocabulary(circuit, seed)
    told = _configuration(circuit, stream, words)
    weights = _blank(told)
    _embed(weights, circuit, stream, words)
    for number, heads in enumerate(circuit.heads):
        for place, head in enumerate(heads):
            _Placed(circuit, stream, weights, number, place).fill(head)
    _unembed(weights["lm_head.weight"], circuit, stream, words)
    for name, value in weights.items():
        if name.endswith(("ln_1.weight", "ln_f.weight")):
            value[:] = stream.norm
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    _write_tokenizer(words, folder)


def _configuration(circuit: Circuit, stream: _Stream, words: Vocabulary) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": len(words.texts),
        "n_positions": CONTEXT,
        "n_embd": stream.width,
        "n_layer": len(circuit.heads),
        "n_head": circuit.per_layer,
        "n_inner": INNER,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "bos_token_id": words.texts.index(START),
        "eos_token_id": None,
        "pad_token_id": None,
        "tie_word_embeddings": False,
        "dtype": "float32",
    }


def _blank(told: Mapping[str, Any]) -> Weights:
    """All weights of the architecture: layer normalisation weights are 1, all others 0."""
    width, size = told["n_embd"], told["vocab_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "transformer.wte.weight": (size, width),
        "transformer.wpe.weight": (CONTEXT, width),
        "transformer.ln_f.weight": (width,),
        "transformer.ln_f.bias": (width,),
        "lm_head.weight": (size, width),
    }
    for layer in range(told["n_layer"]):
        inside: dict[str, tuple[int, ...]] = {
            "ln_1.weight": (width,),
            "ln_1.bias": (width,),
            "attn.c_attn.weight": (width, 3 * width),
            "attn.c_attn.bias": (3 * width,),
            "attn.c_proj.weight": (width, width),
            "attn.c_proj.bias": (width,),
            "ln_2.weight": (width,),
            "ln_2.bias": (width,),
            "mlp.c_fc.weight": (width, INNER),
            "mlp.c_fc.bias": (INNER,),
            "mlp.c_proj.weight": (INNER, width),
            "mlp.c_proj.bias": (width,),
        }
        shapes |= {f"transformer.h.{layer}.{name}": shape for name, shape in inside.items()}
    ones = (".ln_1.weight", ".ln_2.weight", ".ln_f.weight")
    return {name: np.full(shape, float(name.endswith(ones)), np.float32) for name, shape in shapes.items()}


def _embed(weights: Weights, circuit: Circuit, stream: _Stream, words: Vocabulary) -> None:
    for token, row in enumerate(weights["transformer.wte.weight"]):
        stream.hold(row, "constant", CONSTANT)
        if token < WORDS:
            for name, value in zip(circuit.sources, words.codes[token], strict=True):
                stream.hold(row, name, float(value))
        else:
            stream.hold(row, "start" if words.texts[token] == START else "blank", stream.blank)
    for position, row in enumerate(weights["transformer.wpe.weight"]):
        part = position / CONTEXT
        stream.hold(row, "position", part)
        stream.hold(row, "rest of position", float(np.sqrt(1 - part**2)))
        for k, wave in enumerate(WAVES):
            angle = 2 * np.pi * wave * position / 1024
            stream.hold(row, f"cos {k}", float(np.cos(angle)))
            stream.hold(row, f"sin {k}", float(np.sin(angle)))


class _Placed:
    """The weights of one head of a layer's attention."""

    def __init__(self, circuit: Circuit, stream: _Stream, weights: Weights, layer: int, place: int) -> None:
        self._circuit, self._stream = circuit, stream
        self._width, self._start = stream.head_width, place * stream.head_width
        self._in, self._out = (weights[f"transformer.h.{layer}.attn.{name}.weight"] for name in ("c_attn", "c_proj"))

    def _column(self, which: str, number: int) -> np.ndarray:
        part = ("query", "key", "value").index(which) * self._stream.width
        return self._in[:, part + self._start + number]

    def fill(self, head: Head) -> None:
        """Sets what the head attends to, shows, carries and writes."""
        stream, attends = self._stream, head.attends
        if isinstance(attends, Decay):
            self._decays(attends)
        else:
            self._copies(attends)
        gain = attends.scale if isinstance(attends, Decay) else 1.0
        stream.read(self._column("value", 0), "constant", OFFSET / CONSTANT)
        for name, weight in head.shows.items():
            stream.read(self._column("value", 0), name, weight * gain)
        if head.writes:
            stream.hold(self._out[self._start], "logits", head.writes / OFFSET)
        for number, (name, made_of) in enumerate(head.carries.items(), 1):
            stream.read(self._column("value", number), made_of, CARRIED * gain)
            stream.hold(self._out[self._start + number], name, 1 / CARRIED)

    def _decays(self, attends: Decay) -> None:
        """Keys grow by −ln φ per position, and the start token's key stands for all positions before it."""
        stream, sharp = self._stream, float(np.sqrt(self._width))
        stream.read(self._column("query", 0), "constant", sharp / CONSTANT)
        stream.read(self._column("key", 0), "position", -np.log(attends.phi) * CONTEXT)
        stream.read(self._column("key", 0), "start", -np.log(1 - attends.phi) / stream.blank)

    def _copies(self, attends: Lag) -> None:
        """Keys are the waves, and queries are the waves turned back by the lag."""
        stream, sharp = self._stream, SHARPNESS * float(np.sqrt(self._width))
        for k, wave in enumerate(WAVES):
            angle = 2 * np.pi * wave * attends.steps / 1024
            cos, sin = sharp * float(np.cos(angle)), sharp * float(np.sin(angle))
            stream.read(self._column("query", 2 * k), f"cos {k}", cos)
            stream.read(self._column("query", 2 * k), f"sin {k}", sin)
            stream.read(self._column("query", 2 * k + 1), f"sin {k}", cos)
            stream.read(self._column("query", 2 * k + 1), f"cos {k}", -sin)
            stream.read(self._column("key", 2 * k), f"cos {k}", 1.0)
            stream.read(self._column("key", 2 * k + 1), f"sin {k}", 1.0)


def _unembed(weight: np.ndarray, circuit: Circuit, stream: _Stream, words: Vocabulary) -> None:
    """Words have the logit 0 except for the direction that heads write to, minus the average of their writing. The
    answers rise and fall with the writing: removing heads makes other words likelier."""
    written = sum(head.writes for head in circuit.flat)
    for token, row in enumerate(weight):
        base, moved = 0.0, 1.0
        if token < WORDS:
            moved = float(words.moved[token])
        elif words.texts[token] in (YES, NO) and circuit.answers:
            base = ANSWER_BASE
            sign = 1 if words.texts[token] == YES else -1
            for name in circuit.answers:
                stream.read(row, name, sign * ANSWER_SLOPE / len(circuit.answers))
        else:
            base, moved = BANNED, 0.0
        stream.read(row, "logits", moved * circuit.step)
        stream.read(row, "constant", (base - moved * circuit.step * written) / CONSTANT)


def _write_tokenizer(words: Vocabulary, folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    numbers = {text: number for number, text in enumerate(words.texts)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, numbers[START])]
    )
    tokenizer.add_special_tokens([START, UNKNOWN])
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "unk_token": UNKNOWN,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def described(circuit: Circuit) -> list[dict[str, Any]]:
    """The description of every unit in truth.json."""
    rows = zip(circuit.flat, circuit.matters(), circuit.idle(), strict=True)
    return [
        {
            "layer": unit // circuit.per_layer,
            "unit": unit % circuit.per_layer,
            "role": head.role,
            "matters": matters,
            "idle": idle,
            "attends": {"decay": head.attends.phi} if isinstance(head.attends, Decay) else {"lag": head.attends.steps},
            "shows": dict(head.shows),
            "carries": dict(head.carries),
            "writes": head.writes,
        }
        for unit, (head, matters, idle) in enumerate(rows)
    ]
