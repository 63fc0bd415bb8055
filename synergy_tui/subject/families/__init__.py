"""Families by shape. A family is one file with MODEL_TYPES (transformers' names) and output_projections(model): the
attention output projections in the order of the layers. Their inputs are the heads' outputs side by side."""

from __future__ import annotations

from types import ModuleType

from synergy_tui.errors import SubjectError
from synergy_tui.subject.families import llama

FAMILIES: tuple[ModuleType, ...] = (llama,)


def family_of(model_type: str) -> ModuleType:
    """The family of an architecture. Raises SubjectError for one that no family knows."""
    for family in FAMILIES:
        if model_type in family.MODEL_TYPES:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.MODEL_TYPES)
    raise SubjectError(f"no family knows the architecture {model_type!r}", f"known: {known}")
