"""python -m synergy_tui.bench NAME: runs one measurement and prints it as JSON."""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """Runs the measurement named on the command line."""
    print(json.dumps(importlib.import_module(f"synergy_tui.bench.{sys.argv[1]}").measure()))


if __name__ == "__main__":
    main()
