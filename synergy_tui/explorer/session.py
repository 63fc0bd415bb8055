"""What is open and what is running, behind the screen: loads runs in threads, hears of changes, remembers. It reaches
the screen only through five methods that the app implements."""

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
"""Seconds before another try at a cache that could not be opened or read."""

PATIENCE = 3
"""How often a question is asked again when the cache cannot be read."""


class Session(App[None]):
    """One cache, one run in front, one selection. Blocking work runs in threads, which answer with messages."""

    class Loaded(Message):
        """A run was loaded, or the reason why not."""

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

    # Implemented by the app

    def redraw(self) -> None:
        """The run, the jobs or an error changed."""

    def heard(self) -> None:
        """Jobs changed, but not the run in front."""

    def show_tree(self, runs: RunTree) -> None:
        """The set of runs changed."""

    def say(self, text: str, kind: Any = "information") -> None:
        """A message that goes away by itself."""

    def ready(self) -> None:
        """The cache is open."""

    # Beginning and end

    def begin(self) -> None:
        """Listens to signals from now on, and opens the cache."""
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
        """Leaves when the terminal is gone. One that is not the controlling terminal goes without a signal, and reading
        from it would spin forever."""
        if self.is_headless:
            return
        if self.is_web:  # there is no terminal: the server at the other end of the pipes must be alive
            if os.getppid() != self._server:
                self.leave(129)
            return
        try:
            termios.tcgetattr(sys.__stdin__ or 0)
        except (termios.error, OSError, ValueError):
            self.leave(129)

    # The open cache and run

    @work(thread=True, exclusive=True, group="cache")
    def _open_cache(self) -> None:
        """Opens the cache, and the run to begin with."""
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
        # The map comes first; the tree and the jobs can wait.
        self.call_from_thread(self.call_after_refresh, self._look_around)

    def _no_cache(self, error: str) -> None:
        if not self.is_running:
            return
        self.error, self._asked = error, None
        self.redraw()
        self.set_timer(AGAIN, self._open_cache)  # a lock may go, a disk may come back

    def _cache_open(self, cache: Cache, place: Place | None) -> None:
        if not self.is_running:
            return
        self.cache, self._opening, self.error = cache, place, ""
        # If the cache is empty, the sample is shown until the first result replaces it.
        self._first = self._asked is None and (place is None or place.sample)
        if place is None:
            self.redraw()
        self.ready()

    def _look_around(self) -> None:
        """Watches the jobs from now on, and reads the tree of runs."""
        from synergy_tui.explorer.watch import Watch

        # Objects loaded by now stay: the collector need not visit them again during a repaint.
        gc.freeze()
        if not self.is_running or self.cache is None or self._watcher is not None:
            return  # a watcher begun while the app shuts down would never be stopped
        self._watcher = Watch(self.cache.folder, self._notice)
        self._watcher.start()
        self.refresh_tree()

    def open_run(self, place: Place, quietly: bool = False) -> None:
        """Loads a run and shows it when it is ready; the current run stays until then."""
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
                self.shown = None  # it was deleted while it was shown
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
                self._nowhere = message.loaded.partial is not None  # a growing run has other extremes every time
        self.redraw()

    def _notice(self, seen: Seen) -> None:
        self.post_message(self.Noticed(seen))

    def on_session_noticed(self, message: Noticed) -> None:
        if not self.is_running:
            return  # the app is shutting down: its widgets are gone
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
        """A job's place, or its result's place once it is done: for a capture, the decomposition that follows it."""
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
                if failed or not one.get("sweep"):  # a sweep reports its own end, but not every cell's
                    self.say(text, "error" if failed else "information")
                if one["kind"] in _ADDING and not failed:
                    self._read_anew()
                if self._first and one["kind"] == "decompose" and not failed:
                    self._show_first(one["id"])

    def _read_anew(self) -> None:
        """Reads the shown run once more: it may have new scores."""
        shown = self.shown
        if shown is not None and shown.place.job is None and shown.place.id and not shown.place.sample:
            self.open_run(shown.place, quietly=True)

    def _show_first(self, decomposition: str) -> None:
        """Shows the first result of an empty cache, unless something else is shown by now."""
        from synergy_tui.explorer.run import Place

        self._first = False
        if self.cache is not None and (self.shown is None or self.shown.place.sample):
            self.open_run(Place(self.cache, decomposition))

    @work(thread=True, exclusive=True, group="tree")
    def refresh_tree(self) -> None:
        """Reads the tree anew."""
        from synergy_tui.explorer import open as opening

        if self.cache is None:
            return
        # Taken before reading: a run that is opened while the tree is read may be newer than the tree.
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
        """Shows a run that is in no cache: the result of a query as a map. The run behind it is kept, with its
        selection."""
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
        read is asked again, up to `patience` times: a writer may take long, or the disk is slow. Other errors are
        reported, and so is this one in the end."""
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
            # An answer may come while its widgets are shutting down.
            with contextlib.suppress(NoMatches):
                then(found)

        self.run_worker(work_, thread=True, exclusive=True, group=group)

    def look_soon(self) -> None:
        """Looks at the jobs at once, because one was started or stopped."""
        if self._watcher is not None:
            self._watcher.soon()

    # The remembered state

    def _recall(self) -> None:
        here, selection = self.state, self.selection
        selection.unit, selection.prompt = here.number("unit"), here.number("prompt")
        selection.score = here.text("score") or selection.score
        selection.atom = here.text("atom") or selection.atom

    def _remember(self) -> None:
        # Nothing of a query's result is kept: the run behind it returns.
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
        gc.unfreeze()  # everything is freed at the end, else the database wrapper reports a leak
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
    """A failure in words. An unexpected failure is reported too, instead of ending the app with everything open in
    it."""
    return str(error) if isinstance(error, SynergyError) else f"unexpected {type(error).__name__}: {error}"


_ADDING = ("ablate", "scores")
"""Jobs that add scores to the units of existing runs."""


def _states(seen: Seen) -> dict[str, str]:
    return {one["id"]: one["state"] for one in seen.jobs}
