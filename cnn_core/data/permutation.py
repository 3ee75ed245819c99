"""One fixed permutation of the pixels of a picture. Nothing here imports torch."""

import functools

import numpy as np

SEED = 0
"""Decides the permutation, whatever the seed of a training."""


@functools.lru_cache(maxsize=16)
def permutation(height: int, width: int) -> np.ndarray:
    """Return where each pixel comes from, counted row by row: the same for all pictures of this size.

    Args:
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.

    Returns:
        int64 (height * width,), read-only.

    Example:
        >>> permutation(2, 3).tolist()
        [3, 2, 5, 4, 0, 1]
    """
    order = np.random.default_rng(SEED).permutation(height * width)
    order.flags.writeable = False
    return order


def permute(image: np.ndarray) -> np.ndarray:
    """Permute the pixels of one picture; the channels of a pixel stay together.

    Args:
        image: (H, W), or (H, W, 3) for colour.

    Returns:
        Array of the same shape and type.

    Example:
        >>> permute(np.array([[0, 1, 2], [3, 4, 5]])).tolist()
        [[3, 2, 5], [4, 0, 1]]
    """
    height, width, *channels = image.shape
    return image.reshape(height * width, *channels)[permutation(height, width)].reshape(image.shape)
