"""Tables of ranks beside a run: what their ranks are made of is found out, and what does not follow is shown."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.analysis.profile import contrast, profile
from synergy_tui.analysis.scores import ranks as ranked
from synergy_tui.analysis.scores import scaled
from synergy_tui.bench.made import make_run
from synergy_tui.errors import UsageError
from synergy_tui.incoming import ranks
from synergy_tui.incoming.ranks import compare_ranks
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import read

LAYERS, HEADS = 6, 5
UNITS = LAYERS * HEADS
COLUMNS = ["Layer", "Head", "Syn", "Red", "Syn_Red_Rank"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Cache, str]:
    cache = Cache.open(tmp_path_factory.mktemp("ranks") / "cache")
    return cache, make_run(cache, LAYERS, HEADS)


@pytest.fixture
def values(run) -> tuple[np.ndarray, np.ndarray]:
    """Synergy as the run has it, and a redundancy of the table's own."""
    return read(*run).scores["sts"].values, np.random.default_rng(0).uniform(size=UNITS)


def written(place, columns, *given, names=None):
    names = names or [divmod(unit, HEADS) for unit in range(UNITS)]
    rows = [[*name, *row] for name, row in zip(names, zip(*given, strict=True), strict=True)]
    place.write_text("\n".join(",".join(map(str, row)) for row in [columns, *rows]) + "\n")
    return place


def test_what_the_ranks_are_made_of_is_found_out(run, values, tmp_path):
    syn, red = values
    base = ranked(syn) - ranked(red)
    spread = base.max() - base.min()
    layered = [one.reshape(LAYERS, -1) for one in (syn, red)]
    for published, words in (
        (base, "syn_red_rank is rank(syn) − rank(red)."),
        (-base, "rank(syn) − rank(red), turned round."),
        (np.round((base - base.min()) / spread, 3), "rank(syn) − rank(red), min–max scaled to [0, 1]."),
        (np.round(2 * (base - base.min()) / spread - 1, 3), "min–max scaled to [−1, 1]."),
        (UNITS + 1 - ranked(base), "the rank of rank(syn) − rank(red), counted down: 1 is the highest."),
        (np.round(syn - red, 6), "syn_red_rank is syn − red."),
        ((ranked(layered[0]) - ranked(layered[1])).ravel(), "each within its layer."),
        (np.exp(base / 9), "syn_red_rank rises with rank(syn) − rank(red), but by no known rank or scale of it"),
    ):
        file = written(tmp_path / "r.csv", COLUMNS, syn, red, published)
        found = compare_ranks(run[0], file, run[1], "difference")
        assert words in found.told[-1], (words, found.told)
        assert found.agreement["syn ~ sts"] == pytest.approx(1)
    file = written(tmp_path / "r.csv", COLUMNS, syn, red, -base)
    turned = compare_ranks(run[0], file, run[1], "difference")
    plain = compare_ranks(run[0], written(tmp_path / "r.csv", COLUMNS, syn, red, base), run[1], "difference")
    assert turned.agreement == plain.agreement
    assert turned.contrasts == plain.contrasts
    assert plain.contrasts["table"] == pytest.approx(float(contrast(profile(scaled(base), LAYERS))))


def test_rows_that_do_not_follow_are_shown(run, values, tmp_path):
    syn, red = values
    base = ranked(syn) - ranked(red)
    wrong = base.copy()
    wrong[[1, 4, 7]] += 5
    found = compare_ranks(run[0], written(tmp_path / "r.csv", COLUMNS, syn, red, wrong), run[1], "difference")
    assert f"except for 3 of 30 rows: row 2 has {wrong[1]:g}, not {base[1]:g}; row 5 has" in found.told[-1]
    none = np.random.default_rng(0).permutation(UNITS)
    found = compare_ranks(run[0], written(tmp_path / "r.csv", COLUMNS, syn, red, none), run[1], "difference")
    assert "syn_red_rank follows from no value beside it" in found.told[-2]
    assert found.told[-2].count(" has ") == 5
    assert found.disagreements[0]["apart"] == max(one["apart"] for one in found.disagreements)
    counted = [UNITS + 1 - ranked(one) for one in (syn, red)]
    columns = [*COLUMNS[:4], "Syn_Rank", "Red_Rank"]
    found = compare_ranks(run[0], written(tmp_path / "r.csv", columns, syn, red, *counted), run[1], "difference")
    assert "syn_rank is rank(syn), counted down: 1 is the highest." in found.told
    assert found.told[-1] == "The table is ranked by rank(syn) − rank(red)."


def test_a_table_of_layers_and_one_numbered_from_1(run, values, tmp_path):
    syn, red = (one.reshape(LAYERS, -1).mean(axis=1) for one in values)
    file = written(tmp_path / "l.csv", ["layer", "syn", "red"], syn, red, names=[(layer,) for layer in range(LAYERS)])
    found = compare_ranks(run[0], file, run[1], "difference")
    assert (found.per_layer, found.rows) == (True, LAYERS)
    assert found.agreement["syn ~ sts"] == pytest.approx(1)
    names = [(unit // HEADS + 1, unit % HEADS + 1) for unit in range(UNITS)]
    found = compare_ranks(
        run[0], written(tmp_path / "o.csv", COLUMNS, *values, values[0], names=names), run[1], "difference"
    )
    assert "Layers and heads are numbered from 1 in the table." in found.told
    assert found.agreement["syn ~ sts"] == pytest.approx(1)


def test_other_shapes_and_units_named_twice_are_refused(run, values, tmp_path):
    less = [one[: UNITS - HEADS] for one in values]
    names = [divmod(unit, HEADS) for unit in range(UNITS - HEADS)]
    with pytest.raises(UsageError, match=r"has 5 × 5 \(layers × heads\), the run 6 × 5"):
        compare_ranks(run[0], written(tmp_path / "a.csv", COLUMNS[:4], *less, names=names), run[1], "difference")
    twice = [*[divmod(unit, HEADS) for unit in range(UNITS)], (2, 2)]
    more = [np.append(one, 1.0) for one in values]
    with pytest.raises(UsageError, match="several rows for one unit: rows 31 · keep one of each"):
        compare_ranks(run[0], written(tmp_path / "b.csv", COLUMNS[:4], *more, names=twice), run[1], "difference")
    assert not ranks.recognised(["layer", "head", "name"])
    with pytest.raises(UsageError, match="is not a table of ranks"):
        compare_ranks(run[0], written(tmp_path / "c.csv", ["layer", "head", "name"], values[0]), run[1], "difference")


def test_the_command_holds_a_table_against_a_run(run, values, tmp_path):
    from conftest import Command

    command = Command(run[0].folder)
    base = ranked(values[0]) - ranked(values[1])
    file = written(tmp_path / "r.csv", COLUMNS, *values, base[::-1])
    told = command("compare", run[1], f"{file}", "--ranking", "difference").stdout
    assert "Spearman over 30 units" in told
    assert "units whose places differ most" in told
    found = command.json("compare", f"{file}", run[1], "--ranking", "difference")
    assert set(found["contrasts"]) == {"table", "run"}
    assert "is a table of ranks" in command("import", f"{file}", code=2).stderr
    assert "a table is compared with one run" in command("compare", f"{file}", code=2).stderr
