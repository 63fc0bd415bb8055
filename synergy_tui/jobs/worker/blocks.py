"""Blocks of pairs of a decompose job and its nulls ↔ shards: one .npz each, no pickle, whole or not there. A resumed
job skips existing ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Content
from synergy_tui.phiid.moments import Moments, NullBlock
from synergy_tui.phiid.result import PairBlock, UnitSums, UnitTotals
from synergy_tui.terms import INVALID_REASONS

Block = TypeVar("Block")

_PAIRS = ("pairs", "mean", "spread", "offset", "valid_prompts", "reason")


def pair_block(job: JobFolder, number: int) -> PairBlock | None:
    """The shard of a block, or None when it is not there or cannot be read: then it is made again."""

    def made(arrays: dict[str, np.ndarray]) -> PairBlock:
        return PairBlock(
            **{name: arrays[name] for name in _PAIRS},
            reasons=dict(zip(INVALID_REASONS, arrays["reasons"].tolist(), strict=True)),
            sums=UnitSums(**_named("sums", arrays)),
            totals=UnitTotals(**_named("totals", arrays)),
        )

    return _read(job, pair_name(number), made)


def pair_name(number: int) -> str:
    """The name of the part of a block."""
    return f"block-{number:04d}"


def null_name(null: str, number: int) -> str:
    """The name of the part of a block of a null."""
    return f"{null}-{number:04d}"


def of_pair_block(block: PairBlock) -> Content:
    """A block as a part."""
    arrays = {name: getattr(block, name) for name in _PAIRS}
    arrays["reasons"] = np.array([block.reasons[name] for name in INVALID_REASONS])
    return parts.of_arrays(arrays | _prefixed("sums", block.sums) | _prefixed("totals", block.totals))


def null_block(job: JobFolder, null: str, number: int) -> NullBlock | None:
    """The shard of a block of a null, likewise."""

    def made(arrays: dict[str, np.ndarray]) -> NullBlock:
        drawn = _named("units", arrays)
        return NullBlock(
            arrays["pairs"],
            arrays["observed"],
            Moments(arrays["centre"], arrays["count"], arrays["power_sums"]),
            UnitTotals(**_named("totals", arrays)),
            [UnitTotals(**{name: value[k] for name, value in drawn.items()}) for k in range(len(drawn["pairs"]))],
            arrays["by_prompt"],
            arrays["counts"],
        )

    return _read(job, null_name(null, number), made)


def of_null_block(block: NullBlock) -> Content:
    """A block of a null as a part."""
    moments = block.moments
    arrays = {"pairs": block.pairs, "observed": block.observed}
    arrays |= {"centre": moments.centre, "count": moments.count, "power_sums": moments.sums}
    arrays |= {"by_prompt": block.by_prompt, "counts": block.counts}
    arrays |= _prefixed("totals", block.observed_units)
    for name in block.observed_units.arrays():
        arrays[f"units.{name}"] = np.stack([getattr(one, name) for one in block.units])
    return parts.of_arrays(arrays)


def _prefixed(prefix: str, sums: UnitSums | UnitTotals) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": value for name, value in sums.arrays().items()}


def _named(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name.removeprefix(f"{prefix}."): value for name, value in arrays.items() if name.startswith(f"{prefix}.")}


def _read(job: JobFolder, name: str, made: Callable[[dict[str, np.ndarray]], Block]) -> Block | None:
    arrays = parts.read_arrays(job, name)
    if arrays is None:
        return None
    try:
        return made(arrays)
    except (KeyError, TypeError, ValueError) as error:
        print(f"part {name} is damaged and will be made again: {error}", flush=True)
        return None
