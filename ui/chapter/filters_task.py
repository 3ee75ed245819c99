"""What the look "Learn a kernel" is to learn, and all that follows from it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnn_core import learning, ops
from cnn_core.learning import Bowl
from ui.chapter.filters_learn_text import safe_rate

LOWEST_RATE, HIGHEST_RATE = 0.001, 10_000.0
HIGHEST_SEED = 99


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be learned, and how.

    Attributes:
        x: Input from 0 to 1, shape (H, W).
        code: Python that gives `x`.
        true: The kernel to be found, shape (kH, kW).
        reduction: What the loss does with the squared errors.
        rate_key: Key of the control for the learning rate.
        rate: The learning rate.
        seed: Start of the random numbers behind the first kernel.
        num_steps: Steps to take.
    """

    x: np.ndarray
    code: str
    true: np.ndarray
    reduction: str
    rate_key: str
    rate: float
    seed: int
    num_steps: int

    @property
    def start(self) -> np.ndarray:
        """The first kernel, shape (kH, kW)."""
        return learning.first_kernel(self.true.shape, seed=self.seed)

    @cached_property
    def target(self) -> np.ndarray:
        """The wanted output, shape (H_out, W_out); a ValueError if the kernel does not fit."""
        return ops.corr2d(self.x, self.true)

    @cached_property
    def bowl(self) -> Bowl:
        """The loss as a function of the kernel; a ValueError if the kernel does not fit."""
        return learning.bowl(self.x, self.target, self.true.shape, reduction=self.reduction)

    @property
    def safe_rate(self) -> float:
        """A learning rate that works, no higher than the control goes; for an input that is not black."""
        return min(safe_rate(self.bowl), HIGHEST_RATE)
