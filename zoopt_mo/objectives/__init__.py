"""Objectives: black boxes that are queried, white boxes whose gradient is exact."""

from zoopt_mo.objectives._ask import Asked, ask
from zoopt_mo.objectives._base import Evaluation, Objective
from zoopt_mo.objectives._batch import Batch
from zoopt_mo.objectives._black_box import BlackBox
from zoopt_mo.objectives._policy import QueryPolicy
from zoopt_mo.objectives._white_box import WhiteBox

__all__ = ["Asked", "Batch", "BlackBox", "Evaluation", "Objective", "QueryPolicy", "WhiteBox", "ask"]
