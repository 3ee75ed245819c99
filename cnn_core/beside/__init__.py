"""What needs torch, done in a process beside the app, whose own process stays small.

One process serves all callers, one after another. It is started when something is asked for, and ends when
nothing has been asked for a while, so that its memory is given back. Nothing here imports torch.
"""

import atexit
import json
import operator
import os
from collections.abc import Sequence

from cnn_core.beside import rows
from cnn_core.beside.process import Failed, Process
from cnn_core.published import INPUT_SHAPE, PublishedLayer

__all__ = ["Failed", "is_ready", "layer_table", "shut_down", "to_onnx", "warm_up"]

_PROCESS = Process()


def layer_table(name: str, input_shape: Sequence[int] = INPUT_SHAPE) -> list[PublishedLayer]:
    """Follow one picture through a published network; see `published.layer_table`.

    Args:
        name: One of `published.PUBLISHED`.
        input_shape: Shape (3, H, W) of the picture.

    Raises:
        TypeError: If a size of `input_shape` is not an integer.
        ValueError: If there is no such network, or the picture is too small or not in colour.
        Failed: If the process could not do it; the message says why and what to do.
    """
    return rows.from_json(_ask("layer_table", seconds=60, name=name, input_shape=input_shape))


def to_onnx(
    notation: str,
    input_shape: Sequence[int],
    *,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
) -> bytes:
    """Write a network as ONNX; see `onnx_export.export`.

    Args:
        notation: The network, in the one-line notation.
        input_shape: Shape of one example, without the batch axis.
        seed: Seed of fresh parameters.
        checkpoint: Folder of a checkpoint whose parameters to use instead.

    Returns:
        The file.

    Raises:
        TypeError: If a size of `input_shape` is not an integer.
        ValueError: If the notation cannot be read, the network fits neither the input nor the checkpoint, or
            it is over the budget.
        Failed: If the packages that write ONNX are not installed, or the process could not do it.
    """
    folder = None if checkpoint is None else os.path.abspath(checkpoint)
    return _ask(
        "to_onnx", seconds=180, notation=notation, input_shape=input_shape, seed=seed, checkpoint=folder
    )


def warm_up() -> None:
    """Start the process, so that torch is loaded before something is asked for. It returns at once."""
    _PROCESS.warm_up()


def is_ready() -> bool:
    """Tell whether the process is there and torch is loaded, so that answers come soon."""
    return _PROCESS.is_ready


def shut_down() -> None:
    """End the process; whatever is asked for next starts another."""
    _PROCESS.shut_down()


def _ask(task: str, *, seconds: float, **arguments) -> bytes:
    request = json.dumps({"task": task, "arguments": arguments}, default=operator.index)  # NumPy's integers
    return _PROCESS.ask(request, seconds=seconds)


atexit.register(shut_down)
