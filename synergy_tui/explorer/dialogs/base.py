"""What every dialog is: a box in the middle that escape closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from textual.screen import ModalScreen

from synergy_tui.explorer import actions

if TYPE_CHECKING:
    from synergy_tui.explorer.app import Explorer

T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """Closes with escape and answers None."""

    BINDINGS = actions.bindings("dialog")

    @property
    def explorer(self) -> Explorer:
        """The app."""
        return cast("Explorer", self.app)

    def on_mount(self) -> None:
        """In the signs of the app."""
        self.set_class(self.explorer.settings.ascii, "-ascii")

    def action_close(self) -> None:
        """Closes."""
        self.dismiss(None)
