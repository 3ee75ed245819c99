"""A kernel that slides over a picture: the record behind the page Filters, and what is said about it."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnn_core import cells, ops
from cnn_core.geometry import Axis, same_padding

CHANNELS = ("red", "green", "blue")

ROUNDING = 6
"""Decimals of an output that can be right: cells are whole numbers over at most 10,000, so what is beyond is noise."""


@dataclass(frozen=True, eq=False)
class Slide:
    """All that decides the outputs.

    Attributes:
        picture: uint8, shape (H, W), or (H, W, 3) if each channel is filtered on its own.
        highest: Value of the brightest possible pixel.
        code: Lines of Python that assign `picture`, each with its end.
        kernel: Shape (kH, kW).
        flipped: Whether the kernel is turned by half a turn first, for a true convolution.
        stride: Distance between neighbouring windows, in pixels.
        padding_mode: What lies beyond the border, with padding that keeps the size at stride 1; None is no
            padding.
    """

    picture: np.ndarray
    highest: int
    code: str
    kernel: np.ndarray
    flipped: bool
    stride: int
    padding_mode: str | None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.picture.shape[:2]

    @property
    def x(self) -> np.ndarray:
        """Each channel as a picture of its own, shape (1 or 3, 1, H, W)."""
        return np.atleast_3d(self.picture).transpose(2, 0, 1)[:, None]

    @property
    def weight(self) -> np.ndarray:
        """What lies on the picture, shape (1, 1, kH, kW)."""
        return (ops.flip(self.kernel) if self.flipped else self.kernel)[None, None]

    @property
    def padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Pixels added, ((top, bottom), (left, right))."""
        if self.padding_mode is None:
            return (0, 0), (0, 0)
        rows, columns = self.kernel.shape
        return same_padding(rows), same_padding(columns)

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """The layer along the rows and along the columns; a ValueError if the kernel does not fit."""
        self._check_fit()
        sizes = zip(self.shape, self.kernel.shape, self.padding, strict=True)
        rows, columns = (Axis(size, kernel, self.stride, padding) for size, kernel, padding in sizes)
        return rows, columns

    @property
    def how(self) -> dict[str, Any]:
        """The settings of the operation, as `ops` takes them."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "padding_mode": self.padding_mode or "zeros",
        }

    @cached_property
    def y(self) -> np.ndarray:
        """The outputs, shape (1 or 3, 1, H_out, W_out); a ValueError if the kernel does not fit."""
        self._check_fit()
        return ops.conv2d(self.x, self.weight, **self.how)

    def _check_fit(self) -> None:
        """Refuse a kernel larger than the picture; with padding that keeps the size, every kernel fits."""
        if self.padding_mode is None and np.any(np.greater(self.kernel.shape, self.shape)):
            raise ValueError(f"kernel size {_by(self.kernel.shape)} exceeds picture size {_by(self.shape)}")


def number(value: float, decimals: int = 3) -> str:
    """Write a number with so many decimals, or with as many as three digits that count need; no zeros at the end.

    Example:
        >>> number(765.43, 1), number(0.4296875, 1), number(0.04, 1), number(200.0, 1), number(-1e-14, 1)
        ('765.4', '0.43', '0.04', '200', '0')
    """
    value = round(float(value), ROUNDING)
    if value:
        decimals = max(decimals, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:z,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def describe(slide: Slide) -> str:
    """Say in one line what goes in and what comes out."""
    (top, bottom), (left, right) = slide.padding
    padding = (
        f"padding of {top} + {bottom} rows and {left} + {right} columns ({slide.padding_mode})"
        if slide.padding_mode
        else "no padding"
    )
    return (
        f"{_by(slide.shape)} in, kernel {_by(slide.kernel.shape)}, stride {slide.stride}, {padding}: "
        f"{_by(slide.y.shape[2:])} out. {describe_outputs(slide.y)}"
    )


def describe_outputs(y: np.ndarray) -> str:
    """Say how far outputs run, with enough decimals to tell both ends apart.

    Args:
        y: The outputs, any shape.

    Example:
        >>> describe_outputs(np.array([0, 0.04])), describe_outputs(np.array([200, 200.04]))
        ('Outputs run from 0 to 0.04.', 'Outputs run from 200 to 200.04.')
        >>> describe_outputs(np.zeros((5, 8))), describe_outputs(np.array([0.4296875]))
        ('All outputs are 0.', 'The only output is 0.43.')
    """
    low, high = (round(float(end), ROUNDING) for end in (y.min(), y.max()))
    if low == high:
        return f"{'The only output is' if y.size == 1 else 'All outputs are'} {number(low, 1)}."
    decimals = max(1, -math.floor(math.log10(high - low)))
    return f"Outputs run from {number(low, decimals)} to {number(high, decimals)}."


def describe_range(slide: Slide, *, as_picture: bool) -> str:
    """Say how the outputs are drawn, and how far they could reach on any picture."""
    outside = np.count_nonzero((np.rint(slide.y) < 0) | (np.rint(slide.y) > slide.highest))
    look = "Drawn as a picture." if as_picture else "Orange is positive, blue is negative, neutral is 0."
    if as_picture and outside:
        look += f" {outside:,} of {slide.y.size:,} outputs lie outside 0 to {slide.highest} and are cut off."
    low, high = cells.output_range(slide.kernel, highest=slide.highest)
    return (
        f"{look} Pixels from 0 to {slide.highest} cannot give less than {number(low)} or more than "
        f"{number(high)} with this kernel."
    )


def describe_flip(kernel: np.ndarray) -> str:
    """Say what half a turn does to a kernel, and so to its outputs."""
    turned = ops.flip(kernel)
    if np.array_equal(turned, kernel):
        return "Half a turn leaves this kernel as it is. Flipping changes nothing."
    if np.array_equal(turned, -kernel):
        return (
            "Half a turn changes the sign of every cell. Flipping changes the sign of every output, no more."
        )
    return "Half a turn makes another kernel of it. Flipping gives other outputs."


def explain_shift(stride: int) -> str:
    """Say what becomes of the output when the picture is shifted."""
    if stride == 1:
        return (
            "The same cells are used at every place. So a pattern is found wherever it is, and away from the border "
            "a shifted picture gives a shifted output."
        )
    return (
        f"The same cells are used at every place. Away from the border, a picture shifted by a multiple of {stride} "
        f"pixels gives a shifted output. With stride {stride}, other shifts can give other numbers."
    )


def write_formula(slide: Slide) -> str:
    """Write the operation in LaTeX with the numbers of its settings."""
    last_row, last_column = (size - 1 for size in slide.kernel.shape)
    (top, _), (left, _) = slide.padding
    cell = rf"{last_row} - a,\,{last_column} - b" if slide.flipped else r"a,\,b"
    pixel = rf"{_index('i', 'a', slide.stride, top)},\;{_index('j', 'b', slide.stride, left)}"
    return rf"y_{{i,j}} = \sum_{{a=0}}^{{{last_row}}} \sum_{{b=0}}^{{{last_column}}} k_{{{cell}}}\; x_{{{pixel}}}"


def write_code(slide: Slide) -> tuple[str, str]:
    """Write the call to this package and the lines of PyTorch that give the same `y`."""
    (top, bottom), (left, right) = slide.padding
    alone = "transpose(2, 0, 1)[:, None]  # each channel on its own"
    x = "x = picture[None, None]\n" if slide.picture.ndim == 2 else f"x = picture.{alone}\n"
    picture = f"{slide.code}{x}"
    kernel, divided = write_kernel(slide.kernel)
    flip = "kernel = {}\n" if slide.flipped else ""
    ours = (
        f"import numpy as np\nfrom cnn_core import images, ops\n\n{picture}"
        f"kernel = np.array({kernel}){divided}\n"
        f"{flip.format('ops.flip(kernel)')}"
        f"y = ops.conv2d(x, kernel[None, None], stride={slide.stride}, padding={slide.padding}, "
        f'padding_mode="{slide.how["padding_mode"]}")\n'
    )
    mode = "constant" if slide.padding_mode == "zeros" else slide.padding_mode
    pad = f'x = F.pad(x, ({left}, {right}, {top}, {bottom}), mode="{mode}")\n' if mode else ""
    torch = (
        f"import torch\nfrom cnn_core import images\nfrom torch.nn import functional as F\n\n{picture}"
        f"x = torch.tensor(x, dtype=torch.float64)\n{pad}"
        f"kernel = torch.tensor({kernel}, dtype=torch.float64){divided}\n"
        f"{flip.format('kernel.flip(0, 1)')}"
        f"y = F.conv2d(x, kernel[None, None], stride={slide.stride})\n"
    )
    return ours, torch


def write_kernel(kernel: np.ndarray) -> tuple[list[list[int]], str]:
    """Write a kernel as whole numbers and, for code, what they are divided by."""
    denominator = cells.common_denominator(kernel)
    divided = "" if denominator == 1 else f" / {denominator}"
    return (cells.exact(kernel) * denominator).astype(int).tolist(), divided


def explain_sums(kernel: np.ndarray) -> str:
    """Say what the sums of a kernel's cells, columns and rows tell about what it finds."""
    exact = cells.exact(kernel)
    total, columns, rows = cells.write(exact.sum()), exact.sum(axis=0), exact.sum(axis=1)
    return (
        f"- **Sum of all cells: {total}.** On even ground all pixels have one value $v$, and the output is "
        f"${total} \\cdot v$. A kernel for edges has the sum 0: even ground gives 0. A blur has the sum 1: even "
        "ground stays as bright as it is.\n"
        f"- **Sums of its columns: {_listed(columns)}.** A vertical edge looks the same in each row, so it meets "
        f"only these sums. {_verdict(columns, 'vertical')}\n"
        f"- **Sums of its rows: {_listed(rows)}.** They do the same for horizontal edges. "
        f"{_verdict(rows, 'horizontal')}\n"
    )


EXPLANATION = """
- **Which edges?** A horizontal edge runs from left to right. To find it, a kernel compares what is above with
  what is below. So its cells change from top to bottom. For a vertical edge they change from left to right.
- **Sign and colour.** The sign says which way the picture changes. With $[1, -1]$, orange means darker to the
  right and blue means brighter to the right. The neutral colour is always 0. All outputs share one scale.
- **Flip or not?** A true convolution turns the kernel by half a turn first. A network learns its cells. If its
  layers flipped, it would learn the flipped cells and give the same outputs. So PyTorch does not flip, and still
  says convolution. For a kernel that somebody chose, the flip matters, unless half a turn leaves it as it is.
- **Padding.** Without it the output is smaller than the picture. A border of zeros is a dark frame: a kernel for
  edges finds an edge there that is not in the picture. Reflect and replicate avoid that.
"""


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _index(name: str, offset: str, stride: int, padding: int) -> str:
    return f"{'' if stride == 1 else stride}{name} + {offset}" + (f" - {padding}" if padding else "")


def _listed(sums: np.ndarray) -> str:
    return ", ".join(map(cells.write, sums))


def _verdict(sums: np.ndarray, edges: str) -> str:
    if sums.any():
        return f"They are not all 0, so {edges} edges show in the output."
    return f"All of them are 0, so {edges} edges leave no trace in the output."
