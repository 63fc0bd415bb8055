"""Pictures of the explorer for the README, drawn by the explorer: python -m synergy_tui.bench.screenshots FOLDER"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from textual import constants

KEYS = {"atlas": (), "tokens": ("t", "right", "right"), "pairs": ("p",)}
SIZE = (128, 36)


async def take(folder: Path) -> None:
    """Writes one SVG for each view in KEYS, of the sample result."""
    # The pictures show every colour, whatever terminal this runs in. Textual declares the constant final.
    constants.COLOR_SYSTEM = "truecolor"  # type: ignore[misc]
    from synergy_tui.explorer.app import Explorer
    from synergy_tui.settings import load

    with tempfile.TemporaryDirectory() as home:
        settings = replace(load(Path(home) / "cache"), state=Path(home), theme="dark", colour="truecolor")
        app = Explorer(settings)
        async with app.run_test(size=SIZE) as pilot:
            while app.shown is None:
                await pilot.pause(0.1)
            app.selection.unit = 14 * app.shown.per_layer + 5
            app.changed()
            for name, keys in KEYS.items():
                await pilot.press("escape", *keys)
                await pilot.pause(2.5)
                (folder / f"{name}.svg").write_text(app.export_screenshot(title="synergy-tui", simplify=True), "utf-8")


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1])))
