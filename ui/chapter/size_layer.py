"""The layer that the page on padding and stride shows: its two axes, what it does, and its numbers."""

from dataclasses import dataclass

import numpy as np

from cnn_core import scene
from cnn_core.geometry import Axis, TransposedAxis
from cnn_core.scene import Scene
from ui import explorer

CONVOLUTION, TRANSPOSED, POOLING = "convolution", "transposed", "pooling"
"""What a layer does."""

MOST_OUTPUTS = 2 * explorer.MAX_SIZE
"""Most rows, and most columns, of an output that is worth showing number by number."""


@dataclass(frozen=True)
class Layer:
    """A layer with one input channel and one output channel.

    Attributes:
        operation: `CONVOLUTION`, `TRANSPOSED` or `POOLING`.
        height: The layer along the rows; a TransposedAxis for a transposed convolution.
        width: The layer along the columns.
        padding_mode: What the pixels hold that a convolution adds.
        flipped: Whether the kernel is turned before it is used.
    """

    operation: str
    height: Axis | TransposedAxis
    width: Axis | TransposedAxis
    padding_mode: str = "zeros"
    flipped: bool = False

    @property
    def axes(self) -> tuple[Axis | TransposedAxis, Axis | TransposedAxis]:
        """The rows and the columns."""
        return self.height, self.width

    @property
    def named_axes(self) -> dict[str, Axis | TransposedAxis]:
        """The rows and the columns by name; once, as the height, where they are alike."""
        return {"height": self.height} | ({} if self.height == self.width else {"width": self.width})

    @property
    def is_small(self) -> bool:
        """Whether all its numbers can be shown."""
        return all(
            axis.input_size <= explorer.MAX_SIZE and axis.output_size <= MOST_OUTPUTS for axis in self.axes
        )

    @property
    def has_kernel(self) -> bool:
        """Whether there are weights."""
        return self.operation != POOLING

    def counting(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Count up from 0 in the input and in the kernel.

        Returns:
            Shapes (1, H, W) and (1, 1, kH, kW); None for pooling.
        """
        x = _counting(self.height.input_size, self.width.input_size)
        kernel = _counting(self.height.kernel_size, self.width.kernel_size)
        return x[None], kernel[None, None] if self.has_kernel else None

    def scene(self, x: np.ndarray, weight: np.ndarray | None) -> Scene:
        """Apply it to an input (1, H, W), with a weight (1, 1, kH, kW), and keep how."""
        if weight is None:
            return scene.pooling(x, self.height, self.width)
        if self.operation == TRANSPOSED:
            return scene.transposed(x, weight[0], self.height, self.width, flipped=self.flipped)
        return scene.convolution(
            x, weight[0], self.height, self.width, padding_mode=self.padding_mode, flipped=self.flipped
        )


def _counting(rows: int, columns: int) -> np.ndarray:
    return np.arange(rows * columns, dtype=float).reshape(rows, columns)
