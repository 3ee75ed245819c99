"""What is said about a picture on its way through a network: what each layer did, and PyTorch's own listing."""

import math
from collections.abc import Sequence

import numpy as np

from cnn_core.network import (
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
    ReLU,
    Sigmoid,
    Tanh,
)
from cnn_core.shapes import format_shape
from cnn_core.summary import LayerSummary, Shape
from ui.wording import count

_TORCH = {Conv: "Conv", MaxPool: "MaxPool", AveragePool: "AvgPool", BatchNorm: "BatchNorm"}
"""Layers whose class in PyTorch says the number of axes -> how its name begins."""


def listing(rows: Sequence[LayerSummary]) -> str:
    """Write what a loop over the layers of the PyTorch module prints for a batch of one example.

    Example:
        >>> from cnn_core.network import parse
        >>> from cnn_core.summary import summarize
        >>> print(listing(summarize(parse("conv6k5p2-sigmoid"), (1, 28, 28))).replace("\\t", ""))
        Conv2d output shape: torch.Size([1, 6, 28, 28])
        Sigmoid output shape: torch.Size([1, 6, 28, 28])
    """
    return "\n".join(
        f"{_torch_class(row)} output shape:\t torch.Size({[1, *row.output_shape]})" for row in rows
    )


def _torch_class(row: LayerSummary) -> str:
    if isinstance(row.layer, GlobalAveragePool):
        return "GlobalAvgPool"
    kind = type(row.layer)
    axes = max(1, len(row.input_shape) - 1)
    return f"{_TORCH[kind]}{axes}d" if kind in _TORCH else kind.__name__


def from_to(rows: Sequence[LayerSummary], input_shape: Shape) -> str:
    """Say how many numbers go in and come out, and where there are most."""
    sizes = {row.name: math.prod(row.output_shape) for row in rows}
    most = max(sizes, key=sizes.get)
    before, after = math.prod(input_shape), math.prod(rows[-1].output_shape)
    return (
        f"{count(before, 'number')} in, {count(after, 'number')} out. "
        f"Most are there after {most}: {sizes[most]:,}."
    )


def what_it_did(row: LayerSummary, before: np.ndarray) -> str:
    """Say in a sentence or two what a layer did to what it got."""
    layer, gets, gives = row.layer, row.input_shape, row.output_shape
    match layer:
        case Conv():
            seen = gets[0] // layer.groups
            window = _window(layer.kernel_size, gets)
            channels = f" on {count(seen, 'channel')}" if len(gives) > 1 else ""
            return f"{count(gives[0], 'kernel')} of {window}{channels} slid over it: {_sizes(gets, gives)}."
        case MaxPool() | AveragePool():
            kept = "largest number" if isinstance(layer, MaxPool) else "mean"
            return (
                f"Of each window of {_window(layer.window, gets)} the {kept} stayed: {_sizes(gets, gives)}."
            )
        case GlobalAveragePool():
            return f"Of each of the {count(gets[0], 'feature map')} the mean stayed."
        case BatchNorm():
            what = "number" if len(gets) == 1 else "channel"
            return f"Each {what} was shifted and scaled by what training saw on average. Fresh, it changes little."
        case ReLU():
            return f"{np.count_nonzero(before < 0):,} of {before.size:,} numbers were below 0 and became 0."
        case Sigmoid():
            return "Each number was squeezed to between 0 and 1. Numbers below 0 became less than 0.5."
        case Tanh():
            return "Each number was squeezed to between -1 and 1. The sign stayed."
        case Dropout():
            return (
                f"Nothing changed. In training, each number becomes 0 with probability {layer.probability:g}."
            )
        case Flatten():
            product = (
                f"{format_shape(gets)} = {gives[0]:,} numbers" if len(gets) > 1 else "they stood so before"
            )
            return f"The same numbers in one row: {product}."
        case Linear():
            return (
                f"Each output is a weighted sum of all {count(gets[0], 'number')}: "
                f"{gives[0]:,} x {gets[0]:,} = {math.prod((*gives, *gets)):,} weights."
            )


def _window(size: tuple[int, int], gets: Shape) -> str:
    return format_shape(size) if len(gets) == 3 else count(size[0], "number")


def _sizes(gets: Shape, gives: Shape) -> str:
    before, after = format_shape(gets[1:]), format_shape(gives[1:])
    return f"the size stayed {after}" if before == after else f"{before} became {after}"


def values(output: np.ndarray) -> str:
    """Say how far the numbers reach, and what their colours mean."""
    low, high = float(output.min()), float(output.max())
    return f"Values from {low:.3g} to {high:.3g}. Blue is below zero, orange above."
