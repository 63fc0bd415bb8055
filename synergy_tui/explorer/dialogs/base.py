"""What every dialog is: a box in the middle that escape closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

from synergy_tui.explorer import keys

if TYPE_CHECKING:
    from synergy_tui.explorer.host import Host

T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """Closes with escape and answers None. It may be closed at any moment, also before it is on the screen: what it has
    to do with its widgets stands in `begin`, and what answers later asks `there` first."""

    BINDINGS = keys.bindings(keys.DIALOG)

    @property
    def explorer(self) -> Host:
        """The app, as far as dialogs may ask it."""
        return cast("Host", self.app)

    @property
    def there(self) -> bool:
        """Whether it is open and has its widgets."""
        return self.is_attached and bool(self.children) and self in self.app.screen_stack

    def on_mount(self) -> None:
        """In the signs of the app."""
        if self.there:
            self.set_class(self.explorer.settings.ascii, "-ascii")
            self.begin()

    def begin(self) -> None:
        """Its widgets are there."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Closes with an answer; what is closed stays so, however many keys were pressed."""
        return super().dismiss(result) if self.there and self.app.screen is self else AwaitComplete()

    def action_close(self) -> None:
        """Closes."""
        self.dismiss(None)
