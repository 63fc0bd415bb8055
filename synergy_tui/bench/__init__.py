"""Measurements, run only as `python -m synergy_tui.bench NAME`: ratios of compared variants, interleaved in one run.
`scale` measures nothing: it simulates (cluster.py) jobs on machines that were not available here."""
