import numpy as np
import pytest

from cnn_core.plots.shifts import Stage, change_curves, exchanges, stages
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.shifts import Exchange

CURVES = {
    "before": np.array([0, 0.9, 1.0]),
    "max": np.array([0, 0.4, 0.8]),
    "average": np.array([0, 0.5, 0.9]),
    "min": np.full(3, np.nan),
}
STAGE = Stage(np.full((6, 5), 2.0), np.full((6, 5), 1.0), np.full((6, 5), -1.0))


def test_each_curve_is_a_line_over_the_shifts():
    fig = change_curves(CURVES, before="before", chosen="max", shift=1)
    assert [line.name for line in fig.data] == ["before", "max", "average"]
    for line in fig.data:
        np.testing.assert_array_equal(line.x, [0, 1, 2])
        np.testing.assert_array_equal(line.y, CURVES[line.name])


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_only_the_chosen_curve_has_the_accent_colour(palette):
    fig = change_curves(CURVES, before="before", chosen="average", shift=1, palette=palette)
    colours = {line.name: line.line.color for line in fig.data}
    assert colours == {"before": palette.text, "max": palette.muted, "average": palette.accent}


def test_curves_differ_in_more_than_colour():
    fig = change_curves(CURVES, before="before", chosen="max", shift=1)
    assert len({line.line.dash for line in fig.data}) == len({line.marker.symbol for line in fig.data}) == 3


def test_the_chosen_shift_is_marked():
    fig = change_curves(CURVES, before="before", chosen="max", shift=2)
    (line,) = (shape for shape in fig.layout.shapes if shape.name == "chosen shift")
    assert line.x0 == line.x1 == 2


def test_stages_show_the_original_the_shifted_and_the_difference():
    fig = stages({"picture": STAGE, "pooled": STAGE}, shift=3)
    assert len(fig.data) == 6
    for heat, array in zip(fig.data, [STAGE.original, STAGE.shifted, STAGE.difference] * 2, strict=True):
        np.testing.assert_array_equal(heat.z, array)
    words = [note.text for note in fig.layout.annotations]
    assert words == ["picture<br>6 x 5", "pooled<br>6 x 5", "as it is", "shifted by 3", "difference"]


def test_maps_and_their_difference_share_one_scale():
    fig = stages({"pooled": STAGE}, shift=3, palette=DARK)
    assert {(heat.zmin, heat.zmax) for heat in fig.data} == {(-2, 2)}
    assert {heat.colorscale[0][1] for heat in fig.data} == {DARK.signed[0]}


def test_a_picture_is_grey_and_its_difference_signed():
    picture = Stage(STAGE.original, STAGE.shifted, STAGE.difference, grey=True)
    first, second, difference = stages({"picture": picture}, shift=1).data
    assert first.colorscale[0][1] == second.colorscale[0][1] == "#000000"
    assert (first.zmin, first.zmax) == (0, 255)
    assert (difference.zmin, difference.zmax) == (-255, 255)
    assert difference.colorscale[0][1] == LIGHT.signed[0]


def test_stages_stand_in_columns_and_what_is_compared_in_rows():
    fig = stages({"picture": STAGE, "pooled": STAGE}, shift=1)
    places = [(heat.x0, heat.y0) for heat in fig.data]
    assert len({x for x, _ in places}) == 2
    assert len({y for _, y in places}) == 3


MADE = Exchange(np.full((4, 5), 3.0), np.full((4, 5), -1.0))


def test_exchanges_show_a_picture_both_outputs_and_their_difference():
    pictures = {"picture": np.full((4, 5), 9.0), "shifted": np.full((4, 5), 8.0)}
    fig = exchanges(pictures, {"convolution": MADE, "dense": MADE}, undisturbed={})
    arrays = [MADE.shifted_first, MADE.shifted_after, MADE.difference]
    expected = [pictures["picture"], *arrays, pictures["shifted"], *arrays]
    for heat, array in zip(fig.data, expected, strict=True):
        np.testing.assert_array_equal(heat.z, array)
    assert [(heat.zmin, heat.zmax) for heat in fig.data] == [(0, 255), (-4, 4), (-4, 4), (-4, 4)] * 2
    words = [note.text for note in fig.layout.annotations]
    rest = ["shifted after", "difference"]
    assert words == [
        "picture",
        "convolution:<br>shifted first",
        *rest,
        "shifted",
        "dense:<br>shifted first",
        *rest,
    ]


def test_undisturbed_outputs_are_framed_on_the_difference():
    fig = exchanges(
        {"picture": np.ones((4, 5))}, {"layer": MADE}, undisturbed={"layer": (range(1, 3), range(2, 5))}
    )
    (frame,) = (shape for shape in fig.layout.shapes if shape.name == "undisturbed")
    difference = fig.data[3]
    left, top = difference.x0 - difference.dx / 2, difference.y0 - difference.dy / 2
    # An output is 0.2 wide; the line lies within the framed outputs and hides none of the others.
    np.testing.assert_allclose((frame.x0 - left, frame.x1 - left), (0.4 + 0.08, 1 - 0.08))
    np.testing.assert_allclose((frame.y0 - top, frame.y1 - top), (0.2 + 0.08, 0.6 - 0.08))


def test_nothing_is_framed_where_nothing_is_undisturbed():
    fig = exchanges(
        {"picture": np.ones((4, 5))}, {"layer": MADE}, undisturbed={"layer": (range(1, 1), range(5))}
    )
    assert {shape.name for shape in fig.layout.shapes} == {"edge"}
