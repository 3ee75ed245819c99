"""Random layers for the explorer, each with what `cnn_core.ops` and torch make of it."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from cnn_core import ops, scene
from cnn_core.geometry import Axis, TransposedAxis, transposed_output_size
from cnn_core.scene import Scene

NUMBERS = ("whole", "quarters", "thirds", "decimals", "irrational")
"""What the numbers of a layer are."""

POOLED = ("max", "average", "min")


@dataclass(frozen=True)
class Layer:
    """A scene, and the settings that made it.

    Attributes:
        scene: What the explorer shows.
        axes: Height and width; none for a transposed convolution.
        settings: What `ops` was called with.
        flipped: Whether the kernel is turned.
        numbers: What the numbers are, one of NUMBERS.
    """

    scene: Scene
    axes: tuple[Axis, ...]
    settings: dict[str, Any]
    flipped: bool
    numbers: str
    kernels: np.ndarray | None = field(repr=False, default=None)

    @property
    def partial(self) -> np.ndarray:
        """What each input channel adds, shape (C_in, H_out, W_out)."""
        x = self.scene.x
        if self.scene.mode == "transposed":
            parts = [
                ops.conv_transpose2d(x[None, [c]], self.kernels[[c]], **self.settings) for c in range(len(x))
            ]
        else:
            parts = [ops.conv2d(x[None, [c]], self.kernels[:, [c]], **self.settings) for c in range(len(x))]
        return np.concatenate(parts)[:, 0]

    @property
    def padded(self) -> list[np.ndarray]:
        """The input as it is drawn; infinite where padding never wins, NaN where a window hangs over the end."""
        if self.scene.mode == "transposed":
            return list(self.scene.x)
        sides = tuple(axis.padding for axis in self.axes)
        hung = tuple((0, axis.overhang) for axis in self.axes)
        mode = ops.PADDING_MODES[self.settings.get("padding_mode", "zeros")]
        never = {"max": -np.inf, "min": np.inf}.get(self.scene.mode, 0)
        filled = {"constant_values": never} if mode == "constant" else {}
        return [np.pad(np.pad(x, sides, mode, **filled), hung, constant_values=np.nan) for x in self.scene.x]

    def by_torch(self, x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """Compute with torch what the scene shows, before the bias.

        Args:
            x: Shape (C_in, H, W).
            weight: The kernels as they are written, shape (C_in, kH, kW); None for pooling.

        Returns:
            Shape (1, H_out, W_out), or (C_in, H_out, W_out) for pooling.
        """
        if weight is None:
            return self._pooled(x)
        weight = weight.flip(1, 2) if self.flipped else weight
        options = {name: self.settings[name] for name in ("stride", "dilation")}
        (top, bottom), (left, right) = self.settings["padding"]
        if self.scene.mode == "transposed":
            options["output_padding"] = self.settings["output_padding"]
            full = F.conv_transpose2d(x[None], weight[:, None], **options)[0]
            return full[:, top : full.shape[1] - bottom, left : full.shape[2] - right]
        mode = self.settings["padding_mode"].replace("zeros", "constant")
        return F.conv2d(F.pad(x[None], (left, right, top, bottom), mode=mode), weight[None], **options)[0]

    def _pooled(self, x: torch.Tensor) -> torch.Tensor:
        height, width = self.axes
        window = (height.kernel_size, width.kernel_size)
        rest = ((height.stride, width.stride), (height.padding[0], width.padding[0]))
        if self.scene.mode == "average":
            return F.avg_pool2d(x, window, *rest, height.ceil_mode)
        sign = 1 if self.scene.mode == "max" else -1
        dilation = (height.dilation, width.dilation)
        return sign * F.max_pool2d(sign * x, window, *rest, dilation, height.ceil_mode)

    def gradient(self) -> np.ndarray:
        """Differentiate the sum of all outputs by each input, with torch; shape of the input."""
        x = torch.from_numpy(self.scene.x.copy()).requires_grad_()
        self.by_torch(x, None).sum().backward()
        return x.grad.numpy()

    def numbers_fed(self) -> np.ndarray:
        """Count the outputs that each pixel of a channel feeds, with torch; shape (H, W)."""
        height, width = self.scene.x.shape[1:]
        if self.scene.weight is None:
            each_alone = torch.eye(height * width).reshape(-1, height, width)
            largest = replace(self, scene=replace(self.scene, mode="max")).by_torch(each_alone, None)
            return largest.sum(dim=(1, 2)).int().reshape(height, width).numpy()
        ones = torch.ones(self.scene.weight[:1].shape, dtype=torch.float64)
        x = torch.zeros(1, height, width, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(lambda x: self.by_torch(x, ones), x, vectorize=True)
        return (jacobian[0, :, :, 0] > 0).sum(dim=(0, 1)).numpy()


def draw(seed: int, *, mode: str | None = None, numbers: str | None = None, largest: int = 12) -> Layer:
    """Draw a layer: every setting is as likely as the others."""
    random = np.random.default_rng(seed)
    mode = mode or str(random.choice(["convolution", "transposed", *POOLED]))
    numbers = numbers or str(random.choice(NUMBERS))
    make = {"convolution": _convolution, "transposed": _transposed}.get(mode, _pooling)
    return make(random, mode, numbers, largest)


def _array(random: np.random.Generator, numbers: str, *shape: int) -> np.ndarray:
    whole = random.integers(-9, 10, shape)
    return {
        "whole": whole.astype(float),
        "quarters": whole / 4,
        "thirds": whole / 3,
        "decimals": np.round(random.uniform(-9, 9, shape), 4),
        "irrational": random.standard_normal(shape) * 3,
    }[numbers]


def _convolution(random: np.random.Generator, mode: str, numbers: str, largest: int) -> Layer:
    padding_mode = str(random.choice(list(ops.PADDING_MODES)))
    axes = []
    for _ in range(2):
        kernel, dilation, padding = random.integers(1, 6), random.integers(1, 4), random.integers(0, 5, 2)
        needed = {"reflect": max(padding) + 1, "circular": max(padding)}.get(padding_mode, 1)
        smallest = max(3, needed, dilation * (kernel - 1) + 1 - sum(padding))
        size = random.integers(smallest, max(smallest, largest) + 1)
        axes.append(
            Axis(int(size), int(kernel), int(random.integers(1, 4)), tuple(padding.tolist()), int(dilation))
        )
    height, width = axes
    channels, flipped = int(random.integers(1, 4)), bool(random.integers(2))
    x = _array(
        random, "quarters" if numbers == "thirds" else numbers, channels, height.input_size, width.input_size
    )
    weight = _array(random, numbers, channels, height.kernel_size, width.kernel_size)
    bias = float(random.choice([0, 0.5, -3]))
    settings = {
        name: (getattr(height, name), getattr(width, name)) for name in ("stride", "padding", "dilation")
    }
    settings["padding_mode"] = padding_mode
    shown = scene.convolution(x, weight, *axes, bias=bias, padding_mode=padding_mode, flipped=flipped)
    kernels = (ops.flip(weight) if flipped else weight)[None]
    return Layer(shown, (height, width), settings, flipped, numbers, kernels)


def _transposed(random: np.random.Generator, mode: str, numbers: str, largest: int) -> Layer:
    names, axes = ("stride", "padding", "output_padding", "dilation"), []
    for _ in range(2):
        size, kernel = int(random.integers(3, max(4, largest - 3))), int(random.integers(1, 6))
        stride, dilation = int(random.integers(1, 4)), int(random.integers(1, 4))
        extra = int(random.integers(0, max(stride, dilation)))
        sizes = {"stride": stride, "dilation": dilation, "output_padding": extra}
        cut = int(random.integers(0, min(5, transposed_output_size(size, kernel, **sizes))))
        before = int(random.integers(0, cut + 1))
        axes.append((size, kernel, sizes | {"padding": (before, cut - before)}))
    height, width = axes
    channels, flipped = int(random.integers(1, 4)), bool(random.integers(2))
    x = _array(random, "quarters" if numbers == "thirds" else numbers, channels, height[0], width[0])
    weight = _array(random, numbers, channels, height[1], width[1])
    settings = {name: (height[2][name], width[2][name]) for name in names}
    bias = float(random.choice([0, 0.5, -3]))
    laid_out = (TransposedAxis(size, kernel, **own) for size, kernel, own in axes)
    shown = scene.transposed(x, weight, *laid_out, bias=bias, flipped=flipped)
    kernels = (ops.flip(weight) if flipped else weight)[:, None]
    return Layer(shown, (), settings, flipped, numbers, kernels)


def _pooling(random: np.random.Generator, mode: str, numbers: str, largest: int) -> Layer:
    ceil_mode, axes = bool(random.integers(2)), []
    for _ in range(2):
        window = int(random.integers(1, 6))
        padding = int(random.integers(0, window // 2 + 1))
        widest = 3 if mode != "average" else 1
        dilation = int(random.integers(1, widest + 1))
        # So wide that no window sees padding alone: what torch then does with the gradient is its own affair.
        smallest = max(3, dilation * (window - 1) + 1)
        size = int(random.integers(smallest, max(smallest, largest) + 1))
        axes.append(Axis(size, window, int(random.integers(1, 4)), padding, dilation, ceil_mode))
    height, width = axes
    x = _array(random, numbers, int(random.integers(1, 4)), height.input_size, width.input_size)
    return Layer(scene.pooling(x, *axes, mode=mode), (height, width), {}, False, numbers)
