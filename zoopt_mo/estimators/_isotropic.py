"""Which directions an estimator may multiply its slopes by."""

from __future__ import annotations

from zoopt_mo.sampling import DirectionSource, segmented_uniform


def check_isotropic(directions: DirectionSource) -> DirectionSource:
    """A source whose entries have mean square 1: slope times direction is then the gradient on average."""
    if directions is segmented_uniform:
        raise ValueError(
            "`directions` must have entries of mean square 1, got segmented_uniform, whose is 7/12; "
            "SPSA divides by the entries and takes it."
        )
    return directions
