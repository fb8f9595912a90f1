"""Two quadratics, one of them a black box: find a fair point between them and compare it with the known front."""

import numpy as np

import zoopt_mo as zo

START = np.full(20, 3.0)
HOME, WORK = np.zeros(20), np.ones(20)  # each objective's own best point


def distance_from_work(x: np.ndarray) -> float:
    """Known by its values alone: every call is a query."""
    return float(((x - WORK) ** 2).mean())


distance_from_home = zo.WhiteBox(lambda x: float(((x - HOME) ** 2).mean()), grad=lambda x: 2 * (x - HOME) / x.size)

gains = zo.SpallGains(lr=2.0, radius=0.1, stability=20)
result = zo.minimize(
    [distance_from_work, distance_from_home],
    START,
    scalarizer=zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0]),
    estimator=zo.CriticalHistory(zo.SPSA(radius=gains.radius_at)),
    lr=gains.lr_at,
    budget=2001,
    seed=0,
)

# On the front sqrt(F1) + sqrt(F2) = 1: it is the segment between the two best points.
print(f"queries paid       {result.nfev[0]}")
print(f"losses at start    {distance_from_work(START):.3f} {float((START**2).mean()):.3f}")
print(f"losses found       {result.F[0]:.3f} {result.F[1]:.3f}   (the fair point of the front: 0.250 0.250)")
print(f"off the front by   {np.sqrt(result.F).sum() - 1:.4f}")
