"""How many threads the engine uses on a CPU."""

from __future__ import annotations

import os

_limit: int | None = None


def limit(count: int) -> None:
    """Use at most this many from now on: some schedulers give a process some of a machine's cores without enforcing
    it."""
    global _limit
    _limit = count


def cores() -> int:
    """The number of cores that this process should use."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return there if _limit is None else min(there, _limit)
