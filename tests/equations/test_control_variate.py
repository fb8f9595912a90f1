"""Exact gradients of other objectives, and a guess, as control variates: the regression by hand, and what it saves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import zoopt_mo as zo

ROWS = [[1.0, 1.0], [1.0, -1.0]]


def fixed(size: int, seed: int, number: int) -> zo.DenseDirection:
    return zo.DenseDirection(torch.tensor(ROWS[number % 2]))


def vector(entries) -> zo.Combination:
    return zo.Combination([(1.0, zo.DenseDirection(torch.as_tensor(entries, dtype=torch.float64)))])


def dense(combination: zo.Combination) -> Tensor:
    return combination.dense(dtype=torch.float64)


def estimates(estimator: zo.Estimator, loss, exact, *, size: int, steps: int, guess=None) -> Tensor:
    """Estimates ``[steps, p]`` of a loss of the displacement."""
    rows = []
    for _ in range(steps):
        losses = [float(loss(dense(displacement))) for displacement in estimator.ask(size, prior=guess)]
        rows.append(dense(estimator.tell(losses, exact=exact).gradient))
    return torch.stack(rows)


def test_two_steps_by_hand():
    """h = (3, 1), c = 1. Step 1, d = (1, 1), h.d = 4, losses 9 and 1, so s = 4: kappa = (4*4 + 4*4) / (16 + 16) = 1,
    and nothing is left: h. Step 2, d = (1, -1), h.d = 2, losses 0 and -12, so s = 6: with memory 0.5,
    kappa = (0.5 * 32 + 2 * 12) / (0.5 * 32 + 2 * 4) = 5/3, and 5/3 h + (6 - 10/3) d = (23/3, -1)."""
    estimator = zo.ControlVariate(zo.SPSA(radius=1.0, directions=fixed), memory=0.5)
    h = [vector([3.0, 1.0])]
    estimator.ask(2)
    first = estimator.tell([9.0, 1.0], exact=h)
    estimator.ask(2)
    second = estimator.tell([0.0, -12.0], exact=h)
    assert dense(first.gradient).tolist() == pytest.approx([3.0, 1.0])
    assert dense(second.gradient).tolist() == pytest.approx([23 / 3, -1.0])
    assert (first.value, second.value) == (5.0, -6.0)


def test_a_guess_counts_as_an_exact_gradient_does():
    """The two steps above, with h as the prior; in the second it is half as long and turned, and its kappa is -6."""
    estimator = zo.ControlVariate(zo.SPSA(radius=1.0, directions=fixed), memory=0.0)
    estimator.ask(2, prior=vector([3.0, 1.0]))
    first = estimator.tell([9.0, 1.0])
    estimator.ask(2, prior=vector([-1.5, -0.5]))
    second = estimator.tell([0.0, -12.0])
    assert dense(first.gradient).tolist() == pytest.approx([3.0, 1.0])
    assert dense(second.gradient).tolist() == pytest.approx([9.0, 3.0])  # kappa h alone has the slope of 6


@pytest.mark.parametrize("factor", [1.0, -0.01, 300.0])
def test_what_a_guess_is_worth_is_measured(factor):
    """Length and sign of a guess say nothing: a pair is enough to find its factor."""
    h = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    found = estimates(
        zo.ControlVariate(zo.SPSA(radius=0.1)), lambda x: h @ x, (), size=4, steps=5, guess=vector(factor * h)
    )
    torch.testing.assert_close(found, h.expand(5, 4))


def test_a_guess_and_exact_gradients_are_regressed_on_together():
    one, other = torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 1.0, -1.0]], dtype=torch.float64)
    loss = 2 * one - 3 * other
    estimator = zo.ControlVariate(zo.SPSA(radius=0.1, num_pairs=3))
    found = estimates(estimator, lambda x: loss @ x, [vector(one)], size=4, steps=3, guess=vector(other))
    torch.testing.assert_close(found, loss.expand(3, 4))


def test_a_useless_guess_leaves_the_estimate_unbiased_and_a_good_one_takes_most_of_its_error():
    """A guess across the gradient g has a kappa of mean 0; one at a cosine c leaves what is across it, (1 - c^2)."""
    size, steps = 16, 4000
    g, across = torch.eye(size, dtype=torch.float64)[:2] * 3

    def errors(guess) -> tuple[float, float]:
        estimator = zo.ControlVariate(zo.SPSA(radius=0.1), memory=0.99)
        found = estimates(estimator, lambda x: g @ x, (), size=size, steps=steps, guess=vector(guess))[500:]
        return float((found.mean(dim=0) - g).norm() / g.norm()), float((found - g).square().sum(1).mean() / (g @ g))

    plain = float(size - 1)
    bias, useless = errors(across)
    assert bias < 4 * (plain / (steps - 500)) ** 0.5
    assert useless == pytest.approx(plain, rel=0.1)
    bias, good = errors(0.8 * g + 0.6 * across)
    assert bias < 4 * (plain / (steps - 500)) ** 0.5
    assert good == pytest.approx((1 - 0.8**2) * plain, rel=0.15)


def test_for_spsa_it_is_kappa_h_and_the_rest_of_the_slope_along_the_direction():
    generator = np.random.default_rng(0)
    estimator = zo.ControlVariate(zo.SPSA(radius=0.1, seed=3), memory=0.9)
    products = targets = 0.0
    for _ in range(10):
        h = torch.from_numpy(generator.normal(size=6))
        plus, _minus = estimator.ask(6)
        d, losses = dense(plus) / 0.1, generator.normal(size=2)
        slope, inner = (losses[0] - losses[1]) / 0.2, float(h @ d)
        products, targets = 0.9 * products + 2 * (0.1 * inner) ** 2, 0.9 * targets + 2 * 0.01 * slope * inner
        kappa = targets / products
        found = dense(estimator.tell(losses, exact=[vector(h)]).gradient)
        torch.testing.assert_close(found, kappa * h + (slope - kappa * inner) * d, rtol=1e-9, atol=1e-9)


def test_a_loss_that_is_a_multiple_of_the_exact_one_is_estimated_without_error():
    h = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    estimator = zo.ControlVariate(zo.SPSA(radius=0.1))
    found = estimates(estimator, lambda x: -2.5 * (h @ x) + 7.0, [vector(h)], size=4, steps=5)
    torch.testing.assert_close(found, (-2.5 * h).expand(5, 4))


@pytest.mark.parametrize("build", [zo.CentredBlock, zo.AdaptiveBlock])
def test_a_one_sided_block_loses_the_mean_of_its_displacements_too(build):
    h = torch.linspace(-1, 2, 8, dtype=torch.float64)
    estimator = zo.ControlVariate(build(radius=0.1, num_probes=4))
    found = estimates(estimator, lambda x: 3 * (h @ x), [vector(h)], size=8, steps=12)
    torch.testing.assert_close(found, (3 * h).expand(12, 8))


def test_several_exact_gradients_are_regressed_on_together():
    one, other = torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 1.0, -1.0]], dtype=torch.float64)
    estimator = zo.ControlVariate(zo.SPSA(radius=0.1, num_pairs=3))
    loss = 2 * one - 3 * other
    found = estimates(estimator, lambda x: loss @ x, [vector(one), vector(other)], size=4, steps=3)
    torch.testing.assert_close(found, loss.expand(3, 4))


def test_another_number_of_exact_gradients_starts_the_regression_anew():
    h = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    estimator = zo.ControlVariate(zo.SPSA(radius=0.1))
    estimates(estimator, lambda x: 50 * x.sum(), [vector(torch.ones(4)), vector(h)], size=4, steps=5)
    found = estimates(estimator, lambda x: h @ x, [vector(h)], size=4, steps=1)
    torch.testing.assert_close(found[0], h)


def test_a_step_without_a_guess_does_not_use_that_of_the_step_before():
    slope = torch.arange(1.0, 6.0, dtype=torch.float64)
    wrapped, plain = zo.ControlVariate(zo.SPSA(radius=0.1)), zo.SPSA(radius=0.1)
    estimates(wrapped, lambda x: slope @ x, (), size=5, steps=2, guess=vector(slope))
    estimates(plain, lambda x: slope @ x, (), size=5, steps=2)
    later = (estimates(each, lambda x: slope @ x, (), size=5, steps=2) for each in (wrapped, plain))
    assert torch.equal(*later)


def test_without_exact_gradients_it_is_the_wrapped_estimator_bit_for_bit():
    def bent(x):
        return (x - 1).square().sum() + x.sin().sum()

    plain = estimates(zo.SPSA(radius=0.1), bent, (), size=5, steps=6)
    assert torch.equal(estimates(zo.ControlVariate(zo.SPSA(radius=0.1)), bent, (), size=5, steps=6), plain)


def test_an_exact_gradient_of_zero_changes_nothing():
    slope = torch.arange(1.0, 6.0, dtype=torch.float64)
    plain = estimates(zo.SPSA(radius=0.1), lambda x: slope @ x, (), size=5, steps=4)
    wrapped = zo.ControlVariate(zo.SPSA(radius=0.1))
    assert torch.equal(estimates(wrapped, lambda x: slope @ x, [vector(torch.zeros(5))], size=5, steps=4), plain)


def test_the_error_vanishes_at_a_pareto_point_of_two_quadratics_where_that_of_spsa_does_not():
    """Of (x - a)^2 and (x + a)^2 at x = t n off the segment's middle: gradients 2 (t n - a) and 2 (t n + a). SPSA's
    squared error is p - 1 times the squared gradient; what is left here is that of the part along n, of order t^2."""
    size, steps = 32, 800
    generator = torch.Generator().manual_seed(0)
    a, n = torch.linalg.qr(torch.randn(size, 2, generator=generator, dtype=torch.float64))[0].T

    def error(estimator: zo.Estimator, t: float) -> float:
        x, gradient = t * n, 2 * (t * n - a)
        found = estimates(
            estimator, lambda d: (x + d - a).square().sum(), [vector(2 * (x + a))], size=size, steps=steps
        )
        return float((found[20:] - gradient).square().sum(dim=1).mean() / gradient.square().sum())

    errors = [error(zo.ControlVariate(zo.SPSA(radius=0.01)), t) for t in (0.3, 0.1, 0.0)]
    plain = error(zo.SPSA(radius=0.01), 0.0)
    assert plain == pytest.approx(size - 1, rel=4 * (2 / steps) ** 0.5)  # a squared slope varies by twice its square
    assert errors[0] < 0.5 * plain
    assert errors[1] < 0.2 * errors[0]
    assert errors[2] < 1e-12 * plain


@pytest.mark.parametrize("bad", [-0.1, 1.0])
def test_a_memory_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match=rf"^`memory` must be in \[0, 1\), got {bad}\.$"):
        zo.ControlVariate(zo.SPSA(radius=0.1), memory=bad)


def test_it_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got int\.$"):
        zo.ControlVariate(3)  # type: ignore[arg-type]
