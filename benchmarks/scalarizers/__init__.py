"""Scalarizers compared: on fronts known in closed form, and in the privacy world (table 5 of the paper)."""
