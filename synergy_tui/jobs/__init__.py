"""Work that outlives the terminal. A job is a folder; its worker is a process of its own session. docs/jobs.md says
what is promised, and how it was tried.

specs/        requests and specs: values that say what a user asks for, and what that means
plan/         a request → its spec and its cost, and which parts of a chain are there already
chain.py      starts jobs together; rankings.py: the rankings behind removal orders; records.py: what a result keeps
folder.py     one job's folder: spec, status, parts, and whether its worker lives; processes.py: what the kernel says
parts.py      what a job has finished: written by workers, read by whoever resumes it or watches it grow
cells.py      the states of a sweep's cells
unit_rows.py  what a decomposition says about units → rows of scores, rankings, profiles, intervals; tables.py
submit.py     new, resumed, paused and cancelled jobs; follow.py: a command in the foreground; tidy.py: leftovers
examine.py    what this machine has; devices.py, pull.py, cost.py
worker/       the other half, run only as `python -m synergy_tui.jobs.worker FOLDER`
"""
