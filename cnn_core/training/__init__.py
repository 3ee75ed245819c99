"""Training: settings in, events out. torch is imported when a training starts, not before."""

from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING

from cnn_core.training.events import (
    EpochEnded,
    Event,
    Failed,
    Finished,
    LearningRateChanged,
    Started,
    StepLogged,
    Stopped,
)
from cnn_core.training.settings import OPTIMIZERS, SCHEDULES, Settings

if TYPE_CHECKING:
    from cnn_core.inspection.parameters import Parameters

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "EpochEnded",
    "Event",
    "Failed",
    "Finished",
    "LearningRateChanged",
    "Settings",
    "Started",
    "StepLogged",
    "Stopped",
    "devices",
    "train",
]


def train(
    settings: Settings,
    *,
    device: str | None = None,
    resume_from: str | PathLike | None = None,
    initial_weights: "Parameters | None" = None,
) -> Iterator[Event]:
    """Train a network, telling what happens. It never prints, draws or sleeps; to stop it, close it.

    The same settings, device and number of torch's threads give the same parameters, bit by bit on a CPU.
    Between two events `Started.state` is at rest: it can be saved by `checkpoints.save`, and `resume_from`
    goes on from there as if nothing had happened. Its learning rate can be changed then, and `log_each_step`
    of it makes single steps.

    Args:
        settings: What to train, and how.
        device: A name in `devices()`; None takes the environment variable CNN_DEVICE, else the first of them.
        resume_from: Folder of a checkpoint with the same settings, but for what ends the training:
            `target_accuracy`, `max_minutes`, `patience` and, with a constant learning rate, `num_epochs`.
        initial_weights: What the training begins from, instead of what the seed draws: float32 arrays by name, as
            `checkpoints.load_weights` and `initial.load` give them. The seed decides the rest as before.

    Yields:
        `Started`, several `StepLogged` and an `EpochEnded` in each epoch, and `Finished` after the test set
        has been looked at, once. `Failed` comes in its place if the loss or a gradient stops being finite.

    Raises:
        DataUnavailable: If the data set is not here.
        ValueError: If the device is not here, the checkpoint or the weights do not fit, or both are given.

    Example:
        >>> events = train(Settings(num_epochs=1, network="mlp"), device="cpu")
        >>> next(events).num_params
        203530
        >>> events.close()
    """
    from cnn_core.training import loop

    return loop.train(settings, device=device, resume_from=resume_from, initial_weights=initial_weights)


def devices() -> tuple[str, ...]:
    """Name the devices of this machine, the fastest first: cuda, mps, cpu. This imports torch."""
    from cnn_core.training import loop

    return loop.devices()
