"""Promises of ``backward``: true counts, nothing changed by a failure, and plain gradients for any torch optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import zoopt_mo as zo
from tests.contract.registry import ESTIMATORS, SCALARIZERS

every = pytest.mark.parametrize("name", sorted(ESTIMATORS))


class Oracle:
    """A judge that counts what it is paid for and fails when told to."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.fault: Callable[[list[float]], Any] | None = None

    @property
    def num_queries(self) -> int:
        return sum(self.calls)

    def __call__(self, payloads: list[Tensor]) -> Any:
        self.calls.append(len(payloads))
        losses = [float((payload - 1).square().sum()) for payload in payloads]
        return losses if self.fault is None else self.fault(losses)


class Scene:
    """Two black boxes and a white one over the same theta, everything seeded."""

    def __init__(self, name: str = "history") -> None:
        self.theta = torch.linspace(-1, 1, 5, dtype=torch.float64).requires_grad_()
        self.oracles = [Oracle(), Oracle()]
        self.blacks = [
            zo.BlackBox(
                render=lambda: self.theta.detach().clone(),
                judge=oracle,
                estimator=ESTIMATORS[name](seed=seed),
                queries=zo.QueryPolicy(max_failures=0),
                name=f"black {seed}",
            )
            for seed, oracle in enumerate(self.oracles)
        ]
        self.white = zo.WhiteBox(lambda: (self.theta + 1).square().sum(), name="white")
        self.scalarizer: Any = zo.AugmentedTchebycheff(weights=[0.3, 0.3, 0.4], ideal=[0.0, 0.0, 0.0])
        self.optimizer = torch.optim.SGD([self.theta], lr=0.01)

    @property
    def objectives(self) -> list[zo.Objective]:
        return [self.blacks[0], self.white, self.blacks[1]]

    def step(self) -> zo.StepReport:
        report = zo.backward(self.objectives, self.scalarizer, self.theta)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return report

    def state(self) -> list[Any]:
        """Theta, its gradient and both estimators, as plain lists."""
        grad = None if self.theta.grad is None else self.theta.grad.tolist()
        return [self.theta.tolist(), grad, *(plain(box.estimator.state_dict()) for box in self.blacks)]


def grad_of(theta: Tensor) -> Tensor:
    assert theta.grad is not None
    return theta.grad.clone()


def plain(state: Any) -> Any:
    """A state with its tensors as lists, so that two can be compared."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [plain(value) for value in state]
    return state.tolist() if isinstance(state, Tensor) else state


# --- counts ----------------------------------------------------------------------------------------------------------


@every
def test_reported_queries_are_the_oracles_own_count(name):
    scene = Scene(name)
    reports = [scene.step() for _ in range(3)]
    paid = [oracle.num_queries for oracle in scene.oracles]
    assert [sum(r.queries[0] for r in reports), sum(r.queries[2] for r in reports)] == paid
    assert [box.num_queries for box in scene.blacks] == paid
    assert [report.queries[1] for report in reports] == [0, 0, 0]
    assert sum(report.num_queries for report in reports) == sum(paid)


@every
def test_a_judge_gets_all_payloads_of_a_step_in_one_call(name):
    scene = Scene(name)
    scene.step()
    assert scene.oracles[0].calls == scene.oracles[1].calls == [ESTIMATORS[name].num_queries]


def test_a_plain_loss_is_called_once_a_query():
    theta, calls = torch.zeros(3, requires_grad=True), [0]

    def loss() -> float:
        calls[0] += 1
        return float(theta.sum())

    box = zo.BlackBox(loss, estimator=zo.SPSA(radius=0.1, num_pairs=4))
    report = zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    assert calls == [8]
    assert (report.num_queries, box.num_queries) == (8, 8)


def test_payloads_come_from_the_probes_in_the_order_asked():
    theta = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    seen: list[Tensor] = []
    estimator = zo.SPSA(radius=0.25, num_pairs=2)
    expected = [theta.detach() + displacement.dense() for displacement in estimator.ask(3)]

    def judge(payloads: list[Tensor]) -> Tensor:
        seen.extend(payloads)
        assert theta.tolist() == [1.0, 2.0, 3.0]  # restored before the dear call
        return torch.zeros(4)

    box = zo.BlackBox(render=lambda: theta.detach().clone(), judge=judge, estimator=estimator)
    zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    assert torch.equal(torch.stack(seen), torch.stack(expected))


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, lambda losses: torch.tensor(losses)[:, None]])
def test_a_judge_may_answer_with_any_row_of_numbers(kind):
    scene, other = Scene(), Scene()
    scene.blacks[0].judge = lambda payloads: kind([float((p - 1).square().sum()) for p in payloads])
    torch.testing.assert_close(scene.step().losses, other.step().losses, rtol=1e-6, atol=0)


# --- failures --------------------------------------------------------------------------------------------------------


class LostConnectionError(Exception):
    pass


def lost(losses: list[float]) -> list[float]:
    raise LostConnectionError("no answer")


FAULTS: dict[str, tuple[Callable[[list[float]], Any], type[Exception], str]] = {
    "exception": (lost, RuntimeError, r"the last one at step \d, probe 0: LostConnectionError: no answer$"),
    "nan": (
        lambda losses: [losses[0], math.nan],
        RuntimeError,
        r"^1 queries of 'black 1' failed in a row.*probe 1: ValueError: the loss must be finite, got nan$",
    ),
    "infinity": (
        lambda losses: [-math.inf, losses[1]],
        RuntimeError,
        r"^1 queries of 'black 1' failed in a row.*probe 0: ValueError: the loss must be finite, got -inf$",
    ),
    "one too few": (
        lambda losses: losses[:-1],
        RuntimeError,
        r"ValueError: `judge` of 'black 1' must return 2 losses, one a payload, got 1\.$",
    ),
    "no number": (lambda _losses: ["good", "bad"], RuntimeError, r"could not convert string to float: 'good'"),
}


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_judge_changes_nothing_and_a_retry_gives_the_undisturbed_run(fault, before):
    scene, undisturbed = Scene(), Scene()
    for _ in range(before):
        scene.step()
        undisturbed.step()
    fault_of, error, words = FAULTS[fault]
    expected = scene.state()
    scene.oracles[1].fault = fault_of
    with pytest.raises(error, match=words):
        zo.backward(scene.objectives, scene.scalarizer, scene.theta)
    scene.oracles[1].fault = None
    assert scene.state() == expected
    assert [plain(scene.step().__dict__) for _ in range(3)] == [plain(undisturbed.step().__dict__) for _ in range(3)]
    assert scene.theta.tolist() == undisturbed.theta.tolist()
    assert scene.blacks[1].num_queries == scene.oracles[1].num_queries == undisturbed.blacks[1].num_queries + 2


def broken_after(count: int, answer: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A scalarizer that works ``count`` times and then gives ``answer``."""
    calls = [0]

    def scalarize(losses: Tensor) -> Tensor:
        calls[0] += 1
        return losses.sum() if calls[0] <= count else answer(losses)

    return scalarize


def fails(losses: Tensor) -> Tensor:
    raise LostConnectionError("scalarizer")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (fails, LostConnectionError, r"^scalarizer$"),
        (lambda losses: losses, TypeError, r"^`scalarizer` must return a tensor of shape \[\], got shape \[3\]\.$"),
        (lambda _losses: 1.0, TypeError, r"^`scalarizer` must return a tensor of shape \[\], got float\.$"),
        (lambda _losses: torch.tensor(1.0), ValueError, r"^`scalarizer` must depend on the losses by operations that"),
        (
            lambda losses: losses.sum() * math.nan,
            ValueError,
            r"^`scalarizer` must give finite numbers, got nan with weights \[",
        ),
        (
            lambda losses: (losses - losses).sum().sqrt(),
            ValueError,
            r"^`scalarizer` must give finite numbers, got 0\.0 with weights \[",
        ),
        (
            zo.WeightedSum(weights=[0.5, 0.5]),
            ValueError,
            r"^`losses` must have shape \[2\], one for each weight, got \[3\]\.$",
        ),
    ],
)
def test_a_failing_scalarizer_changes_nothing_and_a_retry_gives_the_undisturbed_run(answer, error, words):
    scene, undisturbed = Scene(), Scene()
    undisturbed.scalarizer = torch.sum
    scene.scalarizer = broken_after(2, answer)
    for _ in range(2):
        scene.step()
        undisturbed.step()
    expected = scene.state()
    with pytest.raises(error, match=words):
        zo.backward(scene.objectives, scene.scalarizer, scene.theta)
    assert scene.state() == expected
    scene.scalarizer = torch.sum
    assert [plain(scene.step().__dict__) for _ in range(3)] == [plain(undisturbed.step().__dict__) for _ in range(3)]


class Breaking(nn.Module):
    """A scalarizer that has moved by the time it fails."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.broken = inner, False

    def forward(self, losses: Tensor) -> Tensor:
        value: Tensor = self.inner(losses)
        return value * math.nan if self.broken else value


@pytest.mark.parametrize("name", ["augmented, running ideal", "normalized sum, running ideal"])
def test_a_failing_step_restores_what_the_scalarizer_has_seen(name):
    scene, undisturbed = Scene(), Scene()
    undisturbed.scalarizer = SCALARIZERS[name]([0.3, 0.3, 0.4])
    scene.scalarizer = breaking = Breaking(SCALARIZERS[name]([0.3, 0.3, 0.4]))
    assert scene.step().losses == undisturbed.step().losses
    seen = plain(breaking.state_dict())
    breaking.broken = True
    with pytest.raises(ValueError, match=r"^`scalarizer` must give finite numbers, got nan"):
        zo.backward(scene.objectives, breaking, scene.theta)
    assert plain(breaking.state_dict()) == seen
    breaking.broken = False
    assert [scene.step().value for _ in range(3)] == [undisturbed.step().value for _ in range(3)]


def test_a_failing_render_restores_theta():
    theta = torch.zeros(3, requires_grad=True)

    def render() -> Tensor:
        raise LostConnectionError("render")

    box = zo.BlackBox(render=render, judge=lambda payloads: [0.0] * len(payloads), estimator=zo.SPSA(radius=0.1))
    with pytest.raises(LostConnectionError, match=r"^render$"):
        zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    assert theta.tolist() == [0.0, 0.0, 0.0]
    assert box.num_queries == 0  # nothing was sent


def test_a_failing_white_box_costs_no_query():
    scene = Scene()
    scene.white = zo.WhiteBox(lambda: scene.theta.sum() * math.inf, name="white")
    with pytest.raises(ValueError, match=r"^Loss and gradient of 'white' must be finite, got a loss of nan\.$"):
        scene.step()
    assert [oracle.num_queries for oracle in scene.oracles] == [0, 0]


@pytest.mark.parametrize("double", ["estimator", "box"])
def test_a_black_box_and_its_estimator_take_part_once(double):
    scene = Scene()
    twice = scene.blacks[0] if double == "box" else zo.BlackBox(lambda: 0.0, estimator=scene.blacks[0].estimator)
    with pytest.raises(
        ValueError, match=r"^`objectives` must each have an estimator of their own, got one that occurs"
    ):
        zo.backward([scene.blacks[0], twice], zo.WeightedSum(weights=[0.5, 0.5]), scene.theta)
    assert scene.oracles[0].num_queries == 0


# --- gradients -------------------------------------------------------------------------------------------------------


def test_two_steps_without_zero_grad_add_up():
    scene = Scene()
    zo.backward(scene.objectives, scene.scalarizer, scene.theta)
    first = grad_of(scene.theta)
    scene.theta.grad = None
    zo.backward(scene.objectives, scene.scalarizer, scene.theta)
    second = grad_of(scene.theta)

    other = Scene()
    for _ in range(2):
        zo.backward(other.objectives, other.scalarizer, other.theta)
    torch.testing.assert_close(other.theta.grad, first + second, rtol=1e-12, atol=1e-12)


def test_no_graph_is_kept():
    scene = Scene()
    report = zo.backward(scene.objectives, scene.scalarizer, scene.theta)
    assert scene.theta.grad is not None
    assert not scene.theta.grad.requires_grad
    assert scene.theta.grad.grad_fn is None
    assert all(isinstance(number, float) for number in (*report.losses, *report.weights, report.value))


def test_black_boxes_run_without_autograd():
    theta, modes = torch.zeros(2, requires_grad=True), []

    def loss() -> float:
        modes.append(torch.is_grad_enabled())
        return float(theta.sum())

    zo.backward([zo.BlackBox(loss, estimator=zo.SPSA(radius=0.1))], zo.WeightedSum(weights=[1.0]), theta)
    assert modes == [False, False]


def test_backward_works_inside_no_grad():
    scene, other = Scene(), Scene()
    with torch.no_grad():
        report = zo.backward(scene.objectives, scene.scalarizer, scene.theta)
    assert report == zo.backward(other.objectives, other.scalarizer, other.theta)
    assert torch.equal(grad_of(scene.theta), grad_of(other.theta))


def test_step_factor_multiplies_the_gradient_of_its_objective_alone():
    theta = torch.zeros(2, requires_grad=True)
    objectives = [
        zo.WhiteBox(lambda: theta[0] * 1.0, step_factor=3.0),
        zo.WhiteBox(lambda: theta[1] * 1.0),
    ]
    zo.backward(objectives, zo.WeightedSum(weights=[0.5, 0.5]), theta)
    assert theta.grad is not None
    assert theta.grad.tolist() == [1.5, 0.5]


@pytest.mark.parametrize(("max_norm", "expected"), [(None, [3.0, 4.0]), (10.0, [3.0, 4.0]), (2.5, [1.5, 2.0])])
def test_max_norm_shortens_a_gradient_and_never_lengthens_it(max_norm, expected):
    theta = torch.zeros(2, requires_grad=True)
    box = zo.WhiteBox(lambda: torch.sum(theta * torch.tensor([3.0, 4.0])), max_norm=max_norm)
    report = zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    assert report.gradient_norms == (5.0,)  # before clipping
    assert theta.grad is not None
    assert theta.grad.tolist() == pytest.approx(expected)


def test_max_norm_shortens_an_estimate():
    theta = torch.zeros(4, requires_grad=True)
    box = zo.BlackBox(lambda: float(8 * theta[0]), estimator=zo.SPSA(radius=0.5), max_norm=1.0)
    report = zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    assert report.gradient_norms == pytest.approx((16.0,))  # sqrt(4) times the slope of 8
    assert theta.grad is not None
    assert float(theta.grad.norm()) == pytest.approx(1.0)


def test_max_norm_holds_in_half_precision():
    theta = torch.zeros(1000, dtype=torch.float16, requires_grad=True)
    box = zo.WhiteBox(lambda: torch.sum(theta.float() * 300), max_norm=1.0)
    report = zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    assert report.gradient_norms == pytest.approx((300 * math.sqrt(1000),), rel=1e-4)
    assert theta.grad is not None
    assert float(theta.grad.float().norm()) == pytest.approx(1.0, rel=1e-2)


def test_the_report_says_what_happened():
    theta = torch.tensor([1.0, 2.0], requires_grad=True)
    black = zo.BlackBox(lambda: float(theta.sum()), estimator=zo.SPSA(radius=0.5), name="black")
    white = zo.WhiteBox(lambda: theta.square().sum(), name="white")
    scalarizer = zo.AugmentedTchebycheff(weights=[1.0, 2.0], ideal=[0.0, 0.0], margin=0.5, augmentation=0.25)
    report = zo.backward([black, white], scalarizer, theta)
    # Distances 1 (3 + 0.5) and 2 (5 + 0.5) = 11; sum 0.25 (3 + 10) = 3.25; weights 0.25 and 2 (1 + 0.25).
    assert report.names == ("black", "white")
    assert report.losses == pytest.approx((3.0, 5.0))
    assert report.value == pytest.approx(14.25)
    assert report.weights == pytest.approx((0.25, 2.5))
    assert (report.i_max, report.queries, report.gains, report.cosines) == (1, (2, 0), (1.0, 1.0), (None, None))
    assert report.gradient_norms[1] == pytest.approx(math.sqrt(20))


# --- any scalarizer, any optimizer, any parameters -------------------------------------------------------------------


class SmoothTchebycheff(nn.Module):
    """A scalarizer from another library: a module that maps losses to a number."""

    def forward(self, losses: Tensor) -> Tensor:
        return 0.5 * torch.logsumexp(losses / 0.5, dim=-1)


@pytest.mark.parametrize("scalarizer", [SmoothTchebycheff(), lambda losses: losses.square().mean(), torch.linalg.norm])
def test_any_function_of_losses_is_a_scalarizer(scalarizer):
    target = torch.tensor([1.0, -1.0], dtype=torch.float64)
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    objectives = [zo.WhiteBox(lambda: (theta - 1).square().sum()), zo.WhiteBox(lambda: (theta - target).square().sum())]
    report = zo.backward(objectives, scalarizer, theta)
    expected = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    losses = torch.stack([(expected - 1).square().sum(), (expected - target).square().sum()])
    scalarizer(losses).backward()
    torch.testing.assert_close(theta.grad, expected.grad)
    assert report.i_max is None


def test_a_white_box_with_its_own_gradient_equals_one_by_autograd():
    theta = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    auto = zo.WhiteBox(lambda: theta.square().sum())
    given = zo.WhiteBox(lambda: theta.square().sum(), grad=lambda: (2 * theta).detach().numpy())
    zo.backward([auto], zo.WeightedSum(weights=[1.0]), theta)
    first = grad_of(theta)
    theta.grad = None
    zo.backward([given], zo.WeightedSum(weights=[1.0]), theta)
    assert torch.equal(grad_of(theta), first)


def test_a_parameter_that_the_loss_does_not_use_gets_zero():
    used, unused = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    zo.backward([zo.WhiteBox(lambda: torch.sum(used))], zo.WeightedSum(weights=[1.0]), [unused, used])
    assert unused.grad is not None
    assert used.grad is not None
    assert (unused.grad.tolist(), used.grad.tolist()) == ([0.0] * 3, [1.0] * 2)


def test_the_probes_of_backward_leave_batch_norm_as_it_was():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).train()
    images = torch.rand(8, 3)
    net(images)
    before = {name: buffer.tolist() for name, buffer in net.named_buffers()}
    box = zo.BlackBox(lambda: float(net(images).square().sum()), estimator=zo.SPSA(radius=0.1))
    zo.backward([box], zo.WeightedSum(weights=[1.0]), net)
    assert {name: buffer.tolist() for name, buffer in net.named_buffers()} == before
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_a_module_trains_with_an_optimizer_and_a_schedule():
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    targets = images.sum(dim=1, keepdim=True)
    error = zo.BlackBox(lambda: float((net(images) - targets).square().mean()), estimator=zo.SPSA(radius=0.01))
    size = zo.WhiteBox(lambda: 1e-3 * net.weight.square().sum())
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    first = last = 0.0
    for step in range(150):
        last = zo.backward([error, size], zo.WeightedSum(weights=[1.0, 1.0]), net.parameters()).losses[0]
        first = last if step == 0 else first
        optimizer.step()
        optimizer.zero_grad()
    assert last < 0.05 * first


def test_an_objective_of_weight_zero_leaves_the_gradient_alone():
    theta = torch.zeros(2, requires_grad=True)
    objectives = [zo.WhiteBox(lambda: theta[0] * 1.0), zo.WhiteBox(lambda: theta[1] * 1.0)]
    zo.backward(objectives, zo.WeightedSum(weights=[1.0, 0.0]), theta)
    assert theta.grad is not None
    assert theta.grad.tolist() == [1.0, 0.0]


# --- refused ---------------------------------------------------------------------------------------------------------


def test_an_array_has_no_gradient_to_be_filled():
    x = np.zeros(2)
    box = zo.BlackBox(lambda: float(x.sum()), estimator=zo.SPSA(radius=0.1))
    with pytest.raises(TypeError, match=r"^`parameters` must be a module, tensors or Parameters, got an array, which"):
        zo.backward([box], zo.WeightedSum(weights=[1.0]), x)
    assert box.num_queries == 0


def test_backward_needs_an_objective():
    with pytest.raises(ValueError, match=r"^`objectives` must hold at least one objective, got none\.$"):
        zo.backward([], zo.WeightedSum(weights=[1.0]), torch.zeros(1))


def test_backward_takes_black_and_white_boxes_only():
    with pytest.raises(TypeError, match=r"^`objectives` must be BlackBox or WhiteBox, got function\.$"):
        zo.backward([lambda: 1.0], zo.WeightedSum(weights=[1.0]), torch.zeros(1))  # type: ignore[list-item]


def test_an_estimator_serves_one_size():
    box = zo.BlackBox(lambda: 0.0, estimator=zo.SPSA(radius=0.1))
    zo.backward([box], zo.WeightedSum(weights=[1.0]), torch.zeros(3))
    with pytest.raises(ValueError, match=r"^`size` must stay 3 for this estimator, got 4; use a new estimator or call"):
        zo.backward([box], zo.WeightedSum(weights=[1.0]), torch.zeros(4))


def test_an_objective_alone_has_no_evaluation():
    assert not hasattr(zo.Objective("plain", 1.0, None), "evaluate")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": float, "render": float, "judge": len},
        {"render": float},
        {"judge": len},
        {"loss": float, "judge": len},
    ],
)
def test_a_black_box_has_one_way_to_its_losses(options):
    with pytest.raises(TypeError, match=r"^`BlackBox` needs either `loss`, or both `render` and `judge`\.$"):
        zo.BlackBox(**options, estimator=zo.SPSA(radius=0.1))


def test_a_black_box_needs_an_estimator():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got ABCMeta\.$"):
        zo.BlackBox(float, estimator=zo.SPSA)  # type: ignore[arg-type]


@pytest.mark.parametrize("argument", ["step_factor", "max_norm"])
@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_factors_and_lengths_must_be_positive(argument, bad):
    with pytest.raises(ValueError, match=rf"^`{argument}` must be positive, got {bad}\.$"):
        zo.WhiteBox(lambda: 0.0, **{argument: bad})


theta = torch.ones(2, requires_grad=True)


@pytest.mark.parametrize(
    ("box", "error", "words"),
    [
        (
            zo.WhiteBox(lambda: 1.0, name="w"),
            TypeError,
            r"^`loss` of 'w' must return a tensor of one number, or `grad`",
        ),
        (zo.WhiteBox(lambda: theta * 2, name="w"), TypeError, r"^`loss` of 'w' must return a tensor of one number, or"),
        (
            zo.WhiteBox(lambda: torch.tensor(1.0), name="w"),
            ValueError,
            r"^`loss` of 'w' must depend on parameters that",
        ),
        (
            zo.WhiteBox(lambda: theta.sum() * math.nan, name="w"),
            ValueError,
            r"^Loss and gradient of 'w' must be finite",
        ),
        (
            zo.WhiteBox(lambda: (theta - 1).sum().sqrt(), name="w"),  # value 0, slope infinite
            ValueError,
            r"^Loss and gradient of 'w' must be finite, got a loss of 0\.0\.$",
        ),
        (
            zo.WhiteBox(lambda: 1.0, grad=lambda: np.zeros(3), name="w"),
            ValueError,
            r"^`grad` of 'w' must return shape \[2\], got \[3\]\.$",
        ),
        (
            zo.WhiteBox(lambda: 1.0, grad=lambda: [1.0, math.nan], name="w"),
            ValueError,
            r"^Loss and gradient of 'w' must be finite, got a loss of 1\.0\.$",
        ),
    ],
)
def test_a_white_box_without_a_usable_gradient_is_refused(box, error, words):
    with pytest.raises(error, match=words):
        zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    assert theta.grad is None


def test_a_white_box_needs_parameters_that_require_a_gradient():
    frozen = torch.ones(2)
    with pytest.raises(
        ValueError, match=r"^`loss` of 'white box' must depend on parameters that require a gradient\.$"
    ):
        zo.backward([zo.WhiteBox(lambda: torch.sum(theta))], zo.WeightedSum(weights=[1.0]), [theta, frozen])
