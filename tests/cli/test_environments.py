"""Where the command is run: streams that are closed or unread, terminals that know little, homes that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synergy_tui import settings
from synergy_tui.cli import signs
from synergy_tui.errors import UsageError

pytestmark = pytest.mark.worker

SAMPLE = [sys.executable, "-m", "synergy_tui", "show", "--sample"]


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a line, in which {sample} is the command that draws the sample."""
    line = line.replace("{sample}", " ".join(SAMPLE)).replace("{synergy-tui}", " ".join(SAMPLE[:3]))
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=known | environment, errors="replace"
    )


@pytest.mark.parametrize("arguments", ["{sample}", "{sample} --json", "{synergy-tui} subjects list"])
def test_nobody_reading_on_is_no_failure(arguments):
    got = shell(f"set -o pipefail; {arguments} | head -c 1 >/dev/null")
    assert (got.returncode, "Error" in got.stderr) == (0, False), got.stderr


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "2>&-"])
def test_a_closed_stream_is_no_failure(closed):
    got = shell("{sample} " + closed)
    assert (got.returncode, "Traceback" in got.stderr) == (0, False), got.stderr


def test_a_full_disk_is_one_line():
    got = shell("{synergy-tui} subjects list >/dev/full")
    assert got.returncode == 1
    assert got.stderr.strip().splitlines()[-1].startswith("synergy-tui: No space left on device · ")


@pytest.mark.parametrize("size", ["0", "-5", "wide"])
def test_a_width_that_is_none_is_that_of_a_terminal(size):
    got = shell("{sample}", COLUMNS=size, LINES="0")
    assert all(one in got.stdout for one in ("░░▒▒", "▒▒▓▓", "▓▓██"))
    assert got.stdout == shell("{sample}").stdout


def test_a_map_stays_a_map_where_the_locale_has_no_utf_8():
    got = shell("{sample}", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="")
    assert all(one in got.stdout for one in ("..::", "::++", "++##"))
    assert "???" not in got.stdout
    asked = shell("{sample} --ascii").stdout
    assert asked.isascii()
    assert all(one in asked for one in ("..::", "::++", "++##"))


def test_signs_keep_the_width_of_what_is_drawn():
    drawn = "░▒▓█▁▂▃▄▅▆▇─│┌┐└┘├┤┬┴┼●○·×→…⠿⣿"
    assert len(drawn.encode("ascii", "signs")) == len(drawn)
    assert b"?" not in drawn.encode("ascii", "signs")
    assert signs._SIGNS["Φ"] == "Phi"


@pytest.mark.parametrize("home", ["/dev/null", "/proc/nowhere"])
def test_a_home_that_cannot_hold_anything_is_one_line_that_names_it(home):
    free = {"HOME": home, "SYNERGY_TUI_CACHE": "", "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "", "XDG_DATA_HOME": ""}
    assert "There are no jobs" in shell("{synergy-tui} jobs list", **free).stdout
    shown = shell("{sample}", **free).stdout
    assert all(one in shown for one in ("░░▒▒", "▒▒▓▓", "▓▓██"))
    got = shell("{synergy-tui} cache info", **free)
    assert got.returncode == 1
    assert got.stderr.startswith(f"synergy-tui: the cache {home}/.local/share/synergy-tui/cache cannot be ")


def test_without_a_home_a_cache_is_asked_for_and_serves_what_is_started(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "_home", lambda _: None)
    monkeypatch.delenv("SYNERGY_TUI_CACHE", raising=False)
    with pytest.raises(UsageError, match="there is no home folder for the cache · set HOME, or SYNERGY_TUI_CACHE"):
        settings.load()
    found = settings.load(tmp_path / "cache")
    assert (found.cache, found.data) == (tmp_path / "cache", tmp_path / "cache" / "data")
    assert settings.load().cache == found.cache
    monkeypatch.delenv("SYNERGY_TUI_CACHE")


def test_a_path_that_is_a_loop_or_no_utf_8_is_told(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for path in (tmp_path / "a", tmp_path / "a" / "x", Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))):
        with pytest.raises(UsageError, match="is no usable path"):
            settings.load(path)


def test_ctrl_c_while_the_libraries_are_loaded_says_nothing():
    code = "import signal, synergy_tui.__main__ as m; print(signal.getsignal(signal.SIGINT) is signal.SIG_DFL)"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.strip() == "True"
