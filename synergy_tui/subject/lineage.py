"""A subject's name → its family of models, and whether it was trained to follow instructions. Light.

Unknown values are None: models of many makers share an architecture, and base models may have a chat template."""

from __future__ import annotations

import re

from synergy_tui.subject.manifest import BASE, BUILT_IN, INSTRUCT, BuiltIn
from synergy_tui.zoo.shipped import PLANT, ZOO

RANDOM, MERGED = ", random weights ", " + "
"""What `sources.resolve` appends to the name of a subject with random weights, or with an adapter."""

_INSTRUCT = re.compile(r"([-_ ](instruct|chat)|\d[bm][-_ ]it)([-_ .]|$)", re.I)
_BASE = re.compile(r"([-_ ]base|\d[bm][-_ ]pt)([-_ .]|$)", re.I)


def family_of(model_type: str | None, name: str) -> str | None:
    """The family of a subject by its architecture and name, as in the table subjects: from a built-in's entry,
    `zoo:NAME` for the zoo whatever the seed or checkpoint, None if unknown. Random weights and adapters do not change
    it."""
    own = name.partition(RANDOM)[0].partition(MERGED)[0]
    if own.startswith(ZOO):
        return own.partition("/")[0]
    known = _built_in(own)
    return known.family if known and known.geometry["model_type"] == model_type else None


def tuned_of(name: str, chat_template: bool | None = None) -> str | None:
    """base or instruct. A built-in's entry decides; the zoo's trained models are base. Otherwise a word in the name
    decides (…-Instruct, …-it, …-chat, …-base, …-pt), unless the word implies a chat template and the subject is known
    to have none. None if unknown, and for random, adapted and planted weights, which are neither."""
    if RANDOM in name or MERGED in name or name.startswith(PLANT):
        return None
    if name.startswith(ZOO):
        return BASE
    if known := _built_in(name):
        return known.tuned
    own = name.rpartition("/")[2]
    instruct, base = _INSTRUCT.search(own) is not None, _BASE.search(own) is not None
    if instruct == base or (instruct and chat_template is False):
        return None
    return INSTRUCT if instruct else BASE


def _built_in(name: str) -> BuiltIn | None:
    return BUILT_IN.get(name) or next((one for one in BUILT_IN.values() if one.title == name), None)
