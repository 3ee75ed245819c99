"""How each number of the layer table comes about: the formulas with a layer's own numbers in them."""

import math
from collections.abc import Sequence

from cnn_core.geometry import effective_kernel_size
from cnn_core.network import (
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Pool,
)
from cnn_core.summary import BYTES_PER_NUMBER, LayerSummary
from ui.wording import count

Lines = list[tuple[str, str]]
"""Label and arithmetic of each step; those that compute something end in "= result"."""


def arithmetic(row: LayerSummary, before: LayerSummary | None) -> dict[str, Lines]:
    """Write down how the numbers of a row come about.

    Args:
        row: A row of a layer table.
        before: The row above it; None for the first one.

    Returns:
        Name of the number -> the steps that make it, the last one last.

    Example:
        >>> from cnn_core.network import LENET
        >>> from cnn_core.summary import summarize
        >>> for label, text in arithmetic(summarize(LENET, (1, 28, 28))[0], None)["output_shape"]:
        ...     print(f"{label}: {text}")
        Channels: 6, one feature map from each set of kernels
        Height and width: ⌊(28 + 2 · 2 − 5) / 1⌋ + 1 = 28
    """
    return {
        "output_shape": _output_shape(row),
        "num_params": _num_params(row),
        "mult_adds": _mult_adds(row),
        "activation_bytes": _activation_bytes(row),
        "receptive_field": _receptive_field(row, before),
        "effective_stride": _effective_stride(row, before),
    }


def _what(row: LayerSummary) -> Layer | str:
    """Return the layer of a row; for a step of a published network that is none of ours, its name."""
    return row.kind if row.layer is None else row.layer


# Shapes


def _output_shape(row: LayerSummary) -> Lines:
    channels = f"{row.output_shape[0]:,}"
    shape = _product(row.output_shape, " x ")
    match _what(row):
        case Conv():
            return [("Channels", f"{channels}, one feature map from each set of kernels"), *_sizes(row)]
        case Pool():
            return [("Channels", f"{channels}, as before: each is pooled by itself"), *_sizes(row)]
        case "AdaptiveAvgPool2d" | "adaptive_avg_pool2d":
            sizes = _along_axes([[("", f"{size:,}, which the layer fixes")] for size in row.output_shape[1:]])
            return [("Channels", f"{channels}, as before: each is pooled by itself"), *sizes]
        case Linear():
            return [("Features", f"{channels}, one for each output of the layer")]
        case GlobalAveragePool():
            return [("Features", f"{channels}, one mean for each channel")]
        case Flatten() if len(row.input_shape) == 1:
            return [("Features", f"{channels}, as before: all is flat already")]
        case Flatten():
            return [("Features", f"{_product(row.input_shape)} = {channels}")]
        case BatchNorm():
            return [("Shape", f"{shape}, as before: each number is scaled and shifted")]
        case Dropout():
            return [("Shape", f"{shape}, as before: a number that is dropped becomes 0")]
        case "add":
            return [("Shape", f"{shape}, like each of the two that are added")]
    return [("Shape", f"{shape}, as before: each number becomes one number")]


def _sizes(row: LayerSummary) -> Lines:
    steps = []
    for axis, size in enumerate(row.input_shape[1:]):
        reach, first = _effective_kernel(row.layer, axis)
        stride, padding = row.layer.stride[axis], row.layer.padding[axis]
        formula = f"⌊({size:,} + 2 · {padding:,} − {reach:,}) / {stride:,}⌋ + 1"
        steps.append([*first, ("", f"{formula} = {row.output_shape[1 + axis]:,}")])
    return _along_axes(steps)


def _effective_kernel(layer: Conv | Pool, axis: int) -> tuple[int, Lines]:
    """Return the effective kernel size, and how it is computed where cells have gaps between them."""
    if isinstance(layer, Pool):
        return layer.window[axis], []
    kernel_size, dilation = layer.kernel_size[axis], layer.dilation[axis]
    size = effective_kernel_size(kernel_size, dilation)
    formula = f"{dilation:,} · ({kernel_size:,} − 1) + 1 = {size:,}"
    return size, [("Effective kernel size", formula)] if dilation > 1 else []


# Costs


def _num_params(row: LayerSummary) -> Lines:
    shapes = dict(row.parameter_shapes)
    if not shapes:
        return [("Parameters", f"none, because {_why_untrained(_what(row))}")]
    num_weights, num_biases = math.prod(shapes["weight"]), math.prod(shapes.get("bias", (0,)))
    match row.layer:
        case Conv():
            outputs, inputs, *kernel_size = shapes["weight"]
            channels = f"{count(outputs, 'output channel')} · {count(inputs, 'input channel')}"
            lines = [("Weights", f"{channels} · {_product(kernel_size)} = {num_weights:,}")]
            if row.layer.groups > 1:
                numbers = f"{row.input_shape[0]:,} / {row.layer.groups:,} = {inputs:,}"
                lines.insert(0, ("Input channels of a group", numbers))
            one_for_each = "output channel"
        case Linear():
            lines = [("Weights", f"{_outputs_and_inputs(row)} = {num_weights:,}")]
            one_for_each = "output"
        case _:
            one_for_each = "channel" if len(row.input_shape) > 1 else "feature"
            lines = [("Weights", f"{num_weights:,}, one for each {one_for_each}")]
    if not num_biases:
        return [*lines, ("Biases", "none")]
    together = f"{num_weights:,} + {num_biases:,} = {row.num_params:,}"
    return [*lines, ("Biases", f"{num_biases:,}, one for each {one_for_each}"), ("Together", together)]


def _outputs_and_inputs(row: LayerSummary) -> str:
    return f"{count(row.output_shape[0], 'output')} · {count(row.input_shape[0], 'input')}"


def _why_untrained(what: Layer | str) -> str:
    match what:
        case MaxPool():
            return "it takes the largest number of each window"
        case AveragePool() | GlobalAveragePool() | "AdaptiveAvgPool2d" | "adaptive_avg_pool2d":
            return "it takes means"
        case Flatten():
            return "it puts the numbers in one row"
        case Dropout():
            return "chance decides what is dropped"
        case "add":
            return "it adds what two paths give"
    return "its function is fixed"


def _mult_adds(row: LayerSummary) -> Lines:
    weight = dict(row.parameter_shapes).get("weight")
    positions = row.output_shape[1:]
    if not weight:
        words = "0, because only multiplications with a weight count, and it has none"
    elif isinstance(row.layer, Linear):
        words = f"{_outputs_and_inputs(row)} = {row.mult_adds:,}"
    elif positions:
        words = f"{count(math.prod(weight), 'weight')} · {_product(positions)} positions = {row.mult_adds:,}"
    else:
        words = f"{count(row.output_shape[0], 'number')} · 1 weight for each = {row.mult_adds:,}"
    return [("Multiplications", words)]


def _activation_bytes(row: LayerSummary) -> Lines:
    numbers = f"{_product(row.output_shape)} numbers · {BYTES_PER_NUMBER} bytes"
    return [("Memory", f"{numbers} = {row.activation_bytes:,} bytes")]


# Receptive fields


def _receptive_field(row: LayerSummary, before: LayerSummary | None) -> Lines:
    if row.receptive_field is None:
        return [("Receptive field", _NO_AXES)]
    if _sees_whole_map(row) and not _saw_whole_map(row, before):
        words = "sees all positions of the last map, which together see these pixels; padding is left out"
        return [("Each output", words), *_along_axes([[("", text)] for text in _pixels(row)])]
    match _what(row):
        case Conv() | Pool():
            return _along_axes([_after_window(row, axis) for axis in range(len(row.receptive_field))])
        case "AdaptiveAvgPool2d" | "adaptive_avg_pool2d" if not _sees_whole_map(row):
            return _along_axes([_after_widest_window(row, before, axis) for axis in range(2)])
        case "add":
            return _unchanged(row.receptive_field, "as on the path that sees most")
    return _unchanged(row.receptive_field, "as before" if before else "as a pixel of the input sees itself")


def _sees_whole_map(row: LayerSummary) -> bool:
    is_pooled_to_one = (
        row.layer is None and "adaptive" in row.kind.lower() and set(row.output_shape[1:]) == {1}
    )
    return is_pooled_to_one or isinstance(row.layer, Linear | GlobalAveragePool)


def _saw_whole_map(row: LayerSummary, before: LayerSummary | None) -> bool:
    """Tell whether the outputs above had no neighbours any more, and saw the same pixels."""
    return (
        before is not None
        and before.effective_stride is None
        and before.receptive_field == row.receptive_field
        and before.receptive_field_start == row.receptive_field_start
    )


def _pixels(row: LayerSummary) -> list[str]:
    return [
        f"pixels {start:,} to {start + size - 1:,}: {start + size - 1:,} − {start:,} + 1 = {size:,}"
        if size
        else "0, because it sees padding only"
        for start, size in zip(row.receptive_field_start, row.receptive_field, strict=True)
    ]


def _after_window(row: LayerSummary, axis: int) -> Lines:
    """Add what a window sees more: its own size and stride tell what came in, also where paths branch."""
    reach, first = _effective_kernel(row.layer, axis)
    stride = row.effective_stride[axis] // row.layer.stride[axis]
    after = row.receptive_field[axis]
    return [*first, ("", f"{after - (reach - 1) * stride:,} + ({reach:,} − 1) · {stride:,} = {after:,}")]


def _after_widest_window(row: LayerSummary, before: LayerSummary, axis: int) -> Lines:
    """Add what pooling to a fixed size sees more; its windows need not be alike."""
    seen, after, stride = (
        before.receptive_field[axis],
        row.receptive_field[axis],
        before.effective_stride[axis],
    )
    widest = (after - seen) // stride + 1
    return [("", f"{seen:,} + ({widest:,} − 1) · {stride:,} = {after:,}")]


def _effective_stride(row: LayerSummary, before: LayerSummary | None) -> Lines:
    strides = row.effective_stride
    if strides is None:
        return [("Effective stride", _why_no_stride(row, before))]
    match _what(row):
        case Conv() | Pool():
            own = row.layer.stride
        case "AdaptiveAvgPool2d" | "adaptive_avg_pool2d":
            own = [after // stride for after, stride in zip(strides, before.effective_stride, strict=True)]
        case "add":
            return _unchanged(strides, "as on both paths")
        case _:
            return _unchanged(strides, "as before" if before else "as between pixels of the input")
    return _along_axes(
        [
            [("", f"{after // stride:,} · {stride:,} = {after:,}")]
            for after, stride in zip(strides, own, strict=False)  # a signal has the first of two
        ]
    )


_NO_AXES = "none, because the input has no height and width"


def _why_no_stride(row: LayerSummary, before: LayerSummary | None) -> str:
    if row.receptive_field is None:
        return _NO_AXES
    if before and before.effective_stride is None:
        return "none, as before"
    if _sees_whole_map(row):
        return "none, because each output sees the whole map: no output lies beside another"
    return "none, because the windows do not follow each other at a fixed distance"


# Lines


def _along_axes(steps: Sequence[Lines]) -> Lines:
    """Write the steps for the height, then for the width; once if they are the same."""
    names = ("Height", "Width") if len(steps) == 2 else ("Length",)
    if len(steps) == 2 and steps[0] == steps[1]:
        return [(label or "Height and width", text) for label, text in steps[0]]
    return [
        (f"{label}, {name.lower()}" if label and len(steps) == 2 else label or name, text)
        for name, lines in zip(names, steps, strict=True)
        for label, text in lines
    ]


def _unchanged(numbers: Sequence[int], words: str) -> Lines:
    return _along_axes([[("", f"{number:,}, {words}")] for number in numbers])


def _product(numbers: Sequence[int], times: str = " · ") -> str:
    return times.join(f"{number:,}" for number in numbers)
