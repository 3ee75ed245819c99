from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from cnn_core import examples, images, ops
from cnn_core.geometry import max_kernel_size
from cnn_core.kernels import KERNELS
from cnn_core.network import Conv, Flatten, Linear, Network
from cnn_core.plots import channels as plots
from cnn_core.summary import LayerSummary, summarize
from ui import controls, page

MAX_CHANNELS, MAX_SEED = 4, 999
MAX_SMALL_INPUT, MAX_SMALL_KERNEL, MAX_SMALL_PADDING, MAX_BIAS = 8, 3, 2, 9
MAX_INPUT, MAX_KERNEL, MAX_PADDING, MAX_STRIDE, MAX_COST_CHANNELS = 224, 13, 12, 8, 512
COUNTING, DRAWN = "Counting up, as in the book", "Random"
PICTURES = [name for name, picture in images.IMAGES.items() if picture.colour]
PICTURE_SIZE = 128
ONE_BY_ONE = "1 x 1"
PER_COLOUR = [ONE_BY_ONE, "sobel-x", "sobel-y", "laplacian-4"]
GREY_WEIGHTS = (0.299, 0.587, 0.114)
IN, OUT = "Channels in", "Channels out"

SUMS_TO_TRY = [
    page.Setting(
        "The next output",
        "Output 1 has kernels one larger than output 0. By how much do its sums grow, and why?",
        {"c-sum-at-channel": 1},
    ),
    page.Setting(
        "Cancel out",
        "Both channels answer strongly, yet the sum is 0. What would one of them alone report?",
        {
            "c-sum-numbers": DRAWN,
            "c-sum-seed": 492,
            "c-sum-input": 5,
            "c-sum-kernel": 3,
            "c-sum-at-row": 1,
            "c-sum-at-column": 2,
        },
    ),
    page.Setting(
        "Three in, one out",
        "Three kernels of 1 x 1, one for each channel. Which numbers make one output?",
        {"c-sum-numbers": DRAWN, "c-sum-input": 4, "c-sum-kernel": 1, "c-sum-in": 3, "c-sum-out": 1},
    ),
    page.Setting(
        "Keep the size",
        "Padding 1 and kernel 3, with a bias. How many real pixels does a corner see in each channel?",
        {
            "c-sum-numbers": DRAWN,
            "c-sum-input": 5,
            "c-sum-kernel": 3,
            "c-sum-padding": 1,
            "c-sum-bias": 5,
        },
    ),
]
COLOURS_TO_TRY = [
    page.Setting(
        "Red against the rest",
        "Red counts plus, green and blue minus one half each. What does a grey pixel give?",
        {"c-rgb-red": 1.0, "c-rgb-green": -0.5, "c-rgb-blue": -0.5},
    ),
    page.Setting(
        "Edges of all colours",
        "The same edge kernel for each channel. Where do the three parts agree, where not?",
        {"c-rgb-kernel": "sobel-x", "c-rgb-red": 1.0, "c-rgb-green": 1.0, "c-rgb-blue": 1.0},
    ),
    page.Setting(
        "Edges of one colour",
        "Edges of red minus edges of blue. Which edges of the picture are gone?",
        {"c-rgb-kernel": "sobel-x", "c-rgb-red": 1.0, "c-rgb-green": 0.0, "c-rgb-blue": -1.0},
    ),
]
MATRICES_TO_TRY = [
    page.Setting(
        "One channel in",
        "With a single input channel there is nothing to mix. What is left of the kernel?",
        {"c-one-in": 1, "c-one-out": 3},
    ),
    page.Setting(
        "Fewer channels",
        "Four channels become one. What would you use that for in a large network?",
        {"c-one-input": 4, "c-one-in": 4, "c-one-out": 1},
    ),
    page.Setting(
        "One pixel",
        "A picture of one pixel is a list of numbers. Which layer is this now?",
        {"c-one-input": 1, "c-one-in": 4, "c-one-out": 4},
    ),
]
COSTS_TO_TRY = [
    page.Setting(
        "LeNet's second",
        "6 channels in, 16 out, on 14 x 14. Which of LeNet's two convolutions has more weights?",
        {"c-cost-input": 14, "c-cost-padding": 0, "c-cost-in": 6, "c-cost-out": 16},
    ),
    page.Setting(
        "A deep layer",
        "512 to 512 channels on a small picture. What would half of both cost?",
        {
            "c-cost-input": 14,
            "c-cost-kernel": 3,
            "c-cost-padding": 1,
            "c-cost-in": 512,
            "c-cost-out": 512,
        },
    ),
    page.Setting(
        "Depthwise",
        "As many groups as channels. How many times fewer weights than with one group?",
        {
            "c-cost-kernel": 3,
            "c-cost-padding": 1,
            "c-cost-in": 32,
            "c-cost-out": 32,
            "c-cost-groups": 32,
        },
    ),
    page.Setting(
        "Only mixing",
        "1 x 1 from 256 to 64 channels. How much would 3 x 3 cost in its place?",
        {"c-cost-kernel": 1, "c-cost-padding": 0, "c-cost-in": 256, "c-cost-out": 64},
    ),
]


@dataclass(frozen=True, eq=False)
class Example:
    """An input, shape (1, C_in, H, W), a weight, and the Python that makes both."""

    x: np.ndarray
    weight: np.ndarray
    code: str


def counting(in_channels: int, out_channels: int, **sizes: int) -> Example:
    x, weight = examples.counting(in_channels, out_channels, **sizes)
    return Example(x, weight, f"counting({in_channels}, {out_channels}, {arguments(sizes)})")


def drawn(in_channels: int, out_channels: int, **sizes: int) -> Example:
    x, weight = examples.drawn(in_channels, out_channels, **sizes)
    return Example(x, weight, f"drawn({in_channels}, {out_channels}, {arguments(sizes)})")


def arguments(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items())


def written(number: float) -> str:
    # Sums of weights with three decimals are exact with three decimals.
    return f"{round(float(number), 3):z.7g}"


def term(number: float) -> str:
    text = written(number)
    return f"({text})" if text.startswith("-") else text


def added(numbers: Iterable[float]) -> str:
    return " + ".join(term(number) for number in numbers)


def multiplied(first: np.ndarray, second: np.ndarray) -> str:
    return " + ".join(f"{term(a)} · {term(b)}" for a, b in zip(first.flat, second.flat, strict=True))


def latex(number: int) -> str:
    return f"{number:,}".replace(",", r"{,}")


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def choose_channels(prefix: str, defaults: tuple[int, int], *, most: int = MAX_CHANNELS) -> tuple[int, int]:
    first, second = st.columns(2, wrap=False)
    with first:
        in_channels = controls.integer(IN, key=f"{prefix}in", default=defaults[0], low=1, high=most)
    with second:
        out_channels = controls.integer(OUT, key=f"{prefix}out", default=defaults[1], low=1, high=most)
    return in_channels, out_channels


def choose_output_channel(prefix: str, count: int) -> int:
    return controls.integer("Output channel", key=f"{prefix}at-channel", default=0, low=0, high=count - 1)


def choose_place(prefix: str, shape: tuple[int, int]) -> tuple[int, int]:
    first, second = st.columns(2, wrap=False)
    with first:
        row = controls.integer("Output row", key=f"{prefix}at-row", default=0, low=0, high=shape[0] - 1)
    with second:
        column = controls.integer(
            "Output column", key=f"{prefix}at-column", default=0, low=0, high=shape[1] - 1
        )
    return row, column


@st.fragment
def sum_over_channels() -> None:
    st.header("Sum over input channels", anchor="sum")
    left, right = st.columns([2, 3], gap="large")
    with left:
        example, bias, padding = choose_numbers()
        chosen = choose_output_channel("c-sum-", len(bias))
    y = ops.conv2d(example.x, example.weight, bias, padding=padding)[0]
    with right:
        at = (chosen, *choose_place("c-sum-", y.shape[1:]))
        show_sum(example, bias, y, at=at, padding=padding)
    page.try_this(SUMS_TO_TRY, prefix="c-sum-")
    explain_sum(example.weight.shape)
    page.in_code(**sum_code(example.code, bias, padding))


def choose_numbers() -> tuple[Example, np.ndarray, int]:
    kind = controls.choice("Numbers", [COUNTING, DRAWN], key="c-sum-numbers")
    size = controls.integer("Input size", key="c-sum-input", default=3, low=3, high=MAX_SMALL_INPUT)
    largest = min(MAX_SMALL_KERNEL, max_kernel_size(size))
    kernel_size = controls.integer("Kernel size", key="c-sum-kernel", default=2, low=1, high=largest)
    padding = controls.integer("Padding", key="c-sum-padding", default=0, low=0, high=MAX_SMALL_PADDING)
    counts = choose_channels("c-sum-", (2, 3))
    bias = controls.integer(
        "Bias",
        key="c-sum-bias",
        default=0,
        low=-MAX_BIAS,
        high=MAX_BIAS,
        help="Each output channel has a bias of its own. Here all have the same.",
    )
    if kind == COUNTING:
        example = counting(*counts, input_size=size, kernel_size=kernel_size)
    else:
        seed = controls.integer("Seed", key="c-sum-seed", default=0, low=0, high=MAX_SEED)
        example = drawn(*counts, input_size=size, kernel_size=kernel_size, seed=seed)
    return example, np.full(counts[1], bias), padding


def show_sum(
    example: Example, bias: np.ndarray, y: np.ndarray, *, at: tuple[int, int, int], padding: int
) -> None:
    chosen, row, column = at
    x, weight = example.x, example.weight[chosen]
    partials = ops.conv2d(x, weight[:, None], groups=len(weight), padding=padding)[0]
    terms = ops.conv2d_terms(x, example.weight, at=(0, *at), padding=padding)
    totals = terms.products.sum(axis=(1, 2))
    end = f" + {term(bias[chosen])} (bias)" if bias[chosen] else ""
    words = f"Output channel {chosen}, row {row}, column {column}: {added(totals)}{end} = {y[at]:g}"
    fig = plots.channel_sum(
        x[0], weight, partials, y, at=at, padding=padding, bias=bias[chosen], palette=page.palette()
    )
    seen = f"{counted(len(weight), 'input channel')}, each with its kernel and its partial result"
    page.figure(fig, key="c-sum-figure", alt=f"{seen}; {counted(len(y), 'output channel')}. {words}")
    page.reading(words)
    lines = zip(terms.window, terms.weight, totals, strict=True)
    st.markdown(
        "  \n".join(
            f"channel {channel}: {multiplied(window, kernel)} = {total:g}"
            for channel, (window, kernel, total) in enumerate(lines)
        )
    )
    st.caption(
        "Framed: one window in each channel, and the output that they make together. The other outputs are "
        "pale. Point at a cell to see its number."
    )


def explain_sum(shape: tuple[int, int, int, int]) -> None:
    out_channels, in_channels, height, width = shape
    page.explanation()
    st.latex(
        r"y_{o,i,j} = b_o + \sum_{c=0}^{" + str(in_channels - 1) + r"} \underbrace{\sum_{u,v} "
        r"w_{o,c,u,v}\; x_{c,\,i+u,\,j+v}}_{\text{partial result of channel } c}"
    )
    st.markdown(
        "- An output channel has one kernel for each input channel. Together they have the shape "
        f"$(C_{{in}}, k_H, k_W) = ({in_channels}, {height}, {width})$.\n"
        "- Each kernel slides over its own channel only, with its padding. The partial results are then "
        f"**added**, and the bias too. So {counted(in_channels, 'input channel')} and "
        f"{counted(in_channels, 'kernel')} make one output channel.\n"
        f"- The layer has {counted(out_channels, 'output channel')}. Its weight has the shape "
        f"$(C_{{out}}, C_{{in}}, k_H, k_W) = {shape}$. These are {out_channels} · {in_channels} = "
        f"{counted(out_channels * in_channels, 'kernel')}.\n"
        "- Pooling is different. It treats each channel by itself and adds none of them up. So it keeps the "
        "number of channels, and a convolution chooses it."
    )


def sum_code(example: str, bias: np.ndarray, padding: int) -> dict[str, str]:
    ours = (
        "import numpy as np\nfrom cnn_core import examples, ops\n\n"
        f"x, weight = examples.{example}\nbias = np.array({bias.tolist()})\n"
        f"y = ops.conv2d(x, weight, bias, padding={padding})\n"
    )
    torch = (
        "import torch\nfrom torch.nn import functional as F\nfrom cnn_core import examples\n\n"
        f"x, weight = map(torch.tensor, examples.{example})\nbias = torch.tensor({bias.tolist()})\n"
        f"y = F.conv2d(x, weight, bias, padding={padding})\n"
    )
    return {"ours": ours, "torch": torch}


@st.fragment
def colours_apart() -> None:
    st.header("A colour picture taken apart", anchor="colour")
    left, right = st.columns([2, 3], gap="large")
    with left:
        name, kernel, colour_weights = choose_colours()
    with right:
        show_colours(load_picture(name), colour_weights, kernel)
    page.try_this(COLOURS_TO_TRY, prefix="c-rgb-")
    explain_colours(colour_weights, kernel)
    page.in_code(**colour_code(name, colour_weights, kernel))


def choose_colours() -> tuple[str, np.ndarray, np.ndarray]:
    name = controls.choice(
        "Picture",
        PICTURES,
        key="c-rgb-picture",
        default="astronaut",
        format=lambda name: images.IMAGES[name].title,
        as_list=True,
    )
    picture = images.IMAGES[name]
    st.caption(f"By {picture.credit} ({picture.licence}).")
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
    words = f"In the middle of the picture: {added(middle)} = {written(total[row, column])}"
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


def explain_colours(colour_weights: np.ndarray, kernel: np.ndarray) -> None:
    page.explanation()
    st.markdown(
        "- A colour picture has three channels. White in the red channel means: much red here. A grey or "
        "white thing is equally bright in all three.\n"
        f"- The kernel has the shape $(3, {kernel.shape[0]}, {kernel.shape[1]})$: a part for each colour. The "
        "three partial results are added to **one** picture. The colours are gone, because one output "
        "channel has one number for each pixel.\n"
        f"- {what_weights_mean(colour_weights.sum(), kernel.sum())}\n"
        "- A network learns a different kernel for each colour. Here it is one kernel times three weights, "
        "to keep the controls few."
    )


def what_weights_mean(of_colours: float, of_kernel: float) -> str:
    if of_kernel == 0:
        return "The numbers of this kernel add up to 0. An even area gives 0, so only edges are left."
    if abs(of_colours) < 0.0005:
        return "The weights add up to 0. A grey pixel gives 0, so only colour counts."
    if abs(of_colours - 1) < 0.0005:
        return "The weights add up to 1. A grey pixel keeps its value."
    return f"The weights add up to {of_colours:.4g}. A grey pixel is multiplied by this number."


def colour_code(name: str, colour_weights: np.ndarray, kernel: np.ndarray) -> dict[str, str]:
    load = f'picture = images.load("{name}", size={PICTURE_SIZE})\n'
    ours = (
        f"import numpy as np\nfrom cnn_core import images, ops\n\n{load}"
        "x = np.moveaxis(picture, 2, 0)[None]\n"
        f"kernel = np.array({kernel.tolist()})\n"
        f"weight = np.array({colour_weights.tolist()})\n"
        "y = ops.conv2d(x, weight.reshape(1, 3, 1, 1) * kernel)\n"
    )
    torch = (
        "import torch\nfrom torch.nn import functional as F\nfrom cnn_core import images\n\n"
        f"{load}x = torch.tensor(picture, dtype=torch.float64).permute(2, 0, 1)[None]\n"
        f"kernel = torch.tensor({kernel.tolist()})\n"
        f"weight = torch.tensor({colour_weights.tolist()}, dtype=torch.float64)\n"
        "y = F.conv2d(x, weight.reshape(1, 3, 1, 1) * kernel)\n"
    )
    return {"ours": ours, "torch": torch}


@st.fragment
def pixels_and_matrix() -> None:
    st.header("1 x 1: a matrix product over the pixels", anchor="one-by-one")
    left, right = st.columns([2, 3], gap="large")
    with left:
        size = controls.integer("Input size", key="c-one-input", default=3, low=1, high=4)
        counts = choose_channels("c-one-", (3, 2))
        seed = controls.integer("Seed", key="c-one-seed", default=0, low=0, high=MAX_SEED)
        chosen = choose_output_channel("c-one-", counts[1])
    example = drawn(*counts, input_size=size, kernel_size=1, seed=seed)
    with right:
        at = (chosen, *choose_place("c-one-", (size, size)))
        show_matrix(example.x, example.weight, at=at)
    page.try_this(MATRICES_TO_TRY, prefix="c-one-")
    explain_matrix(example.weight.shape, size)
    page.in_code(**matrix_code(example.code))


def show_matrix(x: np.ndarray, weight: np.ndarray, *, at: tuple[int, int, int]) -> None:
    matrix = weight[:, :, 0, 0]
    by_convolution = ops.conv2d(x, weight)[0]
    by_product = matrix @ x.reshape(x.shape[1], -1)
    difference = np.abs(by_convolution - by_product.reshape(by_convolution.shape)).max()
    chosen, row, column = at
    words = (
        f"Output channel {chosen}, row {row}, column {column}: "
        f"{multiplied(matrix[chosen], x[0, :, row, column])} = {by_convolution[at]:g}"
    )
    fig = plots.pixels_as_columns(x[0], matrix, by_convolution, at=at, palette=page.palette())
    page.figure(
        fig,
        key="c-one-figure",
        alt=f"Above, a 1 x 1 convolution on pictures. Below, the same as a matrix product. {words}",
    )
    page.reading(words)
    st.markdown(
        f"Both ways computed, as a convolution and as a matrix product: {counted(by_product.size, 'number')}, "
        f"largest difference **{difference:.3g}**."
    )


def explain_matrix(shape: tuple[int, ...], size: int) -> None:
    out_channels, in_channels = shape[:2]
    page.explanation()
    st.latex(
        rf"\underbrace{{Y}}_{{{out_channels} \times {size**2}}} = \underbrace{{W}}_{{{out_channels} \times "
        rf"{in_channels}}} \; \underbrace{{X}}_{{{in_channels} \times {size**2}}}"
    )
    st.markdown(
        "- In the lower half the pictures are unrolled. Each row is a channel, each column one of the "
        f"{size} · {size} = {counted(size**2, 'pixel')}. A row of weights times a column of pixels gives the "
        "number where the two meet.\n"
        "- So a 1 x 1 convolution is **a fully connected layer applied at each pixel**. It makes "
        f"{counted(out_channels, 'number')} out of {in_channels}, with the same weights at each place.\n"
        "- It does not look at the neighbours. It only mixes channels. Networks use it to change the number "
        "of channels cheaply.\n"
        "- With whole numbers the difference is exactly 0. With decimal fractions the last digit may differ, "
        "because each way may add in another order."
    )


def matrix_code(example: str) -> dict[str, str]:
    ours = (
        "import numpy as np\nfrom cnn_core import examples, ops\n\n"
        f"x, weight = examples.{example}\ny = ops.conv2d(x, weight)\n\n"
        "product = weight[:, :, 0, 0] @ x.reshape(x.shape[1], -1)\n"
        "print(np.abs(y - product.reshape(y.shape)).max())\n"
    )
    torch = (
        "import torch\nfrom torch.nn import functional as F\nfrom cnn_core import examples\n\n"
        f"x, weight = map(torch.tensor, examples.{example})\n"
        'y = torch.einsum("oc,nchw->nohw", weight[:, :, 0, 0], x)\n\n'
        "print((y - F.conv2d(x, weight)).abs().max())\n"
    )
    return {"ours": ours, "torch": torch}


@st.fragment
def cost() -> None:
    st.header("What channels cost", anchor="cost")
    left, right = st.columns([2, 3], gap="large")
    with left:
        layer, input_shape = choose_layer()
        varied = controls.choice("Along the chart", [OUT, IN], key="c-cost-varied")
    with right:
        show_cost(layer, input_shape, varied=varied)
    page.try_this(COSTS_TO_TRY, prefix="c-cost-")
    explain_cost(layer, input_shape)
    page.in_code(**cost_code(layer, input_shape))


def choose_layer() -> tuple[Conv, tuple[int, int, int]]:
    size = controls.integer("Input size", key="c-cost-input", default=28, low=1, high=MAX_INPUT)
    first, second = st.columns(2, wrap=False)
    with second:
        padding = controls.integer("Padding", key="c-cost-padding", default=2, low=0, high=MAX_PADDING)
    with first:
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
    this, flat = convolution(layer, input_shape), dense(layer, input_shape)
    ratio = flat.num_params / this.num_params
    grouped = f", {layer.groups} groups" if layer.groups > 1 else ""
    words = (
        f"{written_shape(this.input_shape)} in, {written_shape(this.output_shape)} out{grouped}: "
        f"{this.num_params:,} parameters, {this.mult_adds:,} mult-adds"
    )
    fig = plots.costs(steps, lines, now=now, axis_title=varied, palette=page.palette())
    page.figure(
        fig, key="c-cost-figure", alt=f"Parameters and mult-adds for more and more {varied.lower()}. {words}"
    )
    page.reading(words)
    st.markdown(
        f"A dense layer from the same inputs to the same outputs has {flat.num_params:,} parameters, about "
        f"{ratio:,.{0 if ratio >= 10 else 2}f} times as many."
    )


def written_shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)


def explain_cost(layer: Conv, input_shape: tuple[int, int, int]) -> None:
    this, flat = convolution(layer, input_shape), dense(layer, input_shape)
    out_channels, out_height, out_width = this.output_shape
    seen, kernel_size = input_shape[0] // layer.groups, layer.kernel_size[0]
    page.explanation()
    derivations = (
        ("parameters", r"C_{out} \left( \tfrac{C_{in}}{g}\, k^2 + 1 \right)"),
        ("mult-adds", r"C_{out}\, \tfrac{C_{in}}{g}\, k^2\, H_{out} W_{out}"),
        ("dense layer", r"(C_{in} H W + 1)\; C_{out} H_{out} W_{out}"),
    )
    filled_in = (
        rf"{out_channels} \cdot ({seen} \cdot {kernel_size}^2 + 1)",
        rf"{out_channels} \cdot {seen} \cdot {kernel_size}^2 \cdot {out_height} \cdot {out_width}",
        rf"({latex(flat.input_shape[0])} + 1) \cdot {latex(flat.output_shape[0])}",
    )
    results = (this.num_params, this.mult_adds, flat.num_params)
    for column, (name, formula), numbers, result in zip(
        st.columns(3), derivations, filled_in, results, strict=True
    ):
        column.latex(
            rf"\begin{{aligned}} &\text{{{name}}} \\ &= {formula} \\ &= {numbers} \\ "
            rf"&= {latex(result)} \end{{aligned}}"
        )
    st.markdown(
        "- The size of the picture does not count for the **parameters**, because all places share the same "
        "kernels. A dense layer has a weight for each pair of an input and an output.\n"
        "- Each weight is multiplied once for each output place. So a larger picture costs more "
        "**mult-adds**. One mult-add is a multiplication and an addition. The bias is not counted.\n"
        "- Twice the channels out: twice the weights. Twice the channels on both sides: four times the "
        "weights.\n"
        "- With $g$ **groups**, an output sees only one part in $g$ of the inputs. One part in $g$ of the "
        "weights is left. As many groups as input channels (depthwise) mix no channels at all. A 1 x 1 "
        "convolution after it mixes them."
    )


def cost_code(layer: Conv, input_shape: tuple[int, int, int]) -> dict[str, str]:
    sizes = {"kernel_size": layer.kernel_size[0], "stride": layer.stride[0], "padding": layer.padding[0]}
    written_sizes = arguments(sizes | {"groups": layer.groups})
    ours = (
        "from cnn_core.network import Conv, Network\nfrom cnn_core.summary import summarize\n\n"
        f"layer = Conv({layer.out_channels}, {written_sizes})\n"
        f"summary = summarize(Network([layer]), {input_shape})[0]\ny = summary.num_params\n"
    )
    torch = (
        "from torch import nn\n\n"
        f'layer = nn.Conv2d({input_shape[0]}, {layer.out_channels}, {written_sizes}, device="meta")\n'
        "y = sum(parameter.numel() for parameter in layer.parameters())\n"
    )
    return {"ours": ours, "torch": torch}


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
