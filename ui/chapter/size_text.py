"""What the page on padding and stride says in words and formulas, for the settings of the moment."""

from collections.abc import Sequence

from cnn_core.geometry import Axis, TransposedAxis, output_size, total_padding
from cnn_core.sizes import SizeCurve
from ui import explorer
from ui.chapter.size_layer import CONVOLUTION, MOST_OUTPUTS, POOLING, TRANSPOSED, Layer
from ui.wording import both, count

EXPLANATIONS = {
    CONVOLUTION: (
        "- **Padding** lets the kernel reach the border. Without it, each layer shrinks the picture, and "
        "border pixels are seen by fewer windows than the others.\n"
        "- **Stride** skips places. The output gets smaller by about the factor $s$. When the division "
        "leaves a rest, the last rows or columns are never seen.\n"
        "- **Dilation** spreads the kernel. It sees further with the same number of weights.\n"
        "- An even kernel cannot be centred on a pixel. Its same padding is one pixel larger on one side."
    ),
    POOLING: (
        "Pooling takes the largest number of each window. The sizes are those of a convolution, with two differences.\n"
        "- **Padding** never wins, and it may be at most half of the window. "
        "So no window without dilation sees padding alone.\n"
        "- **Ceil** rounds up: one more window for what would be left over. It hangs over the end, where there is "
        "nothing. Only pooling layers have this choice."
    ),
    TRANSPOSED: (
        "A transposed convolution runs a convolution backwards. Each input puts the whole kernel, times its number, "
        "onto the output. Where kernels overlap, the products add up.\n"
        "- **Stride** is the distance between neighbouring kernels. It makes the output larger.\n"
        "- **Padding** cuts pixels off the output.\n"
        "- **Output padding** adds rows and columns at the end. A convolution with stride makes one size out of "
        "several; this chooses which of them comes back.\n"
        "- The size comes back, the numbers do not. It is no inverse."
    ),
}
"""Name of an operation -> what its settings do."""


def reading(layer: Layer) -> str:
    """Say what the layer does to the size."""
    height, width = layer.axes
    dilation = both(height.dilation, width.dilation)
    words = [
        f"{'window' if layer.operation == POOLING else 'kernel'} {both(height.kernel_size, width.kernel_size)}",
        f"stride {both(height.stride, width.stride)}",
        f"padding {both(_sides(height), _sides(width))}",
        *([] if dilation == "1" else [f"dilation {dilation}"]),
    ]
    if layer.operation == TRANSPOSED:
        words.append(f"output padding {both(height.output_padding, width.output_padding)}")
        rest = _cut(height, width)
    else:
        rest = _rest(height, width)
    sizes_in, sizes_out = (
        f"{height.input_size} x {width.input_size}",
        f"{height.output_size} x {width.output_size}",
    )
    return f"{sizes_in} in, {', '.join(words)}: {sizes_out} out, {rest}."


def large(layer: Layer) -> str:
    """Say what a figure without numbers shows, and up to where there are numbers."""
    end = f"Numbers are shown for inputs up to {explorer.MAX_SIZE} x {explorer.MAX_SIZE}"
    if layer.operation == TRANSPOSED:
        return f"{end} and outputs up to {MOST_OUTPUTS} x {MOST_OUTPUTS}."
    return (
        "A dot is the centre of a window. Hatched: padding. Hatched and dark: left over. "
        f"The coloured window makes the coloured output. {end}."
    )


def _cut(height: TransposedAxis, width: TransposedAxis) -> str:
    counts = ((height.padding[0], "row"), (width.padding[0], "column"))
    words = " and ".join(count(number, line) for number, line in counts if number)
    return f"{words} cut off on each side" if words else "nothing cut off"


def _sides(axis: Axis | TransposedAxis) -> str:
    before, after = axis.padding
    return str(before) if before == after else f"{before} before and {after} after"


def _rest(height: Axis, width: Axis) -> str:
    axes = ((height, "row"), (width, "column"))
    over = " and ".join(count(axis.overhang, line) for axis, line in axes if axis.overhang)
    left = " and ".join(_left_over(axis, line) for axis, line in axes if axis.left_over)
    words = (f"the last windows hang over by {over}" if over else "", left)
    return ", ".join(filter(None, words)) or "nothing left over"


def _left_over(axis: Axis, line: str) -> str:
    only_padding = " of padding" if axis.left_over <= axis.padding[1] else ""
    return f"{count(axis.left_over, line)}{only_padding} left over"


def remark(axis: Axis, line: str) -> str:
    """Say the one thing about a setting that is most worth knowing.

    Args:
        axis: The setting.
        line: What the axis counts: "row", "column" or "pixel".

    Returns:
        A few words without a full stop.
    """
    inside = range(axis.input_size)
    seen = [set(axis.seen_by(index)).intersection(inside) for index in range(axis.output_size)]
    if not all(seen):
        return "some windows see padding only"
    unseen = axis.input_size - len(set().union(*seen))
    if unseen:
        return f"{count(unseen, line)} never seen"
    if axis.left_over:
        return f"{count(axis.left_over, line)} of padding left over"
    if axis.effective_kernel_size > axis.input_size:
        return "window larger than the input"
    if axis.padding[0] != axis.padding[1]:
        return f"one {line} more after than before"
    if axis.dilation > 1:
        return f"window spans {count(axis.effective_kernel_size, line)}"
    if axis.kernel_size == axis.stride > 1:
        return "windows side by side"
    return "keeps the size" if axis.output_size == axis.input_size else "nothing left over"


def alt(curves: Sequence[SizeCurve]) -> str:
    """Describe curves of the output size for those who do not see them."""
    return "Output size over one setting at a time. " + " ".join(map(_course, curves))


def _course(curve: SizeCurve) -> str:
    first, last = min(curve.sizes), max(curve.sizes)
    ends = f"{curve.sizes[first]} at {first} and {curve.sizes[last]} at {last}"
    return f"{curve.name.capitalize()}: {curve.sizes[curve.now]} at {curve.now} now, {ends}."


def latex_size(axis: Axis, name: str) -> str:
    """Write the output size of an axis, as the formula gives it before PyTorch drops a window."""
    before, after = axis.padding
    kernel, dilation = axis.kernel_size, axis.dilation
    left, right = (r"\left\lceil", r"\right\rceil") if axis.ceil_mode else (r"\left\lfloor", r"\right\rfloor")
    steps = (
        r"n + p_\text{before} + p_\text{after} - (d\,(k - 1) + 1)",
        rf"{axis.input_size} + {before} + {after} - ({dilation}\cdot({kernel} - 1) + 1)",
        axis.travel,
    )
    strides = ("s", axis.stride, axis.stride)
    fractions = r" \\ &= ".join(
        rf"{left} \frac{{{step}}}{{{stride}}} {right} + 1"
        for step, stride in zip(steps, strides, strict=True)
    )
    return rf"\begin{{aligned}} \text{{{name}}} &= {fractions} = {axis.rounded_size} \end{{aligned}}"


def latex_book(axis: Axis) -> str:
    """Write the output size as the book does, with the total padding."""
    kernel, total = axis.effective_kernel_size, total_padding(axis.padding)
    size = output_size(axis.input_size, kernel, stride=axis.stride, padding=axis.padding)
    return (
        r"\begin{aligned} &\left\lfloor (n - k + p + s) / s \right\rfloor \\ &= \left\lfloor "
        rf"({axis.input_size} - {kernel} + {total} + {axis.stride}) / {axis.stride} \right\rfloor = {size}"
        r" \end{aligned}"
    )


def latex_transposed(axis: TransposedAxis, name: str) -> str:
    """Write the output size of an axis of a transposed convolution."""
    before, after = axis.padding
    numbers = (
        rf"({axis.input_size} - 1) \cdot {axis.stride} + {axis.dilation}\cdot({axis.kernel_size} - 1) + 1 "
        rf"+ {axis.output_padding} - {before} - {after} = {axis.output_size}"
    )
    symbols = r"(n - 1)\,s + d\,(k - 1) + 1 + p_\text{output} - p_\text{before} - p_\text{after}"
    return rf"\begin{{aligned}} \text{{{name}}} &= {symbols} \\ &= {numbers} \end{{aligned}}"
