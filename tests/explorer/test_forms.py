"""Forms of the explorer: lines for words out of a few, for numbers with bounds, for texts; what an ablation would do
and how its curves grow."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from driving import drive, settle, until_in
from filelock import FileLock
from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Input

import synergy_tui.explorer
from synergy_tui.explorer.dialogs.new import FORMS, Form
from synergy_tui.explorer.widgets.form import FormFields
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.inputs import (
    MOST_TYPED,
    ChoiceLine,
    ChoicesLine,
    FieldLine,
    NumberLine,
    choices,
    line,
    stepped,
)
from synergy_tui.explorer.widgets.plot import Plot
from synergy_tui.jobs import folder, parts, plan
from synergy_tui.jobs.folder import JobFolder, Order
from synergy_tui.jobs.specs import (
    AblateRequest,
    CaptureRequest,
    ClaimsRequest,
    DecomposeRequest,
    LadderRequest,
    NetworksRequest,
    ScoresRequest,
)
from synergy_tui.jobs.specs.fields import Field, fields
from synergy_tui.settings import load
from synergy_tui.store.cache import Cache

EVERY = [
    one
    for request in (
        *(AblateRequest, CaptureRequest, ClaimsRequest, DecomposeRequest),
        *(LadderRequest, NetworksRequest, ScoresRequest),
    )
    for one in fields(request)
]


def field(request: Any, name: str) -> Field:
    return next(one for one in fields(request) if one.name == name)


class Sheet(App[None]):
    """A form and nothing else."""

    CSS_PATH = Path(synergy_tui.explorer.__file__).with_name("style.tcss")

    def __init__(self, *names: str, request: Any = AblateRequest) -> None:
        super().__init__()
        self._some = [field(request, name) for name in names]
        self.told: list[tuple[str, bool]] = []

    def compose(self) -> ComposeResult:
        yield FormFields(self._some, {}, Ink("256"))

    def on_form_fields_told(self, message: FormFields.Told) -> None:
        self.told.append((message.text, message.wrong))


def filled(script: Callable[[Sheet, Any], Awaitable[None]], *names: str, **given: Any) -> None:
    """Runs a script on a form with the first field focused."""

    async def go() -> None:
        app = Sheet(*names, **given)
        async with app.run_test(size=(80, 24)) as pilot:
            app.query(FieldLine).first().focus()
            await pilot.pause()
            await script(app, pilot)

    asyncio.run(go())


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_every_field_has_the_line_that_suits_it(one: Field) -> None:
    made = line(one, "", Ink("256"))
    if choices(one):
        assert type(made) is (ChoicesLine if one.is_list else ChoiceLine)
        for word in choices(one):
            one.read(word)
    elif one.single[0] in (int, float):
        assert type(made) is NumberLine
    else:
        assert type(made) is FieldLine


@pytest.mark.parametrize(
    ("request_", "name", "bounds"),
    [
        (AblateRequest, "seeds", "1–10,000"),
        (AblateRequest, "fractions", "> 0, ≤ 1"),
        (AblateRequest, "prompts", "≥ 1"),
        (AblateRequest, "alpha", "> 0"),
        (AblateRequest, "tasks", ""),
        (CaptureRequest, "top_p", "> 0, ≤ 1"),
        (DecomposeRequest, "surrogates", "≥ 0"),
        (NetworksRequest, "replicates", "≥ 20"),
    ],
)
def test_bounds_are_told_briefly(request_: Any, name: str, bounds: str) -> None:
    assert field(request_, name).bounds == bounds


@pytest.mark.parametrize(
    ("request_", "name", "text", "step", "then"),
    [
        (AblateRequest, "seeds", "20", 1, "21"),
        (AblateRequest, "seeds", "20", -1, "19"),
        (AblateRequest, "seeds", "1", -1, "1"),
        (AblateRequest, "seeds", "10000", 1, "10000"),
        (AblateRequest, "seeds", "123456", -1, "10000"),
        (AblateRequest, "seeds", "", 1, "20"),
        (AblateRequest, "alpha", "0.05", 1, "0.06"),
        (AblateRequest, "alpha", "0.01", -1, "0.01"),
        (AblateRequest, "alpha", "1", 1, "2"),
        (AblateRequest, "budget", "", 1, "1"),
        (AblateRequest, "reference", "", -1, "1"),
        (AblateRequest, "fractions", "0.95", 1, "0.96"),
        (AblateRequest, "fractions", "1.0", 1, "1"),
        (CaptureRequest, "top_p", "0.5", 5, "1.0"),
        (NetworksRequest, "replicates", "3", 1, "20"),
    ],
)
def test_a_number_goes_up_and_down_within_its_bounds(request_: Any, name: str, text: str, step: int, then: str) -> None:
    assert stepped(field(request_, name), text, step) == then


def test_what_is_no_number_cannot_be_typed_and_why_is_said() -> None:
    async def walk(app, pilot):
        seeds = app.query_one("#field-seeds", Input)
        assert app.told[-1] == ("Seeds of each control. A whole number above 0 up to 10000.", False)
        await pilot.press("x", "full_stop")
        assert seeds.value == "20"
        assert app.told[-1] == ("seeds is a whole number above 0 up to 10000.", True)
        await pilot.press("7")
        assert seeds.value == "7"
        await pilot.pause()
        assert not app.told[-1][1]
        seeds.post_message(events.Paste("seven"))
        await pilot.pause()
        assert seeds.value == "7"
        await pilot.press("up", "up", "down")
        assert seeds.value == "8"
        # What stands there is replaced by what is typed.
        await pilot.press("0")
        await pilot.pause()
        assert seeds.value == "0"
        assert seeds.has_class("-wrong")
        await pilot.press("up")
        await pilot.pause()
        assert not seeds.has_class("-wrong")
        assert seeds.render_line(0).text.endswith("1–10,000")

    filled(walk, "seeds")


def test_one_of_several_numbers_is_changed() -> None:
    async def walk(app, pilot):
        shares = app.query_one("#field-fractions", Input)
        assert shares.value == "0.05,0.1,0.15,0.2,0.25"
        await pilot.press("home", "right", "right", "up", "up")
        assert shares.value == "0.07,0.1,0.15,0.2,0.25"
        await pilot.press("end", "down", "x", "comma", "1")
        assert shares.value == "0.07,0.1,0.15,0.2,0.24,1"

    filled(walk, "fractions")


def test_arrows_and_space_go_round_the_words() -> None:
    async def walk(app, pilot):
        how = app.query_one("#field-intervention", ChoiceLine)
        seen = []
        for key in ("right", "down", "space", "space", "left", "up"):
            await pilot.press(key)
            seen.append(how.value)
        assert seen == ["mean", "resample", "noise", "zero", "noise", "resample"]
        assert how.render_line(0).text.endswith("◂ ▸")
        width = how.content_size.width
        await pilot.click("#field-intervention", offset=(width, 0))
        assert how.value == "noise"
        await pilot.click("#field-intervention", offset=(width - 2, 0))
        assert how.value == "resample"

    filled(walk, "intervention")


def test_what_is_typed_narrows_the_words_and_is_completed() -> None:
    async def walk(app, pilot):
        ranking, dtype = app.query_one("#field-ranking", ChoiceLine), app.query_one("#field-dtype", ChoiceLine)
        await pilot.press("d", "i", "f")
        assert ranking.fitting() == ["difference", "rank-difference"]
        await pilot.press("left")
        assert ranking.value == "rank-difference"
        await pilot.press("e", "x")
        assert ranking.value == "ex"
        await pilot.press("tab")
        await pilot.pause()
        assert ranking.value == "excess"
        # An optional one may also be nothing; what no word has stays and is marked.
        assert dtype.has_focus
        seen = []
        for _ in range(4):
            await pilot.press("space")
            seen.append(dtype.value)
        assert seen == ["float32", "bfloat16", "float16", ""]
        await pilot.press("q", "tab")
        await pilot.pause()
        assert dtype.value == "q"
        assert dtype.has_class("-wrong")

    filled(walk, "ranking", "dtype")


def test_words_of_a_list_are_changed_one_by_one() -> None:
    async def walk(app, pilot):
        kinds = app.query_one("#field-kinds", ChoicesLine)
        assert kinds.value == "head,ssm-head"
        await pilot.press("end", "down")
        assert kinds.value == "head,expert"
        await pilot.press("down", "down", "down")
        assert kinds.value == "head,ssm-head"
        await pilot.press("comma", "m")
        await pilot.pause()
        await pilot.press("right")
        assert kinds.value == "head,ssm-head,mlp"

    filled(walk, "kinds", request=CaptureRequest)


@pytest.mark.parametrize("name", ["tasks", "orders", "ranking", "fractions", "seeds"])
def test_a_long_paste_is_cut(name: str) -> None:
    async def walk(app, pilot):
        field = app.query_one(FieldLine)
        field.value = ""
        field.post_message(events.Paste("1" * 100_000 + "\nsecond"))
        await pilot.pause()
        assert field.value == "1" * MOST_TYPED
        await pilot.press("end", "2")
        assert len(field.value) == MOST_TYPED
        field.value = "3"
        field.post_message(events.Paste(""))
        field.post_message(events.Paste("\n"))
        await pilot.pause()
        assert field.value == "3"

    filled(walk, name)


def test_a_long_list_shows_whole_values_until_it_has_the_keys() -> None:
    async def walk(app, pilot):
        orders = app.query_one("#field-orders", Input)
        orders.value = ",".join(f"order-{place}" for place in range(30))
        await pilot.press("end", "tab")
        await pilot.pause()
        assert orders.content_size.width == 60
        assert orders.render_line(0).text.rstrip() == "order-0,order-1,order-2,order-3,order-4,order-5,order-6,…"
        orders.value = "x" * 70
        assert orders.render_line(0).text.rstrip() == "x" * 59 + "…"

    filled(walk, "orders", "seeds")


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMS)
def test_every_form_begins_with_what_its_fields_may_be(made: Path, kind: str) -> None:
    async def look(app, pilot):
        app.push_screen(Form(FORMS[kind](app)))
        await until_in(app, pilot, lambda: isinstance(app.screen, Form), "the form")
        await settle(app, pilot)
        for one in app.screen.query(FieldLine):
            if one.value:
                assert one.field.text(one.field.read(one.value)) == one.value
            assert not one.has_class("-wrong")
        told = " ".join(app.screen.query_one("#form-help").plain.split())
        assert app.focused.field.option.help in told

    drive(look, made)


@pytest.mark.slow
def test_the_cost_follows_the_form_and_the_view_says_what_it_would_measure(made: Path) -> None:
    async def look(app, pilot):
        await pilot.press("a")
        await until_in(app, pilot, lambda: "310 conditions on 4 prompts" in _words(app), "the plan")
        assert "as controls random and layer-matched sets with 20 seeds each" in _words(app)
        assert not app.view.query_one(Plot).display
        await pilot.press("tab", "tab", "3")
        # 2 orders at 5 fractions, and 3 seeds of random sets and of those matched to each of them.
        await until_in(app, pilot, lambda: f"{2 * 5 + 3 * 5 * 3} conditions" in _words(app), "another plan")
        app.view.query_one("#field-prompts", Input).value = "0"
        await until_in(app, pilot, lambda: "prompts 0 is not a whole number" in app.plain_screen(), "the error")
        assert "The form at the left says" in _words(app)

    drive(look, made, (120, 40))


def _words(app: Any) -> str:
    return " ".join(app.view.query_one("#ablation-legend").plain.split())


class Growing:
    """An ablation of a made-up run that goes on under the test's hands."""

    def __init__(self, folder_: Path) -> None:
        texts = {"decomposition": "d6x4", "prompts": "2", "seeds": "2", "orders": "synergy-first,random"}
        (asked,) = AblateRequest.read(texts)
        self.spec = plan.ablate(Cache.open(folder_), load(folder_).data, asked).spec
        self.job: JobFolder = folder.new(folder_, Order(self.spec))
        self.lock: FileLock = self.job.worker_lock
        self.lock.acquire()
        self.done = 0

    def state(self, word: str) -> None:
        told = {"state": word, "progress": self.done / 100, "heartbeat": time.time(), "pid": os.getpid()}
        self.job.write_status(self.job._read("status.json") | told)

    def go_on(self, conditions: int) -> None:
        for one in self.spec.conditions[self.done : self.done + conditions]:
            self.done += 1
            table = pa.table({"prompt": [0, 1], "divergence": [0.1 * self.done, 0.3 * self.done]})
            parts.write(self.job, one.shard, table.replace_schema_metadata(one.told()))
        self.state("running")


@pytest.mark.slow
def test_curves_grow_from_the_first_condition_on_also_for_who_comes_back(made: Path) -> None:
    growing = Growing(made)

    async def watch(app, pilot):
        await pilot.press("a")
        await until_in(app, pilot, lambda: f"{growing.job.id} waits for its turn" in app.plain_screen(), "the queue")
        await until_in(app, pilot, lambda: "conditions on" in _words(app), "what is going to be measured")
        growing.state("running")
        await until_in(app, pilot, lambda: "is loading its subject" in app.plain_screen(), "the start")
        growing.go_on(1)
        await until_in(app, pilot, lambda: "growing: 1 condition so far" in app.plain_screen(), "the first condition")
        await pilot.press("escape")
        await settle(app, pilot)
        growing.go_on(1)
        await pilot.press("a")
        await until_in(app, pilot, lambda: "growing: 2 conditions so far" in app.plain_screen(), "the second")
        await settle(app, pilot)
        shares, values = app.view._curves[0].at(0.5)
        assert shares == [0.0, *growing.spec.fractions[:2]]
        assert values == pytest.approx([0.0, 0.2, 0.4])
        plot = app.view.query_one(Plot)
        assert plot.display
        assert len(plot.plain.strip().splitlines()) > 5
        await pilot.press("q")

    async def again(app, pilot):
        assert app.view.id == "ablation"
        await until_in(app, pilot, lambda: "growing: 2 conditions so far" in app.plain_screen(), "the curves")
        await until_in(app, pilot, lambda: len(app.view.query_one(Plot).plain.splitlines()) > 5, "the plot")
        growing.go_on(3)
        await until_in(app, pilot, lambda: "growing: 5 conditions so far" in app.plain_screen(), "the others")
        growing.state("failed")
        growing.lock.release()
        await until_in(app, pilot, lambda: "stopped: 5 conditions" in app.plain_screen(), "the end")

    drive(watch, made)
    drive(again, made)


@pytest.mark.slow
def test_one_that_waits_does_not_hide_what_is_there(made: Path) -> None:
    first = Growing(made)
    first.go_on(4)
    first.state("failed")
    first.lock.release()
    second = Growing(made)

    async def watch(app, pilot):
        await pilot.press("a")
        await until_in(app, pilot, lambda: f"{first.job.id}, stopped: 4 conditions" in app.plain_screen(), "the first")
        await until_in(app, pilot, lambda: f"{second.job.id} waits" in app.plain_screen(), "the one that waits")
        second.go_on(1)
        await until_in(app, pilot, lambda: f"{second.job.id}, growing: 1" in app.plain_screen(), "the second")

    drive(watch, made)
    second.lock.release()


def test_a_finished_part_is_read_once(tmp_path: Path) -> None:
    def write(value: float, changed: int) -> None:
        for name, told in (("random-0-0.1", {"removal_order": "random", "fraction": "0.1"}), ("single-units-1", {})):
            table = pa.table({"prompt": [0, 1], "divergence": [value, value]}).replace_schema_metadata(told)
            job = JobFolder(tmp_path)
            parts.write(job, name, table)
            os.utime(job.shards / f"{name}.parquet", ns=(changed, changed))

    (tmp_path / "shards").mkdir()

    def seen() -> tuple[float, float]:
        (point,) = parts.partial_curves(tmp_path / "shards")
        return point.divergence, float(np.nansum(parts.partial_sweep(tmp_path / "shards", 3)[0]))

    write(0.25, 1)
    assert seen() == (0.25, 0.25)
    write(0.5, 1)  # a part that is finished does not change: at the same time it is the same
    assert seen() == (0.25, 0.25)
    write(0.75, 2)
    assert seen() == (0.75, 0.75)
