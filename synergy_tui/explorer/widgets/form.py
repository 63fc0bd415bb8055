"""Fields of requests as lines to be filled in: the one widget of all forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Label

from synergy_tui.jobs.specs.fields import Field


class FormFields(VerticalScroll, can_focus=False):
    """A line for each field, what is set most often first. values: texts to begin with, where they are not the
    defaults."""

    def __init__(self, some: Sequence[Field], values: Mapping[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._fields = {one.name: one for one in sorted(some, key=lambda one: not one.option.main)}
        self._values = values

    def compose(self) -> ComposeResult:
        """The lines."""
        for field in self._fields.values():
            with Horizontal(classes="field"):
                yield Label(field.label)
                text = self._values.get(
                    field.name, field.text(field.default) if isinstance(field.default, _PLAIN) else ""
                )
                made = Input(text, placeholder=field.told, id=f"field-{field.name}", compact=True)
                made.cursor_blink = False
                yield made

    def _first(self, field: Field) -> str:
        known = isinstance(field.default, _PLAIN)
        return self._values.get(field.name, field.text(field.default) if known else "")

    def texts(self) -> dict[str, str]:
        """What the lines say, by name."""
        return {name: self.line(name).value.strip() for name in self._fields}

    def line(self, name: str) -> Input:
        """The line of a field."""
        return self.query_one(f"#field-{name}", Input)

    def help_of(self, focused: Widget | None) -> str:
        """What there is to know of the field whose line has the keys."""
        field = self._fields.get((focused.id or "").removeprefix("field-")) if focused is not None else None
        if field is None:
            return ""
        told = "" if field.allowed in ("a text", "texts") else f" {field.allowed[:1].upper()}{field.allowed[1:]}."
        return f"{field.option.help}{told}"


_PLAIN = (str, int, float, bool, tuple)
