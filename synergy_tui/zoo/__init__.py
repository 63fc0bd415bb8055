"""Language models whose inside is known, written as model folders that every command takes.

construction.py  a list of heads, each with what it attends to, shows, carries and writes → the weights of a transformer
plants.py        transformers made by that list: which heads are coupled, and how, is known. No training
"""
