"""A look into a network while it trains: the parameters of its first layers, which its worker writes each second.

They stand in the run's folder beside its events, in the safetensors format. Nothing here imports torch.
"""

from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from cnn_core.network import Network
from cnn_core.summary import summarize
from cnn_core.training.checkpoints import replace_file
from cnn_core.training.settings import Settings

if TYPE_CHECKING:
    from cnn_core.training.state import State

FILE_NAME = "glimpse.safetensors"
MAX_BYTES = 1_000_000


def write(folder: Path, state: "State") -> None:
    """Write the parameters of as many layers, from the first on, as take at most `MAX_BYTES`.

    Args:
        folder: The run's folder.
        state: `Started.state`, between two events.

    Raises:
        OSError: If they cannot be written; those from before stay.
    """
    arrays, left = {}, MAX_BYTES
    for name, layer in state.model.named_children():
        tensors = layer.state_dict()
        left -= sum(tensor.nbytes for tensor in tensors.values())
        if left < 0:
            break
        arrays |= {f"{name}.{key}": tensor.cpu().contiguous().numpy() for key, tensor in tensors.items()}
    replace_file(folder / FILE_NAME, to_bytes(arrays, metadata={"step": str(state.step)}))


def read(folder: Path, settings: Settings) -> tuple[Network, dict[str, np.ndarray]] | None:
    """Read what was written last.

    Args:
        folder: The run's folder.
        settings: Those of the run.

    Returns:
        The first layers of its network, as far as their parameters are there, and these by name; None if there
        are none.
    """
    try:
        parameters = from_bytes((folder / FILE_NAME).read_bytes())
    except (OSError, SafetensorError):
        return None
    known = {name.split(".")[0] for name in parameters}
    rows = summarize(settings.layers, settings.spec.input_shape)
    first = [*takewhile(lambda row: row.name in known or not row.num_params, rows)]
    return (Network(tuple(row.layer for row in first)), parameters) if known else None
