"""Other scores of a run's units in the explorer: asked for in a form, on the map and in the panels once they are
there, and held against the ranking in the ablation view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from driving import drive, put, settle, until_in

from synergy_tui.explorer.dialogs.choose import Choose
from synergy_tui.explorer.dialogs.new import FORMS, Form
from synergy_tui.explorer.telling import number
from synergy_tui.jobs.specs import ScoresSpec
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_ablation, publish_scores
from synergy_tui.subject.source import Source
from synergy_tui.terms import BASELINE_MEANINGS, BASELINES, PATTERNS

SPEC = ScoresSpec(capture="c6x4", source=Source("made", "folder", "made"), data="", kinds=("head",), replayed=(0, 1))


def scored(made: Path, scoring: str) -> np.ndarray:
    """Publishes values [scores, units]; induction has none."""
    values = np.random.default_rng(0).normal(size=(len(BASELINES), 24))
    rows = [
        {"scoring": scoring, "capture": "c6x4", "unit_index": unit, "score": name, "value": float(value)}
        | {"low": float(value) - 0.1, "high": float(value) + 0.1}
        for name, row in zip(BASELINES, values, strict=True)
        for unit, value in enumerate(row)
        if name != "induction"
    ]
    row = {"scoring": scoring, "capture": "c6x4", "prompts": 2, "reasons": {"induction": "nothing is repeated"}}
    publish_scores(Cache.open(made), scoring, {"scorings": [row], "capture_scores": rows})
    return values


def test_they_come_to_the_map_when_their_job_is_done(made: Path) -> None:
    """What is looked at stays: the cursor, the score, the run."""
    job = put(made, SPEC, "running")

    async def script(app: Any, pilot: Any) -> None:
        await pilot.press("right", "down")
        await settle(app, pilot)
        before = app.shown
        assert not set(BASELINES) & set(before.scores)
        values = scored(made, job.id)
        job.write_status(job.status() | {"state": "done", "stage": "done", "progress": 1.0})
        await until_in(app, pilot, lambda: app.shown is not before, "the end of the job")
        await settle(app, pilot)
        assert app.selection.unit == 5
        assert app.selection.score == "rank-difference"
        assert set(BASELINES) - {"induction"} < set(app.shown.scores)
        app.action_choose_score()
        await until_in(app, pilot, lambda: isinstance(app.screen, Choose), "m")
        await pilot.press(*"previous")
        await settle(app, pilot)
        assert "attention mass on the position before" in app.plain_screen()
        await pilot.press("escape")
        app.choose("attribution")
        await settle(app, pilot)
        assert app.shown.scores["attribution"].unit == "nats"
        assert number(float(values[BASELINES.index("attribution"), 5])) in app.plain_screen()
        await pilot.press("question_mark")
        await settle(app, pilot)
        assert " ".join(BASELINE_MEANINGS["attribution"].split()[:6]) in " ".join(app.plain_screen().split())
        await pilot.press("escape")
        app.to_view("unit")
        await settle(app, pilot)
        assert all(name in app.plain_screen() for name in PATTERNS if name != "induction")

    drive(script, made, (160, 60))


def test_a_form_asks_for_them(made: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        app.push_screen(Form(FORMS["scores"](app)))
        await until_in(app, pilot, lambda: "will take" in app.plain_screen() or "about" in app.plain_screen(), "it")
        assert "Other scores of these heads" in app.plain_screen()

    drive(script, made)


def test_the_ablation_view_says_whether_synergy_predicts_removal_better(made: Path) -> None:
    scored(made, "s1")
    alone = [
        {"ablation": "a1", "sweep": "single-units", "unit_index": one, "layer": one // 4, "unit": one % 4}
        | {"divergence": 0.1 * one}
        for one in range(24)
    ]
    row = {"ablation": "a1", "decomposition": "d6x4", "capture": "c6x4", "intervention": "zero", "prompts": 2}
    row |= {"ranking": "rank-difference", "orders": ["single-units"], "seeds": 1, "verdict": "Removed alone."}
    found = {"ablation": "a1", "scoring": "s1", "ranking": "rank-difference", "other": "retrieval", "units": 24}
    found |= {"difference": -0.41, "low": -0.6, "high": -0.2, "verdict": "worse", "partial": -0.3}
    rows = {"ablations": [row], "ablation_sweeps": alone, "ablation_comparisons": [found]}
    publish_ablation(Cache.open(made), "a1", rows)

    async def script(app: Any, pilot: Any) -> None:
        await pilot.press("a")
        await until_in(app, pilot, lambda: "Removed alone." in app.plain_screen(), "the ablation")
        told = " ".join(app.view.value().split())
        said = "rank-difference predicts removal worse than retrieval −0.41 [−0.60, −0.20]."
        assert told.endswith(said)
        assert "predicts removal" in app.plain_screen()

    drive(script, made)
