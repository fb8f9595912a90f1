"""Gradient estimators for black boxes, and the wrappers that improve them."""

from zoopt_mo.estimators._acceleration import Acceleration
from zoopt_mo.estimators._adaptive_block import AdaptiveBlock
from zoopt_mo.estimators._averaging import Averaging
from zoopt_mo.estimators._base import Estimate, Estimator, NothingMeasured, check_radius, radius_at
from zoopt_mo.estimators._centred_block import CentredBlock
from zoopt_mo.estimators._clip import Clip
from zoopt_mo.estimators._control_variate import ControlVariate
from zoopt_mo.estimators._critical_history import CriticalHistory
from zoopt_mo.estimators._evolution_strategy import EvolutionStrategy
from zoopt_mo.estimators._failures import complete_pairs
from zoopt_mo.estimators._gaussian_smoothing import RGE
from zoopt_mo.estimators._gradient_correction import GradientCorrection
from zoopt_mo.estimators._momentum import Momentum
from zoopt_mo.estimators._prior_guided import PriorGuided
from zoopt_mo.estimators._spsa import SPSA
from zoopt_mo.estimators._tuning_free import TuningFree

__all__ = [
    "RGE",
    "SPSA",
    "Acceleration",
    "AdaptiveBlock",
    "Averaging",
    "CentredBlock",
    "Clip",
    "ControlVariate",
    "CriticalHistory",
    "Estimate",
    "Estimator",
    "EvolutionStrategy",
    "GradientCorrection",
    "Momentum",
    "NothingMeasured",
    "PriorGuided",
    "TuningFree",
    "check_radius",
    "complete_pairs",
    "radius_at",
]
