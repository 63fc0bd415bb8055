"""What all figures have in common: widths, type, the colours of the terminal on paper, and short words."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from synergy_tui.drawing import scale
from synergy_tui.drawing.tables import printable
from synergy_tui.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTHS = {"column": 3.5, "page": 7.2}
"""Inches of a journal's column and of its page."""

LEAST, MOST = 2.0, 20.0
"""Least and greatest width in inches."""

WIDE = 5.0
"""Inches of width from which panels stand side by side instead of one above the other."""

TALLEST = 9.0
"""Inches of a page's height."""

TYPE, SMALL = 7.5, 6.5
"""Points of labels, and of smaller words beside them."""

FONT = "DejaVu Sans"
"""The default font: it comes with matplotlib, so that a figure is the same on every machine."""

OTHER_SCRIPTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Sans", "Noto Emoji", "Unifont")
"""Families with signs that a font may lack; installed ones are used."""

BAR = 0.075
"""Inches of a scale's height."""

LONGEST = 28
"""Characters of a name beside an axis."""

DIVERGING, MORE = True, False


@dataclass(frozen=True)
class Paper:
    """The paper of a figure. width: inches. dark: whether its ground is dark."""

    width: float = WIDTHS["column"]
    dark: bool = False
    font: str | None = None

    @classmethod
    def of(cls, width: str | float, dark: bool, font: str | None) -> Paper:
        """The paper. Raises UsageError for an invalid width, and for a font that is not installed."""
        if font is not None and font not in fontManager.get_font_names():
            raise UsageError(f"the font {font[:60]!r} is not installed here", f"install it, or leave it out: {FONT}")
        try:
            inches = WIDTHS[width] if isinstance(width, str) and width in WIDTHS else float(width)
        except ValueError:
            inches = math.nan
        if not LEAST <= inches <= MOST:
            raise UsageError(
                f"{str(width)[:40]!r} is not a width of a figure",
                f"use {', '.join(WIDTHS)}, or inches from {LEAST:g} to {MOST:g}",
            )
        return cls(inches, dark, font)

    @property
    def wide(self) -> bool:
        """Whether panels have room beside each other."""
        return self.width >= WIDE

    @property
    def ground(self) -> str:
        """Colour of the ground."""
        return "#121212" if self.dark else "#ffffff"

    @property
    def ink(self) -> str:
        """Colour of words and axes."""
        return "#d0d0d0" if self.dark else "#262626"

    @property
    def quiet(self) -> str:
        """Colour of things in the background."""
        return "#8a8a8a" if self.dark else "#6c6c6c"

    @property
    def faint(self) -> str:
        """Colour of areas under everything else."""
        return "#262626" if self.dark else "#eeeeee"

    @property
    def warm(self) -> str:
        """Of synergy."""
        return self.colour(208)

    @property
    def cool(self) -> str:
        """Of redundancy."""
        return self.colour(32)

    def colour(self, colour: int | None) -> str:
        """One of the terminal's 256 colours on this ground."""
        from rich.color import Color

        colour = 252 if colour is None else colour
        return Color.from_ansi(colour if self.dark else scale.on_light(colour)).get_truecolor().hex

    def colours(self, diverging: bool) -> Colormap:
        """The terminal's scale in its finest steps; missing values have the colour of the ground."""
        steps = ListedColormap(list(scale.palette("truecolor", diverging, self.dark)), "synergy")
        return steps.with_extremes(bad=(0, 0, 0, 0))


def settings(paper: Paper) -> dict[str, Any]:
    """matplotlib's settings, whatever the user's own are."""
    ours: dict[str, Any] = {
        key: value
        for key, value in dict.items(matplotlib.rcParamsDefault)
        if not key.startswith(("backend", "toolbar", "interactive", "webagg", "keymap", "timezone", "date"))
    }
    installed = set(fontManager.get_font_names())
    ours |= {
        "font.family": [one for one in (paper.font, FONT, *OTHER_SCRIPTS) if one in installed],
        "font.size": TYPE,
        "axes.labelsize": TYPE,
        "axes.titlesize": TYPE,
        "axes.titlelocation": "left",
        "axes.titlepad": 4.0,
        "axes.labelpad": 2.5,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "legend.handlelength": 1.4,
        "legend.labelspacing": 0.25,
        "legend.borderaxespad": 0.2,
        "lines.linewidth": 1.2,
        "lines.markersize": 3.0,
        "hatch.linewidth": 0.4,
        "image.interpolation": "none",
        "text.parse_math": False,
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": "synergy-tui",
        "figure.facecolor": paper.ground,
        "savefig.facecolor": paper.ground,
        "axes.facecolor": paper.ground,
    }
    for name in ("xtick", "ytick"):
        ours |= {f"{name}.labelsize": SMALL, f"{name}.major.size": 2.5, f"{name}.major.width": 0.6}
        ours |= {f"{name}.color": paper.ink, f"{name}.labelcolor": paper.ink, f"{name}.major.pad": 2.0}
        ours |= {f"{name}.minor.size": 0.0}
    for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "legend.labelcolor"):
        ours[name] = paper.ink
    return ours


@contextlib.contextmanager
def style(paper: Paper) -> Iterator[None]:
    """Draws with our settings. A sign that no font has becomes a box, and `lacking` lists those; a font that is not
    installed was refused before. All other warnings of matplotlib pass."""
    log = logging.getLogger("matplotlib")
    before = log.level
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        with matplotlib.rc_context(settings(paper)):
            log.setLevel(logging.CRITICAL)
            try:
                yield
            finally:
                log.setLevel(before)


def sheet(paper: Paper, height: float, title: str, laid_out: bool = True, square: bool = False) -> Figure:
    """An empty figure so many inches high. title: what it shows, for readers who cannot see it. laid_out: whether
    matplotlib makes room around the axes. square: things around square axes are as wide as the axes."""
    engine: Any = "none"
    if laid_out:
        engine = ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03, hspace=0.03, wspace=0.03, compress=square)
    made = Figure((paper.width, min(height, 2 * TALLEST)), layout=engine)
    made.set_label(short(title, 300))
    return made


def placed(figure: Figure, left: float, top: float, width: float, height: float, **how: Any) -> Axes:
    """Axes at a place in inches from the figure's upper left corner."""
    wide, tall = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / tall, width / wide, height / tall), **how)


def short(text: Any, longest: int = LONGEST) -> str:
    """Text in a line of no more characters, its control characters shown."""
    shown = printable(str(text))
    return shown if len(shown) <= longest else f"{shown[: longest - 1].rstrip()}…"


def width_of(text: str, size: float, weight: str = "normal") -> float:
    """Points that a line of text takes."""
    return _width(text, size, weight, tuple(matplotlib.rcParams["font.family"])) if text else 0.0


@lru_cache(4096)
def _width(text: str, size: float, weight: str, family: tuple[str, ...]) -> float:
    font = FontProperties(family=list(family), size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])


def wrapped(text: str, room: float, size: float, weight: str = "normal") -> list[str]:
    """Lines of so many points, broken between words, or inside a word that is too long for a line."""
    lines, line = [], ""
    for word in printable(text).split():
        joined = f"{line} {word}" if line else word
        if width_of(joined, size, weight) <= room:
            line = joined
            continue
        if line:
            lines.append(line)
        while len(word) > 1 and width_of(word, size, weight) > room:
            part = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or width_of(word[:n], size, weight) <= room)
            lines.append(word[:part])
            word = word[part:]
        line = word
    return [*lines, line] if line else lines


def fitting(text: str, room: float, size: float) -> str:
    """As much of a text as fits in a line of so many points."""
    shown = printable(" ".join(text.split()))
    if width_of(shown, size) <= room:
        return shown
    low, high = 0, len(shown)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width_of(f"{shown[:middle]}…", size) <= room else (low, middle - 1)
    return f"{shown[:low].rstrip()}…"


def title_above(figure: Figure, axes: Axes, text: str) -> None:
    """The title of axes, starting at the figure's edge, because names beside the axes leave it little room."""
    wide = figure.get_size_inches()[0]
    axes.set_title("")
    first, *rest = wrapped(text, (wide - 0.12) * 72, TYPE) or [""]
    told = f"{first}\n{fitting(' '.join(rest), (wide - 0.12) * 72, TYPE)}" if rest else first
    figure.suptitle(told, x=0.06 / wide, ha="left", size=TYPE, parse_math=False)


def names_on(axis: Any, places: Sequence[float], names: Sequence[str], room: float, **how: Any) -> None:
    """As many names along an axis as have room: all, or every second, fifth and so on. room: points between two
    places."""
    every = next((n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n * room >= SMALL * 1.1), len(places) or 1)
    axis.set_major_locator(FixedLocator(list(places[::every])))
    axis.set_ticks(list(places[::every]), [short(one) for one in names[::every]], parse_math=False, **how)
    axis.set_minor_locator(NullLocator())


def numbers_on(axis: Any, most: int = 5, whole: bool = False) -> None:
    """Round numbers along an axis."""
    axis.set_major_locator(MaxNLocator(most, integer=whole, steps=[1, 2, 5, 10], min_n_ticks=1 if whole else 2))


def factors_on(axes: Axes) -> None:
    """A logarithmic x axis whose labels are plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def bar_beside(
    figure: Figure, axes: Axes, shown: Any, label: str, high: float, share: float = 1.0, beside: float = 0.0, **how: Any
) -> Any:
    """The colour scale under the axes, as wide as they are. high: inches of the axes. share: of the figure's width, for
    the axes and their names. beside: inches of the names."""
    wide = max(share * figure.get_size_inches()[0] - 0.3 - max(beside, 0.15), 0.5)
    if width_of(label, SMALL) > (wide + 0.3) * 72:
        label = re.sub(r"^(.*?)  ←  (.*)  →  (.*)$", r"\1 ←  → \3\n\2", label)
    how = {"location": "bottom", "aspect": wide / BAR, "pad": 0.1 / high, "fraction": min(1.3 * BAR / high, 0.4)} | how
    bar = figure.colorbar(shown, ax=axes, **how)
    bar.set_label(label, size=SMALL, labelpad=1.0)
    bar.outline.set_visible(False)
    numbers_on(bar.ax.xaxis)
    bar.ax.tick_params(length=2.0)
    return bar


def lacking(figure: Any) -> str:
    """The signs of a figure that no font has, and that become boxes."""
    with style(Paper()):
        used = {char for one in figure.findobj(Text) for char in one.get_text() if not char.isspace()}
        families = {name for one in figure.findobj(Text) for name in one.get_fontfamily()}
        for family in sorted(families):
            known = get_font(findfont(FontProperties(family=[family]), fallback_to_default=True)).get_charmap()
            used -= {char for char in used if ord(char) in known}
    return "".join(sorted(used))


def plain(figure: Any) -> None:
    """Keeps all text of a figure from becoming a formula: prompts and names may have dollar signs."""
    for one in figure.findobj(Text):
        one.set_parse_math(False)


def numbers(rows: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    """A column of rows; NaN where there is no value."""
    return np.array([math.nan if one.get(name) is None else float(one[name]) for one in rows])


def signed(value: float | None, decimals: int = 2) -> str:
    """A number with its sign, or n/a."""
    return "n/a" if value is None or math.isnan(value) else f"{value:+.{decimals}f}".replace("-", "−")


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """A number with its interval, if there is one."""
    ends = "" if low is None or high is None or math.isnan(low) else f" [{signed(low)}, {signed(high)}]"
    return f"{signed(value)}{ends}"
