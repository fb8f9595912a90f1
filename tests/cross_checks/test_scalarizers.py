"""Scalarizers against two independent implementations: pymoo (numpy) and TorchJD (torch, with gradients)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pymoo.decomposition.aasf
import pymoo.decomposition.asf
import pymoo.decomposition.pbi
import pymoo.decomposition.tchebicheff
import pymoo.decomposition.weighted_sum
import pytest
import torch
import torchjd.scalarization as jd
from hypothesis import assume, given
from hypothesis import strategies as st

import zoopt_mo as zo

Vector = npt.NDArray[np.float64]
REACH = 1e-6  # the least margin drawn


def vectors(count: int, low: float, high: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(low, high), min_size=count, max_size=count)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[float], list[float], list[float]]:
    """Weights, a reference point and losses above it."""
    count = draw(st.integers(1, 5))
    point = draw(vectors(count, -10.0, 10.0))
    excess = draw(vectors(count, 0.0, 10.0))
    return draw(vectors(count, 0.05, 2.0)), point, [z + above for z, above in zip(point, excess, strict=True)]


def ours(scalarizer: zo.Scalarizer, losses: list[float]) -> float:
    return float(scalarizer(torch.tensor(losses, dtype=torch.float64)))


def theirs(decomposition: object, weights: list[float], point: Vector | list[float], losses: list[float]) -> float:
    """pymoo's value; its utopian point is the ideal minus the margin."""
    answer = decomposition.do(  # type: ignore[attr-defined]
        np.array([losses]), np.array([weights]), _type="one_to_one", utopian_point=np.array(point)
    )
    return float(answer[0])


# --- pymoo -----------------------------------------------------------------------------------------------------------


@given(problems())
def test_the_weighted_sum_is_pymoos(problem):
    weights, point, losses = problem
    expected = theirs(pymoo.decomposition.weighted_sum.WeightedSum(), weights, point, losses)
    assert ours(zo.WeightedSum(weights=weights), losses) == pytest.approx(expected, abs=1e-12)


@given(problems(), st.floats(REACH, 1.0))
def test_tchebycheff_is_pymoos_from_the_utopian_point(problem, margin):
    weights, point, losses = problem
    expected = theirs(pymoo.decomposition.tchebicheff.Tchebicheff(), weights, np.array(point) - margin, losses)
    assert ours(zo.Tchebycheff(weights=weights, ideal=point, margin=margin), losses) == pytest.approx(expected)


@given(problems(), st.floats(-5.0, 5.0))
def test_achievement_is_pymoos_with_the_same_weights_and_any_reference_point(problem, offset):
    weights, point, losses = problem
    reference = [z + offset for z in point]  # also above the losses
    expected = theirs(pymoo.decomposition.asf.ASF(), weights, reference, losses)
    assert ours(zo.Achievement(weights=weights, reference=reference), losses) == pytest.approx(expected, abs=1e-12)


@given(problems(), st.floats(-5.0, 5.0), st.floats(0.0, 1.0))
def test_augmented_achievement_is_pymoos_with_the_same_weights(problem, offset, rho):
    weights, point, losses = problem
    reference = [z + offset for z in point]
    expected = theirs(pymoo.decomposition.aasf.AASF(rho=rho), weights, reference, losses)
    scalarizer = zo.AugmentedAchievement(weights=weights, reference=reference, augmentation=rho)
    assert ours(scalarizer, losses) == pytest.approx(expected, abs=1e-9)


@given(problems(), st.floats(0.0, 40.0))
def test_pymoos_angle_beta_is_an_augmentation(problem, beta):
    weights, point, losses = problem
    expected = theirs(pymoo.decomposition.aasf.AASF(beta=beta), weights, point, losses)
    rho = 1 / (1 - np.tan(np.radians(beta))) - 1
    scalarizer = zo.AugmentedAchievement(weights=weights, reference=point, augmentation=rho)
    assert ours(scalarizer, losses) == pytest.approx(expected, abs=1e-9)


@given(problems(), st.floats(0.0, 10.0))
def test_boundary_intersection_is_pymoos(problem, theta):
    weights, point, losses = problem
    expected = theirs(pymoo.decomposition.pbi.PBI(theta=theta), weights, point, losses)
    assert ours(zo.PBI(weights=weights, ideal=point, penalty=theta), losses) == pytest.approx(expected, abs=1e-9)


@given(problems(), st.floats(REACH, 1.0))
def test_pymoos_achievement_with_reciprocal_weights_is_our_tchebycheff_times_their_sum(problem, margin):
    weights, point, losses = problem
    total = sum(1 / weight for weight in weights)
    expected = theirs(pymoo.decomposition.asf.ASF(), zo.reciprocal_weights(weights), np.array(point) - margin, losses)
    value = ours(zo.Tchebycheff(weights=weights, ideal=point, margin=margin), losses)
    assert value * total == pytest.approx(expected)


@given(problems(), st.floats(REACH, 1.0), st.floats(0.0, 1.0))
def test_pymoos_augmented_achievement_and_our_augmented_tchebycheff_differ_by_a_constant(problem, margin, sigma):
    """Ours sums weighted losses and theirs weighted distances: sigma times the weighted utopian point lies between."""
    weights, point, losses = problem
    utopian = np.array(point) - margin
    total = sum(1 / weight for weight in weights)
    expected = theirs(pymoo.decomposition.aasf.AASF(rho=sigma), zo.reciprocal_weights(weights), utopian, losses)
    scalarizer = zo.AugmentedTchebycheff(weights=weights, ideal=point, margin=margin, augmentation=sigma)
    shifted = ours(scalarizer, losses) - sigma * float(np.dot(weights, utopian))
    assert shifted * total == pytest.approx(expected, abs=1e-9)


@given(problems())
def test_the_norm_is_numpys(problem):
    weights, point, losses = problem
    distances = np.array(weights) * (np.array(losses) - np.array(point))
    for p in (1.0, 1.5, 2.0, 7.0):
        value = ours(zo.PNorm(weights=weights, ideal=point, p=p), losses)
        assert value == pytest.approx(np.linalg.norm(distances, ord=p), abs=1e-12)


# --- TorchJD: values and gradients -----------------------------------------------------------------------------------


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def assert_same(mine: Callable[..., torch.Tensor], other: Callable[..., torch.Tensor], losses: list[float]) -> None:
    """The same value, and the same weights for the objectives."""
    results = []
    for scalarize in (mine, other):
        inputs = tensor(losses).requires_grad_()
        value = scalarize(inputs)
        (derivative,) = torch.autograd.grad(value, inputs)
        results.append((value.detach(), derivative))
    torch.testing.assert_close(results[0], results[1], rtol=1e-6, atol=1e-5)


@given(problems(), st.floats(REACH, 1.0), st.floats(1e-3, 10.0))
def test_smooth_tchebycheff_is_torchjds_from_the_utopian_point(problem, margin, mu):
    weights, point, losses = problem
    mine = zo.SmoothTchebycheff(weights=weights, ideal=point, smoothing=mu, margin=margin)
    assert_same(mine, jd.STCH(mu, weights=tensor(weights), reference=tensor(point) - margin), losses)


@given(problems(), st.floats(0.0, 10.0))
def test_boundary_intersection_is_torchjds_away_from_the_ray(problem, theta):
    """Theirs adds 1e-12 under the root of the distance to the ray, which shows in the gradient next to the ray."""
    weights, point, losses = problem
    ray = np.array(weights) / np.linalg.norm(weights)
    distances = np.array(losses) - np.array(point)
    assume(len(weights) == 1 or np.linalg.norm(distances - distances @ ray * ray) > 1e-2)
    mine = zo.PBI(weights=weights, ideal=point, penalty=theta)
    assert_same(mine, jd.PBI(theta, weights=tensor(weights), reference=tensor(point)), losses)


@given(problems())
def test_constant_weights_sum_and_mean_are_weighted_sums(problem):
    weights, _, losses = problem
    count = len(weights)
    assert_same(zo.WeightedSum(weights=weights), jd.Constant(tensor(weights)), losses)
    assert_same(zo.WeightedSum(weights=[1.0] * count), jd.Sum(), losses)
    assert_same(zo.WeightedSum(weights=[1.0 / count] * count), jd.Mean(), losses)


@pytest.mark.parametrize("name", ["Mean", "GeometricMean", "STCH", "PBI", "COSMOS"])
def test_torchjds_scalarizers_drop_in_unchanged(name):
    """``backward`` takes any function from losses to a number; the gradient is TorchJD's own backward pass."""
    options: dict[str, list[float | torch.Tensor]] = {
        "STCH": [0.1],
        "PBI": [5.0, tensor([0.3, 0.7])],
        "COSMOS": [1.0, tensor([0.3, 0.7])],
    }
    scalarize = getattr(jd, name)(*options.get(name, []))
    theta, reference = (torch.linspace(-1.0, 1.0, 4, dtype=torch.float64).requires_grad_() for _ in range(2))
    boxes = [zo.WhiteBox(lambda: (theta - 1).square().sum()), zo.WhiteBox(lambda: (theta + 2).square().sum())]
    zo.backward(boxes, scalarize, theta)
    scalarize(torch.stack([(reference - 1).square().sum(), (reference + 2).square().sum()])).backward()
    torch.testing.assert_close(theta.grad, reference.grad)
