"""subject + prompts → responses with the activity of every unit at every step."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """This room has the name of a library function, synergy_tui.capture, and replaces it in the package once it is
    imported. So the module can be called like the function."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        from importlib import import_module

        return import_module("synergy_tui.library").capture(*arguments, **named)


sys.modules[__name__].__class__ = _Room
