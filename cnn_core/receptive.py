"""What one output sees of the input: what it can see, and how much each pixel counts for it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnn_core.geometry import as_integer
from cnn_core.inspection import Parameters
from cnn_core.inspection.gradients import pull_back, rows_up_to
from cnn_core.inspection.parameters import check_rows
from cnn_core.network import Network
from cnn_core.summary import LayerSummary, summarize

NUM_INPUTS = 64
MAX_CHUNK_BYTES = 64_000_000
"""Memory for the outputs of all layers at once; so many inputs as fit in it go through together."""

Region = tuple[range, ...]
"""Input pixels along each axis: (rows, columns) of a picture, (places,) of a signal."""


def theoretical(row: LayerSummary, at: Sequence[int] = ()) -> Region:
    """Find the input pixels that an output can see: its receptive field.

    Args:
        row: The layer's row of the table.
        at: Position of the output without its channel: (row, column), or (place,) of a signal. Empty from the
            first layer on that sees a whole map.

    Returns:
        One range for each axis of the input; what lies outside the input is padding.

    Raises:
        TypeError: If a number of `at` is not an integer.
        ValueError: If there is no such position, if the layer lines up the numbers of a map (then they have the
            fields of the layer before), or if the input has no height and width.

    References:
        Araujo, Norris & Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill, 2019.

    Example:
        >>> from cnn_core.network import LENET
        >>> rows = summarize(LENET, (1, 28, 28))
        >>> theoretical(rows[5], (0, 4)), theoretical(rows[7])
        ((range(-2, 14), range(14, 30)), (range(0, 28), range(0, 28)))
    """
    if row.receptive_field is None:
        raise ValueError(f"{row.name} sees a vector, whose numbers have no neighbours")
    if row.effective_stride is not None and len(row.output_shape) == 1:
        raise ValueError(f"{row.name} lines up the numbers of a map: take the layer before it")
    at = _checked_place(row, at)
    strides = row.effective_stride or (0,) * len(row.receptive_field)
    return tuple(
        range(start + index * stride, start + index * stride + size)
        for start, index, stride, size in zip(
            row.receptive_field_start, at or strides, strides, row.receptive_field, strict=True
        )
    )


def effective(
    network: Network,
    parameters: Parameters,
    input_shape: Sequence[int],
    *,
    layer: str,
    at: Sequence[int] = (),
    num_inputs: int = NUM_INPUTS,
    seed: int = 0,
) -> np.ndarray:
    """Measure how much each input pixel counts for an output: its effective receptive field.

    As Luo et al. do it, the gradient is set to 1 at one position of the layer's output and to 0 elsewhere, and
    goes back to inputs of random noise. An output of several channels gets 1 or -1 in each, by chance and anew for
    each input, so that no channels cancel each other for all inputs. The absolute values are averaged over the
    inputs and their channels.

    Args:
        network: The network.
        parameters: Its parameters by name.
        input_shape: Shape of one example: (C, H, W) or (C, L).
        layer: Name of the layer.
        at: Position of the output without its channel, as in `theoretical`; empty for all numbers of a layer
            without positions.
        num_inputs: Number of inputs, of independent standard normal numbers.
        seed: Seed of the inputs.

    Returns:
        (H, W) or (L,), float32, at least 0; 0 outside the receptive field.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a layer does not fit, there is no such layer or position, the parameters are not those of
            the network, or the input has no height and width.

    References:
        Luo, Li, Urtasun & Zemel, 2016, Understanding the Effective Receptive Field in Deep Convolutional Neural
        Networks, arXiv:1701.04128.

    Example:
        >>> from cnn_core.network import parse
        >>> parameters = {"conv1.weight": np.array([[[3.0, -2.0, 1.0]]]), "conv1.bias": np.zeros(1)}
        >>> effective(parse("conv1k3p1"), parameters, (1, 5), layer="conv1", at=(0,)).tolist()
        [2.0, 1.0, 0.0, 0.0, 0.0]
    """
    check_rows(summarize(network, input_shape), parameters)
    num_inputs = as_integer(num_inputs, "num_inputs", minimum=1)
    part = _part(network, input_shape, layer, at)
    sizes = tuple(input_shape)[1:]
    field = np.zeros(sizes, np.float32)
    if part is None:
        return field
    shape, output_shape = part.rows[0].input_shape, part.rows[-1].output_shape
    chunk = max(1, MAX_CHUNK_BYTES // sum(row.activation_bytes for row in part.rows))
    inputs = np.random.default_rng(seed)
    (signs,) = inputs.spawn(1)
    total = np.zeros(shape[1:])
    for size in _chunks(num_inputs, chunk):
        x = inputs.standard_normal((size, *shape), np.float32)
        output_gradient = np.zeros((size, *output_shape), np.float32)
        output_gradient[(..., *part.at)] = np.where(signs.random((size, output_shape[0])) < 0.5, -1, 1)
        total += np.abs(pull_back(part.rows, parameters, x, output_gradient)).sum(axis=(0, 1))
    field[np.ix_(*part.region)] = total / (num_inputs * shape[0])
    return field


def work(network: Network, input_shape: Sequence[int], *, layer: str, at: Sequence[int] = ()) -> int:
    """Count what `effective` multiplies on the way forward for one input; the way back takes as much again.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W) or (C, L).
        layer: Name of the layer.
        at: Position of the output, as in `effective`.

    Returns:
        Mult-adds. Only the part of the input that the output can see is computed.

    Raises:
        TypeError: As `effective`.
        ValueError: As `effective`.

    Example:
        >>> from cnn_core.network import parse
        >>> work(parse("conv1k3p1-conv1k3p1"), (1, 100, 100), layer="conv2", at=(50, 50))  # of 5 x 5 pixels
        450
    """
    part = _part(network, input_shape, layer, at)
    return sum(row.mult_adds for row in part.rows) if part else 0


@dataclass(frozen=True)
class _Part:
    """A part of the input that is enough for one output, and the network on it.

    Attributes:
        rows: The layers up to the output's, on this part alone.
        at: The output's position, counted in the part.
        region: The part's pixels in the whole input.
    """

    rows: Sequence[LayerSummary]
    at: tuple[int, ...]
    region: Region


def _part(network: Network, input_shape: Sequence[int], layer: str, at: Sequence[int]) -> _Part | None:
    """Cut out the pixels that an output can see; None if it sees padding only.

    The cut begins at a multiple of the effective stride, so that all windows keep their places, and its sides are
    those of the input where the output sees padding. So nothing that the output depends on changes.
    """
    rows = rows_up_to(summarize(network, input_shape), layer)
    channels, *sizes = rows[0].input_shape
    if not sizes:
        raise ValueError(f"input_shape {(channels,)} is a vector, whose numbers have no neighbours")
    at = _checked_place(rows[-1], at)
    if not at:
        return _Part(rows, at, tuple(map(range, sizes)))
    seen, strides = theoretical(rows[-1], at), rows[-1].effective_stride
    region = tuple(
        range(max(0, pixels.start) // stride * stride, min(size, pixels.stop))
        for pixels, stride, size in zip(seen, strides, sizes, strict=True)
    )
    if not all(region):
        return None
    shape = (channels, *map(len, region))
    place = tuple(
        index - pixels.start // stride for index, pixels, stride in zip(at, region, strides, strict=True)
    )
    return _Part(summarize(Network([row.layer for row in rows]), shape), place, region)


def _chunks(number: int, most: int) -> Iterator[int]:
    for start in range(0, number, most):
        yield min(most, number - start)


def _checked_place(row: LayerSummary, at: Sequence[int]) -> tuple[int, ...]:
    at, sizes = tuple(as_integer(index, "at", minimum=0) for index in at), row.output_shape[1:]
    if len(at) != len(sizes) or any(index >= size for index, size in zip(at, sizes, strict=True)):
        raise ValueError(f"at {at} is not a position in {row.name}'s output, which has {sizes}")
    return at


@dataclass(frozen=True)
class Middle:
    """The middle half of a receptive field, along each axis.

    Attributes:
        region: Its pixels, without those outside the input.
        pixel_share: What part of the field's pixels it is, from 0 to 1; those outside the input are not counted.
        influence_share: What part of all that counts lies in it, from 0 to 1.
    """

    region: Region
    pixel_share: float
    influence_share: float


def middle(field: np.ndarray, seen: Region) -> Middle | None:
    """Compare the middle of a receptive field with the whole of it.

    Args:
        field: How much each pixel counts, (H, W) or (L,): what `effective` returns.
        seen: The receptive field: what `theoretical` returns.

    Returns:
        The middle half, with what it holds; None if nothing counts.

    Example:
        >>> middle(np.array([0.0, 1, 2, 10, 6, 1, 0, 0]), (range(8),))
        Middle(region=(range(2, 6),), pixel_share=0.5, influence_share=0.95)
    """
    whole = float(field.sum(dtype=float))
    if not whole > 0:
        return None
    region, outer = [], []
    for pixels, size in zip(seen, field.shape, strict=True):
        cut = (len(pixels) + 1) // 4
        region.append(range(max(0, pixels.start + cut), min(size, pixels.stop - cut)))
        outer.append(range(max(0, pixels.start), min(size, pixels.stop)))
    return Middle(
        region=tuple(region),
        pixel_share=math.prod(map(len, region)) / math.prod(map(len, outer)),
        influence_share=float(field[np.ix_(*region)].sum(dtype=float)) / whole,
    )
