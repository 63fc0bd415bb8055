"""Work that outlives the terminal. A job is a folder; its worker is a process of its own session.

folder.py    one job's folder: spec, status, shards, and whether its worker lives
submit.py    new jobs, resumed jobs, cancelled jobs
worker/      the other half, run only as `python -m synergy_tui.jobs.worker FOLDER`
"""
