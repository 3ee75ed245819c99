import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core.network import (
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
    Pool,
    ReLU,
    parse,
)
from cnn_core.published import PUBLISHED, layer_table
from cnn_core.summary import follow, summarize
from ui.networks.layer_arithmetic import arithmetic


def evaluated(expression):
    """Compute what is written with the signs of a textbook; words say what a number counts."""
    expression = expression.rpartition(": ")[2].replace(",", "").replace("·", "*").replace("−", "-")
    expression = re.sub(r"⌊(.+) / (\d+)⌋", r"(\1 // \2)", expression)
    expression = re.sub(r"[a-z]+", "", expression)
    assert re.fullmatch(r"[\d\s()*/+-]+", expression)
    return eval(expression)


def value(text):
    """Return the number that a line comes to, or the numbers of a shape; None if there is none."""
    expression, equals, result = text.rpartition(" = ")
    if not equals:
        sizes = re.match(r"\d[\d,]*( x \d[\d,]*)*", text)
        numbers = (
            [int(size.strip(",").replace(",", "")) for size in sizes[0].split(" x ")] if sizes else [None]
        )
        return numbers[0] if len(numbers) == 1 else tuple(numbers)
    number = int(re.match(r"[\d,]+", result)[0].replace(",", ""))
    assert evaluated(expression) == number, text
    return number


def numbers_along_axes(lines):
    """Return the numbers that the lines come to, one for each axis."""
    numbers = []
    for label, text in lines:
        if label == "Shape" and isinstance(value(text), tuple):
            numbers += value(text)
        elif label in ("Shape", "Channels", "Features", "Height", "Width", "Length"):
            numbers.append(value(text))
        elif label == "Height and width":
            numbers += [value(text)] * 2
        else:
            value(text)
    return tuple(numbers)


def assert_arithmetic_makes_the_numbers(rows):
    for row, before in zip(rows, [None, *rows], strict=False):
        how = arithmetic(row, before)
        assert numbers_along_axes(how["output_shape"]) == row.output_shape
        counted = [value(text) for _, text in how["num_params"]]
        assert [0, *filter(None, counted)][-1] == row.num_params
        assert [value(text) for _, text in how["mult_adds"]] == [row.mult_adds]
        assert [value(text) for _, text in how["activation_bytes"]] == [row.activation_bytes]
        for column in ("receptive_field", "effective_stride"):
            assert (numbers_along_axes(how[column]) or None) == getattr(row, column)
            assert (getattr(row, column) is None) == how[column][0][1].startswith("none")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("input_shape", [(1, 28, 28), (3, 32, 32)])
def test_each_line_of_a_preset_is_right(preset, input_shape):
    assert_arithmetic_makes_the_numbers(summarize(PRESETS[preset].network, input_shape))


@pytest.mark.parametrize("input_shape", [(3, 224, 224), (3, 97, 130), (3, 500, 400)])
@pytest.mark.parametrize("name", PUBLISHED)
def test_each_line_of_a_published_network_is_right(name, input_shape):
    assert_arithmetic_makes_the_numbers(layer_table(name, input_shape))


NUMBERS = st.integers(1, 4)
SIZES = st.one_of(NUMBERS, st.tuples(NUMBERS, NUMBERS))
CONVS = st.builds(
    Conv,
    st.sampled_from([2, 1200]),
    kernel_size=SIZES,
    stride=SIZES,
    padding=SIZES,
    dilation=SIZES,
    groups=st.integers(1, 2),
)
POOLS = st.one_of(
    st.builds(MaxPool, SIZES, stride=st.one_of(st.none(), SIZES)),
    st.builds(AveragePool, NUMBERS.map(lambda number: number + 1), padding=st.just(1)),
)
OTHERS = st.sampled_from([ReLU(), BatchNorm(), Dropout(0.5), Flatten(), GlobalAveragePool(), Linear(1300)])
NETWORKS = st.lists(st.one_of(CONVS, POOLS, OTHERS), min_size=1, max_size=7).map(Network)
INPUT_SHAPES = st.sampled_from([(2, 40, 35), (2, 1500), (1500,)])


@settings(max_examples=200)
@given(NETWORKS, INPUT_SHAPES)
def test_each_line_of_a_random_network_is_right(some_network, input_shape):
    rows, _ = follow(some_network, input_shape)
    assert_arithmetic_makes_the_numbers(rows)


@settings(max_examples=100)
@given(NETWORKS, INPUT_SHAPES)
def test_windows_start_from_what_the_row_before_sees(some_network, input_shape):
    rows, _ = follow(some_network, input_shape)
    ones = (1,) * (len(input_shape) - 1)
    for row, before in zip(rows, [None, *rows], strict=False):
        if not isinstance(row.layer, Conv | Pool):
            continue
        how = arithmetic(row, before)
        seen, strides = (before.receptive_field, before.effective_stride) if before else (ones, ones)
        terms = [text for label, text in how["receptive_field"] if "ffective" not in label]
        texts = [text for _, text in how["effective_stride"]]
        for number, stride, term, text in zip(
            *(seen, strides),
            *(lines * 2 if len(lines) < len(seen) else lines for lines in (terms, texts)),
            strict=True,
        ):
            assert re.match(rf"{number:,} \+ \([\d,]+ − 1\) · {stride:,} = ", term)
            assert text.startswith(f"{stride:,} · ")


def lines_of(text, input_shape, name):
    rows = summarize(parse(text), input_shape)
    number = next(number for number, row in enumerate(rows) if row.name == name)
    return arithmetic(rows[number], rows[number - 1] if number else None)


def test_a_convolution_is_worked_out():
    assert lines_of("relu-conv6k5p2", (1, 28, 28), "conv1") == {
        "output_shape": [
            ("Channels", "6, one feature map from each set of kernels"),
            ("Height and width", "⌊(28 + 2 · 2 − 5) / 1⌋ + 1 = 28"),
        ],
        "num_params": [
            ("Weights", "6 output channels · 1 input channel · 5 · 5 = 150"),
            ("Biases", "6, one for each output channel"),
            ("Together", "150 + 6 = 156"),
        ],
        "mult_adds": [("Multiplications", "150 weights · 28 · 28 positions = 117,600")],
        "activation_bytes": [("Memory", "6 · 28 · 28 numbers · 4 bytes = 18,816 bytes")],
        "receptive_field": [("Height and width", "1 + (5 − 1) · 1 = 5")],
        "effective_stride": [("Height and width", "1 · 1 = 1")],
    }


def test_a_dilated_kernel_is_measured_first():
    how = lines_of("max2-conv6k5x3d2x1s1x2", (2, 40, 30), "conv1")
    assert how["output_shape"][1:] == [
        ("Effective kernel size, height", "2 · (5 − 1) + 1 = 9"),
        ("Height", "⌊(20 + 2 · 0 − 9) / 1⌋ + 1 = 12"),
        ("Width", "⌊(15 + 2 · 0 − 3) / 2⌋ + 1 = 7"),
    ]
    assert how["receptive_field"] == [
        ("Effective kernel size, height", "2 · (5 − 1) + 1 = 9"),
        ("Height", "2 + (9 − 1) · 2 = 18"),
        ("Width", "2 + (3 − 1) · 2 = 6"),
    ]
    assert how["effective_stride"] == [("Height", "2 · 1 = 2"), ("Width", "2 · 2 = 4")]
    assert lines_of("conv6k5d2", (1, 50), "conv1")["receptive_field"] == [
        ("Effective kernel size", "2 · (5 − 1) + 1 = 9"),
        ("Length", "1 + (9 − 1) · 1 = 9"),
    ]


def test_groups_share_the_input_channels_out():
    assert lines_of("conv8k3g4", (4, 6, 6), "conv1")["num_params"] == [
        ("Input channels of a group", "4 / 4 = 1"),
        ("Weights", "8 output channels · 1 input channel · 3 · 3 = 72"),
        ("Biases", "8, one for each output channel"),
        ("Together", "72 + 8 = 80"),
    ]


def test_the_first_linear_layer_sees_the_whole_map_and_the_next_what_it_saw():
    network = "conv6k5p2-avg2-flatten-120-84"
    assert lines_of(network, (1, 28, 28), "linear1")["receptive_field"] == [
        (
            "Each output",
            "sees all positions of the last map, which together see these pixels; padding is left out",
        ),
        ("Height and width", "pixels 0 to 27: 27 − 0 + 1 = 28"),
    ]
    assert lines_of(network, (1, 28, 28), "linear2")["receptive_field"] == [
        ("Height and width", "28, as before")
    ]
    assert lines_of(network, (1, 28, 28), "linear2")["effective_stride"] == [
        ("Effective stride", "none, as before")
    ]


def test_a_layer_that_sees_padding_only_says_so():
    assert lines_of("conv2k1s9p5-max1s9-gap", (1, 1, 1), "gap1")["receptive_field"][1:] == [
        ("Height and width", "0, because it sees padding only")
    ]


def test_a_layer_without_weights_says_why_it_costs_nothing():
    how = lines_of("conv6k5-max2", (1, 28, 28), "pool1")
    assert how["num_params"] == [("Parameters", "none, because it takes the largest number of each window")]
    assert how["mult_adds"] == [
        ("Multiplications", "0, because only multiplications with a weight count, and it has none")
    ]


def test_a_vector_has_no_receptive_field():
    how = lines_of("30-relu", (784,), "relu1")
    assert how["receptive_field"] == [("Receptive field", "none, because the input has no height and width")]
    assert how["effective_stride"] == [
        ("Effective stride", "none, because the input has no height and width")
    ]


def test_a_branch_starts_from_its_own_input_and_an_addition_joins_two():
    rows = {row.name: row for row in layer_table("resnet18", (3, 224, 224))}
    branch = arithmetic(rows["layer2.0.downsample.0"], rows["layer2.0.bn2"])
    assert branch["receptive_field"] == [("Height and width", "43 + (1 − 1) · 4 = 43")]
    assert branch["num_params"][-1] == ("Biases", "none")
    added = arithmetic(rows["layer2.0.add"], rows["layer2.0.downsample.1"])
    assert added["output_shape"] == [("Shape", "128 x 28 x 28, like each of the two that are added")]
    assert added["receptive_field"] == [("Height and width", "67, as on the path that sees most")]
