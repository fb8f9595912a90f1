"""The same run wherever its queries are asked, and what the ledger takes of the time."""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import zoopt_mo as zo
from benchmarks.durability.client import ask_loss
from benchmarks.durability.ray_executor import RayExecutor
from benchmarks.durability.serving import running_service

LATENCY = 0.005


@contextmanager
def _threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@contextmanager
def _processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, multiprocessing.get_context("forkserver")) as pool:
        yield pool


@contextmanager
def _dask() -> Iterator[Executor]:
    import distributed

    start_cluster: Any = distributed.LocalCluster  # it carries no types
    connect: Any = distributed.Client
    with (
        start_cluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster,
        connect(cluster) as client,
    ):
        yield client.get_executor(pure=False)


@contextmanager
def _ray() -> Iterator[Executor]:
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    try:
        yield RayExecutor(num_cpus=0.25)
    finally:
        ray.shutdown()


EXECUTORS: dict[str, Callable[[], contextlib.AbstractContextManager[Executor | None]]] = {
    "serial": contextlib.nullcontext,
    "threads": _threads,
    "processes": _processes,
    "dask": _dask,
    "ray": _ray,
}


def run_everywhere(folder: Path, names: list[str], *, steps: int) -> dict[str, bytes]:
    """The end of the same run, bit by bit, by executor.

    Args:
        folder: For the service's log.
        names: Of executors.
        steps: Steps of the run.
    """
    folder.mkdir(parents=True)
    with running_service(folder / "log.jsonl", "--latency", str(LATENCY), "--logprobs") as service:
        return {name: _run(service.url, name, steps) for name in names}


def _run(url: str, name: str, steps: int) -> bytes:
    with EXECUTORS[name]() as executor:
        black = zo.BlackBox(
            render=lambda x: x.tobytes().hex(),
            judge=zo.parallel(functools.partial(ask_loss, url), executor),
            estimator=zo.CentredBlock(radius=0.01, num_probes=8),
        )
        result = zo.minimize(
            [black, zo.WhiteBox(lambda x: (x**2).sum())],
            np.linspace(-1.0, 1.0, 50),
            lr=1e-3,
            scalarizer=zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], augmentation=0.05),
            max_steps=steps,
        )
    return bytes(result.x.tobytes())


def ledger_milliseconds(folder: Path, *, queries: int, repeats: int) -> float:
    """Milliseconds that the ledger takes of each query: the same run with it less without it, the best of several.

    Args:
        folder: For the ledgers.
        queries: Queries of a run, about.
        repeats: How many pairs are timed.
    """
    folder.mkdir(parents=True)
    without, with_ledger = [], []
    for number in range(repeats):
        without.append(_timed(None, queries))
        with zo.Ledger(folder / f"{number}.sqlite", run="run") as ledger:
            with_ledger.append(_timed(ledger, queries))
    return 1e3 * (min(with_ledger) - min(without))


def _timed(ledger: zo.Ledger | None, queries: int) -> float:
    """Seconds a query of a run whose queries cost nothing."""
    black = zo.BlackBox(
        render=lambda x: x,
        judge=lambda payloads: [float(payload @ payload) for payload in payloads],
        estimator=zo.CentredBlock(radius=0.01, num_probes=16),
        queries=zo.QueryPolicy(ledger=ledger),
    )
    started = time.perf_counter()
    result = zo.minimize([black], np.linspace(-1.0, 1.0, 100), lr=1e-3, max_steps=max(1, queries // 16))
    return (time.perf_counter() - started) / int(result.nfev[0])
