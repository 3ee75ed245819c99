"""What the page on pooling says in words, formulas and code, for the settings of the moment."""

from collections.abc import Mapping

import numpy as np

from cnn_core.geometry import Axis
from cnn_core.pooling import Pooled, format_number

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

TAKEN = {"max": "the largest of", "average": "the average of", "min": "the smallest of"}
"""Name of a way to pool -> what it takes."""


def count(number: int, one: str) -> str:
    """Write a number of things, with an s where there are several."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def layer(height: Axis, width: Axis) -> str:
    """Say what the layer does to the size."""
    padding = _both(height.padding[0], width.padding[0])
    return (
        f"{height.input_size} x {width.input_size} in, window {_both(height.kernel_size, width.kernel_size)}, "
        f"stride {_both(height.stride, width.stride)}, padding {padding}: "
        f"{height.output_size} x {width.output_size} out, {_rest(height, width)}."
    )


def output(pooled: Pooled, at: tuple[int, int]) -> str:
    """Say which number one window gives in channel 0."""
    numbers = count(int(np.isfinite(pooled.window(at)[0]).sum()), "number")
    value = pooled.output[0, at[0], at[1]]
    about = "" if _is_short(value) else "about "
    place = f"Output row {at[0]}, column {at[1]}"
    return f"{place}: {TAKEN[pooled.mode]} {numbers} is {about}{format_number(value)}."


def legend(pooled: Pooled) -> str:
    """Name the marks that the drawing of the windows has now."""
    axes = (pooled.height, pooled.width)
    marks = ["The framed window makes the framed output."]
    if pooled.mode != "average":
        marks.append("A ring marks the number that wins.")
    if any(sum(axis.padding) for axis in axes):
        marks.append("Hatched: padding, with the number it counts as.")
    if any(axis.left_over for axis in axes):
        marks.append("Hatched and dimmed: left over.")
    if any(axis.overhang for axis in axes):
        marks.append("Hatched and empty: a window hangs over, and there is nothing to count.")
    return " ".join(marks)


def latex_output(pooled: Pooled, at: tuple[int, int]) -> str:
    """Write what one window gives in channel 0; a dot stands where it hangs over."""
    window, value = pooled.window(at)[0], pooled.output[0, at[0], at[1]]
    cells = r" \\ ".join(" & ".join(_latex(number) or r"\cdot" for number in row) for row in window)
    num_counted = np.sum(~np.isnan(window))
    taken = rf"\frac{{1}}{{{num_counted}}} \sum" if pooled.mode == "average" else rf"\{pooled.mode}"
    equals = "=" if _is_short(value) else r"\approx"
    return rf"{taken} \begin{{pmatrix}} {cells} \end{{pmatrix}} {equals} {_latex(value)}"


def latex_size(axis: Axis, name: str) -> str:
    """Write the output size of an axis, as the formula gives it before PyTorch drops a window."""
    left, right = (r"\lceil", r"\rceil") if axis.ceil_mode else (r"\lfloor", r"\rfloor")
    numbers = rf"{axis.input_size} + 2 \cdot {axis.padding[0]} - {axis.kernel_size}"
    return (
        rf"\begin{{aligned}} \text{{{name}}} &= \left{left} \frac{{n + 2p - k}}{{s}} \right{right} + 1 \\ "
        rf"&= \left{left} \frac{{{numbers}}}{{{axis.stride}}} \right{right} + 1 "
        rf"= {axis.output_size + drops_a_window(axis)} \end{{aligned}}"
    )


def drops_a_window(axis: Axis) -> bool:
    """Tell whether rounding up gives a window that would start in the padding behind the picture."""
    return axis.ceil_mode and axis.left_over > 0


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


def grid_code(x: np.ndarray, pooled: Pooled) -> dict[str, str]:
    """Write the code that pools a small grid, with this package and with PyTorch.

    Args:
        x: Channels X, X + 1, ..., shape (C, H, W).
        pooled: The layer that was applied to it.
    """
    rows = ",\n    ".join(f"[{', '.join(f'{number:g}' for number in row)}]" for row in x[0])
    grid = f"[\n    {rows},\n]"
    channels = ", ".join(f"grid + {c}" if c else "grid" for c in range(len(x)))
    to_x = "grid[None, None]" if len(x) == 1 else f"{{}}.stack([{channels}])[None]"
    ours = (
        f"import numpy as np\nfrom cnn_core import ops\n\ngrid = np.array({grid})\n"
        f"x = {to_x.format('np')}\ny = {_our_pool(pooled.height, pooled.width, pooled.mode)}"
    )
    torch = (
        f"import torch\nfrom torch import nn\n\ngrid = torch.tensor({grid}).float()\n"
        f"x = {to_x.format('torch')}\ny = {_torch_pool(pooled.height, pooled.width, pooled.mode)}"
    )
    return {"ours": ours, "torch": torch}


def picture_code(name: str, pooled: Pooled) -> dict[str, str]:
    """Write the code that pools a picture that is always here."""
    head = {"ours": "import numpy as np\nfrom cnn_core import images, ops\n"}
    head["torch"] = "import torch\nfrom torch import nn\nfrom cnn_core import images\n"
    load = f'\npicture = images.load("{name}")\n'
    if len(pooled.output) == 1:
        x = {"ours": "picture[None, None]", "torch": "torch.from_numpy(picture)[None, None].float()"}
    else:
        x = {"ours": "np.moveaxis(picture, 2, 0)[None]"}
        x["torch"] = "torch.from_numpy(picture).permute(2, 0, 1)[None].float()"
    y = {"ours": _our_pool(pooled.height, pooled.width, pooled.mode)}
    y["torch"] = _torch_pool(pooled.height, pooled.width, pooled.mode)
    return {key: f"{head[key]}{load}x = {x[key]}\ny = {y[key]}" for key in head}


def shift_code(
    name: str,
    height: Axis,
    width: Axis,
    mode: str,
    *,
    kernel: np.ndarray | None,
    relu: bool,
    moves: list[int] | None,
    crop: int,
) -> dict[str, str]:
    """Write the code that measures the changes after pooling.

    Args:
        name: Name of the picture.
        height: The layer along the rows.
        width: The layer along the columns.
        mode: max, average or min.
        kernel: Kernel that makes the feature map, shape (kH, kW); None for the picture itself.
        relu: Whether negative numbers of the feature map become 0.
        moves: Whole outputs by which the first output is moved along at each shift; None for in place.
        crop: Height and width of the crops, in pixels.
    """
    load = f'\npicture = images.to_grey(images.load("{name}"))\n'
    crops = f"shifts.shifted_crops(picture, {crop})"
    cells = None if kernel is None else kernel.tolist()
    ours = f"import numpy as np\nfrom cnn_core import images, ops, shifts\n{load}x = {crops}.astype(np.float32)\n"
    torch = (
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
        f"from cnn_core import images, shifts\n{load}x = torch.from_numpy({crops}).float()\n"
    )
    if cells:
        ours += f"x = ops.conv2d(x, np.array([[{cells}]]))\n"
        torch += f"x = F.conv2d(x, torch.tensor([[{cells}]]))\n"
    if relu:
        ours += "x = np.maximum(x, 0)\n"
        torch += "x = x.relu()\n"
    stride = "" if moves is None else f", effective_stride={width.stride}"
    ours += f"pooled = {_our_pool(height, width, mode)}\ny = shifts.changes(pooled{stride})"
    torch += (
        f"pooled = {_torch_pool(height, width, mode)}.double()\n"
        "values = pooled[0].flatten().sort().values\n"
        "n = len(values)\n"
        "typical = 2 * ((2 * torch.arange(n) - n + 1) * values).mean() / n\n"
    )
    if moves is None:
        torch += "y = (pooled - pooled[0]).abs().mean((1, 2, 3)) / typical"
    else:
        torch += (
            f"moves = {moves}\nwidth = pooled.shape[-1]\ny = torch.stack([\n"
            "    (pooled[s, ..., m:] - pooled[0, ..., : width - m]).abs().mean()\n"
            "    for s, m in enumerate(moves)\n]) / typical"
        )
    return {"ours": ours, "torch": torch}


def _listed(condition: np.ndarray) -> str:
    shifts = [str(shift) for shift in np.flatnonzero(condition)]
    return " and ".join(filter(None, [", ".join(shifts[:-1]), shifts[-1]]))


def _both(first: object, second: object) -> str:
    return str(first) if first == second else f"{first} x {second}"


def _rest(height: Axis, width: Axis) -> str:
    named = ((height, "row"), (width, "column"))
    over = " and ".join(count(axis.overhang, one) for axis, one in named if axis.overhang)
    left = " and ".join(count(axis.left_over, one) for axis, one in named if axis.left_over)
    words = [f"the last windows hang over by {over}" if over else "", f"{left} left over" if left else ""]
    return ", ".join(filter(None, words)) or "nothing left over"


def _is_short(value: float) -> bool:
    """Tell whether two decimals write the value exactly."""
    return bool(np.isclose(value, round(value, 2), rtol=0, atol=1e-9))


def _latex(number: float) -> str:
    return format_number(number).replace("−", "-").replace("∞", r"\infty")


def _arguments(height: Axis, width: Axis) -> str:
    pairs = {
        "": (height.kernel_size, width.kernel_size),
        "stride=": (height.stride, width.stride),
        "padding=": (height.padding[0], width.padding[0]),
    }
    written = [
        f"{name}{pair[0] if pair[0] == pair[1] else pair}" for name, pair in pairs.items() if any(pair)
    ]
    return ", ".join([*written, "ceil_mode=True"] if height.ceil_mode else written)


def _our_pool(height: Axis, width: Axis, mode: str) -> str:
    return f'ops.pool2d(x, {_arguments(height, width)}, mode="{mode}")'


def _torch_pool(height: Axis, width: Axis, mode: str) -> str:
    arguments = _arguments(height, width)
    if mode == "min":
        return f"-nn.MaxPool2d({arguments})(-x)"
    return f"nn.{'AvgPool2d' if mode == 'average' else 'MaxPool2d'}({arguments})(x)"
