"""The controls of the page on padding and stride: the layer, within bounds that come from `geometry`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core import ops
from cnn_core.geometry import (
    PADDING_PRESETS,
    Axis,
    TransposedAxis,
    max_dilation,
    max_kernel_size,
    max_pool_padding,
    max_transposed_padding,
    total_padding,
)
from cnn_core.sizes import Limits
from ui import controls
from ui.chapter.size_layer import CONVOLUTION, POOLING, TRANSPOSED, Layer
from ui.chapter.size_settings import CEIL, FLOOR

LIMITS = Limits(input_size=256, kernel_size=13, stride=8, padding=12, dilation=6)
DEFAULTS = {"input": 7, "before": 0, "after": 0, "kernel": 3, "dilation": 1, "stride": 1, "extra": 0}

Side = TypeVar("Side", Axis, TransposedAxis)


@dataclass(frozen=True)
class Place:
    """Where the controls of one axis stand.

    Attributes:
        prefix: What their keys begin with.
        narrow: Whether there is no room for two side by side.
    """

    prefix: str
    narrow: bool = False

    def integer(self, label: str, name: str, low: int, high: int) -> int:
        """Choose a whole number; `name` is the end of its key."""
        return controls.integer(label, key=f"{self.prefix}{name}", default=DEFAULTS[name], low=low, high=high)

    def pair(self) -> Sequence[DeltaGenerator]:
        """Make room for two controls."""
        return (st.container(), st.container()) if self.narrow else st.columns(2, wrap=False)


def choose_layer() -> Layer:
    """Read the layer from its controls; none of them goes beyond what is possible."""
    operation = controls.choice(
        "Operation",
        [CONVOLUTION, TRANSPOSED, POOLING],
        key="ps-operation",
        help="A transposed convolution goes the other way, to a larger output. Pooling takes the largest number.",
    )
    controls.reserve({"ps-rounding": FLOOR, "ps-mode": "zeros", "ps-flip": False, "ps-h-extra": 0})
    if operation == POOLING:
        return _choose_pooling_layer()
    if operation == TRANSPOSED:
        layer = Layer(operation, *_choose_axes(_choose_transposed))
    else:
        layer = Layer(operation, *_choose_axes(_choose_convolution))
        _offer_presets(*layer.axes)
    return _choose_numbers(layer) if layer.is_small else layer


def values_of(prefix: str, axis: Axis | TransposedAxis) -> dict[str, int]:
    """Write an axis as values of the controls whose keys begin with the prefix."""
    extra = axis.output_padding if isinstance(axis, TransposedAxis) else 0
    values = (axis.input_size, *axis.padding, axis.kernel_size, axis.dilation, axis.stride, extra)
    return {f"{prefix}{name}": value for name, value in zip(DEFAULTS, values, strict=True)}


def _choose_pooling_layer() -> Layer:
    rounding = controls.choice(
        "Rounding",
        [FLOOR, CEIL],
        key="ps-rounding",
        help="Convolutions round down. PyTorch's pooling layers can also round up (ceil_mode=True).",
    )
    height, width = _choose_axes(_choose_pooling)
    return Layer(POOLING, *(replace(axis, ceil_mode=rounding == CEIL) for axis in (height, width)))


def _choose_numbers(layer: Layer) -> Layer:
    """Choose what matters for the numbers only, not for the sizes."""
    mode = "zeros"
    if layer.operation == CONVOLUTION and any(total_padding(axis.padding) for axis in layer.axes):
        mode = controls.choice(
            "Padding mode",
            ops.possible_padding_modes(*layer.axes),
            key="ps-mode",
            help="What lies beyond the border. For reflect and circular the input must be large enough.",
        )
    flipped = controls.switch(
        "Turn the kernel",
        key="ps-flip",
        help="By half a turn, as in the convolution of mathematics. Networks leave it as it is.",
    )
    return replace(layer, padding_mode=mode, flipped=flipped)


def _choose_axes(choose_axis: Callable[[Place], Side]) -> tuple[Side, Side]:
    if controls.switch("Height and width alike", key="ps-alike", default=True):
        height = width = choose_axis(Place("ps-h-"))
        # When the two are told apart, the width starts where the height stands.
        controls.set_values(values_of("ps-w-", height))
        return height, width
    first, second = st.columns(2)
    with first:
        st.markdown("**Height** (rows)")
        height = choose_axis(Place("ps-h-", narrow=True))
    with second:
        st.markdown("**Width** (columns)")
        width = choose_axis(Place("ps-w-", narrow=True))
    return height, width


def _choose_convolution(place: Place) -> Axis:
    input_size = place.integer("Input size", "input", 1, LIMITS.input_size)
    left, right = place.pair()
    with left:
        before = place.integer("Padding before", "before", 0, LIMITS.padding)
    with right:
        after = place.integer("Padding after", "after", 0, LIMITS.padding)
    padding = (before, after)
    largest = min(LIMITS.kernel_size, max_kernel_size(input_size, padding=padding))
    left, right = place.pair()
    with left:
        kernel_size = place.integer("Kernel size", "kernel", 1, largest)
    widest = min(LIMITS.dilation, max_dilation(input_size, kernel_size, padding=padding))
    with right:
        dilation = place.integer("Dilation", "dilation", 1, widest)
    stride = place.integer("Stride", "stride", 1, LIMITS.stride)
    return Axis(input_size, kernel_size, stride, padding, dilation)


def _choose_transposed(place: Place) -> TransposedAxis:
    input_size = place.integer("Input size", "input", 1, LIMITS.input_size)
    left, right = place.pair()
    with left:
        kernel_size = place.integer("Kernel size", "kernel", 1, LIMITS.kernel_size)
    with right:
        dilation = place.integer("Dilation", "dilation", 1, LIMITS.dilation)
    stride = place.integer("Stride", "stride", 1, LIMITS.stride)
    left, right = place.pair()
    with right:
        extra = place.integer("Output padding", "extra", 0, max(stride, dilation) - 1)
    options = {"stride": stride, "dilation": dilation, "output_padding": extra}
    most = min(LIMITS.padding, max_transposed_padding(input_size, kernel_size, **options))
    with left:
        padding = place.integer("Padding", "before", 0, most)
    return TransposedAxis(input_size, kernel_size, padding=padding, **options)


def _choose_pooling(place: Place) -> Axis:
    input_size = place.integer("Input size", "input", 1, LIMITS.input_size)
    left, right = place.pair()
    with left:
        window = place.integer("Window size", "kernel", 1, min(LIMITS.kernel_size, input_size))
    with right:
        padding = place.integer("Padding", "before", 0, max_pool_padding(window))
    widest = min(LIMITS.dilation, max_dilation(input_size, window, padding=padding))
    left, right = place.pair()
    with left:
        stride = place.integer("Stride", "stride", 1, LIMITS.stride)
    with right:
        dilation = place.integer("Dilation", "dilation", 1, widest)
    return Axis(input_size, window, stride, padding, dilation)


def _offer_presets(height: Axis, width: Axis) -> None:
    st.caption("Padding for this kernel")
    row = st.container(horizontal=True)
    for name, padding_of in PADDING_PRESETS.items():
        values = {}
        for prefix, axis in (("ps-h-", height), ("ps-w-", width)):
            sides = padding_of(axis.kernel_size, dilation=axis.dilation)
            before, after = (min(side, LIMITS.padding) for side in sides)
            values |= {f"{prefix}before": before, f"{prefix}after": after}
        row.button(name, key=f"ps-preset-{name}", on_click=controls.set_values, args=(values,))
