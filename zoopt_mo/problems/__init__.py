"""Losses with known gradient, optimum and front, shared by tests, benchmarks and docs."""

from zoopt_mo.problems._base import AnalyticProblem, DataProblem, Problem, SingleObjective
from zoopt_mo.problems._curved import Rastrigin, Rosenbrock, Zakharov
from zoopt_mo.problems._noise import AdditiveNoise, Minibatch, Noise, Outliers
from zoopt_mo.problems._quadratics import Ellipsoid, PowerLaw, Sphere
from zoopt_mo.problems._regression import LogisticRegression, SmallMLP
from zoopt_mo.problems._valleys import DifferentPowers, HuberValley, LogCosh

__all__ = [
    "AdditiveNoise",
    "AnalyticProblem",
    "DataProblem",
    "DifferentPowers",
    "Ellipsoid",
    "HuberValley",
    "LogCosh",
    "LogisticRegression",
    "Minibatch",
    "Noise",
    "Outliers",
    "PowerLaw",
    "Problem",
    "Rastrigin",
    "Rosenbrock",
    "SingleObjective",
    "SmallMLP",
    "Sphere",
    "Zakharov",
]
