import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core import modules
from cnn_core.fixes import MAX_FIXES, suggest
from cnn_core.network import (
    MAX_LAYERS,
    MAX_NUMBER,
    PRESETS,
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
    format,
    parse,
)
from cnn_core.summary import follow, summarize

PICTURE = (1, 28, 28)


def offered(text, input_shape):
    return {fix.words: format(fix.network) for fix in suggest(parse(text), input_shape)}


@pytest.mark.parametrize(
    ("text", "input_shape", "expected"),
    [
        (
            "conv6k5-relu-10",
            PICTURE,
            {
                "put flatten before it": "conv6k5-relu-flatten-10",
                "take the mean of each channel first": "conv6k5-relu-gap-10",
            },
        ),
        ("120i400-10", (256,), {"expect 256 inputs": "120i256-10"}),
        ("conv6k5-10i3456", PICTURE, {"put flatten before it": "conv6k5-flatten-10i3456"}),
        ("conv6k5-10i6", PICTURE, {"take the mean of each channel first": "conv6k5-gap-10i6"}),
        (
            "conv6k5-10i7",
            PICTURE,
            {
                "put flatten before it, expect 3,456 inputs": "conv6k5-flatten-10i3456",
                "take the mean of each channel first, expect 6 inputs": "conv6k5-gap-10i6",
            },
        ),
    ],
)
def test_a_linear_layer_gets_a_flat_input_of_the_size_it_expects(text, input_shape, expected):
    assert offered(text, input_shape) == expected


@pytest.mark.parametrize(
    ("text", "input_shape", "expected"),
    [
        ("conv6k9", (1, 7, 7), {"padding 4 keeps 7 x 7": "conv6k9p4", "kernel size 7 fits": "conv6k7"}),
        ("conv6k9", (1, 8, 8), {"padding 4 keeps 8 x 8": "conv6k9p4", "kernel size 7 fits": "conv6k7"}),
        ("conv6k9s2", (1, 7, 7), {"padding 1 fits": "conv6k9s2p1", "kernel size 7 fits": "conv6k7s2"}),
        ("conv6k4", (1, 3, 3), {"padding 1 fits": "conv6k4p1", "kernel size 3 fits": "conv6k3"}),
        (
            "conv6k9x3",
            (1, 7, 6),
            {"padding 4 x 1 keeps 7 x 6": "conv6k9x3p4x1", "kernel size 7 x 3 fits": "conv6k7x3"},
        ),
        (
            "conv6k5d3",
            (1, 11, 11),
            {
                "dilation 2 fits": "conv6k5d2",
                "padding 6 keeps 11 x 11": "conv6k5p6d3",
                "kernel size 3 fits": "conv6k3d3",
            },
        ),
        ("conv6k3", (6, 1, 1), {"kernel size 1 fits": "conv6k1"}),
        ("conv6k9", (2, 7), {"padding 4 keeps length 7": "conv6k9p4", "kernel size 7 fits": "conv6k7"}),
    ],
)
def test_a_kernel_becomes_smaller_or_the_map_is_padded(text, input_shape, expected):
    assert offered(text, input_shape) == expected


@pytest.mark.parametrize(
    ("text", "input_shape", "expected"),
    [
        (
            "max5-flatten-10",
            (1, 3, 3),
            {
                "window 3 fits": "max3-flatten-10",
                "padding 1 fits": "max5p1-flatten-10",
                "remove it": "flatten-10",
            },
        ),
        (
            "avg5s1-flatten-10",
            (1, 3, 3),
            {
                "window 3 fits": "avg3s1-flatten-10",
                "padding 2 keeps 3 x 3": "avg5s1p2-flatten-10",
                "remove it": "flatten-10",
            },
        ),
        ("max2-gap-10", (6, 1, 1), {"remove it": "gap-10"}),
        ("max3s2", (6, 2, 2), {"window 2 fits": "max2", "padding 1 fits": "max3s2p1"}),
    ],
)
def test_a_pooling_becomes_smaller_or_goes(text, input_shape, expected):
    assert offered(text, input_shape) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv6k5-conv16k3g4", {"groups 2": "conv6k5-conv16k3g2", "groups 1": "conv6k5-conv16k3"}),
        (
            "conv6k5-conv16k3g16",
            {
                "6 channels in 6 groups": "conv6k5-conv6k3g6",
                "groups 2": "conv6k5-conv16k3g2",
                "groups 1": "conv6k5-conv16k3",
            },
        ),
        ("conv16k3g2", {"groups 1": "conv16k3"}),
        (
            "conv6k5-conv16k25g4",
            {
                "groups 2, padding 12 keeps 24 x 24": "conv6k5-conv16k25p12g2",
                "groups 2, kernel size 23 fits": "conv6k5-conv16k23g2",
                "groups 1, padding 12 keeps 24 x 24": "conv6k5-conv16k25p12",
            },
        ),
    ],
)
def test_groups_become_a_number_that_divides_the_channels(text, expected):
    assert offered(text, PICTURE) == expected


@pytest.mark.parametrize(
    ("text", "input_shape", "expected"),
    [
        (
            "flatten-max2-10",
            PICTURE,
            {"move it before flatten": "max2-flatten-10", "remove it": "flatten-10"},
        ),
        ("conv6k5-gap-gap", PICTURE, {"remove it": "conv6k5-gap"}),
        (
            "conv6k5-gap-relu-conv6k3-10",
            PICTURE,
            {
                "move it before gap1": "conv6k5-conv6k3-gap-relu-10",
                "use a linear layer: 6 outputs": "conv6k5-gap-relu-6-10",
                "remove it": "conv6k5-gap-relu-10",
            },
        ),
        ("conv6k5-10", (784,), {"use a linear layer: 6 outputs": "6-10", "remove it": "10"}),
        ("gap", (784,), {}),
        # what was moved would give the linear layer other inputs than it expects
        ("flatten-10i784-gap", PICTURE, {"remove it": "flatten-10i784"}),
    ],
)
def test_what_takes_a_map_moves_to_where_there_is_one(text, input_shape, expected):
    assert offered(text, input_shape) == expected


@pytest.mark.parametrize(
    ("text", "input_shape", "expected"),
    [
        ("conv6k3x5", (1, 50), {"use one size: kernel 5": "conv6k5", "use one size: kernel 3": "conv6k3"}),
        (
            "conv6k5x3s2x1p2x1",
            (1, 50),
            {
                "use one size: kernel 5, stride 2, padding 2": "conv6k5s2p2",
                "use one size: kernel 3, stride 1, padding 1": "conv6k3p1",
            },
        ),
        (
            "max2x3-relu",
            (1, 50),
            {
                "use one size: window 3": "max3-relu",
                "use one size: window 2": "max2-relu",
                "remove it": "relu",
            },
        ),
        (
            "conv6k5x3",
            (1, 3),
            {
                "use one size: kernel 3": "conv6k3",
                "use one size: kernel 5, padding 2 keeps length 3": "conv6k5p2",
            },
        ),
    ],
)
def test_a_window_over_a_signal_has_one_size(text, input_shape, expected):
    assert offered(text, input_shape) == expected


def test_what_makes_all_layers_fit_comes_first():
    assert list(offered("conv6k5d3", (1, 9, 9))) == [
        "dilation 2 fits",
        "padding 6 keeps 9 x 9",
        "kernel size 3 fits",
    ]
    assert list(offered("conv6k5d3-conv6k3", (1, 9, 9))) == [
        "padding 6 keeps 9 x 9",
        "kernel size 3 fits",
        "dilation 2 fits",  # leaves 1 x 1
    ]


def test_the_number_of_layers_is_respected():
    relus = ["relu"] * (MAX_LAYERS - 2)
    assert list(offered("-".join([*relus, "conv6k5", "10"]), PICTURE)) == ["remove it"]
    assert offered("max2", (784,)) == {}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_network_that_fits_needs_nothing(preset):
    assert suggest(PRESETS[preset].network, PICTURE) == []


@pytest.mark.parametrize("input_shape", [(), (1, 0, 28), (1, 1, 28, 28)])
def test_an_input_shape_that_is_none_is_refused(input_shape):
    with pytest.raises(ValueError, match="input_shape"):
        suggest(parse("conv6k5"), input_shape)


def sizes(lowest, highest):
    numbers = st.one_of(st.integers(lowest, highest), st.just(MAX_NUMBER))
    return st.one_of(numbers, st.tuples(numbers, numbers))


@st.composite
def convs(draw):
    groups = draw(st.integers(1, 6))
    return Conv(
        groups * draw(st.integers(1, 3)),
        kernel_size=draw(sizes(1, 12)),
        stride=draw(sizes(1, 3)),
        padding=draw(sizes(0, 3)),
        dilation=draw(sizes(1, 3)),
        groups=groups,
    )


@st.composite
def pools(draw):
    window = draw(
        st.tuples(st.integers(1, 12), st.integers(1, 12)) | st.integers(1, 12).map(lambda n: (n, n))
    )
    padding = tuple(draw(st.integers(0, size // 2)) for size in window)
    stride = draw(st.one_of(st.none(), sizes(1, 3)))
    return draw(st.sampled_from([MaxPool, AveragePool]))(window, stride=stride, padding=padding)


LAYERS = st.one_of(
    convs(),
    pools(),
    st.sampled_from([Flatten(), GlobalAveragePool(), BatchNorm(), ReLU(), Dropout(0.5)]),
    st.builds(Linear, st.integers(1, 20), in_features=st.one_of(st.none(), st.integers(1, 20))),
)
NETWORKS = st.lists(LAYERS, min_size=1, max_size=6).map(Network)
INPUT_SHAPES = st.one_of(
    st.tuples(st.integers(1, 6), st.integers(1, 14), st.integers(1, 14)),
    st.tuples(st.integers(1, 6), st.integers(1, 40)),
    st.tuples(st.integers(1, 20)),
    st.just((MAX_NUMBER + 1, MAX_NUMBER, MAX_NUMBER)),
)


@settings(max_examples=400)
@given(NETWORKS, INPUT_SHAPES)
def test_each_fix_makes_the_layer_fit_and_leaves_the_others_as_they_are(some_network, input_shape):
    rows, reason = follow(some_network, input_shape)
    fixes = suggest(some_network, input_shape)
    assert len(fixes) <= (MAX_FIXES if reason else 0)
    assert len({fix.words for fix in fixes}) == len({fix.network for fix in fixes}) == len(fixes)
    index = len(rows)
    before, after = some_network.layers[:index], some_network.layers[index + 1 :]
    for fix in fixes:
        layers = fix.network.layers
        if fix.words == "remove it":
            assert layers == (*before, *after)
            continue
        assert len(follow(fix.network, input_shape)[0]) > index
        assert layers[len(layers) - len(after) :] == after
        changed = list(layers[: len(layers) - len(after)])
        for layer in before:
            changed.remove(layer)
        summarize(Network(layers[: len(layers) - len(after)]), input_shape)
        assert 1 <= len(changed) <= 2


@settings(max_examples=30)
@given(NETWORKS, INPUT_SHAPES.filter(lambda shape: max(shape) < 100))
def test_torch_builds_what_a_fix_has_mended(some_network, input_shape):
    for fix in suggest(some_network, input_shape):
        rows, reason = follow(fix.network, input_shape)
        small = all(row.num_params < 10_000 and row.activation_bytes < 1_000_000 for row in rows)
        if small and not reason:
            modules.build(fix.network, input_shape, seed=0)
