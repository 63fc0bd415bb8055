"""Who makes a job's parts: workers on this machine, on a Ray cluster or in Slurm. It changes no result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.base import Checked, Count
from synergy_tui.jobs.specs.fields import Option, fields, nested

EXECUTORS = ("local", "ray", "slurm", "none")

OWN_OPTIONS = ("partition", "gres", "time", "array", "output", "error", "job-name", "chdir", "ntasks", "nodes")
"""Options of sbatch that the executor sets by itself."""


class Executor(Checked, frozen=True, kw_only=True):
    """The options `--executor` and those that belong to it."""

    executor: Annotated[
        str,
        Option(
            "Who makes a job's parts. none: no worker, until `jobs work` runs somewhere.",
            choices=EXECUTORS,
            what="executor",
        ),
    ] = "local"
    workers: Annotated[
        Count | None,
        Option("Workers at a time: processes here, tasks of Ray or of a Slurm array.", told="one a device, in Slurm 2"),
    ] = None
    ray_address: Annotated[
        str,
        Option(
            "host:port of a cluster, or auto: RAY_ADDRESS, a cluster on this host, else one for this job.",
            name="ray-address",
            metavar="ADDRESS",
        ),
    ] = "auto"
    ray_cpus: Annotated[float, Meta(gt=0), Option("Cores of a worker in Ray.", name="ray-cpus")] = 1.0
    ray_gpus: Annotated[
        float | None, Meta(ge=0), Option("GPUs of a worker in Ray.", name="ray-gpus", told="by --device")
    ] = None
    ray_memory: Annotated[
        float | None, Meta(gt=0), Option("Memory of a worker in Ray, GB.", name="ray-memory", told="not requested")
    ] = None
    slurm_partition: Annotated[
        str | None, Option("Partition.", name="slurm-partition", told="the cluster's default", metavar="NAME")
    ] = None
    slurm_gres: Annotated[
        str | None, Option("Resources of a task, such as gpu:1.", name="slurm-gres", told="none", metavar="GRES")
    ] = None
    slurm_time: Annotated[
        str | None, Option("Most time of a task.", name="slurm-time", told="the partition's", metavar="D-HH:MM:SS")
    ] = None
    slurm_options: Annotated[
        tuple[str, ...],
        Option("Any other option of sbatch, as name=value.", name="slurm-option", repeat=True, metavar="NAME=VALUE"),
    ] = ()

    def agree(self) -> None:
        """Raises UsageError."""
        for one in self.slurm_options:
            if re.fullmatch(r"[a-z][a-z-]*(=[^\n]*)?", one) is None:
                raise UsageError(f"slurm-option {one!r} is not name=value", "for example --slurm-option mem=64G")
            if (name := one.partition("=")[0]) in OWN_OPTIONS:
                own = f"--slurm-{name}" if name in ("partition", "gres", "time") else "--workers"
                raise UsageError(f"slurm-option {name} is set by synergy-tui", f"use {own}, or leave it out")
        for name in ("slurm_partition", "slurm_gres", "slurm_time", "ray_address"):
            value = getattr(self, name)
            if value is not None and (not value or not value.isprintable() or value.startswith("-")):
                raise UsageError(f"{name.replace('_', '-')} {value!r} is not a value", "check it")

    @classmethod
    def chosen(cls, values: Mapping[str, Any], before: Executor | None = None) -> Executor:
        """From values by name; None and () mean that an option is not given, and `before` has what they leave open.
        Raises UsageError."""
        given = {name: value for name, value in values.items() if value is not None and value != ()}
        if before is not None:
            given = {one.name: getattr(before, one.name) for one in fields(cls)} | given
        return cls(**nested(cls, given))

    @classmethod
    def of_settings(cls, table: Mapping[str, Any]) -> Executor:
        """From the table [executor] of config.toml. Raises UsageError."""
        known = {one.label: one.name for one in fields(cls)}
        for label in table:
            if label not in known:
                raise UsageError(f"config.toml: [executor] has no {label!r}", f"known: {', '.join(known)}")
        return cls.chosen({known[label]: value for label, value in table.items()})

    @property
    def here(self) -> bool:
        """Whether the job's own worker makes parts."""
        return self.executor in ("local", "none")

    def to_json(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        plain = msgspec.to_builtins(Executor())
        return {name: value for name, value in content.items() if value != plain[name]}


LOCAL = Executor()
