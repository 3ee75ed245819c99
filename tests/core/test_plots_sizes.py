from itertools import pairwise

import pytest

from cnn_core.geometry import Axis
from cnn_core.plots.sizes import size_panels
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.sizes import size_curves

CURVES = size_curves(Axis(7, 3, stride=2))


def named(fig, name):
    (trace,) = [trace for trace in fig.data if trace.name == name]
    return trace


def test_each_panel_draws_its_curve_as_steps():
    fig = size_panels(CURVES, largest=9)
    for curve in CURVES:
        line = named(fig, curve.name)
        assert dict(zip(line.x, line.y, strict=True)) == curve.sizes
        assert line.line.shape == "hvh"


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_value_of_the_moment_has_the_accent_and_says_its_size(palette):
    now = named(size_panels(CURVES, largest=9, palette=palette), "stride now")
    assert (now.x, now.y, now.text) == ((2,), (3,), ("<b>3</b>",))
    assert now.marker.color == now.textfont.color == palette.accent


def test_all_panels_have_one_vertical_axis():
    fig = size_panels(CURVES, largest=9)
    axes = list(fig.select_yaxes())
    assert len(axes) == len(CURVES)
    assert len({(axis.range, axis.dtick) for axis in axes}) == 1
    assert [axis.showticklabels for axis in axes] == [True, False, False, False, False]


def test_a_panel_is_as_wide_as_all_values_tried():
    curve = next(curve for curve in CURVES if curve.name == "kernel size")
    (axis,) = size_panels([curve], largest=7).select_xaxes()
    assert max(curve.sizes) == 7
    assert axis.range[0] < 1
    assert axis.range[1] > 13


def test_panels_stand_side_by_side_with_their_names_below():
    fig = size_panels(CURVES, largest=9)
    domains = [axis.domain for axis in fig.select_xaxes()]
    assert domains[0][0] == 0
    assert domains[-1][1] == pytest.approx(1)
    assert all(left[1] < right[0] for left, right in pairwise(domains))
    assert [note.text for note in fig.layout.annotations] == [curve.name for curve in CURVES]


def test_a_number_that_would_touch_that_of_the_moment_is_left_out():
    (curve,) = [curve for curve in size_curves(Axis(224, 3)) if curve.name == "input size"]
    (axis,) = size_panels([curve], largest=254).select_xaxes()
    assert axis.tickvals == (1, 224)


@pytest.mark.parametrize(
    ("largest", "step"), [(1, 1), (9, 5), (28, 10), (254, 100), (2113, 1000), (9999, 1000)]
)
def test_the_vertical_axis_has_a_few_round_numbers(largest, step):
    (axis,) = size_panels(CURVES[:1], largest=largest).select_yaxes()
    assert axis.dtick == step
