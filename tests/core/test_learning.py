import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from cnn_core import images, learning, ops
from cnn_core.kernels import KERNELS
from cnn_core.learning import MEAN, SUM

BOOK = images.load("book-edge").astype(float)
EDGE = KERNELS["book-columns"].values
SHAPES = [(1, 2), (2, 1), (3, 3), (5, 5), (1, 7)]


def made(shape, *, seed=0, size=(12, 10)):
    """An input, a kernel and the output that the two give."""
    generator = np.random.default_rng(seed)
    x, true = generator.uniform(0, 1, size), generator.integers(-3, 4, shape).astype(float)
    return x, true, ops.corr2d(x, true)


def torch_loss(x, target, kernel, reduction):
    output = F.conv2d(torch.tensor(x)[None, None], kernel[None, None])[0, 0]
    return F.mse_loss(output, torch.tensor(target), reduction=reduction)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", [SUM, MEAN])
def test_loss_and_gradient_are_those_of_autograd(shape, reduction):
    x, _, target = made(shape)
    start = learning.first_kernel(shape, seed=3)
    kernel = torch.tensor(start, requires_grad=True)
    loss = torch_loss(x, target, kernel, reduction)
    loss.backward()
    assert learning.loss(x, target, start, reduction=reduction) == pytest.approx(loss.item())
    gradient = learning.gradient(x, target, start, reduction=reduction)
    np.testing.assert_allclose(gradient, kernel.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", [SUM, MEAN])
def test_the_curvatures_are_the_eigenvalues_of_the_hessian_of_autograd(shape, reduction):
    x, true, target = made(shape)
    hessian = torch.autograd.functional.hessian(
        lambda kernel: torch_loss(x, target, kernel, reduction), torch.tensor(true)
    )
    expected = torch.linalg.eigvalsh(hessian.reshape(true.size, true.size)).flip(0)
    bowl = learning.bowl(x, target, shape, reduction=reduction)
    np.testing.assert_allclose(bowl.curvatures, expected, rtol=1e-9, atol=1e-12)
    assert bowl.rank == true.size
    np.testing.assert_allclose(bowl.best, true, atol=1e-9)
    assert bowl.lowest == pytest.approx(0, abs=1e-18)


def test_ten_steps_of_the_book_are_those_of_its_loop():
    """The loop of "Learning a Kernel": learning rate 3e-2, the sum of the squared errors, 10 steps."""
    start = learning.first_kernel((1, 2), seed=0)
    x = torch.tensor(BOOK)[None, None]
    y = F.conv2d(x, torch.tensor(EDGE)[None, None])
    conv2d = torch.nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False, dtype=torch.float64)
    conv2d.weight.data[:] = torch.tensor(start)
    kernels, losses = [], []
    for _ in range(10):
        kernels.append(conv2d.weight.detach().numpy()[0, 0].copy())
        loss = ((conv2d(x) - y) ** 2).sum()
        losses.append(loss.item())
        conv2d.zero_grad()
        loss.backward()
        conv2d.weight.data[:] -= 3e-2 * conv2d.weight.grad
    bowl = learning.bowl(BOOK, ops.corr2d(BOOK, EDGE), (1, 2))
    descent = learning.descend(bowl, start, learning_rate=3e-2, num_steps=10)
    np.testing.assert_allclose(descent.kernels[:10], kernels, atol=1e-12)
    np.testing.assert_allclose(descent.losses[:10], losses, rtol=1e-9)
    np.testing.assert_allclose(descent.kernels[10], conv2d.weight.detach()[0, 0], atol=1e-12)


def test_the_bowl_of_the_book_is_worked_out_by_hand():
    """Each row has the windows 11 10 00 00 00 01 11: the Gram matrix of 6 rows is [[18, 12], [12, 18]]."""
    bowl = learning.bowl(BOOK, ops.corr2d(BOOK, EDGE), (1, 2))
    np.testing.assert_allclose(bowl.curvatures, [60, 12])
    assert bowl.largest_rate == pytest.approx(1 / 30)
    np.testing.assert_allclose(bowl.factors(0.03), [-0.8, 0.64])
    assert bowl.num_outputs == 42


@given(seed=st.integers(0, 1000), reduction=st.sampled_from([SUM, MEAN]), shape=st.sampled_from(SHAPES))
def test_a_step_subtracts_the_learning_rate_times_the_gradient(seed, reduction, shape):
    x, _, target = made(shape, seed=seed)
    bowl = learning.bowl(x, target, shape, reduction=reduction)
    rate = 0.7 * bowl.largest_rate
    kernel = learning.first_kernel(shape, seed=seed % 100)
    descent = learning.descend(bowl, kernel, learning_rate=rate, num_steps=5)
    for now, loss in zip(descent.kernels, descent.losses, strict=True):
        np.testing.assert_allclose(now, kernel, atol=1e-9)
        assert loss == pytest.approx(learning.loss(x, target, kernel, reduction=reduction), abs=1e-9)
        assert bowl.loss_at(now) == pytest.approx(loss)
        kernel = kernel - rate * learning.gradient(x, target, kernel, reduction=reduction)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_loss_falls_just_below_the_largest_learning_rate_and_grows_just_above(shape):
    x, _, target = made(shape)
    bowl = learning.bowl(x, target, shape)
    start = learning.first_kernel(shape, seed=0)
    below, above = (
        learning.descend(bowl, start, learning_rate=share * bowl.largest_rate, num_steps=2000)
        for share in (0.99, 1.01)
    )
    assert np.all(np.diff(below.losses) <= 0)
    assert (below.has_grown, above.has_grown) == (False, True)


def test_at_the_largest_learning_rate_the_steepest_error_stays_as_large_as_it_was():
    bowl = learning.bowl(BOOK, ops.corr2d(BOOK, EDGE), (1, 2))
    stable = [bowl.is_stable(share * bowl.largest_rate) for share in (0.9, 1 - 1e-9, 1, 1 + 1e-9, 2)]
    assert stable == [True, True, False, False, False]
    start = bowl.best + bowl.directions[0]
    descent = learning.descend(bowl, start, learning_rate=bowl.largest_rate, num_steps=100)
    np.testing.assert_allclose(descent.losses, descent.losses[0])
    assert learning.bowl(np.zeros((5, 5)), np.zeros((3, 3)), (3, 3)).is_stable(9.0)


def test_a_descent_without_end_stops_and_stays_finite():
    bowl = learning.bowl(BOOK, ops.corr2d(BOOK, EDGE), (1, 2))
    descent = learning.descend(bowl, np.ones((1, 2)), learning_rate=1000.0, num_steps=5000)
    assert descent.num_steps < 10
    assert np.all(np.isfinite(descent.losses))


def test_steps_per_digit_are_the_steps_in_which_the_slowest_error_shrinks_to_a_tenth():
    x, true, target = made((3, 3))
    bowl = learning.bowl(x, target, (3, 3), reduction=MEAN)
    rate = 0.9 * bowl.largest_rate
    slowest = bowl.directions[int(np.argmax(np.abs(bowl.factors(rate))))]
    steps = bowl.steps_per_digit(rate)
    descent = learning.descend(bowl, true + slowest, learning_rate=rate, num_steps=int(np.ceil(steps)))
    assert np.linalg.norm(descent.kernels[-1] - true) <= 0.1 < np.linalg.norm(descent.kernels[-2] - true)
    assert bowl.steps_per_digit(1.01 * bowl.largest_rate) == np.inf


@pytest.mark.parametrize(
    ("x", "shape", "rank"),
    [
        (np.zeros((9, 9)), (3, 3), 0),
        (np.full((9, 9), 0.5), (3, 3), 1),
        (BOOK, (3, 3), 3),
        (BOOK.T, (3, 3), 3),
        (np.tile(np.arange(0, 1, 0.1), (9, 1)), (3, 3), 2),
        (np.random.default_rng(0).uniform(size=(4, 5)), (3, 3), 6),
        (np.random.default_rng(0).uniform(size=(9, 9)), (3, 3), 9),
    ],
)
def test_the_rank_is_that_of_the_windows_and_hidden_kernels_change_no_output(x, shape, rank):
    windows = np.lib.stride_tricks.sliding_window_view(x, shape).reshape(-1, 9)
    assert np.linalg.matrix_rank(windows) == rank
    bowl = learning.bowl(x, ops.corr2d(x, KERNELS["sobel-x"].values), shape)
    assert (bowl.rank, bowl.unseen.shape) == (rank, (9 - rank, *shape))
    for hidden in bowl.unseen:
        assert np.max(np.abs(hidden)) >= 1
        np.testing.assert_allclose(ops.corr2d(x, hidden), 0, atol=1e-5)
    together = np.vstack([windows, bowl.unseen.reshape(9 - rank, 9)])
    assert np.linalg.matrix_rank(together) == 9


@pytest.mark.parametrize(("pixel", "rank"), [(255, 1), (254, 49)])
def test_one_pixel_that_is_one_grey_level_darker_shows_the_whole_kernel(pixel, rank):
    """Without it all windows are equal; with it, each cell meets it once, and 49 windows tell 49 cells."""
    x = np.full((224, 224), 255)
    x[100, 100] = pixel
    bowl = learning.bowl(x / 255, ops.corr2d(x / 255, np.ones((7, 7))), (7, 7))
    assert bowl.rank == rank


def test_hidden_kernels_of_equal_rows_compare_cells_of_one_column():
    bowl = learning.bowl(BOOK, ops.corr2d(BOOK, np.ones((2, 2))), (2, 2))
    np.testing.assert_array_equal(bowl.unseen, [[[1, 0], [-1, 0]], [[0, 1], [0, -1]]])


def test_what_is_hidden_stays_as_it_was_at_the_start_while_the_loss_vanishes():
    true, start = KERNELS["sobel-x"].values, learning.first_kernel((3, 3), seed=0)
    bowl = learning.bowl(BOOK, ops.corr2d(BOOK, true), (3, 3), reduction=MEAN)
    descent = learning.descend(bowl, start, learning_rate=0.5, num_steps=1000)
    learned = descent.kernels[-1]
    assert descent.losses[-1] < 1e-20
    np.testing.assert_allclose(learned.sum(axis=0), true.sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(learned - learned.mean(axis=0), start - start.mean(axis=0), atol=1e-9)


@pytest.mark.parametrize("name", KERNELS)
def test_every_named_kernel_is_learned_from_noise(name):
    true = KERNELS[name].values
    x = np.random.default_rng(0).uniform(-1, 1, (64, 64))
    bowl = learning.bowl(x, ops.corr2d(x, true), true.shape, reduction=MEAN)
    start = learning.first_kernel(true.shape, seed=1)
    descent = learning.descend(bowl, start, learning_rate=0.9 * bowl.largest_rate, num_steps=200)
    np.testing.assert_allclose(descent.kernels[-1], true, atol=1e-3)


def test_a_black_input_is_flat_everywhere():
    bowl = learning.bowl(np.zeros((5, 5)), np.zeros((3, 3)), (3, 3))
    start = learning.first_kernel((3, 3), seed=0)
    descent = learning.descend(bowl, start, learning_rate=9.0, num_steps=3)
    assert (bowl.largest_rate, bowl.lowest) == (np.inf, 0)
    np.testing.assert_array_equal(descent.losses, np.zeros(4))
    np.testing.assert_array_equal(descent.kernels, [start] * 4)


def test_the_first_kernel_is_drawn_as_torch_draws_it():
    limit = torch.nn.Conv2d(1, 1, 5, bias=False).weight.abs().max().item()
    kernels = np.array([learning.first_kernel((5, 5), seed=seed) for seed in range(40)])
    assert limit <= 0.2
    assert 0.19 < np.max(np.abs(kernels)) <= 0.2
    np.testing.assert_array_equal(kernels[7], learning.first_kernel((5, 5), seed=7))
    np.testing.assert_array_equal(kernels, np.round(kernels, 3))


def test_a_target_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"target shape \(6, 8\) is not the output's shape \(6, 7\)"):
        learning.loss(BOOK, BOOK, EDGE)


def test_an_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="reduction 'median' is not one of sum, mean"):
        learning.gradient(BOOK, ops.corr2d(BOOK, EDGE), EDGE, reduction="median")


def test_a_kernel_larger_than_the_input_is_refused():
    with pytest.raises(ValueError, match=r"effective kernel size 7 .* exceeds padded input size 6"):
        learning.bowl(BOOK, BOOK, (7, 1))
