"""Dialogs: each opens above a view, answers one question and closes with escape."""
