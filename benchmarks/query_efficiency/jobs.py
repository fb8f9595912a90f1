"""Which cells make up the benchmark."""

from __future__ import annotations

from benchmarks.query_efficiency.methods import ABLATIONS, METHODS, OURS
from benchmarks.query_efficiency.mixed import BUDGET, MIXED_METHODS
from benchmarks.query_efficiency.runs import Cell, Job
from benchmarks.query_efficiency.suite import HELD_OUT, MINIBATCH, SINGLE, Noise, Task

BUDGETS: dict[Noise, int] = {"none": 12_000, "additive": 10_000, "outliers": 12_000, "minibatch": 6_000}
PAPER = ("sphere", "ellipsoid, rotated", "small MLP")  # problems of the paper's own methods
SAME_STEPS = (0.1, 0.3)  # in one over the trace of the Hessian
HELD_OUT_METHODS = (OURS, "SPSA", "SPSA-GC", "critical history", "OpenAI-ES")
QUICK = ("sphere", "ellipsoid, rotated", "different powers")


def task(problem: str, noise: Noise) -> Task:
    """A problem under a kind of noise, with that kind's budget."""
    return Task(problem, noise, BUDGETS[noise])


def problems_of(quick: bool) -> tuple[str, ...]:  # noqa: FBT001 - the flag of the command line
    """Names of the problems."""
    return QUICK if quick else tuple(SINGLE)


def tuned(problems: tuple[str, ...], num_seeds: int) -> list[Job]:
    """Every method on every problem, without noise and with additive noise."""
    tasks = [task(problem, noise) for problem in problems for noise in ("none", "additive")]
    return [Job(method, one, "tuned", num_seeds) for one in tasks for method in METHODS]


def untuned(problems: tuple[str, ...], num_seeds: int) -> list[Job]:
    """The recommended method as it comes."""
    tasks = [task(problem, noise) for problem in problems for noise in ("none", "additive")]
    return [Job(OURS, one, "untuned", num_seeds) for one in tasks]


def held_out(num_seeds: int) -> list[Job]:
    """The problems that nobody chose on: the same protocol, and the recommended method as it comes."""
    tasks = [task(problem, noise) for problem in HELD_OUT for noise in ("none", "additive")]
    jobs = [Job(method, one, "tuned", num_seeds) for one in tasks for method in HELD_OUT_METHODS]
    return jobs + untuned(tuple(HELD_OUT), num_seeds)


def outliers(cells: list[Cell], num_seeds: int) -> list[Job]:
    """The recommended method with outliers, at the settings tuned without them."""
    return [
        Job(OURS, task(cell.task.problem, "outliers"), "tuned", num_seeds, reuse=(cell.lr, cell.radius))
        for cell in cells
        if cell.method == OURS and cell.task.noise == "additive" and cell.protocol == "tuned"
    ]


def minibatch(problems: tuple[str, ...], num_seeds: int) -> list[Job]:
    """The step without tuning where the loss changes from step to step, and tuned SPSA."""
    tasks = [task(problem, "minibatch") for problem in problems if problem in MINIBATCH]
    return [
        job for one in tasks for job in (Job(OURS, one, "untuned", num_seeds), Job("SPSA", one, "tuned", num_seeds))
    ]


def paper(problems: tuple[str, ...], num_seeds: int) -> list[Job]:
    """The paper's methods and ablations: the same step for all, then each at its own."""
    tasks = [task(problem, "none") for problem in PAPER if problem in problems]
    same = [
        Job(method, one, "same step", num_seeds, multiple)
        for one in tasks
        for multiple in SAME_STEPS
        for method in ABLATIONS
    ]
    return same + [Job(method, one, "tuned", num_seeds) for one in tasks for method in ABLATIONS]


def mixed(problems: tuple[str, ...], num_seeds: int) -> list[Job]:
    """A black box beside a white box, tuned."""
    tasks = [Task(problem, "none", BUDGET) for problem in problems]
    return [Job(method, one, "mixed", num_seeds) for one in tasks for method in MIXED_METHODS]
