"""The product lattice {r < x, y < s}²: cumulative informations → atoms.

The cumulative information of a node (α, β) is the redundancy about the future sources β in the past sources α; it is
the sum of all atoms at or below the node. Arrays have the order of terms.ATOMS: the entry named `xts` is I(x; x'y').
Source: Mediano et al., PNAS 122(39), 2025.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synergy_tui.terms import ATOMS, NODES

_OTHER = dict(zip(NODES, ("r", "y", "x", "s"), strict=True))

SWAP = np.array([ATOMS.index(_OTHER[name[0]] + "t" + _OTHER[name[2]]) for name in ATOMS])
"""Place of each atom after x and y change sides."""


def atoms_from_cumulative(cumulative: Any) -> list[Any]:
    """The Möbius inversion, entry by entry: sixteen arrays (NumPy or JAX) of any one shape → sixteen atoms. It is
    linear, so it may come before or after any sum or mean."""
    rows = [_one_side(*(cumulative[4 * past + future] for future in range(4))) for past in range(4)]
    columns = [_one_side(*(rows[past][future] for past in range(4))) for future in range(4)]
    return [columns[future][past] for past in range(4) for future in range(4)]


def _one_side(r: Any, x: Any, y: Any, s: Any) -> tuple[Any, Any, Any, Any]:
    """Atoms of {r < x, y < s} from its cumulative values."""
    return r, x - r, y - r, s - x - y + r
