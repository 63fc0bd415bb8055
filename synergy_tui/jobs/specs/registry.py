"""The kinds of jobs, and how their specs are written and read."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.jobs import specs
from synergy_tui.jobs.specs.base import Request, Spec
from synergy_tui.jobs.specs.earlier import brought_up


def _kinds() -> dict[str, type[Spec]]:
    for one in pkgutil.iter_modules(specs.__path__):
        if one.name != "registry":
            importlib.import_module(f"{specs.__name__}.{one.name}")
    return {one.KIND: one for one in Spec.__subclasses__()}


SPECS = _kinds()
"""Kind of job → its spec, each in a module of this package."""

FORMAT = 2
"""Format of the file of a spec."""


def as_json(spec: Spec) -> dict[str, Any]:
    """A spec for a job's folder."""
    return {"format": FORMAT, "kind": spec.KIND, "spec": spec.to_json()}


def from_json(content: Mapping[str, Any]) -> Spec:
    """A spec from the output of `as_json`, also of an earlier version. Raises UsageError for a newer format, an unknown
    kind or field, a wrong type, a value out of range."""
    form = content.get("format", 1)
    if not isinstance(form, int) or isinstance(form, bool) or not 1 <= form <= FORMAT:
        raise UsageError(f"format {form!r} is not a whole number from 1 up to {FORMAT}", "update synergy-tui")
    kind = content.get("kind")
    if kind not in SPECS:
        raise UsageError(f"no kind of job {kind!r}", f"known: {', '.join(SPECS)}; or update synergy-tui")
    if form < FORMAT:
        try:
            content = {"spec": brought_up(str(kind), content)}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UsageError(f"a spec of an earlier version lacks {error}", "start the job anew") from None
    found = content.get("spec")
    if not isinstance(found, dict):
        raise UsageError(f"spec {found!r} is not an object", "start the job anew")
    return SPECS[str(kind)].from_json(found)


def request_of(words: Sequence[str]) -> Request:
    """The request that a command makes: `synergy-tui COMMAND WHAT --option value …`, as words. Raises UsageError if it
    makes none."""
    commands = {one.REQUEST.COMMAND: one.REQUEST for one in SPECS.values()}
    if len(words) < 3 or words[1] not in commands:
        raise UsageError(f"no request {' '.join(words)[:60]!r}", f"known: {', '.join(commands)}")
    return commands[words[1]].from_words(words[2:])
