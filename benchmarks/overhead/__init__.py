"""What a step costs beside its queries, in time and memory, ours and others'."""
