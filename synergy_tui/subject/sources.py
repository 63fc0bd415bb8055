"""A name or path → where the subject is and what it will need. Light: no torch, no transformers, nothing loaded."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from synergy_tui import settings
from synergy_tui.errors import SubjectError
from synergy_tui.settings import user_path
from synergy_tui.subject.families import FAMILIES, family_of
from synergy_tui.subject.gguf import PARAMETERS, read_header
from synergy_tui.subject.manifest import BUILT_IN
from synergy_tui.subject.source import Source
from synergy_tui.terms import HEADS
from synergy_tui.zoo import shipped as zoo
from synergy_tui.zoo.shipped import ZOO


def resolve(
    subject: str,
    revision: str | None = None,
    *,
    weights_seed: int | None = None,
    pickle: bool = False,
    remote_code: bool = False,
    adapter: str | None = None,
) -> Source:
    """What `subject` means: a built-in name, one of the zoo, a local folder in transformers' format, a .gguf file, or a
    hub id; with a `weights_seed` only its architecture, with random weights; with an `adapter`, its weights with the
    adapter merged.

    Raises SubjectError for a file that is missing, empty or truncated, a configuration that does not fit or belongs to
    no known family, a model that writes no text, and a hub that does not answer.
    """
    found = _resolve(subject, revision, weights_seed is None, pickle, remote_code)
    found = replace(found, weights_seed=weights_seed, pickle=pickle, remote_code=remote_code)
    if weights_seed is not None:
        found = replace(found, name=f"{found.name}, random weights {weights_seed}")
    if adapter is not None:
        place = user_path(adapter).resolve()
        if not (place / ADAPTER).is_file():
            raise SubjectError(f"{place} has no {ADAPTER}", "give the folder of a LoRA adapter")
        if weights_seed is not None:
            raise SubjectError("an adapter changes weights, and random ones were asked for", "leave out one of them")
        found = replace(found, name=f"{found.name} + {place.name}", adapter=str(place))
    return found


def _resolve(subject: str, revision: str | None, weights: bool, pickle: bool, remote_code: bool) -> Source:
    if subject in BUILT_IN:
        known = BUILT_IN[subject]
        return Source(known.title, "built-in", known.name, None, known.geometry)
    if subject.startswith(ZOO):
        found = _folder(zoo.folder(subject), weights, pickle, remote_code)
        return replace(found, name=subject, kind="zoo", place=subject)
    path = user_path(subject)
    if path.suffix == ".gguf" or path.is_file():
        return _gguf(path)
    if path.is_dir():
        return _folder(path, weights, pickle, remote_code)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", subject) and not subject.startswith((".", "~")):
        return _hub(subject, revision, weights, pickle, remote_code)
    raise SubjectError(
        f"no subject {subject!r}",
        f"give {', '.join(BUILT_IN)}, {ZOO}NAME, a model folder, a .gguf file, or a hub id (owner/name)",
    )


def local(source: Source) -> Path:
    """The folder or file of a subject on this disk: from the zoo, a folder or a GGUF file."""
    return zoo.folder(source.place) if source.kind == "zoo" else Path(source.place)


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The model folders in a folder whose names end in a number, sorted by it: checkpoints of a training."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        number = re.search(r"(\d+)$", path.name)
        if number and (path / "config.json").exists():
            found.append((int(number[1]), path))
    return sorted(found)


def memory_needed(geometry: dict[str, Any], dtype: str) -> float | None:
    """Bytes for the weights and the process that runs them; None if the number of parameters is unknown."""
    parameters = geometry.get("parameters")
    return parameters * (4 if dtype == "float32" else 2) + _BESIDE_THE_WEIGHTS if parameters else None


_BESIDE_THE_WEIGHTS = 0.8e9
"""torch, transformers and a batch of prompts: 1.4 GB were observed with SmolLM2 in fp32, including 0.54 of weights."""


def units_of(geometry: dict[str, Any], kinds: Sequence[str]) -> int:
    """The most units a subject can have: which layers have which units is known only after loading."""
    each = {"head": geometry["heads"], "ssm-head": geometry.get("ssm_heads", 0), "expert": geometry.get("experts", 0)}
    per_layer = [each.get(kind, 1) for kind in kinds]
    # Most hybrids have heads of only one kind in a layer.
    return geometry["layers"] * (max(per_layer) if tuple(kinds) == HEADS else sum(per_layer))


def weights_files(folder: Path) -> list[Path]:
    """The safetensors files with a model folder's weights, sorted by name: the files of its index, else the one with
    the usual name, else all. Some folders contain the weights twice."""
    whole, index = folder / "model.safetensors", folder / INDEX
    if whole.exists():
        return [whole]
    if index.exists():
        weight_map = _read_config(index).get("weight_map")
        if isinstance(weight_map, dict):
            return [one for name in sorted(set(map(str, weight_map.values()))) if (one := folder / name).exists()]
    return sorted(one for one in folder.glob("*.safetensors") if not one.name.startswith(("adapter_", "consolidated")))


def file_list_hash(files: list[Path], samples: int = 0) -> str:
    """SHA-256 of names and sizes: tells two sets of weights apart without reading gigabytes. Checkpoints of one
    training share names and sizes; `samples` of each file's content tell them apart."""
    found = hashlib.sha256("\n".join(f"{file.name} {file.stat().st_size}" for file in files).encode())
    for file in files if samples else ():
        size = file.stat().st_size
        with open(file, "rb") as content:
            for place in range(samples):
                content.seek(size * place // samples)
                found.update(content.read(65_536))
    return found.hexdigest()


def _folder(path: Path, weights: bool, pickle: bool, remote_code: bool) -> Source:
    path = path.resolve()
    _refuse_adapter(path)
    config = _read_config(path / "config.json")
    _refuse_remote_code(config, str(path), remote_code)
    geometry = read_geometry(config, str(path))
    files = weights_files(path)
    pickled = next(iter([*path.glob("*.bin"), *path.glob("*.pt"), *path.glob("*.pth")]), None)
    if weights and not files and not (pickle and pickled):
        if pickled:
            raise SubjectError(
                f"{path} has its weights as pickle ({pickled.name}), which can run code",
                "convert them to safetensors first, or --allow-pickle if you trust who made them",
            )
        raise SubjectError(
            f"{path} has no weights (*.safetensors)",
            "fetch the whole model folder; for its architecture only: --random-weights",
        )
    if weights and files:
        _check_whole(path, files)
        geometry["parameters"] = sum(map(_check_safetensors, files))
    if not any((path / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise SubjectError(f"{path} has no tokenizer (tokenizer.json)", "fetch the whole model folder")
    return Source(_named(path.name, config), "folder", str(path), None, geometry)


def _named(name: str, config: dict[str, Any]) -> str:
    """The name of a model; if the model also sees or hears, the name says that only its text model is the subject."""
    return name if text_part(config) is None else f"{name}, text model"


def _refuse_adapter(path: Path) -> None:
    """Raises SubjectError for a folder that is an adapter, or contains one beside its weights."""
    said = path / ADAPTER
    if not said.exists():
        return
    base = str(_read_config(said).get("base_model_name_or_path") or "its base model")[:100]
    if (path / "config.json").exists():
        raise SubjectError(
            f"{path} has an adapter ({ADAPTER}) beside its weights, which would be left out",
            f"move it to a folder of its own and give that with --adapter, or take {ADAPTER} out",
        )
    raise SubjectError(f"{path} is an adapter of {base}, no model", f"give {base}, with --adapter {path}")


def _check_whole(path: Path, files: list[Path]) -> None:
    index = path / INDEX
    if not index.exists() and files and re.search(r"-\d+-of-\d+\.safetensors$", files[0].name):
        raise SubjectError(f"{path} has its weights in parts and lacks {INDEX}", "fetch the whole model folder")
    if index.exists() and not (path / "model.safetensors").exists():
        weight_map = _read_config(index).get("weight_map")
        if not isinstance(weight_map, dict):
            raise SubjectError(f"{index} has no weight_map", "fetch the whole model folder")
        if missing := [name for name in sorted(set(map(str, weight_map.values()))) if not (path / name).exists()]:
            raise SubjectError(f"{path} lacks the weights file {missing[0]}", "fetch the whole model folder")


def _refuse_remote_code(config: dict[str, Any], where: str, allowed: bool) -> None:
    """Raises SubjectError for a model that transformers knows only through the code it brings."""
    if config.get("auto_map") and not allowed and config.get("model_type") not in FAMILIES:
        raise SubjectError(
            f"{where} brings Python code of its own to run it (auto_map)",
            "--allow-remote-code runs it, if you trust who made it",
        )


INDEX = "model.safetensors.index.json"

ADAPTER = "adapter_config.json"

_GGUF_NAMES = {"qwen2moe": "qwen2_moe", "qwen3moe": "qwen3_moe", "gemma3": "gemma3_text", "gpt-oss": "gpt_oss"}
"""Architectures with a different name in GGUF and in transformers."""


def split_files(path: Path) -> list[Path]:
    """All parts of a split GGUF file, found from one of them, or the file itself. Raises SubjectError when a part is
    missing."""
    found = re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})\.gguf", path.name)
    if not found:
        return [path]
    names = [f"{found[1]}-{k:05d}-of-{found[3]}.gguf" for k in range(1, int(found[3]) + 1)]
    parts = [path.parent / name for name in names]
    if missing := [one.name for one in parts if not one.exists()]:
        raise SubjectError(f"{path.parent} lacks {missing[0]}, a part of {path.name}", "fetch all parts")
    return parts


def _gguf(path: Path) -> Source:
    path = path.resolve()
    parts = split_files(path)
    header = read_header(parts[0])
    kind = str(header.get("general.architecture", ""))
    if (what := str(header.get("general.type", "model"))) != "model":
        raise SubjectError(f"{path} is of the type {what!r}, no model", "give the model itself")
    if f"{kind}.attention.causal" in header and not header[f"{kind}.attention.causal"]:
        raise SubjectError(f"{path} is an encoder ({kind}): it writes no text", "give a model that writes text")
    config = {
        "model_type": _GGUF_NAMES.get(kind, kind),
        "num_hidden_layers": header.get(f"{kind}.block_count"),
        "num_attention_heads": header.get(f"{kind}.attention.head_count"),
        "hidden_size": header.get(f"{kind}.embedding_length"),
        "head_dim": header.get(f"{kind}.attention.key_length"),
        "max_position_embeddings": header.get(f"{kind}.context_length"),
        "num_experts": header.get(f"{kind}.expert_count"),
    }
    geometry = read_geometry(config, str(path))
    geometry["parameters"] = sum(one[PARAMETERS] for one in (header, *map(read_header, parts[1:])))
    name = str(header.get("general.name") or path.stem)
    return Source(name, "gguf", str(parts[0]), None, geometry)


def _hub(subject: str, revision: str | None, weights: bool, pickle: bool, remote_code: bool) -> Source:
    from huggingface_hub import HfApi, constants, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    # This request comes first, because it does not retry: an unreachable hub would otherwise be noticed after half a
    # minute.
    info = None
    try:
        info = HfApi().model_info(subject, revision=revision, timeout=8)
        revision = info.sha
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
    except Exception:  # whatever the HTTP library in use raises without a network
        pass
    try:
        config = hf_hub_download(subject, "config.json", revision=revision, local_files_only=info is None)
    except (HfHubHTTPError, OSError, ValueError):
        what = "does not answer for" if info is None else "gives no config.json of"
        raise SubjectError(
            f"the hub {what} {subject}, and it is not on this disk ({constants.HF_HUB_CACHE})",
            "check the connection, or give a model folder or a .gguf file",
        ) from None
    said = _read_config(Path(config))
    _refuse_remote_code(said, subject, remote_code)
    geometry = read_geometry(said, subject)
    if info is not None:
        _weigh(subject, info, geometry, weights, pickle)
    return Source(_named(subject, said), "hub", subject, revision, geometry)


def _weigh(subject: str, info: Any, geometry: dict[str, Any], weights: bool, pickle: bool) -> None:
    """Adds the hub's information on a model's weights to its geometry. Raises SubjectError when there are no usable
    weights."""
    names = [one.rfilename for one in info.siblings or ()]
    if weights and not any(name.endswith(".safetensors") for name in names):
        if not any(name.endswith((".bin", ".pt", ".pth")) for name in names):
            raise SubjectError(f"{subject} has no weights (*.safetensors)", "give another; or --random-weights")
        if not pickle:
            raise SubjectError(
                f"{subject} has its weights as pickle, which can run code",
                "look for a safetensors revision, or --allow-pickle if you trust who made them",
            )
    if getattr(info, "safetensors", None):
        geometry["parameters"] = info.safetensors.total
    card = getattr(info, "card_data", None)
    geometry["licence"] = getattr(card, "license", None)


def read_geometry(config: dict[str, Any], where: str) -> dict[str, Any]:
    """Layers, heads and sizes from a configuration. Raises SubjectError when it is not a language model of a known
    family, or its numbers are inconsistent."""
    given = config.get("architectures") or []
    architectures = [str(name) for name in (given if isinstance(given, list) else [given])]
    if config.get("is_encoder_decoder"):
        raise SubjectError(
            f"{where} is an encoder-decoder ({', '.join(architectures) or config.get('model_type')}): half of its "
            "heads do not follow the text that is written",
            "give a decoder-only language model",
        )
    nested = text_part(config)
    if (
        nested is None
        and architectures
        and not any(one.endswith(("ForCausalLM", "LMHeadModel")) for one in architectures)
    ):
        raise SubjectError(
            f"{where} is a {architectures[0]}: it does not write text token by token", "give a model that does"
        )
    model_type = str((nested or config).get("model_type", ""))
    family_of(model_type, settings.families())
    config = config if nested is None else _LEFT_OUT.get(model_type, {}) | nested
    said = {name: next((config[key] for key in keys if config.get(key) is not None), None) for name, keys in _KEYS}
    mixers = said["ssm_heads"]
    layers, hidden = (_bounded(said[key], key, where) for key in ("layers", "hidden"))
    # Mamba2 has no attention, and gives its own heads the name that others use for attention heads.
    alone = model_type == "mamba2"
    heads = 0 if alone else _bounded(said["heads"], "heads", where)
    own_width = any(config.get(key) for key in ("head_dim", "v_head_dim", "attention_head_dim"))
    if heads and not own_width and hidden % heads:
        raise SubjectError(
            f"the configuration of {where} does not fit: width {hidden} for {heads} heads",
            "fetch its config.json again",
        )
    context = said["context"]
    return {
        "model_type": model_type,
        "layers": layers,
        "heads": heads,
        "hidden": hidden,
        "ssm_heads": _bounded(said["heads"] if alone else mixers, "ssm_heads", where) if alone or mixers else 0,
        "experts": _bounded(said["experts"], "experts", where) if said["experts"] else 0,
        "context": context if isinstance(context, int) and context >= 1 else None,
    }


def text_part(config: dict[str, Any]) -> dict[str, Any] | None:
    """The configuration of the language model inside a model that also sees or hears; None for a language model."""
    if isinstance(nested := config.get("text_config"), dict):
        kind = nested.get("model_type") or _TEXT_OF.get(str(config.get("model_type")), "")
        return nested | {"model_type": kind}
    if (kind := str(config.get("model_type"))) in _TEXT_OF:  # the first published form: everything in one configuration
        return config | {"model_type": _TEXT_OF[kind]}
    return None


_TEXT_OF = {
    "gemma3": "gemma3_text",
    "qwen2_vl": "qwen2_vl_text",
    "qwen2_5_vl": "qwen2_5_vl_text",
    "qwen3_vl": "qwen3_vl_text",
    "llama4": "llama4_text",
    "mistral3": "mistral",
}
"""Vision-language models, and the architecture of the language model inside."""


_QWEN_VL = {"num_hidden_layers": 80, "num_attention_heads": 64, "hidden_size": 8192}
_LLAMA = {"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 4096}
_LEFT_OUT: dict[str, dict[str, int]] = {
    "gemma3_text": {"num_hidden_layers": 26, "num_attention_heads": 8, "hidden_size": 2304, "head_dim": 256},
    "llama4_text": {"num_hidden_layers": 48, "num_attention_heads": 40, "hidden_size": 5120, "head_dim": 128},
    "qwen3_vl_text": {"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 4096, "head_dim": 128},
    **{"qwen2_vl_text": _QWEN_VL, "qwen2_5_vl_text": _QWEN_VL},
    **{"mistral": _LLAMA, "llama": _LLAMA, "qwen2": _LLAMA, "qwen3": _LLAMA},
}
"""Values that published configurations of vision-language models omit, because they are transformers' defaults."""


_KEYS = (
    ("layers", ("num_hidden_layers", "n_layer", "n_layers", "num_layers")),
    ("heads", ("num_attention_heads", "n_head", "num_heads")),
    ("hidden", ("hidden_size", "n_embd", "n_embed", "d_model")),
    ("ssm_heads", ("mamba_n_heads", "n_mamba_heads")),
    ("experts", ("num_local_experts", "num_experts", "n_routed_experts")),
    ("context", ("max_position_embeddings", "n_positions", "n_ctx")),
)
"""What configurations call these; if none is present, messages name the first."""

_LARGEST = {"layers": 10_000, "heads": 10_000, "ssm_heads": 10_000, "experts": 100_000, "hidden": 1_000_000}
"""Sizes beyond every model: a damaged or hostile configuration must not claim all memory."""


def _bounded(value: Any, key: str, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST[key]:
        return value
    shown, name = repr(value)[:40], dict(_KEYS)[key][0]
    raise SubjectError(f"the configuration of {where} has no usable {name}: {shown}", "fetch its config.json again")


def _read_config(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        if text.startswith("\ufeff"):
            raise ValueError("it begins with a byte order mark, which transformers does not read: save it without")
        config = json.loads(text)
    except FileNotFoundError:
        raise SubjectError(f"{path.parent} has no {path.name}", "give a model folder in transformers' format") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SubjectError(f"{path} cannot be read: {error}", "fetch it again") from None
    if not isinstance(config, dict):
        raise SubjectError(f"{path} is no configuration", "fetch it again")
    return config


def _check_safetensors(path: Path) -> int:
    """Number of values in the file. Raises SubjectError when the file is shorter than its header says."""
    size = 0
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size, 100_000_000):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        entries = [entry for name, entry in header.items() if name != "__metadata__"]
        ends = [int(entry["data_offsets"][1]) for entry in entries]
        values = sum(math.prod(map(int, entry["shape"])) for entry in entries)
        needed = 8 + length + max(ends, default=0)
    except OSError as error:
        raise SubjectError(f"{path} cannot be read: {error.strerror}", "fetch it again") from None
    except (struct.error, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        what = "empty" if size == 0 else f"no safetensors file ({error})"
        raise SubjectError(f"{path} is {what}", "fetch it again") from None
    if size < needed:
        raise SubjectError(f"{path} is truncated: {size:,} of {needed:,} bytes", "fetch it again")
    return values
