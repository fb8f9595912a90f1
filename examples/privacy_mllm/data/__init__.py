"""Clips: the form they travel in, and where they come from."""
