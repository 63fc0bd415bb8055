"""The notebooks of docs/notebooks run from their first cell to their last, as readers run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"


@pytest.mark.worker
def test_the_jupyter_notebook_draws_the_sample_and_keeps_no_output_in_the_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    book = nbformat.read(FOLDER / "first-look.ipynb", as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in book.cells)
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    if keep := os.environ.get("KEEP_NOTEBOOKS"):  # to look at
        nbformat.write(book, Path(keep) / "first-look.ipynb")
    shown = [output["data"] for cell in book.cells for output in cell.get("outputs", ()) if "data" in output]
    pictures = [one["text/html"] for one in shown if "<svg" in one.get("text/html", "")]
    assert len(pictures) == 2
    assert pictures[0].count("<rect x=") == 270
    assert all(one["text/plain"] for one in shown)


@pytest.mark.worker
def test_the_marimo_notebook_draws_the_sample(tmp_path):
    target = Path(os.environ.get("KEEP_NOTEBOOKS", tmp_path)) / "first_look_marimo.html"
    target.unlink(missing_ok=True)
    where = [str(FOLDER / "first_look_marimo.py"), "-o", str(target)]
    command = [sys.executable, "-m", "marimo", "-q", "export", "html", *where]
    home = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    got = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | home, cwd=tmp_path)
    assert got.returncode == 0, got.stderr
    page = target.read_text()
    assert "rank-difference of 30 layers and 9 units" in page.replace("\\u002d", "-")
    assert "Traceback" not in page
