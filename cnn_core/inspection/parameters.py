"""The parameters of a network as arrays: whether they fit, and fresh ones."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cnn_core.network import BatchNorm, Network
from cnn_core.summary import LayerSummary, summarize

Parameters = Mapping[str, np.ndarray]
"""Parameters by name, such as "conv1.weight", as in the state of a built module; a batch norm's buffers, such
as "norm1.running_mean", are among them."""


def check_parameters(network: Network, input_shape: Sequence[int], parameters: Parameters) -> None:
    """Check that parameters are those of a network: names and shapes, all finite, no variance below 0.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W), (C, L) or (features,).
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
    check_rows(summarize(network, input_shape), parameters)


def check_rows(rows: Sequence[LayerSummary], parameters: Parameters) -> None:
    """Check parameters against the layer table of their network, as `check_parameters` does."""
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


def draw_parameters(network: Network, input_shape: Sequence[int], *, seed: int) -> dict[str, np.ndarray]:
    """Draw fresh parameters, distributed as those of `modules.build`; the numbers are not the same.

    Weights are Xavier-uniform, biases uniform within 1 / sqrt(fan_in). A batch norm begins with weight 1, bias
    0, running mean 0 and running variance 1.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W), (C, L) or (features,).
        seed: Seed of the parameters; nothing else decides them. Those of a layer do not depend on later layers.

    Returns:
        float32 arrays by name, such as "conv1.weight". They pass `check_parameters`.

    Raises:
        ValueError: If a layer does not fit what it gets.

    References:
        Glorot & Bengio, 2010, Understanding the difficulty of training deep feedforward neural networks.

    Example:
        >>> from cnn_core.network import parse
        >>> drawn = draw_parameters(parse("conv6k5-norm-flatten-10"), (1, 28, 28), seed=0)
        >>> drawn["conv1.weight"].shape, drawn["linear1.bias"].shape, drawn["norm1.running_var"].tolist()
        ((6, 1, 5, 5), (10,), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """
    generator = np.random.default_rng(seed)
    return {
        f"{row.name}.{name}": values
        for row in summarize(network, input_shape)
        for name, values in _draw(row, generator)
    }


def _draw(row: LayerSummary, generator: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    shapes = dict(row.parameter_shapes)
    if isinstance(row.layer, BatchNorm):
        for name, shape in (row.parameter_shapes + row.buffer_shapes)[:-1]:
            yield name, (np.ones if name in ("weight", "running_var") else np.zeros)(shape, np.float32)
        yield "num_batches_tracked", np.zeros((), np.int64)
    elif shapes:
        num_outputs, *cells = shapes["weight"]
        fan_in, fan_out = math.prod(cells), num_outputs * math.prod(cells[1:])
        for name, bound in (("weight", math.sqrt(6 / (fan_in + fan_out))), ("bias", 1 / math.sqrt(fan_in))):
            yield name, generator.uniform(-bound, bound, shapes[name]).astype(np.float32)
