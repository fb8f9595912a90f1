"""Search methods: they move by losses alone and estimate no gradient."""

from zoopt_mo.search._base import Search
from zoopt_mo.search._cmaes import CMAES
from zoopt_mo.search._minimize import search
from zoopt_mo.search._q_learning import QLearning
from zoopt_mo.search._registration import register_envs
from zoopt_mo.search._reinforce import REINFORCE

__all__ = ["CMAES", "REINFORCE", "QLearning", "Search", "register_envs", "search"]
