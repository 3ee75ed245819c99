"""Layers and networks as plain records."""

from collections import Counter
from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

from cnn_core.geometry import max_pool_padding
from cnn_core.network.fields import checked, fraction_field, number_field, pair_field

MAX_LAYERS = 100


@dataclass(frozen=True)
class Layer:
    """What all layers share: the fields are checked, and sizes become (height, width).

    Attributes:
        word: How the notation begins a layer of this kind.
        kind: How the names of layers of this kind begin.
    """

    word: ClassVar[str]
    kind: ClassVar[str]

    def __post_init__(self):
        for each in fields(self):
            value = checked(each, getattr(self, each.name))
            object.__setattr__(self, each.name, value)


@dataclass(frozen=True)
class Conv(Layer):
    """A convolution with a bias: (C, H, W) -> (out_channels, H_out, W_out).

    Sizes may be given as one integer and are kept as (height, width). On a signal, (C, L) -> (out_channels,
    L_out), the two must be equal.

    Args:
        out_channels: Number of output channels.
        kernel_size: Rows and columns of each kernel, in pixels.
        stride: Step of the window, in input pixels.
        padding: Pixels added on each side.
        dilation: Distance between neighbouring kernel cells, in pixels; 1 = dense.
        groups: Number of groups that the channels fall into; each output sees the inputs of its own group.

    Raises:
        ValueError: If a number is out of range, or `groups` does not divide `out_channels`.

    Example:
        >>> Conv(6, kernel_size=5, padding=2).kernel_size
        (5, 5)
    """

    word: ClassVar[str] = "conv"
    kind: ClassVar[str] = "conv"

    out_channels: int = number_field()
    _: KW_ONLY
    kernel_size: int | tuple[int, int] = pair_field("k")
    stride: int | tuple[int, int] = pair_field("s", default=1)
    padding: int | tuple[int, int] = pair_field("p", default=0, minimum=0)
    dilation: int | tuple[int, int] = pair_field("d", default=1)
    groups: int = number_field("g", default=1)

    def __post_init__(self):
        super().__post_init__()
        if self.out_channels % self.groups:
            raise ValueError(f"out_channels {self.out_channels} is not a multiple of groups {self.groups}")


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation: each channel of a map, or each number of (features,), is scaled and shifted.

    In training the mean and the variance are those of the batch. Otherwise they are running means over the
    batches seen in training. A trained weight and bias for each channel follow. The shape stays.

    References:
        Ioffe & Szegedy, 2015, arXiv:1502.03167.

    Example:
        >>> Network([Linear(10), BatchNorm()]).names
        ('linear1', 'norm1')
    """

    word: ClassVar[str] = "norm"
    kind: ClassVar[str] = "norm"


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling of each channel by itself: (C, H, W) -> (C, H_out, W_out). Use `MaxPool` or `AveragePool`.

    On a signal, (C, L) -> (C, L_out), height and width of the window must be equal.

    Args:
        window: Rows and columns of the window, in pixels.
        stride: Step of the window, in input pixels; None stands for the window itself, as in PyTorch.
        padding: Pixels added on each side, at most half the window.

    Raises:
        ValueError: If a number is out of range.
    """

    mode: ClassVar[str]
    kind: ClassVar[str] = "pool"

    window: int | tuple[int, int] = pair_field()
    _: KW_ONLY
    stride: int | tuple[int, int] | None = pair_field("s", default=None)
    padding: int | tuple[int, int] = pair_field("p", default=0, minimum=0)

    def __post_init__(self):
        if self.stride is None:
            object.__setattr__(self, "stride", self.window)
        super().__post_init__()
        for window, padding in zip(self.window, self.padding, strict=True):
            if padding > max_pool_padding(window):
                raise ValueError(
                    f"padding {padding} exceeds {max_pool_padding(window)} (half of window {window})"
                )


@dataclass(frozen=True)
class MaxPool(Pool):
    """Pooling by the largest value in the window; padding never wins.

    Example:
        >>> MaxPool(2)
        MaxPool(window=(2, 2), stride=(2, 2), padding=(0, 0))
    """

    word: ClassVar[str] = "max"
    mode: ClassVar[str] = "max"


@dataclass(frozen=True)
class AveragePool(Pool):
    """Pooling by the mean of the window; padding counts as zeros.

    Example:
        >>> AveragePool(3, stride=2).stride
        (2, 2)
    """

    word: ClassVar[str] = "avg"
    mode: ClassVar[str] = "average"


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """The mean of each channel: (C, H, W) or (C, L) -> (C,). No flatten is needed after it.

    References:
        Lin, Chen & Yan, 2013, Network In Network, arXiv:1312.4400.
    """

    word: ClassVar[str] = "gap"
    kind: ClassVar[str] = "gap"


@dataclass(frozen=True)
class Activation(Layer):
    """A function applied to each number by itself; the shape stays. Use `Sigmoid`, `ReLU` or `Tanh`."""


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x)), between 0 and 1."""

    word: ClassVar[str] = "sigmoid"
    kind: ClassVar[str] = "sigmoid"


@dataclass(frozen=True)
class ReLU(Activation):
    """max(x, 0)."""

    word: ClassVar[str] = "relu"
    kind: ClassVar[str] = "relu"


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent, between -1 and 1."""

    word: ClassVar[str] = "tanh"
    kind: ClassVar[str] = "tanh"


@dataclass(frozen=True)
class Dropout(Layer):
    """In training each number becomes 0 by chance, and the others grow so that the mean stays.

    Those that stay are divided by 1 - probability. Outside training nothing is dropped. The shape stays.

    Args:
        probability: Chance of each number to be dropped, at least 0 and less than 1.

    Raises:
        TypeError: If the probability is not a number.
        ValueError: If it is out of range.

    References:
        Srivastava et al., 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting.

    Example:
        >>> Dropout(0.5)
        Dropout(probability=0.5)
    """

    word: ClassVar[str] = "drop"
    kind: ClassVar[str] = "dropout"

    probability: float = fraction_field()


@dataclass(frozen=True)
class Flatten(Layer):
    """All numbers of an example along one axis: (C, H, W) -> (C * H * W,). What is flat already stays."""

    word: ClassVar[str] = "flatten"
    kind: ClassVar[str] = "flatten"


@dataclass(frozen=True)
class Linear(Layer):
    """A fully connected layer with a bias: (in_features,) -> (out_features,).

    Args:
        out_features: Number of outputs.
        in_features: Number of inputs that the layer expects; None takes as many as come.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> Linear(120, in_features=400)
        Linear(out_features=120, in_features=400)
    """

    word: ClassVar[str] = ""
    kind: ClassVar[str] = "linear"

    out_features: int = number_field()
    _: KW_ONLY
    in_features: int | None = number_field("i", default=None)


LAYERS: dict[str, type[Layer]] = {
    kind.word: kind
    for kind in (
        *(Conv, MaxPool, AveragePool, GlobalAveragePool, BatchNorm),
        *(Sigmoid, ReLU, Tanh, Dropout, Flatten, Linear),
    )
}
"""Word of the notation -> kind of layer. A number alone, without a word, is a linear layer."""


@dataclass(frozen=True)
class Network:
    """Layers one after another. It knows no input shape: `summary.summarize` tells whether one fits.

    Args:
        layers: The layers, first one first.

    Raises:
        ValueError: If there is no layer, or more than `MAX_LAYERS`.
        TypeError: If one of them is not a layer.

    Example:
        >>> network = Network([Conv(6, kernel_size=5), ReLU(), Flatten(), Linear(10)])
        >>> network.names
        ('conv1', 'relu1', 'flatten', 'linear1')
    """

    layers: tuple[Layer, ...]

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(self.layers))
        for layer in self.layers:
            if type(layer) not in LAYERS.values():
                known = ", ".join(kind.__name__ for kind in LAYERS.values())
                raise TypeError(f"{layer!r} is not a layer: use one of {known}")
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise ValueError(f"number of layers {len(self.layers):,} is not between 1 and {MAX_LAYERS}")

    @property
    def names(self) -> tuple[str, ...]:
        """One name for each layer: its kind, counted from 1. The first `flatten` alone has no number."""
        counts = Counter()
        names = []
        for layer in self.layers:
            counts[layer.kind] += 1
            is_usual = isinstance(layer, Flatten) and counts[layer.kind] == 1  # more of them change nothing
            names.append(layer.kind if is_usual else f"{layer.kind}{counts[layer.kind]}")
        return tuple(names)
