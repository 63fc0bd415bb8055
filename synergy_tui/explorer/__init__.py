"""The explorer: a Textual app over one cache. A face like the command line: it reads `store`, starts `jobs`, draws.

app.py        the app: views, the runs at the left, what the keys of every view do
header.py     its first line
panels.py     panels that take keys, all the room, or more columns
session.py    behind it: what is open, what is running, what is remembered
theme.py      the themes: ours, the terminal's, Textual's, the user's
host.py       what views, dialogs and widgets may ask of the app
actions.py    the app's own actions; keys.py: what an action is
open.py       the cache → the tree of runs, and the run to begin with
finding.py    words that were typed, and words that may be meant
runs.py       the tree of runs at the left
history.py    where the user has been
selection.py  what all views share: run, score, unit, partner, prompt, marks
run.py        a run where it is: in a cache, or growing in a job
ablations.py  an ablation, finished or growing, as the view shows it
chains.py     jobs that wait for each other, as one row
cards.py      claims cards, filtered and sorted as the user asked
model_rows.py those cards as rows, and what they say together
parts.py      the parts of a claims card that are missing, and their cost
state.py      last view, selection, unsaved SQL and pinned sets between two starts
watch.py      the jobs folder and the catalogue → what changed, from a thread
views/        one file per view, on one shared selection; `__init__.py` names them
widgets/      what views are made of: maps, lines of text, plots, tables
dialogs/      what opens above a view and answers a question
telling.py    one unit, one score, one run → words and numbers
answers.py    an intact and an ablated answer side by side
help.py       what `?` says
sparing.py    fewer bytes for a repaint
served.py     the explorer in a browser: a server that knows its visitors by a token
remake.py     a view → the command and the Python that remake it, its table as CSV and Parquet
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synergy_tui.settings import Settings


def explore(settings: Settings, run: str | None = None) -> int:
    """Runs the explorer until the user leaves; returns the exit code. `run`: what to open, instead of what was open
    last. Raises CacheError when the cache cannot be used."""
    from textual import constants

    # Textual reads these once, when it is first imported. It declares them final and has no other switch for them.
    constants.TEXTUAL_ANIMATIONS = "none"  # type: ignore[misc]  # every frame is a repaint over somebody's SSH
    constants.MAX_FPS = 120  # type: ignore[misc]  # the screen waits half as long for its next frame; idle costs nothing
    systems = {"none": "auto", "16": "standard", "256": "256", "truecolor": "truecolor", None: constants.COLOR_SYSTEM}
    constants.COLOR_SYSTEM = systems[settings.colour]  # type: ignore[misc]
    from synergy_tui.explorer import sparing
    from synergy_tui.explorer.app import Explorer

    sparing.install()
    app = Explorer(settings, run)
    app.run()
    return app.return_code or 0
