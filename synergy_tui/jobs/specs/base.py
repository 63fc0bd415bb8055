"""The base of all requests: frozen values that check themselves when they are made."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec
from msgspec import Struct

from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.fields import Field, Option, fields, nested, unknown

Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10**9)]

C = TypeVar("C", bound="Checked")
R = TypeVar("R", bound="Request")


class Checked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that checks its fields, however it is made. Raises UsageError for an invalid field."""

    def __post_init__(self) -> None:
        for one in fields(type(self)):
            if len(one.path) == 1:
                value = getattr(self, one.name)
                checked = one.check(value)
                if checked is not value:
                    msgspec.structs.force_setattr(self, one.name, checked)
        self.agree()

    def agree(self) -> None:
        """Raises UsageError if values that are valid separately do not go together."""

    @classmethod
    def from_json(cls: type[C], content: Mapping[str, Any]) -> C:
        """From the output of `to_json`. Raises UsageError for a field that is unknown, missing, or has a bad value."""
        known = {one.name: one for one in msgspec.structs.fields(cls)}
        options = {one.name: one for one in fields(cls)}
        made: dict[str, Any] = {}
        for name, value in content.items():
            if name not in known:
                raise unknown(name, value, known)
            if name in options:
                made[name] = options[name].check(value)
                continue
            kind = known[name].type
            if isinstance(kind, type) and issubclass(kind, Checked) and isinstance(value, dict):
                made[name] = kind.from_json(value)
                continue
            try:
                made[name] = msgspec.convert(value, known[name].type)
            except msgspec.ValidationError as error:
                raise UsageError(f"{name} cannot be read: {error}", "start the job anew") from None
        for name, one in known.items():
            if name not in made and one.default is msgspec.NODEFAULT and one.default_factory is msgspec.NODEFAULT:
                raise UsageError(f"{name} is missing", "start the job anew")
        return cls(**made)


class Request(Checked, frozen=True, kw_only=True):
    """A request of a user."""

    COMMAND: ClassVar[str] = ""
    """The command that takes these fields as its options."""

    device: Annotated[
        str | None, Option("cpu, cuda, cuda:N, cuda:all.", told="a GPU if there is one", metavar="DEVICE")
    ] = None
    seed: Annotated[Seed, Option("Seed of everything drawn.")] = 0

    @classmethod
    def make(cls: type[R], values: Mapping[str, Any]) -> R:
        """From values by name; None stands for the default, because an option that is not given is None."""
        given = {name: value for name, value in values.items() if value is not None}
        missing = [one for one in fields(cls) if one.default is msgspec.NODEFAULT and one.name not in given]
        if missing:
            raise UsageError(f"{missing[0].label} is missing", missing[0].option.help)
        return cls(**nested(cls, given))

    @classmethod
    def read(cls: type[R], texts: Mapping[str, str]) -> list[R]:
        """From texts by name, as forms have them; an empty text stands for the default. One request for each value if a
        list makes several."""
        known = {one.name: one for one in fields(cls)}
        return cls.make_all(
            {name: known[name].read_all(text) if name in known else text for name, text in texts.items()}
        )

    @classmethod
    def make_all(cls: type[R], values: Mapping[str, Any]) -> list[R]:
        """As `make`; if a field that makes several requests has a tuple, one request for each of its values."""
        out = [dict(values)]
        for field in fields(cls):
            if field.option.several and isinstance(several := values.get(field.name), tuple):
                out = [one | {field.name: value} for one in out for value in several]
        return [cls.make(one) for one in out]

    @classmethod
    def from_words(cls: type[R], words: Sequence[str]) -> R:
        """From the words after its command. Raises UsageError for an unknown option."""
        options = {f"--{one.label}": one for one in fields(cls)}
        off = {one.option.off: one for one in fields(cls) if one.option.off}
        values: dict[str, Any] = {next(one.name for one in fields(cls) if one.option.argument): words[0]}
        rest = iter(words[1:])
        for word in rest:
            if word in off:
                values[off[word].name] = False
            elif (field := options.get(word)) is None:
                raise UsageError(f"no option {word!r}", f"known: {', '.join(options)}")
            elif field.is_switch:
                values[field.name] = True
            else:
                value = field.read(next(rest, ""))
                values[field.name] = (*values.get(field.name, ()), *value) if field.option.repeat else value
        return cls.make(values)

    def value(self, field: Field) -> Any:
        """The request's value in a field."""
        found: Any = self
        for name in field.path:
            found = getattr(found, name)
        return found

    def words(self) -> list[str]:
        """The request as words after its command: every option that has a value."""
        first, options = [], []
        for one in fields(type(self)):
            value = self.value(one)
            if one.option.argument:
                first.append(str(value))
            elif one.is_switch:
                if value != one.default:
                    options.append(f"--{one.label}" if value else one.option.off)
            elif one.option.repeat:
                options += [word for part in value for word in (f"--{one.label}", str(part))]
            elif (text := one.text(value)) != "":
                options += [f"--{one.label}", text]
        return [self.COMMAND, *first, *options]

    def command(self) -> str:
        """The command that makes the same request, with every option spelled out."""
        return shlex.join(["synergy-tui", *self.words()])

    def to_json(self) -> dict[str, Any]:
        """The request as JSON."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        return content

    def replace(self: R, **changes: Any) -> R:
        """A copy with other values in some fields."""
        return msgspec.structs.replace(self, **changes)


class Spec(Request, frozen=True, kw_only=True):
    """A request with everything resolved: a job needs nothing else except the cache."""

    KIND: ClassVar[str]
    """The kind of job; also the name of its worker's module."""

    REQUEST: ClassVar[type[Request]]
    """The class of the request it was made from."""

    LETTER: ClassVar[str]
    """The beginning of its jobs' ids."""

    NOT_WHAT: ClassVar[frozenset[str]] = frozenset()
    """Fields that do not change the result, or that other fields state more exactly: the hash leaves them out."""

    TABLES: ClassVar[tuple[str, ...]] = ()
    """Tables of the cache with rows of its result."""

    TAKES_TURN: ClassVar[bool] = True
    """Whether its worker computes, and so waits for its turn on the device."""

    def request(self) -> Request:
        """The request behind it, with the resolved values of its fields."""
        return self.REQUEST(**{name: getattr(self, name) for name in self.REQUEST.__struct_fields__})

    def identity(self) -> dict[str, Any]:
        """All that decides the result, as JSON."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in content.items() if name not in self.NOT_WHAT | {"device"}}

    @property
    def hash(self) -> str:
        """SHA-256 of the identity. Equal hashes are the same work: equal results, up to the machine."""
        import hashlib

        content = msgspec.json.encode([self.KIND, self.identity()], order="deterministic")
        return hashlib.sha256(content).hexdigest()

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the results that it takes."""
        return ()

    def remake(self) -> str:
        """The command that makes the result anew; for a part of a chain, the command of the chain."""
        return self.command()

    @property
    def processes(self) -> int:
        """The number of processes that do the work together."""
        return 1

    @property
    def batch_size(self) -> int | None:
        """Prompts at a time; None for a kind of job without batches."""
        size = getattr(self, "batch", None)
        return size if isinstance(size, int) else None
