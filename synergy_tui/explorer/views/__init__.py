"""The views, and the keys that open them. Each view is a module of the same name here; its subclass of View owns its
keys (ACTIONS), its help, its SQL and its words while it is empty. It is imported when it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from synergy_tui.explorer.keys import Action
    from synergy_tui.explorer.views.base import View


class Opening(NamedTuple):
    """The key that brings a view to the front, its word and tooltip, and whether the footer shows it."""

    key: str
    word: str
    tooltip: str
    footer: bool = True


VIEWS = {
    "atlas": Opening("escape", "map", "The layer × unit map"),
    "unit": Opening("u", "unit", "The unit under the cursor: scores, ranks, partners", footer=False),
    "tokens": Opening("t", "tokens", "A response, token by token"),
    "pairs": Opening("p", "pairs", "The unit × unit matrix of an atom"),
    "ablation": Opening("a", "ablate", "Remove units and see what changes"),
    "difficulty": Opening("d", "difficulty", "Change with difficulty?"),
    "claims": Opening("c", "claims", "What this run says about the claims"),
    "compare": Opening("b", "beside", "This run beside another, or its categories", footer=False),
    "models": Opening("A", "models", "All models and claims: the atlas of cards", footer=False),
    "jobs": Opening("J", "jobs", "What runs and what has run"),
    "sql": Opening("s", "SQL", "Ask the cache"),
}
"""Name → how it is opened. The first view exists from the start."""


def view_class(name: str) -> type[View]:
    """The view of this name."""
    module = import_module(f"synergy_tui.explorer.views.{name}")
    found: type[View] = next(
        one
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__ and hasattr(one, "ACTIONS")
    )
    return found


def every_action() -> Iterator[Action]:
    """The actions of all views; this loads the views."""
    for name in VIEWS:
        yield from view_class(name).ACTIONS
