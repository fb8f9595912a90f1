"""Search methods: they move by losses alone and estimate no gradient."""

from typing import TYPE_CHECKING

from zoopt_mo.search._agent import Agent
from zoopt_mo.search._base import Search
from zoopt_mo.search._cmaes import CMAES
from zoopt_mo.search._minimize_by_search import minimize_by_search
from zoopt_mo.search._q_learning import QLearning
from zoopt_mo.search._registration import register_envs
from zoopt_mo.search._reinforce import REINFORCE

if TYPE_CHECKING:
    from zoopt_mo.search._environment import BlackBoxEnv
else:

    def __getattr__(name: str) -> object:
        """The environment is a gymnasium class: it is defined on use, since importing gymnasium takes time."""
        if name == "BlackBoxEnv":
            from zoopt_mo.search._environment import BlackBoxEnv

            return BlackBoxEnv
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CMAES", "REINFORCE", "Agent", "BlackBoxEnv", "QLearning", "Search", "minimize_by_search", "register_envs"]
