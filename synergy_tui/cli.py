"""Every command: parse, call one function, print. Imports that cost more than a few milliseconds stand in the commands."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import __version__, terms
from synergy_tui.errors import JobError, SynergyError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.settings import Settings
    from synergy_tui.store.cache import Cache
    from synergy_tui.tasks.prompts import TaskSet

STEPS, MIN_STEPS, BATCH, SEEDS = 100, 20, 20, 20
FRACTIONS = "0.05,0.1,0.15,0.2,0.25"
WORTH_ASKING = 1800.0
"""Seconds above which a person at a terminal is asked before a job starts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `synergy-tui`. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    try:
        commands.main([one for one in arguments if one != "--debug"], prog_name="synergy-tui", standalone_mode=False)
    except SynergyError as error:
        if debug:
            raise
        _say(f"synergy-tui: {error}")
        return error.exit_code
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "synergy-tui"
        _say(f"synergy-tui: {' '.join(error.format_message().split())} · {where} --help")
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does. Nothing is left to say, not even at shut-down.
        sys.stdout = sys.stderr = None  # type: ignore[assignment]
        return 0
    return 0


def _options(*, run: bool = False) -> Callable[[Any], Any]:
    """--cache and --json, and for commands about a run RUN and --latest."""

    def decorate(command: Any) -> Any:
        if run:
            command = click.option("--latest", is_flag=True, help="The newest finished one.")(command)
            command = click.argument("run", required=False)(command)
        command = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)
        return click.option("--cache", type=click.Path(path_type=Path), help="Cache folder.")(command)

    return decorate


def _job_options(command: Any) -> Any:
    """What every command that starts a job takes."""
    for option in (
        click.option("--device", help="cpu, cuda or cuda:N; default: a GPU when there is one."),
        click.option("--seed", default=0, show_default=True, help="Seed of everything drawn."),
        click.option("--detach", is_flag=True, help="Return at once with the id; the job goes on."),
        click.option("--yes", is_flag=True, help="Do not ask before a long job."),
    ):
        command = option(command)
    return command


def _capture_options(command: Any) -> Any:
    """What `run` and `capture` share."""
    for option in (
        click.option("--tasks", default="cognitive", show_default=True, help="Task set, or a .jsonl, .csv or .txt file."),
        click.option("--prompts", type=click.IntRange(1), help="How many, evenly from the categories; default: all."),
        click.option("--steps", type=click.IntRange(1), default=STEPS, show_default=True, help="Most tokens generated."),
        click.option("--min-steps", type=click.IntRange(1), default=MIN_STEPS, show_default=True, help="Fewest analysed."),
        click.option("--batch", type=click.IntRange(1), default=BATCH, show_default=True, help="Prompts at a time."),
        click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", show_default=True),
        click.option("--no-chat", is_flag=True, help="Leave the chat template out."),
        click.option("--revision", help="Revision of a hub model."),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="synergy-tui %(version)s")
@click.option("--cache", type=click.Path(path_type=Path), help="Cache folder.")
@click.pass_context
def commands(context: click.Context, cache: Path | None) -> None:
    """Where in this language model is information integrated, where is it merely repeated, and does it matter?

    \b
    Try:  synergy-tui run smollm2 --prompts 12 --steps 48
    """
    if context.invoked_subcommand is None:
        context.invoke(show, cache=cache)


@commands.command()
@click.argument("subject")
@_capture_options
@_job_options
@_options()
def run(subject: str, seed: int, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Capture SUBJECT, decompose it, show its synergy map.

    SUBJECT is smollm2, a model folder, a .gguf file, or a hub id.

    \b
    Example:  synergy-tui run smollm2 --tasks cognitive --prompts 12 --steps 48
    """
    from synergy_tui.jobs import cost
    from synergy_tui.jobs.devices import cores
    from synergy_tui.jobs.submit import submit

    settings, folder = _folder(cache)
    spec, price, source = _capture_spec(settings, subject, seed, chosen)
    units = source.geometry["layers"] * source.geometry["heads"]
    more = cost.decompose(units, len(spec["prompts"]), spec["device"], cores())
    _announce({"capture": price, "decompose": more}, yes)
    capture = submit(folder, "capture", spec)
    decompose_spec = _decompose_spec(capture.id, 1, seed, spec["device"])
    job = submit(folder, "decompose", decompose_spec, after=capture.id)
    if detach:
        return _print_detached([capture, job], as_json)
    _follow([capture, job])
    _print_run(folder, job.id, as_json)


@commands.command()
@click.argument("subject")
@_capture_options
@_job_options
@_options()
def capture(subject: str, seed: int, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Record the activity of every head of SUBJECT over prompts.

    \b
    Example:  synergy-tui capture smollm2 --prompts 8 --steps 40 --batch 2
    """
    from synergy_tui.jobs.submit import submit
    from synergy_tui.store import load

    settings, folder = _folder(cache)
    spec, price, _ = _capture_spec(settings, subject, seed, chosen)
    _announce({"capture": price}, yes)
    job = submit(folder, "capture", spec)
    if detach:
        return _print_detached([job], as_json)
    _follow([job])
    found = load.one(_cache(folder), "capture", job.id)
    if as_json:
        return _print_json(found | {"units": found["layers"] * found["units_per_layer"]})
    click.echo(f"capture {job.id}: {found['valid_prompts']} of {found['prompts']} responses long enough")
    _print_next(folder, [f"synergy-tui decompose {job.id}"])


@commands.command()
@click.option("--lag", type=click.IntRange(1), default=1, show_default=True, help="Lag τ in steps.")
@_job_options
@_options(run=True)
def decompose(
    run: str | None, latest: bool, lag: int, device: str | None, seed: int, detach: bool, yes: bool, cache: Path | None,
    as_json: bool,
) -> None:
    """Decompose all pairs of a capture's heads with ΦID (Gaussian, MMI), and score the heads.

    \b
    Example:  synergy-tui decompose --latest --lag 2
    """
    from synergy_tui.jobs import cost
    from synergy_tui.jobs.devices import choose, cores
    from synergy_tui.jobs.submit import submit
    from synergy_tui.store import load

    _, folder = _folder(cache)
    opened = _cache(folder)
    found = load.one(opened, "capture", load.find(opened, "capture", run, latest))
    if lag >= found["steps"]:
        raise UsageError(f"lag {lag} in responses of {found['steps']} steps leaves no window", "use a smaller --lag")
    device = choose(device)
    units = found["layers"] * found["units_per_layer"]
    _announce({"decompose": cost.decompose(units, found["valid_prompts"], device, cores())}, yes)
    job = submit(folder, "decompose", _decompose_spec(found["capture"], lag, seed, device))
    if detach:
        return _print_detached([job], as_json)
    _follow([job])
    _print_run(folder, job.id, as_json)


@commands.command()
@click.option("--orders", default=",".join(terms.REMOVAL_ORDERS), show_default=True, help="Removal orders.")
@click.option("--seeds", type=click.IntRange(1), default=SEEDS, show_default=True, help="Seeds of each control.")
@click.option("--fractions", default=FRACTIONS, show_default=True, help="Fractions of all heads removed.")
@click.option("--ranking", default=terms.RANKINGS[0], show_default=True, help="Ranking behind the targeted orders.")
@click.option("--prompts", type=click.IntRange(1), default=12, show_default=True, help="Prompts replayed.")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, help="Prompts at a time.")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), help="Default: the capture's.")
@_job_options
@_options(run=True)
def ablate(
    run: str | None, latest: bool, orders: str, seeds: int, fractions: str, ranking: str, prompts: int, batch: int,
    dtype: str | None, device: str | None, seed: int, detach: bool, yes: bool, cache: Path | None, as_json: bool,
) -> None:
    """Remove heads in order of their synergy, and of controls, and measure what the subject does without them.

    \b
    Example:  synergy-tui ablate --latest --seeds 3 --fractions 0.1,0.25 --prompts 4
    """
    from synergy_tui.jobs.devices import choose
    from synergy_tui.jobs.submit import submit
    from synergy_tui.store import load

    settings, folder = _folder(cache)
    opened = _cache(folder)
    decomposition = load.find(opened, "decomposition", run, latest)
    names = _words(orders, terms.REMOVAL_ORDERS, "removal order")
    shares = _fractions(fractions)
    _words(ranking, terms.RANKINGS, "ranking")
    spec, price = _ablate_spec(settings, opened, decomposition, prompts, names, shares, seeds, choose(device), dtype)
    _announce({"ablate": price}, yes)
    job = submit(folder, "ablate", spec | {"ranking": ranking, "batch": batch, "seed": seed})
    if detach:
        return _print_detached([job], as_json)
    _follow([job])
    found = load.ablation(opened, job.id)
    if as_json:
        return _print_json(found)
    from synergy_tui.drawing import curves, tables

    console = _console()
    console.print(curves.draw(found["orders"], min(console.width, 100)))
    click.echo(tables.as_text(curves.rows(found["orders"])))
    click.echo(f"\n{found['verdict']}")
    sql = "SELECT removal_order, fraction, avg(divergence) FROM ablation_curves"
    _print_next(folder, [f"synergy-tui sql \"{sql} WHERE ablation = '{job.id}' GROUP BY ALL ORDER BY ALL\""])


@commands.command()
@click.option("--ranking", default=terms.RANKINGS[0], show_default=True, help=f"One of {', '.join(terms.RANKINGS)}.")
@click.option("--sample", is_flag=True, help="The result that ships with synergy-tui.")
@_options(run=True)
def show(
    run: str | None = None, latest: bool = False, ranking: str = terms.RANKINGS[0], sample: bool = False,
    cache: Path | None = None, as_json: bool = False,
) -> None:
    """Draw the synergy map of RUN: the newest one, or the sample result while there is none.

    \b
    Example:  synergy-tui show --sample --ranking excess
    """
    from synergy_tui.settings import shipped
    from synergy_tui.store import load
    from synergy_tui.store.archive import open_any

    _words(ranking, terms.RANKINGS, "ranking")
    _, folder = _folder(cache)
    if sample:
        folder = shipped("sample")
    elif not run and not (folder / "tables").exists():
        opened = _cache(folder)
        if not load.overview(opened):
            folder, sample = shipped("sample"), True
    opened = open_any(folder)
    if sample and not as_json:
        _say("This is the sample result that ships with synergy-tui. Your own: synergy-tui run smollm2")
    found = load.find(opened, "decomposition", run, latest or not run)
    _print_run(folder, found, as_json, ranking)


@commands.command()
@click.argument("query")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--max-rows", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--timeout", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seconds.")
@_options()
def sql(query: str, as_csv: bool, max_rows: int, timeout: float, cache: Path | None, as_json: bool) -> None:
    """Ask the cache in SQL: one SELECT or EXPLAIN, DuckDB's dialect. SHOW TABLES and DESCRIBE heads tell what is there.

    \b
    Example:  synergy-tui sql "SELECT layer, avg(rank) FROM latest_heads GROUP BY layer ORDER BY layer"
    """
    from synergy_tui.drawing import tables
    from synergy_tui.store.query import ask

    answer = ask(_cache(_folder(cache)[1]), query, max_rows, timeout)
    if as_json:
        _print_json(answer.as_dicts())
    elif as_csv:
        click.echo(tables.as_csv(answer.columns, answer.rows), nl=False)
    else:
        click.echo(tables.as_text(answer.as_dicts(), answer.columns))
    if answer.more:
        _say(f"These are the first {max_rows:,} rows; there are more (--max-rows).")


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_options(run=True)
def export(run: str | None, latest: bool, folder: Path, cache: Path | None, as_json: bool) -> None:
    """Write RUN with its capture and ablations to a new FOLDER of Parquet, which --cache opens anywhere.

    \b
    Example:  synergy-tui export --latest ./my-run
    """
    from synergy_tui.store import archive, load

    if run and latest:
        raise UsageError("give RUN or --latest, not both")
    opened = _cache(_folder(cache)[1])
    found = load.find(opened, "decomposition", run, latest)
    archive.export(opened, found, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    if as_json:
        return _print_json({"decomposition": found, "folder": str(folder), "bytes": size})
    click.echo(f"{found} is in {folder} ({size / 1e6:.1f} MB). Look at it: synergy-tui show --cache {folder}")


@commands.group()
def jobs() -> None:
    """List, watch, cancel and resume jobs."""


@jobs.command("list")
@_options()
def jobs_list(cache: Path | None, as_json: bool) -> None:
    """All jobs of the cache, oldest first.

    \b
    Example:  synergy-tui jobs list
    """
    from synergy_tui.drawing import tables
    from synergy_tui.jobs import folder

    found = [_job_row(job) for job in folder.every(_folder(cache)[1])]
    if as_json:
        return _print_json(found)
    if not found:
        return click.echo("There are no jobs. Try: synergy-tui run smollm2")
    columns = ("id", "kind", "state", "stage", "progress", "after", "error")
    click.echo(tables.as_text([{name: row.get(name) for name in columns} for row in found]))


@jobs.command("show")
@click.argument("job")
@_options()
def jobs_show(job: str, cache: Path | None, as_json: bool) -> None:
    """What a job does and how far it is.

    \b
    Example:  synergy-tui jobs show c3f9a1b2
    """
    from synergy_tui.drawing import tables

    found = _job(cache, job)
    both = {"status": found.status(), "spec": found.spec(), "folder": str(found.path)}
    click.echo(tables.as_json(both, indent=None if as_json else 1))


@jobs.command("watch")
@click.argument("job")
@_options()
def jobs_watch(job: str, cache: Path | None, as_json: bool) -> None:
    """Follow a job to its end. Ctrl-C stops watching, not the job.

    \b
    Example:  synergy-tui jobs watch c3f9a1b2
    """
    from synergy_tui.jobs import follow

    found = _job(cache, job)
    with _printer() as printer:
        follow.watch([found], printer.show)
    if as_json:
        _print_json(found.status())


@jobs.command("logs")
@click.argument("job")
@_options()
def jobs_logs(job: str, cache: Path | None, as_json: bool) -> None:
    """What a job's worker printed.

    \b
    Example:  synergy-tui jobs logs c3f9a1b2
    """
    found = _job(cache, job)
    text = found.log.read_text("utf-8", "replace") if found.log.exists() else ""
    return _print_json({"id": found.id, "log": text}) if as_json else click.echo(text, nl=False)


@jobs.command("cancel")
@click.argument("job")
@_options()
def jobs_cancel(job: str, cache: Path | None, as_json: bool) -> None:
    """Stop a job; its finished parts stay.

    \b
    Example:  synergy-tui jobs cancel c3f9a1b2
    """
    from synergy_tui.jobs import submit

    found = _job(cache, job)
    submit.cancel(found)
    _print_job(found, f"{found.id} stops. Its finished parts stay: synergy-tui jobs resume {found.id}", as_json)


@jobs.command("resume")
@click.argument("job")
@_options()
def jobs_resume(job: str, cache: Path | None, as_json: bool) -> None:
    """Go on with a job that stopped, and with those that waited for it.

    \b
    Example:  synergy-tui jobs resume c3f9a1b2
    """
    from synergy_tui.jobs import submit

    found = _job(cache, job)
    chain = [one.id for one in submit.resume(found.cache, found)]
    _print_job(found, f"{', '.join(chain)} queued. Follow it: synergy-tui jobs watch {chain[-1]}", as_json)


@jobs.command("clean")
@click.argument("job", required=False)
@_options()
def jobs_clean(job: str | None, cache: Path | None, as_json: bool) -> None:
    """Remove the folders of done jobs (their results stay), or of one job that has no worker.

    \b
    Example:  synergy-tui jobs clean
    """
    from synergy_tui.jobs import folder, submit

    place = _folder(cache)[1]
    doomed = [folder.find(place, job)] if job else [one for one in folder.every(place) if _job_row(one)["state"] == "done"]
    for one in doomed:
        submit.remove(one)
    return _print_json([one.id for one in doomed]) if as_json else click.echo(f"{len(doomed)} job folders removed.")


@commands.group()
def cache() -> None:
    """Look at, check and tidy the cache."""


@cache.command("info")
@_options()
def cache_info(cache: Path | None, as_json: bool) -> None:
    """The runs in the cache and the disk they take.

    \b
    Example:  synergy-tui cache info
    """
    from synergy_tui.drawing import tables
    from synergy_tui.store import check, load

    opened = _cache(_folder(cache)[1])
    found = load.overview(opened)
    sizes = check.sizes(opened)
    if as_json:
        return _print_json({"folder": str(opened.folder), "runs": found, "bytes": sizes})
    click.echo(f"{opened.folder}: " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items()))
    click.echo(tables.as_text(found) if found else "There are no runs. Try: synergy-tui run smollm2")


@cache.command("check")
@_options()
def cache_check(cache: Path | None, as_json: bool) -> None:
    """Read every file, tell what is damaged or left over, and point the views at the folder as it is now.

    \b
    Example:  synergy-tui cache check
    """
    from synergy_tui.store import check

    opened = _cache(_folder(cache)[1])
    problems = check.check(opened)
    if as_json:
        _print_json({"folder": str(opened.folder), "problems": problems})
    else:
        click.echo("\n".join(problems) if problems else f"{opened.folder} is whole.")
    if problems:
        raise SynergyError(f"{len(problems)} problems found", "synergy-tui cache delete RUN removes a damaged run")


@cache.command("delete")
@click.argument("run")
@_options()
def cache_delete(run: str, cache: Path | None, as_json: bool) -> None:
    """Remove a run with everything made from it.

    \b
    Example:  synergy-tui cache delete c3f9a1b2
    """
    from synergy_tui.store import publish

    removed = publish.delete(_cache(_folder(cache)[1]), run)
    if as_json:
        return _print_json(removed)
    click.echo("Removed " + ", ".join(f"{count} {kind}s" for kind, count in removed.items() if count) + ".")


@commands.command()
@_options()
def subjects(cache: Path | None, as_json: bool) -> None:
    """Subjects at hand: built-in ones and those captured before.

    \b
    Example:  synergy-tui subjects
    """
    from synergy_tui.drawing import tables
    from synergy_tui.store import load
    from synergy_tui.subject.sources import BUILT_IN

    settings, folder = _folder(cache)
    found = [
        {
            "subject": one.name,
            "name": one.title,
            "heads": f"{one.geometry['layers']} × {one.geometry['heads']}",
            "licence": one.licence,
            "here": (settings.data / "subjects" / one.name / "config.json").exists(),
        }
        for one in BUILT_IN.values()
    ]
    found += [
        {"subject": row["place"], "name": row["name"], "heads": f"{row['layers']} × {row['heads']}", "licence": "", "here": True}
        for row in load.rows(_cache(folder), "SELECT * FROM subjects WHERE source <> 'built-in' ORDER BY name")
    ]
    return _print_json(found) if as_json else click.echo(tables.as_text(found))


@commands.command()
@_options()
def doctor(cache: Path | None, as_json: bool) -> None:
    """Versions, devices with their free memory, the cache, the colours of this terminal.

    \b
    Example:  synergy-tui doctor
    """
    from synergy_tui.drawing import doctor as drawn
    from synergy_tui.jobs import examine

    found = examine.examine(_folder(cache)[1])
    found["terminal"] = drawn.terminal(_console())
    return _print_json(found) if as_json else click.echo(drawn.as_text(found))


# What the commands share.


def _folder(cache: Path | None) -> tuple[Settings, Path]:
    """The settings and the cache folder; --cache may stand before or after the command's name."""
    from synergy_tui.settings import load

    context = click.get_current_context()
    settings = load(cache or context.find_root().params.get("cache"))
    return settings, settings.cache


def _cache(folder: Path) -> Cache:
    from synergy_tui.store.archive import open_any

    return open_any(folder)


def _capture_spec(settings: Settings, subject: str, seed: int, chosen: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
    from synergy_tui.jobs import cost
    from synergy_tui.jobs.devices import choose, cores
    from synergy_tui.store.cache import Cache
    from synergy_tui.subject.sources import BUILT_IN, resolve
    from synergy_tui.tasks.prompts import load, select

    if chosen["steps"] < chosen["min_steps"]:
        raise UsageError(
            f"--steps {chosen['steps']} is below --min-steps {chosen['min_steps']}: no response would be analysed",
            "raise the one or lower the other",
        )
    tasks: TaskSet = select(load(chosen["tasks"]), chosen["prompts"], seed)
    source = resolve(subject, chosen["revision"])
    device = choose(chosen["device"])
    Cache.open(settings.cache)
    ready = source.kind != "built-in" or (settings.data / "subjects" / source.place / "config.json").exists()
    preparation = 0.0 if ready else 25.0 + BUILT_IN[source.place].download / 1e7
    spec = {
        "subject": source.as_dict(),
        "data": str(settings.data),
        "tasks": tasks.name,
        "tasks_hash": tasks.hash,
        "prompts": [one.as_dict() for one in tasks.prompts],
        "steps": chosen["steps"],
        "min_steps": chosen["min_steps"],
        "batch": chosen["batch"],
        "dtype": chosen["dtype"],
        "chat": not chosen["no_chat"],
        "device": device,
        "seed": seed,
    }
    price = cost.capture(source.geometry, len(tasks.prompts), chosen["steps"], device, cores(), preparation)
    return spec, price, source


def _decompose_spec(capture: str, lag: int, seed: int, device: str) -> dict[str, Any]:
    return {
        "capture": capture,
        "estimator": "gaussian",
        "redundancy": "mmi",
        "lag": lag,
        "replicates": 1000,
        "seed": seed,
        "device": device,
    }


def _ablate_spec(
    settings: Settings, opened: Cache, decomposition: str, prompts: int, names: list[str], shares: list[float], seeds: int,
    device: str, dtype: str | None,
) -> tuple[dict[str, Any], Any]:
    from synergy_tui.jobs import cost
    from synergy_tui.jobs.devices import cores
    from synergy_tui.store import load

    capture = load.find(opened, "capture", decomposition)
    row = load.one(opened, "capture", capture)
    (subject,) = load.rows(opened, "SELECT * FROM subjects WHERE subject = $1", row["subject"])
    texts = load.rows(
        opened,
        "SELECT prompt, category, len(p.tokens) + steps AS tokens FROM prompts p JOIN responses r USING (capture, prompt) "
        "WHERE capture = $1 AND valid ORDER BY prompt",
        capture,
    )
    if prompts > len(texts):
        raise UsageError(f"capture {capture} has {len(texts)} prompts long enough, not {prompts}", "ask for fewer --prompts")
    chosen = _evenly(texts, prompts)
    geometry = {"layers": subject["layers"], "heads": subject["heads"], "parameters": subject["parameters"]}
    targeted = sum(name in terms.TARGETED_ORDERS for name in names)
    sets = targeted + seeds * ("random" in names) + seeds * max(targeted, 1) * ("layer-matched" in names)
    price = cost.ablate(geometry, sets * len(shares), sum(one["tokens"] for one in chosen), device, cores())
    source = {"name": subject["name"], "kind": subject["source"], "place": subject["place"], "revision": subject["revision"]}
    spec = {
        "decomposition": decomposition,
        "capture": capture,
        "subject": source,
        "data": str(settings.data),
        "prompts": sorted(one["prompt"] for one in chosen),
        "orders": names,
        "fractions": shares,
        "seeds": seeds,
        "dtype": dtype or row["dtype"],
        "device": device,
    }
    return spec, price


def _evenly(texts: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The first of each category, then the second of each, until there are `count`."""
    seen: dict[str, int] = {}
    ranked = []
    for one in texts:
        place = seen[one["category"]] = seen.get(one["category"], -1) + 1
        ranked.append((place, one["prompt"], one))
    return [one for _, _, one in sorted(ranked, key=lambda item: item[:2])[:count]]


def _words(text: str, known: Sequence[str], what: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise UsageError(f"no {what} {word!r}", f"known: {', '.join(known)}")
    if not words:
        raise UsageError(f"no {what} given", f"known: {', '.join(known)}")
    return list(dict.fromkeys(words))


def _fractions(text: str) -> list[float]:
    try:
        shares = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        raise UsageError(f"--fractions {text!r} are no numbers", "give them as 0.1,0.25") from None
    if not shares or shares[0] <= 0 or shares[-1] > 1:
        raise UsageError(f"--fractions {text!r} are not all above 0 and at most 1", "give them as 0.1,0.25")
    return shares


def _announce(costs: dict[str, Any], yes: bool) -> None:
    for name, price in costs.items():
        _say(f" {name:<9} will take {price}")
    seconds = sum(price.seconds or 0 for price in costs.values())
    if seconds > WORTH_ASKING and not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm("Start?", abort=True, err=True)


def _follow(jobs: Sequence[JobFolder]) -> None:
    from synergy_tui.jobs.follow import follow

    with _printer() as printer:
        follow(jobs, printer.show)


def _printer() -> Any:
    from rich.console import Console

    from synergy_tui.drawing.progress import StagePrinter

    return StagePrinter(Console(stderr=True))


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _print_run(folder: Path, decomposition: str, as_json: bool, ranking: str = terms.RANKINGS[0]) -> None:
    from synergy_tui.store import load

    found = load.atlas(_cache(folder), decomposition, ranking)
    row = found["run"]
    if as_json:
        return _print_json(
            {
                "subject": row["name"],
                "capture": row["capture"],
                "decomposition": decomposition,
                "units": row["layers"] * row["units_per_layer"],
                "layers": row["layers"],
                "ranking": ranking,
                "profile": [one["value"] for one in found["profile"]],
                "contrast": found["contrasts"][ranking],
                "prompts": row["prompts"],
                "valid_prompts": row["valid_prompts"],
                "pairs": row["pairs"],
                "valid_pairs": row["valid_pairs"],
                "reasons": row["reasons"],
                "confounds": found["confounds"],
            }
        )
    from synergy_tui.drawing.atlas import Atlas, draw

    draw(Atlas(**found), _console())
    heads = "SELECT layer, unit, rank, sts, rtr FROM heads"
    _print_next(
        folder,
        [
            f"synergy-tui ablate {decomposition} --seeds 3 --fractions 0.1,0.25 --prompts 4",
            f"synergy-tui show {decomposition} --ranking excess",
            f"synergy-tui sql \"{heads} WHERE decomposition = '{decomposition}' ORDER BY rank DESC LIMIT 10\"",
        ],
    )


def _print_next(folder: Path, lines: list[str]) -> None:
    """Commands that work when they are pasted, for this cache and this run."""
    import shlex

    from synergy_tui.settings import load

    where = "" if folder == load().cache else f" --cache {shlex.quote(str(folder))}"
    if (folder / "tables").exists():
        lines = [line for line in lines if " ablate " not in line]
    click.echo("\ntry next")
    for line in lines:
        click.echo(f"  {line}{where}")


def _print_detached(jobs: Sequence[JobFolder], as_json: bool) -> None:
    if as_json:
        return _print_json({"job": jobs[-1].id, **{job.spec()["kind"]: job.id for job in jobs}})
    click.echo("\n".join(job.id for job in jobs))
    _say(f"Follow it: synergy-tui jobs watch {jobs[-1].id}")


def _job(cache: Path | None, job: str) -> JobFolder:
    from synergy_tui.jobs import folder

    return folder.find(_folder(cache)[1], job)


def _job_row(job: JobFolder) -> dict[str, Any]:
    try:
        return job.status()
    except JobError as error:
        return {"id": job.id, "kind": "", "state": "failed", "stage": "", "progress": 0.0, "after": None, "error": str(error)}


def _print_job(job: JobFolder, text: str, as_json: bool) -> None:
    _print_json(job.status()) if as_json else click.echo(text)


def _print_json(content: Any) -> None:
    from synergy_tui.drawing.tables import as_json

    click.echo(as_json(content))


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    sys.exit(main())
