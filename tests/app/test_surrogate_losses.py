"""The terms of the trained baselines' losses, against numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from privacy_mllm.methods.surrogates.bdq import Degradation, soft_quantize
from privacy_mllm.methods.surrogates.losses import (
    bounded_gain,
    budget_penalty,
    nt_xent,
    uniform_cross_entropy,
    verdict_entropy,
    worst_of_ensemble,
)
from privacy_mllm.methods.surrogates.mppar import split_sides, virtual_step
from privacy_mllm.methods.surrogates.tubelets import attend_to_kept, cut, gumbel_keep, keep_best, pad_to_tubelets, paste


def test_nt_xent_of_two_pairs_at_an_angle() -> None:
    first = torch.eye(2)
    second = torch.tensor([[1.0, 1.0], [-1.0, 1.0]])  # at 45 degrees to their partners; lengths do not count
    # Similarities over the temperature: partner 10/sqrt 2, then +-10/sqrt 2 and 0.
    assert nt_xent(first, second, 0.1).item() == pytest.approx(0.34721071, abs=1e-6)


def test_nt_xent_of_equal_embeddings_is_a_guess_among_all_others() -> None:
    same = torch.ones(5, 3)
    assert nt_xent(same, same).item() == pytest.approx(math.log(9), abs=1e-5)


def test_quantisation_steps_up_once_at_each_threshold() -> None:
    values = torch.tensor([0.0, 1.0, 7.0, 7.5, 15.0], dtype=torch.float64)
    thresholds = torch.arange(15, dtype=torch.float64) + 0.5
    expected = torch.tensor([0.076415, 1.000557, 7.0, 7.5, 14.923585], dtype=torch.float64)
    assert torch.allclose(soft_quantize(values, thresholds), expected, atol=1e-6, rtol=0)


def test_thresholds_outside_the_range_or_out_of_order_are_read_as_if_they_were_not() -> None:
    values = torch.linspace(0, 15, 31)
    wild = torch.arange(15).flip(0) + 0.5
    wild[0], wild[-1] = 99.0, -99.0
    tame = torch.cat([torch.tensor([0.0]), torch.arange(1, 14) + 0.5, torch.tensor([15.0])])
    assert torch.allclose(soft_quantize(values, wild), soft_quantize(values, tame))


def test_degradation_shows_motion_around_grey_and_nothing_else() -> None:
    clips = torch.full((1, 3, 3, 20, 20), 0.25)
    clips[0, 2, :, :, 10:] = 0.75
    shown = Degradation()(clips)
    assert shown.shape == clips.shape
    assert torch.equal(shown[:, 0], shown[:, 1])  # the first difference, twice
    # Differences lie between 0 and .5; 15 steps of 1/30, each 5-fold smooth: .076415 of a step stays at the ends.
    still, moved = 0.5 + 0.076415 / 60, 0.75 - 0.076415 / 60
    assert torch.allclose(shown[0, 1], torch.tensor(still), atol=1e-6)
    assert torch.allclose(shown[0, 2, :, :, :8], torch.tensor(still), atol=1e-6)
    assert torch.allclose(shown[0, 2, :, :, 12:], torch.tensor(moved), atol=1e-6)


def test_a_clip_that_stands_still_is_grey() -> None:
    shown = Degradation()(
        torch.rand(1, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).expand(1, 4, -1, -1, -1)
    )
    assert torch.allclose(shown, torch.tensor(0.5), atol=1e-6)


@pytest.mark.parametrize(("scope", "same"), [("clip", True), ("batch", False)])
def test_a_clip_looks_the_same_in_any_company_only_if_it_is_scaled_alone(scope: str, same: bool) -> None:
    clips = torch.rand(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    clips[0] = clips[0] / 4
    network = Degradation(scope=scope)  # type: ignore[arg-type]
    assert torch.allclose(network(clips)[:1], network(clips[:1]), atol=1e-6) == same


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(ValueError, match='`scope` must be "clip" or "batch", got \'all\''):
        Degradation(scope="all")  # type: ignore[arg-type]


def test_uniform_cross_entropy_of_two_verdicts() -> None:
    assert uniform_cross_entropy(torch.tensor([[2.0, -1.0]])).item() == pytest.approx(0.970095, abs=1e-6)
    assert uniform_cross_entropy(torch.zeros(3, 4)).tolist() == pytest.approx([math.log(2)] * 3)


def test_the_surest_of_an_ensemble_counts_for_each_sample_alone() -> None:
    sure, unsure = torch.tensor([[2.0, -1.0]]), torch.zeros(1, 2)
    first, second = torch.cat([sure, unsure]), torch.cat([unsure, unsure])
    expected = (0.970095 + math.log(2)) / 2
    assert worst_of_ensemble([first, second]).item() == pytest.approx(expected, abs=1e-6)
    assert worst_of_ensemble([torch.cat([sure, unsure]), torch.cat([unsure, sure])]).item() == pytest.approx(
        0.970095, abs=1e-6
    )


def test_entropy_of_two_verdicts() -> None:
    assert verdict_entropy(torch.tensor([[2.0, -1.0]])).item() == pytest.approx(0.473769, abs=1e-6)
    assert verdict_entropy(torch.zeros(1, 2)).item() == pytest.approx(math.log(2))


def test_nothing_is_gained_beyond_the_ceiling() -> None:
    loss = torch.tensor([0.5, 3.0], requires_grad=True)
    gains = torch.stack([bounded_gain(part, 1.0) for part in loss])
    assert gains.tolist() == [-0.5, -1.0]
    gains.sum().backward()
    assert loss.grad is not None
    assert loss.grad.tolist() == [-1.0, 0.0]


def test_budget_penalty_is_the_squared_miss() -> None:
    assert budget_penalty(torch.tensor([1.0, 1.0, 0.0, 0.0]), 0.8).item() == pytest.approx(0.09)


def test_the_gradient_of_a_virtual_step_is_that_of_first_or_of_second_order() -> None:
    # Support x^2 and query x^4 at x = 1 with length .1: x' = .8, and dx'/dx = 1 - .1 * 2 = .8.
    for exact, expected in ((False, 4 * 0.8**3), (True, 4 * 0.8**3 * 0.8)):
        x = torch.tensor(1.0, requires_grad=True)
        slopes = torch.autograd.grad(x.square(), [x], create_graph=exact)
        moved = virtual_step({"x": x}, slopes, 0.1)["x"]
        assert moved.item() == pytest.approx(0.8)
        (gradient,) = torch.autograd.grad(moved**4, [x])
        assert gradient.item() == pytest.approx(expected)


@given(st.integers(2, 5), st.integers(2, 9), st.booleans(), st.integers(0, 99))
def test_support_and_query_are_disjoint_and_miss_nothing(
    attackers: int, attributes: int, by_attackers: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    support, query = split_sides(attackers, attributes, by_attackers=by_attackers, generator=generator)
    if by_attackers:
        assert sorted(support.attackers + query.attackers) == list(range(attackers))
        assert sorted(support.attributes) == sorted(query.attributes) == list(range(attributes))
    else:
        assert sorted(support.attributes + query.attributes) == list(range(attributes))
        assert support.attackers == query.attackers
        assert len(support.attackers) == 1


def test_a_single_attribute_stands_on_both_sides() -> None:
    support, query = split_sides(2, 1, by_attackers=False, generator=torch.Generator())
    assert support.attributes == query.attributes == (0,)


def test_the_best_are_kept_in_each_row() -> None:
    scores = torch.tensor([[1.0, 4.0, 2.0, 3.0], [4.0, 3.0, 2.0, 1.0]])
    assert keep_best(scores, 0.5).tolist() == [[0, 1, 0, 1], [1, 1, 0, 0]]
    assert keep_best(scores, 0.01).sum(dim=1).tolist() == [1, 1]


def test_random_decisions_follow_their_scores_and_pass_a_gradient_on() -> None:
    scores = torch.full((40_000,), 1.0, requires_grad=True)
    kept = gumbel_keep(scores, torch.Generator().manual_seed(0))
    assert set(kept.detach().unique().tolist()) == {0.0, 1.0}
    # sigmoid(1) = .73106, with a standard error of .0022 for 40,000 draws.
    assert kept.mean().item() == pytest.approx(0.73106, abs=0.009)
    kept.sum().backward()
    assert scores.grad is not None
    assert bool((scores.grad > 0).all())


def test_attention_goes_to_the_kept_and_to_oneself() -> None:
    weights = attend_to_kept(torch.zeros(1, 1, 3, 3), torch.tensor([[1.0, 0.0, 0.0]]))
    assert weights[0, 0].tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]]


@given(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20))
def test_tubelets_are_pasted_back_as_they_were_cut(length: int, height: int, width: int) -> None:
    clips = torch.rand(2, length, 3, height, width, generator=torch.Generator().manual_seed(length))
    padded = pad_to_tubelets(clips, 4)
    assert padded.shape == (2, length + length % 2, 3, -(-height // 4) * 4, -(-width // 4) * 4)
    tubelets = cut(padded, 4)
    assert tubelets.shape[-1] == 2 * 3 * 4 * 4
    assert torch.equal(paste(tubelets, 4, torch.Size(padded.shape)), padded)
    assert torch.equal(padded[:, :length, :, :height, :width], clips)


def test_a_tubelet_is_two_frames_deep() -> None:
    clips = torch.arange(4.0).view(1, 4, 1, 1, 1).expand(1, 4, 3, 4, 4)
    assert [sorted(set(tubelet.tolist())) for tubelet in cut(clips, 4)[0]] == [[0, 1], [2, 3]]
