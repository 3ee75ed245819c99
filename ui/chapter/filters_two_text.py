"""What the look "Two in a row" says in words, formulas and code, for the kernels of the moment."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from cnn_core import cells, composition
from cnn_core.composition import Product
from cnn_core.kernels import KERNELS
from ui.chapter.filters_learn_text import short
from ui.chapter.slide import write_kernel
from ui.wording import count

MAX_WRITTEN = 999
"""Largest whole number that is drawn into a cell; kernels that need larger ones are drawn in decimals."""

ROUNDING = 1e-12
"""Share of the largest possible output that rounding stays below."""


def reading(picture: np.ndarray, first: np.ndarray, second: np.ndarray, single: np.ndarray) -> str:
    """Say what goes in, what comes out, and how large the single kernel is."""
    height, width = (size - kernel + 1 for size, kernel in zip(picture.shape, single.shape, strict=True))
    return (
        f"{_by(picture.shape)} in, kernel {_by(first.shape)}, then kernel {_by(second.shape)}: {height} x {width} out. "
        f"The single kernel is {_by(single.shape)}."
    )


def too_large(picture: np.ndarray, first: np.ndarray, second: np.ndarray, single: np.ndarray) -> str:
    """Say that two kernels do not fit one after the other, though each alone may."""
    return (
        f"single kernel size {_by(single.shape)} ({_by(first.shape)}, then {_by(second.shape)}) exceeds picture size "
        f"{_by(picture.shape)}"
    )


def in_whole_numbers(kernels: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray], list[str]]:
    """Multiply kernels of fractions so that their cells can be written, and say so in their names."""
    drawn, names = [], []
    for name, kernel in kernels.items():
        try:
            times = cells.common_denominator(kernel)
        except ValueError:  # the single kernel of two fine ones
            times = 1
        if np.max(np.abs(kernel)) * times > MAX_WRITTEN:
            times = 1
        drawn.append(np.rint(kernel * times) if times > 1 else kernel)
        names.append(f"{name} · {times}" if times > 1 else name)
    return drawn, names


def difference(far: float, *, reach: float, relu: bool) -> str:
    """Say how far the two ways are from each other.

    Args:
        far: Largest difference of an output.
        reach: Largest output that the kernels could make of the picture's pixels, which rounding is measured by.
        relu: Whether negative numbers become 0 between the two kernels.
    """
    if relu and far > ROUNDING * reach:
        return f"The outputs differ by up to {short(far)}. With a ReLU between them, no single kernel does the same."
    equal = (
        f"Both ways give the same outputs. The largest difference, {short(far)}, is rounding."
        if far
        else "Both ways give exactly the same outputs."
    )
    return f"{equal} On this picture the ReLU changes nothing." if relu else equal


def recognise(single: np.ndarray) -> str:
    """Name the kernel, if it has a name."""
    for kernel in KERNELS.values():
        if kernel.values.shape == single.shape and np.allclose(kernel.values, single):
            return f"The single kernel has a name: *{kernel.title}*."
    return ""


def costs(first: np.ndarray, second: np.ndarray, single: np.ndarray) -> str:
    """Compare the multiplications."""
    in_a_row = f"{first.size} + {second.size} = {first.size + second.size}"
    return f"Multiplications for each output: {in_a_row} in a row, {single.size} at once."


def formulas(first: np.ndarray, second: np.ndarray) -> list[str]:
    """Write the single kernel and its size in LaTeX."""
    sizes = [
        rf"k_{axis} = {one} + {other} - 1 = {one + other - 1}"
        for axis, one, other in zip("HW", first.shape, second.shape, strict=True)
    ]
    return [r"k_{m,n} = \sum_{p,q} a_{m-p,\,n-q}\; b_{p,q}", *sizes]


EXPLANATION = """
- **The single kernel** holds each cell $a$ of the first times each cell $b$ of the second, added up where their places
  add up to the same. That is a convolution of the two kernels, with a full border of zeros. Here the flip is real.
- **The order does not matter.** Sums and products can be swapped: $b$ first and then $a$ makes the same kernel.
- **Two small layers see as much as one large layer.** That is the receptive field: sizes add up, less 1.
- **So layers alone are not deep.** Two convolutions in a row are one. A network puts a function such as ReLU between
  them. Then no single kernel does the same. Turn it on, and look at the difference.
- **With padding** the border would differ: zeros are added to the picture, but not again to what comes between.
"""


def split_words(name: str, kernel: np.ndarray) -> str:
    """Say whether a kernel is a column times a row, and what that saves."""
    product = composition.split(kernel)
    if product:
        rows, columns = kernel.shape
        if min(rows, columns) == 1:
            line = "row" if rows == 1 else "column"
            return f"**The {name} kernel** is a single {line} already. There is nothing to split."
        return (
            f"**The {name} kernel is separable:** a column times a row. Multiplications for each output: "
            f"{rows} · {columns} = {kernel.size} at once, {rows} + {columns} = {rows + columns} in two passes."
        )
    rank = composition.rank(kernel)
    if not rank:
        return f"**The {name} kernel** is 0 everywhere."
    return (
        f"**The {name} kernel is not separable.** Its rank is {rank}: it takes a sum of {rank} products of a column "
        "and a row."
    )


def split_formula(product: Product) -> str:
    """Write a column times a row in LaTeX."""
    scale = "" if product.scale == 1 else _fraction(product)
    column, row = r" \\ ".join(map(str, product.column)), " & ".join(map(str, product.row))
    return rf"{scale} \begin{{pmatrix}} {column} \end{{pmatrix}} \begin{{pmatrix}} {row} \end{{pmatrix}}"


@cache
def table() -> dict[str, list[object]]:
    """List all named kernels: whether they are separable, their factors, their multiplications."""
    columns: dict[str, list[object]] = {
        name: [] for name in ("kernel", "size", "rank", "column", "row", "times", "at once", "in two passes")
    }
    for kernel in KERNELS.values():
        product, shape = composition.split(kernel.values), kernel.values.shape
        factors = [_listed(product.column), _listed(product.row), str(product.scale)] if product else [""] * 3
        passes = sum(shape) if product and min(shape) > 1 else None
        row = [
            kernel.title,
            _by(shape),
            composition.rank(kernel.values),
            *factors,
            kernel.values.size,
            passes,
        ]
        for cell, column in zip(row, columns.values(), strict=True):
            column.append(cell)
    return columns


@cache
def separable_count() -> str:
    """Count the named kernels that are separable."""
    splits = [composition.split(kernel.values) for kernel in KERNELS.values()]
    return f"{sum(product is not None for product in splits)} of {count(len(splits), 'named kernel')} are separable."


def code(picture: str, first: np.ndarray, second: np.ndarray, *, relu: bool) -> tuple[str, str]:
    """Write both ways with this package and with PyTorch; `y` is what the two kernels in a row give.

    Args:
        picture: Python that gives the picture.
        first: Shape (kH1, kW1).
        second: Shape (kH2, kW2).
        relu: Whether negative numbers become 0 between the two.
    """
    kernels = {name: write_kernel(kernel) for name, kernel in (("first", first), ("second", second))}
    rows, columns = (size - 1 for size in second.shape)
    ours = (
        "import numpy as np\nfrom cnn_core import composition, images, ops\n\n"
        f"picture = {picture}\n"
        + "".join(f"{name} = np.array({whole}){divided}\n" for name, (whole, divided) in kernels.items())
        + f"between = ops.corr2d(picture, first)\n{'between = np.maximum(between, 0)' + chr(10) if relu else ''}"
        "y = ops.corr2d(between, second)\n"
        "single = composition.compose(first, second)\nat_once = ops.corr2d(picture, single)\n"
    )
    torch = (
        "import torch\nfrom cnn_core import images\nfrom torch.nn import functional as F\n\n"
        f"picture = torch.tensor({picture}, dtype=torch.float64)[None, None]\n"
        + "".join(
            f"{name} = torch.tensor({whole}, dtype=torch.float64)[None, None]{divided}\n"
            for name, (whole, divided) in kernels.items()
        )
        + f"between = F.conv2d(picture, first)\n{'between = F.relu(between)' + chr(10) if relu else ''}"
        "y = F.conv2d(between, second)[0, 0]\n"
        f"single = F.conv2d(first, second.flip(2, 3), padding=({rows}, {columns}))\n"
        "at_once = F.conv2d(picture, single)[0, 0]\n"
    )
    return ours, torch


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _listed(numbers: np.ndarray) -> str:
    return ", ".join(map(str, numbers))


def _fraction(product: Product) -> str:
    over, under = product.scale.as_integer_ratio()
    return str(over) if under == 1 else rf"\frac{{{over}}}{{{under}}}"
