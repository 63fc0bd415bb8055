"""Everything by name: actions, runs, and units as layer.unit, as group.unit, or by their names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette, Hit, Hits, Provider
from textual.events import Mount
from textual.message import Message
from textual.widgets import Input, OptionList

from synergy_tui.errors import UsageError
from synergy_tui.explorer.dialogs.base import is_open

if TYPE_CHECKING:
    from textual.fuzzy import Matcher

    from synergy_tui.explorer.host import Host
    from synergy_tui.explorer.run import Run


class Places(Provider):
    """Runs by their names and ids, and the typed unit; empty before the user types."""

    @property
    def _explorer(self) -> Host:
        return cast("Host", self.app)

    async def search(self, query: str) -> Hits:
        """An existing unit comes first."""
        app, matcher = self._explorer, self.matcher(query)
        run = app.shown
        for score, unit in _units(run, query.strip(), matcher) if run is not None else ():
            text = f"unit {run.told(unit)}" if run is not None else ""
            yield Hit(score, Text(text), partial(app.go_to, unit), text, "Put the cursor on this unit")
        for text, place in app.places():
            score = max(
                matcher.match(f"run {text}"), 0.9 if query.strip() and place.id.startswith(query.strip()) else 0.0
            )
            if score > 0:
                yield Hit(score, Text(f"run {text}"), partial(app.visit, place), f"run {text}", "Open this run")


MOST_UNITS = 20
"""Most units that are listed at once."""


def _units(run: Run, typed: str, matcher: Matcher) -> list[tuple[float, int]]:
    """(how well it fits, unit) of the matching units: the one with this name, then those whose name or group has the
    letters."""
    try:
        found = [(1.0, run.naming.number(typed))]
    except UsageError:
        found = []
    letters, naming = typed.casefold().replace(" ", ""), run.naming
    if not letters or not (naming.names or naming.groups):
        return found
    like = []
    for unit in run.numbers.tolist() if naming.groups else naming.names:
        text = naming.told(unit)
        rest = iter(text.casefold())
        # The matcher is expensive, so it only sees names that have the letters in order.
        if all(letter in rest for letter in letters) and (score := matcher.match(f"unit {text}")) > 0:
            like.append((min(score, 0.99), unit))
    like.sort(key=lambda one: (-one[0], one[1]))
    known = {unit for _, unit in found}
    return [*found, *(one for one in like[:MOST_UNITS] if one[1] not in known)]


class Palette(CommandPalette):
    """Textual's own palette, which assumes that it is open and has room. But keys may come before it has its widgets,
    and their effects after it was closed."""

    @property
    def there(self) -> bool:
        """Whether it is open and has its widgets."""
        return self.is_mounted and is_open(self)

    def _on_mount(self, event: Mount) -> None:
        if not is_open(self):
            event.prevent_default()

    @on(Input.Changed)
    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _only_while_open(self, event: Message) -> None:
        """Text typed or items chosen before it was closed have no effect after."""
        if not self.there:
            event.stop()
            event.prevent_default()

    def _action_cursor_down(self) -> None:
        if self.there:
            super()._action_cursor_down()

    def _action_command_list(self, action: str) -> None:
        """Ignored without room for a line: such a list has no lines and no pages."""
        if self.there and (self.query_one(CommandList).scrollable_content_region or not action.startswith("page")):
            super()._action_command_list(action)

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Closes; a closed palette stays closed."""
        return super().dismiss(result) if is_open(self) and self.app.screen is self else AwaitComplete()
