import io
import re

import numpy as np
import pytest
from PIL import Image

from cnn_core import images, learning, ops
from cnn_core.images import IMAGES
from cnn_core.kernels import KERNELS
from cnn_core.learning import MEAN
from ui.chapter import filters_questions
from ui.chapter.filters_learn_text import diverges, explanation, pace
from ui.chapter.filters_task import Task

PAGE = "chapter/filters.py"
LOOK = {"f-view": "Learn a kernel"}
PICTURE = LOOK | {"f-example": "a picture", "f-size": 32}


def reading(app) -> str:
    return next(text.value for text in app.markdown if text.value.startswith("**After")).strip("*")


def texts(app) -> str:
    return "\n".join(text.value for kind in (app.markdown, app.caption) for text in kind)


def learned(app, run_snippets) -> np.ndarray:
    ours, torch = run_snippets(app)
    np.testing.assert_allclose(ours, torch.numpy(), rtol=1e-9, atol=1e-9)
    return ours


def far(app) -> float:
    return float(re.search(r"cell is ([\d.]+)", reading(app))[1])


def upload(app, pixels: np.ndarray):
    raw = io.BytesIO()
    Image.fromarray(pixels).save(raw, "PNG")
    app.selectbox(key="f-picture").set_value("your-own").run()
    return app.file_uploader(key="f-upload").upload("mine.png", raw.getvalue(), "image/png").run()


def test_the_look_opens_with_ten_steps_of_the_book(open_page, run_snippets):
    app = open_page(PAGE, **LOOK)
    assert (not app.exception, not app.error, not app.warning) == (True, True, True)
    assert reading(app).startswith("After 10 steps: loss ")
    assert "Largest stable learning rate: 0.0333, which is 2 over the steepest curvature, 60." in texts(app)
    assert "The loss is the **sum** of the squared errors, as in the book." in texts(app)
    kernel = learned(app, run_snippets)
    assert far(app) == pytest.approx(np.max(np.abs(kernel - [[1, -1]])), rel=0.01)


def slope_of(x, kernel, reduction="sum"):
    return learning.bowl(x, ops.corr2d(x, kernel), kernel.shape, reduction=reduction)


def test_the_direction_that_takes_longest_is_the_steepest_or_the_flattest():
    """The book's curvatures are 60 and 12: at 0.03 a step leaves -0.8 and 0.64, and 0.8 to the 11th is below 0.1."""
    book = slope_of(images.load("book-edge").astype(float), KERNELS["book-columns"].values)
    assert pace(book, 0.03).endswith("In the steepest direction, an error ten times smaller takes 11 steps.")
    assert "At a rate of 0.03, the steepest sets the pace." in explanation(book, 0.03, "sum")
    assert pace(book, 0.005).endswith("In the flattest direction, an error ten times smaller takes 38 steps.")
    assert "sets the pace" not in explanation(book, 0.04, "sum")
    camera = slope_of(images.load("camera", size=64) / 255, KERNELS["sobel-x"].values, MEAN)
    assert pace(camera, 0.3).endswith(
        "In the flattest direction, an error ten times smaller takes 4,574 steps."
    )
    assert "At a rate of 0.3, the flattest sets the pace." in explanation(camera, 0.3, MEAN)
    even = slope_of(np.ones((5, 5)), np.ones((2, 2)))
    assert "In the only direction that shows, an error" in pace(even, 0.5 * even.largest_rate)


@pytest.mark.parametrize(("kernel", "rate"), [("second-y", 0.1), ("second-y", 0.01), ("motion-blur", 0.1)])
def test_a_factor_that_is_not_1_is_not_written_as_1(kernel, rate):
    task = Task(images.load("camera", size=64) / 255, "", KERNELS[kernel].values, MEAN, "f-rate", rate, 0, 10)
    why = filters_questions.learning(task)["rate"]().why
    after, before = map(float, re.search(r"in the flattest by ([\d.]+) \(before: ([\d.]+)\)", why).groups())
    flattest = task.bowl.curvatures[task.bowl.rank - 1]
    assert after < before < 1
    assert [after, before] == pytest.approx([1 - 2 * rate * flattest, 1 - rate * flattest], abs=5e-4)


@pytest.mark.parametrize("factor", [0.9996, -0.99996, -1.0004, 1 - 1e-9])
def test_a_factor_beside_1_has_as_many_decimals_as_that_takes(factor):
    assert float(filters_questions.write_factor(factor)) == pytest.approx(factor, abs=1e-12)


def test_at_exactly_the_largest_rate_the_loss_is_not_said_to_grow():
    """One pixel, one cell: the loss is (k - 1) squared, its curvature 2. At a rate of 1 the error turns its sign."""
    one = slope_of(np.ones((1, 1)), np.ones((1, 1)))
    told = {
        rate: diverges(one, learning.descend(one, np.zeros((1, 1)), learning_rate=rate, num_steps=3), rate, 3)
        for rate in (1.0, 1.1)
    }
    assert told[1.0].startswith("The loss does not grow, but it never comes down to its lowest point.")
    assert "multiplies the error in the steepest direction by -1:" in told[1.0]
    assert told[1.1].startswith("The loss grows: from 1 to 2.99.")


def test_buttons_take_steps_and_go_back_to_the_start(open_page):
    app = open_page(PAGE, **LOOK)
    for key, steps in {"more-1": 11, "more-10": 21, "more-100": 121, "more-1000": 1121, "step-0": 0}.items():
        app.button(key=f"f-{key}").click().run()
        assert reading(app).startswith(f"After {steps:,} steps: loss ")
        assert app.number_input(key="f-steps").value == steps
    assert app.button(key="f-step-0").disabled
    app.button(key="f-more-1").click().run()
    assert reading(app).startswith("After 1 step: loss ")


def test_the_same_seed_gives_the_same_run_and_another_seed_another(open_page):
    first, again, other = (reading(open_page(PAGE, **LOOK, **{"f-seed": seed})) for seed in (3, 3, 4))
    assert first == again != other


def test_a_rate_that_is_too_large_is_said_and_a_smaller_one_is_one_click_away(open_page):
    app = open_page(PAGE, **LOOK, **{"f-book-rate": 0.05, "f-steps": 15})
    assert not app.exception
    assert app.error[0].value.startswith("The loss grows: from 6.83 to ")
    assert "The learning rate 0.05 should be below 0.0333." in app.error[0].value
    assert "multiplies the error in the steepest direction by -2:" in app.error[0].value
    assert reading(app).startswith("After 15 steps: ")
    app.button(key="f-safe-rate").click().run()
    assert (not app.error, app.number_input(key="f-book-rate").value) == (True, 0.03)
    assert far(app) < 0.01
    assert "f-safe-rate" not in [button.key for button in app.button]


def test_a_run_without_end_stops_and_shows_how_far_it_came(open_page, run_snippets):
    app = open_page(PAGE, **LOOK, **{"f-book-rate": 10_000, "f-steps": 5000})
    assert not app.exception
    steps = int(re.search(r"After (\d+) steps there is no use in more", app.error[0].value)[1])
    assert reading(app).startswith(f"After {steps} steps: loss ")
    assert np.all(np.isfinite(learned(app, run_snippets)))


def test_the_rate_that_is_offered_says_what_it_is(open_page):
    app = open_page(PAGE, **LOOK, **{"f-book-rate": 0.05})
    assert app.button(key="f-safe-rate").help == "About nine tenths of the largest stable one."
    dark = np.zeros((12, 12), np.uint8)
    dark[5, 5] = 1
    app = upload(open_page(PAGE, **PICTURE), dark)
    offered = app.button(key="f-safe-rate")
    assert (offered.label, offered.help) == ("Learning rate 10000", "The largest that this page takes.")


def test_every_named_kernel_is_learned_from_a_photograph_with_the_first_rate(open_page, run_snippets):
    app = open_page(PAGE, **PICTURE, **{"f-steps": 100})
    for name, kernel in KERNELS.items():
        app.selectbox(key="f-kernel").set_value(name).run()
        assert (not app.exception, not app.error, not app.warning) == (True, True, True), name
        assert learned(app, run_snippets).shape == kernel.values.shape


@pytest.mark.parametrize("name", IMAGES)
def test_every_picture_can_be_learned_from_with_the_first_rate(open_page, name):
    app = open_page(
        PAGE, **PICTURE, **{"f-picture": IMAGES[name].title, "f-kernel": KERNELS["gaussian-5"].title}
    )
    assert (not app.exception, not app.error) == (True, True)
    assert bool(app.warning) == (name in ("book-edge", "gradient"))


def test_a_kernel_that_a_photograph_shows_is_found(open_page, run_snippets):
    edge = {"f-kernel": KERNELS["book-columns"].title, "f-rate": 1, "f-steps": 2000}
    app = open_page(PAGE, **PICTURE, **edge)
    np.testing.assert_allclose(learned(app, run_snippets), [[1, -1]], atol=0.001)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((12, 12), np.uint8), "The input is black, so every kernel gives 0. Of 9 directions, 0"),
        (
            np.full((12, 12), 90, np.uint8),
            "no contrast: all pixels are equal. So the output tells only the sum of all",
        ),
        (np.tile(np.arange(0, 240, 20, dtype=np.uint8)[:, None], 12), "All columns of the input are equal."),
        (
            np.arange(16, dtype=np.uint8).reshape(4, 4) ** 2 % 251,
            "There are fewer equations than cells: 4 outputs, 9 c",
        ),
    ],
)
def test_a_picture_that_does_not_show_the_kernel_says_why(open_page, pixels, words):
    app = upload(open_page(PAGE, **PICTURE), pixels.astype(np.uint8))
    assert (not app.exception, not app.error) == (True, True)
    assert words in app.warning[0].value
    assert "Add any of these to the kernel, any number of times: no output changes." in texts(app)


def test_a_row_of_cells_on_an_even_slope_is_not_told_apart(open_page):
    app = open_page(
        PAGE, **PICTURE, **{"f-picture": IMAGES["gradient"].title, "f-kernel": KERNELS["motion-blur"].title}
    )
    assert "In every window, some pixels follow from the others." in app.warning[0].value
    assert "the rank of the windows is 2 of 7." in app.warning[0].value


def test_a_kernel_larger_than_the_picture_is_refused_and_the_photograph_is_one_click_away(open_page):
    own = {"f-kernel": "Your own kernel", "f-cells": "1;1;1;1;1;1;2"}
    app = open_page(PAGE, **PICTURE | {"f-picture": IMAGES["book-edge"].title}, **own)
    assert not app.exception
    assert "effective kernel size 7" in app.error[0].value
    app.button(key="f-learn-way-out").click().run()
    assert not app.error
    assert app.text_input(key="f-cells").value == "1;1;1;1;1;1;2"
    assert reading(app).startswith("After 10 steps")


def test_every_setting_to_try_opens(open_page):
    app = open_page(PAGE, **LOOK)
    beginning = reading(app)
    for key in [button.key for button in app.button if button.key.startswith("f-try-")]:
        app.button(key=key).click().run()
        assert not app.exception, key
        assert reading(app) != beginning, key
    assert app.warning


@pytest.mark.parametrize(
    "query",
    [
        {"f-steps": -5, "f-seed": "nan", "f-book-rate": 0, "f-example": "<b>"},
        {"f-steps": 10**30, "f-seed": 999, "f-book-rate": "inf"},
        {"f-book-rate": "nan", "f-steps": "many"},
    ],
)
def test_impossible_values_in_a_link_fall_back(open_page, query):
    app = open_page(PAGE, **LOOK, **query)
    assert not app.exception
    assert reading(app).startswith("After ")
