"""Everything by name."""

from __future__ import annotations

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette
from textual.events import Mount
from textual.message import Message
from textual.widgets import Input, OptionList

from synergy_tui.explorer.dialogs.base import is_open


class Palette(CommandPalette):
    """Textual's own, which takes it for granted that it is open and has room. Keys come before it has its widgets, and
    what they do comes after it was closed."""

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
        """What was typed or chosen before it was closed searches and starts nothing after."""
        if not self.there:
            event.stop()
            event.prevent_default()

    def _action_cursor_down(self) -> None:
        if self.there:
            super()._action_cursor_down()

    def _action_command_list(self, action: str) -> None:
        """A list without room for a line has no lines, and no pages."""
        if self.there and (self.query_one(CommandList).scrollable_content_region or not action.startswith("page")):
            super()._action_command_list(action)

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Closes; what is closed stays so."""
        return super().dismiss(result) if is_open(self) and self.app.screen is self else AwaitComplete()
