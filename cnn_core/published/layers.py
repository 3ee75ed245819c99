"""The layer table of a published network, from the modules that torchvision makes on torch's meta device."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from cnn_core.data.registry import unknown
from cnn_core.geometry import ReceptiveField, as_integer, output_size
from cnn_core.network import BatchNorm, Conv, Dropout, Flatten, Layer, Linear, MaxPool, ReLU
from cnn_core.published.registry import INPUT_SHAPE, PUBLISHED
from cnn_core.summary import LayerSummary, Shape

if TYPE_CHECKING:
    from torch import fx, nn


@dataclass(frozen=True)
class PublishedLayer(LayerSummary):
    """One row of the layer table; what is not said here is as in `summary.LayerSummary`.

    Attributes:
        name: Dotted name of the module in torch, such as "layer1.0.conv1". Steps that are no modules have the
            name of their function: "layer1.0.add". A module that is used twice has two rows of one name.
        layer: The equal layer of `cnn_core.network`; a convolution without bias is told by `parameter_shapes`.
            None where there is none, as for "add", "ReLU6" and pooling to a fixed size.
        input_shape: Shape of what comes in; of an addition, of each of the two.
        receptive_field: Where paths meet, it reaches from the first to the last pixel that any of them sees.
        effective_stride: None also after pooling to a fixed size whose windows are not all alike.
        kind: Class of the module, or the function: "Conv2d", "add".
    """

    layer: Layer | None
    kind: str


@dataclass(frozen=True, eq=False)
class _Map:
    """What is known of one tensor of the network.

    Attributes:
        index: Its place in the order of execution.
        shape: Without the batch axis.
        fields: What one position sees of the picture, along the height and the width. Where neighbours are not
            evenly spaced, effective_stride is 0.
        windows: What one position sees of the sources, along the height and the width. None where windows
            differ, or where there is no height and width.
        sources: What it is made of; nothing for the picture.
    """

    index: int
    shape: Shape
    fields: tuple[ReceptiveField, ReceptiveField] = (ReceptiveField(), ReceptiveField())
    windows: tuple[ReceptiveField, ReceptiveField] | None = (ReceptiveField(), ReceptiveField())
    sources: tuple["_Map", ...] = ()


def layer_table(name: str, input_shape: Sequence[int] = INPUT_SHAPE) -> list[PublishedLayer]:
    """Follow one picture through a published network, step by step.

    ResNet and MobileNet branch and add the branches up. The paths of a block have the same stride and the same
    centre, so the receptive field behind an addition is that of the path that sees most.

    Args:
        name: One of `PUBLISHED`.
        input_shape: Shape (3, H, W) of the picture.

    Returns:
        One row for each use of a module and for each function between them, in the order of execution.

    Raises:
        TypeError: If a size of `input_shape` is not an integer.
        ValueError: If there is no such network, or the picture is too small or not in colour.

    References:
        Receptive fields: Araujo, Norris & Sim, Computing Receptive Fields of Convolutional Neural Networks,
        Distill, 2019.

    Example:
        >>> rows = layer_table("vgg16", (3, 224, 224))
        >>> rows[30].name, rows[30].output_shape, rows[30].receptive_field, rows[30].effective_stride
        ('features.30', (512, 7, 7), (212, 212), (32, 32))
        >>> sum(row.num_params for row in rows), sum(row.mult_adds for row in rows)
        (138357544, 15470264320)
    """
    if name not in PUBLISHED:
        raise unknown("network", name, PUBLISHED)
    shape = _checked_input_shape(name, input_shape)
    maps, rows = {}, []
    for node, label, module in _traced(PUBLISHED[name].builder):
        if node.op == "placeholder":
            maps[node] = _Map(0, shape)
            continue
        sources = tuple(maps[source] for source in node.all_input_nodes)
        kind = type(module).__name__ if module else node.target.__name__
        try:
            made = _made(kind, node, module, sources, len(maps))
        except ValueError as error:
            raise ValueError(
                f"{name} needs a larger picture than {shape[1]} x {shape[2]}: "
                f"{label} ({kind}) gets {sources[0].shape}: {error}"
            ) from None
        maps[node] = made
        rows.append(_row(label, kind, module, made))
    return rows


def _checked_input_shape(name: str, input_shape: Sequence[int]) -> Shape:
    shape = tuple(as_integer(size, "input_shape", minimum=1) for size in input_shape)
    if len(shape) != 3:
        raise ValueError(f"input_shape {shape} has {len(shape)} axes, not 3 (C, H, W)")
    if shape[0] != INPUT_SHAPE[0]:
        raise ValueError(f"{name} takes 3 channels (red, green, blue), not {shape[0]} (input_shape={shape})")
    return shape


@functools.cache
def _traced(builder: str) -> tuple[tuple["fx.Node", str, "nn.Module | None"], ...]:
    """List the steps of a network in the order of execution: node of the graph, dotted name, module if any."""
    import torch
    import torchvision
    from torch import fx

    with torch.device("meta"):
        model = torchvision.models.get_model(builder, weights=None)
    steps = []
    for node in fx.Tracer().trace(model).nodes:
        if node.op == "call_module":
            steps.append((node, node.target, model.get_submodule(node.target)))
        elif node.op == "call_function":
            parents = list(node.meta.get("nn_module_stack", {}))[-1:]
            steps.append((node, ".".join([*parents, node.target.__name__]), None))
        elif node.op == "placeholder":
            steps.append((node, node.name, None))
    return tuple(steps)


def _made(
    kind: str, node: "fx.Node", module: "nn.Module | None", sources: tuple[_Map, ...], index: int
) -> _Map:
    """Compute what one step makes of its sources."""
    shape, fields = sources[0].shape, _joined([source.fields for source in sources])
    match kind:
        case "Conv2d" | "MaxPool2d":
            channels = module.out_channels if kind == "Conv2d" else shape[0]
            numbers = [_window(module, axis) for axis in range(2)]
            return _Map(
                index,
                (channels, *_output_sizes(shape[1:], numbers)),
                tuple(field.after(**window) for field, window in zip(fields, numbers, strict=True)),
                tuple(ReceptiveField().after(**window) for window in numbers),
                sources,
            )
        case "AdaptiveAvgPool2d" | "adaptive_avg_pool2d":
            sizes = module.output_size if module else node.args[1]
            fields = _whole(sources[0]) if sizes == (1, 1) else _after_adaptive(fields, shape[1:], sizes)
            return _Map(index, (shape[0], *sizes), fields, None, sources)
        case "flatten":
            return _Map(index, (math.prod(shape),), fields, None, sources)
        case "Linear":
            return _Map(index, (module.out_features,), _whole(sources[0]), None, sources)
    return _Map(index, shape, fields, sources=sources)  # each number by itself


def _joined(several: list[tuple[ReceptiveField, ReceptiveField]]) -> tuple[ReceptiveField, ReceptiveField]:
    """Join what paths see: along each axis from the first pixel of any to the last of any."""
    joined = []
    for fields in zip(*several, strict=True):
        start = min(field.start for field in fields)
        stop = max(field.start + field.size for field in fields)
        joined.append(ReceptiveField(stop - start, fields[0].effective_stride, start))
    return tuple(joined)


def _window(module: "nn.Module", axis: int) -> dict[str, int]:
    """Return the kernel size and the other numbers of a window along one axis."""
    names = ("kernel_size", "stride", "padding", "dilation")
    values = (getattr(module, name) for name in names)
    return {
        name: value[axis] if isinstance(value, tuple) else value
        for name, value in zip(names, values, strict=True)
    }


def _output_sizes(sizes: Shape, windows: list[dict[str, int]]) -> Iterator[int]:
    for axis, size, window in zip(("height", "width"), sizes, windows, strict=True):
        try:
            yield output_size(size, **window)
        except ValueError as error:
            raise ValueError(f"along the {axis}, {error}") from None


def _after_adaptive(
    fields: tuple[ReceptiveField, ReceptiveField], input_sizes: Shape, output_sizes: Shape
) -> tuple[ReceptiveField, ReceptiveField]:
    """Pool n positions to m: output i sees those from floor(i n / m) to before ceil((i + 1) n / m)."""
    pooled = []
    for field, n, m in zip(fields, input_sizes, output_sizes, strict=True):
        windows = [range(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
        sizes = {len(window) for window in windows}
        steps = {second.start - first.start for first, second in pairwise(windows)}
        step = steps.pop() if len(sizes) == len(steps) == 1 else 0
        size = field.size + (max(sizes) - 1) * field.effective_stride
        pooled.append(ReceptiveField(size, step * field.effective_stride, field.start))
    return tuple(pooled)


def _whole(last: _Map) -> tuple[ReceptiveField, ReceptiveField]:
    """Find what all positions of the last feature map see together, padding left out."""
    while last.windows is None or len(last.shape) == 1:  # each of these sees all of its source
        last = last.sources[0]
    spans = {last: [range(size) for size in last.shape[1:]]}
    while (current := max(spans, key=lambda each: each.index)).sources:
        seen = spans.pop(current)
        for source in current.sources:
            below = [
                range(max(0, window.seen_by(span[0]).start), min(size, window.seen_by(span[-1]).stop))
                for window, span, size in zip(current.windows, seen, source.shape[1:], strict=True)
            ]
            before = spans.get(source, below)
            spans[source] = [
                range(min(one.start, other.start), max(one.stop, other.stop))
                for one, other in zip(below, before, strict=True)
            ]
    return tuple(ReceptiveField(len(span), 0, span.start) for span in spans[current])


def _row(label: str, kind: str, module: "nn.Module | None", made: _Map) -> PublishedLayer:
    parameters = module.named_parameters() if module else ()
    strides = tuple(field.effective_stride for field in made.fields)
    return PublishedLayer(
        name=label,
        kind=kind,
        layer=_equal_layer(kind, module),
        input_shape=made.sources[0].shape,
        output_shape=made.shape,
        parameter_shapes=tuple((name, tuple(parameter.shape)) for name, parameter in parameters),
        receptive_field=tuple(field.size for field in made.fields),
        receptive_field_start=tuple(field.start for field in made.fields),
        effective_stride=None if 0 in strides else strides,
    )


def _equal_layer(kind: str, module: "nn.Module | None") -> Layer | None:
    """Find the layer of `cnn_core.network` that does what a step does."""
    match kind:
        case "Conv2d":
            names = ("kernel_size", "stride", "padding", "dilation", "groups")
            return Conv(module.out_channels, **{name: getattr(module, name) for name in names})
        case "MaxPool2d" if module.dilation == 1:
            return MaxPool(module.kernel_size, stride=module.stride, padding=module.padding)
        case "Linear":
            return Linear(module.out_features)
        case "BatchNorm2d":
            return BatchNorm()
        case "Dropout":
            return Dropout(module.p)
        case "ReLU":
            return ReLU()
        case "flatten":
            return Flatten()
    return None
