"""subjects list, show, check, pull: which models there are, and what they need."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from synergy_tui.cli import manner
from synergy_tui.cli.common import open_cache, options, print_json, print_table, settings_in_force
from synergy_tui.cli.fields import made, request_options
from synergy_tui.errors import SubjectError
from synergy_tui.jobs.specs.pull import CheckRequest, PullRequest


@click.group(invoke_without_command=True)
@options()
@click.pass_context
def subjects(context: click.Context, cache: Path | None, as_json: bool) -> None:
    """Language models to study: which are at hand, what they need, and how to fetch them."""
    if context.invoked_subcommand is None:
        context.invoke(list_, cache=cache, as_json=as_json)


@subjects.command("list")
@options()
def list_(cache: Path | None, as_json: bool) -> None:
    """List built-in subjects, the zoo, and those captured before: size, architecture and licence of each, shown before
    anything is fetched. size: of its weights on this disk, or of the download.

    \b
    Example:  synergy-tui subjects list
    """
    from synergy_tui.store import load
    from synergy_tui.subject.facts import bytes_at
    from synergy_tui.subject.manifest import BUILT_IN

    data = settings_in_force(cache).data
    found = [_row(name, data) for name in BUILT_IN]
    found += zoo_rows(data)
    query = """SELECT DISTINCT ON (place, revision) * FROM subjects
      WHERE source NOT IN ('built-in', 'zoo', 'import') AND weights_seed IS NULL ORDER BY place, revision"""
    for row in load.rows(open_cache(cache), query):
        heads = f"{row['layers']} × {row['heads']}"
        place = f"{row['place']} --revision {row['revision']}" if row["revision"] else row["place"]
        here = row["source"] == "hub" or Path(row["place"]).exists()
        found.append({"subject": place, "name": row["name"], "architecture": row["model_type"], "heads": heads})
        size = None
        if here and row["source"] in ("folder", "gguf"):
            with contextlib.suppress(SubjectError):  # it was whole when it was captured
                size = bytes_at(Path(row["place"]))
        found[-1] |= {"parameters": row["parameters"], "bytes": size, "licence": "", "here": here}
        found[-1] |= _lineage(row["model_type"], row["name"])
    if as_json:
        return print_json(found)
    absent = ("at first use", "gone")
    shown = [
        {("size" if key == "bytes" else key): value for key, value in one.items() if key not in LINEAGE}
        | {"parameters": _many(one["parameters"]), "size": _size(one["bytes"])}
        | {"here": "yes" if one["here"] else absent[one["subject"] not in BUILT_IN]}
        for one in found
    ]
    print_table(shown, whole=["subject"], spare=("heads", "name", "architecture", "size", "licence", "parameters"))


@subjects.command()
@click.argument("subject")
@request_options(PullRequest, "device", "seed")
@options()
def show(subject: str, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Size, licence, units of SUBJECT, and the memory it needs, without loading it.

    \b
    Example:  synergy-tui subjects show smollm2
    """
    from synergy_tui.jobs.devices import free_memory
    from synergy_tui.subject.facts import facts
    from synergy_tui.subject.sources import resolve

    request = made(PullRequest, chosen | {"subject": subject})
    source = resolve(request.subject, request.revision, pickle=request.allow_pickle)
    found = facts(source, settings_in_force(cache).data)
    found["memory_free"] = free_memory()
    if as_json:
        return print_json(found)
    kinds = [("heads", "attention heads"), ("ssm_heads", "state-space heads"), ("experts", "experts")]
    units = [f"{found['layers']} layers × {found[key]} {name}" for key, name in kinds if found[key]]
    memory = [f"{size / 1e9:.1f} GB in {dtype}" for dtype, size in found["memory"].items() if size]
    lines = {
        "name": found["name"],
        "place": found["here"] or f"{found['place']}, not on this disk",
        "licence": found["licence"] or "not said",
        "architecture": found["architecture"],
        "family": found["family"] or "not known",
        "trained": {"base": "on text alone", "instruct": "on instructions too"}.get(found["tuned"], "not known"),
        "units": ", ".join(units),
        "parameters": _many(found["parameters"]) or "not known before it is loaded",
        "weights": _weights(found),
        "memory": f"{', '.join(memory)}; {found['memory_free'] / 1e9:.1f} GB are free" if memory else "not known",
        "context": f"{found['context']:,} tokens" if found["context"] else "not said",
        "chat template": {True: "yes", False: "none", None: "not known before it is loaded"}[found["chat_template"]],
    }
    from synergy_tui.drawing.tables import printable

    for name, value in lines.items():
        click.echo(f"{name:<14} {printable(str(value))}")


CHECKED = 48
"""Tokens of a compared answer: enough to see a cache, a window or an end go wrong."""


@subjects.command()
@click.argument("subject")
@request_options(CheckRequest, "seed")
@options()
def check(subject: str, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Compare the measurements of SUBJECT with transformers' own generation, in float32: can its numbers be trusted?

    \b
    Example:  synergy-tui subjects check smollm2
    """
    request = made(CheckRequest, chosen | {"subject": subject})
    from synergy_tui.jobs import examine

    settings = settings_in_force(cache)
    found = examine.parity(request, settings.data, settings.cache, CHECKED, manner.quiet())
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['subject']} {found['sentence']}")
    if not (found["holds"] or found["rounding"]):
        raise SystemExit(1)


@subjects.command()
@click.argument("subject")
@request_options(PullRequest, "device", "seed")
@options()
def pull(subject: str, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Fetch SUBJECT, so that it is on this disk when it is needed.

    \b
    Example:  synergy-tui subjects pull smollm2
    """
    from synergy_tui.jobs.pull import pull as fetch

    settings = settings_in_force(cache)
    folder = fetch(made(PullRequest, chosen | {"subject": subject}), settings.data, settings.cache, manner.quiet())
    if as_json:
        return print_json({"subject": subject, "folder": folder})
    click.echo(folder)


def zoo_rows(data: Path) -> list[dict[str, Any]]:
    """The zoo's trained models, one row for all seeds of each, and the planted ones."""
    from synergy_tui.zoo import shipped
    from synergy_tui.zoo.plants import PLANTS

    rows = []
    for kind in shipped.LANGUAGE_OF:
        if many := len(shipped.seeds(kind)):
            name = f"trained on {shipped.LANGUAGE_OF[kind]}, seeds 0 to {many - 1} (/N)"
            rows.append(_row(shipped.ZOO + kind, data) | {"name": name})
    for name, one in PLANTS.items():
        heads = f"{len(one.circuit.heads)} × {one.circuit.per_layer}"
        about: dict[str, Any] = {
            "subject": shipped.PLANT + name,
            "name": one.about,
            "architecture": "gpt2",
            "heads": heads,
        }
        about |= {"parameters": None, "bytes": None}
        about |= {"licence": "Apache-2.0", "here": True}
        rows.append(about | _lineage("gpt2", shipped.PLANT + name))
    return rows


def _row(subject: str, data: Path) -> dict[str, Any]:
    """A row of the list, from what is known of a subject without loading it."""
    from synergy_tui.subject.facts import facts
    from synergy_tui.subject.sources import resolve

    found = facts(resolve(subject), data)
    heads = f"{found['layers']} × {found['heads'] or found['ssm_heads']}"
    row = {"subject": subject, "name": found["name"], "architecture": found["architecture"], "heads": heads}
    row |= {name: found[name] for name in ("parameters", "bytes", "licence")} | {"here": found["here"] is not None}
    return row | {name: found[name] for name in LINEAGE}


LINEAGE = ("family", "tuned")
"""Columns of the list for programs; a person reads the same in the name."""


def _lineage(architecture: str, name: str) -> dict[str, Any]:
    from synergy_tui.subject.lineage import family_of, tuned_of

    return dict(zip(LINEAGE, (family_of(architecture, name), tuned_of(name)), strict=True))


def _many(count: int | None) -> str:
    if not count:
        return ""
    return f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.0f} M" if count >= 1e6 else f"{count:,}"


def _weights(found: dict[str, Any]) -> str:
    size = _size(found["bytes"])
    return f"{size} to fetch" if size and not found["here"] else size or "not known"


def _size(count: int | None) -> str:
    if not count:
        return ""
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"
