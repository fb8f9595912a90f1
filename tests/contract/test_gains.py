"""Spall's gain sequences against hand numbers, and as a torch schedule."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import zoopt_mo as zo

positive = st.floats(1e-3, 10)


def test_the_step_sizes_are_spalls():
    """a_k = a (k + 1 + A)^-alpha with a = a_0 (1 + A)^alpha: 0.5 (4 / 4)^.5, 0.5 (4 / 5)^.5, ..., 0.5 (4 / 16)^.5."""
    gains = zo.SpallGains(lr=0.5, radius=1.0, stability=3.0, alpha=0.5)
    assert [gains.lr_at(step) for step in (0, 1, 12)] == pytest.approx([0.5, 0.5 * math.sqrt(0.8), 0.25])


def test_the_radii_are_spalls():
    """c_k = c (k + 1)^-gamma: 2 / 1, 2 / 8^(1/3) = 1, 2 / 27^(1/3)."""
    gains = zo.SpallGains(lr=0.5, radius=2.0, gamma=1 / 3)
    assert [gains.radius_at(step) for step in (0, 7, 26)] == pytest.approx([2.0, 1.0, 2 / 3])


def test_the_exponents_are_spalls_practical_values():
    gains = zo.SpallGains(lr=1.0, radius=1.0)
    assert (gains.lr_at(1), gains.radius_at(1)) == pytest.approx((2**-0.602, 2**-0.101))


@given(positive, positive, st.floats(0, 100), st.floats(0.1, 1), st.floats(0, 1), st.integers(0, 10_000))
def test_gains_start_as_given_and_never_grow(lr, radius, stability, alpha, gamma, step):
    gains = zo.SpallGains(lr=lr, radius=radius, stability=stability, alpha=alpha, gamma=gamma)
    assert gains.lr_at(0) == lr
    assert gains.radius_at(0) == radius
    assert 0 < gains.lr_at(step + 1) < gains.lr_at(step)
    assert 0 < gains.radius_at(step + 1) <= gains.radius_at(step)


def optimizer_of(*rates: float) -> torch.optim.SGD:
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates])


def test_the_scheduler_multiplies_the_optimizers_own_steps():
    gains = zo.SpallGains(lr=0.5, radius=1.0, stability=3.0, alpha=0.5)
    optimizer = optimizer_of(0.5, 2.0)
    scheduler = gains.scheduler(optimizer)
    for step in range(13):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([gains.lr_at(step), 4 * gains.lr_at(step)])
        optimizer.step()
        scheduler.step()


def test_a_scheduler_goes_on_from_its_state():
    gains = zo.SpallGains(lr=0.5, radius=1.0)
    optimizer = optimizer_of(0.5)
    scheduler = gains.scheduler(optimizer)
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    fresh = optimizer_of(0.5)
    copy = gains.scheduler(fresh)
    copy.load_state_dict(scheduler.state_dict())
    fresh.load_state_dict(optimizer.state_dict())
    for each, schedule in ((optimizer, scheduler), (fresh, copy)):
        each.step()
        schedule.step()
    assert fresh.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] == pytest.approx(gains.lr_at(6))


def test_an_estimator_probes_at_the_radius_of_its_step():
    estimator = zo.SPSA(radius=zo.SpallGains(lr=1.0, radius=2.0, gamma=1.0).radius_at)
    radii = []
    for _ in range(4):
        radii.append(float(estimator.ask(3)[0].dense().abs().max()))
        estimator.tell([0.0, 0.0])
    assert radii == pytest.approx([2.0, 1.0, 2 / 3, 0.5])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": 0.0}, r"^`lr` must be positive, got 0\.0\.$"),
        ({"radius": -1.0}, r"^`radius` must be positive, got -1\.0\.$"),
        ({"stability": -1.0}, r"^`stability` must not be negative, got -1\.0\.$"),
        ({"alpha": 0.0}, r"^`alpha` must be positive, got 0\.0\.$"),
        ({"gamma": -0.1}, r"^`gamma` must not be negative, got -0\.1\.$"),
        ({"lr": math.nan}, r"^`lr` must be finite, got nan\.$"),
    ],
)
def test_bad_gains_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        zo.SpallGains(**{"lr": 0.1, "radius": 0.1, **options})


@pytest.mark.parametrize("method", ["lr_at", "radius_at"])
def test_a_step_is_counted_from_zero(method):
    gains = zo.SpallGains(lr=0.1, radius=0.1)
    with pytest.raises(ValueError, match=r"^`step` must be at least 0, got -1\.$"):
        getattr(gains, method)(-1)
    with pytest.raises(TypeError, match=r"^`step` must be a whole number, got 0\.5\.$"):
        getattr(gains, method)(0.5)
