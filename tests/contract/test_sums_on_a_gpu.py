"""On a GPU the same directions and the same sums, bit for bit, and nothing that crosses but packed signs."""

from __future__ import annotations

from unittest import mock

import pytest
import torch

import zoopt_mo as zo
from zoopt_mo import sampling
from zoopt_mo.directions import _kernel, _sums

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.fixture(params=[True, False], ids=["kernel", "torch"])
def _by_kernel_or_torch(request: pytest.FixtureRequest):
    """Sums by the kernel, or by torch's own operations in pieces."""
    if request.param:
        assert _kernel.serves(torch.device("cuda"))
        yield
        return
    with mock.patch.object(_kernel, "serves", return_value=False), mock.patch.object(_sums, "DEVICE_PIECE", 1000):
        yield


@pytest.mark.usefixtures("_by_kernel_or_torch")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("size", "start"), [(1, 0), (13, 3), (5000, 0), (5000, 77), (100_003, 8)])
def test_a_sum_of_signs_is_that_of_the_cpu_bit_for_bit(size, start, dtype):
    terms = [(0.1 * (number + 1) * (-1) ** number, zo.rademacher(size, 0, number)) for number in range(11)]
    here = torch.linspace(-1, 1, size - start, dtype=torch.float64).to(dtype)
    there = here.cuda()
    for count in (1, 2, 11):
        combination = zo.Combination(terms[:count])
        combination.add_to(here, start=start)
        combination.add_to(there, start=start)
        assert torch.equal(there.cpu(), here)
    assert torch.equal(combination.dense(device="cuda", dtype=dtype).cpu(), combination.dense(dtype=dtype))


def steps(theta: torch.Tensor, estimator: zo.Estimator, count: int = 12) -> torch.Tensor:
    """Theta after steps whose losses depend on the step alone, so that no rounding of a loss differs."""
    losses = iter(range(10_000))
    box = zo.BlackBox(lambda: float(next(losses) * 7919 % 13), estimator=estimator)
    for _ in range(count):
        zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
        assert theta.grad is not None
        with torch.no_grad():
            theta -= 1e-3 * theta.grad
        theta.grad = None
    return theta.detach().cpu()


@pytest.mark.parametrize(
    "make",
    [
        lambda: zo.SPSA(radius=1e-2, num_pairs=2),
        lambda: zo.CriticalHistory(zo.SPSA(radius=1e-2), capacity=4),
        lambda: zo.CentredBlock(radius=1e-2, num_probes=4),
    ],
    ids=["SPSA", "critical history", "centred block"],
)
def test_a_run_takes_the_same_steps_on_both(make):
    size = 3001
    here = steps(torch.ones(size, requires_grad=True), make())
    there = steps(torch.ones(size, device="cuda", requires_grad=True), make())
    assert torch.equal(here, there)


@pytest.mark.parametrize("size", [3001, 100_003])
def test_averages_lie_on_the_device_and_agree_within_rounding(size):
    estimator = zo.recommended(radius=1e-2, mixed=True)
    there = steps(torch.ones(size, device="cuda", requires_grad=True), estimator)
    here = steps(torch.ones(size, requires_grad=True), zo.recommended(radius=1e-2, mixed=True))
    torch.testing.assert_close(there, here, rtol=1e-5, atol=1e-6)
    saved = estimator.state_dict()["estimator"]["estimator"]["average"]
    assert saved.device.type == "cuda"
    again = zo.recommended(radius=1e-2, mixed=True)
    again.load_state_dict(estimator.state_dict())
    assert len(again.ask(size)) == 2


def test_products_with_vectors_on_the_device_are_those_of_the_cpu():
    direction, vector = zo.rademacher(70_001, 0, 0), torch.linspace(-1, 2, 70_001)
    with mock.patch.object(_sums, "DEVICE_PIECE", 1000):
        assert direction.dot(vector.cuda()) == pytest.approx(direction.dot(vector), rel=1e-4)


def test_packed_signs_cross_once():
    direction = zo.rademacher(100_000, 0, 0)
    vector = torch.zeros(direction.size, device="cuda")
    zo.Combination([(1.0, direction)]).add_to(vector)
    first = direction.packed_on(vector.device)
    zo.Combination([(1.0, direction)]).add_to(vector)
    assert direction.packed_on(vector.device) is first
    assert first.numel() <= direction.size / 8 + 8


@pytest.mark.parametrize(("seed", "number"), [(0, 0), (7, 3), (2**64 - 1, 12)])
@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, 3_000_037])
def test_signs_drawn_on_the_device_are_those_drawn_in_memory(size, seed, number):
    direction = zo.rademacher(size, seed, number)
    there = direction.packed_on(torch.device("cuda"))
    assert torch.equal(there.cpu(), torch.from_numpy(direction.words.view("uint8")))


def test_a_large_direction_is_not_drawn_in_memory_for_a_step_on_the_device():
    size = 1 << 20
    theta = torch.ones(size, device="cuda", requires_grad=True)
    estimator = zo.CriticalHistory(zo.SPSA(radius=1e-2), capacity=3)
    with mock.patch.object(sampling, "_random_words", side_effect=AssertionError("drawn in memory")):
        moved = steps(theta, estimator, count=5)
        state = estimator.state_dict()
    expected = zo.CriticalHistory(zo.SPSA(radius=1e-2), capacity=3)
    assert torch.equal(moved, steps(torch.ones(size, requires_grad=True), expected, count=5))
    other = zo.CriticalHistory(zo.SPSA(radius=1e-2), capacity=3)
    other.load_state_dict(state)
    for found, wanted in zip(other._history.gradients, expected._history.gradients, strict=True):
        assert torch.equal(found.dense(), wanted.dense())
