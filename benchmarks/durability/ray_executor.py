"""Ray as an executor of ``concurrent.futures``, for :func:`zoopt_mo.parallel`.

with RayExecutor() as executor:
    judge = zo.parallel(loss_of_payload, executor)
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class RayExecutor(Executor):
    """Runs every call as a task of the cluster that ``ray.init`` has joined or started.

    What is called must be importable by the workers, or picklable by cloudpickle. Cancelling a call that Ray has begun
    is not tried.

    Args:
        num_cpus: Processors that a task takes; 0 for calls that only wait for a service.

    Raises:
        ImportError: If ray is missing.
    """

    def __init__(self, *, num_cpus: float = 1) -> None:
        try:
            import ray
        except ImportError:
            raise ImportError('RayExecutor needs ray: pip install "ray>=2.40".') from None
        self._run = ray.remote(num_cpus=num_cpus, max_retries=0)(_call)  # a paid call is never repeated unasked

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:  # noqa: ANN401
        """Begin a call."""
        future: Future[Result] = self._run.remote(fn, args, kwargs).future()
        return future


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    return function(*args, **kwargs)
