"""A kernel learned from an input and its output alone: the loss, its gradient, the steps, and what cannot be found.

The loss is the squared error of `ops.corr2d(image, kernel)`: its sum over all outputs, or their mean. As a function
of the kernel it is a bowl. How steep and how flat the bowl is decides how fast one may go, and whether there is one
lowest point at all.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnn_core import ops

SUM, MEAN = "sum", "mean"
"""What the loss does with the squared errors of the outputs. The book takes the sum, PyTorch's `MSELoss` the mean."""

FLAT = 1e-13
"""A direction counts as flat where the bowl curves less than this share of its steepest curvature: rounding."""

ROUNDING = 1e-12
"""An error that a step makes larger by less than this share is as large as before."""

HOPELESS = 1e12
"""A descent stops where the loss has grown by this factor."""


def loss(image: np.ndarray, target: np.ndarray, kernel: np.ndarray, *, reduction: str = SUM) -> float:
    """Measure how far a kernel's output is from the wanted one.

    Args:
        image: Input, shape (H, W).
        target: Wanted output, shape (H - kH + 1, W - kW + 1).
        kernel: Shape (kH, kW).
        reduction: "sum" or "mean" of the squared differences.

    Returns:
        The loss, at least 0.

    Raises:
        ValueError: If the kernel does not fit, the target has another shape, or the reduction is not known.

    Example:
        >>> loss(np.array([[1, 1, 0]]), np.array([[0, 1]]), np.array([[1, 1]]))
        4.0
    """
    errors = _errors(image, target, kernel)
    return float(_share(errors.size, reduction) * np.sum(errors**2))


def gradient(
    image: np.ndarray, target: np.ndarray, kernel: np.ndarray, *, reduction: str = SUM
) -> np.ndarray:
    """Find how much the loss grows with each cell: a cross-correlation of the input with the errors.

    Args:
        image: Input, shape (H, W).
        target: Wanted output, shape (H - kH + 1, W - kW + 1).
        kernel: Shape (kH, kW).
        reduction: "sum" or "mean" of the squared differences.

    Returns:
        Shape (kH, kW).

    Raises:
        ValueError: As in `loss`.

    Example:
        >>> gradient(np.array([[1, 1, 0]]), np.array([[0, 1]]), np.array([[1, 1]]))
        array([[4., 4.]])
    """
    errors = _errors(image, target, kernel)
    return 2 * _share(errors.size, reduction) * ops.corr2d(image, errors)


def first_kernel(shape: tuple[int, int], *, seed: int) -> np.ndarray:
    """Draw the kernel to begin with, as PyTorch's convolutions do, rounded to 3 decimals.

    Args:
        shape: (kH, kW).
        seed: Start of the random numbers; the same seed gives the same cells.

    Returns:
        Shape (kH, kW): evenly spread over plus or minus one over the root of the number of cells.

    Example:
        >>> first_kernel((1, 2), seed=0)
        array([[ 0.194, -0.326]])
    """
    limit = 1 / np.sqrt(np.prod(shape))
    return np.round(np.random.default_rng(seed).uniform(-limit, limit, shape), 3)


@dataclass(frozen=True, eq=False)
class Bowl:
    """The loss as a function of the kernel, with k = kH * kW cells and n outputs.

    Attributes:
        best: A kernel of least loss, shape (kH, kW). Where there are several, the one without flat directions.
        lowest: The loss of that kernel.
        curvatures: Second derivatives of the loss along `directions`, steepest first, shape (k,). Those of rounding
            alone are 0.
        directions: Kernels of length 1 at right angles to each other, their largest cell positive, shape (k, kH, kW).
        num_outputs: n, the number of windows.
    """

    best: np.ndarray
    lowest: float
    curvatures: np.ndarray
    directions: np.ndarray
    num_outputs: int

    @property
    def rank(self) -> int:
        """How many directions the loss depends on, 0 to k."""
        return int(np.count_nonzero(self.curvatures))

    @property
    def largest_rate(self) -> float:
        """The learning rate from which on the steps no longer come nearer: 2 over the steepest curvature."""
        return float(2 / self.curvatures[0]) if self.rank else np.inf

    @cached_property
    def unseen(self) -> np.ndarray:
        """Kernels that change no output of this input, shape (k - rank, kH, kW), with as many zeros as they can have.

        Each cell that can be chosen freely is 1 in one of them and 0 in the others.
        """
        flat = self.directions[self.rank :]
        return _reduced(flat.reshape(len(flat), self.best.size)).reshape(-1, *self.best.shape)

    def loss_at(self, kernel: np.ndarray) -> float:
        """Return the loss of a kernel, shape (kH, kW)."""
        return float(self.loss_along(np.tensordot(self.directions, kernel - self.best)))

    def loss_along(self, away: np.ndarray) -> np.ndarray:
        """Return the loss so far away from the best kernel along each direction, shape (..., k) -> (...)."""
        return self.lowest + away**2 @ self.curvatures / 2

    def is_stable(self, learning_rate: float) -> bool:
        """Say whether steps of this learning rate bring every seen error nearer to 0."""
        return not self.rank or bool(self.factors(learning_rate)[0] > -1 + ROUNDING)

    def factors(self, learning_rate: float) -> np.ndarray:
        """Return what one step leaves of the error along each seen direction, shape (rank,).

        Below -1 or above 1 the error grows.
        """
        return 1 - learning_rate * self.curvatures[: self.rank]

    def steps_per_digit(self, learning_rate: float) -> float:
        """Return how many steps make the slowest error ten times smaller; infinite if one does not shrink."""
        slowest = float(np.max(np.abs(self.factors(learning_rate)), initial=0))
        if slowest >= 1:
            return np.inf
        return float(np.log(0.1) / np.log(slowest)) if slowest else 1.0


def bowl(image: np.ndarray, target: np.ndarray, shape: tuple[int, int], *, reduction: str = SUM) -> Bowl:
    """Find out all that an input and its output say about a kernel.

    The second derivatives of the loss are twice the Gram matrix of the windows: which pixels are bright together.

    Args:
        image: Input, shape (H, W).
        target: Its output, shape (H - kH + 1, W - kW + 1).
        shape: (kH, kW) of the kernel that made it.
        reduction: "sum" or "mean" of the squared differences.

    Returns:
        The bowl.

    Raises:
        ValueError: If the kernel does not fit, the target has another shape, or the reduction is not known.

    Example:
        >>> seen = bowl(np.array([[1, 1, 0]]), np.array([[0, 1]]), (1, 2))
        >>> seen.best.round(6), seen.rank
        (array([[ 1., -1.]]), 2)
    """
    wanted = -_errors(image, target, np.zeros(shape)).ravel()  # (n,)
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image, np.float64), shape)
    rows = windows.reshape(len(wanted), -1)  # (n, k)
    scale = 2 * _share(len(wanted), reduction)
    curvatures, columns = np.linalg.eigh(rows.T @ rows)
    curvatures, directions = curvatures[::-1], columns.T[::-1]
    largest = np.argmax(np.abs(directions), axis=1)[:, None]
    directions = directions * np.sign(np.take_along_axis(directions, largest, axis=1))
    seen = curvatures > FLAT * max(curvatures[0], FLAT)
    curvatures = np.where(seen, curvatures, 0)
    along = directions[seen] @ (rows.T @ wanted) / curvatures[seen]
    best = along @ directions[seen]  # (k,)
    lowest = scale / 2 * np.sum((rows @ best - wanted) ** 2)
    return Bowl(
        best.reshape(shape),
        float(lowest),
        scale * curvatures,
        directions.reshape(-1, *shape),
        len(wanted),
    )


@dataclass(frozen=True, eq=False)
class Descent:
    """What gradient descent went through.

    Attributes:
        kernels: From the first to the last, shape (steps + 1, kH, kW).
        losses: Of each of them, shape (steps + 1,).
    """

    kernels: np.ndarray
    losses: np.ndarray

    @property
    def num_steps(self) -> int:
        """How many steps were taken: fewer than asked for if the loss grew without end."""
        return len(self.losses) - 1

    @property
    def has_grown(self) -> bool:
        """Whether the loss is larger than at the start."""
        return bool(self.losses[-1] > self.losses[0])


def descend(bowl: Bowl, start: np.ndarray, *, learning_rate: float, num_steps: int) -> Descent:
    """Go down the bowl: at each step, subtract the learning rate times the gradient.

    Args:
        bowl: The loss as a function of the kernel.
        start: Kernel to begin with, shape (kH, kW).
        learning_rate: Above 0.
        num_steps: Steps to take, at least 0. They end early where the loss has grown by `HOPELESS`.

    Returns:
        All kernels and losses on the way.

    Example:
        >>> seen = bowl(np.array([[1, 1, 0]]), np.array([[0, 1]]), (1, 2))
        >>> descent = descend(seen, np.zeros((1, 2)), learning_rate=0.25, num_steps=2)
        >>> descent.kernels[-1].round(6), descent.losses.round(6).tolist()
        (array([[ 0.5 , -0.25]]), [1.0, 0.5, 0.3125])
    """
    axes = bowl.directions.reshape(-1, start.size)  # (k, k)
    hessian = axes.T @ (bowl.curvatures[:, None] * axes)
    away = (start - bowl.best).ravel()
    errors = [away]
    most = HOPELESS * max(float(away @ hessian @ away), FLAT)
    for _ in range(num_steps):
        slope = hessian @ away
        if away @ slope > most:
            break
        away = away - learning_rate * slope
        errors.append(away)
    kernels = bowl.best + np.array(errors).reshape(-1, *start.shape)
    return Descent(kernels, bowl.loss_along(np.array(errors) @ axes.T))


def _errors(image: np.ndarray, target: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    output = ops.corr2d(image, kernel)
    if output.shape != np.shape(target):
        raise ValueError(f"target shape {np.shape(target)} is not the output's shape {output.shape}")
    return output - target


def _share(num_outputs: int, reduction: str) -> float:
    if reduction not in (SUM, MEAN):
        raise ValueError(f"reduction {reduction!r} is not one of {SUM}, {MEAN}")
    return 1.0 if reduction == SUM else 1 / num_outputs


def _reduced(rows: np.ndarray) -> np.ndarray:
    """Bring independent rows (r, k) to the reduced form of Gauss and Jordan."""
    rows = rows.copy()
    column = 0
    for index in range(len(rows)):
        # A pivot near 0 is rounding: the next column gives this row its 1.
        while np.max(np.abs(rows[index:, column])) < 1e-6:
            column += 1
        pivot = index + int(np.argmax(np.abs(rows[index:, column])))
        rows[[index, pivot]] = rows[[pivot, index]]
        rows[index] /= rows[index, column]
        others = np.arange(len(rows)) != index
        rows[others] -= rows[others, column, None] * rows[index]
        column += 1
    return np.round(rows, 6) + 0.0
