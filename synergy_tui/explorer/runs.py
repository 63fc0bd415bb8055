"""The tree of runs with its search."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Tree
from textual.widgets.tree import TreeNode

from synergy_tui.explorer.finding import has

if TYPE_CHECKING:
    from synergy_tui.explorer.host import Host
    from synergy_tui.explorer.open import Branch, RunTree
    from synergy_tui.explorer.run import Place


class RunsPanel(Vertical):
    """Subjects, captures, decompositions; enter opens one; `search` narrows them."""

    BORDER_TITLE = "Runs"

    def compose(self) -> ComposeResult:
        yield Input(placeholder="find", id="find", select_on_focus=False)
        tree: Tree[Place | None] = Tree("runs", id="tree")
        tree.show_root = False
        tree.guide_depth = 2
        yield tree

    def on_mount(self) -> None:
        self._runs: RunTree | None = None
        self._place: Place | None = None
        field = self.query_one(Input)
        field.cursor_blink = False

    @property
    def explorer(self) -> Host:
        """The app."""
        return cast("Host", self.app)

    @property
    def listing(self) -> Tree[Place | None]:
        """The tree."""
        return self.query_one(Tree)

    def show(self, runs: RunTree) -> None:
        """Redraws the tree; the line of the open run stays under the cursor."""
        if runs == self._runs:
            return
        self._runs = runs
        self._draw()

    def places(self) -> list[tuple[str, Place]]:
        """Every run, in the order of the tree: its name with the names above it, and its place."""
        from synergy_tui.drawing.tables import printable

        def of(branch: Branch, above: str) -> list[tuple[str, Place]]:
            text = f"{above} ▸ {branch.text}" if above else branch.text
            own = [(self.explorer.ink.plain(printable(text)), branch.place)] if branch.place is not None else []
            return own + [found for one in branch.branches for found in of(one, text)]

        return [found for one in (self._runs.branches if self._runs else ()) for found in of(one, "")]

    def point(self, place: Place) -> None:
        """Puts the cursor on a run."""
        self._place = place
        node = self._find(self.listing.root)
        if node is not None:
            self.listing.move_cursor(node)

    def on_resize(self) -> None:
        """Names are shortened to the width."""
        if self._runs is not None:
            self._draw()

    def search(self) -> None:
        """Moves into the search field."""
        field = self.query_one(Input)
        field.add_class("-shown")
        field.focus()

    def focus_tree(self) -> None:
        """Moves into the tree."""
        self.listing.focus()

    def _draw(self) -> None:
        tree, wanted = self.listing, self.query_one(Input).value.lower().split()
        tree.clear()
        for branch in self._runs.branches if self._runs else ():
            self._add(tree.root, branch, wanted, "")
        if wanted and not tree.root.children:
            tree.root.add_leaf("no run has these words; escape shows all", None)
        if self._place is not None:
            self.call_after_refresh(self.point, self._place)

    def _add(self, node: TreeNode[Place | None], branch: Branch, wanted: list[str], above: str) -> None:
        from rich.text import Text

        from synergy_tui.drawing.tables import printable

        path = f"{above} {branch.text} {branch.id}".lower()
        if wanted and not _reaches(branch, wanted, above):
            return
        label = Text(self.explorer.ink.plain(printable(branch.text)), no_wrap=True)
        depth = 0 if node.is_root else 1 if node.parent is not None and node.parent.is_root else 2
        room = (self.listing.content_size.width or 28) - 2 * depth - (2 if branch.branches else 0)
        if label.cell_len > max(room, 8):
            label.truncate(max(room, 8), overflow="ellipsis")
            label = Text(self.explorer.ink.plain(label.plain), no_wrap=True)
        if branch.branches:
            inner = node.add(label, branch.place, expand=True)
            for one in branch.branches:
                self._add(inner, one, wanted, path)
        else:
            node.add_leaf(label, branch.place)

    def _find(self, node: TreeNode[Place | None]) -> TreeNode[Place | None] | None:
        for child in node.children:
            if child.data is not None and self._place is not None and child.data.id == self._place.id:
                return child
            found = self._find(child)
            if found is not None:
                return found
        return None

    @on(Input.Changed)
    def _narrow(self) -> None:
        self._draw()

    @on(Input.Submitted)
    def _to_tree(self) -> None:
        self.focus_tree()

    @on(Tree.NodeSelected)
    def _open(self, event: Tree.NodeSelected[Place | None]) -> None:
        if event.node.data is not None:
            self.explorer.visit(event.node.data)
            self.remove_class("-open")
            self.explorer.view.focus_main()

    def key_escape(self) -> None:
        """Leaves the search, then the drawer."""
        field = self.query_one(Input)
        field.value = ""
        field.remove_class("-shown")
        self.remove_class("-open")
        self.explorer.view.focus_main()


def _reaches(branch: Branch, wanted: list[str], above: str) -> bool:
    """Whether a branch, together with the names above it, or a branch under it has all the words."""
    path = f"{above} {branch.text} {branch.id}".lower()
    return all(has(path, word) for word in wanted) or any(_reaches(one, wanted, path) for one in branch.branches)
