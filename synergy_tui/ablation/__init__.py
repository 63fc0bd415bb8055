"""A set of units → the subject's behaviour without it.

orders.py         a ranking → removal orders and their controls. NumPy
conditions.py     removal orders → the sets of units removed together; condition.py: one such set. NumPy
pairs.py          strong pairs → control pairs of the same layers and the same costs. NumPy
interventions.py  what happens to a removed unit, of any kind; noise.py: noise on its weights
reading.py        hidden states that predict given tokens, and how likely continuations are
divergence.py     the intact behaviour once, then KL(intact ‖ ablated) of any number of conditions
head.py           the output embedding as the model applies it, a block of the vocabulary at a time
packing.py        prompts with their responses → passes without padding
linear.py         linear layers in a faster layout, on a CPU in fp32
compression.py    which units can go together under a budget, and a copy of the model without them
"""
