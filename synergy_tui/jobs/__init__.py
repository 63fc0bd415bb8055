"""Work that outlives the terminal. A job is a folder; its worker is a process of its own session. README.md says what
is promised, and how it was tried.

plan/         what is asked for → a spec and its cost; recipe.py: the command that asks for the same
folder.py     one job's folder: spec, status, shards, and whether its worker lives; processes.py: what the kernel says
submit.py     new, resumed, paused and cancelled jobs; follow.py: a command in the foreground; tidy.py: leftovers
examine.py    what this machine has; devices.py, pull.py, cost.py
worker/       the other half, run only as `python -m synergy_tui.jobs.worker FOLDER`
"""
