"""A job's status → a few words on its progress, for both faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synergy_tui.drawing.tables import printable


def brief(status: Mapping[str, Any]) -> str:
    """One job briefly: kind, bar, share, time left."""
    if status["state"] == "queued":
        return f"{status['kind']} queued"
    left = time_left(status)
    text = f"{status['kind']} {bar(status['progress'], 10)} {status['progress']:.0%}"
    return f"{text} {left}" if left else text


def bar(share: float, width: int) -> str:
    """A bar of this many columns."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "█" * full + "░" * (width - full)


def rate(status: Mapping[str, Any]) -> str:
    """Parts per second of the stage under way."""
    stage = _stage(status)
    if not stage or not stage.get("rate"):
        return ""
    return f"{_short(stage['rate'])} {stage['unit']}/s"


def time_left(status: Mapping[str, Any]) -> str:
    """Time left in the stage under way, as minutes and seconds; for a job that is done, how long it took. Empty if
    unknown."""
    if status["state"] == "done":
        return f"took {span(sum(stage.get('seconds') or 0.0 for stage in status.get('stages') or []))}"
    stage = _stage(status)
    if not stage or not stage.get("rate") or not stage.get("total") or status["state"] != "running":
        return ""
    seconds = max(stage["total"] - stage["done"], 0) / stage["rate"]
    return span(seconds)


def silence(status: Mapping[str, Any]) -> str:
    """The note on a worker that lives but is silent; empty for all others."""
    silent = status.get("silent")
    return f"its worker has said nothing for {span(silent)}: stopped, or waiting for the disk" if silent else ""


def unstarted(status: Mapping[str, Any]) -> str:
    """The command that a job without a worker waits for; empty for all others."""
    return f"synergy-tui jobs work {status['id']}" if status.get("unstarted") and status["state"] == "queued" else ""


def waits(status: Mapping[str, Any], jobs: Mapping[str, Mapping[str, Any]], device: str = "", first: str = "") -> str:
    """What a queued job waits for: another job, its device and the job that holds it, or a worker. jobs: all jobs of
    the cache, by id. device: the device it wants. first: the job that has the device or is next. Empty if it waits for
    nothing known."""
    if status["state"] != "queued":
        return ""
    if command := unstarted(status):
        return f"waits for {command}"
    other = jobs.get(str(status.get("after")))
    if other is not None and other["state"] in _GOING:
        paused = ", which is paused" if other["state"] == "paused" else ""
        return f"waits for {other['kind']} {other['id']}{paused}"
    if not first or first == status["id"]:
        return ""
    holder = jobs.get(first)
    if holder is None:
        return f"waits for device {device}: job {first} of another cache is before it"
    word = "is running there" if holder["state"] == "running" else "is before it"
    return f"waits for device {device}: {holder['kind']} {first} {word}"


_GOING = ("running", "queued", "paused")


def at_work(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who makes which parts, a line for each host and device: a name padded to the widest, then the parts and the age
    of the oldest. parts: part, host, device and seconds of each."""
    by_place: dict[str, list[Mapping[str, Any]]] = {}
    for one in parts:
        if one["host"]:
            by_place.setdefault(f"{one['host']} {one['device']}", []).append(one)
    width = max(map(len, by_place), default=0)
    return [
        f"{place:<{width}}  {', '.join(str(one['part']) for one in some)}  {span(max(one['seconds'] for one in some))}"
        for place, some in sorted(by_place.items())
    ]


def as_text(status: dict[str, Any], spec: dict[str, Any], folder: str, parts: Sequence[Mapping[str, Any]] = ()) -> str:
    """One job as lines of a name and a value. parts: the parts in progress, as for `at_work`."""
    working = {("at work" if place == 0 else " " * place): line for place, line in enumerate(at_work(parts))}
    lines = {
        "job": f"{status['kind']} {status['id']}",
        "state": status["state"],
        "done": f"{status.get('progress') or 0:.0%}",
        "rate": rate(status),
        "left": time_left(status),
        "waits for": unstarted(status) or status.get("after"),
        "executor": status.get("executor"),
        **working,
        "error": status.get("error") or silence(status),
        **{name: _value(value) for name, value in spec.items()},
        "folder": folder,
    }
    return "\n".join(printable(f"{name:<14} {value}") for name, value in lines.items() if value not in (None, ""))


def _value(value: Any) -> str:
    """The text of a value; a list that is not a short list of words shows its length, because a spec has all prompts in
    it."""
    if isinstance(value, list | tuple):
        many = len(value) > 12 or any(isinstance(one, dict) for one in value)
        return f"{len(value)}" if many else ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items() if isinstance(one, str | int))
    return "" if value is None else str(value)


def span(seconds: float) -> str:
    """A time span for people."""
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600} h {whole % 3600 // 60:02d}"


def _stage(status: Mapping[str, Any]) -> dict[str, Any] | None:
    stages = status.get("stages") or []
    return stages[-1] if stages and isinstance(stages[-1], dict) else None


def _short(value: float) -> str:
    return f"{value / 1000:.3g}k" if value >= 1000 else f"{value:.3g}"
