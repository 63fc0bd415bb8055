"""How quickly the cache is written, read and opened, how long a reader waits while results are published, and how soon
a worker is at work."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.bench.made import make_run
from synergy_tui.jobs import plan, submit
from synergy_tui.jobs.folder import RESTING, JobFolder
from synergy_tui.jobs.specs import CaptureRequest, DecomposeRequest
from synergy_tui.settings import load as load_settings
from synergy_tui.store import load
from synergy_tui.store.bulk import PAIR_FILE
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_ablation, publish_decomposition
from synergy_tui.store.query import ask
from synergy_tui.terms import ATOMS

UNITS, AT_ONCE = 5_120, 1_000_000

RUNS = 200

WATCHED = 8.0
"""Seconds during which a reader queries while results are published."""


def measure() -> dict[str, Any]:
    """Seconds, rows per second, bytes per row; medians."""
    with tempfile.TemporaryDirectory() as scratch:
        runs, pairs, small = (Cache.open(Path(scratch) / name) for name in ("runs", "pairs", "small"))
        found = _listing(runs) | _pairs(pairs) | _reader(small)
        return found | _workers(small)


def _listing(cache: Cache) -> dict[str, Any]:
    make_run(cache, 6, 4, name="0")
    with cache.write() as con:
        for table, named in (
            ("captures", "'c' || n AS capture"),
            ("decompositions", "'d' || n AS decomposition, 'c' || n AS capture"),
            ("unit_scores", "'d' || n AS decomposition"),
        ):
            con.execute(f"INSERT INTO {table} SELECT t.* REPLACE ({named}) FROM {table} t, range(1, {RUNS}) r(n)")

    def listed() -> None:
        assert len(load.overview(Cache.open(cache.folder))) == RUNS

    return {f"opening a cache of {RUNS} runs and listing it": _median(listed, 7)}


def _pairs(cache: Cache) -> dict[str, Any]:
    layers = 80
    make_run(cache, layers, UNITS // layers, prompts=1, steps=2, pairs=False)
    x, y = np.triu_indices(UNITS, 1)
    chance = np.random.default_rng(0)
    # Measured floats do not repeat, so all bits of the floats are random.
    atoms = {
        name: chance.normal(size=AT_ONCE).astype(np.float32)
        for name in (*ATOMS, "offset", "sts_sd", "rtr_sd", "tdmi_sd")
    }

    def tables() -> Iterator[pa.Table]:
        per = UNITS // layers
        for start in range(0, len(x), AT_ONCE):
            x_, y_ = x[start : start + AT_ONCE], y[start : start + AT_ONCE]
            columns: dict[str, Any] = {"x": x_, "y": y_, "x_layer": x_ // per, "x_unit": x_ % per}
            columns |= {"y_layer": y_ // per, "y_unit": y_ % per}
            columns |= {name: values[: len(x_)] for name, values in atoms.items()}
            columns |= {"valid_prompts": np.full(len(x_), 60), "reason": np.zeros(len(x_), np.int8)}
            nothing = pa.nulls(len(x_), pa.float32())
            yield pa.table({name: columns.get(name, nothing) for name in PAIR_FILE.names}).cast(PAIR_FILE)

    made = list(tables())  # only the writing is measured
    row = {"decomposition": "dpairs", "capture": "c80x64", "pairs": len(x)}
    began = time.perf_counter()
    publish_decomposition(cache, "dpairs", {"decompositions": [row]}, made)
    seconds = time.perf_counter() - began
    del made
    size = (cache.pairs_folder("dpairs") / "pairs.parquet").stat().st_size
    one = "SELECT x_layer, avg(sts) FROM pairs WHERE decomposition = 'dpairs' GROUP BY x_layer"
    every = f"SELECT x_layer, {', '.join(f'avg({atom})' for atom in ATOMS)} FROM pairs GROUP BY x_layer"
    return {
        "pairs": len(x),
        "pair rows written a second": len(x) / seconds,
        "bytes a pair row": size / len(x),
        "GROUP BY layer, one atom": _median(lambda: ask(cache, one), 5),
        "GROUP BY layer, sixteen atoms": _median(lambda: ask(cache, every), 3),
    }


_WRITER = """
import sys, time
from pathlib import Path
from synergy_tui.bench.cache import publish_for
publish_for(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
"""


def publish_for(folder: Path, tag: str, seconds: float) -> None:
    """Publishes ablations of 205 conditions × 12 prompts one after another, now and then with unit scores of 5,120
    units."""
    cache, ends, number = Cache.open(folder), time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        name = f"a{tag}{number}"
        rows = {
            "ablations": [{"ablation": name, "decomposition": "d6x4", "capture": "c6x4", "verdict": "made"}],
            "ablation_prompts": pa.table(
                {"ablation": [name] * 2460, "divergence": np.random.default_rng(0).random(2460)}
            ),
        }
        if number % 10 == 9:
            index = np.tile(np.arange(UNITS, dtype=np.int32), 43)
            rows["unit_scores"] = pa.table(
                {"decomposition": ["made"] * len(index), "unit_index": index, "value": index / 7}
            )
        publish_ablation(cache, name, rows)
        number += 1


def _reader(cache: Cache) -> dict[str, Any]:
    make_run(cache, 6, 4)
    line = [sys.executable, "-c", _WRITER, str(cache.folder)]
    writers = [subprocess.Popen([*line, tag, str(WATCHED)]) for tag in "xy"]
    waits: list[float] = []
    while any(writer.poll() is None for writer in writers):
        began = time.perf_counter()
        (row,) = load.rows(cache, "SELECT count(*) AS n, count(verdict) AS told FROM ablations")
        waits.append(time.perf_counter() - began)
        assert row["n"] == row["told"]
        time.sleep(0.02)
    published = load.rows(cache, "SELECT count(*) AS n FROM ablations")[0]["n"]
    return {
        "results published meanwhile": published,
        "a reader's answer, median": statistics.median(waits),
        "a reader's answer, longest": max(waits),
    }


def _workers(cache: Cache) -> dict[str, Any]:
    """Seconds from the submission to the first finished part, without loading the subject."""
    data = load_settings().data
    found = {
        "decompose worker to first part": _first_part(
            cache, plan.decompose(DecomposeRequest(capture="c6x4", device="cpu"), 24, 4)
        )
    }
    if (data / "subjects" / "smollm2" / "config.json").exists():
        asked = plan.capture(data, CaptureRequest(subject="smollm2", prompts=2, steps=20, device="cpu"))
        found["capture worker to first part, beyond the load"] = _first_part(cache, asked)
    return found


def _first_part(cache: Cache, asked: plan.Plan) -> float:
    began = time.time()
    job = submit.submit(cache.folder, asked.spec)
    while True:
        status = job.status()
        stages = [one for one in status["stages"] if one["total"] and one["done"]]
        if stages or status["state"] in RESTING:
            break
        time.sleep(0.01)
    took = time.time() - began
    _finish(job)
    return took - sum(one["seconds"] for one in status["stages"] if one["name"] == "load")


def _finish(job: JobFolder) -> None:
    while job.status()["state"] not in RESTING:
        time.sleep(0.05)


def _median(what: Callable[[], Any], times: int) -> float:
    def once() -> float:
        began = time.perf_counter()
        what()
        return time.perf_counter() - began

    return statistics.median(once() for _ in range(times))
