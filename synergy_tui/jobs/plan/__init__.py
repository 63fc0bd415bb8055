"""A request → a job's spec, fully resolved, and its cost. Checks all that can be checked without loading a model;
commands and forms share it. A file for each kind of job; sealed.py and deviations.py: a plan of a whole claims card,
written before there are data, and how the work differs from it."""

from synergy_tui.jobs.plan.ablations import ablate
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.captures import capture, captures
from synergy_tui.jobs.plan.claims import claims
from synergy_tui.jobs.plan.controls import controls
from synergy_tui.jobs.plan.decompositions import decompose, decompose_finished
from synergy_tui.jobs.plan.difficulties import difficulty
from synergy_tui.jobs.plan.geometries import geometry
from synergy_tui.jobs.plan.links import Link, finished, results
from synergy_tui.jobs.plan.networks import networks
from synergy_tui.jobs.plan.runs import with_maps
from synergy_tui.jobs.plan.scores import scores
from synergy_tui.jobs.plan.sweeps import Sweep, sweep

__all__ = [
    "Link",
    "Plan",
    "Sweep",
    "ablate",
    "capture",
    "captures",
    "claims",
    "controls",
    "decompose",
    "decompose_finished",
    "difficulty",
    "finished",
    "geometry",
    "networks",
    "results",
    "scores",
    "sweep",
    "with_maps",
]
