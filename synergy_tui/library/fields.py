"""Argument types of the functions that start jobs: the fields of requests (jobs/specs), which read, check and explain
them. A test keeps the two in agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class CaptureFields(TypedDict, total=False):
    """Fields of CaptureRequest."""

    tasks: str
    prompts: int | None
    steps: int
    min_steps: int
    kinds: Sequence[str]
    batch: int | None
    dtype: str | None
    tensor_parallel: int
    chat: bool
    system: str | None
    temperature: float
    top_p: float
    replay: str | None
    revision: str | None
    adapter: str | None
    random_weights: bool
    weights_seed: int | None
    allow_pickle: bool
    allow_remote_code: bool
    device: str | None
    seed: int


class MethodFields(TypedDict, total=False):
    """Fields of DecomposeRequest, except those that every request has."""

    estimator: str
    redundancy: str
    lag: int
    pool: str
    preprocess: str
    precision: str
    bias: str
    compared: str | None
    surrogates: int
    nulls: Sequence[str]


class DecomposeFields(MethodFields, total=False):
    """Fields of DecomposeRequest."""

    device: str | None
    seed: int


class RunFields(CaptureFields, MethodFields, total=False):
    """Fields of both."""


class AblateFields(TypedDict, total=False):
    """Fields of AblateRequest."""

    orders: Sequence[str]
    units: Sequence[str]
    seeds: int
    fractions: Sequence[float]
    stop: str
    ranking: str
    intervention: str
    alpha: float
    reference: int | None
    prompts: int
    batch: int
    dtype: str | None
    tensor_parallel: int
    tasks: str
    answer_steps: int
    answers: bool
    budget: float | None
    save: str | None
    pairs: int
    pairs_by: Sequence[str]
    allow_pickle: bool
    allow_remote_code: bool
    device: str | None
    seed: int


class ClaimsFields(TypedDict, total=False):
    """Fields of ClaimsRequest."""

    ranking: str
    budget: float
    parts: Sequence[str]
    fresh: bool
    device: str | None
    seed: int
