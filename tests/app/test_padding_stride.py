import numpy as np
import pytest
import torch

from cnn_core.geometry import PADDING_PRESETS

PAGE = "chapter/padding_stride.py"


def reading(app) -> str:
    return next(text.value for text in app.markdown if " out, " in text.value).strip("*")


def test_the_page_opens_with_seven_pixels_and_kernel_three(open_page):
    app = open_page(PAGE)
    assert not app.exception
    assert reading(app) == "7 x 7 in, kernel 3, stride 1, padding 0: 5 x 5 out, nothing left over."


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"ps-h-input": 8, "ps-h-stride": 2}, "3 x 3 out, 1 row left over and 1 column left over."),
        (
            {"ps-h-input": 28, "ps-h-kernel": 5, "ps-h-before": 2, "ps-h-after": 2},
            "28 x 28 out, nothing left over.",
        ),
        (
            {"ps-h-input": 8, "ps-h-stride": 2, "ps-h-before": 1, "ps-h-after": 1},
            "4 x 4 out, 1 row of padding left over and 1 column of padding left over.",
        ),
        ({"ps-h-dilation": 3}, "1 x 1 out, nothing left over."),
        (
            {"ps-h-input": 8, "ps-h-stride": 2, "ps-rounding": "ceil"},
            "4 x 4 out, the last window hangs over by 1 row and the last window hangs over by 1 column.",
        ),
        ({"ps-alike": "false", "ps-w-input": 9, "ps-h-kernel": 1}, "7 x 7 out, nothing left over."),
    ],
)
def test_a_link_restores_the_setting_and_the_page_says_what_it_makes(open_page, query, expected):
    app = open_page(PAGE, **query)
    assert not app.exception
    assert reading(app).endswith(expected)


@pytest.mark.parametrize(
    "query",
    [
        {"ps-h-kernel": 99},
        {"ps-h-kernel": -3},
        {"ps-h-kernel": "nan"},
        {"ps-h-stride": 0},
        {"ps-h-input": 10**9},
        {"ps-h-input": "<script>"},
        {"ps-rounding": "sideways"},
        {"ps-row": 999999},
        {"ps-alike": "perhaps"},
    ],
)
def test_an_impossible_value_in_a_link_falls_back_to_the_default(open_page, query):
    app = open_page(PAGE, **query)
    assert not app.exception
    assert reading(app) == "7 x 7 in, kernel 3, stride 1, padding 0: 5 x 5 out, nothing left over."


def test_a_smaller_input_takes_the_kernel_with_it(open_page):
    app = open_page(PAGE, **{"ps-h-kernel": 6})
    app.number_input(key="ps-h-input").set_value(4).run()
    assert not app.exception
    assert reading(app) == "4 x 4 in, kernel 4, stride 1, padding 0: 1 x 1 out, nothing left over."


@pytest.mark.parametrize(("preset", "size"), [("valid", 5), ("same", 7), ("full", 9)])
def test_a_padding_preset_sets_both_sides(open_page, preset, size):
    app = open_page(PAGE)
    app.button(key=f"ps-preset-{preset}").click().run()
    assert not app.exception
    assert f"{size} x {size} out" in reading(app)
    assert app.select_slider(key="ps-h-before").value == PADDING_PRESETS[preset](3)[0]


def test_each_setting_to_try_opens_and_the_way_back_leads_to_the_start(open_page):
    app = open_page(PAGE)
    start = reading(app)
    for button in [button.key for button in app.button if button.key.startswith("ps-try-")]:
        app.button(key=button).click().run()
        assert not app.exception
        assert reading(app) != start
    app.button(key="ps-reset").click().run()
    assert reading(app) == start


def test_the_books_example_is_two_by_two(open_page):
    app = open_page(PAGE)
    app.button(key="ps-try-The book's odd one").click().run()
    layer = torch.nn.LazyConv2d(1, kernel_size=(3, 5), padding=(0, 1), stride=(3, 4))
    height, width = layer(torch.rand(1, 1, 8, 8)).shape[2:]
    assert f"{height} x {width} out" in reading(app)


def test_the_width_starts_where_the_height_stands(open_page):
    app = open_page(PAGE)
    app.number_input(key="ps-h-input").set_value(28).run()
    app.toggle(key="ps-alike").set_value(False).run()
    assert reading(app).startswith("28 x 28 in")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"ps-h-stride": 2, "ps-h-before": 1, "ps-h-after": 1},
        {"ps-h-before": 2, "ps-h-after": 0, "ps-h-dilation": 2},
        {"ps-alike": "false", "ps-h-kernel": 2, "ps-w-kernel": 4, "ps-w-before": 3, "ps-w-input": 12},
        {"ps-rounding": "ceil", "ps-h-stride": 2, "ps-h-input": 8},
        {"ps-rounding": "ceil", "ps-h-stride": 3, "ps-h-input": 10, "ps-h-before": 1, "ps-h-after": 1},
    ],
)
def test_both_snippets_run_and_agree_with_the_reading(open_page, run_snippets, query):
    app = open_page(PAGE, **query)
    ours, theirs = run_snippets(app)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5)
    assert f"{ours.shape[2]} x {ours.shape[3]} out" in reading(app)


def test_padding_that_no_pooling_layer_takes_is_said_so(open_page):
    app = open_page(PAGE, **{"ps-rounding": "ceil", "ps-h-before": 3})
    assert not app.code
    assert app.info[0].value.startswith("No layer of PyTorch does this.")
