"""Runs that are killed, starved and lied to, and what they pay for it."""
