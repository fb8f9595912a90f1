"""Zeroth-order multi-objective optimization: black boxes and differentiable losses in one step."""

from zoopt_mo import problems as problems
from zoopt_mo.backward import StepReport, backward
from zoopt_mo.calibration import Calibration, calibrate
from zoopt_mo.checkpoint import load_checkpoint, save_checkpoint
from zoopt_mo.directions import Combination, DenseDirection, Direction, SignDirection
from zoopt_mo.estimators import (
    RGE,
    SPSA,
    Acceleration,
    AdaptiveBlock,
    Averaging,
    CentredBlock,
    Clip,
    ControlVariate,
    CriticalHistory,
    Estimate,
    Estimator,
    EvolutionStrategy,
    GradientCorrection,
    Momentum,
    PriorGuided,
    TuningFree,
)
from zoopt_mo.evaluation import Failure, Judge, QueryError, Reply, Usage, concurrent, parallel, payload_key
from zoopt_mo.front import FrontResult, simplex_weights, trace_front
from zoopt_mo.gains import SpallGains
from zoopt_mo.ledger import Ledger, LedgerReader
from zoopt_mo.minimize import minimize
from zoopt_mo.objectives import Batch, BlackBox, Evaluation, Objective, QueryPolicy, WhiteBox
from zoopt_mo.parameters import Parameters
from zoopt_mo.pareto import ParetoArchive, dominates, epsilon_indicator, hypervolume, igd_plus, non_dominated
from zoopt_mo.recommended import recommended
from zoopt_mo.sampling import gaussian, hadamard, rademacher, segmented_uniform, sphere
from zoopt_mo.scalarizers import (
    PBI,
    Achievement,
    AugmentedAchievement,
    AugmentedTchebycheff,
    Normalized,
    PNorm,
    Scalarizer,
    SmoothTchebycheff,
    Tchebycheff,
    WeightedSum,
    reciprocal_weights,
)
from zoopt_mo.search import CMAES, REINFORCE, QLearning, Search, minimize_by_search, register_envs

__all__ = [
    "CMAES",
    "PBI",
    "REINFORCE",
    "RGE",
    "SPSA",
    "Acceleration",
    "Achievement",
    "AdaptiveBlock",
    "AugmentedAchievement",
    "AugmentedTchebycheff",
    "Averaging",
    "Batch",
    "BlackBox",
    "Calibration",
    "CentredBlock",
    "Clip",
    "Combination",
    "ControlVariate",
    "CriticalHistory",
    "DenseDirection",
    "Direction",
    "Estimate",
    "Estimator",
    "Evaluation",
    "EvolutionStrategy",
    "Failure",
    "FrontResult",
    "GradientCorrection",
    "Judge",
    "Ledger",
    "LedgerReader",
    "Momentum",
    "Normalized",
    "Objective",
    "PNorm",
    "Parameters",
    "ParetoArchive",
    "PriorGuided",
    "QLearning",
    "QueryError",
    "QueryPolicy",
    "Reply",
    "Scalarizer",
    "Search",
    "SignDirection",
    "SmoothTchebycheff",
    "SpallGains",
    "StepReport",
    "Tchebycheff",
    "TuningFree",
    "Usage",
    "WeightedSum",
    "WhiteBox",
    "backward",
    "calibrate",
    "concurrent",
    "dominates",
    "epsilon_indicator",
    "gaussian",
    "hadamard",
    "hypervolume",
    "igd_plus",
    "load_checkpoint",
    "minimize",
    "minimize_by_search",
    "non_dominated",
    "parallel",
    "payload_key",
    "rademacher",
    "reciprocal_weights",
    "recommended",
    "register_envs",
    "save_checkpoint",
    "segmented_uniform",
    "simplex_weights",
    "sphere",
    "trace_front",
]
