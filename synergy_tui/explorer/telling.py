"""One unit, one score, one run → words and numbers, the same in every view."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from synergy_tui.drawing.plots import spark
from synergy_tui.explorer.help import MEANINGS, doubt_of
from synergy_tui.terms import RANKINGS

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Run, Score
    from synergy_tui.explorer.widgets.ink import Ink


def number(value: float | None, signed: bool = False) -> str:
    """A number in few columns; n/a where there is none."""
    if value is None or not math.isfinite(value):
        return "n/a"
    sign = "+" if signed else ""
    if value and not 0.001 <= abs(value) < 10_000:
        return f"{value:{sign}.2e}"
    return f"{value:{sign}.3g}"


def wrapped(text: str, width: int) -> list[Text]:
    """Words in lines."""
    return [Text(" " + line) for line in textwrap.wrap(text, max(width - 2, 20))] or [Text()]


def _end(score: Score, value: float) -> str:
    """The end of an interval: of a ranking on its scale from 0 to 1, otherwise as any number."""
    return f"{value:.2f}" if score.kind == "ranking" else number(value)


def readout(run: Run, unit: int, name: str, brief: bool = False) -> Text:
    """What is under the cursor, as numbers: never a colour alone. brief: without what the panel of the unit says."""
    score = run.scores[name]
    line = Text.assemble((f" {run.name(unit):<6}", "bold"), f" {name} ", (number(float(score.shown[unit])), "bold"))
    if math.isfinite(score.low[unit]):
        line.append(f" [{_end(score, score.low[unit])}, {_end(score, score.high[unit])}]")
    if score.kind == "ranking":
        line.append(f"  raw {number(float(score.values[unit]), True)}")
    if brief:
        return line.append(f" {score.unit}")
    for word in ("sts", "rtr", "excess"):
        if word in run.scores and word != name:
            line.append(f"  {word} {number(float(run.scores[word].values[unit]), word == 'excess')}")
    line.append(" nats" if "sts" in run.scores else "")
    return line


def contrast(run: Run, name: str) -> Text:
    """The middle layers against the others, with what explains it."""
    found = run.contrasts.get(name)
    line = Text(" ")
    if found is not None and found["contrast"] is not None:
        line.append(f"contrast {found['contrast']:+.2f}")
        if found["low"] is not None:
            line.append(f" [{found['low']:+.2f}, {found['high']:+.2f}]")
        line.append("   ")
    if run.tested and not run.unready:
        nulls = run.row["nulls"]
        which = "both nulls" if len(nulls) > 1 else nulls[0]
        line.append(f"{int(run.above_null().sum())} of {run.units} units above {which}")
    return line


def panel(run: Run, unit: int, ink: Ink) -> list[Text]:
    """A unit's numbers in a column."""
    lines = [Text.assemble((f"Head {run.name(unit)}", "bold"), f"  of {run.layers} × {run.per_layer}"), Text()]
    for name, score in run.scores.items():
        if name in RANKINGS or run.unready:
            lines.append(_ranked(run, unit, name, score))
    lines.append(Text())
    for name, word in (("sts", "synergy"), ("rtr", "redundancy"), ("tdmi", "TDMI"), ("offset", "offset")):
        if name in run.scores:
            lines.append(_line(word, float(run.scores[name].values[unit]), "nats"))
    for name in ("autocorrelation", "norm"):
        if name in run.scores:
            lines.append(_line(name, float(run.scores[name].values[unit]), ""))
    return lines


def company(
    run: Run, unit: int, partners: list[tuple[int, float]], activity: list[float], prompt: int, ink: Ink
) -> list[Text]:
    """What is read once the cursor rests: a unit's strongest partners by synergy, and its activity in one row. It names
    the unit, so that it stays true while the cursor moves on."""
    lines = [Text(), Text(f"strongest partners of {run.name(unit)}, sts", ink.dim)]
    strongest = max((value for _, value in partners), default=0.0)
    for partner, value in partners:
        bar = ("#" if ink.ascii else "▇") * max(round(5 * value / strongest), 0) if strongest > 0 else ""
        lines.append(Text(f"{run.name(partner):>7} {bar:<5} {number(value)}"))
    lines += [Text(), Text(f"activity of {run.name(unit)}, prompt {prompt}", ink.dim)]
    signs = "._-=+*#%" if ink.ascii else "▁▂▃▄▅▆▇█"
    return [*lines, Text(spark(activity, 26, signs))]


# One style a line: over SSH every change of style costs more than the number.


def _ranked(run: Run, unit: int, name: str, score: Score) -> Text:
    found = run.place_in(name, unit)
    place = f"  {found[0]}/{found[1]}" if found else ""
    return Text(f"{name:<16}{number(float(score.shown[unit])):>6}{place}")


def _line(word: str, value: float, unit: str) -> Text:
    return Text(f"{word:<16}{number(value):>8} {unit}")


def about_unit(run: Run, unit: int, name: str) -> list[str]:
    """What is under the cursor and what to doubt about it, in sentences."""
    score = run.scores[name]
    value = number(float(score.shown[unit]))
    found = run.place_in(name, unit)
    where = f", place {found[0]} of {found[1]} from the synergistic side" if found and score.kind == "ranking" else ""
    sentences = [f"Head {run.name(unit)} has {name} {value}{where}.", f"{name}: {MEANINGS.get(name, 'a score.')}"]
    excess = run.scores.get("excess")
    if excess is not None and math.isfinite(excess.values[unit]):
        above = excess.values[unit] > 0
        sentences.append(
            f"Its synergy is {number(abs(float(excess.values[unit])))} nats "
            + ("above" if above else "below")
            + f" its null ({run.null})."
        )
    if not math.isfinite(score.shown[unit]):
        sentences.append("It has no value: none of its pairs was valid. pairs.reason in SQL tells why.")
    return [*sentences, *doubt_of(run, name)]
