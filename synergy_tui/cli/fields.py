"""Fields of requests as options of commands. They read and check their values as they do in forms and in job folders:
a wrong value gets the same message everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from synergy_tui.jobs.specs.base import Request
from synergy_tui.jobs.specs.fields import Field, fields

R = TypeVar("R", bound=Request)


class FieldType(click.ParamType):
    """The text of an option, read by its field. Raises UsageError."""

    name = "text"

    def __init__(self, field: Field) -> None:
        self.field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A value of the field's type; several values if a list makes several requests."""
        if not isinstance(value, str):
            return value
        return self.field.read_all(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The placeholder of the value in the help."""
        option = self.field.option
        if option.metavar or option.choices:
            return option.metavar or f"[{'|'.join(option.choices)}]"
        if self.field.is_list or option.several:
            return "LIST"
        return {int: "INTEGER", float: "NUMBER"}.get(self.field.kind, "TEXT")


def request_options(request: type[Request], *left_out: str) -> Callable[[Any], Any]:
    """An option for every field of a request, except its argument and those left out."""

    def decorate(command: Any) -> Any:
        for field in reversed(fields(request)):
            if not field.option.argument and field.name not in left_out:
                command = field_option(field)(command)
        return command

    return decorate


def field_option(field: Field, **how: Any) -> Callable[[Any], Any]:
    """One field as an option. how: as click.option takes it."""
    shown: Any = {"help": field.option.help, "default": None} | how
    if field.is_switch:
        flag = f"--{field.label}{f'/{field.option.off}' if field.option.off else ''}"
        told = (field.label if field.default else field.option.off.removeprefix("--")) if field.option.off else False
        return click.option(flag, field.name, is_flag=True, show_default=told, **shown)
    told = field.option.told or (field.text(field.default) if field.default is not None else "")
    shown |= {"show_default": told or False, "type": FieldType(field)}
    return click.option(f"--{field.label}", field.name, multiple=field.option.repeat, **shown)


def made(request: type[R], chosen: dict[str, Any]) -> R:
    """The request that a command's options make. Raises UsageError."""
    (one,) = all_made(request, chosen)
    return one


def all_made(request: type[R], chosen: dict[str, Any]) -> list[R]:
    """The requests that a command's options make, one for each value if a list makes several; options of other requests
    are left out. Raises UsageError."""
    given = {}
    for field in fields(request):
        value = chosen.get(field.name)
        # An option that can be repeated comes as a tuple of lists, which is empty if it was not given; for all others
        # an empty list was asked for.
        if value is not None and not (field.option.repeat and value == ()):
            given[field.name] = tuple(part for some in value for part in some) if field.option.repeat else value
    return request.make_all(given)
