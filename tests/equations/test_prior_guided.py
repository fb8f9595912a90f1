"""A guess of the gradient, probed with one pair: by hand, unbiased whatever it is, and cheap where it is useless."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import zoopt_mo as zo

SIZE = 12
SLOPE = torch.linspace(-1, 2, SIZE, dtype=torch.float64)
ORTHOGONAL = torch.cat([SLOPE[1:2], -SLOPE[0:1], torch.zeros(SIZE - 2, dtype=torch.float64)])


def vector(entries) -> zo.Combination:
    return zo.Combination([(1.0, zo.DenseDirection(torch.as_tensor(entries, dtype=torch.float64)))])


def dense(combination: zo.Combination) -> Tensor:
    return combination.dense(dtype=torch.float64)


def guided(**options) -> zo.PriorGuided:
    settings = {"radius": 0.1, **options}
    return zo.PriorGuided(zo.SPSA(radius=0.1, seed=5), **settings)


def estimates(estimator: zo.Estimator, guess: Tensor | None, steps: int) -> Tensor:
    """Estimates ``[steps, p]`` of a linear loss."""
    prior, rows = None if guess is None else vector(guess), []
    for _ in range(steps):
        losses = [float(SLOPE @ dense(displacement)) for displacement in estimator.ask(SIZE, prior=prior)]
        rows.append(dense(estimator.tell(losses).gradient))
    return torch.stack(rows)


def relative_error(found: Tensor) -> float:
    return float((found - SLOPE).square().sum(dim=1).mean() / SLOPE.square().sum())


def ones(size: int, seed: int, number: int) -> zo.DenseDirection:
    return zo.DenseDirection(torch.ones(size))


@pytest.mark.parametrize(("weight", "along"), [(1.0, 3.0), (0.5, 1.5), (None, 6.0)])
def test_a_step_by_hand(weight, along):
    """Guess (7, 0, 0, 0), so u = (2, 0, 0, 0); slopes (3, 1, -2, 5). Along u: s_u = 6 and w / 4 * 6 * u is
    w (3, 0, 0, 0), by default w = 4 / 2. Rest: d = (1, 1, 1, 1) less its part along u is
    (0, 1, 1, 1), of slope 4: (0, 4, 4, 4)."""
    slopes = torch.tensor([3.0, 1.0, -2.0, 5.0], dtype=torch.float64)
    estimator = zo.PriorGuided(zo.SPSA(radius=0.5, directions=ones), radius=0.25, weight=weight)
    asked = [dense(displacement) for displacement in estimator.ask(4, prior=vector([7.0, 0.0, 0.0, 0.0]))]
    expected = [[0.5, 0.0, 0.0, 0.0], [-0.5, 0.0, 0.0, 0.0], [0.0, 0.5, 0.5, 0.5], [0.0, -0.5, -0.5, -0.5]]
    torch.testing.assert_close(torch.stack(asked), torch.tensor(expected, dtype=torch.float64))
    estimate = estimator.tell([float(slopes @ row) for row in asked])
    assert dense(estimate.gradient).tolist() == pytest.approx([along, 4.0, 4.0, 4.0])
    assert estimate.num_directions == 1


def test_by_default_the_guess_counts_as_one_of_the_directions():
    """w = p / (q + 1): 12 / 4 with three pairs."""
    estimator = zo.PriorGuided(zo.SPSA(radius=0.1, num_pairs=3), radius=0.1)
    found = estimates(estimator, SLOPE, 1)[0]
    torch.testing.assert_close(found, 3.0 * SLOPE)  # the rest has no slope


@pytest.mark.parametrize(
    "guess",
    [SLOPE, -SLOPE, ORTHOGONAL, torch.ones(SIZE).double(), torch.eye(SIZE).double()[3]],
    ids=["right", "wrong sign", "useless", "ones", "one entry"],
)
def test_at_weight_one_the_mean_is_the_gradient_whatever_the_guess(guess):
    sample = estimates(guided(weight=1.0), guess, 1000)
    error = (sample.mean(dim=0) - SLOPE).abs()
    assert (error <= 4.5 * sample.std(dim=0) / math.sqrt(1000) + 1e-12).all()


def test_at_weight_one_the_whole_of_a_right_guess_is_found_in_one_step():
    torch.testing.assert_close(estimates(guided(weight=1.0), 5 * SLOPE, 3), SLOPE.expand(3, SIZE))


def test_a_wrong_sign_is_measured_and_turned():
    for weight in (1.0, None):
        right, wrong = (estimates(guided(weight=weight), guess, 4) for guess in (SLOPE + 1, -SLOPE - 1))
        assert torch.equal(right, wrong)


def test_the_length_of_the_guess_does_not_matter():
    short, long = (estimates(guided(), factor * (SLOPE + 1), 4) for factor in (1e-3, 1e3))
    torch.testing.assert_close(short, long)


@pytest.mark.parametrize("weight", [1.0, None])
def test_a_useless_guess_leaves_the_error_as_it_is(weight):
    """It takes one dimension from the rest: p - 2 in the place of p - 1."""
    plain, useless = (
        relative_error(estimates(zo.SPSA(radius=0.1), None, 3000)),
        relative_error(estimates(guided(weight=weight), ORTHOGONAL, 3000)),
    )
    assert plain == pytest.approx(SIZE - 1, rel=0.1)
    assert useless == pytest.approx(SIZE - 2, rel=0.1)


def test_a_guess_at_sixty_degrees_takes_its_share_out_of_the_error():
    """At weight 1 only the part off the guess, 3/4 of the squared gradient, is noisy: (p - 2) * 3/4."""
    side = ORTHOGONAL / ORTHOGONAL.norm()
    guess = 0.5 * SLOPE / SLOPE.norm() + math.sqrt(0.75) * side
    assert relative_error(estimates(guided(weight=1.0), guess, 3000)) == pytest.approx(0.75 * (SIZE - 2), rel=0.1)


@pytest.mark.parametrize("guess", [None, torch.zeros(SIZE).double()])
def test_without_a_guess_it_is_the_wrapped_estimator_bit_for_bit(guess):
    assert torch.equal(estimates(guided(), guess, 5), estimates(zo.SPSA(radius=0.1, seed=5), None, 5))


def test_a_guess_may_come_and_go():
    estimator = guided(weight=1.0)
    assert len(estimator.ask(SIZE, prior=vector(SLOPE))) == 4
    estimates(estimator, SLOPE, 1)
    assert len(estimator.ask(SIZE)) == 2
    estimates(estimator, None, 1)
    torch.testing.assert_close(estimates(estimator, SLOPE, 1)[0], SLOPE)


def test_the_radius_is_that_of_the_step_read_once():
    read: list[int] = []

    def radius(step: int) -> float:
        read.append(step)
        return 0.5 / (step + 1)

    estimator = guided(radius=radius)
    for step in range(3):
        estimator.ask(SIZE, prior=vector(SLOPE))
        pair = estimator.ask(SIZE, prior=vector(SLOPE))[:2]
        assert [displacement.norm() / math.sqrt(SIZE) for displacement in pair] == pytest.approx([0.5 / (step + 1)] * 2)
        estimator.tell([1.0, 0.0, 1.0, 0.0])
    assert read == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radius": 0.0}, r"^`radius` must be positive, got 0\.0\.$"),
        ({"weight": 0.0}, r"^`weight` must be positive, got 0\.0\.$"),
    ],
)
def test_bad_arguments_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        guided(**options)


def test_a_radius_function_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match=r"^`radius` must be positive, got -1\.0\.$"):
        guided(radius=lambda _step: -1.0).ask(SIZE, prior=vector(SLOPE))


def test_it_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got int\.$"):
        zo.PriorGuided(3, radius=0.1)  # type: ignore[arg-type]
