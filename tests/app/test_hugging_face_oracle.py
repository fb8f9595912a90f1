"""The oracle over transformers, on a real LLaVA with random weights: what it says is what a plain loop computes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from privacy_mllm.config import TrainConfig
from privacy_mllm.data.world import CANDIDATES, render_clips
from privacy_mllm.oracles.hugging_face import HuggingFaceOracle
from privacy_mllm.oracles.protocol import Answer, Oracle
from privacy_mllm.train import Training
from tests.app.tiny_vlm import SIDE, save_tiny_vlm
from zoopt_mo import QueryError

ACTION, OBJECT, FREE = "what does the person do", "what lies there", "say something"
LISTS = {ACTION: ("run", "running", "sit down"), OBJECT: ("a cup", "ball")}
REPLY = "Reply with one word or a short phrase, and nothing else."
END = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vlm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def clips() -> Tensor:
    """Five clips of two frames."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (5, 2, 3, 40, 56), dtype=torch.uint8, generator=generator)


def oracle(folder: Path, **options: Any) -> HuggingFaceOracle:
    return HuggingFaceOracle(folder, **{"candidates": LISTS, "device": "cpu", **options})


def logprobs(answers: list[Answer]) -> list[list[float]]:
    return [list((answer.logprobs or {}).values()) for answer in answers]


class PlainLoop:
    """The same model one clip, one token and one whole forward pass at a time; nothing shared with the oracle."""

    def __init__(self, folder: Path) -> None:
        from transformers import LlavaForConditionalGeneration, LlavaProcessor

        self.processor = LlavaProcessor.from_pretrained(folder)
        self.model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()

    def prompt(self, clip: Tensor, question: str) -> dict[str, Tensor]:
        several = "The pictures are frames of one clip, in order.\n" if len(clip) > 1 else ""
        text = f"USER: {'<image>' * len(clip)}{several}{question}\n{REPLY} ASSISTANT:".replace("<image>", "<image>\n")
        pictures = [Image.fromarray(np.moveaxis(frame.numpy(), 0, -1)) for frame in clip]
        return dict(self.processor(text=text, images=pictures, return_tensors="pt"))

    def next_logprobs(self, prompt: dict[str, Tensor], written: list[int]) -> Tensor:
        ids = torch.cat([prompt["input_ids"], torch.tensor([written], dtype=torch.long)], dim=1)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, pixel_values=prompt["pixel_values"], use_cache=False).logits
        return logits[0, -1].double().log_softmax(0)

    def score(self, clip: Tensor, question: str, label: str) -> float:
        prompt = self.prompt(clip, question)
        tokens = [*self.processor.tokenizer(f" {label}", add_special_tokens=False)["input_ids"], END]
        return sum(float(self.next_logprobs(prompt, tokens[:i])[token]) for i, token in enumerate(tokens))

    def write(self, clip: Tensor, question: str, longest: int) -> str:
        prompt, written = self.prompt(clip, question), list[int]()
        while len(written) < longest and END not in written:
            written.append(int(self.next_logprobs(prompt, written).argmax()))
        return str(self.processor.tokenizer.decode(written, skip_special_tokens=True)).strip()


@pytest.fixture(scope="module")
def plain(folder: Path) -> PlainLoop:
    return PlainLoop(folder)


@pytest.mark.parametrize("frames", [1, 2])
def test_log_probabilities_are_those_of_a_plain_loop(
    folder: Path, plain: PlainLoop, clips: Tensor, frames: int
) -> None:
    shown = clips[:3, :frames]
    found = oracle(folder).ask(shown, [ACTION, OBJECT, ACTION])
    expected = [
        [plain.score(clip, question, label) for label in LISTS[question]]
        for clip, question in zip(shown, (ACTION, OBJECT, ACTION), strict=True)
    ]
    for one, other in zip(logprobs(found), expected, strict=True):
        assert one == pytest.approx(other, abs=1e-3)
    assert expected[0] != pytest.approx(expected[2], abs=0.1)  # the picture matters


@pytest.mark.parametrize("batch_size", [1, 2, 4, 64])
def test_a_batch_gives_what_single_calls_give(folder: Path, clips: Tensor, batch_size: int) -> None:
    questions = [ACTION, OBJECT, FREE, ACTION, f"{FREE}, and at length"]
    asked = oracle(folder, batch_size=batch_size)
    together = asked.ask(clips, questions)
    alone = [asked.ask(clips[i : i + 1], questions[i : i + 1])[0] for i in range(5)]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.usage for answer in together] == [answer.usage for answer in alone]
    for one, other in zip(logprobs(together), logprobs(alone), strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_the_text_is_the_likeliest_candidate_and_all_are_ranked(folder: Path, clips: Tensor) -> None:
    for answer in oracle(folder).ask(clips, [ACTION] * 5):
        assert answer.logprobs is not None
        assert tuple(answer.logprobs) == LISTS[ACTION]
        assert answer.text == answer.ranked[0] == max(answer.logprobs, key=answer.logprobs.__getitem__)
        assert sorted(answer.logprobs.values(), reverse=True) == [answer.logprobs[label] for label in answer.ranked]


def test_length_normalised_scores_are_means_over_the_tokens(folder: Path, clips: Tensor) -> None:
    sums = logprobs(oracle(folder).ask(clips[:1], [ACTION]))[0]
    means = logprobs(oracle(folder, length_normalised=True).ask(clips[:1], [ACTION]))[0]
    tokens = [len(f" {label}") + 1 for label in LISTS[ACTION]]  # a byte each, and the end
    assert means == pytest.approx([total / count for total, count in zip(sums, tokens, strict=True)], rel=1e-5)


def test_a_free_answer_is_what_greedy_steps_of_a_plain_loop_write(
    folder: Path, plain: PlainLoop, clips: Tensor
) -> None:
    questions = [FREE, f"{FREE}, and at length", FREE]
    found = oracle(folder, max_new_tokens=6).ask(clips[:3], questions)
    assert [answer.text for answer in found] == [
        plain.write(clip, question, 6) for clip, question in zip(clips, questions, strict=False)
    ]
    assert [answer.logprobs for answer in found] == [None] * 3


def test_the_settings_of_a_model_that_samples_are_overruled(folder: Path, clips: Tensor, tmp_path: Path) -> None:
    sampling = shutil.copytree(folder, tmp_path / "sampling")
    settings = json.loads((folder / "generation_config.json").read_text())
    settings |= {"do_sample": True, "temperature": 5.0, "top_p": 0.9, "top_k": 7}
    (sampling / "generation_config.json").write_text(json.dumps(settings))
    texts = [[a.text for a in oracle(f).ask(clips, [FREE] * 5)] for f in (folder, sampling, sampling)]
    assert texts[0] == texts[1] == texts[2]


def test_every_clip_is_one_call_and_its_tokens_are_counted(folder: Path, plain: PlainLoop, clips: Tensor) -> None:
    asked: Oracle = oracle(folder, max_new_tokens=4)
    answers = asked.ask(clips[:2], [ACTION, FREE])
    lengths = [
        plain.prompt(clip, question)["input_ids"].shape[1]
        for clip, question in zip(clips, (ACTION, FREE), strict=False)
    ]
    assert [answer.usage.tokens_in for answer in answers] == lengths
    assert answers[0].usage.tokens_out == sum(len(label) + 2 for label in LISTS[ACTION])
    assert 1 <= answers[1].usage.tokens_out <= 4
    assert all(answer.usage.attempts == 1 and answer.usage.cost == 0 for answer in answers)
    assert asked.num_calls == 2
    assert asked.can_answer(ACTION, "Running")
    assert not asked.can_answer(ACTION, "walk")
    assert asked.can_answer(FREE, "walk")
    assert not asked.can_answer(FREE, " ")
    assert asked.ask(clips[:0], []) == []
    assert asked.num_calls == 2


def test_more_frames_than_wanted_are_thinned_evenly(folder: Path, clips: Tensor) -> None:
    long = clips.reshape(1, 10, 3, 40, 56)[:, :7]
    assert oracle(folder, num_frames=3).ask(long, [ACTION]) == oracle(folder).ask(long[:, [0, 3, 6]], [ACTION])
    assert oracle(folder, num_frames=3).ask(clips, [ACTION] * 5) == oracle(folder).ask(clips, [ACTION] * 5)
    backward = oracle(folder).ask(long[:, [6, 3, 0]], [ACTION])
    assert logprobs(backward)[0] != pytest.approx(
        logprobs(oracle(folder).ask(long[:, [0, 3, 6]], [ACTION]))[0], abs=1e-2
    )


def test_floats_of_the_models_size_are_seen_as_their_bytes_would_be(folder: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    clip = torch.randint(0, 256, (1, 1, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    asked = oracle(folder)
    assert logprobs(asked.ask(clip.float() / 255, [ACTION]))[0] == pytest.approx(
        logprobs(asked.ask(clip, [ACTION]))[0], abs=1e-3
    )


def test_floats_keep_differences_that_eight_bits_lose(folder: Path, clips: Tensor) -> None:
    asked = oracle(folder)
    first = clips[:1].float() / 255
    second = (first + 0.4 / 255).clamp(max=1)
    assert torch.equal((first * 255).round(), (second * 255).round())
    one, other = (logprobs(asked.ask(clip, [ACTION]))[0] for clip in (first, second))
    assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 1e-3
    assert one == pytest.approx(logprobs(asked.ask(clips[:1], [ACTION]))[0], abs=0.3)


def test_a_template_that_begins_with_bos_gets_no_second_one(folder: Path, clips: Tensor, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "bos")
    template = other / "chat_template.jinja"
    template.write_text("<s>" + template.read_text())
    assert oracle(other).ask(clips[:1], [ACTION]) == oracle(folder).ask(clips[:1], [ACTION])


def test_half_precision_runs_and_is_named(folder: Path, clips: Tensor) -> None:
    half = oracle(folder, dtype="bfloat16")
    assert "dtype=bfloat16" in half.name
    assert logprobs(half.ask(clips[:2], [ACTION] * 2))[0] == pytest.approx(
        logprobs(oracle(folder).ask(clips[:1], [ACTION]))[0], rel=0.1
    )


def test_the_flagship_trains_against_it(folder: Path) -> None:
    clips = render_clips("train", 4)
    config = TrainConfig(clips=4, pool=4, batch=2, privacy_batch=2, calls_per_sample=2.0)
    asked = oracle(folder, candidates=CANDIDATES, num_frames=2, length_normalised=True)
    records = list(Training(config, clips, asked).steps())
    assert len(records) == 2
    assert asked.num_calls == 8
    assert all(record.utility_norm > 0 for record in records)


def test_a_log_probability_that_is_not_finite_is_a_failed_query_with_its_bill(folder: Path, clips: Tensor) -> None:
    asked = oracle(folder)
    with torch.no_grad():
        asked._model.get_output_embeddings().weight[5] = torch.inf
    with pytest.raises(QueryError, match="float32 gave a log-probability that is not finite") as failed:
        asked.ask(clips[:3], [ACTION, ACTION, OBJECT])
    assert failed.value.usage.attempts == asked.num_calls == 2
    assert failed.value.usage.tokens_in > 0


def test_a_batch_that_fails_brings_the_bill_of_those_before_it(
    folder: Path, clips: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = oracle(folder, batch_size=1)
    paid = sum(answer.usage.tokens_in for answer in asked.ask(clips[:3], [ACTION] * 3))
    write = asked._ask_batch

    def spoil(clips: Tensor, questions: list[str]) -> list[Answer]:
        if asked.num_calls == 5:
            with torch.no_grad():
                asked._model.get_output_embeddings().weight[5] = torch.inf
        return write(clips, questions)

    monkeypatch.setattr(asked, "_ask_batch", spoil)
    with pytest.raises(QueryError, match="not finite") as failed:
        asked.ask(clips[:5], [ACTION] * 5)
    assert asked.num_calls == 6
    assert failed.value.usage.attempts == 3
    assert failed.value.usage.tokens_in == paid


def test_bad_clips_are_named_and_cost_nothing(folder: Path, clips: Tensor) -> None:
    asked = oracle(folder)
    with pytest.raises(TypeError, match=r"`clips` must be uint8, or floats in \[0, 1\], got torch.int64"):
        asked.ask(clips.long(), [ACTION] * 5)
    with pytest.raises(ValueError, match=r"`clips` must have shape \[b, t, 3, h, w\], got \[2, 3, 40, 56\]"):
        asked.ask(clips[0], [ACTION] * 2)
    with pytest.raises(ValueError, match="`questions` must have one entry a clip, got 1 for 5 clips"):
        asked.ask(clips, [ACTION])
    with pytest.raises(ValueError, match=r"`clips` of floats must lie in \[0, 1\]"):
        asked.ask(clips.float(), [ACTION] * 5)
    with pytest.raises(ValueError, match=r"`clips` must fit the 512 tokens that the model reads, got .* for 40 frame"):
        asked.ask(clips[:1, :1].expand(1, 40, 3, 40, 56), [ACTION])
    assert asked.num_calls == 0
