"""Sealed plans: what stands in one, what is refused, and what a card of one says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from synergy_tui.drawing import card as drawn
from synergy_tui.errors import UsageError
from synergy_tui.jobs.plan import sealed
from synergy_tui.jobs.plan.claims import NOT_OF_A_PART, as_planned
from synergy_tui.jobs.plan.deviations import _differences
from synergy_tui.jobs.specs import AblateRequest, CaptureRequest, ClaimsRequest, Method
from synergy_tui.jobs.specs.sealed import as_sealed, hash_of
from synergy_tui.settings import load
from synergy_tui.terms import CLAIMS


@pytest.fixture(scope="module")
def plan() -> dict[str, Any]:
    """A plan of a subject that ships."""
    request = CaptureRequest(subject="zoo:induction", prompts=16, steps=40)
    return sealed.seal(load().data, request, Method(lag=2), ClaimsRequest(decomposition=""))[0]


def _file(tmp_path: Path, plan: dict[str, Any], again: bool = False, **changes: Any) -> Path:
    """A plan's file with changes; `again`: its hash made to fit them."""
    content = plan | changes
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(content | {"hash": hash_of(content)} if again else content))
    return path


def test_a_plan_has_all_that_decides_the_card_and_a_hash_that_anybody_can_check(plan: dict[str, Any]) -> None:
    rest = {name: value for name, value in plan.items() if name != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert plan["hash"] == hashlib.sha256(text.encode()).hexdigest()
    assert plan["capture"] | {"prompts": 16, "steps": 40, "dtype": "float32"} == plan["capture"]
    assert plan["method"]["lag"] == 2
    assert set(plan["parts"]) == {"surrogates", "controls", "ablation", "networks", "ladder", "geometry"}
    assert plan["parts"]["ablation"]["seeds"] == 20
    assert all(len(plan["parts"][name]["tasks_hash"]) == 64 for name in ("ablation", "ladder"))
    assert plan["thresholds"]["SMALLEST_CONTRAST"] == 0.1
    assert {"torch", "jax", "synergy-tui"} <= set(plan["versions"])
    assert plan["subject"]["weights"]
    assert plan["subject"]["tokenizer"]
    assert plan["analyses"]["claims"] == ["C1"]


def test_a_changed_plan_is_refused_or_carried(plan: dict[str, Any], tmp_path: Path) -> None:
    same = sealed.open_plan(_file(tmp_path, plan))
    assert (same.content, same.deviations) == (plan, ())
    path = _file(tmp_path, plan, budget=0.2)
    with pytest.raises(UsageError, match="was changed after it was sealed"):
        sealed.open_plan(path)
    carried = sealed.open_plan(path, deviate=True)
    assert carried.sealed.budget == 0.2
    assert plan["hash"][:12] in carried.deviations[0]
    with pytest.raises(UsageError, match="there already"):
        sealed.write(plan, path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "format 2"),
        ({"format": True}, "no format"),
        ({"sealed": "yesterday"}, "not a plan"),
        ({"parts": {"weights": {}}}, "no part 'weights'"),
        ({"analyses": {"ranking": "x", "rankings": [], "claims": [], "correction": ""}}, "no ranking 'x'"),
        ({"budget": -1.0}, "budget"),
        ({"method": {"lag": "soon"}}, "lag"),
        ({"capture": {"subject": "zoo:induction", "allow_remote_code": True}}, "does not say allow-remote-code"),
        ({"capture": {"subject": ["a"]}}, "subject"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_file_that_no_version_has_written_gets_one_line(
    plan: dict[str, Any], tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        sealed.open_plan(_file(tmp_path, plan, again=True, **changes))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"[" * 90_000, b'{"format": 1, "budget": NaN}', b"\xff\x00" * 9])
def test_what_is_no_plan_gets_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(UsageError):
        sealed.open_plan(tmp_path / "x", deviate=True)


def test_a_plan_cannot_permit_or_write_anything() -> None:
    hostile = {"ablation": {"save": "elsewhere", "allow_remote_code": True, "decomposition": "other", "seeds": 7}}
    found = as_planned(AblateRequest(decomposition="d1"), hostile, "ablation")
    assert (found.save, found.allow_remote_code, found.decomposition, found.seeds) == (None, False, "d1", 7)
    assert {"save", "allow_pickle", "allow_remote_code"} <= NOT_OF_A_PART
    with pytest.raises(UsageError):
        as_planned(AblateRequest(decomposition="d1"), {"ablation": {"seeds": "many"}}, "ablation")


def test_an_option_beside_the_plan_is_named_where_it_says_otherwise(plan: dict[str, Any], tmp_path: Path) -> None:
    opened = sealed.open_plan(_file(tmp_path, plan))
    chosen = {"prompts": 8, "steps": 40, "ranking": "excess", "batch": 4, "lag": None, "device": "cpu"}
    request, method, asked, sealing = sealed.requests(opened, chosen)
    assert (request.prompts, request.batch, method.lag, asked.ranking) == (8, 4, 2, "excess")
    assert sealing.given == ("prompts", "ranking")
    told = list(_differences(plan["capture"], request.to_json(), set(sealing.given)))
    assert told == ["prompts 8, 16 in the plan, given beside the plan"]


def test_a_plan_of_another_subject_is_refused_and_other_weights_are_told(plan: dict[str, Any]) -> None:
    own = as_sealed(plan).subject
    other = sealed.Model(name="other", kind="zoo", place="zoo:other", weights="f" * 64)
    with pytest.raises(UsageError, match="the plan is for zoo:induction, not for other"):
        sealed.of_subject(own, other)
    assert sealed.of_subject(own, other, deviate=True) == ["the subject is other, and the plan is for zoo:induction"]
    assert sealed.of_subject(own, own) == []
    changed = sealed.Model(name=own.name, kind="zoo", place=own.place, weights="f" * 64)
    assert sealed.of_subject(own, changed)[0].endswith("and now ffffffffffff")


def _card(**of_c3: Any) -> dict[str, Any]:
    """A card with C1 primary and C3 as it is said."""
    claim: dict[str, Any] = {
        "verdict": "supported",
        "effect": None,
        "low": None,
        "high": None,
        "n": None,
        "measure": "",
    }
    claim |= {"holds_under": [], "of": [], "missing": "", "told": "", "against": [], "source": ["arXiv:1v1"]}
    roles = {"C1": {"role": "primary"}, "C3": {"role": "exploratory"} | of_c3}
    claims = {name: claim | {"statement": CLAIMS[name]} | more for name, more in roles.items()}
    run = {"name": "s", "kind": "head", "layers": 4, "units_per_layer": 2, "prompts": 8, "valid_prompts": 8}
    run |= {"estimator": "gaussian", "redundancy": "mmi", "lag": 1}
    card = {"run": run, "claims": claims, "confounds": {}, "method": 2, "decomposition": "d", "seed": 0, "budget": 0.1}
    return card | {"ranking": "rank-difference"}


def test_the_card_says_what_is_exploratory_and_which_deviations_there_were() -> None:
    plan = {"plan_hash": "a" * 64, "plan": '{"sealed": "2026-01-02T03:04:05Z"}', "deviations": ["<b>1 prompt</b>"]}
    for corrected, told in ((0.2, "p_holm 0.200"), (0.01, "p_holm 0.010"), (None, "no p to correct")):
        card = _card(p_holm=corrected) | plan
        text = "\n".join(line.plain for line in drawn.draw(card, 140))
        assert "primary: C1 by rank-difference; 1 deviation from it" in text
        assert f"supported (exploratory, {told})" in text
        assert drawn.sure(card["claims"]["C3"]) == (corrected == 0.01)
        assert (drawn.verdict(card["claims"]["C3"], short=True) == "● exploratory") == (corrected != 0.01)
        assert "arXiv:1v1" in text
    assert "<b>" not in drawn.as_markdown(card)
    assert drawn.as_dict(card)["plan"]["deviations"] == ["<b>1 prompt</b>"]
    unsealed = _card(role=None)
    assert "no plan was sealed" in "\n".join(line.plain for line in drawn.draw(unsealed, 100))
    assert "plan" not in drawn.as_dict(unsealed)
