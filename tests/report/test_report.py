"""What a report says: the method of this run, its doubts, its tables; and where it is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Command

from synergy_tui.report import content, method, tables
from synergy_tui.settings import shipped
from synergy_tui.store.archive import Archive
from synergy_tui.store.cache import Cache


@pytest.fixture(scope="module")
def sample() -> content.Content:
    return content.gather(Archive.open(shipped("sample")), "dfe1085f5")


def test_the_method_has_this_runs_settings(sample: content.Content) -> None:
    told = sample.method.paragraph
    for part in (
        "270 units in 30 layers of SmolLM2-135M-Instruct (llama architecture, 134,515,008 parameters)",
        "30 prompts of the task set cognitive and answered greedily, with its chat template, up to 80 tokens",
        "All 30 responses had at least 20 tokens",
        "each of the 36,315 pairs of units",
        "lag τ = 1 step",
        "the Gaussian estimator and minimum-mutual-information (MMI) redundancy, in double precision",
        "1,000 replicates, seed 0",
        "200 surrogates of each of two nulls: prompt-shuffle",
        "their output was set to zero",
        "with 20 sets of each random control",
        "synergy-tui 0.1.0 (jax 0.10.2",
    ):
        assert part in told
    # Every source is cited.
    assert [f"[{number}" in told or f" {number}]" in told for number in range(1, len(sample.method.sources) + 1)] == [
        True
    ] * len(sample.method.sources)
    assert "PNAS 122(39)" in sample.method.sources[0]
    assert "arXiv:2410.11583" not in " ".join(sample.method.sources)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pairs": 1}, "For the one pair of units, the"),
        ({"lag": 2}, "lag τ = 2 steps"),
        ({"preprocess": "log,detrend"}, "after preprocessing (log, detrend, in this order)"),
        ({"preprocess": "drop=5"}, "after preprocessing (drop=5)"),
        ({"redundancy": "ccs", "estimator": "discrete"}, "common-change-in-surprisal"),
        ({"pool": "pooled"}, "responses were pooled and decomposed once"),
        ({"bias": "analytic"}, "corrected for the bias of short Gaussian samples"),
        ({"pairs": 10, "valid_pairs": 9}, "1 pair had no valid response and has no value"),
    ],
)
def test_the_method_follows_the_settings(sample: content.Content, changes: dict[str, Any], told: str) -> None:
    assert told in " ".join(method._decomposed(sample.run.row | changes, method._Cited()))


def test_responses_are_counted_in_good_grammar(sample: content.Content) -> None:
    def valid(**changes: Any) -> str:
        return method._valid(sample.capture | changes, "token")

    assert valid(prompts=1, valid_prompts=1).startswith("The 1 response had at least")
    assert valid(prompts=3, valid_prompts=1).endswith(
        "1 had at least 20 tokens and was analysed; the other 2 were left out."
    )
    assert valid(prompts=2, valid_prompts=1).endswith("the other one was left out.")


def test_doubts_come_worst_first_with_their_meaning(sample: content.Content) -> None:
    assert [one.level for one, _ in sample.doubts] == sorted(one.level for one, _ in sample.doubts)
    assert sample.doubts[0][0].name == "synergy~autocorrelation"
    assert all(why for _, why in sample.doubts)
    assert not any("`" in why for _, why in sample.doubts)


def test_tables_are_those_of_the_cache(sample: content.Content) -> None:
    found = {one.name: one for one in sample.tables}
    assert {"units", "profile", "contrasts", "nulls", "ablation-curves"} <= set(found)
    assert "claims" not in found
    units = found["units"]
    place = units.columns.index("rank-difference scaled")
    shown = sample.run.scores["rank-difference"].shown
    assert [row[place] for row in units.rows] == shown.tolist()
    assert len(found["nulls"].rows) == 270 * 2 * 3


def test_csv_has_no_formulas_and_whole_numbers() -> None:
    cells = ["=1", "+1", "-1", "@x", "\t=1", " =1", "plain", -1.5, 1e-12, float("nan"), None, True, ["=1", "b"]]
    line = tables.as_csv(["=head"], [cells]).splitlines()
    assert line[0] == "'=head"
    assert line[1] == "'=1,'+1,'-1,'@x,'\t=1,' =1,plain,-1.5,1e-12,,,true,'=1; b"


def test_a_card_is_told_with_its_parts_and_its_absence_with_a_command(made: Path) -> None:
    from synergy_tui.report import page

    without = content.gather(Cache.open(made), "d6x4")
    assert without.card is None
    assert "synergy-tui claims d6x4" in page.page(without, [])
    with Cache.open(made).write() as con:
        con.execute(
            "INSERT INTO cards (card, decomposition, capture, parts, budget, method, seed) VALUES "
            "('k1', 'd6x4', 'c6x4', '{}', 0.1, 2, 0)"
        )
        con.execute(
            "INSERT INTO claims (card, claim, statement, verdict, effect, measure, low, high, n, holds_under, "
            "\"of\", missing, told, against) VALUES ('k1', 'C1', 'says <b>', 'supported', 0.5, 'contrast', 0.2, "
            "0.8, 12, ['z'], ['z', 'excess'], '', 'told', [])"
        )
    text = page.page(content.gather(Cache.open(made), "d6x4"), [])
    assert "C1 says &lt;b&gt;" in text
    assert "Contrast +0.5 [+0.2, +0.8], n 12." in text
    assert "d6x4-claims.csv" in text


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed: a report then has no figures, and is made in a moment."""
    for name in [one for one in sys.modules if one.startswith(("synergy_tui.figures", "matplotlib"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_it_writes_over_nothing_unasked(made: Path, command: Command, tmp_path: Path, without_matplotlib: None) -> None:
    target = tmp_path / "out.html"
    command("report", "d6x4", "-o", str(target))
    target.write_text("mine")
    assert (
        "is there already · give another name, or --force"
        in command("report", "d6x4", "-o", str(target), code=2).stderr
    )
    assert target.read_text() == "mine"
    assert json.loads(command("report", "d6x4", "-o", str(target), "--force", "--json").stdout)["files"] == [
        str(target)
    ]
    assert target.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "there is no folder" in command("report", "d6x4", "-o", str(tmp_path / "no/x.html"), code=2).stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert "no ranking" in command("report", "d6x4", "--ranking", "nothing", code=2).stderr


def test_without_matplotlib_it_says_what_to_install(made: Path, without_matplotlib: None) -> None:
    from synergy_tui.report import pictures

    found = pictures.draw(Cache.open(made), "d6x4", "rank-difference", {})
    assert {one.kind for one in found if 'pip install "synergy-tui[figures]"' in one.missing} >= {"map", "profile"}


@pytest.mark.worker
def test_no_model_and_no_jax_is_loaded(made: Path, tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys; from synergy_tui.cli import main; "
        f"code = main(['report', 'd6x4', '-o', {str(tmp_path / 'x.html')!r}, '--cache', {str(made)!r}]); "
        "print(code, sorted({'torch', 'jax', 'transformers', 'scipy', 'textual'} & set(sys.modules)))"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert got.stdout.strip() == "0 []", got.stderr


def test_every_colour_of_text_can_be_read_on_every_ground() -> None:
    import re
    from importlib.resources import files

    from rich.color import Color

    from synergy_tui.drawing.scale import contrast, luminance

    css = files("synergy_tui.report").joinpath("page.css").read_text("utf-8")
    grounds = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(grounds) == 2  # light and dark
    for found in grounds:
        light = {
            name: luminance(*Color.parse(one).get_truecolor()) for name, one in re.findall(r"--(\w+): (#\w+)", found)
        }
        for name in ("text", "quiet", "link", "good", "warm", "bad"):
            assert min(contrast(light[name], light[ground]) for ground in ("ground", "raised")) >= 4.5, name
