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


def book_sum(*, at=(0, 0, 0), padding=0, bias=0, palette=LIGHT):
    x, weight = examples.counting(2, 3, input_size=3, kernel_size=2)
    y = ops.conv2d(x, weight, np.full(3, bias), padding=padding)[0]
    partials = ops.conv2d(x, weight[at[0]][:, None], groups=2, padding=padding)[0]
    return channels.channel_sum(
        x[0], weight[at[0]], partials, y, at=at, padding=padding, bias=bias, palette=palette
    )


def test_the_books_sum_shows_both_partial_results_and_their_sum():
    fig = book_sum()
    assert values(fig, "partial result") == [19, 25, 37, 43, 37, 47, 67, 77]
    assert values(fig, "output") == [56, 72, 104, 120]
    assert values(fig, "other output") == [76, 100, 148, 172, 96, 128, 192, 224]


def test_the_frames_hold_the_windows_that_make_the_framed_output():
    fig = book_sum(at=(1, 0, 1))
    windows = [under(fig, "input", box).tolist() for box in frames(fig, "window")]
    assert windows == [[[1, 2], [4, 5]], [[2, 3], [5, 6]]]
    parts = [under(fig, "partial result", box).item() for box in frames(fig, "its partial result")]
    (output,) = [under(fig, "output", box).item() for box in frames(fig, "its output")]
    assert sum(parts) == output == 100


def test_with_padding_the_frame_begins_in_the_padding():
    fig = book_sum(padding=1)
    for box, pixel in zip(frames(fig, "window"), (0, 1), strict=True):
        assert under(fig, "input", box).tolist() == [[0, 0], [0, pixel]]


def test_padding_is_hatched_and_carries_no_numbers():
    plain, padded = book_sum(), book_sum(padding=1)
    assert not [each for each in plain.data if each.name == "padding"]
    hatches = [each for each in padded.data if each.name == "padding"]
    assert [each.fillpattern.shape for each in hatches] == ["/", "/"]
    # 2 inputs of 3 x 3, 2 kernels of 2 x 2, then partial results and outputs of 4 x 4.
    assert len(words(padded)) == 2 * 9 + 2 * 4 + (2 + 3) * 16


def test_every_cell_shows_its_number():
    inputs = [*range(9), *range(1, 10)]
    kernels = [*range(4), *range(1, 5)]
    partials = [19, 25, 37, 43, 37, 47, 67, 77]
    outputs = [56, 72, 104, 120, 76, 100, 148, 172, 96, 128, 192, 224]
    assert words(book_sum()) == sorted(map(str, inputs + kernels + partials + outputs))


def test_the_bias_is_a_term_of_the_sum_only_if_there_is_one():
    assert not [note for note in notes(book_sum()) if "bias" in note]
    assert "+ -3 (bias)" in notes(book_sum(bias=-3))


def test_the_chosen_output_is_named_in_bold():
    assert [note for note in notes(book_sum(at=(2, 0, 0))) if "output" in note] == [
        "output 0",
        "output 1",
        "<b>output 2</b>",
    ]


def test_a_single_channel_needs_no_plus_and_has_no_other_output():
    x, weight = examples.counting(1, 1, input_size=3, kernel_size=3)
    y = ops.conv2d(x, weight)[0]
    fig = channels.channel_sum(x[0], weight[0], y, y)
    assert "+" not in notes(fig)
    assert "other output" not in [each.name for each in fig.data]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_numbers_on_the_strong_ends_of_the_scale_have_their_own_colour(palette):
    fig = book_sum(palette=palette)
    strong, weak = (
        {word.strip(NOTHING) for each in numbers(fig, colour) for word in each.flat}
        for colour in (palette.on_strong, palette.text)
    )
    assert {"8", "9"} <= strong - weak
    assert {"0", "19"} <= weak - strong


def test_both_colours_of_type_get_one_size():
    x, weight = examples.drawn(3, 2, input_size=5, kernel_size=1, seed=0)
    fig = channels.pixels_as_columns(x[0], weight[:, :, 0, 0], ops.conv2d(x, weight)[0])
    inputs_weak, inputs_strong = numbers(fig)[:2]
    assert fig.data[1].textfont.color != fig.data[2].textfont.color
    for each in (inputs_weak, inputs_strong):
        assert {len(word) for word in each.flat if word} == {1}
        assert all(each[place] for place in ((0, 0), (0, 1), (1, 0)))


def test_numbers_too_small_to_read_are_left_to_the_pointer():
    x, weight = examples.counting(4, 4, input_size=8, kernel_size=3)
    y = ops.conv2d(x, weight, padding=2)[0]
    partials = ops.conv2d(x, weight[0][:, None], groups=4, padding=2)[0]
    fig = channels.channel_sum(x[0], weight[0], partials, y, padding=2)
    written = {each.strip(NOTHING) for each in words(fig)}
    assert written == {str(number) for number in {*x.flat, *weight[0].flat}}
    assert trace(fig, "output").hovertemplate.startswith("output: %{z")


def test_grids_do_not_overlap_and_lie_on_the_sheet():
    for counts in ((1, 4), (4, 1), (3, 3)):
        for size, kernel_size, padding in ((3, 1, 0), (3, 3, 0), (8, 3, 2), (8, 1, 2)):
            x, weight = examples.drawn(*counts, input_size=size, kernel_size=kernel_size, seed=0)
            y = ops.conv2d(x, weight, padding=padding)[0]
            partials = ops.conv2d(x, weight[0][:, None], groups=counts[0], padding=padding)[0]
            fig = channels.channel_sum(x[0], weight[0], partials, y, padding=padding, bias=1)
            heatmaps = [each for each in fig.data if each.type == "heatmap" and each.name != "numbers"]
            drawn = sum((~np.isnan(np.asarray(each.z))).astype(int) for each in heatmaps)
            padded = x.shape[1] * (size + 2 * padding) ** 2
            assert drawn.max() == 1
            assert drawn.sum() == padded + weight[0].size + partials.size + y.size
            rows, columns = drawn.shape
            assert fig.layout.xaxis.range == (-0.6, columns - 0.4)
            assert fig.layout.yaxis.range == (rows - 0.4, -0.6)


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
