"""Objectives: black boxes that are queried, white boxes whose gradient is exact."""

from zoopt_mo.objectives._base import Evaluation, Objective
from zoopt_mo.objectives._black_box import BlackBox
from zoopt_mo.objectives._white_box import WhiteBox

__all__ = ["BlackBox", "Evaluation", "Objective", "WhiteBox"]
