"""What the strategies for a small budget save: stopping early, more of the past, samples by need."""
