import numpy as np
import pytest
from plotly.colors import hex_to_rgb

from cnn_core.plots import training
from cnn_core.plots.theme import DARK, LIGHT
from tests.core.test_plots_grids import contrast

COUNTS = [[8, 2, 0], [0, 10, 0], [1, 0, 0]]
NAMES = ("cat", "dog", "owl")


def test_the_ends_of_the_scale_and_zero_have_the_colours_of_the_theme():
    tiles = np.array([[[-2.0]], [[0.0]], [[2.0]]])
    picture = training.mosaic(tiles, columns=3, width=25, palette=LIGHT)
    middle = picture[picture.shape[0] // 2]
    for place, colour in zip((2, 9, 16), (LIGHT.signed[0], LIGHT.neutral, LIGHT.signed[-1]), strict=True):
        assert tuple(middle[place]) == hex_to_rgb(colour)


def test_tiles_stand_row_by_row_with_the_background_between():
    tiles = np.zeros((3, 2, 2))
    tiles[1] = 1.0
    picture = training.mosaic(tiles, columns=2, limit=1.0, width=50, palette=DARK)
    cell, gap = 10, 5
    assert picture.shape == (4 * cell + gap, 4 * cell + gap, 3)
    strong, background = hex_to_rgb(DARK.signed[-1]), hex_to_rgb(DARK.background)
    assert (picture[: 2 * cell, 2 * cell + gap :] == strong).all()
    assert (picture[2 * cell : 2 * cell + gap] == background).all()
    assert (picture[:, 2 * cell : 2 * cell + gap] == background).all()
    assert (picture[2 * cell + gap :, 2 * cell + gap :] == background).all()  # no fourth tile
    assert (picture[: 2 * cell, : 2 * cell] == hex_to_rgb(DARK.neutral)).all()


def test_a_given_limit_is_shared_by_several_mosaics():
    weak = training.mosaic(np.full((1, 1, 1), 1.0), limit=2.0, width=8)
    strong = training.mosaic(np.full((1, 1, 1), 2.0), limit=2.0, width=8)
    assert tuple(strong[0, 0]) == hex_to_rgb(LIGHT.signed[-1])
    assert tuple(weak[0, 0]) == hex_to_rgb(LIGHT.signed[6])  # half-way from the middle to the end


@pytest.mark.parametrize("width", [40, 300, 1200])
def test_a_mosaic_is_no_wider_than_asked(width):
    assert training.mosaic(np.zeros((32, 3, 3)), width=width).shape[1] <= width


def test_a_layer_has_a_column_for_each_output_and_a_row_for_each_input():
    weight = np.zeros((4, 2, 3, 3))
    weight[3, 1] = 1.0
    picture = training.kernel_mosaic(weight)
    height, width, _ = picture.shape
    assert tuple(picture[-1, -1]) == hex_to_rgb(LIGHT.signed[-1])
    assert tuple(picture[0, -1]) == tuple(picture[-1, 0]) == hex_to_rgb(LIGHT.neutral)
    assert width == pytest.approx(2 * height, rel=0.05)


def test_enlarging_repeats_each_pixel():
    image = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    assert training.enlarged(image, width=4).tolist() == [[1, 1, 2, 2]] * 2 + [[3, 3, 4, 4]] * 2


def test_enlarging_keeps_colours_and_leaves_large_pictures_alone():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert training.enlarged(image, width=6).shape == (6, 6, 3)
    assert (training.enlarged(image, width=1) == image).all()


def test_errors_are_coloured_by_their_share_of_the_true_class_and_the_diagonal_is_not():
    heat = training.confusion(COUNTS, NAMES).data[0]
    assert heat.z.tolist() == [[0, 0.2, 0], [0, 0, 0], [1, 0, 0]]
    assert (heat.zmin, heat.zmax) == (0, 1)


def test_a_cell_says_how_many_of_how_many():
    heat = training.confusion(COUNTS, NAMES).data[0]
    assert heat.customdata[0][1].tolist() == [2, 10, 0.2]
    assert heat.y[0] == "cat"
    assert heat.x[1] == "dog"


def test_counts_are_written_except_zeros():
    text = training.confusion(COUNTS, NAMES).data[1]
    written = set(zip(text.y, text.x, text.text, strict=True))
    assert written == {
        ("cat", "cat", "8"),
        ("cat", "dog", "2"),
        ("dog", "dog", "10"),
        ("owl", "cat", "1"),
    }


def test_a_class_without_pictures_has_no_share():
    assert training.confusion([[0, 0], [0, 3]], ("cat", "dog")).data[0].z.tolist() == [[0, 0], [0, 0]]


def test_rare_errors_stay_pale():
    counts = [[1000, 1], [0, 1000]]
    assert training.confusion(counts, ("cat", "dog")).data[0].zmax == training.SMALLEST_SCALE


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_counts_are_read_on_every_colour(palette):
    others = np.arange(1, 101)
    counts = np.zeros((101, 101), int)
    counts[1:, 0], counts[np.arange(1, 101), np.arange(1, 101)] = others, 100 - others
    text = training.confusion(counts, [str(n) for n in range(101)], palette=palette).data[1]
    stops = np.array([hex_to_rgb(stop) for stop in palette.sequential])
    places = np.linspace(0, 1, len(stops))
    for x, count, colour in zip(text.x, text.text, text.textfont.color, strict=True):
        share = int(count) / 100 if x == "0" else 0.0
        cell = np.array([np.interp(share, places, channel) for channel in stops.T])
        assert contrast(colour, cell) >= 3.3


def test_the_most_frequent_errors_come_first():
    errors = training.largest_errors([[8, 2, 0], [3, 6, 1], [0, 0, 10]], most=2)
    assert errors == [training.Confusion(1, 0, 3, 10), training.Confusion(0, 1, 2, 10)]


def test_without_errors_there_is_nothing_to_list():
    assert training.largest_errors([[3, 0], [0, 4]]) == []
