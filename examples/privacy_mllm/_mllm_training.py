"""How the tiny multimodal model was trained: from scratch, on raw clips of its own split only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import CANDIDATES, QUESTIONS
from privacy_mllm.models.tiny_mllm import VISION_LENGTH, TinyMLLM, encode_answer, encode_question
from privacy_mllm.reviewing import Progress

ACTION_SHARE = 0.5
"""Share of the training questions that ask for the action; the others are drawn evenly."""

AUXILIARY_WEIGHTS = (1.0, 0.3, 0.8, 0.1)
"""Weight of each question in the auxiliary loss: action, count, held object, place."""

LABEL_SMOOTHING = 0.05
"""Keeps the model from being all too certain, and its log-probabilities from running out of bounds."""

SHIFT = 5
"""Pictures are shifted by up to so many pixels, without which the model learns its clips by heart."""


def train_tiny_mllm(
    clips: Clips, *, steps: int, seed: int, batch: int = 32, progress: Progress | None = None
) -> TinyMLLM:
    """A model trained to answer all questions about raw clips.

    A linear head on the vision tokens, thrown away afterwards, learns the answers beside the language model:
    without it the answers stay at chance for hundreds of steps.

    Args:
        clips: Clips of four frames of 64x64.
        steps: Number of steps.
        seed: Seed of weights, batches and augmentation.
        batch: Clips a step.
        progress: Called after each step with the steps done and `steps`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TinyMLLM()
        auxiliary = nn.Linear(VISION_LENGTH * model.embedding.embedding_dim, sum(map(len, CANDIDATES.values())))
    generator = torch.Generator().manual_seed(seed)
    labels = answer_labels(clips)
    optimizer, schedule = _optimizer(model, auxiliary, steps)
    for step in range(steps):
        rows = torch.randint(len(clips), (batch,), generator=generator)
        pictures = augment(clips.frames[rows].float() / 255, generator)
        loss = _loss(model, auxiliary, pictures, labels[rows], generator)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, steps)
    return model.eval()


def answer_labels(clips: Clips) -> Tensor:
    """Which candidate is right, for each clip and question, ``int64 [n, questions]``."""
    return torch.tensor(
        [[CANDIDATES[question].index(answers[question][0]) for question in QUESTIONS] for answers in clips.answers]
    )


def augment(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Clips ``[b, t, 3, h, w]`` as other cameras and other weather would show them.

    Tinted, and half of them in fog; as whole batches mirrored, shifted, and some grey, noisy or blurred. So the model
    learns to be unsure of what it can hardly see, and its log-probabilities change gradually with the picture.
    """

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    b = len(pictures)
    contrast, tint = 0.8 + 0.4 * draw(b, 1, 1, 1, 1), 0.2 * (draw(b, 1, 3, 1, 1) - 0.5)
    pictures = (pictures - 0.5) * contrast + 0.5 + tint
    clearness = torch.where(draw(b, 1, 1, 1, 1) < 0.5, 1.0, 0.15 + 0.85 * draw(b, 1, 1, 1, 1))
    pictures = torch.lerp(0.2 + 0.7 * draw(b, 1, 1, 1, 1), pictures, clearness)
    mirror, grey, noise, blur = (draw(4) < torch.tensor([0.5, 0.2, 0.2, 0.3])).tolist()
    if mirror:
        pictures = pictures.flip(-1)
    if grey:
        pictures = torch.lerp(pictures, pictures.mean(2, keepdim=True), draw(b, 1, 1, 1, 1))
    if noise:
        spread = 0.12 * draw(b, 1, 1, 1, 1)
        pictures = pictures + spread * torch.randn(pictures.shape, generator=generator)
    frames = _shift(pictures.clamp(0, 1).flatten(0, 1), generator)
    if blur:
        reach = 1 + int(torch.randint(3, (), generator=generator))
        frames = F.avg_pool2d(frames, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)
    return frames.reshape(pictures.shape)


def _shift(frames: Tensor, generator: torch.Generator) -> Tensor:
    height, width = frames.shape[-2:]
    down, right = torch.randint(2 * SHIFT + 1, (2,), generator=generator).tolist()
    padded = F.pad(frames, (SHIFT,) * 4, mode="replicate")
    return padded[..., down : down + height, right : right + width]


def _loss(
    model: TinyMLLM, auxiliary: nn.Linear, pictures: Tensor, labels: Tensor, generator: torch.Generator
) -> Tensor:
    """Cross-entropy of one random question's answer a clip, plus the auxiliary head's of all questions."""
    vision = model.see(pictures)
    guesses = auxiliary(vision.flatten(1)).split([len(answers) for answers in CANDIDATES.values()], dim=1)
    loss = sum(
        (weight * F.cross_entropy(guess, label))
        for weight, guess, label in zip(AUXILIARY_WEIGHTS, guesses, labels.T, strict=True)
    )
    asked = _draw_questions(len(labels), generator)
    right = labels.gather(1, asked[:, None])[:, 0].tolist()
    questions = torch.stack([encode_question(QUESTIONS[index]) for index in asked.tolist()])
    answers = torch.stack(
        [encode_answer(CANDIDATES[QUESTIONS[index]][label]) for index, label in zip(asked.tolist(), right, strict=True)]
    )
    logprobs = model.speak(vision, questions, answers)
    spoken = F.cross_entropy(logprobs.flatten(0, 1), answers.flatten(), ignore_index=0, label_smoothing=LABEL_SMOOTHING)
    return loss + spoken


def _draw_questions(number: int, generator: torch.Generator) -> Tensor:
    other = torch.randint(1, len(QUESTIONS), (number,), generator=generator)
    about_action = torch.rand(number, generator=generator) < ACTION_SHARE
    return torch.where(about_action, 0, other)


def _optimizer(
    model: TinyMLLM, auxiliary: nn.Linear, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW in one cycle; what sees learns faster than what speaks."""
    named = list(model.named_parameters())
    seeing = [value for name, value in named if name.startswith(("vision", "projector"))]
    speaking = [value for name, value in named if not name.startswith(("vision", "projector"))]
    groups = [{"params": [*seeing, *auxiliary.parameters()]}, {"params": speaking}]
    optimizer = torch.optim.AdamW(groups, 1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [5e-3, 1.5e-3], total_steps=max(steps, 2), pct_start=0.15)
    return optimizer, schedule
