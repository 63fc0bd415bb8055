"""A response token by token: at which words does a unit, or a pair, integrate?"""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from synergy_tui.drawing import scale
from synergy_tui.drawing.plots import Line
from synergy_tui.explorer import telling
from synergy_tui.explorer.keys import Action, bindings, moves
from synergy_tui.explorer.run import Run
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.plot import Plot
from synergy_tui.explorer.widgets.tokentext import WEIGHTS, TokenText
from synergy_tui.figures.response import Response
from synergy_tui.figures.response import read as read_response
from synergy_tui.terms import ATOMS, NO_SERIES

STRIP = 24
"""Columns of the scale in the legend."""


class TokensView(View):
    """The text above, the curve below."""

    ACTIONS = (
        *moves("tokens"),
        Action("tokens.atom", "r", "swap_atom", "synergy/redundancy", "Colour by the other atom", footer=True),
        Action("tokens.pair", "o", "swap_pair", "unit/pair", "Of the unit with all, or of the pair", footer=True),
        Action("tokens.whole", "W", "whole", "whole text", "The prompt and the response, whole", footer=True),
    )
    BINDINGS = bindings(ACTIONS)
    HELP = (
        "One response. Each token's background is the local synergy (or, with r, the local redundancy) of "
        "the selected unit with all its partners, or of the selected pair with o, at that step: which moments carry "
        "the average. Local values may be negative: there the joint past misleads about the future. The first lag "
        "tokens have no past and no value. w shows prompt and response whole."
    )

    def compose(self) -> ComposeResult:
        with Vertical(classes="pane", id="tokens-pane"):
            yield Lines(id="tokens-asked")
            yield TokenText(self.explorer.ink, id="text")
            yield Lines(id="tokens-legend")
            yield Lines(id="tokens-readout", height=2)
        with Vertical(classes="pane", id="tokens-curve"):
            yield Plot(id="curve")

    def on_mount(self) -> None:
        self._pair = False
        self._asked: tuple[Any, ...] = ()
        self._response: Response | None = None

    @property
    def text(self) -> TokenText:
        """The response."""
        return self.query_one(TokenText)

    def focus_main(self) -> None:
        self.text.focus()

    def show(self) -> None:
        run, selection = self.ready, self.selection
        self.text.ink = self.ink
        if run is None or run.of_pairs:
            told = f"This run was imported as a table of pairs. There are {NO_SERIES}."
            self._clear(self.empty() if run is None else told)
            return
        partner = self._partner(run)
        prompt = min(selection.prompt, run.row["prompts"] - 1)
        asked = (run, selection.unit, partner, prompt)
        if not self._asked or asked[0] is not self._asked[0] or asked[1:] != self._asked[1:]:
            self._asked = asked
            self.explorer.in_thread("tokens", lambda: (asked, _read(*asked)), self._there)
        elif self._response is not None:
            self._draw(run, self._response)

    def _partner(self, run: Run) -> int | None:
        if not self._pair:
            return None
        partner = self.selection.partner
        if partner is None or partner == self.selection.unit:
            partner = run.next_to(self.selection.unit)
        return partner

    def _there(self, found: tuple[tuple[Any, ...], Response]) -> None:
        asked, response = found
        if self._asked and asked[0] is self._asked[0] and asked[1:] == self._asked[1:] and self.run is not None:
            self._response = response
            known = np.flatnonzero(np.isfinite(response.atoms[:, 0]))
            if self.selection.step == 0 and len(known):
                self.selection.step = int(known[0])  # the first lag steps have no past
            self._draw(self.run, response)

    def _clear(self, words: str) -> None:
        self._asked, self._response = (), None
        self.query_one("#tokens-asked", Lines).show(telling.wrapped(words, self.size.width), self.ink)
        self.text.show([], np.zeros(0), 0)
        self.query_one("#tokens-legend", Lines).show([], self.ink)
        self.query_one("#tokens-readout", Lines).show([], self.ink)
        self.query_one(Plot).clear()

    def _atom(self) -> str:
        return self.selection.atom if self.selection.atom in ATOMS else "sts"

    def _draw(self, run: Run, response: Response) -> None:
        selection, atom = self.selection, self._atom()
        values = response.atoms[:, ATOMS.index(atom)]
        known = values[np.isfinite(values)]
        reach = float(np.abs(known).max()) if len(known) and np.abs(known).max() > 0 else 1.0
        selection.step = min(selection.step, max(len(response.pieces) - 1, 0))
        partner = self._asked[2]
        kind = run.unit_called
        who = f"{kind} {run.name(selection.unit)}"
        who += " with all partners" if partner is None else f" with {kind} {run.name(partner)}"
        self.head(
            "#tokens-pane",
            f"local {_word(atom)} of {who}",
            f"prompt {self._asked[3]}, 0 to {run.row['prompts'] - 1}  [ and ]",
        )
        from synergy_tui.drawing.tables import printable

        question = printable(f"{self._asked[3]} {response.category}: {response.asked}")
        self.query_one("#tokens-asked", Lines).show(
            [Text(question, self.ink.dim, overflow="ellipsis"), Text()], self.ink
        )
        self.text.show(response.pieces, 0.5 + values / (2 * reach), selection.step)
        self.query_one("#tokens-legend", Lines).show(self._legend(atom, reach, len(known) > 0), self.ink)
        self._tell()
        self.head("#tokens-curve", f"local {atom} by step, nats")
        self._plot()

    def _plot(self) -> None:
        """The curve under the text, with the cursor at the same step."""
        if self._response is not None:
            atom = self._atom()
            values = self._response.atoms[:, ATOMS.index(atom)]
            line = Line(range(len(values)), values, 215 if atom != "rtr" else 74)
            self.query_one(Plot).draw([line], self.ink, cursor=self.selection.step)

    def _legend(self, atom: str, reach: float, known: bool) -> list[Text]:
        """The meaning of the tokens' colours, with the ends of the scale in numbers."""
        if not known:
            return [Text(" no token has a value", self.ink.dim)]
        ends, none = (telling.number(-reach, True), telling.number(reach, True)), Text("no value", self.ink.dim)
        colours, named = self.ink.colours(True), f"nats, local {_word(atom)}"
        if colours:
            strip = scale.strip(STRIP, colours, self.ink.shades)
            parts = [Text.assemble(ends[0], " ", strip, " ", ends[1], f" {named}"), none]
        else:
            third = telling.number(reach / 3)
            words = (f"below -{third}", "between", f"above {third}")
            parts = [Text.assemble(("word", style), f" {one}") for style, one in zip(WEIGHTS, words, strict=True)]
            parts += [Text(f"of {ends[0]} to {ends[1]} {named}")]
        return telling.flowing(parts, self.query_one("#tokens-pane").content_size.width or self.size.width)

    def _tell(self) -> None:
        response = self._response
        if response is None:
            return
        step, atom = self.selection.step, self._atom()
        values = response.atoms[:, ATOMS.index(atom)]
        lines = [Text(), Text()]
        if len(values):
            here = values[step] if step < len(values) else float("nan")
            piece = response.pieces[step] if step < len(response.pieces) else ""
            known = values[np.isfinite(values)]
            mean = float(known.mean()) if len(known) else float("nan")
            lines[0] = Text.assemble(
                f" step {step}  {piece!r}  {atom} ",
                (telling.number(float(here), True), "bold"),
                f" nats   mean {telling.number(mean, True)}   ",
                f"{response.partners} partners" if response.partners != 1 else "one pair",
            )
            others = [
                f"{name} {telling.number(float(response.atoms[step][ATOMS.index(name)]), True)}" for name in _BRIEF
            ]
            lines[1] = Text(telling.fitting(others, self.size.width), self.ink.dim)
        if response.why:
            lines[1] = Text(f" {response.why}", self.ink.warm)
        self.query_one("#tokens-readout", Lines).show(lines, self.ink)

    def action_move(self, rows: int, tokens: int) -> None:
        """Moves along the tokens, or to the row above or below."""
        if self._response is None:
            return
        self.selection.step = self.text.move(rows, tokens)
        self._tell()
        self._plot()

    def on_token_text_pointed(self, message: TokenText.Pointed) -> None:
        self.selection.step = message.step
        self._tell()
        self._plot()

    def action_swap_atom(self) -> None:
        """Switches between synergy and redundancy."""
        self.selection.atom = "rtr" if self._atom() == "sts" else "sts"
        self.show()

    def action_swap_pair(self) -> None:
        """Switches between the unit with all its partners and the pair."""
        self._pair = not self._pair
        self.show()

    def action_whole(self) -> None:
        """Opens the whole prompt and response."""
        response = self._response
        if response is None:
            return
        from synergy_tui.explorer.dialogs.whole import Whole

        steps = len(response.pieces)
        answered = "".join(response.pieces) if response.words else "Imported series have no words."
        asked = response.asked or "Nothing is known of what was asked."
        texts = [("Asked", asked), (f"Answered, {steps} step{'' if steps == 1 else 's'}", answered)]
        self.explorer.push_screen(Whole(f"Prompt {self._asked[3]} {response.category}".strip(), texts))

    def sql(self) -> str:
        run = self.run
        if run is None:
            return ""
        layer, unit = divmod(self.selection.unit, run.per_layer)
        return (
            f"SELECT step, value FROM series WHERE capture = '{run.row['capture']}' AND prompt = "
            f"{self.selection.prompt} AND layer = {layer} AND unit = {unit} ORDER BY step"
        )

    def value(self) -> str:
        return self.query_one("#tokens-readout", Lines).plain.splitlines()[0].strip() if self._response else ""

    def table(self) -> Table:
        if self._response is None:
            return [], []
        rows = [
            (step, piece, *(float(one) if np.isfinite(one) else None for one in atoms))
            for step, (piece, atoms) in enumerate(zip(self._response.pieces, self._response.atoms, strict=True))
        ]
        return ["step", "token", *ATOMS], rows

    def about(self) -> list[str]:
        if self._response is None:
            return []
        return [
            self.value() + ".",
            "Under MMI the source that is the lesser on average supplies its local information, so the local atoms "
            "average to the atoms of this response.",
            "One response is one draw: a peak at a word is a place to look, not a finding.",
        ]


_BRIEF = ("sts", "rtr", "xtx", "yty", "str", "rts")


def _word(atom: str) -> str:
    return {"sts": "synergy (sts)", "rtr": "redundancy (rtr)"}.get(atom, atom)


def _read(run: Run, unit: int, partner: int | None, prompt: int) -> Response:
    return read_response(run.place.cache, run.row, unit, partner, prompt)
