"""Losses mapped to 0 at the ideal and 1 at the nadir, and what running points remember: by hand."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch

import zoopt_mo as zo
from tests.equations.scalarized import value_and_weights


def tensor(*losses: float) -> torch.Tensor:
    return torch.tensor(losses, dtype=torch.float64)


def even_sum(**options: Any) -> zo.Normalized:
    return zo.Normalized(zo.WeightedSum(weights=[1.0, 1.0]), **options)


def test_given_points_map_to_zero_and_one():
    """Ideal (1, 100), nadir (3, 500): (2, 200) is (0.5, 0.25); derivatives 1/2 and 1/400."""
    scalarizer = even_sum(ideal=[1.0, 100.0], nadir=[3.0, 500.0])
    value, weights = value_and_weights(scalarizer, [2.0, 200.0])
    assert value == 0.75
    assert weights == [0.5, 0.0025]
    assert scalarizer.normalize(tensor(1.0, 500.0)).tolist() == [0.0, 1.0]


def test_the_wrapped_scalarizer_sees_only_the_new_units():
    """(2, 200) is (0.5, 0.25) as above; weights (1, 3): 0.5 and 0.75, the second leads, with 3/400."""
    inner = zo.Tchebycheff(weights=[1.0, 3.0], ideal=[0.0, 0.0], margin=1e-12)
    scalarizer = zo.Normalized(inner, ideal=[1.0, 100.0], nadir=[3.0, 500.0])
    value, weights = value_and_weights(scalarizer, [2.0, 200.0])
    assert value == pytest.approx(0.75)
    assert weights == pytest.approx([0.0, 0.0075])
    assert scalarizer.active_objective(tensor(2.0, 200.0)) == 1
    assert scalarizer.active_objective(tensor(3.0, 200.0)) == 0


def test_running_points_are_the_smallest_and_largest_losses_seen():
    """After (1, 9) and (3, 5), the losses (2, 8) lie at (2-1)/2 and (8-5)/4 of the ranges."""
    scalarizer = even_sum()
    scalarizer(tensor(1.0, 9.0))
    scalarizer(tensor(3.0, 5.0))
    assert scalarizer.normalize(tensor(2.0, 8.0)).tolist() == [0.5, 0.75]
    assert scalarizer.ideal.value.tolist() == [1.0, 5.0]
    assert scalarizer.nadir.value.tolist() == [3.0, 9.0]


def test_one_point_may_be_given_and_the_other_follow():
    """Ideal (0, 0); after (4, 8) as nadir, (1, 2) lies at a quarter of both."""
    scalarizer = even_sum(ideal=[0.0, 0.0])
    scalarizer(tensor(4.0, 8.0))
    assert scalarizer.normalize(tensor(1.0, 2.0)).tolist() == [0.25, 0.25]
    assert scalarizer.ideal.value.tolist() == [0.0, 0.0]


def test_a_range_of_nothing_counts_as_the_least_range():
    """At the first call every loss is its own ideal and nadir: value 0, derivative 1 / 0.1."""
    value, weights = value_and_weights(even_sum(), [4.0, 2.0])
    assert value == 0.0
    assert weights == pytest.approx([10.0, 10.0])


def test_a_range_below_the_least_counts_as_the_least():
    """Losses 4 and 4.25 of the first objective: a range of 0.25 counts as 0.5; 2 and 4 of the second stay 2."""
    scalarizer = even_sum(min_range=0.5)
    scalarizer(tensor(4.0, 2.0))
    assert value_and_weights(scalarizer, [4.25, 4.0]) == (0.5 + 1.0, [2.0, 0.5])


def test_a_running_nadir_below_a_given_ideal_is_guarded_too():
    """Ideal (10, 0), losses (4, 0.05): both ranges count as 0.1: -60 and 0.5."""
    assert float(even_sum(ideal=[10.0, 0.0])(tensor(4.0, 0.05))) == pytest.approx(-59.5)


def test_running_points_are_constants_to_the_gradient():
    """The nadir is the present loss 4 itself, and still the derivative is 1/3 and not the 0 of (4 - 1)/(4 - 1)."""
    scalarizer = even_sum()
    scalarizer(tensor(1.0, 1.0))
    _, weights = value_and_weights(scalarizer, [4.0, 1.0])
    assert weights == pytest.approx([1 / 3, 10.0])


def test_reset_forgets_running_points_also_of_the_wrapped_scalarizer():
    scalarizer = zo.Normalized(zo.Tchebycheff(weights=[1.0, 1.0]), ideal=[0.0, 0.0])
    first = scalarizer(tensor(3.0, 4.0)).item()
    scalarizer(tensor(1.0, 9.0))
    assert scalarizer(tensor(3.0, 4.0)).item() != first
    scalarizer.reset()
    assert scalarizer.ideal.value.tolist() == [0.0, 0.0]
    assert scalarizer(tensor(3.0, 4.0)).item() == first


def test_a_resumed_run_goes_on_as_the_undisturbed_one():
    undisturbed, resumed = even_sum(), even_sum()
    for losses in (tensor(4.0, 2.0), tensor(1.0, 7.0)):
        undisturbed(losses)
    file = io.BytesIO()
    torch.save(undisturbed.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for losses in (tensor(2.0, 3.0), tensor(0.0, 9.0), tensor(1.0, 1.0)):
        assert torch.equal(resumed(losses), undisturbed(losses))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_refused_and_not_remembered(bad):
    scalarizer = even_sum()
    scalarizer(tensor(4.0, 2.0))
    with pytest.raises(ValueError, match=rf"^`losses` must be finite, got \[1\.0, {bad}\]\.$"):
        scalarizer(tensor(1.0, bad))
    assert scalarizer.ideal.value.tolist() == scalarizer.nadir.value.tolist() == [4.0, 2.0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"ideal": [0.0, 2.0], "nadir": [1.0, 2.0]},
            r"^`nadir` must be above `ideal`, got \[1\.0, 2\.0\] and \[0\.0, ",
        ),
        ({"nadir": [1.0]}, r"^`nadir` must hold 2 values, got 1\.$"),
        ({"ideal": [1.0, 1.0, 1.0]}, r"^`ideal` must hold 2 values, got 3\.$"),
        ({"min_range": 0.0}, r"^`min_range` must be positive, got 0\.0\.$"),
    ],
)
def test_bad_points_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        even_sum(**options)


def test_only_a_scalarizer_can_be_wrapped():
    wrong: Any = torch.nn.Identity()
    with pytest.raises(TypeError, match=r"^`scalarizer` must be a Scalarizer, got Identity\.$"):
        zo.Normalized(wrong)
