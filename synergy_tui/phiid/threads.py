"""How many threads the engine computes with on a CPU."""

from __future__ import annotations

import os

_limit: int | None = None


def limit(count: int) -> None:
    """At most so many from now on: where a scheduler gives a process some of a machine's cores without keeping it to
    them."""
    global _limit
    _limit = count


def cores() -> int:
    """Cores that this process is to use."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return there if _limit is None else min(there, _limit)
