"""python -m synergy_tui.zoo NAME FOLDER [--seed N] [--checkpoints]: trains a model of the zoo and keeps it there."""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from synergy_tui.errors import SubjectError
from synergy_tui.zoo.keeping import keep, rounded
from synergy_tui.zoo.languages import language
from synergy_tui.zoo.training import RECIPES, Recipe, Trained, train
from synergy_tui.zoo.truth import accuracy, units

SOLVED = 0.95
"""A model is kept if it answers this share of prompts of the easiest level, or of all levels if none is easier."""


def main() -> None:
    """Trains, measures what was learned, and writes the folder; writes nothing if the language was not learned."""
    asked = argparse.ArgumentParser(prog="python -m synergy_tui.zoo", description=__doc__)
    asked.add_argument("name", help=f"one of {', '.join(RECIPES)}")
    asked.add_argument("folder", type=Path, help="where NAME/SEED and NAME/training are written")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--checkpoints", action="store_true", help="keep the course of the training too")
    given = asked.parse_args()
    torch.set_num_threads(1)  # sums have one order, so that a seed gives one model
    try:
        make(given.name, given.folder, given.seed, given.checkpoints)
    except SubjectError as error:
        sys.exit(f"{error.what}: {error.next_step}")


def make(name: str, folder: Path, seed: int, along: bool) -> None:
    """Writes `folder`/NAME/SEED, and with `along` NAME/training/step-N. Raises SubjectError for an unknown name and for
    a training that did not converge."""
    if name not in RECIPES:
        raise SubjectError(f"the zoo has no {name!r}", f"it has {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    kept = [_copied(one) for one in train(recipe, seed, _report(recipe))]
    of = language(recipe.language)
    solved = accuracy(kept[-1].model, of)
    print(f"{name} {seed}: {solved}", file=sys.stderr)
    reached = next(iter(solved.values())) if of.ordered else sum(solved.values()) / len(solved)
    if reached < SOLVED:
        which = "its easiest level" if of.ordered else "all its levels"
        raise SubjectError(
            f"{name} with seed {seed} did not converge: {reached:.0%} of {which}",
            "nothing is kept; take another --seed",
        )
    for one in kept if along else kept[-1:]:
        place = Path(name) / ("training" if one is not kept[-1] else str(seed))
        place = place / f"step-{one.step:05d}" if one is not kept[-1] else place
        _keep(one, recipe, seed, folder / place)
    if along:
        _keep(kept[-1], recipe, seed, folder / name / "training" / f"step-{kept[-1].step:05d}")


def _copied(one: Trained) -> Trained:
    return Trained(rounded(copy.deepcopy(one.model)), one.step, one.severed)


def _keep(one: Trained, recipe: Recipe, seed: int, folder: Path) -> None:
    of = language(recipe.language)
    known = {"language": of.name, "seed": seed, "step": one.step, "accuracy": accuracy(one.model, of)}
    keep(one.model, of.vocabulary, folder, known | {"units": units(one.model, of, one.severed)})


def _report(recipe: Recipe) -> Callable[[int, float], None]:
    def report(step: int, loss: float) -> None:
        if step % max(recipe.steps // 10, 1) == 0:
            print(f"step {step} of {recipe.steps}: {loss:.4f} nats a token", file=sys.stderr, flush=True)

    return report


if __name__ == "__main__":
    main()
