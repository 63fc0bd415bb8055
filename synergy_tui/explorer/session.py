"""What is open and what is running, behind the screen: loads runs in threads, hears what changes, remembers. Knows that
there is a screen by five methods that the app fills in."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from textual import work
from textual.app import App
from textual.css.query import NoMatches
from textual.message import Message

from synergy_tui.errors import CacheError, SynergyError
from synergy_tui.explorer.selection import Selection
from synergy_tui.explorer.state import State
from synergy_tui.settings import Settings
from synergy_tui.terms import RANKINGS

if TYPE_CHECKING:
    from synergy_tui.explorer.open import RunTree
    from synergy_tui.explorer.run import Place, Run
    from synergy_tui.explorer.watch import Seen, Watch
    from synergy_tui.store.cache import Cache

T = TypeVar("T")

AGAIN = 3.0
"""Seconds until a cache that could not be opened or read is tried again."""

PATIENCE = 3
"""Times that a question is asked again where the cache cannot be read."""


class Session(App[None]):
    """One cache, one run in front, one selection. What blocks is done in threads, which answer with messages."""

    class Loaded(Message):
        """A run is there, or why it is not."""

        def __init__(self, place: Place, run: Run | None, error: str = "", whole: bool = True) -> None:
            super().__init__()
            self.place, self.loaded, self.error, self.whole = place, run, error, whole

    class Noticed(Message):
        """Jobs, catalogue or devices changed."""

        def __init__(self, seen: Seen) -> None:
            super().__init__()
            self.seen = seen

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Session.Noticed)

    def __init__(self, settings: Settings, run: str | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.selection = Selection()
        self.state = State(settings.state, settings.cache)
        self.cache: Cache | None = None
        self.shown: Run | None = None
        self.behind: Run | None = None
        self._kept: Selection | None = None
        self._questions: dict[str, int] = {}
        self.error = ""
        self.seen: Seen | None = None
        self._asked = run
        self._server = os.getppid()
        self._watcher: Watch | None = None
        self._opening: Place | None = None
        self._first = False
        self._nowhere = "unit" not in self.state.here  # the cursor has been nowhere yet
        self._recall()

    # What the app fills in

    def redraw(self) -> None:
        """The run, the jobs or an error changed."""

    def heard(self) -> None:
        """Jobs changed, the run in front did not."""

    def show_tree(self, runs: RunTree) -> None:
        """Other runs are there."""

    def say(self, text: str, kind: Any = "information") -> None:
        """A message that goes away by itself."""

    def ready(self) -> None:
        """The cache is open."""

    # Beginning and end

    def begin(self) -> None:
        """Hears signals from now on, and opens the cache."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            # Unhandled, they would leave the terminal in its alternate screen.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.leave, 128 + number)
        self.call_after_refresh(self._start)

    def leave(self, code: int) -> None:
        """Ends the app, not the jobs."""
        self._remember()
        self.exit(return_code=code)

    def _start(self) -> None:
        self._open_cache()
        self.set_interval(5.0, self._keep)
        self.set_interval(2.0, self._terminal_there)

    def _terminal_there(self) -> None:
        """A terminal that is not the controlling one goes without a signal; reading from it would spin for ever."""
        if self.is_headless:
            return
        if self.is_web:  # there is none: whoever is at the other end of the pipes must live
            if os.getppid() != self._server:
                self.leave(129)
            return
        try:
            termios.tcgetattr(sys.__stdin__ or 0)
        except (termios.error, OSError, ValueError):
            self.leave(129)

    # What is open

    @work(thread=True, exclusive=True, group="cache")
    def _open_cache(self) -> None:
        """The cache, what is in it, and the run to begin with."""
        from synergy_tui.explorer import open as opening
        from synergy_tui.explorer.run import open_run

        try:
            cache, place = opening.first(self.settings, self._asked, self.state.text("run"))
        except Exception as error:
            self.call_from_thread(self._no_cache, told(error))
            return
        self.call_from_thread(self._cache_open, cache, place)
        if place is not None:
            try:
                self.post_message(self.Loaded(place, open_run(place)))
            except Exception as error:
                self.post_message(self.Loaded(place, None, told(error)))
        # The map first: nobody waits for the tree and the jobs.
        self.call_from_thread(self.call_after_refresh, self._look_around)

    def _no_cache(self, error: str) -> None:
        if not self.is_running:
            return
        self.error, self._asked = error, None
        self.redraw()
        self.set_timer(AGAIN, self._open_cache)  # a lock goes, a disk comes back

    def _cache_open(self, cache: Cache, place: Place | None) -> None:
        if not self.is_running:
            return
        self.cache, self._opening, self.error = cache, place, ""
        # Nothing is there and the sample stands in: the first result takes its place.
        self._first = self._asked is None and (place is None or place.sample)
        if place is None:
            self.redraw()
        self.ready()

    def _look_around(self) -> None:
        """The jobs from now on, and the tree of runs."""
        from synergy_tui.explorer.watch import Watch

        # What is loaded by now stays: the collector need not look at it again in the midst of a repaint.
        gc.freeze()
        if not self.is_running or self.cache is None or self._watcher is not None:
            return  # when the app is being taken down, a watcher begun now would never be stopped
        self._watcher = Watch(self.cache.folder, self._notice)
        self._watcher.start()
        self.refresh_tree()

    def open_run(self, place: Place, quietly: bool = False) -> None:
        """Loads a run and shows it when it is there; what is shown stays until then."""
        self._opening = place
        self._load(place, quietly)

    @work(thread=True, exclusive=True, group="run")
    def _load(self, place: Place, quietly: bool) -> None:
        from synergy_tui.explorer.run import open_run

        try:
            self.post_message(self.Loaded(place, open_run(place)))
        except Exception as error:
            self.post_message(self.Loaded(place, None, "" if quietly else told(error)))

    def on_session_loaded(self, message: Loaded) -> None:
        if message.place != self._opening or not self.is_running:
            return
        if message.loaded is None:
            if message.error:
                self.error = message.error
                self.say(message.error, "error")
            if self.shown is not None and self.shown.place == message.place:
                self.shown = None  # it was deleted while it was looked at
        else:
            same = self.shown is not None and self.shown.place == message.place
            self.error, self.shown = "", message.loaded
            self.behind = self._kept = None
            nowhere = self._nowhere or not message.loaded.present([self.selection.unit])
            if not same:
                self.selection.enter(message.loaded.there)
            if self.selection.score not in message.loaded.scores:
                self.selection.score = next(iter(message.loaded.scores), RANKINGS[0])
            if nowhere and message.loaded.scores:
                self.selection.unit = next(iter(message.loaded.extremes(self.selection.score)), 0)
                self._nowhere = message.loaded.partial is not None  # what grows has other extremes every time
        self.redraw()

    def _notice(self, seen: Seen) -> None:
        self.post_message(self.Noticed(seen))

    def on_session_noticed(self, message: Noticed) -> None:
        if not self.is_running:
            return  # the app is being taken down: what would show it is gone
        before, self.seen = self.seen, message.seen
        if before is not None:
            if before.catalogue != message.seen.catalogue or _states(before) != _states(message.seen):
                self.refresh_tree()
            self._tell_ended(before, message.seen)
        self.heard()
        shown = self.shown
        if shown is not None and shown.place.job is not None:
            self.open_run(self._finished(shown.place), quietly=True)

    def _finished(self, place: Place) -> Place:
        """A job's place, or that of its result once it is done: of a capture, the decomposition that follows it."""
        from synergy_tui.explorer.run import Place
        from synergy_tui.jobs.folder import JobFolder

        jobs = {one["id"]: one for one in self.seen.jobs} if self.seen else {}
        status = jobs.get(place.id)
        if status is None or status["state"] != "done":
            return place
        if status["kind"] == "decompose":
            return Place(place.cache, place.id)
        then = next((one["id"] for one in jobs.values() if one.get("after") == place.id), None)
        return Place(place.cache, then, job=JobFolder(place.cache.jobs / then)) if then else place

    def _tell_ended(self, before: Seen, now: Seen) -> None:
        was = _states(before)
        for one in now.jobs:
            if one["state"] in ("done", "failed") and was.get(one["id"]) not in (None, one["state"]):
                failed = one["state"] == "failed"
                text = f"{one['kind']} {one['id']} {one['state']}" + (f": {one['error']}" if failed else "")
                if failed or not one.get("sweep"):  # a sweep tells its own end, and not that of every cell
                    self.say(text, "error" if failed else "information")
                if one["kind"] in _ADDING and not failed:
                    self._read_anew()
                if self._first and one["kind"] == "decompose" and not failed:
                    self._show_first(one["id"])

    def _read_anew(self) -> None:
        """Reads the run that is shown once more: there may be scores that it had not."""
        shown = self.shown
        if shown is not None and shown.place.job is None and shown.place.id and not shown.place.sample:
            self.open_run(shown.place, quietly=True)

    def _show_first(self, decomposition: str) -> None:
        """The first result of an empty cache, unless something else is looked at by now."""
        from synergy_tui.explorer.run import Place

        self._first = False
        if self.cache is not None and (self.shown is None or self.shown.place.sample):
            self.open_run(Place(self.cache, decomposition))

    @work(thread=True, exclusive=True, group="tree")
    def refresh_tree(self) -> None:
        """Reads what there is anew."""
        from synergy_tui.explorer import open as opening

        if self.cache is None:
            return
        # What is looked at now: a run that is opened while the tree is read may be newer than the tree.
        shown = self.shown
        with contextlib.suppress(Exception):  # a locked catalogue is read at the next change
            tree = opening.tree(self.cache)
            self.call_from_thread(self.show_tree, tree)
            if shown is not None and shown.place.job is None and shown.place.id not in ("", *tree.ids):
                self.call_from_thread(self._gone, shown)

    def _gone(self, deleted: Run) -> None:
        if not self.is_running or self.shown is not deleted:
            return
        self.shown = None
        self.error = "This run was deleted. Choose another one at the left."
        self.redraw()

    def show_made(self, made: Run) -> None:
        """Shows something that is in no cache: the result of a query as a map. What it stands before is kept, with
        what is selected there."""
        if self.shown is not None and self.shown.place.id:
            self.behind, self._kept = self.shown, self.selection.copy()
        self._opening = None
        self.shown = made
        self.selection.enter(made.there)
        self.selection.score = next(iter(made.scores))
        self.redraw()

    def leave_made(self) -> bool:
        """Goes back from the result of a query to the run that was in front before; False when there is none."""
        if self.behind is None or self._kept is None:
            return False
        self.shown, self.selection = self.behind, self._kept
        self.behind = self._kept = None
        self.redraw()
        self.refresh_tree()  # the run may have been deleted meanwhile
        return True

    def in_thread(self, group: str, ask: Callable[[], T], then: Callable[[T], None], patience: int = PATIENCE) -> None:
        """Asks something that may block, in a thread; a newer question of the same group wins. A cache that cannot be
        read is asked again, up to `patience` times: somebody writes for long, or the disk is slow. Other errors are
        said, and so is that one in the end."""
        mine = self._questions[group] = self._questions.get(group, 0) + 1

        def once_more() -> None:
            if self.is_running and self._questions[group] == mine:
                self.in_thread(group, ask, then, patience - 1)

        def work_() -> None:
            try:
                found = ask()
            except Exception as error:
                if isinstance(error, CacheError) and patience:
                    self.call_from_thread(self.set_timer, AGAIN, once_more)
                else:
                    self.call_from_thread(self.say, told(error), "error")
                return
            self.call_from_thread(there, found)

        def there(found: T) -> None:
            # An answer may come when what would show it is being taken down.
            with contextlib.suppress(NoMatches):
                then(found)

        self.run_worker(work_, thread=True, exclusive=True, group=group)

    def look_soon(self) -> None:
        """Something was started or stopped: looks at the jobs at once."""
        if self._watcher is not None:
            self._watcher.soon()

    # What is kept

    def _recall(self) -> None:
        here, selection = self.state, self.selection
        selection.unit, selection.prompt = here.number("unit"), here.number("prompt")
        selection.score = here.text("score") or selection.score
        selection.atom = here.text("atom") or selection.atom

    def _remember(self) -> None:
        # Of the result of a query nothing is kept: the run behind it comes back.
        shown, selection = self.behind or self.shown, self._kept or self.selection
        self.state.here |= {
            "unit": selection.unit,
            "prompt": selection.prompt,
            "score": selection.score,
            "atom": selection.atom,
        }
        if shown is not None and shown.place.id:
            self.state.here |= {"layers": shown.layers, "per_layer": shown.per_layer}
        if shown is not None and shown.place.id and shown.place.job is None and not shown.place.sample:
            self.state.here["run"] = shown.place.id
        self.state.save()

    def _keep(self) -> None:
        self.run_worker(self._remember, thread=True, exclusive=True, group="state")

    def on_unmount(self) -> None:
        gc.unfreeze()  # at the end all of it goes, or what holds the database says that it leaks
        if self._watcher is not None:
            self._watcher.stop()

    def save(self, path: Path, content: str | bytes) -> None:
        """Writes a file the user named, and says where it is; an old one is never replaced."""

        def write() -> Path:
            with open(path, "xb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
            return path.resolve()

        def ask() -> Path:
            try:
                return write()
            except FileExistsError:
                raise SynergyError(f"{path} is there already", "give another name") from None
            except OSError as error:
                raise SynergyError(f"{path} cannot be written: {error.strerror}", "give another name") from None

        self.in_thread("save", ask, lambda where: self.say(f"Saved {where}"))


def told(error: Exception) -> str:
    """A failure in words. One that nobody foresaw is told too, instead of ending the app with what is open in it."""
    return str(error) if isinstance(error, SynergyError) else f"unexpected {type(error).__name__}: {error}"


_ADDING = ("ablate", "scores")
"""Jobs that give the units of runs which are there already more scores."""


def _states(seen: Seen) -> dict[str, str]:
    return {one["id"]: one["state"] for one in seen.jobs}
