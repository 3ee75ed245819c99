"""A shift before a layer and the same shift after it: for a convolution, and for a dense layer."""

from functools import partial

import numpy as np
import streamlit as st

from cnn_core import images, ops, shifts
from cnn_core.geometry import same_padding
from cnn_core.kernels import KERNELS
from cnn_core.plots.shifts import exchanges
from cnn_core.shifts import Exchange
from ui import controls, page
from ui.chapter import predict, why_questions
from ui.page import Setting
from ui.wording import count, credit

LOOK = "a shift"
PICTURES = [name for name, picture in images.IMAGES.items() if picture.highest == 255]
ZEROS, AROUND = "zeros", "the other side"
SIZE, MAX_SHIFT, SEED = 40, 12, 0
CONVOLUTION, DENSE = "convolution", "dense layer"

SETTINGS = [
    Setting(
        "One pixel",
        "Two thin lines of the first difference are not 0, one on each side. What did those windows see?",
        {"w-view": LOOK, "w-down": 0, "w-across": 1},
    ),
    Setting(
        "Far away",
        "12 down and 12 to the left. The lines move, but do they get wider? Now take a larger kernel.",
        {"w-view": LOOK, "w-down": 12, "w-across": -12},
    ),
    Setting(
        "Nothing gets lost",
        "What leaves on one side comes in on the other, for picture and windows. What is left of the lines?",
        {"w-view": LOOK, "w-down": 7, "w-across": 5, "w-border": AROUND},
    ),
    Setting(
        "No shift",
        "Both differences are 0 everywhere. Now move by 1 pixel. Which one stays almost 0?",
        {"w-view": LOOK, "w-down": 0, "w-across": 0},
    ),
]

RESERVED: dict[str, object] = {}


@st.cache_data(max_entries=len(PICTURES), show_spinner=False)
def load_picture(name: str) -> np.ndarray:
    """Scale a picture down and make it grey, shape (H, W), whole numbers as floats."""
    return images.to_grey(images.load(name, size=SIZE)).astype(float)


@st.cache_resource(max_entries=2, show_spinner=False)
def draw_weights(num_pixels: int) -> np.ndarray:
    """Draw the weights of a dense layer with as many outputs as inputs."""
    weights = np.random.default_rng(SEED).standard_normal((num_pixels, num_pixels), np.float32)
    return weights / np.float32(num_pixels**0.5)


def show() -> None:
    """Show both layers for the visitor's shift."""
    left, right = st.columns([1, 2], gap="large")
    with left:
        name = controls.choice(
            "Picture", PICTURES, key="w-picture", format=lambda name: images.IMAGES[name].title
        )
        kernel_name = controls.choice(
            "Kernel",
            list(KERNELS),
            key="w-filter",
            default="vertical-edges",
            format=lambda name: KERNELS[name].title,
        )
        down = controls.integer("Shift down", key="w-down", default=3, low=-MAX_SHIFT, high=MAX_SHIFT)
        across = controls.integer(
            "Shift to the right", key="w-across", default=5, low=-MAX_SHIFT, high=MAX_SHIFT
        )
        around = controls.choice("What comes in", [ZEROS, AROUND], key="w-border") == AROUND
    x, kernel = load_picture(name), KERNELS[kernel_name].values
    shift = {"down": down, "across": across, "around": around}
    layers = {
        CONVOLUTION: partial(convolve, kernel=kernel, around=around),
        DENSE: lambda x: (draw_weights(x.size) @ x.ravel().astype(np.float32)).reshape(x.shape),
    }
    made = {name: shifts.exchange(layer, x, **shift) for name, layer in layers.items()}
    inner = undisturbed(x, kernel, down, across, around=around)
    with right:
        draw({"picture": x, "shifted picture": shifts.translate(x, **shift)}, made, inner)
        page.reading(read(made, down, across))
        st.markdown(verdict(made[CONVOLUTION], inner))
        st.caption(
            f"{credit(name)} Scaled down to {x.shape[0]} x {x.shape[1]} pixels. Blue is negative, orange positive; "
            "each row has one scale."
        )
    page.try_this(SETTINGS, prefix="w-")
    exchange = partial(exchange_convolution, x, kernel)
    border = {"around": AROUND, "zeros": ZEROS, "now": AROUND if around else ZEROS}
    predict.ask(why_questions.shift(exchange, down, across, **border), prefix="w-")
    page.explanation()
    explain(x.size)
    page.in_code(**write_code(name, kernel, down, across, around=around))


def convolve(x: np.ndarray, *, kernel: np.ndarray, around: bool) -> np.ndarray:
    """Convolve a picture, with padding that keeps its size."""
    padding = tuple(map(same_padding, kernel.shape))
    mode = "circular" if around else "zeros"
    return ops.conv2d(x[None, None], kernel[None, None], padding=padding, padding_mode=mode)[0, 0]


def exchange_convolution(
    x: np.ndarray, kernel: np.ndarray, down: int, across: int, *, around: bool
) -> Exchange:
    """Shift before and after a convolution."""
    layer = partial(convolve, kernel=kernel, around=around)
    return shifts.exchange(layer, x, down, across, around=around)


def undisturbed(
    x: np.ndarray, kernel: np.ndarray, down: int, across: int, *, around: bool
) -> tuple[range, range]:
    """List rows and columns of the outputs whose windows see the same before and after the shift."""
    if around:
        return range(x.shape[0]), range(x.shape[1])
    rows, columns = (
        shifts.undisturbed(*sizes) for sizes in zip(x.shape, kernel.shape, (down, across), strict=True)
    )
    return rows, columns


def draw(pictures: dict[str, np.ndarray], made: dict[str, Exchange], inner: tuple[range, range]) -> None:
    """Draw pictures, outputs and differences."""
    figure = exchanges(pictures, made, undisturbed={CONVOLUTION: inner}, palette=page.palette())
    page.figure(
        figure,
        key="w-exchanges",
        alt="For a convolution and a dense layer: the output of the shifted picture, the shifted output, and the "
        "difference.",
    )


def read(made: dict[str, Exchange], down: int, across: int) -> str:
    """Say at how many outputs the order matters."""
    words = [
        f"{each.num_different:,} of {count(each.difference.size, 'output')} for the {name}"
        for name, each in made.items()
    ]
    way = f"{_way(down, 'down', 'up')} and {_way(across, 'right', 'left')}"
    return f"Shifted by {way}, the order matters at {' and '.join(words)}."


def verdict(made: Exchange, inner: tuple[range, range]) -> str:
    """Say what is left inside the frame."""
    if not all(inner):
        return "No window sees the same before and after this shift: nothing is left to compare."
    left = np.abs(made.difference[inner[0][0] : inner[0][-1] + 1, inner[1][0] : inner[1][-1] + 1]).max()
    size = f"{len(inner[0])} x {len(inner[1])}"
    largest = "0" if left == 0 else f"{left:.1g}, which is rounding"
    return (
        f"In the frame are the {size} outputs of the convolution whose windows see the same before and after the "
        f"shift. The largest difference there is {largest}."
    )


def explain(num_pixels: int) -> None:
    """Say why the order does not matter to a convolution, and matters to a dense layer."""
    st.latex(
        r"""\begin{aligned} x'_{i,j} &= x_{i-d,\,j-e} \\
        y'_{i,j} &= \sum_{a,b} k_{a,b}\, x'_{i+a,\,j+b} \\
        &= \sum_{a,b} k_{a,b}\, x_{(i-d)+a,\,(j-e)+b} = y_{i-d,\,j-e} \end{aligned}"""
    )
    st.markdown(
        "$x'$ is the picture shifted by $d$ rows and $e$ columns, and $y'$ is its output. Every window finds its "
        "pixels $d$ rows and $e$ columns further on, and multiplies them with the same weights. So the output moves "
        "along. One says that a convolution is **equivariant** to shifts.\n\n"
        "- **The border is the exception.** On the side where pixels leave, windows see zeros instead. On the other "
        "side a window reaches into the picture, where the shifted output has only zeros. Both bands are as wide as "
        "the window reaches.\n"
        "- **Around the edge** nothing leaves. Then the order does not matter anywhere.\n"
        f"- **The dense layer** has a weight of its own for each pixel and output, here {num_pixels**2:,}, drawn at "
        "random. A shifted picture meets other weights. What it has learned of a pattern in one place is of no use in "
        "another.\n"
        "- **Equivariant is not invariant.** The output does not stay as it is: it moves. Texts often say *translation "
        "invariance* here. That a class does not depend on the place comes later, from pooling and what follows."
    )


def write_code(name: str, kernel: np.ndarray, down: int, across: int, *, around: bool) -> dict[str, str]:
    """Write the difference of the convolution with this package and with PyTorch."""
    load = f'picture = images.to_grey(images.load("{name}", size={SIZE}))\n'
    (top, bottom), (left, right) = map(same_padding, kernel.shape)
    cells, mode = kernel.tolist(), "circular" if around else "zeros"
    ours = (
        "import numpy as np\nfrom cnn_core import images, ops, shifts\n\n"
        f"{load}kernel = np.array({cells})\n\n"
        "def layer(x):\n    return ops.conv2d(\n        x[None, None], kernel[None, None], "
        f'padding={((top, bottom), (left, right))},\n        padding_mode="{mode}",\n    )[0, 0]\n\n'
        f"y = shifts.exchange(layer, picture.astype(float), {down}, {across}, around={around}).difference\n"
    )
    move = (
        f"x.roll(({down}, {across}), (-2, -1))"
        if around
        else f"F.pad(x, ({across}, {-across}, {down}, {-down}))"
    )
    circular = ', mode="circular"' if around else ""
    padded = f"F.pad(x, ({left}, {right}, {top}, {bottom}){circular})"
    torch = (
        "import torch\nfrom cnn_core import images\nfrom torch.nn import functional as F\n\n"
        f"{load}kernel = torch.tensor({cells}, dtype=torch.float64)[None, None]\n"
        "x = torch.tensor(picture)[None, None].double()\n\n"
        f"def move(x):\n    return {move}\n\ndef layer(x):\n    return F.conv2d({padded}, kernel)\n\n"
        "y = (layer(move(x)) - move(layer(x)))[0, 0]\n"
    )
    return {"ours": ours, "torch": torch}


def _way(shift: int, forward: str, back: str) -> str:
    return f"{abs(shift)} {back if shift < 0 else forward}"
