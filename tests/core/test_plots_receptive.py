import numpy as np
import pytest

from cnn_core.plots.receptive import can_see, counts
from cnn_core.plots.theme import DARK, LIGHT

IMAGE = np.arange(28 * 28, dtype=np.float64).reshape(28, 28).astype(np.uint8)
FIELD = np.zeros((28, 28), np.float32)
FIELD[4:20, 4:20] = np.outer(*[np.hanning(16)] * 2)
SEEN = (range(4, 20), range(4, 20))


def trace(fig, name):
    (found,) = [each for each in fig.data if each.name == name]
    return found


def shapes(fig, name):
    return [shape for shape in fig.layout.shapes if shape.name == name]


def edges(shape):
    return shape.y0, shape.y1, shape.x0, shape.x1


def area(padding) -> float:
    corners = [
        list(map(float, filter(lambda value: value is not None, each))) for each in (padding.x, padding.y)
    ]
    boxes = [
        (x[:4], y[:4]) for x, y in zip(*(np.reshape(each, (-1, 5)).tolist() for each in corners), strict=True)
    ]
    return sum((max(x) - min(x)) * (max(y) - min(y)) for x, y in boxes)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_both_figures_frame_the_same_pixels_in_the_accent(palette):
    for fig in (can_see(IMAGE, SEEN, palette=palette), counts(FIELD, SEEN, palette=palette)):
        (window,) = shapes(fig, "window")
        assert edges(window) == (3.5, 19.5, 3.5, 19.5)
        assert window.line.color == palette.accent


def test_both_figures_have_the_same_axes_with_row_0_on_top_and_square_cells():
    seen = (range(-2, 14), range(14, 30))
    layouts = [fig.layout for fig in (can_see(IMAGE, seen), counts(FIELD, seen))]
    for layout in layouts:
        assert layout.yaxis.range == (27.7, -2.7)
        assert layout.xaxis.range == (-0.7, 29.7)
        assert (layout.yaxis.scaleanchor, layout.yaxis.scaleratio) == ("x", 1)


def test_the_dot_lies_in_the_centre_of_the_field():
    dot = trace(can_see(IMAGE, (range(-2, 14), range(3, 4))), "centre")
    assert (dot.y[0], dot.x[0]) == (5.5, 3)


def test_the_picture_stays_as_it_is():
    np.testing.assert_array_equal(can_see(IMAGE, SEEN).data[0].z, IMAGE)
    colour = np.zeros((9, 8, 3), np.uint8)
    assert can_see(colour, (range(3), range(3))).data[0].type == "image"


@pytest.mark.parametrize(
    ("seen", "hatched"),
    [
        ((range(-2, 14), range(4, 20)), 2 * 16),
        ((range(20, 36), range(14, 30)), 8 * 16 + 8 * 2),
        ((range(-3, 31), range(-3, 31)), 34 * 34 - 28 * 28),
        ((range(-5, -2), range(4, 8)), 3 * 4),
        ((range(30, 33), range(-4, 8)), 3 * 12),
        ((range(4, 8), range(30, 33)), 4 * 3),
    ],
)
def test_padding_is_hatched_once_and_only_in_the_field(seen, hatched):
    for fig in (can_see(IMAGE, seen), counts(FIELD, seen)):
        padding = trace(fig, "padding")
        assert area(padding) == hatched
        assert padding.fillpattern.shape == "/"


def test_a_field_inside_the_picture_has_no_padding():
    assert "padding" not in [each.name for each in can_see(IMAGE, SEEN).data]


def test_padding_far_outside_leaves_room_for_the_picture():
    fig = can_see(IMAGE, (range(-300, 400), range(-300, 400)))
    assert fig.layout.xaxis.range == (-14.7, 41.7)


def test_influence_is_drawn_in_percent_of_the_largest():
    heat = counts(FIELD, SEEN).data[0]
    np.testing.assert_allclose(heat.z, FIELD / FIELD.max() * 100, rtol=1e-6)
    assert (heat.zmin, heat.zmax) == (0, 100)
    assert [stop for _, stop in heat.colorscale] == list(LIGHT.sequential)


def test_nothing_that_counts_is_drawn_as_nothing():
    assert not np.asarray(counts(np.zeros((4, 4), np.float32), (range(2), range(2))).data[0].z).any()


def test_the_middle_has_a_dotted_frame_of_its_own():
    (frame,) = shapes(counts(FIELD, SEEN, middle=(range(8, 16), range(9, 15))), "middle")
    assert edges(frame) == (7.5, 15.5, 8.5, 14.5)
    assert frame.line.dash == "dot"


def test_a_signal_is_a_line_with_a_band_where_the_field_lies():
    signal = np.sin(np.arange(64))
    field = np.hanning(64).astype(np.float32)
    seen = (range(-4, 20),)
    for fig, name, values in (
        (can_see(signal, seen), "What it can see", signal),
        (counts(field, seen, middle=(range(2, 14),)), "How much each part counts", field / field.max() * 100),
    ):
        np.testing.assert_allclose(trace(fig, name).y, values, rtol=1e-6)
        (band,) = shapes(fig, "band")
        assert (band.x0, band.x1) == (-4.5, 19.5)
        assert fig.layout.xaxis.range == (-5, 64)
        padding = trace(fig, "padding")
        assert (min(filter(None, padding.x)), max(x for x in padding.x if x is not None)) == (-4, 0)


def test_the_dot_lies_on_the_signal():
    signal = np.arange(10.0)
    dot = trace(can_see(signal, (range(2, 7),)), "centre")
    assert (dot.x[0], dot.y[0]) == (4, 4)
    assert trace(can_see(signal, (range(-9, -2),)), "centre").y[0] == 0
