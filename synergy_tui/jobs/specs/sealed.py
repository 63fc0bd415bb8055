"""A sealed plan: a file that lays down all that a claims card will be made of, before the data are seen. Its hash is
the SHA-256 of its canonical JSON without the hash itself, which Python spells

    json.dumps(plan_without_hash, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

so that anybody can check it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.capture import CaptureRequest
from synergy_tui.jobs.specs.claims import PARTS
from synergy_tui.jobs.specs.method import Method

FORMAT = 1
"""Format of the file."""

MOST_BYTES = 1_000_000
"""Most bytes of a file that is read: a plan has some 10,000."""

TIME = "%Y-%m-%dT%H:%M:%SZ"
"""How the time of sealing is written, in UTC."""

HARDWARE = ("device", "batch", "tensor_parallel")
"""Fields that a plan leaves open: they say where work is done, not what is done."""

PERMISSIONS = ("allow_pickle", "allow_remote_code")
"""Permissions that only the user may give, not a file."""

NOT_PLANNED = (*HARDWARE, *PERMISSIONS, "replay", "revisions")
"""Fields of a capture that a plan does not have."""


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The subject, and what tells it from others. weights: a hash of its weights' files, or of the file that a built-in
    subject is fetched as. config, tokenizer, chat_template: their SHA-256, None if they are not on this disk."""

    name: str
    kind: str
    place: str
    revision: str | None = None
    adapter: str | None = None
    weights_seed: int | None = None
    model_type: str | None = None
    weights: str | None = None
    config: str | None = None
    tokenizer: str | None = None
    chat_template: str | None = None


class Prompts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompts of the subject: the set's name, the SHA-256 of their texts in order, and their number."""

    task_set: str
    tasks_hash: str
    prompts: int


class Analyses(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The family of analyses. The primary one is each of `claims` by `ranking`, uncorrected; every other claim and
    ranking is exploratory and corrected by `correction`."""

    ranking: str
    rankings: tuple[str, ...]
    claims: tuple[str, ...]
    correction: str


class Sealed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """capture: fields of a CaptureRequest. method: fields of a Method. parts: part of the card to be made → its
    settings. thresholds: the numbers that decide verdicts. versions: of the packages that sealed it."""

    format: int
    sealed: str
    subject: Model
    asked: Prompts
    capture: dict[str, Any]
    method: dict[str, Any]
    parts: dict[str, dict[str, Any]]
    analyses: Analyses
    budget: float
    seed: int
    thresholds: dict[str, Any]
    method_version: int
    grading: int
    versions: dict[str, str]
    hash: str

    @property
    def when(self) -> datetime:
        """When it was sealed, in UTC without a zone, as in rows of the cache."""
        return datetime.strptime(self.sealed, TIME)

    def capture_request(self, **changes: Any) -> CaptureRequest:
        """The request of its capture, with some fields replaced. Raises UsageError."""
        return CaptureRequest.from_json({**self.capture, **changes})

    def method_asked(self) -> Method:
        """How pairs are decomposed. Raises UsageError."""
        return Method.from_json(self.method)


def now() -> str:
    """Now, as the time of sealing."""
    return datetime.now(UTC).strftime(TIME)


def hash_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of a plan's contents; see above."""
    rest = {name: value for name, value in content.items() if name != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def as_sealed(content: Mapping[str, Any]) -> Sealed:
    """Contents of a file as a plan, every value checked. Raises UsageError for contents that no version of this program
    has written."""
    try:
        found = msgspec.convert(dict(content), Sealed)
        _ = found.when
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"this is not a plan: {_one_line(error)}", AGAIN) from None
    if wrong := [name for name in NOT_PLANNED if name in found.capture]:
        raise UsageError(f"a plan does not say {wrong[0].replace('_', '-')}", "leave it out, or give it as an option")
    found.capture_request()
    found.method_asked()
    known = {
        "part": (tuple(found.parts), tuple(PARTS)),
        "ranking": ((found.analyses.ranking, *found.analyses.rankings), terms.RANKINGS),
        "claim": (found.analyses.claims, tuple(terms.CLAIMS)),
    }
    for what, (some, those) in known.items():
        if unknown := [one for one in some if one not in those]:
            raise UsageError(f"no {what} {unknown[0][:60]!r} in this plan", f"known: {', '.join(those)}")
    if not (math.isfinite(found.budget) and found.budget > 0) or found.seed < 0:
        raise UsageError("a plan's budget is above 0, and its seed 0 or more", AGAIN)
    return found


def read(data: bytes, where: str, deviate: bool = False) -> tuple[dict[str, Any], Sealed, list[str]]:
    """A file's bytes as contents and plan, with a deviation if the file was changed after it was sealed. Raises
    UsageError for a changed file unless it may `deviate`, for one of a newer version, and for one that is not a
    plan."""
    if len(data) > MOST_BYTES:
        raise UsageError(f"{where} has {len(data):,} bytes, and a plan at most {MOST_BYTES:,}", AGAIN)
    try:
        content = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{where} is not JSON: {_one_line(error)}", AGAIN) from None
    if not isinstance(content, dict):
        raise UsageError(f"{where} is not a plan: it is not an object", AGAIN)
    form = content.get("format")
    if not isinstance(form, int) or isinstance(form, bool) or form < 1:
        raise UsageError(f"{where} is not a plan: it has no format", AGAIN)
    if form > FORMAT:
        raise UsageError(f"{where} has format {form}, and this version knows {FORMAT}", "update synergy-tui")
    try:
        own, told = hash_of(content), content.get("hash")
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{where} is not a plan: {_one_line(error)}", AGAIN) from None
    changed = own != told
    what = f"was changed after it was sealed: its contents have the hash {own[:12]}, and it says {_brief(told)}"
    if changed and not deviate:
        raise UsageError(f"{where} {what}", "take the sealed file; or --deviate: the card then says so")
    return content, as_sealed(content), [f"the plan {what}"] if changed else []


AGAIN = "seal one: synergy-tui claims SUBJECT --seal plan.json"


def _brief(told: Any) -> str:
    return told[:12] if isinstance(told, str) and told.isalnum() else "none"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
