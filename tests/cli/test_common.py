"""What commands say to try next works for what they have just made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Command, ar1


@pytest.mark.worker
def test_imported_series_are_not_told_to_be_ablated(command: Command, tmp_path: Path) -> None:
    """They have no model."""
    np.save(tmp_path / "series.npy", ar1(np.random.default_rng(0), (6, 8, 30), 0.5).astype(np.float32))
    (tmp_path / "units.csv").write_text("layer\n" + "\n".join(str(unit // 2) for unit in range(8)))
    told = command("import", str(tmp_path / "series.npy"), "--units", str(tmp_path / "units.csv")).stdout
    capture = told.split()[1].rstrip(":")
    assert f"decompose {capture}" in told
    told = command("decompose", capture).stdout
    assert "ablate" not in told.partition("try next")[2]
    assert f"decompose {capture} --surrogates 200" in told
