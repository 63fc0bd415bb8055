"""A model over several processes, as transformers divides it (tensor parallelism): how it is loaded so, which of its
units can still be told apart, and which of them a process has.

A layer's projections of queries, keys and values are cut by rows, its output projection by columns, its MLP alike. So
each process has some heads whole, side by side at the input of its part of the output projection, and what leaves a
block is the sum over all processes, the same in each: the norms of heads are taken where the heads are, and those of
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
"""Projections whose output holds the keys."""


def check(source: Source, device: str) -> None:
    """Raises SubjectError where several processes cannot hold this subject together on this device, as far as is known
    before its files are read."""
    facts.check_divided(source, ranks.size())
    gpus = torch.cuda.is_available()  # transformers takes GPUs where there are some
    if device == "cpu" and gpus:
        raise SubjectError("tensor parallelism on cpu needs a machine that shows no GPU", "set CUDA_VISIBLE_DEVICES=''")
    if device != "cpu" and not gpus:
        raise SubjectError(f"there is no GPU for {device}", "use --device cpu")


def check_config(config: Any, family: Family, where: str) -> None:
    """Raises SubjectError where a model of this configuration cannot be divided by the number of processes, or its
    heads cannot be told apart then."""
    count, whole = ranks.size(), config
    config = config.get_text_config(decoder=True)
    if any(getattr(one, "quantization_config", None) is not None for one in (whole, config)):
        raise SubjectError(f"{where} is quantised, and its heads cannot be divided", "give its unquantised weights")
    plan = getattr(config, "base_model_tp_plan", None)
    if not plan or family.attention:
        what = "says no way to divide it" if not plan else "has heads that are found by their name alone"
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
    """What `from_pretrained` is told so that each process reads its part."""
    from transformers.distributed import DistributedConfig

    if "tp_plan" in getattr(DistributedConfig, "__dataclass_fields__", {}):
        return {"distributed_config": DistributedConfig(tp_plan="auto", tp_size=ranks.size())}
    return {"tp_plan": "auto"}  # as it was in earlier versions


def from_whole(model: Any, dtype: torch.dtype) -> Any:
    """A model in the memory of every process, with the same weights in each → the same, divided."""
    made = (
        type(model)
        .from_pretrained(None, config=model.config, state_dict=model.state_dict(), dtype=dtype, **how())
        .eval()
    )
    made.generation_config = model.generation_config
    return made


def located(sites: Sequence[Site]) -> list[Site]:
    """Sites as a dry pass of this process met them → sites of the whole model, which say what of them is here. Raises
    SubjectError where it cannot be known."""
    return [_located(one) for one in sites]


def _located(site: Site) -> Site:
    if site.kind == "ssm-head":
        raise SubjectError(f"layer {site.layer} has ssm-heads, which cannot be told apart when divided", facts.WITHOUT)
    if site.kind != "head":
        return site
    weight = site.modules[0].weight
    every = weight.shape[-1] // site.width
    if every == site.units:  # the projection is cut, and what comes before it is not
        return site
    by_column = [one.is_shard(weight.dim() - 1) for one in getattr(weight, "placements", ())] == [True]
    if not by_column or site.units * ranks.size() != every:
        raise SubjectError(
            f"layer {site.layer} has {site.units} of its heads here, and which of them is not known", facts.WITHOUT
        )
    first = ranks.rank() * site.units
    return replace(site, units=every, held=range(first, first + site.units))


def check_alike(norms: torch.Tensor) -> None:
    """Raises SubjectError where norms, of all units of a pass, are not the same in every process."""
    off = (norms - ranks.same(norms)).nan_to_num().abs().max()
    if not ranks.agreed(bool(off <= 1e-3 * norms.nan_to_num().abs().max())):
        raise SubjectError("its units do not put out the same in every process", facts.WITHOUT)
