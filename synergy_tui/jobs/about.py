"""What a job is about, for whoever looks at it: its subject and its device, which its status does not have."""

from __future__ import annotations

from dataclasses import dataclass

from synergy_tui.errors import SynergyError
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.subject.source import Source


@dataclass(frozen=True)
class About:
    """subject: its name, empty if the job's folder does not say it. capture: the one that the job works on, if any.
    device: where it runs; empty if it takes no turn."""

    subject: str = ""
    capture: str = ""
    device: str = ""


def about(job: JobFolder) -> About:
    """Reads a job's spec; the answer is empty for a spec that is damaged or of another version."""
    try:
        spec = job.order().spec
        device = choose(spec.device) if spec.TAKES_TURN else ""
    except (SynergyError, OSError):
        return About()
    source = getattr(spec, "source", None)
    subject = source.name if isinstance(source, Source) else str(getattr(spec, "subject", "") or "")
    return About(subject, str(getattr(spec, "capture", "") or ""), device)
