import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from cnn_core import ops, scene
from cnn_core.geometry import Axis, TransposedAxis
from cnn_core.scene import FILLED, NOTHING, Wiring, wire, wire_transposed

TORCH_MODES = {"zeros": "constant"}


@st.composite
def axes(draw, padding_mode="zeros"):
    """One axis of a convolution whose padding its mode allows."""
    kernel, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    needed = {"reflect": max(padding) + 1, "circular": max(padding)}.get(padding_mode, 1)
    smallest = max(1, needed, dilation * (kernel - 1) + 1 - sum(padding))
    return Axis(draw(st.integers(smallest, 13)), kernel, draw(st.integers(1, 4)), padding, dilation)


@st.composite
def pooling_axes(draw, ceil_mode, *, dilations=(1,)):
    """One axis of a pooling layer; torch pads both sides alike."""
    window, dilation = draw(st.integers(1, 5)), draw(st.sampled_from(dilations))
    padding = draw(st.integers(0, window // 2))
    size = draw(st.integers(max(1, dilation * (window - 1) + 1 - 2 * padding), 13))
    return Axis(size, window, draw(st.integers(1, 4)), padding, dilation, ceil_mode)


@st.composite
def transposed_settings(draw):
    """Settings of one axis of a transposed convolution, and its sizes."""
    settings = {"stride": draw(st.integers(1, 4)), "dilation": draw(st.integers(1, 3))}
    settings["output_padding"] = draw(st.integers(0, max(settings.values()) - 1))
    settings["padding"] = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    size, kernel = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    full = (size - 1) * settings["stride"] + settings["dilation"] * (kernel - 1) + settings["output_padding"]
    assume(full >= sum(settings["padding"]))
    return size, kernel, settings


def random_array(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def jacobian(layer, size):
    """Differentiate each output of a layer by each input, along one axis; shape (output_size, size)."""
    result = torch.autograd.functional.jacobian(lambda x: layer(x[None, None])[0, 0], random_pixels(size))
    return result.numpy()


def random_pixels(size):
    return torch.from_numpy(random_array(size))


def linked(wiring: Wiring, weight):
    """Write the same from the links: which input meets which kernel cell in which output."""
    result = np.zeros((wiring.output_size, wiring.input_size))
    for output, pixel, cell in wiring.links:
        if wiring.source[pixel] >= 0:
            result[output, wiring.source[pixel]] += weight[cell]
    return result


def torch_conv1d(axis, weight, padding_mode="zeros"):
    def layer(x):
        padded = F.pad(x, axis.padding, mode=TORCH_MODES.get(padding_mode, padding_mode))
        return F.conv1d(padded, torch.tensor(weight)[None, None], stride=axis.stride, dilation=axis.dilation)

    return layer


def torch_transposed1d(weight, settings):
    def layer(x):
        (before, after), options = settings["padding"], settings | {"padding": 0}
        full = F.conv_transpose1d(x, torch.tensor(weight)[None, None], **options)
        return full[..., before : full.shape[-1] - after]

    return layer


def torch_average1d(axis):
    def layer(x):
        return F.avg_pool1d(x, axis.kernel_size, axis.stride, axis.padding[0], axis.ceil_mode)

    return layer


def worked_out(shown: scene.Scene):
    """Compute the output from nothing but the links, number by number."""
    windows = {}
    for i, p, u in shown.height.links:
        for j, q, v in shown.width.links:
            row, column = shown.height.source[p], shown.width.source[q]
            for channel, plane in enumerate(shown.x):
                number = shown.filling if FILLED in (row, column) else plane[row, column]
                windows.setdefault((channel, i, j), []).append((number, u, v))
    return windows


def summed(shown: scene.Scene):
    y = np.full((1, shown.height.output_size, shown.width.output_size), shown.bias)
    for (channel, i, j), terms in worked_out(shown).items():
        y[0, i, j] += sum(number * shown.weight[channel, u, v] for number, u, v in terms)
    return y


def pooled(shown: scene.Scene, combine):
    y = np.full((len(shown.x), shown.height.output_size, shown.width.output_size), np.nan)
    for place, terms in worked_out(shown).items():
        y[place] = combine([number for number, _, _ in terms if number is not None])
    return y


# One axis


@given(st.data(), st.sampled_from(list(ops.PADDING_MODES)), st.booleans())
def test_links_name_the_inputs_and_the_weights_by_which_torch_differentiates(data, padding_mode, flipped):
    axis = data.draw(axes(padding_mode))
    wiring = wire(axis, padding_mode=padding_mode, flipped=flipped)
    weight = random_array(axis.kernel_size, seed=1)
    laid_on = weight[::-1].copy() if flipped else weight
    theirs = jacobian(torch_conv1d(axis, laid_on, padding_mode), axis.input_size)
    np.testing.assert_allclose(linked(wiring, weight), theirs, atol=1e-12)
    fed = jacobian(torch_conv1d(axis, np.ones(axis.kernel_size), padding_mode), axis.input_size) > 0
    assert wiring.most_outputs == fed.sum(axis=0).max(initial=0)


@given(transposed_settings(), st.booleans())
def test_links_of_a_transposed_convolution_do_so_too(layer, flipped):
    size, kernel, settings = layer
    weight = random_array(kernel, seed=1)
    wiring = wire_transposed(TransposedAxis(size, kernel, **settings), flipped=flipped)
    laid_on = weight[::-1].copy() if flipped else weight
    theirs = jacobian(torch_transposed1d(laid_on, settings), size)
    assert theirs.shape == (wiring.output_size, size)
    np.testing.assert_allclose(linked(wiring, weight), theirs, atol=1e-12)
    fed = jacobian(torch_transposed1d(np.ones(kernel), settings), size) > 0
    assert wiring.most_outputs == fed.sum(axis=0).max(initial=0)


@given(st.data(), st.booleans())
def test_links_of_an_average_are_the_inputs_to_which_torch_gives_gradient(data, ceil_mode):
    axis = data.draw(pooling_axes(ceil_mode))
    wiring = wire(axis)
    theirs = jacobian(torch_average1d(axis), axis.input_size)
    inside = np.bincount([output for output, _, _ in wiring.links], minlength=wiring.output_size)
    np.testing.assert_allclose(
        linked(wiring, np.ones(axis.kernel_size)) / inside[:, None], theirs, atol=1e-12
    )


@given(st.data(), st.sampled_from(list(ops.PADDING_MODES)))
def test_padded_pixels_show_the_inputs_that_torch_copies(data, padding_mode):
    axis = data.draw(axes(padding_mode))
    numbered = torch.arange(1.0, axis.input_size + 1)[None, None]
    theirs = F.pad(numbered, axis.padding, mode=TORCH_MODES.get(padding_mode, padding_mode))[0, 0] - 1
    wiring = wire(axis, padding_mode=padding_mode)
    assert list(wiring.source) == theirs.int().tolist()
    assert wiring.source[wiring.before] == 0


@given(st.data(), st.booleans())
def test_what_is_left_over_and_what_hangs_over_follow_from_the_links(data, ceil_mode):
    axis = data.draw(st.one_of(axes(), pooling_axes(ceil_mode, dilations=(1, 2, 3))))
    wiring = wire(axis)
    padded = sum(source != NOTHING for source in wiring.source)
    assert padded == axis.input_size + sum(axis.padding)
    places = [
        output * axis.stride + cell * axis.dilation
        for output in range(wiring.output_size)
        for cell in range(wiring.kernel_size)
    ]
    assert sorted(pixel for _, pixel, _ in wiring.links) == sorted(
        place for place in places if place < padded
    )
    assert wiring.left_over == max(0, padded - 1 - max(places))
    assert len(wiring.source) == max(padded, max(places) + 1)
    assert wiring.source[padded:] == (NOTHING,) * (len(wiring.source) - padded)


def test_rows_left_over_are_counted_at_the_end():
    wiring = wire(Axis(8, 3, 3))
    assert (wiring.output_size, wiring.left_over, NOTHING in wiring.source) == (2, 2, False)


def test_a_window_that_hangs_over_meets_nothing_there():
    wiring = wire(Axis(4, 3, 3, ceil_mode=True))
    assert wiring.source == (0, 1, 2, 3, NOTHING, NOTHING)
    assert [link for link in wiring.links if link[0] == 1] == [(1, 3, 0)]


def test_a_kernel_of_two_over_three_pixels_by_hand():
    wiring = wire(Axis(3, 2, padding=1), flipped=True)
    assert wiring.source == (FILLED, 0, 1, 2, FILLED)
    assert wiring.links == (
        (0, 0, 1),
        (0, 1, 0),
        (1, 1, 1),
        (1, 2, 0),
        (2, 2, 1),
        (2, 3, 0),
        (3, 3, 1),
        (3, 4, 0),
    )
    assert wiring.most_outputs == 2


@pytest.mark.parametrize(
    ("padding_mode", "source"),
    [
        ("zeros", (FILLED, FILLED, 0, 1, 2, FILLED)),
        ("reflect", (2, 1, 0, 1, 2, 1)),
        ("replicate", (0, 0, 0, 1, 2, 2)),
        ("circular", (1, 2, 0, 1, 2, 0)),
    ],
)
def test_each_padding_mode_by_hand(padding_mode, source):
    assert wire(Axis(3, 1, padding=(2, 1)), padding_mode=padding_mode).source == source


def test_a_pixel_and_its_copies_feed_an_output_once():
    # Replicated, the single pixel fills each window.
    assert wire(Axis(1, 3, padding=1), padding_mode="replicate").most_outputs == 1
    assert wire(Axis(1, 3, padding=2), padding_mode="replicate").most_outputs == 3


def test_an_input_that_no_window_reaches_feeds_nothing():
    wiring = wire(Axis(1, 1, stride=3, padding=(1, 0)))
    assert wiring.links == ((0, 0, 0),)
    assert wiring.most_outputs == 0


# Two axes


@given(st.data(), st.sampled_from(list(ops.PADDING_MODES)), st.booleans(), st.integers(1, 3))
def test_sums_over_the_links_of_a_convolution_are_torchs_outputs(data, padding_mode, flipped, channels):
    height, width = data.draw(axes(padding_mode)), data.draw(axes(padding_mode))
    x = random_array(channels, height.input_size, width.input_size)
    weight = random_array(channels, height.kernel_size, width.kernel_size, seed=1)
    shown = scene.convolution(x, weight, height, width, bias=0.3, padding_mode=padding_mode, flipped=flipped)
    mode = TORCH_MODES.get(padding_mode, padding_mode)
    kernels = torch.from_numpy(weight)
    theirs = F.conv2d(
        F.pad(torch.from_numpy(x)[None], (*width.padding, *height.padding), mode=mode),
        (kernels.flip(1, 2) if flipped else kernels)[None],
        torch.tensor([0.3], dtype=torch.float64),
        stride=(height.stride, width.stride),
        dilation=(height.dilation, width.dilation),
    )[0].numpy()
    np.testing.assert_allclose(shown.y, theirs, atol=1e-12)
    np.testing.assert_allclose(summed(shown), theirs, atol=1e-12)


@given(transposed_settings(), transposed_settings(), st.booleans(), st.integers(1, 3))
def test_sums_over_the_links_of_a_transposed_convolution_are_torchs_outputs(height, width, flipped, channels):
    x, weight = (
        random_array(channels, height[0], width[0]),
        random_array(channels, height[1], width[1], seed=1),
    )
    pairs = {name: (height[2][name], width[2][name]) for name in height[2]}
    axes = (TransposedAxis(size, kernel, **settings) for size, kernel, settings in (height, width))
    shown = scene.transposed(x, weight, *axes, bias=-0.7, flipped=flipped)
    (top, bottom), (left, right) = pairs["padding"]
    kernels = torch.from_numpy(weight)[:, None]  # (C_in, 1, kH, kW)
    bias = torch.tensor([-0.7], dtype=torch.float64)
    kernels = kernels.flip(2, 3) if flipped else kernels
    full = F.conv_transpose2d(torch.from_numpy(x)[None], kernels, bias, **pairs | {"padding": 0})[0].numpy()
    theirs = full[:, top : full.shape[1] - bottom, left : full.shape[2] - right]
    np.testing.assert_allclose(shown.y, theirs, atol=1e-12)
    np.testing.assert_allclose(summed(shown), theirs, atol=1e-12)


@given(st.data(), st.booleans(), st.sampled_from(["max", "min", "average"]))
def test_pooling_over_the_links_is_torchs(data, ceil_mode, mode):
    dilations = (1,) if mode == "average" else (1, 2)
    height, width = (data.draw(pooling_axes(ceil_mode, dilations=dilations)) for _ in range(2))
    x = random_array(2, height.input_size, width.input_size)
    shown = scene.pooling(x, height, width, mode=mode)
    window, stride, dilation = (
        tuple(getattr(axis, name) for axis in (height, width))
        for name in ("kernel_size", "stride", "dilation")
    )
    settings = [window, stride, (height.padding[0], width.padding[0])]
    if mode == "average":
        theirs = F.avg_pool2d(torch.from_numpy(x), *settings, ceil_mode).numpy()
        ours = pooled(shown, np.mean)
    else:
        sign = {"max": 1, "min": -1}[mode]
        theirs = sign * F.max_pool2d(torch.from_numpy(sign * x), *settings, dilation, ceil_mode).numpy()
        ours = pooled(shown, lambda numbers: sign * max((sign * n for n in numbers), default=-np.inf))
    np.testing.assert_allclose(shown.y, theirs, atol=1e-12)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("make", ["convolution", "transposed"])
def test_a_turned_kernel_is_the_kernel_turned_by_hand(make):
    x, weight = random_array(2, 5, 4), random_array(2, 3, 2, seed=1)
    kind = Axis if make == "convolution" else TransposedAxis
    settings = [kind(5, 3), kind(4, 2)]
    turned = getattr(scene, make)(x, weight, *settings, flipped=True)
    by_hand = getattr(scene, make)(x, ops.flip(weight), *settings)
    np.testing.assert_allclose(turned.y, by_hand.y)
    np.testing.assert_array_equal(turned.weight, weight)
    assert turned.y.shape == ((1, 3, 3) if make == "convolution" else (1, 7, 5))


def test_only_padding_that_counts_has_a_number():
    x, axis = np.ones((1, 3, 3)), Axis(3, 2, padding=1)
    filling = {mode: scene.pooling(x, axis, axis, mode=mode).filling for mode in ("max", "average", "min")}
    assert filling == {"max": None, "average": 0, "min": None}
    assert scene.convolution(x, np.ones((1, 2, 2)), axis, axis).filling == 0


def test_the_arrays_of_a_scene_are_floats_of_its_own():
    x, weight = np.array([[[200, 100]]], np.uint8), np.array([[[3]]], np.int8)
    shown = scene.convolution(x, weight, Axis(1, 1), Axis(2, 1))
    assert shown.x.dtype == shown.weight.dtype == shown.y.dtype == np.float64
    assert shown.y.tolist() == [[[600, 300]]]
    assert not np.shares_memory(scene.convolution(shown.x, weight, Axis(1, 1), Axis(2, 1)).x, shown.x)


# What cannot be


X, WEIGHT = np.zeros((2, 4, 5)), np.zeros((2, 3, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X[0], WEIGHT, Axis(4, 3), Axis(5, 2)), r"shapes \[\(4, 5\), \(2, 3, 2\)\] are not \(C_in, H, W\)"),
        ((X[:1], WEIGHT, Axis(4, 3), Axis(5, 2)), r"shapes \[\(1, 4, 5\), \(2, 3, 2\)\] are not"),
        ((X, WEIGHT[None], Axis(4, 3), Axis(5, 2)), r"shapes \[\(2, 4, 5\), \(1, 2, 3, 2\)\] are not"),
        (
            (X, WEIGHT, Axis(5, 3), Axis(5, 2)),
            r"sizes \(4, 5, 3, 2\) of the arrays are not .* \(5, 5, 3, 2\)",
        ),
        ((X, WEIGHT, Axis(4, 3), Axis(5, 3)), r"are not the sizes \(4, 5, 3, 3\) of the axes"),
        (
            (X, WEIGHT, Axis(4, 3, ceil_mode=True), Axis(5, 2)),
            "ceil_mode is for pooling; a convolution rounds",
        ),
        ((X, WEIGHT, Axis(4, 3), Axis(5, 2, ceil_mode=True)), "ceil_mode is for pooling"),
    ],
)
def test_a_convolution_of_arrays_that_do_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        scene.convolution(*arguments)


@pytest.mark.parametrize(
    ("padding", "padding_mode", "message"),
    [
        (4, "reflect", "reflect padding 4 is not below input size 4"),
        (5, "circular", "circular padding 5 exceeds input size 4"),
        (1, "mirror", "padding_mode 'mirror' is not one of zeros, reflect, replicate, circular"),
    ],
)
def test_padding_beyond_its_mode_is_refused(padding, padding_mode, message):
    with pytest.raises(ValueError, match=message):
        scene.convolution(X, WEIGHT, Axis(4, 3, padding=padding), Axis(5, 2), padding_mode=padding_mode)


def test_wiring_an_unknown_padding_mode_is_refused():
    with pytest.raises(ValueError, match="padding_mode 'mirror' is not one of zeros, reflect"):
        wire(Axis(3, 2), padding_mode="mirror")


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "message"),
    [
        ((X[:1], WEIGHT), {}, ValueError, r"shapes \[\(1, 4, 5\), \(2, 3, 2\)\] are not"),
        ((X[0], WEIGHT[0]), {}, ValueError, r"shapes \[\(4, 5\), \(3, 2\)\] are not"),
        (
            (X, WEIGHT),
            {"padding": (3, 3)},
            ValueError,
            "total padding 6 .* leaves nothing of full output size 6",
        ),
        (
            (X, WEIGHT),
            {"stride": 2, "output_padding": 2},
            ValueError,
            "output_padding 2 is not below the larger",
        ),
        ((X, WEIGHT), {"stride": 0}, ValueError, "stride"),
        ((X, WEIGHT), {"stride": 1.5}, TypeError, "stride"),
        ((X, WEIGHT), {"padding": (1, 2, 3)}, ValueError, "padding"),
    ],
)
def test_an_impossible_transposed_convolution_is_refused(arguments, settings, error, message):
    with pytest.raises(error, match=message):
        scene.transposed(*arguments, *(TransposedAxis(*sizes, **settings) for sizes in ((4, 3), (5, 2))))


def test_a_transposed_convolution_of_other_sizes_than_its_axes_is_refused():
    with pytest.raises(
        ValueError, match=r"sizes \(4, 5, 3, 2\) of the arrays are not the sizes \(4, 5, 3, 3\)"
    ):
        scene.transposed(X, WEIGHT, TransposedAxis(4, 3), TransposedAxis(5, 3))


def test_wiring_an_impossible_transposed_axis_is_refused():
    with pytest.raises(ValueError, match=r"total padding 4 .* leaves nothing of full output size 3"):
        wire_transposed(TransposedAxis(2, 2, padding=2))


@pytest.mark.parametrize(
    ("x", "height", "width", "mode", "message"),
    [
        (X[0], Axis(4, 2), Axis(5, 2), "max", r"shapes \[\(4, 5\)\] are not"),
        (
            X,
            Axis(5, 2),
            Axis(5, 2),
            "max",
            r"sizes \(4, 5\) of the arrays are not the sizes \(5, 5\) of the axes",
        ),
        (X, Axis(4, 2, ceil_mode=True), Axis(5, 2), "max", "ceil_mode differs between height and width"),
        (X, Axis(4, 2, padding=2), Axis(5, 2), "max", "padding 2 exceeds half of the window, 1"),
        (X, Axis(4, 2), Axis(5, 2), "median", "mode 'median' is not one of max, average, min"),
    ],
)
def test_impossible_pooling_is_refused(x, height, width, mode, message):
    with pytest.raises(ValueError, match=message):
        scene.pooling(x, height, width, mode=mode)
