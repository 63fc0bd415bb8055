"""A job's stages as they pass: a bar with rate and time left on a terminal, a line per stage elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from synergy_tui.drawing.tables import printable


class StagePrinter:
    """Draws the statuses it is shown, in the order of their jobs, on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[tuple[str, int], TaskID | None] = {}
        self._ended: set[tuple[str, int]] = set()
        self._progress = Progress(
            TextColumn(" {task.fields[stage]:<9}"),
            TextColumn("{task.fields[detail]:<34}", table_column=Column(no_wrap=True)),
            _Bar(bar_width=24 if console.width >= 100 else 8),
            _Figures(table_column=Column(no_wrap=True)),
            console=console,
            auto_refresh=False,
        )

    def __enter__(self) -> StagePrinter:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def show(self, job: str, status: dict[str, Any]) -> None:
        """Brings the drawing up to a job's status."""
        stages = status["stages"]
        for place, stage in enumerate(stages):
            key, ended = (job, place), bool(stage.get("ended")) or place < len(stages) - 1
            if key in self._ended:
                continue
            if ended:
                self._ended.add(key)
            if self._console.is_terminal:
                self._draw(key, stage, ended)
            elif ended:
                self._console.print(
                    f" {stage['name']:<9} {printable(stage['detail'])}  {_done(stage)}", highlight=False, soft_wrap=True
                )

    def _draw(self, key: tuple[str, int], stage: dict[str, Any], ended: bool) -> None:
        task = self._seen.get(key)
        if task is None:
            task = self._seen[key] = self._progress.add_task(
                "", total=None, stage="", detail="", figures="", ended=False
            )
        total = stage["total"] or None
        self._progress.update(
            task,
            stage=stage["name"],
            detail=printable(stage["detail"]),
            total=total,
            completed=stage["done"],
            figures=_done(stage) if ended else _running(stage),
            ended=ended,
            refresh=True,
        )


class _Bar(BarColumn):
    def render(self, task: Any) -> Any:
        return Text("") if task.fields["ended"] or task.total is None else super().render(task)


class _Figures(ProgressColumn):
    def render(self, task: Any) -> Text:
        return Text(task.fields["figures"])


def _done(stage: dict[str, Any]) -> str:
    rate = f"  {_rate(stage)}" if stage["rate"] and stage["seconds"] >= 1 else ""
    kept = f"  ({_whole(stage['kept'])} {stage['unit']} kept from before)" if stage.get("kept") else ""
    return f"done  {_time(stage['seconds'])}{rate}{kept}"


def _running(stage: dict[str, Any]) -> str:
    if not stage["total"]:
        return ""
    share = stage["done"] / stage["total"]
    left = f"  {_time(stage['seconds'] / share - stage['seconds'])} left" if share > 0.02 else ""
    rate = f"  {_rate(stage)}" if stage["rate"] else ""
    return f"{share:4.0%}{rate}{left}"


def _rate(stage: dict[str, Any]) -> str:
    return f"{_whole(stage['rate'])} {stage['unit']}/s"


def _whole(number: float) -> str:
    if number >= 10_000:
        return f"{number / 1000:,.0f}k"
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
