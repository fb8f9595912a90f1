"""Every problem of the library, small. One added to the library is listed here and held to all promises."""

from __future__ import annotations

from collections.abc import Callable

from zoopt_mo import problems
from zoopt_mo.problems import Problem

SINGLE: dict[str, Callable[[], Problem]] = {
    "sphere": lambda: problems.Sphere(7),
    "sphere of one": lambda: problems.Sphere(1),
    "ellipsoid": lambda: problems.Ellipsoid(7),
    "ellipsoid, rotated": lambda: problems.Ellipsoid(9, condition=30.0, rotated=True, seed=1),
    "power law": lambda: problems.PowerLaw(7),
    "power law, rotated": lambda: problems.PowerLaw(8, exponent=0.5, rotated=True, seed=2),
    "log cosh": lambda: problems.LogCosh(7),
    "log cosh, rotated": lambda: problems.LogCosh(7, width=0.3, rotated=True),
    "huber": lambda: problems.HuberValley(7),
    "huber, rotated": lambda: problems.HuberValley(7, width=0.5, rotated=True),
    "different powers": lambda: problems.DifferentPowers(7),
    "different powers, rotated": lambda: problems.DifferentPowers(7, rotated=True),
    "rosenbrock": lambda: problems.Rosenbrock(7),
    "rosenbrock of two": lambda: problems.Rosenbrock(2),
    "zakharov": lambda: problems.Zakharov(7),
    "rastrigin": lambda: problems.Rastrigin(5),
    "logistic": lambda: problems.LogisticRegression(6, num_rows=50),
    "mlp": lambda: problems.SmallMLP(inputs=3, hidden=4, num_rows=40),
}
SEVERAL: dict[str, Callable[[], Problem]] = {
    "fonseca and fleming": lambda: problems.FonsecaFleming(6),
    "convex pair": lambda: problems.ConvexPair(6),
    "convex pair, stretched": lambda: problems.ConvexPair(6, condition=50.0),
    "concave pair": lambda: problems.ConcavePair(6),
    "zdt1": lambda: problems.ZDT1(6),
    "zdt2": lambda: problems.ZDT2(6),
    "zdt3": lambda: problems.ZDT3(6),
    "smooth zdt2": lambda: problems.SmoothZDT2(6),
    "dtlz2, two": lambda: problems.DTLZ2(num_objectives=2, size=5),
    "dtlz2, three": lambda: problems.DTLZ2(num_objectives=3, size=7),
    "dtlz2, five": lambda: problems.DTLZ2(num_objectives=5, size=5),
    "neural trade-off": lambda: problems.NeuralTradeOff(inputs=3, hidden=4, num_rows=20),
}
WRAPPED: dict[str, Callable[[], Problem]] = {
    "minibatch, one": lambda: problems.Minibatch(problems.LogisticRegression(5, num_rows=30), batch_size=8, seed=0),
    "minibatch, several": lambda: problems.Minibatch(
        problems.NeuralTradeOff(inputs=3, hidden=4, num_rows=20), batch_size=6, seed=0
    ),
}
PROBLEMS = SINGLE | SEVERAL | WRAPPED
