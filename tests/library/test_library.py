"""library: what a cache holds in Python, read without a model, and shown without doing what its texts say."""

from __future__ import annotations

import doctest
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module

import numpy as np
import pytest

import synergy_tui as st
from synergy_tui.bench.made import make_run
from synergy_tui.errors import CacheError, QueryError, UsageError
from synergy_tui.jobs.specs import AblateRequest, CaptureRequest, ClaimsRequest, DecomposeRequest, Executor, Request
from synergy_tui.jobs.specs.fields import fields
from synergy_tui.library import fields as typed
from synergy_tui.library.waiting import Board
from synergy_tui.settings import shipped
from synergy_tui.store.cache import Cache

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e&lt;'

MODULES = ("", ".library.captured", ".library.caches", ".library.results", ".library.table", ".library.starting")


@pytest.mark.parametrize("name", MODULES)
def test_what_the_docstrings_show_is_so(name):
    assert doctest.testmod(import_module(f"synergy_tui{name}")).failed == 0


def test_there_are_examples_of_every_kind_of_object():
    found = [one for name in MODULES for one in doctest.DocTestFinder().find(import_module(f"synergy_tui{name}"))]
    shown = {one.name.rpartition(".")[0].rpartition(".")[2] for one in found if one.examples}
    assert {"Cache", "Capture", "Run", "Ablation", "Table"} <= shown


@pytest.mark.worker
def test_reading_loads_no_model_and_importing_loads_nothing():
    """(pyarrow itself loads pandas, where there is one, when it makes an array.)"""
    code = """
import sys
import synergy_tui as st
assert not {"numpy", "duckdb", "pyarrow", "synergy_tui.library", "synergy_tui.store"} & set(sys.modules)
run = st.sample().run()
run.map(), run.profile(), run.contrasts, run.units(), run.pairs(3), run.matrix(), run.decomposition, run.series([0])
run.tokens(), run.curves(), run.doubts(), run.sql("SELECT 1"), run.text(), repr(run), run._repr_html_(), run.recipe()
run.pairs(3).numpy(), st.sample().runs().rows(), st.sample().ablation()._repr_html_(), repr(run.units())
heavy = {"torch", "jax", "transformers", "scipy", "polars", "matplotlib", "IPython"} & set(sys.modules)
assert not heavy, heavy
"""
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert got.returncode == 0, got.stderr


@pytest.mark.parametrize(
    ("request_type", "types"),
    [
        (CaptureRequest, typed.CaptureFields),
        (DecomposeRequest, typed.DecomposeFields),
        (AblateRequest, typed.AblateFields),
        (ClaimsRequest, typed.ClaimsFields),
    ],
)
def test_the_types_of_what_starts_jobs_are_the_fields_of_requests(request_type: type[Request], types: type):
    """Several checkpoints make several captures, which the library does not."""
    asked = {one.name: one for one in fields(request_type) if not one.option.argument and one.name != "revisions"}
    assert set(types.__annotations__) == set(asked)
    for name, one in asked.items():
        kind = types.__annotations__[name].__forward_arg__
        item = one.single[0].__name__
        assert kind == (f"Sequence[{item}]" if one.is_list else item) + (" | None" if one.optional else ""), name


def test_the_package_says_what_it_has_and_that_it_has_no_more():
    assert set(st.__all__) < set(dir(st))
    assert all(getattr(st, name) is not None for name in st.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        st.nothing  # noqa: B018
    import synergy_tui.capture  # the room takes the name

    assert isinstance(synergy_tui.capture, type(sys))
    with pytest.raises(UsageError, match="no field 'prompt'"):
        st.capture("zoo:induction", prompt=3, cache=shipped("sample").parent / "nowhere")  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> st.Cache:
    """A run whose every text is out to do harm, with a unit that has no value."""
    folder = tmp_path_factory.mktemp("hostile")
    make_run(Cache.open(folder), 6, 4, name="mine", called=HOSTILE, text=(HOSTILE,), tasks=HOSTILE)
    with Cache.open(folder).write() as con:
        con.execute("UPDATE units SET name = $1 WHERE unit_index = 1", [HOSTILE])
        con.execute("UPDATE units SET group_name = $1 WHERE layer = 0", [HOSTILE])
        con.execute("UPDATE unit_scores SET value = NULL, scaled = NULL WHERE unit_index = 2")
        con.execute("DELETE FROM units WHERE unit_index = 2")
    return st.open_cache(folder)


class Seen(HTMLParser):
    """Tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def test_no_text_of_a_run_is_markup_in_a_notebook(hostile):
    run = hostile.run()
    for one in (
        run,
        run.show("sts"),
        hostile,
        run.tokens(),
        run.units(),
        run.capture,
        hostile.sql("SELECT * FROM prompts"),
    ):
        seen = Seen(one._repr_html_())
        assert seen.tags <= {
            *("div", "style", "p", "ul", "li", "table", "thead", "tbody", "tr", "td", "th", "svg", "g"),
            *("rect", "path", "circle", "text", "title"),
        }
        assert not any(name.startswith("on") or name in ("src", "href") for name in seen.attributes)
        assert "\x1b" not in seen.text
        assert "\u202e" not in seen.text
        assert "\x1b" not in repr(one)
    assert "<script>" in Seen(run._repr_html_()).text


def test_a_map_has_holes_and_says_what_it_is_of(hostile):
    run = hostile.run("dm")
    shown = run.map()
    assert shown.shape == (6, 4)
    assert np.isnan(shown[0, 2])
    assert np.nanmin(shown) == 0
    assert np.nanmax(shown) == 1
    page = run._repr_html_()
    assert page.count("<rect x=") == 23
    with pytest.raises(UsageError, match="has no score 'nothing'") as told:
        run.map("nothing")
    assert told.value.what
    assert told.value.next_step.startswith("it has ")
    with pytest.raises(UsageError, match="no 'x' of a map"):
        run.map(what="x")


def test_a_table_is_the_same_in_every_form(hostile, monkeypatch):
    table = hostile.sql("SELECT layer, unit, sts, NULL::INTEGER AS n, 'x' AS t, [1, 2] AS l FROM heads ORDER BY ALL")
    frame, polar, arrays, rows = table.pandas(), table.polars(), table.numpy(), table.rows()
    assert len(table) == len(frame) == len(polar) == len(rows) == 23
    for name in ("layer", "unit", "sts", "t"):
        assert frame[name].tolist() == polar[name].to_list() == arrays[name].tolist() == [row[name] for row in rows]
    assert np.isnan(arrays["n"]).all()
    assert rows[0]["l"] == [1, 2]
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError, match="there is no polars here · pip install polars"):
        table.polars()


def test_sql_is_bounded_as_on_the_command_line(hostile):
    assert len(hostile.sql("SELECT * FROM pairs", max_rows=7)) == 7
    with pytest.raises(QueryError, match="answers SELECT and EXPLAIN"):
        hostile.sql("DROP TABLE units")
    with pytest.raises(QueryError, match="SQL reads the cache and nothing else"):
        hostile.sql("SELECT * FROM read_csv('/etc/passwd')")
    with pytest.raises(QueryError, match="longer than"):
        hostile.sql("SELECT count(*) FROM range(1000000) a, range(1000000) b", max_seconds=0.2)


def test_what_cannot_be_started_is_said_in_one_line(hostile):
    with pytest.raises(CacheError, match="is an exported run and stays as it is"):
        st.decompose(st.sample().run())
    with pytest.raises(UsageError, match="starts no process"):
        st.decompose(hostile.run(), executor=Executor(executor="none"))
    with pytest.raises(UsageError, match="no removal order 'x'"):
        st.ablate("dmine", cache=hostile, orders=["x"])
    with pytest.raises(UsageError, match="no claims card"):
        hostile.run().card()
    with pytest.raises(UsageError, match="no run 'x'"):
        hostile.run("x")


def test_stages_in_a_notebook_are_one_output_that_changes():
    pages: list[str] = []
    board = Board(pages.append)
    stage = {
        "name": "capture",
        "detail": HOSTILE,
        "done": 1,
        "total": 4,
        "unit": "prompts",
        "rate": 2.0,
        "seconds": 1.0,
    }
    board.show("c1", {"stages": [stage]})
    board.show("c1", {"stages": [stage]})
    board.show("d1", {"stages": [stage | {"name": "decompose"}]})
    board.send()
    assert len(pages) == 2
    assert "<script" not in pages[-1]
    assert "\x1b" not in pages[-1]
    assert "25%" in pages[-1]
    assert [line.replace("<pre>", "").split()[0] for line in pages[-1].splitlines()] == ["capture", "decompose"]
