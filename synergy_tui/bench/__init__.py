"""Measurements, run only as `python -m synergy_tui.bench NAME`: ratios of what is compared, interleaved in one run.
`scale` measures nothing: it simulates (cluster.py) jobs on machines that nobody here has.
"""
