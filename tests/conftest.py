"""What tests share: a cache of their own, tiny subjects with random weights, and the command run as users run it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest

import synergy_tui
from synergy_tui.cli import main
from synergy_tui.jobs import processes
from synergy_tui.settings import load

SPAWN = processes.spawn

TESTS = Path(__file__).parent

REFERENCE = TESTS / "reference"

# Before anything imports JAX: what is compiled once serves every process of this test run and of the next.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(load().data / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Tests run side by side: two threads of a tiny model on a core that is taken wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test touches the user's cache or configuration. Built-in subjects stay where the user keeps them: they are
    fetched once, not once per test run."""
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("SYNERGY_TUI_CACHE", str(home / "cache"))
    patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    patch.setenv("XDG_STATE_HOME", str(home / "state"))
    # Devices are shared with nobody's jobs but those of the tests.
    (home / "runtime").mkdir(mode=0o700)
    patch.setenv("XDG_RUNTIME_DIR", str(home / "runtime"))
    # A hub that nobody answers for, with and without a network: port 9 is closed.
    patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    yield home
    patch.undo()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Folder of an empty cache."""
    return tmp_path / "cache"


_started: set[str] = set()
"""What the test under way has started."""


def _heard(event: str, given: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and "starter.py" not in str(given[1]):
        _started.add(str(given[1])[:80])


sys.addaudithook(_heard)


@pytest.fixture(autouse=True)
def marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that starts a process says so: `make check` leaves it out."""
    _started.clear()
    yield
    if _started and not any(request.node.get_closest_marker(name) for name in ("worker", "real", "slow")):
        if (record := os.environ.get("RECORD_STARTED")) is None:
            pytest.fail(f"mark it with pytest.mark.worker: it starts {', '.join(_started)}")
        with open(record, "a") as file:
            file.write(f"{request.node.nodeid}\n")


@pytest.fixture(scope="session", autouse=True)
def starter(places: Path) -> Iterator[None]:
    """Workers are forked from a process that has loaded what they need."""
    from starter import Starter

    patch = pytest.MonkeyPatch()
    patch.setattr(processes, "spawn", Starter(_started))
    yield
    patch.undo()


@pytest.fixture
def new_processes(starter: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are new processes, as users have them."""
    monkeypatch.setattr(processes, "spawn", SPAWN)


class Command:
    """`synergy-tui` on one cache: in this process, which is 50 times as fast as a new one."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def __call__(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end; its exit status must be `code`."""
        line = self._line(arguments)
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(sys, "stdin", io.StringIO())
            patch.setattr(sys, "argv", [str(Path(synergy_tui.__file__).parent / "__main__.py")])
            status = main(line[3:])
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
        got = subprocess.CompletedProcess(line, status, *texts)
        assert status == code, f"{arguments}: {status}\n{got.stdout}\n{got.stderr}"
        return got

    def real(self, *arguments: str, code: int = 0, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own, as users run it."""
        got = subprocess.run(self._line(arguments), capture_output=True, text=True, timeout=timeout, env=os.environ)
        assert got.returncode == code, f"{arguments}: {got.returncode}\n{got.stdout}\n{got.stderr}"
        return got

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)

    def start(self, *arguments: str, **how: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._line(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ, **how
        )

    def wait(self, job: str, *states: str, timeout: float = 300) -> dict[str, Any]:
        """The job's status once it is in one of the states."""
        from synergy_tui.jobs.folder import JobFolder

        def reached() -> dict[str, Any] | None:
            status = JobFolder(self.cache / "jobs" / job).status()
            return status if status["state"] in states else None

        return until(reached, timeout)

    def _line(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "synergy_tui", *arguments, "--cache", str(self.cache)]


@pytest.fixture
def made(cache: Path) -> Path:
    """A cache with a made-up run of 6 layers × 4 units."""
    from synergy_tui.bench.made import make_run
    from synergy_tui.store.cache import Cache

    make_run(Cache.open(cache), 6, 4)
    return cache


@pytest.fixture
def command(cache: Path) -> Command:
    return Command(cache)


T = TypeVar("T")


def until(reached: Callable[[], T | None], timeout: float = 240) -> T:
    """What `reached` gives once it gives something."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := reached():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def worker_of(cache: Path, job: str) -> psutil.Process:
    """The living worker of a job."""
    note = json.loads((cache / "jobs" / job / "started.json").read_text())
    return psutil.Process(note["pid"])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 4 layers × 4 heads with grouped queries and random weights, as a model folder."""
    return make_tiny(tmp_path_factory.mktemp("tiny") / "tiny-llama")


def make_tiny(folder: Path, model_type: str = "llama", **changes: Any) -> Path:
    """A tiny model with random weights and a byte-level tokenizer, saved as users have models."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type,
        **{
            "vocab_size": 257,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "max_position_embeddings": 1024,
            "eos_token_id": 256,
            "bos_token_id": None,
            "pad_token_id": None,
            "initializer_range": 0.3,
        }
        | changes,
    )
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads cost more than they bring in models this small."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def byte_tokenizer() -> Any:
    """A token for every byte, and <end>, which is 256."""
    from synergy_tui.bench import families

    return families.byte_tokenizer()


def ar1(chance: np.random.Generator, shape: tuple[int, ...], phi: float, burn: int = 200) -> np.ndarray:
    """Independent stationary AR(1) series over the last axis."""
    noise = chance.normal(size=(*shape[:-1], shape[-1] + burn))
    out = np.empty_like(noise)
    out[..., 0] = noise[..., 0]
    for step in range(1, out.shape[-1]):
        out[..., step] = phi * out[..., step - 1] + noise[..., step]
    return out[..., burn:]
