"""The atlas of models: a row per claims card, a column per claim. Below it stand the cell under the cursor, and the
joint analysis of its claim over all models: the forest with the mean, moderators, or all profiles in one plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import set_cell_size
from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from synergy_tui.drawing.lines import Line
from synergy_tui.drawing.tables import cut, printable
from synergy_tui.explorer import telling
from synergy_tui.explorer.cards import FIELDS, fitting, ordered
from synergy_tui.explorer.keys import Action, bindings, moves
from synergy_tui.explorer.model_rows import (
    Columns,
    Judged,
    about,
    brief,
    cell,
    corrected,
    cursor_line,
    fact_of,
    forest_rows,
    judge,
    most,
    profile_lines,
    says,
    telling_apart,
    wrapped,
)
from synergy_tui.explorer.run import Place
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.plot import Plot, look_of
from synergy_tui.terms import CLAIMS, EXPLAINED, HETEROGENEOUS, NOT_SUPPORTED, SUPPORTED

if TYPE_CHECKING:
    from synergy_tui.analysis.meta import Group
    from synergy_tui.store.atlas import Atlas, AtlasCard, AtlasClaim

BESIDE = 120
"""Columns of the view from which the text on a claim stands beside its forest."""

SHOWN = {"forest": "forest", "said": "what is said", "profiles": "profiles"}
"""The contents of the panel below, and their names on `o`."""

EMPTY = (
    "No claims card is in this cache yet. Here each card is a row and each claim a column, and below them stands what "
    "all models say together of the claim under the cursor: a random-effects mean, how much models differ, what that "
    "goes with, and whether the organisation is universal (C7).",
    "A card comes from the claims view: c shows what the run in front lacks, and F5 there makes it. On the command "
    "line synergy-tui claims --latest does it.",
    "Cards that were made elsewhere come in with synergy-tui atlas import FILE; synergy-tui atlas export FILE writes "
    "such a file. Three models make a meta-analysis, eight of three families a verdict on C7.",
)
"""The view's text before there is a card."""


class ModelsView(View):
    """The table above, the cell under the cursor, and all models together."""

    ACTIONS = (
        *moves("models"),
        Action(
            "models.open", "enter", "open", "open card", "The claims view of the run that the card is of", footer=True
        ),
        Action(
            "models.shown",
            "o",
            "shown",
            "below",
            "Below: the forest, what effects go with, or all profiles",
            footer=True,
        ),
        Action(
            "models.sort",
            "O",
            "sort",
            "sort",
            "Sort by this column, again for the other direction, again for none",
            footer=True,
        ),
        Action("models.filter", "slash", "filter", "filter", "Only cards that are as asked: family:llama", footer=True),
        Action("models.leave", "escape", "leave", "all/map", "All cards again; then to the map"),
    )
    BINDINGS = bindings(ACTIONS)
    HELP = (
        "Rows are the newest claims cards of every subject, of this cache and of files that were imported; columns are "
        "claims. A cell has the verdict's sign and the effect. Below: each model's effect with its interval, the "
        "random-effects mean as a diamond, and where another model's effect is expected. Cards of other methods, "
        "rankings, definitions, unit kinds or measures are not taken together: the largest group is, and the others "
        "are told. Fewer than three models are a list. / filters by " + ", ".join(FIELDS) + " or words of the "
        "subject's name: family:llama tuned:base size:<1B C1:supported; what is left is what is taken together. "
        "O sorts by the column under the cursor, o changes what stands below."
    )

    def compose(self) -> ComposeResult:
        with Vertical(classes="pane", id="models-pane"):
            field = Input(placeholder="family:llama tuned:base size:<1B C1:supported", id="models-filter", compact=True)
            field.display = False
            yield field
            yield Lines(id="models-table")
        with Vertical(classes="pane", id="models-cell-pane"):
            yield Lines(id="models-cell")
        with Horizontal(id="models-below"):
            with Vertical(classes="pane", id="models-forest-pane"):
                yield Lines(id="models-forest")
                yield Plot(id="models-profiles")
            with VerticalScroll(classes="pane", id="models-said-pane"):
                yield Lines(id="models-said")

    def on_mount(self) -> None:
        self.can_focus = True
        self._atlas: Atlas | None = None
        self._read = ""
        self._profiles: list[Line] | None = None
        self._asked: tuple[object, ...] = ()
        self._cards: tuple[AtlasCard, ...] = ()
        self._wrong = ""
        self._here = ""
        self._row, self._first = 0, 0
        self._column = self._claim = next(iter(CLAIMS))
        self._facts: tuple[str, ...] = ()
        self._sort: tuple[str, bool] | None = None
        self._below = "forest"
        self._judged: dict[str, Judged] = {}
        self._forests: dict[tuple[str, int, bool, str | None], tuple[int, list[Text]]] = {}

    def focus_main(self) -> None:
        self.focus()

    # Reading

    def show(self) -> None:
        self.noticed()
        self._draw()

    def noticed(self) -> None:
        """Reads the atlas again when the content of the cache changed."""
        cache, seen = self.explorer.cache, self.explorer.seen
        asked = (id(cache), seen.catalogue if seen else 0)
        if cache is None or asked == self._asked:
            return
        self._asked = asked

        def ask() -> tuple[Atlas, str]:
            from synergy_tui.store import atlas

            found = atlas.read(cache)
            return found, repr(found)

        self.explorer.in_thread("models", ask, self._there)

    def _there(self, answer: tuple[Atlas, str]) -> None:
        found, told = answer
        if told != self._read:  # compared by text, because NaN is not equal to itself
            self._atlas, self._read, self._facts = found, told, telling_apart(found.cards)
            self._choose()

    @property
    def words(self) -> str:
        """The words that cards must match."""
        return self.query_one(Input).value

    def _choose(self) -> None:
        """Chooses the shown cards and their order; the cursor stays on its card."""
        every = self._atlas.cards if self._atlas is not None else ()
        found = fitting(every, self.words)
        before, self._wrong = {one.entry for one in self._cards}, found.wrong
        self._cards = ordered(found.cards, *self._sort) if self._sort else found.cards
        if before != {one.entry for one in self._cards} or not self._judged:
            self._judged, self._forests, self._profiles = {}, {}, None
        entries = [one.entry for one in self._cards]
        self._row = entries.index(self._here) if self._here in entries else min(self._row, max(len(entries) - 1, 0))
        self._draw()

    def _judge(self) -> None:
        """Asks for the joint analysis of the claim over all shown cards."""
        claim, cards = self.claim, self._cards
        if claim in self._judged or not cards:
            return

        def there(found: Judged) -> None:
            if cards is self._cards:
                self._judged[found.claim] = found
                self._draw_below()

        self.explorer.in_thread("models-judge", lambda: judge(cards, claim), there)

    # What is under the cursor

    @property
    def claim(self) -> str:
        """The claim of the column; in a column about the subject, the previous claim."""
        return self._claim

    @property
    def _plan(self) -> Columns:
        """The columns of the table."""
        return Columns.of(self._cards, self._width, self._facts)

    @property
    def card(self) -> AtlasCard | None:
        """The card of the row."""
        return self._cards[self._row] if self._row < len(self._cards) else None

    # Drawing

    @property
    def _boxed(self) -> bool:
        """Whether panes have borders on all sides."""
        return self.screen.has_class("-high") and not self.screen.has_class("-narrow")

    @property
    def _frame(self) -> int:
        """Rows of a pane's border."""
        return 2 if self._boxed else 1

    @property
    def _width(self) -> int:
        """Columns in a pane over the whole width."""
        return max((self.size.width or self.app.size.width) - 2 * self._boxed, 20)

    def _draw(self) -> None:
        there = bool(self._atlas and self._atlas.cards)
        self.query_one("#models-cell-pane").display = self.query_one("#models-below").display = there
        if not there:
            return self._draw_empty()
        self._place_panes()
        self._draw_table()
        self._draw_cell()
        self._draw_below()
        self._judge()
        return None

    def _draw_empty(self) -> None:
        pane, height = self.query_one("#models-pane"), self.size.height
        pane.styles.height = "1fr"
        self.head("#models-pane", "Atlas of models" if self._atlas is None else "Atlas of models: no card yet")
        lines = telling.paragraphs(EMPTY, self._width - 1, height - self._frame)
        if self._atlas is None:
            lines = telling.wrapped(self.explorer.error or "Reading the cards …", self._width)
        self.query_one("#models-table", Lines).show(lines, self.ink)

    def _place_panes(self) -> None:
        """The table takes the room its rows need, up to a half; the cell takes a few lines, and the joint analysis the
        rest."""
        height, frame = self.size.height, self._frame
        field = 1 if self.query_one(Input).display else 0
        told = 3 if height < 28 else 5 if height < 40 else 7
        most = max((height - told - frame) // 2 if height < 28 else (height - told - frame) * 2 // 5, frame + 3)
        self.query_one("#models-pane").styles.height = min(frame + 1 + field + max(len(self._cards), 1), most)
        self.query_one("#models-cell-pane").styles.height = told + frame
        self._rows = min(frame + 1 + field + max(len(self._cards), 1), most) - frame - 1 - field

    _rows = 1

    def _draw_table(self) -> None:
        assert self._atlas is not None
        count, every = len(self._cards), len(self._atlas.cards)
        shown = f"{every} cards" if count == every else f"{count} of {every} cards"
        if self._sort:
            direction = self.ink.plain("▲" if self._sort[1] else "▼")
            shown += f" · by {self._sort[0]} {direction}"
        asked = f" · {self.words}" if self.words and not self.query_one(Input).has_focus else ""
        plan = self._plan
        if self._column not in plan.names:
            self._column = self._claim
        self.head("#models-pane", cut(f"Atlas of models: {shown}{asked}", self._width - 4), self._legend())
        lines = [plan.heading(self._column, self._sort, self.ink.dim, self.ink.ascii)]
        if not count:
            words = self._wrong or f"No card has {self.words}. Escape shows all."
            lines += telling.wrapped(printable(words), self._width)[: self._rows]
        self._first = min(max(self._first, self._row - self._rows + 1), self._row, max(count - self._rows, 0))
        for place in range(self._first, min(self._first + self._rows, count)):
            lines.append(self._line(plan, place))
        self.query_one("#models-table", Lines).show(lines, self.ink)

    def _legend(self) -> str:
        from synergy_tui.drawing.card import SIGNS

        told = " ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items())
        return told if len(told) < self._width - 6 else ""

    def _line(self, plan: Columns, place: int) -> Text:
        """A card in one line; the cell under the cursor between edges."""
        card, here = self._cards[place], place == self._row
        before, after = self.ink.edges
        line = Text(("▸" if here else " "), "bold" if here else "")
        name = set_cell_size(cut(printable(card.subject), plan.name), plan.name)
        line.append(name, self.ink.cursor if here and self._column == "subject" else "bold" if here else "")
        for fact, room in plan.facts:
            at = here and fact == self._column
            text = set_cell_size(cut(fact_of(card, fact), room), room)
            line.append(" ").append(text, self.ink.cursor if at else self.ink.dim)
        edge = ""
        for claim in CLAIMS:
            at = here and claim == self._column
            line.append(before if at else edge or " ")
            found = card.claims.get(claim)
            text = set_cell_size(cell(found, plan.cell), plan.cell)
            style = self.ink.cursor if at and self.ink.system is not None else self._colour(found)
            line.append(text, style)
            edge = after if at else ""
        return line.append(edge)

    def _colour(self, claim: AtlasClaim | None) -> Style:
        verdict = claim.verdict if claim is not None else ""
        grave, notable = self.ink.levels[:2]
        known = {SUPPORTED: self.ink.good, NOT_SUPPORTED: grave, EXPLAINED: notable, HETEROGENEOUS: notable}
        return known.get(verdict, self.ink.dim)

    def _draw_cell(self) -> None:
        """What the card says about the claim, and what the card is about."""
        card, claim = self.card, self.claim
        if card is None:
            self.head("#models-cell-pane", "")
            self.query_one("#models-cell", Lines).show([], self.ink)
            return
        found = card.claims.get(claim)
        where = "enter opens it" if card.origin is None else f"from file {printable(card.origin)[:8]}"
        self.head("#models-cell-pane", telling.whole_words(f"{claim}  {CLAIMS[claim]}", self._width - 4), where)
        lines = [Text(" ").append(line, self._colour(found)) for line in wrapped(says(found), self._width - 2)]
        rows = self.query_one("#models-cell-pane").styles.height
        room = int(rows.value if rows is not None else 4) - self._frame
        what = telling.fitting(about(card), (room - len(lines)) * (self._width - 8), " · ").strip()
        facts = wrapped(what, self._width - 2)
        told = wrapped(f"Missing: {found.missing}." if found and found.missing else "", self._width - 2)
        told += wrapped(printable(found.told) if found else "", self._width - 2)
        # The subject is shown whole; the claim's measure as far as it fits.
        free = max(room - len(lines) - len(facts), 0)
        lines += [Text(f" {line}") for line in most(told, free, self._width - 2)]
        lines += [Text(f" {line}", self.ink.dim) for line in facts]
        self.query_one("#models-cell", Lines).show(lines[:room], self.ink)

    @property
    def _beside(self) -> bool:
        """Whether the text stands beside the forest."""
        return self._width >= BESIDE

    def _draw_below(self) -> None:
        if not (self._atlas and self._atlas.cards):
            return
        forest, plot = self.query_one("#models-forest", Lines), self.query_one("#models-profiles", Plot)
        plot.display, forest.display = self._below == "profiles", self._below == "forest"
        self.query_one("#models-forest-pane").display = self._below != "said"
        found, claim = self._judged.get(self.claim), self.claim
        following = f"{SHOWN[self._following()]}: o"
        self._draw_said(found, following)
        if self._below == "profiles":
            self._draw_profiles(plot, following)
        elif self._below == "forest" and found is None:
            self.head("#models-forest-pane", f"{claim} over all models", following)
            forest.show(telling.wrapped("Judging …" if self._cards else "No card is shown.", self._width), self.ink)
        elif self._below == "forest" and found is not None:
            self._draw_forest(forest, found, following)

    def _draw_said(self, found: Judged | None, following: str) -> None:
        """Draws the text on the claim: beside the forest if there is room, else in its place. It scrolls."""
        side, alone = self.query_one("#models-said-pane"), self._below == "said"
        side.display = alone or self._beside
        if not side.display:
            return
        width = self._width if alone else self._side
        side.styles.width = "1fr" if alone else width + 2 * self._boxed
        lines = self._said(found, width - 2) if found else []
        more = "tab and ↓ for the rest" if len(lines) > self._room() else ""
        title = " · ".join(part for part in (f"{self.claim} over all models", more) if part)
        self.head("#models-said-pane", title, following if alone else "")
        self.query_one("#models-said", Lines).show(lines, self.ink)

    @property
    def _side(self) -> int:
        """Columns in the side pane."""
        return max(self._width * 2 // 5, 40)

    def _room(self) -> int:
        """Rows in the panes below."""
        table, told = (self.query_one(f"#models-{name}").styles.height for name in ("pane", "cell-pane"))
        taken = sum(int(one.value) for one in (table, told) if one is not None)
        return max(self.size.height - taken - self._frame, 1)

    def _draw_forest(self, forest: Lines, found: Judged, following: str) -> None:
        """Draws the forest, with only the rows around the cursor if not all fit, and the text below it."""
        width = self._width
        if self._beside:
            width -= self._side + 2 * self._boxed
        if not found.groups:
            self.head("#models-forest-pane", f"{found.claim} over all models", following)
            forest.show(telling.wrapped(f"No card that is shown says anything of {found.claim}.", width), self.ink)
            return
        first, room = found.groups[0], self._room()
        known, lines = self._forest(found, width - 1)
        title = f"{found.claim} over {len(first.known)} models" if first.result else f"{found.claim}: a list"
        parts = [] if self._is_in(first) else ["without the card under the cursor"]
        parts += [*brief(first), *([] if found.universal is None else [f"C7 {found.universal.verdict}"])]
        here = self._of_cursor(first)
        rest = lines[known:]
        if len(lines) > room:
            some = max(room - len(rest), 1)
            begin = min(max((here or 0) - some // 2, 0), max(known - some, 0))
            parts += [f"{begin + 1} to {begin + some} shown"] if some < known else []
            rows = list(range(begin, min(begin + some, known)))
        else:
            rows = list(range(known))
        self.head("#models-forest-pane", telling.fitting([title, *parts], width - 4, " · ").strip(), following)
        out = [self._pointed(lines[row], row == here) for row in rows] + [Text(" ").append_text(one) for one in rest]
        if not self._beside and len(out) + 1 < room:
            out += [Text(), *self._said(found, width, room - len(out) - 1)]
        forest.show(out[:room], self.ink)

    def _pointed(self, line: Text, here: bool) -> Text:
        return Text("▸" if here else " ", "bold" if here else "").append_text(line)

    def _of_cursor(self, group: Group) -> int | None:
        """The place of the cursor's card among the rows of a forest."""
        entries = [one.entry for one in forest_rows(group)]
        return entries.index(self.card.entry) if self.card is not None and self.card.entry in entries else None

    def _is_in(self, group: Group) -> bool:
        """Whether the cursor's card is one of a group."""
        every = {one.entry for one in (*group.models, *group.random)}
        return self.card is None or self.card.entry in every

    def _forest(self, found: Judged, width: int) -> tuple[int, list[Text]]:
        """The number of models with a line before the means, and all lines."""
        from synergy_tui.drawing import forest

        look = look_of(self.ink)
        key = (found.claim, width, look.ascii, look.system)
        if key not in self._forests:
            first = found.groups[0]
            self._forests[key] = (len(forest_rows(first)), forest.draw(first, width, look))
        return self._forests[key]

    def _said(self, found: Judged, width: int, room: int | None = None) -> list[Text]:
        """Heterogeneity, C7, moderators, and which cards are left out or kept apart: the first whole sentences that
        fit."""
        from synergy_tui.drawing import models

        if not found.groups:
            return []
        first, *others = found.groups
        told = models.heterogeneity(first)
        told += models.universal(found.universal) if found.universal is not None else []
        told += [f"Left out: {one}." for one in first.left_out]
        told += [f"{one.name}: {one.said}{corrected(one)}." for one in found.moderators]
        if others:
            count = sum(len(one.models) + len(one.random) for one in others)
            what = "card" if count == 1 else "cards"
            told.append(f"Kept apart: {count} {what} of other methods, rankings, definitions, unit kinds or measures.")
        told.append(f"Taken together: {first.told}.")
        lines: list[Text] = []
        for one in told:
            more = telling.wrapped(printable(one), width)
            if room is not None and len(lines) + len(more) > room:
                break
            lines += more
        return lines

    def _draw_profiles(self, plot: Plot, following: str) -> None:
        """Draws all profiles, and in front the profile of the card under the cursor."""
        shown = [one for one in self._cards if len(one.profile) > 1]
        rankings = ", ".join(sorted({one.ranking for one in shown}))
        title = f"Profiles of {len(shown)} models: {rankings}, scaled" if shown else "No card has a profile over depth"
        self.head("#models-forest-pane", title, following)
        if self._profiles is None:
            self._profiles = profile_lines(shown)
        plot.draw(
            [*self._profiles, *cursor_line(shown, self.card)],
            self.ink,
            "",
            "normalised depth: 0 the first layer, 1 the last",
        )

    # Keys

    def action_move(self, rows: int, columns: int) -> None:
        """Another cell; it stops at the edges."""
        if not self._cards:
            return
        self._row = min(max(self._row + rows, 0), len(self._cards) - 1)
        names = self._plan.names
        self._go(names[min(max(names.index(self._column) + columns, 0), len(names) - 1)])

    def _go(self, column: str) -> None:
        self._column, self._claim = column, column if column in CLAIMS else self._claim
        self._here = self._cards[self._row].entry
        self._draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.action_move(1, 0)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.action_move(-1, 0)

    @on(events.Click, "#models-table")
    def _pointed_at(self, event: events.Click) -> None:
        table = self.query_one("#models-table")
        row, x = self._first + event.screen_y - table.region.y - 1, event.screen_x - table.region.x
        plan = self._plan
        if 0 <= row < len(self._cards):
            self._row = row
            self._go(plan.column(x))

    def _following(self) -> str:
        names = list(SHOWN)
        return names[(names.index(self._below) + 1) % len(names)]

    def action_shown(self) -> None:
        """Switches the panel below: the forest, the text, or all profiles."""
        self._below = self._following()
        self._draw_below()

    def action_sort(self) -> None:
        """Sorts by the column under the cursor, then backwards, then by subject again."""
        by = self._column
        self._sort = (by, False) if self._sort is None or self._sort[0] != by else None if self._sort[1] else (by, True)
        self._choose()

    def action_filter(self) -> None:
        """Moves into the filter field."""
        field = self.query_one(Input)
        field.display = True
        field.focus()
        self._draw()

    @on(Input.Changed)
    def _narrow(self) -> None:
        self._choose()

    @on(Input.Submitted)
    def _to_table(self) -> None:
        if self._wrong:
            self.explorer.say(f"{self._wrong[0].upper()}{self._wrong[1:]}.", "error")
        if not self.words:
            self.query_one(Input).display = False
        self.focus_main()
        self._draw()

    def action_leave(self) -> None:
        """Shows all cards again; if all are shown, brings the map to the front."""
        field = self.query_one(Input)
        if not field.display:
            self.explorer.to_view("atlas")
            return
        field.value = ""
        field.display = False
        self.focus_main()
        self._draw()

    def action_open(self) -> None:
        """Brings the run of the card to the front, in the claims view; for an imported card says that there is no
        run."""
        card, cache = self.card, self.explorer.cache
        if card is None or cache is None:
            self.explorer.say("There is no card to open: c shows what the run in front lacks for one.")
        elif card.decomposition is None:
            origin = printable(card.origin or "")[:8]
            told = f"This card came from a file ({origin}): its run is in the cache in which it was made."
            self.explorer.say(f"{told} synergy-tui atlas forget {origin} takes such cards out.")
        else:
            self.explorer.to_view("claims")
            self.explorer.open_run(Place(cache, card.decomposition))

    # Content for copying

    def sql(self) -> str:
        one = "SELECT {0} AS entry, claim, verdict, effect, low, high, level, n, missing FROM {1} WHERE claim = '{2}'"
        both = (one.format("card", "claims", self.claim), one.format("entry", "atlas_claims", self.claim))
        return f"{' UNION ALL '.join(both)} ORDER BY effect DESC"

    def command(self) -> str:
        return (
            "synergy-tui atlas --profiles" if self._below == "profiles" else f"synergy-tui atlas --claim {self.claim}"
        )

    def value(self) -> str:
        card = self.card
        return f"{self.claim} of {printable(card.subject)}: {says(card.claims.get(self.claim))}" if card else ""

    def table(self) -> Table:
        from synergy_tui.drawing import models

        rows = models.rows(self._cards)
        return (list(rows[0]), [tuple(one.values()) for one in rows]) if rows else ([], [])

    def about(self) -> list[str]:
        found = self._judged.get(self.claim)
        told = [line.plain.strip() for line in self._said(found, 10_000)] if found else []
        return [f"{self.claim}: {CLAIMS[self.claim]}.", *([f"{self.value()}."] if self.card else []), *told]
