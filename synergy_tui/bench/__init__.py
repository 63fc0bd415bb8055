"""Measurements, run only as `python -m synergy_tui.bench NAME`: ratios of what is compared, interleaved in one run."""
