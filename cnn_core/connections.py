"""Which inputs each hidden unit sees, and with how many weights: dense, local, shared."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnn_core.geometry import Axis, as_integer

DENSE, LOCAL, SHARED = "dense", "local", "shared"
STAGES = (DENSE, LOCAL, SHARED)
"""From a layer that sees everything, over one that sees neighbourhoods, to one kernel for all of them."""


@dataclass(frozen=True)
class Connections:
    """The weights of one hidden layer on a square picture, counted for each way to connect it.

    Attributes:
        input_size: Height and width of the picture, in pixels.
        in_channels: Channels of the picture.
        kernel_size: Height and width of the neighbourhood that a local unit sees.
        num_units: Hidden units.
        num_kernels: Kernels that the units share.
        has_bias: Whether biases are counted too: one for each unit that has weights of its own, else one for
            each kernel.
        are_maps: Whether the units are feature maps of the picture's size, as `feature_maps` arranges them.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1, or the neighbourhood is larger than the picture.

    Example:
        >>> layer = Connections(input_size=28, in_channels=1, kernel_size=5, num_units=128)
        >>> layer.dense, layer.local, layer.shared
        (100352, 3200, 25)
    """

    input_size: int
    in_channels: int
    kernel_size: int
    num_units: int
    num_kernels: int = 1
    has_bias: bool = False
    are_maps: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("input_size", "in_channels", "kernel_size", "num_units", "num_kernels"):
            object.__setattr__(self, name, as_integer(getattr(self, name), name, minimum=1))
        if self.kernel_size > self.input_size:
            raise ValueError(f"kernel size {self.kernel_size} exceeds input size {self.input_size}")

    @property
    def num_inputs(self) -> int:
        """Numbers that a dense unit sees."""
        return self.in_channels * self.input_size**2

    @property
    def window_size(self) -> int:
        """Numbers that a local unit sees; a window that hangs over the border has all its weights too."""
        return self.in_channels * self.kernel_size**2

    @property
    def dense(self) -> int:
        """Weights if each unit sees the whole picture."""
        return self.num_units * (self.num_inputs + self.has_bias)

    @property
    def local(self) -> int:
        """Weights if each unit sees its window only."""
        return self.num_units * (self.window_size + self.has_bias)

    @property
    def shared(self) -> int:
        """Weights if the units see their windows through the same kernels."""
        return self.num_kernels * (self.window_size + self.has_bias)


def feature_maps(
    num_maps: int, *, input_size: int, in_channels: int, kernel_size: int, has_bias: bool = False
) -> Connections:
    """Arrange hidden units as feature maps of the picture's size, each with a kernel of its own.

    Args:
        num_maps: Number of feature maps, which are the output channels.
        input_size: Height and width of the picture and of each map, in pixels.
        in_channels: Channels of the picture.
        kernel_size: Height and width of the kernels.
        has_bias: Whether biases are counted too.

    Returns:
        The layer, with input_size squared units for each map.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: As `Connections`.

    Example:
        >>> layer = feature_maps(6, input_size=28, in_channels=1, kernel_size=5)
        >>> layer.num_units, layer.shared
        (4704, 150)
    """
    return Connections(
        input_size=input_size,
        in_channels=in_channels,
        kernel_size=kernel_size,
        num_units=num_maps * input_size**2,
        num_kernels=num_maps,
        has_bias=has_bias,
        are_maps=True,
    )


def matrix(kernel: np.ndarray, height: Axis, width: Axis) -> np.ndarray:
    """Write a convolution of one channel as a matrix.

    Args:
        kernel: Shape (kH, kW).
        height: The layer along the rows.
        width: The layer along the columns.

    Returns:
        Shape (H_out * W_out, H * W), float64: times the picture, flattened row by row, it gives the outputs,
        flattened row by row.

    Raises:
        ValueError: If the kernel's sizes are not those of the axes.

    References:
        Dumoulin & Visin, 2016, arXiv:1603.07285, section 4.1.

    Example:
        >>> matrix(np.array([[1, -1]]), Axis(1, 1), Axis(4, 2))
        array([[ 1., -1.,  0.,  0.],
               [ 0.,  1., -1.,  0.],
               [ 0.,  0.,  1., -1.]])
    """
    sizes = (height.kernel_size, width.kernel_size)
    if kernel.shape != sizes:
        raise ValueError(f"kernel shape {kernel.shape} is not the kernel size {sizes} of the axes")
    weights = np.einsum("ira,jcb,ab->ijrc", _taps(height), _taps(width), kernel)  # (H_out, W_out, H, W)
    return weights.reshape(height.output_size * width.output_size, -1)


@dataclass(frozen=True, eq=False)
class Connected:
    """A layer from one small picture to one feature map, as a matrix.

    Attributes:
        stage: One of `STAGES`.
        x: The picture, shape (H, W).
        kernel: Shape (kH, kW).
        height: The layer along the rows.
        width: The layer along the columns.
        connected: Which entries of the matrix may be other than 0, bool, shape (H_out * W_out, H * W).
        matrix: The entries, same shape.
    """

    stage: str
    x: np.ndarray
    kernel: np.ndarray
    height: Axis
    width: Axis
    connected: np.ndarray
    matrix: np.ndarray

    @property
    def output_shape(self) -> tuple[int, int]:
        """Height and width of the feature map."""
        return self.height.output_size, self.width.output_size

    @cached_property
    def y(self) -> np.ndarray:
        """The matrix times the flattened picture, shape (H_out, W_out)."""
        return (self.matrix @ self.x.ravel()).reshape(self.output_shape)

    def place(self, row: int) -> tuple[int, int]:
        """Find the output, by its row and column, that a row of the matrix makes."""
        return divmod(row, self.width.output_size)


def connect(
    x: np.ndarray, kernel: np.ndarray, *, stage: str, stride: int = 1, padding: int = 0, seed: int = 0
) -> Connected:
    """Connect a picture with a feature map: everything, neighbourhoods, or one kernel for all of them.

    Args:
        x: The picture, shape (H, W).
        kernel: Shape (kH, kW).
        stage: `DENSE` and `LOCAL` draw each free entry anew, as a layer begins before it has learned; `SHARED`
            takes the kernel.
        stride: Distance between neighbouring windows, in pixels.
        padding: Pixels of zeros on each side.
        seed: Start of the random numbers.

    Returns:
        The layer. Drawn entries are whole numbers from -4 to 4 without 0.

    Raises:
        ValueError: If the stage is unknown, or the kernel does not fit the padded picture.

    Example:
        >>> x, kernel = np.arange(9).reshape(3, 3), np.array([[0, 1], [2, 3]])
        >>> connect(x, kernel, stage="shared").y
        array([[19., 25.],
               [37., 43.]])
        >>> [int(connect(x, kernel, stage=stage).connected.sum()) for stage in STAGES]
        [36, 16, 16]
    """
    if stage not in STAGES:
        raise ValueError(f"stage {stage!r} is not one of {', '.join(STAGES)}")
    height, width = (
        Axis(size, window, stride, padding) for size, window in zip(x.shape, kernel.shape, strict=True)
    )
    seen = matrix(np.ones(kernel.shape), height, width) > 0
    connected = np.ones_like(seen) if stage == DENSE else seen
    entries = matrix(kernel, height, width) if stage == SHARED else connected * _drawn(seen.shape, seed)
    return Connected(stage, x, kernel, height, width, connected, entries)


def _taps(axis: Axis) -> np.ndarray:
    """Mark which input each kernel cell of each output lies on, shape (output, input, kernel)."""
    taps = np.zeros((axis.output_size, axis.input_size, axis.kernel_size))
    for output in range(axis.output_size):
        for cell, pixel in enumerate(axis.seen_by(output)):
            if 0 <= pixel < axis.input_size:
                taps[output, pixel, cell] = 1
    return taps


def _drawn(shape: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-4.0, -3, -2, -1, 1, 2, 3, 4], shape)
