"""The black box as a gymnasium environment: its own checker, its registration, its arithmetic."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

import zoopt_mo as zo
from zoopt_mo.search import BlackBoxEnv


class Counted:
    """A quadratic around 1 that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: np.ndarray) -> float:
        self.calls += 1
        return float(((x - 1.0) ** 2).sum())


# --- gymnasium's own rules -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"loss": Counted(), "x0": [3.0] * 50, "scale": 2.0, "max_queries": 7}, {"max_queries": None}],
    ids=["default problem", "own problem", "endless"],
)
def test_gymnasiums_checker_finds_nothing(options):
    zo.register_envs()
    env = gymnasium.make("zoopt_mo/BlackBox-v0", **options)
    check_env(env.unwrapped)  # warnings are errors


def test_a_fresh_interpreter_makes_it_after_registering_and_not_before():
    code = (
        "import gymnasium, zoopt_mo\n"
        "try:\n    gymnasium.make('zoopt_mo/BlackBox-v0')\n"
        "except gymnasium.error.NamespaceNotFound:\n    print('unknown')\n"
        "zoopt_mo.register_envs(); zoopt_mo.register_envs()\n"
        "env = gymnasium.make('zoopt_mo/BlackBox-v0', x0=[2.0], loss=lambda x: float(x @ x))\n"
        "print(env.reset(seed=0)[1])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["unknown", "{'loss': 4.0, 'queries': 1}"], done.stderr


def test_vectors_of_environments_work():
    zo.register_envs()
    envs = gymnasium.make_vec("zoopt_mo/BlackBox-v0", num_envs=3, vectorization_mode="sync")
    observations, _ = envs.reset(seed=0)
    assert observations.shape == (3, 6)
    _, rewards, *_ = envs.step(np.zeros((3, 2)))
    assert rewards.tolist() == [0.0, 0.0, 0.0]


# --- the arithmetic of a step ----------------------------------------------------------------------------------------


def test_a_step_moves_by_scale_times_action_and_pays_the_improvement():
    """x 3 -> 3 - 0.5 = 2.5 -> 2.5 + 0.25: losses (x - 1)^2 = 4, 2.25, 3.0625."""
    env = BlackBoxEnv(Counted(), [3.0], scale=0.5, max_queries=4)
    observation, info = env.reset(seed=0)
    assert info == {"loss": 4.0, "queries": 1}
    assert observation.tolist() == [0.0, 0.0, 0.0, 0.75, 0.0]
    observation, reward, terminated, truncated, info = env.step(np.array([-1.0]))
    assert (reward, terminated, truncated, info) == (1.75, False, False, {"loss": 2.25, "queries": 2})
    assert observation == pytest.approx([1.75 / 6.25, 1.75 / 6.25, 1.75 / 6.25, 0.5, np.tanh(-0.1)])
    observation, reward, terminated, truncated, info = env.step(np.array([0.5]))
    assert (reward, info) == (-0.8125, {"loss": 3.0625, "queries": 3})
    assert observation == pytest.approx(
        [-0.8125 / 5.3125, (4 - 3.0625) / 7.0625, 1.75 / 6.25, 0.25, np.tanh(-0.25 / 5)]
    )
    assert env.x.tolist() == [2.75]


def test_the_rewards_of_an_episode_sum_to_the_improvement():
    env = BlackBoxEnv(Counted(), [3.0, -2.0], max_queries=20)
    _, first = env.reset(seed=0)
    env.action_space.seed(0)
    rewards, truncated, info = [], False, first
    while not truncated:
        _, reward, _, truncated, info = env.step(env.action_space.sample())
        rewards.append(reward)
    assert len(rewards) == 19
    assert sum(rewards) == pytest.approx(first["loss"] - info["loss"])


def test_every_step_and_every_reset_is_one_query():
    loss = Counted()
    env = BlackBoxEnv(loss, [0.0], max_queries=3)
    for episode in range(1, 4):
        env.reset(seed=0)
        for _ in range(2):
            *_, truncated, info = env.step(np.array([0.5]))
            env.target(np.array([1.0]))  # a look ahead is free
        assert truncated
        assert info["queries"] == 3
        assert loss.calls == env.num_queries == 3 * episode


@given(
    losses=st.lists(st.floats(-1e308, 1e308), min_size=2, max_size=6),
    actions=st.lists(st.floats(-1, 1), min_size=6, max_size=6),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_observations_stay_in_their_space(losses, actions, scale):
    answers = iter(losses)
    env = BlackBoxEnv(lambda _x: next(answers), [5.0], scale=scale, max_queries=len(losses))
    observations = [env.reset(seed=0)[0]]
    observations += [env.step(np.array([action]))[0] for action in actions[: len(losses) - 1]]
    assert all(observation in env.observation_space for observation in observations)


def test_target_is_where_the_step_queries():
    seen: list[np.ndarray] = []

    def loss(x: np.ndarray) -> float:
        seen.append(x)
        return 0.0

    env = BlackBoxEnv(loss, [0.1, 0.2], scale=0.3)
    env.reset(seed=0)
    expected = env.target(np.array([0.7, -0.1]))
    env.step(np.array([0.7, -0.1]))
    assert seen[-1].tolist() == expected.tolist()


def test_a_saved_episode_goes_on_as_it_would_have():
    def episode(env: BlackBoxEnv, count: int) -> list[Any]:
        return [(o.tolist(), *rest) for o, *rest in (env.step(np.array([0.3])) for _ in range(count))]

    env, copy = BlackBoxEnv(Counted(), [0.0]), BlackBoxEnv(Counted(), [0.0])
    env.reset(seed=0)
    episode(env, 3)
    copy.load_state_dict(env.state_dict())
    assert episode(copy, 4) == episode(env, 4)
    assert copy.num_queries == env.num_queries == 8


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_step_without_an_episode_under_way_is_refused():
    env = BlackBoxEnv(max_queries=2)
    with pytest.raises(RuntimeError, match=r"^step\(\) must follow reset\(\), but no episode is under way\.$"):
        env.step(np.zeros(2))
    env.reset(seed=0)
    env.step(np.zeros(2))
    with pytest.raises(RuntimeError, match=r"^step\(\) must follow reset\(\), but no episode is under way\.$"):
        env.step(np.zeros(2))


@pytest.mark.parametrize("action", [np.array([1.5, 0.0]), np.array([np.nan, 0.0]), np.zeros(3)])
def test_an_action_outside_its_space_is_refused_before_any_query(action):
    loss = Counted()
    env = BlackBoxEnv(loss)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"^`action` must be Box\(-1\.0, 1\.0, \(2,\), float64\), got array"):
        env.step(action)
    assert loss.calls == 1


def test_a_loss_that_is_not_finite_is_refused_counted_and_moves_nothing():
    answers = iter([1.0, float("nan"), 0.5])
    env = BlackBoxEnv(lambda _x: next(answers), [0.0])
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"^`loss` must be finite, got nan\.$"):
        env.step(np.array([1.0]))
    assert (env.x.tolist(), env.num_queries) == ([0.0], 2)
    assert env.step(np.array([1.0]))[1] == 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"x0": []}, r"^`x0` must hold at least one number, got none\.$"),
        ({"x0": [np.inf]}, r"^`x0` must be finite, got inf at index 0\.$"),
        ({"scale": 0.0}, r"^`scale` must be positive, got 0\.0\.$"),
        ({"max_queries": 1}, r"^`max_queries` must be at least 2, got 1\.$"),
        ({"render_mode": "human"}, r"^`render_mode` must be None, there is nothing to draw, got 'human'\.$"),
    ],
)
def test_an_option_out_of_range_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        BlackBoxEnv(**options)
