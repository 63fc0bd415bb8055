"""Small language models whose mechanism is known. Every command takes them by name. They are trained on languages with
one right continuation, or planted, with weights set by construction.

shipped.py       a name, zoo:induction or zoo:plant-synergy, → the folder of its model. Light
languages.py     the languages of the trained models: prompts of every level with one right continuation. Light
training.py      a recipe and a seed → a trained model with checkpoints: python -m synergy_tui.zoo NAME FOLDER
truth.py         a trained model → what it can do, and what each unit costs and does
keeping.py       a trained model → its folder
construction.py  a list of heads, each with what it attends to, shows, carries and writes → the weights of a transformer
plants.py        transformers made from such lists: which heads are coupled, and how, is known. No training
"""
