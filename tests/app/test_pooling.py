import re

import numpy as np
import pytest

from cnn_core import images
from ui.chapter import pooling_text
from ui.wording import count

PAGE = "chapter/pooling.py"
GRID, PICTURE, SHIFT = "small grid", "picture", "shift test"
PICTURES = [name for name, picture in images.IMAGES.items() if picture.highest == 255]


def texts(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.info, *app.latex))


def reading(app):
    return next(text.value.strip("*") for text in app.markdown if " in, window " in text.value)


def result(app):
    """The number that the page writes behind the window of an output."""
    return float(re.search(r"pmatrix} = (\S+)", app.latex[0].value)[1])


@pytest.fixture
def open_view(open_page):
    def open_view(view, **query):
        return open_page(
            PAGE, **{f"p-{key.replace('_', '-')}": value for key, value in query.items()}, **{"p-view": view}
        )

    return open_view


@pytest.fixture
def run_both():
    """Execute both codes that a page shows, and return all names of each."""

    def run_both(app):
        results = []
        for code in app.code:
            names = {}
            exec(code.value, names)
            results.append(names)
        return results

    return run_both


def works(app):
    return not app.exception and not app.error


@pytest.mark.parametrize("view", [GRID, PICTURE, SHIFT])
def test_each_way_to_pool_opens_in_each_view(open_view, view):
    app = open_view(view)
    assert works(app)
    headings = [heading.value for heading in app.subheader]
    assert headings == ["Try this", "Predict first", "What happens here", "In code"]
    assert works(app.toggle("p-alike").set_value(False).run())
    for mode in ("average", "min"):
        assert works(app.segmented_control("p-mode").set_value(mode).run())


@pytest.mark.parametrize("view", [GRID, PICTURE, SHIFT])
def test_each_setting_to_try_opens_and_leads_back(open_view, view):
    app = open_view(view)
    names = [button.key for button in app.button if button.key.startswith("p-try-")]
    assert len(names) == 4
    for key in names:
        app.button(key).click().run()
        assert works(app)
        assert key in [button.key for button in app.button]
    app.button("p-reset").click().run()
    assert reading(app).startswith("4 x 4 in, window 2, stride 2, padding 0: 2 x 2 out, nothing left over.")


@pytest.mark.parametrize("view", [PICTURE, SHIFT])
def test_each_picture_opens(open_view, view):
    app = open_view(view, h_window=3)
    for picture in PICTURES:
        assert works(app.selectbox("p-picture").set_value(picture).run())


@pytest.mark.parametrize("view", [PICTURE, SHIFT])
def test_a_link_names_a_picture_by_its_title_and_an_older_one_by_its_name(open_view, view):
    titles = [images.IMAGES[name].title for name in PICTURES]
    assert open_view(view).selectbox("p-picture").options == titles
    for name, title in zip(PICTURES[1:], titles[1:], strict=True):
        for written in (title, name):
            app = open_view(view, picture=written, h_stride=3)
            assert works(app)
            assert app.selectbox("p-picture").value == name
            assert app.query_params["p-picture"] in (title, [title])
            assert app.select_slider("p-h-stride").value == 3
    assert open_view(view, picture="camera").selectbox("p-picture").value == "camera"


@pytest.mark.parametrize(("mode", "numbers"), [("max", "4578"), ("average", "2356")])
def test_the_books_first_example_has_the_books_numbers(open_view, mode, numbers):
    for position, number in enumerate(numbers):
        pin = f"output.0.{position // 2}.{position % 2}"
        app = open_view(GRID, numbers="counting", h_input=3, h_stride=1, mode=mode, pin=pin)
        assert reading(app).startswith("3 x 3 in, window 2, stride 1, padding 0: 2 x 2 out")
        assert result(app) == int(number)


def test_an_oblong_window_has_both_sizes(open_view):
    app = open_view(GRID, numbers="counting", alike=False, w_window=3, w_stride=3, w_padding=1)
    assert reading(app) == (
        "4 x 4 in, window 2 x 3, stride 2 x 3, padding 0 x 1: 2 x 2 out, nothing left over."
    )


def test_padding_pulls_an_average_of_negative_numbers_to_zero(open_view):
    app = open_view(GRID, numbers="negative", mode="average", h_window=3, h_padding=1)
    # -16 - 15 - 12 - 11 = -54, and five zeros
    assert result(app) == -6
    assert r"\frac{1}{9} \sum" in app.latex[0].value
    app.segmented_control("p-mode").set_value("max").run()
    assert result(app) == -11
    assert r"-\infty & -16 & -15" in app.latex[0].value


def test_a_window_that_hangs_over_is_named(open_view):
    app = open_view(GRID, h_input=6, h_window=3, rounding="ceil")
    assert "3 x 3 out, the last windows hang over by 1 row and 1 column." in reading(app)
    app.segmented_control("p-rounding").set_value("floor").run()
    assert "2 x 2 out, 1 row and 1 column left over." in reading(app)


def test_the_caption_names_the_marks_that_the_figure_has(open_view):
    app = open_view(GRID, h_input=6, h_window=3, rounding="ceil")
    assert "Empty: a window hangs over" in texts(app)
    assert "left over" not in app.caption[0].value
    app = open_view(GRID, h_input=8, h_window=3, h_padding=1, h_stride=3, mode="average")
    assert "Hatched: padding. Hatched and dimmed: left over." in texts(app)
    assert "A ring" not in texts(app)


def test_the_photograph_is_credited_as_a_grid_too(open_view):
    credit = "Photographer with a camera. Picture: Lav Varshney, CC0."
    assert credit in texts(open_view(GRID, numbers="photograph", h_input=28))
    assert credit in texts(open_view(PICTURE))
    assert credit not in texts(open_view(GRID))


def test_a_window_that_pytorch_drops_is_named(open_view):
    app = open_view(GRID, h_input=5, h_window=2, h_padding=1, h_stride=3, rounding="ceil")
    assert "2 x 2 out" in reading(app)
    assert r"\left\lceil \frac{5 + 2 \cdot 1 - 2}{3} \right\rceil + 1 = 3" in app.latex[1].value
    assert "PyTorch drops it: **2**." in texts(app)


def test_padding_cannot_exceed_half_of_the_window(open_view):
    app = open_view(GRID, h_input=6, h_window=5)
    assert app.select_slider("p-h-padding").options == ["0", "1", "2"]
    app = open_view(GRID, h_window=1)
    assert app.select_slider("p-h-padding").disabled


def test_channels_are_counted(open_view):
    assert "3 channels in, 3 channels out" in texts(open_view(GRID, channels=3))


def edit(app, x, count=1):
    shown = repr(app.session_state["p-explorer-shown"])
    app.session_state["p-explorer"] = {"edit": {"count": count, "x": x, "weight": None, "shown": shown}}
    return app.run()


def test_edited_numbers_are_pooled_and_go_into_the_address(open_view):
    app = edit(open_view(GRID, h_input=2, h_stride=1), [[[1, -2], [0.5, 0.25]]])
    assert works(app)
    assert result(app) == 1
    link = app.query_params["p-edited-x"]
    again = open_view(GRID, h_input=2, h_stride=1, edited_x=link[0] if isinstance(link, list) else link)
    assert again.latex[0].value == app.latex[0].value
    again.segmented_control("p-numbers").set_value("counting").run()
    assert result(again) == 3
    assert "p-edited-x" not in again.query_params


def test_edited_numbers_and_the_pin_leave_the_address_with_the_grid_and_come_back(open_view):
    app = edit(open_view(GRID, h_input=2, h_stride=1, pin="output.0.0.0"), [[[1, -2], [0.5, 0.25]]])
    kept = {name: app.query_params[name] for name in ("p-edited-x", "p-pin")}
    app.segmented_control("p-view").set_value(PICTURE).run()
    assert not kept.keys() & app.query_params.keys()
    app.segmented_control("p-view").set_value(GRID).run()
    assert {name: app.query_params[name] for name in kept} == kept
    assert result(app) == 1


def test_edited_numbers_stay_where_they_fit_when_the_input_grows(open_view):
    app = edit(open_view(GRID, numbers="counting", h_input=2), [[[9, 8], [7, 6]]])
    app.select_slider("p-h-input").set_value(3).run()
    app.select_slider("p-h-stride").set_value(1).run()
    assert works(app)
    assert r"\begin{pmatrix} 9 & 8 \\ 7 & 6 \end{pmatrix}" in app.latex[0].value


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[[1, 2], [3, 1e308]]], "is not between -1000 and 1000"),
        ([[[1, 2], [3, float("nan")]]], "holds something that is not a number"),
        ([[[1, 2], [3, "x"]]], "holds something that is not a number"),
        ([[[1, 2]]], "is not the shape (1, 2, 2) of the figure"),
        ([[[0] * 1000] * 1000], "is not the shape (1, 2, 2) of the figure"),
        ("<script>", "is not the shape (1, 2, 2) of the figure"),
    ],
)
def test_numbers_that_cannot_be_right_are_refused_and_the_last_good_ones_stay(open_view, x, message):
    app = edit(open_view(GRID, h_input=2), [[[1, 2], [3, 44]]])
    app = edit(app, x, count=2)
    assert not app.exception
    assert [message in error.value for error in app.error] == [True]
    assert result(app) == 44
    assert works(edit(app, [[[1, 2], [3, 55]]], count=3))
    assert result(app) == 55


@pytest.mark.parametrize(
    "pin", ["output.0.1.1", "output.0.9.9", "input.0.0.0", "output.1", "<b>", "output.0.-1.0"]
)
def test_only_a_pinned_output_that_exists_is_told_of(open_view, pin):
    app = open_view(GRID, numbers="counting", pin=pin)
    assert works(app)
    place, value = ("row 1, column 1", 15) if pin == "output.0.1.1" else ("row 0, column 0", 5)
    assert result(app) == value
    assert f"The whole gradient of output {place} goes to the {value} in" in texts(app)


def test_the_page_says_where_the_gradient_of_the_pinned_output_goes(open_view):
    app = edit(
        open_view(GRID, h_input=3, h_stride=1, pin="output.0.1.0"), [[[0, 0, 0], [7, 9, 1], [9, 9, 2]]]
    )
    assert (
        "The whole gradient of output row 1, column 0 goes to the 9 in row 1, column 1. "
        "It is the first of 3 that are equal. "
        "It wins in 4 windows, so all outputs together give it a gradient of 4."
    ) in texts(app)


def test_the_page_says_which_shares_an_average_gives(open_view):
    app = open_view(GRID, mode="average", numbers="counting", h_window=3, h_padding=1, h_stride=1)
    assert (
        r"Each number in the window of output row 0, column 0 gets $\frac{1}{9}$ of its gradient. "
        "Lost in the padding: 5 of 9 parts. "
        "All outputs together give the 0 in row 0, column 0 a gradient of about 0.44."
    ) in texts(app)


def test_large_inputs_and_windows_are_pooled(open_view, run_both):
    app = open_view(GRID, numbers="photograph", h_input=28, h_window=13, h_padding=6, h_stride=1, channels=3)
    assert reading(app).startswith(
        "28 x 28 in, window 13, stride 1, padding 6: 28 x 28 out, nothing left over."
    )
    assert r"\cdots" in app.latex[0].value
    assert run_both(app)[0]["y"].shape == (3, 28, 28)


@pytest.mark.parametrize("num_edited", [1, 100])
def test_code_for_a_large_grid_has_its_edited_numbers(open_view, run_both, num_edited):
    app = open_view(GRID, numbers="mixed", h_input=28)
    x = np.arange(784.0).reshape(1, 28, 28)
    mixed = run_both(app)[0]["x"]
    x[0].flat[num_edited:] = mixed[0].flat[num_edited:]
    x[0, 0, 0] = -0.1234
    for names in run_both(edit(app, x.tolist())):
        np.testing.assert_allclose(np.asarray(names["x"].tolist()), x, rtol=1e-6)
    assert ("pooling.mixed(28, 28)" in app.code[0].value) == (num_edited == 1)


@pytest.mark.parametrize(
    ("view", "value"), [(GRID, "-3"), (GRID, "nan"), (GRID, ""), (PICTURE, "999999"), (SHIFT, "<b>")]
)
def test_links_with_wrong_values_fall_back(open_view, view, value):
    keys = (
        "mode",
        "h_window",
        "h_stride",
        "h_padding",
        "h_input",
        "pin",
        "edited_x",
        "shift",
        "map",
        "picture",
    )
    assert works(open_view(view, **dict.fromkeys(keys, value), rounding=value, alike=value, compare=value))


def test_a_link_with_an_unknown_view_shows_the_small_grid(open_page):
    assert "4 x 4 in" in reading(open_page(PAGE, **{"p-view": "<script>"}))


def test_a_picture_has_its_sizes_and_its_share(open_view):
    app = open_view(PICTURE, picture="coffee", h_window=6, h_stride=6)
    height, width = images.load("coffee").shape[:2]
    assert (height, width) == (149, 224)
    assert (
        reading(app)
        == "149 x 224 in, window 6, stride 6, padding 0: 24 x 37 out, 5 rows and 2 columns left over."
    )
    assert r"\frac{888}{33376} \approx 2.7" in app.latex[0].value


def test_only_a_colour_picture_can_be_taken_apart(open_view):
    assert [switch.key for switch in open_view(PICTURE, picture="coffee").toggle].count("p-apart") == 1
    assert "p-apart" not in [switch.key for switch in open_view(PICTURE, picture="camera").toggle]


def test_the_reading_of_the_shift_test_is_what_pytorch_computes(open_view, run_snippets):
    app = open_view(SHIFT, shift=3, h_window=4, h_stride=4)
    _, changes = run_snippets(app)
    assert f"{changes[3]:.2f} after max pooling" in texts(app)


def test_pooling_is_said_to_move_exactly_along_at_multiples_of_the_stride(open_view):
    app = open_view(SHIFT, h_window=4, compare="moved along", mode="average")
    for stride, shifts in (
        (1, "every shift"),
        (3, "shifts of 0, 3 and 6 pixels"),
        (5, "shifts of 0 and 5 pixels"),
    ):
        app.select_slider("p-h-stride").set_value(stride).run()
        assert f"Here the map after average pooling moves exactly with the picture at {shifts}." in texts(app)
        assert "the change is 0.00 before pooling" in texts(app)


def test_where_pooling_is_no_help_the_page_says_so(open_view, run_snippets):
    app = open_view(SHIFT, map="the picture", h_window=4, h_stride=4)
    _, pooled = run_snippets(app)
    _, before = run_snippets(open_view(SHIFT, map="the picture", h_window=1, h_stride=1))
    worse = [str(shift) for shift in range(9) if pooled[shift] > before[shift]]
    assert len(worse) > 1
    named = f"{', '.join(worse[:-1])} and {worse[-1]}"
    assert f"Here max pooling is no help at shifts of {named} pixels" in texts(app)


def test_what_no_shift_can_change_is_named(open_view):
    app = open_view(SHIFT, map="edges", picture="gradient")
    assert "This feature map is the same everywhere, so no shift can change it." in texts(app)
    app = open_view(SHIFT, mode="min", h_window=8)
    assert "not measurable after min pooling, where all numbers are the same" in texts(app)
    app = open_view(SHIFT, mode="min", picture=images.IMAGES["gradient"].title)
    assert (
        "the change is not measurable before pooling, after max pooling, after average pooling and after min pooling, "
        "where all numbers are the same."
    ) in texts(app)


def test_changes_are_written_so_that_different_ones_look_different(open_view):
    query = {"map": "the picture", "picture": images.IMAGES["checkerboard"].title}
    app = open_view(SHIFT, h_window=4, h_stride=1, **query)
    assert "the change is 0.125 before pooling, 0.121 after max pooling" in texts(app)
    assert pooling_text.written(0.5, 0.2, 0.5) == ["0.50", "0.20", "0.50"]
    assert pooling_text.written(0.04, 0.038, 0.04) == ["0.040", "0.038", "0.040"]
    assert pooling_text.written(0.5, 0.5 + 1e-9) == ["0.50", "0.50"]
    assert pooling_text.written(0, 2e-6) == ["0.000000", "0.000002"]


def test_a_single_shift_without_help_is_one_pixel():
    words = pooling_text.verdict(np.array([0, 0.1, 0.5]), np.array([0, 0.2, 0.3]), "max", moved=False)
    assert words == "Here max pooling is no help at a shift of 1 pixel: the change is larger than without it."


def list_of_points(app):
    return next(text.value for text in app.markdown if "**A convolution is equivariant.**" in text.value)


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("shift", [1, 4])
def test_in_place_the_page_says_how_much_the_stride_matters(open_view, run_snippets, mode, shift):
    app = open_view(SHIFT, h_window=3, shift=shift, mode=mode)
    words = list_of_points(app)
    changes = []
    for stride in range(1, 9):
        app.select_slider("p-h-stride").set_value(stride).run()
        changes.append(run_snippets(app)[1][shift].item())
        assert list_of_points(app).splitlines()[2] == words.splitlines()[2]
    assert (
        f"the change after {mode} pooling at a shift of {count(shift, 'pixel')} is {min(changes):.2f} to "
        f"{max(changes):.2f} here."
    ) in words
    assert "hardly" not in words


def test_how_much_the_stride_matters_is_left_out_where_it_cannot_be_measured(open_view):
    words = list_of_points(open_view(SHIFT, picture=images.IMAGES["checkerboard"].title))
    assert "The stride makes the output smaller. It only picks which windows count.\n" in words


@pytest.mark.parametrize("stride", [1, 4])
def test_moved_along_the_page_speaks_of_the_stride_alone(open_view, stride):
    app = open_view(SHIFT, compare="moved along", h_window=4, h_stride=stride)
    words = list_of_points(app)
    assert "grows more slowly" not in words
    assert "The window does that" not in words
    expected = {
        1: "With stride 1 the pooled map still moves exactly with the picture.",
        4: "With stride 4 the pooled map moves exactly with the picture if the shift is a multiple of 4.",
    }
    assert f"**Pooling keeps up with some shifts only.** {expected[stride]}" in words


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"mode": "average", "h_window": 3, "h_padding": 1, "channels": 2, "numbers": "negative"},
        {"mode": "min", "h_window": 3, "h_padding": 1, "numbers": "counting"},
        {"mode": "average", "h_input": 6, "h_window": 3, "rounding": "ceil", "channels": 3},
        {"h_input": 2, "edited_x": "1_-2.5~1_0.0625", "alike": False, "h_stride": 1, "w_window": 1},
        {"numbers": "photograph", "h_input": 20, "h_window": 5, "h_padding": 2, "h_stride": 3, "channels": 2},
        {"numbers": "photograph", "mode": "min", "h_input": 9, "h_window": 3, "rounding": "ceil"},
    ],
)
def test_both_codes_of_a_grid_give_its_output_and_its_gradient(open_view, run_both, query):
    ours, theirs = run_both(open_view(GRID, **query))
    for name in ("y", "gradient"):
        assert ours[name].shape == tuple(theirs[name].shape)
        np.testing.assert_allclose(ours[name], theirs[name].detach().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("view", "query"),
    [
        (PICTURE, {"h_window": 3, "h_padding": 1}),
        (PICTURE, {"mode": "average", "picture": "coffee", "h_window": 5, "h_stride": 4, "rounding": "ceil"}),
        (PICTURE, {"mode": "min", "picture": "coffee", "apart": True}),
        (SHIFT, {}),
        (SHIFT, {"mode": "average", "map": "edges", "h_window": 4, "compare": "moved along"}),
        (SHIFT, {"mode": "min", "map": "the picture", "alike": False, "w_window": 5, "w_stride": 3}),
    ],
)
def test_both_snippets_agree(open_view, run_snippets, view, query):
    ours, theirs = run_snippets(open_view(view, **query))
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-4)
