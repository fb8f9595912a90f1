"""A multimodal model behind an OpenAI-compatible API, asked about clips whose frames are sent as PNG."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.metrics import same_words
from privacy_mllm.oracles import prompts
from privacy_mllm.oracles._chat import Chat, ServiceError
from privacy_mllm.oracles._completion import label_logprobs, read_completion, read_usage
from privacy_mllm.oracles._service import Service
from privacy_mllm.oracles.parsing import AnswerError, parse_open, parse_ranking
from privacy_mllm.oracles.protocol import Answer

__all__ = ["OpenAICompatibleOracle", "ProbeReport", "Service", "ServiceError"]

DETAILS = ("low", "high", "auto")
TOP_LOGPROBS = 20
"""Alternatives asked for at each token: the most that OpenAI and vLLM give."""


@dataclass(frozen=True)
class ProbeReport:
    """What one question to a service showed.

    Args:
        answer: The answer, with its bill.
        seconds: How long it took, retries included.
        returned: Whether the service returned log-probabilities of tokens at all.
    """

    answer: Answer
    seconds: float
    returned: bool

    def __str__(self) -> str:
        """The findings in words, a line each."""
        usage = self.answer.usage
        if self.answer.logprobs is not None:
            found = f"returned, and read for {len(self.answer.logprobs)} candidate answers"
        elif self.returned:
            found = "returned, but of no use here: the question is open, or the reply is not in letters"
        else:
            found = "not returned; answers count as right or wrong"
        return (
            f"answer: {self.answer.text}\nlog-probabilities: {found}\nlatency: {self.seconds:.2f} s\n"
            f"bill: {usage.attempts} attempt(s), {usage.tokens_in} tokens in, {usage.tokens_out} out, {usage.cost:.6f}"
        )


class OpenAICompatibleOracle:
    """Asks a model over HTTP, one request a clip, and keeps the bill.

    All frames of a clip are sent in order, as PNG: nothing is lost beyond 8 bits. A question with a closed list is
    answered with a ranking of five; the log-probabilities of all candidates come along where the service returns
    them (see :func:`privacy_mllm.oracles.prompts.build_prompt`). Safe to use from several threads, which is how calls
    run at the same time: one `ask` takes its clips one after the other.

    Each clip is one call, or more where the SDK retries. Retries that the service did but could not deliver may be
    billed there without our knowing: the tokens counted are those of replies that came.

    Args:
        service: Whom to ask, and within what limits.
        candidates: Question -> closed list of its answers; a question without an entry is open. None: all are open.
        detail: How closely pictures are looked at: "low", "high" or "auto".
        temperature: 0 for the likeliest answer; None leaves the field out, for models that refuse it.
        max_tokens: Longest reply; None leaves the field out.
        logprobs: Whether log-probabilities are asked for; False for models that refuse the field.
        extra: Further fields of the request, such as ``{"max_completion_tokens": 64}``.

    Raises:
        ImportError: If the openai package is missing.
        ValueError: If an argument is out of range, or the key is missing.
    """

    def __init__(
        self,
        service: Service,
        *,
        candidates: prompts.Candidates | None = None,
        detail: str = "low",
        temperature: float | None = 0.0,
        max_tokens: int | None = 64,
        logprobs: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        _check_settings(detail, temperature, max_tokens)
        self._candidates = {question: tuple(labels) for question, labels in (candidates or {}).items()}
        prompts.check_candidates(candidates or {})
        settings = {"temperature": temperature, "max_tokens": max_tokens, "logprobs": logprobs or None}
        settings["top_logprobs"] = TOP_LOGPROBS if logprobs else None
        self._settings = {name: value for name, value in settings.items() if value is not None}
        self._extra = dict(extra or {})
        self._service, self._detail = service, detail
        self._chat = Chat(service)
        self._lock = threading.Lock()
        self.concurrency: int | None = service.concurrency
        self.deterministic = temperature == 0
        self.num_calls = 0
        self.name = self._describe()

    def __repr__(self) -> str:
        """The name, which holds no key."""
        return f"OpenAICompatibleOracle({self.name!r})"

    def close(self) -> None:
        """Close the connections; otherwise they close with the object."""
        self._chat.close()

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        """Answer ``questions[i]`` about ``clips[i]``, one after the other.

        Args:
            clips: ``uint8 [b, t, 3, h, w]``.
            questions: One question a clip.

        Returns:
            One answer a clip, with its bill.

        Raises:
            ServiceError: If no query would succeed: a wrong key, an unknown model, no money.
            zoopt_mo.QueryError: If the service gave no usable answer; with what all clips up to then took.
            TypeError: If `clips` are not ``uint8``.
            ValueError: If `clips` have another shape, or there is not one question a clip.
        """
        _check_clips(clips, questions)
        answers: list[Answer] = []
        try:
            for clip, question in zip(clips, questions, strict=True):
                answers.append(self._ask_one(clip, question)[0])
        except zo.QueryError as error:
            error.usage = _sum([*(answer.usage for answer in answers), error.usage])
            raise
        return answers

    def probe(self, clip: Tensor, question: str) -> ProbeReport:
        """Ask once, and see what the service returns: whether the key, the model and log-probabilities are there.

        Args:
            clip: ``uint8 [t, 3, h, w]``.
            question: A question about it.

        Raises:
            ServiceError: As for :meth:`ask`; a run that probes first ends here, before it has spent anything.
            zoopt_mo.QueryError: As for :meth:`ask`.
        """
        _check_clips(clip[None], [question])
        start = time.perf_counter()
        answer, returned = self._ask_one(clip, question)
        return ProbeReport(answer, time.perf_counter() - start, returned)

    def can_answer(self, question: str, answer: str) -> bool:
        """Whether `answer` is on the question's list; any words are if it has none. Costs no call."""
        if question not in self._candidates:
            return bool(answer.strip())
        return any(same_words(answer, label) for label in self._candidates[question])

    def _ask_one(self, clip: Tensor, question: str) -> tuple[Answer, bool]:
        """The answer, and whether log-probabilities came with it."""
        prompt = prompts.build_prompt(question, self._candidates.get(question, ()), frames=len(clip))
        try:
            body = self._chat.complete(self._request(clip, prompt))
        finally:
            with self._lock:
                self.num_calls += self._chat.attempts
        usage = self._service.bill(self._chat.attempts, *read_usage(body))
        try:
            return _read(body, prompt, usage)
        except AnswerError as error:
            raise zo.QueryError(f"{error}", usage) from None

    def _request(self, clip: Tensor, prompt: prompts.Prompt) -> dict[str, Any]:
        pictures = [
            {"type": "image_url", "image_url": {"url": _data_url(frame), "detail": self._detail}} for frame in clip
        ]
        content = [*pictures, {"type": "text", "text": prompt.text}]
        messages = [{"role": "user", "content": content}]
        return {"model": self._service.model, "messages": messages, **self._settings, "extra_body": self._extra}

    def _describe(self) -> str:
        parts = {"prompt": prompts.VERSION, "detail": self._detail, **self._settings}
        for name, content in (("candidates", self._candidates), ("extra", self._extra)):
            if content:
                parts[name] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
        settings = " ".join(f"{name}={value}" for name, value in parts.items())
        return f"openai-compatible {self._service.base_url.rstrip('/')} {self._service.model} {settings}"


def _read(body: object, prompt: prompts.Prompt, usage: zo.Usage) -> tuple[Answer, bool]:
    completion = read_completion(body)
    returned = completion.tokens is not None
    if not prompt.candidates:
        return Answer(parse_open(completion.text), usage=usage), returned
    ranked = parse_ranking(completion.text, prompt.candidates, prompt.codes)
    logprobs = label_logprobs(completion.tokens or (), prompt, ranked[0])
    return Answer(ranked[0], logprobs, ranked, usage), returned


def _data_url(frame: Tensor) -> str:
    file = io.BytesIO()
    Image.fromarray(frame.permute(1, 2, 0).contiguous().cpu().numpy()).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _sum(bills: Sequence[zo.Usage]) -> zo.Usage:
    return zo.Usage(
        sum(bill.attempts for bill in bills),
        sum(bill.tokens_in for bill in bills),
        sum(bill.tokens_out for bill in bills),
        sum(bill.cost for bill in bills),
    )


def _check_settings(detail: str, temperature: float | None, max_tokens: int | None) -> None:
    if detail not in DETAILS:
        raise ValueError(f"`detail` must be one of {', '.join(DETAILS)}, got {detail!r}.")
    if temperature is not None and not 0 <= temperature <= 2:
        raise ValueError(f"`temperature` must be in [0, 2], got {temperature}.")
    if max_tokens is not None and max_tokens < 1:
        raise ValueError(f"`max_tokens` must be at least 1, got {max_tokens}.")


def _check_clips(clips: Tensor, questions: Sequence[str]) -> None:
    if clips.dtype != torch.uint8:
        raise TypeError(f"`clips` must be uint8, as a file holds them, got {clips.dtype}.")
    if clips.ndim != 5 or clips.shape[2] != 3 or 0 in clips.shape[1:]:
        raise ValueError(f"`clips` must have shape [b, t, 3, h, w], got {list(clips.shape)}.")
    if len(questions) != len(clips):
        raise ValueError(f"`questions` must have one entry a clip, got {len(questions)} for {len(clips)} clips.")
