import dataclasses

import numpy as np
import pytest

from cnn_core import cells, ops
from cnn_core.kernels import KERNELS, sobel_towards

EDGES = {
    "book-columns": "left",
    "book-rows": "top",
    "vertical-edges": "right",
    "horizontal-edges": "bottom",
    "sobel-x": "right",
    "sobel-y": "bottom",
    "scharr-x": "right",
    "scharr-y": "bottom",
    "rising-edges": "bottom right",
    "falling-edges": "top right",
}
LINES = ["vertical-lines", "horizontal-lines"]
SECOND = ["second-x", "second-y", "second-xy"]
LAPLACIANS = ["laplacian-4", "laplacian-8"]
BLURS = ["box-blur-3", "box-blur-5", "gaussian-3", "gaussian-5", "motion-blur"]
KEEP_BRIGHTNESS = ["identity", "sharpen", "emboss", *BLURS]


def slope_towards(side, size=9):
    """Numbers that grow towards a side and are constant across it; 0 in the middle."""
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    height = {"top": -rows, "bottom": rows}.get(side.split()[0], 0)
    width = {"left": -columns, "right": columns}.get(side.split()[-1], 0)
    return height + width


def picture_bright_at(side):
    return (slope_towards(side) > 0).astype(float)


def test_every_kernel_belongs_to_one_family():
    assert set(KERNELS) == {*EDGES, *LINES, *SECOND, *LAPLACIANS, *KEEP_BRIGHTNESS}
    assert all(KERNELS[name].name == name for name in KERNELS)


@pytest.mark.parametrize("name", [*EDGES, *LINES, *SECOND, *LAPLACIANS])
def test_what_finds_differences_gives_zero_on_even_ground(name):
    assert KERNELS[name].values.sum() == 0
    assert not ops.corr2d(np.full((9, 9), 200), KERNELS[name].values).any()


@pytest.mark.parametrize("name", KEEP_BRIGHTNESS)
def test_what_changes_the_look_keeps_the_brightness_of_even_ground(name):
    assert KERNELS[name].values.sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("name", BLURS)
def test_a_blur_is_an_average(name):
    assert np.all(KERNELS[name].values > 0)


@pytest.mark.parametrize(("name", "side"), EDGES.items())
def test_an_edge_kernel_is_positive_where_the_side_it_names_is_brighter(name, side):
    response = ops.corr2d(picture_bright_at(side), KERNELS[name].values)
    assert response.min() == 0
    assert response.max() > 0
    darker = ops.corr2d(1 - picture_bright_at(side), KERNELS[name].values)
    assert np.array_equal(darker, -response)


@pytest.mark.parametrize(("name", "side"), EDGES.items())
def test_an_edge_kernel_gives_nothing_on_a_slope_along_the_edge(name, side):
    along = {"left": "top", "top": "left", "right": "top", "bottom": "left"}
    along |= {"bottom right": "top right", "top right": "bottom right"}
    assert not ops.corr2d(slope_towards(along[side]), KERNELS[name].values).any()


@pytest.mark.parametrize("name", EDGES)
def test_flipping_an_edge_kernel_turns_its_sign(name):
    values = KERNELS[name].values
    assert np.array_equal(ops.flip(values), -values)


def test_the_books_kernels_are_each_others_transpose():
    assert KERNELS["book-columns"].values.tolist() == [[1, -1]]
    assert np.array_equal(KERNELS["book-rows"].values, KERNELS["book-columns"].values.T)


@pytest.mark.parametrize(
    ("name", "smoothing"),
    [("vertical-edges", [1, 1, 1]), ("sobel-x", [1, 2, 1]), ("scharr-x", [3, 10, 3])],
)
def test_an_edge_kernel_is_smoothing_times_difference(name, smoothing):
    values = np.outer(smoothing, [-1, 0, 1])
    assert np.array_equal(KERNELS[name].values, values)
    twin = {"vertical-edges": "horizontal-edges"}.get(name, name.replace("-x", "-y"))
    assert np.array_equal(KERNELS[twin].values, values.T)


def test_gaussians_are_boxes_of_two_applied_again_and_again():
    twice = np.convolve([0.5, 0.5], [0.5, 0.5])
    assert np.array_equal(KERNELS["gaussian-3"].values, np.outer(twice, twice))
    four_times = np.convolve(twice, twice)
    assert np.array_equal(KERNELS["gaussian-5"].values, np.outer(four_times, four_times))


@pytest.mark.parametrize("name", LAPLACIANS)
def test_a_laplacian_is_negative_on_a_bright_point_and_zero_on_a_slope(name):
    values = KERNELS[name].values
    point = np.zeros((3, 3))
    point[1, 1] = 1
    assert ops.corr2d(point, values).item() < 0
    assert ops.corr2d(1 - point, values).item() > 0
    rows, columns = np.mgrid[:3, :3]
    assert ops.corr2d(2 * rows - 5 * columns, values).item() == 0


@pytest.mark.parametrize("name", LINES)
def test_a_line_kernel_is_positive_on_a_bright_line_and_zero_on_slopes_and_crossing_lines(name):
    values = KERNELS[name].values if name == "vertical-lines" else KERNELS[name].values.T
    line = np.zeros((3, 3))
    line[:, 1] = 1
    assert ops.corr2d(line, values).item() > 0
    assert ops.corr2d(1 - line, values).item() < 0
    assert ops.corr2d(line.T, values).item() == 0
    assert ops.corr2d(np.mgrid[:3, :3][1], values).item() == 0


@pytest.mark.parametrize(("name", "expected"), [("second-x", 6), ("second-y", -4), ("second-xy", 5)])
def test_a_second_derivative_is_exact_on_a_parabola(name, expected):
    """Of 3 x^2 - 2 y^2 + 5 x y + 7 x - y they are 6, -4 and 5."""
    y, x = np.mgrid[:6, :7]
    parabola = 3 * x**2 - 2 * y**2 + 5 * x * y + 7 * x - y
    assert np.all(ops.corr2d(parabola, KERNELS[name].values) == expected)


def test_a_laplacian_is_the_sum_of_two_second_derivatives():
    across, down = np.zeros((3, 3)), np.zeros((3, 3))
    across[1], down[:, 1] = KERNELS["second-x"].values, KERNELS["second-y"].values[:, 0]
    assert np.array_equal(across + down, KERNELS["laplacian-4"].values)


def test_the_mixed_second_derivative_finds_corners_and_no_straight_edge():
    values = KERNELS["second-xy"].values
    corner = np.zeros((5, 5))
    corner[2:, 2:] = 1
    assert not ops.corr2d(picture_bright_at("right"), values).any()
    assert not ops.corr2d(picture_bright_at("bottom"), values).any()
    for turned, sign in ((corner, 1), (corner[:, ::-1], -1), (corner[::-1], -1), (corner[::-1, ::-1], 1)):
        assert np.sign(ops.corr2d(turned, values)).sum() == sign * np.count_nonzero(
            ops.corr2d(turned, values)
        )
        assert ops.corr2d(turned, values).any()


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 117, 180, 275])
def test_a_turned_sobel_kernel_measures_the_slope_in_its_direction(degrees):
    y, x = np.mgrid[:5, :5]
    angle = np.deg2rad(degrees)
    along, across = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    values = sobel_towards(degrees).values
    np.testing.assert_allclose(ops.corr2d(along, values), 8)
    np.testing.assert_allclose(ops.corr2d(across, values), 0, atol=1e-12)


def test_a_quarter_turn_of_the_dial_leads_from_one_sobel_kernel_to_the_next():
    x, y = KERNELS["sobel-x"].values, KERNELS["sobel-y"].values
    for degrees, expected in {0: x, 90: y, 180: -x, 270: -y}.items():
        np.testing.assert_allclose(sobel_towards(degrees).values, expected, atol=1e-12)


def test_a_turned_kernel_says_its_direction_and_cannot_be_changed():
    kernel = sobel_towards(30)
    assert (kernel.name, kernel.title) == ("sobel-30", "Sobel, 30 degrees")
    assert "the direction of 30 degrees" in kernel.purpose
    with pytest.raises(ValueError, match="read-only"):
        kernel.values[0, 0] = 1


def test_sharpening_subtracts_the_laplacian():
    assert np.array_equal(
        KERNELS["sharpen"].values, KERNELS["identity"].values - KERNELS["laplacian-4"].values
    )


def test_emboss_is_the_picture_plus_a_slope_to_the_lower_right():
    slope = KERNELS["emboss"].values - KERNELS["identity"].values
    assert np.array_equal(ops.flip(slope), -slope)
    rows, columns = np.mgrid[:3, :3]
    assert ops.corr2d(rows + columns, slope).item() > 0
    assert ops.corr2d(rows - columns, slope).item() == 0


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_can_be_written_as_text_with_exact_fractions_and_read_again(name):
    values = KERNELS[name].values
    assert np.array_equal(cells.parse(cells.format(values)), values)


@pytest.mark.parametrize("name", KERNELS)
def test_a_purpose_is_one_sentence(name):
    purpose = KERNELS[name].purpose
    assert purpose.endswith(".")
    assert purpose.count(".") == 1


def test_kernels_cannot_be_changed():
    kernel = KERNELS["identity"]
    with pytest.raises(ValueError, match="read-only"):
        kernel.values[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        kernel.name = "other"
    with pytest.raises(TypeError, match="does not support item assignment"):
        KERNELS["identity"] = kernel
