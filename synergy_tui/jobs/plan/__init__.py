"""What somebody asks for → a job's spec, fully resolved, and what it will cost. Checks all that can be checked without
loading a model; commands and forms share it. A file for each kind of job."""

from synergy_tui.jobs.plan.ablations import ablate, answered_at, numbers_of, shares_of
from synergy_tui.jobs.plan.base import Plan, known
from synergy_tui.jobs.plan.captures import capture, captures
from synergy_tui.jobs.plan.decompositions import decompose, decompose_finished
from synergy_tui.jobs.plan.difficulties import difficulty, difficulty_chain

__all__ = [
    "Plan",
    "ablate",
    "answered_at",
    "capture",
    "captures",
    "decompose",
    "decompose_finished",
    "difficulty",
    "difficulty_chain",
    "known",
    "numbers_of",
    "shares_of",
]
