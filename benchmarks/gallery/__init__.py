"""Clips before and after anonymization: the paper's figures 5 to 7."""
