"""What happens while a kernel is learned: the steps worth showing, and the loss against them."""

import math
from typing import Any

import numpy as np

from cnn_core.plots.theme import LIGHT, Palette

MAX_POINTS = 300
MAX_DOTS = 40
MAX_DECADES = 6


def shown_steps(num_steps: int, *, most: int = 7) -> list[int]:
    """Choose the steps worth drawing: close together at first, where most happens, the first and the last among them.

    Args:
        num_steps: The last step.
        most: Most steps to choose, at least 2.

    Returns:
        Steps in order.

    Example:
        >>> shown_steps(10), shown_steps(1000)
        ([0, 1, 2, 5, 10], [0, 2, 5, 20, 100, 200, 1000])
    """
    marks = [digit * 10**power for power in range(len(str(num_steps))) for digit in (1, 2, 5)]
    steps = [0, *(mark for mark in marks if mark < num_steps), *([num_steps] if num_steps else [])]
    chosen = np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int)
    return [steps[index] for index in chosen]


def loss_points(losses: np.ndarray) -> dict[str, np.ndarray]:
    """Collect what the curve of `loss_spec` shows, one row for each point.

    Args:
        losses: One for each step from 0 on, shape (steps + 1,). A loss of 0 has no place on a log scale.

    Returns:
        Columns "step" and "loss"; of many steps, as many evenly spread ones as can be told apart.

    Example:
        >>> columns = loss_points(np.array([4.0, 1.0, 0.0]))
        >>> columns["step"].tolist(), columns["loss"].tolist()
        ([0, 1], [4.0, 1.0])
    """
    last = len(losses) - 1
    steps = np.unique(np.linspace(0, last, min(last + 1, MAX_POINTS)).round().astype(int))
    steps = steps[losses[steps] > 0]
    return {"step": steps, "loss": losses[steps]}


def loss_spec(losses: np.ndarray, *, palette: Palette = LIGHT) -> dict[str, Any]:
    """Describe the curve of `loss_points` in Vega-Lite: a log scale, with dots as long as there are few steps.

    Args:
        losses: As in `loss_points`. The axis shows 10 steps at least.
        palette: Colours of the page's theme.

    Returns:
        A specification without data.
    """
    num_steps = len(losses) - 1
    step = {"field": "step", "type": "quantitative"}
    loss = {"field": "loss", "type": "quantitative"}
    across = {"domain": [0, max(10, num_steps)], "nice": False}
    decades = _decades(losses[losses > 0])
    is_plain = decades[0] >= 1e-4 and decades[-1] <= 1e6
    ticks = {"grid": True, "values": decades, "format": "~g" if is_plain else "~e"}
    up = {"type": "log", "domain": [decades[0], decades[-1]], "nice": False}
    return {
        "mark": {
            "type": "line",
            "strokeWidth": 2,
            "color": palette.training,
            "point": {"filled": True, "size": 40, "opacity": 1} if num_steps <= MAX_DOTS else False,
        },
        "encoding": {
            "x": step | {"title": "step", "scale": across, "axis": {"grid": False, "tickMinStep": 1}},
            "y": loss | {"title": "loss", "scale": up, "axis": ticks},
            "tooltip": [step, loss | {"format": ".3~g"}],
        },
    }


def _decades(losses: np.ndarray) -> list[float]:
    """Choose a few powers of ten around positive numbers, evenly spaced."""
    powers = np.log10(losses) if len(losses) else np.zeros(1)
    low, high = math.floor(powers.min()), math.ceil(powers.max())
    stride = max(1, math.ceil((high - low) / MAX_DECADES))
    low = high - stride * max(1, math.ceil((high - low) / stride))
    return [10.0**power for power in range(low, high + 1, stride)]
