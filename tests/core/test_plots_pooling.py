import numpy as np
import pytest

from cnn_core.plots.pooling import before_after
from cnn_core.plots.theme import DARK, LIGHT


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
def test_words_have_the_colour_of_the_palette(palette):
    fig = before_after({"picture": (np.zeros((4, 4)), np.zeros((2, 2)))}, palette=palette)
    assert fig.layout.font.color == palette.text
