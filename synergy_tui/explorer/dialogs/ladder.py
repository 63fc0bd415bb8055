"""The form that starts a ladder: a subject, a family of tasks, how many levels and prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy_tui.explorer.dialogs.new import Form, Values, whole
from synergy_tui.terms import ORDER_PARAMETERS

if TYPE_CHECKING:
    from synergy_tui.jobs.plan import Plan


class LadderForm(Form):
    """A capture of all levels and the ladder's own job; what is finished of it is not made again."""

    TITLE_ = "Difficulty: climb a ladder"
    FIELDS = (
        ("subject", "smollm2", "smollm2, a model folder, a .gguf file, owner/name of a hub model"),
        ("ladder", "arithmetic-chains", "or word-sorting, letter-counting, …, reasoning-gym:NAME, a file"),
        ("levels", "", "empty for all; 8 or more for the full verdict"),
        ("prompts", "40", "of each level; 40 for the full verdict"),
        ("steps", "64", "most tokens of a response"),
        ("parameter", ORDER_PARAMETERS[0], ", ".join(ORDER_PARAMETERS[1:])),
    )

    def plans(self, values: Values) -> list[Plan]:
        from synergy_tui.errors import UsageError
        from synergy_tui.jobs import plan

        cache = self.explorer.cache
        if cache is None:
            raise UsageError("the cache is not open yet", "wait a moment")
        chain = plan.difficulty_chain(
            cache,
            self.explorer.settings.data,
            values["subject"],
            ladder=values["ladder"],
            levels=whole(values, "levels") if values["levels"] else None,
            prompts=whole(values, "prompts"),
            steps=whole(values, "steps"),
            order_parameter=values["parameter"],
        )
        if chain.finished:
            raise UsageError(f"ladder {chain.finished} is just that and is finished", "choose it with . and ,")
        return chain.plans
