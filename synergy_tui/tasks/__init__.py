"""Prompts, graded tasks and ladders: what ships and the user's own files."""
