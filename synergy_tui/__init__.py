"""synergy-tui: where in a language model information is integrated, where it is merely repeated.

>>> import synergy_tui as st
>>> run = st.sample().run("latest")
>>> run.map().shape  # layers × units, NaN where there is no unit
(30, 9)

`st.open_cache()` opens your own results; `st.run`, `st.capture`, `st.decompose`, `st.ablate` and `st.claims` make them.
All of these names live in synergy_tui.library, which is loaded when one of them is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from synergy_tui.errors import SynergyError as SynergyError
    from synergy_tui.library import (
        Ablation,
        Cache,
        Capture,
        Card,
        Run,
        Table,
        ablate,
        capture,
        claims,
        decompose,
        open_cache,
        run,
        sample,
    )

__all__ = [
    "Ablation",
    "Cache",
    "Capture",
    "Card",
    "Run",
    "SynergyError",
    "Table",
    "__version__",
    "ablate",
    "capture",
    "claims",
    "decompose",
    "open_cache",
    "run",
    "sample",
]


def __getattr__(name: str) -> Any:
    """The library's names. The module is named as a string, because no room below the library may import it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("synergy_tui.errors" if name == "SynergyError" else "synergy_tui.library"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
