"""Promises that every scalarizer of the registry keeps."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import zoopt_mo as zo
from tests.contract.registry import SCALARIZERS

names = st.sampled_from(sorted(SCALARIZERS))
every = pytest.mark.parametrize("name", sorted(SCALARIZERS))
counts = st.integers(1, 5)
RUNNING = sorted(name for name in SCALARIZERS if "running" in name)
WITH_MAXIMUM = sorted(name for name, case in SCALARIZERS.items() if case.has_maximum)


def vectors(count: int, low: float, high: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(low, high), min_size=count, max_size=count)


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def primed(name: str, weights: list[float], ideal: list[float]) -> zo.Scalarizer:
    """The scalarizer; one with running points has already seen ``ideal`` and losses worse than all that follow."""
    scalarizer = SCALARIZERS[name](weights, ideal)
    scalarizer(tensor(ideal))
    scalarizer(tensor([20.0] * len(ideal)))
    return scalarizer


@st.composite
def problems(draw: st.DrawFn) -> tuple[zo.Scalarizer, list[float], list[float], list[float], str]:
    """A primed scalarizer, its weights and ideal, losses above the ideal, and its name."""
    name, count = draw(names), draw(counts)
    weights, ideal = draw(vectors(count, 0.1, 2.0)), draw(vectors(count, -20.0, -10.0))
    return primed(name, weights, ideal), weights, ideal, draw(vectors(count, -5.0, 5.0)), name


@given(problems())
def test_the_result_is_one_finite_number(problem):
    scalarizer, _, _, losses, _ = problem
    value = scalarizer(tensor(losses))
    assert value.shape == ()
    assert value.isfinite()


@given(problems(), st.data())
def test_a_dominated_point_is_never_better(problem, data):
    scalarizer, _, _, losses, name = problem
    assume(SCALARIZERS[name].monotone)
    worse = [a + b for a, b in zip(losses, data.draw(vectors(len(losses), 0.0, 3.0)), strict=True)]
    assume(max(b - a for a, b in zip(losses, worse, strict=True)) > 1e-3)
    better_value, worse_value = scalarizer(tensor(losses)), scalarizer(tensor(worse))
    assert worse_value >= better_value
    if SCALARIZERS[name].strict:
        assert worse_value > better_value


def test_tchebycheff_alone_does_not_see_a_weakly_dominated_point():
    scalarizer = zo.Tchebycheff(weights=[1.0, 1.0], ideal=[0.0, 0.0])
    assert scalarizer(tensor([2.0, 1.0])) == scalarizer(tensor([2.0, 0.5]))


@given(problems())
def test_the_weights_of_the_step_are_finite_differences(problem):
    scalarizer, _, _, losses, _ = problem
    inputs = tensor(losses).requires_grad_()
    (derivative,) = torch.autograd.grad(scalarizer(inputs), inputs)
    here = scalarizer(tensor(losses))
    steps = 1e-5 * torch.eye(len(losses), dtype=torch.float64)
    ahead = torch.stack([scalarizer(tensor(losses) + step) - here for step in steps]) / 1e-5
    behind = torch.stack([here - scalarizer(tensor(losses) - step) for step in steps]) / 1e-5
    assume((ahead - behind).abs().max() < 1e-3)  # away from ties and other kinks
    torch.testing.assert_close(derivative, (ahead + behind) / 2, rtol=1e-6, atol=1e-6)


@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_objectives_does_not_matter(problem, random):
    scalarizer, weights, ideal, losses, name = problem
    order = list(range(len(losses)))
    random.shuffle(order)
    shuffled = primed(name, [weights[i] for i in order], [ideal[i] for i in order])
    value = shuffled(tensor([losses[i] for i in order]))
    torch.testing.assert_close(value, scalarizer(tensor(losses)), rtol=1e-12, atol=1e-12)


@given(problems())
def test_the_active_objective_has_the_largest_weighted_distance(problem):
    scalarizer, weights, ideal, losses, name = problem
    factors = SCALARIZERS[name].factors(weights)
    distances = factors * (np.array(losses) - np.array(ideal))
    active = scalarizer.active_objective(tensor(losses))
    if SCALARIZERS[name].has_maximum:
        assert active is not None
        # A margin is added before the weights multiply, in the wrapped scalarizer's units.
        margin = 0.2 * SCALARIZERS[name].unit * abs(np.subtract.outer(factors, factors)).max()
        assert distances[active] >= distances.max() - margin - 1e-12
    else:
        assert active is None


@given(problems())
def test_the_active_objective_has_the_largest_weight_for_its_own(problem):
    scalarizer, weights, _, losses, name = problem
    assume(SCALARIZERS[name].has_maximum)
    inputs = tensor(losses).requires_grad_()
    (derivative,) = torch.autograd.grad(scalarizer(inputs), inputs)
    shares = derivative / torch.from_numpy(
        SCALARIZERS[name].factors(weights)
    )  # 1 + sigma for the objective that leads, sigma for all others
    active = scalarizer.active_objective(inputs.detach())
    assert active == int(shares.argmax())
    assert float(shares[active]) - (float(shares.min()) if len(shares) > 1 else 0.0) >= 1.0 - 1e-9


@pytest.mark.parametrize("name", WITH_MAXIMUM)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_at_a_tie_the_first_objective_alone_leads(name, count):
    scalarizer = primed(name, [1.0] * count, [0.0] * count)
    inputs = torch.ones(count, dtype=torch.float64, requires_grad=True)
    (derivative,) = torch.autograd.grad(scalarizer(inputs), inputs)
    alone = 1.0 / SCALARIZERS[name].unit
    assert (derivative - derivative[-1]).tolist() == pytest.approx([alone] + [0.0] * (count - 1), abs=0.0)
    assert scalarizer.active_objective(inputs.detach()) == 0


@every
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 2)])
def test_losses_of_another_shape_are_refused(name, shape):
    words = rf"^`losses` must have shape \[2\], one for each weight, got \[{', '.join(map(str, shape))}\]\.$"
    with pytest.raises(ValueError, match=words):
        SCALARIZERS[name]([0.5, 0.5])(torch.zeros(shape))


@given(problems())
def test_a_state_goes_through_a_file_with_the_ideal(problem):
    scalarizer, weights, _, losses, name = problem
    file = io.BytesIO()
    torch.save(scalarizer.state_dict(), file)
    file.seek(0)
    copy = SCALARIZERS[name]([1.0] * len(weights), [1.0] * len(weights))
    copy.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(copy(tensor(losses)), scalarizer(tensor(losses)))


@given(names, counts, st.data())
def test_after_a_reset_it_is_as_new(name, count, data):
    ideal = data.draw(vectors(count, -20.0, -10.0))
    used, new = SCALARIZERS[name]([1.0] * count, ideal), SCALARIZERS[name]([1.0] * count, ideal)
    used(tensor(data.draw(vectors(count, -9.0, 9.0))))
    used.reset()
    losses = tensor(data.draw(vectors(count, -5.0, 5.0)))
    assert torch.equal(used(losses), new(losses))


@given(problems())
def test_it_says_how_many_objectives_it_takes(problem):
    scalarizer, weights, *_ = problem
    assert scalarizer.num_objectives == len(weights)


@given(problems())
def test_single_precision_losses_give_a_single_precision_result(problem):
    scalarizer, _, _, losses, _ = problem
    double = scalarizer(tensor(losses))
    single = scalarizer(tensor(losses).float())
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-4)


@every
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([0.5, -0.1], r"^`weights` must not be negative and must sum to a positive number, got \[0\.5, -0\.1\]\.$"),
        ([0.0, 0.0], r"^`weights` must not be negative and must sum to a positive number, got \[0\.0, 0\.0\]\.$"),
        ([], r"^`weights` must not be negative and must sum to a positive number, got \[\]\.$"),
        ([0.5, math.nan], r"^`weights` must be finite, got nan at index 1\.$"),
        ([math.inf, 0.5], r"^`weights` must be finite, got inf at index 0\.$"),
        ([[0.5, 0.5]], r"^`weights` must be one-dimensional, got shape \[1, 2\]\.$"),
    ],
)
def test_bad_weights_are_refused(name, weights, words):
    with pytest.raises(ValueError, match=words):
        SCALARIZERS[name](weights)


@every
def test_weights_are_copied_and_not_rescaled(name):
    weights: Any = np.array([1.0, 3.0])
    scalarizer = primed(name, weights, [0.0, 0.0])
    value = scalarizer(tensor([1.0, 2.0])).item()
    weights[:] = 0.0
    assert scalarizer(tensor([1.0, 2.0])).item() == value
    degree = SCALARIZERS[name].degree
    if degree is not None:
        quarter = primed(name, [0.25, 0.75], [0.0, 0.0])(tensor([1.0, 2.0])).item()
        assert quarter == pytest.approx(value / 4**degree)


@every
def test_the_ideal_is_copied(name):
    ideal: Any = np.array([-1.0, -2.0])
    scalarizer = primed(name, [1.0, 3.0], ideal)
    value = scalarizer(tensor([1.0, 2.0])).item()
    ideal[:] = -9.0
    assert scalarizer(tensor([1.0, 2.0])).item() == value


@every
def test_an_objective_of_weight_zero_has_no_say(name):
    case = SCALARIZERS[name]
    if case.degree == -1:
        with pytest.raises(ValueError, match=r"^`weights` must be positive, since they divide, got \[1\.0, 0\.0\]\.$"):
            case([1.0, 0.0])
        return
    scalarizer = primed(name, [1.0, 0.0], [0.0, 0.0])
    inputs = tensor([1.0, 10.0]).requires_grad_()
    (derivative,) = torch.autograd.grad(scalarizer(inputs), inputs)
    assert derivative[0] > 0.0
    assert derivative[1] == 0.0 or not case.monotone


@pytest.mark.parametrize("family", [zo.Tchebycheff, zo.AugmentedTchebycheff])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ideal": [0.0]}, r"^`ideal` must hold 2 values, got 1\.$"),
        ({"ideal": [0.0, math.nan]}, r"^`ideal` must be finite, got nan at index 1\.$"),
        ({"margin": 0.0}, r"^`margin` must be positive, got 0\.0\.$"),
        ({"margin": math.nan}, r"^`margin` must be finite, got nan\.$"),
    ],
)
def test_the_tchebycheff_family_refuses_bad_arguments(family, options, words):
    with pytest.raises(ValueError, match=words):
        family(weights=[0.5, 0.5], **options)


def test_the_augmentation_must_not_be_negative():
    with pytest.raises(ValueError, match=r"^`augmentation` must not be negative, got -0\.1\.$"):
        zo.AugmentedTchebycheff(weights=[0.5, 0.5], augmentation=-0.1)


@given(st.lists(vectors(3, -5.0, 5.0), min_size=1, max_size=6), st.sampled_from(RUNNING))
def test_a_running_ideal_is_the_smallest_loss_seen(rows, name):
    scalarizer = SCALARIZERS[name]([1.0, 1.0, 1.0])
    for row in rows:
        scalarizer(tensor(row))
    points = {key: buffer for key, buffer in scalarizer.named_buffers() if key.endswith("ideal.value")}
    outermost = points[min(points, key=len)]
    assert outermost.tolist() == np.min(rows, axis=0).tolist()


@every
def test_a_given_ideal_is_never_moved(name):
    assert "running" in name or torch.equal(
        SCALARIZERS[name]([1.0, 1.0], [3.0, 3.0])(tensor([5.0, 5.0])),
        primed(name, [1.0, 1.0], [3.0, 3.0])(tensor([5.0, 5.0])),
    )
    scalarizer = SCALARIZERS[name]([1.0, 1.0], [3.0, 3.0])
    before = scalarizer(tensor([5.0, 5.0])).item()
    scalarizer(tensor([-9.0, -9.0]))
    after = scalarizer(tensor([5.0, 5.0])).item()
    assert (after > before) if "running" in name else (after == before)
