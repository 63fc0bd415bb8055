"""Lines of a form: texts, numbers that go up and down, words from a few. Each shows its allowed values at its right."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widgets import Input
from textual.widgets.input import Selection

if TYPE_CHECKING:
    from synergy_tui.explorer.widgets.ink import Ink
    from synergy_tui.jobs.specs.fields import Field

MOST_TYPED = 4_000
"""Most characters of a line; a longer paste is cut."""


class FieldLine(Input):
    """Any text. `hint` stands at the right if the text leaves room."""

    class Refused(Message):
        """The line does not accept a key or a paste."""

        def __init__(self, line: FieldLine) -> None:
            super().__init__()
            self.line = line

    def __init__(
        self, field: Field, text: str, ink: Ink, suggester: Suggester | None = None, restrict: str = ""
    ) -> None:
        super().__init__(
            text,
            placeholder=field.told,
            id=f"field-{field.name}",
            compact=True,
            suggester=suggester,
            restrict=restrict or None,
            max_length=MOST_TYPED,
        )
        self.cursor_blink = False
        self.field, self.ink = field, ink

    @property
    def hint(self) -> str:
        """The allowed values of the line, in few columns."""
        return ""

    def _on_paste(self, event: events.Paste) -> None:
        """Takes the first line of a paste, up to a length that no field needs."""
        event.stop()
        event.prevent_default()
        line = next(iter(event.text[: 2 * MOST_TYPED].splitlines()), "")
        start, end = sorted(self.selection)
        self.replace(line[: max(MOST_TYPED - len(self.value) + end - start, 0)], start, end)

    def restricted(self) -> None:
        """Notifies the form instead of ringing the bell."""
        self.post_message(self.Refused(self))

    def put(self, text: str) -> None:
        """Sets another text and selects it whole, so that typing replaces it."""
        self.value = text
        self.selection = Selection(0, len(text))

    def render_line(self, y: int) -> Strip:
        """The text, and the dim hint if both fit. Without the focus the text is shown from its beginning."""
        strip, hint = super().render_line(y), self.ink.plain(self.hint)
        width = self.content_size.width
        if y:
            return strip
        if cell_len(self.value) > width and not self.has_focus:
            return Strip([Segment(self.ink.plain(_beginning(self.value, width)), self.rich_style)]).adjust_cell_length(
                width, self.rich_style
            )
        suggested = self._suggestion if self.has_focus else ""
        text = max(self.value, suggested, key=cell_len) or self.placeholder
        if not hint or cell_len(text) + 2 + cell_len(hint) > width:
            return strip
        return Strip([*strip.crop(0, width - cell_len(hint)), Segment(hint, self.rich_style + self.ink.dim)])


def _beginning(text: str, width: int) -> str:
    """The part of a long text that fits; for a list, whole values."""
    start = set_cell_size(text, width - 1)
    return (start[: start.rindex(",") + 1] if "," in start else start) + "…"


class NumberLine(FieldLine):
    """A number, or several with commas; up and down change one. Only numbers can be typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(1)", show=False),
        Binding("down", "step(-1)", show=False),
    ]

    def __init__(self, field: Field, text: str, ink: Ink) -> None:
        many = ", " if field.is_list or field.option.several else ""
        signs = "-" if field.single[0] is int else "+.eE-"
        super().__init__(field, text, ink, restrict=rf"[0-9{many}{signs}]*")

    @property
    def hint(self) -> str:
        """The bounds."""
        return self.field.bounds

    def action_step(self, step: int) -> None:
        """Steps to the next number up or down, within the bounds; in a list the number under the cursor."""
        start, end = _part(self.value, self.cursor_position)
        text = stepped(self.field, self.value[start:end].strip(), step)
        if self.field.is_list or self.field.option.several:
            self.value = self.value[:start] + text + self.value[end:]
            self.cursor_position = start + len(text)
        else:
            self.put(text)


def stepped(field: Field, text: str, step: int) -> str:
    """The number `step` steps of its last decimal away, as far as the bounds allow; the default if there is no number
    yet."""
    kind, meta = field.single
    try:
        number = Decimal(text)
        last = int(number.as_tuple().exponent) if number.is_finite() else 0
    except (InvalidOperation, ValueError):
        return field.text(kind(_first(field)))
    size = Decimal(1) if kind is int else Decimal(1).scaleb(min(last, 0))
    wanted = number + step * size
    if meta is not None:
        # The number stays one step away from an exclusive bound; with less than a step of room it stays as it is.
        if meta.gt is not None and wanted <= Decimal(str(meta.gt)):
            wanted = number
        if meta.lt is not None and wanted >= Decimal(str(meta.lt)):
            wanted = number
        wanted = max(wanted, Decimal(str(meta.ge))) if meta.ge is not None else wanted
        wanted = min(wanted, Decimal(str(meta.le))) if meta.le is not None else wanted
    return f"{wanted:f}"


def _first(field: Field) -> float:
    """The start for going up and down: the default, or the least allowed whole number."""
    _, meta = field.single
    if isinstance(field.default, int | float):
        return field.default
    if meta is None:
        return 0
    return meta.ge if meta.ge is not None else meta.gt + 1 if meta.gt is not None else 0


class ChoiceLine(FieldLine):
    """One of a few words: arrows and space cycle through them, typing filters them, leaving the line completes the
    word."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,left", "cycle(-1)", show=False),
        Binding("down,right", "cycle(1)", show=False),
    ]

    def __init__(self, field: Field, text: str, ink: Ink) -> None:
        self.choices = choices(field)
        super().__init__(field, text, ink, suggester=_First(self.choices))

    @property
    def hint(self) -> str:
        """Shows that there are other words."""
        return "◂ ▸"

    def fitting(self) -> list[str]:
        """The words that contain the typed text; words that begin with it come first."""
        typed = self.value.strip().lower()
        begin = [one for one in self.choices if one and one.startswith(typed)]
        return begin + [one for one in self.choices if typed in one and one not in begin and one]

    def action_cycle(self, step: int) -> None:
        """Goes to the next word, or to the next that fits when a part of a word is typed."""
        here = self.value.strip().lower()
        if here in self.choices:
            self.put(self.choices[(self.choices.index(here) + step) % len(self.choices)])
        elif fits := self.fitting():
            self.put(fits[0 if step > 0 else -1])

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "space":
            event.stop()
            event.prevent_default()
            self.action_cycle(1)

    def on_click(self, event: events.Click) -> None:
        """Reacts to clicks on the arrows."""
        across = event.get_content_offset(self)
        place = across.x - (self.content_size.width - len(self.hint)) if across is not None else -1
        if place >= 0:
            self.action_cycle(-1 if place == 0 else 1)

    def complete(self) -> None:
        """Completes a part of a word, if it fits one."""
        if self.value.strip() and self.value.strip().lower() not in self.choices and (fits := self.fitting()):
            self.value = fits[0]

    def on_blur(self) -> None:
        """Completes the word when the line loses the focus."""
        self.complete()

    async def action_submit(self) -> None:
        """Completes the word before it is submitted."""
        self.complete()
        await super().action_submit()


class ChoicesLine(FieldLine):
    """Several of a few words, with commas; up and down cycle through them for the word at the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cycle(-1)", show=False),
        Binding("down", "cycle(1)", show=False),
    ]

    def __init__(self, field: Field, text: str, ink: Ink) -> None:
        self.choices = choices(field)
        super().__init__(field, text, ink, suggester=_Last(self.choices))

    @property
    def hint(self) -> str:
        """Shows that there are other words."""
        return "↑ ↓"

    def action_cycle(self, step: int) -> None:
        """Replaces the word at the cursor by another one that is not in the line yet."""
        start, end = _part(self.value, self.cursor_position)
        here = self.value[start:end].strip().lower()
        others = {one.strip() for one in (*self.value[:start].split(","), *self.value[end:].split(","))}
        free = [one for one in self.choices if one == here or one not in others]
        if here in free:
            word = free[(free.index(here) + step) % len(free)]
        else:
            word = next((one for one in free if one.startswith(here)), free[0] if free else here)
        self.value = self.value[:start] + word + self.value[end:]
        self.cursor_position = start + len(word)


class _First(Suggester):
    """Suggests the first word that begins with the text."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=False)
        self._words = words

    async def get_suggestion(self, value: str) -> str | None:
        return next((one for one in self._words if one and one.startswith(value)), None)


class _Last(_First):
    """The same for the last of several words, without those already in the line."""

    async def get_suggestion(self, value: str) -> str | None:
        before, comma, last = value.rpartition(",")
        taken = {one.strip() for one in before.split(",")}
        found = next((one for one in self._words if last and one.startswith(last) and one not in taken), None)
        return f"{before}{comma}{found}" if found else None


def choices(field: Field) -> tuple[str, ...]:
    """The words that a field allows; empty if it has no short list of them. An optional field may also be empty."""
    words = ("yes", "no") if field.is_switch else field.option.choices
    return ("", *words) if words and field.optional else words


def line(field: Field, text: str, ink: Ink) -> FieldLine:
    """The line for a field."""
    if choices(field) and not field.option.several:
        return (ChoicesLine if field.is_list else ChoiceLine)(field, text, ink)
    return NumberLine(field, text, ink) if field.single[0] in (int, float) else FieldLine(field, text, ink)


def _part(text: str, at: int) -> tuple[int, int]:
    """The start and end of the comma-separated part at this place."""
    start = text.rfind(",", 0, at) + 1
    end = text.find(",", at)
    return start, len(text) if end < 0 else end
