"""The command line as people meet it: light, documented, honest about what is wrong."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Command, make_tiny
from safetensors.numpy import save_file
from scipy.io import savemat

from synergy_tui.bench.made import make_run
from synergy_tui.cli import commands
from synergy_tui.settings import shipped
from synergy_tui.store.cache import Cache

HEAVY = ("torch", "transformers", "jax", "scipy")


def every_command(group: click.Group = commands, path: tuple[str, ...] = ()):
    for name in group.list_commands(click.Context(group)):
        one = group.get_command(click.Context(group), name)
        if isinstance(one, click.Group):
            yield from every_command(one, (*path, name))
        else:
            yield (*path, name), one


COMMANDS = dict(every_command())


@pytest.mark.worker
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["sql", "SELECT 1"],
        ["show", "--sample"],
        ["jobs", "list"],
        ["cache", "info"],
        ["subjects"],
        ["subjects", "show", "smollm2"],
    ],
)
def test_commands_that_only_look_load_no_heavy_library(arguments, cache):
    code = (
        "import sys\nfrom synergy_tui.cli import main\n"
        f"assert main({[*arguments, '--cache', str(cache)] if arguments != ['--help'] else arguments!r}) == 0\n"
        f"sys.exit(any(name in sys.modules for name in {HEAVY!r}))"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert got.returncode == 0, got.stderr


@pytest.mark.worker
def test_planning_a_capture_loads_no_heavy_library(tiny, tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom synergy_tui.jobs import plan, submit, follow\n"
        "from synergy_tui.jobs.specs import CaptureRequest\n"
        f"plan.capture(Path({str(tmp_path)!r}), CaptureRequest(subject={str(tiny)!r}))\n"
        f"sys.exit(any(name in sys.modules for name in {HEAVY!r}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_and_json(path):
    one = COMMANDS[path]
    assert f"Example:  synergy-tui {' '.join(path)}" in one.help
    assert any("--json" in option.opts for option in one.params) or path in (("explore",), ("completion",), ("man",))
    assert all(option.help for option in one.params if isinstance(option, click.Option))


@pytest.mark.worker
def test_no_arguments_draw_the_sample_where_there_is_no_run_yet(command):
    place = {**os.environ, "SYNERGY_TUI_CACHE": str(command.cache)}
    got = subprocess.run([sys.executable, "-m", "synergy_tui"], capture_output=True, text=True, check=True, env=place)
    assert "sample result" in got.stderr
    assert got.stdout.startswith("sample result")
    # A cache that is named is not answered with somebody else's result.
    assert "no decomposition in this cache" in command("show", code=2).stderr
    assert "SmolLM2-135M-Instruct" in got.stdout
    assert "doubts" in got.stdout
    assert got.stdout.count("[0.") == 30  # an interval for each layer


# What goes wrong → what is said. {name} is filled from the fixture `things`. Exit code 1: it failed; 2: wrong usage.
BAD_INPUT = {
    "no such subject": ("run nothing-here", 1, "no subject 'nothing-here' · give smollm2"),
    "a hub that does not answer": ("run owner/model", 1, "the hub does not answer for owner/model"),
    "a folder without a model": ("run {empty_folder}", 1, "has no config.json"),
    "an empty weights file": ("run {empty_weights}", 1, "model.safetensors is empty"),
    "a truncated weights file": ("run {cut_weights}", 1, "is truncated"),
    "weights that are no safetensors": ("run {text_weights}", 1, "no safetensors file"),
    "pickle weights": ("run {pickle}", 1, "as pickle"),
    "a configuration that does not fit itself": ("run {misfit}", 1, "does not fit: width 32 for 5 heads"),
    "weights that do not fit the configuration": ("run {other_layers}", 1, "do not fit its configuration"),
    "a configuration of a billion layers": ("run {huge}", 1, "no usable num_hidden_layers: 1000000000"),
    "a configuration of the wrong types": ("run {types}", 1, "does not write text token by token"),
    "a configuration nested without end": ("run {deep}", 1, "config.json cannot be read"),
    "a weights header of the wrong types": ("run {offsets}", 1, "no safetensors file"),
    "an end token that is none": ("run {endless}", 1, "is no token id"),
    "a chat template that fails": ("run {template}", 1, "its chat template fails: ZeroDivisionError"),
    "a .gguf nested without end": ("run {nested}.gguf", 1, "no whole GGUF file"),
    "a path of nobody": ("run ~nobody-there/x", 2, "is no usable path"),
    "a path longer than paths are": ("run {long_name}", 2, "is no usable path"),
    "half a character in a prompt": ("run {tiny} --tasks {surrogate}.jsonl", 2, "half a character"),
    "a prompt nested without end": ("run {tiny} --tasks {nest}.jsonl", 2, "line 1 is no JSON"),
    "a CSV file with an open quote": ("run {tiny} --tasks {quote}.csv", 2, "is no CSV"),
    "more rows than can be counted": ("sql 'SELECT 1' --max-rows 99999999999999999999999", 2, "Invalid value"),
    "no limit of time": ("sql 'SELECT 1' --timeout inf", 2, "Invalid value"),
    "a configuration that is no JSON": ("run {bad_config}", 1, "config.json cannot be read"),
    "an encoder-only model": ("run {encoder}", 1, "does not write text token by token"),
    "an unknown architecture": ("run {unknown}", 1, "no test holds the architecture 'martian'"),
    "a missing .gguf": ("run {missing}.gguf", 1, "cannot be read: No such file"),
    "an empty .gguf": ("run {empty}.gguf", 1, "no whole GGUF file"),
    "a truncated .gguf": ("run {cut}.gguf", 1, "no whole GGUF file"),
    "a missing prompt file": ("run {tiny} --tasks {missing}.jsonl", 2, "no task set"),
    "an empty prompt file": ("run {tiny} --tasks {empty}.txt", 2, "has no prompts"),
    "a prompt file that is no text": ("run {tiny} --tasks {binary}.txt", 2, "no UTF-8 text"),
    "a JSONL file with a broken line": ("run {tiny} --tasks {broken}.jsonl", 2, "line 2 is no JSON"),
    "a CSV file without prompts": ("run {tiny} --tasks {columns}.csv", 2, "no column text"),
    "more prompts than there are": ("run {tiny} --prompts 61", 2, "has 60 prompts, not 61"),
    "a prompt longer than the context": ("run {tiny} --tasks {long}.txt", 2, "over the context of 1024"),
    "fewer steps than are analysed": ("run {tiny} --steps 10", 2, "steps 10 is below min-steps 20"),
    "responses that all end early": ("run {silent} --prompts 2", 1, "every response ended before 20 steps"),
    "heads that never change": ("run {constant} --prompts 2 --steps 30", 1, "no valid pair"),
    "an unknown device": ("run {tiny} --device tpu", 2, "no device 'tpu'"),
    "an unknown option": ("run {tiny} --stepz 3", 2, "No such option"),
    "an unknown run": ("decompose zzz", 2, "no run 'zzz'"),
    "no run at all": ("decompose", 2, "name a capture, or use --latest"),
    "nothing yet for --latest": ("decompose --latest", 2, "there is no capture in this cache yet"),
    "a lag that is none": ("decompose {imported} --lag 1,x", 2, "lag 'x' is not a whole number above 0"),
    "a lag as long as the series": ("decompose {imported} --lag 40", 2, "lag 40 in responses of 40 steps leaves no"),
    "a lag that leaves too little": ("decompose {imported} --lag 37", 1, "no valid pair: 40 of pairs"),
    "a lag too long after preprocessing": ("decompose {imported} --lag 4 --preprocess drop=36", 2, "4 after drop=36,"),
    "an unknown preprocessing": ("decompose {imported} --preprocess best", 2, "no preprocessing 'best' · known: raw"),
    "an unknown estimator": (
        "decompose {imported} --estimator best",
        2,
        "no estimator 'best' · known: gaussian",
    ),
    "a null without surrogates": (
        "decompose {imported} --null window-roll",
        2,
        "no surrogates to draw from window-roll",
    ),
    "too few surrogates": ("decompose {imported} --surrogates 3", 2, "3 surrogates are too few"),
    "too few prompts to shuffle": (
        "decompose {imported} --surrogates 20 --null prompt-shuffle",
        2,
        "prompt-shuffle needs 5 prompts",
    ),
    "too few steps to roll": ("decompose {imported} --surrogates 20 --lag 33", 2, "window-roll needs windows of 10"),
    "ablation of what was imported": ("ablate {imported}", 2, "has no decomposition"),
    "an import of nothing": ("import {missing}.npy", 2, "cannot be read: No such file"),
    "an import of a folder": (
        "import {empty_folder}",
        2,
        "is not a .npy, .npz, .parquet, .csv, .tsv, .mat or .safetens",
    ),
    "an import of another file": (
        "import {empty}.txt",
        2,
        "is not a .npy, .npz, .parquet, .csv, .tsv, .mat or .safetens",
    ),
    "an import that is cut": ("import {cut}.npy", 2, "cannot be read"),
    "an import of pickle": ("import {objects}.npy", 2, "cannot be read"),
    "an import of words": ("import {words}.npy", 2, "[units, steps] of numbers; this is <U1"),
    "an import of one axis": ("import {flat}.npy", 2, "this is float64 [30]"),
    "an import of a text that is none": ("import {latin}.csv", 2, "is not text in UTF-8"),
    "an import of a table of words": ("import {mixed}.csv", 2, "line 2: CSV conversion error to double: invalid value"),
    "an import of a .mat file that is none": ("import {text}.mat", 2, "cannot be read"),
    "an import of a .mat file that is cut": ("import {half}.mat", 2, "cannot be read"),
    "an import of .safetensors that are none": ("import {text}.safetensors", 2, "cannot be read"),
    "an import of an array that is not there": (
        "import {several}.npz --array c",
        2,
        "no array c: it holds a [4, 5,",
    ),
    "an import that ends with zeros": ("import {padded}.npy", 2, "prompt 0 ends with exact zeros in all units over 9"),
    "lengths of what is no step table": ("import {fair}.npy --lengths {units}.csv", 2, "--lengths is for step tables"),
    "an import of one unit": ("import {alone}.npy", 2, "a series of one unit has no pairs"),
    "an import of no value": ("import {nans}.npy", 2, "without a single value"),
    "an import with repeated prompts": ("import {repeated}.npy", 2, "prompts are repeated: 2 repeats 0, 3 repeats 1"),
    "an import of several arrays": (
        "import {several}.npz",
        2,
        "a [4, 5, 40], b [4, 5, 40] · --array NAME",
    ),
    "an import of other columns": ("import {columns}.parquet", 2, "has no column unit_index"),
    "a table of other units": ("import {fair}.npy --units {units}.csv", 2, "has 3 rows"),
    "units without a group": ("import {fair}.npy --units {uneven}.csv", 2, "2 units have no group, in lines 4, 5"),
    "an unknown ranking": ("show --sample --ranking best", 2, "no ranking 'best' · known: rank-difference"),
    "an unknown job": ("jobs resume zzz", 2, "no job zzz"),
    "SQL with a syntax error": ("sql 'SELEC 1'", 2, "syntax error"),
    "SQL that is not a SELECT": ("sql 'DROP TABLE units'", 2, "answers SELECT and EXPLAIN, not DROP"),
    "SQL that reaches for files": ("""sql "FROM read_csv('/etc/passwd')" """, 2, "reads the cache and nothing else"),
}


@pytest.fixture(scope="module")
def things(tmp_path_factory, tiny) -> dict[str, str]:
    """Paths by the names BAD_INPUT uses."""
    here = tmp_path_factory.mktemp("bad")
    config = json.loads((tiny / "config.json").read_text())

    def model(name: str, weights: bytes | None = None, **changes: object) -> Path:
        folder = here / name
        folder.mkdir()
        for file in tiny.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / "config.json").write_text(json.dumps(config | changes))
        if weights is not None:
            (folder / "model.safetensors").write_bytes(weights)
        return folder

    whole = (tiny / "model.safetensors").read_bytes()
    (here / "empty_folder").mkdir()
    model("empty_weights", b"")
    model("cut_weights", whole[: len(whole) // 2])
    model("text_weights", b"these are no weights at all" * 9)
    model("misfit", num_attention_heads=5, head_dim=None)
    model("other_layers", num_hidden_layers=6)
    model("encoder", architectures=["BertForMaskedLM"], model_type="bert")
    model("unknown", architectures=["MartianForCausalLM"], model_type="martian")
    model("bad_config")
    (here / "bad_config" / "config.json").write_text("{")
    model("pickle")
    (here / "pickle" / "model.safetensors").rename(here / "pickle" / "pytorch_model.bin")
    model("silent", generation_config=None)
    # Every token ends the silent subject's response; all weights of the constant one are zero.
    (here / "silent" / "generation_config.json").write_text(json.dumps({"eos_token_id": list(range(257))}))
    model("constant")
    from safetensors.numpy import load_file

    zeros = {name: value * 0 for name, value in load_file(tiny / "model.safetensors").items()}
    save_file(zeros, here / "constant" / "model.safetensors", metadata={"format": "pt"})
    model("huge", num_hidden_layers=10**9)
    model("types", architectures=5)
    model("deep")
    (here / "deep" / "config.json").write_text("[" * 100_000)
    header = json.dumps({"a": {"data_offsets": ["x", "y"]}}).encode()
    model("offsets", len(header).to_bytes(8, "little") + header)
    model("endless")
    (here / "endless" / "generation_config.json").write_text(json.dumps({"eos_token_id": ["x"]}))
    model("template")
    (here / "template" / "chat_template.jinja").write_text("{{ 1 / 0 }}")
    array = (9).to_bytes(4, "little") + (1).to_bytes(8, "little")
    key = (1).to_bytes(8, "little") + b"k" + (9).to_bytes(4, "little")
    nested = b"GGUF" + (3).to_bytes(4, "little") + (0).to_bytes(8, "little") + (1).to_bytes(8, "little")
    (here / "nested.gguf").write_bytes(nested + key + array * 100_000)
    (here / "surrogate.jsonl").write_text('{"text": "a\\ud800b"}\n')
    (here / "nest.jsonl").write_text("[" * 100_000)
    (here / "quote.csv").write_text('text\n"never closed\n')
    (here / "empty.gguf").write_bytes(b"")
    (here / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00\x05\x00\x00\x00")
    (here / "empty.txt").write_text("\n \n")
    (here / "binary.txt").write_bytes(bytes(range(128, 256)))
    (here / "broken.jsonl").write_text('{"text": "fine"}\n{"text": \n')
    (here / "columns.csv").write_text("a,b\n1,2\n")
    (here / "long.txt").write_text("word " * 300)
    _imports(here)
    names = ("missing", "empty", "cut", "binary", "broken", "columns", "long", "nested", "surrogate", "nest", "quote")
    names += ("latin", "mixed", "text", "half", "padded")
    names += ("objects", "words", "flat", "alone", "nans", "repeated", "fine", "several", "fair", "units", "uneven")
    return (
        {path.name: str(path) for path in here.iterdir()}
        | {n: str(here / n) for n in names}
        | {"tiny": str(tiny)}
        | {"long_name": "x" * 300}
    )


def _imports(here: Path) -> None:
    """Series and tables that are not what they should be."""
    chance = np.random.default_rng(0)
    fair = chance.normal(size=(4, 5, 40))
    np.save(here / "fair.npy", fair)
    (here / "cut.npy").write_bytes((here / "fair.npy").read_bytes()[:200])
    np.save(here / "objects.npy", np.array([{}, {}], object), allow_pickle=True)
    np.save(here / "words.npy", np.full((2, 2, 9), "x"))
    np.save(here / "flat.npy", fair[0, 0, :30])
    (here / "latin.csv").write_bytes("größe,b\n1,2\n".encode("latin-1"))
    (here / "mixed.csv").write_text("a,b\n1,x\n2,3\n")
    (here / "text.mat").write_text("these are no series at all" * 9)
    (here / "text.safetensors").write_text("these are no series at all" * 9)
    savemat(here / "half.mat", {"x": fair})
    (here / "half.mat").write_bytes((here / "half.mat").read_bytes()[:400])
    np.save(here / "padded.npy", np.concatenate([fair, np.zeros((4, 5, 9))], axis=2))
    np.save(here / "alone.npy", fair[:, :1])
    np.save(here / "nans.npy", np.full((2, 3, 9), np.nan))
    np.save(here / "repeated.npy", fair[[0, 1, 0, 1]])
    np.savez(here / "several.npz", a=fair, b=fair)
    pq.write_table(pa.table({"prompt": [0], "value": [1.0]}), here / "columns.parquet")
    (here / "units.csv").write_text("layer\n0\n0\n1\n")
    (here / "uneven.csv").write_text("group,name\na,1\na,2\n,3\n,4\nb,5\n")


@pytest.mark.worker
@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_one_line_that_says_what_and_what_next(case, things, command):
    line, code, said = BAD_INPUT[case]
    if "{imported}" in line:
        things = things | {"imported": command.json("import", f"{things['fair']}.npy")["capture"]}
    got = command(*shlex.split(line.format_map(things)), code=code)
    assert got.stdout == ""
    errors = [one for one in got.stderr.splitlines() if one.startswith("synergy-tui: ")]
    assert len(errors) == 1, got.stderr
    assert said in errors[0]
    assert " · " in errors[0]
    assert "Traceback" not in got.stderr
    # These captures are whole; what fails is their decomposition.
    units = 16 if case == "heads that never change" else 5 if "{imported}" in line else 0
    for table, expected in {"captures": int(units > 0), "decompositions": 0, "pairs": 0, "units": units}.items():
        assert command.json("sql", f"SELECT count(*) AS n FROM {table}") == [{"n": expected}]


@pytest.mark.worker
def test_a_cache_that_cannot_be_used_is_told(command, tmp_path):
    import duckdb

    newer = Command(tmp_path / "newer")
    newer("cache", "info")
    with duckdb.connect(str(newer.cache / "cache.duckdb")) as con:
        con.execute("UPDATE meta SET version = 99")
    assert "update synergy-tui" in newer("sql", "SELECT 1", code=1).stderr

    nowhere = Command(Path("/proc/nowhere"))
    assert "cannot be written" in nowhere("cache", "info", code=1).stderr

    with duckdb.connect(str(tmp_path / "x.duckdb")):
        pass
    command("cache", "info")
    con = duckdb.connect(str(command.cache / "cache.duckdb"))
    assert "(PID " in command.real("sql", "SELECT 1", code=1).stderr
    con.close()
    command("sql", "SELECT 1")


def test_a_comparison_is_drawn_with_letters_and_in_ascii_where_it_is_asked_for(made, command):
    make_run(Cache.open(made), 6, 4, name="other")
    drawn = command("compare", "d6x4", "dother").stdout
    assert "░" in drawn or "▒" in drawn
    assert "A made-6x4 d6x4   B made-6x4 dother" in drawn
    plain = command("compare", "d6x4", "dother", "--ascii").stdout
    assert plain.partition("A made")[0].isascii()
    assert "%" in plain
    assert "A made-6x4 d6x4   B made-6x4 dother" in plain


@pytest.mark.slow
def test_the_bench_compares_equal_results(monkeypatch):
    """In small: the commands run the same for minutes."""
    from synergy_tui.bench import calibration, phiid, planted

    for name, value in {"PROMPTS": 6, "UNITS": 12, "STEPS": 30, "ROUNDS": 1, "SIZES": (16,)}.items():
        monkeypatch.setattr(phiid, name, value)
    found = phiid.measure()
    assert found["largest difference"] < 1e-9
    assert found["engine / numpy"] > 0
    assert json.dumps(found)
    made = planted.WITHOUT["memory with a hump"]
    found = calibration.shares([calibration.judged(made(np.random.default_rng(seed)), draws=20) for seed in range(2)])
    assert found["data sets"] == 2
    assert found["units, any q"].startswith("0 of 2")
    assert json.dumps(found)


@pytest.mark.worker
@pytest.mark.parametrize("what", ["prompts", "subject", "csv", "header"])
def test_nobodys_data_drives_the_terminal(what, tiny, tmp_path, command):
    escape = "\x1b]0;owned\x07\x1b[31m"
    if what == "prompts":
        (tmp_path / "p.jsonl").write_text(json.dumps({"id": escape, "text": f"{escape} hello"}) + "\n")
        command("capture", str(tiny), "--tasks", str(tmp_path / "p.jsonl"), "--steps", "24")
        got = command("sql", "SELECT id, text FROM prompts")
    elif what == "subject":
        folder = tmp_path / f"bad{escape}name"
        folder.mkdir()
        for file in tiny.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        got = command("run", str(folder), "--prompts", "2", "--steps", "30")
    elif what == "csv":
        (tmp_path / "p.csv").write_text(f"{escape},b\n1,2\n")
        got = command("run", str(tiny), "--tasks", str(tmp_path / "p.csv"), code=2)
    else:
        got = command("sql", f'SELECT 1 AS "{escape}"')
    assert "owned" in got.stdout + got.stderr
    assert "\x1b" not in got.stdout + got.stderr


@pytest.mark.worker
def test_output_that_cannot_be_written_is_told():
    line = [sys.executable, "-m", "synergy_tui", "show", "--sample"]
    with open("/dev/full", "w") as full:
        got = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True)
    assert got.returncode == 1
    assert "Traceback" not in got.stderr
    plain = subprocess.run(line, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert plain.returncode == 0


@pytest.mark.worker
def test_a_run_and_everything_it_says_to_try_next(tiny, command):
    """From nothing to a map; the last lines are commands that work when pasted."""
    out = command("run", str(tiny), "--prompts", "6", "--steps", "40").stdout
    lines = [line.strip() for line in out.partition("try next")[2].splitlines() if line.strip()]
    assert len(lines) == 3
    for line in lines:
        got = subprocess.run(shlex.split(line), capture_output=True, text=True)
        assert got.returncode == 0, got.stderr


@pytest.mark.worker
def test_what_to_try_next_names_the_program_as_it_was_called(tmp_path):
    """Pasted after `make demo` it must work although the environment is not active."""
    script = Path(sys.executable).parent / "synergy-tui"
    for path, expected in ((str(script.parent), "synergy-tui show"), ("/usr/bin", f"{script} show")):
        got = subprocess.run(
            [script, "show", "--sample"], capture_output=True, text=True, env={**os.environ, "PATH": path}
        )
        assert f"  {expected} " in got.stdout, got.stderr


@pytest.mark.worker
def test_run_and_ablate_as_json(tiny, command):
    found = command.json("run", str(tiny), "--prompts", "6", "--steps", "40")
    assert {"subject", "capture", "decomposition", "units", "layers", "profile", "valid_prompts"} <= found.keys()
    assert (found["units"], found["layers"], len(found["profile"])) == (16, 4, 4)
    counted = command.json("sql", f"SELECT count(*) AS n FROM pairs WHERE decomposition = '{found['decomposition']}'")
    assert counted == [{"n": 120}]
    orders = "synergy-first,redundancy-first,random,layer-matched"
    ablated = command.json(
        "ablate", found["capture"][:6], "--orders", orders, "--seeds", "2", "--fractions", "0.25,0.1", "--prompts", "3"
    )
    assert list(ablated["orders"]) == orders.split(",")
    assert ablated["fractions"] == [0.1, 0.25]
    counts = {name: len(order["curves"]) for name, order in ablated["orders"].items()}
    assert counts == {"synergy-first": 1, "redundancy-first": 1, "random": 2, "layer-matched": 4}
    for order in ablated["orders"].values():
        for curve in order["curves"]:
            assert curve["removed"] == [2, 4]
            assert len(curve["divergence"]) == 2
            assert all(value > 0 for value in curve["divergence"])
            assert set(curve["areas"]) == {"0.1", "0.25"}
    assert "too few controls (2 of 20 seeds)" in ablated["verdict"]
    # A set of the user's own is measured whole, its controls too.
    mine = command.json(
        "ablate", found["decomposition"], "--units", "0.1,3.2,3.3", "--orders", "random,layer-matched", "--seeds", "2",
        "--fractions", "0.1,0.9", "--prompts", "2",
    )  # fmt: skip
    assert mine["marked"] == [1, 14, 15]
    assert mine["orders"]["marked"]["curves"][0]["removed"] == [2, 3]
    assert mine["orders"]["random"]["curves"][0]["removed"] == [2, 3, 14]
    assert [curve["removed"] for curve in mine["orders"]["layer-matched"]["curves"]] == [[2, 3], [2, 3]]
    assert "divergence of the whole set" in mine["verdict"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--units", "99.1"), "no unit '99.1' among 6 layers × 4"),
        (("--units", "x"), "no unit 'x' among"),
        (("--orders", "marked"), "go together"),
    ],
)
def test_a_marked_set_that_cannot_be_is_told(made, command, more, message):
    assert message in command("ablate", "d6x4", *more, code=2).stderr


@pytest.mark.worker
def test_a_recipe_remakes_the_numbers(tiny, command):
    """Of a chain: capture, decomposition with every option, ablation of a marked set."""
    odd = ("--lag", "2", "--surrogates", "20", "--null", "window-roll", "--preprocess", "detrend", "--seed", "5")
    whole = ("--prompts", "2", "--seeds", "2", "--fractions", "0.25", "--units", "1.2,3.0", "--orders", "random")
    capture = command.json("capture", str(tiny), "--prompts", "5", "--steps", "30", "--seed", "3", "--no-chat")
    found = command.json("decompose", capture["capture"], *odd)
    ablated = command.json("ablate", found["decomposition"], *whole)
    chain = command.json("jobs", "show", ablated["ablation"], "--recipe")
    assert [one["result"] for one in chain["before"]] == [capture["capture"], found["decomposition"]]
    made = [command.json(*shlex.split(one["command"])[1:]) for one in (*chain["before"], chain)]
    for first, again in zip((capture, found, ablated), made, strict=True):
        ids = ("capture", "decomposition", "ablation", "created", "serial")
        assert {k: v for k, v in first.items() if k not in ids} == {k: v for k, v in again.items() if k not in ids}


@pytest.mark.worker
def test_every_capture_is_recorded_with_what_made_it(tiny, command):
    capture = command.json("capture", str(tiny), "--prompts", "2", "--steps", "30", "--seed", "4")["capture"]
    query = f"SELECT * FROM captures JOIN subjects USING (subject) WHERE capture = '{capture}'"
    (row,) = command.json("sql", query)
    assert row.pop("revision") is None  # a folder has none
    assert row.pop("chat_template") is None  # nor has this tokenizer
    for name in ("weights_seed", "adapter", "replayed", "system", "trajectory", "training_step", "notes"):
        assert row.pop(name) is None
    assert [name for name, value in row.items() if value is None] == []
    assert {"torch", "transformers", "python", "synergy-tui"} <= json.loads(row["versions"]).keys()


@pytest.mark.worker
def test_the_sample_is_the_result_of_this_code(command):
    """The shipped sample has this version's tables, and its profile is what its unit scores give."""
    found = command.json("show", "--sample")
    assert (found["units"], found["layers"], found["valid_pairs"]) == (270, 30, 36315)
    query = "SELECT layer, avg(rank) AS mean FROM latest_heads GROUP BY layer ORDER BY layer"
    got = subprocess.run(
        [sys.executable, "-m", "synergy_tui", "sql", query, "--json", "--cache", str(shipped("sample"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [row["mean"] for row in json.loads(got.stdout)] == pytest.approx(found["profile"])


@pytest.mark.worker
def test_another_family_of_llamas_shape_runs_end_to_end(tmp_path, command):
    folder = make_tiny(tmp_path / "qwen", "qwen3", num_hidden_layers=3)
    assert command.json("run", str(folder), "--prompts", "3", "--steps", "30")["layers"] == 3
