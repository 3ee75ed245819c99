import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cnn_core.plots.signals import output_name, slid_drawings
from cnn_core.signals import EXAMPLE, KERNELS, heartbeat, slide

SHORT = slide(EXAMPLE, np.array([1.0, 0, -1]))
LONG = slide(heartbeat(120), KERNELS["beat"].values)


def parts(drawing, kind):
    return [each for each in ET.fromstring(drawing.svg).iter("path") if each.get("class") == kind]


def points(path):
    return np.array(re.findall(r"(-?[\d.]+(?:e-?\d+)?) (-?[\d.]+(?:e-?\d+)?)", path), dtype=float)


def test_both_curves_go_through_their_values_and_outputs_lie_below_the_middle_of_their_windows():
    signal, _, outputs = slid_drawings(LONG)
    for drawing, values, start in ((signal, LONG.x, 0), (outputs, LONG.y, 7)):
        (trace,) = parts(drawing, "trace")
        x, y = points(trace.get("d")).T
        np.testing.assert_allclose(x, start + np.arange(len(values)))
        np.testing.assert_allclose(-y, values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("slid", [SHORT, LONG])
def test_each_output_can_be_pointed_at_and_has_a_window_its_products_and_a_dot(slid):
    signal, products, outputs = slid_drawings(slid)
    names = [output_name(output) for output in range(len(slid.y))]
    for drawing, kind in ((signal, "band"), (products, "bar"), (outputs, "dot")):
        assert [each.get("data-of") for each in parts(drawing, kind)] == names
    for drawing in (signal, outputs):
        assert [each.get("data-at") for each in parts(drawing, "place")] == names


def test_places_to_point_at_cover_the_whole_width():
    places = [each.get("d") for each in parts(slid_drawings(SHORT)[0], "place")]
    boxes = [re.match(r"M(\S+) \S+h(\S+?)v", path).groups() for path in places]
    lefts, widths = np.array(boxes, dtype=float).T
    assert lefts[0] == -0.5
    np.testing.assert_allclose((lefts + widths)[:-1], lefts[1:])
    assert (lefts + widths)[-1] == 6.5


def test_bars_are_as_high_as_the_products():
    bar = parts(slid_drawings(SHORT)[1], "bar")[2].get("d")
    # Numbers 2, 3, 1 with cells 1, 0, -1: 2 up, nothing, 1 down
    assert bar == "M1.65 -2h0.7v2h-0.7zM3.65 0h0.7v1h-0.7z"


@pytest.mark.parametrize("slid", [SHORT, LONG])
def test_dots_are_lines_that_have_a_length(slid):
    """WebKit draws the round ends of a line without length in numbers of the signal, not in pixels."""
    *_, outputs = slid_drawings(slid)
    dots = [each.get("d") for each in parts(outputs, "dot")]
    lengths = [float(re.fullmatch(r"M\S+ \S+h(\S+)", path)[1]) for path in dots]
    assert len(lengths) == len(slid.y)
    assert all(0 < length < 0.01 for length in lengths)


def test_the_products_of_a_long_signal_fill_the_width():
    _, short, _ = slid_drawings(SHORT)
    _, long, _ = slid_drawings(LONG)
    assert short.box[3] == 7
    assert long.box[3] == 15
    assert "enlarged" in long.caption


def test_few_values_are_written_and_many_are_not():
    signal, _, outputs = slid_drawings(SHORT)
    written = [
        [label.text for label in drawing.labels if label.side == "above"] for drawing in (signal, outputs)
    ]
    assert written == [["1", "0", "2", "3", "1", "0", "1"], ["−1", "−3", "1", "3", "0"]]
    assert not [label for drawing in slid_drawings(LONG) for label in drawing.labels if label.side == "above"]


def test_time_is_counted_in_seconds_where_there_is_a_rate():
    ticks = [
        [label.text for label in slid_drawings(LONG, sample_rate=rate)[2].labels if label.side == "below"]
        for rate in (None, 100)
    ]
    assert ticks[0] == ["0", "20", "40", "60", "80", "100"]
    assert ticks[1] == ["0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s"]


@pytest.mark.parametrize("values", [[0.0], [0.0] * 5, [-3.0, -3.0], [1000.0, -1000.0]])
def test_zero_and_the_ends_are_named_once_each(values):
    for drawing in slid_drawings(slide(np.array(values), np.array([1.0]))):
        ends = [label.text for label in drawing.labels if label.side == "left"]
        assert "0" in ends
        assert len(ends) == len(set(ends)) <= 3
        assert all(0 <= label.top <= 1 for label in drawing.labels)
