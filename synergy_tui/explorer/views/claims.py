"""The claims card of a run: six verdicts, and what is behind the one under the cursor."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.explorer import telling
from synergy_tui.explorer.keys import Action, bindings
from synergy_tui.explorer.run import Run
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.terms import CLAIMS, EXPLAINED, NOT_SUPPORTED, SUPPORTED

WIDE = 110
"""Columns from which the list has effects and intervals too."""

EFFECT, WHISKER, VERDICT = 26, 24, 19
"""Columns that an effect, the drawing of its interval and a verdict take."""

EDGES, NARROWEST = 60, 60
"""Strongest pairs drawn of a network, and the fewest columns of one that stands beside another."""


class ClaimsView(View):
    """Verdicts above, what they rest on below."""

    ACTIONS = (
        Action("claims.up", "up,k", "move(-1)", "up", "The claim before", palette=False),
        Action("claims.down", "down,j", "move(1)", "down", "The next claim", palette=False),
        Action("claims.start", "f5", "start", "start", "Make what is missing, and the card", footer=True),
    )
    BINDINGS = bindings(ACTIONS)
    HELP = (
        "Six claims of the literature, each as a test on this run. Supported asks that the same test fails on "
        "surrogate data put through the same path. Not supported: the interval excludes the claimed side, or the test "
        "fails with enough data. Otherwise inconclusive, with what is missing. `holds under` counts the rankings (of "
        "C6 the densities) under which a claim is supported: one that holds under few depends on the choice. Under C6 "
        "stand the strongest pairs as arcs between layers, the thicker the more. F5 makes what is missing; what is "
        "there is used."
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
        self._cost = ""
        self._place = 0
        self._of: str | None = None

    def focus_main(self) -> None:
        self.focus()

    def show(self) -> None:
        run = self.ready
        if run is None:
            words = self.empty()
            self._card, self._of = None, None
            self.head("#claims-pane", "Claims")
            self.query_one("#claims-list", Lines).show(telling.wrapped(words, self.size.width), self.ink)
            self.query_one("#claim-told", Lines).show([], self.ink)
            return
        if self._of != run.place.id:
            self._card, self._cost, self._of = None, "", run.place.id
            self._read()
        self._draw()

    def noticed(self) -> None:
        self._read()

    def _read(self) -> None:
        run = self.ready
        if run is None:
            return
        data = self.explorer.settings.data

        def there(found: Found) -> None:
            if self.run is run:
                self._card, self._strongest, self._cost = found
                self._draw()

        self.explorer.in_thread("claims", lambda: _of(run, data), there)

    def _draw(self) -> None:
        width = self.size.width
        if self._card is None:
            self.head("#claims-pane", "No claims card of this run yet", "F5 makes it")
            lines = [Text(f" {name}  {statement}") for name, statement in CLAIMS.items()]
            self.query_one("#claims-list", Lines).show(lines, self.ink)
            self.head("#claim-pane", "What it needs")
            words = f"{self._cost}\nPress F5 to make it." if self._cost else "Looking what is there already …"
            words = self._cost if run_is_sample(self.run) else words
            lines = [line for one in words.split("\n") for line in telling.wrapped(one, width - 4)]
            self.query_one("#claim-told", Lines).show(lines, self.ink)
            return
        from synergy_tui.drawing import card as drawn

        claims = self._card["claims"]
        self.head("#claims-pane", drawn.title(self._card), "F5 makes what is missing")
        names = list(claims)
        self._place %= len(names)
        lines = [self._row(name, claims[name], place == self._place, width) for place, name in enumerate(names)]
        self.query_one("#claims-list", Lines).show(lines, self.ink)
        name = names[self._place]
        self.head("#claim-pane", f"{name}  {claims[name]['statement']}", "up, down: another")
        told = self._told(claims[name], width - 4)
        if said := drawn.too_old(self._card):
            told = [*telling.wrapped(said, width - 4), Text(), *told]
        if name == "C6":
            told += [Text()] * (self.size.height > 30)
            told += self._networks(width - 4, self.size.height - len(names) - 4 - len(told))
        self.query_one("#claim-told", Lines).show(told, self.ink)

    def _row(self, name: str, claim: dict[str, Any], here: bool, width: int) -> Text:
        """A claim in one line: with its effect and interval where there is room for them."""
        from synergy_tui.drawing import card as drawn
        from synergy_tui.drawing.atlas import whisker

        sign = (">" if self.ink.ascii else "▸") if here else " "
        line = Text(f"{sign}{name}  ", "bold" if here else "")
        under = f"{len(claim['holds_under'])}/{len(claim['of'])}" if claim["of"] else ""
        verdict = Text(drawn.verdict(claim, short=True), self._colour(claim["verdict"]))
        room = width - 6 - VERDICT - (EFFECT + WHISKER + 10 if width >= WIDE else 0)
        statement = Text(claim["statement"])
        statement.truncate(max(room - 1, 10), overflow="ellipsis", pad=True)
        line.append_text(statement).append(" ")
        if width < WIDE:
            return line.append_text(verdict)
        found, drawing = Text(drawn.effect(claim, brief=True)), Text(" " * (WHISKER + 1))
        found.truncate(EFFECT - 1, overflow="ellipsis", pad=True)
        if claim["low"] is not None and claim["effect"] is not None:
            neutral = 1.0 if "×" in claim["measure"] else 0.0
            reach = max(abs(one - neutral) for one in (claim["effect"], claim["low"], claim["high"]))
            sides = (self.ink.cool, self.ink.warm)
            drawing = whisker(claim["effect"], claim["low"], claim["high"], neutral, reach, sides, WHISKER)
        line.append_text(found).append(" ").append_text(drawing).append(f"  {under:<5} ")
        return line.append_text(verdict)

    def _colour(self, verdict: str) -> Style | str:
        found = dict(zip((NOT_SUPPORTED, EXPLAINED), self.ink.levels, strict=False))
        return self.ink.good if verdict == SUPPORTED else found.get(verdict, self.ink.dim)

    def _told(self, claim: dict[str, Any], width: int) -> list[Text]:
        from synergy_tui.drawing import card as drawn

        lines = [Text(f" {drawn.verdict(claim)}", self._colour(claim["verdict"]))]
        parts = {
            "effect": drawn.effect(claim),
            "holds under": _under(claim),
            "measured": claim["told"] or "",
            "missing": claim["missing"] or "",
            "against": "; ".join(claim["against"]),
        }
        for word, text in parts.items():
            if text:
                lines += [*([Text()] if self.size.height > 30 else []), *telling.wrapped(f"{word}: {text}", width)]
        return lines

    def _networks(self, width: int, height: int) -> list[Text]:
        """The strongest pairs as arcs between layers, both atoms side by side where there is room."""
        from synergy_tui.drawing import arcs

        layers, plain = self._card["run"]["layers"] if self._card else 0, self.ink.system is None
        beside = width >= 2 * max(3 * layers, NARROWEST)
        each, rows = ((width - 2) // 2, height) if beside else (width, height // 2)
        if not beside and rows <= arcs.FRAME:
            rows = height  # of synergy alone
        if rows <= arcs.FRAME or not self._strongest:
            return []
        drawn = []
        for atom, pairs in self._strongest.items():
            text = arcs.draw(pairs, layers, atom, each - 1, plain, rows - arcs.FRAME)
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

    def action_start(self) -> None:
        """Makes what is missing, and the card."""
        run = self.ready
        if run is None:
            return
        if run.place.sample:
            self.explorer.say("The sample result is read-only: start a run of your own with n.", "error")
            return
        data = self.explorer.settings.data

        def then(count: int) -> None:
            self.explorer.look_soon()
            self.explorer.say(f"Started {count} jobs. The card comes when they are done; J shows them.")

        self.explorer.in_thread("claims-start", lambda: _start(run, data), then)

    def sql(self) -> str:
        if self._card is None:
            return ""
        names = "claim, verdict, effect, low, high, holds_under, missing, told"
        return f"SELECT {names} FROM claims WHERE card = '{self._card['card']}' ORDER BY claim"

    def command(self) -> str:
        run = self.run
        return super().command() if run is None or run.place.sample else f"synergy-tui claims {run.place.id}"

    def value(self) -> str:
        if self._card is None:
            return ""
        name = list(self._card["claims"])[self._place % len(self._card["claims"])]
        return f"{name} {self._card['claims'][name]['verdict']}"

    def table(self) -> Table:
        columns = ("claim", "verdict", "measure", "effect", "low", "high", "n", "missing")
        found = (self._card or {"claims": {}})["claims"]
        return list(columns), [(name, *(one[key] for key in columns[1:])) for name, one in found.items()]

    def about(self) -> list[str]:
        if self._card is None:
            return [self._cost] if self._cost else []
        return [f"{name}: {one['statement']}. {one['verdict']}." for name, one in self._card["claims"].items()]


Found = tuple[dict[str, Any] | None, dict[str, list[dict[str, Any]]], str]
"""A card, its networks' strongest pairs by atom, and where there is none what making it costs."""


def run_is_sample(run: Run | None) -> bool:
    """Whether nothing can be made of it."""
    return run is not None and run.place.sample


def _under(claim: dict[str, Any]) -> str:
    held, of = claim["holds_under"], claim["of"]
    if not of:
        return ""
    return f"{len(held)} of {len(of)}" + (f": {', '.join(held)}" if held else "")


def _of(run: Run, data: Any) -> Found:
    """The newest card; without one, what making it will cost."""
    from synergy_tui.store import cards

    newest = cards.newest_card(run.place.cache, run.place.id)
    if newest is not None:
        strongest = {atom: cards.strongest(run.place.cache, run.place.id, atom, EDGES) for atom in ("sts", "rtr")}
        return cards.card(run.place.cache, newest), strongest, ""
    if run.place.sample:
        return None, {}, "The sample result is read-only: start a run of your own with n."
    from synergy_tui.jobs import plan
    from synergy_tui.jobs.specs.claims import PARTS, ClaimsRequest

    try:
        made = plan.claims(run.place.cache, data, ClaimsRequest(decomposition=run.place.id))
    except SynergyError as error:
        return None, {}, str(error)
    costs = made.costs()
    lines = []
    for part, claims in PARTS.items():
        told = str(costs[part]) if part in costs else made.missing.get(part) or "is there"
        lines.append(f"{part} for {claims}: {told}")
    return None, {}, "\n".join([*lines, *made.foreseen])


def _start(run: Run, data: Any) -> int:
    """Starts the chain; how many jobs it is."""
    from synergy_tui.jobs import chain, plan
    from synergy_tui.jobs.specs import ClaimsRequest
    from synergy_tui.store.archive import Archive

    if isinstance(run.place.cache, Archive):
        raise UsageError("an exported run stays as it is", "open a cache of your own")
    made = plan.claims(run.place.cache, data, ClaimsRequest(decomposition=run.place.id))
    ids = chain.start(run.place.cache, made.links, one_by_one=True, join=True)
    return len(chain.started(run.place.cache, made.links, ids))
