"""python -m synergy_tui.jobs.worker.executors.helper FOLDER [DEVICE] [CORES]: makes parts of a running job for
its worker, until all are made and the job is at rest. DEVICE: auto if a scheduler has given this process its
resources. CORES: numbers of the cores it keeps to, with commas."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from synergy_tui import settings
from synergy_tui.errors import Cancelled, SynergyError
from synergy_tui.jobs import devices
from synergy_tui.jobs.folder import RESTING, JobFolder, write_json
from synergy_tui.jobs.held import Holder
from synergy_tui.jobs.parts import Content
from synergy_tui.jobs.specs import Spec, from_json
from synergy_tui.jobs.worker.executors.crew import Now, keep_to, keep_to_slurm, make, wanted_now
from synergy_tui.jobs.worker.executors.making import Deaf, Hearing, Maker, Wanted, Within, kept_given, module, told_of
from synergy_tui.jobs.worker.progress import Paused
from synergy_tui.jobs.worker.turn import Turn
from synergy_tui.store.cache import Cache
from synergy_tui.subject import trust
from synergy_tui.subject.source import Source

POLL = 0.2


class Heard:
    """Hears only the request to stop: progress shows in the parts."""

    def __init__(self, job: JobFolder) -> None:
        self.job = job

    def check(self) -> None:
        """Raises Cancelled or Paused when the job was asked to stop, or has ended."""
        if self.job.cancel_flag.exists():
            raise Cancelled(f"job {self.job.id} was cancelled")
        if self.job.pause_flag.exists():
            raise Paused

    def advance(self, parts: float = 1) -> None:
        """Checks."""
        self.check()

    def waits(self, text: str) -> None:
        """Checks."""
        self.check()

    def stage(self, name: str, detail: str = "") -> None:
        """Checks."""
        self.check()


def main() -> int:
    """Exit status 0 if nothing went wrong here."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    job = JobFolder(Path(sys.argv[1]))
    device = sys.argv[2] if len(sys.argv) > 2 else "cpu"
    together = settings.rank() is not None
    alone = device == "auto" or len(sys.argv) > 3 or together
    if device == "auto":
        device = devices.choose(job.order().spec.device)
    if device.startswith("cuda:") and device[5:].isdigit():
        settings.only_gpu(int(device[5:]))
    if len(sys.argv) > 3 and sys.argv[3]:
        keep_to({int(one) for one in sys.argv[3].split(",")})
    keep_to_slurm()
    return help_with(job, device, alone, leaves=True)


def help_with(job: JobFolder, device: str, alone: bool = False, leaves: bool = False) -> int:
    """Makes parts until the job is at rest. device: as its holder names it. alone: it takes no turn on the device,
    because the job's worker has that already. leaves: ends also when the worker says that helpers may end. Errors are
    left in the job's folder for the worker. Exit status 0 when the job is done; a helper that leaves has succeeded
    however the job ends."""
    heard = Heard(job)
    try:
        if alone:
            return _parts(job, device, heard, leaves)
        with Turn(job, device, job.status()["created"], heard):
            return _parts(job, device, heard, leaves)
    except (Cancelled, Paused):
        return 0 if leaves else 1
    except Exception as error:
        if not isinstance(error, SynergyError):
            traceback.print_exc()
        told = told_of(error, Holder.me("").host)
        print(told["what"], flush=True)
        job.errors.mkdir(exist_ok=True)
        write_json(job.errors / f"{os.getpid()}.json", told)
    return 1


def _parts(job: JobFolder, device: str, heard: Heard, leaves: bool) -> int:
    if settings.rank() is not None:
        return _with_others(job, device, heard)
    me, makers = Holder.me(device), _Makers(job, heard)
    while (state := job.status()["state"]) not in RESTING:
        heard.check()
        now = wanted_now(job)
        if now.over and leaves:
            return 0
        # While a maker loads, others may make all parts and the job's worker publish them: so it looks again.
        if not now.parts or (makers.ready(now) and not _made_one(makers.place, now, makers.maker, me, heard)):
            time.sleep(POLL)
    return 0 if state == "done" or leaves else 1


class _Makers:
    """The maker of the parts wanted now: of the job, or of a part of it that has parts of its own. place: the folder of
    these parts."""

    def __init__(self, job: JobFolder, heard: Heard) -> None:
        self._job, self._heard = job, heard
        self._of: Any = self
        self.place, self.maker = job, None  # type: JobFolder, Any

    def ready(self, now: Now) -> bool:
        """Whether the maker was there already; if not, it is made."""
        if self._of == now.within:
            return True
        self.maker = None  # never hold two subjects at a time
        if now.within is None:
            self.place, self.maker = self._job, _maker(self._job, self._heard)
        else:
            place = Within(self._job, str(now.within["name"]))
            spec = _allowed(from_json(now.within["spec"]))
            self.place, self.maker = place, module(spec.KIND).Maker(spec, kept_given(place), self._heard.stage)
        self._of = now.within
        return False


def _with_others(job: JobFolder, device: str, heard: Heard) -> int:
    """One of the processes that hold a model together: the first takes parts and keeps them, the others take every step
    of the work with it. If one of them ends, torchrun ends the others."""
    from synergy_tui.subject import ranks

    first = ranks.join(device) == 0
    maker = _maker(job, heard)
    if not first:
        while said := ranks.tell():
            name, given = json.loads(said)
            maker.make(Wanted(name, given=given), Deaf())
        ranks.leave()
        return 0
    me = Holder.me(f"{device} × {ranks.size()}")
    leading = Leading(maker)
    while (state := job.status()["state"]) not in RESTING:
        heard.check()
        now = wanted_now(job)
        if now.over:
            break
        if not _made_one(job, now, leading, me, heard):
            time.sleep(POLL)
    ranks.tell("")
    ranks.leave()
    return 0 if state in ("running", "done") else 1


class Leading:
    """A maker that tells the other processes what comes next."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker

    def make(self, wanted: Wanted, hearing: Hearing) -> Content:
        """The part."""
        from synergy_tui.subject import ranks

        ranks.tell(json.dumps([wanted.name, dict(wanted.given)]))
        return self._maker.make(wanted, hearing)


def _made_one(job: JobFolder, now: Now, maker: Maker | Leading, me: Holder, heard: Heard) -> bool:
    """Makes one of the parts wanted now."""
    return job.status()["state"] not in RESTING and any(make(job, one, maker, me, heard) for one in now.parts)


def _maker(job: JobFolder, heard: Heard) -> Maker:
    spec = _allowed(job.order().spec)
    kind = module(spec.KIND)
    made: Maker = kind.Maker(spec, kind.gather(Cache.open(job.cache, on_wait=heard.waits), spec), heard.stage)
    return made


def _allowed(spec: Spec) -> Spec:
    """The spec on the device that this process sees, whatever its number elsewhere. Raises SubjectError if the spec
    claims permissions that the user has not given."""
    if isinstance(source := getattr(spec, "source", None), Source):
        trust.check(source)
    numbered = spec.device is not None and spec.device[5:].isdigit()
    return spec.replace(device="cuda") if numbered else spec


if __name__ == "__main__":
    sys.exit(main())
