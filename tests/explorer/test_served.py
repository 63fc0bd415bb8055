"""The explorer in a browser: who is answered, what a page shows, and that it ends with the page."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyte
import pytest
from browsing import Heard, browser
from conftest import Command, until

from synergy_tui.bench.made import make_run
from synergy_tui.store.cache import Cache

pytestmark = pytest.mark.worker

pytest.importorskip("textual_serve")


class Served:
    """A server with a run of 4 × 5 units. pid: of its process."""

    def __init__(self, folder: Path) -> None:
        self.run = make_run(Cache.open(folder), 4, 5, pairs=False)
        self.process = Command(folder).start("serve", self.run, "--json", "--theme", "dark", "--idle", "5")
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(5)]
        found = json.loads("".join(lines))
        self.url, self.port, self.tunnel = found["url"], found["port"], found["tunnel"]
        self.token = self.url.split("token=")[1]

    def status(self, path: str, **headers: str) -> int:
        """The answer to a request."""
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"Host": f"127.0.0.1:{self.port}"} | headers
        asked.putrequest("GET", path, skip_host=True)
        for name, value in given.items():
            asked.putheader(name, value)
        asked.endheaders()
        status = asked.getresponse().status
        asked.close()
        return status

    def explorers(self) -> list[psutil.Process]:
        """Those that live."""
        return [one for one in psutil.Process(self.process.pid).children() if one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(tmp_path_factory.mktemp("served") / "cache")
    yield found
    found.process.kill()
    found.process.communicate()


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def test_nobody_is_answered_who_does_not_know_the_token(served: Served) -> None:
    for path in ("/", "/static/js/textual.js", "/download/1", "/ws/x", "/none", f"/?token={served.token}x", "/?token="):
        assert served.status(path) == 403, path
    assert served.status(f"/?token={served.token}") == 200
    # A page of somebody's, whose name was made to mean this machine, or that asks across origins.
    assert served.status(f"/?token={served.token}", Host=f"rebound.example:{served.port}") == 403
    assert served.status(f"/?token={served.token}", Origin="http://elsewhere.example") == 403
    own = f"http://127.0.0.1:{served.port}"
    assert served.status(f"/ws/{served.token}", **UPGRADE) == 403  # no browser leaves the origin out
    assert served.status(f"/ws/{served.token}", **UPGRADE, Origin="http://127.0.0.1:1") == 403
    assert served.status("/ws/x", **UPGRADE, Origin=own) == 403
    assert served.explorers() == []
    # It listens on loopback alone.
    listening = [one.laddr.ip for one in psutil.Process(served.process.pid).net_connections() if one.status == "LISTEN"]
    assert listening == ["127.0.0.1"]
    assert f"-L {served.port}:127.0.0.1:{served.port} " in served.tunnel
    assert socket.gethostname() in served.tunnel


def test_a_page_shows_the_explorer_and_takes_it_with_it(served: Served) -> None:
    screen = pyte.Screen(200, 80)
    stream = pyte.ByteStream(screen)

    def shown() -> str:
        return "\n".join(screen.display)

    with browser() as found:
        context = found.new_context(viewport={"width": 1200, "height": 800})
        page = context.new_page()
        heard = Heard(page, (f"http://127.0.0.1:{served.port}/",))
        page.on("websocket", lambda one: one.on("framereceived", lambda got: _fed(stream, got)))
        page.goto(served.url)
        _until(page, lambda: "made-4x5" in shown() and "synergistic" in shown())
        (explorer,) = served.explorers()
        _until(page, lambda: _cursor(shown()) is not None)
        before = layer, unit = _cursor(shown()) or (0, 0)
        page.keyboard.press("ArrowLeft" if unit else "ArrowRight")
        after = layer, unit - 1 if unit else 1
        assert after != before
        _until(page, lambda: _cursor(shown()) == after)
        page.wait_for_timeout(2_100)  # it looks now and then whether its terminal is there
        page.keyboard.press("ArrowUp" if layer else "ArrowDown")
        _until(page, lambda: _cursor(shown()) == (layer - 1 if layer else 1, after[1]))
        assert heard.errors + heard.foreign == []
        (cookie,) = context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        jar = f"{cookie['name']}={cookie['value']}"
        assert served.status("/static/css/xterm.css", Cookie=jar) == 200
        assert served.status("/", Cookie=jar) == 403  # whoever gets the cookie gets no explorer
        page.close()
        until(lambda: not explorer.is_running(), 60)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0
    assert served.process.stderr is not None
    assert "Ended: SIGTERM" in served.process.stderr.read()


def _cursor(screen: str) -> tuple[int, int] | None:
    """Layer and unit under the cursor, as the pane of the unit says it."""
    found = re.search(r"Head (\d)\.(\d)", screen)
    return (int(found[1]), int(found[2])) if found else None


def _fed(stream: Any, got: Any) -> None:
    if isinstance(got, bytes):
        stream.feed(got)


def _until(page: Any, reached: Any) -> None:
    """Frames are heard while the page is waited for."""
    for _ in range(2_400):
        if reached():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen in time")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_signals_end_it(command: Command, number: int) -> None:
    process = command.start("serve", "--quiet")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(number)
    assert process.wait(60) == 0


def test_it_ends_when_nobody_looks(command: Command) -> None:
    got = command.real("serve", "--idle", "0.01", timeout=240)
    assert got.stdout.startswith("http://127.0.0.1:")
    assert "Ended: nobody has looked at it." in got.stderr
    assert "ssh -L" in got.stderr


def test_a_port_that_is_taken_and_a_missing_library_are_told(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        got = command("serve", "--port", str(port), code=2)
        assert got.stderr.startswith(f"synergy-tui: port {port} cannot be had:")
    monkeypatch.setitem(__import__("sys").modules, "synergy_tui.explorer.served", None)
    assert 'pip install "synergy-tui[serve]"' in command("serve", code=2).stderr
