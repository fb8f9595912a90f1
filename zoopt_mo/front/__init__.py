"""A whole front: one minimization for each weight vector."""

from zoopt_mo.front._trace_front import FrontResult, simplex_weights, trace_front

__all__ = ["FrontResult", "simplex_weights", "trace_front"]
