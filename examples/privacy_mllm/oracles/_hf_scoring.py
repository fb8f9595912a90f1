"""How likely a model is to give each of several answers, and what it says of its own accord."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from privacy_mllm.oracles._hf_chat import Inputs


@dataclass(frozen=True)
class Labels:
    """The tokens of all answers, with zeros after the shorter ones.

    Args:
        tokens: ``int64 [n, m]``.
        is_token: Which of them are tokens, ``bool [n, m]``.
    """

    tokens: Tensor
    is_token: Tensor

    @classmethod
    def of(cls, labels: Sequence[Sequence[int]], device: torch.device) -> Labels:
        """Answers of different lengths, side by side."""
        rows = [torch.tensor(list(label), dtype=torch.long) for label in labels]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        lengths = torch.tensor([len(row) for row in rows])
        return cls(tokens.to(device), (torch.arange(tokens.shape[1]) < lengths[:, None]).to(device))

    def __getitem__(self, rows: slice) -> Labels:
        """Some of the answers."""
        return Labels(self.tokens[rows], self.is_token[rows])


def score_labels(model: Any, prompts: Inputs, labels: Labels, rows_at_once: int) -> Tensor:  # noqa: ANN401
    r"""The log-probability of every answer after every prompt, by teacher forcing.

    .. math:: \log p(a \mid x) = \sum_j \log p(a_j \mid x, a_1 \dots a_{j-1})

    The prompts with their pictures are read once. What the model remembers of them (the cache of keys and values) is
    then repeated for the answers, which are read in a second pass; answers of one token need none. Zeros after an
    answer change nothing, for a token never looks ahead.

    Args:
        model: The model.
        prompts: Prompts of one length, so without padding, ``[b, l]``.
        labels: The answers ``[n, m]``.
        rows_at_once: Pairs of a prompt and an answer in one pass, at least ``b``; bounds the memory.

    Returns:
        Log-probabilities, ``float32 [b, n]``.
    """
    num_prompts = len(prompts["input_ids"])
    read = model(**prompts, use_cache=True)
    first = read.logits[:, -1].float().log_softmax(-1)
    step = max(1, rows_at_once // num_prompts)
    parts = [labels[start : start + step] for start in range(0, len(labels.tokens), step)]
    return torch.cat([_score_part(model, first, read.past_key_values, part) for part in parts], dim=1)


def _score_part(model: Any, first: Tensor, cache: Any, labels: Labels) -> Tensor:  # noqa: ANN401
    """``first`` holds the log-probabilities of the first token, ``[b, vocabulary]``."""
    num_labels, length = labels.tokens.shape
    total: Tensor = first[:, labels.tokens[:, 0]]
    if length == 1:
        return total
    cache = copy.deepcopy(cache)
    cache.batch_repeat_interleave(num_labels)
    tokens = labels.tokens.repeat(len(first), 1)
    logits = model(input_ids=tokens[:, :-1], past_key_values=cache, use_cache=True).logits
    each: Tensor = logits.float().log_softmax(-1).gather(2, tokens[:, 1:, None]).squeeze(2)
    each = each.masked_fill(~labels.is_token.repeat(len(first), 1)[:, 1:], 0)
    return total + each.sum(1).view(len(first), num_labels)


def generate(model: Any, prompts: Inputs, max_new_tokens: int) -> list[Tensor]:  # noqa: ANN401
    """What the model says by always taking the likeliest token, up to and with the token that ends it.

    Args:
        model: The model.
        prompts: Prompts, padded on the left, ``[b, l]``.
        max_new_tokens: Longest answer.

    Returns:
        Tokens of each answer.
    """
    said = model.generate(**prompts, max_new_tokens=max_new_tokens)[:, prompts["input_ids"].shape[1] :]
    ends = torch.tensor(end_tokens(model), device=said.device)
    return [_until_end(row, ends) for row in said]


def end_tokens(model: Any) -> list[int]:  # noqa: ANN401
    """The tokens that end an answer."""
    ends = model.generation_config.eos_token_id
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)


def context_length(model: Any) -> int | None:  # noqa: ANN401
    """The longest prompt that the model was made for, in tokens, where it says so."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return None if limit is None else int(limit)


def make_greedy(model: Any) -> None:  # noqa: ANN401
    """Let ``generate`` draw nothing at random, whatever the model's own settings are."""
    config = model.generation_config
    config.do_sample, config.num_beams = False, 1
    config.temperature = config.top_p = config.top_k = config.min_p = config.typical_p = None
    if config.pad_token_id is None:
        config.pad_token_id = next(iter(end_tokens(model)), 0)


def _until_end(row: Tensor, ends: Tensor) -> Tensor:
    found = torch.isin(row, ends).nonzero()
    return row[: int(found[0, 0]) + 1] if len(found) else row
