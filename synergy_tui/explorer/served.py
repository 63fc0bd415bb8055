"""The explorer in a browser: a server on this machine's loopback that gives every page its own explorer and answers
only requests with its token. It loads textual-serve, which few users have installed; explorers are separate processes.

Access: the page and its websocket need the token in their address. The files that a page loads, and downloads, need the
cookie that the page sets, which is another secret: browsers send cookies of 127.0.0.1 to every port there, and whoever
listens at another port must not be able to open an explorer. A request with a Host other than loopback, or a foreign
Origin, is refused whatever it brings, so that no website can reach the server through the visitor's browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from synergy_tui.errors import UsageError

HERE = "127.0.0.1"

NAMES = (HERE, "localhost")
"""The server's names for a browser on this machine, or at the other end of a tunnel."""

MOST = 8
"""Most explorers at a time: each takes some 150 MB."""

GRACE = 4.0
"""Seconds that an explorer has to leave before the server ends it."""

WIDEST = 1000
"""Most columns and rows of a page."""


class Visitor(AppService):
    """One explorer, in its own process, which ends with its page."""

    _process: asyncio.subprocess.Process | None
    _task: asyncio.Task[None] | None

    def __init__(self, arguments: Sequence[str], found: Mapping[str, str], **how: Any) -> None:
        super().__init__("", **how)
        self._arguments, self._found = arguments, found

    async def _open_app_process(self, width: int = 80, height: int = 24) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        # The explorer gets its own session: Ctrl-C reaches only the server, which then ends its explorers.
        self._process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=self._build_environment(width, height) | dict(self._found),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._stdin = self._process.stdin
        return self._process

    async def stop(self) -> None:
        """Asks the explorer to leave, and ends it if it does not."""
        process, task = self._process, self._task
        if process is None or task is None:
            return
        self._task = None
        await self._download_manager.cancel_app_downloads(app_service_id=self.app_service_id)
        await self.send_meta({"type": "quit"})
        drained = asyncio.gather(task, return_exceptions=True)
        for end in (None, process.terminate, process.kill):
            if end is not None:
                with contextlib.suppress(ProcessLookupError):
                    end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._gone(drained)), GRACE)
                return

    async def _gone(self, drained: asyncio.Future[Any]) -> None:
        """Waits for its end and reads what it still writes, so that it does not wait for a reader."""
        process = self._process
        assert process is not None
        await drained
        if process.stdout is not None:
            with contextlib.suppress(Exception):
                while await process.stdout.read(65_536):
                    pass
        await process.wait()


class Explorers(Server):
    """arguments: the command of an explorer. found: where its Python finds this package. idle: seconds without a page
    after which the server ends."""

    def __init__(self, arguments: Sequence[str], found: Mapping[str, str], port: int, idle: float) -> None:
        self._socket = _listening(port)
        super().__init__("", host=HERE, port=self._socket.getsockname()[1], title="synergy-tui")
        self.token = secrets.token_urlsafe(32)
        self._cookie = f"synergy-tui-{self.port}"
        self._files = hmac.new(self.token.encode(), b"files", hashlib.sha256).hexdigest()
        self._arguments, self._found, self._idle = arguments, found, idle
        self._pages: set[web.WebSocketResponse] = set()
        self._last = time.monotonic()
        self._end = asyncio.Event()

    @property
    def url(self) -> str:
        """The address with its token."""
        return f"http://{HERE}:{self.port}/?token={self.token}"

    async def run(self, ready: Callable[[], None]) -> str:
        """Serves until a signal, or until no page has been open for long; returns the reason. Calls `ready` when the
        server can be reached."""
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=1.0, handle_signals=False)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        loop, why = asyncio.get_running_loop(), ["nobody has looked at it"]

        def leave(name: str) -> None:
            why[0] = name
            self._end.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, leave, number.name)
        watching = asyncio.create_task(self._watch())
        try:
            ready()
            await self._end.wait()
        finally:
            watching.cancel()
            for page in list(self._pages):
                await page.close()
            while self._pages:  # an explorer leaves or is ended when its page closes
                await asyncio.sleep(0.02)
            await runner.cleanup()
        return why[0]

    async def _watch(self) -> None:
        while self._pages or time.monotonic() - self._last < self._idle:
            await asyncio.sleep(min(1.0, self._idle / 4))
        self._end.set()

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/ws/{token}", self.handle_websocket),
                web.get("/download/{key}", self.handle_download),
                web.static("/static", self.statics_path),
            ]
        )
        app.on_response_prepare.append(self._close_tight)
        return app

    # Access

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if not self._may(request):
            return web.Response(status=403, text="403: open the address that synergy-tui serve printed.\n")
        answer: web.StreamResponse = await handler(request)
        return answer

    def _may(self, request: web.Request) -> bool:
        """Whether a request comes from our page and brings the secret that it needs."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if urlsplit(f"//{host}").hostname not in NAMES or (origin is not None and origin != f"http://{host}"):
            return False
        if request.path.startswith("/ws/"):
            return origin is not None and _same(request.path.removeprefix("/ws/"), self.token)
        if _same(request.query.get("token", ""), self.token):
            return True
        files_alone = request.path.startswith(("/static/", "/download/"))
        return files_alone and _same(request.cookies.get(self._cookie, ""), self._files)

    async def _close_tight(self, request: web.Request, response: web.StreamResponse) -> None:
        """Sets headers of every answer: nothing foreign is loaded, and nothing is framed, cached or sent to others."""
        own = f" 'nonce-{request['nonce']}'" if "nonce" in request else ""
        policy = (
            f"default-src 'none'; script-src 'self'{own}; style-src 'self' 'unsafe-inline'; font-src 'self'; "
            f"img-src 'self' data:; connect-src ws://{request.host}; frame-ancestors 'none'; base-uri 'none'; "
            "form-action 'none'"
        )
        response.headers.update(
            {
                "Content-Security-Policy": policy,
                "X-Frame-Options": "DENY",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cache-Control": "no-store",
            }
        )

    # Routes

    async def _page(self, request: web.Request) -> web.Response:
        source = files("synergy_tui.explorer").joinpath("served.html").read_text("utf-8")
        size = request.query.get("fontsize", "")
        font = min(max(int(size), 6), 60) if size.isascii() and size.isdigit() and len(size) < 4 else 16
        request["nonce"] = secrets.token_urlsafe(16)
        address = f"ws://{request.host}/ws/{self.token}"
        text = Template(source).substitute(socket=address, font=font, nonce=request["nonce"])
        answer = web.Response(text=text, content_type="text/html")
        answer.set_cookie(self._cookie, self._files, httponly=True, samesite="Strict", path="/")
        return answer

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A page's explorer, for as long as the page is open."""
        page = web.WebSocketResponse(timeout=2.0, heartbeat=15, max_msg_size=2**22)
        await page.prepare(request)
        if len(self._pages) >= MOST:
            await page.close(code=1013, message=b"too many pages are open")
            return page
        self._pages.add(page)
        visitor = Visitor(
            self._arguments,
            self._found,
            write_bytes=page.send_bytes,
            write_str=page.send_str,
            close=page.close,
            download_manager=self.download_manager,
        )
        try:
            await visitor.start(
                *(_size(request.query.get(name, ""), most) for name, most in (("width", 80), ("height", 24)))
            )
            with contextlib.suppress(AssertionError, KeyError, IndexError, TypeError, ValueError, AttributeError):
                await self._process_messages(page, visitor)  # any other message ends the page
        finally:
            await asyncio.shield(self._left(page, visitor))
        return page

    async def _left(self, page: web.WebSocketResponse, visitor: Visitor) -> None:
        try:
            await page.close()
            await visitor.stop()
        finally:
            self._pages.discard(page)
            self._last = time.monotonic()


def _listening(port: int) -> socket.socket:
    """A socket on loopback. Raises UsageError if the port is taken or not allowed."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HERE, port))
        made.listen(64)
    except OSError as error:
        made.close()
        raise UsageError(f"port {port} cannot be had: {os.strerror(error.errno or 0)}", "leave --port away") from None
    return made


def _same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not reveal how much of them matches."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _size(text: str, usual: int) -> int:
    """Columns or rows that a page has."""
    return min(max(int(text), 1), WIDEST) if text.isascii() and text.isdigit() and len(text) < 6 else usual
