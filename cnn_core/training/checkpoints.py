"""A training at rest, in one file: parameters, optimizer state and how far it has come.

The file is in the safetensors format; settings, progress and schedule stand as JSON in its header. Nothing here
imports torch before a checkpoint is put back into a model: `load_weights` reads parameters with NumPy alone.
"""

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from cnn_core.training.settings import Settings

if TYPE_CHECKING:
    from cnn_core.training.state import State

FILE_NAME = "checkpoint.safetensors"
_ENDS = ("target_accuracy", "max_minutes", "patience")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a file holds.

    Attributes:
        settings: The settings of the training.
        progress: How far it has come: the fields of `state.Progress`.
        schedule: The state of the scheduler, and as "rates" the learning rates in the optimizer.
        initial_sha256: Sum of the weights that the training began from; empty in old files.
        arrays: Parameters as "model.<name>", optimizer state as "optimizer.<parameter>.<name>".
    """

    settings: Settings
    progress: dict
    schedule: dict
    initial_sha256: str
    arrays: dict[str, np.ndarray]


def save(folder: str | os.PathLike, state: "State") -> Path:
    """Write a checkpoint, in place of the one that is there. A crash leaves the old one or the new one.

    Args:
        folder: Where to; made if it is not there.
        state: `Started.state`, between two events.

    Returns:
        The file.

    Raises:
        OSError: If the disk is full or the folder cannot be written; no partial file is left.
    """
    tensors = {f"model.{name}": tensor for name, tensor in state.model.state_dict().items()}
    for index, values in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items() if value is not None}
    arrays = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
    header = {
        "settings": state.settings.to_json(),
        "progress": json.dumps(asdict(state.progress)),
        "schedule": json.dumps({**state.scheduler.state_dict(), "rates": state.rates}),
        "initial_sha256": state.initial_sha256,
    }
    path = Path(folder, FILE_NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, to_bytes(arrays, metadata=header))
    return path


def load(folder: str | os.PathLike) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ValueError: If there is none in the folder, or it is damaged.
    """
    path = Path(folder, FILE_NAME)
    if not path.is_file():
        raise ValueError(f"folder {folder} has no checkpoint (no file {FILE_NAME}): save one first")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        settings, progress = Settings.from_json(header["settings"]), json.loads(header["progress"])
        # Files from before there were schedules have none: their learning rates are constant.
        schedule = json.loads(header.get("schedule", "{}"))
        return Checkpoint(settings, progress, schedule, header.get("initial_sha256", ""), arrays)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"checkpoint {path} cannot be read ({error}): train again") from None


def load_weights(folder: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read only the parameters of a checkpoint, without torch.

    Returns:
        Name -> float32 array, such as "conv1.weight" -> (6, 1, 5, 5); the names are those of the layer table.
        A batch norm's buffers are among them, its count of batches as an integer.

    Raises:
        ValueError: If there is no checkpoint in the folder, or it is damaged.
    """
    arrays = load(folder).arrays
    prefix = "model."
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def restore(state: "State", checkpoint: Checkpoint) -> None:
    """Put a checkpoint into a fresh state.

    Raises:
        ValueError: If the settings differ in more than what ends the training, or more epochs are done already.
    """
    import torch

    _check_settings(state.settings, checkpoint.settings)
    if checkpoint.progress["epoch"] > state.settings.num_epochs:
        raise ValueError(
            f"num_epochs {state.settings.num_epochs} is less than the {checkpoint.progress['epoch']} epochs "
            "that the checkpoint has behind it"
        )
    tensors = {name: torch.tensor(array) for name, array in checkpoint.arrays.items()}
    state.model.load_state_dict({name: tensors[f"model.{name}"] for name in state.model.state_dict()})
    parameters = list(state.model.parameters())
    optimizer = state.optimizer.state_dict()
    for name in tensors:
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            value = tensors[name]
            if value.shape == parameters[int(index)].shape:
                # The optimizer's state lies in memory as its parameter does.
                value = torch.empty_like(parameters[int(index)], requires_grad=False).copy_(value)
            optimizer["state"].setdefault(int(index), {})[key] = value
    state.optimizer.load_state_dict(optimizer)
    schedule = dict(checkpoint.schedule)
    state.optimizer.param_groups[0].update(schedule.pop("rates", {}))
    state.scheduler.load_state_dict(schedule)
    state.progress = type(state.progress)(**checkpoint.progress)
    state.initial_sha256 = checkpoint.initial_sha256


def _check_settings(wanted: Settings, saved: Settings) -> None:
    """Refuse settings that would make it another training."""
    may_change = _ENDS if wanted.schedule != "constant" else ("num_epochs", *_ENDS)
    for name, value in asdict(wanted).items():
        before = getattr(saved, name)
        if name not in may_change and value != before:
            raise ValueError(
                f"{name} {value!r} differs from the checkpoint's {before!r}: only {', '.join(may_change)} may change "
                f"when a training with schedule {wanted.schedule} is resumed"
            )


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it sees the old content or the new, never a part.

    Raises:
        OSError: If it cannot be written; what was begun is removed.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
