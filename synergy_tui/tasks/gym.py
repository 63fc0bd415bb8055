"""A family of reasoning-gym, an optional dependency → a ladder by its curriculum, and its own verifier."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from typing import Any

from synergy_tui.errors import TaskError, with_extra
from synergy_tui.tasks import stated
from synergy_tui.tasks.ladder import GYM, Ladder, LadderPrompt, build
from synergy_tui.tasks.stated import Stated

INSTALL = with_extra("difficulty")

LEVELS = 8
"""The most levels to take of a curriculum."""

_HOW = "\nExplain step by step in a few sentences, and give the final answer inside <answer> </answer>."


def ladder(name: str, prompts: int, seed: int) -> Ladder:
    """Prompts of a curriculum: each level raises all attributes by one; attributes with fewer steps stay at their last.
    Raises TaskError when reasoning-gym is missing, or has no such curriculum."""
    gym, curricula = _gym()
    if name not in curricula:
        near = difflib.get_close_matches(name, curricula, 5, 0.3) or sorted(curricula)[:5]
        raise TaskError(f"reasoning-gym has no curriculum {name!r}", f"near it: {', '.join(near)}")
    try:
        configurations = _configurations(curricula[name]())
        found = []
        for level, configuration in enumerate(configurations, 1):
            configuration.size, configuration.seed = prompts, seed * 1_000 + level
            dataset = gym.create_dataset(name, **vars(configuration))
            for number in range(prompts):
                entry = dataset[number]
                kept = {"metadata": json.loads(json.dumps(entry["metadata"], default=str)), "answer": entry["answer"]}
                kept["question"] = entry["question"]
                answer = "" if entry["answer"] is None else str(entry["answer"])
                one = LadderPrompt(f"{level}-{number:03d}", 0, entry["question"] + _HOW, answer, GYM + name, kept)
                found.append((str(level), one))
    except Exception as error:  # a family's own generator may raise anything
        raise TaskError(
            f"reasoning-gym cannot make {name}: {type(error).__name__}: {str(error)[:120]}", "take another family"
        ) from None
    return build(GYM + name, found, [str(level + 1) for level in range(len(configurations))])


def _configurations(curriculum: Any) -> list[Any]:
    """One configuration per level, until nothing gets harder."""
    out = [curriculum.generate_configuration()]
    while len(out) < LEVELS:
        raised = [curriculum.increment_attr_level(name) for name in curriculum._attributes]
        if not any(raised):
            break
        out.append(curriculum.generate_configuration())
    return out


def find(response: str, answer: str) -> Stated | None:
    """The text inside the last <answer>, else the text marked as the answer, else the whole response."""
    del answer  # the entry has it
    if inside := list(re.finditer(r"<answer>\s*(.*?)\s*</answer>", response, re.DOTALL)):
        return Stated(inside[-1].group(1), inside[-1].end(), firm=True, closed=True)
    whole = response.strip()
    return stated.marked(response, _line_at) or (Stated(whole, len(response)) if whole else None)


def _line_at(response: str, place: int) -> tuple[str, int] | None:
    line = response[place:].partition("\n")[0]
    return (line.strip().rstrip("*_`"), place + len(line)) if line.strip() else None


def scores(name: str, entry: dict[str, Any]) -> Callable[[str, str], bool]:
    """The family's own verifier: whether a result scores 1. Raises TaskError when reasoning-gym is missing."""
    gym, _ = _gym()

    def same(found: str, answer: str) -> bool:
        del answer
        return float(gym.create_dataset(name, size=1, seed=0).score_answer(found, entry)) >= 1.0

    return same


def _gym() -> tuple[Any, dict[str, Any]]:
    try:
        import reasoning_gym
        from reasoning_gym.factory import CURRICULA
    except ImportError as error:
        raise TaskError(f"reasoning-gym is not installed ({error})", INSTALL) from None
    return reasoning_gym, CURRICULA
