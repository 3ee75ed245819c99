import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core import geometry
from cnn_core.geometry import Axis, ReceptiveField, TransposedAxis

sizes = st.integers(1, 30)
kernels = st.integers(1, 9)
strides = st.integers(1, 6)
sides = st.integers(0, 6)
dilations = st.integers(1, 4)


def torch_conv_size(input_size, kernel_size, *, stride, padding, dilation):
    padded = F.pad(torch.zeros(1, 1, input_size), padding)
    return F.conv1d(padded, torch.zeros(1, 1, kernel_size), stride=stride, dilation=dilation).shape[-1]


def size_or_none(compute, *args, error=ValueError, **options):
    try:
        return compute(*args, **options)
    except error:
        return None


@pytest.mark.parametrize(
    ("args", "options", "expected"),
    [
        ((28, 5), {"padding": 2}, 28),
        ((28, 5), {}, 24),
        ((28, 2), {"stride": 2}, 14),
        ((8, 3), {"stride": 2, "padding": 1}, 4),
        ((8, 5), {"stride": 3, "padding": (2, 0)}, 2),
        ((7, 3), {"dilation": 3}, 1),
        ((1, 1), {}, 1),
        ((5, 2), {"stride": 2, "ceil_mode": True}, 3),
        ((4, 1), {"stride": 2, "ceil_mode": True}, 2),
    ],
)
def test_output_size_of_a_hand_worked_case(args, options, expected):
    assert geometry.output_size(*args, **options) == expected


@settings(deadline=None)
@given(sizes, kernels, strides, st.tuples(sides, sides), dilations)
def test_output_size_is_torchs(input_size, kernel_size, stride, padding, dilation):
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    theirs = size_or_none(torch_conv_size, input_size, kernel_size, error=RuntimeError, **options)
    assert size_or_none(geometry.output_size, input_size, kernel_size, **options) == theirs


@settings(deadline=None)
@given(sizes, kernels, strides, st.data(), dilations)
def test_ceil_mode_is_torchs(input_size, kernel_size, stride, data, dilation):
    padding = data.draw(st.integers(0, geometry.max_pool_padding(kernel_size)))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": True}

    def torch_pool_size():
        return F.max_pool1d(torch.zeros(1, 1, input_size), kernel_size, **options).shape[-1]

    theirs = size_or_none(torch_pool_size, error=RuntimeError)
    assert size_or_none(geometry.output_size, input_size, kernel_size, **options) == theirs


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", range(1, 6))
def test_max_pool_padding_is_torchs_limit(kernel_size, dilation):
    x = torch.zeros(1, 1, 20, 20)
    limit = geometry.max_pool_padding(kernel_size)
    F.max_pool2d(x, kernel_size, stride=1, padding=limit, dilation=dilation)
    with pytest.raises(RuntimeError, match="half of"):
        F.max_pool2d(x, kernel_size, stride=1, padding=limit + 1, dilation=dilation)


@settings(deadline=None)
@given(sizes, kernels, strides, sides, st.integers(0, 4), dilations)
def test_transposed_output_size_is_torchs(input_size, kernel_size, stride, padding, output_padding, dilation):
    options = {
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
    }

    def torch_size():
        x, weight = torch.zeros(1, 1, input_size), torch.zeros(1, 1, kernel_size)
        return F.conv_transpose1d(x, weight, **options).shape[-1]

    theirs = size_or_none(torch_size, error=RuntimeError)
    ours = size_or_none(geometry.transposed_output_size, input_size, kernel_size, **options)
    assert (ours or 0) == (theirs or 0)  # torch also makes outputs of size 0


@settings(deadline=None)
@given(sizes, kernels, strides, sides, dilations)
def test_a_transposed_convolution_gives_back_the_size_of_what_is_not_left_over(
    input_size, kernel_size, stride, padding, dilation
):
    input_size += geometry.effective_kernel_size(kernel_size, dilation)
    axis = Axis(input_size, kernel_size, stride, padding, dilation)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    back = geometry.transposed_output_size(
        axis.output_size, kernel_size, output_padding=axis.left_over, **options
    )
    assert back == input_size


def test_windows_of_a_hand_worked_axis():
    axis = Axis(8, 3, stride=4, padding=(1, 1))
    assert list(axis.window_starts) == [0, 4]
    assert (axis.padded_size, axis.covered_size, axis.left_over, axis.overhang) == (10, 7, 3, 0)


def test_an_overhanging_window_leaves_nothing_over():
    axis = Axis(6, 3, stride=2, ceil_mode=True)
    assert list(axis.window_starts) == [0, 2, 4]
    assert (axis.left_over, axis.overhang) == (0, 1)


def test_a_window_that_would_start_in_the_padding_after_is_not_taken():
    axis = Axis(5, 2, stride=3, padding=1, ceil_mode=True)
    assert list(axis.window_starts) == [0, 3]
    assert (axis.left_over, axis.overhang) == (2, 0)


@settings(deadline=None)
@given(sizes, kernels, strides, st.tuples(sides, sides), dilations, st.booleans())
def test_every_padded_pixel_up_to_the_end_is_covered_or_left_over(
    input_size, kernel_size, stride, padding, dilation, ceil_mode
):
    axis = size_or_none(Axis, input_size, kernel_size, stride, padding, dilation, ceil_mode)
    if axis is not None:
        assert axis.covered_size + axis.left_over - axis.overhang == axis.padded_size
        assert len(axis.window_starts) == axis.output_size
        assert axis.overhang == 0 or ceil_mode


def test_an_axis_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Axis(8, 3).stride = 2


def test_an_axis_takes_numpy_integers_and_keeps_plain_ones():
    axis = Axis(np.int64(8), np.int32(3), padding=np.uint8(1))
    assert axis == Axis(8, 3, padding=(1, 1))
    assert type(axis.output_size) is int


@settings(deadline=None)
@given(kernels, dilations, sizes)
def test_same_padding_keeps_the_size(kernel_size, dilation, input_size):
    padding = geometry.same_padding(kernel_size, dilation=dilation)
    assert geometry.output_size(input_size, kernel_size, padding=padding, dilation=dilation) == input_size


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("kernel_size", range(1, 7))
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_puts_the_odd_pixel_where_torch_does(kernel_size, dilation):
    x = torch.arange(1.0, 10).reshape(1, 1, 9)
    weight = torch.arange(1.0, kernel_size + 1).reshape(1, 1, kernel_size)
    padding = geometry.same_padding(kernel_size, dilation=dilation)
    ours = F.conv1d(F.pad(x, padding), weight, dilation=dilation)
    theirs = F.conv1d(x, weight, padding="same", dilation=dilation)
    assert torch.equal(ours, theirs)


@settings(deadline=None)
@given(kernels, dilations, sizes)
def test_full_padding_takes_every_window_that_touches_the_input(kernel_size, dilation, input_size):
    padding = geometry.full_padding(kernel_size, dilation=dilation)
    reach = dilation * (kernel_size - 1)
    size = geometry.output_size(input_size, kernel_size, padding=padding, dilation=dilation)
    assert size == input_size + reach


def test_presets_are_valid_same_and_full():
    paddings = {name: preset(5, dilation=2) for name, preset in geometry.PADDING_PRESETS.items()}
    assert paddings == {"valid": (0, 0), "same": (4, 4), "full": (8, 8)}


@settings(deadline=None)
@given(sizes, kernels, strides, dilations)
def test_tensorflow_same_padding_is_the_least_that_gives_ceil_n_over_s(
    input_size, kernel_size, stride, dilation
):
    options = {"stride": stride, "dilation": dilation}
    before, after = geometry.tensorflow_same_padding(input_size, kernel_size, **options)
    wanted = -(-input_size // stride)
    assert geometry.output_size(input_size, kernel_size, padding=(before, after), **options) == wanted
    assert after - before in (0, 1)
    if after:
        less = size_or_none(
            geometry.output_size, input_size, kernel_size, padding=(before, after - 1), **options
        )
        assert less != wanted


def test_tensorflow_same_padding_differs_from_torchs_with_a_stride():
    assert geometry.tensorflow_same_padding(224, 7, stride=2) == (2, 3)
    assert geometry.same_padding(7) == (3, 3)


@settings(deadline=None)
@given(sizes, kernels, strides, st.integers(0, 8))
def test_the_books_formula_with_total_padding_gives_the_same_size(input_size, kernel_size, stride, total):
    input_size += kernel_size
    padding = geometry.split_total_padding(total, odd_first=True)
    assert geometry.total_padding(padding) == total
    ours = geometry.output_size(input_size, kernel_size, stride=stride, padding=padding)
    assert ours == (input_size - kernel_size + total + stride) // stride


@settings(deadline=None)
@given(sizes, st.tuples(sides, sides), dilations)
def test_max_kernel_size_fits_and_one_more_does_not(input_size, padding, dilation):
    limit = geometry.max_kernel_size(input_size, padding=padding, dilation=dilation)
    assert geometry.output_size(input_size, limit, padding=padding, dilation=dilation) >= 1
    with pytest.raises(ValueError, match="exceeds padded input size"):
        geometry.output_size(input_size, limit + 1, padding=padding, dilation=dilation)


@settings(deadline=None)
@given(sizes, st.integers(2, 9), sides)
def test_max_dilation_fits_and_one_more_does_not(input_size, kernel_size, padding):
    input_size += kernel_size
    limit = geometry.max_dilation(input_size, kernel_size, padding=padding)
    assert geometry.output_size(input_size, kernel_size, padding=padding, dilation=limit) >= 1
    with pytest.raises(ValueError, match="exceeds padded input size"):
        geometry.output_size(input_size, kernel_size, padding=padding, dilation=limit + 1)


@settings(deadline=None)
@given(sizes, kernels, sides)
def test_max_stride_is_the_first_that_leaves_one_window(input_size, kernel_size, padding):
    input_size += kernel_size
    limit = geometry.max_stride(input_size, kernel_size, padding=padding)
    assert geometry.output_size(input_size, kernel_size, padding=padding, stride=limit) == 1
    if limit > 1:
        assert geometry.output_size(input_size, kernel_size, padding=padding, stride=limit - 1) == 2


@settings(deadline=None)
@given(sizes, kernels, strides, st.integers(0, 4), dilations)
def test_max_transposed_padding_leaves_something_and_one_more_does_not(
    input_size, kernel_size, stride, output_padding, dilation
):
    output_padding %= max(stride, dilation)
    options = {"stride": stride, "output_padding": output_padding, "dilation": dilation}
    limit = geometry.max_transposed_padding(input_size, kernel_size, **options)
    axis = TransposedAxis(input_size, kernel_size, padding=limit, **options)
    size = geometry.transposed_output_size(input_size, kernel_size, padding=limit, **options)
    assert axis.output_size == size >= 1
    with pytest.raises(ValueError, match="leaves nothing of full output size"):
        TransposedAxis(input_size, kernel_size, padding=limit + 1, **options)


def test_receptive_field_of_lenet_after_its_second_pooling():
    field = ReceptiveField().after(5, padding=2).after(2, stride=2).after(5).after(2, stride=2)
    assert field == ReceptiveField(size=16, effective_stride=4, start=-2)
    assert field.seen_by(4) == range(14, 30)


layers = st.fixed_dictionaries(
    {
        "kernel_size": st.integers(1, 4),
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 2),
        "dilation": st.integers(1, 2),
    }
)


@settings(deadline=None)
@given(st.lists(layers, max_size=3), st.data())
def test_receptive_field_bounds_the_gradient_of_one_output(stack, data):
    field = ReceptiveField()
    for layer in stack:
        field = field.after(**layer)
    x = torch.zeros(1, 1, field.size + 12, requires_grad=True)
    y = x
    for layer in stack:
        options = {name: value for name, value in layer.items() if name != "kernel_size"}
        y = F.conv1d(y, torch.ones(1, 1, layer["kernel_size"]), **options)
    index = data.draw(st.integers(0, y.shape[-1] - 1))
    y[0, 0, index].backward()
    touched = torch.nonzero(x.grad[0, 0]).flatten().tolist()
    seen = field.seen_by(index)
    assert all(pixel in seen for pixel in touched)
    if touched and all(layer["padding"] == 0 for layer in stack):
        assert (touched[0], touched[-1]) == (seen[0], seen[-1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: geometry.output_size(7, 5, dilation=2),
            r"^effective kernel size 9 \(kernel_size=5, dilation=2\) exceeds padded input size 7 "
            r"\(input_size=7, padding=0\)$",
        ),
        (
            lambda: geometry.output_size(3, 9, padding=(2, 1)),
            r"^effective kernel size 9 \(kernel_size=9, dilation=1\) exceeds padded input size 6 "
            r"\(input_size=3, padding=\(2, 1\)\)$",
        ),
        (
            lambda: geometry.output_size(3, 6, stride=2, ceil_mode=True),
            r"^effective kernel size 6 \(kernel_size=6, dilation=1\) exceeds padded input size 3 "
            r"\(input_size=3, padding=0\) by more than 1 \(stride=2, ceil_mode=True\)$",
        ),
        (lambda: geometry.output_size(7, 3, stride=0), "^stride 0 is below 1$"),
        (lambda: geometry.output_size(0, 3), "^input_size 0 is below 1$"),
        (lambda: geometry.output_size(7, 0), "^kernel_size 0 is below 1$"),
        (lambda: geometry.output_size(7, 3, dilation=0), "^dilation 0 is below 1$"),
        (lambda: geometry.output_size(7, 3, padding=-1), "^padding -1 is below 0$"),
        (lambda: geometry.output_size(7, 3, padding=(0, -2)), "^padding -2 is below 0$"),
        (
            lambda: geometry.output_size(7, 3, padding=(1, 2, 3)),
            r"^padding \(1, 2, 3\) has 3 sides, not 2 \(before, after\)$",
        ),
        (
            lambda: geometry.transposed_output_size(3, 3, stride=2, output_padding=2),
            r"^output_padding 2 is not below the larger of stride and dilation 2 \(stride=2, dilation=1\)$",
        ),
        (
            lambda: geometry.transposed_output_size(2, 3, padding=2),
            r"^total padding 4 \(padding=2\) leaves nothing of full output size 4 \(input_size=2, "
            r"kernel_size=3, stride=1, dilation=1, output_padding=0\)$",
        ),
        (lambda: TransposedAxis(3, 3, output_padding=-1), "^output_padding -1 is below 0$"),
        (lambda: geometry.split_total_padding(-1), "^total_padding -1 is below 0$"),
    ],
)
def test_an_impossible_size_is_refused_with_its_causes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("value", [2.0, True, "2", None, np.float32(2), np.bool_(True)])
def test_a_stride_that_is_not_an_integer_is_refused(value):
    with pytest.raises(TypeError, match=r"^stride .+ \(\w+\) is not an integer$"):
        geometry.output_size(7, 3, stride=value)
    with pytest.raises(TypeError, match=r"^padding .+ \(\w+\) is not an integer$"):
        geometry.output_size(7, 3, padding=(0, value))
