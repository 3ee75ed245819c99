"""The parameter problem: how many weights a hidden layer takes, dense, local and shared."""

import streamlit as st

from cnn_core.connections import Connections, feature_maps
from cnn_core.plots.connections import count_bars
from ui import controls, page
from ui.chapter import predict, why_questions
from ui.page import Setting
from ui.wording import count

LOOK = "the weights"
UNITS, MAPS = "single units", "feature maps"
MAX_SIZE, MAX_CHANNELS, MAX_MAPS, MAX_UNITS, MAX_KERNEL = 2048, 64, 256, 10_000_000, 31
BYTES = 4
NEXT_LINE = r" \\ "

SETTINGS = [
    Setting(
        "A small grey picture",
        "28 x 28 pixels, 128 hidden units. How many weights has each unit? How many have all of them?",
        {"w-hidden": UNITS, "w-units": 128},
    ),
    Setting(
        "A larger colour picture",
        "224 x 224 pixels in colour, again 128 units. How many times as many weights? Does local change at all?",
        {"w-size": 224, "w-channels": 3, "w-hidden": UNITS, "w-units": 128},
    ),
    Setting(
        "One megapixel",
        "A million pixels, 1,000 units, windows that reach 10 pixels each way. How many weights are left at the end?",
        {"w-size": 1000, "w-hidden": UNITS, "w-units": 1000, "w-window": 21},
    ),
    Setting(
        "A million units",
        "One feature map as large as the megapixel. Which of the three counts does not care how large it is?",
        {"w-size": 1000, "w-maps": 1, "w-window": 21},
    ),
]

RESERVED = {"w-units": 128, "w-maps": 6}


def show() -> None:
    """Show the counts for the visitor's numbers."""
    left, right = st.columns([1, 2], gap="large")
    with left:
        layer = choose()
    counts = {
        "Dense: each unit sees everything": layer.dense,
        "Local: each unit sees its window": layer.local,
        "Shared: the windows share their weights": layer.shared,
    }
    with right:
        figure = count_bars(counts, palette=page.palette())
        words = "; ".join(f"{name}: {number:,}" for name, number in counts.items())
        page.figure(figure, key="w-counts", alt=f"Weights on a scale of powers of ten. {words}")
        page.reading(read(layer))
        st.caption(
            "The scale counts powers of ten: one power further to the right is ten times as many. "
            + (
                "Weights and biases are counted."
                if layer.has_bias
                else "Weights are counted, biases are not."
            )
        )
    page.try_this(SETTINGS, prefix="w-")
    limits = {"units": UNITS, "maps": MAPS, "max_size": MAX_SIZE}
    predict.ask(why_questions.weights(layer, **limits), prefix="w-")
    page.explanation()
    st.latex(write_formulas(layer))
    st.markdown(explain(layer))
    page.in_code(**write_code(layer))


def choose() -> Connections:
    """Choose the layer."""
    size = controls.integer("Picture size", key="w-size", default=28, low=1, high=MAX_SIZE, as_box=True)
    channels = controls.integer(
        "Input channels", key="w-channels", default=1, low=1, high=MAX_CHANNELS, as_box=True
    )
    hidden = controls.choice(
        "Hidden layer of",
        [UNITS, MAPS],
        key="w-hidden",
        default=MAPS,
        help="Single units: as many as you say. Feature maps: a unit for each pixel, in several layers.",
    )
    if hidden == UNITS:
        number = controls.integer(
            "Hidden units", key="w-units", default=128, low=1, high=MAX_UNITS, as_box=True
        )
    else:
        number = controls.integer("Feature maps", key="w-maps", default=6, low=1, high=MAX_MAPS, as_box=True)
    kernel_size = controls.integer(
        "Kernel size",
        key="w-window",
        default=5,
        low=1,
        high=min(MAX_KERNEL, size),
        as_box=True,
        help="Height and width of the window that a unit sees.",
    )
    has_bias = controls.switch("Count the biases too", key="w-bias")
    sizes = {"input_size": size, "in_channels": channels, "kernel_size": kernel_size, "has_bias": has_bias}
    return Connections(num_units=number, **sizes) if hidden == UNITS else feature_maps(number, **sizes)


def read(layer: Connections) -> str:
    """Say what the bars show."""
    size, channels = layer.input_size, count(layer.in_channels, "channel")
    factor = layer.dense / layer.shared
    times = f"{factor:,.0f}" if factor >= 10 else f"{factor:.3g}"
    dense = f"{layer.dense:,} weights and biases" if layer.has_bias else count(layer.dense, "weight")
    return (
        f"{size} x {size} pixels in {channels}, {count(layer.num_units, 'hidden unit')}: {dense} if dense, "
        f"{layer.local:,} if local, {layer.shared:,} if shared. Dense takes "
        f"{'' if factor == 1 else f'{times} times '}as many as shared."
    )


def write_formulas(layer: Connections) -> str:
    """Write the three counts as formulas with their numbers."""
    pixels = rf"{layer.in_channels} \cdot {layer.input_size}^2"
    window = rf"{layer.in_channels} \cdot {layer.kernel_size}^2"
    lines = []
    for name, factor, seen, number, numbers, result in (
        ("dense", "u", "c n^2", layer.num_units, pixels, layer.dense),
        ("local", "u", "c k^2", layer.num_units, window, layer.local),
        ("shared", "m", "c k^2", layer.num_kernels, window, layer.shared),
    ):
        if layer.has_bias:
            seen, numbers = f"({seen} + 1)", f"({numbers} + 1)"
        words = rf"\text{{{name}}} &= {factor} \cdot {seen}"
        lines.append(rf"{words} && = {_latex(number)} \cdot {numbers} && = {_latex(result)}")
    return rf"\begin{{aligned}} {NEXT_LINE.join(lines)} \end{{aligned}}"


def explain(layer: Connections) -> str:
    """Say what is counted, and what the two steps mean."""
    kernels = count(layer.num_kernels, "kernel")
    shape = (
        f"The hidden units are {count(layer.num_kernels, 'feature map')} of {layer.input_size} x {layer.input_size}: "
        "the picture is padded so that each pixel has its unit."
        if layer.are_maps
        else "All hidden units share one kernel here. It finds one pattern. A layer has several: choose feature maps."
    )
    memory = layer.dense * BYTES
    return (
        f"$n$ is the picture size, $c$ the input channels, $k$ the kernel size, $u$ the hidden units, $m$ the kernels. "
        f"{shape}\n\n"
        f"- **Dense.** Each unit has a weight for each number of the picture, here {layer.num_inputs:,}. With 4 bytes "
        f"for each weight the layer takes {_memory(memory)}.\n"
        f"- **Local.** What belongs together lies close together. So a unit sees a window only, here "
        f"{layer.window_size:,} numbers. A window that hangs over the border has all its weights too.\n"
        "- **Shared.** A pattern looks the same wherever it is. So all windows use the same weights, here those of "
        f"{kernels}. The picture size has left the formula.\n"
        f"- **How far a window reaches.** A window that reaches $r$ pixels to each side has $k = 2r + 1$, so "
        "$(2r + 1)^2$ cells. With $r = 10$ these are 441. Texts often write $4r^2$, which is nearly that: 400.\n"
        "- **Biases** are numbers that a layer adds to its outputs. Units with weights of their own have one each, a "
        f"kernel has one for its whole map. Here these are {layer.num_units:,}, {layer.num_units:,} and "
        f"{layer.num_kernels:,}.{_remark(layer)}"
    )


def write_code(layer: Connections) -> dict[str, str]:
    """Write the count, and PyTorch's layers, which on the device `meta` take no memory."""
    size, channels, kernel = layer.input_size, layer.in_channels, layer.kernel_size
    bias = layer.has_bias
    given = f"input_size={size}, in_channels={channels}, kernel_size={kernel}, has_bias={bias}"
    made = (
        f"connections.feature_maps(\n    {layer.num_kernels}, {given}\n)"
        if layer.are_maps
        else f"connections.Connections(\n    num_units={layer.num_units}, {given}\n)"
    )
    ours = (
        f"from cnn_core import connections\n\nlayer = {made}\ny = [layer.dense, layer.local, layer.shared]\n"
    )
    units, maps = layer.num_units, layer.num_kernels
    own = f' + torch.empty({units}, device="meta").numel()' if bias else ""
    torch = (
        "import torch\nfrom torch import nn\n\n"
        f'dense = nn.Linear({channels} * {size} * {size}, {units}, bias={bias}, device="meta")\n'
        f'shared = nn.Conv2d({channels}, {maps}, {kernel}, padding="same", bias={bias}, device="meta")\n'
        f'local = torch.empty({units}, {channels}, {kernel}, {kernel}, device="meta")  # a kernel for each unit\n'
        "y = [\n    sum(p.numel() for p in dense.parameters()),\n"
        f"    local.numel(){own},\n    sum(p.numel() for p in shared.parameters()),\n]\n"
    )
    return {"ours": ours, "torch": torch}


def _latex(number: int) -> str:
    return f"{number:,}".replace(",", r"{,}")


def _memory(num_bytes: int) -> str:
    names = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
    _, exponent = f"{num_bytes:.2e}".split("e")  # 999,999 has become 1.00e+06
    power = int(exponent) // 3
    return f"{num_bytes / 1000**power:.3g} {names[power]}"


def _remark(layer: Connections) -> str:
    """Warn of a slip in print, where the page shows the same numbers."""
    if (layer.input_size, layer.in_channels, layer.num_units, layer.has_bias) != (224, 3, 128, False):
        return ""
    return (
        f"\n- **A slip in print.** Some texts print “over 38 million” weights for this dense layer. It has "
        f"{layer.num_inputs:,} for each of {layer.num_units} units, so {layer.dense:,}."
    )
