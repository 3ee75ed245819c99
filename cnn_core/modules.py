"""From a network to PyTorch: a module ready to train."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from cnn_core.network import (
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Linear,
    Network,
    Pool,
    ReLU,
    Sigmoid,
    Tanh,
)
from cnn_core.source import class_name, num_axes, source
from cnn_core.summary import LayerSummary, summarize

__all__ = ["GlobalAvgPool", "build", "source"]


def build(network: Network, input_shape: Sequence[int], *, seed: int) -> nn.Sequential:
    """Make a module with fresh parameters: Xavier-uniform weights, biases as PyTorch has them.

    A batch norm begins with weight 1 and bias 0, as in PyTorch.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W), (C, L) or (features,).
        seed: Seed of the parameters; nothing else decides them, and torch's own random state is left alone.

    Returns:
        Module from (N, *input_shape) to (N, *output_shape), float32 on the CPU. Its layers are named as in
        `summary.summarize`.

    Raises:
        ValueError: If a layer does not fit what it gets.

    References:
        Glorot & Bengio, 2010, Understanding the difficulty of training deep feedforward neural networks;
        `init_cnn` in Zhang et al., Dive into Deep Learning, section 7.6 (d2l.ai).

    Example:
        >>> from cnn_core.network import LENET
        >>> module = build(LENET, (1, 28, 28), seed=0)
        >>> module(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
        >>> module.conv1
        Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """
    module = nn.Sequential()
    with torch.random.fork_rng(devices=[]):  # torch draws parameters of its own first, from the global state
        for row in summarize(network, input_shape):
            module.add_module(row.name, _module(row))
    _initialize(module, torch.Generator().manual_seed(seed))
    return module


def _module(row: LayerSummary) -> nn.Module:
    layer = row.layer
    match layer:
        case Conv():
            return getattr(nn, class_name(row))(
                row.input_shape[0],
                layer.out_channels,
                groups=layer.groups,
                **_sizes(row, "kernel_size", "stride", "padding", "dilation"),
            )
        case Linear():
            return nn.Linear(*row.input_shape, layer.out_features)
        case Pool():
            options = _sizes(row, "window", "stride", "padding")
            return getattr(nn, class_name(row))(options.pop("window"), **options)
        case GlobalAveragePool():
            return GlobalAvgPool()
        case BatchNorm():
            return getattr(nn, class_name(row))(row.input_shape[0])
        case Sigmoid():
            return nn.Sigmoid()
        case ReLU():
            return nn.ReLU()
        case Tanh():
            return nn.Tanh()
        case Dropout():
            return nn.Dropout(layer.probability)
        case Flatten():
            return nn.Flatten()


class GlobalAvgPool(nn.Module):
    """The mean of each channel: (N, C, H, W) or (N, C, L) -> (N, C).

    nn.AdaptiveAvgPool2d(1) would keep two axes of size 1.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Average over all axes after the channels."""
        return x.mean(tuple(range(2, x.ndim)))


def _sizes(row: LayerSummary, *names: str) -> dict[str, tuple[int, ...]]:
    """Return the sizes of a window along the axes there are."""
    return {name: getattr(row.layer, name)[: num_axes(row)] for name in names}


def _initialize(module: nn.Module, generator: torch.Generator) -> None:
    """Draw weights and biases in the order of the layers, from one generator."""
    for layer in module.children():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            bound = 1 / math.sqrt(layer.weight[0].numel())  # torch's own for biases: 1 / sqrt(fan_in)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
