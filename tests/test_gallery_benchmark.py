"""The benchmark's gallery: a seed draws the examples, each is judged as the table says, networks are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.ablations import Row
from benchmarks.gallery import __main__ as command
from benchmarks.gallery import examples, runs, tables
from privacy_mllm.data.sources import load_clips
from privacy_mllm.session import START

SMALL = replace(runs.QUICK, clips=48, pool=16, calls=2.0, guide_steps=2, test_clips=24, attacker_steps=1, examples=2)


def job(method, seed=0):
    return next(job for job in runs.jobs(SMALL, 2) if (job.method, job.seed) == (method, seed))


def test_the_draw_is_by_seed_and_each_figure_has_what_it_shows():
    clips = load_clips("world", "test", 24)
    drawn = examples.draw_examples(clips, 4)
    assert drawn == examples.draw_examples(clips, 4)
    action, vqa, attributes = drawn.values()
    main = next(iter(clips.answers[0]))
    assert {one.subject for one in action} == {main}
    assert main not in {one.subject for one in vqa}
    assert len({one.row for one in (*action, *vqa)}) == 8
    for name in clips.attribute_names:
        assert [one.is_there(clips) for one in attributes if one.subject == name] == [True, False]
    with pytest.raises(ValueError, match="`clips` must hold 50 clips"):
        examples.draw_examples(clips, 25)


def test_an_answer_is_right_by_its_words_and_a_belief_by_its_greater_half():
    clips = load_clips("world", "test", 24)
    drawn = examples.draw_examples(clips, 1)
    (asked,), (there, absent, *_) = drawn[examples.ACTION], drawn[examples.ATTRIBUTES]
    truth = asked.truth(clips)
    found = {f"probability: {asked.name}": 0.834, f"believed: {there.name}": 0.3, f"believed: {absent.name}": 0.2}
    right = Row(job(runs.RAW), {**found, f"said: {asked.name}": truth.upper()})
    wrong = Row(job(runs.RAW), {**found, f"said: {asked.name}": "flying"})
    assert tables.is_right(right, asked, clips)
    assert not tables.is_right(wrong, asked, clips)
    assert tables.said_of(wrong, asked) == "flying, 83 %"
    assert not tables.is_right(right, there, clips)
    assert tables.is_right(right, absent, clips)


def test_the_sentence_below_a_picture_has_all_test_clips_and_the_range_of_seeds():
    values = {runs.RAW: (90.0,), START: (20.0,), "critical history": (30.0, 40.0), "prior-guided": (60.0, 61.0)}
    values["what moves"] = (55.0, 56.0)
    rows = [
        Row(job(name, seed), {examples.ACTION: value, "chance": 45.0, "attacker_cmap": value})
        for name, found in values.items()
        for seed, value in enumerate(found)
    ]
    expected = "raw 90.0, start 20.0, critical history 35.0 (30.0 to 40.0), prior-guided 60.5 (60.0 to 61.0)"
    expected += ", what moves 55.5 (55.0 to 56.0)"
    told = tables.sentence(rows, examples.ACTION)
    assert told == f"Right answers to this question over all 24 test clips, %: {expected}."
    assert tables.sentence(rows, examples.ATTRIBUTES).endswith(f"{expected}; who sees nothing reads 45.0.")


@pytest.mark.parametrize("method", runs.METHODS)
def test_a_row_tells_of_every_example_and_its_network_is_kept(method, tmp_path, monkeypatch):
    torch.set_num_threads(1)
    row = Row(job(method), runs.make(job(method), tmp_path))
    drawn = examples.draw_examples(load_clips("world", "test", 24), 2)
    for one in (*drawn[examples.ACTION], *drawn[examples.VQA]):
        assert 0 < row.number(f"probability: {one.name}") <= 1
        assert row.found[f"said: {one.name}"]
    assert all(0 <= row.number(f"believed: {one.name}") <= 1 for one in drawn[examples.ATTRIBUTES])
    assert 0 <= row.number("action") <= 100
    assert 0 < row.number("attacker_cmap") <= 100
    assert len(list(tmp_path.iterdir())) == (method in runs.TRAINED)
    monkeypatch.setattr(runs, "train", None)  # not to be called
    networks = runs.kept_networks(job(method), tmp_path)
    started = runs.start_of(job(method))
    moved = any(
        not torch.equal(a, b)
        for a, b in zip(networks.anonymizer.parameters(), started.anonymizer.parameters(), strict=True)
    )
    assert moved == (method in runs.TRAINED)


def test_a_network_whose_file_is_gone_is_trained_to_the_same_weights(tmp_path):
    torch.set_num_threads(1)
    first = runs.train(job("critical history"), tmp_path)
    next(tmp_path.iterdir()).unlink()
    again = runs.kept_networks(job("critical history"), tmp_path)
    for a, b in zip(first.anonymizer.parameters(), again.anonymizer.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_command_writes_three_pictures_and_a_second_call_makes_nothing_anew(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    torch.set_num_threads(1)
    monkeypatch.setattr(command, "QUICK", SMALL)
    arguments = ["--quick", "--workers", "1", "--results", str(tmp_path)]
    command.main(arguments)
    first = capsys.readouterr().out
    for name in ("train", "_answers"):
        monkeypatch.setattr(runs, name, None)  # not to be called
    command.main(arguments)
    assert capsys.readouterr().out.split("commit")[1] == first.split("commit")[1]
    text = (tmp_path / "gallery_quick.md").read_text()
    clips = load_clips("world", "test", 24)
    for figure, drawn in examples.draw_examples(clips, 2).items():
        assert (tmp_path / f"gallery_quick_{figure}.png").stat().st_size > 1000
        assert f"](gallery_quick_{figure}.png)" in text
        assert f"Seed 0 drew the test clips {', '.join(str(one.row) for one in drawn)}." in text
        assert all(f"| {clips.names[one.row]} | {one.subject} | {one.truth(clips)} |" in text for one in drawn)
