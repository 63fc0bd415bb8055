"""What every dialog is: a box in the middle that escape closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen

from synergy_tui.explorer import keys

if TYPE_CHECKING:
    from synergy_tui.explorer.host import Host

T = TypeVar("T")


def is_open(screen: Screen[Any]) -> bool:
    """Whether a screen is on the stack of an app that goes on: one that stops gives its screens no more widgets."""
    app = screen.app
    return app.is_running and screen.is_attached and screen in app.screen_stack


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
        return bool(self.children) and is_open(self)

    def on_mount(self) -> None:
        """In the signs of the app."""
        if self.there:
            self.set_class(self.explorer.settings.ascii, "-ascii")
            for box in self.query(".dialog"):
                box.border_subtitle = box.border_subtitle or "escape closes"
            self.begin()

    def begin(self) -> None:
        """Its widgets are there."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Closes with an answer; what is closed stays so, however many keys were pressed."""
        return super().dismiss(result) if self.there and self.app.screen is self else AwaitComplete()

    def action_close(self) -> None:
        """Closes."""
        self.dismiss(None)
