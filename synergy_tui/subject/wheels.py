"""A pinned package → its wheel, through pip and its settings; where there is no pip, from the simple index that the
settings of pip or uv name. Nothing of a wheel is installed or run."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import urllib.request
from html import unescape
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from synergy_tui.errors import SubjectError

_ADVICE = "check the connection to the package index, or give a model folder"
_INDEX, _WANTED = "https://pypi.org/simple", "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
_SETTINGS = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
"""Where pip looks for its settings too, the last before the others."""


def fetch(requirement: str, size: int, folder: Path) -> Path:
    """The wheel of NAME==VERSION in a folder, which is made. size: bytes that it has at most. Raises SubjectError when
    it cannot be had. Whether it is the right one is for the caller to check."""
    folder.mkdir(exist_ok=True)
    if find_spec("pip") is None:
        return _without_pip(requirement, size, folder)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    got = subprocess.run(
        [*command, "--only-binary", ":all:", "--dest", str(folder), requirement],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    wheel = next(folder.glob("*.whl"), None)
    if got.returncode or wheel is None:
        said = [line for line in got.stderr.splitlines() if "ERROR" in line]
        raise SubjectError(f"{requirement} cannot be fetched: {said[-1] if said else 'pip gave no file'}", _ADVICE)
    return wheel


def _without_pip(requirement: str, size: int, folder: Path) -> Path:
    name, _, version = requirement.partition("==")
    start = f"{name.replace('-', '_')}-{version}-"
    try:
        with _opened(f"{_index().rstrip('/')}/{name}/") as page:
            base, text = page.geturl(), page.read(50_000_000).decode("utf-8", "replace")
        links = [urljoin(base, one) for one in _links(text)]
        found = [one for one in links if re.fullmatch(rf".*/{re.escape(start)}[\w.-]+\.whl", urlsplit(one).path)]
        if not found:
            raise SubjectError(
                f"{requirement} cannot be fetched: {urlsplit(base).hostname} has no wheel of it", _ADVICE
            )
        wheel = folder / f"{start}any.whl"
        with _opened(found[0]) as content, open(wheel, "wb") as out:
            while part := content.read(min(1 << 20, size + 1 - out.tell())):  # one byte too many is no right wheel
                out.write(part)
    except (OSError, HTTPException, ValueError, KeyError, TypeError, configparser.Error) as error:
        said = " ".join(str(error).split())
        raise SubjectError(
            f"{requirement} cannot be fetched without pip: {said}", f"install pip, or {_ADVICE}"
        ) from None
    return wheel


def _index() -> str:
    """The address of the index in force. Raises SubjectError where the settings forbid any."""
    if os.environ.get("PIP_NO_INDEX") or os.environ.get("UV_NO_INDEX"):
        raise SubjectError("the settings forbid a package index (NO_INDEX)", "give a model folder")
    if given := next((value for one in _SETTINGS if (value := os.environ.get(one))), None):
        return given
    files = configparser.ConfigParser(interpolation=None)
    files.read([os.path.expanduser(one) for one in (*_FILES, os.environ.get("PIP_CONFIG_FILE") or os.devnull)])
    return files.get("global", "index-url", fallback=_INDEX)


def _opened(address: str) -> Any:
    """An answer to be read. Raises ValueError for an address that is no web address, or that holds a password, which
    pip can do."""
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or parts.username is not None:
        raise ValueError(f"the index at {parts.hostname or 'no host'} is none that can be read")
    return urllib.request.urlopen(urllib.request.Request(address, headers={"Accept": _WANTED}), timeout=30)


def _links(text: str) -> list[str]:
    """The files that a page of the index names, which is JSON or HTML."""
    if text.lstrip().startswith("{"):
        return [str(one["url"]) for one in json.loads(text)["files"]]
    return [unescape(one) for one in re.findall(r'<a[^>]*?\shref="([^"]+)"', text)]
