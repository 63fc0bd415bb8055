"""A headless browser for tests of pages; they are left out where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)


@contextmanager
def browser() -> Iterator[Any]:
    """A browser without a window."""
    sync = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium")
    with sync.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield opened
        finally:
            opened.close()


class Heard:
    """What a page complained of, and what it asked for from elsewhere."""

    def __init__(self, page: Any, own: tuple[str, ...]) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.set_default_timeout(120_000)
        page.on("console", self._said)
        page.on("pageerror", lambda one: self.errors.append(str(one)))
        page.on("dialog", lambda one: (self.errors.append(f"dialog {one.message}"), one.dismiss()))
        page.on("request", lambda one: one.url.startswith(own) or self.foreign.append(one.url))

    def _said(self, one: Any) -> None:
        # That the machine is busy is no fault of the page: the terminal in it warns of frames that take long.
        if one.type in ("error", "warning") and "exceeded allotted deadline" not in one.text:
            self.errors.append(one.text)
