import numpy as np
import pytest

from cnn_core.kernels import KERNELS
from cnn_core.plots import kernels as plots
from cnn_core.plots.worksheet import WIDTH

SOBEL = KERNELS["sobel-x"].values


def heatmaps(fig) -> dict[str, np.ndarray]:
    return {trace.name: np.array(trace.z, float) for trace in fig.data if trace.name != "numbers"}


def notes(fig) -> list[str]:
    return [note.text for note in fig.layout.annotations]


def test_kernels_lie_side_by_side_with_their_names_and_one_is_set_off():
    fig = plots.kernels({"step 0": SOBEL, "true": -SOBEL}, meant="true")
    sheet = heatmaps(fig)["kernel"]
    np.testing.assert_array_equal(sheet[1:4, 0:3], SOBEL)
    np.testing.assert_array_equal(sheet[1:4, 4:7], -SOBEL)
    assert np.isnan(sheet[:, 3]).all()
    assert notes(fig) == ["step 0", "<b>true</b>"]
    assert [shape.name for shape in fig.layout.shapes].count("true") == 1


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 3), (5, 5), (7, 7), (1, 7), (7, 1)])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_a_sheet_of_kernels_holds_all_of_them_and_is_not_too_high(shape, count):
    named = {str(index): np.full(shape, index + 1.0) for index in range(count)}
    fig = plots.kernels(named)
    values = heatmaps(fig)["kernel"]
    assert [np.count_nonzero(values == index + 1) for index in range(count)] == [np.prod(shape)] * count
    assert fig.layout.height <= plots.HEIGHT + 16


def test_two_kernels_and_the_single_one_each_have_a_heatmap_of_their_own():
    first, second = KERNELS["book-columns"].values, KERNELS["book-rows"].values
    single = np.array([[1, -1], [-1, 1]])
    fig = plots.composed(first, second, single, names=("first", "second", "single · 16"))
    shown = heatmaps(fig)
    for name, kernel in (("first", first), ("second", second), ("single · 16", single)):
        values = shown[name]
        np.testing.assert_array_equal(values[~np.isnan(values)], kernel.ravel())
    assert notes(fig) == ["first", "second", "<b>single · 16</b>"]


def test_a_picture_is_grey_and_its_outputs_share_one_signed_scale():
    picture, output = np.arange(12.0).reshape(3, 4), np.array([[1.0, -7.0]])
    fig = plots.pictures(picture, {"wanted": output}, {"now": 2 * output}, white=255)
    np.testing.assert_array_equal(heatmaps(fig)["now"], 2 * output)
    ends = {trace.name: (trace.zmin, trace.zmax) for trace in fig.data}
    assert ends == {"input": (0, 255), "wanted": (-14, 14), "now": (-14, 14)}
    tops = {trace.name: trace.y0 for trace in fig.data}
    assert tops["input"] == tops["wanted"] < tops["now"]


@pytest.mark.parametrize("shape", [(1, 1), (6, 8), (224, 20), (20, 224), (224, 224)])
def test_pictures_of_any_shape_make_a_sheet_that_is_not_too_high_and_do_not_overlap(shape):
    output = np.ones(shape)
    fig = plots.pictures(np.ones(shape), {"wanted": output, "now": output}, white=1)
    assert fig.layout.height <= plots.TALLEST + plots.LABEL + 16 + WIDTH // 10
    lefts = [trace.x0 for trace in fig.data]
    assert np.all(np.diff(lefts) > shape[1])
