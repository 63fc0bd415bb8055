"""Requests and specs as values: what they refuse and in which words, their hash, their JSON, the command that remakes
them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import Command

from synergy_tui import terms
from synergy_tui.ablation.condition import Condition
from synergy_tui.errors import JobError, UsageError
from synergy_tui.jobs import specs
from synergy_tui.jobs.folder import JobFolder, Order, new
from synergy_tui.jobs.specs import (
    SPECS,
    AblateRequest,
    AblateSpec,
    CaptureRequest,
    CaptureSpec,
    Cell,
    ClaimsRequest,
    ClaimsSpec,
    DecomposeRequest,
    DecomposeSpec,
    GeometrySpec,
    LadderSpec,
    Method,
    NetworksSpec,
    PullSpec,
    Request,
    ScoresSpec,
    Spec,
    SweepSpec,
    request_of,
)
from synergy_tui.jobs.specs.capture import Control, Item
from synergy_tui.jobs.specs.claims import PARTS, Results
from synergy_tui.jobs.specs.fields import fields
from synergy_tui.jobs.specs.ladder import Graded
from synergy_tui.subject.source import Source
from synergy_tui.tasks.graded import Task

SOURCE = Source("tiny", "folder", "/models/tiny", None, {"layers": 4, "heads": 4}, remote_code=True)

CAPTURE = CaptureSpec(
    subject="/models/tiny",
    source=SOURCE,
    data="/data",
    task_set="cognitive",
    tasks_hash="ab",
    items=(Item("a", "logic", "Why?"), Item("b", "", "How?", "So.")),
    control=Control("c1", "replayed", 3),
    batch=4,
    chat=False,
    kinds=("mlp",),
    temperature=0.5,
    allow_remote_code=True,
)

CELL = Cell(
    capture=0,
    map=DecomposeSpec(method=Method(lag=2), surrogates=20, nulls=terms.NULLS),
    claims=ClaimsRequest(decomposition="", parts=("networks",)),
)

EACH: dict[str, Spec] = {
    "capture": CAPTURE,
    "decompose": DecomposeSpec(
        capture="c1", method=Method(lag=3, preprocess="log,drop=5"), surrogates=200, nulls=terms.NULLS, only=(1, 2)
    ),
    "ablate": AblateSpec(
        decomposition="d1",
        capture="c1",
        source=SOURCE,
        data="/data",
        kinds=terms.HEADS,
        chat=True,
        replayed=(0, 2),
        orders=("marked", "random"),
        units=("0.1",),
        marked=(1,),
        conditions=(Condition("random", None, 0, 0.25, (3, 1)), Condition("single-units", None, None, None, (2,), 2)),
        graded=(Task("t", "sums", "1+1", "2", "number"),),
        budget=0.1,
        save="/new",
    ),
    "ladder": LadderSpec(
        subject="smollm2", captured="ff", name="own", level_names=("1", "2"), items=(Graded(0, "4", "number"),)
    ),
    "networks": NetworksSpec(decomposition="d1", capture="c1", nulls=terms.NULLS[1:], draws=5),
    "claims": ClaimsSpec(
        decomposition="d1", capture="c1", results=Results(ablation="a1", controls={"replayed": ("d2", "d3")})
    ),
    "scores": ScoresSpec(capture="c1", source=SOURCE, data="/data", kinds=terms.HEADS, replayed=(0, 2), prompts=2),
    "geometry": GeometrySpec(capture="c1", source=SOURCE, data="/data", replayed=(0, 2), tokens=300),
    "sweep": SweepSpec(plan="/plan.toml", at_once=2, captures=(CAPTURE,), cells=(CELL,)),
    "pull": PullSpec(subject="smollm2", source=Source("SmolLM2", "built-in", "smollm2"), data="/data"),
}


@pytest.mark.parametrize("kind", SPECS)
def test_a_spec_comes_back_from_its_folder_as_it_was(kind: str, tmp_path: Path) -> None:
    spec = EACH[kind]
    job = new(tmp_path, Order(spec, "c123", True))
    assert job.order() == Order(spec, "c123", True)
    assert job.id.startswith(spec.LETTER)
    assert job.kind == kind
    assert job.order().spec.hash == spec.hash


@pytest.mark.parametrize("kind", SPECS)
def test_the_command_of_a_spec_asks_for_the_same(kind: str) -> None:
    request = EACH[kind].request()
    words = shlex.split(request.command())
    assert request_of(words) == request


def test_no_two_kinds_share_the_letter_of_their_ids() -> None:
    assert len({one.LETTER for one in SPECS.values()}) == len(SPECS)
    assert Method.__struct_fields__ == terms.METHOD_FIELDS


@pytest.mark.parametrize("kind", SPECS)
def test_every_table_that_a_spec_names_is_there(kind: str) -> None:
    from synergy_tui.store.tables import TABLES

    assert set(SPECS[kind].TABLES) <= set(TABLES)


def test_the_hash_says_what_is_asked_and_not_where() -> None:
    spec = EACH["capture"]
    assert isinstance(spec, CaptureSpec)
    for same in (
        {"batch": 7},
        {"tensor_parallel": 4},
        {"device": "cuda"},
        {"data": "/else"},
        {"control": None},
        {"tasks": "/elsewhere"},
    ):
        assert spec.replace(**same).hash == spec.hash
    renamed = Source("other name", "folder", "/models/tiny", None, {}, None)
    assert spec.replace(source=renamed, allow_remote_code=False).hash == spec.hash
    for other in ({"steps": 30}, {"seed": 1}, {"items": spec.items[:1]}, {"weights": "x"}, {"dtype": "float16"}):
        assert spec.replace(**other).hash != spec.hash
    assert EACH["decompose"].hash != DecomposeSpec(capture="c1").hash
    chosen = DecomposeSpec(capture="c1", method=Method(compared=" a, b : c"))
    assert chosen.hash == DecomposeSpec(capture="c1", method=Method(compared="a,b:c")).hash
    assert chosen.hash != DecomposeSpec(capture="c1").hash
    assert DecomposeRequest.from_words(chosen.request().words()[1:]).method == chosen.method


def test_a_sweep_is_its_cells_wherever_its_plan_lies() -> None:
    spec = EACH["sweep"]
    assert isinstance(spec, SweepSpec)
    for same in ({"plan": "/else.toml"}, {"at_once": 7}, {"captures": (CAPTURE.replace(batch=9),)}, {"seed": 3}):
        assert spec.replace(**same).hash == spec.hash
    for other in ({"captures": (CAPTURE.replace(steps=30),)}, {"cells": (CELL, CELL)}):
        assert spec.replace(**other).hash != spec.hash
    with pytest.raises(UsageError, match="a cell has no capture"):
        spec.replace(captures=())


def _said(call: Any) -> str:
    with pytest.raises((UsageError, JobError)) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix("job d1: ")


WRONG = [
    ("lag", 0, "0", "lag 0 is not a whole number above 0 · default: 1"),
    ("seed", -1, "-1", "seed -1 is not a whole number from 0 · default: 0"),
    ("seed", 2**63, str(2**63), f"seed {2**63} is not at most {2**63 - 1:,} · default: 0"),
    ("estimator", "kraskov", "kraskov", "no estimator 'kraskov' · known: gaussian, discrete"),
    ("nulls", ["x"], "x", f"no null 'x' · known: {', '.join((*terms.NULLS, *terms.UNCALIBRATED_NULLS))}"),
    ("compared", "a", "a", "contrast 'a' has no two sides · name groups on both sides of a colon: a:b, or a,b:c,d"),
    ("surrogates", 3, "3", "3 surrogates are too few to tell a tail from · draw 20 or more, or 0"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value", "text", "said"), WRONG, ids=[one[0] + one[2] for one in WRONG])
def test_a_wrong_value_is_told_in_the_same_words_everywhere(
    name: str, value: Any, text: str, said: str, tmp_path: Path, command: Command, made: Path
) -> None:
    """By the constructor, the command line, a form, and a job's folder."""
    flat = {"capture": "c1", name: value}
    assert _said(lambda: DecomposeRequest.make(flat)) == said
    option = f"--{next(one.label for one in fields(DecomposeRequest) if one.name == name)}"
    told = command("decompose", "--latest", option, text, code=2).stderr
    assert told == f"synergy-tui: {said}\n"
    assert _said(lambda: DecomposeRequest.read({"capture": "c1", name: text})) == said
    content = specs.as_json(DecomposeSpec(capture="c1"))
    inside = content["spec"]["method"] if name in terms.METHOD_FIELDS else content["spec"]
    inside[name] = value
    folder = tmp_path / "jobs" / "d1"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(content))
    assert _said(JobFolder(folder).order) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 3}, "format 3 is not a whole number from 1 up to 2 · update synergy-tui"),
        ({"format": "x"}, "format 'x' is not a whole number from 1 up to 2"),
        ({"kind": "dream"}, "no kind of job 'dream' · known: capture, "),
        ({"spec": []}, "spec [] is not an object"),
        ({"spec": {"capture": "c1", "colour": "red"}}, "no field 'colour' ('red') · known: device, seed, capture"),
        ({"spec": {"capture": 3}}, "capture 3 is not a text"),
        ({"spec": {"seed": True}}, "seed True is not a whole number from 0"),
        ({"spec": {"only": ["x"]}}, "only cannot be read: Expected `int"),
        ({"spec": {"method": {"colour": 1}}}, "no field 'colour' (1) · known: estimator"),
        ({"spec": {"method": {"lag": "1"}}}, "lag '1' is not a whole number above 0"),
    ],
)
def test_a_spec_that_this_version_cannot_do_is_refused_in_one_line(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "jobs" / "d1"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(specs.as_json(DecomposeSpec(capture="c1")) | change))
    assert _said(JobFolder(folder).order).startswith(said)


def test_a_request_is_frozen_and_checked_however_it_is_made() -> None:
    request = CaptureRequest(subject="smollm2")
    with pytest.raises(AttributeError):
        request.steps = 3  # type: ignore[misc]
    with pytest.raises(UsageError, match="steps 3 is below min-steps 20"):
        request.replace(steps=3)
    with pytest.raises(UsageError, match="a marked set and the removal order"):
        AblateRequest(decomposition="d1", orders=("marked",))
    with pytest.raises(UsageError, match="subject is missing"):
        CaptureRequest.make({})


def test_a_list_of_lags_makes_a_request_of_each() -> None:
    found = DecomposeRequest.read({"capture": "c1", "lag": "1, 5,1", "surrogates": ""})
    assert [one.method.lag for one in found] == [1, 5]
    with pytest.raises(UsageError, match="lag '1,,2' is not a whole number"):
        DecomposeRequest.read({"lag": "1,,2"})


@pytest.mark.parametrize("request_", [one.REQUEST for one in SPECS.values()], ids=SPECS)
def test_every_field_can_be_read_from_the_text_of_its_own_value(request_: type[Request]) -> None:
    for field in fields(request_):
        assert field.option.help.endswith("."), field.name
        assert field.allowed
        if field.default is not msgspec.NODEFAULT:
            assert field.read(field.text(field.default)) == field.default


def test_a_card_of_what_is_there_alone_is_asked_for_by_its_command():
    """An empty list of parts is none of them; no text at all is the default, which is all."""
    asked = ClaimsRequest(decomposition="d1", parts=())
    assert "--parts none" in asked.command()
    assert ClaimsRequest.from_words(asked.words()[1:]) == asked
    assert ClaimsRequest.read({"decomposition": "d1", "parts": ""})[0].parts == tuple(PARTS)
    assert ClaimsRequest.read({"decomposition": "d1", "parts": "None"})[0].parts == ()
    with pytest.raises(UsageError, match="no part 'none'"):
        ClaimsRequest.read({"decomposition": "d1", "parts": "none,networks"})
