"""Charts of the experiments. As in `curves`, each is columns with its points and a Vega-Lite specification that
stays the same while results come in.

A network has a colour, permuted pixels a dash and a shape. Words at the end of each line say it too.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core.experiments.definitions import LENET, MLP, PERMUTED, PLAIN, SIZES, network_name
from cnn_core.experiments.outcomes import Outcome
from cnn_core.experiments.summaries import Level, way_of
from cnn_core.plots.curves import epoch_axis
from cnn_core.plots.theme import LIGHT, Palette

LABEL_GAP = 0.065
"""Least distance of two words, as a share of the height of the chart."""


def apart(places: Sequence[float], gap: float) -> np.ndarray:
    """Move numbers apart until no two are closer than a gap, each group around its own middle.

    Args:
        places: In any order.
        gap: Least distance.

    Returns:
        The new numbers, in the old order.

    Example:
        >>> apart([0.5, 0.52, 0.9], 0.1).round(2).tolist()
        [0.46, 0.56, 0.9]
    """
    groups: list[list[float]] = []  # numbers of each group, in order
    order = np.argsort(places, kind="stable")
    for place in np.asarray(places, dtype=float)[order]:
        groups.append([place])
        while len(groups) > 1 and _ends(groups[-1], gap)[0] - _ends(groups[-2], gap)[1] < gap - 1e-12:
            groups[-2:] = [groups[-2] + groups[-1]]
    moved = np.empty(len(order))
    moved[order] = [_ends(group, gap)[0] + index * gap for group in groups for index in range(len(group))]
    return moved


def _ends(group: Sequence[float], gap: float) -> tuple[float, float]:
    """Return where a group begins and ends when its numbers stand at equal distances around their mean."""
    half = gap * (len(group) - 1) / 2
    middle = float(np.mean(group))
    return middle - half, middle + half


def accuracy_columns(outcomes: Sequence[Outcome], *, limits: tuple[float, float]) -> dict[str, list[Any]]:
    """Collect validation accuracy by epoch, one row for each point, as `accuracy_spec` draws it.

    Args:
        outcomes: Those of the permutation experiment, as far as they have come.
        limits: Lowest and highest accuracy of the axis, as in `accuracy_spec`.

    Returns:
        Columns "epoch", "accuracy", "network", "way" ("plain" or "permuted"), and at the last point of each line
        "label" and "label_at", its place on the axis; elsewhere these are "" and the accuracy itself.
    """
    shown = [each for each in outcomes if each.validation_accuracies]
    ends = [each.validation_accuracies[-1] for each in shown]
    places = apart(ends, LABEL_GAP * (limits[1] - limits[0]))
    columns: dict[str, list[Any]] = {
        name: [] for name in ("epoch", "accuracy", "network", "way", "label", "label_at")
    }
    for each, place in zip(shown, places, strict=True):
        network, way = network_name(each.settings), way_of(each)
        num_epochs = len(each.validation_accuracies)
        for epoch, accuracy in enumerate(each.validation_accuracies, start=1):
            is_last = epoch == num_epochs
            label, label_at = (f"{network}, {way}", float(place)) if is_last else ("", accuracy)
            for name, value in zip(columns, (epoch, accuracy, network, way, label, label_at), strict=True):
                columns[name].append(value)
    return columns


def accuracy_spec(
    *, num_epochs: int, limits: tuple[float, float], palette: Palette = LIGHT
) -> dict[str, Any]:
    """Describe the chart of `accuracy_columns` in Vega-Lite: a line for each training, with its name at its end.

    Args:
        num_epochs: Where the epoch axis ends.
        limits: Lowest and highest accuracy of the axis; it goes on to the next round numbers.
        palette: Colours of the page's theme.

    Returns:
        A specification without data.
    """
    way = {"field": "way", "type": "nominal", "legend": None}
    dash = way | {"scale": {"domain": [PLAIN, PERMUTED], "range": [[1, 0], [6, 4]]}}
    shape = way | {"scale": {"domain": [PLAIN, PERMUTED], "range": ["circle", "triangle-up"]}}
    value = _accuracy("accuracy", "validation accuracy", limits)
    tips = [
        {"field": "network", "type": "nominal"},
        {"field": "way", "type": "nominal", "title": "pixels"},
        {"field": "epoch", "type": "quantitative"},
        {"field": "accuracy", "type": "quantitative", "title": "validation accuracy", "format": ".4~f"},
    ]
    colour = {"color": _network_colour(palette)}
    return {
        "encoding": {"x": {"field": "epoch"} | epoch_axis(num_epochs)},
        "layer": [
            {"mark": _LINE, "encoding": {"y": value, "strokeDash": dash} | colour},
            {"mark": _POINT, "encoding": {"y": value, "shape": shape, "tooltip": tips} | colour},
            _words(_accuracy("label_at", "validation accuracy", limits), colour),
        ],
    }


def size_columns(levels: Sequence[Level], *, limits: tuple[float, float]) -> dict[str, list[Any]]:
    """Collect test accuracy by number of training pictures, one row for each point, as `size_spec` draws it.

    Args:
        levels: As `summaries.levels` has them.
        limits: Lowest and highest accuracy of the axis, as in `size_spec`.

    Returns:
        Columns "pictures", "mean", "low", "high", "seeds" (how many), "network", and at the last point of each line
        "label" and "label_at", its place on the axis; elsewhere these are "" and the mean itself.
    """
    last = {each.network: each for each in levels}  # the largest size of a network comes last
    places = apart([each.mean for each in last.values()], LABEL_GAP * (limits[1] - limits[0]))
    label_at = {id(each): float(place) for each, place in zip(last.values(), places, strict=True)}
    return {
        "pictures": [each.size for each in levels],
        "mean": [each.mean for each in levels],
        "low": [min(each.accuracies) for each in levels],
        "high": [max(each.accuracies) for each in levels],
        "seeds": [len(each.accuracies) for each in levels],
        "network": [each.network for each in levels],
        "label": [each.network if id(each) in label_at else "" for each in levels],
        "label_at": [label_at.get(id(each), each.mean) for each in levels],
    }


def size_spec(
    *, limits: tuple[float, float], is_log: bool = True, palette: Palette = LIGHT
) -> dict[str, Any]:
    """Describe the chart of `size_columns` in Vega-Lite: mean over the seeds as a line, their range as a bar.

    Args:
        limits: Lowest and highest accuracy of the axis; it goes on to the next round numbers.
        is_log: Whether equal steps along the axis of the pictures are equal factors, not equal differences.
        palette: Colours of the page's theme.

    Returns:
        A specification without data.
    """
    pictures = {
        "field": "pictures",
        "type": "quantitative",
        "title": "training pictures",
        "scale": {"type": "linear", "domain": [0, 1.03 * SIZES[-1]], "nice": False},
        "axis": {"grid": False, "format": ",d"},
    }
    if is_log:
        pictures["scale"] |= {"type": "log", "domain": [0.8 * SIZES[0], 1.2 * SIZES[-1]]}
        pictures["axis"] |= {"values": list(SIZES)}
    colour = {"color": _network_colour(palette)}
    shape = {"field": "network", "type": "nominal", "legend": None}
    shape |= {"scale": {"domain": [LENET, MLP], "range": ["circle", "square"]}}
    value = _accuracy("mean", "test accuracy", limits)
    tips = [
        {"field": "network", "type": "nominal"},
        {"field": "pictures", "type": "quantitative", "title": "training pictures", "format": ",d"},
        *(
            {"field": name, "type": "quantitative", "format": ".4~f", "title": title}
            for name, title in (("mean", "mean"), ("low", "lowest"), ("high", "highest"))
        ),
        {"field": "seeds", "type": "quantitative"},
    ]
    span = {"y": _accuracy("low", "test accuracy", limits), "y2": {"field": "high"}}
    rule = {"type": "rule", "strokeWidth": 5, "opacity": 0.4, "strokeCap": "round"}
    return {
        "encoding": {"x": pictures},
        "layer": [
            {"mark": rule, "encoding": span | colour},
            {"mark": _LINE, "encoding": {"y": value} | colour},
            {"mark": _POINT, "encoding": {"y": value, "shape": shape, "tooltip": tips} | colour},
            _words(_accuracy("label_at", "test accuracy", limits), colour),
        ],
    }


_LINE = {"type": "line", "strokeWidth": 2}
_POINT = {"type": "point", "filled": True, "size": 70, "opacity": 1}


def _accuracy(field: str, title: str, limits: tuple[float, float]) -> dict[str, Any]:
    scale = {"domain": list(limits), "zero": False, "nice": True}
    axis = {"grid": True, "tickCount": 5, "format": ".2~f"}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def _network_colour(palette: Palette) -> dict[str, Any]:
    # LeNet looks through windows and has their colour; orange is strong on both pages.
    colours = {"domain": [LENET, MLP], "range": [palette.accent, palette.signed[-2]]}
    return {"field": "network", "type": "nominal", "scale": colours, "legend": None}


def _words(place: dict[str, Any], colour: dict[str, Any]) -> dict[str, Any]:
    """Describe the words beyond the ends of the lines; the chart makes room for them."""
    mark = {
        "type": "text",
        "align": "left",
        "baseline": "middle",
        "dx": 9,
        "fontSize": 12.5,
        "fontWeight": 600,
    }
    text = {"field": "label", "type": "nominal"}
    return {
        "transform": [{"filter": "datum.label != ''"}],
        "mark": mark,
        "encoding": {"y": place, "text": text} | colour,
    }
