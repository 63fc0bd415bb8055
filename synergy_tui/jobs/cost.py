"""What a job will cost in time and disk, before it starts: a rough estimate, measured on one machine and scaled by
cores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from synergy_tui.jobs.specs.decompose import DecomposeSpec
from synergy_tui.jobs.specs.geometry import GeometrySpec
from synergy_tui.jobs.specs.method import Method
from synergy_tui.jobs.specs.networks import NetworksSpec
from synergy_tui.terms import BASELINES, NULLS

# SmolLM2 on 2 cores: 110 ms for a decode step of 16 prompts, 135 M parameters in fp32; 2.1 s for 1,550 tokens under
# a condition; 0.25 s for 36,315 pairs × 60 prompts × 100 steps.
_DECODE = 20e9
_ABLATE = 1e11
_PAIR_PROMPTS = 9e6
_TIMES = {("gaussian", "mmi"): 1.0, ("discrete", "mmi"): 4.0, ("gaussian", "ccs"): 12.0, ("discrete", "ccs"): 5.0}
_GRAPH = 0.12  # seconds for 270 units at three densities
_START, _LOAD_BYTES_PER_SECOND = 5.0, 3e8
_LEVEL = 2.0
_SCORED, _SCORE_BYTES = 6.0, 60.0
_PRODUCTS, _NEAREST, _PERMUTED = 4e9, 400, 1e4
_PAIR_BYTES, _VALUE_BYTES = 78.0, 4.2


@dataclass(frozen=True)
class Cost:
    """seconds: None if nothing is known about the device. disk: bytes kept. at_most: whether the job may end earlier,
    so that these are bounds."""

    seconds: float | None
    disk: float
    at_most: bool = False

    def __str__(self) -> str:
        return f"{self.time}, {self.disk / 1e6:,.1f} MB of disk"

    @property
    def time(self) -> str:
        """Only the time."""
        return (
            "time unknown on this device"
            if self.seconds is None
            else f"{'at most ' * self.at_most}about {_time(self.seconds)}"
        )

    @property
    def brief(self) -> str:
        """The time in few columns; empty if it is unknown."""
        return "" if self.seconds is None else _time(self.seconds)


def total(costs: Iterable[Cost]) -> Cost:
    """What several jobs cost together. The time is unknown if one of theirs is."""
    costs = list(costs)
    known = [one.seconds for one in costs if one.seconds is not None]
    seconds = sum(known) if len(known) == len(costs) else None
    return Cost(seconds, sum(one.disk for one in costs), any(one.at_most for one in costs))


def capture(geometry: dict[str, Any], prompts: int, steps: int, device: str, cores: int, fetch: float = 0.0) -> Cost:
    """Generating with every head's norm kept; `fetch` seconds of preparation."""
    units = geometry["layers"] * geometry["heads"]
    parameters = _parameters(geometry)
    work = prompts * steps * parameters / (_DECODE * cores / 2)
    load = _START + 4 * parameters / _LOAD_BYTES_PER_SECOND
    return Cost(None if device != "cpu" else work + load + fetch, prompts * steps * units * _VALUE_BYTES)


def decompose(units: int, prompts: int, spec: DecomposeSpec, cores: int) -> Cost:
    """All pairs of the units with their surrogates, and the analysis."""
    pairs = units * (units - 1) / 2
    draws = 1 + len(spec.nulls) * (1 + spec.surrogates)
    seconds = _START + draws * _times(spec.method) * pairs * prompts / (_PAIR_PROMPTS * cores / 2)
    return Cost(None if spec.device != "cpu" else seconds, pairs * _PAIR_BYTES)


def _times(method: Method) -> float:
    """The time per pair and prompt, as a multiple of the plainest method's."""
    return _TIMES[method.estimator, method.redundancy] * (0.6 if method.pool == "pooled" else 1)


def ladder(units: int, prompts: list[int], surrogates: int, device: str | None, cores: int) -> Cost:
    """A decomposition of each level with its surrogates and its analysis."""
    nulls = NULLS[:1] if surrogates else ()
    spec = DecomposeSpec(nulls=nulls, surrogates=surrogates, device=device)
    each = [decompose(units, count, spec, cores) for count in prompts]
    known = [one.seconds - _START + _LEVEL for one in each if one.seconds is not None]
    return Cost(_START + sum(known) if len(known) == len(each) else None, sum(one.disk for one in each))


def ablate(geometry: dict[str, Any], passes: float, tokens: int, generated: float, device: str, cores: int) -> Cost:
    """`passes` replays of `tokens` tokens (prompts with responses), and the subject's own answers, which cost as much
    as the replay of `generated` tokens."""
    parameters = _parameters(geometry)
    work = ((passes + 3) * tokens + generated) * parameters / (_ABLATE * cores / 2)
    load = _START + 4 * parameters / _LOAD_BYTES_PER_SECOND
    return Cost(None if device != "cpu" else work + load, passes * 2_000.0)


def scores(geometry: dict[str, Any], tokens: int, units: int, prompts: int, device: str, cores: int) -> Cost:
    """A pass with plain attention, one that keeps what gradients need, and a backward pass, over `tokens` tokens."""
    parameters = _parameters(geometry)
    work = _SCORED * tokens * parameters / (_ABLATE * cores / 2)
    load = _START + 4 * parameters / _LOAD_BYTES_PER_SECOND
    return Cost(None if device != "cpu" else work + load, units * (prompts + len(BASELINES)) * _SCORE_BYTES)


def geometry(subject: dict[str, Any], tokens: int, spec: GeometrySpec, device: str, cores: int) -> Cost:
    """A pass over `tokens` tokens, and in every layer the products of all chosen states with each other."""
    parameters = _parameters(subject)
    taken, width = min(spec.tokens, tokens), (subject["heads"] or 1) * (subject["head_dim"] or 64)
    work = tokens * parameters / (_ABLATE * cores / 2)
    products = subject["layers"] * (taken**2 * (width + _NEAREST) + spec.permutations * _PERMUTED) / _PRODUCTS
    load = _START + 4 * parameters / _LOAD_BYTES_PER_SECOND
    return Cost(None if device != "cpu" else work + products + load, subject["layers"] * 300.0)


def networks(units: int, prompts: int, spec: NetworksSpec, method: Method, cores: int) -> Cost:
    """Pair values of every prompt, and two graphs at three densities for each surrogate and replicate."""
    pairs, nulls = units * (units - 1) / 2, len(spec.nulls)
    engine = (1 + spec.draws) * _times(method) * pairs * prompts / (_PAIR_PROMPTS * cores / 2)
    made = 2 * (spec.draws + spec.replicates) * _GRAPH * (units / 270) ** 2.3
    return Cost(None if spec.device != "cpu" else _START + nulls * (engine + made), nulls * 40_000.0)


def card() -> Cost:
    """Judging what is there."""
    return Cost(_START, 4_000.0)


def _parameters(geometry: dict[str, Any]) -> float:
    return geometry.get("parameters") or 12 * geometry["layers"] * geometry["hidden"] ** 2 + 1e5 * geometry["hidden"]


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
