"""Prompts, graded tasks and ladders: what ships and the user's own files.

rows.py            a file → rows: the one reader
prompts.py         task sets, and responses that are given
graded.py          graded tasks; verifiers.py: the one table of verifiers
ladder.py          what a ladder is; ladders.py: a name or file → a ladder
ladder_sources.py  ladders of the usual benchmarks; gym.py: of reasoning-gym; ladder_made.py: those that ship
"""
