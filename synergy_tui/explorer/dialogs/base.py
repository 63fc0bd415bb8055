"""The base class of dialogs: a box in the middle that escape closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen

from synergy_tui.explorer import keys

if TYPE_CHECKING:
    from synergy_tui.explorer.host import Host

T = TypeVar("T")


def is_open(screen: Screen[Any]) -> bool:
    """Whether a screen is on the stack of a running app: a stopping app gives its screens no more widgets."""
    app = screen.app
    return app.is_running and screen.is_attached and screen in app.screen_stack


class Dialog(ModalScreen[T | None]):
    """Closes with escape and answers None. It may be closed at any moment, even before it is on the screen, so work on
    its widgets belongs in `begin`, and late answers check `there` first."""

    BINDINGS = keys.bindings(keys.DIALOG)

    @property
    def explorer(self) -> Host:
        """The app, through the interface for dialogs."""
        return cast("Host", self.app)

    @property
    def there(self) -> bool:
        """Whether it is open and has its widgets."""
        return bool(self.children) and is_open(self)

    def on_mount(self) -> None:
        """Uses the app's signs."""
        if self.there:
            self.set_class(self.explorer.settings.ascii, "-ascii")
            for box in self.query(".dialog"):
                box.border_subtitle = box.border_subtitle or "escape closes"
            self.begin()

    def begin(self) -> None:
        """Called when its widgets exist."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Closes with an answer; a closed dialog stays closed, however many keys were pressed."""
        return super().dismiss(result) if self.there and self.app.screen is self else AwaitComplete()

    def action_close(self) -> None:
        """Closes."""
        self.dismiss(None)
