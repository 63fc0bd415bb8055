"""One decomposition as text: the layer × unit map with the layer profile on its rows, the reading, the doubts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from synergy_tui.drawing import scale
from synergy_tui.drawing.doubts import FEW_PROMPTS, Doubt, doubts, line
from synergy_tui.drawing.naming import labels, method, size
from synergy_tui.drawing.tables import printable
from synergy_tui.terms import COUPLED, GEOMETRY, HEADS, IMPORTED, METHOD, NO_SERIES, RANKINGS, UNCALIBRATED_NULLS

if TYPE_CHECKING:
    import numpy as np

    from synergy_tui.store.run import Run

PROFILE_WIDTH = 22


@dataclass(frozen=True)
class Atlas:
    """A run in one of its rankings. sample: whether it is the shipped result."""

    run: Run
    ranking: str
    sample: bool = False

    @property
    def profile(self) -> list[dict[str, Any]]:
        """Rows of layer, value, low and high."""
        return self.run.profiles[self.ranking]

    @property
    def values(self) -> np.ndarray:
        """[layers, units] scaled."""
        return self.run.scores[self.ranking].shown.reshape(self.run.shape)


def draw(atlas: Atlas, console: Console) -> None:
    """Prints title, map with profile, reading and doubts."""
    console.print(title(atlas.run.row, atlas.sample), soft_wrap=not console.is_terminal)
    for row in map_lines(atlas, console.width, scale.palette(console.color_system)):
        console.print(row, no_wrap=True, overflow="crop")
    console.print()
    for sentence in reading(atlas):
        console.print(sentence, soft_wrap=not console.is_terminal)
    console.print(
        Text.assemble(("doubts  ", "bold"), line(_doubts(atlas.run))),
        soft_wrap=not console.is_terminal,
    )


def _doubts(run: Run) -> list[Doubt]:
    return doubts(run.confounds, run.row.get("nulls") or (), run.row.get("valid_prompts"))


def title(run: dict[str, Any], sample: bool) -> Text:
    """Subject, prompts, method and number of valid prompts."""
    return Text.assemble(
        "sample result · " if sample else "",
        (printable(str(run["name"])), "bold"),
        f" · {printable(str(run['tasks']))} {size(run)}",
        f" · {method(run)}",
        f" · {run['valid_prompts']} of {run['prompts']} "
        + ("questions with values" if run["estimator"] == IMPORTED else "prompts long enough"),
        (earlier(run), "bold"),
    )


def earlier(run: dict[str, Any]) -> str:
    """The mark of a result made by an earlier version of the method; empty for others."""
    return "" if run.get("method", METHOD) >= METHOD else " · made by an earlier method: synergy-tui renew"


def mark(run: dict[str, Any]) -> str:
    """The same mark for the beginning of a pane's title, where it is never cut."""
    return "earlier method · " if earlier(run) else ""


def map_lines(atlas: Atlas, width: int, colours: tuple[str, ...]) -> list[Text]:
    """The legend, the unit numbers, and a row per layer with its profile; shades without `colours`."""
    import numpy as np  # imported late: its 0.1 s would delay the explorer's first paint

    layers, units = atlas.values.shape
    named = labels(atlas.run.naming, label_room(width))
    margin = max(map(cell_len, named)) + 2
    room = width - margin - PROFILE_WIDTH - 22
    cell = max(1, min(3, room // units))
    with_profile = room >= units * cell
    spare = (room if with_profile else width - margin) - units * cell
    if spare > 0:
        named = labels(atlas.run.naming, margin - 2 + spare)
        margin = max(map(cell_len, named)) + 2
    centre = float(np.nanmean(atlas.values)) if np.isfinite(atlas.values).any() else 0.5
    reach = reach_of(atlas.profile, centre)
    lines = [_legend(atlas.ranking, colours), _numbers(units, cell, margin, with_profile)]
    for layer in range(layers):
        line = Text(" " * (margin - 1 - cell_len(named[layer])) + f"{named[layer]} ")
        for value, there in zip(atlas.values[layer], atlas.run.there.reshape(layers, units)[layer], strict=True):
            line.append(*(scale.paint(value, cell, colours) if there else (" " * cell, "")))
        if with_profile:
            sides = (colours[1], colours[-2]) if colours else ("", "")
            line.append("  ").append_text(bar(atlas.profile[layer], centre, reach, sides))
        lines.append(line)
    return lines


def label_room(width: int) -> int:
    """Columns out of `width` that a name before a map's row may always take; more if cells and profile leave room."""
    return max(width // 5, 8)


def reading(atlas: Atlas) -> list[Text]:
    """What the profile shows, what it follows, what independent heads would show, what has not been tested yet."""
    main = atlas.run.contrasts[atlas.ranking]
    compared = _compared(atlas.run)
    if atlas.run.no_contrast:
        first = f"There is no contrast: {atlas.run.no_contrast}."
    elif main["contrast"] is None and compared:
        first = f"There is no contrast: {compared[0]} or {compared[1]} has no unit with a value."
    elif main["contrast"] is None:
        first = "There are fewer than three layers, so there is no contrast between middle and ends."
    elif main["low"] is None:
        what_of = f"{compared[0]} against {compared[1]}" if compared else "the middle layers"
        first = f"Contrast of {what_of} {main['contrast']:+.2f}; one prompt gives no interval."
    else:
        one, others = compared or ("the middle third of layers", "the others")
        how = "above" if main["low"] > 0 else "below" if main["high"] < 0 else "not told apart from"
        verb = "are" if compared and "," in compared[0] else "is"
        first = f"{one[0].upper()}{one[1:]} {verb} {how} {others} in {atlas.ranking}: "
        first += f"contrast {_interval(main)} of its scale."
    if atlas.run.row["valid_prompts"] < FEW_PROMPTS:
        first = f"Only {atlas.run.row['valid_prompts']} prompts: take nothing here for stable. {first}"
    follows = atlas.run.confounds.get("synergy~autocorrelation")
    second = "Synergy cannot be compared with autocorrelation here."
    if atlas.run.row["estimator"] == IMPORTED:
        second = "It is a table of pairs: what synergy owes to each unit's memory of itself cannot be told."
    if follows is not None:
        memory = f"so the map may show each {what(atlas.run.row)[:-1]}'s memory of itself rather than coupling"
        second = (
            f"Unit synergy follows autocorrelation with r {follows:+.2f}, {memory if abs(follows) > 0.5 else 'weakly'}."
        )
    more = [Text(one) for one in (*_against_surrogates(atlas), _over_length(atlas), _geometry(atlas.run)) if one]
    return [Text(first), Text(second), *more]


def _compared(run: Run) -> tuple[str, str] | None:
    """The two sides of the contrast, if it does not compare the middle third of layers."""
    if not run.row.get("compared"):
        return None
    above, below = run.naming.compared(run.row["compared"])
    return printable(above), printable(below)


def what(run: dict[str, Any]) -> str:
    """The word for a run's units."""
    kinds = set((run.get("kind") or HEADS[0]).split(","))
    return "heads" if kinds <= set(HEADS) else "units"


def _against_surrogates(atlas: Atlas) -> list[str]:
    """What the nulls say, which nulls could not be run, and the contrast after the surrogates are subtracted."""
    nulls, run = atlas.run.row.get("nulls") or [], atlas.run.row
    failed = [f"{one['null_name']} could not be run: {one['note']}." for one in atlas.run.null_runs if not one["ran"]]
    if run["estimator"] == IMPORTED:
        return [f"There are {NO_SERIES}. This is a map and not a finding."]
    if not nulls:
        return [*failed, "No surrogates have been drawn: this is a map and not yet a finding."]
    told = f"Against {run['surrogates']} surrogates each of {' and '.join(nulls)}"
    if run.get("misleading"):
        told += f", no {what(run)[:-1]} is called coupled: {'; '.join(run['misleading'])}."
    else:
        coupled, up = (atlas.run.confounds.get(name) for name in ("units coupled", "units coupled, more synergy"))
        both = ", under both nulls in one direction" if len(nulls) > 1 else ""
        alone = len(set(nulls) - set(UNCALIBRATED_NULLS)) < 2
        called = "differ from them" if alone else "are coupled"
        told += f", {coupled or 0:.0f} of {atlas.run.count} {what(run)} {called}"
        told += f" (q < {COUPLED}{both})"
        told += f": {up:.0f} with more synergy than uncoupled ones" if coupled and up is not None else ""
        told += f", {coupled - up:.0f} with less." if coupled and up is not None else "."
        told += " To be called coupled takes both nulls: --null prompt-shuffle --null window-roll." if alone else ""
    if set(nulls) & set(UNCALIBRATED_NULLS):
        told += " Not calibrated: for comparison only."
    ends = []
    for name, found in atlas.run.tests.get(atlas.ranking, {}).items():
        interval = "" if found["low"] is None else f" [{found['low']:+.2f}, {found['high']:+.2f}]"
        ends.append(f"{found['difference']:+.2f}{interval} ({name}, {found['prompts']} prompts)")
    contrast = f"The contrast minus that of surrogates on the same prompts: {', '.join(ends)}." if ends else ""
    return [*failed, told, contrast]


def _over_length(atlas: Atlas) -> str:
    """The contrast over the length of responses, with the surrogates' contrast in brackets."""
    points = []
    for one in atlas.run.lengths:
        if one["contrast"] is not None:
            drawn = "" if one["surrogate"] is None else f" ({one['surrogate']:+.2f})"
            points.append(f"{one['steps']} steps {one['contrast']:+.2f}{drawn}")
    if len(points) < 2 or atlas.ranking != RANKINGS[0]:
        return ""
    return f"Contrast over the length of responses, surrogates in brackets: {', '.join(points)}."


def _geometry(run: Run) -> str:
    """Dimension and alignment of the residual stream, layer by layer."""
    told = []
    for name in GEOMETRY:
        if values := [one["value"] for one in run.beside(name)]:
            known = " ".join("n/a" if one is None else f"{one:.3g}" for one in values)
            told.append(f"{name} {known}")
    return f"Behind each layer the residual stream has {'; '.join(told)}." if told else ""


def _interval(row: dict[str, Any]) -> str:
    if row["low"] is None:
        return f"{row['contrast']:+.2f}"
    return f"{row['contrast']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"


def _legend(ranking: str, colours: tuple[str, ...]) -> Text:
    line = Text(f"{ranking}, min–max scaled   redundant ")
    return line.append_text(scale.strip(22, colours)).append(" synergistic")


def _numbers(units: int, cell: int, margin: int, with_profile: bool) -> Text:
    if cell == 1:
        line = "".join(str(unit).ljust(10) for unit in range(0, units, 10))[:units].ljust(units)
    else:
        line = "".join(str(unit)[-cell:].center(cell) for unit in range(units))
    half = PROFILE_WIDTH // 2
    head = f"{'redundant':>{half}}│{'synergistic':<{half}} mean  95 % interval" if with_profile else ""
    return Text(" " * margin + line + "  " + head, "dim")


def reach_of(profile: Sequence[dict[str, Any]], centre: float) -> float:
    """The largest distance of a mean or an interval's end from the centre."""
    ends = [row[name] for row in profile for name in ("value", "low", "high") if row.get(name) is not None]
    return max((abs(one - centre) for one in ends), default=0.0)


def bar(
    row: dict[str, Any],
    centre: float,
    reach: float,
    sides: tuple[str, str],
    width: int = PROFILE_WIDTH,
    quiet: str | Style = "dim",
) -> Text:
    """A layer's mean on a scale whose middle is the centre (see `whisker`), and in numbers. quiet: the style of the
    interval's numbers."""
    value, low, high = row["value"], row.get("low"), row.get("high")
    if value is None:
        return Text(" " * (width // 2) + "│" + " " * (width // 2) + "   n/a", quiet)
    line = whisker(value, low, high, centre, reach, sides, width).append(f" {_number(value)}", "bold")
    if low is None or high is None:
        return line
    decimals = 2 if low > -10 and high < 10 else 1  # five columns an end, also where numbers are larger
    return line.append(f"  [{low:.{decimals}f}, {high:.{decimals}f}]", quiet)


def whisker(
    value: float,
    low: float | None,
    high: float | None,
    centre: float,
    reach: float,
    sides: tuple[str, str],
    width: int = PROFILE_WIDTH,
) -> Text:
    """A point on a scale from centre − reach to centre + reach with its interval as a whisker, or with a line from the
    centre if it has no interval. sides: the styles below and above the centre; neither is used if the interval contains
    the centre. width: of the scale, without the centre's column."""
    half = width // 2

    def column(one: float) -> int:
        return half + (min(max(round(half * (one - centre) / reach), -half), half) if reach else 0)

    signs, at = [" "] * (2 * half + 1), column(value)
    signs[half] = "│"
    if low is None or high is None:
        first, last = min(at, half), max(at, half)
        signs[min(at, half + 1) : max(at, half - 1) + 1] = "━" * abs(at - half)
    else:
        first, last = column(low), column(high)
        signs[first : last + 1] = "─" * (last - first + 1)
        if first < half < last:
            signs[half] = "┼"
        if first < at:
            signs[first] = "├"
        if last > at:
            signs[last] = "┤"
    signs[at] = "●"
    line = Text("".join(signs))
    apart = not low <= centre <= high if low is not None and high is not None else value != centre
    if apart:  # a colour shows the side, so there is none if the side is not known
        line.stylize(sides[1] if value >= centre else sides[0], first, last + 1)
    return line


def _number(value: float) -> str:
    """A number in four columns if they suffice."""
    if not (0.005 <= abs(value) < 100 or value == 0):
        return f"{value:.1e}"
    return f"{value:4.2f}" if abs(value) < 9.995 else f"{value:4.1f}"
