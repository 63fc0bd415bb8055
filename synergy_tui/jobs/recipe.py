"""What a plan was asked for → the command that asks for the same, every option spelled out."""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Plan = TypeVar("Plan")

OPTIONS = {"nulls": "--null", "marked": "--units", "kinds": "--kind"}
"""Options whose name is not that of the argument."""


def recorded(plan: Callable[..., Plan]) -> Callable[..., Plan]:
    """Notes in the plan's spec what its keyword arguments were, as options of the command."""
    parameters = inspect.signature(plan).parameters.values()
    named = {one.name: one.default for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}

    @functools.wraps(plan)
    def made(*given: Any, **chosen: Any) -> Plan:
        found = plan(*given, **chosen)
        spec = found.spec  # type: ignore[attr-defined]
        asked = named | chosen
        # A replay has its prompts; and where something is kept is no part of what was asked.
        left_out = ("cache", "save", *(("tasks", "prompts") if asked.get("replay") else ()))
        spec["options"] = as_options(
            {name: _resolved(name, asked[name], spec) for name in named if name not in left_out}
        )
        return found

    return made


def as_options(chosen: dict[str, Any]) -> list[str]:
    """Words of a command line; what is None or empty, or a switch that stays as it is, is left out."""
    words: list[str] = []
    for name, value in chosen.items():
        flag = OPTIONS.get(name, f"--{name.replace('_', '-')}")
        if name == "chat":
            words += [] if value else ["--no-chat"]
        elif value is True:
            words.append(flag)
        elif name == "nulls":
            words += [word for one in value for word in (flag, one)]
        elif isinstance(value, list | tuple):
            words += [flag, ",".join(map(str, value))] if value else []
        elif value is not None and value is not False and value != "":
            words += [flag, str(value)]
    return words


def command(kind: str, spec: dict[str, Any]) -> str:
    """The command that makes the result of a job of this kind anew; of a part of a long chain, that of the chain."""
    if "recipe" in spec:
        return str(spec["recipe"])
    what = (
        spec["subject"]["place"] if kind == "capture" else spec["capture" if kind == "decompose" else "decomposition"]
    )
    return shlex.join(["synergy-tui", kind, what, *spec.get("options", [])])


def _resolved(name: str, asked: Any, spec: dict[str, Any]) -> Any:
    """What the spec made of an argument stands for it."""
    if name == "tasks" and not isinstance(asked, str):
        return spec["tasks"]
    if name in ("tasks", "replay"):
        path = Path(asked or "").expanduser()
        return str(path.resolve()) if path.is_file() else asked
    if name == "marked":
        return spec.get("marked_units")
    found = spec.get(name, asked)
    return (len(found) or None) if name in ("prompts", "reference") and isinstance(found, list) else found
