r"""Directions in parameter space, and combinations of a few of them.

A zeroth-order gradient lives in the span of the few directions that were probed. It is therefore held as a
:class:`Combination`, coefficients times directions, and not as a dense vector. A direction of signs takes one bit an
entry: ``p / 8`` bytes instead of ``4 p``. Norms, cosines and averages of such gradients are arithmetic on the
coefficients and on exact whole-number inner products,
:math:`d_i \cdot d_j = p - 2\,\mathrm{popcount}(d_i \oplus d_j)`.
"""

from zoopt_mo.directions._combination import Combination, opposite_pairs
from zoopt_mo.directions._direction import DenseDirection, Direction
from zoopt_mo.directions._kernel import draw_signs
from zoopt_mo.directions._signs import DrawnSigns, SignDirection, direction_from_state
from zoopt_mo.directions._sums import Numbers, Sum, as_numbers, copy_numbers, over_threads

__all__ = [
    "Combination",
    "DenseDirection",
    "Direction",
    "DrawnSigns",
    "Numbers",
    "SignDirection",
    "Sum",
    "as_numbers",
    "copy_numbers",
    "direction_from_state",
    "draw_signs",
    "opposite_pairs",
    "over_threads",
]
