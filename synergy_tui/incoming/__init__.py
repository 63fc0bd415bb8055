"""What was measured elsewhere → results of the cache that have everything but a model. Nothing is unpickled.

series.py   series [prompts, units, steps] → a capture
"""
