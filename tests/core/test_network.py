import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core import network
from cnn_core.network import (
    LENET,
    LENET_MODERN,
    MAX_LAYERS,
    MAX_NUMBER,
    MLP,
    PRESETS,
    SIMPLE_CNN,
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
    Network,
    ReLU,
    Sigmoid,
    Tanh,
    parse,
)

POSITIVE = st.one_of(st.integers(1, 9), st.integers(1, MAX_NUMBER))
PADDING = st.one_of(st.integers(0, 9), st.integers(0, MAX_NUMBER))


def sizes(numbers):
    return st.one_of(numbers, st.tuples(numbers, numbers))


@st.composite
def convs(draw):
    groups = draw(st.integers(1, 1000))
    return Conv(
        groups * draw(st.integers(1, MAX_NUMBER // groups)),
        kernel_size=draw(sizes(POSITIVE)),
        stride=draw(sizes(POSITIVE)),
        padding=draw(sizes(PADDING)),
        dilation=draw(sizes(POSITIVE)),
        groups=groups,
    )


@st.composite
def pools(draw):
    height, width = draw(POSITIVE), draw(POSITIVE)
    padding = draw(st.integers(0, height // 2)), draw(st.integers(0, width // 2))
    stride = draw(st.one_of(st.none(), sizes(POSITIVE)))
    return draw(st.sampled_from([MaxPool, AveragePool]))((height, width), stride=stride, padding=padding)


LAYERS = st.one_of(
    convs(),
    pools(),
    st.sampled_from([Sigmoid(), ReLU(), Tanh(), BatchNorm(), GlobalAveragePool()]),
    st.builds(Dropout, st.floats(0, 1, exclude_max=True)),
    st.builds(Linear, POSITIVE, in_features=st.one_of(st.none(), POSITIVE)),
    st.just(Flatten()),
)


NETWORKS = st.builds(Network, st.lists(LAYERS, min_size=1, max_size=8))


@settings(deadline=None)
@given(NETWORKS)
def test_parse_undoes_format(some_network):
    assert parse(network.format(some_network)) == some_network


@settings(deadline=None)
@given(NETWORKS)
def test_format_undoes_parse(some_network):
    text = network.format(some_network)
    assert network.format(parse(text)) == text


def test_the_published_lenet_reads_as_its_layers():
    published = Network(
        [
            Conv(6, kernel_size=5, padding=2),
            Sigmoid(),
            AveragePool(2),
            Conv(16, kernel_size=5),
            Sigmoid(),
            AveragePool(2),
            Flatten(),
            Linear(120),
            Sigmoid(),
            Linear(84),
            Sigmoid(),
            Linear(10),
        ]
    )
    assert published == LENET


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("conv6k5x3", Conv(6, kernel_size=(5, 3))),
        ("conv8k3s2x1p1x0d2g4", Conv(8, kernel_size=3, stride=(2, 1), padding=(1, 0), dilation=2, groups=4)),
        ("avg2", AveragePool(2, stride=2)),
        ("max3s2p1", MaxPool(3, stride=2, padding=1)),
        ("max3x2", MaxPool((3, 2), stride=(3, 2))),
        ("max3x2s3", MaxPool((3, 2), stride=3)),
        ("tanh", Tanh()),
        ("norm", BatchNorm()),
        ("gap", GlobalAveragePool()),
        ("drop0.5", Dropout(0.5)),
        ("drop0", Dropout(0)),
        ("drop0.00001", Dropout(1e-5)),
        ("120", Linear(120)),
        ("120i400", Linear(120, in_features=400)),
        ("flatten", Flatten()),
    ],
)
def test_the_notation_of_a_layer(text, layer):
    assert parse(text).layers == (layer,)
    assert network.format_layer(layer) == text


@pytest.mark.parametrize(
    ("text", "shortest"),
    [
        ("conv6k5x5s1p0d1g1", "conv6k5"),
        ("conv6p2k5", "conv6k5p2"),
        (" Conv6K5 - ReLU ", "conv6k5-relu"),
        ("avg2s2", "avg2"),
        ("120I0400", "120i400"),
        ("conv006k05", "conv6k5"),
        ("drop.50", "drop0.5"),
        ("drop0.0", "drop0"),
    ],
)
def test_format_writes_the_shortest_form_of_what_was_read(text, shortest):
    assert network.format(parse(text)) == shortest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'layer 1 "": a layer is missing here'),
        ("conv6k5--relu", 'layer 2 "": a layer is missing here'),
        ("conv6k5-", 'layer 2 "": a layer is missing here'),
        ("avgg2", 'no layer is called "avgg": did you mean "avg2"?'),
        ("sigmiod", 'did you mean "sigmoid"?'),
        ("maxpool3s2", 'did you mean "max3s2"?'),
        ("linear120", 'did you mean "120"?'),
        ("fc120i400", 'did you mean "120i400"?'),
        ("conv6k5-fc10", 'layer 2 "fc10": no layer is called "fc": did you mean "10"?'),
        ("batchnorm", 'no layer is called "batchnorm": did you mean "norm"?'),
        ("bn", 'did you mean "norm"?'),
        ("dropout0.3", 'did you mean "drop0.3"?'),
        ("globalavgpool", 'did you mean "gap"?'),
        (
            "attention8",
            "there are conv, max, avg, gap, norm, sigmoid, relu, tanh, drop, flatten, and a number alone (linear)",
        ),
        ("conv", 'out_channels is missing: did you mean "conv6k5"?'),
        ("conv6p2", 'kernel_size is missing: did you mean "conv6p2k5"?'),
        ("max", 'window is missing: did you mean "max2"?'),
        ("drop", 'probability is missing: did you mean "drop0.5"?'),
        ("drop1", "probability 1 must be at least 0 and less than 1"),
        ("relu-drop25", 'layer 2 "drop25": probability 25 must be at least 0 and less than 1'),
        ("drop0.5x0.5", "probability (0.5, 0.5) has 2 numbers, not 1"),
        ("drop0.5-drop1e-5", 'layer 2 "drop1e": "e" is not an option'),
        ("drop.", '"." is not an option'),
        ("drop0.5s2", 'drop takes no option "s"'),
        ("conv6k2.5", 'layer 1 "conv6k2.5": kernel_size 2.5 (float) is not an integer'),
        ("0.5", "out_features 0.5 (float) is not an integer"),
        ("norm16", "norm takes no number"),
        ("gap7", "gap takes no number"),
        ("relu6", "relu takes no number"),
        ("120s2", 'a linear layer takes no option "s": it takes i (in_features)'),
        ("120i", '"i" is not an option: write a letter and a number, as in k5'),
        ("120i0", "in_features 0 is below 1"),
        ("120i20x20", "in_features (20, 20) has 2 numbers, not 1"),
        ("conv6k5i3", 'conv takes no option "i"'),
        ("max2k3", 'max takes no option "k": it takes s (stride), p (padding)'),
        ("conv6k5k3", "kernel_size is given twice"),
        ("conv6k5p", '"p" is not an option: write a letter and a number, as in k5'),
        ("conv6k0", "kernel_size 0 is below 1"),
        ("conv6k3s0", "stride 0 is below 1"),
        ("conv6x3k5", "out_channels (6, 3) has 2 numbers, not 1"),
        ("conv6k5x5x5", "kernel_size (5, 5, 5) has 3 numbers, not 1 or 2"),
        ("conv4k3g3", "out_channels 4 is not a multiple of groups 3"),
        ("max2p2", "padding 2 exceeds 1 (half of window 2)"),
        ("9999999999", "number of 10 digits exceeds 999,999,999"),
        ("-".join(["relu"] * (MAX_LAYERS + 1)), "number of layers 101 is not between 1 and 100"),
        ("1" * 20_001, "notation of 20,001 characters exceeds 20,000"),
    ],
)
def test_what_cannot_be_read_is_explained(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(text)


def test_an_error_underlines_the_layer():
    with pytest.raises(ValueError, match="layer 3") as caught:
        parse("conv6k5-sigmoid-avgg2-10")
    _, line, carets = str(caught.value).split("\n")
    assert line == "conv6k5-sigmoid-avgg2-10"
    assert carets == "                ^^^^^"


def test_an_error_in_a_long_text_shows_its_surroundings_only():
    with pytest.raises(ValueError, match="layer 51") as caught:
        parse("-".join(["sigmoid"] * 50 + ["x" * 1000] + ["sigmoid"] * 50))
    message, line, carets = str(caught.value).split("\n")
    assert max(len(message), len(line), len(carets)) < 250
    assert line[carets.index("^") :].startswith("xxx")


@settings(deadline=None)
@given(st.one_of(st.text(max_size=30), st.from_regex(r"[a-z0-9x.-]{0,20}", fullmatch=True)))
def test_any_text_is_read_or_refused_with_a_value_error(text):
    try:
        layers = parse(text)
    except ValueError:
        return
    assert parse(network.format(layers)) == layers


def test_names_count_each_kind_of_layer():
    assert parse("conv6k5-relu-max2-conv16k5-relu-avg2-flatten-120-10").names == (
        *("conv1", "relu1", "pool1", "conv2", "relu2", "pool2"),
        *("flatten", "linear1", "linear2"),
    )
    assert parse("conv6k5-norm-drop0.5-gap-10-norm-drop0.5").names == (
        *("conv1", "norm1", "dropout1", "gap1"),
        *("linear1", "norm2", "dropout2"),
    )
    assert parse("flatten-relu-flatten-flatten").names == ("flatten", "relu1", "flatten2", "flatten3")


@settings(deadline=None)
@given(NETWORKS)
def test_no_two_layers_share_a_name(some_network):
    assert len(set(some_network.names)) == len(some_network.layers)


def test_presets_are_found_by_name():
    assert {name: preset.network for name, preset in PRESETS.items()} == {
        "lenet": LENET,
        "lenet-modern": LENET_MODERN,
        "simple-cnn": SIMPLE_CNN,
        "mlp": MLP,
    }


def test_every_preset_has_ten_outputs():
    assert {preset.network.layers[-1] for preset in PRESETS.values()} == {Linear(10)}


def test_networks_are_equal_by_value_and_frozen():
    assert hash(parse("conv6k5-relu")) == hash(Network((Conv(6, kernel_size=(5, 5)), ReLU())))
    with pytest.raises(dataclasses.FrozenInstanceError):
        LENET.layers[0].out_channels = 7


def test_numpy_integers_are_numbers():
    assert network.format_layer(Conv(np.int64(6), kernel_size=(np.int32(5), 3))) == "conv6k5x3"


def test_a_fraction_is_refused():
    with pytest.raises(TypeError, match=r"stride 1\.5 \(float\) is not an integer"):
        Conv(6, kernel_size=3, stride=1.5)


@pytest.mark.parametrize("probability", [1, 1.5, -0.1, float("nan"), float("inf")])
def test_a_probability_out_of_range_is_refused(probability):
    with pytest.raises(ValueError, match=f"probability {probability} must be at least 0 and less than 1"):
        Dropout(probability)


@pytest.mark.parametrize("probability", ["0.5", None, True])
def test_a_probability_is_a_number(probability):
    with pytest.raises(TypeError, match=re.escape(f"probability {probability!r} (")):
        Dropout(probability)


def test_a_probability_of_minus_zero_is_zero():
    assert network.format_layer(Dropout(-0.0)) == "drop0"


def test_a_number_that_the_notation_could_not_hold_is_refused():
    with pytest.raises(ValueError, match=r"out_features 1,000,000,000 exceeds 999,999,999"):
        Linear(MAX_NUMBER + 1)


def test_a_network_needs_a_layer():
    with pytest.raises(ValueError, match="number of layers 0 is not between 1 and 100"):
        Network([])


def test_a_network_takes_layers_only():
    with pytest.raises(TypeError, match="'relu' is not a layer: use one of Conv, MaxPool"):
        Network(["relu"])
