"""The claims card of a run: its verdicts, the evidence for the one under the cursor, and the missing parts."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from synergy_tui.explorer import parts, telling
from synergy_tui.explorer.keys import Action, bindings
from synergy_tui.explorer.parts import Parts
from synergy_tui.explorer.run import Run
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.terms import CLAIMS, EXPLAINED, INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED

WIDE = 110
"""Columns from which the list shows effects and intervals too."""

EFFECT, WHISKER, HOLDS, VERDICT, MARK = 26, 24, 6, 20, 4
"""Columns of an effect, the drawing of its interval, a count of rankings, a verdict and a mark."""

NEEDS = 28
"""Columns for what a claim lacks, before there is a card."""

EDGES, NARROWEST, FEWEST_ROWS = 60, 57, 4
"""Number of a network's strongest pairs that are drawn; the fewest columns of a network beside another; the rows of
arcs below which networks stand side by side instead of one above the other."""

TALL = 30
"""Rows from which the claims of another version of their source stand under a line that says so."""

LOOKING = "Looking what is there already …"


class ClaimsView(View):
    """Verdicts above, their evidence below."""

    ACTIONS = (
        Action("claims.up", "up,k", "move(-1)", "up", "The claim before", palette=False),
        Action("claims.down", "down,j", "move(1)", "down", "The next claim", palette=False),
        Action("claims.pick", "space", "pick", "pick part", "Pick or leave out what the claim lacks", footer=True),
        Action("claims.start", "f5", "start", "make picked", "Make the picked parts, and the card", footer=True),
    )
    BINDINGS = bindings(ACTIONS)
    HELP = (
        "Claims of the literature, each as a test on this run; C7 is about many runs. C8 and C9 are of the second "
        "version of their source, which has them in place of C2. Supported asks that the same test fails on "
        "surrogate data put through the same path. Not supported: the interval excludes the claimed side, or the test "
        "fails with enough data. Otherwise inconclusive, with what is missing. `holds under` counts the rankings (of "
        "C6 the densities) under which a claim is supported: one that holds under few depends on the choice. Where a "
        "plan was sealed before the run, claims that are not primary are exploratory, their p corrected. Under C6 "
        "stand the strongest pairs as arcs between layers, the thicker the more. A part that is missing stands in its "
        "claim's row with the time it takes; one part may serve several claims. [x]: it is picked, space changes that. "
        "F5 asks first, then makes the picked parts and judges anew; what is there is used."
    )

    def compose(self) -> ComposeResult:
        with Vertical(classes="pane", id="claims-pane"):
            yield Lines(id="claims-list")
        with Vertical(classes="pane", id="claim-pane"):
            yield Lines(id="claim-told")

    def on_mount(self) -> None:
        self.can_focus = True
        self._card: dict[str, Any] | None = None
        self._strongest: dict[str, list[dict[str, Any]]] = {}
        self._parts: Parts | None = None
        self._left: set[str] = set()
        self._place = 0
        self._of: str | None = None
        self._asked: tuple[Any, ...] = ()

    def focus_main(self) -> None:
        self.focus()

    def show(self) -> None:
        run = self.ready
        if run is None:
            words = self.empty()
            self._card, self._parts, self._of, self._asked = None, None, None, ()
            self.head("#claims-pane", "Claims")
            self.query_one("#claims-list", Lines).show(telling.wrapped(words, self.size.width), self.ink)
            self.query_one("#claim-told", Lines).show([], self.ink)
            return
        if self._of != run.place.id:
            self._card, self._parts, self._of = None, None, run.place.id
            self._left = set()
        self.noticed()
        self._draw()

    def noticed(self) -> None:
        """Reads the card and its parts again when results or jobs came, went or ended; progress of a job changes
        nothing."""
        run, seen = self.ready, self.explorer.seen
        if run is None:
            return
        states = {one["id"]: one["state"] for one in seen.jobs} if seen else {}
        asked = (run.place.id, seen.catalogue if seen else 0, states)
        if asked != self._asked:
            self._asked = asked
            self._read(run)

    def _read(self, run: Run) -> None:
        """Reads the card first: finding out the cost of its parts takes longer."""

        def there(found: Found) -> None:
            if self._of == run.place.id:
                self._card, self._strongest = found
                self._draw()
                if self._open:
                    self.explorer.in_thread("claims-parts", lambda: parts.read(run, data), told)

        def told(found: Parts) -> None:
            if self._of == run.place.id:
                self._parts = found
                self._draw()

        data = self.explorer.settings.data
        self.explorer.in_thread("claims", lambda: _of(run), there)

    @property
    def _open(self) -> bool:
        """Whether more can be made from the run in front."""
        from synergy_tui.store.archive import Archive

        run = self.ready
        return run is not None and not isinstance(run.place.cache, Archive)

    @property
    def _boxed(self) -> bool:
        """Whether panes have borders on all sides."""
        return self.screen.has_class("-high") and not self.screen.has_class("-narrow")

    @property
    def picked(self) -> list[str]:
        """The missing parts that the user picked."""
        return [part for part in self._parts.missing if part not in self._left] if self._parts else []

    def _draw(self) -> None:
        from synergy_tui.drawing import card as drawn

        if self._of is None:
            return
        width, claims = self.size.width - 2 * self._boxed, self._card["claims"] if self._card else {}
        counted, then = parts.title(self._parts, self.picked) if self._parts else ("", "")
        title = drawn.title(self._card) if self._card else "No claims card of this run yet"
        short = (counted, then) if claims and counted else (title, then)
        self.head("#claims-pane", _first_that_fits(width - 4, (title, counted, then) if claims else short, short))
        names = list(CLAIMS)
        self._place %= len(names)
        lines = []
        for place, name in enumerate(names):
            if self.size.height > TALL and (above := drawn.group(name)):
                lines.append(Text(telling.whole_words(f"     {above}", width), self.ink.dim))
            lines.append(self._row(name, claims.get(name), place == self._place, width))
        self.query_one("#claims-list", Lines).show(lines, self.ink)
        name = names[self._place]
        told = self._told(name, claims[name], width - 4) if claims else self._lacks(width - 4)
        needs = " · ".join(part for part in ("What it needs", counted) if part)
        self.head("#claim-pane", f"{name}  {CLAIMS[name]}" if claims else needs)
        self.query_one("#claim-told", Lines).show(told, self.ink)

    def _row(self, name: str, claim: dict[str, Any] | None, here: bool, width: int) -> Text:
        """A claim in one line, with its effect and interval if they fit. What it lacks stands where its interval will
        be, or in place of the verdict."""
        lacking = parts.need(self._parts, name) if self._parts else ""
        marks = bool(self._parts and self._parts.costs)
        sign = (">" if self.ink.ascii else "▸") if here else " "
        line = Text(f"{sign}{name}  ", "bold" if here else "")
        wide = width >= WIDE
        # Before there is a card, claims use the room for effects.
        numbers = EFFECT + WHISKER + HOLDS + 4 if self._card else NEEDS
        room = width - 6 - VERDICT - MARK * marks - (numbers if wide else 0)
        line.append(f"{telling.whole_words(CLAIMS[name], max(room - 1, 10)):<{max(room - 1, 10)}} ")
        beside = wide and not _has_interval(claim)
        if wide:
            line.append_text(self._numbers(claim, lacking if beside else ""))
        line.append_text(self._verdict(claim, "missing" if lacking and beside else lacking))
        return line.append(f" {self._mark(name)}" if marks else "")

    def _numbers(self, claim: dict[str, Any] | None, lacking: str) -> Text:
        """Effect, interval and count of rankings, or what they lack."""
        from synergy_tui.drawing import card as drawn
        from synergy_tui.drawing.atlas import whisker

        if not self._card:
            return Text(telling.whole_words(lacking, NEEDS).ljust(NEEDS))
        measure, _, value = (drawn.effect(claim, brief=True) if claim else "").rpartition(" ")
        words = telling.whole_words(measure, EFFECT - len(value) - 2)
        found = Text(f"{words} {value}".strip().ljust(EFFECT))
        if lacking:
            room = WHISKER + HOLDS + 4
            return found.append(telling.whole_words(lacking, room).ljust(room))
        drawing, under = Text(" " * (WHISKER + 1)), ""
        if claim and _has_interval(claim):
            neutral = 1.0 if "×" in claim["measure"] else 0.0
            reach = max(abs(one - neutral) for one in (claim["effect"], claim["low"], claim["high"]))
            sides = (self.ink.cool, self.ink.warm)
            drawing = whisker(claim["effect"], claim["low"], claim["high"], neutral, reach, sides, WHISKER)
        if claim and claim["of"]:
            under = f"{len(claim['holds_under'])}/{len(claim['of'])}"
        return found.append_text(drawing).append(f"  {under:<{HOLDS - 1}}  ")

    def _verdict(self, claim: dict[str, Any] | None, lacking: str) -> Text:
        """The verdict or, without one, what the claim lacks."""
        from synergy_tui.drawing import card as drawn

        if claim and not (lacking and claim["verdict"] == INCONCLUSIVE):
            verdict, style = drawn.verdict(claim, short=True), self._colour(claim)
        else:
            words = lacking.removeprefix("needs ").replace("was ", "") or "not judged yet"
            verdict, style = f"{drawn.SIGNS[INCONCLUSIVE]} {words}", self.ink.dim
        return Text(telling.whole_words(verdict, VERDICT).ljust(VERDICT), style)

    def _mark(self, name: str) -> str:
        """The mark that shows whether the parts that a claim lacks are picked."""
        own = [part for part in self._parts.of(name) if part in self._parts.costs] if self._parts else []
        picked = [part for part in own if part not in self._left]
        if not own:
            return "   "
        return "[ ]" if not picked else "[x]" if len(picked) == len(own) else "[-]"

    def _colour(self, claim: dict[str, Any]) -> Style | str:
        from synergy_tui.drawing import card as drawn

        verdict = claim["verdict"] if drawn.sure(claim) else EXPLAINED if claim["verdict"] == SUPPORTED else ""
        found = dict(zip((NOT_SUPPORTED, EXPLAINED), self.ink.levels, strict=False))
        return self.ink.good if verdict == SUPPORTED else found.get(verdict or claim["verdict"], self.ink.dim)

    def _lacks(self, width: int) -> list[Text]:
        """What a run without a card needs to get one."""
        words = [LOOKING]
        if not self._open:
            words = [STAYS]
        elif self._parts is not None:
            words = [self._parts.refused] if self._parts.refused else parts.overview(self._parts)
            words += [] if self._parts.refused else ["", "F5 makes what is picked."]
        return [line for one in words for line in telling.wrapped(one, width)]

    def _told(self, name: str, claim: dict[str, Any], width: int) -> list[Text]:
        """The evidence for a verdict; for C6 the networks too."""
        from synergy_tui.drawing import card as drawn

        tall = self.size.height > (45 if name == "C6" else 30)
        lines = [Text(f" {drawn.verdict(claim)}", self._colour(claim))]
        told = {
            "effect": drawn.effect(claim),
            "holds under": _under(claim),
            "definitions": drawn.definitions(claim),
            "measured": claim["told"] or "",
            "claimed in": drawn.sources(claim),
        }
        sentences = [f"{word}: {text}" for word, text in told.items() if text]
        sentences += [lacking] if (lacking := drawn.missing(claim)) else []
        sentences += [f"against: {'; '.join(claim['against'])}"] if claim["against"] else []
        sentences += parts.details(self._parts, name, self.picked) if self._parts else []
        for one in sentences:
            lines += [*([Text()] if tall else []), *telling.wrapped(one, width)]
        if self._card and name != "C6":
            for one in drawn.sealed(self._card):
                lines += [*([Text()] if tall else []), *telling.wrapped(one, width)]
        if self._card and (said := drawn.too_old(self._card)):
            lines = [*telling.wrapped(said, width), *([Text()] if tall else []), *lines]
        if name == "C6":
            lines += [Text()] * (self.size.height > 30)
            above = len(CLAIMS) + (len(drawn.GROUPS) if self.size.height > TALL else 0)
            lines += self._networks(width, self.size.height - 2 - 2 * self._boxed - above - len(lines))
        return lines

    def _networks(self, width: int, height: int) -> list[Text]:
        """The strongest pairs as arcs between layers, both atoms side by side if there is room."""
        from synergy_tui.drawing import arcs

        layers, plain = self._card["run"]["layers"] if self._card else 0, self.ink.system is None
        least = layers + 3 if height // 2 < arcs.FRAME + FEWEST_ROWS else 3 * layers
        beside = width >= 2 * max(least, NARROWEST)
        each, rows = ((width - 2) // 2, height) if beside else (width, height // 2)
        if not beside and rows <= arcs.FRAME:
            rows = height  # of synergy only
        if rows <= arcs.FRAME or not self._strongest:
            return []
        drawn = []
        for atom, pairs in self._strongest.items():
            names = self.run.groups if self.run is not None else ()
            text = arcs.draw(pairs, layers, atom, each - 1, plain, rows - arcs.FRAME, names)
            drawn.append([Text(" ").append_text(line) for line in text.split("\n") if line.plain])
        if not beside:
            return [line for lines in drawn[: height // rows] for line in lines]
        out = []
        for line, other in zip_longest(*drawn, fillvalue=Text()):
            line = line.copy()
            line.truncate(each, pad=True)
            out.append(line.append("  ").append_text(other))
        return out

    def action_move(self, step: int) -> None:
        """Another claim."""
        self._place += step
        self._draw()

    def action_pick(self) -> None:
        """Picks the parts that the claim under the cursor lacks, or unpicks them if all are picked."""
        if self._parts is None:
            return
        name = list(CLAIMS)[self._place % len(CLAIMS)]
        own = {part for part in self._parts.of(name) if part in self._parts.costs}
        if not own:
            self.explorer.say(f"{name} lacks no part that can be made.")
        self._left = self._left | own if not own & self._left else self._left - own
        self._draw()

    def action_start(self) -> None:
        """Asks, then makes the picked parts and the card."""
        run, found = self.ready, self._parts
        if run is None:
            return
        if not self._open:
            self.explorer.say(STAYS, "error")
        elif found is None:
            self.explorer.say(LOOKING)
        elif found.refused:
            self.explorer.say(found.refused, "error")
        else:
            from synergy_tui.explorer.dialogs.ask import ask

            picked = [*self.picked, *found.started]
            ask(self.explorer, *parts.asked(found, picked), lambda: self._start(run, picked))

    def _start(self, run: Run, picked: list[str]) -> None:
        data = self.explorer.settings.data

        def then(count: int) -> None:
            self.explorer.look_soon()
            self.explorer.say(f"Started {count} jobs. The card comes when they are done; J shows them.")

        self.explorer.in_thread("claims-start", lambda: parts.start(run, data, picked), then)

    def sql(self) -> str:
        if self._card is None:
            return ""
        names = "claim, verdict, effect, low, high, holds_under, missing, told"
        return f"SELECT {names} FROM claims WHERE card = '{self._card['card']}' ORDER BY claim"

    def command(self) -> str:
        run = self.run
        return super().command() if run is None or run.place.sample else f"synergy-tui claims {run.place.id}"

    def value(self) -> str:
        name = list(CLAIMS)[self._place % len(CLAIMS)]
        return f"{name} {self._card['claims'][name]['verdict']}" if self._card else ""

    def table(self) -> Table:
        columns = ("claim", "verdict", "measure", "effect", "low", "high", "n", "missing")
        found = (self._card or {"claims": {}})["claims"]
        return list(columns), [(name, *(one[key] for key in columns[1:])) for name, one in found.items()]

    def about(self) -> list[str]:
        name = list(CLAIMS)[self._place % len(CLAIMS)]
        told = parts.details(self._parts, name, self.picked) if self._parts else []
        lacking = [f"{name} {one}." if one.startswith("needs") else f"The {one}." for one in told]
        if self._card is None:
            return [f"{name}: {CLAIMS[name]}. It is not judged yet.", *lacking]
        found = self._card["claims"]
        return [*(f"{one}: {CLAIMS[one]}. {found[one]['verdict']}." for one in found), *lacking]


Found = tuple[dict[str, Any] | None, dict[str, list[dict[str, Any]]]]
"""A card, and its networks' strongest pairs by atom."""

STAYS = "The sample result and exported runs are read-only: start a run of your own with n."


def _under(claim: dict[str, Any]) -> str:
    """The number of rankings that support the claim, and which."""
    held, of = claim["holds_under"], claim["of"]
    if not of:
        return ""
    return f"{len(held)} of {len(of)}" + (f": {', '.join(held)}" if held else "")


def _has_interval(claim: dict[str, Any] | None) -> bool:
    return claim is not None and claim["low"] is not None and claim["effect"] is not None


def _of(run: Run) -> Found:
    """The newest card of a run, if there is one."""
    from synergy_tui.store import cards

    newest = cards.newest_card(run.place.cache, run.place.id)
    if newest is None:
        return None, {}
    strongest = {atom: cards.strongest(run.place.cache, run.place.id, atom, EDGES) for atom in ("sts", "rtr")}
    return cards.card(run.place.cache, newest), strongest


def _first_that_fits(width: int, *titles: tuple[str, ...]) -> str:
    """The first title that fits, or the last."""
    joined = [" · ".join(part for part in one if part) for one in titles]
    return next((one for one in joined if len(one) <= width), joined[-1])
