"""The benchmark of all methods: nothing is run twice that hangs on neither task nor black box, and all stand beside the
paper's figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch

from benchmarks.ablations import Job, Row
from benchmarks.baselines import __main__ as command
from benchmarks.baselines import runs
from benchmarks.baselines.printed import TABLES
from benchmarks.baselines.tables import rows_of
from privacy_mllm.config import TrainConfig, settings_of
from privacy_mllm.contestants import BOUND, CONTROL, MOVES, MOVES_GUIDED, OURS, SPSA, Contestants

SMALL = runs.Extent(clips=48, pool=16, calls=4.0, test_clips=12, attacker_steps=1, surrogate_steps=1)
CHOSEN = {OURS: (0.05, 4.0), SPSA: (0.02, 2.0), MOVES: (0.3, 2.0)}


def job(method, task, kind):
    sizes = [(name, getattr(SMALL, name)) for name in runs.SIZES]
    return Job(method, task, 0, (("tells", kind), *sizes))


def test_the_methods_are_those_of_a_comparison_and_the_papers_are_among_them():
    compared = Contestants(runs.experiment_of(job(OURS, runs.ACTION, runs.TEXT))).makers
    assert sorted([*runs.METHODS, MOVES_GUIDED]) == sorted(compared)  # the last is left to privacy-mllm compare
    assert set(runs.WITHOUT_CHANCE) < set(runs.METHODS)
    for paper in TABLES:
        assert list(paper.printed) == [name for name in runs.PAPER if name in paper.printed]
        assert {len(figures) for figures in paper.printed.values()} == {len(paper.columns)}
        assert max(paper.printed.values()) == paper.printed[runs.RAW]


def test_every_table_has_all_seeds_of_all_methods_and_no_run_is_wanted_twice():
    work = runs.jobs(SMALL, 3, CHOSEN)
    assert len(set(work)) == len(work)
    rows = [Row(job) for job in work]
    for paper in TABLES:
        seeds = {name: [row.job.seed for row in of_name] for name, of_name in rows_of(rows, paper).items()}
        assert seeds == {name: [0] if name in runs.WITHOUT_CHANCE else [0, 1, 2] for name in runs.METHODS}
    times = Counter(job.method for job in work if job.seed == 0)
    assert (times[CONTROL], times[BOUND], times[OURS]) == (1, 2, 4)


def test_only_those_who_ask_for_words_have_a_radius_and_a_step_of_their_own():
    for work in runs.jobs(SMALL, 1, CHOSEN):
        config = runs.experiment_of(work).config
        usual = replace(TrainConfig(), **settings_of("motion") if work.method == MOVES else {})
        is_tuned = work["tells"] == runs.TEXT and work.method in runs.ASKING
        radius, step = CHOSEN[work.method] if is_tuned else (usual.radius, 1.0)
        assert (config.radius, config.utility_lr) == (radius, step * usual.utility_lr)


def test_tuning_chooses_each_methods_best_on_validation_clips():
    trials = runs.tuning_jobs(SMALL)
    assert Counter(work.method for work in trials) == dict.fromkeys(runs.ASKING, len(SMALL.radii) * len(SMALL.steps))
    assert {work.seed for work in trials}.isdisjoint(work.seed for work in runs.jobs(SMALL, 3, CHOSEN))
    assert runs.experiment_of(trials[0]).test.names != runs.experiment_of(job(OURS, runs.ACTION, runs.TEXT)).test.names
    best = {OURS: (0.15, 4.0), SPSA: (0.02, 64.0), MOVES: (0.4, 16.0)}
    rows = [
        Row(work, {runs.ACTION: 60.0, "attacker_cmap": 70.0 - ((work["radius"], work["step"]) == best[work.method])})
        for work in trials
    ]
    assert runs.chosen_settings(rows) == best


@pytest.mark.parametrize(("method", "different"), [(CONTROL, 1), (BOUND, 2), (OURS, 4)])
def test_a_method_is_run_as_often_as_task_and_black_box_make_a_difference(method, different):
    torch.set_num_threads(1)
    found = [runs.make(job(method, task, kind)) for task in runs.SHARES for kind in runs.LOSSES]
    assert len({(one["frozen_cmap"], one["attacker_cmap"], one["bits"]) for one in found}) == different
    assert {one["calls"] for one in found} == {4.0 if method == OURS else 0.0}


def test_the_report_stands_beside_the_papers_and_nothing_is_made_twice(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    made = []

    def make(job):
        """The paper's table 1, with an attacker who reads least where the reviewer reads most."""
        made.append(job)
        answers, leakage = TABLES[0].printed.get(job.method, (50.0, 60.0))
        answers += 5 * (job.setting == runs.TUNING and job["step"] == 16)
        read = {"frozen_cmap": leakage, "attacker_cmap": 100 - leakage, "chance": 45.0}
        of_worst = {"worst": "face", "worst_above": 73.2, "bits": 1.25, "bits_there": 6.0}
        return {runs.ACTION: answers, runs.VQA: answers / 2, "calls": 0.0, **read, **of_worst}

    monkeypatch.setattr(command, "make", make)
    for _ in range(2):
        command.main(["--quick", "--workers", "1", "--results", str(tmp_path)])
    assert len(made) == len(set(made)) == 3 * 2 + len(runs.METHODS) + 1 + 3 * 3
    text = (tmp_path / "baselines_quick.md").read_text()
    assert "| 1 | 1.00 | 1.00 | -1.00 | raw, ours | raw |" in text
    assert "| ours | 48.4 | 24.2 | 54.6 | 45.4 | face 73 | 1.2 | 0 | 48.4 | 54.6 |" in text
    assert "| ours | 48.4 | 24.2 | 54.6 | 45.4 | face 73 | 1.2 | 0 | 59.2 | 44.2 | 47.9 |" in text
    assert "| frame difference | 50.0 | 25.0 | 60.0 | 40.0 | face 73 | 1.2 | 0 | - | - | - |" in text
    chosen = text.partition("tuning chose: ")[2].partition(".\n")[0]
    assert [one.removesuffix(" times the settings'") for one in chosen.split("; ")] == [
        "ours, radius 0.05, step 16",
        "ours, SPSA, radius 0.05, step 16",
        "ours, what moves, radius 0.4, step 1",
    ]
    assert (tmp_path / "baselines_quick.png").stat().st_size > 1000
