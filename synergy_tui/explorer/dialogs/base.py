"""What every dialog is: a box in the middle that escape closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from textual.binding import Binding
from textual.screen import ModalScreen

if TYPE_CHECKING:
    from synergy_tui.explorer.app import Explorer

T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """Closes with escape and answers None."""

    BINDINGS = [  # noqa: RUF012
        Binding("escape", "close", "close", tooltip="Close without doing anything", id="dialog.close"),
    ]

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
