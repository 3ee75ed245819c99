"""What the page on pooling says in words and formulas, for the settings of the moment."""

from collections.abc import Mapping

import numpy as np

from cnn_core.geometry import Axis
from cnn_core.pooling import format_number, gradient, shares, windows
from cnn_core.scene import Scene, Wiring
from ui.wording import both, count

Place = tuple[int, int, int]
"""Channel, row and column of an output."""

MAX_WRITTEN = 6
"""Most rows, and most columns, of a window that is written out."""

EXACT = 1e-6
"""A change below this is rounding."""

PADDING = {
    "max": (
        r"counts as $-\infty$, so it never wins. A zero would win against negative numbers. With min it is $+\infty$."
    ),
    "min": r"counts as $+\infty$, so it never wins. With max it is $-\infty$.",
    "average": (
        "counts as zeros, and PyTorch divides by the whole window. So averages at the border are pulled towards 0. "
        "With `count_include_pad=False` it divides by the real numbers only."
    ),
}
"""Name of a way to pool -> how its padding counts."""


def layer(height: Axis, width: Axis) -> str:
    """Say what the layer does to the size."""
    padding = both(height.padding[0], width.padding[0])
    return (
        f"{height.input_size} x {width.input_size} in, window {both(height.kernel_size, width.kernel_size)}, "
        f"stride {both(height.stride, width.stride)}, padding {padding}: "
        f"{height.output_size} x {width.output_size} out, {_rest(height, width)}."
    )


def legend(height: Axis, width: Axis, mode: str) -> str:
    """Name the marks that the figure has now."""
    marks = ["Point at an output: its window is framed. Point at an input: the outputs it feeds are framed."]
    if mode != "average":
        marks.append("A ring marks what wins.")
    if any(sum(axis.padding) for axis in (height, width)):
        marks.append("Hatched: padding.")
    if any(axis.left_over for axis in (height, width)):
        marks.append("Hatched and dimmed: left over.")
    if any(axis.overhang for axis in (height, width)):
        marks.append("Empty: a window hangs over, and there is nothing to count.")
    return " ".join(marks)


def where_gradient_goes(scene: Scene, at: Place) -> str:
    """Say which numbers share the gradient of one output, and what the first of them gets from all outputs."""
    window, share = windows(scene)[at], shares(scene)[at]
    rows, columns = _seen_by(scene.height, at[1]), _seen_by(scene.width, at[2])
    u, v = next((u, v) for u in rows for v in columns if share[u, v])
    pixel = at[0], rows[u], columns[v]
    number = f"{format_number(scene.x[pixel])} in row {pixel[1]}, column {pixel[2]}"
    total = gradient(scene)[pixel]
    if scene.mode == "average":
        num_counted = np.count_nonzero(share)
        num_lost = num_counted - len(rows) * len(columns)
        lost = f" Lost in the padding: {num_lost} of {num_counted} parts." if num_lost else ""
        return (
            f"Each number in the window of output {_place(scene, at)} gets $\\frac{{1}}{{{num_counted}}}$ of its "
            f"gradient.{lost} All outputs together give the {number} a gradient of {_about(total)}."
        )
    num_equal = np.count_nonzero(window == scene.y[at]) - 1
    tie = f" It is the first of {num_equal + 1} that are equal." if num_equal else ""
    return (
        f"The whole gradient of output {_place(scene, at)} goes to the {number}.{tie} "
        f"It wins in {count(int(total), 'window')}, so all outputs together give it a gradient of {int(total)}."
    )


def latex_output(scene: Scene, at: Place) -> str:
    """Write what one window gives; a dot stands where it hangs over, and dots for the middle of a large window."""
    window, value = windows(scene)[at], scene.y[at]
    cells = [[_latex(number) or r"\cdot" for number in row] for row in window]
    cells = _shortened([_shortened(row, r"\cdots") for row in cells], [r"\vdots"])
    matrix = r" \\ ".join(" & ".join(row) for row in cells)
    taken = (
        rf"\frac{{1}}{{{np.sum(~np.isnan(window))}}} \sum" if scene.mode == "average" else rf"\{scene.mode}"
    )
    equals = "=" if _is_short(value) else r"\approx"
    return rf"{taken} \begin{{pmatrix}} {matrix} \end{{pmatrix}} {equals} {_latex(value)}"


def latex_size(axis: Axis, name: str) -> str:
    """Write the output size of an axis, as the formula gives it before PyTorch drops a window."""
    left, right = (r"\lceil", r"\rceil") if axis.ceil_mode else (r"\lfloor", r"\rfloor")
    numbers = rf"{axis.input_size} + 2 \cdot {axis.padding[0]} - {axis.kernel_size}"
    return (
        rf"\begin{{aligned}} \text{{{name}}} &= \left{left} \frac{{n + 2p - k}}{{s}} \right{right} + 1 \\ "
        rf"&= \left{left} \frac{{{numbers}}}{{{axis.stride}}} \right{right} + 1 "
        rf"= {axis.rounded_size} \end{{aligned}}"
    )


def shift(changes: Mapping[str, np.ndarray], at: int) -> str:
    """Say how much a shift changes each output; names read like "before pooling"."""
    measured = {name: values for name, values in changes.items() if not np.isnan(values).all()}
    words = [f"{values[at]:.2f} {name}" for name, values in measured.items()]
    words += [
        f"not measurable {name}, where all numbers are the same" for name in changes if name not in measured
    ]
    return f"Shifted by {count(at, 'pixel')}, the change is {', '.join(words)}."


def verdict(before: np.ndarray, pooled: np.ndarray, mode: str, *, moved: bool) -> str:
    """Say what the curves show, whether or not it speaks for pooling.

    Args:
        before: Changes before pooling, shape (num_shifts,); NaN if there is nothing to change.
        pooled: Changes after pooling, same shape.
        mode: max, average or min.
        moved: Whether outputs were compared after moving them along.
    """
    if np.isnan(before).all():
        return "This feature map is the same everywhere, so no shift can change it. Choose another picture."
    if np.isnan(pooled).all():
        return f"After {mode} pooling all numbers are the same. Nothing is left that a shift could change."
    if moved:
        exact = pooled < EXACT
        where = "every shift" if exact.all() else f"shifts of {_listed(exact)} pixels"
        return f"Here the map after {mode} pooling moves exactly with the picture at {where}."
    worse = pooled > before
    if worse.any():
        where = (
            f"shifts of {_listed(worse)} pixels" if worse.sum() > 1 else f"a shift of {_listed(worse)} pixels"
        )
        return f"Here {mode} pooling is no help at {where}: the change is larger than without it."
    return f"Here the change after {mode} pooling is never larger than without it, up to {len(before) - 1} pixels."


def stride_cost(stride: int) -> str:
    """Say at which shifts a pooled map with this stride still moves with the picture."""
    if stride == 1:
        return "With stride 1 the pooled map still moves exactly with the picture. With a larger stride it does not."
    return (
        f"With stride {stride} the pooled map moves exactly with the picture if the shift is a multiple of {stride}. "
        "Otherwise its windows hold other numbers."
    )


def _listed(condition: np.ndarray) -> str:
    shifts = [str(shift) for shift in np.flatnonzero(condition)]
    return " and ".join(filter(None, [", ".join(shifts[:-1]), shifts[-1]]))


def _rest(height: Axis, width: Axis) -> str:
    named = ((height, "row"), (width, "column"))
    over = " and ".join(count(axis.overhang, one) for axis, one in named if axis.overhang)
    left = " and ".join(count(axis.left_over, one) for axis, one in named if axis.left_over)
    words = [f"the last windows hang over by {over}" if over else "", f"{left} left over" if left else ""]
    return ", ".join(filter(None, words)) or "nothing left over"


def _place(scene: Scene, at: Place) -> str:
    channel = f"channel {at[0]}, " if len(scene.y) > 1 else ""
    return f"{channel}row {at[1]}, column {at[2]}"


def _seen_by(wiring: Wiring, index: int) -> dict[int, int]:
    """Name the input pixel under each cell of one window that has one."""
    return {
        cell: wiring.source[pixel]
        for output, pixel, cell in wiring.links
        if output == index and wiring.source[pixel] >= 0
    }


def _shortened(items: list, dots: object) -> list:
    return items if len(items) <= MAX_WRITTEN else [*items[: MAX_WRITTEN - 2], dots, items[-1]]


def _about(value: float) -> str:
    return f"{'' if _is_short(value) else 'about '}{format_number(value)}"


def _is_short(value: float) -> bool:
    """Tell whether two decimals write the value exactly."""
    return bool(np.isclose(value, round(value, 2), rtol=0, atol=1e-9))


def _latex(number: float) -> str:
    return format_number(number).replace("−", "-").replace("∞", r"\infty")
