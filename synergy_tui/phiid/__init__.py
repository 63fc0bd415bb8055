"""series → atoms per pair. Pure JAX: no files, no database, no models. The first decomposition loads JAX.

lattice.py     the lattice of the sixteen atoms, and the Möbius inversion that computes them
redundancy.py  nine informations → sixteen cumulative ones, by MMI or CCS
preparation.py series → series: log, rank-normal, difference, detrend, drop
windows.py     series → standardised past and future windows, or bits, with a reason if a unit has none
gaussian.py    windows → the nine informations of a pair
discrete.py    joint states of bits → the sixteen cumulative ones; exact joint distributions
tiles.py       one tile of unit × unit → sums over prompts
engine.py      all pairs of a series, tile by tile, on every core or device
result.py      the results: blocks of pairs, and the decomposition they make
nulls.py       surrogate data without coupling
moments.py     what is kept of surrogate data
local.py       one response → step-by-step atoms of a pair or a unit; NumPy only
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from synergy_tui.terms import ATOMS

if TYPE_CHECKING:
    from synergy_tui.phiid.discrete import decompose_joint
    from synergy_tui.phiid.engine import PairEngine, decompose
    from synergy_tui.phiid.nulls import NullEngine, surrogates
    from synergy_tui.phiid.preparation import preprocess
    from synergy_tui.phiid.result import PairAtoms, PairBlock, merge

_HOMES = {
    "decompose_joint": "discrete",
    "preprocess": "preparation",
    "decompose": "engine",
    "PairEngine": "engine",
    "surrogates": "nulls",
    "NullEngine": "nulls",
    "PairAtoms": "result",
    "PairBlock": "result",
    "merge": "result",
}

__all__ = [
    "ATOMS",
    "NullEngine",
    "PairAtoms",
    "PairBlock",
    "PairEngine",
    "decompose",
    "decompose_joint",
    "merge",
    "preprocess",
    "surrogates",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        home = importlib.import_module(f"synergy_tui.phiid.{_HOMES[name]}")
        return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
