"""The words of the field and their order; every module takes the names of atoms, rankings and states from here."""

NODES = ("r", "x", "y", "s")
"""One side of the ΦID lattice: redundant, unique to x, unique to y, synergistic."""

ATOMS = tuple(f"{past}t{future}" for past in NODES for future in NODES)
"""The sixteen atoms, past before future: rtr, rtx, rty, rts, xtr … sts. Every array of atoms has this order."""

RTR, STS = ATOMS.index("rtr"), ATOMS.index("sts")

MEASURES = ("tdmi", "offset", "autocorrelation", "norm")
"""What a unit has besides atoms and rankings: mean TDMI and independence offset over its pairs (nats), and the lag-τ
autocorrelation and mean of its activity."""

BASELINE_MEANINGS = {
    "previous-token": "attention mass on the position before.",
    "induction": "attention mass on earlier positions right after an earlier occurrence of the current token.",
    "retrieval": "attention mass on earlier positions that hold the token which comes next: what can be copied.",
    "attention-entropy": "entropy of the attention pattern over positions, in nats: 0 where all is on one.",
    "grad-activation": "size of the unit's output times the gradient of the response's log-probability; nats.",
    "attribution": "change of the response's log-probability per token with the output at its mean, first order; nats.",
}
"""Other measures of a unit, from its attention and from gradients, and what they mean: docs/method.md, section 10."""

BASELINES = tuple(BASELINE_MEANINGS)

PATTERNS = BASELINES[:4]
"""The baselines of attention heads only, from their attention weights."""

RANKING_MEANINGS = {
    "rank-difference": "rank of synergy minus rank of redundancy over all units; the published ranking.",
    "difference": "synergy minus redundancy, sts − rtr, in nats.",
    "balance": "mean over partners of sts / (sts + rtr).",
    "tdmi-share": "(sts − rtr) as a share of the time-delayed mutual information.",
    "numit": "synergy minus redundancy, each as its quantile among random systems with the same total information.",
    "excess": "synergy minus its null: what independent units with the same memory would show.",
    "z": "synergy against its surrogates, in their standard deviations.",
}
"""Orders of units, synergistic last, and what they are made of. The first is the default because it is the published
one; the last needs surrogates."""

RANKINGS = tuple(RANKING_MEANINGS)

OF_TWO_ATOMS = ("rank-difference", "difference", "balance")
"""The rankings that need only sts and rtr."""

NORMALISED = "numit"
"""The ranking whose null is made of Gaussian atoms under MMI. Results of other atoms do not have it, nor do results
made before it was added."""

ESTIMATORS = ("gaussian", "discrete")
REDUNDANCIES = ("mmi", "ccs")
IMPORTED = "imported"
"""The kind of units that were measured elsewhere, and the estimator of a table of pairs, whose real estimator is
unknown."""

NO_SERIES = "no series: tokens, nulls, other decompositions and ablation are not possible"
NO_ATOMS = "imported without other atoms"
"""What a table of pairs does not have, and why."""

POOLS = ("mean", "pooled")
PRECISIONS = ("float64", "float32")
BIASES = ("none", "analytic")
"""Whether informations are corrected for the bias of short series."""

PREPROCESSING = ("log", "rank-normal", "difference", "detrend", "drop", "cut")
"""Steps that may come before a decomposition, in this order; without any the series is raw. `drop` and `cut` take a
number of steps: how many to leave out at the beginning, and how many to keep."""

NULLS = ("prompt-shuffle", "window-roll")
"""Surrogate data that keep each unit's windows exactly. The first is the default."""

UNCALIBRATED_NULLS = ("series-shift", "phase")
"""For comparison only: they break a unit's information about its own future and call independent units synergistic."""

TESTS = {
    "p": "Two-sided p of sts against surrogates; where two nulls were run, of both in one direction.",
    "q": "Benjamini–Hochberg q over the units of p.",
    "rtr-p": "Upper-tail p of rtr, likewise.",
    "rtr-q": "Benjamini–Hochberg q of it.",
    "tdmi-p": "Upper-tail p of tdmi, likewise.",
    "tdmi-q": "Benjamini–Hochberg q of it.",
}
"""What nulls say about a unit, and what each test means."""

METHOD_FIELDS = ("estimator", "redundancy", "lag", "pool", "preprocess", "precision", "bias", "compared")
"""Columns of decompositions that say how the pairs were decomposed and what the contrast compares: results that agree
in them can be compared."""

METHOD = 2
"""Version of the method behind every result except a capture. Results of an earlier version keep their numbers and say
so. 2: surrogates on the cut of the data, coupled in one direction under both nulls, verdicts with evidence of absence.
"""

ENOUGH_PROMPTS = 10
"""Prompts of like length that C1 needs for a verdict."""

FULL_LADDER = (8, 40)
"""Levels, and prompts of each, that a ladder needs for a verdict on a transition."""

VARYING_MEMORY = 2.0
"""Variance over prompts of the units' mean autocorrelation, divided by the variance that independent units would show;
a ratio above this is worth a doubt."""

COUPLED = 0.05
"""The q below which a pair or unit is called coupled."""

UNIT_KINDS = ("head", "ssm-head", "expert", "attention", "mlp")
"""What a unit can be: attention (query) head, head of a state-space mixer, routed expert, a layer's whole attention or
MLP block. Heads of both kinds are the default, in one map where a model has both."""

HEADS = UNIT_KINDS[:2]

RANKED_ORDERS = tuple(f"{ranking}-{end}" for ranking in RANKINGS for end in ("first", "last"))
"""Orders by a named ranking: its highest unit first, or its lowest."""

TARGETED_ORDERS = ("synergy-first", "redundancy-first", "marked", *RANKED_ORDERS)
"""Orders that target certain units; the first two use the chosen ranking, `marked` is a set that the user chose."""

CONTROL_ORDERS = ("random", "layer-matched")

SWEEPS = ("single-units", "whole-layers")
"""Not cumulative: every unit alone, every layer alone."""

PAIRS = "pairs"
"""Not cumulative: the strongest pairs of units, each pair together, beside matched control pairs."""

PAIR_SCORES = ("sts", "rtr", "excess")
"""The score that decides which pairs are strongest; the last needs surrogates."""

REMOVAL_ORDERS = (*TARGETED_ORDERS, *CONTROL_ORDERS, *SWEEPS, PAIRS)

DEFAULT_ORDERS = ("synergy-first", "redundancy-first", *CONTROL_ORDERS)

INTERVENTIONS = ("zero", "mean", "resample", "noise")
"""What is done to a unit that is removed. The first is the default."""

ORDER_PARAMETERS = ("contrast", "layer-order", "core-share", "norm-share", "core-stability", "excess")
"""What may change with difficulty, one value per prompt. The first is the default."""

MODELS = ("constant", "linear", "quadratic", "step", "sigmoid")
"""Courses of an order parameter over a ladder; the last two are sudden."""

LADDER_VERDICTS = ("transition", "gradual", "no change", "changes", "inconclusive", "comparison")
"""What a ladder can say: `changes` with 5 to 7 levels, `comparison` with fewer."""

GRADES = ("right", "wrong", "unparsable", "unfinished", "failed")
"""Grades of an answer on a ladder. unfinished: cut off before it stated a result; failed: its verifier raised."""

GRADING = 2
"""Raised whenever grading changes: a result under another number is a different piece of work."""

CLAIMS = {
    "C1": "middle layers are synergistic, early and late redundant",
    "C2": "the organisation emerges as a transition with difficulty",
    "C3": "ablating synergistic units is disproportionate",
    "C4": "redundant units are dispensable",
    "C5": "it is learned",
    "C6": "synergy networks are efficient, redundancy networks modular",
    "C8": "the dimension of representations turns in the middle layers, as synergy does",
    "C9": "prompts of one structure and other words are most alike in the middle layers",
}
"""What the literature claims about language models; the verdicts are tests on one run."""

ATLAS_CLAIMS = {"C7": "the organisation is universal: it is found in models of every family"}
"""What the literature claims about many models; the verdicts are tests over their cards."""

SOURCES = {
    "C1": ("arXiv:2601.06851v1", "arXiv:2603.29735v1"),
    "C2": ("arXiv:2603.29735v1",),
    "C3": ("arXiv:2601.06851v1", "arXiv:2603.29735v1"),
    "C4": ("arXiv:2601.06851v1",),
    "C5": ("arXiv:2601.06851v1",),
    "C6": ("arXiv:2601.06851v1",),
    "C7": ("arXiv:2601.06851v1", "arXiv:2603.29735v1"),
    "C8": ("arXiv:2603.29735v2",),
    "C9": ("arXiv:2603.29735v2",),
}
"""Where each claim is made, with its version: version 2 of arXiv:2603.29735 replaces the transition by geometry."""

GEOMETRY = ("dimension", "alignment")
"""The measures of a layer's residual stream."""

SUPPORTED, EXPLAINED, NOT_SUPPORTED, INCONCLUSIVE = (
    "supported",
    "present, but explained by self-prediction",
    "not supported",
    "inconclusive",
)

VERDICTS = (SUPPORTED, EXPLAINED, NOT_SUPPORTED, INCONCLUSIVE)

HETEROGENEOUS = "heterogeneous"
"""A further verdict for a claim over many models: some have it, and some are shown to lack it."""

NOT_JUDGED = "not judged"
"""The first words of the reason when an inconclusive claim is not about what was measured."""

CONTROLS = ("free-running", "replayed")
"""How a subject with random weights serves as a control: answering by itself, or on the run's own tokens."""

JOB_STATES = ("queued", "running", "paused", "done", "failed", "cancelled")

INVALID_REASONS = ("too short", "not finite", "constant", "ill-conditioned")
"""Why a pair has no value for a prompt. Codes are 1 + the place in this tuple; 0 is valid."""


def column(name: str) -> str:
    """A score's name as an SQL column: rank-difference → rank_difference."""
    return name.replace("-", "_")
