"""What somebody asks for → a job's spec, fully resolved, and what it will cost. Checks all that can be checked without
loading a model; commands and forms share it. A file for each kind of job."""

from synergy_tui.jobs.plan.ablations import ablate, answered_at, numbers_of, shares_of
from synergy_tui.jobs.plan.base import Plan, known
from synergy_tui.jobs.plan.captures import capture, captures
from synergy_tui.jobs.plan.claims import claims
from synergy_tui.jobs.plan.controls import controls
from synergy_tui.jobs.plan.decompositions import decompose, decompose_finished
from synergy_tui.jobs.plan.difficulties import difficulty, difficulty_chain
from synergy_tui.jobs.plan.networks import networks

__all__ = [
    "Plan",
    "ablate",
    "answered_at",
    "capture",
    "captures",
    "claims",
    "controls",
    "decompose",
    "decompose_finished",
    "difficulty",
    "difficulty_chain",
    "known",
    "networks",
    "numbers_of",
    "shares_of",
]
