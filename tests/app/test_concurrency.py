"""Work in threads: in order, never too much at once, and nothing undone under another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_mllm.concurrency import Gate, Shared, in_order, usual_workers


class Crowd:
    """Counts who is inside, and the largest sum of their sizes."""

    def __init__(self) -> None:
        self.lock, self.inside, self.most = threading.Lock(), 0, 0

    @contextmanager
    def enter(self, size: int = 1) -> Iterator[None]:
        with self.lock:
            self.inside += size
            self.most = max(self.most, self.inside)
        yield
        with self.lock:
            self.inside -= size


@given(st.integers(0, 12), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_results_come_in_order_and_items_are_not_taken_too_far_ahead(count: int, workers: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(count):
            taken += 1
            yield number

    for index, result in enumerate(in_order(lambda number: -number, items(), workers)):
        assert result == -index
        assert taken <= index + 1 + workers
    assert taken == count


def test_two_workers_work_at_once_and_one_works_in_the_callers_thread() -> None:
    together = threading.Barrier(2, timeout=10)
    assert list(in_order(lambda _: together.wait() >= 0, range(4), 2)) == [True] * 4
    assert set(in_order(lambda _: threading.get_ident(), range(3), 1)) == {threading.get_ident()}


@pytest.mark.parametrize("workers", [1, 2])
def test_after_an_exception_nothing_more_is_begun(workers: int) -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise LookupError("number 1")

    with pytest.raises(LookupError, match="number 1"), closing(in_order(work, range(100), workers)) as results:
        list(results)
    assert len(begun) <= 2 + workers


def test_what_was_begun_is_done_when_the_generator_is_closed() -> None:
    crowd = Crowd()

    def work(_: int) -> None:
        with crowd.enter():
            time.sleep(0.02)

    results = in_order(work, range(100), 3)
    next(results)
    results.close()
    assert crowd.inside == 0


def test_workers_must_be_positive() -> None:
    with pytest.raises(ValueError, match="`workers` must be positive, got 0"):
        in_order(str, [1], 0)
    assert 1 <= usual_workers() <= 4


@pytest.mark.parametrize(("sizes", "most"), [((4, 4, 4, 4, 4), 8), ((30, 30, 3), 30), ((1, 9, 1, 9), 10)])
def test_a_gate_keeps_the_sum_of_sizes_within_its_limit(sizes: tuple[int, ...], most: int) -> None:
    gate, crowd = Gate(10), Crowd()

    def work(size: int) -> None:
        with gate.admit(size), crowd.enter(size):
            time.sleep(0.01)

    list(in_order(work, sizes, 4))
    assert crowd.most <= most
    assert crowd.inside == 0


def test_a_gate_lets_others_in_after_a_failure() -> None:
    gate = Gate(1)
    with pytest.raises(LookupError, match="inside"), gate.admit(5):
        raise LookupError("inside")
    with gate.admit(1):
        pass
    with pytest.raises(ValueError, match="`limit` must be positive, got 0"):
        Gate(0)


def test_a_shared_context_is_entered_by_the_first_and_left_by_the_last() -> None:
    told: list[str] = []

    @contextmanager
    def context() -> Iterator[None]:
        told.append("in")
        yield
        told.append("out")

    shared, together = Shared(context), threading.Barrier(3, timeout=10)

    def work(_: int) -> list[str]:
        with shared:
            together.wait()
            return list(told)

    assert list(in_order(work, range(3), 3)) == [["in"]] * 3
    assert told == ["in", "out"]
    with pytest.raises(LookupError, match="inside"), shared:
        raise LookupError("inside")
    assert told == ["in", "out"] * 2
