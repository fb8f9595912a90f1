"""Scalarizers: functions from the losses of all objectives to one number."""

from zoopt_mo.scalarizers._base import Scalarizer
from zoopt_mo.scalarizers._tchebycheff import AugmentedTchebycheff, Tchebycheff
from zoopt_mo.scalarizers._weighted_sum import WeightedSum

__all__ = ["AugmentedTchebycheff", "Scalarizer", "Tchebycheff", "WeightedSum"]
