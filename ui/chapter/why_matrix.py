"""A convolution as a matrix: from dense over local to shared."""

import numpy as np
import streamlit as st

from cnn_core import cells, examples, ops
from cnn_core.connections import DENSE, LOCAL, SHARED, STAGES, Connected, connect
from cnn_core.kernels import KERNELS
from cnn_core.plots.connections import (
    kernel_drawing,
    matrix_drawing,
    output_drawing,
    output_name,
    picture_drawing,
    pixel_name,
)
from cnn_core.plots.grids import limit_of
from cnn_core.plots.marked import write
from ui import controls, page, pointing
from ui.chapter import predict, typed, why_questions
from ui.chapter.why_sums import write_sum
from ui.page import Setting
from ui.wording import count

LOOK = "the matrix"
OWN, FIRST_CELLS = "your-own", "1,-1;2,0"
COUNTING, DRAWN = "counting", "random"
MAX_INPUT, MAX_WRITTEN = 8, 16

# Whole numbers leave no rounding: what is equal is equal to the last digit.
WHOLE = [name for name, kernel in KERNELS.items() if (kernel.values % 1 == 0).all()]

SETTINGS = [
    Setting(
        "Step 1: dense",
        "Every entry is a number of its own. Point at a row: what does its output see?",
        {"w-view": LOOK, "w-stage": DENSE},
    ),
    Setting(
        "Step 2: local",
        "Each output keeps its window. How many entries are left? Are those of two rows alike?",
        {"w-view": LOOK, "w-stage": LOCAL},
    ),
    Setting(
        "Step 3: shared",
        "The same few numbers in each row, one place further. After a row of outputs they go further. Why?",
        {"w-view": LOOK, "w-stage": SHARED},
    ),
    Setting(
        "Larger",
        "8 x 8 pixels, kernel 3, padding 1. How does the border show in the matrix? What does stride 2 do to it?",
        {"w-view": LOOK, "w-stage": SHARED, "w-input": 8, "w-kernel": "vertical-edges", "w-padding": 1},
    ),
]

RESERVED = {"w-cells": FIRST_CELLS}


def show() -> None:
    """Show the matrix and both ways to the output."""
    left, right = st.columns([1, 2], gap="large")
    layer = None
    with left:
        stage = controls.choice("Matrix", STAGES, key="w-stage", default=SHARED)
        x = choose_picture()
        kernel = choose_kernel()
        stride = controls.integer("Stride", key="w-stride", default=1, low=1, high=2)
        padding = controls.integer("Padding", key="w-padding", default=0, low=0, high=1)
    with right, page.errors_in_place():
        check_fit(x, kernel, padding)
        layer = connect(x, kernel, stage=stage, stride=stride, padding=padding)
        convolved = ops.conv2d(x[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]
        draw(layer, convolved)
    if layer is None:
        right.markdown(
            "An output needs a whole window. Take cells away, or take a larger picture or padding."
        )
    page.try_this(SETTINGS, prefix="w-")
    if layer:
        predict.ask(why_questions.matrix(layer, max_size=MAX_INPUT), prefix="w-")
        page.explanation()
        st.latex(write_formula(layer))
        st.markdown(explain(layer))
        page.in_code(**write_code(layer, stride, padding))


def check_fit(x: np.ndarray, kernel: np.ndarray, padding: int) -> None:
    """Refuse a kernel larger than the picture with its padding, in the words of this page."""
    sizes = [size + 2 * padding for size in x.shape]
    if np.any(np.greater(kernel.shape, sizes)):
        (kernel_rows, kernel_columns), (rows, columns) = kernel.shape, sizes
        padded = "padded " if padding else ""
        raise ValueError(
            f"kernel size {kernel_rows} x {kernel_columns} exceeds {padded}picture size {rows} x {columns}"
        )


def choose_picture() -> np.ndarray:
    """Choose the picture, shape (n, n)."""
    name = controls.choice("Numbers", [DRAWN, COUNTING], key="w-numbers")
    size = controls.integer("Input size", key="w-input", default=4, low=4, high=MAX_INPUT)
    if name == COUNTING:
        x, _ = examples.counting(1, 1, input_size=size, kernel_size=1)
    else:
        x, _ = examples.drawn(1, 1, input_size=size, kernel_size=1, seed=0)
    return x[0, 0]


def choose_kernel() -> np.ndarray:
    """Choose one of the kernels of whole numbers, or write one's own."""
    name = controls.choice(
        "Kernel",
        [*WHOLE, OWN],
        key="w-kernel",
        default=OWN,
        as_list=True,
        format=lambda name: "Your own kernel" if name == OWN else KERNELS[name].title,
    )
    if name != OWN:
        return KERNELS[name].values
    return typed.numbers(
        "Cells as text",
        key="w-cells",
        default=FIRST_CELLS,
        read=cells.parse,
        max_chars=cells.MAX_CHARS,
        help="Commas between cells, semicolons between rows.",
    )


def draw(layer: Connected, convolved: np.ndarray) -> None:
    """Draw the matrix, the picture, and the two outputs with their difference."""
    palette, difference = page.palette(), layer.y - convolved
    limit = limit_of(layer.y, convolved)
    outputs = {"By the matrix": layer.y, "By conv2d": convolved, "Difference": difference}
    drawings = [
        matrix_drawing(layer, palette=palette),
        picture_drawing(layer, palette=palette),
        kernel_drawing(layer, palette=palette),
        *(
            output_drawing(name, values, layer, limit=limit, palette=palette)
            for name, values in outputs.items()
        ),
    ]
    words = {output_name(row): describe_row(layer, row) for row in range(layer.y.size)}
    words |= {pixel_name(column): describe_column(layer, column) for column in range(layer.x.size)}
    rows, columns = layer.matrix.shape
    pointing.show(
        drawings,
        words,
        prefix="w-matrix-",
        first=output_name(0),
        steps={"output": layer.output_shape[1], "pixel": layer.x.shape[1]},
        alt=f"A matrix of {rows} rows and {columns} columns, {layer.stage}. Arrow keys go from output to output, or "
        "from pixel to pixel. Enter goes from outputs to pixels and back.",
    )
    page.reading(read(layer, difference))
    empty = "" if layer.connected.all() else " Empty entries are always 0."
    hatched = " Hatched: padding." if any((*layer.height.padding, *layer.width.padding)) else ""
    st.caption(
        "Point at a row, an output or a pixel, or use the arrow keys; Enter goes from outputs to pixels. Orange is "
        f"positive, blue is negative.{empty}{hatched}"
    )


def read(layer: Connected, difference: np.ndarray) -> str:
    """Say what the matrix holds, and how far it is from the convolution."""
    rows, columns = layer.matrix.shape
    size, left, far = layer.matrix.size, int(layer.connected.sum()), np.abs(difference).max()
    entries = f"all {size:,}" if left == size else f"{left:,}"
    kind = f"repeat the {_cells(layer)} of the kernel" if layer.stage == SHARED else "are free"
    others = "" if left == size else ", the others are 0"
    rounding = ", which is rounding" if layer.stage == SHARED else ""
    return (
        f"{rows} x {columns} = {size:,} entries: {entries} {kind}{others}. Largest difference from the convolution: "
        f"{'0, exactly' if far == 0 else f'{write(far, 3)}{rounding}'}."
    )


def describe_row(layer: Connected, row: int) -> str:
    """Say what a row of the matrix makes, and of what."""
    output_row, output_column = layer.place(row)
    seen = np.flatnonzero(layer.connected[row])
    rows, columns = (np.unique(part) for part in np.divmod(seen, layer.x.shape[1]))
    made = f"Row {row} of the matrix makes output row {output_row}, column {output_column}. "
    if not len(seen):
        return made + "Its window sees padding alone, so it is 0."
    added = write_sum(layer.x.ravel()[seen], layer.matrix[row, seen], most=MAX_WRITTEN)
    return f"{made}It sees picture {_span('row', rows)} and {_span('column', columns)}: {added}."


def describe_column(layer: Connected, column: int) -> str:
    """Say which pixel a column of the matrix takes, and which outputs it feeds."""
    row_of, column_of = divmod(column, layer.x.shape[1])
    fed = int(layer.connected[:, column].sum())
    return (
        f"Column {column} of the matrix takes the pixel in row {row_of}, column {column_of}, which is "
        f"{layer.x[row_of, column_of]:g}. It feeds {fed} of {count(layer.y.size, 'output')}."
    )


def write_formula(layer: Connected) -> str:
    """Write the product with its sizes."""
    (rows, columns), (out_rows, out_columns) = layer.x.shape, layer.output_shape
    return (
        rf"\underbrace{{y}}_{{{out_rows} \cdot {out_columns} = {layer.y.size}}} = "
        rf"\underbrace{{M}}_{{{layer.y.size} \times {layer.x.size}}} \; "
        rf"\underbrace{{x}}_{{{rows} \cdot {columns} = {layer.x.size}}}"
    )


def explain(layer: Connected) -> str:
    """Say what the three steps are, with the numbers of the moment."""
    seen = int(layer.connected.sum())
    parts = {
        DENSE: f"Here each row has {layer.x.size} entries, and all {layer.matrix.size:,} are drawn at random.",
        LOCAL: f"Here {seen:,} of {layer.matrix.size:,} entries are left. They are still drawn one by one.",
        SHARED: f"Here the {seen:,} entries that are left repeat the {_cells(layer)} of the kernel.",
    }
    return (
        f"The picture is flattened to $x$, row by row. Each row of $M$ makes one output. {parts[layer.stage]}\n\n"
        "- **Dense.** A layer before it has learned has random numbers. It knows nothing of rows and columns.\n"
        "- **Local.** Entries outside the window are 0 for good. The stripes come from flattening: the next row of "
        f"the picture is {layer.x.shape[1]} places on.\n"
        "- **Shared.** From one output to the next the window moves by the stride, and so do the same cells. "
        "This matrix *is* the convolution. Nothing else is needed.\n"
        "- **Padding** has no column: it holds zeros. So a window at the border gives its row fewer entries.\n"
        "- **Nobody computes it so.** `conv2d` multiplies what lies in the windows only, and never builds the matrix."
    )


def write_code(layer: Connected, stride: int, padding: int) -> dict[str, str]:
    """Write the product of matrix and picture with this package, and what it equals with PyTorch."""
    x, kernel = _listed(layer.x), _listed(layer.kernel)
    how = f"stride={stride}, padding={padding}"
    made = f'connections.connect(x, kernel, stage="{layer.stage}", {how})'
    head = f"x = np.array({x})\nkernel = np.array({kernel})\n"
    ours = (
        f"import numpy as np\nfrom cnn_core import connections\n\n{head}layer = {made}\n"
        "y = (layer.matrix @ x.ravel()).reshape(layer.output_shape)\n"
    )
    if layer.stage == SHARED:
        torch = (
            "import torch\nfrom torch.nn import functional as F\n\n"
            f"x = torch.tensor({x}, dtype=torch.float64)\nkernel = torch.tensor({kernel}, dtype=torch.float64)\n"
            f"y = F.conv2d(x[None, None], kernel[None, None], {how})[0, 0]\n"
        )
    else:
        torch = (
            "import numpy as np\nimport torch\nfrom torch.nn import functional as F\n"
            f"from cnn_core import connections\n\n{head}layer = {made}\n"
            "y = F.linear(torch.from_numpy(x).double().flatten(), torch.from_numpy(layer.matrix))\n"
            f"y = y.reshape{layer.output_shape}\n"
        )
    return {"ours": ours, "torch": torch}


def _listed(array: np.ndarray) -> list[list[float]]:
    return [[int(value) if value.is_integer() else value for value in row] for row in array.tolist()]


def _cells(layer: Connected) -> str:
    """Count the cells of the kernel, unless there are more of them than places to repeat them."""
    return count(layer.kernel.size, "cell") if layer.kernel.size <= layer.connected.sum() else "cells"


def _span(name: str, places: np.ndarray) -> str:
    return f"{name} {places[0]}" if len(places) == 1 else f"{name}s {places[0]} to {places[-1]}"
