"""What a trained network does with pictures, computed from its saved parameters: NumPy only, no torch."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cnn_core import ops
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

Parameters = Mapping[str, np.ndarray]
"""Parameters by name, such as "conv1.weight", as in the state of a built module; a batch norm's buffers, such
as "norm1.running_mean", are among them."""

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
        x: Pictures scaled as in training: one (C, H, W), or several (N, C, H, W).

    Returns:
        Name and output of each layer, first one first; float32, with a batch axis if `x` has one.

    Raises:
        ValueError: If `x` has not 3 or 4 axes or is not finite, if a layer does not fit, or if a parameter is
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
    batch = _as_batch(x)
    rows = summarize(network, batch.shape[1:])
    _check_parameters(rows, parameters)
    outputs = _forward(rows, parameters, batch)
    return [(name, output if np.ndim(x) == 4 else output[0]) for name, output in outputs]


def predict(network: Network, parameters: Parameters, x: np.ndarray) -> np.ndarray:
    """Compute the probability of each class.

    Args:
        network: The network; its last layer gives one logit for each class.
        parameters: Its parameters by name.
        x: Pictures scaled as in training: one (C, H, W), or several (N, C, H, W).

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
    batch = _as_batch(x)
    rows = summarize(network, batch.shape[1:])
    if len(rows[-1].output_shape) != 1:
        raise ValueError(
            f"{rows[-1].name} gives {rows[-1].output_shape}, not (num_classes,): end with flatten"
        )
    _check_parameters(rows, parameters)
    logits = np.empty((len(batch), *rows[-1].output_shape), np.float32)
    for start in range(0, len(batch), CHUNK):
        *_, (_, output) = _forward(rows, parameters, batch[start : start + CHUNK])
        logits[start : start + CHUNK] = output
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


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Count how often each class is taken for each other.

    Args:
        labels: True classes (N,), integers from 0.
        predictions: Predicted classes (N,), integers from 0.
        num_classes: Number of classes.

    Returns:
        Counts (num_classes, num_classes): the row is the true class, the column the predicted one.

    Raises:
        TypeError: If a class is not an integer.
        ValueError: If the lengths differ, or a class is not between 0 and `num_classes` - 1.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim != 1 or labels.shape != predictions.shape:
        raise ValueError(f"labels {labels.shape} and predictions {predictions.shape} are not both (N,)")
    for name, classes in (("labels", labels), ("predictions", predictions)):
        if not np.issubdtype(classes.dtype, np.integer):
            raise TypeError(f"{name} of type {classes.dtype} are not integers")
        if not np.isin(classes, np.arange(num_classes)).all():
            raise ValueError(f"{name} {classes.min()} to {classes.max()} exceed 0 to {num_classes - 1}")
    pairs = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def check_parameters(network: Network, input_shape: Sequence[int], parameters: Parameters) -> None:
    """Check that parameters are those of a network: names and shapes, all finite, no variance below 0.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W).
        parameters: Arrays by name.

    Raises:
        ValueError: If a parameter is missing, unknown, of another shape, of another kind of numbers, not
            finite, or a variance below 0.

    Example:
        >>> from cnn_core.network import parse
        >>> check_parameters(parse("flatten-2"), (1, 1, 1), {"linear1.weight": np.zeros((2, 1))})
        Traceback (most recent call last):
        ...
        ValueError: parameters lack linear1.bias of shape (2,)
    """
    _check_parameters(summarize(network, input_shape), parameters)


def _check_parameters(rows: list[LayerSummary], parameters: Parameters) -> None:
    expected = {
        f"{row.name}.{name}": shape
        for row in rows
        for name, shape in row.parameter_shapes + row.buffer_shapes
    }
    for name, shape in expected.items():
        if name not in parameters:
            raise ValueError(f"parameters lack {name} of shape {shape}")
        given = parameters[name]
        if given.shape != shape:
            raise ValueError(f"{name} of shape {given.shape} does not fit the network, which has {shape}")
        kind, word = (np.integer, "integers") if name.endswith("tracked") else (np.floating, "floats")
        if not np.issubdtype(given.dtype, kind):
            raise ValueError(f"{name} of type {given.dtype} does not hold {word}")
        if not np.isfinite(given).all():
            raise ValueError(f"{name} has {np.sum(~np.isfinite(given)):,} values that are not finite")
        if name.endswith("running_var") and given.min() < 0:
            raise ValueError(f"{name} has {np.sum(given < 0):,} values below 0, which no variance can be")
    if unknown := sorted(parameters.keys() - expected.keys()):
        raise ValueError(f"parameters have {unknown[0]}, which the network does not have")


def _as_batch(x: np.ndarray) -> np.ndarray:
    """Return pictures as float32 (N, C, H, W)."""
    batch = np.asarray(x, dtype=np.float32)
    if batch.ndim not in (3, 4):
        raise ValueError(f"x {batch.shape} has {batch.ndim} axes, not 3 (C, H, W) or 4 (N, C, H, W)")
    if not np.isfinite(batch).all():
        raise ValueError(f"x has {np.sum(~np.isfinite(batch)):,} values that are not finite")
    return batch if batch.ndim == 4 else batch[np.newaxis]


def _forward(
    rows: list[LayerSummary], parameters: Parameters, x: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and the output of each layer for pictures (N, C, H, W)."""
    for row in rows:
        names = [name for name, _ in row.parameter_shapes + row.buffer_shapes]
        with np.errstate(over="ignore", invalid="ignore"):  # softmax refuses what comes of it
            own = {name: parameters[f"{row.name}.{name}"].astype(np.float32, copy=False) for name in names}
            x = _apply(row.layer, x, own)
        yield row.name, x


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
            scale = own["weight"] / np.sqrt(own["running_var"] + np.float32(NORM_EPSILON))
            shift = own["bias"] - own["running_mean"] * scale
            per_channel = (-1, 1, 1) if x.ndim == 4 else (-1,)
            return x * scale.reshape(per_channel) + shift.reshape(per_channel)
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
