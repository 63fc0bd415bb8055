"""Flags > environment > config.toml > defaults, and the places on disk. The only reader of the environment."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from synergy_tui.errors import UsageError

APP = "synergy-tui"
PATHS = ("cache", "data")
COLOURS = ("none", "16", "256", "truecolor")


@dataclass(frozen=True)
class Settings:
    """cache: the results and jobs. data: fetched and converted subjects, shared by all caches. state: where the
    explorer keeps its last view. themes: the folder of the user's own themes. theme, colour, ascii: how the explorer
    looks, None where the terminal decides. tmux: whether it runs in tmux. keys: by id. executor: where jobs are done,
    by option."""

    cache: Path
    data: Path
    state: Path
    themes: Path | None = None
    theme: str | None = None
    colour: str | None = None
    ascii: bool = False
    tmux: bool = False
    keys: dict[str, str] = field(default_factory=dict)
    executor: dict[str, Any] = field(default_factory=dict)


def load(cache: str | Path | None = None) -> Settings:
    """The settings in force; `cache` is the command's --cache flag. Raises UsageError for a config.toml that does not
    parse or names something unknown."""
    path = _config_path()
    config = _read_config(path)

    def chosen(flag: str | Path | None, name: str, default: Path | None) -> Path:
        value = flag or os.environ.get(f"SYNERGY_TUI_{name.upper()}") or config.get(name) or default
        if value is None:
            raise UsageError(f"there is no home folder for the {name}", f"set HOME, or SYNERGY_TUI_{name.upper()}")
        return user_path(value).resolve()

    user_data, state = _home("user_data_dir"), _home("user_state_dir")
    folder = chosen(cache, "cache", user_data and user_data / "cache")
    if user_data is None:  # processes started from here have no home either
        os.environ.setdefault("SYNERGY_TUI_CACHE", str(folder))
    return Settings(
        cache=folder,
        data=chosen(None, "data", user_data or folder / "data"),
        state=state or folder / "state",
        themes=path.parent / "themes" if path is not None else None,
        theme=config.get("theme"),
        colour="none" if os.environ.get("NO_COLOR") else config.get("colour"),
        ascii=config.get("ascii", False),
        tmux=bool(os.environ.get("TMUX")),
        keys=config.get("keys", {}),
        executor=config.get("executor", {}),
    )


@dataclass(frozen=True)
class Rank:
    """One of several processes that hold a model together. rank, size: among all processes; local, local_size: on its
    host."""

    rank: int
    size: int
    local: int
    local_size: int


def rank() -> Rank | None:
    """The rank of this process, which torchrun puts into the environment; None for a single process. Raises
    UsageError."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    said = [os.environ.get(name, "") for name in names]
    if not said[1] or said[1] == "1":
        return None
    if bad := [name for name, one in zip(names, said, strict=True) if not one.isdecimal()]:
        raise UsageError(f"WORLD_SIZE is {said[1]} and {bad[0]} is no number", "start it with torchrun")
    return Rank(*map(int, said))


def hide_gpus() -> None:
    """From here on this process sees no GPU, unless it has already used one."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def families() -> dict[str, dict[str, Any]]:
    """Architectures that the user described in config.toml. Raises UsageError."""
    return _read_config(_config_path()).get("families", {})


def user_path(text: str | Path) -> Path:
    """A path as a user gave it, `~` included. Raises UsageError for a path that no file system can have."""
    try:
        path = Path(text).expanduser()
        path.exists()
        path.resolve()
        str(path).encode()
    except (OSError, RuntimeError, ValueError) as error:
        shown = str(text)[:60].encode("unicode_escape").decode()
        raise UsageError(
            f"{shown} is no usable path: {getattr(error, 'strerror', None) or error}", "check it"
        ) from None
    return path


def _home(what: str) -> Path | None:
    """A folder of this program in the user's home; None for a user without a home."""
    import platformdirs

    try:
        return Path(getattr(platformdirs, what)(APP))
    except RuntimeError:  # no HOME, and a user id that the machine does not know
        return None


def colourless() -> bool:
    """Whether the environment asks for no colours, or names a terminal without colours."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def served() -> bool:
    """Whether a server started this process: it shows the explorer in a browser, and pipes stand in for the
    terminal."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def mend_sizes() -> None:
    """Forgets an invalid width or height of the terminal; some schedulers set such values."""
    for name in ("COLUMNS", "LINES"):
        said = os.environ.get(name, "80")
        if not said.isdecimal() or int(said) < 1:
            del os.environ[name]


def _config_path() -> Path | None:
    folder = _home("user_config_dir")
    return None if folder is None else folder / "config.toml"


def _read_config(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        config = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "mend or remove it") from None
    for key, value in config.items():
        wanted = _wanted(key, value)
        if wanted:
            raise UsageError(f"{path} has no use for {key} = {value!r}", wanted)
    return config


def _wanted(key: str, value: Any) -> str:
    """What a setting should be; empty if its value is right."""
    if key in PATHS:
        return "" if isinstance(value, str) else f"{key} is a path in quotes"
    if key == "theme":
        return "" if isinstance(value, str) and value.isprintable() else "theme is the name of one, in quotes"
    if key == "colour":
        return "" if value in COLOURS else f"colour is one of {', '.join(COLOURS)}"
    if key == "ascii":
        return "" if isinstance(value, bool) else "ascii is true or false"
    if key == "keys":
        whole = isinstance(value, dict) and all(isinstance(one, str) and one for one in value.values())
        return "" if whole else 'keys is a table of action = "key", with the ids that the explorer\'s help shows'
    if key == "executor":
        return "" if isinstance(value, dict) else "executor is a heading: [executor]"
    if key == "families":
        whole = isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
        return "" if whole else "families are headings: [families.NAME]"
    return f"known: {', '.join((*PATHS, 'theme', 'colour', 'ascii', 'keys', 'executor', 'families'))}"


def shipped(name: str) -> Path:
    """A file or folder of data/, from the installed package or, failing that, from the checkout."""
    packaged = Path(str(files("synergy_tui"))) / "_data" / name
    return packaged if packaged.exists() else Path(__file__).parent.parent / "data" / name


def machine_folder() -> Path:
    """The folder of locks on this machine's devices, private to the user; made when missing. Raises OSError."""
    import warnings

    import platformdirs

    with warnings.catch_warnings(action="ignore"):  # the user need not know that it is not systemd's folder
        folder = Path(platformdirs.user_runtime_dir(APP))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def visible_gpus() -> list[str] | None:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves to a process; None if it is not set."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if said is None else [one.strip() for one in said.split(",") if one.strip() not in ("", "-1")]


def only_gpu(number: int) -> None:
    """Leaves this process one of the GPUs it may use. Call it before a library looks for GPUs."""
    allowed = visible_gpus()
    os.environ["CUDA_VISIBLE_DEVICES"] = str(number) if allowed is None else allowed[number]


def in_slurm() -> bool:
    """Whether Slurm started this process and so decides what it may use."""
    return "SLURM_JOB_ID" in os.environ


def slurm_cores() -> int | None:
    """How many cores Slurm has given this process; None if Slurm did not start it."""
    said = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE") or ""
    return int(said) if said.isdecimal() and int(said) > 0 else None


def limit_threads(count: int) -> None:
    """Sets the number of OpenMP threads unless it is already set. Call it before torch is loaded."""
    os.environ.setdefault("OMP_NUM_THREADS", str(count))


def ray_address() -> str | None:
    """The cluster that the environment names."""
    return os.environ.get("RAY_ADDRESS") or None


def adopt_worker_environment() -> None:
    """Sets in this process what a worker would inherit, if not set yet. Call it before torch or JAX is loaded."""
    for name, value in worker_environment(load().cache).items():
        os.environ.setdefault(name, value)


def worker_environment(cache: Path) -> dict[str, str]:
    """The environment that a worker process inherits, with the threads and caches it needs unless the user has set
    them."""
    wanted = {
        # OpenMP threads that spin on a contended core make a run seven times slower.
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "2000",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        # Shared by all caches: compiled code depends on shapes, not on results.
        "JAX_COMPILATION_CACHE_DIR": str(load(cache).data / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_ETAG_TIMEOUT": "8",
        "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    return {**wanted, **os.environ, **own_package()}


def own_package() -> dict[str, str]:
    """What a process needs to run the checkout or package that runs now, whatever is in its working folder."""
    home = str(Path(__file__).parent.parent)
    path = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH", "")) if part)
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
