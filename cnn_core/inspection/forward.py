"""The way of a picture, a signal or a vector through a network: every output, and the probabilities."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnn_core import ops
from cnn_core.inspection.parameters import Parameters, check_rows
from cnn_core.network import (
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    Network,
    Pool,
    ReLU,
    Sigmoid,
    Tanh,
)
from cnn_core.summary import LayerSummary, summarize

CHUNK = 256
"""Pictures that `predict` takes at once, so that memory does not grow with their number."""

NORM_EPSILON = 1e-5
"""What a batch norm adds to a variance before it takes the root: torch's own value."""


def as_input(image: np.ndarray) -> np.ndarray:
    """Scale a picture as training does.

    Args:
        image: (H, W), or (H, W, 3) for colour; uint8.

    Returns:
        float32 (C, H, W) from 0 to 1.

    Example:
        >>> as_input(np.array([[0, 255]], dtype=np.uint8)).tolist()
        [[[0.0, 1.0]]]
        >>> as_input(np.zeros((32, 30, 3), dtype=np.uint8)).shape
        (3, 32, 30)
    """
    channels = np.atleast_3d(image).transpose(2, 0, 1)  # (C, H, W)
    return channels.astype(np.float32) / 255


def activations(network: Network, parameters: Parameters, x: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Compute the output of every layer, as in evaluation: batch norms use running statistics, dropout rests.

    Args:
        network: The network.
        parameters: Its parameters by name.
        x: One picture (C, H, W) scaled as in training, one signal (C, L) or one vector (features,); or several
            pictures (N, C, H, W).

    Returns:
        Name and output of each layer, first one first; float32, with a batch axis if `x` has one.

    Raises:
        ValueError: If `x` has not 1 to 4 axes or is not finite, if a layer does not fit, or if a parameter is
            missing, unknown, of another shape, or not finite.

    Example:
        >>> from cnn_core.network import parse
        >>> parameters = {"linear1.weight": np.ones((1, 4)), "linear1.bias": np.zeros(1)}
        >>> picture = np.array([[[1.0, -2.0], [3.0, 0.0]]])
        >>> for name, output in activations(parse("relu-flatten-1"), parameters, picture):
        ...     print(name, output.tolist())
        relu1 [[[1.0, 0.0], [3.0, 0.0]]]
        flatten [1.0, 0.0, 3.0, 0.0]
        linear1 [4.0]
    """
    batch = as_batch(x, np.float32)
    rows = summarize(network, batch.shape[1:])
    check_rows(rows, parameters)
    outputs = ((step.row.name, step.output) for step in forward(rows, parameters, batch))
    return [(name, output if np.ndim(x) == 4 else output[0]) for name, output in outputs]


def predict(network: Network, parameters: Parameters, x: np.ndarray) -> np.ndarray:
    """Compute the probability of each class.

    Args:
        network: The network; its last layer gives one logit for each class.
        parameters: Its parameters by name.
        x: As in `activations`.

    Returns:
        Probabilities (num_classes,) or (N, num_classes), float32; they sum to 1.

    Raises:
        ValueError: As `activations`; also if the last output is not flat, or a logit is not finite.

    Example:
        >>> from cnn_core.network import parse
        >>> parameters = {"linear1.weight": np.array([[1.0], [0.0]]), "linear1.bias": np.zeros(2)}
        >>> predict(parse("flatten-2"), parameters, np.array([[[0.0]]])).tolist()
        [0.5, 0.5]
    """
    batch = as_batch(x, np.float32)
    rows = summarize(network, batch.shape[1:])
    if len(rows[-1].output_shape) != 1:
        raise ValueError(
            f"{rows[-1].name} gives {rows[-1].output_shape}, not (num_classes,): end with flatten"
        )
    check_rows(rows, parameters)
    logits = np.empty((len(batch), *rows[-1].output_shape), np.float32)
    for start in range(0, len(batch), CHUNK):
        *_, last = forward(rows, parameters, batch[start : start + CHUNK])
        logits[start : start + CHUNK] = last.output
    probabilities = softmax(logits)
    return probabilities if np.ndim(x) == 4 else probabilities[0]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities along the last axis.

    The largest logit is taken off first: the result stays the same, and no exponential overflows.

    Args:
        logits: Array (..., num_classes).

    Returns:
        Array of the same shape; at least 0, summing to 1 along the last axis.

    Raises:
        ValueError: If a logit is not finite.

    Example:
        >>> softmax(np.array([1000.0, 1000.0])).tolist()
        [0.5, 0.5]
    """
    if not np.isfinite(logits).all():
        raise ValueError(f"logits have {np.sum(~np.isfinite(logits)):,} values that are not finite")
    with np.errstate(over="ignore"):  # two logits can be further apart than the largest float: exp gives 0
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def as_batch(x: np.ndarray, dtype: np.typing.DTypeLike) -> np.ndarray:
    """Return one example, or several pictures, with a batch axis."""
    batch = np.asarray(x, dtype=dtype)
    if not 1 <= batch.ndim <= 4:
        raise ValueError(
            f"x {batch.shape} has {batch.ndim} axes, not 3 (C, H, W), 2 (C, L), 1 (features) or 4 (N, C, H, W)"
        )
    if not np.isfinite(batch).all():
        raise ValueError(f"x has {np.sum(~np.isfinite(batch)):,} values that are not finite")
    return batch if batch.ndim == 4 else batch[np.newaxis]


@dataclass(frozen=True, eq=False)
class Step:
    """One layer at work. A signal is a picture of one row here, and the layer on it one of height 1.

    Attributes:
        row: The layer's row of the table.
        layer: The layer, for pictures.
        own: Its parameters, without the layer's name.
        x: What comes in, (N, C, H, W) or (N, features).
        y: What goes out.
    """

    row: LayerSummary
    layer: Layer
    own: Parameters
    x: np.ndarray
    y: np.ndarray

    @property
    def output(self) -> np.ndarray:
        """What goes out, (N, *output_shape): of a signal without the height."""
        return self.y.reshape(-1, *self.row.output_shape)


def forward(rows: Sequence[LayerSummary], parameters: Parameters, x: np.ndarray) -> Iterator[Step]:
    """Compute layer by layer, in the type of `x` (N, *input_shape); nothing is checked."""
    x = x[:, :, np.newaxis] if x.ndim == 3 else x
    for row in rows:
        names = [name for name, _ in row.parameter_shapes + row.buffer_shapes]
        with np.errstate(over="ignore", invalid="ignore"):  # softmax refuses what comes of it
            own = {name: parameters[f"{row.name}.{name}"].astype(x.dtype, copy=False) for name in names}
            layer = row.layer
            if len(row.input_shape) == 2:
                layer, own = _of_one_row(layer, own)
            y = _apply(layer, x, own)
        yield Step(row, layer, own, x, y)
        x = y


def _of_one_row(layer: Layer, own: Parameters) -> tuple[Layer, Parameters]:
    """Make of a layer for signals one for pictures of one row."""
    match layer:
        case Conv():
            sizes = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}
            own = {**own, "weight": own["weight"][:, :, np.newaxis]}
        case Pool():
            sizes = {"window": 1, "stride": 1, "padding": 0}
        case _:
            return layer, own
    return replace(layer, **{name: (high, getattr(layer, name)[1]) for name, high in sizes.items()}), own


def norm_scale(own: Parameters) -> np.ndarray:
    """Compute what a batch norm multiplies each channel with."""
    return own["weight"] / np.sqrt(own["running_var"] + NORM_EPSILON)


def over_channels(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Shape one number for each channel so that it meets all pixels of the channel in `x`."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def _apply(layer: Layer, x: np.ndarray, own: Parameters) -> np.ndarray:
    """Compute the output (N, ...) of one layer; `own` holds its parameters without the layer's name."""
    match layer:
        case Conv():
            return ops.conv2d(
                x,
                own["weight"],
                own["bias"],
                stride=layer.stride,
                padding=layer.padding,
                dilation=layer.dilation,
                groups=layer.groups,
            )
        case Pool():
            return ops.pool2d(x, layer.window, stride=layer.stride, padding=layer.padding, mode=layer.mode)
        case GlobalAveragePool():
            return x.mean((2, 3))
        case BatchNorm():
            scale = norm_scale(own)
            shift = own["bias"] - own["running_mean"] * scale
            return x * over_channels(scale, x) + over_channels(shift, x)
        case Sigmoid():
            shrunk = np.exp(-np.abs(x))  # at most 1: it cannot overflow
            return np.where(x >= 0, 1, shrunk) / (1 + shrunk)
        case ReLU():
            return np.maximum(x, 0)
        case Tanh():
            return np.tanh(x)
        case Dropout():
            return x
        case Flatten():
            return x.reshape(len(x), -1)
        case Linear():
            return x @ own["weight"].T + own["bias"]
