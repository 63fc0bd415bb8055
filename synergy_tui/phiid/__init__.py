"""series → atoms per pair. Pure JAX: no files, no database, no models. JAX is loaded at the first decomposition.

lattice.py     what the sixteen atoms are made of, and the Möbius inversion that makes them
redundancy.py  nine informations → sixteen cumulative ones, by MMI or CCS
windows.py     series → standardised past and future windows, with a reason where a unit has none
gaussian.py    windows → the sixteen cumulative informations of one pair
discrete.py    joint states of bits → the same
engine.py      all pairs of a series, tile by tile, on every core or device
result.py      what comes out: blocks of pairs, and the decomposition they make
local.py       one response → step-by-step atoms of a pair or a unit; NumPy only
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synergy_tui.terms import ATOMS

if TYPE_CHECKING:
    from synergy_tui.phiid.engine import PairEngine, decompose
    from synergy_tui.phiid.result import PairAtoms, PairBlock, merge

__all__ = ["ATOMS", "PairAtoms", "PairBlock", "PairEngine", "decompose", "merge"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from synergy_tui.phiid import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
