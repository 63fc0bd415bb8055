"""Responses, one after another → what looks suspicious: repeats, zeros that may stand for failures, units that never
change, and whether float32 is fine enough for what varies. Only sums and projections of them are kept."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from synergy_tui.errors import UsageError

LOST = 1e-4
"""Largest share of a unit's standard deviation, within prompts and of its differences, that float32 may lose."""

NEARLY = 1e-3
"""Series of two prompts that differ by less, in standard deviations of a unit, are one series measured twice."""

PROJECTIONS = 32
"""Fewest numbers, over all units, that represent a response in comparisons with others."""

LARGEST = 3e38
"""Magnitude beyond which float32 has no numbers."""


class Watch:
    """Hears every response [units, steps], NaN where there is no value, and says in the end what it found. Responses
    are numbered as they come."""

    def __init__(self, units: int) -> None:
        self.units = units
        self.seen = 0
        self.largest = 0.0
        self.any_value = False
        self.first: dict[bytes, int] = {}
        self.repeated: list[tuple[int, int]] = []
        self.zero_in = np.zeros(units, np.int64)
        self.constant = np.ones(units, bool)
        self._lost: dict[type[np.floating[Any]], np.ndarray] = {
            np.float32: np.zeros(units),
            np.float64: np.zeros(units),
        }
        self._within = _Spread(units)
        self._between_steps = _Spread(units)
        self._overall = [_Overall(units), _Overall(units)]
        self._projected: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        self._masks: list[bytes] = []
        self._sizes: list[int] = []
        self._each = max(1, -(-PROJECTIONS // units))
        self._random = np.random.default_rng(0)
        self._directions = np.zeros((0, self._each))

    def repeats(self, values: np.ndarray) -> int | None:
        """The number of the response that these values repeat exactly; None if they are new. New values get the number
        that `see` gives next."""
        if np.isnan(values).all():
            return None
        # −0 and 0 are one value, and so are all encodings of NaN.
        plain = np.where(np.isnan(values), np.nan, values + 0.0)
        digest = hashlib.sha256(np.ascontiguousarray(plain).tobytes() + str(plain.shape).encode()).digest()
        found = self.first.setdefault(digest, self.seen)
        return None if found == self.seen else found

    def see(self, values: np.ndarray) -> None:
        """Takes in a response."""
        number, self.seen = self.seen, self.seen + 1
        self._sizes.append(values.shape[1])
        if not values.size or np.isnan(values).all():
            self._projected[0].append(np.zeros(self.units * self._each, np.float32))
            self._projected[1].append(np.zeros(self.units * self._each, np.float32))
            self._masks.append(f"{number}".encode())
            return
        self.any_value = True
        exact = values.dtype.kind == "f" and values.dtype.itemsize <= 8
        wide = values.astype(np.float64 if exact else np.longdouble, copy=False)
        known = np.isfinite(wide)
        whole = bool(known.all())
        with np.errstate(over="ignore", invalid="ignore"):
            plain = wide if whole else np.where(known, wide, 0)
            self.largest = max(self.largest, float(np.abs(plain).max()))
            kinds: tuple[type[np.floating[Any]], ...] = (np.float32,) if exact else (np.float32, np.float64)
            if values.dtype != np.float32:
                for kind in kinds:
                    lost = np.nan_to_num(np.abs(plain - plain.astype(kind)), posinf=0.0).max(axis=1)
                    np.maximum(self._lost[kind], lost.astype(float), out=self._lost[kind])
            self._within.see(plain, known, whole)
            steps = np.diff(plain, axis=1)
            both = known[:, 1:] if whole else known[:, 1:] & known[:, :-1]
            steps = steps if whole else np.where(both, steps, 0)
            self._between_steps.see(steps, both, whole)
        low = (plain if whole else np.where(known, wide, np.inf)).min(axis=1)
        high = (plain if whole else np.where(known, wide, -np.inf)).max(axis=1)
        self.constant &= ~(high > low)
        self.zero_in += (low == 0) & (high == 0)
        self._project(0, plain.astype(np.float64, copy=False), known, whole)
        self._project(1, steps.astype(np.float64, copy=False), both, whole)
        self._masks.append(str(values.shape).encode() + (b"" if whole else np.packbits(known).tobytes()))

    def narrow(self) -> bool:
        """Whether float32 loses nothing that varies."""
        return self.largest < LARGEST and self._worst(np.float32) is None

    def too_fine(self) -> int | None:
        """A unit whose series are too fine for float64; None if there is no such unit."""
        return self._worst(np.float64)

    def nearly(self) -> list[tuple[int, int]]:
        """Pairs of responses that are the same except for rounding, in their values and from one step to the next: one
        observation, measured twice."""
        if self.seen < 2:
            return []
        root = np.sqrt(np.maximum(self._sizes, 1))[:, None]
        scaled = [
            np.stack(projected) / np.repeat(overall.sd(), self._each) / root
            for projected, overall in zip(self._projected, self._overall, strict=True)
        ]
        # Equal responses have equal projections, so only neighbours in one projection are compared.
        last = scaled[-1] if max(self._sizes) > 1 else scaled[0]
        along = last @ np.random.default_rng(1).normal(size=last.shape[1]) / np.sqrt(last.shape[1])
        order = np.argsort(along, kind="stable")
        ends = np.searchsorted(along[order], along[order] + 10 * NEARLY, side="right")
        found = []
        for place, (first, end) in enumerate(zip(order, ends, strict=True)):
            others = order[place + 1 : end]
            close = np.ones(len(others), bool)
            for one in scaled:
                close &= np.sqrt(np.mean((one[others] - one[first]) ** 2, axis=1)) < NEARLY
            for second in others[close]:
                if self._masks[first] == self._masks[second]:
                    found.append((int(min(first, second)), int(max(first, second))))
        return sorted(found)

    def _worst(self, kind: type[np.floating[Any]]) -> int | None:
        lost = self._lost[kind]
        spread = np.minimum(self._within.of(), self._between_steps.of())
        worst = int(np.argmax(lost - LOST * spread))
        return worst if lost[worst] > LOST * spread[worst] else None

    def _project(self, which: int, values: np.ndarray, known: np.ndarray, whole: bool) -> None:
        steps = values.shape[1]
        if steps > len(self._directions):
            new = self._random.normal(size=(steps - len(self._directions), self._each))
            self._directions = np.concatenate([self._directions, new])
        moved = self._overall[which].see(values, known, whole)
        with np.errstate(over="ignore", invalid="ignore"):
            self._projected[which].append((moved @ self._directions[:steps]).ravel().astype(np.float32))


class _Spread:
    """Root mean square deviation of each unit from each response's own mean."""

    def __init__(self, units: int) -> None:
        self.squares, self.count = np.zeros(units), np.zeros(units)

    def see(self, plain: np.ndarray, known: np.ndarray, whole: bool) -> None:
        if not plain.shape[1]:
            return
        count = np.full(len(plain), plain.shape[1]) if whole else known.sum(axis=1)
        mean = plain.sum(axis=1) / np.maximum(count, 1)
        apart = plain - mean[:, None]
        if not whole:
            apart = np.where(known, apart, 0)
        self.squares += np.einsum("ij,ij->i", apart, apart).astype(float)
        self.count += count

    def of(self) -> np.ndarray:
        out: np.ndarray = np.sqrt(self.squares / np.maximum(self.count, 1))
        return out


class _Overall:
    """Standard deviation of each unit over all responses, around its mean over all."""

    def __init__(self, units: int) -> None:
        self.shift: np.ndarray | None = None
        self.total, self.squares, self.count = np.zeros(units), np.zeros(units), np.zeros(units)

    def see(self, plain: np.ndarray, known: np.ndarray, whole: bool) -> np.ndarray:
        """Takes in a response and returns it minus the mean of the first one; 0 where there is no value."""
        count = np.full(len(plain), plain.shape[1]) if whole else known.sum(axis=1)
        if self.shift is None:
            self.shift = plain.sum(axis=1) / np.maximum(count, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            moved = plain - self.shift[:, None]
            if not whole:
                moved = np.where(known, moved, 0)
            self.total += moved.sum(axis=1)
            self.squares += np.einsum("ij,ij->i", moved, moved)
        self.count += count
        return moved

    def sd(self) -> np.ndarray:
        count = np.maximum(self.count, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            variance = self.squares / count - (self.total / count) ** 2
            sd = np.sqrt(np.maximum(variance, 0))
        return np.where((sd > 0) & np.isfinite(sd), sd, 1.0)


def zeros_at_end(values: np.ndarray) -> int:
    """Steps at the end of a response at which every unit with a value has exactly 0; steps without any value do not
    count."""
    there = ~np.isnan(values)
    some = (there & (values != 0)).any(axis=0)
    last = len(some) - int(some[::-1].argmax()) if some.any() else 0
    return int(there[:, last:].any(axis=0).sum())


def without_zeros(values: np.ndarray) -> np.ndarray:
    """The response with NaN for exact zeros at its end in all units, and for units that have only zeros."""
    out = values.astype(values.dtype if values.dtype.kind == "f" else np.float64)
    some = (~np.isnan(out) & (out != 0)).any(axis=0)
    out[:, len(some) - int(some[::-1].argmax()) if some.any() else 0 :] = np.nan
    out[((out == 0) | np.isnan(out)).all(axis=1)] = np.nan
    return out


def told_of_repeats(repeats: list[str]) -> UsageError:
    """The error about prompts that repeat one another."""
    more = f" and {len(repeats) - 5} more" if len(repeats) > 5 else ""
    return UsageError(
        f"prompts are repeated: {', '.join(repeats[:5])}{more}",
        "keep one of each, or --repeats drop keeps the first",
    )
