import re

import numpy as np
import pytest
import torch
import torchinfo
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core import modules
from cnn_core.network import (
    LENET,
    PRESETS,
    SIMPLE_CNN,
    Activation,
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
from cnn_core.summary import check_budget, follow, summarize

PICTURE = (1, 28, 28)
PRESETS_ON_PICTURES = [
    pytest.param(preset.network, shape, id=f"{name}-{shape[0]}")
    for name, preset in PRESETS.items()
    for shape in (PICTURE, (3, 32, 32))
]


def sizes(lowest, highest, num_axes):
    """A size for all axes; where there are two, it may also be a pair."""
    numbers = st.integers(lowest, highest)
    return numbers if num_axes == 1 else st.one_of(numbers, st.tuples(numbers, numbers))


@st.composite
def windows(draw, num_axes):
    """A layer that slides a window; three of them fit maps of 72 x 72, whatever their channels."""
    if draw(st.booleans()):
        return Conv(
            2 * draw(st.integers(1, 3)),
            kernel_size=draw(sizes(1, 4, num_axes)),
            stride=draw(sizes(1, 2, num_axes)),
            padding=draw(sizes(0, 2, num_axes)),
            dilation=draw(sizes(1, 2, num_axes)),
            groups=1,
        )
    pool = draw(st.sampled_from([MaxPool, AveragePool]))
    return pool(
        draw(sizes(2, 3, num_axes)),
        stride=draw(st.one_of(st.none(), sizes(1, 2, num_axes))),
        padding=draw(sizes(0, 1, num_axes)),
    )


def stacks(num_axes):
    return st.lists(windows(num_axes), min_size=1, max_size=3)


EXTRAS = st.sampled_from([(), (BatchNorm(),), (Dropout(0.5),), (BatchNorm(), Dropout(0.1))])


@st.composite
def networks(draw, num_axes):
    """Up to three windows with activations, at times grouped, normalised or with dropout, and a linear end."""
    layers = []
    for layer in draw(stacks(num_axes)):
        grouped = isinstance(layer, Conv) and any(isinstance(each, Conv) for each in layers)
        if grouped and draw(st.booleans()):
            layer = Conv(
                layer.out_channels, kernel_size=layer.kernel_size, stride=layer.stride, padding=1, groups=2
            )
        layers += [layer, *draw(EXTRAS), draw(st.sampled_from([Sigmoid(), ReLU(), Tanh()]))]
    flat = draw(st.sampled_from([Flatten(), GlobalAveragePool()]))
    return Network([*layers, flat, Linear(7), *draw(EXTRAS), ReLU(), Linear(3)])


def outputs_of(module, x):
    """Run a module layer by layer: the output of each, first one first."""
    outputs = []
    for layer in module:
        x = layer(x)
        outputs.append(x)
    return outputs


def assert_agrees_with_torch(some_network, input_shape):
    rows = summarize(some_network, input_shape)
    module = modules.build(some_network, input_shape, seed=0).eval()
    outputs = outputs_of(module, torch.zeros(1, *input_shape))
    assert [row.output_shape for row in rows] == [tuple(output.shape[1:]) for output in outputs]
    assert [row.activation_bytes for row in rows] == [output.nbytes for output in outputs]

    table = torchinfo.summary(module, input_size=(1, *input_shape), verbose=0).summary_list[1:]
    assert [row.num_params for row in rows] == [line.num_params for line in table]
    for row, line, output in zip(rows, table, outputs, strict=True):
        biases_added = output.numel() if line.num_params else 0
        # torchinfo counts a batch norm at one position of the map only
        positions = output[0, 0].numel() if isinstance(row.layer, BatchNorm) else 1
        assert row.mult_adds + biases_added == line.macs * positions


@pytest.mark.parametrize(("some_network", "input_shape"), PRESETS_ON_PICTURES)
def test_presets_agree_with_torch_and_torchinfo(some_network, input_shape):
    assert_agrees_with_torch(some_network, input_shape)


@pytest.mark.parametrize("input_shape", [(2, 72, 75), (2, 72)], ids=["pictures", "signals"])
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_random_networks_agree_with_torch_and_torchinfo(input_shape, data):
    assert_agrees_with_torch(data.draw(networks(len(input_shape) - 1)), input_shape)


def plain(layers):
    """Replace what decides how much an output depends on an input, not on which."""
    averages = (
        AveragePool(layer.window, stride=layer.stride, padding=layer.padding)
        if isinstance(layer, MaxPool)
        else layer
        for layer in layers
        if not isinstance(layer, Activation)
    )
    return Network(averages)


def run_with_unit_weights(some_network, input_shape):
    """Return an input and the output of a network whose weights are all 1, so that no gradients cancel."""
    module = modules.build(some_network, input_shape, seed=0).double().eval()
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    x = torch.zeros(1, *input_shape, dtype=torch.float64, requires_grad=True)
    return x, module(x)[0]


def gradient_support(output, x):
    """Find the pixels of the input, as [first, after the last] along each axis, on which an output depends."""
    (gradient,) = torch.autograd.grad(output.sum(), x, retain_graph=True)
    positions = gradient[0].sum(0).nonzero()
    return np.stack([positions.min(0).values, positions.max(0).values + 1])


@pytest.mark.parametrize("input_shape", [(1, 160, 150), (1, 160)], ids=["pictures", "signals"])
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_receptive_fields_are_where_the_gradient_is(input_shape, data):
    layers = data.draw(stacks(len(input_shape) - 1))
    last = summarize(Network(layers), input_shape)[-1]
    x, output = run_with_unit_weights(plain(layers), input_shape)
    centre = tuple(size // 2 for size in output.shape[1:])
    here = gradient_support(output[:, *centre], x)
    beyond = gradient_support(output[:, *(index + 1 for index in centre)], x)
    assert tuple(here[1] - here[0]) == last.receptive_field
    assert tuple(beyond[0] - here[0]) == last.effective_stride
    assert tuple(here[0] - np.multiply(centre, last.effective_stride)) == last.receptive_field_start


@pytest.mark.parametrize(
    ("text", "input_shape", "start", "expected"),
    [
        ("conv6k5p2-sigmoid-avg2-conv16k5-sigmoid-avg2-flatten-10", (1, 28, 28), (0, 0), (28, 28)),
        ("conv2k3-max2-flatten-10", (1, 9, 8), (0, 0), (8, 8)),  # the last row is left over by the pooling
        (
            "max2-conv2k3p1-flatten-10",
            (1, 5, 4),
            (0, 0),
            (4, 4),
        ),  # padding does not bring the left-over row back
        ("conv2k2s2-flatten-10-relu-5", (3, 7, 4), (0, 0), (6, 4)),
        ("flatten-10", (1, 6, 5), (0, 0), (6, 5)),
        ("conv2k3-max2-gap", (1, 9, 8), (0, 0), (8, 8)),
        ("conv2k3-norm-drop0.5-gap-10", (2, 7, 6), (0, 0), (7, 6)),
        ("conv2k3p1-max2-flatten-10", (2, 9), (0,), (9,)),
        ("conv2k4s4-norm-gap-10", (3, 11), (0,), (8,)),
        ("flatten-10", (2, 6), (0,), (6,)),
    ],
)
def test_a_layer_over_the_whole_map_sees_all_that_the_map_sees(text, input_shape, start, expected):
    last = summarize(parse(text), input_shape)[-1]
    x, output = run_with_unit_weights(plain(parse(text).layers), input_shape)
    first, after_last = gradient_support(output[0], x)
    assert tuple(first) == last.receptive_field_start == start
    assert tuple(after_last - first) == last.receptive_field == expected


def test_lenet_has_the_published_numbers():
    rows = summarize(LENET, PICTURE)
    assert sum(row.num_params for row in rows) == 61_706
    assert sum(row.mult_adds for row in rows) == 416_520
    assert {row.name: row.num_params for row in rows if row.num_params} == {
        "conv1": 6 * 25 + 6,
        "conv2": 16 * 6 * 25 + 16,
        "linear1": 120 * 400 + 120,
        "linear2": 84 * 120 + 84,
        "linear3": 10 * 84 + 10,
    }
    pool2 = rows[5]
    assert (pool2.name, pool2.output_shape) == ("pool2", (16, 5, 5))
    assert (pool2.receptive_field, pool2.effective_stride) == ((16, 16), (4, 4))


def test_the_first_output_of_lenet_sees_its_padding():
    rows = summarize(LENET, PICTURE)
    assert {row.name: row.receptive_field_start for row in rows[:7]} == dict.fromkeys(
        ("conv1", "sigmoid1", "pool1", "conv2", "sigmoid2", "pool2", "flatten"), (-2, -2)
    )
    assert {row.receptive_field_start for row in rows[7:]} == {(0, 0)}


def test_on_a_signal_layers_have_one_axis():
    conv, _, pool, gap, linear = summarize(parse("conv6k5p2-relu-max2-gap-10"), (2, 128))
    assert (conv.output_shape, pool.output_shape, gap.output_shape) == ((6, 128), (6, 64), (6,))
    assert conv.parameter_shapes == (("weight", (6, 2, 5)), ("bias", (6,)))
    assert (conv.num_params, conv.mult_adds, conv.activation_bytes) == (6 * 2 * 5 + 6, 6 * 2 * 5 * 128, 3072)
    assert (conv.receptive_field, conv.receptive_field_start, conv.effective_stride) == ((5,), (-2,), (1,))
    assert (pool.receptive_field, pool.receptive_field_start, pool.effective_stride) == ((6,), (-2,), (2,))
    assert (linear.receptive_field, linear.receptive_field_start, linear.effective_stride) == (
        *((128,), (0,)),
        None,
    )


def test_a_linear_layer_may_say_how_many_inputs_it_expects():
    (_, said), (_, unsaid) = (summarize(parse(f"flatten-10{i}"), PICTURE) for i in ("i784", ""))
    assert (said.output_shape, said.parameter_shapes) == (unsaid.output_shape, unsaid.parameter_shapes)


def test_a_second_flatten_changes_nothing():
    pool, flatten, again = summarize(parse("max2-flatten-flatten"), PICTURE)
    assert (flatten.name, again.name) == ("flatten", "flatten2")
    assert flatten.output_shape == again.output_shape == (196,)
    assert again.receptive_field == pool.receptive_field
    assert (again.num_params, again.mult_adds) == (0, 0)


def test_groups_divide_parameters_and_mult_adds():
    dense, grouped = (summarize(parse(f"conv8k3{groups}"), (4, 6, 6))[0] for groups in ("", "g4"))
    assert (dense.num_params, dense.mult_adds) == (8 * 4 * 9 + 8, 8 * 4 * 9 * 16)
    assert (grouped.num_params, grouped.mult_adds) == (8 * 1 * 9 + 8, 8 * 1 * 9 * 16)


def test_each_row_takes_what_the_row_before_gives():
    rows = summarize(SIMPLE_CNN, (3, 32, 32))
    assert rows[0].input_shape == (3, 32, 32)
    assert [row.input_shape for row in rows[1:]] == [row.output_shape for row in rows[:-1]]


def test_flatten_keeps_the_receptive_field_and_a_linear_layer_has_no_stride():
    *_, pool, flatten, linear = summarize(parse("conv4k5-max2-flatten-10"), PICTURE)
    assert flatten.receptive_field == pool.receptive_field == (6, 6)
    assert flatten.effective_stride == pool.effective_stride == (2, 2)
    assert linear.effective_stride is None


def test_global_average_pooling_has_no_stride():
    *_, conv, gap, norm = summarize(parse("conv4k5s2-gap-norm"), PICTURE)
    assert (conv.output_shape, gap.output_shape) == ((4, 12, 12), (4,))
    assert (gap.num_params, gap.mult_adds, gap.activation_bytes) == (0, 0, 4 * 4)
    assert gap.effective_stride is norm.effective_stride is None
    assert gap.receptive_field == norm.receptive_field == (27, 27)  # the last row and column are left over


def test_a_batch_norm_scales_each_number_and_has_two_parameters_for_each_channel():
    _, of_maps, *_, of_features = summarize(parse("conv4k5-norm-flatten-10-norm"), PICTURE)
    assert (of_maps.output_shape, of_maps.num_params, of_maps.mult_adds) == ((4, 24, 24), 8, 4 * 24 * 24)
    assert (of_maps.receptive_field, of_maps.effective_stride) == ((5, 5), (1, 1))
    assert (of_features.output_shape, of_features.num_params, of_features.mult_adds) == ((10,), 20, 10)


def test_dropout_costs_no_more_than_its_output():
    conv, dropout = summarize(parse("conv4k5-drop0.5"), PICTURE)
    assert (dropout.num_params, dropout.mult_adds) == (0, 0)
    assert dropout.activation_bytes == conv.activation_bytes
    assert (dropout.output_shape, dropout.receptive_field) == (conv.output_shape, conv.receptive_field)


@pytest.mark.parametrize("text", ["30-relu-10", "norm-30-drop0.5"])
def test_features_have_no_receptive_field(text):
    for row in summarize(parse(text), (784,)):
        assert (row.receptive_field, row.receptive_field_start, row.effective_stride) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "input_shape", "message"),
    [
        (
            "conv6k5-relu-conv16k9x3d2",
            (1, 12, 12),
            "conv2 (conv16k9x3d2) gets (6, 8, 8): along the height, effective kernel size 17 (kernel_size=9, "
            "dilation=2) exceeds padded input size 8 (input_size=8, padding=0): the largest that fits is 4",
        ),
        (
            "conv6k5-max9",
            (1, 20, 10),
            "pool1 (max9) gets (6, 16, 6): along the width, effective kernel size 9 (kernel_size=9, "
            "dilation=1) exceeds padded input size 6 (input_size=6, padding=0): the largest that fits is 6",
        ),
        (
            "conv6k5-conv16k3g4",
            PICTURE,
            "conv2 (conv16k3g4) gets (6, 24, 24): in_channels 6 is not a multiple of groups 4: the largest "
            "number of groups that fits is 2",
        ),
        ("conv6k5-10", PICTURE, "linear1 (10) gets (6, 24, 24): it takes (features,): put flatten before it"),
        ("flatten-max2", PICTURE, "pool1 (max2) gets (784,): it takes (C, H, W) or (C, L): put it before"),
        ("conv6k5-gap-gap", PICTURE, "gap2 (gap) gets (6,): it takes (C, H, W) or (C, L): put it before"),
        ("norm-gap", (784,), "gap1 (gap) gets (784,): it takes (C, H, W) or (C, L)"),
        ("flatten-120i400", (1, 16, 16), "linear1 (120i400) gets (256,): expects 400 inputs, gets 256"),
        ("10i4000-relu", (784,), "linear1 (10i4000) gets (784,): expects 4,000 inputs, gets 784"),
        (
            "conv6k5-10i144",
            (1, 28),
            "linear1 (10i144) gets (6, 24): it takes (features,): put flatten before it",
        ),
        (
            "conv6k5-max9",
            (1, 12),
            "pool1 (max9) gets (6, 8): along the length, effective kernel size 9 (kernel_size=9, "
            "dilation=1) exceeds padded input size 8 (input_size=8, padding=0): the largest that fits is 8",
        ),
        (
            "conv6k5x3",
            (1, 50),
            "conv1 (conv6k5x3) gets (1, 50): kernel_size 5 x 3 has two sizes, but a signal (C, L) has one axis",
        ),
        ("conv6k5s1x2", (1, 50), "stride 1 x 2 has two sizes, but a signal (C, L) has one axis"),
        ("conv6k5p0x2", (1, 50), "padding 0 x 2 has two sizes"),
        ("conv6k5d2x1", (1, 50), "dilation 2 x 1 has two sizes"),
        ("max2x3s2", (1, 50), "window 2 x 3 has two sizes"),
        ("conv4k3g2", (3, 50), "in_channels 3 is not a multiple of groups 2"),
        (
            "flatten-10",
            (1, 1, 28, 28),
            "input_shape (1, 1, 28, 28) has 4 axes, not 3 (C, H, W), 2 (C, L) or 1 (features)",
        ),
        ("flatten-10", (), "input_shape () has 0 axes, not 3 (C, H, W), 2 (C, L) or 1 (features)"),
        ("flatten-10", (1, 0, 28), "input_shape 0 is below 1"),
    ],
)
def test_what_does_not_fit_is_explained(text, input_shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        summarize(parse(text), input_shape)


def test_follow_gives_the_rows_before_the_layer_that_does_not_fit():
    rows, reason = follow(parse("conv6k5-flatten-10i400-relu-conv2k3"), PICTURE)
    assert rows == summarize(parse("conv6k5-flatten"), PICTURE)
    assert reason == "expects 400 inputs, gets 3,456"


def test_follow_gives_no_row_where_the_first_layer_does_not_fit():
    assert follow(parse("10-relu"), (1, 28)) == ([], "it takes (features,): put flatten before it")


@pytest.mark.parametrize("text", ["gap-10-conv6k5", "conv6k5-max2-gap-norm-20-gap"])
def test_follow_knows_what_a_layer_over_the_whole_map_sees_whatever_comes_later(text):
    rows, reason = follow(parse(text), PICTURE)
    fitting = parse("-".join(text.split("-")[: len(rows)]))
    assert reason.startswith("it takes (C, H, W) or (C, L)")
    assert rows == summarize(fitting, PICTURE)


def test_follow_agrees_with_summarize_where_all_layers_fit():
    assert follow(LENET, PICTURE) == (summarize(LENET, PICTURE), "")


def test_follow_refuses_what_is_not_the_shape_of_an_example():
    with pytest.raises(ValueError, match="input_shape 0 is below 1"):
        follow(LENET, (1, 0, 28))


def test_what_the_error_says_would_fit_fits():
    assert summarize(parse("conv6k5-relu-conv16k4x3d2"), (1, 12, 12))[-1].output_shape == (16, 2, 4)
    assert summarize(parse("conv6k5-conv16k3g2"), PICTURE)[-1].output_shape == (16, 22, 22)


def test_presets_are_within_the_budget():
    for preset in PRESETS.values():
        check_budget(preset.network, (3, 32, 32), batch_size=512)


def test_too_many_parameters_are_refused():
    wide = parse("flatten-100001-10")
    message = "num_params 79,500,805 (largest: linear1 with 78,500,785) exceeds 50,000,000"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_budget(wide, PICTURE)
    check_budget(wide, PICTURE, max_params=79_500_805)


def test_too_large_activations_are_refused():
    wide = parse("conv1000k3p1-relu")  # 2 * 1000 * 28 * 28 * 4 bytes for a picture
    message = (
        "activation memory 2,007,040,000 bytes (batch_size=320, largest: conv1 with (1000, 28, 28)) "
        "exceeds 2,000,000,000"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check_budget(wide, PICTURE, batch_size=320)
    check_budget(wide, PICTURE, batch_size=318)


@pytest.mark.parametrize("input_shape", [PICTURE, (1, 28)])
def test_the_largest_numbers_of_the_notation_are_refused_at_once(input_shape):
    largest = 999_999_999
    with pytest.raises(ValueError, match="num_params"):
        check_budget(parse(f"conv{largest}k{largest}p{largest}-conv{largest}k1-gap-10"), input_shape)


def test_a_table_that_was_changed_is_whole_the_next_time():
    summarize(LENET, PICTURE).clear()
    assert len(summarize(LENET, PICTURE)) == len(LENET.layers)


def test_a_shape_that_only_equals_a_known_one_is_refused():
    summarize(LENET, PICTURE)
    with pytest.raises(TypeError, match=r"input_shape 28\.0"):
        summarize(LENET, (1, 28.0, 28))
