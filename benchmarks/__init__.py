"""Benchmarks: each writes its figures with the command and the commit that made them."""
