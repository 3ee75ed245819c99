import io
import re

import numpy as np
import pytest
from PIL import Image

from cnn_core import images
from cnn_core.images import IMAGES
from cnn_core.kernels import KERNELS

PAGE = "chapter/filters.py"
BOOK = {"f-picture": IMAGES["book-edge"].title, "f-row": 2, "f-column": 1}
OWN = {"f-kernel": "Your own kernel"}


def reading(app) -> str:
    return next(text.value for text in app.markdown if " out. " in text.value).strip("*")


def written_sum(app) -> str:
    return next(text.value for text in app.markdown if text.value.startswith("$y_"))


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
    assert written_sum(app) == r"$y_{2,1} = {1 \cdot 1} + {(-1) \cdot 0} = 1$"
    for y in run_snippets(app):
        np.testing.assert_array_equal(np.asarray(y)[0, 0], np.tile([0, 1, 0, 0, 0, -1, 0], (6, 1)))


def test_the_transpose_of_the_books_kernel_finds_nothing(open_page, run_snippets):
    app = open_page(PAGE, **BOOK, **{"f-kernel": KERNELS["book-rows"].title})
    assert reading(app) == "6 x 8 in, kernel 2 x 1, stride 1, no padding: 5 x 8 out. Outputs run from 0 to 0."
    assert "All of them are 0, so vertical edges leave no trace in the output." in app.markdown[-1].value
    for y in run_snippets(app):
        np.testing.assert_array_equal(np.asarray(y), np.zeros((1, 1, 5, 8)))


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


def test_the_shown_products_add_up_to_the_shown_sum(open_page, run_snippets):
    app = open_page(PAGE, **{"f-size": 64, "f-row": 20, "f-column": 30})
    for name in ("sobel-x", "box-blur-3", "gaussian-5", "motion-blur", "emboss"):
        app.selectbox(key="f-kernel").set_value(name).run()
        shown = written_sum(app)
        terms = re.findall(r"\{\(?(-?\d+)\)? \\cdot (\d+)\}", shown)
        fraction = re.search(r"frac\{(-?\d+)\}\{(\d+)\}", shown.partition(") =")[2])
        total, denominator = fraction.groups() if fraction else (shown.split("= ")[-1][:-1], 1)
        assert sum(int(cell) * int(pixel) for cell, pixel in terms) == int(total), name
        y = run_snippets(app)[0]
        assert y[0, 0, 20, 30] == pytest.approx(int(total) / int(denominator), rel=1e-9)


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
    assert len(app.get("plotly_chart")) == 4 + 3


def test_a_blur_of_all_channels_is_put_together_again(open_page):
    blur = {"f-kernel": KERNELS["box-blur-3"].title}
    app = open_page(PAGE, **{"f-picture": IMAGES["chelsea"].title, "f-colour": "per channel"}, **blur)
    assert len(app.get("plotly_chart")) == 2 + 3
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
    assert [error.value for error in app.error] == [
        "effective kernel size 7 (kernel_size=7, dilation=1) exceeds padded input size 6 (input_size=6, padding=0)"
    ]
    assert app.button(key="f-try-Sobel on a photograph").click().run()
    assert not app.error


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


def test_an_uploaded_colour_picture_has_channels(open_page):
    picture = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    app = upload(open_page(PAGE), file_of(picture))
    app.button_group(key="f-colour").set_value("per channel").run()
    assert len(app.get("plotly_chart")) == 4 + 3


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
    assert "exceeds padded input size 1" in app.error[0].value
    app.button_group(key="f-mode").set_value("zeros").run()
    assert (not app.exception, not app.error) == (True, True)
    assert "1 x 1 out" in reading(app)
