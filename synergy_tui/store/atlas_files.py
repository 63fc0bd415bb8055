"""Rows of an atlas as a file that another cache can import: JSON, without series, units, prompts or pairs. Nothing in
such a file is trusted: it must match a fixed form, sizes and numbers are checked before anything is kept, and its texts
are shown with their control characters spelled out, as all texts are."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from synergy_tui import __version__
from synergy_tui.errors import UsageError
from synergy_tui.store.atlas import AtlasCard
from synergy_tui.store.cache import WORK_PATIENCE, Cache
from synergy_tui.store.tables import TABLES
from synergy_tui.terms import VERDICTS

FORMAT, VERSION = "synergy-tui atlas", 1

MOST_BYTES, MOST_CARDS, MOST_LAYERS = 64 << 20, 20_000, 2_000

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Word = Annotated[str, Meta(max_length=300)]
Told = Annotated[str, Meta(max_length=8_000)]
Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Large = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, Meta(pattern=r"^C[0-9]{1,2}$")]


class ClaimRow(Struct, forbid_unknown_fields=True):
    """A claim of a card, as in atlas_claims."""

    verdict: Word
    effect: float | None
    measure: Word
    low: float | None
    high: float | None
    level: Annotated[float, Meta(gt=0, lt=1)] | None
    n: Number | None
    missing: Told
    told: Told


class PointRow(Struct, forbid_unknown_fields=True):
    """A layer of a profile, as in atlas_profiles."""

    layer: Number
    depth: Annotated[float, Meta(ge=0, le=1)]
    value: float | None
    low: float | None
    high: float | None


class CardRow(Struct, forbid_unknown_fields=True):
    """A card, as in atlas_cards."""

    entry: Id
    subject: Word
    model_type: Word | None
    family: Word | None
    parameters: Large | None
    layers: Number | None
    units: Number | None
    kind: Word
    tuned: Literal["base", "instruct"] | None
    weights: Literal["trained", "random"]
    training_step: Large | None
    prompts: Number | None
    ranking: Word
    definition: Word
    method: Number
    plan_hash: Word | None
    deviations: Number | None
    made: datetime | None
    claims: Annotated[dict[Name, ClaimRow], Meta(max_length=50)]
    profile: Annotated[list[PointRow], Meta(max_length=MOST_LAYERS)]


class File(Struct, forbid_unknown_fields=True):
    """A whole file."""

    format: str
    version: int
    program: Word
    cards: Annotated[list[CardRow], Meta(max_length=MOST_CARDS)]


class _Head(Struct):
    """The format and version that any file states, whatever its version."""

    format: str = ""
    version: int = 0


@dataclass(frozen=True)
class Taken:
    """What an import did. new: cards added to the atlas. there: cards that were already in the atlas, or earlier in the
    file."""

    new: int
    there: int
    origin: str


def as_bytes(cards: Sequence[AtlasCard]) -> bytes:
    """The file of these cards: equal cards give equal bytes."""
    rows = [CardRow(**_fields(one)) for one in cards]
    return msgspec.json.format(msgspec.json.encode(File(FORMAT, VERSION, __version__, rows)), indent=1) + b"\n"


def _fields(card: AtlasCard) -> dict[str, Any]:
    claims = {}
    for name, one in card.claims.items():
        effect, low, high = (_none(end) for end in (one.effect, one.low, one.high))
        claims[name] = ClaimRow(one.verdict, effect, one.measure, low, high, one.level, one.n, one.missing, one.told)
    points = [
        PointRow(one.layer, one.depth, *(_none(getattr(one, key)) for key in ("value", "low", "high")))
        for one in card.profile
    ]
    copied = [name for name in CardRow.__struct_fields__ if name not in ("claims", "profile")]
    return {name: getattr(card, name) for name in copied} | {"claims": claims, "profile": points}


def _none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write(cards: Sequence[AtlasCard], path: Path) -> None:
    """Writes the file. Raises UsageError when it exists already or cannot be written."""
    try:
        with path.open("xb") as file:
            file.write(as_bytes(cards))
    except FileExistsError:
        raise UsageError(f"{path} is there already", "give another name") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", "give another place") from None


def take_in(cache: Cache, path: Path) -> Taken:
    """Takes the cards of a file into the atlas. A card whose id is there already stays as it is and is counted. Raises
    UsageError for a file that is not an atlas file, is too large, is from a newer version or has impossible values, and
    CacheError when the cache cannot be written; then nothing of it is kept."""
    content = _content(path)
    found = _checked(path, content)
    origin = hashlib.sha256(content).hexdigest()
    with cache.write(WORK_PATIENCE) as con:
        known = "SELECT entry FROM atlas_cards UNION ALL SELECT card FROM cards"
        there = {one for (one,) in con.execute(known).fetchall()}
        ((last,),) = con.execute("SELECT coalesce(max(serial), 0) FROM atlas_cards").fetchall()
        rows: dict[str, list[dict[str, Any]]] = {"atlas_cards": [], "atlas_claims": [], "atlas_profiles": []}
        for card in found.cards:
            if card.entry in there:
                continue
            there.add(card.entry)
            row = {name: getattr(card, name) for name in CardRow.__struct_fields__ if name not in ("claims", "profile")}
            row |= {"origin": origin, "created": datetime.now(UTC).replace(tzinfo=None), "serial": last + 1}
            row["made"] = None if card.made is None else _utc(card.made)
            rows["atlas_cards"].append(row)
            for name, claim in card.claims.items():
                rows["atlas_claims"].append({"entry": card.entry, "claim": name} | msgspec.structs.asdict(claim))
            rows["atlas_profiles"] += [{"entry": card.entry} | msgspec.structs.asdict(one) for one in card.profile]
        for table, some in rows.items():
            columns = [name for name, _, _ in TABLES[table][1]]
            if some:
                marks = ", ".join("?" * len(columns))
                con.executemany(
                    f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                    [[one[name] for name in columns] for one in some],
                )
    new = len(rows["atlas_cards"])
    return Taken(new, len(found.cards) - new, origin)


def forget(cache: Cache, origin: str) -> int:
    """Removes the cards that came from a file, given its SHA-256 or the beginning of it; returns their number. Raises
    UsageError when no card came from such a file."""
    with cache.write(WORK_PATIENCE) as con:
        inside = "SELECT entry FROM atlas_cards WHERE starts_with(origin, ?)"
        entries = [one for (one,) in con.execute(inside, [origin]).fetchall()] if len(origin) >= 4 else []
        for table in ("atlas_claims", "atlas_profiles", "atlas_cards"):
            con.execute(f"DELETE FROM {table} WHERE list_contains(?, entry)", [entries])
    if not entries:
        raise UsageError(f"no card came from a file {origin[:60]!r}", "synergy-tui atlas --json has each card's origin")
    return len(entries)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise UsageError(f"there is no file {path}", "check the name")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", "check it") from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"{path} has more than {MOST_BYTES >> 20} MiB: it is not an atlas of cards", "check it")
    return content


def _checked(path: Path, content: bytes) -> File:
    """The file's content, checked: it has this version and possible values."""
    made = "give a file that synergy-tui atlas export made"
    try:
        head = msgspec.json.decode(content, type=_Head)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise UsageError(f"{path} is no atlas file", made) from None
    if head.format != FORMAT:
        raise UsageError(f"{path} is no atlas file", made)
    if head.version > VERSION:
        raise UsageError(
            f"{path} is an atlas of version {head.version}, and this synergy-tui knows {VERSION}", "update synergy-tui"
        )
    try:
        found = msgspec.json.decode(content, type=File)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        told = str(error).splitlines()[0][:200].encode("unicode_escape").decode()
        raise UsageError(f"{path} is damaged: {told}", "export it again") from None
    for card in found.cards:
        if wrong := _wrong(card):
            raise UsageError(f"{path} has a card {card.entry} with {wrong}", "do not trust it")
    return found


def _wrong(card: CardRow) -> str:
    """What is impossible in a card; empty if nothing is."""
    for name, claim in card.claims.items():
        if claim.verdict not in VERDICTS:
            return f"an unknown verdict on {name}"
        ends = [one for one in (claim.low, claim.effect, claim.high) if one is not None]
        if not all(map(math.isfinite, ends)):
            return f"a number of {name} that is not finite"
        if claim.low is not None and claim.high is not None and claim.low > claim.high:
            return f"an interval of {name} whose ends are the wrong way round"
    if len({one.layer for one in card.profile}) < len(card.profile):
        return "a profile that has a layer twice"
    numbers = [one for point in card.profile for one in (point.value, point.low, point.high) if one is not None]
    if not all(map(math.isfinite, numbers)):
        return "a profile with a number that is not finite"
    return "" if re.search(r"\S", card.subject) else "no subject"
