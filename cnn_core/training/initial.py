"""The weights that a training begins from, where they are brought along instead of drawn; and the sum of any.

Nothing here imports torch, and nothing is unpickled.
"""

import hashlib
import math
import os
from collections.abc import Sequence

import numpy as np
from safetensors import SafetensorError, deserialize

from cnn_core.inspection.parameters import Parameters, check_parameters
from cnn_core.network import Network
from cnn_core.summary import summarize

FILE_NAME = "initial.safetensors"
_TYPES = {"F32": "<f4", "I64": "<i8"}
# A file may be a checkpoint, where Adam keeps two more numbers for each weight, and settings stand in the header.
_COPIES, _ENTRY_BYTES, _HEADER_BYTES = 3, 200, 100_000


def read(raw: bytes, network: Network, input_shape: Sequence[int]) -> dict[str, np.ndarray]:
    """Read weights from the content of a safetensors file, whoever made it: weights alone, or a checkpoint.

    Args:
        raw: The content.
        network: The network that the weights are for.
        input_shape: Shape of one example: (C, H, W).

    Returns:
        float32 arrays by name, such as "conv1.weight"; a batch norm's count of batches is int64.

    Raises:
        ValueError: If the file is larger than weights of this network can be, is no safetensors file or not whole,
            or `check` refuses what it holds.
    """
    limit = max_bytes(network, input_shape)
    if len(raw) > limit:
        raise ValueError(
            f"the file has more than {limit:,} bytes, the most that the weights of this network take: "
            "choose another file, or another network"
        )
    try:
        entries = deserialize(raw)
    except SafetensorError as error:
        raise ValueError(_not_safetensors(raw, error)) from None
    weights = {
        name.removeprefix("model."): _array(name, **entry)
        for name, entry in entries
        if not name.startswith("optimizer.")
    }
    check(weights, network, input_shape)
    return weights


def load(path: str | os.PathLike, network: Network, input_shape: Sequence[int]) -> dict[str, np.ndarray]:
    """Read weights from a file, as `read` does; of one that is too large, only the beginning is looked at.

    Raises:
        OSError: If it cannot be opened.
        ValueError: As `read`.
    """
    with open(path, "rb") as file:
        return read(file.read(max_bytes(network, input_shape) + 1), network, input_shape)


def max_bytes(network: Network, input_shape: Sequence[int]) -> int:
    """Return the most bytes that a file with weights of a network can have.

    Example:
        >>> from cnn_core.network import LENET
        >>> max_bytes(LENET, (1, 28, 28)) // 61_706
        13
    """
    rows = summarize(network, input_shape)
    shapes = [shape for row in rows for _, shape in row.parameter_shapes + row.buffer_shapes]
    return _HEADER_BYTES + _COPIES * sum(4 * math.prod(shape) + _ENTRY_BYTES for shape in shapes)


def check(weights: Parameters, network: Network, input_shape: Sequence[int]) -> None:
    """Check that a training of a network can begin from weights.

    Args:
        weights: Arrays by name.
        network: The network.
        input_shape: Shape of one example: (C, H, W).

    Raises:
        ValueError: If a name is missing or unknown, or an array is of another shape, not float32 (a count of
            batches: not int64) or not finite.
    """
    check_parameters(network, input_shape, weights)
    for name, array in weights.items():
        wanted = np.int64 if name.endswith("num_batches_tracked") else np.float32
        if array.dtype != wanted:
            raise ValueError(_other_type(name, array.dtype))


def sha256(weights: Parameters) -> str:
    """Sum weights up: two networks with the same sum have the same weights, to the last bit.

    What is summed, for each array in the order of the names: its name, a space, its shape as Python writes it and a
    line break, in UTF-8; then its numbers, the last axis fastest, as float32 or int64 with the least significant
    byte first.

    Example:
        >>> sha256({"linear1.bias": np.zeros(10, np.float32)})[:8]
        'da50ce4f'
    """
    digest = hashlib.sha256()
    for name, array in sorted(weights.items()):
        digest.update(f"{name} {array.shape}\n".encode())
        is_count = np.issubdtype(array.dtype, np.integer)
        digest.update(np.ascontiguousarray(array, dtype=_TYPES["I64" if is_count else "F32"]))
    return digest.hexdigest()


def _array(name: str, dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    if dtype not in _TYPES:
        raise ValueError(_other_type(name, dtype))
    return np.frombuffer(data, dtype=_TYPES[dtype]).reshape(shape)


def _other_type(name: str, dtype: object) -> str:
    return f"{name} has numbers of type {dtype}, not float32: save the weights as float32"


def _not_safetensors(raw: bytes, error: SafetensorError) -> str:
    """Say why a file cannot be read; torch's own files are known by how they begin: as a ZIP file, or a pickle."""
    if raw.startswith((b"PK", b"\x80")):
        return (
            "the file is a pickle, as torch.save writes it (.pt): it can run any program, so it is not opened; "
            "save the weights with safetensors.torch.save_file"
        )
    return f"the file is no whole safetensors file ({error}): choose one, or download it again"
