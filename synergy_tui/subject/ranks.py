"""Processes that hold one model together (tensor parallelism), each a part of every layer: which process this is, and
how they exchange values. All processes do the same in the same order; all must receive what one sends.

A single process is the only rank of its group: every function then returns its argument, and costs nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed

from synergy_tui import settings
from synergy_tui.errors import MeasureError, SubjectError, UsageError

PATIENCE = timedelta(days=7)
"""How long a rank waits for the others: they wait for the first while it publishes or is paused. The process that
started them notices if one dies."""

Told = TypeVar("Told", Tensor, np.ndarray)


def join(device: str) -> int:
    """Joins the group that the environment names (as torchrun sets it): gloo on cpu, nccl on cuda, each rank on the GPU
    of its own number. Returns the rank; 0 if the environment names no group. Raises UsageError for a device that cannot
    belong to one rank, SubjectError when there are too few GPUs or the group cannot be formed."""
    named = settings.rank()
    if named is None:
        return 0
    how: dict[str, Any] = {"backend": "gloo", "timeout": PATIENCE}
    if device in ("cuda", "cuda:all"):
        there = torch.cuda.device_count()
        if named.local >= there:
            raise SubjectError(
                f"{named.local_size} processes need a GPU each, and there are {there}",
                "ask for a smaller --tensor-parallel",
            )
        torch.cuda.set_device(named.local)
        how |= {"backend": "nccl", "device_id": torch.device("cuda", named.local)}
    elif device == "cpu":
        settings.hide_gpus()  # transformers would use them
    else:
        raise UsageError(f"{device} is one GPU, and {named.size} processes need one each", "give cuda, or cpu")
    try:
        distributed.init_process_group(rank=named.rank, world_size=named.size, **how)
    except (RuntimeError, ValueError) as error:
        raise SubjectError(
            f"{named.size} processes cannot find each other: {str(error).splitlines()[0]}", "start the job anew"
        ) from error
    return named.rank


def leave() -> None:
    """Leaves the group, if there is one."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def size() -> int:
    """How many processes hold the model; 1 for a single process."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if size() > 1 else 0


def tell(text: str = "") -> str:
    """Returns the first rank's text in all ranks; the others' arguments are ignored. Every rank calls it."""
    if size() == 1:
        return text
    said = np.frombuffer(text.encode(), np.uint8)
    length = int(same(np.array([len(said)]))[0])
    return same(np.resize(said, length) if len(said) else np.zeros(length, np.uint8)).tobytes().decode()


def same(value: Told) -> Told:
    """Returns the first rank's values in all ranks. All must pass the same shape and type."""
    if size() == 1:
        return value
    given = value if isinstance(value, Tensor) else torch.from_numpy(value.copy())
    told = given.to(_device()).contiguous()
    distributed.broadcast(told, src=0)
    if isinstance(value, Tensor):
        return told.to(value.device)
    found: np.ndarray = told.cpu().numpy()
    return found


def agreed(holds: bool) -> bool:
    """Whether something holds in every rank."""
    if size() == 1:
        return holds
    told = torch.tensor([holds], dtype=torch.int32, device=_device())
    distributed.all_reduce(told, op=distributed.ReduceOp.MIN)
    return bool(told.item())


def gathered(value: Tensor) -> Tensor:
    """[.., part] of each rank → [.., all parts], in the order of the ranks. All parts are of one size."""
    if size() == 1:
        return value
    value = value.contiguous()
    parts = [torch.empty_like(value) for _ in range(size())]
    distributed.all_gather(parts, value)
    return torch.cat(parts, dim=-1)


def is_divided(weight: Any) -> bool:
    """Whether each rank has a part of this tensor: a DTensor, recognised by its methods because its module is slow to
    import."""
    return hasattr(weight, "full_tensor")


def whole(weight: Any) -> Tensor:
    """A tensor assembled from the parts of all ranks. Every rank calls it."""
    found: Tensor = weight.full_tensor() if is_divided(weight) else weight
    return found


def here(weight: Any) -> Tensor:
    """This rank's part of a tensor, as a view."""
    found: Tensor = weight.to_local() if is_divided(weight) else weight
    return found


def alone(what: str) -> None:
    """Raises UsageError when several ranks hold the model, because `what` needs it whole."""
    if size() > 1:
        raise UsageError(f"{what} needs a model that is whole on one device", "leave out --tensor-parallel")


@contextlib.contextmanager
def in_step() -> Iterator[None]:
    """A context for work that all ranks do alike. If one of them runs out of memory, it must not retry with less: the
    others do not know of it, and wait. Raises MeasureError instead."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        out = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        if size() == 1 or not out:
            raise
        raise MeasureError(
            f"rank {rank()} of {size()} has run out of memory",
            "use a smaller --batch, --dtype bfloat16, or a larger --tensor-parallel",
        ) from error


def _device() -> torch.device:
    """The device of the group's messages."""
    nccl = distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if nccl else torch.device("cpu")
