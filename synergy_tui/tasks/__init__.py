"""Prompts, graded tasks and ladders: what ships and the user's own files.

rows.py            a file or a dataset's folder → rows: the one reader; asking.py: a row → what is asked
prompts.py         task sets, and responses that are given
graded.py          graded tasks; verifiers.py: the one table of verifiers, and how a response is graded
options.py         which tasks have a closed set of answers
stated.py          in which words a response states a result; results/: what a result of each kind looks like
ladder.py          what a ladder is; ladders.py: a name or file → a ladder
ladder_sources.py  ladders of the usual benchmarks; gym.py: of reasoning-gym; ladder_made.py: those that ship
"""
