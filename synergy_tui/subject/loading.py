"""source → model, tokenizer and geometry, checked by a dry forward pass."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import torch
import transformers
from safetensors.torch import save_model
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
)
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

from synergy_tui import settings
from synergy_tui.errors import SubjectError
from synergy_tui.subject import adapter, builtin, divided, gguf_applied, gguf_quick, positions, ranks
from synergy_tui.subject import sites as places
from synergy_tui.subject.families import Family, family_of
from synergy_tui.subject.gguf import TENSORS, read_header
from synergy_tui.subject.manifest import BUILT_IN
from synergy_tui.subject.sites import Site, Units
from synergy_tui.subject.sources import ADAPTER, Source, file_list_hash, local, split_files, weights_files
from synergy_tui.subject.taps import UnitTap
from synergy_tui.terms import HEADS, UNIT_KINDS

_NOT_THE_MODEL = ("_name_or_path", "transformers_version", "dtype")
"""Entries of a configuration that differ between two loads of the same model."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Subject:
    """A loaded language model with all places where its units can be read."""

    source: Source
    model: Any
    tokenizer: Any
    layers: int
    sites: tuple[Site, ...]
    ends: tuple[int, ...]
    record: dict[str, Any]

    def units(self, kinds: Sequence[str] = HEADS) -> Units:
        """The units of some kinds as one map. Raises SubjectError when a kind other than the default heads has no
        units."""
        there = {site.kind for site in self.sites}
        missing = [kind for kind in kinds if kind not in there]
        if missing and (tuple(kinds) != HEADS or missing == list(HEADS)):
            raise SubjectError(
                f"{self.source.name} has no units of the kind {missing[0]}",
                f"it has {', '.join(kind for kind in UNIT_KINDS if kind in there)}",
            )
        chosen = sorted((site for site in self.sites if site.kind in kinds), key=lambda site: site.layer)
        return Units(tuple(chosen), self.layers, self.model.get_input_embeddings())

    @property
    def base(self) -> Any:
        """The model without its output head."""
        own = self.model.base_model
        return own if own is not self.model else self.model.model  # Llama 4's prefix names another part

    @property
    def projections(self) -> list[Any]:
        """The layers' attention output projections; None for a layer without attention."""
        found = {site.layer: site.modules[0] for site in self.sites if site.kind == "head"}
        return [found.get(layer) for layer in range(self.layers)]

    @property
    def heads(self) -> int:
        """Attention (query) heads per layer; heads of the mixer in a model without attention."""
        return self._one_head.units

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self._one_head.width

    @property
    def _one_head(self) -> Site:
        return next(site for kind in HEADS for site in self.sites if site.kind == kind)

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.model.device

    @property
    def context(self) -> int | None:
        """Most tokens of a prompt with its response."""
        return positions.context(places.text_config(self.model))


def load(source: Source, data: Path, device: str, dtype: str, report: builtin.Report = lambda *_: None) -> Subject:
    """Loads a subject. device: cpu, cuda, cuda:N, or cuda:all to spread its layers over all GPUs. All processes of a
    joined group (`ranks.join`) call it, and each gets a part of every layer. Raises SubjectError when its files are
    incomplete, do not fit its configuration, or its units are not found. Remote code and pickle weights are used only
    if the source allows them."""
    if ranks.size() > 1:
        divided.check(source, device)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    folder = local(source)
    if source.kind == "built-in":
        folder = builtin.obtain(BUILT_IN[source.place], data, report, convert)
    report("load", source.name)
    if source.kind == "gguf":
        model, tokenizer = from_gguf(folder, DTYPES[dtype])
        files = split_files(folder)
    else:
        if source.kind == "hub":
            folder = snapshot(source)
        model, tokenizer = _from_folder(folder, source, device, dtype)
        files = weights_files(folder) or sorted(folder.glob("*.bin"))
    if source.weights_seed is not None and source.kind == "gguf":
        model = _random(model.config, source.weights_seed, dtype)
    if source.adapter is not None:
        report("adapter", source.adapter)
        adapter.merge(model, Path(source.adapter))
        files = [*files, *sorted(Path(source.adapter).glob("adapter_model.*")), Path(source.adapter) / ADAPTER]
    if ranks.size() == 1 and device != "cpu" and not hasattr(model, "hf_device_map"):
        model = model.to("cuda" if device == "cuda:all" else device)
    return assemble(source, model.eval().requires_grad_(False), tokenizer, files)


def assemble(source: Source, model: Any, tokenizer: Any, files: list[Path]) -> Subject:
    """A subject of a model in memory, made from the weights in `files`. Raises SubjectError."""
    positions.begin_anew(model)
    layers, found = _sites(model)
    subject = Subject(
        source=source,
        model=model,
        tokenizer=tokenizer,
        layers=layers,
        sites=found,
        ends=_ends(model, tokenizer),
        record={},
    )
    _check(subject)
    subject.record.update(_record(subject, files))
    return subject


def from_gguf(path: Path, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """(model, tokenizer) of a GGUF file, or of a split one by its first part, de-quantised. Raises SubjectError."""
    parts = split_files(path)
    try:
        with _quiet(), gguf_quick.quick(), tempfile.TemporaryDirectory() as scratch:
            if len(parts) > 1:
                path = Path(scratch) / "whole.gguf"
                _join(parts, path)
            header = read_header(path)
            config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
            gguf_applied.apply(config, header, _rope_factors(path, header), str(parts[0]))
            model, info = AutoModelForCausalLM.from_pretrained(
                path.parent, gguf_file=path.name, dtype=dtype, config=config, output_loading_info=True
            )
            _check_fit(info, str(parts[0]), gguf_applied.AS_FOLDER)
            gguf_applied.check_whole(model, header, str(parts[0]))
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    except SubjectError:
        raise
    except Exception as error:  # the loader raises what its parsers raise: KeyError, ValueError, RuntimeError, …
        raise SubjectError(
            f"{parts[0]} cannot be loaded: {_first_line(error)}", f"{gguf_applied.AS_FOLDER}, or fetch it again"
        ) from error
    # De-quantised weights are ordinary weights; the mark would prevent saving them.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.generation_config.eos_token_id = gguf_applied.ends(header) or None
    return model, tokenizer


def _rope_factors(path: Path, header: dict[str, Any]) -> dict[str, list[float]]:
    wanted = {name: kind for name, kind in gguf_applied.ROPE_FACTORS.items() if name in header[TENSORS]}
    if not wanted:
        return {}
    tensors = gguf.GGUFReader(path).tensors
    return {wanted[one.name]: [float(value) for value in one.data] for one in tensors if one.name in wanted}


def _join(parts: Sequence[Path], whole: Path) -> None:
    """Writes the parts of a split GGUF file as one file: transformers reads no split files."""
    readers = [gguf.GGUFReader(part) for part in parts]
    said = readers[0].fields
    writer = gguf.GGUFWriter(whole, said["general.architecture"].contents())
    for name, one in said.items():
        if not name.startswith(("GGUF.", "split.")) and name != "general.architecture":
            sub_type = one.types[-1] if one.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, one.contents(), one.types[0], sub_type)
    for reader in readers:
        for tensor in reader.tensors:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def convert(gguf: Path, folder: Path) -> None:
    """Writes a GGUF model as a folder in transformers' format, fp32: de-quantised weights are exact in it."""
    model, tokenizer = from_gguf(gguf)
    folder.mkdir(parents=True)
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    save_model(model, str(folder / "model.safetensors"), metadata={"format": "pt"})
    tokenizer.save_pretrained(folder)


def _from_folder(folder: Path, source: Source, device: str, dtype: str) -> tuple[Any, Any]:
    here = {"trust_remote_code": source.remote_code, "local_files_only": True}
    info: dict[str, Any] = {}
    try:
        with _quiet():
            if ranks.size() > 1:
                _check_divided(folder, here)
            if source.weights_seed is not None:
                config = AutoConfig.from_pretrained(folder, **here)
                model = _random(config.get_text_config(decoder=True), source.weights_seed, dtype, **here)
                model = divided.from_whole(model, DTYPES[dtype]) if ranks.size() > 1 else model
            else:
                how = {"dtype": DTYPES[dtype], "output_loading_info": True, **here, **_place(device)}
                how["use_safetensors"] = not source.pickle or bool(weights_files(folder))
                model, info = _read(folder, how)
            tokenizer = AutoTokenizer.from_pretrained(folder, **here)
    except torch.OutOfMemoryError as error:
        raise SubjectError(
            f"{source.name} does not fit into the memory of {device} in {dtype}",
            "--dtype bfloat16 halves it, --device cuda:all spreads it over all GPUs, --tensor-parallel divides it",
        ) from error
    except ImportError as error:
        raise SubjectError(f"{folder} needs a library: {_first_line(error)}", "install it") from error
    except SubjectError:
        raise
    except Exception as error:  # the loader raises what its parsers raise: KeyError, ValueError, RuntimeError, …
        raise SubjectError(f"{folder} cannot be loaded: {_first_line(error)}", "check its files") from error
    _check_fit(info, str(folder))
    return model, tokenizer


def _place(device: str) -> dict[str, Any]:
    """On GPUs weights go to their device as they are read, because quantised weights cannot be moved later."""
    if ranks.size() > 1:
        return divided.how()
    return {} if device == "cpu" else {"device_map": "auto" if device == "cuda:all" else {"": device}}


def _check_divided(folder: Path, here: Mapping[str, Any]) -> None:
    config = AutoConfig.from_pretrained(folder, **here)
    divided.check_config(config, _family(config.get_text_config(decoder=True)), str(folder))


_INSIDE = {
    r"^model\.language_model\.": "model.",
    r"^language_model\.model\.": "model.",
    r"^language_model\.lm_head\.": "lm_head.",
}
"""What a vision-language model calls the weights of the language model inside."""


def _read(folder: Path, how: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A model, or the language model inside a model that also sees, and transformers' report on its weights. If
    transformers has no separate model for the language part, the whole is read."""
    here = {name: how[name] for name in ("trust_remote_code", "local_files_only")}
    config = AutoConfig.from_pretrained(folder, **here)
    method = (getattr(config, "quantization_config", None) or {}).get("quant_method")
    if method is not None and not any(one.startswith(str(method)) for one in AUTO_QUANTIZATION_CONFIG_MAPPING):
        raise SubjectError(f"{folder} is quantised by {method!r}, which transformers does not know", "give another")
    text = config.get_text_config(decoder=True)
    if text is config:
        return AutoModelForCausalLM.from_pretrained(folder, config=config, **how)
    if type(text) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return AutoModelForImageTextToText.from_pretrained(folder, config=config, **how)
    text.tie_word_embeddings = config.to_dict().get("tie_word_embeddings", text.tie_word_embeddings)
    model, info = AutoModelForCausalLM.from_pretrained(folder, config=text, key_mapping=_INSIDE, **how)
    inside = ("model.layers.", "model.embed_tokens.", "model.norm.", "lm_head.", "language_model.")
    info["unexpected_keys"] = [one for one in info["unexpected_keys"] if one.startswith(inside)]
    return model, info


def _check_fit(
    info: Mapping[str, Any], where: str, remedy: str = "fetch the model and its config.json from one place"
) -> None:
    """Raises SubjectError for weights without a place in the configuration, and for places without weights."""
    for what, told in (("missing_keys", "missing"), ("mismatched_keys", "of another shape"), ("unexpected_keys", "")):
        names = sorted(str(one[0] if isinstance(one, tuple) else one) for one in info.get(what) or ())
        if not names:
            continue
        if adapters := [name for name in names if ".lora_" in name]:
            raise SubjectError(
                f"the weights in {where} hold those of an adapter ({adapters[0]})",
                "keep the adapter in a folder of its own, and give that with --adapter",
            )
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        said = f"{shown} {'is' if len(names) == 1 else 'are'} {told}" if told else f"it has no place for {shown}"
        raise SubjectError(
            f"the weights in {where} do not fit its configuration: {said}",
            remedy,
        )


def _random(config: Any, seed: int, dtype: str, **how: Any) -> Any:
    """The architecture with the weights from which its training would begin."""
    how.pop("local_files_only", None)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config, dtype=DTYPES[dtype], **how)


def snapshot(source: Source) -> Path:
    """Folder of a hub model on this disk, fetched if it is missing. Raises SubjectError."""
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "tokenizer.model", "*.jinja", "*.txt", "README.md"]
    wanted += [] if source.weights_seed is not None else ["*.safetensors"]
    wanted += ["*.bin"] if source.pickle else []
    wanted += ["*.py"] if source.remote_code else []
    try:
        return Path(snapshot_download(source.place, revision=source.revision, allow_patterns=wanted))
    except Exception as error:  # one of a dozen HTTP and file errors
        raise SubjectError(f"{source.place} cannot be fetched: {_first_line(error)}", "check the connection") from error


def _sites(model: Any) -> tuple[int, tuple[Site, ...]]:
    """Number of layers, and where their units are. Raises SubjectError."""
    family = _family(places.text_config(model))
    try:
        found = places.find(model, family)
    except RuntimeError as error:
        raise SubjectError(f"a dry forward pass failed: {_first_line(error)}", "check the model's files") from error
    twice = Counter(module for site in found for module in site.modules if site.kind in HEADS)
    if any(count > 1 for count in twice.values()):
        raise SubjectError("its layers share one attention block, so heads belong to no one layer", "not supported")
    found = divided.located(found) if ranks.size() > 1 else found
    return len(places.decoder_layers(model)), tuple(found)


def _family(text: Any) -> Family:
    return family_of(text.model_type, settings.families())


def _check(subject: Subject) -> None:
    """A forward pass over two tokens must give every head a finite norm. Raises SubjectError."""
    kinds = HEADS if ranks.size() == 1 else tuple(dict.fromkeys(site.kind for site in subject.sites))
    units = subject.units(kinds)
    tokens = torch.ones((1, 2), dtype=torch.long, device=subject.device)
    with torch.inference_mode(), UnitTap(units, last=False) as tap:
        subject.model(input_ids=tokens, use_cache=False)
        norms = tap.norms()
    if ranks.size() > 1:
        divided.check_alike(norms)
    there = norms.permute(0, 3, 1, 2)[torch.from_numpy(units.present).to(norms.device)]
    if not torch.isfinite(there).all():
        raise SubjectError(
            "a dry forward pass gave head norms that are not finite",
            "check the model's files; in float16 try --dtype float32",
        )


def _ends(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Ids of the tokens that end a response."""
    said = [getattr(model.generation_config, "eos_token_id", None), tokenizer.eos_token_id]
    ids = [one for part in said for one in (part if isinstance(part, list | tuple) else [part]) if one is not None]
    if bad := [one for one in ids if not isinstance(one, int)]:
        raise SubjectError(f"the end token {bad[0]!r} is no token id", "mend generation_config.json")
    # An id without a token ends nothing.
    largest = model.get_input_embeddings().num_embeddings
    return tuple(dict.fromkeys(one for one in ids if 0 <= one < largest))


def _record(subject: Subject, files: list[Path]) -> dict[str, Any]:
    """The row of store's table subjects."""
    source, model = subject.source, subject.model
    config = {key: value for key, value in model.config.to_dict().items() if key not in _NOT_THE_MODEL}
    config_hash = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()
    weights_hash = file_list_hash(files, samples=16 if source.kind in ("folder", "zoo") or source.adapter else 0)
    if source.weights_seed is not None:
        weights_hash = f"random {source.weights_seed}"
    return {
        "subject": hashlib.sha256(f"{config_hash}{weights_hash}{source.revision}".encode()).hexdigest()[:12],
        "name": source.name,
        "source": source.kind,
        "place": source.place,
        "revision": source.revision,
        "weights_seed": source.weights_seed,
        "adapter": source.adapter,
        "model_type": places.text_config(model).model_type,
        "layers": subject.layers,
        "heads": subject.heads,
        "head_dim": subject.head_dim,
        "parameters": sum(one.numel() for one in model.parameters()),
        "config_hash": config_hash,
        "weights_hash": weights_hash,
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences the loaders, which draw progress bars on stderr; stderr is a job's log."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def _first_line(error: Exception) -> str:
    """The first two lines, because some libraries put only a heading in the first."""
    return " ".join(" ".join((str(error).strip().splitlines() or [type(error).__name__])[:2]).split())[:300]
