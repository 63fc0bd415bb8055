"""Marks units by a rule, and counts the units it names during typing."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from synergy_tui.errors import UsageError
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.run import Run
from synergy_tui.explorer.selection import by_rule
from synergy_tui.explorer.widgets.lines import Lines

EXAMPLES = (
    "top 25 % of rank in layers 10-20",
    "bottom 10 % of rank",
    "top 20 of sts",
    "excess > 0",
    "q < 0.05",
    "all in layer 3",
)


class AskRule(Dialog[tuple[str, frozenset[int]]]):
    """Answers the rule and the units that it names."""

    def __init__(self, run: Run, rule: str) -> None:
        super().__init__()
        self._run, self._rule = run, rule

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = "Mark by rule"
            yield Input(self._rule, placeholder=self._examples()[0], compact=True)
            yield Lines(id="rule-says")
            yield Lines(id="rule-examples")

    def begin(self) -> None:
        self.query_one(Input).cursor_blink = False
        examples = [Text(f"  {one}") for one in self._examples()]
        head = Text("For example, with any score the map can show:", self.explorer.ink.dim)
        self.query_one("#rule-examples", Lines).show([Text(), head, *examples], self.explorer.ink)
        self._tell(self._rule)

    def _examples(self) -> list[str]:
        """Example rules, with some names if layers or units have names."""
        run = self._run
        out = [one.replace("layers 10-20", run.groups[0]) if run.groups else one for one in EXAMPLES]
        if run.groups:
            out[-1] = f"all in {', '.join(run.groups[-2:])}"
        named = [run.name(unit) for unit in run.numbers[:2].tolist()] if run.naming.names else []
        return [*out, ", ".join(named)] if named else out

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._tell(event.value)

    def _tell(self, rule: str) -> None:
        says = self.query_one("#rule-says", Lines)
        if not rule.strip():
            says.show(["Type a rule; enter marks the units it names."])
            return
        try:
            units = self._units(rule)
        except UsageError as error:
            says.show([Text(str(error), self.explorer.ink.warm)], self.explorer.ink)
            return
        layers = len({unit // self._run.per_layer for unit in units})
        says.show([Text(f"{len(units)} of {self._run.count} units in {layers} {self._run.layers_called}", "bold")])

    def _units(self, rule: str) -> frozenset[int]:
        return by_rule(rule, self._run.values(), self._run.per_layer, self._run.naming)

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        rule = event.value.strip() or self._examples()[0]
        try:
            self.dismiss((rule, self._units(rule)))
        except UsageError as error:
            self._tell(rule)
            self.explorer.say(str(error), "error")
