"""Candidates are scored from the cache of their prompt; a single pass over all tokens must give the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from privacy_mllm.oracles._hf_scoring import Labels, score_labels

ANSWERS = [[1, 2, 3], [4], [5, 6]]


@pytest.fixture(scope="module")
def model() -> Any:
    """A Qwen2.5-VL, whose positions have three dimensions: pictures move them on by less than their tokens."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    words = {**layers, "num_key_value_heads": 2, "vocab_size": 64, "rope_parameters": rope}
    sight = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "depth": 2,
        "num_heads": 2,
        "out_hidden_size": 32,
        "patch_size": 4,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 16,
        "fullatt_block_indexes": [1],
    }
    config = Qwen2_5_VLConfig(
        text_config=words, vision_config=sight, image_token_id=60, vision_start_token_id=61, video_token_id=62
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen2_5_VLForConditionalGeneration(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(8 if weight.ndim > 1 else 1)
    return model


@pytest.fixture
def prompts() -> dict[str, Tensor]:
    """Two prompts of a picture of 4x4 patches each."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.tensor([[5, 61, *[60] * 4, 7, 8], [9, 61, *[60] * 4, 3, 4]])
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == 60).int(),
        "pixel_values": torch.randn(2 * 16, 3 * 2 * 4 * 4, generator=generator),
        "image_grid_thw": torch.tensor([[1, 4, 4]] * 2),
    }


def single_pass(model: Any, prompts: dict[str, Tensor], row: int, answer: list[int]) -> float:
    whole = torch.cat([prompts["input_ids"][row], torch.tensor(answer)])[None]
    logits = model(
        input_ids=whole,
        attention_mask=torch.ones_like(whole),
        mm_token_type_ids=(whole == 60).int(),
        pixel_values=prompts["pixel_values"][16 * row : 16 * row + 16],
        image_grid_thw=prompts["image_grid_thw"][:1],
        use_cache=False,
    ).logits[0]
    each = logits.log_softmax(-1)
    return sum(float(each[7 + place, token]) for place, token in enumerate(answer))


@pytest.mark.parametrize("rows_at_once", [2, 4, 64])
@pytest.mark.parametrize("answers", [ANSWERS, [[1], [4]]], ids=["several tokens", "one token"])
@torch.inference_mode()
def test_scores_from_the_cache_are_those_of_a_single_pass(
    model: Any, prompts: dict[str, Tensor], answers: list[list[int]], rows_at_once: int
) -> None:
    found = score_labels(model, prompts, Labels.of(answers, torch.device("cpu")), rows_at_once)
    expected = [[single_pass(model, prompts, row, answer) for answer in answers] for row in range(2)]
    assert found.tolist()[0] == pytest.approx(expected[0], abs=1e-3)
    assert found.tolist()[1] == pytest.approx(expected[1], abs=1e-3)
    assert expected[0] != pytest.approx(expected[1], abs=0.1)
