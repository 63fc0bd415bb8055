"""Figures: what is drawn is what the tables hold, the same command writes the same bytes, and nothing in a prompt or a
name is a formula or markup."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import Command
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from synergy_tui import figures
from synergy_tui.analysis import meta
from synergy_tui.bench.atlas import make_atlas
from synergy_tui.bench.made import make_run
from synergy_tui.drawing import curves, pooling, scale
from synergy_tui.errors import UsageError
from synergy_tui.settings import shipped
from synergy_tui.store import atlas, load, walk
from synergy_tui.store.archive import Archive
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import read
from synergy_tui.terms import ATOMS

HOSTILE = ("$\\frac{a}{b}$ ", "\x1b[31mred", " </text><script>", " &\"'", "\n", "", " word")

GROUPS = ["visual_$x$", "motor", "association"]


@pytest.fixture(scope="module")
def sample() -> tuple[Archive, str]:
    archive = Archive.open(shipped("sample"))
    return archive, load.find(archive, "decomposition", None, latest=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cache, str]:
    """A run of named groups without an order, with a hole, a unit without a value, a ladder and a card."""
    cache = Cache.open(tmp_path_factory.mktemp("made"))
    run = make_run(cache, 3, 4, name="made", text=HOSTILE, called="$\\evil$ <b>&\x07")
    make_run(cache, 3, 4, name="other")
    with cache.write() as con:
        names = "', '".join(GROUPS)
        con.execute(f"UPDATE units SET group_name = ['{names}'][layer + 1], name = 'r' || unit_index, depth = NULL")
        con.execute("DELETE FROM units WHERE capture = 'cmade' AND unit_index = 7")
        con.execute("UPDATE unit_scores SET value = NULL, scaled = NULL WHERE unit_index IN (2, 7)")
        con.execute("UPDATE layer_profiles SET depth = NULL")
        con.execute("UPDATE decompositions SET compared = 'association:motor'")
        con.execute("UPDATE contrasts SET contrast = 0.2, low = 0.1, high = 0.3")
        ladder = "ladder, capture, subject, name, ranking, order_parameter"
        con.execute(f"INSERT INTO ladders ({ladder}) VALUES ('l1', 'cmade', 'scmade', 'sums', 'z', 'contrast')")
        for level, value in ((1, 0.5), (2, None), (3, -0.25)):
            columns = "ladder, level, name, map, prompts, used, unparsable, failed, unfinished"
            of = [level, f"{level} digits", run if level == 1 else None]
            con.execute(f"INSERT INTO ladder_levels ({columns}) VALUES ('l1', ?, ?, ?, 9, 9, 0, 0, 0)", of)
            low, high = (None, None) if value is None else (value - 0.1, value + 0.2)
            columns = "ladder, order_parameter, level, value, low, high"
            of = [level, value, low, high]
            con.execute(f"INSERT INTO ladder_curves ({columns}) VALUES ('l1', 'contrast', ?, ?, ?, ?)", of)
        con.execute(f"INSERT INTO cards (card, decomposition, capture, budget) VALUES ('k1', '{run}', 'cmade', 0.1)")
        columns = "card, claim, statement, verdict, effect, measure, low, high, n, missing"
        for row in (
            ("C1", "it is $so$", "supported", 0.5, "contrast", 0.25, 1.0, 9, ""),
            ("C3", "it is more", "not supported", 2.0, "area, × random", 0.25, 4.0, 9, ""),
            ("C5", "it is learned", "inconclusive", None, "contrast", None, None, None, "controls"),
        ):
            con.execute(f"INSERT INTO claims ({columns}) VALUES ('k1', {', '.join('?' * 9)})", list(row))
    return cache, run


def words(figure: Figure) -> list[str]:
    """All that is written, as it is written."""
    figure.draw_without_rendering()
    found = [one for one in figure.findobj(Text) if one.get_visible() and one.get_text()]
    assert not any(one.get_parse_math() for one in found)
    return [one.get_text() for one in found]


def test_a_map_is_the_scores_in_the_terminals_colours(sample):
    cache, run = sample
    figure = figures.figure(cache, "map", run, width="page", ranking="excess", unit="14.6")
    found = read(cache, run)
    axes, beside = figure.axes[:2]
    (mesh,) = [one for one in axes.collections if isinstance(one, QuadMesh)]
    np.testing.assert_array_equal(np.asarray(mesh.get_array()), found.scores["excess"].shown.reshape(30, 9))
    assert [to_hex(one) for one in mesh.get_cmap().colors] == list(scale.palette("truecolor", True, False))
    assert mesh.get_clim() == (0, 1)
    ends = np.array(beside.collections[0].get_segments())
    rows = found.profiles["excess"]
    np.testing.assert_allclose(ends[:, :, 0], [[one["low"], one["high"]] for one in rows])
    assert {"layer", "head", "redundant  ←  excess, scaled  →  synergistic"} <= set(words(figure))
    ring = axes.lines[-1].get_xydata()
    assert ring.min(axis=0).tolist() == [5.5, 13.5]


def test_holes_are_empty_and_what_has_no_value_is_a_point(made):
    cache, run = made
    figure = figures.figure(cache, "map", run)
    axes = figure.axes[0]
    values = axes.collections[0].get_array()
    assert np.argwhere(np.ma.getmaskarray(values)).tolist() == [[0, 2], [1, 3]]
    assert axes.lines[0].get_xydata().tolist() == [[2, 0]]
    assert [one.get_text() for one in axes.get_yticklabels()] == GROUPS
    assert axes.get_ylabel() == ""
    assert any(one.startswith("$\\evil$ <b>&\\x07") for one in words(figure))


def test_a_profile_has_its_intervals(sample):
    cache, run = sample
    figure = figures.figure(cache, "profile", run)
    (axes,) = figure.axes
    rows = read(cache, run).profiles["rank-difference"]
    (band,) = [one for one in axes.collections if one.get_label() != "" and len(one.get_paths()[0].vertices) > 50]
    corners = {(round(x), round(y, 9)) for x, y in band.get_paths()[0].vertices}
    for row in rows:
        assert {(row["layer"], round(row[end], 9)) for end in ("low", "high")} <= corners
    np.testing.assert_allclose(axes.lines[-1].get_ydata(), [one["value"] for one in rows])
    assert any("contrast +0.09 [+0.05, +0.14]" in one for one in words(figure))


def test_groups_without_an_order_are_no_axis(made):
    cache, run = made
    figure = figures.figure(cache, "profile", run)
    (axes,) = figure.axes
    assert [one.get_text() for one in axes.get_yticklabels()] == GROUPS
    assert "middle third" not in words(figure)
    assert any("association − motor +0.20 [+0.10, +0.30]" in one for one in words(figure))
    both = figures.figure(cache, "compare", run, other="dother")
    assert [one.get_text() for one in both.axes[0].get_xticklabels()] == GROUPS
    assert not any("depth" in one for one in words(both))


def test_a_matrix_is_of_all_pairs(sample):
    cache, run = sample
    figure = figures.figure(cache, "pairs", run, width="page", pair="14.6,8.2")
    assert len(figure.axes) == 4  # synergy beside redundancy, each with its scale
    for axes, atom in zip(figure.axes, ("sts", "rtr"), strict=False):
        matrix = walk.pair_matrix(cache, run, atom, 270)
        (image,) = axes.images
        shown = np.ma.filled(image.get_array(), np.nan)
        np.testing.assert_array_equal(shown, matrix)
        low, high = pooling.ends(matrix)
        assert image.get_clim() == pytest.approx((low, high) if low >= 0 else (-max(-low, high), max(-low, high)))
    assert {"sts, nats", "rtr, nats"} <= set(words(figure))
    assert figure.axes[0].lines[0].get_xydata().min(axis=0).tolist() == [8 * 9 + 1.5, 14 * 9 + 5.5]
    more = figures.figure(cache, "pairs", run, score="tdmi")
    assert len(more.axes) == 2


def test_a_matrix_leaves_holes_out(made):
    cache, run = made
    axes = figures.figure(cache, "pairs", run, width="page", score="sts").axes[0]
    assert axes.images[0].get_array().shape == (11, 11)
    names = [f"r{one}" for one in range(12) if one != 7]
    assert [one.get_text() for one in axes.get_yticklabels()] == names


def test_a_network_has_an_arc_for_each_strong_pair(sample):
    cache, run = sample
    axes = figures.figure(cache, "network", run).axes[0]
    up, down = (one for one in axes.collections if isinstance(one, LineCollection))
    query = f"SELECT x, y FROM pairs WHERE decomposition = '{run}' ORDER BY sts DESC, x, y LIMIT 60"
    pairs = load.rows(cache, query)
    assert len(up.get_segments()) == len(down.get_segments()) == 60
    gap = max(0.6, 0.012 * 270)
    place = lambda unit: unit + unit // 9 * gap  # noqa: E731
    first = up.get_segments()[-1]
    between = [place(pairs[0]["x"]), place(pairs[0]["y"])]
    assert [first[0][0], first[-1][0]] == pytest.approx(between)
    assert (first[:, 1] > 0).all()
    assert (down.get_segments()[0][:, 1] < 0).all()


def test_tokens_have_their_local_values_as_colours(made):
    cache, run = made
    figure = figures.figure(cache, "tokens", run, pair="r1,motor.0", prompt=1)
    text, curve = figure.axes[0], figure.axes[-1]
    from synergy_tui.phiid.local import local_pair

    series = walk.series_of_prompt(cache, "cmade", 1)
    values = local_pair(series[1], series[4]).atoms[:, ATOMS.index("sts")]
    np.testing.assert_allclose(curve.lines[1].get_ydata()[1:], values)
    assert math.isnan(curve.lines[1].get_ydata()[0])  # the first step has no past
    colours = scale.palette("truecolor", True, False)
    reach = np.abs(values).max()
    grounds = [to_hex(one.get_facecolor()) for one in text.patches if isinstance(one, Rectangle)]
    assert grounds == [colours[scale.step(0.5 + one / (2 * reach), len(colours))] for one in values]
    written = "".join(one.get_text() for one in text.texts)
    assert written.startswith("$\\frac{a}{b}$ \\x1b[31mred </text><script> &\"'↵∅ word$\\frac")
    assert not figures.lacking(figure)
    assert "r1 with r4" in " ".join(words(figure))


def test_a_long_response_ends_with_a_count_of_what_is_left_out(made):
    cache, _ = made
    run = make_run(cache, 2, 3, name="long", text=(" a-rather-long-token",), steps=2000, prompts=1)
    figure = figures.figure(cache, "tokens", run, unit="0.1")
    assert figure.get_size_inches()[1] < 9.6
    shown = [one.get_text() for one in figure.axes[0].texts]
    (left,) = re.findall(r"… ([\d,]+) more tokens", shown[-1])
    assert len(shown) - 1 + int(left.replace(",", "")) == 2000


def test_curves_are_those_of_the_newest_ablation(sample):
    cache, run = sample
    figure = figures.figure(cache, "ablation", run)
    axes, beside = figure.axes
    newest = load.ablation(cache, walk.ablations(cache, run)[0]["ablation"])
    lines = curves.by_line(newest["orders"])
    drawn = {one.get_label(): one for one in axes.lines}
    assert list(drawn) == list(lines)
    for name, some in lines.items():
        expected = [0.0, *(point["divergence"] for point in curves.mean(some).values())]
        np.testing.assert_allclose(drawn[name].get_ydata(), expected)
    some = lines["random"]
    seeds = np.array([one["divergence"] for one in some])
    expected = np.quantile(seeds, curves.BAND, axis=0)
    (band,) = [one for one in axes.collections if to_hex(one.get_facecolor()) == to_hex(drawn["random"].get_color())]
    corners = band.get_paths()[0].vertices[:, 1]
    for value in expected.ravel():
        assert np.isclose(corners, value).any()
    ends = np.array(beside.collections[0].get_segments())[:, :, 0]
    rows = [one for one in newest["ratios"] if one["category"] is None]
    np.testing.assert_allclose(ends, [[one["low"], one["high"]] for one in rows])
    assert axes.get_ylabel() == "divergence, nats per token"


def test_a_ladder_has_gaps_where_it_has_no_value(made):
    cache, run = made
    figure = figures.figure(cache, "difficulty", run)
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[-1].get_ydata(), [0.5, np.nan, -0.25])
    ends = np.array([one for one in axes.collections[0].get_segments() if len(one)])
    assert [0.4, 0.7] in ends[:, :, 1].round(9).tolist()
    assert [one.get_text() for one in axes.get_xticklabels()] == ["1 digits", "2 digits", "3 digits"]
    assert figures.figure(cache, "difficulty", "l1").get_label() == figure.get_label()


def test_a_card_draws_effects_where_there_are_some(made):
    cache, run = made
    figure = figures.figure(cache, "claims", run, width="page")
    (axes,) = figure.axes
    points = [one.get_xdata()[0] for one in axes.lines if one.get_marker() == "o"]
    dashed = [one.get_xdata()[0] for one in axes.lines if one.get_linestyle() == "--"]
    whiskers = [one.get_xdata() for one in axes.lines if one.get_linewidth() == 1.2 and one.get_marker() == "None"]
    assert len(points) == len(dashed) == len(whiskers) == 2
    (low, high), (least, most) = whiskers
    middle = dashed[0]
    # 0.25, 0.5 and 1 from 0; and a ratio of 2 between a quarter and four, which are as far from 1.
    assert [(points[0] - middle) / (high - middle), (low - middle) / (high - middle)] == pytest.approx([0.5, 0.25])
    assert [(points[1] - middle) / (most - middle), (least - middle) / (most - middle)] == pytest.approx([0.5, -1])
    told = " ".join(words(figure))
    for part in ("it is $so$", "● supported", "✖ not supported", "○ inconclusive", "missing: controls"):
        assert part in told


def test_runs_side_by_side_have_profiles_and_a_difference(made):
    cache, run = made
    figure = figures.figure(cache, "compare", run, other="dother", ranking="z")
    first, other = (read(cache, one).scores["z"].shown.reshape(3, 4) for one in (run, "dother"))
    mesh = figure.axes[1].collections[0]
    np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), np.nan), other - first)


def test_a_panel_is_drawn_on_axes_of_the_callers(sample, made):
    for kind in ("map", "network", "tokens", "difficulty", "claims"):
        cache, run = sample if kind == "network" else made
        figure = Figure((4, 3))
        axes = figure.subplots()
        figures.draw(axes, cache, kind, run)
        assert axes.has_data(), kind
        assert figure.axes == [axes]


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_command_writes_the_same_bytes(form, made, tmp_path):
    cache, run = made
    command = f"synergy-tui figure map {run} --unit '$r1$' -o map.{form}"
    contents = []
    for name in ("one", "two"):
        figure = figures.figure(cache, "map", run, dark=True)
        figures.note(figure, command)
        figures.save(figure, tmp_path / f"{name}.{form}", command)
        contents.append((tmp_path / f"{name}.{form}").read_bytes())
    assert contents[0] == contents[1]
    assert command.replace("'", "&#39;").encode() in contents[0].replace(b"'", b"&#39;")
    assert b"Date" not in contents[0]


def test_svg_in_a_page_keeps_to_itself(made):
    cache, run = made
    texts = [figures.svg(figures.figure(cache, kind, run), 'a "b" <c>') for kind in ("map", "tokens")]
    known: set[str] = set()
    for text in texts:
        assert text.startswith("<svg")
        root = ElementTree.fromstring(text)
        ids = [one.attrib["id"] for one in root.iter() if "id" in one.attrib]
        assert len(ids) == len(set(ids))
        assert not known & set(ids)
        known |= set(ids)
        used = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
        assert set(used) <= set(ids)
        assert used
        title, told = (root.find(f"{{http://www.w3.org/2000/svg}}{name}") for name in ("title", "desc"))
        assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], told.attrib["id"]]
        assert "$\\evil$ <b>&\\x07" in title.text
        assert told.text == 'a "b" <c>'
        assert "script" not in {one.tag.rpartition("}")[2] for one in root.iter()}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("map -o x.jpg", "'x.jpg' does not end like a figure · end it with .svg, .pdf, .png"),
        ("map -o nowhere/x.svg", "there is no folder"),
        ("map -o there.svg", "is there already · give another name, or --force"),
        ("map", "a figure needs a file · name it: -o figure.pdf"),
        (
            "map --prompt 1 -o x.svg",
            "figure map takes no --prompt · of these options it takes --ranking, --score, --unit",
        ),
        ("map --ranking z --score sts -o x.svg", "leave one of them out"),
        ("map --score none -o x.svg", "has no score 'none'"),
        ("map --unit 9.9 -o x.svg", "no unit '9.9'"),
        ("map --unit motor.3 -o x.svg", "no unit motor.3 in this capture"),
        ("map --width wide -o x.svg", "'wide' is not a width of a figure"),
        ("map --width nan -o x.svg", "'nan' is not a width of a figure"),
        ("map --font Comic$ -o x.svg", "the font 'Comic$' is not installed here"),
        ("pairs --pair 1.1 -o x.svg", "'1.1' is not a pair of units · name two units: --pair 3.1,4.2"),
        ("tokens --prompt 99 -o x.svg", "there is no prompt 99 in this run · prompts are numbers from 0 to 3"),
        ("ablation -o x.svg", "nothing was removed from dmade yet · synergy-tui ablate dmade"),
        ("compare --category all -o x.svg", "dmade has 0 categories with two prompts long enough"),
        ("difficulty --score excess -o x.svg", "figure difficulty has no score 'excess' · known: contrast"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_a_line(arguments, told, made, tmp_path, monkeypatch):
    cache, run = made
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.svg").write_text("mine")
    kind, *others = arguments.split()
    got = Command(cache.folder)("figure", kind, run, *others, code=2)
    assert told in got.stderr
    assert got.stderr.count("\n") == 1
    assert (tmp_path / "there.svg").read_text() == "mine"
    assert not (tmp_path / "x.svg").exists()


def test_without_matplotlib_it_says_what_to_install(made, tmp_path, monkeypatch):
    cache, run = made
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    got = Command(cache.folder)("figure", "map", run, "-o", str(tmp_path / "x.svg"), code=2)
    assert 'pip install "synergy-tui[figures]"' in got.stderr


@pytest.mark.worker
def test_another_process_writes_the_same_and_loads_no_model(made, tmp_path):
    cache, run = made
    line = ["figure", "tokens", run, "--unit", "r1", "--cache", str(cache.folder), "--json", "--note"]
    told: Any = json.loads(Command(cache.folder)(*line, "-o", str(tmp_path / "x.pdf")).stdout)
    assert told["command"] == f"synergy-tui figure tokens {run} --unit r1 --note -o x.pdf"
    heavy = "{'torch', 'jax', 'scipy', 'transformers', 'matplotlib.pyplot'}"
    program = (
        f"import sys; from synergy_tui.cli import main; main(sys.argv[1:]); sys.exit(bool({heavy} & set(sys.modules)))"
    )
    folder = tmp_path / "again"
    folder.mkdir()
    environment = os.environ | {"PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "0", "MPLCONFIGDIR": str(_odd(tmp_path))}
    done = subprocess.run(
        [sys.executable, "-c", program, *line, "-o", str(folder / "x.pdf")], env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    content = (folder / "x.pdf").read_bytes()
    assert content == (tmp_path / "x.pdf").read_bytes()
    assert told["command"].encode() in content
    assert b"Date" not in content


def _odd(folder: Path) -> Path:
    """A user's own settings of matplotlib, which no figure has."""
    (folder / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsvg.fonttype: none\nfigure.dpi: 30\n")
    return folder


# Over all cards


@pytest.fixture(scope="module")
def atlas_of_many(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    cache = Cache.open(tmp_path_factory.mktemp("atlas"))
    make_atlas(cache, 5, layers=4, per_layer=2)
    with cache.write() as con:
        con.execute("UPDATE subjects SET name = '$\\evil$ <b>' WHERE name = 'made 003'")
    return cache


def test_a_forest_has_the_effects_of_cards_and_their_mean(atlas_of_many: Cache) -> None:
    made = figures.figure(atlas_of_many, "forest", claim="C4")
    cards = atlas.read(atlas_of_many).cards
    (axes,) = made.axes
    drawn = sorted(float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "s")
    assert drawn == sorted(one.claims["C4"].effect for one in cards)
    mean = meta.groups(cards, "C4")[0].result
    diamond = axes.patches[0].get_xy()[:, 0]
    assert mean is not None
    assert (diamond.min(), diamond.max()) == pytest.approx((mean.low, mean.high))
    names = [one.get_text() for one in axes.get_yticklabels()]
    assert names[-2:] == ["mean of 5", "another model"]
    assert "$\\evil$ <b>" in names
    (told,) = (one.get_text() for one in made.texts if "Random effects" in one.get_text())
    assert "5 models of 5 families" in " ".join(told.split())


def test_profiles_of_all_models_are_their_cards(atlas_of_many: Cache) -> None:
    (axes,) = figures.figure(atlas_of_many, "profiles").axes
    cards = atlas.read(atlas_of_many).cards
    for line, one in zip(axes.lines, cards, strict=False):
        assert list(line.get_ydata()) == [point.value for point in one.profile]
    assert len(axes.lines) == len(cards) + 1


def test_a_figure_over_all_cards_takes_no_run_and_is_remade_by_its_command(
    atlas_of_many: Cache, tmp_path: Path
) -> None:
    command, line = Command(atlas_of_many.folder), ("figure", "forest", "-o", str(tmp_path / "a.svg"))
    done = json.loads(command(*line, "--claim", "C1", "--json").stdout)
    assert done["command"] == "synergy-tui figure forest --claim C1 -o a.svg"
    assert "not about a run" in command(*line, "--latest", "--force", code=2).stderr
    for claim, told in {"C7": "no claim 'C7'", "C2": "an effect for C2"}.items():
        with pytest.raises(UsageError, match=told):
            figures.figure(atlas_of_many, "forest", claim=claim)
