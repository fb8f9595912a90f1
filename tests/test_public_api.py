"""What users may import is listed, found, and explained."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from types import ModuleType

import pytest

import zoopt_mo

# A name added or removed here is a change for users: it belongs in CHANGELOG.md too.
GOLDEN = [
    "CMAES",
    "PBI",
    "REINFORCE",
    "RGE",
    "SPSA",
    "Acceleration",
    "Achievement",
    "AdaptiveBlock",
    "Asked",
    "AugmentedAchievement",
    "AugmentedTchebycheff",
    "Averaging",
    "Batch",
    "BlackBox",
    "Budget",
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
    "SampleScheduler",
    "Scalarizer",
    "Search",
    "SignDirection",
    "SmoothTchebycheff",
    "SpallGains",
    "StableTrajectory",
    "StepReport",
    "Tchebycheff",
    "TooManyFailures",
    "TuningFree",
    "Usage",
    "WeightedSum",
    "WhiteBox",
    "ask",
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
    "reuse_more",
    "save_checkpoint",
    "segmented_uniform",
    "simplex_weights",
    "sphere",
    "trace_front",
]

PUBLIC: list[str] = zoopt_mo.__all__


def names_in_args(doc: str) -> set[str]:
    """The parameters explained in the Args (or Attributes) section of a Google-style docstring."""
    section = re.search(r"^(?:Args|Attributes):\n((?:[ \t]+.*\n?|\n)+)", doc, flags=re.MULTILINE)
    if section is None:
        return set()
    entries = re.findall(r"^ {4}([*\w]+(?:, [*\w]+)*)(?: \(.*?\))?:", section.group(1), flags=re.MULTILINE)
    return {name.strip(" *") for names in entries for name in names.split(",")}


def parameters_of(function: Callable[..., object]) -> set[str]:
    """The arguments that a caller passes; ``args`` and ``kwargs`` come with torch's own classes."""
    return set(inspect.signature(function).parameters) - {"self", "cls", "args", "kwargs"}


def public_members(cls: type) -> dict[str, Callable[..., object]]:
    """The public methods and properties that the library wrote for ``cls``, inherited ones included."""
    members = {name: getattr(value, "fget", value) for name, value in inspect.getmembers(cls)}
    return {
        name: member
        for name, member in members.items()
        if not name.startswith("_")
        and inspect.isroutine(member)
        and (getattr(member, "__module__", None) or "").startswith("zoopt_mo")
    }


def unexplained(name: str, thing: object) -> list[str]:
    """Sentences about what ``thing`` leaves unsaid: a docstring, a parameter, a method."""
    doc = inspect.getdoc(thing) or ""
    if not doc:
        return [f"{name} has no docstring"]
    if not callable(thing):
        return []
    complaints = [f"{name} does not explain `{p}`" for p in sorted(parameters_of(thing) - names_in_args(doc))]
    if isinstance(thing, type):
        for member in public_members(thing):
            complaints += unmentioned(thing, member)
    return complaints


def unmentioned(cls: type, name: str) -> list[str]:
    """As ``unexplained``; a method may also name a parameter in double backticks, or leave it to its base's."""
    docs = [inspect.getdoc(vars(base)[name]) or "" for base in cls.__mro__ if name in vars(base)]
    if not any(docs):
        return [f"{cls.__name__}.{name} has no docstring"]
    known = {word for doc in docs for word in names_in_args(doc) | set(re.findall(r"``(\w+)", doc))}
    missing = parameters_of(public_members(cls)[name]) - known
    return [f"{cls.__name__}.{name} does not mention `{p}`" for p in sorted(missing)]


def acronyms_classes_functions(name: str) -> tuple[bool, bool, str]:
    """The order that ruff gives to ``__all__``: SPSA, then Estimator, then backward."""
    return not name.isupper(), not name[0].isupper(), name


def test_the_public_names_are_the_ones_agreed_on() -> None:
    assert PUBLIC == GOLDEN


def test_the_public_names_are_sorted_and_listed_once() -> None:
    assert sorted(set(PUBLIC), key=acronyms_classes_functions) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert hasattr(zoopt_mo, name)


def test_nothing_public_is_missing_from_all() -> None:
    found = {name for name, value in vars(zoopt_mo).items() if not isinstance(value, ModuleType)}
    assert {name for name in found if not name.startswith("_")} - {"annotations"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_explained_with_every_parameter(name: str) -> None:
    assert unexplained(name, getattr(zoopt_mo, name)) == []


class Silent:
    """A class that explains half.

    Args:
        radius: How far to look.
    """

    def __init__(self, radius: float, weights: list[float]) -> None:
        self.radius, self.weights = radius, weights

    @property
    def size(self) -> int:
        return len(self.weights)

    def ask(self) -> None:
        pass

    def tell(self, losses: list[float], step: int) -> None:
        """Takes ``losses`` and goes on."""


def test_a_missing_explanation_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    for method in (Silent.ask, Silent.tell, vars(Silent)["size"].fget):
        monkeypatch.setattr(method, "__module__", "zoopt_mo.imaginary")
    assert unexplained("Silent", Silent) == [
        "Silent does not explain `weights`",
        "Silent.ask has no docstring",
        "Silent.size has no docstring",
        "Silent.tell does not mention `step`",
    ]


def test_both_packages_are_regular_packages_with_a_description() -> None:
    for name in ("zoopt_mo", "privacy_mllm"):
        package = importlib.import_module(name)
        assert package.__file__ is not None
        assert package.__doc__
