"""A job as a script for sbatch."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from synergy_tui.jobs.specs import Executor

TASKS = 2
"""Tasks, unless the user gives a number."""


def sbatch(job: str, folder: Path, executor: Executor) -> str:
    """The lines of a script: an array whose tasks take parts of the job until all are made."""
    options = {"job-name": f"synergy-{job}", "array": f"0-{(executor.workers or TASKS) - 1}"}
    options |= {"output": str(folder / "slurm-%A_%a.log"), "open-mode": "append", "requeue": ""}
    for name in ("partition", "gres", "time"):
        if (value := getattr(executor, f"slurm_{name}")) is not None:
            options[name] = value
    options |= {name: value for name, _, value in (one.partition("=") for one in executor.slurm_options)}
    lines = [f"#SBATCH --{name}{f'={shlex.quote(value)}' if value else ''}" for name, value in options.items()]
    command = shlex.join([sys.executable, "-m", "synergy_tui", "jobs", "work", str(folder)])
    return "\n".join(["#!/bin/bash", *lines, f"exec {command}"])
