"""The answers to what visitors predict, against PyTorch or a count by hand, over many settings."""

import re
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from cnn_core import examples, scene, shifts, signals
from cnn_core.connections import STAGES, Connections, connect, feature_maps
from cnn_core.geometry import Axis, TransposedAxis
from cnn_core.kernels import KERNELS
from cnn_core.network import Conv
from cnn_core.pooling import mixed, stack_channels
from ui.chapter import (
    channels_questions,
    filters_questions,
    pooling_questions,
    size_questions,
    why_questions,
    why_shift,
)
from ui.chapter.channels_code import SmallLayer, example
from ui.chapter.predict import NotNow, Question
from ui.chapter.size_layer import CONVOLUTION, POOLING, TRANSPOSED, Layer
from ui.chapter.slide import Slide

SIDES = st.integers(0, 12)


@st.composite
def axes(draw):
    with suppress(ValueError):
        return Axis(
            draw(st.integers(1, 40)),
            draw(st.integers(1, 13)),
            draw(st.integers(1, 8)),
            (draw(SIDES), draw(SIDES)),
            draw(st.integers(1, 6)),
        )
    return Axis(7, 3)


def ask(questions, name):
    """Return a question that can be asked; else None."""
    question = questions[name]()
    if isinstance(question, NotNow):
        assert question.reason
        return None
    assert isinstance(question, Question)
    assert question.answer not in question.mistakes
    assert not re.search(r"\b1 (row|step|pixel|cell)s\b", f"{question.text} {question.why}")
    assert not question.options or (
        question.answer in question.options and set(question.mistakes) <= set(question.options)
    )
    return question


def of_size(axis, operation=CONVOLUTION):
    return size_questions.about(Layer(operation, axis, axis))


def changed(values, prefix="ps-h-"):
    """The axis that the controls are set to."""
    names = ("input", "kernel", "stride", "before", "after", "dilation")
    size, kernel, stride, before, after, dilation = (values[f"{prefix}{name}"] for name in names)
    assert all(np.array([size, kernel, stride, before, after, dilation]) <= [256, 13, 8, 12, 12, 6])
    return size, kernel, stride, (before, after), dilation


def convolved(size, kernel, stride, padding, dilation):
    x = F.pad(torch.ones(1, 1, size), padding)
    return F.conv1d(x, torch.ones(1, 1, kernel), stride=stride, dilation=dilation).shape[2]


@given(axes())
def test_how_many_rows_come_out_is_what_torch_makes(axis):
    if question := ask(of_size(axis), "outputs"):
        setting = changed(question.values)
        assert setting[2] != axis.stride
        assert question.answer == convolved(*setting)


@given(axes())
def test_the_padding_on_each_side_keeps_the_size(axis):
    if question := ask(of_size(axis), "same"):
        size, kernel, stride, padding, dilation = changed(question.values)
        assert (stride, dilation) != (axis.stride, axis.dilation)
        assert padding == (question.answer, question.answer)
        assert convolved(size, kernel, 1, padding, dilation) == size == axis.input_size


def test_a_kernel_that_no_other_dilation_fits_is_named_in_words():
    question = of_size(Axis(40, 13, dilation=2))["same"]()
    assert question == NotNow(
        "For kernel 13 with dilation 2 no other dilation fits here. Take a smaller kernel."
    )


@given(axes())
def test_the_rows_left_over_are_those_that_no_window_reaches(axis):
    if question := ask(of_size(axis), "left-over"):
        size, kernel, stride, padding, dilation = changed(question.values)
        x = torch.zeros(1, 1, size + sum(padding), requires_grad=True)
        F.conv1d(x, torch.ones(1, 1, kernel), stride=stride, dilation=dilation).sum().backward()
        seen = torch.nonzero(x.grad[0, 0]).max()
        assert question.answer == x.shape[2] - 1 - seen > 0


@given(st.data())
def test_how_many_rows_a_transposed_convolution_makes_is_what_torch_makes(data):
    draw, axis = data.draw, None
    size, kernel, stride, dilation = (draw(st.integers(1, most)) for most in (8, 8, 8, 6))
    with suppress(ValueError):
        ends = draw(st.integers(0, 5)), dilation, draw(st.integers(0, 7))
        axis = TransposedAxis(size, kernel, stride, *ends)
    if axis and (question := ask(of_size(axis, TRANSPOSED), "transposed")):
        size, kernel, stride, (padding, _), dilation = changed(question.values)
        made = F.conv_transpose1d(
            torch.ones(1, 1, size),
            torch.ones(1, 1, kernel),
            stride=stride,
            padding=padding,
            dilation=dilation,
            output_padding=question.values["ps-h-extra"],
        )
        assert (size, question.answer) == (axis.input_size + 1, made.shape[2])


@given(st.integers(1, 30), st.integers(1, 13), st.integers(1, 8), st.integers(0, 6), st.integers(1, 3))
def test_rounded_up_pooling_makes_what_torch_makes(size, window, stride, padding, dilation):
    axis = None
    with suppress(ValueError):
        axis = Axis(size, window, stride, min(padding, window // 2), dilation)
    if axis and (question := ask(of_size(axis, POOLING), "rounded-up")):
        size, window, stride, (padding, _), dilation = changed(question.values)
        how = {"stride": stride, "padding": padding, "dilation": dilation}
        up, down = (
            F.max_pool1d(torch.ones(1, 1, size), window, ceil_mode=c, **how).shape[2] for c in (True, False)
        )
        assert (question.answer, question.values["ps-rounding"]) == (up, "ceil")
        assert down in question.mistakes


@pytest.mark.parametrize("axis", [Axis(4, 2, 2), Axis(7, 3, 1, 1), Axis(6, 1, 1), Axis(5, 5, 1)])
@pytest.mark.parametrize("mode", ["max", "min", "average"])
@pytest.mark.parametrize("num_channels", [1, 3])
def test_questions_on_a_pooled_grid_agree_with_torch(axis, mode, num_channels):
    x = stack_channels(mixed(axis.input_size, axis.input_size), num_channels).astype(float)
    questions = pooling_questions.grid(scene.pooling(x, axis, axis, mode=mode), axis, axis)
    channels, extreme = (ask(questions, name) for name in ("channels", "extreme"))
    assert channels.answer == channels.values["p-channels"] != num_channels
    sign = 1 if extreme.values["p-mode"] == "max" else -1
    assert sign == (-1 if mode == "max" and axis.stride == 1 else 1)
    grid = sign * torch.tensor(x)[None]
    pooled = F.max_pool2d(grid, axis.kernel_size, stride=1, padding=axis.padding[0])[0, 0]
    assert extreme.answer == (pooled == grid[0, 0].max()).sum()


@pytest.mark.parametrize("mode", ["max", "average", "min"])
def test_the_smallest_of_each_window_is_darker_and_the_average_is_not(mode):
    x = np.random.default_rng(0).integers(0, 256, (1, 32, 32))
    question = ask(pooling_questions.picture(x, Axis(32, 2, 2), Axis(32, 2, 2), mode), "brightness")
    expected = {"min": "about as bright"}.get(mode, "darker")
    assert (question.answer, question.values["p-mode"]) == (expected, {"min": "average"}.get(mode, "min"))


@pytest.mark.parametrize(("moved", "stride"), [(False, 2), (True, 4), (True, 1)])
def test_max_pooling_moves_along_at_multiples_of_its_stride_only(moved, stride):
    noise = np.random.default_rng(0).random((40, 60))
    maps = shifts.shifted_crops(noise, 40, num_shifts=9)
    questions = pooling_questions.shift(maps, Axis(40, 2, stride), Axis(40, 2, stride), moved=moved)
    along, in_place = ask(questions, "moved-along"), ask(questions, "in-place")
    wanted = along.values["p-w-stride"]
    assert (wanted, along.answer) == ((3, 2) if moved and stride == 4 else (4, 2))
    assert in_place.answer == "less than in the feature map"


def test_an_even_picture_leaves_nothing_to_ask_about_shifts():
    questions = pooling_questions.shift(np.ones((9, 1, 20, 20)), Axis(20, 2, 2), Axis(20, 2, 2), moved=True)
    assert [ask(questions, name) for name in questions] == [None, None]


@pytest.mark.parametrize("counts", [(1, 1), (2, 3), (3, 4), (4, 3)])
@pytest.mark.parametrize("bias", [-9, 0, 7])
@pytest.mark.parametrize("padding", [0, 1])
def test_questions_on_sums_agree_with_torch(counts, bias, padding):
    made = example(examples.drawn, *counts, input_size=4, kernel_size=3, seed=1)
    layer = SmallLayer(made, made.x, made.weight, np.full(counts[1], bias), Axis(4, 3, 1, padding), "zeros")
    questions = channels_questions.sums(layer, (counts[1] - 1, 1, 0), max_bias=9)
    kernels, biased = ask(questions, "kernels"), ask(questions, "bias")
    in_channels, out_channels = kernels.values["c-sum-in"], kernels.values["c-sum-out"]
    assert in_channels != counts[0]
    assert kernels.answer == nn.Conv2d(in_channels, out_channels, 3).weight.flatten(0, 1).shape[0]
    raised = torch.full((counts[1],), float(biased.values["c-sum-bias"]), dtype=torch.float64)
    y = F.conv2d(torch.tensor(made.x), torch.tensor(made.weight), raised, padding=padding)
    assert abs(raised[0]) <= 9
    assert biased.answer == y[0, -1, 1, 0] != bias


def test_an_output_with_decimals_is_not_asked_about():
    made = example(examples.counting, 1, 1, input_size=3, kernel_size=2)
    layer = SmallLayer(made, made.x + 0.25, made.weight, np.zeros(1), Axis(3, 2), "zeros")
    assert ask(channels_questions.sums(layer, (0, 0, 0), max_bias=9), "bias") is None


@given(
    st.integers(1, 512),
    st.integers(1, 64),
    st.integers(1, 13),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 130),
)
def test_questions_on_cost_agree_with_torch(in_channels, out_channels, kernel, groups, size):
    in_channels, out_channels = in_channels // groups * groups, out_channels * groups
    if not in_channels or kernel > size:
        return
    layer = Conv(out_channels, kernel_size=kernel, groups=groups)
    questions = channels_questions.costs(layer, (in_channels, size, size), most=512, max_input=224)
    if question := ask(questions, "parameters"):
        shape = question.values["c-cost-in"], out_channels, question.values["c-cost-kernel"]
        assert (shape[0] <= 512, shape[2] != kernel, shape[2] <= size) == (True, True, True)
        assert question.answer == sum(p.numel() for p in nn.Conv2d(*shape, device="meta").parameters())
    else:
        assert size == 1
    larger = ask(questions, "larger-input")
    assert (larger is None) == (size > 112)
    assert larger is None or larger.answer == "it stays as it is"


@given(
    st.integers(1, 1024),
    st.integers(1, 8),
    st.integers(1, 31),
    st.integers(1, 300),
    st.booleans(),
    st.booleans(),
)
def test_questions_on_weights_agree_with_torch(size, channels, kernel, number, has_bias, is_map):
    given_sizes = {
        "input_size": size,
        "in_channels": channels,
        "kernel_size": min(kernel, size),
        "has_bias": has_bias,
    }
    layer = feature_maps(number, **given_sizes) if is_map else Connections(num_units=number, **given_sizes)
    questions = why_questions.weights(layer, units="units", maps="maps", max_size=2048)
    dense, shared = ask(questions, "dense"), ask(questions, "shared")

    def weights(n):
        units = number * n**2 if is_map else number
        return nn.Linear(channels * n**2, units, bias=False, device="meta").weight.numel()

    assert dense.values["w-hidden"] == ("maps" if is_map else "units")
    assert f"{weights(2 * size) // weights(size)} times" in dense.answer
    if shared:
        given_shape = shared.values["w-channels"], number if is_map else 1, shared.values["w-window"]
        assert shared.answer == nn.Conv2d(*given_shape, bias=False, device="meta").weight.numel()
        assert given_shape[2] <= size


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("size", "shape"), [(4, (2, 2)), (8, (3, 3)), (8, (8, 8)), (5, (1, 2)), (8, (1, 9))])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("stride", [1, 2])
def test_questions_on_the_matrix_agree_with_torch(stage, size, shape, padding, stride):
    if max(shape) > size + 2 * padding:
        return
    layer = connect(np.zeros((size, size)), np.ones(shape), stage=stage, stride=stride, padding=padding)
    questions = why_questions.matrix(layer, max_size=8)
    columns, rows = ask(questions, "columns"), ask(questions, "rows")
    assert columns.answer == columns.values["w-input"] ** 2 != size**2
    x = torch.zeros(1, 1, rows.values["w-input"], rows.values["w-input"])
    assert rows.answer == F.unfold(x, shape, padding=1, stride=rows.values["w-stride"]).shape[2]
    assert rows.values["w-stride"] == 3 - stride


@pytest.mark.parametrize("now", ["around", "zeros"])
@pytest.mark.parametrize(("down", "across"), [(0, 0), (3, -5), (-12, 0)])
def test_a_convolution_meets_its_shift_at_the_border_only_and_around_nowhere(now, down, across):
    x = torch.tensor(np.random.default_rng(0).integers(0, 256, (1, 1, 30, 30)), dtype=torch.float64)
    kernel = torch.ones(1, 1, 3, 3, dtype=torch.float64)

    def layer(picture, mode):
        return F.conv2d(F.pad(torch.as_tensor(picture)[None, None], (1, 1, 1, 1), mode=mode), kernel)[
            0, 0
        ].numpy()

    def exchange(down, across, *, around):
        mode = "circular" if around else "constant"
        return shifts.exchange(partial(layer, mode=mode), x[0, 0].numpy(), down, across, around=around)

    questions = why_questions.shift(exchange, down, across, around="around", zeros="zeros", now=now)
    question = ask(questions, "border")
    expected = {"around": ("zeros", "at some outputs"), "zeros": ("around", "nowhere")}[now]
    assert (question.values["w-border"], question.answer) == expected
    assert (question.values["w-down"], question.values["w-across"]) != (0, 0)


@pytest.mark.parametrize(
    ("picture", "kernel", "way", "differs"),
    [
        ("camera", "identity", (0, 1), False),
        ("camera", "book-columns", (0, 1), True),
        ("camera", "book-columns", (0, -1), False),
        ("camera", "book-rows", (-7, 5), False),
        ("disc", "vertical-edges", (0, 1), False),
        ("camera", "vertical-edges", (0, 1), True),
    ],
)
def test_the_border_is_explained_by_what_differs_there(picture, kernel, way, differs):
    exchange = partial(
        why_shift.exchange_convolution, why_shift.load_picture(picture), KERNELS[kernel].values
    )
    difference = exchange(*way, around=False).difference
    assert np.flatnonzero(difference.any(axis=0)).tolist() == ([0, 39] if differs else [])
    question = ask(
        why_questions.shift(exchange, *way, around="around", zeros="zeros", now="around"), "border"
    )
    assert question.answer == ("at some outputs" if differs else "nowhere")
    assert ("windows now see zeros" in question.why) == differs
    assert ("either this kernel does not reach across it there" in question.why) != differs


@given(st.integers(1, 64), st.integers(1, 25))
def test_a_kernel_on_a_signal_makes_as_many_outputs_as_with_torch(length, size):
    if size > length:
        return
    question = ask(why_questions.signal(signals.slide(np.zeros(length), np.ones(size))), "length")
    if question:
        kernel = torch.tensor(signals.KERNELS[question.values["w-taps-of"]].values)
        assert len(kernel) != size
        assert question.answer == F.conv1d(torch.zeros(1, 1, length).double(), kernel[None, None]).shape[2]


def sliding(name, *, flipped=False, stride=1, mode=None):
    picture = np.random.default_rng(0).integers(0, 256, (20, 24)).astype(np.uint8)
    return Slide(picture, 255, "", KERNELS[name].values, flipped, stride, mode)


@pytest.mark.parametrize("name", ["sobel-x", "book-columns", "laplacian-4"])
@pytest.mark.parametrize("stride", [1, 3, 8])
@pytest.mark.parametrize("mode", [None, "zeros", "circular"])
def test_even_ground_gives_its_pixel_times_the_sum_of_the_cells(name, stride, mode):
    question = ask(filters_questions.sliding(sliding(name, stride=stride, mode=mode)), "even")
    kernel = torch.tensor(KERNELS[question.values["f-kernel"]].values)
    assert question.values["f-kernel"] != name
    even = torch.full((1, 1, *kernel.shape), 255.0, dtype=torch.float64)
    assert question.answer == F.conv2d(even, kernel[None, None]).item()


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(("name", "taken"), [("sobel-x", "laplacian-4"), ("laplacian-4", "sobel-y")])
def test_what_a_flip_does_is_what_torch_makes_of_it(flipped, name, taken):
    shown = sliding(name, flipped=flipped)
    question = ask(filters_questions.sliding(shown), "flip")
    assert question.values == {"f-kernel": taken, "f-flip": True}
    x, kernel = (
        torch.tensor(shown.picture)[None, None].double(),
        torch.tensor(KERNELS[taken].values)[None, None],
    )
    plain, turned = F.conv2d(x, kernel), F.conv2d(x, kernel.flip(2, 3))
    sign = {"it stays as it is": 1, "every output changes its sign": -1}[question.answer]
    assert torch.equal(turned, sign * plain)


def test_a_picture_on_which_nothing_fits_is_refused_in_words():
    tiny = Slide(np.zeros((1, 1), np.uint8), 255, "", np.ones((1, 1)), False, 1, None)
    with pytest.raises(ValueError, match="kernel size 3 x 3 exceeds picture size 1 x 1"):
        filters_questions.sliding(tiny)["flip"]()


@pytest.mark.parametrize("first", ["sobel-x", "gaussian-5", "book-columns", "motion-blur", "second-y"])
@pytest.mark.parametrize("second", ["gaussian-3", "gaussian-5"])
@pytest.mark.parametrize("rows", [6, 20])
def test_the_single_kernel_has_as_many_rows_as_both_see_together(first, second, rows):
    kernels = KERNELS[first].values, KERNELS[second].values
    question = ask(filters_questions.two(np.zeros((rows, 20)), *kernels), "single")
    if question:
        x = torch.zeros(1, 1, 30, 30, dtype=torch.float64, requires_grad=True)
        ones = [np.ones_like(kernels[0]), np.ones_like(KERNELS[question.values["f-2-kernel"]].values)]
        y = F.conv2d(F.conv2d(x, torch.tensor(ones[0])[None, None]), torch.tensor(ones[1])[None, None])
        y[0, 0, 5, 5].backward()
        assert question.answer == torch.count_nonzero(x.grad[0, 0].sum(dim=1)) <= rows
