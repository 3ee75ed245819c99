import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from streamlit.testing.v1 import AppTest

from cnn_core import scene
from cnn_core.geometry import Axis
from cnn_core.plots.theme import DARK, LIGHT
from ui import explorer

X = np.arange(9.0).reshape(1, 3, 3)
WEIGHT = np.arange(8.0).reshape(2, 1, 2, 2)
SENT_X = [[[9, 8.5, 7], [6, -5, 4], [3, 2, 1]]]
SENT_WEIGHT = [[[1, 0], [0, -1]]]


def demo():
    import numpy as np
    import streamlit as st

    from cnn_core import scene
    from cnn_core.geometry import Axis
    from ui import explorer

    state = st.session_state
    given = {"size": 3, "channels": 2, "channel": 0, "padding": 0, "base": "counting", "pooling": False}
    given |= {"first": (0, 0), "part": None}
    given |= state.get("given", {})
    axis = Axis(given["size"], 2, padding=given["padding"])
    x = np.arange(float(axis.input_size**2)).reshape(1, axis.input_size, axis.input_size)
    weight = np.arange(4.0 * given["channels"]).reshape(given["channels"], 1, 2, 2)
    x, weight = explorer.numbers(x, None if given["pooling"] else weight, prefix="d-", base=given["base"])
    if given["pooling"]:
        shown = scene.pooling(x, axis, axis)
    else:
        shown = scene.convolution(x, weight[given["channel"]], axis, axis)
    state["x"], state["weight"], state["pinned"] = (
        x,
        weight,
        explorer.pinned_output("d-", shown, first=given["first"]),
    )
    explorer.show(shown, prefix="d-", channel=given["channel"], first=given["first"], part=given["part"])


def open_demo(*, query=None, **given):
    app = AppTest.from_function(demo, default_timeout=120)
    app.session_state["given"] = given
    for key, value in (query or {}).items():
        app.query_params[key] = value
    return rerun(app)


def rerun(app, **given):
    app.session_state["given"] = app.session_state["given"] | given
    app.run()
    assert not app.exception
    return app


def edit_of(app, count=1, **changes):
    """Write what the browser sends when the hand rests."""
    edit = {"count": count, "x": SENT_X, "weight": SENT_WEIGHT, "shown": data_of(app)["shown"]}
    return {"edit": edit | changes}


def send(app, count=1, **changes):
    app.session_state["d-explorer"] = edit_of(app, count, **changes)
    return rerun(app)


def send_pin(app, cell, count=1):
    app.session_state["d-explorer"] = {"pin": {"count": count, "cell": cell}}
    return rerun(app)


def data_of(app):
    return json.loads(app.get("bidi_component")[0].proto.json)


def address(app):
    return {key: value if isinstance(value, str) else value[0] for key, value in app.query_params.items()}


def assert_numbers(app, x=X, weight=WEIGHT):
    np.testing.assert_array_equal(app.session_state["x"], x)
    np.testing.assert_array_equal(app.session_state["weight"], weight)


# Edits that are right


def test_edited_numbers_are_used_and_go_into_the_address():
    app = send(open_demo())
    assert_numbers(app, SENT_X, [SENT_WEIGHT, WEIGHT[1]])
    assert address(app) == {
        "d-edited-x": "9_8.5_7~6_-5_4~3_2_1",
        "d-edited-w": "1_0~0_-1~~~4_5~6_7",
    }
    assert data_of(app)["x"] == SENT_X
    assert data_of(app)["counts"]["edit"] == 1
    assert not app.error


def test_the_address_brings_edited_numbers_back():
    app = open_demo(query=address(send(open_demo())))
    assert_numbers(app, SENT_X, [SENT_WEIGHT, WEIGHT[1]])


def test_the_kernels_of_each_output_channel_are_edited_apart():
    app = send(open_demo())
    rerun(app, channel=1)
    send(app, 2, weight=[[[7, 7], [7, 7]]])
    assert_numbers(app, SENT_X, [SENT_WEIGHT, np.full((1, 2, 2), 7)])


def test_pooling_has_numbers_of_the_input_alone():
    app = send(open_demo(pooling=True), weight=None)
    assert_numbers(app, SENT_X, None)
    assert address(app) == {"d-edited-x": "9_8.5_7~6_-5_4~3_2_1"}


def test_an_edit_is_taken_once():
    app = send(open_demo())
    send(app, x=X[:, ::-1].tolist())
    assert_numbers(app, SENT_X, [SENT_WEIGHT, WEIGHT[1]])
    send(app, 2, x=X[:, ::-1].tolist())
    assert_numbers(app, X[:, ::-1], [SENT_WEIGHT, WEIGHT[1]])


def test_another_base_drops_the_edits():
    app = rerun(send(open_demo()), base="drawn")
    assert_numbers(app)
    assert address(app) == {}
    assert_numbers(rerun(app, base="counting"))


def test_another_size_keeps_the_edits_that_fit():
    app = rerun(send(open_demo()), size=4)
    larger = np.arange(16.0).reshape(1, 4, 4)
    larger[:, :3, :3] = SENT_X
    assert_numbers(app, larger, [SENT_WEIGHT, WEIGHT[1]])
    rerun(app, size=2, channels=1)
    assert_numbers(app, [[[9, 8.5], [6, -5]]], [SENT_WEIGHT])
    rerun(app, size=3, channels=2)
    assert_numbers(app, SENT_X, [SENT_WEIGHT, WEIGHT[1]])


@pytest.mark.parametrize("given", [{"size": 4}, {"size": 2}, {"channels": 1}])
def test_an_edit_that_comes_together_with_another_size_keeps_what_fits(given):
    app = open_demo()
    app.session_state["d-explorer"] = edit_of(app)
    rerun(app, **given)
    fits = np.s_[0, : given.get("size", 3), : given.get("size", 3)]
    np.testing.assert_array_equal(app.session_state["x"][fits][:3, :3], np.array(SENT_X)[fits])
    np.testing.assert_array_equal(app.session_state["weight"][0], SENT_WEIGHT)


def test_an_edit_of_another_part_of_the_picture_is_refused():
    app = open_demo(part=(0, 0))
    late = edit_of(app)
    app.session_state["d-explorer"] = late
    rerun(app, part=(5, 5))
    assert_numbers(app, SENT_X, [SENT_WEIGHT, WEIGHT[1]])
    app.session_state["d-explorer"] = {"edit": late["edit"] | {"count": 2, "x": X.tolist()}}
    rerun(app)
    assert_numbers(app, SENT_X, [SENT_WEIGHT, WEIGHT[1]])
    assert app.error[0].value.startswith("edited numbers came for another figure than the one shown")


def test_an_edit_of_an_output_channel_that_is_gone_harms_nothing():
    app = open_demo(channel=1)
    app.session_state["d-explorer"] = edit_of(app)
    rerun(app, channels=1, channel=0)
    np.testing.assert_array_equal(app.session_state["weight"], WEIGHT[:1])


def test_more_numbers_than_a_link_carries_are_kept_for_the_visit_and_the_page_says_so():
    app = open_demo(size=28)
    x = np.round(np.random.default_rng(0).uniform(-1000, 1000, (1, 28, 28)), 4)
    send(app, x=x.tolist())
    for _ in range(2):
        np.testing.assert_array_equal(app.session_state["x"], x)
        assert "d-edited-x" not in app.query_params
        assert app.caption[0].value.startswith("These are too many edited numbers for a link.")
        rerun(app)


# Edits that cannot be right


def with_one(number):
    """Put something into the middle of the input."""
    return [[[1, 2, 3], [4, number, 6], [7, 8, 9]]]


REFUSED = {
    "smaller": (
        {"x": [[[1, 2], [3, 4]]]},
        "input of shape (1, 2, 2) is not the shape (1, 3, 3) of the figure",
    ),
    "huge": ({"x": [[[0] * 1000] * 1000]}, "input of shape (1, 1000, 1000) is not the shape (1, 3, 3)"),
    "deep": ({"x": [[[[[[1]]]]]]}, "is not the shape (1, 3, 3) of the figure"),
    "flat": ({"x": [1, 2, 3]}, "input of shape (3,) is not the shape"),
    "empty": ({"x": []}, "is not the shape"),
    "ragged": ({"x": [[[1, 2, 3], [4, 5], [6, 7, 8]]]}, "input"),
    "deeper in one place": ({"x": with_one([1])}, "input"),
    "NaN": ({"x": with_one(float("nan"))}, "input holds something that is not a number"),
    "none": ({"x": with_one(None)}, "input holds something that is not a number"),
    "infinite": ({"x": with_one(float("inf"))}, "input holds something that is not a number"),
    "words": ({"x": with_one("seven")}, "input holds something that is not a number"),
    "object": ({"x": with_one({})}, "input holds something that is not a number"),
    "1e308": ({"x": with_one(1e308)}, "input 1e+308 is not between -1000 and 1000"),
    "1e9": ({"x": with_one(-1e9)}, "input -1e+09 is not between -1000 and 1000"),
    "400 digits": ({"x": with_one(10**400)}, "input"),
    "no input": ({"x": None}, "input of shape () is not the shape"),
    "text for all": ({"x": "abc"}, "input of shape () is not the shape"),
    "object for all": ({"x": {"0": 1}}, "input of shape () is not the shape"),
    "no kernel": ({"weight": None}, "kernel of shape () is not the shape (1, 2, 2)"),
    "kernel of another size": ({"weight": [[[1]]]}, "kernel of shape (1, 1, 1) is not the shape (1, 2, 2)"),
    "kernel NaN": ({"weight": [[[0, 0], [0, float("nan")]]]}, "kernel holds something that is not a number"),
    "another figure": (
        {"shown": "((1, 3, 3), (1, 2, 2), 1, None)"},
        "came for another figure than the one shown",
    ),
    "no figure": ({"shown": None}, "edited numbers came for another figure"),
    "a list of figures": ({"shown": [0]}, "edited numbers came for another figure"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_edit_is_refused_in_place_and_the_last_good_numbers_stay(changes, message):
    app = send(open_demo())
    good = address(app)
    send(app, 2, **changes)
    assert message in app.error[0].value
    assert app.error[0].value.endswith(". The numbers are as they were.")
    assert_numbers(app, SENT_X, [SENT_WEIGHT, WEIGHT[1]])
    assert address(app) == good
    assert data_of(app)["counts"]["edit"] == 2
    send(app, 3)
    assert not app.error


@pytest.mark.parametrize("count", [0, -1, 10**9, 10**400, True, False, 1.0, float("nan"), "1", None, [1]])
def test_an_edit_without_a_proper_count_is_passed_over(count):
    app = send(open_demo(), count)
    assert_numbers(app)
    assert_numbers(send(app), SENT_X, [SENT_WEIGHT, WEIGHT[1]])


@pytest.mark.parametrize(
    "sent", [[], "edit", 7, None, {"edit": [1, 2]}, {"edit": "x"}, {"edit": None}, {"edit": {}}, {"pin": 3}]
)
def test_something_else_than_an_edit_is_passed_over(sent):
    app = open_demo()
    app.session_state["d-explorer"] = sent
    assert_numbers(rerun(app))
    assert_numbers(send(app), SENT_X, [SENT_WEIGHT, WEIGHT[1]])


# The address


def numbers_within(ndim):
    shapes = arrays.array_shapes(min_dims=ndim, max_dims=ndim, max_side=4)
    four_decimals = st.integers(-(10**7), 10**7).map(lambda number: number / 10**4)
    return arrays.arrays(float, shapes, elements=four_decimals)


@given(st.integers(1, 4).flatmap(numbers_within))
def test_numbers_survive_the_address_and_need_no_escapes_there(array):
    text = explorer.write(array)
    assert re.fullmatch(r"[0-9._~e-]+", text)
    np.testing.assert_array_equal(explorer.read(text, array.ndim), array)


@given(st.text("0123456789._~-+e infa∞٣é\0") | st.text(), st.integers(1, 4))
def test_any_text_is_read_as_bounded_numbers_or_refused(text, ndim):
    try:
        array = explorer.read(text, ndim)
    except ValueError:
        return
    assert array.ndim == ndim
    assert (np.abs(array) <= explorer.MAX_NUMBER).all()


GARBAGE = [
    "~",
    "~~~~~~~",
    "1_2~3",
    "nan",
    "1e999",
    "-1001",
    "9" * 5000,
    "<script>alert(1)</script>",
    "__import__('os')",
    "1~~~2~3",
]


@pytest.mark.parametrize("text", GARBAGE)
def test_garbage_in_the_address_gives_the_pages_own_numbers(text):
    app = open_demo(query={"d-edited-x": text, "d-edited-w": text})
    assert_numbers(app)
    assert address(rerun(app)) == {}
    assert_numbers(send(app), SENT_X, [SENT_WEIGHT, WEIGHT[1]])


def test_numbers_of_an_address_with_another_shape_stay_where_they_fit():
    app = open_demo(query={"d-edited-x": "5_5_5_5_5", "d-edited-w": "3"})
    weight = WEIGHT.copy()
    weight[0, 0, 0, 0] = 3
    assert_numbers(app, [[[5, 5, 5], *X[0, 1:]]], weight)


# Pins


@pytest.mark.parametrize(
    ("pin", "cell", "output"),
    [
        ("output.0.2.1", {"kind": "output", "channel": 0, "at": [2, 1]}, (0, 2, 1)),
        ("kernel.0.1.0", {"kind": "kernel", "channel": 0, "at": [1, 0]}, (0, 0, 0)),
        ("input.0.0.2", {"kind": "input", "channel": 0, "at": [1, 3]}, (0, 0, 0)),
        ("input.0.-1.3", {"kind": "input", "channel": 0, "at": [0, 4]}, (0, 0, 0)),
    ],
)
def test_a_pin_of_the_address_is_shown_and_an_inputs_place_counts_from_its_first_pixel(pin, cell, output):
    app = open_demo(padding=1, query={"d-pin": pin})
    assert data_of(app)["pin"] == cell
    assert app.session_state["pinned"] == output
    assert address(app) == {"d-pin": pin}
    assert address(send_pin(open_demo(padding=1), cell)) == {"d-pin": pin}


@pytest.mark.parametrize(
    "pin",
    [
        "output.0.4.0",
        "output.0.-1.0",
        "output.1.0.0",
        "input.0.-2.0",
        "input.0.0.4",
        "kernel.0.2.2",
        "partial.0.0.0",
        "output.0.999.999",
        "gradient.0.0.0",
        "output",
        "output.0.0",
        "output.0.0.0.0",
        "output.0.1.x",
        "output.0.٣.1",
        "<img src=x>",
        "." * 1000,
        "output.0.1e1.0",
    ],
)
def test_a_pin_that_names_no_cell_pins_nothing(pin):
    app = open_demo(padding=1, query={"d-pin": pin})
    assert data_of(app)["pin"] is None
    assert app.session_state["pinned"] == (0, 0, 0)
    assert_numbers(app)


@pytest.mark.parametrize(
    "cell",
    [
        None,
        "output",
        {},
        {"kind": "output"},
        {"kind": "output", "channel": 0, "at": [1]},
        {"kind": "output", "channel": 0, "at": [1, 2, 3]},
        {"kind": "output", "channel": 0, "at": [0.5, 0]},
        {"kind": "output", "channel": 0, "at": [10**9, 0]},
        {"kind": "output", "channel": 0, "at": [None, None]},
        {"kind": "output", "channel": "0" * 10_000, "at": [0, 0]},
        {"kind": ["output"], "channel": 0, "at": [0, 0]},
        {"kind": "output.0.1.1", "channel": 0, "at": [0, 0]},
        {"kind": "output", "channel": {"a": 1}, "at": [0, 0]},
    ],
)
def test_a_sent_pin_that_names_no_cell_releases_the_pin(cell):
    app = send_pin(open_demo(), {"kind": "output", "channel": 0, "at": [1, 1]})
    assert app.session_state["pinned"] == (0, 1, 1)
    send_pin(app, cell, 2)
    assert app.session_state["pinned"] == (0, 0, 0)
    assert data_of(app)["pin"] is None
    assert data_of(app)["counts"]["pin"] == 2
    assert address(app) == {}


def test_a_pin_waits_while_its_cell_is_not_shown():
    app = open_demo(query={"d-pin": "output.0.1.1"})
    assert rerun(app, size=2).session_state["pinned"] == (0, 0, 0)
    assert rerun(app, size=3).session_state["pinned"] == (0, 1, 1)


def test_without_a_pin_the_page_may_begin_with_another_output_than_the_first():
    app = open_demo(first=(1, 0))
    assert app.session_state["pinned"] == (0, 1, 0)
    assert data_of(app)["first"] == {"kind": "output", "channel": 0, "at": [1, 0]}
    send_pin(app, {"kind": "output", "channel": 0, "at": [0, 0]})
    assert app.session_state["pinned"] == (0, 0, 0)


def test_a_pooled_channel_has_pins_of_its_own():
    x = np.arange(18.0).reshape(2, 3, 3)
    lines = explorer.payload(scene.pooling(x, Axis(3, 2), Axis(3, 2)))["lines"]
    assert [[(grid["kind"], grid["channel"]) for grid in line] for line in lines] == [
        [("input", 0), ("output", 0), ("gradient", 0)],
        [("input", 1), ("output", 1), ("gradient", 1)],
    ]


# What the browser gets


def convolution(channels=1, **settings):
    x = np.arange(9.0 * channels).reshape(channels, 3, 3)
    return scene.convolution(x, np.ones((channels, 2, 2)), Axis(3, 2), Axis(3, 2), **settings)


def layout(data):
    return [[grid["name"] for grid in line] for line in data["lines"]]


def test_one_channel_stands_on_one_line_and_several_on_one_line_each():
    assert layout(explorer.payload(convolution())) == [["Input", "Kernel", "Output"]]
    with_server = explorer.payload(convolution(), with_server=True)
    assert layout(with_server) == [["Input", "Kernel", "Output", "By Python"]]
    assert layout(explorer.payload(convolution(2, bias=3))) == [
        ["Input 0", "Kernel 0", "Partial sum 0"],
        ["Input 1", "Kernel 1", "Partial sum 1"],
        ["Output"],
    ]


@pytest.mark.parametrize("mode", ["max", "min", "average"])
def test_what_is_sent_is_plain_json_even_where_a_window_sees_padding_alone(mode):
    axis = Axis(2, 2, padding=1, dilation=3)
    shown = scene.pooling(np.ones((1, 2, 2)), axis, axis, mode=mode)
    data = explorer.payload(shown, with_server=True)
    assert json.loads(json.dumps(data, allow_nan=False))["server"] == [[[0.0 if mode == "average" else None]]]


def test_the_switch_sends_the_servers_own_result():
    app = open_demo()
    assert data_of(app)["server"] is None
    app.toggle(key="d-server").set_value(True)
    rerun(app)
    assert data_of(app)["server"] == [[[19.0, 25.0], [37.0, 43.0]]]


def test_buttons_clear_draw_an_edge_and_bring_the_books_numbers():
    fills = data_of(send(open_demo()))["fills"]
    assert fills["input"] == {
        "Clear": [[[0, 0, 0]] * 3],
        "Edge": [[[9, 0, 0]] * 3],
        "The book's": X.tolist(),
    }
    assert fills["kernel"]["Edge"] == [[[1, -1]] * 2]
    assert fills["kernel"]["The book's"] == WEIGHT[0].tolist()


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_a_page_takes_the_colours_of_the_theme_whose_background_it_has(palette):
    theme = explorer.payload(convolution())["themes"][palette.background]
    assert (theme["ramp"][0], theme["ramp"][64], theme["ramp"][128]) == (
        palette.signed[0],
        palette.neutral,
        palette.signed[-1],
    )
    assert f"--accent:{palette.accent};" in theme["style"]
