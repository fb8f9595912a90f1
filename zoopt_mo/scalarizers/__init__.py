"""Scalarizers: functions from the losses of all objectives to one number."""

from zoopt_mo.scalarizers._achievement import Achievement, AugmentedAchievement
from zoopt_mo.scalarizers._base import Scalarizer
from zoopt_mo.scalarizers._normalized import Normalized
from zoopt_mo.scalarizers._p_norm import PNorm
from zoopt_mo.scalarizers._pbi import PBI
from zoopt_mo.scalarizers._smooth_tchebycheff import SmoothTchebycheff
from zoopt_mo.scalarizers._tchebycheff import AugmentedTchebycheff, Tchebycheff
from zoopt_mo.scalarizers._weighted_sum import WeightedSum
from zoopt_mo.scalarizers._weights import reciprocal_weights

__all__ = [
    "PBI",
    "Achievement",
    "AugmentedAchievement",
    "AugmentedTchebycheff",
    "Normalized",
    "PNorm",
    "Scalarizer",
    "SmoothTchebycheff",
    "Tchebycheff",
    "WeightedSum",
    "reciprocal_weights",
]
