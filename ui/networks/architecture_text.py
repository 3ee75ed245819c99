"""What the page on architecture says in words and formulas."""

from collections.abc import Sequence

from cnn_core.geometry import effective_kernel_size
from cnn_core.network import BatchNorm, Conv, Linear
from cnn_core.shapes import format_shape
from cnn_core.summary import LayerSummary
from ui.networks.architecture_lines import costliest, totals
from ui.wording import count, percent

EXAMPLE = {1: "vector", 2: "signal", 3: "picture"}


def in_and_out(rows: Sequence[LayerSummary], input_shape: tuple[int, ...]) -> str:
    """Say in one line what goes in, what comes out and what it costs."""
    sums = totals(rows)
    example = EXAMPLE[len(input_shape)]
    return (
        f"{format_shape(input_shape)} in, {format_shape(rows[-1].output_shape)} out: "
        f"{count(sums['num_params'], 'parameter')}, {count(sums['mult_adds'], 'mult-add')} "
        f"and {sums['activation_bytes']:,} bytes of activations for one {example}."
    )


def examples_of(input_shape: tuple[int, ...]) -> str:
    """Name inputs of a shape.

    Example:
        >>> examples_of((1, 256))
        'signals of 1 x 256'
    """
    return f"{EXAMPLE[len(input_shape)]}s of {format_shape(input_shape)}"


def where_it_goes(rows: Sequence[LayerSummary]) -> str:
    """Name the layers that cost most."""
    sums = totals(rows)
    holder, worker = costliest(rows, "num_params"), costliest(rows, "mult_adds")
    if holder is None:
        return "No layer has parameters: nothing can be learned here."
    return (
        f"{holder.name} holds the most parameters: {holder.num_params:,}, or "
        f"{percent(holder.num_params / sums['num_params'])}. {worker.name} does the most work: "
        f"{worker.mult_adds:,} mult-adds, or {percent(worker.mult_adds / sums['mult_adds'])}."
    )


def formulas(rows: Sequence[LayerSummary]) -> list[str]:
    """Write out, in LaTeX, how the first convolution and the first linear layer get their numbers."""
    written = []
    for row in rows:
        if isinstance(row.layer, Conv):
            written += _convolution(row)
            break
    for row in rows:
        if isinstance(row.layer, Linear):
            written.append(_linear(row))
            break
    return written


def _convolution(row: LayerSummary) -> list[str]:
    layer, axis = row.layer, len(row.input_shape) - 2  # of the last axis
    size, output = row.input_shape[-1], row.output_shape[-1]
    kernel = effective_kernel_size(layer.kernel_size[axis], layer.dilation[axis])
    padding, stride = layer.padding[axis], layer.stride[axis]
    weight = dict(row.parameter_shapes)["weight"]
    factors = r" \cdot ".join(map(str, weight))
    num_weights = row.num_params - (weight[0] if _has_bias(row) else 0)
    positions = r" \cdot ".join(map(str, row.output_shape[1:]))
    bias = f" + {weight[0]}" if _has_bias(row) else ""
    name = _escaped(row.name)
    return [
        rf"\text{{{name}, size: }} \left\lfloor \frac{{{size} + 2 \cdot {padding} - {kernel}}}{{{stride}}}"
        rf"\right\rfloor + 1 = {output}",
        rf"\text{{{name}, parameters: }} {factors}{bias} = {_number(row.num_params)}",
        rf"\text{{{name}, mult-adds: }} {_number(num_weights)} \cdot {positions} = {_number(row.mult_adds)}",
    ]


def _linear(row: LayerSummary) -> str:
    inputs, outputs = row.input_shape[0], row.output_shape[0]
    bias = f" + {outputs}" if _has_bias(row) else ""
    return rf"\text{{{_escaped(row.name)}, parameters: }} {inputs} \cdot {outputs}{bias} = {_number(row.num_params)}"


def _has_bias(row: LayerSummary) -> bool:
    return "bias" in dict(row.parameter_shapes)


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")


def _number(value: int) -> str:
    return f"{value:,}".replace(",", r"{,}")


def about_costs(rows: Sequence[LayerSummary], *, is_published: bool) -> str:
    """Explain the columns."""
    texts = [
        "A **mult-add** is one multiplication with a weight, and the addition after it. A kernel is used at every "
        "position of its output, so a convolution has few parameters and much work. A linear layer uses each weight "
        "once. That is why the most parameters and the most work are often in different layers.",
        "**Memory** is what the outputs of the layers take: 4 bytes for each number. Training keeps them all until "
        "the gradients are known, for each picture of a batch.",
    ]
    if any(isinstance(row.layer, BatchNorm) for row in rows):
        texts.append(
            "A **batch norm** multiplies every number once, and that is counted here. Many tables leave it out, so "
            "their totals are a little smaller."
        )
    if is_published:
        texts.append(
            "The table is made without any weight: PyTorch builds the network on its meta device, where tensors have "
            "a shape and no numbers."
        )
    return "\n\n".join(texts)
