"""python tests/coverage_by_room.py: the share of lines that the tests have run, by room, from the data of the last
`pytest --cov`."""

from __future__ import annotations

import io
import json
import tempfile
from collections import defaultdict
from pathlib import Path

from coverage import Coverage


def main() -> None:
    """Prints a line for each room, and one for all of them."""
    found = Coverage()
    found.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        found.json_report(outfile=str(report))
        files = json.loads(report.read_text())["files"]
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, one in files.items():
        parts = Path(name).parts
        room = parts[1] if len(parts) > 2 else "(top)"
        for key in (room, "all"):
            rooms[key][0] += one["summary"]["covered_lines"]
            rooms[key][1] += one["summary"]["num_statements"]
    out = io.StringIO()
    for room, (covered, lines) in sorted(rooms.items(), key=lambda item: (item[0] == "all", item[0])):
        print(f"{room:<10} {covered / lines:6.1%}  {covered:>6,} of {lines:>6,} lines", file=out)
    print(out.getvalue(), end="")


if __name__ == "__main__":
    main()
