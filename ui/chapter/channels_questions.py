"""What the page on channels lets a visitor predict."""

from dataclasses import replace
from functools import partial

from cnn_core import examples
from cnn_core.geometry import max_kernel_size
from cnn_core.network import Conv, Network
from cnn_core.summary import summarize
from ui.chapter.channels_code import SmallLayer
from ui.chapter.predict import NotNow, Question, Questions
from ui.wording import count

HIGHER = 5
"""By how much the bias is raised, or lowered."""

Place = tuple[int, int, int]


# The sum over input channels


def sums(layer: SmallLayer, at: Place, *, max_bias: int) -> Questions:
    """Ask for the kernels of a layer, and what the bias does to the output at (c_out, row, column)."""
    return {"kernels": partial(_kernels, layer), "bias": partial(_bias, layer, at, max_bias)}


def _kernels(layer: SmallLayer) -> Question:
    out_now, in_now = layer.weight.shape[:2]
    in_channels, out_channels = 2 if in_now == 3 else 3, 3 if out_now == 4 else 4
    _, weight = examples.counting(in_channels, out_channels, input_size=1, kernel_size=1)
    return Question(
        text=f"Take **{in_channels} channels in** and **{out_channels} channels out**. How many kernels has the layer, "
        "counted as grids of numbers?",
        values={"c-sum-in": in_channels, "c-sum-out": out_channels},
        answer=weight.shape[0] * weight.shape[1],
        why=f"Each of the {out_channels} output channels has a kernel of its own for each of the {in_channels} input "
        "channels.",
        mistakes={
            in_channels + out_channels: "They are multiplied, not added.",
            in_channels: "So many make one output channel.",
            out_channels: "An output channel does not use one kernel for all input channels.",
        },
    )


def _bias(layer: SmallLayer, at: Place, most: int) -> Question | NotNow:
    channel, row, column = at
    bias = int(layer.bias[channel])
    raised = bias + HIGHER if bias + HIGHER <= most else bias - HIGHER
    now, then = (
        each.outputs(row, column)[channel]
        for each in (layer, replace(layer, bias=layer.bias - bias + raised))
    )
    if then != round(then):
        return NotNow(
            "This question is for whole numbers, and the marked output has decimals. Pin another output."
        )
    in_channels, num_cells, now = layer.weight.shape[1], layer.weight[channel].size, round(now)
    return Question(
        text=f"Output row {row}, column {column} of channel {channel} is {now:,}. It adds up "
        f"{count(num_cells, 'product')} from {count(in_channels, 'input channel')} and the bias {bias}. Take the "
        f"**bias {raised}**. What is the output then?",
        values={"c-sum-bias": raised},
        answer=round(then),
        why="The partial results of all input channels are added up first. The bias is added to their sum, once.",
        mistakes={
            now + (raised - bias) * num_cells: "That adds it to each product.",
            now + (raised - bias) * in_channels: "That adds it for each input channel.",
            now: "The bias is a part of the output.",
        },
    )


# What channels cost


def costs(layer: Conv, input_shape: tuple[int, int, int], *, most: int, max_input: int) -> Questions:
    """Ask for the parameters of a layer with a kernel (k, k) on a square picture."""
    return {
        "parameters": partial(_parameters, layer, input_shape, most),
        "larger-input": partial(_larger_input, layer, input_shape, max_input),
    }


def _parameters(layer: Conv, input_shape: tuple[int, int, int], most: int) -> Question | NotNow:
    in_channels, size, _ = input_shape
    largest = max_kernel_size(size, padding=layer.padding[0])
    kernel = next((k for k in (3, 5, 1, 2) if k <= largest and k != layer.kernel_size[0]), None)
    if kernel is None:
        return NotNow("No other kernel fits on a single pixel. Take a larger input.")
    channels = in_channels + 1 if in_channels < most else in_channels - 1
    made = replace(layer, kernel_size=kernel, groups=1)
    num_kernels, out = channels * layer.out_channels, layer.out_channels
    weights = num_kernels * kernel**2
    ungrouped = ", **1 group**" if layer.groups > 1 else ""
    return Question(
        text=f"Take **{count(channels, 'channel')} in**{ungrouped} and **kernel {kernel}**, with "
        f"{count(out, 'channel')} out as now. How many parameters has the layer, biases included?",
        values={"c-cost-in": channels, "c-cost-kernel": kernel, "c-cost-groups": 1},
        answer=summarize(Network([made]), (channels, size, size))[0].num_params,
        why=f"There are {out} · {channels} = {count(num_kernels, 'kernel')} of {kernel} · {kernel} weights. That makes "
        f"{weights:,}. Then comes one bias for each output channel: {out:,}.",
        mistakes={
            out * kernel**2 + out: "That takes one kernel for each output channel, whatever comes in.",
            kernel**2 * channels + out: "That counts the kernels of one output channel only.",
            weights + num_kernels: "That takes a bias for each kernel. There is one for each output channel.",
            weights + channels: "The biases belong to the output channels.",
            weights + 1: "Each output channel has a bias of its own.",
            weights: "That leaves out the biases.",
        },
    )


def _larger_input(layer: Conv, input_shape: tuple[int, int, int], most: int) -> Question | NotNow:
    channels, size, _ = input_shape
    if 2 * size > most:
        return NotNow(
            f"This question doubles the input, and {most} is the most here. Take {most // 2} or less."
        )
    now, then = (summarize(Network([layer]), (channels, n, n))[0].num_params for n in (size, 2 * size))
    options = {1: "it stays as it is", 2: "2 times as many", 4: "4 times as many"}
    return Question(
        text=f"Make the picture **twice as wide and twice as high**: {2 * size} x {2 * size}. What becomes of the "
        "number of parameters of the convolution?",
        values={"c-cost-input": 2 * size},
        answer=options[then // now],
        why=f"It was {now:,} and is {then:,}. The same kernels slide over a larger picture. They have more to "
        "multiply, but nothing more to learn.",
        options=tuple(options.values()),
        mistakes={
            options[4]: "So many times as many pixels go in. A dense layer would need weights for them."
        },
    )
