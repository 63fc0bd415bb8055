"""A set of units → what the subject does without it.

orders.py      a ranking → removal orders and their controls. NumPy
divergence.py  the intact behaviour once, then KL(intact ‖ ablated) of any number of conditions
"""
