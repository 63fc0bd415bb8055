"""A run's settings → the paragraph that a paper needs, with its sources. It only describes this run; docs/method.md
defines the words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import Row, Run
from synergy_tui.terms import COUPLED, NORMALISED, UNCALIBRATED_NULLS
from synergy_tui.units import Naming

SOURCES = {
    "phiid": "Mediano et al., Integrated Information Decomposition (ΦID), PNAS 122(39), 2025.",
    "brain": "Luppi et al., Nature Neuroscience 25:771, 2022.",
    "core": "arXiv:2601.06851 (a synergistic core in language models).",
    "difficulty": "arXiv:2603.29735 (differentiation and difficulty in language models).",
    "numit": "Liardi et al., NuMIT, arXiv:2410.11583.",
    "bias": "Goodman, 1963 (the entropy bias of Gaussian samples).",
    "phyid": "phyid, the reference implementation of Integrated Information Decomposition.",
}
"""The sources that docs/method.md names."""


@dataclass(frozen=True)
class Method:
    """sentences: the paragraph, with [1] where a source is cited. sources: in the order of citation. versions: of the
    software that made the run, by name."""

    sentences: list[str]
    sources: list[str]
    versions: dict[str, str]

    @property
    def paragraph(self) -> str:
        """The sentences as one text."""
        return " ".join(self.sentences)


class _Cited:
    """Numbers sources in the order of citation."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, *names: str) -> str:
        self.names += [name for name in names if name not in self.names]
        return f"[{', '.join(str(self.names.index(name) + 1) for name in names)}]"


def written(
    cache: Cache,
    run: Run,
    capture: Row,
    naming: Naming,
    units: int,
    ablation: str | None,
    network: str | None,
    ladder: str | None,
) -> Method:
    """The paragraph about a run and its further results."""
    cite = _Cited()
    sentences = [
        *_measured(run.row, capture, naming, units),
        *_decomposed(run.row, cite),
        *_scored(run, cite),
        *_against(run),
    ]
    versions = _versions(capture, run.row)
    if ablation:
        row = load.one(cache, "ablation", ablation)
        sentences += _ablated(row)
        versions |= _versions(row)
    if network:
        sentences += _networks(load.one(cache, "network", network))
    if ladder:
        sentences += _difficulty(load.one(cache, "ladder", ladder), cite)
    sentences.append(_software(versions, cite))
    return Method(sentences, [SOURCES[name] for name in cite.names], versions)


def counted(number: int, word: str, several: str = "") -> str:
    """A number with its word in the right form: 1 prompt, 24 prompts."""
    return f"{number:,} {word if number == 1 else several or f'{word}s'}"


def listed(words: list[str]) -> str:
    """Words as a sentence lists them: one, two and three."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


_KINDS = {
    "head": "attention (query) head",
    "ssm-head": "head of a state-space mixer",
    "expert": "routed expert",
    "attention": "attention block",
    "mlp": "MLP block",
}

_READ = {
    "head": "the attention-weighted sum of values, before the output projection",
    "ssm-head": "the output of the head, before the mixer's output projection",
    "expert": "the expert's output times its gate",
    "attention": "the output of the block",
    "mlp": "the output of the block",
}


def _measured(row: Row, capture: Row, naming: Naming, units: int) -> list[str]:
    """What was recorded, of which subject, and how it answered."""
    name, prompts, steps = row["name"], capture["prompts"], capture["steps"]
    where = counted(capture["layers"], "group" if naming.groups else "layer")
    if row["kind"] == "imported":
        return [
            f"Series of {counted(units, 'unit')} in {where} were measured elsewhere and imported as {name}: "
            f"{counted(prompts, 'response')} of up to {counted(steps, 'step')}.",
            _valid(capture, "step"),
        ]
    kinds = [one for one in row["kind"].split(",") if one in _KINDS] or ["head"]
    told = listed([f"each {_KINDS[one]} ({_READ[one]})" for one in kinds])
    size = f", {counted(row['parameters'], 'parameter')}" if row["parameters"] else ""
    family = f" ({row['model_type']} architecture{size})" if row["model_type"] else ""
    ran = ", ".join(one for one in (row["dtype"], f"device {row['device']}" if row["device"] else "") if one)
    out = [
        f"The activity of {counted(units, 'unit')} in {where} of {name}{family} was recorded at each generated token: "
        f"the L2 norm of what {told} contributes at the position that predicts the token.",
        f"The model{f' ({ran})' if ran else ''} was given {counted(prompts, 'prompt')} of the task set {row['tasks']} "
        f"and {_answered(capture)}, up to {counted(steps, 'token')} a response{_seeded(capture)}.",
        _valid(capture, "token"),
    ]
    return [one for one in out if one]


def _answered(capture: Row) -> str:
    decoding = capture["decoding"] or ""
    template = "its chat template" if capture["chat_template"] else "no chat template"
    system = " and a system prompt" if capture["system"] else ""
    if capture["replayed"]:
        return f"replayed the responses of {capture['replayed']}, with {template}{system}"
    name, comma, how = decoding.partition(", ")
    how = {"greedy": "greedily", "": "by itself"}.get(decoding, f"by {name}{f' ({how})' if comma else ''}")
    return f"answered {how}, with {template}{system}"


def _seeded(capture: Row) -> str:
    return "" if capture["seed"] is None else f" (seed {capture['seed']})"


def _valid(capture: Row, step: str) -> str:
    valid, prompts = capture["valid_prompts"], capture["prompts"]
    if valid is None or capture["min_steps"] is None:
        return ""
    least = counted(capture["min_steps"], step)
    if valid == prompts:
        every = "The" if valid == 1 else "All"
        return f"{every} {counted(valid, 'response')} had at least {least} and entered the analysis."
    were, rest = ("was" if valid == 1 else "were"), prompts - valid
    return (
        f"Of the {counted(prompts, 'response')}, {valid:,} had at least {least} and {were} analysed; "
        f"{'the other one was' if rest == 1 else f'the other {rest:,} were'} left out."
    )


def _decomposed(row: Row, cite: _Cited) -> list[str]:
    """How pairs were decomposed."""
    steps = [one.strip() for one in (row["preprocess"] or "raw").split(",") if one.strip() != "raw"]
    order = ", in this order" if len(steps) > 1 else ""
    series = f"after preprocessing ({', '.join(steps)}{order})" if steps else "as recorded"
    pairs = "the one pair of units" if row["pairs"] == 1 else f"each of the {counted(row['pairs'], 'pair')} of units"
    estimator = {
        "gaussian": "the Gaussian estimator",
        "discrete": "plug-in estimates of series binarised at their mean",
    }[row["estimator"]]
    redundancy = {
        "mmi": "minimum-mutual-information (MMI) redundancy",
        "ccs": "pointwise common-change-in-surprisal (CCS) redundancy",
    }[row["redundancy"]]
    over = (
        "responses were pooled and decomposed once"
        if row["pool"] == "pooled"
        else "atoms were computed per response and averaged over valid responses"
    )
    precision = {"float64": "double", "float32": "single"}.get(row["precision"], row["precision"])
    out = [
        f"For {pairs}, the time-delayed mutual information between past and future at lag τ = "
        f"{counted(row['lag'], 'step')} was decomposed into the sixteen atoms of Integrated Information Decomposition "
        f"(ΦID) {cite('phiid')}, with {estimator} and {redundancy}, in {precision} precision, from series {series}; "
        f"{over}."
    ]
    if row["bias"] == "analytic":
        out.append(f"Informations were corrected for the bias of short Gaussian samples {cite('bias')}.")
    invalid = (row["pairs"] or 0) - (row["valid_pairs"] if row["valid_pairs"] is not None else row["pairs"] or 0)
    if invalid:
        out.append(
            f"{counted(invalid, 'pair')} had no valid response and {'has' if invalid == 1 else 'have'} no value."
        )
    return out


def _scored(run: Run, cite: _Cited) -> list[str]:
    """From pairs to units, layers and intervals."""
    row = run.row
    published = f"Units were ranked by rank(sts) − rank(rtr) {cite('brain', 'core')} and by alternatives"
    if NORMALISED in run.contrasts:
        published += f", one of them relative to random systems of equal total information {cite('numit')}"
    out = [
        "A unit's value is the mean over all its partners; synergy is the atom sts, redundancy the atom rtr, in nats.",
        f"{published}; rankings were scaled to [0, 1].",
    ]
    compared = row.get("compared")
    if compared:
        one, other = run.naming.compared(compared)
        out.append(f"The contrast is the mean of {one} minus the mean of {other}, each counting once.")
    elif not run.naming.deep:
        out.append("Groups have no order in depth, and no groups were compared.")
    else:
        out.append("The contrast is the mean of layers with a depth in [1/3, 2/3] minus the mean of the others.")
    if row["replicates"]:
        seed = "" if row["seed"] is None else f", seed {row['seed']}"
        out.append(
            "Intervals (95 %) come from a two-way bootstrap that draws prompts, and then units within "
            f"{'layers' if run.naming.deep else 'groups'} ({counted(row['replicates'], 'replicate')}{seed})."
        )
    return out


def _against(run: Run) -> list[str]:
    """The surrogates that the values were compared with."""
    row = run.row
    nulls = row["nulls"] or []
    if not nulls:
        return [
            "No surrogates were drawn: excess synergy is relative to the independence offset 2·min(AIS), which stands "
            "in for them, and no unit was tested."
        ]
    what = {
        "prompt-shuffle": "prompt-shuffle, which gives each unit its responses in an order of its own",
        "window-roll": "window-roll, which rolls each unit's windows by an offset of its own",
    }
    told = ", and ".join(what.get(one, f"{one}, which is not calibrated") for one in nulls)
    draws = counted(row["surrogates"], "surrogate")
    each = f"{draws} of each of two nulls" if len(nulls) == 2 else f"{draws} of each of {len(nulls)} nulls"
    out = [f"Values were compared with {draws if len(nulls) == 1 else each}: {told}."]
    if row.get("misleading"):
        out.append(f"No unit was tested, because the data mislead every null: {'; '.join(row['misleading'])}.")
        return out
    trusted = [one for one in nulls if one not in UNCALIBRATED_NULLS]
    if len(trusted) > 1:
        out.append(
            f"A unit is called coupled if both nulls reject in one direction, at q < {COUPLED} (Benjamini–Hochberg "
            "over units)."
        )
    elif trusted:
        out.append("A single null calls no unit coupled; its q-values (Benjamini–Hochberg over units) are reported.")
    return out


def _ablated(row: Row) -> list[str]:
    """How units were removed."""
    how = {
        "zero": "their output was set to zero",
        "mean": "their output was set to its mean over other prompts",
        "resample": "their output was replaced by their output on another prompt",
        "noise": f"Gaussian noise (α = {row['alpha']}) was added to their weights",
    }[row["intervention"]]
    held = "prompts that were not replayed" if row["held_out"] else "all prompts"
    seeds = f" with {counted(row['seeds'], 'set')} of each random control" if row["seeds"] else ""
    if seeds and row.get("drawn") is not None and row["drawn"] < row["drawn_of"]:
        seeds = f" with at most{seeds[5:]}, drawn until the verdict was decided ({row['drawn']} of {row['drawn_of']})"
    return [
        f"Units were removed ({how}) in the orders {listed(list(row['orders']))}{seeds}, while the model was given its "
        f"intact responses to {counted(row['prompts'], 'prompt')}; the divergence is KL(intact ‖ ablated) in nats per "
        "token.",
        f"The orders follow {row['ranking']} from {held}.",
    ]


def _networks(row: Row) -> list[str]:
    return [
        "Pair values of sts and of rtr were taken as weighted networks at densities of 5, 10 and 20 %, minus "
        f"{counted(row['draws'], 'surrogate')} of {listed(list(row['nulls']) or ['no null'])}."
    ]


def _difficulty(row: Row, cite: _Cited) -> list[str]:
    return [
        f"Difficulty {cite('difficulty')} was varied over {counted(row['levels'], 'level')} of {row['name']} with up "
        f"to {counted(row['prompts_per_level'], 'prompt')} each, responses cut to {counted(row['steps'], 'token')}."
    ]


def _versions(*rows: Mapping[str, Any]) -> dict[str, str]:
    out: dict[str, str] = {}
    for row in rows:
        found = row.get("versions") or {}
        found = json.loads(found) if isinstance(found, str) else found
        out |= {str(name): str(one) for name, one in found.items()}
    return dict(sorted(out.items()))


def _software(versions: Mapping[str, str], cite: _Cited) -> str:
    named = [f"{name} {one}" for name, one in versions.items() if name != "synergy-tui"]
    own = f"synergy-tui {versions.get('synergy-tui', '')}".strip()
    with_ = f" ({', '.join(named)})" if named else ""
    follows = f"whose atoms follow the reference implementation phyid {cite('phyid')}"
    return f"Everything was computed with {own}{with_}, {follows}."
