"""The one line that writes a network down.

The notation joins layers by hyphens. A layer is a word, its main number, and options of one letter each:

    conv6k5p2   convolution: 6 output channels, kernel_size 5, padding 2 (also s stride, d dilation, g groups)
    max3s2p1    max pooling: window 3, stride 2, padding 1 (avg: average pooling; the stride is the window
                unless given)
    gap         global average pooling: the mean of each channel, (C, H, W) becomes (C,)
    norm        batch normalisation of each channel, or of each feature
    sigmoid     an activation: sigmoid, relu, tanh
    drop0.5     dropout: each number is dropped with probability 0.5
    flatten     (C, H, W) becomes one axis
    120         a linear layer with 120 outputs (120i400: it expects 400 inputs)

A size that differs between height and width is written `k5x3`: 5 high, 3 wide. Options that have their usual
value are left out. On a signal (C, L) the same layers slide along its one axis.
"""

import contextlib
import difflib
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from decimal import Decimal

from cnn_core.network.fields import MAX_NUMBER, checked
from cnn_core.network.layers import LAYERS, Layer, Network, Pool

MAX_CHARACTERS = 20_000


def format(network: Network) -> str:
    """Write a network in the one-line notation; `parse` reads it back.

    Args:
        network: Any network.

    Returns:
        The shortest notation of this network: options that have their usual value are left out.

    Example:
        >>> from cnn_core.network import Conv, Flatten, Linear, MaxPool
        >>> format(Network([Conv(6, kernel_size=(5, 3), stride=2), MaxPool(2), Flatten(), Linear(10)]))
        'conv6k5x3s2-max2-flatten-10'
    """
    return "-".join(format_layer(layer) for layer in network.layers)


def format_layer(layer: Layer) -> str:
    """Write one layer in the notation.

    Example:
        >>> from cnn_core.network import AveragePool
        >>> format_layer(AveragePool(3, stride=2, padding=1))
        'avg3s2p1'
    """
    options = (each for each in fields(layer) if getattr(layer, each.name) != _usual(layer, each))
    return layer.word + "".join(
        each.metadata["letter"] + _format_number(getattr(layer, each.name)) for each in options
    )


def _usual(layer: Layer, each: Field) -> int | float | tuple[int, int] | None:
    """Return the value that a field has when the notation leaves it out; None if it never does."""
    if isinstance(layer, Pool) and each.name == "stride":
        return layer.window
    return None if each.default is MISSING else checked(each, each.default)


def _format_number(value: int | float | tuple[int, int]) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{Decimal(repr(value)).normalize():f}"  # never 1e-05: its hyphen would end the layer
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
        except (ValueError, TypeError) as error:
            raise ValueError(
                f'layer {number} "{_shortened(token)}": {error}\n{_underlined(text, start, token)}'
            ) from None
        start += len(token) + 1
    return Network(layers)


def _parse_layer(token: str) -> Layer:
    """Read one layer: a word, the main number, and options of one letter and a number each."""
    word = re.match(r"[^0-9.]*", token).group()
    if not token or word not in LAYERS:
        raise ValueError(_not_a_layer(word, token[len(word) :]))
    kind = LAYERS[word]
    by_letter = {each.metadata["letter"]: each for each in fields(kind)}
    values = {}
    for letter, numbers in _options(token, len(word)):
        if letter not in by_letter:
            raise ValueError(_not_an_option(word, letter, by_letter))
        if by_letter[letter].name in values:
            raise ValueError(f"{by_letter[letter].name} is given twice: leave one out")
        values[by_letter[letter].name] = numbers
    for letter, each in by_letter.items():
        if each.default is MISSING and each.name not in values:
            right = f"{token}{letter}5" if letter else _EXAMPLES[word]
            raise ValueError(f'{each.name} is missing: did you mean "{right}"?')
    return kind(**values)


_EXAMPLES = {"conv": "conv6k5", "max": "max2", "avg": "avg2", "drop": "drop0.5", "": "120"}
_NUMBER = r"[0-9]*\.?[0-9]+"
_OPTION = re.compile(rf"([^0-9.]?)({_NUMBER}(?:x{_NUMBER})*)")
_OTHER_WORDS = {
    **{word: word for word in LAYERS if word},
    **dict.fromkeys(("convolution", "conv2d"), "conv"),
    **dict.fromkeys(("average", "mean", "avgpool"), "avg"),
    **dict.fromkeys(("maximum", "maxpool"), "max"),
    **dict.fromkeys(("globalaveragepool", "globalavgpool", "global"), "gap"),
    **dict.fromkeys(("batchnorm", "batchnormalisation", "bn"), "norm"),
    "dropout": "drop",
    **dict.fromkeys(("linear", "dense", "fc"), ""),
}


def _options(token: str, position: int) -> Iterator[tuple[str, tuple[int | float, ...]]]:
    """Read what follows a layer's word as pairs of letter and numbers; the main number has no letter."""
    while position < len(token):
        found = _OPTION.match(token, position)
        if not found:
            raise ValueError(
                f'"{_shortened(token[position:])}" is not an option: write a letter and a number, as in k5'
            )
        letter, numbers = found.group(1), found.group(2).split("x")
        num_digits = max(len(number.partition(".")[0]) for number in numbers)
        if num_digits > len(str(MAX_NUMBER)):
            raise ValueError(f"number of {num_digits} digits exceeds {MAX_NUMBER:,}")
        yield letter, tuple(float(number) if "." in number else int(number) for number in numbers)
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
