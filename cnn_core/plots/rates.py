"""Charts of what each step tells: the learning rate, the speed, the gradient of each layer.

As in `curves`, a chart is columns with its points and a Vega-Lite specification that stays the same while
points come in.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.plots.curves import MAX_POINTS, epoch_axis, thinned, zoom
from cnn_core.plots.theme import LIGHT, Palette

if TYPE_CHECKING:
    from cnn_core.training.events import StepLogged

TITLES = {"learning_rate": "learning rate", "examples_per_second": "examples a second"}
MAX_LAYERS = 8
"""Most layers whose gradients can be told apart in one chart."""
DASHES = ([1, 0], [7, 3], [2, 2])


def step_values(
    steps: "Sequence[StepLogged]", quantity: str, *, steps_per_epoch: int, max_points: int = MAX_POINTS
) -> dict[str, np.ndarray]:
    """Collect a number that each logged step tells, one row for each point, as `step_spec` draws it.

    Args:
        steps: Records of the steps; those that do not know the number are left out.
        quantity: "learning_rate" or "examples_per_second".
        steps_per_epoch: Steps in an epoch.
        max_points: Most points; where there are more, neighbours are averaged.

    Returns:
        Columns "epoch" (a real number) and "value".

    Example:
        >>> from cnn_core.training import StepLogged
        >>> step = StepLogged(step=5, epoch=1, loss=2.0, accuracy=0.5, examples_per_second=100.0)
        >>> columns = step_values([step], "examples_per_second", steps_per_epoch=10)
        >>> columns["epoch"].tolist(), columns["value"].tolist()
        ([0.5], [100.0])
    """
    told = [(each.step / steps_per_epoch, getattr(each, quantity)) for each in steps]
    points = [point for point in told if point[1] is not None]
    shown = thinned(np.array(points, dtype=float).reshape(-1, 2), max_points)  # (points, 2)
    return {"epoch": shown[:, 0], "value": shown[:, 1]}


def step_spec(
    quantity: str, *, num_epochs: int, is_log: bool = False, palette: Palette = LIGHT
) -> dict[str, Any]:
    """Describe the line of `step_values` in Vega-Lite. It stays the same while points come in.

    Args:
        quantity: "learning_rate" or "examples_per_second".
        num_epochs: Where the epoch axis ends.
        is_log: Whether equal factors, not equal differences, have the same height.
        palette: Colours of the page's theme.

    Returns:
        A specification without data.
    """
    title = TITLES[quantity]
    value = {"field": "value", "type": "quantitative", "title": title}
    scale = {"type": "log"} if is_log else {"zero": True}
    on_axis, precise = ("~g", ".3~g") if quantity == "learning_rate" else (",~f", ",.0f")
    return {
        "params": [zoom()],
        "mark": {"type": "line", "strokeWidth": 2, "color": palette.text, "clip": True},
        "encoding": {
            "x": {"field": "epoch"} | epoch_axis(num_epochs),
            "y": value | {"scale": scale, "axis": {"grid": True, "tickCount": 4, "format": on_axis}},
            "tooltip": [
                {"field": "epoch", "type": "quantitative", "format": ".2~f"},
                value | {"format": precise},
            ],
        },
    }


def spread(names: Sequence[str], most: int = MAX_LAYERS) -> list[str]:
    """Choose at most so many names, the first and the last among them, evenly spread.

    Args:
        names: In order.
        most: At least 2.

    Returns:
        Those chosen, in order.

    Example:
        >>> spread(["a", "b", "c", "d", "e"], 3)
        ['a', 'c', 'e']
    """
    if len(names) <= most:
        return list(names)
    return [names[index] for index in np.linspace(0, len(names) - 1, most).round().astype(int)]


def gradient_norms(
    steps: "Sequence[StepLogged]",
    layers: Sequence[str],
    *,
    steps_per_epoch: int,
    max_points: int = MAX_POINTS // 2,
) -> dict[str, np.ndarray]:
    """Collect how long the gradient of each layer was, one row for each point, as `gradient_spec` draws it.

    Args:
        steps: Records of the steps; a norm of 0 has no place on a log scale and is left out.
        layers: Names of the layers to show.
        steps_per_epoch: Steps in an epoch.
        max_points: Most points of a layer; where there are more, neighbours are averaged.

    Returns:
        Columns "epoch" (a real number), "value" and "layer".

    Example:
        >>> from cnn_core.training import StepLogged
        >>> step = StepLogged(
        ...     step=5, epoch=1, loss=2.0, accuracy=0.5, examples_per_second=100.0, gradient_norms={"conv1": 0.25}
        ... )
        >>> columns = gradient_norms([step], ["conv1"], steps_per_epoch=10)
        >>> columns["epoch"].tolist(), columns["value"].tolist(), columns["layer"].tolist()
        ([0.5], [0.25], ['conv1'])
    """
    lines = []
    for layer in layers:
        told = [(each.step / steps_per_epoch, each.gradient_norms.get(layer, 0)) for each in steps]
        points = [point for point in told if point[1] > 0]
        lines.append(thinned(np.array(points, dtype=float).reshape(-1, 2), max_points))
    points = np.concatenate([*lines, np.empty((0, 2))])
    return {
        "epoch": points[:, 0],
        "value": points[:, 1],
        "layer": np.repeat(np.array(layers, dtype=str), [len(line) for line in lines]),
    }


def gradient_spec(layers: Sequence[str], *, num_epochs: int, palette: Palette = LIGHT) -> dict[str, Any]:
    """Describe the lines of `gradient_norms` in Vega-Lite: a log scale, stronger colours with depth.

    Colours and dashes tell the layers apart. The specification stays the same while points come in.

    Args:
        layers: Names of the layers, from the picture to the logits.
        num_epochs: Where the epoch axis ends.
        palette: Colours of the page's theme.

    Returns:
        A specification without data.
    """
    legend = {"orient": "top", "title": None, "symbolType": "stroke", "symbolStrokeWidth": 3, "columns": 4}
    legend |= {"symbolSize": 500}  # long enough to tell the dashes
    layer = {"field": "layer", "type": "nominal", "legend": legend}
    colours = palette.sequential[2:]  # those before are too near to the background
    depths = np.linspace(0, len(colours) - 1, len(layers)).round().astype(int)
    colour_range = [colours[depth] for depth in depths]
    dashes = [DASHES[index % len(DASHES)] for index in range(len(layers))]
    value = {"field": "value", "type": "quantitative", "title": "gradient norm"}
    return {
        "params": [zoom()],
        "mark": {"type": "line", "strokeWidth": 1.75, "clip": True},
        "encoding": {
            "x": {"field": "epoch"} | epoch_axis(num_epochs),
            "y": value | {"scale": {"type": "log"}, "axis": {"grid": True, "tickCount": 4, "format": "~g"}},
            "color": layer | {"scale": {"domain": list(layers), "range": colour_range}},
            "strokeDash": layer | {"scale": {"domain": list(layers), "range": dashes}},
            "tooltip": [
                {"field": "layer", "type": "nominal"},
                {"field": "epoch", "type": "quantitative", "format": ".2~f"},
                value | {"format": ".3~g"},
            ],
        },
    }
