import numpy as np
import pytest
import torch

from cnn_core.geometry import PADDING_PRESETS, Axis, TransposedAxis
from ui.chapter import size_code, size_layer, size_text
from ui.chapter.size_layer import CONVOLUTION, Layer
from ui.chapter.size_settings import TO_TRY

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
            {"ps-operation": "pooling", "ps-h-input": 8, "ps-h-stride": 2, "ps-rounding": "ceil"},
            "4 x 4 out, the last windows hang over by 1 row and 1 column.",
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
        {"ps-operation": "magic"},
        {"ps-pin": "output.0.99.99"},
        {"ps-edited-x": "1_nan"},
        {"ps-mode": "reflect"},
        {"ps-alike": "perhaps"},
        {"ps-wanted": 0},
        {"ps-wanted": 10**9},
        {"ps-axis": "depth"},
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


@pytest.mark.parametrize("operation", ["convolution", "transposed", "pooling"])
def test_each_setting_to_try_opens_and_the_way_back_leads_to_the_start(open_page, operation):
    start = reading(open_page(PAGE))
    app = open_page(PAGE, **{"ps-operation": operation})
    buttons = [button.key for button in app.button if button.key.startswith("ps-try-")]
    assert buttons == [f"ps-try-{setting.name}" for setting in TO_TRY[operation]]
    for button in buttons:
        app.button(key=button).click().run()
        assert not app.exception
        assert app.segmented_control(key="ps-operation").value == operation
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


TRANSPOSED, POOLING = {"ps-operation": "transposed"}, {"ps-operation": "pooling"}
EDITED = {"ps-edited-x": "1.5_-2~3_4", "ps-edited-w": "2_0~0_-1"}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"ps-h-stride": 2, "ps-h-before": 1, "ps-h-after": 1},
        {"ps-h-before": 2, "ps-h-after": 0, "ps-h-dilation": 2},
        {"ps-alike": "false", "ps-h-kernel": 2, "ps-w-kernel": 4, "ps-w-before": 3, "ps-w-input": 12},
        {"ps-h-before": 2, "ps-h-after": 2, "ps-mode": "reflect"},
        {"ps-h-before": 1, "ps-h-after": 2, "ps-mode": "circular", "ps-flip": "true"},
        {"ps-h-before": 3, "ps-mode": "replicate"},
        {"ps-h-input": 60, "ps-h-kernel": 5, "ps-h-stride": 3},
        EDITED,
        EDITED | {"ps-h-input": 28, "ps-flip": "true"},
        TRANSPOSED,
        TRANSPOSED | {"ps-h-stride": 2, "ps-h-before": 1, "ps-h-extra": 1},
        TRANSPOSED | {"ps-h-dilation": 2, "ps-h-before": 2, "ps-flip": "true"} | EDITED,
        TRANSPOSED | {"ps-h-input": 60, "ps-h-stride": 8, "ps-h-kernel": 13, "ps-h-dilation": 6},
        TRANSPOSED | {"ps-alike": "false", "ps-w-stride": 3, "ps-w-extra": 2, "ps-h-input": 2},
        POOLING | {"ps-h-stride": 2},
        POOLING | {"ps-rounding": "ceil", "ps-h-stride": 2, "ps-h-input": 8} | EDITED,
        POOLING | {"ps-rounding": "ceil", "ps-h-stride": 3, "ps-h-input": 10, "ps-h-before": 1},
        POOLING | {"ps-h-dilation": 2, "ps-h-before": 1, "ps-h-input": 40},
    ],
)
def test_both_snippets_run_and_agree_with_the_reading(open_page, run_snippets, query):
    app = open_page(PAGE, **query)
    assert not app.exception
    ours, theirs = run_snippets(app)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5)
    assert f"{ours.shape[2]} x {ours.shape[3]} out" in reading(app)


@pytest.mark.parametrize("operation", ["convolution", "transposed", "pooling"])
def test_the_largest_layer_opens(open_page, operation):
    sizes = {"ps-h-input": 256, "ps-h-stride": 8, "ps-h-kernel": 13, "ps-h-dilation": 6}
    app = open_page(PAGE, **{"ps-operation": operation}, **sizes)
    assert not app.exception
    assert reading(app).startswith("256 x 256 in")


@pytest.mark.parametrize(
    ("query", "place"),
    [
        (EDITED, (0, 0)),
        ({"ps-h-input": 12} | EDITED, (0, 0)),
        (TRANSPOSED | {"ps-h-kernel": 2} | EDITED, (1, 1)),
    ],
)
def test_the_code_has_the_numbers_that_were_edited(open_page, run_snippets, query, place):
    app = open_page(PAGE, **query)
    ours, _ = run_snippets(app)
    plain, _ = run_snippets(open_page(PAGE, **{key: query[key] for key in query if "edited" not in key}))
    assert ours[0, 0][place] != plain[0, 0][place]


def test_the_code_makes_the_numbers_of_the_figure():
    axis = Axis(5, 3, stride=2, padding=(1, 2))
    for layer in (
        Layer(CONVOLUTION, axis, axis, "reflect", flipped=True),
        Layer(size_layer.TRANSPOSED, *[TransposedAxis(3, 2, 2, 1, output_padding=1)] * 2, flipped=True),
        Layer(size_layer.POOLING, *[Axis(5, 3, 2, 1, ceil_mode=True)] * 2),
    ):
        x, weight = layer.counting()
        x[0, 1, 2] = 7
        names: dict = {}
        exec(size_code.snippets(layer, x, weight)["ours"], names)
        np.testing.assert_allclose(names["y"][0], layer.scene(x, weight).y)


def has_explorer(app) -> bool:
    return bool(app.get("bidi_component"))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"ps-h-input": 28}, True),
        ({"ps-h-input": 29}, False),
        ({"ps-h-input": 28, "ps-h-before": 12, "ps-h-after": 12, "ps-h-kernel": 1}, True),
        (TRANSPOSED | {"ps-h-input": 28, "ps-h-kernel": 2, "ps-h-stride": 2}, True),
        (TRANSPOSED | {"ps-h-input": 28, "ps-h-kernel": 3, "ps-h-stride": 2}, False),
        (POOLING | {"ps-h-input": 28}, True),
        (POOLING | {"ps-alike": "false", "ps-h-input": 5, "ps-w-input": 29}, False),
    ],
)
def test_numbers_are_shown_up_to_28_pixels(open_page, query, shown):
    app = open_page(PAGE, **query)
    assert not app.exception
    assert has_explorer(app) == shown
    captions = " ".join(caption.value for caption in app.caption)
    assert ("Numbers are shown for inputs up to 28 x 28" in captions) != shown
    can_turn = shown and query.get("ps-operation") != "pooling"
    assert ("ps-flip" in [toggle.key for toggle in app.toggle]) == can_turn


def test_a_padding_mode_is_offered_where_there_is_padding_that_it_can_fill(open_page):
    app = open_page(PAGE, **{"ps-h-input": 3, "ps-h-before": 1, "ps-h-after": 1, "ps-mode": "reflect"})
    modes = app.segmented_control(key="ps-mode")
    assert (modes.value, modes.options) == ("reflect", ["zeros", "reflect", "replicate", "circular"])
    app.select_slider(key="ps-h-before").set_value(3).run()
    assert not app.exception
    modes = app.segmented_control(key="ps-mode")
    assert (modes.value, modes.options) == ("zeros", ["zeros", "replicate", "circular"])
    app.select_slider(key="ps-h-after").set_value(4).run()
    assert app.segmented_control(key="ps-mode").options == ["zeros", "replicate"]
    app.select_slider(key="ps-h-after").set_value(0).run()
    app.select_slider(key="ps-h-before").set_value(0).run()
    assert "ps-mode" not in [control.key for control in app.segmented_control]


def test_a_transposed_convolution_cannot_be_cut_to_nothing(open_page):
    app = open_page(PAGE, **TRANSPOSED, **{"ps-h-input": 2, "ps-h-before": 12})
    assert not app.exception
    assert reading(app) == (
        "2 x 2 in, kernel 3, stride 1, padding 0, output padding 0: 4 x 4 out, nothing cut off."
    )
    padding = app.select_slider(key="ps-h-before")
    assert padding.options == ["0", "1"]
    padding.set_value(1).run()
    assert reading(app).endswith("2 x 2 out, 1 row and 1 column cut off on each side.")


def test_output_padding_stays_below_the_stride(open_page):
    app = open_page(PAGE, **TRANSPOSED, **{"ps-h-stride": 3, "ps-h-extra": 2})
    assert "output padding 2" in reading(app)
    app.select_slider(key="ps-h-stride").set_value(2).run()
    assert not app.exception
    assert "output padding 1" in reading(app)


@pytest.mark.parametrize("query", [TRANSPOSED, POOLING])
def test_the_question_is_asked_for_convolutions_only(open_page, query):
    app = open_page(PAGE, **query)
    headings = [heading.value for heading in app.subheader]
    assert headings == [
        "Try this",
        "Predict first",
        "Output size over each setting",
        "What happens here",
        "In code",
    ]
    app.segmented_control(key="ps-operation").set_value("convolution").run()
    assert not app.exception
    assert "Which settings give this size?" in [heading.value for heading in app.subheader]


def test_a_dropped_window_is_explained(open_page):
    app = open_page(PAGE, **POOLING)
    app.button(key="ps-try-One window dropped").click().run()
    words = " ".join(text.value for text in app.markdown)
    assert "PyTorch drops the last of these 3 windows" in words
    assert "2 x 2 out" in reading(app)


def answers(app) -> str:
    return next(text.value for text in app.markdown if " from " in text.value and text.value.startswith("**"))


def set_buttons(app) -> list:
    return [button for button in app.button if button.key.startswith("ps-set-")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "7 x 7 in, kernel 3, stride 1, padding 1: 7 x 7 out, nothing left over."),
        ({"ps-wanted": 5}, "7 x 7 in, kernel 3, stride 1, padding 0: 5 x 5 out, nothing left over."),
        (
            {"ps-h-input": 28, "ps-h-stride": 5, "ps-h-dilation": 4, "ps-wanted": 14},
            "28 x 28 in, kernel 2, stride 2, padding 0: 14 x 14 out, nothing left over.",
        ),
    ],
)
def test_the_simplest_setting_that_gives_the_wanted_size_is_one_click_away(open_page, query, expected):
    app = open_page(PAGE, **query)
    if app.button(key="ps-set-0").label == "Set":
        app.button(key="ps-set-0").click().run()
    assert not app.exception
    assert reading(app) == expected
    assert (app.button(key="ps-set-0").label, app.button(key="ps-set-0").disabled) == ("Now", True)


def test_every_setting_of_the_list_gives_the_size_it_promises(open_page):
    app = open_page(PAGE, **{"ps-h-input": 8, "ps-wanted": 3})
    for index in range(8):
        app.button(key=f"ps-set-{index}").click().run()
        assert not app.exception
        assert "8 x 8 in" in reading(app)
        assert "3 x 3 out" in reading(app)


def test_more_settings_are_shown_eight_at_a_time_until_another_size_is_wanted(open_page):
    app = open_page(PAGE, **{"ps-h-input": 28, "ps-wanted": 24})
    assert answers(app).startswith("**61 settings give 24 from 28**")
    assert len(set_buttons(app)) == 8
    app.button(key="ps-more").click().run()
    assert len(set_buttons(app)) == 16
    app.number_input(key="ps-wanted").set_value(28).run()
    assert len(set_buttons(app)) == 8
    for _ in range(5):
        app.button(key="ps-more").click().run()
    assert len(set_buttons(app)) == 47
    assert "ps-more" not in [button.key for button in app.button]


def test_a_size_out_of_reach_names_the_nearest_that_are_not(open_page):
    app = open_page(PAGE, **{"ps-h-input": 256, "ps-wanted": 160})
    assert not app.exception
    assert answers(app).startswith("**No setting gives 160 from 256.**")
    assert not set_buttons(app)
    assert [button.label for button in app.button if button.key.startswith("ps-near-")] == [
        "140, with stride 2",
        "184, with stride 1",
    ]
    app.button(key="ps-near-140").click().run()
    assert answers(app).endswith("give 140 from 256**, from simple to odd.")
    assert set_buttons(app)


def test_a_size_below_all_that_can_be_reached_has_one_neighbour(open_page):
    app = open_page(PAGE, **{"ps-h-input": 256, "ps-wanted": 1})
    assert [button.key for button in app.button if button.key.startswith("ps-near-")] == ["ps-near-23"]


def test_the_wanted_size_follows_a_smaller_input(open_page):
    app = open_page(PAGE, **{"ps-h-input": 28, "ps-wanted": 52})
    app.number_input(key="ps-h-input").set_value(7).run()
    assert not app.exception
    assert app.number_input(key="ps-wanted").value == 31


def test_the_question_can_be_asked_for_the_width_alone(open_page):
    query = {"ps-alike": "false", "ps-w-input": 9, "ps-axis": "width", "ps-wanted": 9}
    app = open_page(PAGE, **query)
    assert answers(app).endswith("give 9 from 9**, from simple to odd.")
    app.button(key="ps-set-0").click().run()
    assert not app.exception
    assert "5 x 9 out" in reading(app)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Axis(7, 3, padding=1), "keeps the size"),
        (Axis(7, 3), "nothing left over"),
        (Axis(8, 3, stride=2), "1 row never seen"),
        (Axis(8, 1, stride=2), "4 rows never seen"),
        (Axis(8, 3, stride=2, padding=1), "1 row of padding left over"),
        (Axis(8, 2, stride=2), "windows side by side"),
        (Axis(7, 2, padding=(0, 1)), "one row more after than before"),
        (Axis(7, 3, padding=2, dilation=2), "window spans 5 rows"),
        (Axis(3, 5, padding=2), "window larger than the input"),
        (Axis(3, 1, padding=1), "some windows see padding only"),
        (Axis(1, 2, padding=2, dilation=2), "some windows see padding only"),
        (Axis(8, 2, stride=2, dilation=2, padding=(0, 2)), "4 rows never seen"),
    ],
)
def test_a_remark_says_what_is_most_worth_knowing_of_a_setting(axis, expected):
    assert size_text.remark(axis, "row") == expected


def test_the_size_charts_say_in_words_what_they_show(open_page):
    app = open_page(PAGE)
    charts = [chart.proto for chart in app.get("plotly_chart")]
    words = " ".join(chart.alt for chart in charts)
    assert "Kernel size: 5 at 3 now, 7 at 1 and 1 at 7." in words
    assert "Padding per side: 5 at 0 now, 5 at 0 and 9 at 2." in words
