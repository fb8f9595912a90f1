"""Equations 8, 9 and 10 and the ablations of table 7, by hand and against a dense re-implementation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo
from tests.equations.dense_history import DenseHistory
from tests.equations.given_gradients import dense, run


def improve(gradients: list[list[float]], **options: Any) -> list[zo.Estimate]:
    """What critical history makes of these raw gradients."""
    return run(lambda given: zo.CriticalHistory(given, **options), gradients)


def means_of(sizes: list[float], **options: Any) -> list[float]:
    """Means of the set that each step after the first blends in, from gradients of one entry each.

    Blend 0.5: gradient = 0.5 raw + 0.5 mean, so mean = 2 gradient - raw.
    """
    estimates = improve([[size] for size in sizes], blend=0.5, **options)
    return [2 * dense(e)[0] - size for e, size in zip(estimates, sizes, strict=True)][1:]


# --- equation 8 ------------------------------------------------------------------------------------------------------


def test_equation_8_the_smallest_score_leaves_the_set():
    """m = 2, d = 0.99, gradients 4, 1, 3, .: 4 and 1 fill the set, 3 > 0.99 * 1 replaces 1, mean (4 + 3) / 2."""
    assert means_of([4.0, 1.0, 3.0, 1.0], capacity=2, decay=0.99) == pytest.approx([4.0, 2.5, 3.5])


def test_equation_8_a_gradient_below_every_score_is_not_taken():
    """m = 2, d = 0.99, gradients 4, 3, 1: 1 < 0.99 * 3, so the set stays 4, 3."""
    assert means_of([4.0, 3.0, 1.0, 1.0], capacity=2, decay=0.99) == pytest.approx([4.0, 3.5, 3.5])


def test_equation_8_decay_decides_which_one_leaves():
    """m = 2, gradients 4, 3, 2.

    d = 0.5: at step 3 the scores are 4 * 0.25 = 1 and 3 * 0.5 = 1.5; 2 > 1 replaces the 4, mean (2 + 3) / 2.
    d = 0.9: the scores are 4 * 0.81 = 3.24 and 3 * 0.9 = 2.7; 2 is below both, the set stays, mean (4 + 3) / 2.
    d = 0.7: the scores are 4 * 0.49 = 1.96 and 3 * 0.7 = 2.1; 2 > 1.96 replaces the 4.
    """
    gradients = [4.0, 3.0, 2.0, 1.0]
    assert means_of(gradients, capacity=2, decay=0.5)[-1] == pytest.approx(2.5)
    assert means_of(gradients, capacity=2, decay=0.9)[-1] == pytest.approx(3.5)
    assert means_of(gradients, capacity=2, decay=0.7)[-1] == pytest.approx(2.5)


def test_equation_8_a_set_that_becomes_smaller_loses_the_lowest_scores():
    """d = 0.99, gradients 4, 1, 3 leave 4 and 3; room for one at step 4 keeps the 4, of score 4 * 0.97."""
    room = [2, 2, 2, 1]
    found = means_of([4.0, 1.0, 3.0, 1.0], capacity=lambda step: room[step], decay=0.99)
    assert found == pytest.approx([4.0, 2.5, 4.0])


def test_equation_8_a_set_that_becomes_larger_takes_what_comes():
    """Gradients 4, 1, 3, 1 with room for 1, 1.4, 2.6, 3: rounded to 1, 1, 3, 3."""
    room = [1.0, 1.4, 2.6, 3.0]
    found = means_of([4.0, 1.0, 3.0, 1.0], capacity=lambda step: room[step], decay=0.99)
    assert found == pytest.approx([4.0, 4.0, 3.5])


def test_equation_9_with_a_blend_by_step():
    """Raw 4, 2, 2: the mean of the set is 4, then 3 (m = 2): 0.5 * 2 + 0.5 * 4 = 3 and 0.25 * 2 + 0.75 * 3 = 2.75."""
    estimates = improve([[4.0], [2.0], [2.0]], capacity=2, blend=lambda step: [0.9, 0.5, 0.25][step])
    assert [dense(estimate)[0] for estimate in estimates] == pytest.approx([4.0, 3.0, 2.75])


def test_settings_by_step_are_checked_at_each_step():
    with pytest.raises(ValueError, match=r"^`blend` must be in \(0, 1\), got 1\.0\.$"):
        improve([[4.0], [2.0]], blend=lambda _step: 1.0)
    with pytest.raises(ValueError, match=r"^`capacity` must be at least 0, got -2\.$"):
        improve([[4.0], [2.0]], capacity=lambda _step: -2)


def test_equation_8_an_equal_score_is_not_enough():
    """m = 1, d = 0.5, gradients 4, 2: the score of 4 is 4 * 0.5 = 2, and 2 > 2 is false. 2.001 is enough."""
    assert means_of([4.0, 2.0, 1.0], capacity=1, decay=0.5)[-1] == pytest.approx(4.0)
    assert means_of([4.0, 2.001, 1.0], capacity=1, decay=0.5)[-1] == pytest.approx(2.001)


def test_equation_8_of_equal_scores_the_first_slot_leaves():
    """m = 2, d = 0.5, gradients 4, -2, 3: scores 4 * 0.25 = 2 * 0.5; 3 takes the slot of the 4: (3 - 2) / 2."""
    assert means_of([4.0, -2.0, 3.0, 1.0], capacity=2, decay=0.5)[-1] == pytest.approx(0.5)


def test_equation_8_a_slot_ages_from_the_step_it_was_filled_in():
    """m = 1, d = 0.5, gradients 8, 1, 2.5, 1: 8 * 0.5 = 4 > 1 stays, 8 * 0.25 = 2 < 2.5 leaves, 2.5 * 0.5 > 1 stays."""
    assert means_of([8.0, 1.0, 2.5, 1.0, 1.0], capacity=1, decay=0.5) == pytest.approx([8.0, 8.0, 2.5, 2.5])


# --- equation 9 ------------------------------------------------------------------------------------------------------


def test_equation_9_the_first_step_stays_as_it_is():
    """No past: the gradient is the raw one, the gain 1, and there is no angle."""
    (first,) = improve([[3.0, 4.0]], blend=0.25)
    assert (dense(first), first.gain, first.cosine) == ([3.0, 4.0], 1.0, None)


def test_equation_9_while_the_set_fills_the_mean_is_over_those_held():
    """m = 3, blend 0.25. Step 2: 0.25 (0, 4) + 0.75 (4, 0) = (3, 1).

    Step 3: mean of (4, 0), (0, 4) is (2, 2); 0.25 (4, 4) + 0.75 (2, 2) = (2.5, 2.5).
    """
    _, second, third = improve([[4.0, 0.0], [0.0, 4.0], [4.0, 4.0]], capacity=3, blend=0.25)
    assert dense(second) == [3.0, 1.0]
    assert dense(third) == [2.5, 2.5]


def test_equation_9_with_a_full_set():
    """m = 2 holds (4, 0) and (0, 8): mean (2, 4), and 0.5 (2, 2) + 0.5 (2, 4) = (2, 3); (2, 2) is too short to enter.

    The next step blends in the same mean: 0.5 (0, 0.5) + 0.5 (2, 4) = (1, 2.25).
    """
    *_, third, fourth = improve([[4.0, 0.0], [0.0, 8.0], [2.0, 2.0], [0.0, 0.5]], capacity=2, blend=0.5, decay=0.99)
    assert dense(third) == [2.0, 3.0]
    assert dense(fourth) == [1.0, 2.25]


def test_equation_9_the_set_holds_raw_gradients():
    """m = 1, latest, blend 0.5: step 3 blends in the raw (0, 4) of step 2, not the blended (2, 2)."""
    third = improve([[4.0, 0.0], [0.0, 4.0], [2.0, 0.0]], capacity=1, selection="latest", blend=0.5)[2]
    assert dense(third) == [1.0, 2.0]


# --- equation 10 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("past", "raw", "cosine"),
    [
        ([2.0, 0.0], [2.0, 0.0], 1.0),
        ([-4.0, 0.0], [2.0, 0.0], -1.0),
        ([-2.0, 2.0], [2.0, 0.0], 0.0),
        ([0.0, 2.0], [2.0, 0.0], math.sqrt(0.5)),
    ],
)
def test_equation_10_the_angle_and_the_gain(past, raw, cosine):
    """Blend 0.5, b = 1.5. Blended: (2, 0), (-1, 0), (0, 1), (1, 1); cosines with (2, 0): 1, -1, 0, 1 / sqrt 2.

    I = 1.5 / pi * arctan(2 pi cos): 0.6746..., -0.6746..., 0, 0.6443... .
    """
    second = improve([past, raw], blend=0.5, magnitude=1.5)[1]
    assert second.cosine == pytest.approx(cosine, abs=1e-12)
    assert second.gain == pytest.approx(1 + 1.5 / math.pi * math.atan(2 * math.pi * cosine), abs=1e-12)


def test_equation_10_in_numbers():
    """cos = 1, b = 1: arctan(6.283185) = 1.412965, and 1.412965 / 3.141593 = 0.449761."""
    second = improve([[2.0, 0.0], [2.0, 0.0]], blend=0.5, magnitude=1.0)[1]
    assert second.gain == pytest.approx(1.449761, abs=1e-6)


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=4), st.floats(0.01, 1.99))
def test_equation_10_the_status_lies_within_half_the_magnitude(numbers, magnitude):
    second = improve([numbers[:2], numbers[2:]], magnitude=magnitude)[1]
    assert -magnitude / 2 < second.gain - 1 < magnitude / 2


def test_equation_10_gradients_that_cancel_have_no_angle():
    """0.5 (2, 0) + 0.5 (-2, 0) = 0: the cosine counts as 0 and the step stays."""
    second = improve([[-2.0, 0.0], [2.0, 0.0]], blend=0.5)[1]
    assert (second.cosine, second.gain) == (0.0, 1.0)


def test_gains_of_wrappers_multiply():
    """Equal gradients: each of two wrappers sees cosine 1, so the gain is 1.449761 squared."""
    second = run(lambda given: zo.CriticalHistory(zo.CriticalHistory(given)), [[2.0, 0.0], [2.0, 0.0]])[1]
    assert second.gain == pytest.approx((1 + math.atan(2 * math.pi) / math.pi) ** 2)


# --- table 7 ---------------------------------------------------------------------------------------------------------

GRADIENTS = [[4.0, 0.0], [0.0, 4.0], [1.0, 0.0], [0.0, 3.0]]


def test_table_7_without_history_gradient():
    """Raw gradients, gain 1."""
    estimates = improve(GRADIENTS, capacity=0)
    assert [dense(e) for e in estimates] == GRADIENTS
    assert {(e.gain, e.cosine) for e in estimates} == {(1.0, None)}


def test_table_7_without_critical_gradient_collection():
    """m = 2, the latest two: step 4 blends in the mean of (0, 4) and (1, 0), which is (0.5, 2): (0.25, 2.5).

    The critical two are (4, 0) and (0, 4), mean (2, 2): (1, 2.5).
    """
    latest = improve(GRADIENTS, capacity=2, blend=0.5, decay=0.9, selection="latest")[3]
    critical = improve(GRADIENTS, capacity=2, blend=0.5, decay=0.9)[3]
    assert dense(latest) == [0.25, 2.5]
    assert dense(critical) == [1.0, 2.5]


def test_table_7_without_gradient_direction_improvement():
    """Raw gradients with the gains and angles of the full method."""
    full, ablated = improve(GRADIENTS), improve(GRADIENTS, improve_direction=False)
    assert [dense(e) for e in ablated] == GRADIENTS
    assert [(e.gain, e.cosine) for e in ablated] == [(e.gain, e.cosine) for e in full]
    assert full[1].gain > 1.0


def test_table_7_without_step_size_adjustment():
    """The gradients of the full method with gain 1."""
    full, ablated = improve(GRADIENTS), improve(GRADIENTS, adjust_step=False)
    assert [dense(e) for e in ablated] == [dense(e) for e in full]
    assert {e.gain for e in ablated} == {1.0}


# --- against a dense re-implementation -------------------------------------------------------------------------------


@given(
    size=st.integers(1, 200),
    capacity=st.integers(0, 6),
    num_pairs=st.integers(1, 3),
    decay=st.floats(0.3, 0.99),
    blend=st.floats(0.05, 0.95),
    magnitude=st.floats(0.1, 1.9),
    latest=st.booleans(),
    improve_direction=st.booleans(),
    adjust_step=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80)
def test_packed_history_equals_the_dense_one(size, capacity, num_pairs, latest, seed, **options):
    raw = zo.SPSA(radius=0.5, num_pairs=num_pairs, seed=seed)
    packed = zo.CriticalHistory(
        zo.SPSA(radius=0.5, num_pairs=num_pairs, seed=seed),
        capacity=capacity,
        selection="latest" if latest else "critical",
        **options,
    )
    reference = DenseHistory(capacity=capacity, latest=latest, **options)
    random = np.random.default_rng(seed)
    for _ in range(20):
        losses = random.normal(size=2 * num_pairs)
        raw.ask(size)
        packed.ask(size)
        gradient = raw.tell(losses).gradient.dense(dtype=torch.float64).numpy()
        expected, cosine, gain = reference.improve(gradient)
        estimate = packed.tell(losses)
        found = estimate.gradient.dense(dtype=torch.float64).numpy()
        assert np.linalg.norm(found - expected) <= 1e-9 * np.linalg.norm(expected) + 1e-12
        # A blended gradient that nearly cancels has an angle of few certain digits.
        certain = np.linalg.norm(expected) > 1e-3 * np.linalg.norm(gradient) or not options["improve_direction"]
        if cosine is None:
            assert estimate.cosine is None
        elif certain:
            assert estimate.cosine == pytest.approx(cosine, rel=1e-9, abs=1e-9)
            assert estimate.gain == pytest.approx(gain, rel=1e-9)
