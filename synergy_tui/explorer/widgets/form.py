"""Fields of requests as lines to fill in: the one widget of all forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label

from synergy_tui.errors import UsageError
from synergy_tui.explorer.widgets import inputs
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.inputs import FieldLine
from synergy_tui.jobs.specs.fields import Field


class FormFields(VerticalScroll, can_focus=False):
    """A line for each field, the most used ones first. values: initial texts, where they differ from the defaults."""

    class Told(Message):
        """There is a text on the focused field. wrong: whether the field does not accept the input."""

        def __init__(self, text: str, wrong: bool = False) -> None:
            super().__init__()
            self.text, self.wrong = text, wrong

    def __init__(self, some: Sequence[Field], values: Mapping[str, str], ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._fields = {one.name: one for one in sorted(some, key=lambda one: not one.option.main)}
        self._values, self._ink = values, ink
        self._refused = False

    def compose(self) -> ComposeResult:
        """The lines."""
        for field in self._fields.values():
            with Horizontal(classes="field"):
                yield Label(field.label)
                yield inputs.line(field, self._first(field), self._ink)

    def _first(self, field: Field) -> str:
        known = isinstance(field.default, _PLAIN)
        return self._values.get(field.name, field.text(field.default) if known else "")

    def texts(self) -> dict[str, str]:
        """The texts of the lines, by name."""
        return {name: self.line(name).value.strip() for name in self._fields}

    def line(self, name: str) -> FieldLine:
        """The line of a field."""
        return self.query_one(f"#field-{name}", FieldLine)

    def wear(self, ink: Ink) -> None:
        """Sets the colours for another theme."""
        for one in self.query(FieldLine):
            one.ink = ink

    def help_of(self, focused: Widget | None) -> str:
        """The help text of the focused field."""
        if not isinstance(focused, FieldLine):
            return ""
        field = focused.field
        told = "" if field.allowed in ("a text", "texts") else f" {field.allowed[:1].upper()}{field.allowed[1:]}."
        return f"{field.option.help}{told}"

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Reports what the field is."""
        self.post_message(self.Told(self.help_of(event.widget)))

    def on_field_line_refused(self, message: FieldLine.Refused) -> None:
        """Reports what the field accepts instead."""
        field = message.line.field
        message.stop()
        self._refused = True
        self.post_message(self.Told(f"{field.label} {'are' if field.is_list else 'is'} {field.allowed}.", True))

    @on(Input.Changed)
    def _check(self, event: Input.Changed) -> None:
        """Marks an invalid value, before anything is computed or started."""
        if self._refused:
            self._refused = False
            self.post_message(self.Told(self.help_of(self.app.focused)))
        if isinstance(event.input, FieldLine):
            try:
                event.input.field.read_all(event.value)
                wrong = False
            except UsageError:
                wrong = bool(event.value.strip())
            event.input.set_class(wrong, "-wrong")


_PLAIN = (str, int, float, bool, tuple)
