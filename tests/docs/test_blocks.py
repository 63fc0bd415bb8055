"""The blocks of code in README and docs. A fence's language may be followed by a word:

sh              run here, the lines of a page one after another in a cache that has a run
sh long         run by `make docs-test` alone
sh elsewhere    needs another machine, a network or a file: its commands and options are checked
python          the blocks of a page as one script, after its commands
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from conftest import TESTS, Command
from filelock import FileLock

from synergy_tui.cli import commands

ROOT = TESTS.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"sh", "python", "toml", "text", "json", ""}
LONG = os.environ.get("DOCS") == "long"
FENCE = re.compile(r"^```(?P<language>\w*) ?(?P<when>[^\n]*)\n(?P<text>.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """A block of a page: the language and the word after it."""

    language: str
    when: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for found in FENCE.finditer(page.read_text("utf-8")):
        yield Block(*found.groups())


def lines(text: str) -> Iterator[list[str]]:
    """Commands as lists of words, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


def of_page(page: Path, language: str, *when: str) -> list[Block]:
    return [one for one in blocks(page) if one.language == language and one.when in when]


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.stem)
def test_every_fence_says_what_is_done_with_it_and_every_command_is_one(page: Path):
    for block in blocks(page):
        assert block.language in LANGUAGES, block
        assert block.when in ("", "long", "elsewhere"), block
        if block.language != "sh":
            assert "synergy-tui " not in block.text or block.language != "" or page.stem == "README", block
            continue
        for words in lines(block.text):
            assert words[0] == "synergy-tui" or block.when == "elsewhere", words
            if words[0] == "synergy-tui":
                parse(words[1:])


def parse(words: list[str]) -> None:
    """Raises click's UsageError for a command or an option that is not there."""
    one: click.Command = commands
    context = click.Context(commands, info_name="synergy-tui")
    while isinstance(one, click.Group) and words and one.get_command(context, words[0]):
        one, words = one.get_command(context, words[0]), words[1:]  # type: ignore[assignment]
        context = click.Context(one, parent=context)
    known = {name for parameter in (*commands.params, *one.params) for name in parameter.opts}
    for word in words:
        assert not word.startswith("--") or word.partition("=")[0] in known | {"--help", "--version", "--cache"}, word


def test_a_command_or_an_option_that_is_not_there_is_found():
    parse(["sql", "SELECT 1", "--format", "csv"])
    parse(["jobs", "list"])
    with pytest.raises(AssertionError):
        parse(["show", "--latest", "--rank", "excess"])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a run of a small model: made once for all workers of this session."""
    folder = tmp_path_factory.getbasetemp().parent / "documented"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            made = tmp_path_factory.mktemp("made") / "cache"
            Command(made)("run", "zoo:induction", "--prompts", "24", "--steps", "60")
            shutil.move(made, folder)
    return folder


RUN = [page for page in PAGES if of_page(page, "sh", "", *(["long"] if LONG else [])) or of_page(page, "python", "")]


@pytest.mark.worker
@pytest.mark.parametrize("page", RUN, ids=lambda one: one.stem)
def test_blocks_run(page: Path, measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(measured, cache := tmp_path / "cache")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("SYNERGY_TUI_CACHE", str(cache))
    command = Command(cache)
    for block in of_page(page, "sh", "", *(["long"] if LONG else [])):
        for words in lines(block.text):
            command(*words[1:])
    if script := "\n".join(one.text for one in of_page(page, "python", "")):
        got = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)
        assert got.returncode == 0, got.stderr


LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to>[^)\s]+)\)|!\[[^\]]*\]\((?P<picture>[^)\s]+)\)")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"], ids=lambda one: one.stem)
def test_links_lead_somewhere(page: Path):
    """On the disk and in a forge; the site's own build checks its pages and anchors too."""
    text = FENCE.sub("", page.read_text("utf-8"))
    for found in LINK.finditer(text):
        to, _, anchor = (found["to"] or found["picture"]).partition("#")
        if re.match(r"https?:|mailto:", to):
            continue
        made = to.startswith(("reference/", "pictures/")) or (page.parent.name == "docs" and to in FROM_THE_ROOT)
        there = page if not to else page.parent / to
        assert made or there.exists(), f"{page.name}: {to}"
        if anchor and there.suffix == ".md" and not made:
            assert anchor in anchors(there), f"{page.name}: {to}#{anchor}"


FROM_THE_ROOT = ("contributing.md", "changelog.md")


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.M)
    plain = (re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", one)).strip().lower() for one in headings)
    return {re.sub(r"[\s]+", "-", one) for one in plain}
