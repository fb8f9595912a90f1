"""What a GPU brings: the library's own arithmetic, and the flagship in both precisions."""
