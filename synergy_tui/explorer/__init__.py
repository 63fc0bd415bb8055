"""The explorer: a Textual app over one cache. It is a face like the command line: it reads `store`, starts `jobs`,
draws.

app.py        the app: views, the runs at the left, the actions of every view's keys
header.py     its header line
panels.py     panels: which take keys, which fill the view, how wide they are
session.py    behind it: what is open, what is running, what it remembers
theme.py      the themes: ours, the terminal's, Textual's, the user's
host.py       the app's interface for views, dialogs and widgets
actions.py    the app's own actions; keys.py: the type of an action
open.py       the cache → the tree of runs, and the run to begin with
finding.py    words that the user typed, and words that they may mean
runs.py       the tree of runs at the left
history.py    places that the user visited
selection.py  what all views share: run, score, unit, partner, prompt, marks
run.py        a run in its place: in a cache, or growing in a job
ablations.py  an ablation, finished or growing, as the view shows it
chains.py     jobs that wait for each other, as one row
cards.py      claims cards, filtered and sorted as the user asked
model_rows.py those cards as rows, and their joint analysis
parts.py      the parts of a claims card that are missing, and their cost
state.py      last view, selection, unsaved SQL and pinned sets between two starts
watch.py      the jobs folder and the catalogue → what changed, from a thread
views/        one file per view, on one shared selection; `__init__.py` names them
widgets/      the parts of views: maps, lines of text, plots, tables
dialogs/      screens that open above a view and answer a question
telling.py    one unit, one score, one run → words and numbers
answers.py    an intact and an ablated answer side by side
help.py       the words behind `?`
sparing.py    fewer bytes for a repaint
served.py     the explorer in a browser: a server that admits visitors with a token
remake.py     a view → the command and the Python that remake it, its table as CSV and Parquet
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synergy_tui.settings import Settings


def explore(settings: Settings, run: str | None = None) -> int:
    """Runs the explorer until the user leaves; returns the exit code. `run`: the run to open instead of the last one.
    Raises CacheError when the cache cannot be used."""
    from textual import constants

    # Textual reads these once, when it is first imported. It declares them final and has no other switch for them.
    constants.TEXTUAL_ANIMATIONS = "none"  # type: ignore[misc]  # every frame is a repaint, often over SSH
    constants.MAX_FPS = 120  # type: ignore[misc]  # the screen waits half as long for its next frame; idle costs nothing
    systems = {"none": "auto", "16": "standard", "256": "256", "truecolor": "truecolor", None: constants.COLOR_SYSTEM}
    constants.COLOR_SYSTEM = systems[settings.colour]  # type: ignore[misc]
    from synergy_tui.explorer import sparing
    from synergy_tui.explorer.app import Explorer

    sparing.install()
    app = Explorer(settings, run)
    app.run()
    return app.return_code or 0
