"""Which crew a job has."""

from __future__ import annotations

from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import Executor
from synergy_tui.jobs.worker.executors.crew import Crew, Helpers, team
from synergy_tui.jobs.worker.executors.together import Together
from synergy_tui.jobs.worker.progress import Progress


def crew_for(job: JobFolder, progress: Progress, executor: Executor, device: str, processes: int = 1) -> Crew:
    """The crew that makes a job's parts. processes: how many hold its model together. Raises JobError if the executor
    cannot be used."""
    if executor.executor == "ray":
        from synergy_tui.jobs.worker.executors.on_ray import OnRay

        return OnRay(job, progress, executor, device)
    if executor.executor == "slurm":
        from synergy_tui.jobs.worker.executors.on_slurm import OnSlurm

        return OnSlurm(job, progress, executor, device)
    if processes > 1:
        return Together(job, progress, executor, device, processes)
    if executor.executor == "local" and team(executor, device) > 1:
        return Helpers(job, progress, executor, device)
    return Crew(job, progress, executor, device)
