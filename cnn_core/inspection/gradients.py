"""How much an output of a layer grows with each number of the input: the way back through the layers."""

from collections.abc import Iterator, Sequence

import numpy as np

from cnn_core import ops
from cnn_core.geometry import Axis, as_integer
from cnn_core.inspection.forward import Step, as_batch, forward, norm_scale, over_channels
from cnn_core.inspection.parameters import Parameters, check_rows
from cnn_core.network import (
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
    Network,
    Pool,
    ReLU,
    Sigmoid,
    Tanh,
)
from cnn_core.summary import LayerSummary, summarize


def input_gradient(
    network: Network, parameters: Parameters, x: np.ndarray, *, layer: str, at: Sequence[int]
) -> np.ndarray:
    """Differentiate one number of a layer's output with respect to the input, as in evaluation.

    Args:
        network: The network.
        parameters: Its parameters by name.
        x: One picture (C, H, W), one signal (C, L) or one vector (features,).
        layer: Name of the layer.
        at: Which number: (channel, row, column) of a map, (channel, place) of a signal's, or (feature,).

    Returns:
        The shape of `x`, in its type, at least float32. At a kink it is what torch takes: 0 for a ReLU at 0, and
        of equal numbers the first one wins a maximum.

    Raises:
        TypeError: If a number of `at` is not an integer.
        ValueError: If there is no such layer or no such number, and as `activations`.

    References:
        Rumelhart, Hinton & Williams, 1986, Learning representations by back-propagating errors.

    Example:
        >>> from cnn_core.network import parse
        >>> parameters = {"conv1.weight": np.array([[[[2.0, 3.0]]]]), "conv1.bias": np.zeros(1)}
        >>> network, picture = parse("conv1k1x2-max1x2"), np.array([[[1.0, 5.0, 2.0]]])
        >>> input_gradient(network, parameters, picture, layer="pool1", at=(0, 0, 0))  # the maximum of 17 and 16
        array([[[2., 3., 0.]]])
    """
    batch = as_batch(x, np.result_type(np.asarray(x), np.float32))
    if np.ndim(x) == 4:
        raise ValueError(f"x {batch.shape} has 4 axes: give one example without a batch axis")
    rows = summarize(network, batch.shape[1:])
    check_rows(rows, parameters)
    used = rows_up_to(rows, layer)
    at = tuple(as_integer(place, "at", minimum=0) for place in at)
    shape = used[-1].output_shape
    if len(at) != len(shape) or any(place >= size for place, size in zip(at, shape, strict=True)):
        raise ValueError(f"at {at} is not a number of {layer}'s output {shape}")
    output_gradient = np.zeros(shape, batch.dtype)
    output_gradient[at] = 1
    return pull_back(used, parameters, batch, output_gradient)[0]


def rows_up_to(rows: Sequence[LayerSummary], layer: str) -> Sequence[LayerSummary]:
    """Return the rows of a layer table up to the layer of this name."""
    names = [row.name for row in rows]
    if layer not in names:
        raise ValueError(f"the network has no layer {layer!r}: it has {', '.join(names)}")
    return rows[: names.index(layer) + 1]


def pull_back(
    rows: Sequence[LayerSummary], parameters: Parameters, x: np.ndarray, output_gradient: np.ndarray
) -> np.ndarray:
    """Differentiate a weighted sum of the last output with respect to the input; nothing is checked.

    Args:
        rows: The layers up to the one that is differentiated.
        parameters: Their parameters by name, perhaps with others.
        x: Several examples (N, *input_shape).
        output_gradient: The weights in the sum, shape of the last output: with a batch axis, or one for all.

    Returns:
        The shape of `x`: of each example its own gradient.
    """
    steps = list(forward(rows, parameters, x))
    gradient = np.broadcast_to(output_gradient, steps[-1].output.shape).reshape(steps[-1].y.shape)
    for step in reversed(steps):
        gradient = _through(step, gradient)
    return gradient.reshape(x.shape)


def _through(step: Step, gradient: np.ndarray) -> np.ndarray:
    """Turn the gradient of a layer's output into that of its input: (N, ...) both."""
    x, y, own = step.x, step.y, step.own
    match step.layer:
        case Conv():
            return _through_kernels(step, gradient, own["weight"], groups=step.layer.groups)
        case AveragePool():
            height, width = step.layer.window
            kernel = np.full((1, 1, height, width), 1 / (height * width), x.dtype)
            alone = gradient.reshape(-1, 1, *gradient.shape[2:])  # each channel as a picture of its own
            return _through_kernels(step, alone, kernel).reshape(x.shape)
        case MaxPool():
            return _to_winners(step, gradient)
        case GlobalAveragePool():
            return np.broadcast_to(gradient[:, :, None, None] / (x.shape[2] * x.shape[3]), x.shape)
        case BatchNorm():
            return gradient * over_channels(norm_scale(own), x)
        case Sigmoid():
            return gradient * y * (1 - y)
        case ReLU():
            return gradient * (x > 0)
        case Tanh():
            return gradient * (1 - y * y)
        case Dropout():
            return gradient
        case Flatten():
            return gradient.reshape(x.shape)
        case Linear():
            return gradient @ own["weight"]


def _axes(step: Step) -> tuple[Axis, Axis]:
    """Lay out the windows of a convolution or pooling along the height and the width."""
    layer = step.layer
    window, dilation = (
        (layer.window, (1, 1)) if isinstance(layer, Pool) else (layer.kernel_size, layer.dilation)
    )
    return tuple(map(Axis, step.x.shape[2:], window, layer.stride, layer.padding, dilation))


def _through_kernels(step: Step, gradient: np.ndarray, kernels: np.ndarray, *, groups: int = 1) -> np.ndarray:
    """Put each kernel down where it was, scaled by the gradient of its output: a transposed convolution.

    Rows and columns that no window reached get 0.
    """
    height, width = _axes(step)
    parts = zip(np.split(gradient, groups, axis=1), np.split(kernels, groups), strict=True)
    return np.concatenate(
        [
            ops.conv_transpose2d(
                part,
                part_kernels,
                stride=(height.stride, width.stride),
                padding=(height.padding, width.padding),
                output_padding=(height.left_over, width.left_over),
                dilation=(height.dilation, width.dilation),
            )
            for part, part_kernels in parts
        ],
        axis=1,
    )


def _to_winners(step: Step, gradient: np.ndarray) -> np.ndarray:
    """Give the gradient of each maximum to the first pixel of its window that has it."""
    height, width = _axes(step)
    (top, bottom), (left, right) = height.padding, width.padding
    sides = ((0, 0), (0, 0), (top, bottom), (left, right))
    x = np.pad(step.x, sides, constant_values=-np.inf)
    result = np.zeros(x.shape, x.dtype)
    is_free = np.ones(step.y.shape, bool)
    for cell in _cells(height, width):
        wins = is_free & (x[cell] == step.y)
        result[cell] += gradient * wins
        is_free &= ~wins
    return result[:, :, top : top + height.input_size, left : left + width.input_size]


def _cells(height: Axis, width: Axis) -> Iterator[tuple]:
    """Index what each cell of the window sees in all windows at once, row by row."""
    for row in range(height.kernel_size):
        for column in range(width.kernel_size):
            yield (
                ...,
                slice(row, row + height.window_starts[-1] + 1, height.stride),
                slice(column, column + width.window_starts[-1] + 1, width.stride),
            )
