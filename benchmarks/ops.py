"""`ops.conv2d` against the textbook's double loop and against torch, in one run: ``python -m benchmarks.ops``.

Every number is the best of several rounds, and torch and `ops` take turns, so that a busy moment of the machine
hits both. Torch runs with its own choice of threads. Other programs should be idle.
"""

import time
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from cnn_core import ops

SIZES = (28, 56, 112, 224, 512)
KERNEL_SIZES = (3, 5)
LAYERS = {
    "colour to 16 channels, 224 px": ((1, 3, 224, 224), (16, 3, 3, 3), {}),
    "64 to 64 channels, 56 px": ((1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
    "64 to 64 channels, 56 px, 1 x 1": ((1, 64, 56, 56), (64, 64, 1, 1), {}),
    "16 channels apart, 112 px": ((1, 16, 112, 112), (16, 1, 3, 3), {"groups": 16}),
    "LeNet's first layer, 64 pictures": ((64, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}),
}
ROUNDS = 9
SECONDS_A_ROUND = 0.03


def corr2d_loop(image, kernel):
    """The book's definition: one sum of products for each output."""
    kernel_height, kernel_width = kernel.shape
    out = np.zeros((image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1), image.dtype)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            window = image[row : row + kernel_height, column : column + kernel_width]
            out[row, column] = (window * kernel).sum()
    return out


def seconds(function, calls):
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def best_seconds(functions):
    """Time each function, in turns: the best of the rounds, in seconds a call."""
    calls = [max(1, int(SECONDS_A_ROUND / seconds(function, 3))) for function in functions]
    rounds = [[seconds(f, n) for f, n in zip(functions, calls, strict=True)] for _ in range(ROUNDS)]
    return np.min(rounds, axis=0)


def compare(x, weight, **settings):
    """Time torch and `ops` on the same layer, in seconds a call."""
    theirs = partial(F.conv2d, torch.from_numpy(x), torch.from_numpy(weight), **settings)
    return best_seconds([theirs, partial(ops.conv2d, x, weight, **settings)])


def random_layer(x_shape, weight_shape):
    rng = np.random.default_rng(0)
    return rng.random(x_shape, np.float32), rng.standard_normal(weight_shape, np.float32)


def compare_on_one_channel():
    print("One channel, float32, milliseconds a call")
    print(
        f"{'pixels':>8} {'kernel':>7} {'loop':>10} {'torch':>8} {'ops':>8} {'loop/ops':>10} {'torch/ops':>10}"
    )
    ratios = {}
    for size in SIZES:
        for kernel_size in KERNEL_SIZES:
            x, weight = random_layer((1, 1, size, size), (1, 1, kernel_size, kernel_size))
            theirs, ours = compare(x, weight)
            loop = min(seconds(partial(corr2d_loop, x[0, 0], weight[0, 0]), 1) for _ in range(3))
            np.testing.assert_allclose(
                ops.conv2d(x, weight)[0, 0], corr2d_loop(x[0, 0], weight[0, 0]), atol=1e-4
            )
            ratios[size, kernel_size] = loop / ours, theirs / ours
            print(
                f"{size:>8} {kernel_size:>7} {loop * 1e3:>10.2f} {theirs * 1e3:>8.3f} {ours * 1e3:>8.3f} "
                f"{loop / ours:>10.0f} {theirs / ours:>10.2f}"
            )
    return ratios


def compare_on_several_channels():
    print("\nSeveral channels, float32, milliseconds a call")
    print(f"{'layer':>34} {'torch':>8} {'ops':>8} {'torch/ops':>10}")
    for name, (x_shape, weight_shape, settings) in LAYERS.items():
        x, weight = random_layer(x_shape, weight_shape)
        theirs, ours = compare(x, weight, **settings)
        print(f"{name:>34} {theirs * 1e3:>8.3f} {ours * 1e3:>8.3f} {theirs / ours:>10.2f}")


def main():
    print(f"NumPy {np.__version__}, torch {torch.__version__} on {torch.get_num_threads()} threads\n")
    with torch.inference_mode():
        ratios = compare_on_one_channel()
        compare_on_several_channels()
    loop_at_224 = min(ratios[224, kernel_size][0] for kernel_size in KERNEL_SIZES)
    (size, kernel_size), (_, torch_ratio) = min(ratios.items(), key=lambda item: item[1][1])
    print(f"\nAt 224 pixels at least {loop_at_224:.0f} times the double loop.")
    print(
        f"Least against torch on one channel: {torch_ratio:.2f} times ({size} pixels, kernel {kernel_size})."
    )


if __name__ == "__main__":
    main()
