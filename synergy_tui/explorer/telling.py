"""One unit, one score, one run → words and numbers, the same in every view."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from synergy_tui.drawing.naming import in_middle, shortened, sides
from synergy_tui.drawing.plots import spark
from synergy_tui.drawing.tables import printable
from synergy_tui.explorer.help import MEANINGS, doubt_of
from synergy_tui.terms import BASELINES, NO_SERIES, RANKINGS

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Run, Score
    from synergy_tui.explorer.widgets.ink import Ink
    from synergy_tui.units import Naming


SIDE = 20
"""Columns of a group's name in a title."""


def number(value: float | None, signed: bool = False) -> str:
    """A number in few columns; n/a without a value."""
    if value is None or not math.isfinite(value):
        return "n/a"
    sign = "+" if signed else ""
    if value and not 0.001 <= abs(value) < 10_000:
        return f"{value:{sign}.2e}"
    return f"{value:{sign}.3g}"


def aligned(values: Sequence[float], signed: bool = False) -> list[str]:
    """Numbers of one kind with the same decimals, so that they can be compared down a column: four figures of the
    largest, so that smaller ones keep some. n/a without a value."""
    reach = max((abs(one) for one in values if math.isfinite(one)), default=0.0)
    decimals = min(max(3 - math.floor(math.log10(reach)), 0), 9) if reach > 0 else 2
    if reach and not 1e-6 <= reach < 1e7:
        return [number(one, signed) for one in values]
    sign = "+" if signed else ""
    return [f"{one:{sign}.{decimals}f}" if math.isfinite(one) else "n/a" for one in values]


def wrapped(text: str, width: int) -> list[Text]:
    """Words in lines."""
    return [Text(" " + line) for line in textwrap.wrap(text, max(width - 2, 20))] or [Text()]


def whole_words(text: str, width: int) -> str:
    """As many words of a text as fit; `…` stands for the rest."""
    if len(text) <= width:
        return text
    cut = text[: max(width - 1, 1)].rpartition(" ")[0] or text[: max(width - 2, 0)]
    return f"{cut.rstrip(',')} …"[: max(width, 0)]


def paragraphs(texts: Sequence[str], width: int, rows: int) -> list[Text]:
    """Texts in lines with a blank line between them: the first, and as many more as fit whole into `rows`."""
    lines: list[Text] = []
    for text in texts:
        more = [*([Text()] if lines else []), *wrapped(text, width)]
        if lines and len(lines) + len(more) > rows:
            break
        lines += more
    return lines


def flowing(parts: Sequence[Text], width: int) -> list[Text]:
    """Parts side by side in as many lines as needed, each part whole."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + 2 + part.cell_len <= width:
            lines[-1].append("  ").append_text(part)
        else:
            lines.append(Text(" ").append_text(part))
    return lines


def fitting(parts: Sequence[str], width: int, gap: str = "   ") -> str:
    """The first parts that fit side by side, each whole."""
    line = f" {parts[0]}" if parts else ""
    for part in parts[1:]:
        if cell_len(line) + len(gap) + cell_len(part) > width:
            break
        line += gap + part
    return line


def _end(score: Score, value: float) -> str:
    """The end of an interval: for a ranking on its scale from 0 to 1, otherwise as any number."""
    return f"{value:.2f}" if score.kind == "ranking" else number(value)


def readout(run: Run, unit: int, name: str, brief: bool = False, width: int | None = None) -> Text:
    """What is under the cursor, as numbers: never only a colour. brief: without the content of the unit's panel.
    width: available columns; parts that do not fit are left out whole."""
    score = run.scores[name]
    value, ends, raw = number(float(score.shown[unit])), "", ""
    if math.isfinite(score.low[unit]):
        ends = f" [{_end(score, score.low[unit])}, {_end(score, score.high[unit])}]"
    if score.kind == "ranking":
        raw = f"  raw {number(float(score.values[unit]), True)}"
    who = run.name(unit)
    if run.naming.names:
        room = 10_000 if width is None else width - len(f"  {name} {value}{ends}{raw}")
        who = fitting_name(run.naming, unit, room)
    line = Text.assemble((f" {who:<6}", "bold"), f" {name} ", (value, "bold"), ends, raw)
    if brief:
        return line.append(f" {score.unit}")
    for word in ("sts", "rtr", "excess"):
        if word in run.scores and word != name:
            part = f"  {word} {number(float(run.scores[word].values[unit]), word == 'excess')} nats"
            if width is None or line.cell_len + len(part) <= width:
                line.append(part)
    return line


def fitting_name(naming: Naming, unit: int, width: int) -> str:
    """A unit's name and place, or only its name, or as much of the name as fits."""
    told = printable(naming.told(unit))
    return told if cell_len(told) <= width else in_middle(printable(naming.called(unit)), max(width, 8))


def contrast(run: Run, name: str) -> list[str]:
    """The middle layers, or the chosen groups, against the others, and how many units are above their null."""
    found = run.contrasts.get(name)
    out = []
    if found is not None and found["contrast"] is not None:
        ends = "" if found["low"] is None else f" [{found['low']:+.2f}, {found['high']:+.2f}]"
        chosen = sides(run.naming, run.row.get("compared"))
        of = "contrast" if chosen is None else f"{in_middle(chosen[0], SIDE)} : {in_middle(chosen[1], SIDE)}"
        out.append(f"{of} {found['contrast']:+.2f}{ends}")
    if run.tested and not run.unready:
        nulls = run.row["nulls"]
        which = "both nulls" if len(nulls) > 1 else nulls[0]
        out.append(f"{int(run.above_null().sum())} of {run.count} above {which}")
    return out


def below(run: Run, unit: int, name: str, activity: list[float], prompt: int, width: int, ink: Ink) -> list[Text]:
    """A unit's place among all units, and its activity over one response, each over the whole width."""
    import numpy as np  # not at the top: the first paint does without it

    score, signs = run.scores[name], "._-=+*#%" if ink.ascii else "▁▂▃▄▅▆▇█"
    room, known, lines = max(width - 2, 10), score.known, [Text()]
    if len(known) > 1 and known.max() > known.min():
        counts, edges = np.histogram(known, bins=min(room, 60))
        wide = max(room // len(counts), 1)
        most = counts.max()
        drawn = "".join((signs[min(int(one * 8 / most), 7)] if one else " ") * wide for one in counts)
        lines.append(
            Text(f" {name} of all {len(known)} units, from {number(edges[0])} to {number(edges[-1])}", ink.dim)
        )
        lines.append(Text(f" {drawn}"))
        value = float(score.shown[unit])
        if math.isfinite(value):
            place = min(int((value - edges[0]) / (edges[-1] - edges[0]) * len(counts)), len(counts) - 1)
            at, who = 1 + place * wide, in_middle(run.name(unit), room // 2)
            beside = f"{' ' * at}{ink.plain('▲')} {who}"
            if run.naming.names and cell_len(beside) > width:
                beside = f"{' ' * (at - cell_len(who) - 1)}{who} {ink.plain('▲')}"
            lines.append(Text(beside, "bold"))
    if run.of_pairs:
        return [*lines, *wrapped(f"There are {NO_SERIES}.", width)]
    lines.append(Text(f" activity of {in_middle(run.name(unit), room - 24)} over prompt {prompt}", ink.dim))
    lines.append(Text(f" {spark(activity, room, signs)}") if activity else Text(" …", ink.dim))
    return lines


def panel(run: Run, unit: int, ink: Ink, width: int = 30) -> list[Text]:
    """A unit's numbers in a column. width: columns for its name, which may take several lines."""
    lines = [*_heading(run, unit, max(width, 20)), Text()]
    for name, score in run.scores.items():
        if name in RANKINGS or run.unready:
            lines.append(_ranked(run, unit, name, score))
    lines.append(Text())
    words = {"sts": "synergy", "rtr": "redundancy", "tdmi": "TDMI", "offset": "offset"}
    nats = {word: float(run.scores[name].values[unit]) for name, word in words.items() if name in run.scores}
    for word, told in zip(nats, aligned(list(nats.values())), strict=True):
        lines.append(Text(f"{word:<16}{told:>8} nats"))
    for name in ("autocorrelation", "norm", *BASELINES):
        if name in run.scores:
            told = number(float(run.scores[name].values[unit]))
            lines.append(Text(f"{name:<16}{told:>{24 - max(len(name), 16)}}"))
    return lines


def _heading(run: Run, unit: int, width: int) -> list[Text]:
    """A unit's whole name, and its place on the map."""
    kind, shape = run.unit_called.capitalize(), f"{run.layers} × {run.per_layer}"
    if not run.groups and not run.naming.names:
        of = shape if run.count == run.units else f"{run.count} in {run.layers} layers"
        return [Text.assemble((f"{kind} {run.name(unit)}", "bold"), f"  of {of}")]
    named = [Text(line, "bold") for line in textwrap.wrap(f"{kind} {run.name(unit)}", width)]
    where = f"{run.place_of(unit)} of {run.count} in {run.layers} {run.layers_called}"
    return [*named, *(Text(line) for line in textwrap.wrap(where, width))]


def company(
    run: Run, unit: int, partners: list[tuple[int, float]], activity: list[float], prompt: int, ink: Ink
) -> list[Text]:
    """The lines that are read once the cursor rests: a unit's strongest partners by synergy, and its activity in one
    row. They name the unit, so that they stay true while the cursor moves on."""
    lines = [Text(), *(Text(one, ink.dim) for one in _lines(f"strongest partners of {run.name(unit)}, sts"))]
    names = dict(zip((one for one, _ in partners), shortened([run.name(one) for one, _ in partners], 15), strict=True))
    wide = max([7, *map(cell_len, names.values())])
    strongest = max((value for _, value in partners), default=0.0)
    for (partner, value), told in zip(partners, aligned([one for _, one in partners]), strict=True):
        bar = ("#" if ink.ascii else "▇") * max(round(5 * value / strongest), 0) if strongest > 0 else ""
        lines.append(Text(f"{' ' * (wide - cell_len(names[partner]))}{names[partner]} {bar:<5} {told}"))
    if run.of_pairs:
        return lines
    lines += [Text(), *(Text(one, ink.dim) for one in _lines(f"activity of {run.name(unit)}, prompt {prompt}"))]
    signs = "._-=+*#%" if ink.ascii else "▁▂▃▄▅▆▇█"
    return [*lines, Text(spark(activity, 26, signs))]


def _lines(words: str) -> list[str]:
    """Words in the columns of the unit's panel."""
    return textwrap.wrap(words, 31)


def reading(run: Run, name: str, width: int, rows: int, ink: Ink) -> list[Text]:
    """What the map of a ranking says, and whether to believe it, in the command line's words: whole sentences in at
    most `rows` rows."""
    if name not in run.contrasts or run.unready or run.partial is not None:
        return []
    from synergy_tui.drawing.atlas import Atlas
    from synergy_tui.drawing.atlas import reading as read

    lines = [Text(), Text("what the map says", ink.dim)]
    for sentence in read(Atlas(run, name, run.place.sample))[:2]:
        more = [Text(line) for line in textwrap.wrap(sentence.plain, width)]
        if len(lines) + len(more) > rows:
            break
        lines += more
    return lines if len(lines) > 2 else []


# One style per line: over SSH every change of style costs more than the number.


def _ranked(run: Run, unit: int, name: str, score: Score) -> Text:
    found = run.place_in(name, unit)
    place = f"  {found[0]}/{found[1]}" if found else ""
    return Text(f"{name:<16}{number(float(score.shown[unit])):>6}{place}")


def about_unit(run: Run, unit: int, name: str) -> list[str]:
    """What is under the cursor and what to doubt about it, in sentences."""
    score = run.scores.get(name)
    if score is None:
        return [f"{run.unit_called.capitalize()} {run.told(unit)} has no {name}: the run is not decomposed."]
    value = number(float(score.shown[unit]))
    found = run.place_in(name, unit)
    where = f", place {found[0]} of {found[1]} from the synergistic side" if found and score.kind == "ranking" else ""
    sentences = [
        f"{run.unit_called.capitalize()} {run.told(unit)} has {name} {value}{where}.",
        f"{name}: {MEANINGS.get(name, 'a score.')}",
    ]
    excess = run.scores.get("excess")
    if excess is not None and math.isfinite(excess.values[unit]):
        above = excess.values[unit] > 0
        sentences.append(
            f"Its synergy is {number(abs(float(excess.values[unit])))} nats "
            + ("above" if above else "below")
            + f" its null ({run.null})."
        )
    if not math.isfinite(score.shown[unit]):
        why = "none of its pairs was valid. pairs.reason in SQL tells why."
        if name in BASELINES:
            why = "scorings.reasons in SQL tells why."
        sentences.append(f"It has no value: {why}")
    return [*sentences, *doubt_of(run, name)]
