from functools import partial

import streamlit as st

from cnn_core.geometry import (
    PADDING_PRESETS,
    Axis,
    max_dilation,
    max_kernel_size,
    max_pool_padding,
    output_size,
    tensorflow_same_padding,
    total_padding,
)
from cnn_core.plots.windows import windows
from ui import controls, page

MAX_INPUT, MAX_PADDING, MAX_KERNEL, MAX_STRIDE, MAX_DILATION = 256, 12, 13, 8, 6
DEFAULTS = {"input": 7, "before": 0, "after": 0, "kernel": 3, "dilation": 1, "stride": 1}
FLOOR, CEIL = "floor", "ceil"


def choose_axis(prefix: str, *, ceil_mode: bool) -> Axis:
    integer = partial(choose, prefix)
    input_size = integer("Input size", "input", 1, MAX_INPUT)
    left, right = st.columns(2, wrap=False)
    with left:
        before = integer("Padding before", "before", 0, MAX_PADDING)
    with right:
        after = integer("Padding after", "after", 0, MAX_PADDING)
    padding = (before, after)
    largest = min(MAX_KERNEL, max_kernel_size(input_size, padding=padding))
    left, right = st.columns(2, wrap=False)
    with left:
        kernel_size = integer("Kernel size", "kernel", 1, largest)
    widest = min(MAX_DILATION, max_dilation(input_size, kernel_size, padding=padding))
    with right:
        dilation = integer("Dilation", "dilation", 1, widest)
    stride = integer("Stride", "stride", 1, MAX_STRIDE)
    return Axis(input_size, kernel_size, stride, padding, dilation, ceil_mode)


def choose(prefix: str, label: str, name: str, low: int, high: int) -> int:
    return controls.integer(label, key=f"{prefix}{name}", default=DEFAULTS[name], low=low, high=high)


def values_of(prefix: str, axis: Axis) -> dict[str, int]:
    before, after = axis.padding
    values = (axis.input_size, before, after, axis.kernel_size, axis.dilation, axis.stride)
    return {f"{prefix}{name}": value for name, value in zip(DEFAULTS, values, strict=True)}


def choose_axes() -> tuple[Axis, Axis]:
    alike = controls.switch("Height and width alike", key="ps-alike", default=True)
    ceil_mode = (
        controls.choice(
            "Rounding",
            [FLOOR, CEIL],
            key="ps-rounding",
            help="Convolutions round down. PyTorch's pooling layers can also round up (ceil_mode=True).",
        )
        == CEIL
    )
    if alike:
        height = width = choose_axis("ps-h-", ceil_mode=ceil_mode)
        # When the two are told apart, the width starts where the height stands.
        controls.set_values(values_of("ps-w-", height))
    else:
        first, second = st.columns(2)
        with first:
            st.markdown("**Height** (rows)")
            height = choose_axis("ps-h-", ceil_mode=ceil_mode)
        with second:
            st.markdown("**Width** (columns)")
            width = choose_axis("ps-w-", ceil_mode=ceil_mode)
    offer_presets(height, width)
    return height, width


def offer_presets(height: Axis, width: Axis) -> None:
    st.caption("Padding for this kernel")
    row = st.container(horizontal=True)
    for name, padding_of in PADDING_PRESETS.items():
        values = {}
        for prefix, axis in (("ps-h-", height), ("ps-w-", width)):
            sides = padding_of(axis.kernel_size, dilation=axis.dilation)
            before, after = (min(side, MAX_PADDING) for side in sides)
            values |= {f"{prefix}before": before, f"{prefix}after": after}
        row.button(name, key=f"ps-preset-{name}", on_click=controls.set_values, args=(values,))


def choose_output(height: Axis, width: Axis) -> tuple[int, int]:
    first, second = st.columns(2, wrap=False)
    with first:
        row = controls.integer("Output row", key="ps-row", default=0, low=0, high=height.output_size - 1)
    with second:
        column = controls.integer(
            "Output column", key="ps-column", default=0, low=0, high=width.output_size - 1
        )
    return row, column


def both(first: object, second: object) -> str:
    return str(first) if first == second else f"{first} x {second}"


def sides(axis: Axis) -> str:
    before, after = axis.padding
    return str(before) if before == after else f"{before} before and {after} after"


def rest(axis: Axis, one: str, many: str) -> str:
    if axis.overhang:
        return f"the last window hangs over by {axis.overhang} {one if axis.overhang == 1 else many}"
    if not axis.left_over:
        return ""
    only_padding = " of padding" if axis.left_over <= axis.padding[1] else ""
    return f"{axis.left_over} {one if axis.left_over == 1 else many}{only_padding} left over"


def read_out(height: Axis, width: Axis) -> str:
    left = " and ".join(filter(None, (rest(height, "row", "rows"), rest(width, "column", "columns"))))
    dilation = both(height.dilation, width.dilation)
    return (
        f"{height.input_size} x {width.input_size} in, kernel {both(height.kernel_size, width.kernel_size)}, "
        f"stride {both(height.stride, width.stride)}, padding {both(sides(height), sides(width))}"
        f"{'' if dilation == '1' else f', dilation {dilation}'}: "
        f"{height.output_size} x {width.output_size} out, {left or 'nothing left over'}."
    )


def formula(axis: Axis, name: str) -> str:
    before, after = axis.padding
    kernel, dilation = axis.kernel_size, axis.dilation
    left, right = (r"\left\lceil", r"\right\rceil") if axis.ceil_mode else (r"\left\lfloor", r"\right\rfloor")
    steps = (
        r"n + p_\text{before} + p_\text{after} - (d\,(k - 1) + 1)",
        rf"{axis.input_size} + {before} + {after} - ({dilation}\cdot({kernel} - 1) + 1)",
        axis.travel,
    )
    strides = ("s", axis.stride, axis.stride)
    fractions = [
        rf"{left} \frac{{{step}}}{{{stride}}} {right} + 1"
        for step, stride in zip(steps, strides, strict=True)
    ]
    return rf"\text{{{name}}} &= " + r" \\ &= ".join(fractions)


def show_formula(height: Axis, width: Axis) -> None:
    axes = {"height": height} if height == width else {"height": height, "width": width}
    for name, axis in axes.items():
        st.latex(rf"\begin{{aligned}} {formula(axis, name)} = {axis.rounded_size} \end{{aligned}}")
        if axis.rounded_size != axis.output_size:
            st.markdown(
                f"PyTorch drops the last of these {axis.rounded_size} windows, because it would start in the padding "
                f"after the picture. So the {name} of the output is **{axis.output_size}**."
            )


def book_formula(axis: Axis) -> str:
    kernel, total = axis.effective_kernel_size, total_padding(axis.padding)
    size = output_size(axis.input_size, kernel, stride=axis.stride, padding=axis.padding)
    return (
        r"\begin{aligned} &\left\lfloor (n - k + p + s) / s \right\rfloor \\ &= \left\lfloor "
        rf"({axis.input_size} - {kernel} + {total} + {axis.stride}) / {axis.stride} \right\rfloor = {size}"
        r" \end{aligned}"
    )


def tensorflow_sides(axis: Axis) -> tuple[int, int]:
    return tensorflow_same_padding(
        axis.input_size, axis.kernel_size, stride=axis.stride, dilation=axis.dilation
    )


def compare_conventions(height: Axis, width: Axis) -> None:
    axes = [("height", height)] if height == width else [("height", height), ("width", width)]
    st.subheader("Three ways to count padding", anchor=False)
    book, pytorch, tensorflow = st.columns(3)
    with book.container(border=True, height="stretch"):
        st.markdown("**The book** counts both sides together: the *total* padding.")
        for name, axis in axes:
            st.markdown(f"{name.capitalize()}: total padding $p = {total_padding(axis.padding)}$")
            st.latex(book_formula(axis))
        if any(axis.dilation > 1 for _, axis in axes):
            st.markdown("The book has no dilation. Here $k$ is the dilated size, $d(k-1)+1$.")
        st.markdown("Its formula rounds down. Put a padding *per side* into it, and the answer is wrong.")
    with pytorch.container(border=True, height="stretch"):
        st.markdown("**PyTorch** counts the padding *per side*.")
        for name, axis in axes:
            before, after = axis.padding
            written = (
                f"`padding={before}`"
                if before == after
                else f"{before} before, {after} after: pad first with `F.pad`"
            )
            st.markdown(f"{name.capitalize()}: {written}, output {axis.output_size}")
        st.markdown("One number stands for both sides. It adds twice as many pixels as it says.")
    with tensorflow.container(border=True, height="stretch"):
        st.markdown('**TensorFlow** takes a word: `"valid"` or `"same"`.')
        for name, axis in axes:
            before, after = tensorflow_sides(axis)
            same = output_size(
                axis.input_size,
                axis.kernel_size,
                stride=axis.stride,
                padding=(before, after),
                dilation=axis.dilation,
            )
            verdict = "as set here" if (before, after) == axis.padding else "not what is set here"
            st.markdown(
                f'{name.capitalize()}: `"same"` pads {before} before and {after} after, '
                f"output {same} ({verdict})"
            )
        st.markdown(
            '`"same"` keeps the size at stride 1 only. In general it gives $\\lceil n / s \\rceil$ outputs, '
            "and an odd pixel goes after the picture."
        )


def tried_settings() -> list[page.Setting]:
    return [
        page.Setting(
            "Keep the size",
            "Kernel 5 and padding 2 give 28 out of 28. Which padding does kernel 7 need?",
            {"ps-h-input": 28, "ps-h-kernel": 5, "ps-h-before": 2, "ps-h-after": 2},
        ),
        page.Setting(
            "Lose a row",
            "Stride 2 on 8 pixels: the last row and column are never looked at. Which input sizes lose none?",
            {"ps-h-input": 8, "ps-h-stride": 2},
        ),
        page.Setting(
            "The book's odd one",
            "8 x 8, kernel 3 x 5, padding 0 and 1, stride 3 and 4. Can you get 2 x 2 by hand?",
            {
                "ps-alike": False,
                "ps-h-input": 8,
                "ps-w-input": 8,
                "ps-h-kernel": 3,
                "ps-w-kernel": 5,
                "ps-w-before": 1,
                "ps-w-after": 1,
                "ps-h-stride": 3,
                "ps-w-stride": 4,
            },
        ),
        page.Setting(
            "Same, with stride",
            "224 pixels, kernel 3, stride 2. PyTorch's padding 1 and TensorFlow's same both give 112. "
            "Do they look at the same pixels?",
            {"ps-h-input": 224, "ps-h-kernel": 3, "ps-h-before": 1, "ps-h-after": 1, "ps-h-stride": 2},
        ),
    ]


def explain(height: Axis, width: Axis) -> None:
    page.explanation()
    show_formula(height, width)
    st.markdown(
        "The first window takes up $d(k-1)+1$ pixels of the padded input. The rest can be travelled. Each "
        "step goes $s$ pixels, so the number of steps is a division. The first window makes the $+1$."
    )
    st.markdown(
        "- **Padding** lets the kernel reach the border. Without it, each layer shrinks the picture, and "
        "border pixels are seen by fewer windows than the others.\n"
        "- **Stride** skips places. The output gets smaller by about the factor $s$. When the division "
        "leaves a rest, the last rows or columns are never seen.\n"
        "- **Dilation** spreads the kernel. It sees further with the same number of weights.\n"
        "- An even kernel cannot be centred on a pixel. Its same padding is one pixel larger on one side."
    )


def conv_arguments(height: Axis, width: Axis) -> str:
    return f"stride=({height.stride}, {width.stride}), dilation=({height.dilation}, {width.dilation})"


def pytorch_conv(height: Axis, width: Axis) -> tuple[str, str]:
    shape = f"1, 1, {height.input_size}, {width.input_size}"
    kernel = f"{height.kernel_size}, {width.kernel_size}"
    (top, bottom), (left, right) = height.padding, width.padding
    arguments = conv_arguments(height, width)
    ours = (
        "import numpy as np\nfrom cnn_core import ops\n\n"
        f"x = np.arange({height.input_size * width.input_size}, dtype=np.float32).reshape({shape})\n"
        f"weight = np.ones((1, 1, {kernel}), dtype=np.float32)\n"
        f"y = ops.conv2d(x, weight, padding={(height.padding, width.padding)}, {arguments})\n"
    )
    if top == bottom and left == right:
        pad, padding = "", f"padding=({top}, {left}), "
    else:
        pad, padding = f"x = F.pad(x, ({left}, {right}, {top}, {bottom}))\n", ""
    torch = (
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n"
        f"x = torch.arange({height.input_size * width.input_size}.0).reshape({shape})\n{pad}"
        f"layer = nn.Conv2d(1, 1, ({kernel}), {padding}{arguments}, bias=False)\n"
        "nn.init.ones_(layer.weight)\n"
        "y = layer(x).detach()\n"
    )
    return ours, torch


def pytorch_pool(height: Axis, width: Axis) -> tuple[str, str]:
    shape = f"1, 1, {height.input_size}, {width.input_size}"
    arguments = (
        f"({height.kernel_size}, {width.kernel_size}), stride=({height.stride}, {width.stride}), "
        f"padding=({height.padding[0]}, {width.padding[0]}), "
        f"dilation=({height.dilation}, {width.dilation}), ceil_mode=True"
    )
    ours = (
        "import numpy as np\nfrom cnn_core import ops\n\n"
        f"x = np.arange({height.input_size * width.input_size}, dtype=np.float32).reshape({shape})\n"
        f"y = ops.pool2d(x, {arguments})\n"
    )
    torch = (
        "import torch\nfrom torch import nn\n\n"
        f"x = torch.arange({height.input_size * width.input_size}.0).reshape({shape})\n"
        f"y = nn.MaxPool2d({arguments})(x)\n"
    )
    return ours, torch


def show_code(height: Axis, width: Axis) -> None:
    if not height.ceil_mode:
        ours, torch = pytorch_conv(height, width)
        page.in_code(ours=ours, torch=torch)
    elif all(
        axis.padding[0] == axis.padding[1] <= max_pool_padding(axis.kernel_size) for axis in (height, width)
    ):
        ours, torch = pytorch_pool(height, width)
        page.in_code(ours=ours, torch=torch)
    else:
        st.info(
            "No layer of PyTorch does this. Only pooling rounds up, and pooling wants the same padding on "
            "both sides, at most half of the window."
        )


def main() -> None:
    page.header(
        "Padding & stride",
        "How large is the output, and which pixels does it see?",
        ideas=["output size", "padding per side and in total", "stride", "dilation"],
    )
    left, right = st.columns([2, 3], gap="large")
    with left:
        height, width = choose_axes()
    with right:
        at = choose_output(height, width)
        words = read_out(height, width)
        page.figure(windows(height, width, at=at, palette=page.palette()), key="ps-figure", alt=words)
        page.reading(words)
        st.caption(
            "A dot is the centre of a window. Hatched: padding. Hatched and dark: left over. "
            "The coloured window makes the coloured output."
        )
    page.try_this(tried_settings(), prefix="ps-")
    explain(height, width)
    compare_conventions(height, width)
    show_code(height, width)


main()
