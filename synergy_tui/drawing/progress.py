"""A job's stages as they pass: a bar with rate and time left on a terminal, a line per stage elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from synergy_tui.drawing.tables import cut, printable

NAME, DETAIL, FIGURES = 9, 34, 26
"""Columns of a stage's name, of what it works on (if there is room), and of its figures."""

SHORTEST = 8
"""Fewest columns of what a stage works on; below it bar and rate give way first."""


class StagePrinter:
    """Draws statuses in the order of their jobs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ended: set[tuple[str, int]] = set()
        self._stages: dict[tuple[str, int], dict[str, Any]] = {}
        self._live = Live(self, console=console, auto_refresh=False)

    def __enter__(self) -> StagePrinter:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The stages under way."""
        yield from (running(stage, options.max_width) for stage in self._stages.values())

    def show(self, job: str, status: dict[str, Any]) -> None:
        """Updates the drawing to a job's status. Ended stages stand above running ones and no longer change."""
        stages = status["stages"]
        for place, stage in enumerate(stages):
            key, ended = (job, place), bool(stage.get("ended")) or place < len(stages) - 1
            if key in self._ended:
                continue
            if ended:
                self._ended.add(key)
                self._stages.pop(key, None)
                width = self._console.width if self._console.is_terminal else None
                self._console.print(done(stage, width), highlight=False, soft_wrap=True)
            else:
                self._stages[key] = stage
        if self._console.is_terminal:
            self._live.refresh()


def running(stage: dict[str, Any], width: int) -> Text:
    """A stage under way in one line of at most `width` columns. Its name, its share and the time left stay whole; what
    it works on is shortened first, then bar and rate go."""
    share = stage["done"] / stage["total"] if stage["total"] else None
    left = [f"{_time(stage['seconds'] / share - stage['seconds'])} left"] if share and share > 0.02 else []
    told = [] if share is None else [f"{share:4.0%}"]
    long = 24 if width >= 100 else SHORTEST
    for bar, rate in ((long, _rate(stage)), (0, _rate(stage)), (0, [])):
        figures = "  ".join([*told, *rate, *left]) if told else ""
        room = width - _margin(stage) - (bar + 1) * (share is not None) - 1
        wanted = room if share is None else min(DETAIL, room - max(FIGURES, len(figures)))
        detail = _detail(stage, wanted, room - len(figures))
        if detail is not None:
            break
    line = Text(f" {stage['name']:<{NAME}} {detail or ''}", no_wrap=True, overflow="crop")
    for part, style in _bar(share or 0.0, bar if share is not None else 0):
        line.append(part, style)
    return line.append(f" {figures}" if figures else "")


def done(stage: dict[str, Any], width: int | None) -> Text:
    """A stage that has ended, in one line of at most `width` columns."""
    kept = [f"({_whole(stage['kept'])} {stage['unit']} kept from before)"] if stage.get("kept") else []
    rate = _rate(stage) if stage["seconds"] >= 1 else []
    if width is None:
        figures = "  ".join(["done", _time(stage["seconds"]), *rate, *kept])
        return Text(f" {stage['name']:<{NAME}} {printable(stage['detail'])}  {figures}")
    for more in ([*rate, *kept], kept, []):
        figures = "  ".join(["done", _time(stage["seconds"]), *more])
        room = width - _margin(stage) - 2
        # Figures align with the previous stages' figures if they have room.
        column = min(DETAIL, room - FIGURES - SHORTEST - 1) + (24 if width >= 100 else SHORTEST) + 1
        column = max(column, cell_len(printable(stage["detail"])))
        detail = _detail(stage, min(column, room - len(figures)), room - len(figures))
        if detail is not None:
            break
    return Text(f" {stage['name']:<{NAME}} {detail or ''}  {figures}", no_wrap=True, overflow="crop")


def _margin(stage: dict[str, Any]) -> int:
    """Columns of a stage's name and the blanks about it."""
    return max(cell_len(stage["name"]), NAME) + 2


def _detail(stage: dict[str, Any], wanted: int, room: int) -> str | None:
    """What a stage works on, in the wanted columns or in the available room; None if that is too little."""
    text = printable(stage["detail"])
    size = max(wanted, min(room, SHORTEST, cell_len(text)), 0)
    if size < min(SHORTEST, cell_len(text)) or size > room:
        return None
    text = cut(text, size)
    return text + " " * (size - cell_len(text))


def _bar(share: float, width: int) -> Iterator[tuple[str, str]]:
    """A bar in halves of columns, after a blank."""
    if not width:
        return
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    full = "━" * (halves // 2) + "╸" * (halves % 2)
    yield f" {full}", "bar.finished" if share >= 1 else "bar.complete"
    yield " " * (width - len(full)), ""


def _rate(stage: dict[str, Any]) -> list[str]:
    return [f"{_whole(stage['rate'])} {stage['unit']}/s"] if stage["rate"] else []


def _whole(number: float) -> str:
    if number >= 10_000:
        return f"{number / 1000:,.0f}k"
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
