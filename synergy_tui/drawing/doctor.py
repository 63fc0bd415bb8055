"""What `doctor` found → lines for people, with a word on what would be better."""

from __future__ import annotations

from typing import Any

from rich.console import Console

_COLOURS = {"truecolor": 16_777_216, "256": 256, "standard": 16, "windows": 16}


def terminal(console: Console) -> dict[str, Any]:
    """Colours, size, and whether standard output is a terminal at all."""
    system = console.color_system
    return {
        "terminal": console.is_terminal,
        "colours": _COLOURS.get(system or "", 0),
        "width": console.width,
        "height": console.height,
    }


def as_text(found: dict[str, Any]) -> str:
    """One line per thing."""
    lines = [
        f"synergy-tui  {found['synergy-tui']} on Python {found['python']}",
        f"machine      {found['cores']} cores, {_gigabytes(found['memory'])} of memory free",
    ]
    for name in ("torch", "jax"):
        lines.append(f"{name:<12} {_library(found[name])}")
    cache = found["cache"]
    if "error" in cache:
        lines.append(f"cache        {cache['error']}")
    else:
        held = f"{cache['captures']} captures, {cache['decompositions']} decompositions"
        lines.append(f"cache        {cache['folder']}: {held}, {cache['free'] / 1e9:.1f} GB of disk free")
    seen = found["terminal"]
    colours = f"{seen['colours']:,} colours" if seen["colours"] else "no colours (shades are drawn instead)"
    lines.append(f"terminal     {seen['width']}×{seen['height']}, {colours}")
    if seen["terminal"] and 0 < seen["colours"] < 256:
        lines.append("             set TERM=xterm-256color for the full scale")
    return "\n".join(lines)


def _library(found: dict[str, Any]) -> str:
    if "error" in found:
        return f"does not answer: {found['error']}"
    if "backend" in found:
        return f"{found['version']}, {found['backend']}: {', '.join(found['devices'])}"
    cards = [f"{card['name']}, {_gigabytes(card)} free" for card in found["devices"]]
    return f"{found['version']}, {'; '.join(cards) if cards else 'no GPU'}, {found['threads']} threads"


def _gigabytes(part: dict[str, Any]) -> str:
    return f"{part['free'] / 1e9:.1f} of {part['total'] / 1e9:.1f} GB"
