from dataclasses import replace

import numpy as np
import streamlit as st

from cnn_core import examples, images, ops, scene
from cnn_core.geometry import Axis, max_kernel_size
from cnn_core.kernels import KERNELS
from cnn_core.network import Conv, Flatten, Linear, Network
from cnn_core.plots import channels as plots
from cnn_core.summary import LayerSummary, summarize
from ui import controls, explorer, page
from ui.chapter import channels_code, channels_questions, channels_settings, channels_text, predict
from ui.chapter.channels_code import Example, SmallLayer
from ui.chapter.channels_settings import COUNTING, DRAWN
from ui.wording import credit

MAX_CHANNELS, MAX_BIAS, MAX_SEED, MAX_STRIDE = 4, 9, 999, 8
# The explorer's kernels end at 7 x 7. With padding 6 the first window of these sees a single pixel.
MAX_SMALL_KERNEL, MAX_SMALL_PADDING = 7, 6
MAX_INPUT, MAX_KERNEL, MAX_PADDING, MAX_COST_CHANNELS = 224, 13, 12, 512
PICTURES = [name for name, picture in images.IMAGES.items() if picture.colour]
PICTURE_SIZE = 128
ONE_BY_ONE = "1 x 1"
PER_COLOUR = [ONE_BY_ONE, "sobel-x", "sobel-y", "laplacian-4"]
GREY_WEIGHTS = (0.299, 0.587, 0.114)
IN, OUT = "Channels in", "Channels out"


def choose_channels(prefix: str, defaults: tuple[int, int], *, most: int = MAX_CHANNELS) -> tuple[int, int]:
    first, second = st.columns(2, wrap=False)
    with first:
        in_channels = controls.integer(IN, key=f"{prefix}in", default=defaults[0], low=1, high=most)
    with second:
        out_channels = controls.integer(OUT, key=f"{prefix}out", default=defaults[1], low=1, high=most)
    return in_channels, out_channels


def choose_output_channel(prefix: str, count: int) -> int:
    return controls.integer("Output channel", key=f"{prefix}at-channel", default=0, low=0, high=count - 1)


# The sum over input channels


@st.fragment
def sum_over_channels() -> None:
    st.header("Sum over input channels", anchor="sum")
    left, right = st.columns([2, 3], gap="large")
    with left:
        layer = choose_small_layer()
        chosen = choose_output_channel("c-sum-", len(layer.bias))
    with right:
        at = show_sum(layer, chosen)
    page.try_this(channels_settings.SUMS, prefix="c-sum-")
    predict.ask(channels_questions.sums(layer, at, max_bias=MAX_BIAS), prefix="c-sum-")
    page.explanation()
    st.latex(channels_text.latex_sum(layer, at))
    st.markdown(channels_text.about_sums(layer.weight.shape))
    page.in_code(**channels_code.sum_code(layer))


def choose_small_layer() -> SmallLayer:
    controls.reserve({"c-sum-seed": 0, "c-sum-mode": "zeros"})
    kind = controls.choice("Numbers", [COUNTING, DRAWN], key="c-sum-numbers")
    seed = None
    if kind == DRAWN:
        seed = controls.integer("Seed", key="c-sum-seed", default=0, low=0, high=MAX_SEED)
    axis, padding_mode = choose_small_axis()
    in_channels, out_channels = choose_channels("c-sum-", (2, 3))
    bias = controls.integer(
        "Bias",
        key="c-sum-bias",
        default=0,
        low=-MAX_BIAS,
        high=MAX_BIAS,
        help="Each output channel has a bias of its own. Here all have the same.",
    )
    example = make_example(in_channels, out_channels, axis, seed)
    x, weight = explorer.numbers(example.x[0], example.weight, prefix="c-sum-", base=(kind, seed))
    return SmallLayer(example, x[None], weight, np.full(out_channels, bias), axis, padding_mode)


def choose_small_axis() -> tuple[Axis, str]:
    size = controls.integer("Input size", key="c-sum-input", default=3, low=3, high=explorer.MAX_SIZE)
    first, second = st.columns(2, wrap=False)
    with first:
        padding = controls.integer("Padding", key="c-sum-padding", default=0, low=0, high=MAX_SMALL_PADDING)
    with second:
        largest = min(MAX_SMALL_KERNEL, max_kernel_size(size, padding=padding))
        kernel_size = controls.integer("Kernel size", key="c-sum-kernel", default=2, low=1, high=largest)
    stride = controls.integer("Stride", key="c-sum-stride", default=1, low=1, high=MAX_STRIDE)
    axis, padding_mode = Axis(size, kernel_size, stride, padding), "zeros"
    if padding:
        modes = ops.possible_padding_modes(axis)
        padding_mode = controls.choice(
            "Padding mode", modes, key="c-sum-mode", help="What lies beyond the border of each channel."
        )
    return axis, padding_mode


def make_example(in_channels: int, out_channels: int, axis: Axis, seed: int | None) -> Example:
    counts = (in_channels, out_channels)
    sizes = {"input_size": axis.input_size, "kernel_size": axis.kernel_size}
    if seed is None:
        return channels_code.example(examples.counting, *counts, **sizes)
    return channels_code.example(examples.drawn, *counts, **sizes, seed=seed)


def show_sum(layer: SmallLayer, chosen: int) -> tuple[int, int, int]:
    shown = scene.convolution(
        layer.x[0],
        layer.weight[chosen],
        layer.axis,
        layer.axis,
        bias=layer.bias[chosen],
        padding_mode=layer.padding_mode,
    )
    out_channels, in_channels = layer.weight.shape[:2]
    book = make_example(in_channels, out_channels, layer.axis, None)
    explorer.show(shown, prefix="c-sum-", channel=chosen, book=(book.x[0], book.weight[chosen]))
    _, row, column = explorer.pinned_output("c-sum-", shown)
    at = (chosen, row, column)
    page.reading(channels_text.partial_sums(layer, at))
    st.caption(channels_text.other_outputs(layer, at))
    return at


# A colour picture


@st.fragment
def colours_apart() -> None:
    st.header("A colour picture taken apart", anchor="colour")
    left, right = st.columns([2, 3], gap="large")
    with left:
        name, kernel, colour_weights = choose_colours()
    with right:
        show_colours(load_picture(name), colour_weights, kernel)
    page.try_this(channels_settings.COLOURS, prefix="c-rgb-")
    page.explanation()
    st.markdown(channels_text.about_colours(colour_weights, kernel))
    page.in_code(**channels_code.colour_code(name, PICTURE_SIZE, colour_weights, kernel))


def choose_colours() -> tuple[str, np.ndarray, np.ndarray]:
    name = controls.choice(
        "Picture",
        PICTURES,
        key="c-rgb-picture",
        default="astronaut",
        format=lambda name: images.IMAGES[name].title,
        as_list=True,
    )
    st.caption(credit(name))
    kernel = controls.choice(
        "Kernel",
        PER_COLOUR,
        key="c-rgb-kernel",
        format=lambda name: name if name == ONE_BY_ONE else KERNELS[name].title,
        as_list=True,
    )
    weights = [
        controls.number(
            f"Weight of {colour}",
            key=f"c-rgb-{colour}",
            default=default,
            low=-2.0,
            high=2.0,
            step=0.1,
            format="%.3f",
        )
        for colour, default in zip(plots.COLOURS, GREY_WEIGHTS, strict=True)
    ]
    return name, np.ones((1, 1)) if kernel == ONE_BY_ONE else KERNELS[kernel].values, np.round(weights, 3)


@st.cache_data(max_entries=8, show_spinner=False)
def load_picture(name: str) -> np.ndarray:
    return images.load(name, size=PICTURE_SIZE)


def show_colours(image: np.ndarray, colour_weights: np.ndarray, kernel: np.ndarray) -> None:
    x = np.moveaxis(image, 2, 0)[None]  # (1, 3, H, W)
    weight = colour_weights[None, :, None, None] * kernel  # (1, 3, kH, kW)
    partials = ops.conv2d(x, np.moveaxis(weight, 0, 1), groups=3)[0]
    total = ops.conv2d(x, weight)[0, 0]
    row, column = (size // 2 for size in total.shape)
    middle = ops.conv2d_terms(x, weight, at=(0, 0, row, column)).products.sum(axis=(1, 2))
    words = channels_text.colours_in_the_middle(middle, total[row, column])
    with_sign = bool(weight.min() < 0)
    fig = plots.colour_sum(
        image,
        partials.astype(np.float32),
        total.astype(np.float32),
        steps=[f"· {number:z.3g}" if kernel.size == 1 else "⋆ kernel" for number in colour_weights],
        signed=with_sign,
        palette=page.palette(),
    )
    page.figure(
        fig,
        key="c-rgb-figure",
        alt=f"The red, green and blue channel in grey, what the kernel makes of each, and their sum. {words}",
    )
    page.reading(words)
    st.caption(
        "Blue is below zero, orange above. The parts and the sum share one scale."
        if with_sign
        else "No weight is negative, so the parts and the sum are drawn as pictures. Black is 0."
    )


# 1 x 1


@st.fragment
def pixels_and_matrix() -> None:
    st.header("1 x 1: a matrix product over the pixels", anchor="one-by-one")
    left, right = st.columns([2, 3], gap="large")
    with left:
        size = controls.integer("Input size", key="c-one-input", default=3, low=1, high=4)
        counts = choose_channels("c-one-", (3, 2))
        seed = controls.integer("Seed", key="c-one-seed", default=0, low=0, high=MAX_SEED)
        chosen = choose_output_channel("c-one-", counts[1])
    example = make_example(*counts, Axis(size, 1), seed)
    with right:
        at = (chosen, *choose_place("c-one-", (size, size)))
        show_matrix(example.x, example.weight, at=at)
    page.try_this(channels_settings.MATRICES, prefix="c-one-")
    page.explanation()
    st.latex(channels_text.latex_matrix(*counts, size**2))
    st.markdown(channels_text.about_matrix(*counts, size))
    page.in_code(**channels_code.matrix_code(example))


def choose_place(prefix: str, shape: tuple[int, int]) -> tuple[int, int]:
    first, second = st.columns(2, wrap=False)
    with first:
        row = controls.integer("Output row", key=f"{prefix}at-row", default=0, low=0, high=shape[0] - 1)
    with second:
        column = controls.integer(
            "Output column", key=f"{prefix}at-column", default=0, low=0, high=shape[1] - 1
        )
    return row, column


def show_matrix(x: np.ndarray, weight: np.ndarray, *, at: tuple[int, int, int]) -> None:
    matrix = weight[:, :, 0, 0]
    by_convolution = ops.conv2d(x, weight)[0]
    by_product = matrix @ x.reshape(x.shape[1], -1)
    difference = np.abs(by_convolution - by_product.reshape(by_convolution.shape)).max()
    words = channels_text.matrix_product(at, matrix, x[0], by_convolution[at])
    fig = plots.pixels_as_columns(x[0], matrix, by_convolution, at=at, palette=page.palette())
    page.figure(
        fig,
        key="c-one-figure",
        alt=f"Above, a 1 x 1 convolution on pictures. Below, the same as a matrix product. {words}",
    )
    page.reading(words)
    st.markdown(channels_text.both_ways(by_product.size, difference))


# What channels cost


@st.fragment
def cost() -> None:
    st.header("What channels cost", anchor="cost")
    left, right = st.columns([2, 3], gap="large")
    with left:
        layer, input_shape = choose_layer()
        varied = controls.choice("Along the chart", [OUT, IN], key="c-cost-varied")
    with right:
        show_cost(layer, input_shape, varied=varied)
    page.try_this(channels_settings.COSTS, prefix="c-cost-")
    limits = {"most": MAX_COST_CHANNELS, "max_input": MAX_INPUT}
    predict.ask(channels_questions.costs(layer, input_shape, **limits), prefix="c-cost-")
    explain_cost(layer, input_shape)
    page.in_code(**channels_code.cost_code(layer, input_shape))


def choose_layer() -> tuple[Conv, tuple[int, int, int]]:
    size = controls.integer("Input size", key="c-cost-input", default=28, low=1, high=MAX_INPUT)
    first, second = st.columns(2, wrap=False)
    with first:
        padding = controls.integer("Padding", key="c-cost-padding", default=2, low=0, high=MAX_PADDING)
    with second:
        largest = min(MAX_KERNEL, max_kernel_size(size, padding=padding))
        kernel_size = controls.integer("Kernel size", key="c-cost-kernel", default=5, low=1, high=largest)
    stride = controls.integer("Stride", key="c-cost-stride", default=1, low=1, high=MAX_STRIDE)
    in_channels, out_channels = choose_channels("c-cost-", (1, 6), most=MAX_COST_CHANNELS)
    groups = controls.choice(
        "Groups",
        [n for n in sorted({1, 2, 4, 8, in_channels}) if in_channels % n == out_channels % n == 0],
        key="c-cost-groups",
        help="Each group of outputs sees its own group of inputs only. The number of groups divides both "
        "numbers of channels.",
    )
    layer = Conv(out_channels, kernel_size=kernel_size, stride=stride, padding=padding, groups=groups)
    return layer, (in_channels, size, size)


def convolution(layer: Conv, input_shape: tuple[int, ...]) -> LayerSummary:
    return summarize(Network([layer]), input_shape)[0]


def dense(layer: Conv, input_shape: tuple[int, ...]) -> LayerSummary:
    out_channels, height, width = convolution(layer, input_shape).output_shape
    return summarize(Network([Flatten(), Linear(out_channels * height * width)]), input_shape)[1]


def show_cost(layer: Conv, input_shape: tuple[int, int, int], *, varied: str) -> None:
    now = layer.out_channels if varied == OUT else input_shape[0]
    steps = [n for n in sorted({now, *(2**power for power in range(10))}) if n % layer.groups == 0]
    layers = [
        (replace(layer, out_channels=n), input_shape) if varied == OUT else (layer, (n, *input_shape[1:]))
        for n in steps
    ]
    lines = {
        "this convolution": [convolution(*each) for each in layers],
        "dense layer": [dense(*each) for each in layers],
    }
    if layer.groups > 1:
        lines["with 1 group"] = [convolution(replace(each, groups=1), shape) for each, shape in layers]
    this = convolution(layer, input_shape)
    words = channels_text.cost(this, layer.groups)
    fig = plots.costs(steps, lines, now=now, axis_title=varied, palette=page.palette())
    page.figure(
        fig, key="c-cost-figure", alt=f"Parameters and mult-adds for more and more {varied.lower()}. {words}"
    )
    page.reading(words)
    st.markdown(channels_text.dense_cost(this, dense(layer, input_shape)))


def explain_cost(layer: Conv, input_shape: tuple[int, int, int]) -> None:
    this, flat = convolution(layer, input_shape), dense(layer, input_shape)
    page.explanation()
    formulas = channels_text.latex_costs(this, flat, layer.kernel_size[0], layer.groups)
    for column, formula in zip(st.columns(3), formulas, strict=True):
        column.latex(formula)
    st.markdown(channels_text.ABOUT_COSTS)


def main() -> None:
    page.header(
        "Channels",
        "How do several input channels become several output channels, and what does that cost?",
        ideas=["sum over channels", "weight (C_out, C_in, kH, kW)", "1 x 1 convolution", "cost"],
    )
    st.markdown(
        "[Sum over input channels](#sum) · [A colour picture](#colour) · [1 x 1](#one-by-one) · [Cost](#cost)"
    )
    sum_over_channels()
    colours_apart()
    pixels_and_matrix()
    cost()


main()
