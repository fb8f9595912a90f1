"""The networks: their sizes, the pictures they take, and how the language model reads and writes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from privacy_mllm.data.world import CANDIDATES, QUESTIONS, render_clips
from privacy_mllm.models.reviewer import Reviewer
from privacy_mllm.models.tiny_mllm import (
    ANSWER_LENGTH,
    TinyMLLM,
    decode_answer,
    encode_answer,
    encode_question,
    load_tiny_mllm,
)
from privacy_mllm.models.unet import UNet
from privacy_mllm.reviewing import review, train_reviewer
from privacy_mllm.weights import load_weights


@pytest.fixture(scope="module")
def model() -> TinyMLLM:
    return load_tiny_mllm()


@pytest.fixture(scope="module")
def vision(model: TinyMLLM) -> Tensor:
    return model.see(render_clips("test", 16).frames.float() / 255)


def _random(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("network", "number"), [(Reviewer(), 53_302), (UNet(), 17_427), (TinyMLLM(), 294_213)])
def test_networks_have_the_documented_size(network: nn.Module, number: int) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == number


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (8, 8), (64, 64), (37, 101)])
def test_the_unet_takes_pictures_of_any_size(size: tuple[int, int]) -> None:
    with torch.no_grad():
        output = UNet()(_random(2, 3, *size))
    assert output.shape == (2, 3, *size)
    assert bool(((output >= 0) & (output <= 1)).all())


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (37, 101)])
def test_the_reviewer_takes_pictures_of_any_size(size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert Reviewer(num_attributes=3).eval()(_random(2, 3, *size)).shape == (2, 3)


def test_the_shipped_identity_unet_keeps_the_picture_and_has_no_checkerboard() -> None:
    network = UNet()
    network.load_state_dict(load_weights("unet_identity"))
    pictures = render_clips("test", 8).frames[:, 0].float() / 255
    with torch.no_grad():
        error = network.eval()(pictures) - pictures
    assert float(error.square().mean()) < 0.004
    # A checkerboard is an error that differs between the four phases of a 2x2 grid, everywhere alike.
    phases = torch.nn.functional.pixel_unshuffle(error, 2).reshape(8, 3, 4, -1).mean((0, 1, 3))
    assert float(phases.max() - phases.min()) < 0.01


def test_encoded_answers_come_back_and_unknown_words_are_refused() -> None:
    for answers in CANDIDATES.values():
        assert [decode_answer(encode_answer(answer)) for answer in answers] == list(answers)
    with pytest.raises(ValueError, match="knows no word 'flying'"):
        encode_answer("flying")


def test_a_word_depends_only_on_the_words_before_it(model: TinyMLLM, vision: Tensor) -> None:
    asked = encode_question(QUESTIONS[2]).expand(len(vision), -1)
    first = encode_answer("a ball").expand(len(vision), -1)
    for place in range(ANSWER_LENGTH):
        second = first.clone()
        second[:, place:] = encode_answer("the street")[place]
        before, after = model.speak(vision, asked, first), model.speak(vision, asked, second)
        assert torch.allclose(before[:, : place + 1], after[:, : place + 1], atol=1e-5)


def test_scores_of_several_words_are_the_chain_of_their_words(model: TinyMLLM, vision: Tensor) -> None:
    question = QUESTIONS[3]
    asked, words = encode_question(question).expand(len(vision), -1), encode_answer("the park")
    logprobs = model.speak(vision, asked, words.expand(len(vision), -1))
    by_hand = sum(logprobs[:, place, word] for place, word in enumerate(words.tolist()))
    score = model.score(vision, question, CANDIDATES[question])[:, CANDIDATES[question].index("the park")]
    assert torch.allclose(score, torch.as_tensor(by_hand), atol=1e-5)


def test_one_pass_over_single_words_leaves_out_next_to_nothing(model: TinyMLLM, vision: Tensor) -> None:
    """The one-pass score of a one-word answer leaves out ``<eos>``, which is about as likely after any word."""
    candidates = CANDIDATES[QUESTIONS[0]]
    asked = encode_question(QUESTIONS[0]).expand(len(vision), -1)
    once = model.score(vision, QUESTIONS[0], candidates)
    words = [encode_answer(candidate) for candidate in candidates]
    end = torch.stack([model.speak(vision, asked, word.expand(len(vision), -1))[:, 1, word[1]] for word in words], 1)
    assert float(end.min()) > -0.2
    difference = once.log_softmax(1) - (once + end).log_softmax(1)
    assert float(difference.abs().max()) < 0.1


def test_the_best_candidate_is_what_the_model_would_write(model: TinyMLLM, vision: Tensor) -> None:
    same = []
    for question, candidates in CANDIDATES.items():
        best = [candidates[int(index)] for index in model.score(vision, question, candidates).argmax(1)]
        same += [text == written for text, written in zip(best, model.write(vision, question), strict=True)]
    assert sum(same) >= 0.95 * len(same)


def test_a_reviewer_learns_reproducibly_and_leaves_the_global_random_state_alone() -> None:
    clips = render_clips("train", 24, size=32)
    state = torch.get_rng_state()
    first, second = (
        train_reviewer(clips.frames, clips.attributes, steps=2, seed=3, init=None, batch=8) for _ in range(2)
    )
    assert torch.equal(state, torch.get_rng_state())
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])


def test_fine_tuning_lowers_the_loss_and_keeps_the_first_reviewer() -> None:
    clips = render_clips("train", 24, size=32)
    start = train_reviewer(clips.frames, clips.attributes, steps=1, seed=0, init=None, batch=8)
    before = {key: value.clone() for key, value in start.state_dict().items()}
    steps: list[tuple[int, int]] = []
    tuned = train_reviewer(
        clips.frames,
        clips.attributes,
        steps=30,
        seed=0,
        init=start,
        batch=24,
        progress=lambda done, total: steps.append((done, total)),
    )

    def loss(reviewer: Reviewer) -> float:
        logits = review(reviewer, clips.frames)
        return nn.functional.binary_cross_entropy_with_logits(logits, clips.attributes).item()

    assert loss(tuned) < 0.9 * loss(start)
    assert all(torch.equal(value, before[key]) for key, value in start.state_dict().items())
    assert steps == [(done, 30) for done in range(1, 31)]


def test_a_review_is_the_mean_over_the_frames() -> None:
    clips = render_clips("test", 3)
    reviewer = Reviewer()
    reviewer.load_state_dict(load_weights("reviewer"))
    single = torch.stack([review(reviewer, clips.frames[:, time : time + 1]) for time in range(4)])
    assert torch.allclose(review(reviewer, clips.frames), single.mean(0), atol=1e-5)
    assert reviewer.training


def test_reviewing_names_a_bad_argument() -> None:
    clips = render_clips("test", 2, size=16)
    with pytest.raises(TypeError, match=r"`frames` must be uint8, got torch\.float32"):
        review(Reviewer(), clips.frames.float())
    with pytest.raises(ValueError, match="`frames` must have shape"):
        review(Reviewer(), clips.frames[0])
    with pytest.raises(ValueError, match="`steps` must be positive, got 0"):
        train_reviewer(clips.frames, clips.attributes, steps=0, seed=0, init=None)
    with pytest.raises(ValueError, match="`attributes` must have one row a clip, got 1 rows for 2 clips"):
        train_reviewer(clips.frames, clips.attributes[:1], steps=1, seed=0, init=None)


def test_unknown_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`name` must be one of tiny_mllm, reviewer.*got 'unet'"):
        load_weights("unet")
