"""Pages that are made from the code when the site is built: commands, keys, tables. And pages of the repository's
root."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from synergy_tui.cli import told

ROOT = Path(__file__).resolve().parents[2]

FROM_THE_ROOT = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_files(files: Files, config: Any) -> Files:
    """The pages of docs/, those that are made, and those of the root."""
    made = {"reference/commands.md": commands(), "reference/keys.md": keys(), "reference/tables.md": tables()}
    for name, source in FROM_THE_ROOT.items():
        made[name] = (ROOT / source).read_text("utf-8").replace("](docs/", "](")
    for name, lines in made.items():
        text = lines if isinstance(lines, str) else "\n".join(lines)
        files.append(File.generated(config, name, content=text))
    for picture in sorted((ROOT / "data" / "screenshots").glob("*.svg")):
        files.append(File.generated(config, f"pictures/{picture.name}", abs_src_path=str(picture)))
    return files


SHIM = re.compile(r'<script src="https://unpkg.com/iframe-worker/shim"></script>')


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """The page without what the theme fetches from elsewhere: worker.js does the same."""
    up = "../" * page.url.count("/")
    found, count = SHIM.subn(f'<script src="{up}worker.js"></script>', output)
    if count != 1 or "//unpkg.com" in found:
        raise PluginError("the theme no longer loads what docs/worker.js replaces: see docs/hooks/pages.py")
    return found


def commands() -> Iterator[str]:
    """Every command with its help and a table of its options."""
    from synergy_tui.cli import SECTIONS
    from synergy_tui.cli import commands as group
    from synergy_tui.cli.man import ENVIRONMENT, FILES, STATUS

    yield "# Commands\n"
    yield "Made from what `--help` says. Most commands also have `--json`, `--cache`, `--quiet` and `--no-color`.\n"
    context = click.Context(group, info_name="synergy-tui")
    for title, names in SECTIONS.items():
        yield f"## {title}\n"
        for name in names:
            one = group.get_command(context, name)
            assert one is not None
            yield from _command(one, f"synergy-tui {name}", context)
    for title, known in {"Files": FILES, "Environment": ENVIRONMENT, "Exit status": STATUS}.items():
        yield f"## {title}\n\n| | |\n|---|---|"
        yield from (f"| `{name}` | {_cell(meaning)} |" for name, meaning in known.items())
        yield ""


def _command(one: click.Command, path: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(one, info_name=path.split()[-1], parent=parent)
    usage = " ".join(piece for piece in one.collect_usage_pieces(context) if piece != "[OPTIONS]")
    yield f"### {path}\n\n`{path} {usage}`\n" if usage else f"### {path}\n"
    for paragraph in re.split(r"\n\s*\n", one.help or ""):
        kept, lines = "\b" in paragraph, [line for line in paragraph.splitlines() if line.strip() != "\b"]
        margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        text = "\n".join(line[margin:] for line in lines)
        yield f"```text\n{text}\n```\n" if kept else f"{_plain(text)}\n"
    yield from _options(one, context)
    if isinstance(one, click.Group):
        for name, inner in one.commands.items():
            yield from _command(inner, f"{path} {name}", context)


EVERYWHERE = {"--json", "--cache", "--quiet", "--no-color", "--help"}


def _options(one: click.Command, context: click.Context) -> Iterator[str]:
    records = [
        option.get_help_record(context)
        for option in one.params
        if isinstance(option, click.Option) and not EVERYWHERE & set(option.opts)
    ]
    if known := [record for record in records if record]:
        yield "| option | what it does |\n|---|---|"
        for name, meaning in known:
            yield f"| {_code(told.plainly(name))} | {_cell(told.tidy(meaning))} |"
        yield ""


def keys() -> Iterator[str]:
    """Every key, by where it works."""
    from synergy_tui.explorer import actions
    from synergy_tui.explorer.keys import MEANINGS, TABLE, shown_key
    from synergy_tui.explorer.views import VIEWS, view_class

    yield "# Keys\n"
    yield "Made from the explorer's actions. `config.toml` gives any of them another key by its name.\n"
    yield "## Keys with one meaning in all views\n\n| key | what it does |\n|---|---|"
    yield from (f"| `{shown_key(key)}` | {meaning} |" for key, meaning in MEANINGS.items())
    groups = {"Everywhere": actions.APP, "Tables": TABLE}
    groups |= {f"View: {opening.word}": view_class(name).ACTIONS for name, opening in VIEWS.items()}
    for title, some in groups.items():
        yield f"\n## {title}\n\n| key | what it does | name |\n|---|---|---|"
        for action in some:
            shown = " ".join(_code(shown_key(key)) for key in action.key.split(","))
            yield f"| {shown} | {_cell(action.tooltip)} | `{action.id}` |"
    yield ""


def tables() -> Iterator[str]:
    """Every table and view of the cache with its columns, as the database itself describes them."""
    import synergy_tui as st
    from synergy_tui.store.cache import Cache

    yield "# Tables\n"
    yield "Made from the database's own comments. Informations are in nats. `synergy-tui sql` asks these tables.\n"
    with tempfile.TemporaryDirectory() as folder:
        Cache.open(Path(folder))
        cache = st.open_cache(folder)
        of = "SELECT table_name AS name, comment FROM duckdb_tables() WHERE NOT internal UNION ALL "
        of += "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY 1"
        columns = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal "
        columns += "ORDER BY table_name, column_index"
        rows = cache.sql(columns).rows()
        for one in cache.sql(of).rows():
            yield f"## {one['name']}\n\n{_plain(one['comment'] or '')}\n\n| column | type | meaning |\n|---|---|---|"
            for row in rows:
                if row["table_name"] == one["name"]:
                    yield f"| `{row['column_name']}` | {row['data_type']} | {_cell(row['comment'] or '')} |"
            yield ""


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`".replace("|", "\\|")


def _plain(text: str) -> str:
    return re.sub(r"([<>*_\[\]])", r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")
