"""Promises that every estimator of the registry keeps."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import zoopt_mo as zo
from tests.contract.registry import ESTIMATORS

SIZE = 5
CENTRE = torch.linspace(-1.0, 1.0, SIZE, dtype=torch.float64)
SLOPE = torch.tensor([1.0, -2.0, 0.5, 3.0, -0.25], dtype=torch.float64)

names = st.sampled_from(sorted(ESTIMATORS))
every = pytest.mark.parametrize("name", sorted(ESTIMATORS))


def those(promise: str) -> list[str]:
    """Names of the estimators that make this promise."""
    return sorted(name for name, case in ESTIMATORS.items() if getattr(case, promise))


def having(promise: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", those(promise))


Loss = Callable[[Tensor], float]


def bent(theta: Tensor) -> float:
    """A smooth loss that is neither linear nor quadratic."""
    return float(((theta - CENTRE) ** 2).sum() + theta.sin().sum())


def dense(combinations: list[zo.Combination]) -> Tensor:
    return torch.stack([combination.dense(dtype=torch.float64) for combination in combinations])


def losses_at(displacements: list[zo.Combination], loss: Loss) -> list[float]:
    return [loss(displacement.dense(dtype=torch.float64)) for displacement in displacements]


def steps(estimator: zo.Estimator, count: int, *, loss: Loss = bent, size: int = SIZE) -> list[zo.Estimate]:
    return [estimator.tell(losses_at(estimator.ask(size), loss)) for _ in range(count)]


def vector(entries: Tensor) -> zo.Combination:
    return zo.Combination([(1.0, zo.DenseDirection(entries))])


def informed_steps(estimator: zo.Estimator, count: int) -> list[zo.Estimate]:
    """Steps that are handed a guess of the gradient and the exact gradients of two other objectives."""
    estimates = []
    for _ in range(count):
        losses = losses_at(estimator.ask(SIZE, prior=vector(SLOPE)), bent)
        estimates.append(estimator.tell(losses, exact=[vector(CENTRE), vector(SLOPE + 1)]))
    return estimates


def shrinking_at_each_call() -> Callable[[int], float]:
    """A radius that shows how often it is read."""
    calls = itertools.count(1)
    return lambda _step: 0.1 / next(calls)


def numbers(estimates: list[zo.Estimate]) -> list[tuple[list[float], float, float, float | None]]:
    """All that estimates say, to be compared bit for bit."""
    return [(e.gradient.dense(dtype=torch.float64).tolist(), e.value, e.gain, e.cosine) for e in estimates]


def gradients(estimates: list[zo.Estimate]) -> Tensor:
    return dense([estimate.gradient for estimate in estimates])


@every
def test_displacements_have_the_size_and_number_asked_for(name):
    displacements = ESTIMATORS[name]().ask(SIZE)
    assert {displacement.size for displacement in displacements} == {SIZE}
    assert len(displacements) == ESTIMATORS[name].num_queries
    assert dense(displacements).shape == (len(displacements), SIZE)


@every
def test_asking_twice_gives_the_same_displacements(name):
    estimator = ESTIMATORS[name]()
    steps(estimator, 2)
    first = dense(estimator.ask(SIZE))
    assert torch.equal(dense(estimator.ask(SIZE)), first)


@every
def test_telling_moves_on_to_other_displacements(name):
    estimator = ESTIMATORS[name]()
    first = dense(estimator.ask(64))
    estimator.tell(np.arange(len(first), dtype=float))
    assert not torch.equal(dense(estimator.ask(64)), first)


@having("oblivious")
def test_displacements_do_not_depend_on_the_losses(name):
    one, other = ESTIMATORS[name](), ESTIMATORS[name]()
    steps(one, 3)
    steps(other, 3, loss=lambda theta: float(-theta.exp().sum()))
    assert torch.equal(dense(one.ask(SIZE)), dense(other.ask(SIZE)))


@every
def test_the_same_seed_gives_the_same_run(name):
    assert numbers(steps(ESTIMATORS[name](seed=3), 5)) == numbers(steps(ESTIMATORS[name](seed=3), 5))


@every
def test_another_seed_gives_other_displacements(name):
    assert not torch.equal(dense(ESTIMATORS[name](seed=0).ask(64)), dense(ESTIMATORS[name](seed=1).ask(64)))


@every
def test_two_estimators_do_not_disturb_each_other(name):
    alone = numbers(steps(ESTIMATORS[name](), 4))
    one, other = ESTIMATORS[name](), ESTIMATORS[name](seed=5)
    beside = []
    for _ in range(4):
        other.ask(SIZE)
        beside += numbers(steps(one, 1))
        steps(other, 1)
    assert beside == alone


@every
def test_the_global_generators_are_neither_read_nor_moved(name):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = numbers(steps(ESTIMATORS[name](), 2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert numbers(steps(ESTIMATORS[name](), 2)) == first


@every
def test_reset_gives_a_fresh_run(name):
    estimator = ESTIMATORS[name](seed=2)
    steps(estimator, 5)
    estimator.ask(SIZE)
    estimator.reset()
    assert numbers(steps(estimator, 5)) == numbers(steps(ESTIMATORS[name](seed=2), 5))


@every
def test_reset_with_a_seed_gives_the_run_of_that_seed(name):
    estimator = ESTIMATORS[name](seed=2)
    steps(estimator, 3)
    estimator.reset(seed=7)
    assert numbers(steps(estimator, 5)) == numbers(steps(ESTIMATORS[name](seed=7), 5))


@every
def test_after_reset_another_size_may_be_asked(name):
    estimator = ESTIMATORS[name]()
    steps(estimator, 3)
    estimator.reset()
    assert estimator.ask(SIZE + 1)[0].size == SIZE + 1


@given(name=names, before=st.integers(0, 8), after=st.integers(1, 5), asked=st.booleans())
@settings(max_examples=60)
def test_a_saved_state_goes_on_bit_for_bit(name, before, after, asked):
    estimator = ESTIMATORS[name](seed=2**64 - 1)
    steps(estimator, before)
    if asked:
        estimator.ask(SIZE)
    file = io.BytesIO()
    torch.save(estimator.state_dict(), file)
    file.seek(0)
    copy = ESTIMATORS[name](seed=1)
    steps(copy, 2)
    copy.load_state_dict(torch.load(file, weights_only=True))
    assert numbers(steps(copy, after)) == numbers(steps(estimator, after))


@every
def test_with_a_prior_and_exact_gradients_a_saved_state_goes_on_bit_for_bit(name):
    estimator, copy = ESTIMATORS[name](seed=2), ESTIMATORS[name](seed=1)
    informed_steps(estimator, 6)
    state = estimator.state_dict()
    copy.load_state_dict(state)
    expected = numbers(informed_steps(estimator, 6))
    assert numbers(informed_steps(copy, 6)) == expected
    estimator.load_state_dict(state)
    assert numbers(informed_steps(estimator, 6)) == expected


@every
def test_with_a_prior_asking_twice_gives_the_same_displacements(name):
    estimator = ESTIMATORS[name](radius=shrinking_at_each_call())
    informed_steps(estimator, 2)
    first = dense(estimator.ask(SIZE, prior=vector(SLOPE)))
    assert torch.equal(dense(estimator.ask(SIZE, prior=vector(SLOPE))), first)


@every
def test_a_saved_state_does_not_change_when_the_run_goes_on(name):
    estimator = ESTIMATORS[name]()
    steps(estimator, 4)
    state = estimator.state_dict()
    expected = numbers(steps(estimator, 4))
    estimator.load_state_dict(state)
    assert numbers(steps(estimator, 4)) == expected


@every
def test_a_loaded_state_must_be_asked_before_it_is_told(name):
    estimator = ESTIMATORS[name]()
    count = len(estimator.ask(SIZE))
    estimator.load_state_dict(estimator.state_dict())
    with pytest.raises(RuntimeError, match=r"tell\(\) must follow ask\(\), but nothing was asked\."):
        estimator.tell([0.0] * count)


@every
def test_a_constant_added_to_the_loss_changes_no_gradient(name):
    plain = gradients(steps(ESTIMATORS[name](), 8))
    raised = gradients(steps(ESTIMATORS[name](), 8, loss=lambda theta: bent(theta) + 10.0))
    rtol = ESTIMATORS[name].rtol
    torch.testing.assert_close(raised, plain, rtol=rtol, atol=rtol / 100)


@having("homogeneous")
def test_a_loss_times_four_has_a_gradient_times_four(name):
    plain = steps(ESTIMATORS[name](), 8)
    scaled = steps(ESTIMATORS[name](), 8, loss=lambda theta: 4.0 * bent(theta))
    torch.testing.assert_close(gradients(scaled), 4.0 * gradients(plain), rtol=1e-12, atol=0.0)
    factor = 4.0 ** ESTIMATORS[name].gain_degree
    assert [e.gain for e in scaled] == pytest.approx([factor * e.gain for e in plain], rel=1e-12)


@having("mean_value")
def test_the_value_is_the_mean_of_the_losses(name):
    estimator = ESTIMATORS[name]()
    for _ in range(3):
        losses = np.linspace(1.0, 2.5, len(estimator.ask(SIZE))) ** 2
        assert estimator.tell(losses).value == pytest.approx(losses.mean(), rel=1e-15)


@every
def test_a_gain_is_positive_and_finite(name):
    assert all(0.0 < estimate.gain < math.inf for estimate in steps(ESTIMATORS[name](), 20))


@pytest.mark.parametrize("radius", [1.0, 0.1, 0.01])
@having("unbiased")
def test_the_mean_estimate_is_the_gradient_of_a_linear_loss(name, radius):
    estimates = steps(ESTIMATORS[name](radius=radius), 400, loss=lambda theta: float(SLOPE @ theta))
    sample = gradients(estimates)
    error = (sample.mean(dim=0) - SLOPE).abs()
    assert (error <= 5 * sample.std(dim=0) / math.sqrt(len(sample))).all()


@given(
    name=st.sampled_from(those("exact_in_one_dimension")),
    theta=st.floats(-3, 3),
    radius=st.sampled_from([1.0, 0.5, 0.125]),
    seed=st.integers(0, 99),
)
def test_the_estimate_of_a_quadratic_in_one_dimension_is_exact(name, theta, radius, seed):
    def loss(displacement: Tensor) -> float:
        return 3 * (theta + float(displacement[0])) ** 2 + 2 * (theta + float(displacement[0]))

    estimates = steps(ESTIMATORS[name](radius=radius, seed=seed), 5, loss=loss, size=1)
    expected = torch.full((5, 1), 6 * theta + 2, dtype=torch.float64)
    # Directions that are not signs are held in float32, and one over them is rounded.
    torch.testing.assert_close(gradients(estimates), expected, rtol=1e-6, atol=1e-5)


@every
def test_a_wrong_number_of_losses_is_refused_and_the_step_is_kept(name):
    estimator = ESTIMATORS[name]()
    asked = dense(estimator.ask(SIZE))
    with pytest.raises(ValueError, match=rf"^`losses` must hold {len(asked)} values, got {len(asked) + 1}\.$"):
        estimator.tell([1.0] * (len(asked) + 1))
    assert torch.equal(dense(estimator.ask(SIZE)), asked)
    assert numbers(steps(estimator, 3)) == numbers(steps(ESTIMATORS[name](), 3))


@every
@pytest.mark.parametrize("bad", [math.inf, -math.inf])
def test_an_infinite_loss_is_refused_and_the_step_is_kept(name, bad):
    estimator = ESTIMATORS[name]()
    steps(estimator, 2)
    losses = losses_at(estimator.ask(SIZE), bent)
    with pytest.raises(ValueError, match=rf"^`losses` must be finite, got {bad} at index 1\.$"):
        estimator.tell([losses[0], bad, *losses[2:]])
    told = [estimator.tell(losses)]  # without asking again
    assert numbers(told) == numbers(steps(ESTIMATORS[name](), 3))[2:]


@every
def test_losses_must_be_one_row(name):
    estimator = ESTIMATORS[name]()
    count = len(estimator.ask(SIZE))
    with pytest.raises(ValueError, match=rf"^`losses` must be one-dimensional, got shape \[1, {count}\]\.$"):
        estimator.tell(np.zeros((1, count)))


@every
def test_telling_before_asking_is_refused(name):
    with pytest.raises(RuntimeError, match=r"^tell\(\) must follow ask\(\), but nothing was asked\.$"):
        ESTIMATORS[name]().tell([1.0, 2.0])


@every
def test_telling_twice_is_refused(name):
    estimator = ESTIMATORS[name]()
    losses = losses_at(estimator.ask(SIZE), bent)
    estimator.tell(losses)
    with pytest.raises(RuntimeError, match=r"^tell\(\) must follow ask\(\), but nothing was asked\.$"):
        estimator.tell(losses)


@every
def test_another_size_is_refused(name):
    estimator = ESTIMATORS[name]()
    steps(estimator, 1)
    with pytest.raises(ValueError, match=rf"^`size` must stay {SIZE} for this estimator, got {SIZE + 1}; use a new"):
        estimator.ask(SIZE + 1)


@every
@pytest.mark.parametrize(
    ("size", "error", "words"),
    [
        (0, ValueError, r"^`size` must be at least 1, got 0\.$"),
        (2.0, TypeError, r"^`size` must be a whole number, got 2\.0\.$"),
        (True, TypeError, r"^`size` must be a whole number, got True\.$"),
    ],
)
def test_a_size_that_is_no_count_is_refused(name, size, error, words):
    with pytest.raises(error, match=words):
        ESTIMATORS[name]().ask(size)


@every
@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_a_radius_function_that_is_not_positive_is_refused(name, bad):
    estimator = ESTIMATORS[name](radius=lambda _step: bad)
    with pytest.raises(ValueError, match=rf"^`radius` must be positive, got {bad}\.$"):
        estimator.ask(SIZE)


@every
def test_the_radius_is_read_once_a_step(name):
    read: list[int] = []

    def radius(step: int) -> float:
        read.append(step)
        return 0.1 / len(read)

    estimator = ESTIMATORS[name](radius=radius)
    estimator.ask(SIZE)
    asked = dense(estimator.ask(SIZE))
    assert torch.equal(dense(estimator.ask(SIZE)), asked)
    steps(estimator, 3)
    assert read == [0, 1, 2]


@every
@pytest.mark.parametrize(
    ("seed", "error", "words"),
    [
        (-1, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        (0.5, TypeError, r"^`seed` must be a whole number, got 0\.5\.$"),
        (2**64, ValueError, r"^`seed` must be below 2\^64, got 18446744073709551616\.$"),
    ],
)
def test_a_seed_out_of_range_is_refused(name, seed, error, words):
    with pytest.raises(error, match=words):
        ESTIMATORS[name](seed=seed)
    with pytest.raises(error, match=words):
        ESTIMATORS[name]().reset(seed=seed)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"radius": 0.0}, ValueError, r"^`radius` must be positive, got 0\.0\.$"),
        ({"radius": math.inf}, ValueError, r"^`radius` must be finite, got inf\.$"),
        ({"radius": "wide"}, TypeError, r"^`radius` must be a number, got 'wide'\.$"),
        ({"radius": 0.1, "num_pairs": 0}, ValueError, r"^`num_pairs` must be at least 1, got 0\.$"),
        ({"radius": 0.1, "num_pairs": 1.5}, TypeError, r"^`num_pairs` must be a whole number, got 1\.5\.$"),
    ],
)
def test_spsa_refuses_bad_arguments(options, error, words):
    with pytest.raises(error, match=words):
        zo.SPSA(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"capacity": -1}, r"^`capacity` must be at least 0, got -1\.$"),
        ({"decay": 0.0}, r"^`decay` must be in \(0, 1\], got 0\.0\.$"),
        ({"decay": 1.1}, r"^`decay` must be in \(0, 1\], got 1\.1\.$"),
        ({"blend": 0.0}, r"^`blend` must be in \(0, 1\), got 0\.0\.$"),
        ({"blend": 1.0}, r"^`blend` must be in \(0, 1\), got 1\.0\.$"),
        ({"magnitude": 0.0}, r"^`magnitude` must be in \(0, 2\), got 0\.0\.$"),
        ({"magnitude": 2.0}, r"^`magnitude` must be in \(0, 2\), got 2\.0\.$"),
        ({"selection": "best"}, r"^`selection` must be 'critical' or 'latest', got 'best'\.$"),
    ],
)
def test_critical_history_refuses_bad_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        zo.CriticalHistory(zo.SPSA(radius=0.1), **options)


def test_critical_history_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got float\.$"):
        zo.CriticalHistory(0.1)  # type: ignore[arg-type]


def test_critical_history_warns_that_a_decay_of_one_keeps_outdated_gradients():
    with pytest.warns(UserWarning, match=r"^`decay` of 1 keeps outdated gradients for ever and seldom converges\.$"):
        zo.CriticalHistory(zo.SPSA(radius=0.1), decay=1.0)


def test_a_history_of_signs_takes_one_bit_an_entry_and_slot():
    estimator = zo.CriticalHistory(zo.SPSA(radius=0.1), capacity=4)
    assert estimator.num_bytes == 0
    for _ in range(6):
        estimator.ask(6400)
        estimator.tell([2.0, 1.0])
    assert estimator.num_bytes == 4 * 6400 // 8
