"""How much commands say and in which colours, and how wide, on terminals and off them."""

from __future__ import annotations

import re

import pytest
from conftest import Command
from rich.cells import cell_len
from terminals import on_terminal

SHADES = ("░░░", "▒▒▒", "▓▓▓")
COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.worker
@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--no-color", "show", "--sample"], {}),
        (["show", "--sample", "--no-color"], {}),
        (["--color", "none", "show", "--sample"], {}),
        (["show", "--sample"], {"NO_COLOR": "1"}),
        (["show", "--sample"], {"TERM": "dumb"}),
    ],
)
def test_a_map_without_colours_is_drawn_in_shades_and_sends_no_control_sequence(arguments, environment):
    shown = on_terminal(*arguments, **environment)
    assert "\x1b" not in shown
    assert all(one in shown for one in SHADES)


@pytest.mark.worker
def test_a_map_has_the_colours_of_its_terminal_or_those_it_was_given(tmp_path):
    shown = on_terminal("show", "--sample")
    assert "\x1b[48;5;" in shown
    assert not any(one in shown for one in SHADES)
    assert "\x1b[48;2;" in on_terminal("--color", "truecolor", "show", "--sample")
    # What is given to the command goes before what is said of all commands.
    assert "\x1b[48;5;" in on_terminal("--color", "256", "show", "--sample", NO_COLOR="1")
    (tmp_path / "synergy-tui").mkdir()
    (tmp_path / "synergy-tui" / "config.toml").write_text('colour = "none"\n')
    assert "\x1b" not in on_terminal("show", "--sample", XDG_CONFIG_HOME=str(tmp_path))


def test_colours_go_into_a_pipe_only_where_they_are_asked_for(command: Command):
    assert "\x1b" not in command("show", "--sample").stdout
    assert COLOUR.search(command("--color", "256", "show", "--sample").stdout)


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_quiet_leaves_the_map_alone(command: Command, place):
    arguments = ["show", "--sample", "--ranking=excess"]
    loud = command(*arguments)
    assert "sample result" in loud.stderr
    arguments.insert(place, "-q" if place % 2 else "--quiet")
    got = command(*arguments)
    assert got.stderr == ""
    assert got.stdout == loud.stdout.partition("\ntry next")[0] != loud.stdout


def test_quiet_says_what_is_wrong_and_what_is_not_whole(command: Command):
    assert command("--quiet", "show", "zzz", code=2).stderr.startswith("synergy-tui: no run 'zzz'")
    assert command("sql", "SELEC 1", "--quiet", code=2).stderr.startswith("synergy-tui: ")
    got = command("sql", "FROM range(9)", "--max-rows", "2", "--quiet")
    assert "first 2 rows" in got.stderr
    assert got.stdout.split() == ["range", "─────", "0", "1"]


def test_quiet_does_not_say_where_it_saved(command: Command, tmp_path):
    assert "Saved" in command("sql", "SELECT 1", "-o", str(tmp_path / "a")).stderr
    assert command("sql", "SELECT 1", "-o", str(tmp_path / "b"), "-q").stderr == ""
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


@pytest.mark.worker
def test_a_quiet_run_prints_its_map_alone(command: Command, tiny):
    loud = command("run", str(tiny), "--prompts", "2", "--steps", "30")
    assert "capture" in loud.stderr
    assert "decompose" in loud.stderr
    got = command("run", str(tiny), "--prompts", "2", "--steps", "30", "--seed", "3", "--quiet")
    assert got.stderr == ""
    assert "doubts" in got.stdout
    assert "try next" not in got.stdout
    detached = command("run", str(tiny), "--prompts", "2", "--steps", "30", "--seed", "3", "--detach", "--quiet")
    assert detached.stderr == ""
    assert command("jobs", "watch", detached.stdout.split()[-1], "--quiet").stderr == ""


@pytest.mark.worker
@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_an_answer_fits_the_terminal(width, made):
    query = """SELECT decomposition, layer, unit, rank, sts, 'words of a sentence ' || repeat('that goes on ', 30)
        AS told, '長い名前' AS name, 1e-300 AS small, 2 ** 60 AS many FROM heads ORDER BY layer, unit LIMIT 3"""
    shown = on_terminal("sql", query, "--cache", str(made), width=width)
    assert max(map(cell_len, shown.splitlines())) <= width
    # What stands in the pipe stands on the terminal: no number is cut.
    whole = Command(made)("sql", query.replace("repeat('that goes on ', 30)", "''")).stdout
    numbers = set(re.findall(r"(?<!\S)-?[\d.]+(?:e[-+]\d+)?(?!\S)", whole))
    assert len(numbers) > 8
    assert numbers <= set(shown.split())
    assert shown.split().count("d6x4") == 3
    if width == 200:
        assert any(cell_len(line) == 200 for line in shown.splitlines())


@pytest.mark.worker
def test_what_was_saved_is_a_link_where_the_terminal_has_links(tmp_path, made):
    target, line = tmp_path / "a ünusual name.csv", ["sql", "SELECT 1 AS a", "--csv", "--cache", str(made)]
    shown = on_terminal(*line, "-o", str(target), width=200)
    assert re.search(rf"Saved \x1b\]8;[^;]*;{re.escape(target.as_uri())}\x1b\\{re.escape(str(target))}\x1b\]8;;", shown)
    for name, how in {"b": {"NO_COLOR": "1"}, "c": {"TERM": "dumb"}}.items():
        assert on_terminal(*line, "-o", str(tmp_path / name), width=200, **how) == f"Saved {tmp_path / name}\n"
    assert Command(made)(*line[:-2], "-o", str(tmp_path / "d")).stderr == f"Saved {tmp_path / 'd'}\n"
    assert f";{made.as_uri()}\x1b" in on_terminal("cache", "info", "--cache", str(made), width=200)
    assert (tmp_path / "a ünusual name.csv").read_text() == "a\n1\n"


@pytest.mark.worker
@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_list_of_runs_fits_the_terminal_and_says_what_it_leaves_out(width, made):
    first, *lines = on_terminal("--no-color", "cache", "info", "--cache", str(made), width=width).splitlines()
    assert first.startswith(f"{made}: ")
    assert max(map(cell_len, lines)) <= width
    names = lines[0].split()
    if width == 40:  # a record
        assert names == ["capture", "c6x4"]
        assert [line.split()[0] for line in lines[1:4]] == ["subject", "tasks", "prompts"]
        return
    told = " ".join(lines[3:])
    assert told.startswith("A wider terminal also shows: ") == (width < 120)
    left_out = told.partition(": ")[2].strip(".").split(", ") if told else []
    assert not set(left_out) & set(names)
    assert len(names) + len(left_out) == 11
    assert {"c6x4", "d6x4"} <= set(lines[2].split())
