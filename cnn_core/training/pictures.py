"""The pictures of a training: on the device, in batches, shifted, mirrored and permuted. It imports torch.

What is drawn at random depends on the seed, the epoch and the step alone, so a checkpoint needs no random state.
"""

import functools

import numpy as np
import torch
from torch.nn.functional import pad

from cnn_core import data
from cnn_core.data.permutation import permutation
from cnn_core.training.settings import Settings
from cnn_core.training.state import MEMORY_FORMAT

MAX_FLOAT_BYTES = 2**28


class Pictures:
    """A data set on a device, from which batches are taken by index.

    On a CPU the pixels are kept as float32 unless that takes too much memory; otherwise as the uint8 that
    they are.
    """

    def __init__(self, dataset: data.Dataset, device: torch.device):
        images = dataset.images  # (N, H, W) or (N, H, W, C)
        images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        self.pixels = torch.tensor(np.ascontiguousarray(images), device=device)  # (N, C, H, W)
        self.labels = torch.tensor(dataset.labels, device=device)  # (N,)
        if device.type == "cpu" and 4 * self.pixels.numel() <= MAX_FLOAT_BYTES:
            self.pixels = _scaled(self.pixels)

    def batch(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the pictures of these rows as (N, C, H, W) float32 in [0, 1], and their labels."""
        pixels = self.pixels.index_select(0, rows)
        images = pixels if pixels.is_floating_point() else _scaled(pixels)
        return images.contiguous(memory_format=MEMORY_FORMAT), self.labels.index_select(0, rows)


def _scaled(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float().div_(255)


def augment(images: torch.Tensor, settings: Settings, *, epoch: int, step: int) -> torch.Tensor:
    """Shift and mirror the pictures of one step, each by its own chance.

    Args:
        images: (N, C, H, W).
        settings: Say how far pictures are shifted, and whether they are mirrored.
        epoch: The number of the epoch, from 1.
        step: The number of the step in it, from 1.

    Returns:
        (N, C, H, W), the same pictures where the settings change none.
    """
    if not (settings.shift or settings.flip):
        return images
    generator = np.random.default_rng([settings.seed, epoch, step])
    num_images, _, height, width = images.shape
    drawn = np.zeros((3, num_images), np.int64)
    drawn[:2] = generator.integers(0, 2 * settings.shift + 1, (2, num_images))  # 0 .. 2 shift, the corner
    if settings.flip:
        drawn[2] = generator.random(num_images) < 0.5
    down, across, is_mirrored = _sent(drawn, images.device)[:, :, None]  # (N, 1) each
    each, rows, columns = (torch.arange(size, device=images.device) for size in (num_images, height, width))
    rows = rows + down  # (N, H)
    columns = torch.where(is_mirrored > 0, columns.flip(0), columns) + across  # (N, W)
    padded = pad(images, [settings.shift] * 4)
    # The indices around the channels put these last: (N, H, W, C), which is how memory should have them.
    return padded[each[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _sent(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Bring an array to a device. The program does not wait until it is there, as it would without pinned memory."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def permute(images: torch.Tensor, settings: Settings) -> torch.Tensor:
    """Permute the pixels of pictures, where the settings want that: the last thing before the network.

    Args:
        images: (N, C, H, W), already moved and mirrored as pictures.
        settings: Say whether to do it.

    Returns:
        (N, C, H, W), as `data.permutation.permute` makes them one by one.
    """
    if not settings.permuted:
        return images
    height, width = images.shape[2:]
    order = _order(height, width, images.device)
    pixels = images.permute(0, 2, 3, 1).flatten(1, 2)  # (N, H W, C), which is how memory has them
    return pixels.index_select(1, order).unflatten(1, (height, width)).permute(0, 3, 1, 2)


@functools.lru_cache(maxsize=4)
def _order(height: int, width: int, device: torch.device) -> torch.Tensor:
    """Keep the permutation on the device: each copy to it waits for the steps before."""
    return torch.tensor(permutation(height, width), device=device)


def split_rows(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the training split that may be trained on, and those kept apart for validation."""
    rows = np.random.default_rng([settings.seed, 0]).permutation(settings.spec.num_train)
    return np.sort(rows[settings.num_validation :]), np.sort(rows[: settings.num_validation])


def choose_rows(rows: np.ndarray, labels: np.ndarray, settings: Settings) -> np.ndarray:
    """Return the rows that are trained on: all of them, or a part in which the classes keep their shares.

    Args:
        rows: The rows that may be trained on.
        labels: Label of each picture of the split.
        settings: Say how many, and give the seed that chooses.

    Returns:
        `settings.num_train` of the rows, in order.
    """
    if settings.num_train == len(rows):
        return rows
    shuffled = np.random.default_rng([settings.seed, 0, 1]).permutation(rows)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    # Equal steps through the classes, one after another, take from each its share to within one picture.
    places = (np.arange(settings.num_train) * len(rows) + len(rows) // 2) // settings.num_train
    return np.sort(by_class[places])


def epoch_order(rows: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """Return the rows in the order of one epoch, which depends on seed and epoch alone.

    Args:
        rows: The rows trained on.
        seed: The training's seed.
        epoch: The number of the epoch, from 1.
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)
