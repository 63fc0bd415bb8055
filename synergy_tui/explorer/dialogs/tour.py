"""The first minute: five steps over the map that ships with the package."""

from __future__ import annotations

from typing import NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from synergy_tui.explorer import keys, telling
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.widgets.lines import Lines


class Step(NamedTuple):
    """A title, its text, and whether it stands at the top, so that its subject is visible below."""

    title: str
    text: str
    top: bool = False


STEPS = (
    Step(
        "What a cell is",
        "Each cell is an attention head and each row a layer, the first layer at the top. A warm head carries "
        "information jointly with others (synergy); a cool one carries what others carry as well "
        "(redundancy). The brackets are the cursor. It begins on the most extreme head, the arrows move it, "
        "and its numbers are always written out.",
    ),
    Step(
        "What the profile says",
        "The dot beside a row is the mean of its layer, the line its 95 % interval over prompts. The title "
        "has the contrast: the mean of the middle third of layers minus that of the others. Where its "
        "interval is above zero, the middle layers are the more synergistic ones.",
    ),
    Step(
        "Why to doubt it",
        "The last line but one names what else could explain the map, the worst first. A head that remembers "
        "itself looks synergistic with every other one, so a map that follows memory with an r near 1 may "
        "show memory and nothing else. Click a doubt, or press ? for what each of them means.",
        top=True,
    ),
    Step(
        "How to test it",
        "f leaves only the heads that are above their null. space marks a head, M marks by a rule, and a "
        "removes what is marked and shows what the model loses, beside random heads and heads from the same "
        "layers. c says which of six published claims hold for this model.",
    ),
    Step(
        "Your own model",
        "n captures a model (a name, a folder or a GGUF file) and decomposes all pairs of its heads in the "
        "background; J shows how far it is. In every view ? helps, ctrl+p lists everything, and q leaves "
        "while jobs go on. ctrl+t shows this tour again.",
    ),
)


class Tour(Dialog[None]):
    """One step at a time; escape leaves it."""

    ACTIONS = (
        keys.Action("tour.next", "enter,space,right,l,n", "go(1)", "next", "The next step", palette=False),
        keys.Action("tour.back", "left,h,backspace", "go(-1)", "back", "The step before", palette=False),
    )
    BINDINGS = keys.bindings(ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._place = 0

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="tour"):
            yield Lines(id="tour-text")

    def begin(self) -> None:
        self._tell()

    def on_resize(self) -> None:
        """Wraps words to the new width."""
        if self.there:
            self.call_after_refresh(self._tell)

    def _tell(self) -> None:
        if not self.there:
            return
        step, box = STEPS[self._place], self.query_one("#tour")
        box.border_title = f"{self._place + 1} of {len(STEPS)}: {step.title}"
        box.border_subtitle = self.explorer.ink.plain("⏎ next · ← back · esc skip")
        self.set_class(step.top, "-top")
        lines = telling.wrapped(step.text, self.query_one(Lines).content_size.width or 72)
        self.query_one(Lines).show([Text(), *lines, Text()], self.explorer.ink)

    def action_go(self, step: int) -> None:
        """Goes to another step; after the last the tour closes."""
        self._place = max(self._place + step, 0)
        if self._place >= len(STEPS):
            self.dismiss(None)
            return
        self._tell()
