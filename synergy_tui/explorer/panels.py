"""The panels of a view: which take keys, which has all the room, and how wide the side panel is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.widget import Widget

    from synergy_tui.explorer.views.base import View

LEAST_SIDE, LEAST_MAIN = 16, 30
"""Fewest columns of a view's side panel, and of the rest of the view."""


def inner(panel: Widget) -> Widget | None:
    """The widget that takes a panel's keys, or None."""
    return next((one for one in (panel, *panel.query("*")) if one.focusable and one.display), None)


def that_take_keys(some: Sequence[Widget]) -> list[Widget]:
    """The visible panels that take keys."""
    return [one for one in some if one.display and one.region and inner(one) is not None]


def zoom(view: View, focused: Widget | None) -> None:
    """Gives the focused panel all the room of the view; a second call gives all panels their own room again."""
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
    """Makes a view's side panel wider or, below zero, narrower; False if the view has none."""
    panel = next(iter(view.query(view.SIDE)), None) if view.SIDE else None
    if panel is None or not panel.display:
        return False
    most = max(view.size.width - LEAST_MAIN, LEAST_SIDE)
    panel.styles.width = min(max(panel.outer_size.width + columns, LEAST_SIDE), most)
    return True
