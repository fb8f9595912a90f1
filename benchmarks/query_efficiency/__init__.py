"""How many queries each method needs: ``python -m benchmarks.query_efficiency``."""
