"""subject + prompts → responses with the activity of every unit at every step."""
