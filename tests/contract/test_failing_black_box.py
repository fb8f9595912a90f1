"""Promises of black boxes whose queries fail: whole pairs are dropped, named and counted, and the run goes on."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo

START = [1.0, -2.0, 0.5]


class Service:
    """A judge of one payload at a time that counts its calls and fails at some of them."""

    def __init__(self, fails: Callable[[int], bool] = lambda _number: False) -> None:
        self.fails, self.calls = fails, 0

    def __call__(self, payload: Any) -> float:
        self.calls += 1
        if self.fails(self.calls - 1):
            raise ConnectionError(f"call {self.calls - 1}")
        x = payload if isinstance(payload, torch.Tensor) else torch.as_tensor(np.asarray(payload))
        return float((x - 0.5).square().sum())


class Scene:
    """A black box over theta, judged by a service, with a ledger or without."""

    def __init__(self, service: Service, ledger: zo.Ledger | None = None, **options: Any) -> None:
        self.theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
        self.service = service
        policy = zo.QueryPolicy(ledger=ledger, **{"max_failures": 20, **options.pop("queries", {})})
        settings_of_all: dict[str, Any] = {
            "render": lambda: self.theta.detach().clone(),
            "judge": zo.parallel(service),
            "estimator": zo.SPSA(radius=0.1, num_pairs=3),
            "queries": policy,
            "name": "service",
        }
        self.box = zo.BlackBox(**{**settings_of_all, **options})
        self.optimizer = torch.optim.SGD([self.theta], lr=0.02)

    def step(self) -> zo.StepReport:
        report = zo.backward([self.box], zo.WeightedSum(weights=[1.0]), self.theta)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return report


@pytest.fixture(params=["no ledger", "ledger"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[zo.Ledger | None]:
    if request.param == "no ledger":
        yield None
        return
    with zo.Ledger(tmp_path / "queries.sqlite", run="first") as found:
        yield found


def told(failures: Any) -> list[tuple[int, int, int, str]]:
    return [(failure.step, failure.probe, failure.item, failure.error) for failure in failures]


def minimize(function: Any, **options: Any) -> Any:
    return zo.minimize(function, START, **{"estimator": zo.SPSA(radius=0.1), "lr": 0.02, "max_steps": 6, **options})


# --- steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", range(6))
def test_a_failed_query_drops_its_pair_whole_and_is_named_and_counted(failing, ledger):
    scene = Scene(Service(lambda number: number == failing), ledger)
    report = scene.step()
    assert told(report.failures) == [(0, failing, 0, f"ConnectionError: call {failing}")]
    assert report.failures[0].objective == "service"
    assert report.queries == (6,)
    assert scene.box.num_queries == scene.service.calls == 6

    estimator, theta = zo.SPSA(radius=0.1, num_pairs=3), torch.tensor(START, dtype=torch.float64)
    probes = [theta + move.dense(dtype=torch.float64) for move in estimator.ask(3)]
    losses = [float((probe - 0.5).square().sum()) for probe in probes]
    pair = failing // 2 * 2
    losses[pair] = losses[pair + 1] = math.nan  # the other side is of no use
    estimate = estimator.tell(losses)
    assert report.losses == (estimate.value,)
    moved = theta - 0.02 * estimate.gradient.dense(dtype=torch.float64)
    assert scene.theta.tolist() == pytest.approx(moved.tolist(), rel=1e-12)


@given(share=st.floats(0.0, 0.5), seed=st.integers(0, 99), num_pairs=st.integers(1, 3))
@settings(max_examples=30)
def test_counts_are_the_services_own_whatever_fails(share, seed, num_pairs):
    generator = np.random.default_rng(seed)
    service = Service(lambda _number: bool(generator.random() < share))
    scene = Scene(service, estimator=zo.SPSA(radius=0.1, num_pairs=num_pairs), queries={"max_failures": 1000})
    reports = [scene.step() for _ in range(8)]
    assert scene.box.num_queries == service.calls == sum(report.num_queries for report in reports)
    assert len({failure.error for report in reports for failure in report.failures}) == sum(
        len(report.failures) for report in reports
    )
    assert torch.isfinite(scene.theta).all()


def test_a_round_in_which_nothing_is_measured_is_followed_by_other_directions(ledger):
    scene = Scene(Service(lambda number: number in (1, 2)), ledger, estimator=zo.SPSA(radius=0.1))
    report = scene.step()
    assert report.queries == (6,)
    assert scene.service.calls == scene.box.num_queries == 6
    assert told(report.failures) == [(0, 1, 0, "ConnectionError: call 1"), (1, 0, 0, "ConnectionError: call 2")]
    assert len(scene.step().failures) == 0


def test_minimize_goes_on_and_names_every_failure(ledger):
    service = Service(lambda number: number in (3, 4, 9))
    result = minimize(service, queries=zo.QueryPolicy(ledger=ledger))
    assert result.success
    assert result.nit == 6
    assert result.nfev.tolist() == [service.calls]
    errors = [failure.error for report in result.history for failure in report.failures]
    assert errors == [f"ConnectionError: call {number}" for number in (3, 4, 9)]
    assert service.calls == sum(report.num_queries for report in result.history) + 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (math.nan, "ValueError: the loss must be finite, got nan"),
        (-math.inf, "ValueError: the loss must be finite, got -inf"),
        ("no number", "ValueError: could not convert string to float: 'no number'"),
        (None, "TypeError: float() argument must be a string or a real number, not 'NoneType'"),
        (zo.Reply(math.nan, zo.Usage(cost=2.0)), "ValueError: the loss must be finite, got nan"),
    ],
)
def test_a_malformed_answer_is_a_failure_and_paid_for(ledger, answer, words):
    answers = iter([answer])
    scene = Scene(Service(), ledger)
    scene.box.judge = zo.parallel(lambda _payload: next(answers, 1.0))
    report = scene.step()
    assert told(report.failures) == [(0, 0, 0, words)]
    assert report.queries == (6,)
    assert scene.box.cost == (2.0 if isinstance(answer, zo.Reply) else 0.0)


def test_queries_that_were_never_put_are_named_but_not_counted(ledger):
    service = Service()

    def judge(payload: torch.Tensor) -> float:
        loss = service(payload)
        if service.calls <= 3:
            raise zo.QueryError("no connection", zo.Usage(attempts=0))
        return loss

    scene = Scene(service, ledger, judge=zo.parallel(judge))
    report = scene.step()
    assert [failure.error for failure in report.failures] == ["QueryError: no connection"] * 3
    assert report.queries == (3,) == (scene.box.num_queries,)


def test_a_loss_in_place_counts_attempts_and_cost_as_a_judge_does(ledger):
    replies = iter([zo.Reply(1.0, zo.Usage(attempts=3, cost=0.5)), zo.Reply(2.0, zo.Usage(attempts=0))])

    def loss() -> Any:
        return next(replies, None) or zo.Reply("bad", zo.Usage(cost=0.25))

    theta = torch.zeros(2)
    box = zo.BlackBox(
        loss, estimator=zo.SPSA(radius=0.1, num_pairs=2), queries=zo.QueryPolicy(ledger=ledger), name="in place"
    )
    assert box.query(zo.Parameters(theta)).tolist()[:2] == [1.0, 2.0]
    assert (box.num_queries, box.cost, len(box.failures)) == (3, 1.0, 2)


class Sparing(zo.Judge):
    """A judge that tells nothing of some payloads."""

    def outcomes(self, payloads):
        from zoopt_mo.evaluation import Outcome

        for number, _ in enumerate(payloads):
            if number % 2:
                yield Outcome(number, 1.0, 0.0)


def test_a_payload_that_the_judge_says_nothing_of_has_failed(ledger):
    scene = Scene(Service(), ledger, judge=Sparing(), queries={"max_failures": 3})
    with pytest.raises(zo.TooManyFailures, match="the judge told nothing of this payload"):
        scene.step()


# --- too many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_failures", [0, 1, 2, 7])
def test_one_failure_in_a_row_more_than_borne_ends_the_run_at_once(max_failures, ledger):
    service = Service(lambda number: number >= 1)
    scene = Scene(service, ledger, queries={"max_failures": max_failures})
    words = (
        rf"^{max_failures + 1} queries of 'service' failed in a row, more than `max_failures` bears "
        rf"\({max_failures}\); the last one at step \d, probe \d: ConnectionError: call {max_failures + 1}$"
    )
    with pytest.raises(zo.TooManyFailures, match=words) as caught:
        scene.step()
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert scene.box.num_queries == service.calls == max_failures + 2
    assert scene.theta.tolist() == START
    assert scene.theta.grad is None


def test_an_answer_in_between_begins_the_count_anew(ledger):
    service = Service(lambda number: number % 4 < 2)
    scene = Scene(service, ledger, queries={"max_failures": 2}, estimator=zo.SPSA(radius=0.1, num_pairs=6))
    failures = [failure for _ in range(4) for failure in scene.step().failures]
    assert len(failures) == service.calls / 2


def test_rounds_that_measure_nothing_end_the_run_as_well(ledger):
    """One side of every pair fails, so no two failures are in a row."""
    service = Service(lambda number: number % 2 == 0)
    scene = Scene(service, ledger, queries={"max_failures": 2}, estimator=zo.SPSA(radius=0.1))
    words = (
        r"^3 rounds of queries of 'service' in a row measured nothing, .* the last failure: ConnectionError: call 4$"
    )
    with pytest.raises(zo.TooManyFailures, match=words):
        scene.step()
    assert scene.box.num_queries == service.calls == 6


def test_a_failure_after_which_nothing_can_succeed_ends_the_run_at_once(ledger):
    service = Service()
    scene = Scene(service, ledger)

    def judge(payload: Any) -> float:
        service(payload)
        raise zo.QueryError("wrong key", fatal=True)

    scene.box.judge = zo.parallel(judge)
    with pytest.raises(zo.TooManyFailures, match=r"^A query of 'service' failed, and no other can succeed: wrong key$"):
        scene.step()
    assert scene.box.num_queries == service.calls == 1


def outage(first: int, last: int) -> Callable[[int], bool]:
    return lambda number: first <= number < last


@pytest.mark.parametrize("pairs", [1, 3])
@pytest.mark.parametrize("first", [0, 1, 6, 7])
def test_after_an_outage_the_same_step_is_tried_again_and_the_run_is_the_undisturbed_one(tmp_path, pairs, first):
    def scene(service: Service, ledger: zo.Ledger) -> Scene:
        return Scene(
            service,
            ledger,
            queries={"max_failures": 4},
            estimator=zo.CriticalHistory(zo.SPSA(radius=0.1, num_pairs=pairs), capacity=3),
        )

    with zo.Ledger(tmp_path / "queries.sqlite", run="undisturbed") as ledger:
        undisturbed = scene(Service(), ledger)
        reports = [undisturbed.step() for _ in range(6)]
    with zo.Ledger(tmp_path / "queries.sqlite", run="disturbed") as ledger:
        disturbed = scene(Service(outage(first, first + 5)), ledger)
        found: list[zo.StepReport] = []
        for _ in range(7):  # one of them fails
            with contextlib.suppress(zo.TooManyFailures):
                found.append(disturbed.step())
        found = found[:6]
    assert disturbed.theta.tolist() == undisturbed.theta.tolist()
    assert found == reports
    assert disturbed.box.num_queries == disturbed.service.calls == undisturbed.service.calls + 5


def test_another_process_goes_on_after_an_outage_over_several_rounds_and_counts_alike(tmp_path):
    """Half of each pair fails in three rounds; then the service is well, and the run is as if nothing had been."""
    scenes = []
    for service in (Service(lambda number: 4 <= number < 10 and number % 2 == 0), Service()):
        with zo.Ledger(tmp_path / "queries.sqlite", run="first") as ledger:
            scene = Scene(service, ledger, queries={"max_failures": 2}, estimator=zo.SPSA(radius=0.1))
            scenes.append(scene)
            try:
                for _ in range(6):
                    scene.step()
            except zo.TooManyFailures:
                assert service.calls == 10
    undisturbed = Scene(Service(), estimator=zo.SPSA(radius=0.1))
    for _ in range(6):
        undisturbed.step()
    paid = sum(scene.service.calls for scene in scenes)
    assert scenes[1].theta.tolist() == undisturbed.theta.tolist()
    # The answered half of the first lost pair is of use again, those of the other two rounds are not.
    assert paid == undisturbed.service.calls + 5
    assert scenes[1].box.num_queries == paid


# --- calibration and the end -----------------------------------------------------------------------------------------


def test_a_calibration_bears_failures_and_counts_them(ledger):
    service = Service(lambda number: number in (2, 7))
    result = zo.minimize(service, START, budget=60, queries=zo.QueryPolicy(ledger=ledger))
    assert result.calibration.num_queries > 8
    assert math.isfinite(result.calibration.noise)
    assert result.nfev.tolist() == [service.calls]


def test_a_calibration_that_is_given_up_is_asked_again(tmp_path):
    path = tmp_path / "queries.sqlite"
    sick, well, undisturbed = Service(lambda number: number in (0, 1, 2, 3, 4)), Service(), Service()
    with zo.Ledger(path, run="first") as ledger, pytest.raises(zo.TooManyFailures, match=r"but 1 of 6 came\.$"):
        zo.minimize(sick, START, budget=60, queries=zo.QueryPolicy(ledger=ledger))
    with zo.Ledger(path, run="first") as ledger:
        result = zo.minimize(well, START, budget=60, queries=zo.QueryPolicy(ledger=ledger))
    expected = zo.minimize(undisturbed, START, budget=60)
    assert sick.calls + well.calls == result.nfev[0] <= 60
    steps = min(len(result.history), len(expected.history))
    assert [report.losses for report in result.history][:steps] == [
        report.losses for report in expected.history[:steps]
    ]


def test_a_failed_query_at_the_end_leaves_the_point_and_an_unknown_loss(ledger):
    service, other = Service(lambda number: number >= 12), Service()
    result, expected = minimize(service, queries=zo.QueryPolicy(ledger=ledger)), minimize(other)
    assert result.x.tolist() == expected.x.tolist()
    assert math.isnan(result.F[0])
    assert math.isnan(result.fun)
    assert (result.success, result.status) == (False, 2)
    assert result.message == "all steps were taken, but the loss of black box at the end is not known"
    assert result.nfev.tolist() == [service.calls] == [13]


@pytest.mark.parametrize(
    "scalarizer", [zo.Tchebycheff(weights=[0.5, 0.5]), zo.Normalized(zo.WeightedSum(weights=[1, 1]))]
)
def test_an_unknown_loss_at_the_end_does_not_disturb_a_scalarizer_that_follows_the_losses(scalarizer):
    services = [Service(lambda number: number >= 12), Service()]
    result = minimize(services, scalarizer=scalarizer)
    assert np.isnan(result.F).tolist() == [True, False]
    assert math.isnan(result.fun)
    assert all(bool(tensor.isfinite().all()) for tensor in scalarizer.state_dict().values())


def test_a_loss_that_failed_at_the_end_is_asked_again_by_the_next_call(tmp_path):
    path = tmp_path / "run.ckpt"
    for ledger_path in (None, tmp_path / "queries.sqlite"):
        calls = []
        for fails in (True, False):
            service = Service((lambda number: number >= 12) if fails else (lambda _number: False))
            ledger = None if ledger_path is None else zo.Ledger(ledger_path, run="first")
            result = minimize(service, queries=zo.QueryPolicy(ledger=ledger), checkpoint=path)
            calls.append(service.calls)
            if ledger is not None:
                ledger.close()
            assert math.isnan(result.F[0]) == fails
        assert calls == [13, 1]
        assert result.success
        assert result.nfev.tolist() == [14]
        path.unlink()


# --- batches ---------------------------------------------------------------------------------------------------------


class Pictures:
    """Payloads in batches, each judged by itself; a marked one fails, by probe and sample."""

    def __init__(self, failing: set[tuple[int, int]], size: int = 4) -> None:
        self.theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
        self.failing, self.size, self.probe, self.calls = failing, size, -1, 0

    def render(self) -> zo.Batch:
        self.probe += 1
        return zo.Batch((self.probe, item, self.theta.detach().clone()) for item in range(self.size))

    @staticmethod
    def loss(item: int, theta: torch.Tensor) -> float:
        return float((item + 1) * (theta - item).square().sum())

    def judge(self, payload: tuple[int, int, torch.Tensor]) -> float:
        self.calls += 1
        probe, item, theta = payload
        if (probe, item) in self.failing:
            raise TimeoutError("slow")
        return self.loss(item, theta)

    def box(self, num_pairs: int = 2, **options: Any) -> zo.BlackBox:
        return zo.BlackBox(
            render=self.render,
            judge=zo.parallel(self.judge),
            estimator=zo.SPSA(radius=0.1, num_pairs=num_pairs),
            name="pictures",
            **options,
        )


def test_a_failed_sample_is_dropped_on_both_sides_of_its_pair_and_nowhere_else():
    pictures = Pictures({(0, 1), (3, 0), (3, 2)})
    box = pictures.box()
    evaluation = box.evaluate(zo.Parameters(pictures.theta))
    moves = zo.SPSA(radius=0.1, num_pairs=2).ask(3)
    kept = [{0, 2, 3}, {0, 2, 3}, {1, 3}, {1, 3}]
    items = [
        [Pictures.loss(item, pictures.theta.detach() + move.dense(dtype=torch.float64)) for item in range(4)]
        for move in moves
    ]
    means = [float(np.mean([losses[item] for item in sorted(left)])) for losses, left in zip(items, kept, strict=True)]
    estimator = zo.SPSA(radius=0.1, num_pairs=2)
    estimator.ask(3)
    expected = estimator.tell(means)
    assert evaluation.value == pytest.approx(expected.value, rel=1e-12)
    assert evaluation.gradient.dense(dtype=torch.float64).tolist() == pytest.approx(
        expected.gradient.dense(dtype=torch.float64).tolist(), rel=1e-9
    )
    assert [(failure.probe, failure.item) for failure in evaluation.failures] == [(0, 1), (3, 0), (3, 2)]
    assert evaluation.num_queries == box.num_queries == pictures.calls == 16
    assert np.isnan(box.item_losses).sum() == 3
    known = ~np.isnan(box.item_losses)
    np.testing.assert_allclose(box.item_losses[known], np.array(items)[known], rtol=1e-12)


def test_a_pair_of_which_no_sample_is_left_is_dropped_whole():
    pictures = Pictures({(0, 0), (0, 1), (1, 2), (1, 3)})
    evaluation = pictures.box().evaluate(zo.Parameters(pictures.theta))
    assert len(evaluation.failures) == 4
    estimator = zo.SPSA(radius=0.1, num_pairs=2)
    moves = estimator.ask(3)
    losses = [
        float(
            np.mean(
                [Pictures.loss(item, pictures.theta.detach() + move.dense(dtype=torch.float64)) for item in range(4)]
            )
        )
        for move in moves
    ]
    expected = estimator.tell([math.nan, math.nan, *losses[2:]])
    assert evaluation.value == pytest.approx(expected.value, rel=1e-12)


def test_a_ledger_gives_every_sample_back_by_itself(tmp_path):
    found = []
    for failing in ({(1, 2)}, set()):
        with zo.Ledger(tmp_path / "queries.sqlite", run="first") as ledger:
            pictures = Pictures(failing)
            policy = zo.QueryPolicy(ledger=ledger, key=lambda payload: payload[1:])
            box = pictures.box(queries=policy)
            found.append((box.evaluate(zo.Parameters(pictures.theta)).value, box.num_queries, box.item_losses.tolist()))
    assert repr(found[0]) == repr(found[1])  # the recorded failure too; nan is nan
    assert pictures.calls == 0


def test_batches_of_unequal_sizes_are_refused():
    sizes = iter([2, 2, 3, 2])
    pictures = Pictures(set())
    box = zo.BlackBox(
        render=lambda: zo.Batch([1.0] * next(sizes)),
        judge=zo.parallel(float),
        estimator=zo.SPSA(radius=0.1, num_pairs=2),
        name="pictures",
    )
    with pytest.raises(
        ValueError, match=r"^`render` of 'pictures' must give batches of one size in a step, got sizes \[2, 3\]"
    ):
        box.evaluate(zo.Parameters(pictures.theta))
    assert box.num_queries == 0
    with pytest.raises(ValueError, match=r"^`items` must hold at least one payload, got none\.$"):
        zo.Batch([])


# --- answers that are used again -------------------------------------------------------------------------------------


def test_equal_payloads_of_a_round_are_asked_once_and_fail_together(tmp_path):
    def judge(payload: str) -> float:
        calls.append(payload)
        if payload == "bad":
            raise ConnectionError("no answer")
        return float(len(payload))

    payloads = ["a", "bad", "a", "bad", "bbb", "bad"]
    found, counts = [], []
    for _ in range(2):
        calls: list[str] = []
        with zo.Ledger(tmp_path / "queries.sqlite", run="first") as ledger:
            policy = zo.QueryPolicy(ledger=ledger, reuse=True)
            asked = zo.ask(zo.parallel(judge), payloads, name="test", queries=policy)
        found.append((repr(asked.losses.tolist()), told(asked.failures), asked.num_queries))
        counts.append(sorted(calls))
    assert found[0] == found[1]
    assert counts == [["a", "bad", "bbb"], []]
    assert found[0][2] == 3
    assert [error for *_, error in found[0][1]].count("QueryError: the same payload failed in this round") == 2


def test_a_random_answer_is_kept_for_each_query_and_each_run_by_itself(tmp_path):
    generator = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for run in ("first", "first", "second"):
        with zo.Ledger(tmp_path / "queries.sqlite", run=run) as ledger:
            policy = zo.QueryPolicy(ledger=ledger)
            asked = zo.ask(zo.parallel(lambda _payload: generator.normal()), ["a"] * 3, name="t", queries=policy)
            losses = asked.losses.tolist()
        assert found.setdefault(run, losses) == losses
    assert len({*found["first"], *found["second"]}) == 6


def test_a_score_sees_the_same_on_replay_and_its_failure_is_a_failure(tmp_path):
    seen: list[Any] = []

    def score(payload: str, reply: Any) -> float:
        seen.append(reply)
        return float(reply["votes"][1]) if payload != "odd" else math.nan

    for _ in range(2):
        with zo.Ledger(tmp_path / "queries.sqlite", run="first") as ledger:
            asked = zo.ask(
                zo.parallel(lambda payload: {"votes": (1, 0.1 + 0.2), "of": payload}),
                ["a", "odd"],
                name="t",
                score=score,
                queries=zo.QueryPolicy(ledger=ledger),
            )
        assert repr(asked.losses.tolist()) == "[0.30000000000000004, nan]"
        assert [failure.error for failure in asked.failures] == ["ValueError: the loss must be finite, got nan"]
    assert seen[0] == seen[2] == {"votes": [1, 0.30000000000000004], "of": "a"}  # a tuple is a list in JSON


# --- names -----------------------------------------------------------------------------------------------------------


def test_two_black_boxes_of_one_name_may_not_share_a_ledger(tmp_path):
    """One would be given the other's answers."""
    scenes = [Scene(Service()), Scene(Service())]
    with zo.Ledger(tmp_path / "queries.sqlite", run="first") as ledger:
        for scene in scenes:
            scene.box.queries = zo.QueryPolicy(ledger=ledger)
        with pytest.raises(ValueError, match=r"names of their own, got \['service', 'service'\]\.$"):
            zo.backward([scene.box for scene in scenes], torch.sum, scenes[0].theta)
    assert [scene.service.calls for scene in scenes] == [0, 0]


def test_functions_of_one_name_are_numbered_apart(tmp_path):
    def box(name: str) -> zo.BlackBox:
        return zo.BlackBox(Service(), estimator=zo.SPSA(radius=0.1), name=name)

    with zo.Ledger(tmp_path / "queries.sqlite", run="first") as ledger:
        boxes = [box("f"), box("f"), box("f 2"), box("f"), box("g")]
        result = minimize(boxes, scalarizer=torch.sum, queries=zo.QueryPolicy(ledger=ledger))
    assert result.history[0].names == ("f", "f 3", "f 2", "f 4", "g")
    with zo.LedgerReader(tmp_path / "queries.sqlite") as reader:
        assert {line.group: line.queries for line in reader.bill()} == dict.fromkeys(
            ("f", "f 3", "f 2", "f 4", "g"), 13
        )


# --- interrupted while an answer is read ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_whatever_ends_a_round_no_call_begins_after_it_and_a_key_press_keeps_what_is_under_way(tmp_path, kind):
    called, first = [], threading.Event()

    def judge(payload: int) -> float:
        called.append(payload)
        if payload:
            first.wait(20.0)  # under way while the first answer is read
            time.sleep(0.05)
        return float(payload)

    def score(payload: int, reply: float) -> float:
        if payload == 0:
            first.set()
            raise kind
        return reply

    with ThreadPoolExecutor(3) as pool, zo.Ledger(tmp_path / "queries.sqlite", run="first") as ledger:
        policy = zo.QueryPolicy(ledger=ledger, max_failures=0)
        expected = pytest.raises(KeyboardInterrupt if kind is KeyboardInterrupt else zo.TooManyFailures)
        with expected as caught:
            zo.ask(zo.parallel(judge, pool), range(50), name="t", score=score, queries=policy)
        assert caught.value is not None
        begun = len(called)
        time.sleep(0.2)
        assert len(called) == begun <= 7
    with zo.LedgerReader(tmp_path / "queries.sqlite") as reader:
        kept = sorted(row["value"] for row in reader.rows() if row["error"] is None)
    assert kept == sorted(float(payload) for payload in called if payload)


def test_a_ledger_that_cannot_be_written_ends_a_round_and_leaves_no_call_to_begin(tmp_path, monkeypatch):
    called = []

    def judge(payload: int) -> float:
        called.append(payload)
        time.sleep(0.02)
        return float(payload)

    with ThreadPoolExecutor(2) as pool, zo.Ledger(tmp_path / "queries.sqlite", run="first") as ledger:

        def full(_entry: Any) -> None:
            raise RuntimeError("disk full")

        monkeypatch.setattr(ledger, "record", full)
        with pytest.raises(RuntimeError, match="disk full") as caught:
            zo.ask(zo.parallel(judge, pool), range(50), name="t", queries=zo.QueryPolicy(ledger=ledger))
        assert caught.tb is not None  # what it holds is alive, yet nothing goes on
        begun = len(called)
        time.sleep(0.1)
        assert len(called) == begun <= 5
