"""What the page on channels says in words and formulas, for the settings of the moment."""

from collections.abc import Iterable

import numpy as np

from cnn_core.summary import LayerSummary
from ui.chapter.channels_code import SmallLayer
from ui.wording import count

DECIMALS = 8
"""Decimals with which a product of two numbers of four decimals is exact."""


# The sum over input channels


def partial_sums(layer: SmallLayer, at: tuple[int, int, int]) -> str:
    """Say how the partial results, one for each input channel, make the output at (c_out, row, column)."""
    channel, *place = at
    bias = layer.bias[channel]
    end = f" + {_term(bias)} (bias)" if bias else ""
    output = _number(layer.outputs(*place)[channel])
    return f"{_place(at)}: {_added(layer.partial_sums(at))}{end} = {output}"


def other_outputs(layer: SmallLayer, at: tuple[int, int, int]) -> str:
    """Say what the other output channels hold at the same place."""
    channel, *place = at
    others = [
        f"{_number(output)} (channel {each})"
        for each, output in enumerate(layer.outputs(*place))
        if each != channel
    ]
    if not others:
        return "There is no other output channel."
    if len(others) == 1:
        return f"At the same place, the other output channel has {others[0]}. It has kernels of its own."
    listed = f"{', '.join(others[:-1])} and {others[-1]}"
    return f"At the same place, the other output channels have {listed}. Each has kernels of its own."


def latex_sum(layer: SmallLayer, at: tuple[int, int, int]) -> str:
    """Write the operation, and below it the sum that makes one output."""
    channel, *place = at
    stride, padding = layer.axis.stride, layer.axis.padding[0]
    row, column = (
        f"{'' if stride == 1 else stride}{i} + {u}{f' - {padding}' if padding else ''}"
        for i, u in (("i", "u"), ("j", "v"))
    )
    numbers = _added([layer.bias[channel], *layer.partial_sums(at)])
    output = _number(layer.outputs(*place)[channel])
    formula = (
        rf"\begin{{aligned}} y_{{o,i,j}} &= b_o + \sum_{{c=0}}^{{{layer.x.shape[1] - 1}}} "
        rf"\underbrace{{\sum_{{u,v}} w_{{o,c,u,v}}\; x_{{c,\,{row},\,{column}}}}}"
        r"_{\text{partial result of channel } c} "
        rf"\\ y_{{{','.join(map(str, at))}}} &= {numbers} = {output} \end{{aligned}}"
    )
    return formula.replace("−", "-")


def about_sums(weight_shape: tuple[int, int, int, int]) -> str:
    """Explain which kernels there are and what is added."""
    out_channels, in_channels, height, width = weight_shape
    return (
        "- An output channel has one kernel for each input channel. Together they have the shape "
        f"$(C_{{in}}, k_H, k_W) = ({in_channels}, {height}, {width})$.\n"
        "- Each kernel slides over its own channel only, with its padding. The partial results are then "
        f"**added**, and the bias too. So {count(in_channels, 'input channel')} and "
        f"{count(in_channels, 'kernel')} make one output channel.\n"
        f"- The layer has {count(out_channels, 'output channel')}. Its weight has the shape "
        f"$(C_{{out}}, C_{{in}}, k_H, k_W) = {weight_shape}$. These are {out_channels} · {in_channels} = "
        f"{count(out_channels * in_channels, 'kernel')}.\n"
        "- Pooling is different. It treats each channel by itself and adds none of them up. So it keeps the "
        "number of channels, and a convolution chooses it."
    )


# A colour picture


def colours_in_the_middle(parts: np.ndarray, total: float) -> str:
    """Say how the parts of the three colours make the pixel in the middle."""
    return f"In the middle of the picture: {_added(parts)} = {_number(total)}"


def about_colours(colour_weights: np.ndarray, kernel: np.ndarray) -> str:
    """Explain the channels of a colour picture and what the weights do to them."""
    return (
        "- A colour picture has three channels. White in the red channel means: much red here. A grey or "
        "white thing is equally bright in all three.\n"
        f"- The kernel has the shape $(3, {kernel.shape[0]}, {kernel.shape[1]})$: a part for each colour. The "
        "three partial results are added to **one** picture. The colours are gone, because one output "
        "channel has one number for each pixel.\n"
        f"- {_what_weights_mean(colour_weights.sum(), kernel.sum())}\n"
        "- A network learns a different kernel for each colour. Here it is one kernel times three weights, "
        "to keep the controls few."
    )


def _what_weights_mean(of_colours: float, of_kernel: float) -> str:
    if of_kernel == 0:
        return "The numbers of this kernel add up to 0. An even area gives 0, so only edges are left."
    if abs(of_colours) < 0.0005:
        return "The weights add up to 0. A grey pixel gives 0, so only colour counts."
    if abs(of_colours - 1) < 0.0005:
        return "The weights add up to 1. A grey pixel keeps its value."
    return f"The weights add up to {of_colours:.4g}. A grey pixel is multiplied by this number."


# 1 x 1


def matrix_product(at: tuple[int, int, int], matrix: np.ndarray, x: np.ndarray, output: float) -> str:
    """Say which products make an output, from a weight (C_out, C_in) and an input (C_in, H, W)."""
    channel, row, column = at
    return f"{_place(at)}: {_multiplied(matrix[channel], x[:, row, column])} = {_number(output)}"


def both_ways(num_outputs: int, difference: float) -> str:
    """Say how far the convolution and the matrix product are apart."""
    return (
        f"Both ways computed, as a convolution and as a matrix product: {count(num_outputs, 'number')}, "
        f"largest difference **{difference:.3g}**."
    )


def latex_matrix(in_channels: int, out_channels: int, num_pixels: int) -> str:
    """Write a 1 x 1 convolution as a matrix product."""
    return (
        rf"\underbrace{{Y}}_{{{out_channels} \times {num_pixels}}} = "
        rf"\underbrace{{W}}_{{{out_channels} \times {in_channels}}} \; "
        rf"\underbrace{{X}}_{{{in_channels} \times {num_pixels}}}"
    )


def about_matrix(in_channels: int, out_channels: int, size: int) -> str:
    """Explain what the matrix product has to do with pictures."""
    return (
        "- In the lower half the pictures are unrolled. Each row is a channel, each column one of the "
        f"{size} · {size} = {count(size**2, 'pixel')}. A row of weights times a column of pixels gives the "
        "number where the two meet.\n"
        "- So a 1 x 1 convolution is **a fully connected layer applied at each pixel**. It makes "
        f"{count(out_channels, 'number')} out of {in_channels}, with the same weights at each place.\n"
        "- It does not look at the neighbours. It only mixes channels. Networks use it to change the number "
        "of channels cheaply.\n"
        "- With whole numbers the difference is exactly 0. With decimal fractions the last digit may differ, "
        "because each way may add in another order."
    )


# What channels cost


def cost(layer: LayerSummary, groups: int) -> str:
    """Say what goes into a layer, what comes out, and what it costs."""
    grouped = f", {groups} groups" if groups > 1 else ""
    return (
        f"{_shape(layer.input_shape)} in, {_shape(layer.output_shape)} out{grouped}: "
        f"{layer.num_params:,} parameters, {layer.mult_adds:,} mult-adds"
    )


def dense_cost(layer: LayerSummary, dense: LayerSummary) -> str:
    """Compare a convolution with the dense layer from the same inputs to the same outputs."""
    ratio = dense.num_params / layer.num_params
    return (
        f"A dense layer from the same inputs to the same outputs has {dense.num_params:,} parameters, about "
        f"{ratio:,.{0 if ratio >= 10 else 2}f} times as many."
    )


def latex_costs(layer: LayerSummary, dense: LayerSummary, kernel_size: int, groups: int) -> list[str]:
    """Write the parameters, the mult-adds, and the parameters of the dense layer, each as it is counted."""
    out_channels, out_height, out_width = layer.output_shape
    seen = layer.input_shape[0] // groups
    derivations = (
        (
            "parameters",
            r"C_{out} \left( \tfrac{C_{in}}{g}\, k^2 + 1 \right)",
            rf"{out_channels} \cdot ({seen} \cdot {kernel_size}^2 + 1)",
            layer.num_params,
        ),
        (
            "mult-adds",
            r"C_{out}\, \tfrac{C_{in}}{g}\, k^2\, H_{out} W_{out}",
            rf"{out_channels} \cdot {seen} \cdot {kernel_size}^2 \cdot {out_height} \cdot {out_width}",
            layer.mult_adds,
        ),
        (
            "dense layer",
            r"(C_{in} H W + 1)\; C_{out} H_{out} W_{out}",
            rf"({_latex(dense.input_shape[0])} + 1) \cdot {_latex(dense.output_shape[0])}",
            dense.num_params,
        ),
    )
    return [
        rf"\begin{{aligned}} &\text{{{name}}} \\ &= {formula} \\ &= {filled_in} \\ "
        rf"&= {_latex(result)} \end{{aligned}}"
        for name, formula, filled_in, result in derivations
    ]


ABOUT_COSTS = (
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


def _number(value: float) -> str:
    """Write a number exactly, with as few decimals as it has, at most `DECIMALS`, and a true minus sign."""
    return f"{float(value):z.{DECIMALS}f}".rstrip("0").rstrip(".").replace("-", "−")


def _term(value: float) -> str:
    written = _number(value)
    return f"({written})" if written.startswith("−") else written


def _added(values: Iterable[float]) -> str:
    return " + ".join(map(_term, values))


def _multiplied(first: Iterable[float], second: Iterable[float]) -> str:
    return " + ".join(f"{_term(a)} · {_term(b)}" for a, b in zip(first, second, strict=True))


def _latex(whole: int) -> str:
    return f"{whole:,}".replace(",", r"{,}")


def _shape(sizes: Iterable[int]) -> str:
    return " x ".join(map(str, sizes))


def _place(at: tuple[int, int, int]) -> str:
    return "Output channel {}, row {}, column {}".format(*at)
