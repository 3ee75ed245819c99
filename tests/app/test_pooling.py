import numpy as np
import pytest

from cnn_core import images

PAGE = "chapter/pooling.py"
GRID, PICTURE, SHIFT = "small grid", "picture", "shift test"
PICTURES = [name for name, picture in images.IMAGES.items() if picture.highest == 255]


def texts(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.info, *app.latex))


def reading(app):
    return next(text.value.strip("*") for text in app.markdown if " in, window " in text.value)


@pytest.fixture
def open_view(open_page):
    def open_view(view, **query):
        return open_page(
            PAGE, **{f"p-{key.replace('_', '-')}": value for key, value in query.items()}, **{"p-view": view}
        )

    return open_view


def works(app):
    return not app.exception and not app.error


@pytest.mark.parametrize("view", [GRID, PICTURE, SHIFT])
def test_each_way_to_pool_opens_in_each_view(open_view, view):
    app = open_view(view)
    assert works(app)
    assert [heading.value for heading in app.subheader] == ["Try this", "What happens here", "In code"]
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


@pytest.mark.parametrize(("mode", "numbers"), [("max", "4578"), ("average", "2356")])
def test_the_books_first_example_has_the_books_numbers(open_view, mode, numbers):
    app = open_view(GRID, numbers="counting", h_input=3, h_stride=1, mode=mode)
    assert reading(app).startswith("3 x 3 in, window 2, stride 1, padding 0: 2 x 2 out")
    for position, number in enumerate(numbers):
        app.select_slider("p-row").set_value(position // 2)
        app.select_slider("p-column").set_value(position % 2).run()
        assert reading(app).endswith(f"of 4 numbers is {number}.")


def test_an_oblong_window_has_both_sizes(open_view):
    app = open_view(GRID)
    app.button("p-try-Oblong").click().run()
    assert reading(app) == (
        "4 x 4 in, window 2 x 3, stride 2 x 3, padding 0 x 1: 2 x 2 out, nothing left over. "
        "Output row 0, column 0: the largest of 4 numbers is 5."
    )


def test_padding_pulls_an_average_of_negative_numbers_to_zero(open_view):
    app = open_view(GRID, numbers="negative", mode="average", h_window=3, h_padding=1)
    # -16 - 15 - 12 - 11 = -54, and five zeros
    assert reading(app).endswith("the average of 9 numbers is −6.")
    assert r"\frac{1}{9} \sum" in app.latex[0].value
    app.segmented_control("p-mode").set_value("max").run()
    assert reading(app).endswith("the largest of 4 numbers is −11.")
    assert r"-\infty & -16 & -15" in app.latex[0].value


def test_a_window_that_hangs_over_is_named(open_view):
    app = open_view(GRID, h_input=6, h_window=3, rounding="ceil")
    assert "3 x 3 out, the last windows hang over by 1 row and 1 column." in reading(app)
    app.segmented_control("p-rounding").set_value("floor").run()
    assert "2 x 2 out, 1 row and 1 column left over." in reading(app)


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


def test_a_typed_grid_is_pooled(open_view):
    app = open_view(GRID, numbers="own", typed="1 -2 0.5; 3 4 9")
    assert reading(app).startswith("2 x 3 in, window 2, stride 2, padding 0: 1 x 1 out, 1 column left over.")
    assert reading(app).endswith("the largest of 4 numbers is 4.")


def test_a_grid_that_cannot_be_read_is_explained_in_place(open_view):
    app = open_view(GRID, numbers="own")
    for typed, message in (
        ("1 2; 3", "row 1 has length 1, not 2 as row 0"),
        ("1 nan", "'nan' is not a number such as 7, -1 or 0.5"),
        ("[x](y)", r"'\[x\](y)' is not a number such as 7, -1 or 0.5"),
        ("1 2 3 4 5 6 7", "grid 1 x 7 exceeds 6 x 6"),
        ("", "row 0 is empty; write numbers with spaces between them"),
    ):
        app.text_input("p-typed").set_value(typed).run()
        assert not app.exception
        assert [error.value for error in app.error] == [message]
        assert app.info[0].value == "The drawing will be here as soon as the numbers can be read."
        assert "p-reset" in [button.key for button in app.button]
    assert works(app.text_input("p-typed").set_value("1").run())


@pytest.mark.parametrize(
    ("view", "value"), [(GRID, "-3"), (GRID, "nan"), (GRID, ""), (PICTURE, "999999"), (SHIFT, "<b>")]
)
def test_links_with_wrong_values_fall_back(open_view, view, value):
    keys = ("mode", "h_window", "h_stride", "h_padding", "h_input", "row", "shift", "map", "picture")
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


@pytest.mark.parametrize(
    ("view", "query"),
    [
        (GRID, {}),
        (GRID, {"mode": "average", "h_window": 3, "h_padding": 1, "channels": 2, "numbers": "negative"}),
        (GRID, {"mode": "min", "h_window": 3, "h_padding": 1, "numbers": "counting"}),
        (GRID, {"mode": "average", "h_input": 6, "h_window": 3, "rounding": "ceil", "channels": 3}),
        (GRID, {"numbers": "own", "typed": "1 -2.5; 3 4", "alike": False, "h_stride": 1, "w_window": 1}),
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
