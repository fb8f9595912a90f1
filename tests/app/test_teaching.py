"""The taught guide: raw clips first, then what the black box itself said of the clips that it was sent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

import zoopt_mo as zo
from privacy_mllm.asking import Question
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import CANDIDATES, QUESTIONS, render_clips
from privacy_mllm.devices import to_pictures
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.teaching import TaughtGuide
from privacy_mllm.train import Training

TINY = TrainConfig(
    clips=24, pool=8, batch=4, privacy_batch=4, calls_per_sample=6.0, estimator="guide-taught", guide_steps=4
)
MAIN = QUESTIONS[0]


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", TINY.clips)


def taught(clips: Clips, *, refreshes: int = 3, memory: int = 8, steps: int = 2) -> TaughtGuide:
    guide = TaughtGuide(
        clips, MAIN, 0.75, steps=steps, refreshes=refreshes, seed=0, device=torch.device("cpu"), memory=memory
    )
    guide.prepare(torch.nn.Identity())
    return guide


def says(guide: TaughtGuide, frames: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return guide.beliefs(to_pictures(frames.flatten(0, 1), "cpu").view(frames.shape))[MAIN].exp()


def test_it_comes_to_say_what_the_black_box_said_even_where_that_is_wrong(clips: Clips) -> None:
    guide = taught(clips, refreshes=60)
    known, frames = guide.answers[MAIN], clips.frames[:4]
    target = torch.tensor([0.7, 0.2, *[0.1 / (len(known) - 2)] * (len(known) - 2)])
    for number, clip in enumerate(frames):
        said = {word: float(value.log()) for word, value in zip(known, target, strict=True)}
        guide.hear(Question(clip, MAIN, ("whatever is right",), number), Answer(known[0], said))
    guide.refresh(torch.nn.Identity())
    assert torch.allclose(says(guide, frames), target.expand(4, -1), atol=0.1)


@pytest.mark.parametrize(
    ("answer", "belief"),
    [
        (Answer("b", {"a": math.log(0.2), "b": math.log(0.6), "else": -0.1}), [0.25, 0.75, 0.0]),
        (Answer("B"), [0.0, 1.0, 0.0]),
        (Answer("something else"), None),
        (Answer("b", {"something": -0.1}), [0.0, 1.0, 0.0]),
    ],
    ids=["log-probabilities of the known ones", "the words alone", "not known", "log-probabilities of others"],
)
def test_what_it_takes_from_an_answer(clips: Clips, answer: Answer, belief: list[float] | None) -> None:
    guide = taught(clips)
    guide.answers = {MAIN: ("a", "b", "c")}
    found = guide._belief(MAIN, answer)
    assert (found is None) == (belief is None)
    if belief is not None and found is not None:
        assert found.tolist() == pytest.approx(belief)
    assert guide._belief("another question", answer) is None


def test_it_remembers_the_latest_in_the_order_of_the_batch_whoever_answered_first(clips: Clips) -> None:
    guide = taught(clips, refreshes=0, memory=3)
    known = guide.answers[MAIN]
    for number in (3, 0, 2, 1):
        guide.hear(Question(clips.frames[number], MAIN, (), number), Answer(known[number]))
    guide.refresh(torch.nn.Identity())
    remembered = [int(lesson["belief"].argmax()) for lesson in guide.state_dict()["memory"]]
    assert remembered == [1, 2, 3]


def test_a_broken_off_step_teaches_nothing(clips: Clips) -> None:
    guide = taught(clips)
    before = zo.Parameters(guide.network).flat().clone()
    guide.hear(Question(clips.frames[0], MAIN, ()), Answer(guide.answers[MAIN][0]))
    guide.begin_step()
    guide.refresh(torch.nn.Identity())
    assert torch.equal(zo.Parameters(guide.network).flat(), before)


class Saying:
    """A model that says one thing of everything, with or without log-probabilities."""

    name = "saying"
    concurrency: int | None = None
    deterministic = True

    def __init__(self, *, logprobs: bool) -> None:
        self.logprobs, self.num_calls = logprobs, 0

    def ask(self, clips: torch.Tensor, questions: Sequence[str]) -> list[Answer]:
        self.num_calls += len(clips)
        return [self._answer(CANDIDATES[question]) for question in questions]

    def _answer(self, words: Sequence[str]) -> Answer:
        sure = {word: math.log(0.9 if number == 0 else 0.1 / (len(words) - 1)) for number, word in enumerate(words)}
        return Answer(words[0], sure if self.logprobs else None)

    def can_answer(self, question: str, answer: str) -> bool:
        return answer in CANDIDATES[question]


@pytest.mark.parametrize("logprobs", [True, False], ids=["log-probabilities", "text"])
def test_in_a_training_it_hears_every_answer_and_each_is_a_call(clips: Clips, logprobs: bool) -> None:
    oracle = Saying(logprobs=logprobs)
    config = replace(TINY, utility_loss="logprob" if logprobs else "text", guide_lessons=20)
    training = Training(config, clips, oracle)
    training.prepare()
    assert isinstance(training.guide, TaughtGuide)
    place = training.guide.answers[MAIN].index(CANDIDATES[MAIN][0])
    before = float(says(training.guide, clips.frames[:8])[:, place].mean())
    records = list(training.steps())
    assert [record.calls for record in records] == list(range(4, 52, 4))
    assert oracle.num_calls == training.num_calls == len(training.guide.state_dict()["memory"]) == 48
    assert float(says(training.guide, clips.frames[:8])[:, place].mean()) > max(0.5, before)


def test_the_gradient_is_the_guides_and_the_value_the_black_boxs(clips: Clips) -> None:
    oracle = EmbeddedOracle()
    training = Training(TINY, clips, oracle)
    training.prepare()
    training._draw()
    theta = zo.Parameters(training.anonymizer)
    loss = training.showing.loss()
    guess = torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(training.anonymizer.parameters()))])
    evaluation = training.objectives[0].evaluate(theta)
    assert oracle.num_calls == TINY.batch
    batch = training.showing.batch
    with torch.no_grad():
        sent = (training.showing._clips() * 255).round() / 255
        known = float(oracle.known_loss(sent, batch.questions, batch.targets))
    assert evaluation.value == pytest.approx(known, rel=1e-5)
    assert evaluation.value != pytest.approx(float(loss.detach()), rel=1e-2)
    assert float(torch.cosine_similarity(evaluation.gradient.dense(), guess, dim=0)) == pytest.approx(1.0, abs=1e-5)


def test_a_memory_or_a_number_of_lessons_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="`guide_memory` must be positive, got 0"):
        replace(TINY, guide_memory=0)
