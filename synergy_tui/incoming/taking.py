"""A source of responses, one after another → the rows and the bulk file of a capture."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui import __version__
from synergy_tui.errors import UsageError
from synergy_tui.incoming.mapping import Units
from synergy_tui.incoming.source import Response, Source, ahead, listed
from synergy_tui.incoming.watch import Watch, told_of_repeats, without_zeros, zeros_at_end
from synergy_tui.store.bulk import series_file
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_capture

REPEATS = ("refuse", "drop")
"""How to treat prompts that repeat one another: refuse the import, or keep the first of them."""

ZEROS = ("missing", "values")
"""Meanings of exact zeros with which every unit ends, or which fill a unit's whole response."""

FEWEST_ZEROS = 3
"""Fewest zeros at the end of a response, over all units, that the import asks about."""


_NOTHING = np.empty((0, 0))


@dataclass(frozen=True)
class Called:
    """The name of an import, and how it treats doubtful data. zeros: one of ZEROS; None asks if responses end with
    zeros."""

    name: str
    place: str = ""
    min_steps: int = 20
    recipe: str = ""
    zeros: str | None = None
    repeats: str = REPEATS[0]


class Again(Exception):
    """The responses must be read once more."""


class Unexpected(Again):
    """The source is not as it first looked, and has noticed it."""


def take(cache: Cache, source: Source, units: Callable[[], Units], called: Called) -> str:
    """Publishes the responses of a source as a capture and returns its id. They are read once, and again if float32 is
    too coarse for them or some must be dropped. units: says where the source's units belong; it is asked anew if the
    source has found others.

    Raises UsageError if responses repeat one another, if zeros may stand for missing values, if there is no value at
    all, and if float64 is too coarse.
    """
    capture = "c" + secrets.token_hex(4)
    wide, dropped = False, frozenset[int]()
    while True:
        taking = _Taking(capture, source, units(), called, wide, dropped)
        try:
            publish_capture(cache, capture, taking.rows, ahead(taking.tables()), wide)
        except Unexpected:
            source.again()
            continue
        except Again:
            wide, dropped = taking.wide or taking.too_coarse, taking.dropped | taking.near
            continue
        return capture


@dataclass
class _Taking:
    """One pass through the responses. rows: filled when all tables were taken."""

    capture: str
    source: Source
    units: Units
    called: Called
    wide: bool
    dropped: frozenset[int]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    near: frozenset[int] = frozenset()
    too_coarse: bool = False

    def __post_init__(self) -> None:
        self.watch = Watch(self.units.count)
        self.zeros = self.called.zeros or self.source.zeros
        self.kept: list[tuple[Response, int]] = []  # without their values
        self.numbers: list[int] = []  # of each kept response, among all of the source
        self.same: list[tuple[str, str]] = []
        self.ending: list[str] = []
        self.digest = hashlib.sha256()

    def tables(self) -> Iterator[pa.Table]:
        """The rows of the bulk file, response by response. Raises UsageError and Again, as `take` says."""
        kind = np.float64 if self.wide else np.float32
        for number, response in enumerate(self.source.responses()):
            if number in self.dropped:
                continue
            values = self._settled(response)
            steps = _length(values)
            values = values[:, :steps]
            first = self.watch.repeats(values)
            if first is not None:
                self.same.append((response.id, self.kept[first][0].id))
                if self.called.repeats == "drop":
                    continue
            self.watch.see(values)
            with np.errstate(over="ignore"):
                ordered = values.astype(kind)[self.units.order]
            self.digest.update(f"{steps} ".encode() + ordered.tobytes())
            self.kept.append((response._replace(values=_NOTHING), steps))
            self.numbers.append(number)
            yield self._table(len(self.kept) - 1, steps, ordered)
        self._judge()
        self.rows |= self._rows()

    def _settled(self, response: Response) -> np.ndarray:
        """The response's values, with NaN for zeros that stand for missing values. Raises UsageError if the user must
        say whether they do."""
        values = response.values
        if self.zeros == "missing":
            return without_zeros(values)
        ending = zeros_at_end(values)
        if ending * len(values) >= FEWEST_ZEROS:
            if self.zeros is None:
                raise UsageError(
                    f"prompt {response.id} ends with exact zeros in all units over {ending} steps: is that a value?",
                    "--zeros missing cuts them off, --zeros values keeps them",
                )
            self.ending.append(f"{response.id} ({ending} steps)")
        return values

    def _judge(self) -> None:
        watch, ids = self.watch, [one.id for one, _ in self.kept]
        if not watch.any_value:
            raise UsageError("a series without a single value cannot be imported", "look at what it was saved from")
        if self.same and self.called.repeats == "refuse":
            raise told_of_repeats([f"{second} repeats {first}" for second, first in self.same])
        self.nearly = watch.nearly()
        if self.nearly and self.called.repeats == "refuse":
            raise told_of_repeats([f"{ids[second]} is nearly {ids[first]}" for first, second in self.nearly])
        if (worst := watch.too_fine()) is not None:
            raise UsageError(
                f"series are kept in float64, which unit {worst} is too fine for", "take its mean off, or scale it"
            )
        self.too_coarse = not self.wide and not watch.narrow()
        self.near = frozenset(self.numbers[second] for _, second in self.nearly)
        if self.too_coarse or self.near:
            raise Again

    def _notes(self) -> list[str]:
        """What looked suspicious, a line each."""
        watch, name = self.watch, self.units.called
        zero = np.flatnonzero(watch.zero_in)
        never = np.flatnonzero(watch.constant)
        out = [*self.source.notes(), *self.units.notes]
        if self.same:
            out.append(_dropped(len(self.same), [f"{second} repeats {first}" for second, first in self.same]))
        if self.dropped:
            out.append(_dropped(len(self.dropped), ["except for rounding"]))
        if self.ending:
            out.append(f"responses end with exact zeros in all units, taken for values: {listed(self.ending)}")
        if len(zero):
            told = listed([f"{name(one)} in {watch.zero_in[one]} of {watch.seen} prompts" for one in zero.tolist()])
            out.append(f"{len(zero)} units are exactly 0 throughout prompts, as are failures written as 0: {told}")
        if len(never):
            told = listed([name(one) for one in never.tolist()])
            out.append(f"{len(never)} units never change within a prompt: {told}")
        return out

    def _table(self, prompt: int, steps: int, values: np.ndarray) -> pa.Table:
        columns = _columns(self.units, steps)
        number = pa.array(np.full(values.size, prompt, np.int32))
        return pa.Table.from_arrays([number, *columns, pa.array(values.ravel())], schema=series_file(self.wide))

    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        units, called, capture = self.units, self.called, self.capture
        lengths = [steps for _, steps in self.kept]
        self.digest.update(units.places.tobytes() + called.name.encode())
        digest = self.digest.hexdigest()
        valid = [steps >= called.min_steps for steps in lengths]
        subject: dict[str, Any] = {
            "subject": f"import-{digest[:12]}",
            "name": called.name,
            "source": "import",
            "place": called.place,
            "layers": units.layers,
            "heads": units.per_layer,
        }
        row = {
            "capture": capture,
            "subject": subject["subject"],
            "tasks": called.name,
            "tasks_hash": digest,
            "kind": "imported",
            "layers": units.layers,
            "units_per_layer": units.per_layer,
            "prompts": len(lengths),
            "valid_prompts": sum(valid),
            "steps": max(lengths),
            "min_steps": called.min_steps,
            "dtype": self.source.dtype,
            "versions": {"synergy-tui": __version__},
            "notes": self._notes(),
        }
        prompts = [
            {"capture": capture, "prompt": k, "id": one.id, "category": one.category, "text": one.text, "tokens": None}
            for k, (one, _) in enumerate(self.kept)
        ]
        responses = [
            {"capture": capture, "prompt": k, "steps": steps, "valid": ok}
            for k, (steps, ok) in enumerate(zip(lengths, valid, strict=True))
        ]
        rows: dict[str, list[dict[str, Any]]] = {
            "subjects": [subject],
            "captures": [row],
            "prompts": prompts,
            "responses": responses,
        }
        rows["units"] = units.rows(capture)
        rows["recipes"] = [{"result": capture, "command": called.recipe}] if called.recipe else []
        return rows


@lru_cache(maxsize=8)
def _columns(units: Units, steps: int) -> list[pa.Array]:
    """Unit, layer, place in the layer and step of every value of a response of so many steps."""
    layer, unit = divmod(units.places, units.per_layer)
    return [
        pa.array(np.repeat(units.places.astype(np.int32), steps)),
        pa.array(np.repeat(layer.astype(np.int16), steps)),
        pa.array(np.repeat(unit.astype(np.int16), steps)),
        pa.array(np.tile(np.arange(steps, dtype=np.int32), len(units.places))),
    ]


def _length(values: np.ndarray) -> int:
    """Steps up to the last at which any unit has a value."""
    there = ~np.isnan(values).all(axis=0)
    return len(there) - int(there[::-1].argmax()) if there.any() else 0


def _dropped(count: int, told: list[str]) -> str:
    return f"{count} {'prompts are' if count > 1 else 'prompt is'} left out as repeated: {listed(told)}"
