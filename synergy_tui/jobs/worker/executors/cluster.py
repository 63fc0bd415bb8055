"""python -m synergy_tui.jobs.worker.executors.cluster EXECUTOR DEVICE: whether a Ray cluster can be used, as JSON."""

from __future__ import annotations

import json
import sys

import ray

from synergy_tui.errors import SynergyError
from synergy_tui.jobs.specs import Executor
from synergy_tui.jobs.worker.executors import on_ray


def main() -> None:
    """Prints {workers} or {what, next}. It starts no cluster to find out."""
    executor, device = Executor.from_json(json.loads(sys.argv[1])), sys.argv[2] or None
    try:
        if on_ray.address_of(executor) is None:
            print(json.dumps({"workers": None}))
            return
        on_ray.connect(executor)
        asked = on_ray.resources(executor, device)
        on_ray.check(asked)
        print(json.dumps({"workers": on_ray.slots(asked)}))
    except SynergyError as error:
        print(json.dumps({"what": error.what, "next": error.next_step}))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
