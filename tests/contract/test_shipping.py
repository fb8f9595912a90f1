"""Points that go to other processes as seeds."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import zoopt_mo as zo
from tests.contract.registry import ESTIMATORS
from zoopt_mo.objectives._shipping import LEAST_SIZE, PointsByFile

SIZE = LEAST_SIZE + 3


def bowl(x: np.ndarray) -> float:
    assert type(x) is np.ndarray
    assert x.flags.writeable
    return float(x @ x)


def run(estimator: zo.Estimator, **options):
    start = np.linspace(-1, 1, SIZE)
    return zo.minimize(bowl, start, lr=1e-6, estimator=estimator, max_steps=3, **options)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_processes_see_the_same_points_bit_for_bit(name, processes):
    here, there = run(ESTIMATORS[name](seed=3)), run(ESTIMATORS[name](seed=3), executor=processes)
    assert here.x.tobytes() == there.x.tobytes()
    assert here.F.tolist() == there.F.tolist()
    assert there.nfev.tolist() == here.nfev.tolist()


def test_a_probe_takes_a_few_hundred_bytes_and_comes_back_as_it_was():
    x = np.linspace(0, 1, SIZE)
    points = PointsByFile(x)
    points.begin_round()
    estimator = zo.SPSA(radius=0.25, seed=1)
    displacement = estimator.ask(SIZE)[1]
    with zo.Parameters(x).probing() as move:
        move(displacement)
        point = points.at(displacement)
        packed = pickle.dumps(point)
    assert len(packed) < 500
    assert pickle.loads(packed).tobytes() == point.tobytes() != x.tobytes()
    assert pickle.loads(pickle.dumps(point + 1)).tolist() == (point + 1).tolist()


def test_the_folder_goes_with_the_points():
    points = PointsByFile(np.zeros(4))
    points.begin_round()
    points.begin_round()
    folder = points._folder
    assert [file.name for file in folder.iterdir()] == ["2.npy"]
    del points
    assert not folder.exists()


def test_a_source_that_cannot_be_imported_sends_its_bits(processes):
    def own(size, seed, number):
        return zo.rademacher(size, seed, number)

    here, there = run(zo.SPSA(radius=0.1, directions=own)), run(zo.SPSA(radius=0.1, directions=own), executor=processes)
    assert here.x.tobytes() == there.x.tobytes()
