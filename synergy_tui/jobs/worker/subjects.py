"""The subject of a capture, loaded again for a job that replays it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synergy_tui.errors import SubjectError
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.specs import AblateSpec, GeometrySpec, ScoresSpec
from synergy_tui.jobs.worker.executors.making import Report
from synergy_tui.subject import loading
from synergy_tui.subject.loading import Subject


def captured_subject(
    spec: AblateSpec | GeometrySpec | ScoresSpec, capture: Mapping[str, Any], dtype: str, report: Report
) -> Subject:
    """The subject. Raises SubjectError if its files are not those that the capture was made from."""
    subject = loading.load(spec.source, Path(spec.data), choose(spec.device), dtype, report)
    if subject.record["subject"] != capture["subject"]:
        raise SubjectError(f"{subject.source.name} is not what capture {spec.capture} was made from", "capture it anew")
    return subject
