"""Trajectories of SPSA and of the critical history: the paper's figure 3."""
