"""The functional front: minimize functions of a numpy vector, scipy style."""

from zoopt_mo.minimize._minimize import minimize

__all__ = ["minimize"]
