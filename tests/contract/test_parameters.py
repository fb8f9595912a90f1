"""One flat view over parameters: moved for probes, restored bit for bit, never copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import zoopt_mo as zo

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
WORDS = {
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}


def raw(tensor: Tensor) -> list[int]:
    """The bits of every number, so that -0.0 and NaNs compare as they are stored."""
    return tensor.detach().contiguous().view(-1).view(WORDS[tensor.dtype]).tolist()


def ramp(size: int) -> zo.Combination:
    return zo.Combination([(1.0, zo.DenseDirection(torch.arange(1.0, size + 1, dtype=torch.float64)))])


def odd_numbers(dtype: torch.dtype) -> Tensor:
    """Zeros of both signs, denormals, extremes, infinities and two different NaNs."""
    info = torch.finfo(dtype)
    plain = [0.0, -0.0, info.tiny, -info.tiny / 2, info.max, info.min, 1 / 3, -1e-3, float("inf"), -float("inf")]
    numbers = torch.tensor(plain, dtype=dtype)
    bits = torch.tensor([float("nan")], dtype=dtype).view(WORDS[dtype])
    return torch.cat([numbers, bits.view(dtype), (bits + 1).view(dtype)])


class Net(nn.Module):
    """Convolution, batch norm and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).mean(dim=(2, 3))).mean()


# --- restore ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_probing_restores_every_bit(dtype):
    theta = odd_numbers(dtype)
    before = raw(theta)
    parameters = zo.Parameters(theta)
    with parameters.probing() as move:
        for scale in (1.0, -1.0, 0.3):
            move(scale * ramp(len(theta)))
            assert raw(theta) != before
    assert raw(theta) == before


@given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.floats(-100, 100))
def test_probing_restores_any_numbers(numbers, scale):
    theta = torch.tensor(numbers, dtype=torch.float32)
    before = raw(theta)
    with zo.Parameters(theta).probing() as move:
        move(scale * ramp(len(numbers)))
    assert raw(theta) == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_exception_between_probes_restores_every_bit(dtype):
    theta = odd_numbers(dtype)
    before = raw(theta)

    def fail() -> None:
        with zo.Parameters(theta).probing() as move:
            move(ramp(len(theta)))
            raise KeyboardInterrupt("stop")

    with pytest.raises(KeyboardInterrupt, match=r"^stop$"):
        fail()
    assert raw(theta) == before


def test_every_displacement_starts_from_theta():
    theta = torch.zeros(3)
    with zo.Parameters(theta).probing() as move:
        for _ in range(2):
            move(ramp(3))
            assert theta.tolist() == [1.0, 2.0, 3.0]


# --- what is seen ----------------------------------------------------------------------------------------------------


def test_a_numpy_array_is_written_through():
    x = np.arange(4.0)
    parameters = zo.Parameters(x)
    parameters.add(ramp(4), 10.0)
    assert x.tolist() == [10.0, 21.0, 32.0, 43.0]
    parameters.assign(torch.zeros(4))
    assert x.tolist() == [0.0] * 4
    assert (parameters.size, parameters.dtype, str(parameters.device)) == (4, torch.float64, "cpu")


def test_a_strided_numpy_view_is_written_through():
    x = np.zeros(6)
    zo.Parameters(x[::2]).add(ramp(3))
    assert x.tolist() == [1.0, 0.0, 2.0, 0.0, 3.0, 0.0]


LAYOUTS = {
    "transposed": lambda: torch.zeros(3, 4).t(),
    "channels last": lambda: torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last),
    "every second": lambda: torch.zeros(10)[::2],
    "inner slice": lambda: torch.zeros(4, 5)[:, 1:3],
    "empty": lambda: torch.zeros(0, 3),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_of_any_layout_are_one_vector_in_reading_order(layout):
    tensor, plain = LAYOUTS[layout](), torch.zeros(2)
    parameters = zo.Parameters([plain, tensor])
    size = parameters.size
    strides, pointer = tensor.stride(), tensor.data_ptr()
    expected = torch.arange(1.0, size + 1)
    parameters.add(ramp(size))
    assert torch.equal(parameters.flat(), expected)
    assert tensor.reshape(-1).tolist() == expected[2:].tolist()
    with parameters.probing() as move:
        move(ramp(size))
        assert torch.equal(parameters.flat(), 2 * expected)
    assert torch.equal(parameters.flat(), expected)
    parameters.assign(-expected)
    assert torch.equal(parameters.flat(), -expected)
    parameters.add_grad(ramp(size), 3.0)
    assert tensor.grad is not None
    assert tensor.grad.reshape(-1).tolist() == (3 * expected[2:]).tolist()
    assert (tensor.stride(), tensor.data_ptr()) == (strides, pointer)


def test_the_flat_view_of_theta_is_a_copy():
    theta = torch.ones(3)
    zo.Parameters(theta).flat().zero_()
    assert theta.tolist() == [1.0, 1.0, 1.0]


def test_a_module_has_its_trainable_parameters_only():
    net = Net()
    net.conv.weight.requires_grad = False
    parameters = zo.Parameters(net)
    assert parameters.size == sum(p.numel() for p in net.parameters()) - net.conv.weight.numel()
    frozen = net.conv.weight.clone()
    parameters.add(ramp(parameters.size))
    assert torch.equal(net.conv.weight, frozen)


def test_select_chooses_parameters_by_name():
    net = Net()
    parameters = zo.Parameters(net, select=lambda name: name.startswith("head."))
    assert [tuple(tensor.shape) for tensor in parameters.tensors] == [(1, 3), (1,)]
    assert parameters.tensors[0] is net.head.weight


def test_tied_parameters_count_once():
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    parameters = zo.Parameters(nn.Sequential(first, second))
    assert parameters.size == 9
    with torch.no_grad():
        first.weight.zero_()
    parameters.add(ramp(9))
    assert second.weight.flatten().tolist() == list(range(1, 10))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_module_of_any_precision_is_probed_in_its_own(dtype):
    net = nn.Linear(4, 2).to(dtype)
    parameters = zo.Parameters(net)
    before = raw(parameters.flat())
    estimator = zo.SPSA(radius=0.25)
    with parameters.probing() as move:
        for displacement in estimator.ask(parameters.size):
            move(displacement)
            assert raw(parameters.flat()) != before
    parameters.add_grad(estimator.tell([2.0, 1.0]).gradient)
    assert raw(parameters.flat()) == before
    assert net.weight.grad is not None
    assert net.weight.grad.dtype == dtype
    assert net.weight.grad.abs().unique().tolist() == [2.0]


def test_a_generator_of_parameters_is_read_once_and_kept():
    net = Net()
    parameters = zo.Parameters(net.parameters())
    assert parameters.size == sum(p.numel() for p in net.parameters())
    assert len(parameters.flat()) == parameters.size


def test_of_returns_a_flat_view_as_it_is():
    parameters = zo.Parameters(torch.zeros(2))
    assert zo.Parameters.of(parameters) is parameters
    assert zo.Parameters.of(torch.zeros(3)).size == 3


# --- buffers ---------------------------------------------------------------------------------------------------------


def test_buffers_are_as_before_after_probing():
    net = Net().train()
    images = torch.rand(4, 2, 5, 5)
    net(images)
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    with torch.no_grad(), zo.Parameters(net).probing() as move:
        for scale in (1.0, -1.0):
            move(scale * ramp(zo.Parameters(net).size))
            net(images)
            assert net.norm.running_mean is not None
            assert not torch.equal(net.norm.running_mean, before["norm.running_mean"])
    assert {name: buffer.tolist() for name, buffer in net.named_buffers()} == {
        name: buffer.tolist() for name, buffer in before.items()
    }


class Counter(nn.Module):
    """A module that puts a new tensor in the place of its buffer on each call."""

    inner: Any

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.inner = nn.Module()
        self.inner.register_buffer("calls", torch.zeros(()))

    def forward(self) -> Tensor:
        self.inner.calls = self.inner.calls + 1
        return self.weight.sum()


def test_a_buffer_that_a_probe_replaced_is_put_back():
    counter = Counter()
    parameters = zo.Parameters(counter)
    kept = counter.inner.calls
    with parameters.probing() as move:
        move(ramp(2))
        counter()
        assert counter.inner.calls == 1
        move(ramp(2))
        assert counter.inner.calls == 0  # every probe starts from the same buffers
        counter()
    assert counter.inner.calls is kept
    assert kept == 0


def test_a_buffer_that_changed_between_two_steps_keeps_the_change():
    counter = Counter()
    parameters = zo.Parameters(counter)
    for calls in (1, 2):
        counter()
        with parameters.probing() as move:
            move(ramp(2))
            counter()
        assert counter.inner.calls == calls


# --- gradients -------------------------------------------------------------------------------------------------------


def test_add_grad_accumulates_like_torch():
    theta = torch.zeros(3, requires_grad=True)
    parameters = zo.Parameters(theta)
    parameters.add_grad(ramp(3))
    (theta * torch.tensor([1.0, 1.0, 1.0])).sum().backward()
    parameters.add_grad(ramp(3), -2.0)
    assert theta.grad is not None
    assert theta.grad.tolist() == [0.0, -1.0, -2.0]
    assert not theta.grad.requires_grad


def test_a_gradient_has_the_layout_of_its_parameter():
    theta = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    zo.Parameters(theta).add_grad(ramp(96))
    assert theta.grad is not None
    assert theta.grad.stride() == theta.stride()
    assert theta.grad.reshape(-1).tolist() == list(range(1, 97))


# --- refused ---------------------------------------------------------------------------------------------------------


def frozen() -> nn.Module:
    return nn.Linear(2, 2).requires_grad_(requires_grad=False)


def read_only() -> np.ndarray:
    x = np.zeros(3)
    x.flags.writeable = False
    return x


shared = torch.zeros(3)


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ([], ValueError, r"^`source` must hold at least one tensor, got none\.$"),
        (torch.zeros(0), ValueError, r"^`source` must hold at least one number, got none\.$"),
        (
            torch.zeros(2, dtype=torch.int64),
            TypeError,
            r"^`source` must hold floating-point tensors, got torch\.int64\.$",
        ),
        (torch.zeros(2, dtype=torch.complex64), TypeError, r"^`source` must hold floating-point tensors, got torch\.c"),
        ([1.0, 2.0], TypeError, r"^`source` must hold floating-point tensors, got float\.$"),
        (np.zeros(2, dtype=np.int64), TypeError, r"^`source` must be a floating-point array, got int64\.$"),
        (np.zeros(2, dtype=">f8"), TypeError, r"^`source` must be a floating-point array, got >f8\.$"),
        (read_only(), ValueError, r"^`source` must be a writable array, got a read-only one\.$"),
        (
            [torch.zeros(1), torch.zeros(1, dtype=torch.float64)],
            ValueError,
            r"^`source` must hold tensors of one dtype, got \['torch\.float32', 'torch\.float64'\]\.$",
        ),
        (
            [torch.zeros(1), torch.zeros(1, device="meta")],
            ValueError,
            r"^`source` must hold tensors on one device, got \['cpu', 'meta'\]\.$",
        ),
        ([shared, shared], ValueError, r"^`source` must hold every tensor once, got one that occurs twice\.$"),
        ([shared, shared[:2]], ValueError, r"^`source` must hold every tensor once, got one that occurs twice\.$"),
        ([shared, shared[1:]], ValueError, r"^`source` must hold tensors that do not overlap, got two that share"),
        (
            torch.zeros(1).expand(3),
            ValueError,
            r"^`source` must hold tensors of their own numbers, got an expanded one",
        ),
        (frozen(), ValueError, r"^`source` must have a trainable parameter, got Linear with none\.$"),
        (nn.ReLU(), ValueError, r"^`source` must have a trainable parameter, got ReLU with none\.$"),
    ],
)
def test_a_bad_source_is_refused(source, error, words):
    with pytest.raises(error, match=words):
        zo.Parameters(source)


def test_a_module_of_mixed_precision_is_refused():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    with pytest.raises(
        ValueError, match=r"^`source` must hold tensors of one dtype, got \['torch\.float32', 'torch\.f"
    ):
        zo.Parameters(net)


def test_select_must_leave_something():
    words = r"^`source` must have a trainable parameter that `select` accepts, got Linear with none\.$"
    with pytest.raises(ValueError, match=words):
        zo.Parameters(nn.Linear(2, 2), select=lambda name: "tail" in name)


def test_select_needs_a_module():
    with pytest.raises(TypeError, match=r"^`select` needs a module as `source`, got Tensor\.$"):
        zo.Parameters(torch.zeros(2), select=lambda _name: True)


@pytest.mark.parametrize("method", ["add", "add_grad"])
def test_a_combination_of_another_size_is_refused(method):
    with pytest.raises(ValueError, match=r"^`combination` must have 3 entries, got 4\.$"):
        getattr(zo.Parameters(torch.zeros(3)), method)(ramp(4))


def test_a_theta_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"^`theta` must have shape \[3\], got \[1, 3\]\.$"):
        zo.Parameters(torch.zeros(3)).assign(torch.zeros(1, 3))


def test_neighbours_in_one_buffer_are_taken() -> None:
    buffer = torch.zeros(10)
    parameters = zo.Parameters([buffer[:4], buffer[4:]])
    parameters.assign(torch.arange(10.0))
    assert buffer.tolist() == list(range(10))
