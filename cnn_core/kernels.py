"""Kernels with a name, and what each of them is for.

Purposes speak of cross-correlation, which is what `ops.conv2d` and networks compute. Signs turn round when a
kernel that finds edges is flipped.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel to look at pictures with.

    Attributes:
        name: Its key in `KERNELS`.
        title: Its name for a reader.
        values: Shape (kH, kW), float64, read-only. Cells are whole numbers or small fractions.
        purpose: What it does, in one sentence for a student.
    """

    name: str
    title: str
    values: np.ndarray
    purpose: str


def _kernel(name: str, title: str, cells: list[list[int]], purpose: str, *, divisor: int = 1) -> Kernel:
    values = np.array(cells, dtype=np.float64) / divisor
    values.flags.writeable = False
    return Kernel(name, title, values, purpose)


_ALL = (
    _kernel(
        "identity",
        "Identity",
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        "Gives each pixel back as it is.",
    ),
    _kernel(
        "book-columns",
        "Neighbours in a row, 1 x 2",
        [[1, -1]],
        "Subtracts each pixel's right neighbour: positive where it gets darker from left to right, "
        "negative where it gets brighter.",
    ),
    _kernel(
        "book-rows",
        "Neighbours in a column, 2 x 1",
        [[1], [-1]],
        "Subtracts each pixel's lower neighbour: positive where it gets darker from top to bottom, "
        "negative where it gets brighter.",
    ),
    _kernel(
        "vertical-edges",
        "Vertical edges (Prewitt)",
        [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
        "Finds vertical edges: positive where the right side is brighter, negative where the left is.",
    ),
    _kernel(
        "horizontal-edges",
        "Horizontal edges (Prewitt)",
        [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
        "Finds horizontal edges: positive where the lower side is brighter, negative where the upper is.",
    ),
    _kernel(
        "sobel-x",
        "Sobel, left to right",
        [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        "Finds vertical edges and smooths along them: positive where the right side is brighter, "
        "negative where the left is.",
    ),
    _kernel(
        "sobel-y",
        "Sobel, top to bottom",
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
        "Finds horizontal edges and smooths along them: positive where the lower side is brighter, "
        "negative where the upper is.",
    ),
    _kernel(
        "scharr-x",
        "Scharr, left to right",
        [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]],
        "Does what Sobel does, with weights that suit slanted edges better: positive where the right side "
        "is brighter, negative where the left is.",
    ),
    _kernel(
        "scharr-y",
        "Scharr, top to bottom",
        [[-3, -10, -3], [0, 0, 0], [3, 10, 3]],
        "Does what Sobel does, with weights that suit slanted edges better: positive where the lower side "
        "is brighter, negative where the upper is.",
    ),
    _kernel(
        "rising-edges",
        "Edges along /",
        [[-1, -1, 0], [-1, 0, 1], [0, 1, 1]],
        "Finds edges that rise to the right: positive where the lower right side is brighter, "
        "negative where the upper left is.",
    ),
    _kernel(
        "falling-edges",
        "Edges along \\",
        [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]],
        "Finds edges that fall to the right: positive where the upper right side is brighter, "
        "negative where the lower left is.",
    ),
    _kernel(
        "vertical-lines",
        "Vertical lines",
        [[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]],
        "Finds thin vertical lines: positive on a line brighter than both its sides, "
        "negative on a darker one.",
    ),
    _kernel(
        "horizontal-lines",
        "Horizontal lines",
        [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]],
        "Finds thin horizontal lines: positive on a line brighter than both its sides, "
        "negative on a darker one.",
    ),
    _kernel(
        "second-x",
        "Second derivative along a row, 1 x 3",
        [[1, -2, 1]],
        "Says how the slope changes from left to right: 0 on an even slope, negative on a bright vertical line, "
        "and a pair of signs at an edge, whose place is where the sign turns.",
    ),
    _kernel(
        "second-y",
        "Second derivative along a column, 3 x 1",
        [[1], [-2], [1]],
        "Says how the slope changes from top to bottom: 0 on an even slope, negative on a bright horizontal line, "
        "and a pair of signs at an edge, whose place is where the sign turns.",
    ),
    _kernel(
        "second-xy",
        "Mixed second derivative",
        [[1, 0, -1], [0, 0, 0], [-1, 0, 1]],
        "Finds corners: 0 at every upright or level edge, positive where the lower right or the upper left stands "
        "out brighter, negative where one of the other two corners does.",
        divisor=4,
    ),
    _kernel(
        "laplacian-4",
        "Laplacian, 4 neighbours",
        [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
        "Compares each pixel with its 4 neighbours: negative where it is brighter than their average, "
        "positive where it is darker, 0 on even ground and on an even slope.",
    ),
    _kernel(
        "laplacian-8",
        "Laplacian, 8 neighbours",
        [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
        "Compares each pixel with its 8 neighbours: negative where it is brighter than their average, "
        "positive where it is darker, 0 on even ground and on an even slope.",
    ),
    _kernel(
        "box-blur-3",
        "Box blur, 3 x 3",
        [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
        "Averages 9 pixels with equal weights, which blurs the picture.",
        divisor=9,
    ),
    _kernel(
        "box-blur-5",
        "Box blur, 5 x 5",
        [[1, 1, 1, 1, 1]] * 5,
        "Averages 25 pixels with equal weights, which blurs the picture more.",
        divisor=25,
    ),
    _kernel(
        "gaussian-3",
        "Gaussian blur, 3 x 3",
        [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
        "Averages 9 pixels with more weight on the near ones, which blurs the picture softly.",
        divisor=16,
    ),
    _kernel(
        "gaussian-5",
        "Gaussian blur, 5 x 5",
        [[1, 4, 6, 4, 1], [4, 16, 24, 16, 4], [6, 24, 36, 24, 6], [4, 16, 24, 16, 4], [1, 4, 6, 4, 1]],
        "Averages 25 pixels with more weight on the near ones, which blurs the picture softly and more.",
        divisor=256,
    ),
    _kernel(
        "motion-blur",
        "Motion blur, 1 x 7",
        [[1, 1, 1, 1, 1, 1, 1]],
        "Averages 7 pixels in a row, as if the camera had moved sideways.",
        divisor=7,
    ),
    _kernel(
        "sharpen",
        "Sharpen",
        [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
        "Adds to each pixel what makes it differ from its 4 neighbours, which makes edges crisper, "
        "and noise too.",
    ),
    _kernel(
        "emboss",
        "Emboss",
        [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
        "Keeps the picture and adds its slope: lighter where it gets brighter towards the lower right, "
        "darker where it gets darker, like a relief.",
    ),
)

_SOBEL_X, _SOBEL_Y = (
    next(kernel.values for kernel in _ALL if kernel.name == f"sobel-{axis}") for axis in "xy"
)

KERNELS: Mapping[str, Kernel] = MappingProxyType({kernel.name: kernel for kernel in _ALL})
"""Name -> kernel, in the order in which a page lists them."""


def sobel_towards(degrees: float) -> Kernel:
    """Make the Sobel kernel that finds the edges across any direction, as a mixture of two.

    Args:
        degrees: Direction in which the picture gets brighter where the kernel is positive: 0 is to the right, 90 is
            down.

    Returns:
        cos(degrees) times the kernel from left to right plus sin(degrees) times the one from top to bottom.

    References:
        Freeman & Adelson, 1991, "The design and use of steerable filters", IEEE PAMI 13 (9).

    Example:
        >>> sobel_towards(180).values.round(6)[1].tolist()
        [2.0, 0.0, -2.0]
    """
    angle = math.radians(degrees)
    values = math.cos(angle) * _SOBEL_X + math.sin(angle) * _SOBEL_Y
    values.flags.writeable = False
    purpose = (
        f"Finds edges across the direction of {degrees:g} degrees: positive where it gets brighter that way, "
        "negative where it gets darker; 0 degrees is to the right, 90 is down."
    )
    return Kernel(f"sobel-{degrees:g}", f"Sobel, {degrees:g} degrees", values, purpose)
