"""What visitors predict about pictures, over all that the pages bring: answer and reason against PyTorch."""

import re
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnn_core import images, shifts
from cnn_core.geometry import Axis
from cnn_core.images import IMAGES
from cnn_core.kernels import KERNELS
from cnn_core.learning import MEAN, SUM
from tests.app.test_predict_questions import ask
from ui.chapter import filters_questions, pooling_questions
from ui.chapter.filters_task import HIGHEST_RATE, Task
from ui.chapter.slide import Slide

PHOTOGRAPHS = [name for name, picture in IMAGES.items() if picture.highest == 255]


@cache
def grey(name, size):
    return images.to_grey(images.load(name, size=size))


def convolved(x, *kernels):
    y = torch.tensor(np.asarray(x, float))[None, None]
    for kernel in kernels:
        y = F.conv2d(y, torch.tensor(np.ascontiguousarray(kernel), dtype=torch.float64)[None, None])
    return y[0, 0]


# Slide a kernel


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("now", ["sobel-x", "laplacian-4"])
def test_a_flip_is_asked_about_where_a_sign_shows(name, now):
    shown = Slide(grey(name, 32), IMAGES[name].highest, "", KERNELS[now].values, False, 1, None)
    question = ask(filters_questions.sliding(shown), "flip")
    taken = KERNELS["sobel-y" if now == "laplacian-4" else "laplacian-4"].values
    plain, turned = convolved(shown.picture, taken), convolved(shown.picture, taken[::-1, ::-1])
    assert (question is None) == (not plain.any())
    if question:
        sign = {"it stays as it is": 1, "every output changes its sign": -1}[question.answer]
        assert torch.equal(turned, sign * plain)
        assert not torch.equal(turned, -sign * plain)
        assert ("the same number" in question.why) == (sign == 1)


# Two in a row


@pytest.mark.parametrize("shape", [(6, 8), (8, 6), (24, 24)])
@pytest.mark.parametrize("second", ["gaussian-5", "laplacian-8", "second-x", "motion-blur"])
def test_the_single_kernel_that_is_asked_for_fits_on_the_picture(shape, second):
    for first in KERNELS.values():
        questions = filters_questions.two(np.zeros(shape), first.values, KERNELS[second].values)
        if question := ask(questions, "single"):
            taken = KERNELS[question.values["f-2-kernel"]].values
            left = shape[0] - convolved(np.zeros(shape), first.values, taken).shape[0]
            assert question.answer == left + 1 != len(first.values) + len(KERNELS[second].values) - 1
            assert f"{len(first.values)} + {len(taken)} − 1" in question.why


# Learn a kernel


def tasks():
    book = {"x": grey("book-edge", 8).astype(float), "true": KERNELS["book-columns"].values}
    for rate in (0.005, 0.016, 0.03, 0.05):
        yield Task(**book, code="", reduction=SUM, rate_key="f-book-rate", rate=rate, seed=99, num_steps=10)
    for name, kernel, rate in product(IMAGES, ("sobel-x", "motion-blur", "identity"), (0.1, 0.4)):
        x, true = grey(name, 24) / IMAGES[name].highest, KERNELS[kernel].values
        if all(np.array(true.shape) <= x.shape):
            yield Task(x, "", true, MEAN, "f-rate", rate, 0, 10)


def losses(task, *, rate, seed, steps):
    """Go down with autograd; the kernels and losses on the way."""
    x, true = torch.tensor(task.x)[None, None], torch.tensor(task.true)[None, None]
    start = replace(task, seed=seed).start
    kernel = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([kernel], lr=rate)
    kernels, made = [start], []
    for _ in range(steps + 1):
        optimizer.zero_grad()
        errors = F.conv2d(x, kernel[None, None]) - F.conv2d(x, true)
        loss = (errors**2).sum() if task.reduction == SUM else (errors**2).mean()
        loss.backward()
        made.append(loss.item())
        optimizer.step()
        kernels.append(kernel.detach().numpy().copy())
    return kernels, made


def test_the_first_step_moves_the_cell_as_that_of_autograd():
    answers = []
    for task in tasks():
        question = ask(filters_questions.learning(task), "first-step")
        rate, seed = question.values[task.rate_key], question.values["f-seed"]
        assert (seed, question.values["f-steps"]) == ((task.seed + 1) % 100, 1)
        kernels, _ = losses(task, rate=rate, seed=seed, steps=1)
        cell = tuple(map(int, re.search(r"row (\d+), column (\d+)", question.text).groups()))
        before, after = (kernel[cell] for kernel in kernels[:2])
        assert question.answer == ("it grows" if after > before else "it shrinks")
        assert abs(after - before) > 0.01
        is_away = (after - before) * (task.true[cell] - before) < 0
        assert ("other cells" in question.why) == is_away == bool(question.mistakes)
        answers.append(is_away)
    assert np.mean(answers) > 0.9


def test_the_loss_at_another_rate_lies_where_that_of_autograd_does():
    places = set()
    for task in tasks():
        if question := ask(filters_questions.learning(task), "rate"):
            rate = question.values[task.rate_key]
            assert rate in (2 * task.rate, task.rate / 2)
            _, before = losses(task, rate=task.rate, seed=task.seed, steps=10)
            _, after = losses(task, rate=rate, seed=task.seed, steps=10)
            low, high = sorted((before[0], before[-1]))
            place = "below" if after[-1] < low else "above" if after[-1] > high else "between"
            assert question.answer.split()[0] == place
            assert len(set(question.options)) == 3
            places.add(place)
    assert places == {"below", "between", "above"}


def test_a_black_picture_leaves_nothing_to_ask_about_learning():
    task = Task(np.zeros((9, 9)), "", KERNELS["sobel-x"].values, MEAN, "f-rate", HIGHEST_RATE, 0, 10)
    questions = filters_questions.learning(task)
    assert [ask(questions, name) for name in questions] == [None, None]


# Pooling


def layers(sizes):
    for window, stride, padding, ceil in product((2, 3, 13), (1, 3, 8), (0, 1), (False, True)):
        yield tuple(Axis(size, window, stride, padding, ceil_mode=ceil) for size in sizes)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_how_bright_a_pooled_picture_looks_has_the_reason_that_is_told(name):
    x = torch.tensor(grey(name, 128), dtype=torch.float64)[None, None].requires_grad_()
    before = x.mean().item()
    for height, width in layers(x.shape[2:]):
        how = {
            "kernel_size": height.kernel_size,
            "stride": height.stride,
            "padding": height.padding[0],
            "ceil_mode": height.ceil_mode,
        }
        for mode in ("max", "min"):
            question = ask(
                pooling_questions.picture(x[0].detach().numpy(), height, width, mode), "brightness"
            )
            least, real = -F.max_pool2d(-x, **how), F.avg_pool2d(x, count_include_pad=False, **how)
            after = (least if mode == "max" else F.avg_pool2d(x, **how)).mean().item()
            looks = (
                "about as bright" if abs(after - before) <= 5 else "darker" if after < before else "brighter"
            )
            assert question.answer == looks
            why = question.why
            assert ("all others of the window lose" in why) <= (mode == "max" and looks == "darker")
            assert ("stay in balance" in why) <= (mode == "min" and looks == "about as bright")
            if "padding counts" in why:
                assert (looks, height.padding[0] > 0) == ("darker", True)
            if "nearly alike" in why:
                spread = (F.max_pool2d(x, **how) - least).median()
                assert spread <= 15 or height.stride > height.kernel_size
            if counted_less := re.search("count less. Here these are (darker|brighter)", why):
                assert (real.mean() > before) == (counted_less[1] == "darker")


def test_a_disc_without_padding_gets_brighter_and_says_why():
    disc = grey("disc", 128)[None]
    question = ask(pooling_questions.picture(disc, Axis(128, 13, 1), Axis(128, 13, 1), "min"), "brightness")
    assert question.answer == "brighter"
    assert question.why == (
        "The mean is 89 before and 108 after. Each window keeps its mean. But pixels that lie in fewer windows, or in "
        "none, count less. Here these are darker on the whole."
    )


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("is_map", [False, True])
def test_what_a_shift_changes_after_pooling_has_the_reason_that_is_told(name, is_map):
    maps = shifts.shifted_crops(grey(name, 224), 96).astype(np.float32)
    if is_map:
        maps = np.maximum(maps[..., :-1] - maps[..., 1:], 0)
    for window, stride in product((1, 4), (1, 4, 8)):
        axes = [Axis(size, window, stride) for size in maps.shape[2:]]
        questions = pooling_questions.shift(maps, *axes, moved=True)
        if question := ask(questions, "in-place"):
            size = question.values["p-h-window"]
            first, second = F.max_pool2d(torch.tensor(maps[:2]), size, stride=stride)[:, 0]
            same = (first == second).double().mean()
            assert same < 1
            assert ("in others it has left" in question.why) <= (0.1 < same < 1)
        if question := ask(questions, "moved-along"):
            taken = question.values["p-h-stride"]
            pooled = F.max_pool2d(torch.tensor(maps), window, stride=taken)[:, 0]
            exact = [shift for shift in range(1, 9) if not moved_by(pooled, shift, taken).any()]
            assert question.answer == len(exact)
            others = [shift for shift in exact if shift % taken]
            assert ("Other shifts fall between two places." in question.why) == (not others)
            assert (f"At {len(others)} of the shifts" in question.why) == bool(others)


def change(x):
    """The change at a shift of 1 pixel by its definition: the mean over places, and over all pairs of places."""
    x = torch.as_tensor(np.asarray(x), dtype=torch.float64)
    places = x[0].flatten()[:, None]
    pairs = torch.cdist(places, places, p=1).mean().item()
    return (x[1] - x[0]).abs().mean().item() / pairs if pairs else None


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("is_map", [False, True])
def test_whether_a_shift_changes_less_after_pooling_is_asked_where_it_can_be_told(name, is_map):
    maps = shifts.shifted_crops(grey(name, 224), 96, num_shifts=2).astype(np.float32)
    if is_map:
        maps = np.maximum(maps[..., :-1] - maps[..., 1:], 0)
    before = change(maps[:, 0])
    for window, stride in product((3, 4), range(1, 9)):
        axes = [Axis(size, 7 - window, stride) for size in maps.shape[2:]]
        question = pooling_questions.shift(maps, *axes, moved=False)["in-place"]()
        after = change(F.max_pool2d(torch.tensor(maps), window, stride=stride)[:, 0])
        if before is None or after is None:
            assert "all numbers are the same after max pooling" in question.reason
        elif after == 0:
            assert "changes nothing after max pooling" in question.reason
        elif 0.95 < after / before < 1 / 0.95:
            assert "too close to tell apart" in question.reason
        else:
            assert question.values["p-h-window"] == window
            assert question.answer.startswith("less" if after < before else "as much")
            told = re.search(r"The change is (\S+) before pooling and (\S+) after\.", question.why)
            decimals = len(told[1].split(".")[1])
            assert told.groups() == (f"{before:.{decimals}f}", f"{after:.{decimals}f}")
            assert (float(told[2]) < float(told[1])) == (after < before)


def moved_by(pooled, shift, stride):
    """What is left when the first output has moved along by the nearest whole number of places."""
    places = -(-(2 * shift - stride) // (2 * stride))
    width = pooled.shape[2]
    return pooled[shift, :, places:] - pooled[0, :, : width - places]
