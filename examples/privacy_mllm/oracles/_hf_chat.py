"""Clips and questions in the form that a Hugging Face processor takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Inputs = dict[str, Tensor]
"""What a model takes, for one or several prompts."""


class Chat:
    """A processor and its chat template.

    Args:
        processor: As loaded by ``AutoProcessor``.
        video: Whether a clip is one video rather than so many pictures.

    Raises:
        ValueError: If it has no chat template, or no video processor and `video` is asked for.
    """

    def __init__(self, processor: Any, *, video: bool) -> None:  # noqa: ANN401
        if getattr(processor, "chat_template", None) is None:
            raise ValueError(f"`model` must have a chat template, got {type(processor).__name__} without one.")
        if video and getattr(processor, "video_processor", None) is None:
            raise ValueError(f"`video` must be False for {type(processor).__name__}, which takes pictures only.")
        self.processor, self.video = processor, video
        self.tokenizer = processor.tokenizer
        self.pad_token: int = self.tokenizer.pad_token_id or 0

    def prompt(self, question: str, num_frames: int) -> str:
        """The prompt in words, up to where the answer begins."""
        return str(self._render([self._user_turn(question, num_frames)], add_generation_prompt=True))

    def encode(self, clip: Tensor, prompt: str) -> Inputs:
        """One prompt with its clip, ``uint8`` or float in [0, 1], ``[t, 3, h, w]``."""
        options: dict[str, Any] = {"return_tensors": "pt", "add_special_tokens": not self._begins_with_bos(prompt)}
        if clip.is_floating_point():
            options["do_rescale"] = False
        if self.video:
            frames = clip.permute(0, 2, 3, 1).contiguous().numpy()
            return dict(self.processor(text=[prompt], videos=[frames], do_sample_frames=False, **options))
        if clip.is_floating_point() and _resizes_in_bytes(self.processor.image_processor):
            clip = _resized(clip, self.processor.image_processor.size)
            options["do_resize"] = False
        return dict(self.processor(text=[prompt], images=[list(clip)], **options))

    def label_tokens(self, question: str, num_frames: int, labels: Sequence[str]) -> list[list[int]]:
        """The tokens of each label as they follow the prompt."""
        prompt = self.prompt(question, num_frames)
        before = self._tokens(prompt)
        return [
            self._following(before, prompt, self._gap(prompt, question, num_frames, label) + label) for label in labels
        ]

    def decode(self, tokens: Tensor) -> str:
        """Tokens as text, without special ones and space around it."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    def _gap(self, prompt: str, question: str, num_frames: int, label: str) -> str:
        """What the template puts between "ASSISTANT:" and the answer: a space with most, nothing with others."""
        answer = {"role": "assistant", "content": [{"type": "text", "text": label}]}
        full = self._render([self._user_turn(question, num_frames), answer], add_generation_prompt=False)
        rest = full[len(prompt) :] if full.startswith(prompt) else ""
        gap = rest.partition(label)[0] if label in rest else " "
        return gap if not gap.strip() and not prompt[-1:].isspace() else ""

    def _following(self, before: list[int], prompt: str, text: str) -> list[int]:
        """Tokenizers see more than the new words: some put a mark before the first word of any text."""
        whole = self._tokens(prompt + text)
        return whole[len(before) :] if whole[: len(before)] == before else self._tokens(text)

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _user_turn(self, question: str, num_frames: int) -> dict[str, Any]:
        pictures = [{"type": "video"}] if self.video else [{"type": "image"}] * num_frames
        return {"role": "user", "content": [*pictures, {"type": "text", "text": question}]}

    def _render(self, turns: list[dict[str, Any]], *, add_generation_prompt: bool) -> str:
        return str(
            self.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)
        )

    def _begins_with_bos(self, prompt: str) -> bool:
        bos = self.tokenizer.bos_token
        return bos is not None and prompt.startswith(bos)


def stack(prompts: Sequence[Inputs], pad_token: int) -> Inputs:
    """Several prompts as one batch; shorter ones are padded on the left, so that all answers begin at one place.

    Pictures lie along the first dimension, however many a prompt has; what has an entry a token is padded.
    """
    length = max(inputs["input_ids"].shape[1] for inputs in prompts)

    def padded(name: str, inputs: Inputs) -> Tensor:
        value, tokens = inputs[name], inputs["input_ids"]
        if value.shape != tokens.shape:
            return value
        return F.pad(value, (length - value.shape[1], 0), value=pad_token if name == "input_ids" else 0)

    return {name: torch.cat([padded(name, inputs) for inputs in prompts]) for name in prompts[0]}


def _resizes_in_bytes(image_processor: Any) -> bool:  # noqa: ANN401
    """Whether pictures pass through 8-bit Pillow images on their way to the model's size."""
    size = getattr(image_processor, "size", None)
    known = size is not None and (size.get("shortest_edge") or (size.get("height") and size.get("width")))
    return type(image_processor).__name__.endswith("Pil") and bool(known) and bool(image_processor.do_resize)


def _resized(frames: Tensor, size: Any) -> Tensor:  # noqa: ANN401
    height, width = size.get("height"), size.get("width")
    if size.get("shortest_edge"):
        scale = size["shortest_edge"] / min(frames.shape[-2:])
        height, width = (int(side * scale) for side in frames.shape[-2:])
    return F.interpolate(frames, size=(height, width), mode="bicubic", antialias=True).clamp(0, 1)
