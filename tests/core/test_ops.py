import itertools
import re
from contextlib import suppress

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnn_core import geometry, ops

TOLERANCE = {np.float32: {"rtol": 1e-4, "atol": 1e-5}, np.float64: {"rtol": 1e-10, "atol": 1e-12}}

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
sides = st.tuples(st.integers(0, 3), st.integers(0, 3))
dtypes = st.sampled_from([np.float32, np.float64])


def random_array(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def torch_conv2d(x, weight, bias=None, *, stride, padding, dilation, groups, padding_mode):
    """Torch's convolution, with its own padding in front for what nn.Conv2d cannot pad."""
    (top, bottom), (left, right) = padding
    mode = {"zeros": "constant"}.get(padding_mode, padding_mode)
    padded = F.pad(torch.from_numpy(x), (left, right, top, bottom), mode=mode)
    bias = None if bias is None else torch.from_numpy(bias)
    return F.conv2d(
        padded, torch.from_numpy(weight), bias, stride=stride, dilation=dilation, groups=groups
    ).numpy()


@st.composite
def convolutions(draw, padding_modes=("zeros",)):
    """Arrays and settings that fit each other."""
    groups = draw(st.integers(1, 3))
    channels, out_channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel, dilation, padding = draw(pairs), draw(pairs), (draw(sides), draw(sides))
    padding_mode = draw(st.sampled_from(padding_modes))
    size = []
    for k, d, p in zip(kernel, dilation, padding, strict=True):
        needed = {"reflect": max(p) + 1, "circular": max(p)}.get(padding_mode, 0)
        size.append(draw(st.integers(max(1, needed, d * (k - 1) + 1 - sum(p)), 9)))
    dtype = draw(dtypes)
    seed = draw(st.integers(0, 99))
    x = random_array((draw(st.integers(1, 2)), channels, *size), dtype, seed)
    weight = random_array((out_channels, channels // groups, *kernel), dtype, seed + 1)
    bias = draw(st.sampled_from([None, random_array(out_channels, dtype, seed + 2)]))
    options = {"stride": draw(pairs), "padding": padding, "dilation": dilation, "groups": groups}
    return x, weight, bias, options | {"padding_mode": padding_mode}


@settings(deadline=None)
@given(convolutions(padding_modes=list(ops.PADDING_MODES)))
def test_conv2d_is_torchs(convolution):
    x, weight, bias, options = convolution
    ours = ops.conv2d(x, weight, bias, **options)
    theirs = torch_conv2d(x, weight, bias, **options)
    assert ours.dtype == x.dtype
    np.testing.assert_allclose(ours, theirs, **TOLERANCE[x.dtype.type])


@pytest.mark.parametrize("padding_mode", ops.PADDING_MODES)
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"), list(itertools.product([1, 2], [0, 2], [1, 2], [1, 2, 4]))
)
def test_conv2d_is_torchs_layer_over_a_grid(stride, padding, dilation, groups, padding_mode):
    layer = torch.nn.Conv2d(
        4,
        8,
        (3, 2),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        dtype=torch.float64,
    )
    x = random_array((2, 4, 8, 7))
    ours = ops.conv2d(
        x,
        layer.weight.detach().numpy(),
        layer.bias.detach().numpy(),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    with torch.no_grad():
        theirs = layer(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours, theirs, **TOLERANCE[np.float64])


@pytest.mark.parametrize(
    ("size", "kernel"),
    [((1, 1), (1, 1)), ((7, 9), (1, 1)), ((7, 9), (7, 9)), ((7, 9), (1, 9)), ((300, 200), (3, 3))],
)
@pytest.mark.parametrize(("out_channels", "groups"), [(6, 1), (3, 3)])
def test_conv2d_is_torchs_from_one_pixel_to_a_picture_in_many_blocks(size, kernel, out_channels, groups):
    x, weight = random_array((2, 3, *size)), random_array((out_channels, 3 // groups, *kernel))
    theirs = F.conv2d(torch.from_numpy(x), torch.from_numpy(weight), groups=groups).numpy()
    np.testing.assert_allclose(ops.conv2d(x, weight, groups=groups), theirs, **TOLERANCE[np.float64])


@pytest.mark.parametrize("dilation", [1, (3, 2)])
@pytest.mark.parametrize("stride", [1, (1, 2), (2, 1)])
def test_one_kernel_over_a_large_picture_is_torchs(stride, dilation):
    x, weight = random_array((1, 1, 400, 300)), random_array((1, 1, 5, 4))
    theirs = F.conv2d(
        torch.from_numpy(x), torch.from_numpy(weight), stride=stride, dilation=dilation, padding=2
    ).numpy()
    ours = ops.conv2d(x, weight, stride=stride, dilation=dilation, padding=2)
    np.testing.assert_allclose(ours, theirs, **TOLERANCE[np.float64])


def test_conv2d_takes_arrays_that_are_not_contiguous():
    x, weight = random_array((1, 2, 6, 8)), random_array((3, 2, 3, 3))
    turned, flipped = x.transpose(0, 1, 3, 2), ops.flip(weight)
    theirs = F.conv2d(torch.from_numpy(turned.copy()), torch.from_numpy(flipped.copy())).numpy()
    np.testing.assert_allclose(ops.conv2d(turned, flipped), theirs, **TOLERANCE[np.float64])


def test_a_1x1_convolution_is_a_matrix_product_over_pixels():
    x, weight = random_array((1, 3, 4, 5)), random_array((2, 3, 1, 1))
    product = weight[:, :, 0, 0] @ x[0].reshape(3, -1)
    np.testing.assert_allclose(ops.conv2d(x, weight)[0].reshape(2, -1), product, **TOLERANCE[np.float64])


def test_the_partial_results_of_the_input_channels_sum_to_the_output():
    x, weight = random_array((1, 3, 5, 5)), random_array((2, 3, 3, 3))
    parts = [ops.conv2d(x[:, c : c + 1], weight[:, c : c + 1]) for c in range(3)]
    np.testing.assert_allclose(sum(parts), ops.conv2d(x, weight), **TOLERANCE[np.float64])


@pytest.mark.parametrize(
    ("x_type", "weight_type", "expected"),
    [
        (np.float32, np.float32, np.float32),
        (np.float64, np.float32, np.float64),
        (np.uint8, np.float32, np.float32),
        (np.uint8, np.float64, np.float64),
        (np.uint8, np.int64, np.float64),
        (np.uint8, np.int8, np.float32),
        (np.float16, np.float32, np.float32),
        (bool, np.float32, np.float32),
    ],
)
def test_conv2d_computes_in_the_common_type_at_least_float32(x_type, weight_type, expected):
    out = ops.conv2d(np.ones((1, 1, 3, 3), x_type), np.full((1, 1, 2, 2), 3, weight_type))
    assert out.dtype == expected
    assert np.all(out == 12)


def test_a_uint8_picture_does_not_wrap_around():
    out = ops.corr2d(np.full((3, 3), 255, np.uint8), np.full((3, 3), -1))
    assert out.item() == -2295


def test_conv2d_leaves_its_arguments_as_they_were():
    x, weight, bias = random_array((1, 1, 4, 4)), random_array((1, 1, 2, 2)), random_array(1)
    copies = x.copy(), weight.copy(), bias.copy()
    ops.conv2d(x, weight, bias, padding=1)
    ops.pool2d(x, 2, mode="average")
    for array, copy in zip((x, weight, bias), copies, strict=True):
        assert np.array_equal(array, copy)


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # infinity times zero
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_kernel_that_is_not_finite_spreads_as_in_torch(value):
    x, weight = np.eye(4)[None, None], np.array([[[[1.0, value]]]])
    theirs = F.conv2d(torch.from_numpy(x), torch.from_numpy(weight)).numpy()
    np.testing.assert_array_equal(ops.conv2d(x, weight), theirs)
    np.testing.assert_array_equal(ops.conv2d_terms(x, weight, at=(0, 0, 0, 0)).total, theirs[0, 0, 0, 0])


def test_corr2d_of_the_books_edge_finds_both_edges_with_their_sign():
    picture = np.ones((6, 8))
    picture[:, 2:6] = 0
    edges = ops.corr2d(picture, np.array([[1, -1]]))
    assert edges.shape == (6, 7)
    assert np.all(edges == [0, 1, 0, 0, 0, -1, 0])
    assert not ops.corr2d(picture, np.array([[1], [-1]])).any()


def test_convolving_with_the_flipped_kernel_is_the_convolution_of_mathematics():
    x, kernel = np.zeros((5, 5)), np.arange(9.0).reshape(3, 3)
    x[2, 2] = 1
    assert np.array_equal(ops.corr2d(x, ops.flip(kernel)), kernel)
    assert np.array_equal(ops.corr2d(x, kernel), ops.flip(kernel))


@settings(deadline=None)
@given(st.integers(7, 12), st.integers(1, 3), st.integers(1, 3), sides, st.integers(1, 3), dtypes)
def test_conv1d_is_torchs(length, kernel_size, stride, padding, dilation, dtype):
    x, weight = random_array((2, 3, length), dtype), random_array((4, 3, kernel_size), dtype, 1)
    bias = random_array(4, dtype, 2)
    ours = ops.conv1d(x, weight, bias, stride=stride, padding=padding, dilation=dilation)
    padded = F.pad(torch.from_numpy(x), padding)
    theirs = F.conv1d(
        padded, torch.from_numpy(weight), torch.from_numpy(bias), stride=stride, dilation=dilation
    ).numpy()
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, theirs, **TOLERANCE[dtype])


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    pairs,
    pairs,
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    pairs,
    dtypes,
)
def test_conv_transpose2d_is_torchs(size, kernel, stride, padding, output_padding, dilation, dtype):
    options = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    x, weight = random_array((2, 3, *size), dtype), random_array((3, 2, *kernel), dtype, 1)
    bias = random_array(2, dtype, 2)
    try:
        ours = ops.conv_transpose2d(x, weight, bias, **options)
    except ValueError:
        assume(False)
    theirs = F.conv_transpose2d(*map(torch.from_numpy, (x, weight, bias)), **options).numpy()
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, theirs, **TOLERANCE[dtype])


def test_conv_transpose2d_cuts_each_side_by_its_own_padding():
    x, weight = random_array((1, 2, 4, 4)), random_array((2, 3, 3, 3))
    whole = ops.conv_transpose2d(x, weight, stride=2)
    assert np.array_equal(
        ops.conv_transpose2d(x, weight, stride=2, padding=((1, 0), (2, 3))), whole[:, :, 1:, 2:-3]
    )


@settings(deadline=None)
@given(convolutions())
def test_conv_transpose2d_is_the_adjoint_of_conv2d(convolution):
    x, weight, _, options = convolution
    options = {name: options[name] for name in ("stride", "padding", "dilation")}
    weight = np.repeat(weight, x.shape[1] // weight.shape[1], axis=1)
    out = ops.conv2d(x, weight, **options)
    other = random_array(out.shape, x.dtype, 7)
    axes = [
        geometry.Axis(n, k, s, p, d)
        for n, k, s, p, d in zip(
            x.shape[2:],
            weight.shape[2:],
            options["stride"],
            options["padding"],
            options["dilation"],
            strict=True,
        )
    ]
    # Rows that no window reaches get no gradient; transposed convolution makes them by output_padding.
    assume(all(axis.left_over < max(axis.stride, axis.dilation) for axis in axes))
    extra = tuple(axis.left_over for axis in axes)
    back = ops.conv_transpose2d(other, weight, output_padding=extra, **options)
    assert np.isclose(np.vdot(out, other), np.vdot(x, back), rtol=1e-3, atol=1e-3)


@st.composite
def poolings(draw):
    window = draw(pairs)
    dilation = draw(pairs)
    size = tuple(draw(st.integers(1, 9)) for _ in range(2))
    padding = tuple(draw(st.integers(0, k // 2)) for k in window)
    stride = draw(st.none() | pairs)
    return size, {"stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}, window, dilation


def torch_pool(pool, x, window, **options):
    try:
        return pool(torch.from_numpy(x), window, **options).numpy()
    except RuntimeError:
        return None


def our_pool(x, window, **options):
    try:
        return ops.pool2d(x, window, **options)
    except ValueError:
        return None


def assert_same_or_both_refused(ours, theirs):
    assert (ours is None) == (theirs is None)
    if ours is not None:
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, **TOLERANCE[ours.dtype.type])


@settings(max_examples=200, deadline=None)
@given(poolings(), dtypes)
def test_max_and_min_pooling_are_torchs(pooling, dtype):
    size, options, window, dilation = pooling
    x = random_array((2, 3, *size), dtype)
    theirs = torch_pool(F.max_pool2d, x, window, dilation=dilation, **options)
    assert_same_or_both_refused(our_pool(x, window, dilation=dilation, mode="max", **options), theirs)
    theirs = torch_pool(F.max_pool2d, -x, window, dilation=dilation, **options)
    ours = our_pool(x, window, dilation=dilation, mode="min", **options)
    assert_same_or_both_refused(ours, None if theirs is None else -theirs)


@settings(max_examples=200, deadline=None)
@given(poolings(), dtypes)
def test_average_pooling_is_torchs(pooling, dtype):
    size, options, window, _ = pooling
    x = random_array((2, 3, *size), dtype)
    theirs = torch_pool(F.avg_pool2d, x, window, **options)
    assert_same_or_both_refused(our_pool(x, window, mode="average", **options), theirs)


def test_dilated_average_pooling_is_a_depthwise_convolution():
    x = random_array((1, 2, 9, 9))
    ours = ops.pool2d(x, 3, stride=2, padding=1, dilation=2, mode="average")
    weight = np.full((2, 1, 3, 3), 1 / 9)
    np.testing.assert_allclose(
        ours, ops.conv2d(x, weight, stride=2, padding=1, dilation=2, groups=2), **TOLERANCE[np.float64]
    )


def test_the_average_counts_padding_but_not_the_overhang():
    x = np.ones((1, 1, 1, 4))
    averages = ops.pool2d(x, (1, 3), stride=(1, 2), padding=(0, 1), mode="average", ceil_mode=True)
    np.testing.assert_allclose(averages[0, 0, 0], [2 / 3, 1, 1 / 2])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool])
def test_padding_never_wins_a_maximum_or_minimum_of_integers(dtype):
    x = np.ones((1, 1, 4, 4), dtype)
    for mode in ("max", "min"):
        out = ops.pool2d(x, 3, stride=1, padding=1, mode=mode)
        assert np.all(out == 1)
        assert out.dtype == (np.uint8 if dtype is bool else dtype)


def test_a_maximum_with_nan_in_its_window_is_nan_as_in_torch():
    x = random_array((1, 1, 4, 4))
    x[0, 0, 1, 1] = np.nan
    theirs = F.max_pool2d(torch.from_numpy(x), 2).numpy()
    np.testing.assert_array_equal(ops.pool2d(x, 2), theirs)


@settings(deadline=None)
@given(convolutions(padding_modes=list(ops.PADDING_MODES)), st.data())
def test_terms_sum_to_the_output(convolution, data):
    x, weight, _, options = convolution
    out = ops.conv2d(x, weight, **options)
    at = tuple(data.draw(st.integers(0, size - 1)) for size in out.shape)
    terms = ops.conv2d_terms(x, weight, at=at, **options)
    assert terms.window.shape == terms.weight.shape == terms.products.shape == weight.shape[1:]
    np.testing.assert_allclose(terms.total, out[at], **TOLERANCE[x.dtype.type])


def test_terms_of_whole_numbers_sum_to_the_output_exactly():
    x, weight = np.arange(50).reshape(1, 2, 5, 5), np.arange(36).reshape(2, 2, 3, 3) - 18
    out = ops.conv2d(x, weight, padding=1)
    for at in np.ndindex(out.shape):
        assert ops.conv2d_terms(x, weight, at=at, padding=1).total == out[at]


@settings(deadline=None)
@given(convolutions(), st.data())
def test_terms_name_the_pixels_they_see(convolution, data):
    x, weight, _, options = convolution
    out_shape = ops.conv2d(x, weight, **options).shape
    at = tuple(data.draw(st.integers(0, size - 1)) for size in out_shape)
    terms = ops.conv2d_terms(x, weight, at=at, **options)
    for cell in np.ndindex(terms.window.shape):
        channel, row, column = (
            r[i] for r, i in zip((terms.channels, terms.rows, terms.columns), cell, strict=True)
        )
        inside = 0 <= row < x.shape[2] and 0 <= column < x.shape[3]
        assert terms.window[cell] == (x[at[0], channel, row, column] if inside else 0)


PICTURE, WEIGHT = np.zeros((1, 2, 7, 7)), np.zeros((4, 2, 5, 5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, dilation=2),
            "effective kernel size 9 (kernel_size=5, dilation=2) exceeds padded input size 7 "
            "(input_size=7, padding=0)",
        ),
        (lambda: ops.conv2d(PICTURE, WEIGHT, stride=0), "stride 0 is below 1"),
        (lambda: ops.conv2d(PICTURE, WEIGHT, stride=(1, 0)), "stride 0 is below 1"),
        (lambda: ops.conv2d(PICTURE, WEIGHT, padding=-1), "padding -1 is below 0"),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, stride=(1, 2, 3)),
            "stride (1, 2, 3) has 3 numbers, not 2 (height, width)",
        ),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, padding=(1, 2, 3)),
            "padding (1, 2, 3) has 3 entries, not 2 (height, width)",
        ),
        (lambda: ops.conv2d(PICTURE, WEIGHT, groups=0), "groups 0 is below 1"),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, groups=2),
            "weight input channels 4 (weight shape (4, 2, 5, 5), groups=2) are not the input channels 2 "
            "(x shape (1, 2, 7, 7))",
        ),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT[:3, :1], groups=2),
            "output channels 3 (weight shape (3, 1, 5, 5)) are no multiple of groups 2",
        ),
        (
            lambda: ops.conv2d(PICTURE[0], WEIGHT),
            "x shape (2, 7, 7) does not have the axes (N, C_in, H, W)",
        ),
        (lambda: ops.conv2d(PICTURE[:, :, :0], WEIGHT), "x shape (1, 2, 0, 7) holds no numbers"),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, np.zeros(3)),
            "bias shape (3,) does not match output channels 4",
        ),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, padding_mode="same"),
            "padding_mode 'same' is not one of zeros, reflect, replicate, circular",
        ),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, padding=((7, 0), (0, 0)), padding_mode="reflect"),
            "reflect padding 7 is not below input size 7",
        ),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, padding=(0, 8), padding_mode="circular"),
            "circular padding 8 exceeds input size 7",
        ),
        (
            lambda: ops.conv_transpose2d(PICTURE, WEIGHT),
            "weight input channels 4 (weight shape (4, 2, 5, 5)) are not the input channels 2 "
            "(x shape (1, 2, 7, 7))",
        ),
        (
            lambda: ops.conv_transpose2d(PICTURE, WEIGHT[:2], stride=2, output_padding=2),
            "output_padding 2 is not below the larger of stride and dilation 2 (stride=2, dilation=1)",
        ),
        (lambda: ops.corr2d(PICTURE, WEIGHT), "image shape (1, 2, 7, 7) does not have the axes (H, W)"),
        (lambda: ops.pool2d(PICTURE, 2, mode="median"), "mode 'median' is not one of max, average, min"),
        (lambda: ops.pool2d(PICTURE, 3, padding=2), "padding 2 exceeds half of the window, 1 (window=3)"),
        (
            lambda: ops.pool2d(PICTURE, 8),
            "effective kernel size 8 (kernel_size=8, dilation=1) exceeds padded input size 7 "
            "(input_size=7, padding=0)",
        ),
        (
            lambda: ops.conv2d_terms(PICTURE, WEIGHT, at=(0, 0, 3, 0)),
            "at (0, 0, 3, 0) is not a position (n, c_out, row, column) in the output of shape (1, 4, 3, 3)",
        ),
        (lambda: ops.conv2d_terms(PICTURE, WEIGHT, at=(0, 0, -1, 0)), "at -1 is below 0"),
        (
            lambda: ops.conv2d_terms(PICTURE, WEIGHT, at=(0, 0)),
            "at (0, 0) is not a position (n, c_out, row, column) in the output of shape (1, 4, 3, 3)",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_causes(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.conv2d(PICTURE.astype(complex), WEIGHT),
            "x of type complex128 does not hold real numbers",
        ),
        (lambda: ops.conv2d(PICTURE, WEIGHT.astype(str)), "weight of type <U32 does not hold real numbers"),
        (lambda: ops.conv2d(PICTURE, WEIGHT, stride=1.5), "stride 1.5 (float) is not an integer"),
        (
            lambda: ops.conv2d(PICTURE, WEIGHT, padding=((1, True), (0, 0))),
            "padding True (bool) is not an integer",
        ),
    ],
)
def test_what_is_no_number_is_refused(call, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("input_size", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_the_possible_padding_modes_are_those_that_torch_can_do(input_size, padding):
    x = torch.zeros(1, 1, input_size, input_size)
    accepted = ["zeros"]
    for mode in ("reflect", "replicate", "circular"):
        with suppress(RuntimeError):
            F.pad(x, (padding,) * 4, mode=mode)
            accepted.append(mode)
    axis = geometry.Axis(input_size, 1, padding=padding)
    assert ops.possible_padding_modes(axis, geometry.Axis(9, 1)) == accepted
