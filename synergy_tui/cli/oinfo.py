"""oinfo: O-information of marked heads, or of each layer, against random sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import terms
from synergy_tui.cli.common import open_cache, options, print_json, print_table, say
from synergy_tui.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from synergy_tui.analysis.oinfo import Held
    from synergy_tui.units import Naming

FEWEST = 20
"""Random sets below which a quantile says nothing."""


@click.command()
@click.option(
    "--units", metavar="SET", help="Heads as 3.1,4.2,4.7, or by their names; without it each layer by itself."
)
@click.option("--sets", type=click.IntRange(FEWEST, 10**5), default=200, show_default=True, help="Random sets drawn.")
@click.option(
    "--bias", type=click.Choice(terms.BIASES), default=terms.BIASES[0], show_default=True, help="For short series."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random sets.")
@options(run=True)
def oinfo(
    run: str | None,
    latest: bool,
    units: str | None,
    sets: int,
    bias: str,
    seed: int,
    cache: Path | None,
    as_json: bool,
) -> None:
    """O-information of sets of heads in RUN: above 0 redundancy prevails in the set, below 0 synergy.

    It is measured on the heads' activity at the same step, after the run's preprocessing. Each set is compared with
    random sets of its size; marked heads also with sets that have as many heads in every layer.

    \b
    Example:  synergy-tui oinfo --latest
              synergy-tui oinfo --latest --units 3.1,4.2,4.7
    """
    import numpy as np

    from synergy_tui.analysis import oinfo as measured
    from synergy_tui.store import load

    opened = open_cache(cache)
    decomposition = load.find(opened, "decomposition", run, latest)
    row = load.one(opened, "decomposition", decomposition)
    load.needs_series(opened, row["capture"], "take O-information of")
    query = "SELECT unit_index, layer FROM units WHERE capture = $1 ORDER BY unit_index"
    there = load.rows(opened, query, row["capture"])
    known = np.array([one["unit_index"] for one in there])
    layer_of = np.zeros(known.max() + 1, int)
    layer_of[known] = [one["layer"] for one in there]
    chosen = _sets(units, load.naming(opened, row["capture"]), known, layer_of)
    matrices, steps = measured.correlations(_series(opened, row))
    chance = np.random.default_rng(seed)
    drawn: dict[int, np.ndarray] = {}
    found = []
    for name, one in chosen.items():
        own = measured.o_information(matrices, steps, one[None], bias)[0]
        if len(one) not in drawn:  # sets of one size share their random sets
            random = measured.random_sets(known, layer_of, one, sets, chance)
            drawn[len(one)] = measured.o_information(matrices, steps, random, bias)
        told = {"set": name, "heads": len(one)} | _told(measured.held_against(own, drawn[len(one)]))
        if units:
            random = measured.random_sets(known, layer_of, one, sets, chance, matched=True)
            others = measured.o_information(matrices, steps, random, bias)
            of_layers = _told(measured.held_against(own, others))
            told |= {f"layers {key}": of_layers[key] for key in ("random", "quantile", "p")}
        found.append(told)
    if as_json:
        return print_json({"decomposition": decomposition, "bias": bias, "sets": sets, "seed": seed, "found": found})
    print_table(found, whole=("set",))
    say(f"omega in nats, a mean over prompts with its 95 % interval; random: the mean of {sets} sets of the same size.")
    if any(one["omega"] is None for one in found):
        say("A set without omega has a head that does not vary, or about as many heads as responses have steps.")


def _series(cache: Any, row: dict[str, Any]) -> np.ndarray:
    """The series that was decomposed: valid responses after the preprocessing."""
    from synergy_tui.phiid.preparation import parse, preprocess
    from synergy_tui.store import load

    query = "SELECT prompt FROM responses WHERE capture = $1 AND valid ORDER BY prompt"
    series = load.series(cache, row["capture"], [one["prompt"] for one in load.rows(cache, query, row["capture"])])
    return preprocess(series, words) if (words := parse(row["preprocess"])) else series


def _sets(units: str | None, naming: Naming, known: np.ndarray, layer_of: np.ndarray) -> dict[str, np.ndarray]:
    """Sets by name: the marked units, or the units of each layer. Raises UsageError for too few."""
    import numpy as np

    from synergy_tui.analysis.oinfo import SMALLEST

    if units:
        marked = np.unique([naming.number(one) for one in units.split(",") if one.strip()]).astype(int)
        if absent := [naming.unit(one) for one in marked.tolist() if one not in known]:
            raise UsageError(f"no unit {absent[0]} in this capture", "name units that the map shows")
        if len(marked) < SMALLEST:
            raise UsageError(f"O-information of {len(marked)} units is 0, whatever they do", "name three or more")
        return {",".join(naming.unit(one) for one in marked.tolist()): marked}
    what = "group" if naming.groups else "layer"
    found = {f"{what} {naming.layer(layer)}": known[layer_of[known] == layer] for layer in range(naming.layers)}
    found = {name: one for name, one in found.items() if len(one) >= SMALLEST}
    if not found:
        raise UsageError(f"no {what} has {SMALLEST} units", f"name units of several {what}s: --units 0.0,1.0,2.0")
    return found


def _told(held: Held) -> dict[str, Any]:
    import math

    names = {"omega": held.value, "low": held.low, "high": held.high, "prompts": held.prompts}
    names |= {"random": held.mean, "quantile": held.quantile, "p": held.p}
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in names.items()}
