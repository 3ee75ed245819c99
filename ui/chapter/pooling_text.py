"""What the page on pooling says in words and formulas, for the settings of the moment."""

from collections.abc import Mapping, Sequence

import numpy as np

from cnn_core.geometry import Axis
from cnn_core.pooling import format_number, gradient, shares, windows
from cnn_core.scene import Scene, Wiring
from ui.chapter.pooling_settings import IN_PLACE, MOVED
from ui.wording import both, count

Place = tuple[int, int, int]
"""Channel, row and column of an output."""

MAX_WRITTEN = 6
"""Most rows, and most columns, of a window that is written out."""

EXACT = 1e-6
"""A change below this is rounding."""

MOST_DECIMALS = 6
"""Decimals that show each difference above rounding."""

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
    measured = {name: values[at] for name, values in changes.items() if not np.isnan(values).all()}
    words = [f"{value} {name}" for value, name in zip(written(*measured.values()), measured, strict=True)]
    if constant := [name for name in changes if name not in measured]:
        words.append(f"not measurable {_listed(constant)}, where all numbers are the same")
    return f"Shifted by {count(at, 'pixel')}, the change is {', '.join(words)}."


def written(*changes: float) -> list[str]:
    """Write changes with as many decimals as it takes to tell them apart, and two at least.

    Example:
        >>> written(0.82, 0.2), written(0.125, 0.121), written(0.5, 0.5)
        (['0.82', '0.20'], ['0.125', '0.121'], ['0.50', '0.50'])
    """
    gaps = np.diff(np.sort(changes))
    num_different = 1 + np.count_nonzero(gaps > EXACT)
    for decimals in range(2, MOST_DECIMALS):
        words = [f"{change:.{decimals}f}" for change in changes]
        if len(set(words)) >= num_different:
            return words
    return [f"{change:.{MOST_DECIMALS}f}" for change in changes]


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
        where = "every shift" if exact.all() else _shifts(exact)
        return f"Here the map after {mode} pooling moves exactly with the picture at {where}."
    worse = pooled > before
    if worse.any():
        return f"Here {mode} pooling is no help at {_shifts(worse)}: the change is larger than without it."
    return f"Here the change after {mode} pooling is never larger than without it, up to {len(before) - 1} pixels."


def about_shift(width: Axis, at: int, over_strides: np.ndarray, mode: str, *, moved: bool) -> str:
    """Say what the shift test shows, in each comparison what its own lines show.

    Args:
        width: The layer along the axis of the shift.
        at: A shift in pixels.
        over_strides: Change in place at that shift after pooling, with strides of 1, 2, ...; NaN where there is none.
        mode: max, average or min.
        moved: Whether outputs were compared after moving them along.

    Returns:
        A list in Markdown.
    """
    equivariant = (
        "- **A convolution is equivariant.** Shift the picture, and the feature map shifts with it, exactly. "
    )
    if moved:
        points = (
            f"{equivariant}So its line is 0 here. It does not stay as it is: compare *{IN_PLACE}*.",
            f"- **Pooling keeps up with some shifts only.** {_stride_cost(width.stride)}",
            "- **Average pooling does the same.** At the same shifts its windows see the same pixels again.",
        )
    else:
        points = (
            f"{equivariant}It does not stay as it is. Compare *{MOVED}*, and its line is 0.",
            "- **Pooling is a little invariant.** When the picture moves by a pixel, the largest number often stays "
            "in its window. So the change often grows more slowly, until the shift comes near the window size, here "
            f"{width.kernel_size}.",
            "- **The window does that.** The stride makes the output smaller. It only picks which windows count."
            f"{_stride_matters(at, over_strides, mode)}",
            f"- **The stride costs something.** {_stride_cost(width.stride)} Compare *{MOVED}*.",
            "- **Average pooling often does it too.** It is no privilege of max pooling. Compare the lines.",
        )
    usual = (
        "- **The usual words say too much.** Texts call these networks *translation invariant*. Convolution is "
        "equivariant. Pooling is invariant to small shifts, and only roughly."
    )
    return "\n".join((*points, usual))


def _stride_matters(at: int, over_strides: np.ndarray, mode: str) -> str:
    if np.isnan(over_strides).any():
        return ""
    low, high = written(over_strides.min(), over_strides.max())
    return (
        f" With strides of 1 to {len(over_strides)}, the same along both axes, the change after {mode} pooling at a "
        f"shift of {count(at, 'pixel')} is {low} to {high} here."
    )


def _stride_cost(stride: int) -> str:
    """Say at which shifts a pooled map with this stride still moves with the picture."""
    if stride == 1:
        return (
            "With stride 1 the pooled map still moves exactly with the picture. With a larger stride it does so only "
            "at some shifts."
        )
    return (
        f"With stride {stride} the pooled map moves exactly with the picture if the shift is a multiple of {stride}. "
        "Otherwise its windows see other pixels."
    )


def _shifts(condition: np.ndarray) -> str:
    shifts = np.flatnonzero(condition)
    if len(shifts) == 1:
        return f"a shift of {count(int(shifts[0]), 'pixel')}"
    return f"shifts of {_listed([str(shift) for shift in shifts])} pixels"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


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
