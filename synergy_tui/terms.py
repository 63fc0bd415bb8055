"""The words of the field and their order; whoever names an atom, a ranking or a state reads it here."""

NODES = ("r", "x", "y", "s")
"""One side of the ΦID lattice: redundant, unique to x, unique to y, synergistic."""

ATOMS = tuple(f"{past}t{future}" for past in NODES for future in NODES)
"""The sixteen atoms, past before future: rtr, rtx, rty, rts, xtr … sts. Every array of atoms has this order."""

RTR, STS = ATOMS.index("rtr"), ATOMS.index("sts")

MEASURES = ("tdmi", "offset", "autocorrelation", "norm")
"""What a unit has beside atoms and rankings: mean TDMI and independence offset over its pairs (nats), the lag-τ
autocorrelation and the mean of its activity."""

RANKINGS = ("rank-difference", "difference", "balance", "tdmi-share", "excess")
"""Orders of units, synergistic last. The first is the default because it is the published one."""

TARGETED_ORDERS = ("synergy-first", "redundancy-first", "marked")
"""Orders that mean certain units; `marked` is a set that the user chose."""

CONTROL_ORDERS = ("random", "layer-matched")

REMOVAL_ORDERS = TARGETED_ORDERS + CONTROL_ORDERS

JOB_KINDS = ("capture", "decompose", "ablate")

JOB_STATES = ("queued", "running", "paused", "done", "failed", "cancelled")

INVALID_REASONS = ("too short", "not finite", "constant", "ill-conditioned")
"""Why a pair has no value for a prompt. Codes are 1 + the place in this tuple; 0 is valid."""


def column(name: str) -> str:
    """A score's name as an SQL column: rank-difference → rank_difference."""
    return name.replace("-", "_")
