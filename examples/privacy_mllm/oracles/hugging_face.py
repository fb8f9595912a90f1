"""A multimodal model of the Hugging Face hub, or of a folder, that runs on this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.metrics import same_words
from privacy_mllm.oracles import prompts
from privacy_mllm.oracles._hf_chat import Chat, Inputs, stack
from privacy_mllm.oracles._hf_loading import ModelLoadError, load
from privacy_mllm.oracles._hf_scoring import Labels, context_length, end_tokens, generate, make_greedy, score_labels
from privacy_mllm.oracles.protocol import Answer

__all__ = ["HuggingFaceOracle", "ModelLoadError"]


class HuggingFaceOracle:
    """Asks a model that runs here: LLaVA, Qwen2.5-VL, SmolVLM, Video-LLaVA, or another with a chat template.

    A question with candidates gets the log-probability of each, read by teacher forcing: the sum over the candidate's
    tokens and the token that ends the answer, so that "run" does not count what belongs to "running". The text is the
    likeliest candidate. Another question gets the text that the model writes, word by the likeliest word. Nothing is
    drawn at random. No gradient ever leaves the model.

    Numbers of 16 bits are coarse (bfloat16 keeps three digits of a logit): where memory allows, ``dtype="float32"``
    shows smaller differences between two probes.

    Args:
        model: Folder, or hub id such as ``"llava-hf/llava-1.5-7b-hf"``.
        candidates: Question -> closed list of its answers; a question without an entry is open. None: all are open.
        revision: Branch, tag or commit of the hub.
        device: ``"cuda:0"``, ``"cpu"``...; ``"auto"`` spreads the model over all GPUs; None is the GPU if there is one.
        dtype: Type of the model's numbers, such as ``"float32"``; "auto" is that of the file.
        batch_size: Prompts, or pairs of a prompt and a candidate, in one forward pass; bounds the memory.
        num_frames: Frames that are shown, evenly spread over a longer clip; None shows all.
        video: Whether a clip is shown as one video rather than so many pictures; for models with a video processor.
        length_normalised: Whether a log-probability is the mean over tokens instead of the sum.
        max_new_tokens: Longest free answer.

    Raises:
        ImportError: If transformers is missing, or a package that this model needs beside it.
        FileNotFoundError: If `model` is a path without a folder.
        ModelLoadError: If the hub cannot be reached, or there is no such model.
        ValueError: If an argument is out of range or does not fit the model.
    """

    concurrency: int | None = None
    deterministic: bool = True

    def __init__(
        self,
        model: str | Path,
        *,
        candidates: prompts.Candidates | None = None,
        revision: str | None = None,
        device: str | None = None,
        dtype: torch.dtype | str = "auto",
        batch_size: int = 16,
        num_frames: int | None = None,
        video: bool = False,
        length_normalised: bool = False,
        max_new_tokens: int = 32,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("num_frames", num_frames), ("max_new_tokens", max_new_tokens)):
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be at least 1, got {value}.")
        prompts.check_candidates(candidates or {})
        self._candidates = {question: tuple(labels) for question, labels in (candidates or {}).items()}
        self._batch_size, self._num_frames, self._max_new_tokens = batch_size, num_frames, max_new_tokens
        self._length_normalised = length_normalised
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._model, processor, model_name = load(model, revision, device, dtype)
        make_greedy(self._model)
        self._chat = Chat(processor, video=video)
        self.num_calls = 0
        self.name = self._describe(model_name)

    def __repr__(self) -> str:
        """The name."""
        return f"HuggingFaceOracle({self.name!r})"

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        """Answer ``questions[i]`` about ``clips[i]``.

        Args:
            clips: ``uint8 [b, t, 3, h, w]``, as a cloud would get them; or floats in [0, 1], which go to the model's
                own preprocessing without a detour through 8 bits.
            questions: One question a clip.

        Returns:
            One answer a clip, each one call. Its bill counts the tokens of the prompt, pictures included, as sent, and
            the tokens written or scored as received.

        Raises:
            zoopt_mo.QueryError: If a log-probability is not finite; with what all clips up to then took.
            TypeError: If `clips` are neither ``uint8`` nor floats.
            ValueError: If `clips` have another shape or range, there is not one question a clip, or a prompt is longer
                than the model can read.
        """
        _check_clips(clips, questions)
        clips = self._shown(clips)
        answers: dict[int, Answer] = {}
        try:
            for rows in self._batches(questions):
                answers.update(zip(rows, self._ask_batch(clips[rows], [questions[row] for row in rows]), strict=True))
        except zo.QueryError as error:
            error.usage = _sum([*(answer.usage for answer in answers.values()), error.usage])
            raise
        return [answers[row] for row in range(len(questions))]

    def can_answer(self, question: str, answer: str) -> bool:
        """Whether `answer` is on the question's list; any words are if it has none. Costs no call."""
        if question not in self._candidates:
            return bool(answer.strip())
        return any(same_words(answer, label) for label in self._candidates[question])

    def _shown(self, clips: Tensor) -> Tensor:
        if self._num_frames is None or clips.shape[1] <= self._num_frames:
            return clips.cpu()
        return clips[:, torch.linspace(0, clips.shape[1] - 1, self._num_frames).round().long()].cpu()

    def _batches(self, questions: Sequence[str]) -> Iterator[list[int]]:
        """The rows of each forward pass: those of one closed question, or of any open ones."""
        groups: dict[str | None, list[int]] = {}
        for row, question in enumerate(questions):
            groups.setdefault(question if question in self._candidates else None, []).append(row)
        for group, rows in groups.items():
            size = max(1, self._batch_size // (1 if group is None else len(self._candidates[group])))
            yield from (rows[start : start + size] for start in range(0, len(rows), size))

    def _ask_batch(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        inputs = [self._encode(clip, question) for clip, question in zip(clips, questions, strict=True)]
        self.num_calls += len(inputs)
        with torch.inference_mode():
            if questions[0] in self._candidates:
                return self._choose(inputs, questions[0], clips.shape[1])
            return self._write(inputs)

    def _encode(self, clip: Tensor, question: str) -> Inputs:
        inputs = self._chat.encode(clip, self._chat.prompt(self._instruction(question, len(clip)), len(clip)))
        length, limit = inputs["input_ids"].shape[1], context_length(self._model)
        if limit is not None and length > limit:
            raise ValueError(
                f"`clips` must fit the {limit} tokens that the model reads, got {length} for {len(clip)} frame(s): "
                "show fewer with `num_frames`."
            )
        return inputs

    def _instruction(self, question: str, num_frames: int) -> str:
        """Candidates are not named: each is scored as the short answer that is asked for."""
        return prompts.build_prompt(question, frames=1 if self._chat.video else num_frames).text

    def _choose(self, inputs: Sequence[Inputs], question: str, num_frames: int) -> list[Answer]:
        """The likeliest of the question's candidates, for prompts of one length."""
        candidates, model = self._candidates[question], self._model
        end = end_tokens(model)[:1]
        tokens = self._chat.label_tokens(self._instruction(question, num_frames), num_frames, candidates)
        labels = Labels.of([[*label, *end] for label in tokens], model.device)
        scores = score_labels(model, self._stack(inputs), labels, self._batch_size)
        lengths = labels.is_token.sum(1)
        bills = [zo.Usage(1, entry["input_ids"].shape[1], int(lengths.sum())) for entry in inputs]
        if not bool(scores.isfinite().all()):
            raise zo.QueryError(f"{model.dtype} gave a log-probability that is not finite", _sum(bills))
        if self._length_normalised:
            scores = scores / lengths
        return [_ranked(candidates, row, bill) for row, bill in zip(scores.tolist(), bills, strict=True)]

    def _write(self, inputs: Sequence[Inputs]) -> list[Answer]:
        """What the model writes."""
        said = generate(self._model, self._stack(inputs), self._max_new_tokens)
        return [
            Answer(self._chat.decode(tokens), usage=zo.Usage(1, entry["input_ids"].shape[1], len(tokens)))
            for tokens, entry in zip(said, inputs, strict=True)
        ]

    def _stack(self, inputs: Sequence[Inputs]) -> Inputs:
        device, dtype = self._model.device, self._model.dtype
        batch = stack(inputs, self._chat.pad_token)
        return {
            name: value.to(device, dtype) if value.is_floating_point() else value.to(device)
            for name, value in batch.items()
        }

    def _describe(self, model_name: str) -> str:
        settings = {
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "prompt": prompts.VERSION,
            "num_frames": self._num_frames,
            "video": self._chat.video,
            "length_normalised": self._length_normalised,
            "max_new_tokens": self._max_new_tokens,
        }
        if self._candidates:
            content = json.dumps(self._candidates, sort_keys=True).encode()
            settings["candidates"] = hashlib.sha256(content).hexdigest()[:12]
        return " ".join(["hugging-face", model_name, *(f"{name}={value}" for name, value in settings.items())])


def _ranked(candidates: Sequence[str], scores: Sequence[float], bill: zo.Usage) -> Answer:
    logprobs = dict(zip(candidates, scores, strict=True))
    ranked = tuple(sorted(candidates, key=lambda label: -logprobs[label]))
    return Answer(ranked[0], logprobs, ranked, bill)


def _sum(bills: Sequence[zo.Usage]) -> zo.Usage:
    return zo.Usage(
        sum(bill.attempts for bill in bills),
        sum(bill.tokens_in for bill in bills),
        sum(bill.tokens_out for bill in bills),
    )


def _check_clips(clips: Tensor, questions: Sequence[str]) -> None:
    if clips.dtype != torch.uint8 and not clips.is_floating_point():
        raise TypeError(f"`clips` must be uint8, or floats in [0, 1], got {clips.dtype}.")
    if clips.ndim != 5 or clips.shape[2] != 3 or 0 in clips.shape[1:]:
        raise ValueError(f"`clips` must have shape [b, t, 3, h, w], got {list(clips.shape)}.")
    if len(questions) != len(clips):
        raise ValueError(f"`questions` must have one entry a clip, got {len(questions)} for {len(clips)} clips.")
    if clips.is_floating_point() and not bool(((clips >= 0) & (clips <= 1)).all()):
        raise ValueError("`clips` of floats must lie in [0, 1], got a value outside.")
