"""Small models whose truth is known: trained on languages of one right continuation, or set by construction.

languages.py  what the models learn: prompts of every level and their one right continuation. Light
shipped.py    a name, zoo:induction, → the folder of its model. Light
training.py   a language and a seed → a model that learned it, with checkpoints: python -m synergy_tui.zoo NAME FOLDER
truth.py      a trained model → what it can do, what each unit is worth and does
plants.py     models whose weights are set by construction
"""
