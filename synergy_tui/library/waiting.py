"""A job's stages during the wait: bars in a terminal, lines in a pipe, one changing output in notebooks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from synergy_tui.drawing import progress as drawn
from synergy_tui.library import shown

Show = Callable[[str, dict[str, Any]], None]

AT_MOST = 0.25
"""Seconds between two changes of an output: a notebook keeps everything it receives for a while."""

WIDTH = 96


@contextmanager
def stages(progress: bool) -> Iterator[Show]:
    """A function to call with each job's status."""
    if not progress:
        yield lambda job, status: None
    elif (send := _notebook()) is not None:
        board = Board(send)
        yield board.show
        board.send()
    else:
        from rich.console import Console

        with drawn.StagePrinter(Console(stderr=True, highlight=False)) as printer:
            yield printer.show


class Board:
    """The stages of jobs as a growing list; send: shows HTML in place of the previous HTML."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send, self._sent, self._at = send, "", 0.0
        self._lines: dict[tuple[str, int], str] = {}

    def show(self, job: str, status: dict[str, Any]) -> None:
        """Updates the list to a job's status."""
        stages = status["stages"]
        for place, stage in enumerate(stages):
            ended = bool(stage.get("ended")) or place < len(stages) - 1
            line = drawn.done(stage, WIDTH) if ended else drawn.running(stage, WIDTH)
            self._lines[job, place] = line.plain
        if time.monotonic() - self._at > AT_MOST:
            self.send()

    def send(self) -> None:
        """Shows the list if it has changed."""
        page = f"<pre>{shown.text_lines(self._lines.values())}</pre>"
        if page != self._sent:
            self._send(page)
            self._sent, self._at = page, time.monotonic()


def _notebook() -> Callable[[str], None] | None:
    """A function that changes this cell's output; None outside a notebook. It imports no notebook library: code in a
    notebook has it loaded."""
    marimo, ipython = sys.modules.get("marimo"), sys.modules.get("IPython")
    if marimo is not None and marimo.running_in_notebook():
        return lambda page: marimo.output.replace(marimo.Html(page))
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)
    return lambda page: handle.update(HTML(page))
