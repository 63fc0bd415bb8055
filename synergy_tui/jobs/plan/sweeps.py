"""A plan file → the cells of a sweep, each resolved as the same commands by hand would be, and which of them exist."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.captures import captures
from synergy_tui.jobs.plan.links import Link, finished, results
from synergy_tui.jobs.plan.runs import with_maps
from synergy_tui.jobs.specs.capture import TASKS, CaptureRequest, CaptureSpec
from synergy_tui.jobs.specs.claims import ClaimsRequest
from synergy_tui.jobs.specs.decompose import DecomposeRequest
from synergy_tui.jobs.specs.fields import Field, fields
from synergy_tui.jobs.specs.sweep import Cell, SweepRequest, SweepSpec
from synergy_tui.settings import user_path
from synergy_tui.store.cache import Cache

MOST_CELLS = 1_000
"""Most cells of a sweep: the sweep's file holds all prompts of each capture."""

MOST_BYTES = 1_000_000
"""Most bytes of a plan."""

PERMISSIONS = ("allow-pickle", "allow-remote-code")
"""Permissions that only the user may give, not a file."""

AXES = ("subjects", "tasks", "seeds")

EXAMPLE = 'try: subjects = ["zoo:induction"]'


@dataclass(frozen=True)
class Sweep:
    """plan: the sweep's own job; its cost is that of the missing cells. links: cell → its capture and its map, with
    existing ones marked. notes: what a user should know before it starts."""

    plan: Plan[SweepSpec]
    links: list[list[Link]]
    notes: tuple[str, ...] = ()

    @property
    def there(self) -> int:
        """Cells whose map is there."""
        return sum(links[-1].found is not None for links in self.links)

    def costs(self) -> list[cost.Cost | None]:
        """Cell → the cost of what is still to be made; a capture counts for the first cell that needs it. None if
        nothing is to be made."""
        out: list[cost.Cost | None] = []
        seen: set[int] = set()
        for cell, (captured, mapped) in zip(self.plan.spec.cells, self.links, strict=True):
            missing = [mapped.plan.cost] if mapped.found is None else []
            if captured.found is None and cell.capture not in seen:
                missing.append(captured.plan.cost)
            seen.add(cell.capture)
            out.append(cost.total(missing) if missing else None)
        return out


def sweep(cache: Cache, data: Path, request: SweepRequest) -> Sweep:
    """All cells of the plan that a request names. Raises UsageError for a plan that cannot be read, has an invalid key
    or value, or too many cells; TaskError or SubjectError for tasks or subjects that it names."""
    path = user_path(request.plan)
    try:
        table = _read(path)
        asked = _asked(table, request)
    except RecursionError:
        raise UsageError(f"{path} is not a plan: its tables are nested too deeply", EXAMPLE) from None
    plans: list[Plan[CaptureSpec]] = []
    cells: list[Cell] = []
    links: list[list[Link]] = []
    for one in asked.captures:
        for captured in captures(data, one, cache):
            first, *maps = with_maps(captured, asked.methods)
            for mapped in maps:
                cells.append(Cell(capture=len(plans), map=mapped.plan.spec, claims=_card(asked.claims, captured)))
                links.append([first, mapped])
            plans.append(captured)
            _few(len(cells))
    spec = SweepSpec(
        **{name: getattr(request, name) for name in request.__struct_fields__}
        | {"plan": str(path.resolve()), "at_once": request.at_once or asked.at_once},
        captures=tuple(one.spec for one in plans),
        cells=tuple(cells),
    )
    known = results(cache)
    links = [finished(cache, one, known) for one in links]
    notes = tuple(dict.fromkeys(note for one in plans for note in one.notes))
    found = Sweep(Plan(spec, cost.Cost(0.0, 0.0), 0), links, notes)
    price = cost.total(one for one in found.costs() if one is not None)
    return Sweep(Plan(spec, price, 0), links, notes)


def cell_links(spec: SweepSpec, cell: Cell) -> list[Link]:
    """The capture and the map of a cell, as a chain."""
    unknown = cost.Cost(None, 0.0)
    captured = Link("capture", Plan(spec.captures[cell.capture], unknown, 0))
    return [captured, Link("map", Plan(cell.map, unknown, 0), of=0)]


def _card(asked: ClaimsRequest | None, captured: Plan[CaptureSpec]) -> ClaimsRequest | None:
    """The card's request, by the capture's seed and on its device."""
    if asked is None:
        return None
    device = captured.spec.device if captured.spec.device != "cuda:all" else None
    return asked.replace(seed=captured.spec.seed, device=device)


# The file


def _read(path: Path) -> dict[str, Any]:
    """The tables of a file. Raises UsageError, in one line whatever the file holds."""
    if not path.exists():
        raise UsageError(f"no plan {str(path)!r}", "give a .toml file; synergy-tui sweep --help has an example")
    if not path.is_file():
        raise UsageError(f"{path} is not a file", "give a .toml file")
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "mend its permissions") from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"{path} is not a plan: it has more than {MOST_BYTES:,} bytes", EXAMPLE)
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a plan: it is not UTF-8", EXAMPLE) from None
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {_brief(' '.join(str(error).split()))}", EXAMPLE) from None


# Its keys


@dataclass(frozen=True)
class _Asked:
    captures: list[CaptureRequest]
    methods: list[DecomposeRequest]
    claims: ClaimsRequest | None
    at_once: int


def _options(request: type, *left_out: str) -> dict[str, Field]:
    """Label → field, for the fields of a request that a plan may give."""
    return {
        one.label: one
        for one in fields(request)
        if not one.option.argument and one.name not in left_out and one.label not in PERMISSIONS
    }


_OF_CAPTURE = _options(CaptureRequest, "tasks", "seed")
_OF_METHOD = _options(DecomposeRequest, "seed", "device")
_OF_CLAIMS = _options(ClaimsRequest, "seed", "device", "fresh")
_AT_ONCE = "at_once"
_KEYS = (*AXES, "methods", "claims", _AT_ONCE, *_OF_CAPTURE)


def _asked(table: Mapping[str, Any], request: SweepRequest) -> _Asked:
    """The requests of a plan. Raises UsageError."""
    given = _named(table, _KEYS, "in the plan")
    own = {one.name: one for one in fields(CaptureRequest)}
    axes = {
        "subject": _several("subjects", given.get("subjects"), own["subject"], ()),
        "tasks": _several("tasks", given.get("tasks"), own["tasks"], (TASKS,)),
        "seed": _several("seeds", given.get("seeds"), own["seed"], (request.seed,)),
    }
    if not axes["subject"]:
        raise UsageError("subjects are missing", EXAMPLE)
    shared = {field.name: _value(field, given[label]) for label, field in _OF_CAPTURE.items() if label in given}
    shared |= {"allow_pickle": request.allow_pickle, "allow_remote_code": request.allow_remote_code}
    if request.device is not None:
        shared["device"] = request.device
    (at_once,) = (one for one in fields(SweepRequest) if one.name == "at_once")
    tables = _tables(given.get("methods"))
    choices = [_choices(one) for one in tables]
    made = math.prod(len(one) for one in axes.values())
    _few(made * sum(math.prod(len(some) for some in one.values()) for one in choices))
    return _Asked(
        [CaptureRequest.make(shared | dict(zip(axes, one, strict=True))) for one in itertools.product(*axes.values())],
        _methods(choices),
        _claims(given.get("claims", False)),
        _value(at_once, given[_AT_ONCE]) if _AT_ONCE in given else 1,
    )


def _named(table: Mapping[str, Any], known: Sequence[str], where: str) -> dict[str, Any]:
    """Known name → value; a key's words may be joined by a hyphen or an underscore. Raises UsageError."""
    spelled = {one.replace("_", "-"): one for one in known}
    out: dict[str, Any] = {}
    for key, value in table.items():
        plain = key.replace("_", "-")
        if plain in PERMISSIONS:
            raise UsageError(f"{plain} is not for a plan to give", f"add --{plain} to the command")
        if plain not in spelled:
            raise UsageError(f"no key {_brief(repr(key))} {where}", f"known: {', '.join(known)}")
        if spelled[plain] in out:
            raise UsageError(f"{spelled[plain]} is there twice {where}", "leave one out")
        out[spelled[plain]] = value
    return out


def _value(field: Field, value: Any) -> Any:
    """A field's value, from a TOML value or from text as on the command line. Raises UsageError."""
    return field.read(value) if isinstance(value, str) else field.check(value)


def _several(key: str, value: Any, field: Field, default: tuple[Any, ...]) -> tuple[Any, ...]:
    """The different values of an axis. Raises UsageError if there are no values."""
    if value is None:
        return default
    some = value if isinstance(value, list) else [value]
    if not some:
        raise UsageError(f"{key} are empty", "give one or more, or leave the key out")
    return tuple(dict.fromkeys(_value(field, one) for one in some))


def _tables(value: Any) -> list[dict[str, Any]]:
    """The tables of methods. Raises UsageError."""
    if value is None:
        return [{}]
    tables = value if isinstance(value, list) else [value]
    if not tables or not all(isinstance(one, dict) for one in tables):
        raise UsageError("methods are not tables of options", f"[[methods]] with some of {', '.join(_OF_METHOD)}")
    return [_named(one, tuple(_OF_METHOD), "in methods") for one in tables]


def _choices(table: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Field → the values that a table of methods gives it."""
    out: dict[str, tuple[Any, ...]] = {}
    for label, value in table.items():
        field = _OF_METHOD[label]
        if isinstance(value, str) and field.option.several and value.strip():
            out[field.name] = field.read_all(value)
        elif field.is_list and not (isinstance(value, list) and any(isinstance(one, list) for one in value)):
            out[field.name] = (_value(field, value),)  # a list is one value of this field
        else:
            out[field.name] = _several(label, value, field, ())
    return out


def _methods(choices: Sequence[Mapping[str, tuple[Any, ...]]]) -> list[DecomposeRequest]:
    """Every combination, each once."""
    made = [
        DecomposeRequest.make(dict(zip(one, values, strict=True)))
        for one in choices
        for values in itertools.product(*one.values())
    ]
    return list(dict.fromkeys(made))


def _claims(value: Any) -> ClaimsRequest | None:
    """The request of each card; None for no cards. Raises UsageError."""
    if isinstance(value, bool):
        return ClaimsRequest(decomposition="") if value else None
    if not isinstance(value, dict):
        raise UsageError(
            f"claims {_brief(repr(value))} is not true, false or a table", f"known: {', '.join(_OF_CLAIMS)}"
        )
    given = _named(value, tuple(_OF_CLAIMS), "in claims")
    return ClaimsRequest.make(
        {"decomposition": ""} | {_OF_CLAIMS[label].name: _value(_OF_CLAIMS[label], one) for label, one in given.items()}
    )


def _few(cells: int) -> None:
    if cells > MOST_CELLS:
        raise UsageError(f"the plan has {cells:,} cells, and {MOST_CELLS:,} are the most", "make several plans of it")


def _brief(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"
