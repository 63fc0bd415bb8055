"""python -m synergy_tui.jobs.worker.devices torch|jax: what a library sees of this machine, as JSON. Each
library has its own process, because both on one GPU disturb each other."""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Prints a library's version and devices."""
    print(json.dumps(_torch() if sys.argv[1] == "torch" else _jax()))


def _torch() -> dict[str, Any]:
    import torch

    devices = []
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        devices.append({"name": torch.cuda.get_device_name(number), "free": free, "total": total})
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "devices": devices,
        "threads": torch.get_num_threads(),
    }


def _jax() -> dict[str, Any]:
    import jax

    found = jax.devices()
    return {
        "version": jax.__version__,
        "backend": jax.default_backend(),
        "devices": [one.device_kind for one in found],
    }


if __name__ == "__main__":
    main()
