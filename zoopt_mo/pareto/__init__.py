"""Pareto dominance between points in the space of losses: the front, an archive of it, indicators of how good it is."""

from zoopt_mo.pareto._archive import ParetoArchive
from zoopt_mo.pareto._dominance import dominates, non_dominated
from zoopt_mo.pareto._indicators import epsilon_indicator, hypervolume, igd_plus

__all__ = ["ParetoArchive", "dominates", "epsilon_indicator", "hypervolume", "igd_plus", "non_dominated"]
