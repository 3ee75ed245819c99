"""The part of a picture that the page Filters shows number by number, and the pixels that a visitor retouches."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core import ops
from ui.chapter import part, retouch
from ui.chapter.slide import Slide, describe_outputs, explain_shift

MODES = (None, *ops.PADDING_MODES)


def make(shape=(40, 33), *, kernel=(3, 3), stride=1, mode=None, flipped=False) -> Slide:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, shape).astype(np.uint8)
    return Slide(picture, 255, "", random.integers(-3, 4, kernel).astype(float), flipped, stride, mode)


def assert_true_to_the_whole(slide: Slide, seen: part.Part) -> None:
    whole = slide.y[seen.channel, 0][np.ix_(seen.rows.outputs, seen.columns.outputs)]
    np.testing.assert_allclose(seen.scene.y[0], whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "place", [(0, 0), (0, 10**6), (10**6, 0), (10**6, 10**6), (19, 16), (0, 16), (19, 0)]
)
def test_the_parts_outputs_are_those_of_the_whole_at_all_borders(mode, place):
    slide = make(mode=mode)
    at = tuple(min(index, size - 1) for index, size in zip(place, slide.y.shape[2:], strict=True))
    seen = part.cut(slide, at=at, size=12)
    assert_true_to_the_whole(slide, seen)
    assert at[0] in seen.rows.outputs
    assert at[1] in seen.columns.outputs


@given(st.data())
def test_the_parts_outputs_are_those_of_the_whole_with_any_setting(data):
    sizes = st.integers(1, 7)
    slide = make(
        (data.draw(st.integers(7, 40)), data.draw(st.integers(7, 40))),
        kernel=(data.draw(sizes), data.draw(sizes)),
        stride=data.draw(st.integers(1, 8)),
        mode=data.draw(st.sampled_from(MODES)),
        flipped=data.draw(st.booleans()),
    )
    at = tuple(data.draw(st.integers(0, size - 1)) for size in slide.y.shape[2:])
    seen = part.cut(slide, at=at, size=data.draw(st.integers(5, 16)))
    assert_true_to_the_whole(slide, seen)
    np.testing.assert_array_equal(slide.picture.flat[seen.pixels], seen.scene.x[0])


@given(st.integers(5, 16), st.integers(1, 7), st.integers(1, 8), st.integers(0, 39))
def test_a_part_is_not_larger_than_asked_but_for_two_windows_and_what_is_left_over(size, kernel, stride, at):
    slide = make((40, 40), kernel=(kernel, kernel), stride=stride, mode="zeros")
    seen = part.cut(slide, at=(min(at, slide.y.shape[2] - 1), 0), size=size)
    assert len(seen.rows.outputs) >= 2
    assert seen.rows.axis.padded_size <= max(size, kernel + stride) + stride - 1
    assert seen.scene.height.left_over < stride


@pytest.mark.parametrize("mode", MODES)
def test_without_a_size_the_part_is_the_whole_picture(mode):
    slide = make((9, 14), kernel=(4, 3), stride=2, mode=mode)
    seen = part.cut(slide)
    np.testing.assert_array_equal(seen.scene.x[0], slide.picture)
    np.testing.assert_allclose(seen.scene.y, slide.y[0])
    assert (seen.rows.axis, seen.columns.axis) == slide.axes


def test_inside_of_the_picture_there_is_no_padding():
    seen = part.cut(make(mode="zeros"), at=(20, 0), size=12)
    assert seen.rows.axis.padding == (0, 0)
    assert seen.columns.axis.padding == (1, 0)
    assert part.describe(seen) == (
        "Framed: rows 14 to 25 and columns 0 to 10 of the picture. "
        "Output row 0, column 0 below is row 15, column 0 of the whole output."
    )


def test_circular_padding_takes_its_pixels_from_the_other_side_and_says_so():
    slide = make(mode="circular")
    seen = part.cut(slide, at=(39, 16), size=12)
    assert seen.rows.source[-2:] == (39, 0)
    assert seen.scene.height.left_over == 0
    assert "beyond the border stand the pixels of the other side" in part.describe(seen)
    assert "other side" not in part.describe(part.cut(slide, at=(20, 16), size=12))


def test_a_channel_is_cut_out_of_a_colour_picture():
    slide = make((40, 40, 3))
    seen = part.cut(slide, channel=2, at=(20, 20), size=12)
    np.testing.assert_array_equal(seen.scene.x[0], slide.picture[15:27, 15:27, 2])
    np.testing.assert_array_equal(slide.picture.flat[seen.pixels], seen.scene.x[0])
    assert_true_to_the_whole(slide, seen)


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"^kernel size 7 x 1 exceeds picture size 6 x 8$"):
        part.cut(make((6, 8), kernel=(7, 1)))


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (1, 1), (4, 1, 3)])
@pytest.mark.parametrize("ask", ["y", "axes"])
def test_a_kernel_larger_than_the_picture_is_refused_in_the_words_of_the_page(shape, ask):
    height, width = shape[:2]
    with pytest.raises(ValueError, match=rf"^kernel size 5 x 5 exceeds picture size {height} x {width}$"):
        getattr(make(shape, kernel=(5, 5)), ask)


@pytest.mark.parametrize("mode", ["zeros", "replicate"])
def test_with_padding_that_keeps_the_size_every_kernel_fits(mode):
    slide = make((1, 2), kernel=(5, 6), mode=mode)
    assert slide.y.shape == (1, 1, 1, 2)
    assert [axis.output_size for axis in slide.axes] == [1, 2]


def test_edited_pixels_become_whole_numbers_from_0_to_the_highest():
    shown = np.array([[10.0, 20, 30], [40, 50, 60]])
    edited = np.array([[10.0, -5, 30.6], [400, 50, 60]])
    places = np.array([[7, 8, 9], [17, 18, 19]])
    assert retouch.edited_pixels(edited, shown, places, highest=255) == {8: 0, 9: 31, 17: 255}


def test_retouching_leaves_the_picture_itself_and_the_pixels_around_as_they_were():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    retouched, pixels = retouch.lay_over(picture, {5: 9, 6: 6, 11: 300, 12: 1}, highest=200)
    assert pixels == {5: 9, 11: 200}
    np.testing.assert_array_equal(retouched, [[0, 1, 2, 3], [4, 9, 6, 7], [8, 9, 10, 200]])
    np.testing.assert_array_equal(picture, np.arange(12).reshape(3, 4))


@pytest.mark.parametrize(
    "text", ["", "5", "5.x", "5.1_", "-5.1", "5.1234", "٣.1", "1" * 7 + ".1", "5.1__6.1"]
)
def test_a_text_that_names_no_pixels_retouches_none(text):
    assert retouch.read(text) == {}


@given(st.dictionaries(st.integers(0, 999_999), st.integers(0, 255), min_size=1, max_size=20))
def test_retouched_pixels_survive_their_text(pixels):
    assert retouch.read(retouch.write(pixels)) == pixels


@pytest.mark.parametrize(
    ("outputs", "line"),
    [
        ([0, 0.04], "Outputs run from 0 to 0.04."),
        ([-0.25, 0.25], "Outputs run from -0.25 to 0.25."),
        ([-1e-4, 0.0432], "Outputs run from -0.0001 to 0.0432."),
        ([-0.004, 1020], "Outputs run from -0.004 to 1,020."),
        ([1 / 3, 5.4375], "Outputs run from 0.333 to 5.44."),
        ([12.345, 765.43], "Outputs run from 12.3 to 765.4."),
        ([200, 200.04], "Outputs run from 200 to 200.04."),
        ([200, 200.0001], "Outputs run from 200 to 200.0001."),
        ([-765, 800], "Outputs run from -765 to 800."),
        ([0.4296875], "The only output is 0.43."),
        ([-0.0, 0.0], "All outputs are 0."),
        ([-1e-14, 3e-14], "All outputs are 0."),
        ([199.99999999999997, 200.00000000000003], "All outputs are 200."),
    ],
)
def test_outputs_are_written_with_as_many_decimals_as_they_need(outputs, line):
    assert describe_outputs(np.array(outputs)) == line


@given(st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=2, unique=True), st.integers(1, 10_000))
def test_the_ends_of_a_range_are_told_apart_and_only_0_is_written_as_0(wholes, denominator):
    ends = sorted(whole / denominator for whole in wholes)
    found = re.fullmatch(r"Outputs run from (\S+) to (\S+)\.", describe_outputs(np.array(ends)))
    written = [float(text.replace(",", "")) for text in found.groups()]
    assert written == pytest.approx(ends, rel=0.006, abs=0)
    assert written[0] < written[1]


@pytest.mark.parametrize("stride", [2, 3, 8])
def test_with_a_stride_only_shifts_by_its_multiples_are_said_to_shift_the_output(stride):
    assert f"shifted by a multiple of {stride} pixels gives a shifted output" in explain_shift(stride)
    assert "wherever" not in explain_shift(stride)
    slide = make((60, 60), stride=stride)
    for shift in range(1, 2 * stride + 1):
        shifted = replace(slide, picture=np.roll(slide.picture, shift, axis=(0, 1)))
        places = shift // stride
        away = np.s_[..., places + 1 :, places + 1 :]
        is_shifted = np.array_equal(np.roll(slide.y, places, axis=(2, 3))[away], shifted.y[away])
        assert is_shifted == (shift % stride == 0)


@pytest.mark.parametrize("shape", [(5, 6), (3, 5, 3)])
def test_the_code_retouches_the_same_pixels(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    retouched, pixels = retouch.lay_over(picture, {0: 7, 17: 0, 29: 200}, highest=255)
    exec(retouch.code(picture, pixels), {"picture": picture})
    np.testing.assert_array_equal(picture, retouched)


def test_code_for_many_pixels_says_that_they_are_left_out():
    many = dict.fromkeys(range(100), 1)
    assert retouch.code(np.zeros((20, 20)), many) == (
        "# Here the picture is untouched: 100 retouched pixels are too many to write.\n"
    )
