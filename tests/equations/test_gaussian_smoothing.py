"""Random gradient estimation: slopes times directions, and what smoothing does to a gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import zoopt_mo as zo

ENTRIES = [0.5, -1.0, 2.0]


def fixed(size: int, seed: int, number: int) -> zo.DenseDirection:
    return zo.DenseDirection((number + 1) * torch.tensor(ENTRIES))


def dense(combination: zo.Combination) -> Tensor:
    return combination.dense(dtype=torch.float64)


def sample_of(estimator, loss, *, size, count):
    """Gradients ``[count, size]`` of independent steps at the same theta."""
    steps = (estimator.tell([loss(dense(probe)) for probe in estimator.ask(size)]) for _ in range(count))
    return torch.stack([dense(estimate.gradient) for estimate in steps])


def test_two_sides_by_hand():
    """L+ = 5, L- = 2, c = 0.25: slope 3 / 0.5 = 6, times the direction, not divided by it."""
    estimator = zo.RGE(radius=0.25, directions=fixed)
    assert [dense(probe).tolist() for probe in estimator.ask(3)] == [[0.125, -0.25, 0.5], [-0.125, 0.25, -0.5]]
    estimate = estimator.tell([5.0, 2.0])
    assert dense(estimate.gradient).tolist() == [3.0, -6.0, 12.0]
    assert (estimate.value, estimate.num_directions) == (3.5, 1)


def test_one_side_by_hand():
    """L = 2 at theta, 5 and 3 at c = 0.25 along d and 2 d: slopes 12 and 4, mean (12 d + 4 * 2 d) / 2 = 10 d."""
    estimator = zo.RGE(radius=0.25, num_directions=2, directions=fixed, sides=1)
    assert [dense(probe).tolist() for probe in estimator.ask(3)] == [
        [0.0, 0.0, 0.0],
        [0.125, -0.25, 0.5],
        [0.25, -0.5, 1.0],
    ]
    estimate = estimator.tell([2.0, 5.0, 3.0])
    assert dense(estimate.gradient).tolist() == [5.0, -10.0, 20.0]
    assert (estimate.value, estimate.num_directions) == (2.0, 2)


@pytest.mark.parametrize("source", [zo.rademacher, zo.hadamard])
def test_on_signs_it_is_spsa_bit_for_bit(source):
    smoothing = zo.RGE(radius=0.3, num_directions=3, directions=source, seed=5)
    spsa = zo.SPSA(radius=0.3, num_pairs=3, directions=source, seed=5)
    losses = np.random.default_rng(0)
    for _ in range(10):
        assert [dense(probe).tolist() for probe in smoothing.ask(7)] == [dense(p).tolist() for p in spsa.ask(7)]
        told = losses.normal(size=6)
        one, other = smoothing.tell(told), spsa.tell(told)
        assert torch.equal(dense(one.gradient), dense(other.gradient))
        assert one.value == other.value


def test_a_gaussian_gives_the_gradient_of_the_smoothed_loss():
    """L = x^3 smoothed with c = 0.5 is E (x + c z)^3 = x^3 + 3 c^2 x: slope 3 + 0.75 at 1, not 3."""
    estimator = zo.RGE(radius=0.5)
    sample = sample_of(estimator, lambda x: (1 + float(x[0])) ** 3, size=1, count=4000)
    tolerance = 5 * float(sample.std()) / math.sqrt(len(sample))
    assert float(sample.mean()) == pytest.approx(3.75, abs=tolerance)
    assert tolerance < 0.75


def test_a_sphere_of_one_dimension_is_the_central_difference():
    """((1 + c)^3 - (1 - c)^3) / 2 c = 3 + c^2, for both signs of the direction."""
    sample = sample_of(zo.RGE(radius=0.5, directions=zo.sphere), lambda x: (1 + float(x[0])) ** 3, size=1, count=10)
    torch.testing.assert_close(sample, torch.full((10, 1), 3.25, dtype=torch.float64), rtol=1e-6, atol=0.0)


@pytest.mark.parametrize(
    ("source", "ratio"), [(zo.gaussian, 5.0), (zo.sphere, 3.0), (zo.rademacher, 3.0), (zo.hadamard, 3.0)]
)
def test_the_mean_square_of_the_estimate(source, ratio):
    """E |g|^2 / |grad|^2 = p + 2 with a Gaussian, p with signs and on the sphere; here p = 3."""
    slope = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64)
    sample = sample_of(zo.RGE(radius=1.0, directions=source), lambda x: float(slope @ x), size=3, count=4000)
    ratios = sample.square().sum(dim=1) / 9.0
    tolerance = 5 * float(ratios.std()) / math.sqrt(len(ratios))
    assert float(ratios.mean()) == pytest.approx(ratio, abs=tolerance)
    assert tolerance < 2.0


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"radius": -0.1}, ValueError, r"^`radius` must be positive, got -0\.1\.$"),
        ({"num_directions": 0}, ValueError, r"^`num_directions` must be at least 1, got 0\.$"),
        ({"sides": 3}, ValueError, r"^`sides` must be 1 or 2, got 3\.$"),
        (
            {"directions": zo.segmented_uniform},
            ValueError,
            r"^`directions` must have entries of mean square 1, got segmented_uniform, whose is 7/12; SPSA divides",
        ),
    ],
)
def test_bad_arguments_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        zo.RGE(**{"radius": 0.1, **options})
