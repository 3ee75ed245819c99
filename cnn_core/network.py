"""Layers and networks as plain records, and the one line that writes a network down.

The notation joins layers by hyphens. A layer is a word, its main number, and options of one letter each:

    conv6k5p2   convolution: 6 output channels, kernel_size 5, padding 2 (also s stride, d dilation, g groups)
    max3s2p1    max pooling: window 3, stride 2, padding 1 (avg: average pooling; the stride is the window
                unless given)
    sigmoid     an activation: sigmoid, relu, tanh
    flatten     (C, H, W) becomes one axis
    120         a linear layer with 120 outputs

A size that differs between height and width is written `k5x3`: 5 high, 3 wide. Options that have their usual
value are left out.
"""

import contextlib
import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import ClassVar

from cnn_core.geometry import as_integer, max_pool_padding

MAX_LAYERS = 100
MAX_NUMBER = 999_999_999
MAX_CHARACTERS = 20_000


def _number(letter: str = "", *, default=MISSING, minimum: int = 1) -> Field:
    """Declare a field that holds one integer; `letter` is its option in the notation."""
    return field(default=default, metadata={"letter": letter, "minimum": minimum, "pair": False})


def _pair(letter: str = "", *, default=MISSING, minimum: int = 1) -> Field:
    """Declare a field that holds a (height, width); one integer stands for both."""
    return field(default=default, metadata={"letter": letter, "minimum": minimum, "pair": True})


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
            value = _checked(each, getattr(self, each.name))
            object.__setattr__(self, each.name, value)


def _checked(each: Field, value) -> int | tuple[int, int]:
    """Return a field's value as one integer or as (height, width), within its limits."""
    numbers = tuple(value) if isinstance(value, tuple | list) else (value,)
    most = 2 if each.metadata["pair"] else 1
    if not 1 <= len(numbers) <= most:
        raise ValueError(
            f"{each.name} {value!r} has {len(numbers)} numbers, not {'1 or 2' if most == 2 else 1}"
        )
    numbers = tuple(as_integer(number, each.name, minimum=each.metadata["minimum"]) for number in numbers)
    if max(numbers) > MAX_NUMBER:
        raise ValueError(
            f"{each.name} {max(numbers):,} exceeds {MAX_NUMBER:,} (the largest that a layer takes)"
        )
    return (numbers[0], numbers[-1]) if each.metadata["pair"] else numbers[0]


@dataclass(frozen=True)
class Conv(Layer):
    """A two-dimensional convolution with a bias: (C, H, W) -> (out_channels, H_out, W_out).

    Sizes may be given as one integer and are kept as (height, width).

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

    out_channels: int = _number()
    _: KW_ONLY
    kernel_size: int | tuple[int, int] = _pair("k")
    stride: int | tuple[int, int] = _pair("s", default=1)
    padding: int | tuple[int, int] = _pair("p", default=0, minimum=0)
    dilation: int | tuple[int, int] = _pair("d", default=1)
    groups: int = _number("g", default=1)

    def __post_init__(self):
        super().__post_init__()
        if self.out_channels % self.groups:
            raise ValueError(f"out_channels {self.out_channels} is not a multiple of groups {self.groups}")


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling of each channel by itself: (C, H, W) -> (C, H_out, W_out). Use `MaxPool` or `AveragePool`.

    Args:
        window: Rows and columns of the window, in pixels.
        stride: Step of the window, in input pixels; None stands for the window itself, as in PyTorch.
        padding: Pixels added on each side, at most half the window.

    Raises:
        ValueError: If a number is out of range.
    """

    mode: ClassVar[str]
    kind: ClassVar[str] = "pool"

    window: int | tuple[int, int] = _pair()
    _: KW_ONLY
    stride: int | tuple[int, int] | None = _pair("s", default=None)
    padding: int | tuple[int, int] = _pair("p", default=0, minimum=0)

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
class Flatten(Layer):
    """All numbers of an example along one axis: (C, H, W) -> (C * H * W,)."""

    word: ClassVar[str] = "flatten"
    kind: ClassVar[str] = "flatten"


@dataclass(frozen=True)
class Linear(Layer):
    """A fully connected layer with a bias: (in_features,) -> (out_features,).

    Args:
        out_features: Number of outputs.
    """

    word: ClassVar[str] = ""
    kind: ClassVar[str] = "linear"

    out_features: int = _number()


LAYERS: dict[str, type[Layer]] = {
    kind.word: kind for kind in (Conv, MaxPool, AveragePool, Sigmoid, ReLU, Tanh, Flatten, Linear)
}
"""Word of the notation -> kind of layer. A number alone, without a word, is a linear layer."""


@dataclass(frozen=True)
class Network:
    """Layers one after another. It knows no input shape: `summary.summarize` tells whether one fits.

    Args:
        layers: The layers, first one first.

    Raises:
        ValueError: If there is no layer, more than `MAX_LAYERS`, or more than one `Flatten`.
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
        if self.layers.count(Flatten()) > 1:
            raise ValueError(
                f"{self.layers.count(Flatten())} flatten layers exceed 1: after the first all is flat"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """One name for each layer: its kind, counted from 1 (`flatten` occurs once and has no number)."""
        counts = Counter()
        names = []
        for layer in self.layers:
            counts[layer.kind] += 1
            names.append(layer.kind if isinstance(layer, Flatten) else f"{layer.kind}{counts[layer.kind]}")
        return tuple(names)


def format(network: Network) -> str:
    """Write a network in the one-line notation; `parse` reads it back.

    Args:
        network: Any network.

    Returns:
        The shortest notation of this network: options that have their usual value are left out.

    Example:
        >>> format(Network([Conv(6, kernel_size=(5, 3), stride=2), MaxPool(2), Flatten(), Linear(10)]))
        'conv6k5x3s2-max2-flatten-10'
    """
    return "-".join(format_layer(layer) for layer in network.layers)


def format_layer(layer: Layer) -> str:
    """Write one layer in the notation.

    Example:
        >>> format_layer(AveragePool(3, stride=2, padding=1))
        'avg3s2p1'
    """
    options = (each for each in fields(layer) if getattr(layer, each.name) != _usual(layer, each))
    return layer.word + "".join(
        each.metadata["letter"] + _format_number(getattr(layer, each.name)) for each in options
    )


def _usual(layer: Layer, each: Field) -> int | tuple[int, int] | None:
    """Return the value that a field has when the notation leaves it out; None if it must be written."""
    if each.default is None:
        return layer.window
    return None if each.default is MISSING else _checked(each, each.default)


def _format_number(value: int | tuple[int, int]) -> str:
    if isinstance(value, int):
        return str(value)
    height, width = value
    return str(height) if height == width else f"{height}x{width}"


def parse(text: str) -> Network:
    """Read a network in the one-line notation; `format` writes it.

    Capitals and spaces around a layer do not matter, options may come in any order.

    Args:
        text: Layers joined by hyphens, as the top of this module describes.

    Returns:
        The network.

    Raises:
        ValueError: If a layer cannot be read. The message gives its number and text, says what would be
            right, and underlines the layer.

    Example:
        >>> parse("conv6k5p2-relu-max2-flatten-10").layers[2]
        MaxPool(window=(2, 2), stride=(2, 2), padding=(0, 0))
        >>> parse("conv6k5p2-rellu-max2-flatten-10")
        Traceback (most recent call last):
        ...
        ValueError: layer 2 "rellu": no layer is called "rellu": did you mean "relu"?
        conv6k5p2-rellu-max2-flatten-10
                  ^^^^^
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"notation of {len(text):,} characters exceeds {MAX_CHARACTERS:,}")
    layers, start = [], 0
    for number, token in enumerate(text.split("-"), start=1):
        try:
            layers.append(_parse_layer(token.strip().lower()))
        except ValueError as error:
            raise ValueError(
                f'layer {number} "{_shortened(token)}": {error}\n{_underlined(text, start, token)}'
            ) from None
        start += len(token) + 1
    return Network(layers)


def _parse_layer(token: str) -> Layer:
    """Read one layer: a word, the main number, and options of one letter and a number each."""
    word = re.match(r"[^0-9]*", token).group()
    if not token or word not in LAYERS:
        raise ValueError(_not_a_layer(word, token[len(word) :]))
    kind = LAYERS[word]
    by_letter = {each.metadata["letter"]: each for each in fields(kind)}
    values = {}
    for letter, sizes in _options(token, len(word)):
        if letter not in by_letter:
            raise ValueError(_not_an_option(word, letter, by_letter))
        if by_letter[letter].name in values:
            raise ValueError(f"{by_letter[letter].name} is given twice: leave one out")
        values[by_letter[letter].name] = sizes
    for letter, each in by_letter.items():
        if each.default is MISSING and each.name not in values:
            right = f"{token}{letter}5" if letter else _EXAMPLES[word]
            raise ValueError(f'{each.name} is missing: did you mean "{right}"?')
    return kind(**values)


_EXAMPLES = {"conv": "conv6k5", "max": "max2", "avg": "avg2", "": "120"}
_OPTION = re.compile(r"([^0-9]?)([0-9]+(?:x[0-9]+)*)")
_OTHER_WORDS = {
    **{word: word for word in LAYERS if word},
    **dict.fromkeys(("convolution", "conv2d"), "conv"),
    **dict.fromkeys(("average", "mean", "avgpool"), "avg"),
    **dict.fromkeys(("maximum", "maxpool"), "max"),
    **dict.fromkeys(("linear", "dense", "fc"), ""),
}


def _options(token: str, position: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Read what follows a layer's word as pairs of letter and sizes; the main number has no letter."""
    while position < len(token):
        found = _OPTION.match(token, position)
        if not found:
            raise ValueError(
                f'"{_shortened(token[position:])}" is not an option: write a letter and a number, as in k5'
            )
        letter, sizes = found.group(1), found.group(2).split("x")
        if max(map(len, sizes)) > len(str(MAX_NUMBER)):
            raise ValueError(f"number of {max(map(len, sizes))} digits exceeds {MAX_NUMBER:,}")
        yield letter, tuple(map(int, sizes))
        position = found.end()


def _not_a_layer(word: str, rest: str) -> str:
    """Say that a layer's word is unknown, with the nearest one that would be right."""
    if not word:
        return "a layer is missing here: remove a hyphen, or write a layer such as conv6k5"
    for near in difflib.get_close_matches(word[:40], _OTHER_WORDS, n=3):
        with contextlib.suppress(ValueError):
            right = format_layer(_parse_layer(_OTHER_WORDS[near] + rest))
            return f'no layer is called "{_shortened(word)}": did you mean "{right}"?'
    known = ", ".join(word for word in LAYERS if word)
    return f'no layer is called "{_shortened(word)}": there are {known}, and a number alone (linear)'


def _not_an_option(word: str, letter: str, by_letter: dict[str, Field]) -> str:
    """Say that a layer does not take an option, and which ones it takes."""
    options = [f"{letter} ({each.name})" for letter, each in by_letter.items() if letter]
    given = f'option "{letter}"' if letter else "number"
    return f"{word or 'a linear layer'} takes no {given}" + (
        f": it takes {', '.join(options)}" if options else ""
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _underlined(text: str, start: int, token: str) -> str:
    """Show a token in the text around it, with carets below."""
    before = text[max(0, start - 40) : start]
    after = text[start + len(token) :][:40]
    line = re.sub(r"\s", " ", before + _shortened(token) + after)
    return line + "\n" + " " * len(before) + "^" * max(1, len(_shortened(token)))


@dataclass(frozen=True)
class Preset:
    """A network worth having by name.

    Attributes:
        title: What to call it on a page.
        network: The network.
        sentence: What it is, in one sentence.
    """

    title: str
    network: Network
    sentence: str


LENET = parse("conv6k5p2-sigmoid-avg2-conv16k5-sigmoid-avg2-flatten-120-sigmoid-84-sigmoid-10")
LENET_MODERN = parse("conv6k5p2-relu-max2-conv16k5-relu-max2-flatten-120-relu-84-relu-10")
SIMPLE_CNN = parse("conv16k3p1-relu-max2-conv32k3p1-relu-max2-flatten-128-relu-10")
MLP = parse("flatten-256-relu-10")

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "lenet": Preset(
            "LeNet, as published",
            LENET,
            "Two convolutions with sigmoid and average pooling, then three linear layers.",
        ),
        "lenet-modern": Preset(
            "LeNet with ReLU and max pooling",
            LENET_MODERN,
            "The same sizes as LeNet, with the activation and the pooling of today.",
        ),
        "simple-cnn": Preset(
            "Small two-convolution network",
            SIMPLE_CNN,
            "Two convolutions of 3 x 3 that keep the size; max pooling halves it after each.",
        ),
        "mlp": Preset("MLP", MLP, "No convolution: each of 256 hidden units sees every pixel."),
    }
)
"""Name of a network -> what it is. All take pictures (C, H, W) and give one logit for each of 10 classes."""
