"""Prompts: shipped sets and the user's own files."""
