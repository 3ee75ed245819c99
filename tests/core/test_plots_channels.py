import numpy as np
import pytest

from cnn_core import examples, ops
from cnn_core.network import Conv, Network
from cnn_core.plots import channels
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.plots.worksheet import NOTHING
from cnn_core.summary import summarize


def trace(fig, name):
    (found,) = [each for each in fig.data if each.name == name]
    return found


def values(fig, name):
    """Return the numbers of a heatmap from its upper left to its lower right, without the gaps."""
    z = np.asarray(trace(fig, name).z)
    return z[~np.isnan(z)].tolist()


def frames(fig, name):
    """Return (top, left, height, width) in cells of the outlines of a name."""
    return [
        (shape.y0 + 0.5, shape.x0 + 0.5, shape.y1 - shape.y0, shape.x1 - shape.x0)
        for shape in fig.layout.shapes
        if shape.name == name
    ]


def under(fig, name, box):
    """Return the cells of a heatmap inside an outline."""
    top, left, height, width = map(int, box)
    return np.asarray(trace(fig, name).z)[top : top + height, left : left + width]


def numbers(fig, *colours):
    """Return the words of each trace that writes numbers, in the order of the traces."""
    return [
        np.array(each.text, object)
        for each in fig.data
        if each.name == "numbers" and (not colours or each.textfont.color in colours)
    ]


def words(fig):
    """Return all numbers written into cells."""
    texts = [each.text for each in fig.data if each.name == "numbers"]
    return sorted(
        word.strip(NOTHING) for rows in texts for row in rows for word in row if word.strip(NOTHING)
    )


def notes(fig):
    return [annotation.text for annotation in fig.layout.annotations]


COLOURFUL = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def test_a_colour_picture_shows_its_channels_in_grey():
    parts = np.moveaxis(COLOURFUL, 2, 0) * np.array([0.5, 0.25, 0.25])[:, None, None]
    fig = channels.colour_sum(COLOURFUL, parts, parts.sum(axis=0))
    for index, colour in enumerate(("red", "green", "blue")):
        np.testing.assert_array_equal(trace(fig, colour).z, COLOURFUL[..., index])
        assert (trace(fig, colour).zmin, trace(fig, colour).zmax) == (0, 255)
        np.testing.assert_array_equal(trace(fig, f"{colour} part").z, parts[index])
    np.testing.assert_array_equal(trace(fig, "red, green, blue").z, COLOURFUL)


def test_without_a_sign_the_sum_is_a_picture_from_black_to_white():
    parts = np.full((3, 4, 5), 200.0)
    fig = channels.colour_sum(COLOURFUL, parts, parts.sum(axis=0))
    total = trace(fig, "sum")
    assert (total.zmin, total.zmax) == (0, 600)
    assert total.colorscale[0][1] == "#000000"


def test_with_a_sign_parts_and_sum_share_one_scale_around_zero():
    parts = np.stack([np.full((4, 5), value) for value in (9.0, -2.0, -3.0)])
    fig = channels.colour_sum(COLOURFUL, parts, parts.sum(axis=0), signed=True)
    limits = {(each.zmin, each.zmax) for each in fig.data if each.name in ("red part", "blue part", "sum")}
    assert limits == {(-9, 9)}


def test_a_smaller_result_keeps_the_size_of_its_pixels():
    parts = np.ones((3, 2, 3))
    fig = channels.colour_sum(COLOURFUL, parts, parts[0], steps=["a", "b", "c"], signed=True)
    sizes = [box[2:] for box in frames(fig, "edge")]
    assert sorted(set(sizes)) == [(2, 3), (4, 5)]
    assert {"red a", "green b", "blue c"} <= set(notes(fig))


def one_by_one(counts=(3, 2), size=3, at=(0, 0, 0)):
    x, weight = examples.drawn(*counts, input_size=size, kernel_size=1, seed=3)
    return x[0], weight[:, :, 0, 0], ops.conv2d(x, weight)[0], at


def test_a_pixel_becomes_a_column_and_its_product_lies_where_row_and_column_meet():
    x, weight, y, at = one_by_one(at=(1, 2, 0))
    fig = channels.pixels_as_columns(x, weight, y, at=at)
    (column,) = frames(fig, "the pixel's column")
    (row,) = frames(fig, "the output's row")
    (product,) = frames(fig, "their product")
    pixel, weights = under(fig, "input", column)[:, 0], under(fig, "weight", row)[0]
    np.testing.assert_array_equal(pixel, x[:, 2, 0])
    assert under(fig, "output", product).item() == weights @ pixel == y[1, 2, 0]
    assert product[:2] == (row[0], column[1])


def test_the_same_pixel_is_framed_in_every_picture():
    x, weight, y, at = one_by_one(at=(0, 1, 2))
    fig = channels.pixels_as_columns(x, weight, y, at=at)
    pixels = [under(fig, "input", box).item() for box in frames(fig, "the pixel")]
    assert pixels == x[:, 1, 2].tolist()
    (output,) = frames(fig, "its output")
    assert under(fig, "output", output).item() == y[0, 1, 2]


@pytest.mark.parametrize("counts", [(1, 1), (1, 4), (4, 1), (4, 4)])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_pictures_and_matrices_hold_the_same_numbers_side_by_side(counts, size):
    x, weight, y, at = one_by_one(counts, size)
    fig = channels.pixels_as_columns(x, weight, y, at=at)
    assert sorted(values(fig, "input")) == sorted([*x.flat, *x.flat])
    assert sorted(values(fig, "output")) == sorted([*y.flat, *y.flat])
    assert values(fig, "weight") == weight.ravel().tolist()


def test_every_cell_shows_its_number():
    x, weight, y, at = one_by_one()
    fig = channels.pixels_as_columns(x, weight, y, at=at)
    assert words(fig) == sorted(
        f"{number:.0f}" for number in (*x.flat, *x.flat, *weight.flat, *y.flat, *y.flat)
    )


def test_the_chosen_output_is_named_in_bold():
    x, weight, y, at = one_by_one(at=(1, 0, 0))
    fig = channels.pixels_as_columns(x, weight, y, at=at)
    assert [note for note in notes(fig) if "output " in note] == ["output 0", "<b>output 1</b>"]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_numbers_on_the_strong_ends_of_the_scale_have_their_own_colour(palette):
    x, weight = examples.counting(2, 3, input_size=3, kernel_size=1)
    fig = channels.pixels_as_columns(x[0], weight[:, :, 0, 0], np.zeros((3, 3, 3)), palette=palette)
    strong, weak = (
        {word.strip(NOTHING) for each in numbers(fig, colour) for word in each.flat}
        for colour in (palette.on_strong, palette.text)
    )
    assert {"8", "9"} <= strong - weak
    assert "0" in weak - strong


def test_both_colours_of_type_get_one_size():
    x, weight, y, at = one_by_one()
    fig = channels.pixels_as_columns(x, weight, y, at=at)
    inputs_weak, inputs_strong = numbers(fig)[:2]
    assert fig.data[1].textfont.color != fig.data[2].textfont.color
    for each in (inputs_weak, inputs_strong):
        assert {len(word) for word in each.flat if word} == {1}
        assert all(each[place] for place in ((0, 0), (0, 1), (1, 0)))


def test_numbers_too_small_to_read_are_left_to_the_pointer():
    x, weight, y, at = one_by_one(size=8)
    fig = channels.pixels_as_columns(x, weight, y, at=at)
    assert not [each for each in words(fig) if len(each) > 1]
    assert trace(fig, "output").hovertemplate.startswith("output: %{z")


@pytest.mark.parametrize("counts", [(1, 4), (4, 1), (3, 3)])
@pytest.mark.parametrize("size", [1, 4])
def test_grids_do_not_overlap_and_lie_on_the_sheet(counts, size):
    x, weight, y, at = one_by_one(counts, size)
    fig = channels.pixels_as_columns(x, weight, y, at=at)
    heatmaps = [each for each in fig.data if each.type == "heatmap" and each.name != "numbers"]
    drawn = sum((~np.isnan(np.asarray(each.z))).astype(int) for each in heatmaps)
    assert drawn.max() == 1
    assert drawn.sum() == 2 * x.size + weight.size + 2 * y.size
    rows, columns = drawn.shape
    assert fig.layout.xaxis.range == (-0.6, columns - 0.4)
    assert fig.layout.yaxis.range == (rows - 0.4, -0.6)


def layer(out_channels, groups=1):
    return summarize(Network([Conv(out_channels, kernel_size=3, groups=groups)]), (4, 8, 8))[0]


def test_costs_draw_parameters_above_mult_adds():
    steps = [4, 8]
    lines = {"this": [layer(n, 4) for n in steps], "other": [layer(n) for n in steps]}
    fig = channels.costs(steps, lines, now=8, axis_title="Channels out")
    assert [(each.name, each.yaxis, list(each.y)) for each in fig.data] == [
        ("this", "y", [4 * 10, 8 * 10]),
        ("other", "y", [4 * 37, 8 * 37]),
        ("this", "y2", [4 * 9 * 36, 8 * 9 * 36]),
        ("other", "y2", [4 * 36 * 36, 8 * 36 * 36]),
    ]
    assert [each.showlegend for each in fig.data] == [True, True, False, False]


def test_costs_mark_the_present_number_of_channels():
    steps = [1, 2, 5, 6, 8, 16]
    fig = channels.costs(steps, {"this": [layer(n) for n in steps]}, now=6, axis_title="Channels out")
    sizes = fig.data[0].marker.size
    assert [step for step, size in zip(steps, sizes, strict=True) if size == max(sizes)] == [6]
    assert list(fig.layout.xaxis.tickvals) == [1, 2, 6, 16]
