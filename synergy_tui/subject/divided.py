"""A model over several processes, as transformers divides it (tensor parallelism): how to load it, which of its units
can still be told apart, and which units a process has.

A layer's projections of queries, keys and values are cut by rows, its output projection by columns, and its MLP in the
same way. So each process has some whole heads, side by side at the input of its part of the output projection. A
block's output is the sum over all processes, the same in each. Norms of heads are taken where the heads are, norms of
blocks and experts anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from synergy_tui.errors import SubjectError
from synergy_tui.subject import facts, ranks
from synergy_tui.subject.families import Family
from synergy_tui.subject.sites import Site
from synergy_tui.subject.source import Source

_KEYS = ("k_proj", "qkv_proj", "query_key_value")
"""Projections whose output contains the keys."""


def check(source: Source, device: str) -> None:
    """Raises SubjectError when several processes cannot hold this subject together on this device, as far as this is
    known before its files are read."""
    facts.check_divided(source, ranks.size())
    gpus = torch.cuda.is_available()  # transformers uses GPUs if there are any
    if device == "cpu" and gpus:
        raise SubjectError("tensor parallelism on cpu needs a machine that shows no GPU", "set CUDA_VISIBLE_DEVICES=''")
    if device != "cpu" and not gpus:
        raise SubjectError(f"there is no GPU for {device}", "use --device cpu")


def check_config(config: Any, family: Family, where: str) -> None:
    """Raises SubjectError when a model of this configuration cannot be divided by the number of processes, or when its
    heads could then not be told apart."""
    count, whole = ranks.size(), config
    config = config.get_text_config(decoder=True)
    if any(getattr(one, "quantization_config", None) is not None for one in (whole, config)):
        raise SubjectError(f"{where} is quantised, and its heads cannot be divided", "give its unquantised weights")
    plan = getattr(config, "base_model_tp_plan", None)
    if not plan or family.attention:
        what = "has no plan to divide it" if not plan else "has heads that are found only by their name"
        raise SubjectError(f"{where}: {config.model_type} {what} over {count} processes", facts.WITHOUT)
    for name, what in _COUNTS.items():
        number = getattr(config, name, None)
        needed = name != "num_key_value_heads" or any(
            one.rpartition(".")[2] in _KEYS and how == "colwise" for one, how in plan.items()
        )
        if needed and isinstance(number, int) and number % count:
            raise SubjectError(f"{where} has {number} {what}, which {count} processes cannot divide", facts.LESS)


_COUNTS = {
    "num_attention_heads": "attention heads",
    "num_key_value_heads": "key and value heads",
    "intermediate_size": "values inside an MLP",
    "moe_intermediate_size": "values inside an expert",
}


def how() -> dict[str, Any]:
    """The arguments of `from_pretrained` with which each process reads its part."""
    from transformers.distributed import DistributedConfig

    if "tp_plan" in getattr(DistributedConfig, "__dataclass_fields__", {}):
        return {"distributed_config": DistributedConfig(tp_plan="auto", tp_size=ranks.size())}
    return {"tp_plan": "auto"}  # as it was in earlier versions


def from_whole(model: Any, dtype: torch.dtype) -> Any:
    """A model in the memory of every process, with the same weights in each → the same model, divided."""
    made = (
        type(model)
        .from_pretrained(None, config=model.config, state_dict=model.state_dict(), dtype=dtype, **how())
        .eval()
    )
    made.generation_config = model.generation_config
    return made


def located(sites: Sequence[Site]) -> list[Site]:
    """Sites from a dry pass of this process → sites of the whole model, which say which units are here. Raises
    SubjectError when this cannot be known."""
    return [_located(one) for one in sites]


def _located(site: Site) -> Site:
    if site.kind == "ssm-head":
        raise SubjectError(f"layer {site.layer} has ssm-heads, which cannot be told apart when divided", facts.WITHOUT)
    if site.kind != "head":
        return site
    weight = site.modules[0].weight
    every = weight.shape[-1] // site.width
    if every == site.units:  # the projection is cut, but its inputs are not
        return site
    by_column = [one.is_shard(weight.dim() - 1) for one in getattr(weight, "placements", ())] == [True]
    if not by_column or site.units * ranks.size() != every:
        raise SubjectError(
            f"layer {site.layer} has {site.units} of its heads here, and it is not known which", facts.WITHOUT
        )
    first = ranks.rank() * site.units
    return replace(site, units=every, held=range(first, first + site.units))


def check_alike(norms: torch.Tensor) -> None:
    """Raises SubjectError when the norms of all units of a pass are not the same in every process."""
    off = (norms - ranks.same(norms)).nan_to_num().abs().max()
    if not ranks.agreed(bool(off <= 1e-3 * norms.nan_to_num().abs().max())):
        raise SubjectError("its units do not give the same output in every process", facts.WITHOUT)
