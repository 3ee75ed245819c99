"""What the page on padding and stride lets a visitor predict."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from cnn_core.geometry import Axis, TransposedAxis, same_padding, total_padding
from ui.chapter.predict import NotNow, Question, Questions
from ui.chapter.size_controls import LIMITS, values_of
from ui.chapter.size_layer import POOLING, TRANSPOSED, Layer
from ui.chapter.size_settings import CEIL
from ui.wording import count

STRIDES = range(2, LIMITS.stride + 1)


def about(layer: Layer) -> Questions:
    """Ask about the rows of a layer; each question changes several settings, so that no curve tells it."""
    if layer.operation == TRANSPOSED:
        return {"transposed": partial(_transposed, layer.height)}
    if layer.operation == POOLING:
        return {"rounded-up": partial(_rounded_up, layer.height)}
    questions = {"outputs": _outputs, "same": _keeps_size, "left-over": _left_over}
    return {name: partial(question, layer.height) for name, question in questions.items()}


def _outputs(now: Axis) -> Question | NotNow:
    stride = 3 if now.stride == 2 else 2
    before, after = (side + 1 for side in now.padding)
    if max(before, after) > LIMITS.padding:
        return NotNow(f"This question adds padding, and {LIMITS.padding} is the most here. Take less.")
    axis = replace(now, stride=stride, padding=(before, after))
    steps = axis.travel // stride
    return Question(
        text=f"Take **stride {stride}** and **{_padding(axis)}**, with {count(now.input_size, 'row')} in and "
        f"{_kernel(now)} as now. How many rows come out?",
        values=values_of("ps-h-", axis),
        answer=axis.output_size,
        why=f"{now.input_size} + {before + after} of padding make {axis.padded_size} rows. The first window takes "
        f"{axis.effective_kernel_size} and leaves {axis.travel}: room for {count(steps, 'step')} of {stride}. "
        f"Each step makes a window more: 1 + {steps}.",
        mistakes={
            axis.padded_size // stride: "That leaves out the size of the kernel.",
            -(-axis.travel // stride) + 1: "That rounds up. A window that does not fit is left out.",
            _size(axis, dilation=1): "That forgets the dilation.",
            _size(axis, padding=(before, 0)): "That pads one side only.",
            _size(axis, padding=0): "That forgets the padding.",
            steps: "That counts the steps. The first window comes before them.",
        },
    )


def _keeps_size(now: Axis) -> Question | NotNow:
    if now.kernel_size == 1:
        return NotNow("This question is about dilation, and a kernel of 1 has nothing to spread.")
    axis = next((axis for axis in _same_axes(now) if axis.dilation != now.dilation), None)
    if axis is None:
        return NotNow(f"For {_kernel(now)} no other dilation fits here. Take a smaller kernel.")
    side, kernel = axis.padding[0], now.kernel_size
    plain = sum(same_padding(kernel))
    return Question(
        text=f"Take **dilation {axis.dilation}** and stride 1. Which **padding on each side** does kernel {kernel} "
        f"need, so that {now.input_size} in give {now.input_size} out?",
        values=values_of("ps-h-", axis),
        answer=side,
        why=f"With dilation {axis.dilation} the kernel reaches over {axis.dilation} · ({kernel} − 1) + 1 = "
        f"{axis.effective_kernel_size} rows. One is the output's own, and half of the other {2 * side} "
        "goes to each side.",
        mistakes={
            plain: "That is both sides together, without dilation.",
            2 * side: "That is both sides together.",
            plain // 2: "That is right without dilation.",
            0: "Without padding the output is smaller.",
        },
    )


def _same_axes(now: Axis) -> Iterator[Axis]:
    """Give the dilations whose padding is the same on both sides, with that padding, even ones first."""
    for dilation in (2, 4, 6, 3, 5):
        before, after = same_padding(now.kernel_size, dilation=dilation)
        if before == after <= LIMITS.padding:
            yield replace(now, stride=1, dilation=dilation, padding=before)


def _left_over(now: Axis) -> Question | NotNow:
    axes = (replace(now, stride=stride) for stride in STRIDES if stride != now.stride)
    axis = next((axis for axis in axes if axis.left_over), None)
    if axis is None:
        return NotNow(
            "With these sizes no other stride leaves rows over. Take a larger input or a smaller kernel."
        )
    fits = axis.travel // axis.stride * axis.stride
    padded = ", padding included" if total_padding(axis.padding) else ""
    return Question(
        text=f"Take **stride {axis.stride}**, with {count(now.input_size, 'row')} in, {_padding(now)} and "
        f"{_kernel(now)} as now. How many rows at the end does no window reach{padded}?",
        values=values_of("ps-h-", axis),
        answer=axis.left_over,
        why=f"The first window leaves {count(axis.travel, 'row')}. Steps of {axis.stride} use {fits} of them, and "
        f"{axis.left_over} {'stays' if axis.left_over == 1 else 'stay'} over.",
        mistakes={
            axis.padded_size
            % axis.stride: f"That divides all {axis.padded_size} rows. The first window needs no step.",
            0: "The steps do not always come out even.",
        },
    )


def _transposed(now: TransposedAxis) -> Question | NotNow:
    axis = next(_larger_transposed(now), None)
    if axis is None:
        return NotNow("This question takes one more row, and there is no room for it. Take a smaller input.")
    n, stride, reach = axis.input_size, axis.stride, axis.effective_kernel_size
    cut, extra = total_padding(axis.padding), axis.output_padding
    full = (n - 1) * stride + reach
    ends = f" Padding cuts off {cut}." if cut else ""
    ends += f" Output padding adds {extra}." if extra else ""
    return Question(
        text=f"Put **{count(n, 'row')}** in, and take **stride {stride}**. Padding stays {axis.padding[0]} on each "
        f"side, {_kernel(now)}, output padding {extra}. How many rows come out?",
        values=values_of("ps-h-", axis),
        answer=axis.output_size,
        why=f"Each row puts down a kernel, {stride} further on than the one before. The last begins after "
        f"{n - 1} · {stride} = {(n - 1) * stride} rows and takes {reach}: {full}.{ends}",
        mistakes={
            full: "That forgets what padding cuts off, or what output padding adds.",
            n * stride: "That leaves out the size of the kernel.",
            n * stride + reach - cut + extra: "The first kernel is put down without a step.",
            _convolved(axis): "That is the size after a convolution. A transposed one goes the other way.",
        },
    )


def _larger_transposed(now: TransposedAxis) -> Iterator[TransposedAxis]:
    if now.input_size == LIMITS.input_size:
        return
    for stride in STRIDES:
        if stride != now.stride:
            with suppress(ValueError):  # too little is left, or output padding wants a larger stride
                yield replace(now, input_size=now.input_size + 1, stride=stride)


def _rounded_up(now: Axis) -> Question | NotNow:
    for stride in STRIDES:
        down = replace(now, stride=stride, ceil_mode=False)
        up = replace(down, ceil_mode=True)
        if stride != now.stride and up.output_size != down.output_size:
            break
    else:
        return NotNow("With these sizes rounding changes nothing. Take a larger input.")
    return Question(
        text=f"Take **stride {stride}** and let the size be **rounded up**, with {count(now.input_size, 'row')} in, "
        f"window {now.kernel_size}, dilation {now.dilation} and {_padding(now)} as now. How many rows come out?",
        values=values_of("ps-h-", up) | {"ps-rounding": CEIL},
        answer=up.output_size,
        why=f"The first window leaves {count(down.travel, 'row')}. Steps of {stride} use all but {down.left_over} of "
        "them. Rounded up, one more window is taken for these, and hangs over the end.",
        mistakes={
            now.input_size // stride: "That leaves out the size of the window.",
            _size(up, dilation=1): "That forgets the dilation.",
            down.output_size: "That is rounded down, as convolutions do.",
        },
    )


def _size(axis: Axis, **changes: Any) -> int | None:
    try:
        return replace(axis, **changes).output_size
    except ValueError:
        return None


def _convolved(axis: TransposedAxis) -> int | None:
    try:
        return Axis(axis.input_size, axis.kernel_size, axis.stride, axis.padding, axis.dilation).output_size
    except ValueError:
        return None


def _padding(axis: Axis) -> str:
    before, after = axis.padding
    return (
        f"padding {before} on each side" if before == after else f"padding {before} before and {after} after"
    )


def _kernel(axis: Axis | TransposedAxis) -> str:
    spread = f" with dilation {axis.dilation}" if axis.dilation > 1 else ""
    return f"kernel {axis.kernel_size}{spread}"
