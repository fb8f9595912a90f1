"""How many queries may be spent, which samples they are spent on, and when to stop."""

from zoopt_mo.budget._budget import Budget
from zoopt_mo.budget._reuse_more import reuse_more
from zoopt_mo.budget._sample_scheduler import SampleScheduler
from zoopt_mo.budget._stable_trajectory import StableTrajectory

__all__ = ["Budget", "SampleScheduler", "StableTrajectory", "reuse_more"]
