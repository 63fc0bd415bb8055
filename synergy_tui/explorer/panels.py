"""The panels of a view: which take keys, which has all the room, and how wide the one at the side is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.widget import Widget

    from synergy_tui.explorer.views.base import View

LEAST_SIDE, LEAST_MAIN = 16, 30
"""Fewest columns of the panel at a view's side, and of what is beside it."""


def inner(panel: Widget) -> Widget | None:
    """What takes the keys of a panel; None where nothing does."""
    return next((one for one in (panel, *panel.query("*")) if one.focusable and one.display), None)


def that_take_keys(some: Sequence[Widget]) -> list[Widget]:
    """Those panels that are seen and take keys."""
    return [one for one in some if one.display and one.region and inner(one) is not None]


def zoom(view: View, focused: Widget | None) -> None:
    """Gives the panel that has the keys all the room of the view; a second time, gives all panels theirs."""
    hidden = view.query(".-behind")
    if hidden:
        hidden.remove_class("-behind")
        view.query(".-alone").remove_class("-alone")
        return
    above = focused.ancestors_with_self if focused is not None else ()
    panel = next((one for one in above if one.has_class("pane")), None) or next(iter(view.query(".pane")), None)
    while panel is not None and panel is not view and panel.parent is not None:
        for other in panel.parent.children:
            other.set_class(other is not panel, "-behind")
        panel.add_class("-alone")
        panel = panel.parent


def widen(view: View, columns: int) -> bool:
    """Makes the panel at the side of a view wider or, below zero, narrower; False where there is none."""
    panel = next(iter(view.query(view.SIDE)), None) if view.SIDE else None
    if panel is None or not panel.display:
        return False
    most = max(view.size.width - LEAST_MAIN, LEAST_SIDE)
    panel.styles.width = min(max(panel.outer_size.width + columns, LEAST_SIDE), most)
    return True
