import re

import numpy as np
import pytest
import torch

from cnn_core import examples, images

PAGE = "chapter/channels.py"
START = {
    "sum": "Output channel 0, row 0, column 0: 19 + 37 = 56",
    "cost": "1 x 28 x 28 in, 6 x 28 x 28 out: 156 parameters, 117,600 mult-adds",
}


def texts(app) -> list[str]:
    return [each.value.strip("*") for each in app.markdown]


def starting(app, beginning: str) -> list[str]:
    return [text for text in texts(app) if text.startswith(beginning)]


def sum_reading(app) -> str:
    return starting(app, "Output channel")[0]


def colour_reading(app) -> str:
    return starting(app, "In the middle of the picture: ")[0]


def product_reading(app) -> str:
    return starting(app, "Output channel")[1]


def cost_reading(app) -> str:
    return next(text for text in texts(app) if text.endswith(" mult-adds"))


def holds(equation: str) -> bool:
    """Tell whether what stands before the last equals sign of a reading gives what stands behind it."""
    left, right = equation.replace(" (bias)", "").replace("−", "-").rsplit(" = ", 1)
    left = left.rsplit(": ", 1)[-1]
    assert re.fullmatch(r"[-+.()\d· ]+", left)
    return abs(eval(left.replace("·", "*")) - float(right)) < 1e-9


def edit(app, x, weight):
    """Let the browser send edited numbers, as it does when the hand rests."""
    shown = repr(app.session_state["c-sum-explorer-shown"])
    sent = {"count": 1, "x": np.array(x).tolist(), "weight": np.array(weight).tolist(), "shown": shown}
    app.session_state["c-sum-explorer"] = {"edit": sent}
    app.run()


def test_the_page_opens_with_the_books_example(open_page):
    app = open_page(PAGE)
    assert not app.exception
    assert not app.error
    assert len(app.get("bidi_component")) == 1
    assert sum_reading(app) == START["sum"]
    assert "the other output channels have 76 (channel 1) and 96 (channel 2)" in app.caption[0].value
    assert r"y_{0,0,0} &= 0 + 19 + 37 = 56" in app.latex[0].value


def test_lenets_first_convolution_and_the_dense_layer_of_the_same_shape(open_page):
    app = open_page(PAGE)
    assert cost_reading(app) == START["cost"]
    dense = torch.nn.Linear(28 * 28, 6 * 28 * 28, device="meta")
    num_params = sum(parameter.numel() for parameter in dense.parameters())
    assert starting(app, "A dense layer")[0].split(" has ")[1].startswith(f"{num_params:,} parameters")


@pytest.mark.parametrize(
    "query",
    [
        {"c-sum-at-channel": 2, "c-sum-pin": "output.0.1.1"},
        {"c-sum-bias": -7, "c-sum-padding": 2, "c-sum-pin": "output.0.3.0"},
        {"c-sum-numbers": "Random", "c-sum-in": 4, "c-sum-out": 1, "c-sum-kernel": 3, "c-sum-seed": 17},
        {"c-sum-numbers": "Random", "c-sum-input": 28, "c-sum-kernel": 7, "c-sum-pin": "output.0.21.21"},
        {"c-sum-edited-x": "0.125_-2.5~1_0.0001~~3_4~0_-7", "c-sum-edited-w": "0.3333"},
    ],
)
def test_the_numbers_of_the_sum_add_up(open_page, query):
    app = open_page(PAGE, **query)
    assert not app.exception
    assert holds(sum_reading(app))
    _, row, column = re.findall(r"\d+", sum_reading(app))[:3]
    assert query.get("c-sum-pin", "output.0.0.0") == f"output.0.{row}.{column}"
    assert holds(app.latex[0].value.rsplit("&=", 1)[1].split(r" \end")[0])


@pytest.mark.parametrize(
    ("stride", "mode"), [(1, "zeros"), (2, "reflect"), (3, "circular"), (1, "replicate"), (8, "zeros")]
)
def test_the_sum_is_torchs(open_page, stride, mode):
    query = {"numbers": "Random", "input": 6, "kernel": 3, "padding": 2, "stride": stride, "mode": mode}
    query |= {"in": 3, "out": 2, "bias": 4, "seed": 5, "at-channel": 1, "pin": "output.0.0.0"}
    app = open_page(PAGE, **{f"c-sum-{name}": value for name, value in query.items()})
    x, weight = map(torch.tensor, examples.drawn(3, 2, input_size=6, kernel_size=3, seed=5))
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2), mode="constant" if mode == "zeros" else mode)
    y = torch.nn.functional.conv2d(padded, weight, torch.tensor([4.0, 4.0]).double(), stride)
    assert sum_reading(app).endswith(f" + 4 (bias) = {y[0, 1, 0, 0]:g}".replace("-", "−"))


def test_what_is_edited_counts_everywhere_on_the_page(open_page, run_snippets):
    app = open_page(PAGE, **{"c-sum-at-channel": 1, "c-sum-bias": 2})
    x, weight = examples.counting(2, 3, input_size=3, kernel_size=2)
    x[0, 1, 0, 0], weight[1, 0] = -0.5, [[0, 10], [0, 0]]
    edit(app, x[0], weight[1])
    assert sum_reading(app) == "Output channel 1, row 0, column 0: 10 + 46 + 2 (bias) = 58"
    assert "y_{1,0,0} &= 2 + 10 + 46 = 58" in app.latex[0].value
    expected = torch.nn.functional.conv2d(*map(torch.tensor, (x, weight, np.full(3, 2.0))))
    for shown in run_snippets(app)[:2]:
        np.testing.assert_array_equal(shown, expected)


def test_a_link_opens_what_was_edited(open_page):
    app = open_page(PAGE)
    x, weight = examples.counting(2, 3, input_size=3, kernel_size=2)
    edit(app, x[0] * 0.25, weight[0])
    link = {key: app.query_params[key] for key in ("c-sum-edited-x", "c-sum-edited-w")}
    again = open_page(PAGE, **link)
    assert sum_reading(again) == sum_reading(app) == "Output channel 0, row 0, column 0: 4.75 + 9.25 = 14"


def test_another_size_keeps_the_edited_numbers_that_fit_and_other_numbers_drop_them(open_page):
    app = open_page(PAGE)
    x, weight = examples.counting(2, 3, input_size=3, kernel_size=2)
    x[0, 0, 0, 1] = 100
    edit(app, x[0], weight[0])
    assert sum_reading(app).endswith(": 118 + 37 = 155")
    app.select_slider("c-sum-input").set_value(4).run()
    assert not app.exception
    # What was edited lies in the upper left, so the first window is the same.
    assert sum_reading(app).endswith(": 118 + 37 = 155")
    app.segmented_control("c-sum-numbers").set_value("Random").run()
    app.segmented_control("c-sum-numbers").set_value("Counting up, as in the book").run()
    assert "118" not in sum_reading(app)


@pytest.mark.parametrize("wrong", [np.nan, 1e308, "a"])
def test_numbers_that_cannot_be_are_refused_and_the_last_stay(open_page, wrong):
    app = open_page(PAGE)
    x, weight = examples.counting(2, 3, input_size=3, kernel_size=2)
    edit(app, np.where(x[0] == 5, wrong, x[0]), weight[0])
    assert not app.exception
    assert "The numbers are as they were." in app.error[0].value
    assert sum_reading(app) == START["sum"]


def test_a_grid_of_another_size_is_refused(open_page):
    app = open_page(PAGE)
    edit(app, np.zeros((1, 1000, 1000)), np.zeros((2, 2, 2)))
    assert not app.exception
    assert "is not the shape (2, 3, 3)" in app.error[0].value
    assert sum_reading(app) == START["sum"]


def test_a_pin_that_lies_outside_the_output_gives_way_to_the_first_output(open_page):
    app = open_page(PAGE, **{"c-sum-padding": 1, "c-sum-pin": "output.0.3.2"})
    assert sum_reading(app).startswith("Output channel 0, row 3, column 2: ")
    app.select_slider("c-sum-padding").set_value(0).run()
    assert sum_reading(app) == START["sum"]


def test_every_setting_of_the_small_layer_is_legal(open_page):
    app = open_page(PAGE, **{"c-sum-padding": 6, "c-sum-kernel": 7, "c-sum-stride": 8})
    assert app.segmented_control("c-sum-mode").options == ["zeros", "replicate"]
    app.select_slider("c-sum-padding").set_value(2).run()
    assert app.segmented_control("c-sum-mode").options == ["zeros", "reflect", "replicate", "circular"]
    app.segmented_control("c-sum-mode").set_value("reflect").run()
    app.select_slider("c-sum-padding").set_value(3).run()
    assert app.segmented_control("c-sum-mode").options == ["zeros", "replicate", "circular"]
    app.select_slider("c-sum-padding").set_value(0).run()
    assert app.select_slider("c-sum-kernel").value == 3
    assert not app.exception
    assert not app.error


def test_the_parts_of_every_colour_picture_add_up_with_every_kernel(open_page):
    app = open_page(PAGE)
    pictures = [name for name, picture in images.IMAGES.items() if picture.colour]
    for key, names in (("c-rgb-picture", pictures), ("c-rgb-kernel", ["sobel-x", "sobel-y", "laplacian-4"])):
        for name in names:
            app.selectbox(key).set_value(name).run()
            assert not app.exception
            assert holds(colour_reading(app))


def test_grey_weights_give_the_brightness_of_the_pixel_in_the_middle(open_page):
    picture = images.load("astronaut", size=128)
    brightness = float(colour_reading(open_page(PAGE)).rsplit(" = ", 1)[1])
    assert round(brightness) == images.to_grey(picture)[64, 64]


def test_the_page_says_what_the_weights_do_to_a_grey_pixel(open_page):
    app = open_page(PAGE, **{"c-rgb-red": 0.5, "c-rgb-green": 0.25})
    for blue, meaning in (
        (-0.75, "The weights add up to 0. A grey pixel gives 0, so only colour counts."),
        (0.25, "The weights add up to 1. A grey pixel keeps its value."),
        (1.25, "The weights add up to 2. A grey pixel is multiplied by this number."),
    ):
        app.number_input("c-rgb-blue").set_value(blue).run()
        assert meaning in "\n".join(texts(app))


def test_a_one_by_one_convolution_is_a_matrix_product(open_page):
    sizes = {"c-one-in": 4, "c-one-out": 4, "c-one-input": 4, "c-one-seed": 9}
    app = open_page(PAGE, **sizes, **{"c-one-at-channel": 3, "c-one-at-row": 1, "c-one-at-column": 2})
    assert holds(product_reading(app))
    assert starting(app, "Both ways")[0].endswith("largest difference **0**.")


@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (2, 3), (8, 2)])
def test_cost_is_that_of_torchs_layer(open_page, groups, stride):
    query = {"input": 14, "kernel": 3, "padding": 1, "stride": stride, "in": 8, "out": 16, "groups": groups}
    app = open_page(PAGE, **{f"c-cost-{key}": value for key, value in query.items()})
    layer = torch.nn.Conv2d(8, 16, 3, stride, 1, groups=groups)
    num_params = sum(parameter.numel() for parameter in layer.parameters())
    mult_adds = layer.weight.numel() * layer(torch.zeros(1, 8, 14, 14))[0, 0].numel()
    assert cost_reading(app).endswith(f": {num_params:,} parameters, {mult_adds:,} mult-adds")


def test_groups_that_no_longer_divide_the_channels_fall_back(open_page):
    varied = {"c-cost-varied": "Channels in"}
    app = open_page(PAGE, **varied, **{"c-cost-in": 8, "c-cost-out": 8, "c-cost-groups": 8})
    assert ", 8 groups: " in cost_reading(app)
    assert app.segmented_control("c-cost-varied").value == "Channels in"
    app.number_input("c-cost-out").set_value(9).run()
    assert not app.exception
    assert "groups" not in cost_reading(app)


def test_a_larger_kernel_than_the_padded_input_cannot_be_dialled(open_page):
    app = open_page(PAGE, **{"c-cost-kernel": 7})
    app.select_slider("c-cost-padding").set_value(0).run()
    app.number_input("c-cost-input").set_value(4).run()
    assert not app.error
    assert app.select_slider("c-cost-kernel").value == 4


@pytest.mark.parametrize(
    "query",
    [
        {"c-sum-input": -3, "c-rgb-red": "nan", "c-one-input": 0, "c-cost-in": 0},
        {"c-sum-kernel": "nan", "c-rgb-red": 1e30, "c-one-in": 99, "c-cost-out": 999999},
        {"c-sum-pin": "output.0.999.999", "c-rgb-kernel": "none", "c-one-seed": -1, "c-cost-groups": 7},
        {"c-sum-pin": "<script>", "c-sum-edited-x": "1e308_nan", "c-sum-edited-w": "0~~~~~~x"},
        {"c-sum-numbers": "<script>", "c-rgb-picture": "../../etc/passwd", "c-cost-varied": "sideways"},
    ],
)
def test_an_impossible_value_in_a_link_falls_back_to_the_default(open_page, query):
    app = open_page(PAGE, **query)
    assert not app.exception
    assert not app.error
    assert sum_reading(app) == START["sum"]
    assert colour_reading(app) == "In the middle of the picture: 5.681 + 8.805 + 0.798 = 15.284"
    assert product_reading(app) == "Output channel 0, row 0, column 0: (−2) · 8 + 1 · 8 + 1 · 5 = −3"
    assert cost_reading(app) == START["cost"]


def test_fewer_output_channels_take_the_chosen_one_with_them(open_page):
    app = open_page(PAGE, **{"c-sum-at-channel": 2})
    app.select_slider("c-sum-out").set_value(2).run()
    assert not app.exception
    assert sum_reading(app).startswith("Output channel 1, ")


def test_each_setting_to_try_opens_and_the_way_back_leads_to_the_start(open_page):
    app = open_page(PAGE)
    start = texts(app)
    for prefix in ("c-sum-", "c-rgb-", "c-one-", "c-cost-"):
        buttons = [button.key for button in app.button if button.key.startswith(f"{prefix}try-")]
        assert len(buttons) >= 3
        for key in buttons:
            app.button(key=key).click().run()
            assert not app.exception
            assert not app.error
            assert texts(app) != start
        app.button(key=f"{prefix}reset").click().run()
        assert texts(app) == start


def test_two_strong_channels_cancel_out(open_page):
    app = open_page(PAGE)
    app.button(key="c-sum-try-Cancel out").click().run()
    assert sum_reading(app).startswith("Output channel 0, row 1, column 2: ")
    assert sum_reading(app).endswith(" = 0")
    first, second = (
        int(each) for each in re.findall(r"-?\d+(?=\)? \+|\)? =)", sum_reading(app).replace("−", "-"))
    )
    assert first == -second
    assert abs(first) > 20


@pytest.mark.parametrize(
    "query",
    [
        {"c-sum-padding": 2, "c-sum-bias": 3, "c-sum-kernel": 3, "c-sum-in": 4, "c-one-in": 1},
        {
            "c-sum-input": 28,
            "c-sum-padding": 3,
            "c-sum-mode": "circular",
            "c-sum-stride": 3,
            "c-sum-edited-x": "0.1_-2",
            "c-sum-edited-w": "0.0001",
        },
        {
            "c-sum-numbers": "Random",
            "c-sum-input": 5,
            "c-sum-seed": 2,
            "c-rgb-kernel": "Sobel, top to bottom",
            "c-rgb-blue": -1.25,
            "c-rgb-picture": "Cup of coffee",
            "c-one-in": 4,
            "c-one-seed": 1,
            "c-cost-in": 32,
            "c-cost-out": 64,
            "c-cost-groups": 32,
            "c-cost-stride": 2,
        },
    ],
)
def test_the_snippets_run_and_agree_with_each_other(open_page, run_snippets, query):
    results = run_snippets(open_page(PAGE, **query))
    assert len(results) == 8
    for ours, theirs in zip(results[::2], results[1::2], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-9)


def test_the_snippets_give_what_the_page_shows(open_page, run_snippets):
    edited = {"c-sum-input": 12, "c-sum-edited-x": "0.5_-2_7", "c-sum-pin": "output.0.4.10"}
    for query, at in (({"c-sum-bias": 2}, (0, 0)), (edited, (4, 10)), (edited | {"c-sum-pin": ""}, (0, 0))):
        app = open_page(PAGE, **query)
        summed, _, colours, _, product, _, num_params, _ = run_snippets(app)
        assert sum_reading(app).endswith(f" = {summed[0, 0, *at]:g}".replace("-", "−"))
        assert colour_reading(app).endswith(f" = {colours[0, 0, 64, 64]:.6g}")
        assert product_reading(app).endswith(f" = {product[0, 0, 0, 0]:g}".replace("-", "−"))
        assert f": {num_params:,} parameters" in cost_reading(app)


def test_few_numbers_are_written_out_in_the_code_and_many_are_made_there(open_page):
    few = open_page(PAGE).code[0].value
    assert "    [[0, 1, 2], [3, 4, 5], [6, 7, 8]],\n" in few
    assert "examples" not in few
    many = open_page(PAGE, **{"c-sum-input": 28, "c-sum-edited-x": "0.5_-2"}).code[0].value
    assert (
        "x, weight = examples.counting(2, 3, input_size=28, kernel_size=2)\nx[0, 0, 0] = [0.5, -2, 2, "
        in many
    )
    assert len(many.splitlines()) == 7
