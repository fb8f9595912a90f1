"""Promises of a black box that skips steps, and of one with a prior."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import zoopt_mo as zo
from tests.contract.registry import ESTIMATORS


class Scene:
    """A black box and a white one over the same theta; ``share`` of the weights is the black box's."""

    def __init__(self, *, share: float = 0.1, estimator: str = "history", **options: Any) -> None:
        self.theta = torch.linspace(-1, 1, 5, dtype=torch.float64).requires_grad_()
        self.paid = 0
        self.black = zo.BlackBox(self.pay, estimator=ESTIMATORS[estimator](), **options)
        self.white = zo.WhiteBox(lambda: (self.theta + 1).square().sum())
        self.scalarizer: Any = zo.WeightedSum(weights=[share, 1 - share])

    def pay(self) -> float:
        self.paid += 1
        return float((self.theta - 1).square().sum())

    def step(self) -> zo.StepReport:
        report = zo.backward([self.black, self.white], self.scalarizer, self.theta)
        with torch.no_grad():
            assert self.theta.grad is not None
            self.theta -= 0.01 * self.theta.grad
        self.theta.grad = None
        return report

    def run(self, count: int) -> list[int]:
        """The black box's queries in each of ``count`` steps."""
        return [self.step().queries[0] for _ in range(count)]


# --- when a step is skipped ------------------------------------------------------------------------------------------


def test_steps_are_skipped_while_the_share_is_small_at_most_max_skips_in_a_row():
    """A share of 0.1 is below 0.2: two queries, then two steps without, again and again."""
    scene = Scene(skip_below=0.2, max_skips=2)
    assert scene.run(7) == [2, 0, 0, 2, 0, 0, 2]
    assert scene.paid == scene.black.num_queries == 6


def test_five_steps_in_a_row_are_skipped_by_default():
    assert Scene(skip_below=0.2).run(8) == [2, 0, 0, 0, 0, 0, 2, 0]


@pytest.mark.parametrize("skip_below", [0.0, 0.1])
def test_a_share_that_is_not_below_the_threshold_is_asked_at_every_step(skip_below):
    """0.1 over 0.1 + 0.9 is not below 0.1."""
    assert Scene(skip_below=skip_below).run(4) == [2, 2, 2, 2]


def test_at_threshold_zero_a_weight_of_zero_is_asked_all_the_same():
    assert Scene(share=0.0).run(3) == [2, 2, 2]
    assert Scene(share=0.0, skip_below=0.1).run(3) == [2, 0, 0]


def test_it_is_the_share_and_not_the_weight_that_counts():
    scene = Scene(skip_below=0.2)
    scene.scalarizer = zo.WeightedSum(weights=[10.0, 90.0])
    assert scene.run(2) == [2, 0]
    scene.scalarizer = zo.WeightedSum(weights=[0.1, 0.1])
    assert scene.run(2) == [2, 2]


def test_under_a_maximum_the_objective_that_does_not_lead_is_skipped():
    """At theta both losses are 7.5: with twice the weight the white box leads, until it is half as large."""
    scene = Scene(skip_below=0.2, max_skips=100)
    scene.scalarizer = zo.AugmentedTchebycheff(weights=[1.0, 2.0], ideal=[0.0, 0.0])
    reports = [scene.step() for _ in range(60)]
    leading = [report.i_max for report in reports]
    assert leading[0] == 1
    assert 0 in leading
    assert {report.i_max for report in reports[1:] if report.num_queries == 0} == {1}


def test_boxes_without_a_threshold_do_not_skip_beside_one_that_does():
    scene = Scene(skip_below=0.2)
    other = zo.BlackBox(scene.pay, estimator=zo.SPSA(radius=0.1))
    scalarizer = zo.WeightedSum(weights=[0.1, 0.8, 0.1])
    queries = [zo.backward([scene.black, scene.white, other], scalarizer, scene.theta).queries for _ in range(3)]
    assert queries == [(2, 0, 2), (0, 0, 2), (0, 0, 2)]


# --- what a skipped step does ----------------------------------------------------------------------------------------


def test_a_skipped_step_reuses_the_last_estimate():
    scene = Scene(skip_below=0.2)
    first = zo.backward([scene.black, scene.white], scene.scalarizer, scene.theta)
    assert scene.theta.grad is not None
    before = scene.theta.grad.clone()
    second = zo.backward([scene.black, scene.white], scene.scalarizer, scene.theta)
    assert (first.num_queries, second.num_queries) == (2, 0)
    torch.testing.assert_close(scene.theta.grad, 2 * before, rtol=1e-15, atol=0)
    assert (second.losses, second.gains, second.gradient_norms) == (first.losses, first.gains, first.gradient_norms)


def test_a_skipped_step_does_not_move_the_estimator_on():
    lazy, eager = Scene(skip_below=0.2, max_skips=1), Scene()
    lazy.run(2)
    eager.run(1)
    for one, other in zip(lazy.black.estimator.ask(5), eager.black.estimator.ask(5), strict=True):
        assert torch.equal(one.dense(), other.dense())


def test_there_is_nothing_to_skip_with_before_the_first_query():
    with pytest.raises(RuntimeError, match=r"^skip\(\) must follow a step with queries, but there was none\.$"):
        Scene(skip_below=0.2).black.skip()


def test_a_failure_in_a_skipped_step_changes_nothing_and_a_retry_gives_the_undisturbed_run():
    scene, undisturbed = Scene(skip_below=0.2, max_skips=2), Scene(skip_below=0.2, max_skips=2)
    assert (scene.run(2), undisturbed.run(2)) == ([2, 0], [2, 0])
    working = scene.scalarizer
    scene.scalarizer = failing_after_the_choice(working)
    for _ in range(3):
        with pytest.raises(ValueError, match=r"^`scalarizer` must give finite numbers, got nan"):
            scene.step()
    scene.scalarizer = working
    assert scene.run(5) == undisturbed.run(5) == [0, 2, 0, 0, 2]
    assert torch.equal(scene.theta, undisturbed.theta)


def failing_after_the_choice(working: Any) -> Any:
    """A scalarizer that works when it is asked whom to skip and fails at the fresh values."""
    calls = itertools.count(1)
    return lambda losses: working(losses) * (1.0 if next(calls) % 2 else float("nan"))


def test_a_failure_after_the_queries_keeps_the_last_estimate_from_before():
    """What was told is taken back from the estimator, so it must not be what a later step reuses."""
    scene = Scene(skip_below=0.2)
    scene.run(1)
    last, working = scene.black.last, scene.scalarizer
    assert last is not None
    scene.black.skip_below = 0.05  # so it is asked again
    scene.scalarizer = failing_after_the_choice(working)
    with pytest.raises(ValueError, match=r"^`scalarizer` must give finite numbers, got nan"):
        scene.step()
    assert scene.black.last is not None
    assert scene.black.last.value == last.value
    assert scene.paid == scene.black.num_queries == 4  # what was paid stays counted
    scene.black.skip_below, scene.scalarizer = 0.2, working
    assert scene.step().losses[0] == last.value


# --- states ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ["spsa", "history", "recommended for one black box", "prior guided"])
@pytest.mark.parametrize("before", [0, 1, 3, 8])
def test_a_saved_black_box_goes_on_bit_for_bit(before, estimator):
    options: dict[str, Any] = {"estimator": estimator, "skip_below": 0.2, "max_skips": 2}
    scene, copy = Scene(**options), Scene(**options)
    scene.run(before)
    copy.run(2)  # a past of its own, to be forgotten
    file = io.BytesIO()
    torch.save(scene.black.state_dict(), file)
    file.seek(0)
    copy.black.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        copy.theta.copy_(scene.theta)
    assert copy.black.num_queries == scene.paid
    assert [copy.step() for _ in range(6)] == [scene.step() for _ in range(6)]
    assert torch.equal(copy.theta, scene.theta)


def test_reset_forgets_the_last_estimate_the_count_and_the_seed():
    scene, fresh = Scene(skip_below=0.2), Scene(skip_below=0.2)
    scene.run(3)
    scene.black.reset()
    assert (scene.black.num_queries, scene.black.last) == (0, None)
    with torch.no_grad():
        scene.theta.copy_(fresh.theta)
    assert [scene.step() for _ in range(8)] == [fresh.step() for _ in range(8)]
    scene.black.reset(seed=7)
    assert scene.black.estimator.state_dict() == ESTIMATORS["history"](seed=7).state_dict()


# --- losses at given places ------------------------------------------------------------------------------------------


def test_losses_at_pays_a_query_a_place_and_restores_theta():
    scene = Scene()
    before = scene.theta.detach().clone()
    parameters = zo.Parameters(scene.theta)
    ones = zo.Combination([(1.0, zo.DenseDirection(torch.ones(5)))])
    losses = scene.black.losses_at(parameters, [0.0 * ones, ones, -1.0 * ones])
    assert losses == pytest.approx([7.5, 2.5, 22.5])  # sum (t - 1)^2, sum t^2, sum (t - 2)^2
    assert scene.paid == scene.black.num_queries == 3
    assert torch.equal(scene.theta, before)
    assert scene.black.losses_at(parameters, []).shape == (0,)


def test_losses_at_asks_a_judge_once():
    calls: list[int] = []
    theta = torch.zeros(2, dtype=torch.float64)

    def judge(payloads: list[Tensor]) -> list[float]:
        calls.append(len(payloads))
        return [float(payload.sum()) for payload in payloads]

    box = zo.BlackBox(render=theta.clone, judge=judge, estimator=zo.SPSA(radius=0.1))
    step = zo.Combination([(2.0, zo.DenseDirection(torch.ones(2)))])
    assert box.losses_at(zo.Parameters(theta), [step, 0.5 * step]).tolist() == [4.0, 2.0]
    assert (calls, box.num_queries) == ([2], 2)


# --- a prior ---------------------------------------------------------------------------------------------------------


class Listening(zo.SPSA):
    """SPSA that notes the priors it is handed."""

    def __init__(self) -> None:
        super().__init__(radius=0.1)
        self.priors: list[list[float] | None] = []

    def _ask(self, size: int, prior: zo.Combination | None) -> list[zo.Combination]:
        self.priors.append(None if prior is None else prior.dense().tolist())
        return super()._ask(size, prior)


def test_the_prior_is_the_gradient_of_its_white_box_at_theta():
    theta = torch.tensor([1.0, 2.0], requires_grad=True)
    surrogate = zo.WhiteBox(lambda: theta.square().sum())
    estimator = Listening()
    box = zo.BlackBox(lambda: 0.0, estimator=estimator, prior=surrogate)
    zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    with torch.no_grad():
        theta += 1
    zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
    assert estimator.priors == [[2.0, 4.0], [4.0, 6.0]]


def test_without_a_prior_the_estimator_is_handed_none():
    estimator = Listening()
    zo.BlackBox(lambda: 0.0, estimator=estimator).evaluate(zo.Parameters(torch.zeros(2)))
    assert estimator.priors == [None]


def test_in_minimize_a_prior_takes_x_and_the_budget_holds():
    seen: list[np.ndarray] = []
    centre = np.linspace(1, 2, 6)

    def loss(x: np.ndarray) -> float:
        seen.append(x)
        return float(((x - centre) ** 2).sum())

    prior = zo.WhiteBox(lambda x: float((x**2).sum()), grad=lambda x: 2 * (x - centre))
    guided = zo.PriorGuided(zo.SPSA(radius=0.01), radius=0.01, weight=1.0)
    box = zo.BlackBox(loss, estimator=guided, prior=prior)
    result = zo.minimize([box], np.zeros(6), lr=0.4, budget=43)
    assert result.nfev.tolist() == [len(seen)] == [41]  # ten steps of four queries, and the end
    assert result.fun < 1e-5  # a guess that is right makes it gradient descent
    assert box.num_queries == 0  # the caller's own box is not touched


def test_in_minimize_by_autograd_a_prior_takes_a_tensor():
    prior = zo.WhiteBox(lambda x: ((x - 1) ** 2).sum())
    guided = zo.PriorGuided(zo.SPSA(radius=0.01), radius=0.01, weight=1.0)
    box = zo.BlackBox(lambda x: float(((x - 1) ** 2).sum()), estimator=guided, prior=prior)
    assert zo.minimize([box], np.zeros(6), lr=0.4, max_steps=10).fun < 1e-5


def test_in_minimize_a_lazy_black_box_saves_queries():
    white = zo.WhiteBox(lambda x: float(((x + 1) ** 2).sum()), grad=lambda x: 2 * (x + 1))

    def run(**options: Any) -> tuple[list[int], int]:
        seen: list[np.ndarray] = []

        def loss(x: np.ndarray) -> float:
            seen.append(x)
            return float(((x - 1) ** 2).sum())

        box = zo.BlackBox(loss, estimator=zo.SPSA(radius=0.1), **options)
        scalarizer = zo.WeightedSum(weights=[0.1, 0.9])
        result = zo.minimize([box, white], np.zeros(4), lr=0.1, scalarizer=scalarizer, max_steps=13)
        return result.nfev.tolist(), len(seen)

    assert run() == ([27, 14], 27)
    assert run(skip_below=0.2) == ([7, 14], 7)  # steps 0, 6 and 12, and the end


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"skip_below": -0.1}, ValueError, r"^`skip_below` must be in \[0, 1\), got -0\.1\.$"),
        ({"skip_below": 1.0}, ValueError, r"^`skip_below` must be in \[0, 1\), got 1\.0\.$"),
        ({"max_skips": 0}, ValueError, r"^`max_skips` must be at least 1, got 0\.$"),
        ({"max_skips": 1.5}, TypeError, r"^`max_skips` must be a whole number, got 1\.5\.$"),
        ({"prior": lambda: 0.0}, TypeError, r"^`prior` must be a WhiteBox, got function\.$"),
    ],
)
def test_bad_arguments_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        zo.BlackBox(lambda: 0.0, estimator=zo.SPSA(radius=0.1), **options)
