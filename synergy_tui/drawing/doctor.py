"""The findings of `doctor` → lines for people, with advice."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console

GOOD, BAD, FAIR = "✓", "✖", "·"

LEAST_MEMORY, LEAST_DISK = 2e9, 1e9
"""Bytes below which memory or disk space is too little."""

_COLOURS = {"truecolor": 16_777_216, "256": 256, "standard": 16, "windows": 16}


def terminal(console: Console, unwanted: bool = False) -> dict[str, Any]:
    """Colours, whether the user wants none, size, the locale's encoding, whether tmux is in between, and whether
    standard output is a terminal."""
    system = console.color_system
    return {
        "terminal": console.is_terminal,
        "colours": _COLOURS.get(system or "", 0),
        "unwanted": unwanted,
        "width": console.width,
        "height": console.height,
        "encoding": console.encoding,
        "tmux": bool(os.environ.get("TMUX")),
    }


def as_text(found: dict[str, Any]) -> str:
    """One line per finding: ✓ if it is right, ✖ with a remedy if it is wrong, and · if it is acceptable."""
    rows = [(GOOD, "synergy-tui", f"{found['synergy-tui']} on Python {found['python']}", "")]
    memory = found["memory"]
    low = memory["free"] < LEAST_MEMORY
    told = f"{found['cores']} cores, {_gigabytes(memory)} of memory free"
    rows.append((BAD if low else GOOD, "machine", told, "close what takes it: SmolLM2 needs 2 GB" if low else ""))
    for name in ("torch", "jax"):
        failed = "error" in found[name]
        rows.append(
            (BAD if failed else GOOD, name, _library(found[name]), "install the package anew" if failed else "")
        )
    gpu = "error" not in found["torch"] and found["torch"]["devices"]
    rows.append(
        (GOOD, "GPU", "is used by default", "") if gpu else (FAIR, "GPU", "none: everything runs on the CPU", "")
    )
    rows.append(_cache(found["cache"]))
    return "\n".join(_line(*row) for row in [*rows, *_terminal(found["terminal"])])


def _cache(cache: dict[str, Any]) -> tuple[str, str, str, str]:
    if "error" in cache:
        return (BAD, "cache", cache["error"], "")
    held = f"{cache['captures']} captures, {cache['decompositions']} decompositions"
    told = f"{cache['folder']}: {held}, {cache['free'] / 1e9:.1f} GB of disk free"
    full = cache["free"] < LEAST_DISK
    return (BAD if full else GOOD, "cache", told, "make room, or choose another disk with --cache" if full else "")


def _terminal(seen: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    colours = f"{seen['colours']:,} colours" if seen["colours"] else "no colours (shades are drawn instead)"
    few = seen["terminal"] and seen["colours"] < 256 and not seen["unwanted"]
    remedy = "TERM=xterm-256color or --color 256 shows the full scale" if few else ""
    if seen["unwanted"]:
        colours = "none, as --no-color, NO_COLOR or config.toml says (shades are drawn instead)"
    good = seen["terminal"] and not seen["unwanted"]
    rows = [(BAD if few else GOOD if good else FAIR, "colours", colours, remedy)]
    small = seen["terminal"] and (seen["width"] < 80 or seen["height"] < 24)
    size = f"{seen['width']}×{seen['height']}"
    rows.append((FAIR if small else GOOD, "size", size, "80×24 shows every panel whole" if small else ""))
    plain = "utf" not in seen["encoding"].lower()
    remedy = "LANG=C.UTF-8 shows all signs; signs of ASCII stand in" if plain else ""
    rows.append((BAD if plain else GOOD, "locale", seen["encoding"], remedy))
    if seen["tmux"]:
        told = "passes copied text on where set-clipboard is on"
        rows.append((FAIR, "tmux", told, "tmux set -s set-clipboard on"))
    return rows


def _line(sign: str, name: str, told: str, remedy: str) -> str:
    return f"{sign} {name:<12} {told}" + (f" · {remedy}" if remedy else "")


def _library(found: dict[str, Any]) -> str:
    if "error" in found:
        return f"does not answer: {found['error']}"
    if "backend" in found:
        return f"{found['version']}, {found['backend']}: {', '.join(found['devices'])}"
    cards = [f"{card['name']}, {_gigabytes(card)} free" for card in found["devices"]]
    return f"{found['version']}, {'; '.join(cards) if cards else 'no GPU'}, {found['threads']} threads"


def _gigabytes(part: dict[str, Any]) -> str:
    return f"{part['free'] / 1e9:.1f} of {part['total'] / 1e9:.1f} GB"
