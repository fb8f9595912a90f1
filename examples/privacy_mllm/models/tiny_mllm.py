"""A tiny multimodal language model in the manner of LLaVA: the black box of the embedded world.

A convolutional network looks at each frame, a projector turns what it saw over time into 16 vision tokens, and a
small transformer reads [vision][question] and writes the answer word by word.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.data.world import CANDIDATES
from privacy_mllm.models._blocks import Residual
from privacy_mllm.weights import load_weights

FRAMES, SIZE = 4, 64
"""The model looks at four frames of 64x64."""

PAD, EOS, QUESTION, ANSWER = "<pad>", "<eos>", "<question>", "<answer>"
_TEXTS = [*CANDIDATES, *(answer for answers in CANDIDATES.values() for answer in answers)]
VOCABULARY = tuple(dict.fromkeys([PAD, EOS, QUESTION, ANSWER, *" ".join(_TEXTS).split()]))
"""The words that the model knows."""

_INDEX = {word: index for index, word in enumerate(VOCABULARY)}
QUESTION_LENGTH = 1 + max(len(question.split()) for question in CANDIDATES)
ANSWER_LENGTH = 1 + max(len(text.split()) for answers in CANDIDATES.values() for text in answers)
VISION_LENGTH = 16


def encode_question(question: str) -> Tensor:
    """The words of a question as numbers, padded, ``int64 [QUESTION_LENGTH]``."""
    return _encode([QUESTION, *question.split()], QUESTION_LENGTH)


def encode_answer(answer: str) -> Tensor:
    """The words of an answer and ``<eos>`` as numbers, padded, ``int64 [ANSWER_LENGTH]``."""
    return _encode([*answer.split(), EOS], ANSWER_LENGTH)


def decode_answer(words: Tensor) -> str:
    """The text of an encoded answer, up to ``<eos>``."""
    texts = [VOCABULARY[word] for word in words.tolist()]
    return " ".join(texts[: texts.index(EOS)] if EOS in texts else texts)


class TinyMLLM(nn.Module):
    """The model; log-probabilities of words given clips and questions.

    Args:
        dim: Width of the transformer.
        layers: Number of transformer layers.
        width: Half the channels of the first convolution.
    """

    def __init__(self, dim: int = 96, layers: int = 2, width: int = 24) -> None:
        super().__init__()
        self.vision = nn.Sequential(
            nn.Conv2d(3, 2 * width, 6, 4, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            Residual(2 * width, 64, 2),
            nn.Conv2d(64, 64, 3, 2, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        )
        self.projector = nn.Linear(64 * FRAMES, dim)
        self.vision_position = nn.Parameter(torch.randn(VISION_LENGTH, dim) * 0.02)
        self.text_position = nn.Parameter(torch.randn(QUESTION_LENGTH + ANSWER_LENGTH, dim) * 0.02)
        self.embedding = nn.Embedding(len(VOCABULARY), dim)
        self.layers = nn.ModuleList(_Layer(dim) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, len(VOCABULARY))
        self.register_buffer("mask", _prefix_mask(), persistent=False)

    def see(self, clips: Tensor) -> Tensor:
        """Vision tokens ``[b, 16, dim]`` of clips ``[b, 4, 3, 64, 64]`` in [0, 1]."""
        features = self.vision(clips.flatten(0, 1) * 2 - 1)
        places = features.reshape(len(clips), FRAMES, 64, VISION_LENGTH).permute(0, 3, 1, 2)
        projected: Tensor = self.projector(places.flatten(2))
        return projected + self.vision_position

    def speak(self, vision: Tensor, questions: Tensor, answers: Tensor) -> Tensor:
        """Log-probabilities of each word of an answer, given the words before it.

        Args:
            vision: Vision tokens, ``[b, 16, dim]``.
            questions: Encoded questions, ``[b, QUESTION_LENGTH]``.
            answers: Encoded answers, ``[b, ANSWER_LENGTH]``; the word at place i has no effect on places up to i.

        Returns:
            Log-probabilities over the vocabulary, ``[b, ANSWER_LENGTH, words]``.
        """
        start = torch.full_like(questions[:, :1], _INDEX[ANSWER])
        text = self.embedding(torch.cat([questions, start, answers[:, :-1]], dim=1)) + self.text_position
        tokens = torch.cat([vision, text], dim=1)
        for layer in self.layers:
            tokens = layer(tokens, self.mask)
        logits: Tensor = self.head(self.norm(tokens[:, -ANSWER_LENGTH:]))
        return logits.log_softmax(-1)

    def score(self, vision: Tensor, question: str, candidates: Sequence[str]) -> Tensor:
        """Log-probability of each whole candidate answer, ``<eos>`` included, ``[b, candidates]``.

        Where all candidates are one word, one pass is enough: the first word decides, and ``<eos>``, left out then, is
        about as likely after any of them.
        """
        words = torch.stack([encode_answer(candidate) for candidate in candidates])
        asked = encode_question(question).expand(len(vision), -1)
        if bool((words[:, 1] == _INDEX[EOS]).all()):
            return self.speak(vision, asked, words[:1].expand(len(vision), -1))[:, 0, words[:, 0]]
        scores = [self._teacher_force(vision, asked, word) for word in words]
        return torch.stack(scores, dim=1)

    def write(self, vision: Tensor, question: str) -> list[str]:
        """The answers written greedily, word by word."""
        asked = encode_question(question).expand(len(vision), -1)
        words = torch.full((len(vision), ANSWER_LENGTH), _INDEX[PAD])
        for place in range(ANSWER_LENGTH):
            words[:, place] = self.speak(vision, asked, words)[:, place].argmax(-1)
        return [decode_answer(row) for row in words]

    def _teacher_force(self, vision: Tensor, asked: Tensor, word: Tensor) -> Tensor:
        logprobs = self.speak(vision, asked, word.expand(len(vision), -1))
        said = word != _INDEX[PAD]
        return logprobs[:, said].gather(-1, word[said].expand(len(vision), -1)[..., None]).sum((1, 2))


class _Layer(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added to its input."""

    def __init__(self, dim: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)
        self.perceptron = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        b, length, dim = tokens.shape
        mixed = self.query_key_value(self.attention_norm(tokens)).reshape(b, length, 3, self.heads, -1)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        tokens = tokens + self.merge(seen.transpose(1, 2).reshape(b, length, dim))
        thought: Tensor = self.perceptron(tokens)
        return tokens + thought


def load_tiny_mllm() -> TinyMLLM:
    """The shipped model, in evaluation mode and without gradients."""
    model = TinyMLLM()
    model.load_state_dict(load_weights("tiny_mllm"))
    return model.eval().requires_grad_(requires_grad=False)


def _encode(words: list[str], length: int) -> Tensor:
    unknown = [word for word in words if word not in _INDEX]
    if unknown:
        raise ValueError(f"The model knows no word {unknown[0]!r}.")
    return torch.tensor([_INDEX[word] for word in [*words, *[PAD] * (length - len(words))]])


def _prefix_mask() -> Tensor:
    """True where a token may look: anywhere in vision and question, and back in the answer."""
    length = VISION_LENGTH + QUESTION_LENGTH + ANSWER_LENGTH
    prefix = VISION_LENGTH + QUESTION_LENGTH + 1
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    mask[:, :prefix] = True
    return mask
