"""A subject → what is known before it is loaded: size, licence, units, memory. Light."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from synergy_tui.errors import SubjectError
from synergy_tui.subject.gguf import read_header
from synergy_tui.subject.lineage import family_of, tuned_of
from synergy_tui.subject.manifest import BUILT_IN
from synergy_tui.subject.sources import Source, local, memory_needed, split_files

DTYPES = ("float32", "bfloat16")


def facts(source: Source, data: Path) -> dict[str, Any]:
    """name, place, here (its folder on this disk, None if it is not here), architecture, family, tuned (base or
    instruct), layers, heads, ssm_heads and experts per layer, parameters, bytes (of the weights on this disk, or to
    fetch), memory (bytes needed, by number type), context, licence, chat_template. Unknown values are None."""
    here = _here(source, data)
    geometry = source.geometry
    size = bytes_at(here) if here else 0
    if not size and source.kind == "built-in":
        size = BUILT_IN[source.place].download
    template = _has_template(here)
    return {
        "name": source.name,
        "place": source.place,
        "revision": source.revision,
        "here": str(here) if here else None,
        "architecture": geometry["model_type"],
        "family": family_of(geometry["model_type"], source.name),
        "tuned": tuned_of(source.name, template),
        **{key: geometry.get(key) for key in ("layers", "heads", "ssm_heads", "experts", "parameters")},
        "bytes": size or None,
        "memory": {dtype: memory_needed(geometry, dtype) for dtype in DTYPES},
        "context": geometry.get("context"),
        "licence": _licence(source, here),
        "chat_template": template,
    }


def bytes_at(here: Path) -> int:
    """Bytes of the weights in a folder or GGUF file; 0 without any. Raises SubjectError for a GGUF file that lacks a
    part."""
    files = split_files(here) if here.is_file() else _weights(here)
    return sum(one.stat().st_size for one in files)


def check_divided(source: Source, count: int) -> None:
    """Raises SubjectError when `count` processes cannot hold a subject together, as far as this is known."""
    if count == 1:
        return
    if source.kind == "gguf":
        raise SubjectError(
            f"{source.name} is a GGUF file, and tensor parallelism divides model folders", "give it as a folder"
        )
    if source.adapter is not None:
        raise SubjectError(
            f"the adapter {source.adapter} cannot be merged into divided weights",
            "merge it with PEFT, and give the merged model",
        )
    if source.geometry.get("ssm_heads"):
        raise SubjectError(f"{source.name} has ssm-heads, which cannot be told apart when divided", WITHOUT)
    heads = source.geometry.get("heads")
    if isinstance(heads, int) and heads % count:
        raise SubjectError(f"{source.name} has {heads} attention heads, which {count} processes cannot divide", LESS)


LESS, WITHOUT = "ask for a smaller --tensor-parallel", "leave out --tensor-parallel"


def _here(source: Source, data: Path) -> Path | None:
    """The folder or file of a subject on this disk."""
    if source.kind == "built-in":
        folder = data / "subjects" / source.place
        return folder if (folder / "config.json").exists() else None
    if source.kind == "hub":
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(source.place, "config.json", revision=source.revision)
        return Path(found).parent if isinstance(found, str) and _weights(Path(found).parent) else None
    return local(source)


def _weights(folder: Path) -> list[Path]:
    return [*folder.glob("*.safetensors"), *folder.glob("*.bin")]


def _licence(source: Source, here: Path | None) -> str | None:
    if source.kind == "built-in":
        return BUILT_IN[source.place].licence
    if source.kind == "zoo":
        return "Apache-2.0"
    if "licence" in source.geometry:
        return source.geometry["licence"]
    if here is None:
        return None
    if here.is_file():
        try:
            return read_header(here).get("general.license")
        except SubjectError:
            return None
    try:
        found = re.search(r"^license:\s*(\S+)", (here / "README.md").read_text("utf-8", "replace")[:20_000], re.M)
    except OSError:
        found = None
    return found[1] if found else None


def _has_template(here: Path | None) -> bool | None:
    if here is None:
        return None
    if here.is_file():
        return None  # it is in the metadata, after the vocabulary
    if (here / "chat_template.jinja").exists():
        return True
    try:
        return '"chat_template"' in (here / "tokenizer_config.json").read_text("utf-8", "replace")
    except OSError:
        return False
