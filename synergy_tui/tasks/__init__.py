"""Prompts, graded tasks and ladders: shipped ones and the user's own files.

rows.py            a file or a dataset's folder → rows: the only reader; asking.py: a row → the question
prompts.py         task sets, and given responses
graded.py          graded tasks; verifiers.py: the only table of verifiers, and how a response is graded
options.py         which tasks have a closed set of answers
stated.py          the words in which a response states a result; results/: what a result of each kind looks like
ladder.py          what a ladder is; ladders.py: a name or file → a ladder
ladder_sources.py  ladders of the usual benchmarks; gym.py: of reasoning-gym; ladder_made.py: shipped ones
"""
