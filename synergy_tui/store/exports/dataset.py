"""A run as a dataset in Hugging Face's layout: a Parquet file for each table, each table a configuration, and a
card."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from synergy_tui import __version__
from synergy_tui.store import load
from synergy_tui.store.archive import extent
from synergy_tui.store.cache import Cache
from synergy_tui.store.exports.tables import copy, names, select
from synergy_tui.store.run import Run, read
from synergy_tui.store.schema import views
from synergy_tui.store.tables import TABLES
from synergy_tui.terms import RANKINGS

FIRST = "heads"
"""The configuration that is loaded by default."""


def write(cache: Cache, decomposition: str, folder: Path, series: bool) -> None:
    """Writes the folder. Raises OSError."""
    (folder / "data").mkdir(parents=True)
    with cache.read() as con:
        found = extent(con, decomposition)
        some = names(con, found, series)
        for name in some:
            copy(con, select(name, found), folder / "data" / f"{name}.parquet", "parquet")
    run = read(cache, decomposition)
    recipes = load.rows(cache, "SELECT command FROM recipes WHERE result = $1", decomposition)
    text = card(run, sorted(some, key=lambda one: (one != FIRST, one)), [one["command"] for one in recipes])
    (folder / "README.md").write_text(text, "utf-8")


def card(run: Run, tables: list[str], recipes: list[str]) -> str:
    """The dataset's card. Texts from the run are escaped: a name may hold anything."""
    row = run.row
    configs = "\n".join(
        f"- config_name: {name}\n{'  default: true' + chr(10) if name == FIRST else ''}"
        f"  data_files:\n  - split: train\n    path: data/{name}.parquet"
        for name in tables
    )
    title = f"Synergy map of {row['name']}"
    comments = {name: told for name, (told, *_) in views(Path()).items()} | {
        name: told for name, (told, _) in TABLES.items()
    }
    lines = [
        "---",
        f"pretty_name: {json.dumps(_one_line(title))}",
        "tags:\n- interpretability\n- information-decomposition\n- synergy-tui",
        f"configs:\n{configs}",
        "---",
        "",
        f"# {_plain(title)}",
        "",
        "Activity of a language model's units, all pairs of which were decomposed with Integrated Information "
        "Decomposition (ΦID). Atoms are in nats.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_plain(value)} |" for name, value in _facts(run).items()),
        "",
        "| table | what it has |",
        "|---|---|",
        *(f"| `{name}` | {_plain(comments[name])} |" for name in tables),
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'heads = load_dataset("OWNER/NAME", "{FIRST}", split="train")',
        "```",
        "",
        *(["It was made with:", "", *(f"    {_one_line(one)}" for one in recipes), ""] if recipes else []),
        f"Exported by synergy-tui {__version__}.",
        "",
    ]
    return "\n".join(lines)


def _facts(run: Run) -> dict[str, Any]:
    row = run.row
    contrast = run.contrasts.get(RANKINGS[0]) or {}
    told = "none" if contrast.get("contrast") is None else f"{contrast['contrast']:+.3f}"
    if contrast.get("low") is not None:
        told += f" [{contrast['low']:+.3f}, {contrast['high']:+.3f}]"
    return {
        "subject": row["name"],
        "tasks": row["tasks"],
        "layers × units": f"{row['layers']} × {row['units_per_layer']}",
        "kind": row["kind"],
        "prompts": f"{row['valid_prompts']} of {row['prompts']} long enough",
        "method": f"{row['estimator']} {row['redundancy']}, lag {row['lag']}, {row['pool']}, {row['preprocess']}",
        "surrogates": f"{row['surrogates'] or 0} of {', '.join(row['nulls'] or ()) or 'no null'}",
        f"contrast of {RANKINGS[0]}": told,
    }


def _one_line(text: object) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())


def _plain(text: object) -> str:
    """A text escaped so that Markdown and HTML show it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#!|&~$])", r"\\\1", _one_line(text)).replace("\\<", "&lt;").replace("\\&", "&amp;")
