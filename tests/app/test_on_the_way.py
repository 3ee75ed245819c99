import re

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from cnn_core import data, inspection, modules
from cnn_core.network import LENET, format, parse
from cnn_core.summary import summarize
from ui.networks import on_the_way, on_the_way_text

KINDS = "conv6k5p2-norm-relu-max2-conv4k3-tanh-avg2-drop0.5-flatten-20-norm-sigmoid-5"


def open_section(notation, shape, **state) -> AppTest:
    """Draw the section in an app of its own, with fresh weights."""

    def script(notation, shape):
        from cnn_core import inspection
        from cnn_core.network import parse
        from ui.networks import model_input, on_the_way

        network = parse(notation)
        picture = model_input.choose(shape, key_prefix="a-")
        parameters = inspection.draw_parameters(network, shape, seed=0)
        on_the_way.section(network, shape, picture, parameters=parameters)

    app = AppTest.from_function(script, args=(notation, shape), default_timeout=120)
    for key, value in state.items():
        app.session_state[f"a-{key}"] = value
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(element.value for group in (app.markdown, app.caption) for element in group)


@pytest.mark.parametrize(
    ("notation", "shape"),
    [
        (format(LENET), (1, 28, 28)),
        (KINDS, (1, 28, 28)),
        (KINDS, (2, 40)),
        ("conv3k1-gap-2", (3, 8, 8)),
        ("conv3k1-gap-2", (3, 8)),
        ("norm-30-tanh-2", (10,)),
    ],
)
def test_the_listing_is_what_pytorch_prints(notation, shape):
    network = parse(notation)
    x, printed = torch.zeros(1, *shape), []
    module = modules.build(network, shape, seed=0).eval()
    for layer in module:
        x = layer(x)
        printed.append(" ".join([layer.__class__.__name__, "output shape:\t", str(x.shape)]))
    assert on_the_way_text.listing(summarize(network, shape)).splitlines() == printed


def test_each_layer_of_lenet_is_shown_with_its_notation_and_shape():
    app = open_section(format(LENET), (1, 28, 28))
    shown = texts(app)
    for row, word in zip(summarize(LENET, (1, 28, 28)), format(LENET).split("-"), strict=True):
        assert f"**{row.name}** `{word}` :gray-badge[{' x '.join(map(str, row.output_shape))}]" in shown
    assert "784 numbers in, 10 numbers out. Most are there after conv1: 4,704." in shown
    assert len(app.get("image")) == 12  # the input and all layers but the last, which is drawn as bars


@pytest.mark.parametrize(
    ("notation", "shape"),
    [(KINDS, (3, 40, 40)), (KINDS, (2, 400)), ("conv40k3-flatten-30", (1, 100, 70)), ("64-relu-10", (784,))],
)
def test_all_kinds_of_layers_and_inputs_are_shown(notation, shape):
    app = open_section(notation, shape)
    assert not app.error
    assert not app.warning


def test_the_range_of_values_is_that_of_the_network():
    app = open_section(format(LENET), (1, 28, 28), picture="digit-2")
    x = open_picture("digit-2")
    parameters = inspection.draw_parameters(LENET, (1, 28, 28), seed=0)
    state = {name: torch.from_numpy(np.array(value)) for name, value in parameters.items()}
    module = modules.build(LENET, (1, 28, 28), seed=1)
    module.load_state_dict(state)
    with torch.no_grad():
        conv1 = module.conv1(torch.from_numpy(x)[None])
    low, high = (
        float(re.search(r"Values from (\S+) to (\S+)\. Blue", texts(app))[group]) for group in (1, 2)
    )
    assert (low, high) == (
        pytest.approx(conv1.min().item(), rel=0.01),
        pytest.approx(conv1.max().item(), rel=0.01),
    )


def open_picture(name: str) -> np.ndarray:
    digits = data.load("mnist-5k", split="test")
    return inspection.as_input(digits.images[digits.labels.tolist().index(int(name[-1]))])


def test_more_than_32_channels_are_cut_short_and_that_is_said():
    app = open_section("conv40k3-flatten-30", (1, 20, 20))
    assert "The first 32 of 40 feature maps." in texts(app)
    assert "The first 500 of 12,960 numbers." in texts(app)


def test_a_network_that_costs_too_much_is_not_run_and_the_reason_is_given():
    app = open_section("conv64k3p1-conv64k3p1-flatten-10", (1, 128, 128))
    assert "One picture needs 624 million multiplications, more than the 300 million" in app.info[0].value
    assert not app.get("image")
    assert "Conv2d output shape:" in app.code[0].value


def test_a_network_with_too_many_outputs_is_not_run():
    app = open_section("-".join(["conv16k1", *["relu"] * 20]), (1, 224, 224))
    assert "MB of numbers, more than the 50 MB" in app.info[0].value


def test_a_layer_does_not_say_more_than_it_did():
    rows = summarize(parse("relu-sigmoid"), (1, 1, 4))
    before = np.array([[[-1.0, 2.0, -3.0, 0.0]]])
    assert on_the_way_text.what_it_did(rows[0], before) == "2 of 4 numbers were below 0 and became 0."


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 28, 28), (6, 28, 28), (16, 5, 5)],
        [(3, 224, 224), (32, 224, 224), (32, 7, 7)],
        [(1, 400), (32, 400)],
        [(1, 1, 1)],
        [(3, 5000, 3)],
    ],
)
def test_all_maps_fit_the_drawing_in_one_scale(shapes):
    scale = on_the_way.fitting_scale(shapes)
    assert scale >= 1 or (1 / scale).is_integer()
    for channels, *sizes in shapes:
        height, width = (np.ceil(size * scale) for size in ([1, *sizes] if len(sizes) == 1 else sizes))
        assert max(height, width) <= on_the_way.SIDE
        if len(sizes) == 2:
            assert channels * height * width <= on_the_way.SIDE**2


def test_a_map_half_as_wide_is_drawn_half_as_wide():
    scale = on_the_way.fitting_scale([(1, 28, 28), (1, 14, 14)])
    assert int(scale) == scale == 12
    full, half = (on_the_way._tiles(np.ones((1, size, size)), scale, columns=1) for size in (28, 14))
    assert full.shape[1] == 2 * half.shape[1] == 28 * 12


def test_reducing_takes_means():
    maps = np.arange(12.0).reshape(1, 3, 4)
    assert on_the_way._reduced(maps, (2, 2)).tolist() == [[[2.5, 4.5], [8.5, 10.5]]]
