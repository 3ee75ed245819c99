"""Curves of several trainings in one chart: columns with its points, and a Vega-Lite specification.

Each training has a colour, a dash and a shape of its own, so that it is told from the others without colour.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.plots.curves import epoch_axis, thinned
from cnn_core.plots.theme import LIGHT, Palette

if TYPE_CHECKING:
    from cnn_core.training.events import EpochEnded, StepLogged

QUANTITIES = ("validation accuracy", "validation loss", "training accuracy", "training loss")
# The first is drawn below the others: where curves are the same, it shows between their dashes.
DASHES = ([1, 0], [7, 4], [2, 3], [10, 3, 2, 3], [4, 6], [13, 4], [2, 6], [8, 3, 2, 3, 2, 3])
SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
MAX_CURVES = len(SHAPES)
"""Most trainings that can be told apart in one chart."""
MAX_POINTS = 120
MAX_MARKS = 12
"""Most shapes along one curve."""


def points(
    steps: "Sequence[StepLogged]", epochs: "Sequence[EpochEnded]", quantity: str, *, steps_per_epoch: int
) -> np.ndarray:
    """Collect one curve of a training.

    Args:
        steps: Records of the steps; training is drawn from them, with the mean of several neighbours where there
            are many.
        epochs: Records of the epochs; validation is drawn from them.
        quantity: One of `QUANTITIES`.
        steps_per_epoch: Steps in an epoch.

    Returns:
        Epoch (1.5 is the middle of the second one) and value of each point, (num_points, 2).

    Example:
        >>> from cnn_core.training import StepLogged
        >>> step = StepLogged(step=5, epoch=1, loss=2.0, accuracy=0.5, examples_per_second=100.0)
        >>> points([step], [], "training loss", steps_per_epoch=10).tolist()
        [[0.5, 2.0]]
    """
    part, name = quantity.split()
    if part == "training":
        found = [(each.step / steps_per_epoch, getattr(each, name)) for each in steps]
    else:
        checked = [(each.epoch, getattr(each, f"validation_{name}")) for each in epochs]
        found = [point for point in checked if point[1] is not None]
    return thinned(np.array(found, dtype=float).reshape(-1, 2), MAX_POINTS)


def columns(curves: Sequence[np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Put several curves into one table, one row for each point.

    Args:
        curves: Points of each, (num_points, 2).
        names: What each is called; no two alike.

    Returns:
        Columns "epoch", "value", "run" and "marked": whether the curve's shape is drawn there.

    Example:
        >>> columns([np.array([[1, 0.5], [2, 0.75]])], ["A"])["value"].tolist()
        [0.5, 0.75]
    """
    all_points = np.concatenate([*curves, np.empty((0, 2))])
    marked = [np.isin(np.arange(len(curve)), _marks(len(curve))) for curve in curves]
    return {
        "epoch": all_points[:, 0],
        "value": all_points[:, 1],
        "run": np.repeat(np.array(names, dtype=str), [len(curve) for curve in curves]),
        "marked": np.concatenate([*marked, np.empty(0, dtype=bool)]),
    }


def _marks(num_points: int) -> np.ndarray:
    """Spread the places of the shapes evenly; the last point has one."""
    return np.linspace(num_points - 1, 0, min(num_points, MAX_MARKS)).round()


def comparison_spec(
    quantity: str,
    names: Sequence[str],
    *,
    num_epochs: int,
    limit: float | None = None,
    palette: Palette = LIGHT,
) -> dict[str, Any]:
    """Describe the chart of `columns` in Vega-Lite.

    Args:
        quantity: One of `QUANTITIES`.
        names: What the trainings are called, at most `MAX_CURVES`.
        num_epochs: Where the epoch axis ends.
        limit: Where the value axis ends, so that a loss that explodes leaves the chart; None for all values.
        palette: Colours of the page's theme.

    Returns:
        A specification without data.
    """
    limits = {"zero": quantity.endswith("loss"), "nice": True}
    if limit is not None:
        limits = {"domain": [0, limit], "nice": False}
    line = {"type": "line", "strokeWidth": 2, "clip": True}
    mark = {"type": "point", "size": 55, "strokeWidth": 1.5, "opacity": 1, "clip": True, "filled": True}
    value = {"field": "value", "type": "quantitative", "title": quantity}
    place = {"x": {"field": "epoch", "type": "quantitative"}, "y": value}
    told = _told_apart(names, palette)
    tips = [
        {"field": "run", "type": "nominal"},
        {"field": "epoch", "type": "quantitative", "format": ".2~f"},
        value | {"format": ".4f"},
    ]
    colour = {"color": told["color"]}
    with_shape = {"mark": mark, "transform": [{"filter": "datum.marked"}]}
    return {
        "encoding": {
            "x": epoch_axis(num_epochs) | {"scale": {"domain": [0, 1.02 * num_epochs], "nice": False}},
            "y": value | {"scale": limits, "axis": {"grid": True, "tickCount": 5}},
        },
        "layer": [
            {"mark": line, "encoding": place | colour | {"strokeDash": told["strokeDash"]}},
            with_shape | {"encoding": place | colour | {"shape": told["shape"], "tooltip": tips}},
        ],
    }


def _told_apart(names: Sequence[str], palette: Palette) -> dict[str, dict[str, Any]]:
    """Describe colour, dash and shape of each curve, and the legend, which shows colour and shape."""
    legend = {"orient": "bottom", "title": None, "columns": 1, "labelLimit": 320, "symbolSize": 90}
    legend |= {"symbolStrokeWidth": 0}  # else the dashes would cut the shapes
    run = {"field": "run", "type": "nominal"}
    # Blue and orange are the middles of the two halves of the signed scale: strong enough on both pages.
    colours = (palette.text, palette.accent, palette.signed[1], palette.signed[-2])
    ranges = {
        "color": [colours[index % len(colours)] for index in range(len(names))],
        "strokeDash": list(DASHES[: len(names)]),
        "shape": list(SHAPES[: len(names)]),
    }
    return {
        channel: run
        | {"scale": {"domain": list(names), "range": values}}
        | {"legend": None if channel == "strokeDash" else legend}
        for channel, values in ranges.items()
    }
