"""A LLaVA of some 60,000 random weights, written to a folder as the hub holds one; nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SIDE = 32
"""Pixels of the pictures that it sees."""

PATCH = 8

_SPECIAL = ("<pad>", "<s>", "</s>", "<image>")
_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() }}: {% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %} {% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def save_tiny_vlm(folder: Path, *, seed: int = 1) -> Path:
    """Write model and processor to ``folder``; the same seed gives the same weights.

    What it writes is made of small letters, and depends on question and pictures.
    """
    from transformers import CLIPImageProcessorPil, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = _byte_tokenizer()
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor = LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(_config(tokenizer))
        _sharpen(model, tokenizer)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@torch.no_grad()
def _sharpen(model: Any, tokenizer: Any) -> None:
    """Random weights of the usual size answer all pictures alike and in any bytes; so larger ones, and letters alone.

    Letters have opposite weights in pairs and other bytes have none: one of each pair is then likelier than they are.
    """
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.mul_(8)
    head = model.get_output_embeddings().weight
    letters = tokenizer.convert_tokens_to_ids([*"abcdefghijklmnopqrstuvwxyz"])
    kept = head[letters].clone()
    kept[1::2] = -kept[::2]
    head.zero_()
    head[letters] = kept
    head[tokenizer.eos_token_id] = kept[0] + 0.5 * kept[2]


def _config(tokenizer: Any) -> Any:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

    shape: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    tokens: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    words = LlamaConfig(
        **shape, **tokens, vocab_size=len(tokenizer), num_key_value_heads=2, max_position_embeddings=512
    )
    sight = CLIPVisionConfig(**shape, image_size=SIDE, patch_size=PATCH, projection_dim=32)
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    return LlavaConfig(
        vision_config=sight, text_config=words, image_token_index=image_token, image_seq_length=(SIDE // PATCH) ** 2
    )


def _byte_tokenizer() -> Any:
    """One token a byte: needs no corpus, and a label of several letters has several tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate([*_SPECIAL, *alphabet])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
        padding_side="left",
        model_max_length=512,
    )
