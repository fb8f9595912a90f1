"""Estimators and search methods in the privacy world."""
