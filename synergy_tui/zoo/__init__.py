"""Small language models whose inside is known, which every command takes by name: trained on languages of one right
continuation, or planted, with weights set by construction.

shipped.py       a name, zoo:induction or zoo:plant-synergy, → the folder of its model. Light
languages.py     what the trained models learn: prompts of every level and their one right continuation. Light
training.py      a recipe and a seed → a model that learned it, with checkpoints: python -m synergy_tui.zoo NAME FOLDER
truth.py         a trained model → what it can do, what each unit is worth and does
keeping.py       a trained model → its folder
construction.py  a list of heads, each with what it attends to, shows, carries and writes → the weights of a transformer
plants.py        transformers made by that list: which heads are coupled, and how, is known. No training
"""
