"""synergy-tui in Python: an interface like the command line and the explorer, for scripts and notebooks. `import
synergy_tui as st` has all of its names. Reading returns NumPy arrays and tables, and loads neither torch nor JAX.

caches.py    open_cache, sample: what a cache holds
captured.py  Capture: prompts, responses, units, series
results.py   Run: a decomposition with its map, profile, pairs and doubts; Ablation; Card
table.py     Table: rows as Arrow, pandas, polars, NumPy or dicts
starting.py  run, capture, decompose, ablate, claims: start jobs and wait for them
fields.py    types of their arguments
waiting.py   a job's stages in a terminal and in notebooks
shown.py     values → HTML for notebooks
"""

from synergy_tui.library.caches import Cache, open_cache, sample
from synergy_tui.library.captured import Capture
from synergy_tui.library.results import Ablation, Card, Run
from synergy_tui.library.starting import ablate, capture, claims, decompose, run
from synergy_tui.library.table import Table

__all__ = [
    "Ablation",
    "Cache",
    "Capture",
    "Card",
    "Run",
    "Table",
    "ablate",
    "capture",
    "claims",
    "decompose",
    "open_cache",
    "run",
    "sample",
]
