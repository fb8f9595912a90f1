"""White boxes: losses whose gradient is exact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo.directions import Combination, DenseDirection
from zoopt_mo.objectives._base import Evaluation, Objective
from zoopt_mo.parameters import Parameters


class WhiteBox(Objective):
    """A loss whose gradient is exact: by autograd, or by a function of the user's.

    Args:
        loss: Returns the loss at the present parameters; a tensor with its graph unless ``grad`` is given.
            In :func:`zoopt_mo.minimize` both functions take ``x``.
        grad: Returns the gradient ``[p]`` at the present parameters, for losses without autograd.
        name: Its name in reports and messages.
        step_factor: Factor of its gradient in the step.
        max_norm: Its gradient is scaled down to this length where it is longer.

    Example:
        >>> import torch
        >>> import zoopt_mo as zo
        >>> theta = torch.zeros(2, requires_grad=True)
        >>> evaluation = zo.WhiteBox(lambda: ((theta - 1) ** 2).sum()).evaluate(zo.Parameters(theta))
        >>> evaluation.value, evaluation.gradient.dense().tolist()
        (2.0, [-2.0, -2.0])
    """

    def __init__(
        self,
        loss: Callable[..., Tensor | float],
        *,
        grad: Callable[..., npt.ArrayLike] | None = None,
        name: str = "white box",
        step_factor: float = 1.0,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(name, step_factor, max_norm)
        self.loss, self.grad = loss, grad

    def evaluate(self, parameters: Parameters) -> Evaluation:
        """Value and exact gradient at theta; ``.grad`` stays as it is. Costs no query.

        Args:
            parameters: The parameters to differentiate by.

        Raises:
            ValueError: If value or gradient is not finite, has the wrong shape, or does not depend on the parameters.
        """
        value, gradient = self._by_autograd(parameters) if self.grad is None else self._by_function(parameters)
        if not np.isfinite(value) or not _is_finite(gradient):
            raise ValueError(f"Loss and gradient of {self.name!r} must be finite, got a loss of {value}.")
        return Evaluation(value, Combination([(1.0, DenseDirection(gradient))]))

    def _by_autograd(self, parameters: Parameters) -> tuple[float, Tensor]:
        with torch.enable_grad():
            value = self.loss()
            value = value.reshape(()) if isinstance(value, Tensor) and value.numel() == 1 else value
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise TypeError(f"`loss` of {self.name!r} must return a tensor of one number, or `grad` must be given.")
        inputs = [tensor for tensor in parameters.tensors if tensor.requires_grad]
        if not value.requires_grad or len(inputs) != len(parameters.tensors):
            raise ValueError(f"`loss` of {self.name!r} must depend on parameters that require a gradient.")
        parts = torch.autograd.grad(value, inputs, allow_unused=True, materialize_grads=True)
        flat = [part.reshape(-1) for part in parts]
        return float(value.detach()), flat[0] if len(flat) == 1 else torch.cat(flat)

    def _by_function(self, parameters: Parameters) -> tuple[float, Tensor]:
        if self.grad is None:
            raise TypeError(f"`grad` of {self.name!r} must be given.")
        gradient = torch.as_tensor(np.asarray(self.grad()), dtype=parameters.dtype, device=parameters.device)
        if gradient.shape != (parameters.size,):
            raise ValueError(
                f"`grad` of {self.name!r} must return shape [{parameters.size}], got {list(gradient.shape)}."
            )
        with torch.no_grad():
            return float(self.loss()), gradient


def _is_finite(gradient: Tensor) -> bool:
    """Whether all entries are; their sum tells it in one pass unless it overflows."""
    return bool(gradient.sum().isfinite()) or bool(gradient.isfinite().all())
