"""The base class of all views."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.containers import Container
from textual.content import Content

if TYPE_CHECKING:
    from synergy_tui.explorer.host import Host
    from synergy_tui.explorer.keys import Action
    from synergy_tui.explorer.run import Run
    from synergy_tui.explorer.selection import Selection
    from synergy_tui.explorer.widgets.ink import Ink


Table = tuple[Sequence[str], Sequence[Sequence[object]]]
"""Names of columns, and rows."""


class View(Container):
    """A view on the app's selection. `show` is called when it comes to the front and whenever the selection or the run
    changes; it must not block."""

    ACTIONS: ClassVar[tuple[Action, ...]] = ()
    """Its keys."""

    SIDE: ClassVar[str] = ""
    """A selector of its side panel, whose width the user may change."""

    HELP: ClassVar[str] = ""
    """The text that `?` shows about the view itself."""

    @property
    def explorer(self) -> Host:
        """The app, through the interface for views."""
        return cast("Host", self.app)

    @property
    def run(self) -> Run | None:
        """The run in front."""
        return self.explorer.shown

    @property
    def ready(self) -> Run | None:
        """The run in front once it has numbers; else None, and `empty` says why."""
        run = self.explorer.shown
        return None if run is None or run.unready else run

    @property
    def in_front(self) -> bool:
        """Whether it is the visible view."""
        return self.explorer.view is self

    @property
    def selection(self) -> Selection:
        """The current selection."""
        return self.explorer.selection

    @property
    def ink(self) -> Ink:
        """The current colours and signs."""
        return self.explorer.ink

    def show(self) -> None:
        """Updates the view to the selection."""

    def on_resize(self) -> None:
        """Wraps words to the new width."""
        self.show()

    def noticed(self) -> None:
        """Jobs or the catalogue changed."""

    def focus_main(self) -> None:
        """Gives the view the focus."""
        for widget in self.query("*"):
            if widget.focusable:
                widget.focus()
                return

    def head(self, pane: str, title: str, below: str = "") -> None:
        """Sets the words on a pane's border, literally: brackets in them style nothing. Setting them repaints the whole
        pane, so only changed words are set."""
        widget = self.query_one(pane)
        above, under = Content(self.ink.plain(title)), Content(self.ink.plain(below))
        if (widget.border_title or "", widget.border_subtitle or "") != (above.markup, under.markup):
            widget.border_title, widget.border_subtitle = above, under

    def value(self) -> str:
        """What is under the cursor, as one line that can be copied."""
        return ""

    def table(self) -> Table:
        """What the view shows, as columns and rows."""
        return [], []

    def sql(self) -> str:
        """The query for the numbers behind the view; '' without numbers. Each view has its own."""
        raise NotImplementedError

    def command(self) -> str:
        """The command, without --cache, that prints what the view shows."""
        return f"synergy-tui sql {shlex.quote(query)}" if (query := self.sql()) else "synergy-tui"

    def about(self) -> list[str]:
        """What is under the cursor, in sentences, for `?`."""
        return []

    def empty(self) -> str:
        """Why there is nothing to show, or what to press."""
        if self.run is not None:
            return self.run.unready
        if self.explorer.error:
            return self.explorer.error
        if self.explorer.cache is None:
            return "Opening the cache …"
        return "No run is open. Press n to start one, or choose one at the left (F2)."
