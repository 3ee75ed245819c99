"""The layer table of a network: shapes, parameters, mult-adds, memory, receptive fields; no arrays made."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from cnn_core.geometry import ReceptiveField, as_integer, max_kernel_size, output_size
from cnn_core.network import (
    Activation,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    Network,
    Pool,
    format_layer,
)

Shape = tuple[int, ...]

BYTES_PER_NUMBER = 4
"""Size of a float32."""


@dataclass(frozen=True)
class LayerSummary:
    """One row of the layer table. Shapes are without the batch axis.

    Receptive field, its start and stride have one number for each axis: (height, width) of a picture,
    (length,) of a signal.

    Attributes:
        name: Name of the layer, also in the built module and its saved parameters.
        layer: The layer itself.
        input_shape: Shape of what comes in.
        output_shape: Shape of what goes out.
        parameter_shapes: Name and shape of each parameter, such as ("weight", (6, 1, 5, 5)).
        receptive_field: Input pixels of what one output sees, padding included. From the first layer on that
            sees a whole map (linear, or global average pooling): of what all positions of the last feature map
            see together, padding left out. It reaches from the first pixel under a window to the last; a window
            that is dilated, or smaller than its stride, may skip even these. None if the network's input is
            (features,).
        receptive_field_start: First input pixel of what output 0 sees, negative in the padding; from the first
            layer on that sees a whole map, of what all positions see together. None as above.
        effective_stride: Input pixels between what neighbouring outputs see. None where outputs have no
            neighbours: from the first layer on that sees a whole map.
    """

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameter_shapes: tuple[tuple[str, Shape], ...]
    receptive_field: tuple[int, ...] | None
    receptive_field_start: tuple[int, ...] | None
    effective_stride: tuple[int, ...] | None

    @property
    def num_params(self) -> int:
        """Number of trained numbers, biases included."""
        return sum(math.prod(shape) for _, shape in self.parameter_shapes)

    @property
    def mult_adds(self) -> int:
        """Multiplications for one example: each weight is used once at each output position.

        So a batch norm multiplies each number of its input once; torchinfo counts one position of a map only.
        """
        num_weights = sum(math.prod(shape) for name, shape in self.parameter_shapes if name == "weight")
        return num_weights * math.prod(self.output_shape[1:])

    @property
    def buffer_shapes(self) -> tuple[tuple[str, Shape], ...]:
        """Name and shape of what is saved with the parameters but not trained: what a batch norm has seen."""
        if not isinstance(self.layer, BatchNorm):
            return ()
        channels = self.input_shape[:1]
        return ("running_mean", channels), ("running_var", channels), ("num_batches_tracked", ())

    @property
    def activation_bytes(self) -> int:
        """Memory that the output of one example takes as float32, in bytes."""
        return math.prod(self.output_shape) * BYTES_PER_NUMBER


def summarize(network: Network, input_shape: Sequence[int]) -> list[LayerSummary]:
    """Follow one example through a network, layer by layer.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W) of a picture, (C, L) of a signal, or (features,) for a
            network without convolution. On a signal, convolution and pooling slide along its one axis.

    Returns:
        One row for each layer, first one first.

    Raises:
        TypeError: If a size of `input_shape` is not an integer.
        ValueError: If a layer does not fit what it gets; the message names it and says what would fit.

    References:
        Receptive fields: Araujo, Norris & Sim, Computing Receptive Fields of Convolutional Neural Networks,
        Distill, 2019.

    Example:
        >>> from cnn_core.network import LENET
        >>> rows = summarize(LENET, (1, 28, 28))
        >>> rows[5].name, rows[5].output_shape, rows[5].receptive_field, rows[5].effective_stride
        ('pool2', (16, 5, 5), (16, 16), (4, 4))
        >>> sum(row.num_params for row in rows), sum(row.mult_adds for row in rows)
        (61706, 416520)
    """
    rows, reason = follow(network, input_shape)
    if reason:
        name, layer = network.names[len(rows)], network.layers[len(rows)]
        shape = rows[-1].output_shape if rows else _checked_input_shape(input_shape)
        raise ValueError(f"{name} ({format_layer(layer)}) gets {shape}: {reason}")
    return rows


def follow(network: Network, input_shape: Sequence[int]) -> tuple[list[LayerSummary], str]:
    """Follow one example through a network, up to the first layer that does not fit.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W), (C, L) or (features,).

    Returns:
        One row for each layer before the one that does not fit, and why it does not: an empty text if all
        layers fit.

    Raises:
        TypeError: If a size of `input_shape` is not an integer.
        ValueError: If `input_shape` is not the shape of an example.

    Example:
        >>> from cnn_core.network import parse
        >>> rows, reason = follow(parse("conv6k5-10-relu"), (1, 28, 28))
        >>> [row.name for row in rows], reason
        (['conv1'], 'it takes (features,): put flatten before it')
    """
    rows, reason = _follow(network, _checked_input_shape(input_shape))
    return list(rows), reason


@functools.lru_cache(maxsize=256)
def _follow(network: Network, input_shape: Shape) -> tuple[tuple[LayerSummary, ...], str]:
    """Do what `follow` says. A page asks for the same table several times whenever it is drawn."""
    shapes, reason = [input_shape], ""
    for layer in network.layers:
        try:
            shapes.append(_output_shape(layer, shapes[-1]))
        except ValueError as error:
            reason = str(error)
            break
    layers = network.layers[: len(shapes) - 1]
    names = network.names[: len(layers)]
    fields_seen = _receptive_fields(layers, shapes)
    rows = tuple(
        LayerSummary(
            name=name,
            layer=layer,
            input_shape=before,
            output_shape=after,
            parameter_shapes=_parameter_shapes(layer, before),
            receptive_field=tuple(axis.size for axis in seen) or None,
            receptive_field_start=tuple(axis.start for axis in seen) or None,
            effective_stride=tuple(axis.effective_stride for axis in seen if axis.effective_stride) or None,
        )
        for name, layer, before, after, seen in zip(
            names, layers, shapes[:-1], shapes[1:], fields_seen, strict=True
        )
    )
    return rows, reason


def check_budget(
    network: Network,
    input_shape: Sequence[int],
    *,
    batch_size: int = 1,
    max_params: int = 50_000_000,
    max_activation_bytes: int = 2_000_000_000,
) -> None:
    """Refuse a network that needs too much memory, before any of it is allocated.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W), (C, L) or (features,).
        batch_size: Number of examples that go through at once.
        max_params: Largest number of parameters allowed.
        max_activation_bytes: Most memory allowed for the outputs of all layers for a batch, in bytes.

    Raises:
        ValueError: If the network is over the budget, or does not fit the input.

    Example:
        >>> from cnn_core.network import parse
        >>> check_budget(parse("conv100001k28-flatten-10"), (1, 28, 28))
        Traceback (most recent call last):
        ...
        ValueError: num_params 79,500,805 (largest: conv1 with 78,500,785) exceeds 50,000,000
    """
    rows = summarize(network, input_shape)
    num_params = sum(row.num_params for row in rows)
    if num_params > max_params:
        largest = max(rows, key=lambda row: row.num_params)
        raise ValueError(
            f"num_params {num_params:,} (largest: {largest.name} with {largest.num_params:,}) "
            f"exceeds {max_params:,}"
        )
    activation_bytes = batch_size * sum(row.activation_bytes for row in rows)
    if activation_bytes > max_activation_bytes:
        largest = max(rows, key=lambda row: row.activation_bytes)
        raise ValueError(
            f"activation memory {activation_bytes:,} bytes (batch_size={batch_size}, largest: "
            f"{largest.name} with {largest.output_shape}) exceeds {max_activation_bytes:,}"
        )


def _checked_input_shape(input_shape: Sequence[int]) -> Shape:
    shape = tuple(as_integer(size, "input_shape", minimum=1) for size in input_shape)
    if not 1 <= len(shape) <= 3:
        raise ValueError(
            f"input_shape {shape} has {len(shape)} axes, not 3 (C, H, W), 2 (C, L) or 1 (features)"
        )
    return shape


def _output_shape(layer: Layer, shape: Shape) -> Shape:
    """Compute the shape that a layer makes of another; the error says what would fit."""
    match layer:
        case Conv() | Pool() | GlobalAveragePool() if len(shape) == 1:
            raise ValueError("it takes (C, H, W) or (C, L): put it before the layers that flatten the input")
        case Conv():
            if shape[0] % layer.groups:
                fitting = math.gcd(shape[0], layer.out_channels)
                raise ValueError(
                    f"in_channels {shape[0]} is not a multiple of groups {layer.groups}: "
                    f"the largest number of groups that fits is {fitting}"
                )
            return layer.out_channels, *_output_sizes(layer, shape)
        case Pool():
            return shape[0], *_output_sizes(layer, shape)
        case GlobalAveragePool():
            return shape[:1]
        case BatchNorm() | Activation() | Dropout():
            return shape
        case Flatten():
            return (math.prod(shape),)
        case Linear():
            if len(shape) != 1:
                raise ValueError("it takes (features,): put flatten before it")
            if layer.in_features not in (None, shape[0]):
                raise ValueError(f"expects {layer.in_features:,} inputs, gets {shape[0]:,}")
            return (layer.out_features,)


def _windows(layer: Conv | Pool, num_axes: int) -> list[tuple[int, dict[str, int]]]:
    """List the kernel size and the other numbers of a window: (height, width) of a picture, (length,) else."""
    if isinstance(layer, Conv):
        kernel_size, dilation = layer.kernel_size, layer.dilation
    else:
        kernel_size, dilation = layer.window, (1, 1)
    return [
        (
            kernel_size[axis],
            {"stride": layer.stride[axis], "padding": layer.padding[axis], "dilation": dilation[axis]},
        )
        for axis in range(num_axes)
    ]


def _output_sizes(layer: Conv | Pool, shape: Shape) -> Iterator[int]:
    input_sizes = shape[1:]
    if len(input_sizes) == 1:
        _check_has_one_size(layer)
    names = ("height", "width") if len(input_sizes) == 2 else ("length",)
    windows = _windows(layer, len(input_sizes))
    for name, input_size, (kernel_size, numbers) in zip(names, input_sizes, windows, strict=True):
        try:
            yield output_size(input_size, kernel_size, **numbers)
        except ValueError as error:
            fitting = max_kernel_size(input_size, padding=numbers["padding"], dilation=numbers["dilation"])
            raise ValueError(f"along the {name}, {error}: the largest that fits is {fitting}") from None


def _check_has_one_size(layer: Conv | Pool) -> None:
    """Refuse a window that is not the same along height and width: a signal has one axis."""
    for each in fields(layer):
        value = getattr(layer, each.name)
        if isinstance(value, tuple) and value[0] != value[1]:
            raise ValueError(
                f"{each.name} {value[0]} x {value[1]} has two sizes, but a signal (C, L) has one axis"
            )


def _parameter_shapes(layer: Layer, input_shape: Shape) -> tuple[tuple[str, Shape], ...]:
    match layer:
        case Conv():
            kernel_size = layer.kernel_size[: len(input_shape) - 1]
            weight = (layer.out_channels, input_shape[0] // layer.groups, *kernel_size)
        case Linear():
            weight = (layer.out_features, *input_shape)
        case BatchNorm():
            weight = input_shape[:1]
        case _:
            return ()
    return ("weight", weight), ("bias", weight[:1])


def _receptive_fields(layers: Sequence[Layer], shapes: list[Shape]) -> Iterator[tuple[ReceptiveField, ...]]:
    """Yield what an output of each layer sees along each axis; `shapes` begins with the input's.

    From the first layer on that sees a whole map, the effective stride is 0.
    """
    num_axes = len(shapes[0]) - 1
    seen = (ReceptiveField(),) * num_axes
    for layer in layers:
        match layer:
            case Conv() | Pool():
                seen = tuple(
                    field.after(kernel_size, **numbers)
                    for field, (kernel_size, numbers) in zip(seen, _windows(layer, num_axes), strict=True)
                )
            case Linear() | GlobalAveragePool() if seen:
                seen = _seen_by_last_map(layers, shapes)
        yield seen


def _seen_by_last_map(layers: Sequence[Layer], shapes: list[Shape]) -> tuple[ReceptiveField, ...]:
    """Find the input pixels from the first to the last that any position of the last feature map sees."""
    num_axes = len(shapes[0]) - 1
    first = [0] * num_axes
    last = [size - 1 for size in next(shape for shape in reversed(shapes) if len(shape) > 1)[1:]]
    for layer, shape in reversed(list(zip(layers, shapes[:-1], strict=True))):
        if isinstance(layer, Conv | Pool):
            for axis, (kernel_size, numbers) in enumerate(_windows(layer, num_axes)):
                field = ReceptiveField().after(kernel_size, **numbers)
                first[axis] = max(0, field.seen_by(first[axis]).start)
                last[axis] = min(shape[1 + axis], field.seen_by(last[axis]).stop) - 1
    return tuple(
        ReceptiveField(max(0, end - start + 1), effective_stride=0, start=start)
        for start, end in zip(first, last, strict=True)
    )
