"""Small inputs and kernels of whole numbers, for sums that can be followed with a pencil."""

import numpy as np


def counting(
    in_channels: int, out_channels: int, *, input_size: int, kernel_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count up from cell to cell, each channel starting one higher than the one before.

    With 2 channels in, 3 channels out, input size 3 and kernel size 2 these are the book's X and K, K + 1, K + 2.

    Args:
        in_channels: Number of input channels.
        out_channels: Number of output channels.
        input_size: Height and width of the input, in pixels.
        kernel_size: Height and width of the kernels.

    Returns:
        The input, shape (1, C_in, H, W), and the weight, shape (C_out, C_in, kH, kW), both float64.

    References:
        Zhang et al., Dive into Deep Learning, section 7.4 (d2l.ai).

    Example:
        >>> x, weight = counting(2, 3, input_size=3, kernel_size=2)
        >>> weight[:, 1].tolist()
        [[[1.0, 2.0], [3.0, 4.0]], [[2.0, 3.0], [4.0, 5.0]], [[3.0, 4.0], [5.0, 6.0]]]
    """
    first_in, first_out = np.arange(in_channels)[:, None, None], np.arange(out_channels)[:, None, None, None]
    x = first_in + np.arange(input_size**2).reshape(input_size, input_size)  # (C_in, H, W)
    weight = first_in + np.arange(kernel_size**2).reshape(kernel_size, kernel_size)  # (C_in, kH, kW)
    return x[None].astype(float), (first_out + weight).astype(float)


def drawn(
    in_channels: int, out_channels: int, *, input_size: int, kernel_size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw whole numbers: inputs from 0 to 9, weights from -2 to 2.

    Args:
        in_channels: Number of input channels.
        out_channels: Number of output channels.
        input_size: Height and width of the input, in pixels.
        kernel_size: Height and width of the kernels.
        seed: Start of the random numbers; the same seed gives the same numbers.

    Returns:
        The input, shape (1, C_in, H, W), and the weight, shape (C_out, C_in, kH, kW), both float64.

    Example:
        >>> x, weight = drawn(3, 2, input_size=4, kernel_size=1, seed=0)
        >>> x.shape, weight.shape
        ((1, 3, 4, 4), (2, 3, 1, 1))
    """
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 10, (1, in_channels, input_size, input_size))
    weight = generator.integers(-2, 3, (out_channels, in_channels, kernel_size, kernel_size))
    return x.astype(float), weight.astype(float)
