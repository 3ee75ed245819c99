"""Charts that change while one looks at them: curves of a training, probabilities of a picture.

A chart is two things: columns with its points, and a Vega-Lite specification that stays the same while points
come in, so that a page redraws it without building it anew.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.plots.theme import LIGHT, Palette

if TYPE_CHECKING:
    from cnn_core.training.events import EpochEnded, LearningRateChanged, StepLogged

SETS = ("training", "validation")
RAW, CHANGE = "raw", "learning rate"
MAX_POINTS = 300
SMOOTHING = 0.8
ZOOM = "zoom"
"""Name of what a visitor has zoomed to, in Vega-Lite a parameter."""
# The loss axis ends at so many times chance: a loss that explodes leaves the chart, not the axis.
LOSS_LIMIT = 1.5


def curves(
    steps: "Sequence[StepLogged]",
    epochs: "Sequence[EpochEnded]",
    quantity: str,
    *,
    steps_per_epoch: int,
    rate_changes: "Sequence[LearningRateChanged]" = (),
    max_points: int = MAX_POINTS,
) -> dict[str, np.ndarray]:
    """Collect what the curves of a training show, one row for each point.

    Training has a point for each logged step, or for the mean of several neighbours where there are too many: once
    as it is, and once as the mean of it and those before, each of which counts 0.8 times as much as the next.
    Validation has one at the end of each epoch.

    Args:
        steps: Records of the steps.
        epochs: Records of the epochs; those without validation are left out.
        quantity: "loss" or "accuracy".
        steps_per_epoch: Steps in an epoch.
        rate_changes: Learning rates that were set by hand; each is a row of its own.
        max_points: Most points of the training curve.

    Returns:
        Columns "epoch" (a real number: 1.5 is the middle of the second epoch), "value" and "set": "raw",
        "training" (smoothed), "validation" or "learning rate".

    Example:
        >>> from cnn_core.training import StepLogged
        >>> steps = [
        ...     StepLogged(step=step, epoch=1, loss=loss, accuracy=0.5, examples_per_second=100.0)
        ...     for step, loss in ((5, 2.0), (10, 1.0))
        ... ]
        >>> columns = curves(steps, [], "loss", steps_per_epoch=10)
        >>> columns["epoch"].tolist(), columns["set"].tolist()
        ([0.5, 1.0, 0.5, 1.0], ['raw', 'raw', 'training', 'training'])
        >>> columns["value"].round(3).tolist()
        [2.0, 1.0, 2.0, 1.444]
    """
    seen = [(each.step / steps_per_epoch, getattr(each, quantity)) for each in steps]
    training = thinned(np.array(seen, dtype=float).reshape(-1, 2), max_points)  # (points, 2)
    checked = [(each.epoch, getattr(each, f"validation_{quantity}")) for each in epochs]
    validation = [point for point in checked if point[1] is not None]
    changes = [(each.step / steps_per_epoch, each.learning_rate) for each in rate_changes]
    groups = {
        RAW: training,
        SETS[0]: np.column_stack([training[:, 0], smoothed(training[:, 1])]),
        SETS[1]: np.array(validation, dtype=float).reshape(-1, 2),
        CHANGE: np.array(changes, dtype=float).reshape(-1, 2),
    }
    points = np.concatenate([*groups.values()])
    names = np.repeat([*groups], [len(group) for group in groups.values()])
    return {"epoch": points[:, 0], "value": points[:, 1], "set": names}


def chance(quantity: str, *, num_classes: int) -> float:
    """Compute what a network reaches that finds all classes equally likely.

    Args:
        quantity: "loss" or "accuracy".
        num_classes: Number of classes.

    Returns:
        The cross-entropy -ln(1 / num_classes) in nats, or the accuracy 1 / num_classes.

    Example:
        >>> round(chance("loss", num_classes=10), 3), chance("accuracy", num_classes=10)
        (2.303, 0.1)
    """
    return math.log(num_classes) if quantity == "loss" else 1 / num_classes


def thinned(points: np.ndarray, most: int) -> np.ndarray:
    """Average neighbouring points (N, 2) so that at most so many are left."""
    if len(points) <= most:
        return points
    return np.array([group.mean(axis=0) for group in np.array_split(points, most)])


def smoothed(values: np.ndarray, *, keep: float = SMOOTHING) -> np.ndarray:
    """Take for each value the mean of it and those before; each counts `keep` times as much as the next.

    Example:
        >>> smoothed(np.array([2.0, 1.0]), keep=0.5).round(3).tolist()
        [2.0, 1.333]
    """
    if not len(values):
        return values
    weights = keep ** np.arange(len(values))
    total = np.convolve(np.ones_like(values), weights)[: len(values)]
    return np.convolve(values, weights)[: len(values)] / total


def zoom() -> dict[str, Any]:
    """Describe in Vega-Lite how a visitor looks closer: Ctrl and the wheel zoom along the epochs, dragging moves."""
    wheel = "wheel![event.ctrlKey || event.metaKey]"  # without a key the wheel scrolls the page
    return {
        "name": ZOOM,
        "select": {"type": "interval", "encodings": ["x"], "zoom": wheel},
        "bind": "scales",
    }


def epoch_axis(num_epochs: int) -> dict[str, Any]:
    """Describe the axis of the epochs in Vega-Lite; from the beginning it ends with the last one."""
    return {
        "type": "quantitative",
        "title": "epoch",
        "scale": {"domain": [0, num_epochs], "nice": False},
        "axis": {"grid": False, "tickMinStep": 1, "format": "d"},
    }


def curves_spec(
    quantity: str,
    *,
    num_epochs: int,
    chance: float,
    palette: Palette = LIGHT,
) -> dict[str, Any]:
    """Describe the chart of `curves` in Vega-Lite. It stays the same while points come in.

    Training is a line with its raw values behind, validation a line with a dot at each epoch, chance a dashed
    line, a change of the learning rate a dotted upright one.

    Args:
        quantity: "loss" or "accuracy".
        num_epochs: Where the epoch axis ends.
        chance: The value of a network that knows nothing.
        palette: Colours of the page's theme.

    Returns:
        A specification without data.
    """
    is_share = quantity == "accuracy"
    limits = {"domain": [0, 1 if is_share else LOSS_LIMIT * chance], "nice": False}
    ticks = {"values": [0, 0.2, 0.4, 0.6, 0.8, 1]} if is_share else {"tickCount": 4}
    once = {"values": [{}]}  # drawn for one row of its own, not for each point
    level = {"y": {"datum": chance}}
    rule = {"type": "rule", "strokeDash": [5, 4], "color": palette.muted}
    word = {"type": "text", "text": f"chance: {chance:.3g}", "color": palette.muted, "fontSize": 12}
    word |= {"align": "right", "baseline": "bottom", "dy": -3}
    line = {"type": "line", "strokeWidth": 2, "clip": True}
    raw = {"type": "line", "strokeWidth": 1, "opacity": 0.35, "color": palette.training, "clip": True}
    upright = {"type": "rule", "strokeDash": [2, 3], "strokeWidth": 1.5, "color": palette.muted, "clip": True}
    dot = {"type": "point", "filled": True, "size": 45, "opacity": 1, "clip": True}
    return {
        "encoding": {
            "x": epoch_axis(num_epochs),
            "y": {"type": "quantitative", "title": quantity, "scale": limits, "axis": ticks | {"grid": True}},
        },
        "layer": [
            {"data": once, "mark": rule, "encoding": level},
            {"data": once, "mark": word, "encoding": level | {"x": {"datum": num_epochs}}},
            _only(RAW) | {"mark": raw, "encoding": _place(), "params": [zoom()]},
            _only(*SETS) | {"mark": line, "encoding": _point(quantity, palette)},
            _only(SETS[1]) | {"mark": dot, "encoding": _point(quantity, palette)},
            _only(CHANGE) | {"mark": upright, "encoding": _change()},
        ],
    }


def _only(*sets: str) -> dict[str, Any]:
    return {"transform": [{"filter": {"field": "set", "oneOf": sets}}]}


def _place() -> dict[str, Any]:
    return {"x": {"field": "epoch"}, "y": {"field": "value"}}


def _change() -> dict[str, Any]:
    """Describe what the line of a changed learning rate says."""
    return {
        "x": {"field": "epoch"},
        "tooltip": [
            {"field": "value", "type": "quantitative", "title": "new learning rate", "format": "~g"},
            {"field": "epoch", "type": "quantitative", "format": ".2~f"},
        ],
    }


def _point(quantity: str, palette: Palette) -> dict[str, Any]:
    """Describe where a point of `curves` lies, its colour, and what it says when pointed at."""
    colours = {"domain": list(SETS), "range": [palette.training, palette.validation]}
    legend = {"orient": "top", "title": None, "symbolType": "stroke", "symbolStrokeWidth": 3}
    legend = legend if quantity == "loss" else None  # the charts stand below each other: one legend will do
    return _place() | {
        "color": {"field": "set", "type": "nominal", "scale": colours, "legend": legend},
        "tooltip": [
            {"field": "set", "title": "set"},
            {"field": "epoch", "type": "quantitative", "format": ".2~f"},
            {"field": "value", "type": "quantitative", "title": quantity, "format": ".3f"},
        ],
    }


def probability_bars(
    probabilities: np.ndarray, class_names: Sequence[str], *, label: int
) -> dict[str, list[Any]]:
    """Collect what the bars of `probability_spec` show, one row for each class.

    Args:
        probabilities: (num_classes,), summing to 1.
        class_names: One for each class.
        label: The true class.

    Returns:
        Columns "class" (the true one says so), "probability" and "text".

    Example:
        >>> probability_bars(np.array([0.25, 0.75]), ("cat", "dog"), label=0)["class"]
        ['cat (true)', 'dog']
    """
    names = [f"{name} (true)" if index == label else name for index, name in enumerate(class_names)]
    values = [float(value) for value in probabilities]
    return {"class": names, "probability": values, "text": [f"{value:.1%}" for value in values]}


def probability_spec(*, palette: Palette = LIGHT) -> dict[str, Any]:
    """Describe the bars of `probability_bars` in Vega-Lite: from 0 to 1, one for each class, top to bottom."""
    bars = {"mark": {"type": "bar", "color": palette.accent, "height": {"band": 0.7}}}
    text = {"type": "text", "align": "left", "dx": 4, "color": palette.text, "fontSize": 12}
    return {
        "encoding": {
            "y": {
                "field": "class",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelLimit": 140, "ticks": False, "domain": False, "labelPadding": 8},
            },
            "x": {
                "field": "probability",
                "type": "quantitative",
                "title": "probability",
                "scale": {"domain": [0, 1.25], "nice": False},
                "axis": {"values": [0, 0.5, 1], "grid": False},
            },
        },
        "layer": [bars, {"mark": text, "encoding": {"text": {"field": "text"}}}],
    }
