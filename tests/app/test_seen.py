"""The part of the page on architecture that shows what one output sees, on a page of its own."""

import time

import pytest
from streamlit.testing.v1 import AppTest

LENET = "conv6k5p2-sigmoid-avg2-conv16k5-sigmoid-avg2-flatten-120-sigmoid-84-sigmoid-10"


def demo():
    import numpy as np
    import streamlit as st

    from cnn_core.inspection import draw_parameters
    from cnn_core.network import Network, parse
    from cnn_core.shapes import parse_shape
    from cnn_core.summary import follow
    from ui.networks import seen
    from ui.networks.model_input import Picture
    from ui.networks.model_weights import Weights

    shape = parse_shape(st.query_params["shape"])
    network = parse(st.query_params["network"])
    x = np.random.default_rng(0).random(shape, np.float32)
    shown = x[0] if len(shape) < 3 else (x[0] * 255).astype(np.uint8)
    is_published = "published" in st.query_params
    rows, _ = follow(network, shape)
    weights, seed = None, int(st.number_input("Seed", value=0, key="a-seed", bind="query-params"))
    small = Network([row.layer for row in rows if row.num_params < 10_000_000] or parse("relu").layers)
    if not is_published:
        weights = Weights(draw_parameters(small, shape, seed=seed), f"seed {seed}", "drawn by chance")
    seen.section(None if is_published else network, rows, shape, Picture(x, shown, "noise"), weights)


@pytest.fixture
def look():
    def look(network=LENET, shape="1x28x28", **query) -> AppTest:
        app = AppTest.from_function(demo, default_timeout=120)
        for key, value in {"network": network, "shape": shape, **query}.items():
            app.query_params[key] = str(value)
        app.run()
        assert not app.exception
        return app

    return look


def words(app) -> str:
    return "\n".join(each.value for each in [*app.markdown, *app.caption])


def formulas(app) -> str:
    return "\n".join(each.value for each in app.latex)


def titles(app) -> list[str]:
    return [chart.proto.alt for chart in app.get("plotly_chart")]


def choose(app, key, value):
    """Set a control and run the section again."""
    kind = app.selectbox if key == "a-layer" else app.number_input
    kind(key=key).set_value(value).run()
    assert not app.exception
    return app


def test_it_begins_with_the_last_map_and_its_middle(look):
    app = look()
    assert app.selectbox(key="a-layer").value == "pool2"
    assert (app.number_input(key="a-row").value, app.number_input(key="a-column").value) == (2, 2)
    assert "pool2, row 2, column 2, can see 16 x 16 pixels: rows 6 to 21 and columns 6 to 21." in words(app)
    assert len(app.get("plotly_chart")) == 2


def test_the_middle_and_its_influence_are_said_in_numbers(look):
    from cnn_core.inspection import draw_parameters
    from cnn_core.network import LENET as NETWORK
    from cnn_core.receptive import effective

    parameters = draw_parameters(NETWORK, (1, 28, 28), seed=0)
    field = effective(NETWORK, parameters, (1, 28, 28), layer="pool2", at=(2, 2))
    share = field[10:18, 10:18].sum() / field.sum()
    assert f"the middle 8 x 8 are 25% and have {share:.0%} of the influence." in words(look())


def test_at_a_corner_padding_is_counted(look):
    app = choose(choose(look(), "a-row", 0), "a-column", 4)
    assert "rows −2 to 13 and columns 14 to 29. Of these, 23% are padding." in words(app)


def test_the_address_brings_the_choice_back(look):
    app = look(**{"a-layer": "conv1", "a-row": 3, "a-column": 27, "a-seed": 5})
    assert app.number_input(key="a-seed").value == 5
    assert "conv1, row 3, column 27, can see 5 x 5 pixels" in words(app)


def test_another_layer_begins_in_its_own_middle(look):
    app = choose(look(), "a-layer", "conv1")
    assert "conv1, row 13, column 13, can see 5 x 5 pixels" in words(app)


def test_a_place_that_is_set_together_with_the_layer_stays(look):
    app = look()
    app.selectbox(key="a-layer").set_value("conv1")
    app.number_input(key="a-row").set_value(0).run()
    assert "conv1, row 0, column" in words(app)


def test_a_place_beyond_a_smaller_map_is_its_last(look):
    app = look(**{"a-layer": "conv1", "a-row": 27, "a-column": 20})
    app.query_params["network"] = "conv6k5"
    app.number_input(key="a-row").set_value(26)
    app.run()
    assert not app.exception
    assert "conv1, row 23, column 20" in words(app)


def test_a_linear_layer_sees_the_whole_picture_and_has_no_place(look):
    app = choose(look(), "a-layer", "linear1")
    assert "linear1: every output can see the whole picture, 28 x 28 pixels." in words(app)
    assert [each.key for each in app.number_input] == ["a-seed"]
    assert len(app.get("plotly_chart")) == 2


def test_a_layer_that_lines_up_a_map_is_not_offered(look):
    options = look().selectbox(key="a-layer").options
    assert "flatten" not in options
    assert options[:2] == ["conv1", "sigmoid1"]
    assert look("flatten-256-relu-10").selectbox(key="a-layer").options == ["linear1", "relu1", "linear2"]


def test_the_recursion_has_the_numbers_of_the_layer(look):
    assert r"r_{\text{pool2}} &= 14 + (2 - 1) \cdot 2 = 16" in formulas(look())
    assert r"j_{\text{pool2}} &= 2 \cdot 2 = 4" in formulas(look())
    dilated = look("conv2k3d2s2", "1x20x20")
    assert r"r_{\text{conv1}} &= 1 + (5 - 1) \cdot 1 = 5" in formulas(dilated)


def test_the_seed_changes_what_counts_and_not_what_can_be_seen(look):
    app = look()
    before, pictures = words(app), [chart.proto.spec for chart in app.get("plotly_chart")]
    choose(app, "a-seed", 1)
    after = [chart.proto.spec for chart in app.get("plotly_chart")]
    assert after[0] == pictures[0]
    assert after[1] != pictures[1]
    assert words(app) != before


def test_a_published_network_shows_what_it_can_see_and_why_no_more(look):
    app = look(published=1)
    assert len(app.get("plotly_chart")) == 1
    assert "no weights are made for a published network" in words(app)
    assert "pool2, row 2, column 2, can see 16 x 16 pixels" in words(app)
    assert [each.key for each in app.number_input] == ["a-seed", "a-row", "a-column"]


@pytest.mark.parametrize(
    ("network", "shape", "reason"),
    [
        (
            "conv512k3p1-conv512k3p1-conv512k3p1-conv512k3p1",
            "3x64x64",
            "mult-adds for each input, more than 300,000,000",
        ),
        ("conv6k3-flatten-99999", "1x28x28", "exceeds 20,000,000"),
        ("conv4000k1", "1x300x300", "exceeds 400,000,000"),
    ],
)
def test_a_network_over_the_limit_says_so_and_keeps_the_theoretical_field(look, network, shape, reason):
    layer = {"a-layer": "linear1"} if "flatten" in network else {}
    start = time.perf_counter()
    app = look(network, shape, **layer)
    assert time.perf_counter() - start < 10
    assert len(app.get("plotly_chart")) == 1
    assert "is not measured here" in words(app)
    assert reason in words(app)


def test_layers_after_the_chosen_one_do_not_count_for_the_limit(look):
    app = look("conv6k3-flatten-99999")
    assert app.selectbox(key="a-layer").value == "conv1"
    assert len(app.get("plotly_chart")) == 2


def test_a_layer_that_does_not_fit_leaves_those_before_it(look):
    app = look("conv6k5-max2-conv8k99-relu")
    assert app.selectbox(key="a-layer").options == ["conv1", "pool1"]
    assert len(app.get("plotly_chart")) == 2


def test_without_a_layer_that_fits_it_says_what_will_be_here(look):
    app = look("conv6k99")
    assert "Add a layer, and here is what one of its outputs sees." in words(app)
    assert not app.get("plotly_chart")


def test_a_signal_is_seen_in_places(look):
    app = look("conv4k5p2-relu-max2-conv8k5p2", "2x64")
    assert [each.key for each in app.number_input] == ["a-seed", "a-column"]
    assert "conv2, place 15, can see 14 places: places 24 to 37." in words(app)
    assert len(app.get("plotly_chart")) == 2


def test_a_vector_has_no_neighbours(look):
    app = look("flatten-10", "784")
    assert "Its numbers have no neighbours" in words(app)
    assert not app.get("plotly_chart")


def test_an_output_that_sees_padding_only_says_that_nothing_counts(look):
    app = look("conv1k1p3", "1x8x8", **{"a-row": 0})
    assert "can see 1 x 1 pixel: row −3 and column 3. Of these, 100% are padding. None of it counts" in words(
        app
    )


def test_a_single_pixel_has_no_middle(look):
    assert "It is too small to have a middle." in words(look("conv4k1-relu"))


def test_the_figures_have_words_for_those_who_cannot_see_them(look):
    first, second = titles(look())
    assert "can see 16 x 16 pixels" in first
    assert "of the influence" in second


def test_what_is_shown_stays_when_the_section_runs_again(look):
    app = look()
    before = words(app)
    app.run()
    assert words(app) == before
