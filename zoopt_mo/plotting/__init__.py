"""Pictures of fronts, paths and runs, with matplotlib.

Every function draws on the ``ax`` it is given and returns it; without one it makes a new figure with pyplot. None of
them shows or saves anything. Colour-blind readers can tell the colours apart; line styles and markers differ too, so a
print in grey stays readable.
"""

from zoopt_mo.plotting._curves import plot_curves
from zoopt_mo.plotting._front import plot_front
from zoopt_mo.plotting._trajectories import plot_trajectories

__all__ = ["plot_curves", "plot_front", "plot_trajectories"]
