"""The app's interface for views, dialogs and widgets."""

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
        """The query for the numbers behind it."""

    def command(self) -> str:
        """The command that prints what it shows."""

    def table(self) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
        """Its content as columns and rows."""

    def value(self) -> str:
        """What is under the cursor."""

    def about(self) -> list[str]:
        """What is under the cursor, in sentences."""

    def focus_main(self) -> None:
        """Gives it the focus."""


class Host(Protocol):
    """The app. shown: the run in front. behind: the run that returns when the user leaves a query's map; else None.
    selection: units, prompt, step, score and marks. cache: None until it is open; error: why it is not open. seen: jobs
    and devices at the last look. state: what is kept between sessions. ink: colours and signs."""

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
        """Shows a run that is in no cache: the result of a query as a map."""

    def say(self, text: str, kind: Any = "information") -> None:
        """A message that goes away by itself."""

    def in_thread(self, group: str, ask: Callable[[], T], then: Callable[[T], None]) -> None:
        """Asks in a thread and hands over the answer; failures are reported."""

    def to_view(self, name: str) -> None:
        """Brings a view to the front."""

    def changed(self) -> None:
        """The selection changed: the view in front follows."""

    def choose(self, score: str) -> None:
        """Shows another score."""

    def open_run(self, place: Place) -> None:
        """Brings a run to the front."""

    def places(self) -> list[tuple[str, Place]]:
        """Every run: its name and its place."""

    def visit(self, place: Place) -> None:
        """The same at the user's request, keeping the way back."""

    def go_to(self, unit: int) -> None:
        """Puts the cursor on a unit and keeps the way back."""

    def look_soon(self) -> None:
        """Looks at jobs and catalogue now."""

    def save(self, path: Path, content: str | bytes) -> None:
        """Writes a new file."""

    def push_screen(self, screen: Screen[T], callback: Callable[[T | None], None] | None = None) -> Any:
        """Opens a dialog."""

    def copy_to_clipboard(self, text: str) -> None:
        """Hands a text to the terminal's clipboard."""
