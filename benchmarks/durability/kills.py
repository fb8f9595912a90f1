"""Runs that are killed at random moments, and gone on with, while the service lives on."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

import zoopt_mo as zo
from benchmarks.durability.run import PHASES, train
from benchmarks.durability.serving import Running, running_service

LATENCY = 0.015  # seconds that an answer takes
SIGKILLED = -9
FRESH_EVERY = 8  # each eighth child starts a Python of its own; the others are forked from one that has torch
FORKED_LIFE, FRESH_LIFE = 0.6, 6.0  # seconds within which a child is killed


@dataclass
class Killings:
    """What came of all kills.

    Args:
        kills: Runs that were killed.
        bit_identical: Whether every run ended with the bits of the run that was let be.
        lost: Answers that a ledger lacks at the end, or holds without a request in the service's log.
        asked_again: Queries under way at each kill, whose answers were lost: the service saw them once more.
        most_asked: How often one query was asked at most.
        phases: What the killed runs were doing.
        queries: Queries of one run.
    """

    kills: int = 0
    bit_identical: bool = True
    lost: int = 0
    asked_again: list[int] = field(default_factory=list)
    most_asked: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    queries: int = 0

    def lines(self) -> list[str]:
        """The findings in words."""
        again = self.asked_again or [0]
        told = ", ".join(f"{self.phases[name]} {name}" for name in PHASES)
        mean = sum(again) / len(again)
        return [
            f"kills: {self.kills} (while {told})",
            f"each run of {self.queries} queries ended bit-identical: {self.bit_identical}; answers lost: {self.lost}",
            f"asked again: {max(again)} a kill at most, {mean:.1f} on average; no query over {self.most_asked} times",
        ]


def kill_runs(folder: Path, *, kills: int, steps: int, seed: int) -> Killings:
    """Kill runs until so many kills are done; each run is gone on with until it ends.

    Args:
        folder: Where the runs lie.
        kills: How many.
        steps: Steps of a run.
        seed: Seed of the moments.
    """
    found, draw = Killings(), random.Random(seed)
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["torch._dynamo", "benchmarks.durability.run"])  # optimizers want the first
    expected, shas = _undisturbed(folder / "undisturbed", forking, steps)
    found.queries = len(shas)
    number = 0
    while found.kills < kills:
        place = folder / f"run{number}"
        place.mkdir(parents=True)
        with running_service(place / "log.jsonl", "--latency", str(LATENCY), "--logprobs") as service:
            moments = _kill_until_done(place, service, found, draw, forking, kills, steps)
            found.bit_identical &= (place / "parameters").read_bytes() == expected
            _count(found, place, service, moments, shas)
        number += 1
    return found


def _undisturbed(place: Path, context: ForkServerContext, steps: int) -> tuple[bytes, set[str]]:
    """Parameters and requests of the run that nobody kills."""
    place.mkdir(parents=True)
    with running_service(place / "log.jsonl", "--latency", str(LATENCY), "--logprobs") as service:
        child = context.Process(target=train, args=(str(place), service.url, steps))
        child.start()
        child.join()
        asked = Counter(entry["sha256"] for entry in service.log())
    if child.exitcode != 0 or set(asked.values()) != {1}:
        raise RuntimeError(f"The undisturbed run ended with {child.exitcode} and asked {asked.most_common(1)}.")
    return (place / "parameters").read_bytes(), set(asked)


def _kill_until_done(
    place: Path,
    service: Running,
    found: Killings,
    draw: random.Random,
    forking: ForkServerContext,
    kills: int,
    steps: int,
) -> list[float]:
    """The moments at which the run was killed."""
    moments: list[float] = []
    while not (place / "parameters").exists():
        is_fresh = (found.kills + 1) % FRESH_EVERY == 0
        context: ForkServerContext | SpawnContext = multiprocessing.get_context("spawn") if is_fresh else forking
        (place / "phase").write_bytes(b"\0")
        child = context.Process(target=train, args=(str(place), service.url, steps))
        child.start()
        child.join(draw.uniform(0, FRESH_LIFE if is_fresh else FORKED_LIFE) if found.kills < kills else None)
        if child.exitcode is None:
            child.kill()
            child.join()
            moments.append(time.time())
        if child.exitcode == SIGKILLED:
            found.kills += 1
            found.phases[PHASES[(place / "phase").read_bytes()[0]]] += 1
        elif child.exitcode != 0:
            raise RuntimeError(f"A run that was gone on with ended with {child.exitcode}.")
    return moments


def _count(found: Killings, place: Path, service: Running, moments: list[float], shas: set[str]) -> None:
    """Match the service's log with the ledger."""
    log = sorted(service.log(), key=lambda entry: float(entry["time"]))
    reader = zo.LedgerReader(place / "ledger.sqlite")
    kept = Counter(str(json.loads(row["reply"])["sha256"]) for row in reader.rows())
    reader.close()
    asked = Counter(entry["sha256"] for entry in log)
    found.lost += len(shas - kept.keys()) + len(kept.keys() - asked.keys()) + sum(kept.values()) - len(kept)
    found.most_asked = max(found.most_asked, *asked.values())
    again, last_asked = [0] * len(moments), dict[str, float]()
    for entry in log:
        if entry["sha256"] in last_asked:  # its answer was lost in the first kill since then
            again[sum(moment <= last_asked[entry["sha256"]] for moment in moments)] += 1
        last_asked[entry["sha256"]] = entry["time"]
    found.asked_again += again
