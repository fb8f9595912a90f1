"""Losses with known gradient, optimum and front, shared by tests, benchmarks and docs."""

from zoopt_mo.problems._base import Problem, SingleObjective
from zoopt_mo.problems._curved import Rastrigin, Rosenbrock, Zakharov
from zoopt_mo.problems._dtlz import DTLZ2
from zoopt_mo.problems._forms import AnalyticProblem, DataProblem
from zoopt_mo.problems._minibatch import Minibatch
from zoopt_mo.problems._neural_trade_off import NeuralTradeOff
from zoopt_mo.problems._noise import AdditiveNoise, Noise, Outliers
from zoopt_mo.problems._pairs import ConcavePair, ConvexPair, FonsecaFleming
from zoopt_mo.problems._quadratics import Ellipsoid, PowerLaw, Sphere
from zoopt_mo.problems._regression import LogisticRegression, SmallMLP
from zoopt_mo.problems._valleys import DifferentPowers, HuberValley, LogCosh
from zoopt_mo.problems._zdt import ZDT1, ZDT2, ZDT3, SmoothZDT2

__all__ = [
    "DTLZ2",
    "ZDT1",
    "ZDT2",
    "ZDT3",
    "AdditiveNoise",
    "AnalyticProblem",
    "ConcavePair",
    "ConvexPair",
    "DataProblem",
    "DifferentPowers",
    "Ellipsoid",
    "FonsecaFleming",
    "HuberValley",
    "LogCosh",
    "LogisticRegression",
    "Minibatch",
    "NeuralTradeOff",
    "Noise",
    "Outliers",
    "PowerLaw",
    "Problem",
    "Rastrigin",
    "Rosenbrock",
    "SingleObjective",
    "SmallMLP",
    "SmoothZDT2",
    "Sphere",
    "Zakharov",
]
