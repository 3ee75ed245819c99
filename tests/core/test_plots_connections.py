import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cnn_core.connections import DENSE, LOCAL, SHARED, STAGES, connect
from cnn_core.plots.connections import (
    count_bars,
    kernel_drawing,
    matrix_drawing,
    output_drawing,
    output_name,
    picture_drawing,
    pixel_name,
)
from cnn_core.plots.theme import DARK, LIGHT

X, KERNEL = np.arange(16.0).reshape(4, 4), np.array([[1.0, -1], [2, 0]])
COUNTS = {"dense": 3_687_936, "local": 117_600, "shared": 150}


def parts(drawing, kind):
    return [each for each in ET.fromstring(drawing.svg).iter("path") if each.get("class") == kind]


def belonging(drawing, name):
    return [each.get("d") for each in parts(drawing, "frame") if name in each.get("data-of").split()]


def squares(path):
    """Rows and columns where a path's rectangles begin."""
    return [(float(top), float(left)) for left, top in re.findall(r"M(\S+) (\S+?)h", path)]


def drawn_cells(drawing):
    return [place for each in parts(drawing, "cell") for place in squares(each.get("d"))]


def test_bars_show_each_count_over_powers_of_ten():
    fig = count_bars(COUNTS)
    (bars,) = fig.data
    assert list(bars.x) == list(COUNTS.values())
    assert list(bars.y) == list(COUNTS)
    assert [text.strip() for text in bars.text] == ["3,687,936", "117,600", "150"]
    assert fig.layout.xaxis.type == "log"
    assert fig.layout.xaxis.range[0] == 0


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_only_the_last_bar_has_the_accent(palette):
    assert list(count_bars(COUNTS, palette=palette).data[0].marker.color) == [palette.muted] * 2 + [
        palette.accent
    ]


@pytest.mark.parametrize("most", [1, 9, 10**6, 10**12, 3 * 10**17])
def test_the_longest_bar_leaves_room_for_its_number(most):
    fig = count_bars({"most": most, "one": 1})
    assert fig.layout.xaxis.range[1] > np.log10(most)
    assert len(fig.layout.xaxis.tickvals) == len(fig.layout.xaxis.ticktext) <= 9


@pytest.mark.parametrize("stage", STAGES)
def test_the_matrix_has_a_cell_for_each_entry_that_may_differ_from_zero(stage):
    layer = connect(X, KERNEL, stage=stage)
    inside = [(row, column) for row, column in drawn_cells(matrix_drawing(layer)) if row >= 0 and column < 16]
    assert sorted(inside) == [tuple(place) for place in np.argwhere(layer.connected)]


def test_each_row_can_be_pointed_at_and_frames_its_output_and_its_pixels():
    layer = connect(X, KERNEL, stage=SHARED)
    drawing = matrix_drawing(layer)
    places = {each.get("data-at") for each in parts(drawing, "place")}
    assert places == {output_name(row) for row in range(9)} | {pixel_name(column) for column in range(16)}
    row, output, pixels = belonging(drawing, output_name(4))
    assert squares(row) == [(4, 0)]
    assert squares(output)[0][0] == 4
    assert [column for _, column in squares(pixels)] == np.flatnonzero(layer.connected[4]).tolist()


def test_a_chosen_output_frames_its_window_on_the_picture():
    drawing = picture_drawing(connect(X, KERNEL, stage=LOCAL, stride=2, padding=1))
    assert belonging(drawing, output_name(0)) == ["M-1 -1h2v2h-2z"]
    assert belonging(drawing, output_name(4)) == ["M1 1h2v2h-2z"]
    assert len(parts(drawing, "hatch")) == 20


def test_a_dense_output_sees_the_whole_picture():
    drawing = picture_drawing(connect(X, KERNEL, stage=DENSE))
    assert belonging(drawing, output_name(5)) == ["M0 0h4v4h-4z"]


def test_a_chosen_pixel_frames_the_outputs_that_it_feeds():
    layer = connect(X, KERNEL, stage=SHARED)
    drawing = output_drawing("Output", layer.y, layer, limit=9)
    fed = [squares(path)[0] for path in belonging(drawing, pixel_name(5))]
    assert fed == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [squares(path)[0] for path in belonging(drawing, output_name(5))] == [(1, 2)]


def test_numbers_are_written_while_there_is_room():
    small = matrix_drawing(connect(X, KERNEL, stage=SHARED)).svg
    large = matrix_drawing(connect(np.ones((8, 8)), KERNEL, stage=SHARED)).svg
    assert small.count("<text") == 9 * 4 + 16 + 9
    assert "<text" not in large


def test_the_kernel_has_the_colours_that_its_cells_have_in_the_matrix():
    layer = connect(X, KERNEL, stage=SHARED)
    colours = {each.get("fill") for each in parts(kernel_drawing(layer), "cell")}
    assert colours <= {each.get("fill") for each in parts(matrix_drawing(layer), "cell")}
    assert len(colours) == 4
