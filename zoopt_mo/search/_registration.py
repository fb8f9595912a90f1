"""Makes the environment known to gymnasium, without importing it before it is asked for."""

from __future__ import annotations

ENVIRONMENT = "zoopt_mo/BlackBox-v0"


def register_envs() -> None:
    """Register ``zoopt_mo/BlackBox-v0``, a black box as a task for reinforcement learning; a second call does nothing.

    Then ``gymnasium.make("zoopt_mo/BlackBox-v0", loss=..., x0=..., scale=..., max_queries=...)`` builds it. Costs no
    query. Gymnasium 1.0 has no entry point for plugins, so a registration is a call.

    Example:
        >>> import gymnasium
        >>> import zoopt_mo as zo
        >>> zo.register_envs()
        >>> gymnasium.make("zoopt_mo/BlackBox-v0").action_space.shape
        (2,)
    """
    import gymnasium

    if ENVIRONMENT not in gymnasium.registry:
        gymnasium.register(ENVIRONMENT, entry_point="zoopt_mo.search:BlackBoxEnv")
