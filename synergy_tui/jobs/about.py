"""What a job is about, for who looks at it: its subject and its device, which its status does not tell."""

from __future__ import annotations

from dataclasses import dataclass

from synergy_tui.errors import SynergyError
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.subject.source import Source


@dataclass(frozen=True)
class About:
    """subject: its name, empty where the job's folder does not tell it. capture: the one that it is made of, if it is
    made of one. device: where it runs; empty where it
    takes no turn."""

    subject: str = ""
    capture: str = ""
    device: str = ""


def about(job: JobFolder) -> About:
    """Reads a job's spec; nothing is known of one that is damaged or of another version."""
    try:
        spec = job.order().spec
        device = choose(spec.device) if spec.TAKES_TURN else ""
    except (SynergyError, OSError):
        return About()
    source = getattr(spec, "source", None)
    subject = source.name if isinstance(source, Source) else str(getattr(spec, "subject", "") or "")
    return About(subject, str(getattr(spec, "capture", "") or ""), device)
