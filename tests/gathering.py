"""Parts that take no work, made on Ray and gathered: what a part costs beside the work on it, and how fast they come.

    python tests/gathering.py FOLDER ADDRESS COUNT BYTES

FOLDER: of a capture's job; its spec alone is used. Run where the nodes have the HOOK's folder in their PYTHONPATH."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import psutil

HOOK = """
import importlib.machinery, os, sys, time

class Trivial:
    def __init__(self, spec, given, report):
        pass

    def make(self, wanted, hearing):
        from synergy_tui.jobs.parts import Content
        return Content(".npz", os.urandom(min(wanted.given["bytes"], 1000)).ljust(wanted.given["bytes"], b"x"))

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "synergy_tui.jobs.worker.capture":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            module.Maker = Trivial
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


TOLD = {"each_ms": 1, "mb_s": 0, "own_mb": 0, "resident_mb": 0}
"""What is printed, with digits."""


class Memory:
    """Most memory of this process, sampled: its own, and with the pages of Ray's object store that it looks at."""

    def __init__(self) -> None:
        self.own = self.resident = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """No more samples."""
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.05):
            told = me.memory_info()
            self.own, self.resident = max(self.own, told.rss - told.shared), max(self.resident, told.rss)


def main() -> None:
    """Prints JSON: seconds of the first part, of all others, and memory."""
    from synergy_tui.jobs import parts
    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.jobs.specs import Executor
    from synergy_tui.jobs.worker.executors.making import Given, Wanted, module
    from synergy_tui.jobs.worker.executors.on_ray import OnRay
    from synergy_tui.jobs.worker.progress import Progress

    like, address, count, size = JobFolder(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    job = JobFolder(like.path.with_name(f"t{time.time_ns()}"))
    job.shards.mkdir(parents=True)
    spec = like.order().spec
    progress = Progress(job, {"id": job.id, "state": "running", "kind": "capture"})
    crew = OnRay(job, progress, Executor(executor="ray", ray_address=address), "cpu")
    crew.begin(module("capture"), spec, Given())
    progress.stage("gather", total=count)
    # Every node has a maker before the clock runs.
    crew.make([Wanted(f"first-{one}", 0, {"bytes": 1}) for one in range(4 * crew.size)])
    memory, began = Memory(), time.monotonic()
    crew.make([Wanted(f"part-{one:04d}", 1, {"bytes": size}) for one in range(count)])
    seconds = time.monotonic() - began
    memory.end()
    crew.close()
    assert sum(one.startswith("part-") for one in parts.there(job)) == count
    told = {"seconds": seconds, "each_ms": seconds / count * 1e3, "mb_s": count * size / seconds / 1e6}
    print(json.dumps(told | {"own_mb": memory.own / 1e6, "resident_mb": memory.resident / 1e6}))


if __name__ == "__main__":
    main()
