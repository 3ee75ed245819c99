import numpy as np
import pytest

from cnn_core.geometry import Axis
from cnn_core.plots.pooling import before_after, pooled_windows
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.pooling import pool

COUNTING = np.arange(16.0).reshape(1, 4, 4)
PADDED = Axis(4, 3, 2, 1)


def shapes_named(fig, name):
    return [shape for shape in fig.layout.shapes if shape.name == name]


def box(shape):
    """Upper left cell, then height and width in cells."""
    return shape.y0 + 0.5, shape.x0 + 0.5, shape.y1 - shape.y0, shape.x1 - shape.x0


def traces_named(fig, name):
    return [trace for trace in fig.data if trace.name == name]


def extent(trace):
    return min(trace.y) + 0.5, min(trace.x) + 0.5, max(trace.y) - min(trace.y), max(trace.x) - min(trace.x)


def test_cells_hold_the_padded_input_and_the_output_two_cells_apart():
    inputs, outputs = pooled_windows(pool(COUNTING, PADDED, PADDED)).data[:2]
    np.testing.assert_array_equal(inputs.z[1:5, 1:5], COUNTING[0])
    np.testing.assert_array_equal(outputs.z[:2, 8:], [[5, 7], [13, 15]])
    assert np.isnan(inputs.z[:, 6:]).all()
    assert np.isnan(outputs.z[:, :8]).all()
    assert (inputs.zmin, inputs.zmax) == (outputs.zmin, outputs.zmax)


@pytest.mark.parametrize(("mode", "word"), [("max", "−∞"), ("average", "0"), ("min", "∞")])
def test_padding_shows_what_it_counts_as(mode, word):
    cells = pooled_windows(pool(COUNTING, PADDED, PADDED, mode=mode)).data[0]
    assert set(cells.text[0, :6]) == {word}
    assert (cells.z[0, :6] == 0).all()


def test_numbers_are_written_with_at_most_two_decimals():
    axis = Axis(3, 3)
    x = np.array([[[-1, 0, 0], [0, 1 / 4, 0], [0, 0, 0]]])
    inputs, outputs = pooled_windows(pool(x, axis, axis, mode="average")).data
    assert list(inputs.text[0, :3]) == ["−1", "0", "0"]
    assert inputs.text[1, 1] == "0.25"
    assert outputs.text[0, 5] == "−0.08"


def test_the_window_its_output_and_the_winner_are_marked_in_the_accent_colour():
    fig = pooled_windows(pool(COUNTING, PADDED, PADDED), at=(1, 0), palette=DARK)
    (window,), (output,), (winner,) = (shapes_named(fig, name) for name in ("window", "its output", "winner"))
    assert box(window) == (2, 0, 3, 3)
    assert box(output) == (1, 8, 1, 1)
    assert (winner.y0 + winner.y1) / 2 == pytest.approx(4)
    assert (winner.x0 + winner.x1) / 2 == pytest.approx(2)
    assert {window.line.color, output.line.color, winner.line.color} == {DARK.accent}


def test_an_average_has_no_winner():
    assert not shapes_named(pooled_windows(pool(COUNTING, PADDED, PADDED, mode="average")), "winner")


def test_each_channel_has_its_own_band_with_the_same_window():
    fig = pooled_windows(pool(np.concatenate([COUNTING, COUNTING + 1]), PADDED, PADDED), at=(0, 1))
    first, second = (box(shape) for shape in shapes_named(fig, "window"))
    assert (second[0] - first[0], second[1:]) == (7, first[1:])
    assert len(shapes_named(fig, "its output")) == len(shapes_named(fig, "winner")) == 2
    np.testing.assert_array_equal(fig.data[1].z[7:9, 8:], [[6, 8], [14, 16]])
    assert [note.text for note in fig.layout.annotations] == [
        "input 4 x 4, channel 0",
        "output 2 x 2",
        "input 4 x 4, channel 1",
        "output 2 x 2",
    ]


def test_padding_is_hatched_around_the_input():
    fig = pooled_windows(pool(COUNTING, Axis(4, 2, 2), Axis(4, 3, 3, 1)))
    assert [extent(trace) for trace in traces_named(fig, "padding")] == [(0, 0, 4, 1), (0, 5, 4, 1)]


def test_what_no_window_reaches_is_hatched_and_dimmed():
    axis = Axis(4, 3, 2)
    fig = pooled_windows(pool(COUNTING, axis, axis))
    assert [extent(trace) for trace in traces_named(fig, "left over")] == [(3, 0, 1, 4), (0, 3, 3, 1)]
    assert len(shapes_named(fig, "left over, dimmed")) == 2


def test_where_a_window_hangs_over_the_cells_are_hatched_and_empty():
    axis = Axis(4, 3, 2, ceil_mode=True)
    fig = pooled_windows(pool(COUNTING, axis, axis))
    assert [extent(trace) for trace in traces_named(fig, "hanging over")] == [(4, 0, 1, 5), (0, 4, 4, 1)]
    assert not traces_named(fig, "left over")
    assert set(fig.data[0].text[4]) == {""}


def test_nothing_is_hatched_where_the_windows_fit():
    axis = Axis(4, 2, 2)
    assert [trace.name for trace in pooled_windows(pool(COUNTING, axis, axis)).data] == ["inputs", "outputs"]


def test_cells_are_square_and_row_0_is_on_top():
    fig = pooled_windows(pool(COUNTING, PADDED, PADDED))
    assert (fig.layout.yaxis.scaleanchor, fig.layout.yaxis.scaleratio) == ("x", 1)
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]


def test_pictures_are_drawn_in_whole_numbers_with_their_sizes():
    before, after = np.full((8, 6), 100, np.uint8), np.full((4, 3), 99.6, np.float32)
    fig = before_after({"picture": (before, after)})
    np.testing.assert_array_equal(fig.data[0].z, before)
    np.testing.assert_array_equal(fig.data[1].z, np.full((4, 3), 100))
    assert {(heat.zmin, heat.zmax) for heat in fig.data} == {(0, 255)}
    assert [note.text for note in fig.layout.annotations] == ["picture before, 8 x 6", "picture after, 4 x 3"]


@pytest.mark.parametrize(("to_scale", "ratio"), [(True, 1), (False, 2)])
def test_pixels_have_one_size_only_if_drawn_to_scale(to_scale, ratio):
    fig = before_after({"picture": (np.zeros((8, 6)), np.zeros((4, 3)))}, to_scale=to_scale)
    assert fig.data[1].dx / fig.data[0].dx == ratio


def test_a_colour_picture_is_drawn_as_an_image():
    fig = before_after({"picture": (np.zeros((4, 4, 3), np.uint8), np.full((2, 2, 3), 99.6))})
    assert [trace.type for trace in fig.data] == ["image", "image"]
    np.testing.assert_array_equal(fig.data[1].z, 100)


def test_channels_apart_stand_below_each_other():
    pair = np.zeros((4, 4)), np.zeros((2, 2))
    three = before_after({"red": pair, "green": pair, "blue": pair})
    assert three.data[0].y0 < three.data[2].y0 < three.data[4].y0


def test_a_low_picture_makes_a_low_figure():
    square, low = (before_after({"picture": (np.zeros((h, 8)), np.zeros((h, 8)))}) for h in (8, 2))
    assert low.layout.height < square.layout.height / 2


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_colours_come_from_the_palette(palette):
    fig = pooled_windows(pool(COUNTING, PADDED, PADDED), palette=palette)
    assert fig.layout.font.color == palette.text
    assert fig.data[0].colorscale[0][1] == palette.signed[0]
