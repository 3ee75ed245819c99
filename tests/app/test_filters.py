import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from cnn_core import images, ops
from cnn_core.images import IMAGES
from cnn_core.kernels import KERNELS

PAGE = "chapter/filters.py"
BOOK = {"f-picture": IMAGES["book-edge"].title}
OWN = {"f-kernel": "Your own kernel"}


def reading(app) -> str:
    return next(text.value for text in app.markdown if " out. " in text.value).strip("*")


def explored(app) -> dict:
    return json.loads(app.get("bidi_component")[0].proto.json)


def edit(app, *, count: int = 1, **changes: list):
    """Send what the browser sends when the hand rests: both arrays, with `{name: [(row, column, number), ...]}`."""
    sent = explored(app)
    for name, cells in changes.items():
        for row, column, number in cells:
            sent[name][0][row][column] = number
    numbers = {name: sent[name] for name in ("x", "weight", "shown")}
    app.session_state["f-explorer"] = {"edit": {"count": count, **numbers}}
    return app.run()


def captions(app) -> str:
    return "\n".join(text.value for text in app.caption)


def file_of(pixels: np.ndarray) -> bytes:
    raw = io.BytesIO()
    Image.fromarray(pixels).save(raw, "PNG")
    return raw.getvalue()


def test_the_page_opens_with_a_photograph_and_sobel(open_page):
    app = open_page(PAGE)
    assert not app.exception
    assert reading(app).startswith("128 x 128 in, kernel 3 x 3, stride 1, no padding: 126 x 126 out. ")
    assert "cannot give less than -1,020 or more than 1,020" in captions(app)


def test_every_kernel_and_every_picture_opens(open_page):
    app = open_page(PAGE, **{"f-size": 24})
    for name in KERNELS:
        app.selectbox(key="f-kernel").set_value(name).run()
        assert (not app.exception, not app.error) == (True, True), name
        assert f"kernel {' x '.join(map(str, KERNELS[name].values.shape))}," in reading(app)
    for name in IMAGES:
        app.selectbox(key="f-picture").set_value(name).run()
        assert not app.exception, name
        assert IMAGES[name].credit in captions(app)


def test_every_setting_to_try_opens_and_the_way_back_leads_to_the_beginning(open_page):
    app = open_page(PAGE)
    beginning = reading(app)
    buttons = [button.key for button in app.button if button.key.startswith("f-try-")]
    assert len(buttons) == 4
    for key in buttons:
        app.button(key=key).click().run()
        assert (not app.exception, not app.error) == (True, True), key
        assert reading(app) != beginning
    app.button(key="f-reset").click().run()
    assert reading(app) == beginning


def test_the_books_kernel_finds_one_rising_and_one_falling_edge(open_page, run_snippets):
    app = open_page(PAGE, **BOOK, **{"f-kernel": KERNELS["book-columns"].title})
    assert reading(app) == (
        "6 x 8 in, kernel 1 x 2, stride 1, no padding: 6 x 7 out. Outputs run from -1 to 1."
    )
    sent = explored(app)
    np.testing.assert_array_equal(sent["x"], [images.load("book-edge")])
    assert (sent["weight"], sent["grey"]) == ([[[1, -1]]], 1)
    for y in run_snippets(app):
        np.testing.assert_array_equal(np.asarray(y)[0, 0], np.tile([0, 1, 0, 0, 0, -1, 0], (6, 1)))


def test_the_transpose_of_the_books_kernel_finds_nothing(open_page, run_snippets):
    app = open_page(PAGE, **BOOK, **{"f-kernel": KERNELS["book-rows"].title})
    assert reading(app) == "6 x 8 in, kernel 2 x 1, stride 1, no padding: 5 x 8 out. All outputs are 0."
    assert "All of them are 0, so vertical edges leave no trace in the output." in app.markdown[-1].value
    for y in run_snippets(app):
        np.testing.assert_array_equal(np.asarray(y), np.zeros((1, 1, 5, 8)))


@pytest.mark.parametrize(
    ("query", "line"),
    [
        (OWN | {"f-cells": "0.04"}, "Outputs run from 0 to 0.04."),
        ({"f-kernel": KERNELS["second-xy"].title, "f-mode": "zeros"}, "Outputs run from -0.25 to 0.25."),
        (
            {"f-kernel": KERNELS["gaussian-5"].title, "f-stride": 8, "f-mode": "zeros"},
            "The only output is 0.43.",
        ),
    ],
)
def test_small_outputs_are_not_rounded_away(open_page, run_snippets, query, line):
    app = open_page(PAGE, **BOOK, **query)
    assert reading(app).endswith(f" out. {line}")
    y = run_snippets(app)[0]
    written = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", line)]
    np.testing.assert_allclose([written[0], written[-1]], [y.min(), y.max()], atol=0.0005)


def test_a_small_bound_is_not_rounded_away(open_page):
    app = open_page(PAGE, **BOOK, **OWN, **{"f-cells": "0.0004,-0.04"})
    assert "cannot give less than -0.04 or more than 0.0004 with this kernel." in captions(app)


@pytest.mark.parametrize(
    ("stride", "words"),
    [
        (1, "So a pattern is found wherever it is, and away from the border a shifted picture gives"),
        (
            3,
            "a picture shifted by a multiple of 3 pixels gives a shifted output. With stride 3, other shifts can",
        ),
    ],
)
def test_the_page_says_which_shifts_of_the_picture_shift_the_output(open_page, stride, words):
    app = open_page(PAGE, **BOOK, **{"f-stride": stride})
    said = [text.value for text in app.markdown if text.value.startswith("The same cells are used")]
    assert (len(said), words in said[0]) == (1, True)
    assert ("wherever" in said[0]) == (stride == 1)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"f-mode": "reflect", "f-stride": 2, "f-flip": "true", "f-kernel": KERNELS["emboss"].title},
        {"f-mode": "zeros", "f-kernel": KERNELS["book-rows"].title, "f-flip": "true"},
        {"f-mode": "circular", "f-kernel": KERNELS["gaussian-5"].title, "f-stride": 3},
        {"f-mode": "replicate", "f-picture": IMAGES["coffee"].title, "f-colour": "per channel"},
        OWN | {"f-cells": "1/3,-0.25;2,0", "f-picture": IMAGES["chelsea"].title},
    ],
)
def test_both_snippets_give_what_the_page_shows(open_page, run_snippets, query):
    app = open_page(PAGE, **{"f-size": 16}, **query)
    ours, torch = run_snippets(app)
    np.testing.assert_allclose(ours, torch.numpy(), rtol=1e-12, atol=1e-9)
    shape = re.search(r"(\d+) x (\d+) out", reading(app)).groups()
    assert ours.shape == (3 if "f-colour" in query else 1, 1, *map(int, shape))
    low, high = map(float, re.search(r"from (\S+) to (\S+)\.$", reading(app)).groups())
    assert (low, high) == (pytest.approx(ours.min(), abs=0.051), pytest.approx(ours.max(), abs=0.051))


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"f-row": 0, "f-column": 999, "f-mode": "reflect", "f-stride": 3, "f-flip": "true"},
        {"f-row": 999, "f-column": 0, "f-mode": "circular", "f-kernel": KERNELS["gaussian-5"].title},
        {"f-picture": IMAGES["coffee"].title, "f-colour": "per channel", "f-channel": "blue"},
    ],
)
def test_the_explored_part_gives_the_outputs_of_the_whole(open_page, run_snippets, query):
    app = open_page(PAGE, **{"f-size": 64, "f-server": "true"}, **query)
    row, column = map(
        int, re.search(r"is row (\d+), column (\d+) of the whole output", captions(app)).groups()
    )
    part = np.array(explored(app)["server"][0])
    channel = 2 if "f-channel" in query else 0
    whole = run_snippets(app)[0][channel, 0, row:, column:]
    assert min(part.shape) >= 2
    np.testing.assert_allclose(part, whole[: part.shape[0], : part.shape[1]], atol=1e-9)


def test_a_part_of_a_large_picture_is_explored_and_the_whole_of_a_small_one(open_page):
    app = open_page(PAGE, **{"f-size": 24})
    assert (np.shape(explored(app)["x"]), len(app.get("plotly_chart"))) == ((1, 24, 24), 0)
    app.select_slider(key="f-size").set_value(32).run()
    assert (np.shape(explored(app)["x"]), len(app.get("plotly_chart"))) == ((1, 12, 12), 2)


def test_an_edited_kernel_becomes_the_visitors_own_and_the_whole_picture_follows(open_page, run_snippets):
    app = edit(open_page(PAGE, **{"f-size": 64}), weight=[(1, 1, 0.5)])
    assert (not app.exception, not app.error) == (True, True)
    assert app.selectbox(key="f-kernel").value == "your-own"
    assert app.text_input(key="f-cells").value == "-1,0,1;-2,0.5,2;-1,0,1"
    assert explored(app)["weight"][0][1] == [-2, 0.5, 2]
    picture = images.to_grey(images.load("camera", size=64)).astype(float)
    kernel = np.array([[-1, 0, 1], [-2, 0.5, 2], [-1, 0, 1]])
    np.testing.assert_allclose(run_snippets(app)[0][0, 0, 0, 0], (picture[:3, :3] * kernel).sum())


def test_ninths_stay_ninths_beside_an_edited_cell_unless_they_go_badly_together(open_page):
    blur = {"f-kernel": KERNELS["box-blur-3"].title, "f-size": 24}
    app = edit(open_page(PAGE, **blur), weight=[(0, 0, 0.5)])
    assert app.text_input(key="f-cells").value == "0.5,1/9,1/9;1/9,1/9,1/9;1/9,1/9,1/9"
    app = edit(open_page(PAGE, **blur), weight=[(0, 0, 0.1234)])
    assert app.text_input(key="f-cells").value.startswith("0.1234,0.1111,0.1111;")
    assert not app.error


def test_edited_pixels_are_painted_on_the_picture_and_can_be_undone(open_page, run_snippets):
    app = open_page(PAGE, **{"f-size": 64, "f-row": 0, "f-column": 0, "f-kernel": KERNELS["identity"].title})
    before = explored(app)["x"][0]
    app = edit(app, x=[(1, 2, 300), (3, 3, 7.4), (5, 5, -1)])
    assert (not app.exception, app.selectbox(key="f-kernel").value) == (True, "identity")
    assert "3 pixels are retouched." in captions(app)
    shown = explored(app)["x"][0]
    assert (shown[1][2], shown[3][3], shown[5][5]) == (255, 7, 0)
    assert app.query_params["f-retouched"] == "66.255_195.7_325.0"
    for y in run_snippets(app):
        assert [float(y[0, 0, row - 1, column - 1]) for row, column in ((1, 2), (3, 3), (5, 5))] == [
            255,
            7,
            0,
        ]
    app.button(key="f-undo").click().run()
    assert explored(app)["x"][0] == before
    assert "retouched" not in captions(app)
    assert "f-retouched" not in app.query_params


def test_retouching_adds_up_and_another_picture_begins_untouched(open_page):
    app = edit(open_page(PAGE, **BOOK), x=[(0, 0, 0)])
    app = edit(app, x=[(0, 3, 1)], count=2)
    assert "2 pixels are retouched." in captions(app)
    app.select_slider(key="f-stride").set_value(2).run()
    assert "2 pixels are retouched." in captions(app)
    app.selectbox(key="f-picture").set_value("disc").run()
    app.selectbox(key="f-picture").set_value("book-edge").run()
    assert "retouched" not in captions(app)


def test_retouched_pixels_come_with_a_link_and_wrong_ones_are_left_out(open_page):
    app = open_page(PAGE, **BOOK, **{"f-retouched": "2.1_999.1_3.7"})
    assert "2 pixels are retouched." in captions(app)
    assert explored(app)["x"][0][0] == [1, 1, 1, 1, 0, 0, 1, 1]
    app = open_page(PAGE, **BOOK, **{"f-retouched": "2.one"})
    assert (not app.exception, explored(app)["x"][0][0]) == (True, [1, 1, 0, 0, 0, 0, 1, 1])


def test_one_channel_of_a_colour_picture_is_retouched_alone(open_page, run_snippets):
    colour = {"f-picture": IMAGES["chelsea"].title, "f-colour": "per channel", "f-channel": "green"}
    app = open_page(PAGE, **colour, **{"f-size": 16, "f-kernel": KERNELS["identity"].title})
    untouched = run_snippets(app)[0]
    changed = run_snippets(edit(app, x=[(4, 5, 0)]))[0] - untouched
    assert np.argwhere(changed).tolist() == [[1, 0, 3, 4]]


def test_many_retouched_pixels_are_not_written_as_code_and_it_says_so(open_page):
    black = [(row, column, 0) for row in range(12) for column in range(12)]
    app = edit(open_page(PAGE, **{"f-size": 128, "f-row": 100}), x=black)
    assert "144 pixels are retouched." in captions(app)
    assert "# Here the picture is untouched: 144 retouched pixels are too many to write." in app.code[0].value


@pytest.mark.parametrize("bad", [float("nan"), 1e308, "one"])
def test_an_edit_that_is_no_number_is_refused_in_place_and_nothing_changes(open_page, bad):
    app = open_page(PAGE, **BOOK)
    before, line = explored(app)["x"], reading(app)
    app = edit(app, x=[(0, 0, bad)])
    assert not app.exception
    assert "The numbers are as they were." in app.error[0].value
    assert (explored(app)["x"], reading(app)) == (before, line)


def test_the_page_says_what_flipping_changes_and_it_does(open_page, run_snippets):
    app = open_page(PAGE, **{"f-size": 16})

    def outputs(name, *, flipped):
        app.selectbox(key="f-kernel").set_value(name).run()
        app.toggle(key="f-flip").set_value(flipped).run()
        return run_snippets(app)[0]

    np.testing.assert_array_equal(outputs("laplacian-4", flipped=True), outputs("laplacian-4", flipped=False))
    assert "Flipping changes nothing." in captions(app)
    np.testing.assert_array_equal(outputs("sobel-x", flipped=True), -outputs("sobel-x", flipped=False))
    assert "Flipping changes the sign of every output, no more." in captions(app)
    assert not np.array_equal(outputs("emboss", flipped=True), outputs("emboss", flipped=False))
    assert "Flipping gives other outputs." in captions(app)


def test_the_sums_in_the_text_add_up(open_page):
    app = open_page(PAGE, **{"f-size": 16, "f-kernel": KERNELS["motion-blur"].title})
    text = app.markdown[-1].value
    assert "**Sum of all cells: 1.**" in text
    assert "**Sums of its columns: 1/7, 1/7, 1/7, 1/7, 1/7, 1/7, 1/7.**" in text


def test_each_channel_is_filtered_alone(open_page, run_snippets):
    app = open_page(PAGE, **{"f-picture": IMAGES["chelsea"].title, "f-colour": "per channel", "f-size": 32})
    picture = images.load("chelsea", size=32).astype(float)
    expected = picture[:, 2:] - picture[:, :-2]
    expected = expected[:-2] + 2 * expected[1:-1] + expected[2:]
    np.testing.assert_allclose(run_snippets(app)[0][:, 0], expected.transpose(2, 0, 1))
    assert len(app.get("plotly_chart")) == 4


def test_a_blur_of_all_channels_is_put_together_again(open_page):
    blur = {"f-kernel": KERNELS["box-blur-3"].title}
    app = open_page(PAGE, **{"f-picture": IMAGES["chelsea"].title, "f-colour": "per channel"}, **blur)
    assert len(app.get("plotly_chart")) == 2
    assert "Drawn as a picture." in captions(app)


def test_a_sharpened_picture_says_how_much_of_it_is_cut_off(open_page, run_snippets):
    app = open_page(PAGE, **{"f-size": 64, "f-kernel": KERNELS["sharpen"].title})
    y = np.rint(run_snippets(app)[0])
    outside = np.count_nonzero((y < 0) | (y > 255))
    assert outside > 0
    assert f"{outside:,} of 3,844 outputs lie outside 0 to 255 and are cut off." in captions(app)


def test_a_wrong_cell_is_named_and_the_last_good_kernel_stays(open_page):
    app = open_page(PAGE, **OWN, **{"f-cells": "3,-3", "f-size": 32})
    before = reading(app)
    no_number = "is not a number such as -1, 0.5 or 1/9"
    for text, message in {
        "1,;0,1": "kernel cell (row 0, column 1) is empty; write 0 for a cell that does not count",
        "1,nan": f"kernel cell 'nan' (row 0, column 1) {no_number}",
        "1,2;3": "kernel row 1 has 1 cell, not 2 as row 0",
        "5000": "kernel cell 5000 (row 0, column 0) is not between -1000 and 1000",
        "![x](//a)": rf"kernel cell '!\[x\](//a)' (row 0, column 0) {no_number}",
    }.items():
        app.text_input(key="f-cells").set_value(text).run()
        assert not app.exception
        assert [error.value for error in app.error] == [message]
        assert reading(app) == before


def test_the_kernel_grows_shrinks_and_turns_by_its_buttons(open_page):
    app = open_page(PAGE, **OWN, **{"f-cells": "1,-1", "f-size": 32})
    for key, text in (("add", "1,-1;0,0"), ("remove", "1,-1")):
        app.button(key=f"f-Row-{key}").click().run()
        assert app.text_input(key="f-cells").value == text
    assert app.button(key="f-Row-remove").disabled
    app.button(key="f-Transpose-swap_horiz").click().run()
    assert "kernel 2 x 1" in reading(app)


def test_a_named_kernel_can_be_edited_and_ones_own_comes_back(open_page):
    app = open_page(PAGE, **{"f-kernel": KERNELS["box-blur-3"].title, "f-size": 32})
    app.button(key="f-edit").click().run()
    assert app.text_input(key="f-cells").value == "1/9,1/9,1/9;1/9,1/9,1/9;1/9,1/9,1/9"
    app.text_input(key="f-cells").set_value("2,-2").run()
    app.selectbox(key="f-kernel").set_value("sobel-y").run()
    app.selectbox(key="f-kernel").set_value("your-own").run()
    assert app.text_input(key="f-cells").value == "2,-2"


def test_a_kernel_larger_than_the_picture_is_refused_in_place_and_the_rest_stays(open_page):
    seven = ";".join(["1,0"] * 7)
    app = open_page(PAGE, **BOOK, **OWN, **{"f-cells": seven})
    assert not app.exception
    assert [error.value for error in app.error] == ["kernel size 7 x 2 exceeds picture size 6 x 8"]
    app.button(key="f-slide-way-out").click().run()
    assert not app.error
    assert "128 x 128 in, kernel 7 x 2" in reading(app)


@pytest.mark.parametrize(
    "query",
    [
        {"f-stride": 0, "f-size": 999999, "f-kernel": "no such kernel", "f-mode": "sideways", "f-row": -3},
        {
            "f-stride": "nan",
            "f-size": 129,
            "f-picture": "<script>alert(1)</script>",
            "f-mode": "",
            "f-look": "?",
        },
        {
            "f-stride": 10**30,
            "f-size": -8,
            "f-flip": "perhaps",
            "f-column": 999999,
            "f-colour": "per channel",
        },
    ],
)
def test_impossible_values_in_a_link_fall_back(open_page, query):
    app = open_page(PAGE, **query)
    assert (not app.exception, not app.error) == (True, True)
    assert "128 x 128 in, kernel 3 x 3, stride 1, no padding: 126 x 126 out." in reading(app)


def test_the_dial_makes_the_edge_kernel_of_any_direction(open_page, run_snippets):
    app = open_page(PAGE, **{"f-kernel": "Edges in any direction (a dial)", "f-size": 16})
    picture = images.to_grey(images.load("camera", size=16)).astype(float)
    sobel = [ops.corr2d(picture, KERNELS[f"sobel-{axis}"].values) for axis in "xy"]
    for degrees in (0, 45, 90, 120):
        app.select_slider(key="f-angle").set_value(degrees).run()
        assert (not app.exception, not app.error) == (True, True)
        angle = np.deg2rad(degrees)
        expected = np.cos(angle) * sobel[0] + np.sin(angle) * sobel[1]
        # Cells have 4 decimals, and a window has up to 9 pixels of 255.
        np.testing.assert_allclose(run_snippets(app)[0][0, 0], expected, atol=9 * 255 * 5e-5)
    assert "the direction of 120 degrees" in "".join(text.value for text in app.markdown)
    app.button(key="f-edit").click().run()
    assert app.text_input(key="f-cells").value == "-0.366,-1.7321,-1.366;1,0,-1;1.366,1.7321,0.366"


@pytest.mark.parametrize("angle", ["nan", "-3", "46", "<b>"])
def test_an_impossible_angle_in_a_link_falls_back(open_page, angle):
    app = open_page(PAGE, **{"f-kernel": "Edges in any direction (a dial)", "f-angle": angle, "f-size": 16})
    assert (not app.exception, not app.error) == (True, True)
    assert app.select_slider(key="f-angle").value in range(0, 181, 3)


def test_a_wrong_kernel_in_a_link_is_named_and_the_first_one_is_used(open_page):
    app = open_page(PAGE, **OWN, **{"f-cells": "1,two"})
    assert not app.exception
    assert "kernel cell 'two' (row 0, column 1) is not a number" in app.error[0].value
    assert "kernel 3 x 3" in reading(app)


def upload(app, content: bytes, name: str = "mine.png"):
    app.selectbox(key="f-picture").set_value("your-own").run()
    return app.file_uploader(key="f-upload").upload(name, content, "image/png").run()


def test_an_uploaded_picture_is_filtered_and_is_not_in_the_link(open_page):
    picture = np.zeros((20, 30), np.uint8)
    picture[:, 15:] = 200
    app = upload(open_page(PAGE), file_of(picture))
    assert not app.exception
    assert reading(app) == (
        "20 x 30 in, kernel 3 x 3, stride 1, no padding: 18 x 28 out. Outputs run from 0 to 800."
    )
    assert "not in the link" in captions(app)
    assert 'images.decode(open("my-picture.png", "rb").read())' in app.code[0].value


def test_an_uploaded_picture_is_read_once_in_each_visit_and_shared_with_none(open_page, monkeypatch):
    read, decode = [], images.decode
    monkeypatch.setattr(images, "decode", lambda raw: read.append(len(raw)) or decode(raw))
    mine = file_of(np.zeros((20, 30), np.uint8))
    app = upload(open_page(PAGE), mine)
    app.toggle(key="f-flip").set_value(True).run()
    assert read == [len(mine)]
    upload(open_page(PAGE), mine)
    assert read == [len(mine)] * 2


@pytest.mark.parametrize("look", ["Slide a kernel", "Learn a kernel", "Two in a row"])
def test_an_uploaded_picture_is_gone_when_another_is_chosen(open_page, look):
    app = upload(open_page(PAGE, **{"f-example": "a picture"}), file_of(np.zeros((20, 20), np.uint8)))
    app.button_group(key="f-view").set_value(look).run()
    assert app.session_state["f-uploaded"][1].shape == (20, 20)
    app.selectbox(key="f-picture").set_value("checkerboard").run()
    assert "f-uploaded" not in app.session_state
    assert ("f-shown" in app.session_state) == (look == "Slide a kernel")


def test_an_uploaded_picture_is_gone_where_the_book_has_its_place(open_page):
    app = upload(open_page(PAGE), file_of(np.zeros((20, 20), np.uint8)))
    app.button_group(key="f-view").set_value("Learn a kernel").run()
    assert "f-uploaded" not in app.session_state


def test_what_is_painted_on_an_uploaded_picture_is_not_in_the_link(open_page):
    app = upload(open_page(PAGE), file_of(np.zeros((20, 20), np.uint8)))
    app = edit(app, x=[(0, 0, 9)])
    assert "1 pixel is retouched. The link does not carry this." in captions(app)
    assert "f-retouched" not in app.query_params


def test_an_uploaded_colour_picture_has_channels(open_page):
    picture = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    app = upload(open_page(PAGE), file_of(picture))
    app.button_group(key="f-colour").set_value("per channel").run()
    app.button_group(key="f-channel").set_value("blue").run()
    np.testing.assert_array_equal(explored(app)["x"], [picture[..., 2]])


def test_a_file_that_is_no_picture_is_refused_in_place_and_the_bundled_picture_stays(open_page):
    app = open_page(PAGE)
    for content, message in {
        b"%!PS-Adobe-3.0 EPSF-3.0": "file is not a PNG, JPEG, WEBP, GIF or BMP picture",
        file_of(np.zeros((64, 64), np.uint8))[:60]: "picture is damaged or cut off",
        b"": "file is empty",
    }.items():
        upload(app, content, "![x](http://a).png")
        assert not app.exception
        assert message in app.error[0].value
        assert "128 x 128 in" in reading(app)


def test_a_picture_of_one_pixel_is_refused_by_the_kernel_not_by_the_page(open_page):
    app = upload(open_page(PAGE), file_of(np.zeros((1, 1), np.uint8)))
    assert not app.exception
    assert app.error[0].value == "kernel size 3 x 3 exceeds picture size 1 x 1"
    app.button_group(key="f-mode").set_value("zeros").run()
    assert (not app.exception, not app.error) == (True, True)
    assert "1 x 1 out" in reading(app)


def photograph(pixels: np.ndarray) -> tuple[str, bytes, str]:
    raw = io.BytesIO()
    Image.fromarray(pixels).save(raw, "JPEG")
    return "photo.jpg", raw.getvalue(), "image/jpeg"


def test_a_picture_from_the_webcam_is_filtered_and_is_not_in_the_link(open_page):
    app = open_page(PAGE)
    app.selectbox(key="f-picture").set_value("webcam").run()
    assert "If you refuse, or if there is no camera, nothing is lost" in captions(app)
    assert "128 x 128 in" in reading(app)
    app.camera_input(key="f-webcam").upload(*photograph(np.full((30, 40, 3), 200, np.uint8))).run()
    assert (not app.exception, not app.error) == (True, True)
    assert "30 x 40 in, kernel 3 x 3, stride 1, no padding: 28 x 38 out. All outputs are 0." in reading(app)
    assert "Your picture is not in the link." in captions(app)


def test_a_damaged_picture_from_the_webcam_is_refused_in_place(open_page):
    app = open_page(PAGE, **{"f-picture": "A picture from your webcam"})
    app.camera_input(key="f-webcam").upload("photo.jpg", b"\xff\xd8\xff", "image/jpeg").run()
    assert not app.exception
    assert "file is not a PNG" in app.error[0].value or "damaged" in app.error[0].value
    assert "128 x 128 in" in reading(app)


def test_without_a_camera_a_file_is_one_click_away(open_page):
    app = open_page(PAGE, **{"f-picture": "A picture from your webcam"})
    app.button(key="f-no-webcam").click().run()
    assert app.selectbox(key="f-picture").value == "your-own"
    assert len(app.file_uploader) == 1


def test_settings_outlive_a_look_at_something_else(open_page):
    app = open_page(PAGE, **{"f-kernel": KERNELS["emboss"].title, "f-stride": 2, "f-size": 64})
    before = reading(app)
    for look in ("Learn a kernel", "Two in a row", "Slide a kernel"):
        app.button_group(key="f-view").set_value(look).run()
        assert (not app.exception, not app.error) == (True, True), look
    assert reading(app) == before


def test_an_unknown_look_in_a_link_falls_back_to_the_first(open_page):
    app = open_page(PAGE, **{"f-view": "Sideways"})
    assert reading(app).startswith("128 x 128 in, kernel 3 x 3")
