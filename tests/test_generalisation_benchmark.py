"""The benchmark of generalisation: what is withheld stays withheld, and is judged beside what was shown."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from benchmarks.ablations import Row
from benchmarks.generalisation import __main__ as command
from benchmarks.generalisation import runs, tables
from privacy_mllm.data.clips import all_questions
from privacy_mllm.starting import is_shipped

SMALL = replace(runs.QUICK, clips=48, pool=16, calls=4.0, start_steps=1, test_clips=40, attacker_steps=1)


def trained(held_out):
    return next(job for job in runs.training_jobs(SMALL, 1) if job.setting == held_out)


def test_no_training_is_shown_what_it_is_to_lack_and_no_start_comes_with_the_package(tmp_path):
    for held_out in (runs.NOTHING, *runs.HELD_OUT):
        experiment = runs.experiment_of(trained(held_out), tmp_path)
        kind, _, value = held_out.partition("=")
        shown = {
            "attribute": experiment.private.attribute_names,
            "answer": {text for answers in experiment.clips.answers for texts in answers.values() for text in texts},
            "question": all_questions(experiment.clips),
            runs.NOTHING: (),
        }[kind]
        assert value not in shown, held_out
        assert not is_shipped(experiment.config, experiment.private), held_out


def test_trainings_share_a_start_only_where_it_was_shown_the_same(tmp_path):
    folders = {name: runs.experiment_of(trained(name), tmp_path).folder for name in (runs.NOTHING, *runs.HELD_OUT)}
    questions = [name for name in runs.HELD_OUT if name.startswith("question=")]
    assert {folders[name] for name in questions} == {folders[runs.NOTHING]}
    assert len(set(folders.values())) == len(folders) - len(questions)
    assert len(runs.start_jobs(SMALL, 2)) == 1 + 2 * len(set(folders.values()))


def test_a_training_is_judged_on_everything_that_may_be_held_out_and_keeps_its_start(tmp_path):
    torch.set_num_threads(1)
    job = trained("attribute=face")
    found = runs.make(job, folder=tmp_path)
    assert found["queries"] == 64
    assert {runs.column(*line) for line in tables.lines()} <= set(found)
    assert all(math.isfinite(Row(job, found).number(name)) for name in found)
    (start,) = tmp_path.glob("*/*")
    written = start.stat().st_mtime_ns
    assert runs.make(job, folder=tmp_path) == found
    assert start.stat().st_mtime_ns == written


def test_raw_pictures_show_what_every_other_column_may_lose(tmp_path):
    torch.set_num_threads(1)
    (raw, *_) = runs.start_jobs(replace(SMALL, clips=200, attacker_steps=5), 1)
    found = Row(raw, runs.make(raw, folder=tmp_path))
    assert found.number("question=where is the person: right answers") > 90
    assert found.number("attribute=relationship: read above chance") > 40


def test_a_difference_is_taken_within_a_seed():
    shown, held_out = (
        [job for job in runs.training_jobs(SMALL, 2) if job.setting == name]
        for name in (runs.NOTHING, "answer=kicking")
    )
    name = runs.column("answer=kicking", runs.ANSWERS)
    rows = [Row(job, {name: value}) for job, value in zip((*shown, *held_out), (10.0, 50.0, 8.0, 40.0), strict=True)]
    found = tables.columns(rows, "answer=kicking", runs.ANSWERS)
    assert tables.differences(found) == [-2.0, -10.0]


def test_the_report_has_a_line_for_every_measure_and_nothing_is_made_twice(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    made = []

    def make(job, *, folder):
        made.append(job)
        value = {runs.RAW: 90.0, runs.START: 20.0}.get(job.method, 30.0 if job.setting == runs.NOTHING else 25.0)
        return {"utility": value, "attacker_cmap": value} | {runs.column(*line): value for line in tables.lines()}

    monkeypatch.setattr(command, "make", make)
    for _ in range(2):
        command.main(["--quick", "--workers", "1", "--results", str(tmp_path)])
    assert len(made) == len(set(made)) == 1 + 7 + 9
    text = (tmp_path / "generalisation_quick.md").read_text()
    figures = "20.0 | 25.0 | 30.0 | -5.0 |"
    for held_out, measure in tables.lines():
        assert f"| {held_out} | {measure} | 90.0 | {figures}" in text
    assert (tmp_path / "generalisation_quick.png").stat().st_size > 1000


def test_a_fresh_call_makes_the_starts_anew(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    found = {"utility": 1.0, "attacker_cmap": 1.0} | {runs.column(*line): 1.0 for line in tables.lines()}
    monkeypatch.setattr(command, "make", lambda *_, **__: found)
    kept = tmp_path / "generalisation_quick_starts" / "some" / "start.0.ckpt"
    for options, stays in ((["--seeds", "1"], False), (["--seeds", "2"], True), (["--fresh"], False)):
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.touch()
        command.main(["--quick", "--workers", "1", "--results", str(tmp_path), *options])
        assert kept.exists() is stays
