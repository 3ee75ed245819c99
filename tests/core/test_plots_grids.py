import tomllib
from pathlib import Path

import numpy as np
import pytest
from plotly.colors import hex_to_rgb

from cnn_core.plots import grids
from cnn_core.plots.theme import DARK, LIGHT, Palette, colorscale

ROOT = Path(__file__).parents[2]
SIGNED = np.array([[-2.0, 0.0, 0.5], [1.0, 0.25, -0.5]])


def luminance(colour: str | np.ndarray) -> float:
    """Relative luminance of WCAG 2."""
    channels = np.array(hex_to_rgb(colour) if isinstance(colour, str) else colour) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str | np.ndarray, other: str | np.ndarray) -> float:
    """Contrast ratio of WCAG 2, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def config(theme: str) -> dict:
    return tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"][theme]


def texts(fig) -> list[str]:
    return [text for trace in fig.data if trace.type == "scatter" for text in trace.text]


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_native_charts_draw_training_and_validation_in_the_same_colours(theme, palette):
    assert config(theme)["chartCategoricalColors"][:2] == [palette.training, palette.validation]


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_figures_stand_on_the_background_of_the_page(theme, palette):
    assert config(theme)["backgroundColor"] == palette.background
    assert config(theme)["textColor"] == palette.text


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_is_read_on_the_page(palette: Palette):
    assert contrast(palette.text, palette.background) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_numbers_are_read_on_every_colour_of_the_signed_scale(palette: Palette):
    values = np.linspace(-1, 1, 81)[None]
    colours = grids.signed(values, numbers=True, palette=palette).data[1].textfont.color
    stops = np.array([hex_to_rgb(stop) for stop in palette.signed])
    places = np.linspace(-1, 1, len(stops))
    for value, colour in zip(values[0], colours, strict=True):
        cell = np.array([np.interp(value, places, channel) for channel in stops.T])
        assert contrast(colour, cell) >= 3.3


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_curves_and_the_window_stand_out_from_the_page(palette: Palette):
    for colour in (palette.training, palette.validation, palette.accent):
        assert contrast(colour, palette.background) >= 3


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_signed_scale_has_zero_in_its_middle_and_is_blue_below_orange_above(palette: Palette):
    assert len(palette.signed) % 2 == 1
    assert dict(colorscale(palette.signed))[0.5] == palette.neutral
    for below, above in zip(palette.signed[:4], palette.signed[5:], strict=True):
        (red, _, blue), (red_above, _, blue_above) = hex_to_rgb(below), hex_to_rgb(above)
        assert blue > red
        assert red_above > blue_above


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_equal_magnitudes_are_about_equally_far_from_zero(palette: Palette):
    for below, above in zip(palette.signed[:4], reversed(palette.signed[5:]), strict=True):
        assert contrast(below, above) < 1.7


def test_a_signed_grid_carries_its_values_on_a_scale_centred_on_zero():
    heat = grids.signed(SIGNED).data[0]
    np.testing.assert_array_equal(heat.z, SIGNED)
    assert (heat.zmin, heat.zmax) == (-2, 2)


def test_grids_with_one_limit_share_one_scale():
    other = np.array([[4.0]])
    limit = grids.limit_of(SIGNED, other)
    heats = [grids.signed(array, limit=limit).data[0] for array in (SIGNED, other)]
    assert [(heat.zmin, heat.zmax) for heat in heats] == [(-4, 4), (-4, 4)]


def test_a_grid_of_zeros_is_drawn_in_the_neutral_colour():
    heat = grids.signed(np.zeros((2, 2))).data[0]
    assert heat.zmin == -heat.zmax < 0


def test_the_first_row_is_on_top_and_cells_are_square():
    fig = grids.signed(SIGNED)
    assert fig.layout.yaxis.range == (1.5, -0.5)
    assert fig.layout.xaxis.range == (-0.5, 2.5)
    assert (fig.layout.yaxis.scaleanchor, fig.layout.yaxis.scaleratio) == ("x", 1)


def test_a_small_grid_beside_a_large_one_is_centred_among_cells_of_the_same_size():
    fig = grids.signed(SIGNED, within=(4, 6))
    assert fig.layout.yaxis.range == (2.5, -1.5)
    assert fig.layout.xaxis.range == (-2, 4)
    assert grids.picture(SIGNED, within=(4, 6)).layout.xaxis.range == (-2, 4)


def test_cells_show_their_numbers_with_as_few_decimals_as_write_them_exactly():
    fig = grids.signed(SIGNED)
    assert texts(fig) == ["-2.00", "0.00", "0.50", "1.00", "0.25", "-0.50"]
    places = fig.data[1]
    assert list(zip(places.y, places.x, strict=True))[:4] == [(0, 0), (0, 1), (0, 2), (1, 0)]


def test_a_negative_number_that_rounds_to_zero_has_no_sign():
    assert texts(grids.signed(np.array([[-0.0001, 1]]), decimals=2)) == ["0.00", "1.00"]


def test_numbers_on_strong_colours_change_their_own():
    colours = grids.signed(np.array([[-2.0, 0.1, 2.0]])).data[1].textfont.color
    assert list(colours) == [LIGHT.on_strong, LIGHT.text, LIGHT.on_strong]


def test_a_grid_too_large_for_numbers_shows_none_unless_told():
    large = np.zeros((17, 2))
    assert texts(grids.signed(large)) == []
    assert len(texts(grids.signed(large, numbers=True))) == 34
    assert texts(grids.signed(SIGNED, numbers=False)) == []


def test_numbers_that_do_not_fit_their_cells_are_left_out():
    assert texts(grids.signed(np.full((16, 16), -0.123))) == []
    assert len(texts(grids.signed(np.full((16, 16), -1)))) == 256


def test_a_picture_is_black_at_zero_and_white_at_255():
    image = np.array([[0, 255], [100, 200]], np.uint8)
    heat, numbers = grids.picture(image).data
    assert (heat.zmin, heat.zmax) == (0, 255)
    assert [heat.colorscale[0][1], heat.colorscale[-1][1]] == ["#000000", "#ffffff"]
    assert list(numbers.text) == ["0", "255", "100", "200"]
    assert list(numbers.textfont.color) == ["#ffffff", "#000000", "#ffffff", "#000000"]


def test_a_colour_picture_is_drawn_as_it_is():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    (drawn,) = grids.picture(image).data
    assert drawn.type == "image"
    np.testing.assert_array_equal(drawn.z, image)


def test_colour_bars_lie_under_the_grid_so_that_neighbours_keep_one_cell_size():
    for fig in (grids.signed(SIGNED, show_scale=True), grids.picture(SIGNED, show_scale=True)):
        assert fig.data[0].showscale
        assert fig.data[0].colorbar.orientation == "h"
    assert not grids.signed(SIGNED).data[0].showscale
    assert not grids.picture(SIGNED).data[0].showscale


def test_an_outline_runs_along_the_edges_of_its_cells():
    fig = grids.outline(grids.signed(SIGNED), range(0, 2), range(-1, 1), palette=DARK)
    window = fig.layout.shapes[-1]
    assert (window.y0, window.y1, window.x0, window.x1) == (-0.5, 1.5, -1.5, 0.5)
    assert window.line.color == DARK.accent
