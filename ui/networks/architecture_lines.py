"""The lines of the layer table: what `cnn_core` computes of a network, in words and figures."""

from collections.abc import Mapping, Sequence

from cnn_core.network import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
)
from cnn_core.published import PublishedLayer
from cnn_core.shapes import format_shape
from cnn_core.summary import LayerSummary
from ui.layer_table import Cell, Line
from ui.networks.layer_arithmetic import arithmetic
from ui.wording import both, count

COUNTED = ("num_params", "mult_adds", "activation_bytes")
"""The columns that have a total."""


def totals(rows: Sequence[LayerSummary]) -> dict[str, int]:
    """Add up what can be added up."""
    return {column: sum(getattr(row, column) for row in rows) for column in COUNTED}


def costliest(rows: Sequence[LayerSummary], column: str) -> LayerSummary | None:
    """Find the first row with the most of a column; None if no row has any."""
    most = max(rows, key=lambda row: getattr(row, column), default=None)
    return most if most is not None and getattr(most, column) else None


def lines(
    rows: Sequence[LayerSummary],
    *,
    unfitting: Sequence[tuple[str, Layer]] = (),
    reason: str = "",
    fixes: Sequence[str] = (),
    num_axes: int,
) -> list[Line]:
    """Write the lines of the table.

    Args:
        rows: What is computed, for the layers that fit.
        unfitting: Name and layer of the one that does not fit and of those after it.
        reason: Why it does not.
        fixes: What would help, in words.
        num_axes: Axes of the input besides the channels: 2 for a picture.
    """
    sums = totals(rows)
    most = {column: costliest(rows, column) for column in COUNTED}
    written = [
        Line(
            name=row.name,
            words=_row_words(row, num_axes),
            cells=_cells(row, before, sums, most),
            layer=row.layer,
        )
        for row, before in zip(rows, [None, *rows], strict=False)
    ]
    for number, (name, layer) in enumerate(unfitting):
        is_first = number == 0
        written.append(
            Line(
                name=name,
                words=words(layer, num_axes),
                cells={},
                layer=layer,
                reason=reason if is_first else "",
                waits=not is_first,
                fixes=fixes if is_first else (),
            )
        )
    return written


def _cells(
    row: LayerSummary,
    before: LayerSummary | None,
    sums: Mapping[str, int],
    most: Mapping[str, LayerSummary | None],
) -> dict[str, Cell]:
    texts = {
        "output_shape": format_shape(row.output_shape),
        "num_params": f"{row.num_params:,}",
        "mult_adds": f"{row.mult_adds:,}",
        "activation_bytes": f"{row.activation_bytes:,}",
        "receptive_field": _both(row.receptive_field),
        "effective_stride": _both(row.effective_stride),
    }
    how = arithmetic(row, before)
    return {
        column: Cell(
            text=text,
            lines=how[column],
            share=getattr(row, column) / sums[column] if sums.get(column) else 0.0,
            most=most.get(column) is row,
        )
        for column, text in texts.items()
    }


def _both(sizes: tuple[int, ...] | None) -> str:
    return "–" if sizes is None else format_shape(sizes)


def _row_words(row: LayerSummary, num_axes: int) -> str:
    """Say what a step does; the names of published ones do not tell it."""
    if not isinstance(row, PublishedLayer):
        return words(row.layer, num_axes)
    if row.layer is None or isinstance(row.layer, Activation | BatchNorm):
        return row.kind
    return words(row.layer, num_axes)


def words(layer: Layer, num_axes: int) -> str:
    """Say what a layer does, in a few words.

    Example:
        >>> words(Conv(6, kernel_size=5, padding=2), 2), words(MaxPool(2), 1)
        ('6 kernels of 5 x 5, padding 2', 'largest of 2')
    """
    match layer:
        case Conv():
            given = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
            sizes = _given(layer, given)
            groups = f", {layer.groups} groups" if layer.groups > 1 else ""
            kernels = count(layer.out_channels, "kernel")
            return f"{kernels} of {_window(layer.kernel_size, num_axes)}{sizes}{groups}"
        case MaxPool() | AveragePool():
            what = "largest" if isinstance(layer, MaxPool) else "mean"
            sizes = _given(layer, {"stride": layer.window, "padding": (0, 0)})
            return f"{what} of {_window(layer.window, num_axes)}{sizes}"
        case GlobalAveragePool():
            return "mean of each channel"
        case BatchNorm():
            return "batch norm"
        case Dropout():
            return f"drops {layer.probability:g} of the numbers in training"
        case Flatten():
            return "all numbers in one row"
        case Linear():
            expected = f", expects {layer.in_features:,}" if layer.in_features else ""
            return f"{count(layer.out_features, 'output')}{expected}"
        case Activation():
            return "each number by itself"


def _given(layer: Layer, usual: Mapping[str, tuple[int, int]]) -> str:
    """Name the sizes that are not the usual ones."""
    return "".join(
        f", {name} {both(*getattr(layer, name))}" for name in usual if getattr(layer, name) != usual[name]
    )


def _window(sizes: tuple[int, int], num_axes: int) -> str:
    return both(*sizes) if num_axes == 1 else format_shape(sizes)
