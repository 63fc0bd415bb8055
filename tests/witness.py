"""What is known of parts beside what the code under test says: every process that makes one notes when it begins and
ends, wherever it runs on this host, by a sitecustomize.py in its PYTHONPATH. It can also make parts slower, so that
there is a middle in which something can go wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HOOK = """
import importlib.machinery, os, sys, time
from pathlib import Path

PLACE = Path(__file__).parent
KINDS = ["synergy_tui.jobs.worker." + one for one in ("capture", "decompose", "ablate")]

def note(event, part):
    with open(PLACE / "seen", "a") as file:
        file.write(f"{event} {part} {os.getpid()}\\n")

def watched(make):
    def made(self, wanted, hearing):
        note("begin", wanted.name)
        time.sleep(float((PLACE / "sleep").read_text()))
        out = make(self, wanted, hearing)
        note("end", wanted.name)
        return out
    return made

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name not in KINDS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            module.Maker.make = watched(module.Maker.make)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


@dataclass(frozen=True)
class Seen:
    """begun, ended: how often, by part. at_work: parts begun and not ended, with the process of the last beginning."""

    begun: Counter[str]
    ended: Counter[str]
    at_work: dict[str, int]


class Witness:
    """Its folder goes into PYTHONPATH of whatever makes parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(HOOK)
        (folder / "seen").touch()
        self.slow(0)
        self._from = 0

    def slow(self, seconds: float) -> None:
        """From now on a part takes so much longer."""
        (self.folder / "sleep").write_text(str(seconds))

    def anew(self) -> None:
        """Forgets what has been seen."""
        self._from = (self.folder / "seen").stat().st_size

    def seen(self) -> Seen:
        """What has been seen since."""
        with open(self.folder / "seen") as file:
            file.seek(self._from)
            lines = [line.split() for line in file.read().splitlines()]
        begun = Counter(part for event, part, _ in lines if event == "begin")
        ended = Counter(part for event, part, _ in lines if event == "end")
        last = {part: int(pid) for event, part, pid in lines if event == "begin"}
        done = {(part, int(pid)) for event, part, pid in lines if event == "end"}
        return Seen(begun, ended, {part: pid for part, pid in last.items() if (part, pid) not in done})
