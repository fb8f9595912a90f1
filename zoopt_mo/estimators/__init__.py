"""Gradient estimators for black boxes, and the wrappers that improve them."""

from zoopt_mo.estimators._base import Estimate, Estimator
from zoopt_mo.estimators._critical_history import CriticalHistory
from zoopt_mo.estimators._spsa import SPSA

__all__ = ["SPSA", "CriticalHistory", "Estimate", "Estimator"]
