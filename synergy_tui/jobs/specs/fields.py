"""Fields of a request: the values each may have, how its text is read, and the message about an invalid value. The
command line, the forms and the job folders all read and check fields here, so their messages are the same."""

from __future__ import annotations

import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from synergy_tui.errors import UsageError

NONE = "none"
"""Asks for an empty list."""


@dataclass(frozen=True)
class Option:
    """A field as a user sees it. help: a sentence for `--help` and the forms. name: of the option, if it is not the
    field's. choices: the words it may have; empty for any. what: a noun for one of those words. metavar: the
    placeholder of the value in `--help`. argument: it has no dashes on the command line. repeat: it may be repeated
    there. several: a list of values with commas makes several requests. off: the option that turns a switch off. told:
    the default in words, if it is found out later. main: a form shows it before the others. may_be_none: for a list,
    whether `none` asks for an empty one; no text at all is the default."""

    help: str
    name: str = ""
    choices: tuple[str, ...] = ()
    what: str = ""
    metavar: str = ""
    argument: bool = False
    repeat: bool = False
    several: bool = False
    off: str = ""
    told: str = ""
    main: bool = False
    may_be_none: bool = False


@dataclass(frozen=True)
class Field:
    """One field that a user can set, of a request or of a value nested in it. path: names from the request to the
    field. kind: its type without None."""

    path: tuple[str, ...]
    kind: Any
    optional: bool
    default: Any
    option: Option
    meta: Meta | None

    @property
    def name(self) -> str:
        """The field's name in Python."""
        return self.path[-1]

    @property
    def label(self) -> str:
        """The field's name as an option, in messages and in forms."""
        return self.option.name or self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off."""
        return self.kind is bool

    @property
    def is_list(self) -> bool:
        """Whether it has several values."""
        return get_origin(self.kind) is tuple

    def text(self, value: Any) -> str:
        """A value as `read` takes it."""
        if value is None:
            return ""
        if self.is_switch:
            return "yes" if value else "no"
        if self.option.may_be_none and not value:
            return NONE
        return ",".join(map(_plain, value)) if self.is_list else _plain(value)

    def read(self, text: str) -> Any:
        """The value that a text means, checked; the default if it is empty. Raises UsageError."""
        text = text.strip()
        if not text:
            if self.default is NODEFAULT:
                raise UsageError(f"{self.label} is missing", self.option.help)
            return self.default
        if self.is_switch:
            if text.lower() in _YES + _NO:
                return text.lower() in _YES
            raise self._wrong(text)
        if self.option.may_be_none and text.lower() == NONE:
            return ()
        if self.is_list:
            return self.check(tuple(dict.fromkeys(self._one(part.strip()) for part in text.split(",") if part.strip())))
        return self.check(self._one(text))

    def read_all(self, text: str) -> Any:
        """As `read`; a tuple of values if a list of them makes several requests."""
        if not self.option.several or not text.strip():
            return self.read(text)
        parts = [part.strip() for part in text.split(",")]
        if not all(parts):
            raise self._wrong(text)
        return tuple(self.read(part) for part in dict.fromkeys(parts))

    def _one(self, text: str) -> Any:
        kind = _bare(get_args(self.kind)[0]) if self.is_list else self.kind
        if kind is str:
            return text
        try:
            return msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError:
            raise self._wrong(text) from None

    def check(self, value: Any) -> Any:
        """The value in the field's own type. Raises UsageError for an invalid value."""
        if value is None and self.optional:
            return value
        try:
            made = msgspec.convert(value, self._whole_kind())
        except msgspec.ValidationError:
            raise self._wrong(value) from None
        for one in made if self.is_list else (made,):
            if isinstance(one, float) and not math.isfinite(one):
                raise self._wrong(value)
            if self.option.choices and one not in self.option.choices:
                raise UsageError(
                    f"no {self.option.what or self.label} {one!r}", f"known: {', '.join(self.option.choices)}"
                )
        return made

    def _whole_kind(self) -> Any:
        return Annotated[self.kind, self.meta] if self.meta else self.kind

    def _wrong(self, value: Any) -> UsageError:
        most = self.meta.le if self.meta else None
        beyond = isinstance(value, int) and most is not None and value > most
        allowed = f"at most {most:,}" if beyond else self.allowed
        verb = "are" if self.is_list else "is"
        return UsageError(f"{self.label} {_shown(value)} {verb} not {allowed}", f"default: {self.told}")

    @property
    def told(self) -> str:
        """The default in words."""
        if self.option.told:
            return self.option.told
        return "none" if self.default is NODEFAULT else self.text(self.default) or "none"

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.option.choices:
            return f"{'some' if self.is_list else 'one'} of {', '.join(self.option.choices)}"
        kind, meta = self.single
        words = _NOUNS.get(kind, ("a value", "values"))[self.is_list]
        return words + _range(kind, meta)

    @property
    def single(self) -> tuple[Any, Meta | None]:
        """The type of the value, or of one value of a list, and its bounds."""
        kind, meta = (get_args(self.kind)[0], None) if self.is_list else (self.kind, self.meta)
        if get_origin(kind) is Annotated:
            kind, meta = get_args(kind)[0], next((one for one in get_args(kind) if isinstance(one, Meta)), None)
        return kind, meta

    @property
    def bounds(self) -> str:
        """The least and the largest value, briefly; empty if it is not a number or its bounds are not worth a word."""
        kind, meta = self.single
        if meta is None or kind not in (int, float):
            return ""
        low = f"> {meta.gt:g}" if meta.gt is not None else f"≥ {meta.ge:g}" if meta.ge is not None else ""
        most = meta.le if meta.le is not None and meta.le < _LARGE else None
        if most is not None and meta.ge is not None:
            return f"{meta.ge:g}–{most:,g}"
        high = f"≤ {most:,g}" if most is not None else f"< {meta.lt:g}" if meta.lt is not None else ""
        return ", ".join(one for one in (low, high) if one)


_YES, _NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")

_NOUNS = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    bool: ("yes or no", "yes or no"),
}


def _range(kind: Any, meta: Meta | None) -> str:
    if meta is None or kind not in (int, float):
        return ""
    least, most = meta.ge, meta.le
    above: float | None
    if kind is int and least == 1:
        least, above = None, 0.0
    else:
        above = meta.gt
    parts = [f"above {above:g}" if above is not None else "", f"from {least:g}" if least is not None else ""]
    parts += [f"up to {most:g}" if most is not None and most < _LARGE else ""]
    parts += [f"below {meta.lt:g}" if meta.lt is not None else ""]
    return "".join(f" {one}" for one in parts if one)


_LARGE = 1e6
"""Bounds from here on are named only in the message about a value beyond them."""


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


@cache
def fields(request: type[Struct]) -> tuple[Field, ...]:
    """All fields of a request that a user can set, including those of nested values, in order."""
    # The fields of every request come last.
    return tuple(sorted(_fields(request, ()), key=lambda one: one.name in ("seed", "device")))


def _fields(request: type[Struct], path: tuple[str, ...]) -> Iterator[Field]:
    for one in msgspec.structs.fields(request):
        kind, metas, option = one.type, [], None
        optional = False
        while True:
            if get_origin(kind) in (Union, types.UnionType):
                optional = True
                (kind,) = (part for part in get_args(kind) if part is not type(None))
            elif get_origin(kind) is Annotated:
                metas += [part for part in get_args(kind)[1:] if isinstance(part, Meta)]
                option = option or next((part for part in get_args(kind)[1:] if isinstance(part, Option)), None)
                kind = get_args(kind)[0]
            else:
                break
        if isinstance(kind, type) and issubclass(kind, Struct) and option is None:
            yield from _fields(kind, (*path, one.name))
        elif option is not None:
            yield Field((*path, one.name), kind, optional, one.default, option, next(iter(metas), None))


def nested(request: type[Struct], flat: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the fields' names → arguments of the request, nested as its values are. Raises UsageError for an
    unknown name."""
    known = {one.name: one for one in fields(request)}
    out: dict[str, Any] = {}
    for name, value in flat.items():
        if name not in known:
            raise unknown(name, value, known)
        *path, last = known[name].path
        place = out
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    for one in msgspec.structs.fields(request):
        if isinstance(out.get(one.name), dict) and isinstance(one.type, type) and issubclass(one.type, Struct):
            out[one.name] = one.type(**out[one.name])
    return out


def unknown(name: str, value: Any, known: Mapping[str, Any]) -> UsageError:
    """The error about an unknown field."""
    return UsageError(f"no field {name!r} ({_shown(value)})", f"known: {', '.join(known)}")
