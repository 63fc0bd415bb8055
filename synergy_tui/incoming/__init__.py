"""What was measured elsewhere → results of the cache that have everything but a model. Nothing is unpickled.

series.py   series [prompts, units, steps] → a capture
flat.py     a published table → columns by what they are
pairwise.py a table of pairs with synergy and redundancy → a capture without series and a decomposition of two atoms
ranks.py    a table of ranks → its comparison with a run
"""
