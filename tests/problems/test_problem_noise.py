"""Noise and batches: the right size, the same numbers however they are asked for, and exact resumption."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import zoopt_mo as zo
from zoopt_mo import problems

COUNT = 20_000
NOISES = {
    "additive": lambda seed=0: problems.AdditiveNoise(0.5, seed=seed),
    "outliers": lambda seed=0: problems.Outliers(0.5, rate=0.1, factor=20.0, seed=seed),
}
every_noise = pytest.mark.parametrize("name", sorted(NOISES))


def test_additive_noise_is_normal_with_its_standard_deviation() -> None:
    drawn = problems.AdditiveNoise(0.5, seed=1)(np.full(COUNT, 3.0)) - 3.0
    assert stats.kstest(drawn / 0.5, "norm").pvalue > 0.01
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 4 / np.sqrt(COUNT)


def test_outliers_come_at_their_rate_and_size() -> None:
    drawn = problems.Outliers(0.5, rate=0.1, factor=1000.0, seed=1)(np.zeros(COUNT))
    large = np.abs(drawn) > 0.5 * 5.0  # five deviations; of the outliers all but 0.4 percent are beyond
    assert abs(large.mean() - 0.1) < 0.0005 + 4 * np.sqrt(0.1 * 0.9 / COUNT)
    assert stats.kstest(drawn[large] / 500.0, "norm").pvalue > 0.01
    assert abs(drawn[~large].std() / 0.5 - 1) < 4 / np.sqrt(2 * COUNT)


@every_noise
def test_noise_asked_in_batches_is_that_asked_one_by_one(name: str) -> None:
    noise = NOISES[name]()
    losses = np.arange(12.0)
    together = noise(losses.reshape(3, 4))
    noise.reset()
    np.testing.assert_array_equal([noise(loss) for loss in losses], together.ravel())
    assert noise(1.0).shape == ()


@given(name=st.sampled_from(sorted(NOISES)), before=st.integers(0, 50), after=st.integers(1, 50))
def test_noise_goes_on_where_it_stopped(name: str, before: int, after: int) -> None:
    noise, resumed = NOISES[name](), NOISES[name]()
    noise(np.zeros(before))
    resumed.load_state_dict(noise.state_dict())
    np.testing.assert_array_equal(resumed(np.zeros(after)), noise(np.zeros(after)))


@every_noise
def test_noise_depends_on_its_seed_and_never_repeats(name: str) -> None:
    noise = NOISES[name]()
    first, second = noise(np.zeros(100)), noise(np.zeros(100))
    assert not np.isin(second, first).any()
    assert not np.isin(NOISES[name](seed=1)(np.zeros(100)), first).any()


def test_noise_leaves_the_losses_it_was_given() -> None:
    losses = np.zeros(3)
    problems.AdditiveNoise(1.0, seed=0)(losses)
    assert losses.tolist() == [0.0, 0.0, 0.0]
    assert problems.AdditiveNoise(0.0, seed=0)([1.0, 2.0]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: problems.AdditiveNoise(-1.0, seed=0), r"`sd` must not be negative"),
        (lambda: problems.AdditiveNoise(1.0, seed=-1), r"`seed` must be at least 0"),
        (lambda: problems.Outliers(1.0, rate=1.5, seed=0), r"`rate` must be in \[0, 1\], got 1.5"),
        (lambda: problems.Outliers(1.0, factor=0.0, seed=0), r"`factor` must be positive"),
        (lambda: problems.AdditiveNoise(1.0, seed=0).load_state_dict({"num_drawn": -1}), r"`num_drawn` must be"),
        (lambda: problems.Minibatch(logistic(), 31, seed=0), r"`batch_size` must be at most 30"),
        (lambda: problems.Minibatch(logistic(), 0, seed=0), r"`batch_size` must be at least 1"),
    ],
)
def test_an_argument_out_of_range_is_refused(build, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build()


def logistic() -> problems.LogisticRegression:
    return problems.LogisticRegression(4, num_rows=30)


def test_a_batch_stays_until_the_next_is_asked_for() -> None:
    batch = problems.Minibatch(logistic(), 5, seed=0)
    x = batch.start(seed=0)
    before = batch.losses(x)
    np.testing.assert_array_equal(batch.losses(x), before)
    np.testing.assert_array_equal(batch.losses(x), batch.problem.losses(x, batch.rows))
    np.testing.assert_array_equal(batch.gradients(x), batch.problem.gradients(x, batch.rows))
    batch.advance()
    assert batch.losses(x) != before
    batch.reset()
    np.testing.assert_array_equal(batch.losses(x), before)


def test_rows_of_a_batch_differ_and_every_row_has_its_turn() -> None:
    batch = problems.Minibatch(logistic(), 5, seed=0)
    seen = np.zeros(30)
    for _ in range(600):
        assert len(set(batch.rows.tolist())) == 5
        seen[batch.rows] += 1
        batch.advance()
    np.testing.assert_allclose(seen, 100.0, atol=4 * np.sqrt(100 * 5 / 6))


def test_batches_average_to_the_loss_of_all_rows() -> None:
    batch = problems.Minibatch(logistic(), 5, seed=0)
    x = batch.start(seed=0)
    drawn = []
    for _ in range(500):
        drawn.append(batch.losses(x)[0])
        batch.advance()
    spread = np.std(drawn)
    assert spread > 0
    assert abs(np.mean(drawn) - batch.problem.losses(x)[0]) < 4 * spread / np.sqrt(500)


@given(steps=st.integers(0, 20))
def test_batches_go_on_where_they_stopped(steps: int) -> None:
    batch, resumed = (problems.Minibatch(logistic(), 5, seed=3) for _ in range(2))
    for _ in range(steps):
        batch.advance()
    resumed.load_state_dict(batch.state_dict())
    np.testing.assert_array_equal(resumed.rows, batch.rows)


def test_a_batch_of_all_rows_is_the_problem() -> None:
    batch = problems.Minibatch(logistic(), 30, seed=0)
    x = batch.start(seed=0)
    np.testing.assert_allclose(batch.losses(x), batch.problem.losses(x), rtol=1e-12)
    np.testing.assert_array_equal(batch.front(3), batch.problem.front(3))


def test_minimize_moves_to_the_next_batch_after_each_step() -> None:
    problem = logistic()
    batch = problems.Minibatch(problem, 10, seed=0)

    def advance(intermediate_result) -> None:
        batch.advance()

    result = zo.minimize(
        batch.objectives(black=[]),
        batch.start(seed=0),
        lr=0.5,
        max_steps=300,
        callback=advance,
    )
    assert batch.step == 300
    assert problem.losses(result.x)[0] < problem.optimum + 0.1
