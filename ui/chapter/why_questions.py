"""What the page on why there are convolutions lets a visitor predict, look by look."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from cnn_core import signals
from cnn_core.connections import Connected, Connections, connect, feature_maps
from cnn_core.shifts import Exchange
from cnn_core.signals import Slid
from ui.chapter.predict import NotNow, Question, Questions
from ui.wording import count

RATIOS = {1: "it stays as it is", 2: "2 times as many", 4: "4 times as many", 16: "16 times as many"}
NOWHERE, AT_SOME, EVERYWHERE = "nowhere", "at some outputs", "at all outputs"
AT_THE_BORDER = (
    "On the side where pixels have left, windows now see zeros. On the other side a window reaches into the picture, "
    "where the shifted output has only zeros."
)
NOTHING_AT_THE_BORDER = (
    "At the border no window meets anything but zeros: either this kernel does not reach across it there, or the "
    "picture is black there, which is 0."
)


# The weights


def weights(layer: Connections, *, units: str, maps: str, max_size: int) -> Questions:
    """Ask how the counts grow; `units` and `maps` name the two kinds of hidden layer."""
    kind = {"w-hidden": maps, "w-maps": layer.num_kernels} if layer.are_maps else {"w-hidden": units}
    return {
        "dense": partial(_dense, layer, max_size, kind),
        "shared": partial(_shared, layer, kind),
    }


def _dense(layer: Connections, most: int, kind: dict[str, object]) -> Question | NotNow:
    size = 2 * layer.input_size
    if size > most:
        return NotNow(
            f"This question doubles the picture, and {most:,} is the most here. Take {most // 2:,} or less."
        )
    now = replace(layer, has_bias=False)
    then = _resized(now, input_size=size)
    grown = "the feature maps grow with it" if layer.are_maps else "the hidden units stay as many"
    factors = (
        "4 times as many units, with 4 times as many weights each"
        if layer.are_maps
        else "4 times as many for each unit"
    )
    return Question(
        text=f"Make the picture **twice as wide and twice as high**: {size} x {size}; {grown}. Biases are not counted. "
        "What becomes of the number of weights of the **dense** layer?",
        values=kind | {"w-size": size, "w-bias": False},
        answer=RATIOS[then.dense // now.dense],
        why=f"It was {now.dense:,} and is {then.dense:,}. The picture has 4 times as many pixels: {factors}. "
        f"Shared, it is {then.shared:,} before and after.",
        options=tuple(RATIOS.values()),
        mistakes={
            RATIOS[2]: "Width and height have both doubled.",
            RATIOS[4]: "The units have become more, too.",
            RATIOS[16]: "The units have not become more.",
            RATIOS[1]: "That would be so for shared weights.",
        },
    )


def _shared(layer: Connections, kind: dict[str, object]) -> Question | NotNow:
    kernel = next((k for k in (3, 5, 2, 1) if k <= layer.input_size and k != layer.kernel_size), None)
    if kernel is None:
        return NotNow("No other kernel fits on a single pixel. Take a larger picture.")
    channels, num_kernels = (4 if layer.in_channels == 3 else 3), layer.num_kernels
    made = replace(layer, kernel_size=kernel, in_channels=channels, has_bias=False)
    shared_by = count(num_kernels, "feature map") if layer.are_maps else "all units sharing one kernel"
    return Question(
        text=f"Take **{channels} input channels** and **kernel {kernel}**, with {shared_by}. Biases are not counted. "
        "How many weights are there if they are **shared**?",
        values=kind | {"w-channels": channels, "w-window": kernel, "w-bias": False},
        answer=made.shared,
        why=f"A kernel has {channels} · {kernel} · {kernel} = {made.window_size} weights. There "
        f"{'is 1 kernel' if num_kernels == 1 else f'are {num_kernels} kernels'}. The size of the picture does not "
        "matter.",
        mistakes={
            made.dense: "That is dense.",
            made.local: "That is local: each unit with weights of its own.",
            made.window_size: "That is one kernel. Each feature map has its own.",
            num_kernels * kernel**2: "That forgets the input channels. A kernel has cells for each of them.",
        },
    )


def _resized(layer: Connections, *, input_size: int) -> Connections:
    if not layer.are_maps:
        return replace(layer, input_size=input_size)
    return feature_maps(
        layer.num_kernels,
        input_size=input_size,
        in_channels=layer.in_channels,
        kernel_size=layer.kernel_size,
        has_bias=layer.has_bias,
    )


# The matrix


def matrix(layer: Connected, *, max_size: int) -> Questions:
    """Ask for the columns and the rows of the matrix."""
    return {"columns": partial(_columns, layer, max_size), "rows": partial(_rows, layer, max_size)}


def _columns(layer: Connected, most: int) -> Question:
    size, made = _another(layer, most, stride=layer.height.stride)
    rows, columns = made.matrix.shape
    return Question(
        text=f"Take a picture of **{size} x {size}** with **padding 1**. How many columns has the matrix?",
        values={"w-input": size, "w-padding": 1},
        answer=columns,
        why=f"A column takes a pixel of the picture, and there are {size} · {size}. Padding holds zeros. Times 0 they "
        "would add nothing, so they have no column.",
        mistakes={
            (size + 2) ** 2: "That gives padding columns too.",
            rows: "That is the number of rows: one for each output.",
            size: "That is one row of the picture. All pixels stand in one line here.",
        },
    )


def _rows(layer: Connected, most: int) -> Question:
    stride = 3 - layer.height.stride
    size, made = _another(layer, most, stride=stride)
    (rows, columns), (out_rows, out_columns) = made.matrix.shape, made.output_shape
    kernel_rows, kernel_columns = layer.kernel.shape
    return Question(
        text=f"Take a picture of **{size} x {size}**, **stride {stride}** and **padding 1**, with the kernel of "
        f"{kernel_rows} x {kernel_columns} as now. How many rows has the matrix?",
        values={"w-input": size, "w-stride": stride, "w-padding": 1},
        answer=rows,
        why=f"Each row makes an output. The kernel finds {count(out_rows, 'place')} down and {out_columns} across, so "
        f"there are {out_rows} · {out_columns} outputs.",
        mistakes={
            columns: "That is the number of pixels, so of columns.",
            layer.kernel.size: "That is the number of cells in the kernel.",
            out_rows: "That is one side of the output.",
            layer.y.size: "So many rows it had before.",
        },
    )


def _another(layer: Connected, most: int, *, stride: int) -> tuple[int, Connected]:
    """Connect a picture of another size, with padding 1: into that every kernel fits that fitted before."""
    size = layer.x.shape[0]
    size = size + 1 if size < most else size - 1
    return size, connect(np.zeros((size, size)), layer.kernel, stage=layer.stage, stride=stride, padding=1)


# A shift


def shift(
    exchange: Callable[..., Exchange], down: int, across: int, *, around: str, zeros: str, now: str
) -> Questions:
    """Ask where the order matters if something else comes in at the border.

    Args:
        exchange: What the convolution makes of a shift `down`, `across`, `around` or not.
        down: Rows that the picture is shifted by now.
        across: Columns that it is shifted by now.
        around: Name of the border where the other side comes in.
        zeros: Name of the border where zeros come in.
        now: The one of these that is chosen now.
    """
    wanted = zeros if now == around else around
    return {"border": partial(_border, exchange, down, across, wanted, is_around=wanted == around)}


def _border(
    exchange: Callable[..., Exchange], down: int, across: int, wanted: str, *, is_around: bool
) -> Question:
    if down == across == 0:
        down, across = 3, 5
    made = exchange(down, across, around=is_around)
    num_different, num_outputs = made.num_different, made.difference.size
    answer = NOWHERE if num_different == 0 else EVERYWHERE if num_different == num_outputs else AT_SOME
    comes_in = "what leaves comes in on **the other side**" if is_around else "**zeros** come in"
    if is_around:
        why = "Every window finds the same pixels again, somewhere else. Nothing is lost, so nothing differs."
    else:
        why = AT_THE_BORDER if num_different else NOTHING_AT_THE_BORDER
    return Question(
        text=f"Shift {_way(down, 'down', 'up')} and {_way(across, 'to the right', 'to the left')}, and {comes_in}, for "
        "picture and windows. Where does it matter to the **convolution** whether the shift comes before or after it?",
        values={"w-border": wanted, "w-down": down, "w-across": across},
        answer=answer,
        why=f"It matters at {num_different:,} of {count(num_outputs, 'output')}. {why}",
        options=(NOWHERE, AT_SOME, EVERYWHERE),
        mistakes={EVERYWHERE: "A dense layer does that: it has other weights in each place."},
    )


def _way(shift: int, forward: str, back: str) -> str:
    return f"{count(abs(shift), 'pixel')} {back if shift < 0 else forward}"


# A signal


def signal(slid: Slid) -> Questions:
    """Ask how many outputs another kernel makes."""
    return {"length": partial(_length, slid)}


def _length(slid: Slid) -> Question | NotNow:
    length = len(slid.x)
    sizes = {name: len(kernel.values) for name, kernel in signals.KERNELS.items()}
    wanted = ("average-5", "two-apart", "neighbours")
    name = next((name for name in wanted if sizes[name] <= length and sizes[name] != len(slid.kernel)), None)
    if name is None:
        return NotNow("No other kernel fits on so few numbers. Take a longer signal.")
    size = sizes[name]
    made = signals.slide(slid.x, signals.KERNELS[name].values)
    return Question(
        text=f"Take the kernel **{signals.KERNELS[name].title}**, of {count(size, 'cell')}, on the {length} numbers. "
        "How many outputs are there?",
        values={"w-taps-of": name},
        answer=len(made.y),
        why=f"The first window takes {size} numbers. Each of the other {length - size} makes one more window: "
        f"{length} − {size} + 1.",
        mistakes={
            length: "At the end no whole window is left.",
            length - size: "The first window is one too.",
            length // size: "The windows overlap.",
        },
    )
