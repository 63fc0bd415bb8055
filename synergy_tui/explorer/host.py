"""What views, dialogs and widgets may ask of the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    from textual.screen import Screen

    from synergy_tui.explorer.keys import Action
    from synergy_tui.explorer.run import Place, Run
    from synergy_tui.explorer.selection import Selection
    from synergy_tui.explorer.state import State
    from synergy_tui.explorer.watch import Seen
    from synergy_tui.explorer.widgets.ink import Ink
    from synergy_tui.settings import Settings
    from synergy_tui.store.archive import Archive
    from synergy_tui.store.cache import Cache

T = TypeVar("T")


class Front(Protocol):
    """The view in front, as dialogs see it."""

    @property
    def id(self) -> str | None:
        """Its name."""

    ACTIONS: ClassVar[tuple[Action, ...]]
    HELP: ClassVar[str]

    def sql(self) -> str:
        """The query that gives the numbers behind it."""

    def command(self) -> str:
        """The command that prints what it shows."""

    def table(self) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
        """What it shows, as columns and rows."""

    def value(self) -> str:
        """What is under the cursor."""

    def about(self) -> list[str]:
        """The same in sentences."""

    def focus_main(self) -> None:
        """Gives the keys to it."""


class Host(Protocol):
    """The app. shown: the run in front. behind: the run that comes back when a query's map in front is left; else None.
    selection: units, prompt, step, score and marks. cache: None until it is open; error: why it is not. seen: jobs and
    devices as last looked at. state: what is kept between sessions. ink: colours and signs."""

    settings: Settings
    shown: Run | None
    behind: Run | None
    selection: Selection
    cache: Cache | Archive | None
    error: str
    seen: Seen | None
    state: State
    ink: Ink

    @property
    def view(self) -> Front:
        """The view in front."""

    def show_made(self, made: Run) -> None:
        """Shows something that is in no cache: the result of a query as a map."""

    def say(self, text: str, kind: Any = "information") -> None:
        """A message that goes away by itself."""

    def in_thread(self, group: str, ask: Callable[[], T], then: Callable[[T], None]) -> None:
        """Asks beside the screen and hands over the answer; what fails is said."""

    def to_view(self, name: str) -> None:
        """Brings a view to the front."""

    def changed(self) -> None:
        """The selection changed: the view in front follows."""

    def choose(self, score: str) -> None:
        """Shows another score."""

    def open_run(self, place: Place) -> None:
        """Brings a run to the front."""

    def places(self) -> list[tuple[str, Place]]:
        """Every run there is: its name, and where it is."""

    def visit(self, place: Place) -> None:
        """The same by the user's wish: the way back is kept."""

    def go_to(self, unit: int) -> None:
        """Puts the cursor on a unit; the way back is kept."""

    def look_soon(self) -> None:
        """Looks at jobs and catalogue now."""

    def save(self, path: Path, content: str | bytes) -> None:
        """Writes a new file."""

    def push_screen(self, screen: Screen[T], callback: Callable[[T | None], None] | None = None) -> Any:
        """Opens a dialog."""

    def copy_to_clipboard(self, text: str) -> None:
        """Hands a text to the terminal's clipboard."""
