"""What a training tells while it runs: plain records that can be written as JSON, one to a line."""

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from cnn_core.training.state import State


@dataclass(frozen=True, kw_only=True)
class Started:
    """The data set is loaded and the first step is next.

    Attributes:
        device: "cuda", "mps" or "cpu".
        num_threads: Threads that torch uses on the CPU; another number gives other last bits.
        versions: Version of Python, torch and NumPy.
        num_train: Pictures that are trained on.
        num_validation: Pictures that are kept apart for validation.
        num_params: Parameters of the network.
        steps_per_epoch: Steps in an epoch.
        data_sha256: Sum of the training split; see `Dataset.sha256`.
        step: Steps done before, more than 0 if the training is resumed.
        initial_sha256: Sum of the weights that the training began from, by `initial.sha256`, also if it is
            resumed; empty in old records.
        state: The live model and optimizer, for who consumes the events; not part of the JSON form.
    """

    device: str
    num_threads: int
    versions: dict[str, str]
    num_train: int
    num_validation: int
    num_params: int
    steps_per_epoch: int
    data_sha256: str
    step: int = 0
    initial_sha256: str = ""
    state: "State | None" = field(default=None, repr=False, compare=False, metadata={"live": True})


@dataclass(frozen=True, kw_only=True)
class StepLogged:
    """Some steps are done; the means are over the pictures since the last record.

    Attributes:
        step: Steps done since the training began.
        epoch: The running epoch, from 1.
        loss: Mean cross-entropy, in nats; label smoothing is in it.
        accuracy: Part of the pictures that was classified correctly, before the step that they caused.
        examples_per_second: Pictures trained on in a second.
        learning_rate: Of the last of these steps.
        gradient_norms: For each layer with parameters, the Euclidean norm of the gradient of all of them, at the
            last of these steps.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    examples_per_second: float
    learning_rate: float | None = None
    gradient_norms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LearningRateChanged:
    """The learning rate was changed by hand. Who calls `State.change_learning_rate` may write this down.

    Attributes:
        step: Steps done before.
        learning_rate: Of the next step.
    """

    step: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class EpochEnded:
    """An epoch is over.

    Attributes:
        epoch: Its number, from 1.
        step: Steps done since the training began.
        train_loss: Mean over the epoch, taken while the parameters changed.
        train_accuracy: The same.
        validation_loss: Of the parameters at the end of the epoch; None without validation pictures.
        validation_accuracy: The same.
        examples_per_second: Pictures trained on in a second.
        seconds: Time of the steps.
        learning_rate: Of the last step.
        seconds_by_part: Time of each of `pace.PARTS` of the steps; empty in old records.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    examples_per_second: float
    seconds: float
    learning_rate: float | None = None
    seconds_by_part: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The training is complete, and the test set has been looked at.

    Attributes:
        test_loss: Mean cross-entropy over the test set, in nats.
        test_accuracy: Part of the test set that is classified correctly.
        confusion: Counts; confusion[i][j] pictures of class i were taken for class j.
        predictions: The class predicted for each test picture.
        reason: Why it ended: "epochs", or in words which of the stop conditions was met, and when.
    """

    test_loss: float
    test_accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    predictions: tuple[int, ...]
    reason: str = "epochs"


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The training could not go on.

    Attributes:
        message: What happened, and what to do.
    """

    message: str


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The training was ended before its time. Who closes `train` may write this; `train` never yields it."""


@dataclass(frozen=True, kw_only=True)
class Paused:
    """The training waits, with a checkpoint behind it. Who consumes `train` may write this."""


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """A training that was paused, or had ended before its time, is to go on. Who has it go on writes this."""


Event = (
    Started | StepLogged | LearningRateChanged | EpochEnded | Finished | Failed | Stopped | Paused | Resumed
)
_KINDS = {kind.__name__: kind for kind in get_args(Event)}


def to_json(event: Event) -> str:
    """Write an event as one line of JSON.

    Example:
        >>> to_json(Failed(message="no data"))
        '{"event": "Failed", "message": "no data"}'
    """
    values = {each.name: getattr(event, each.name) for each in fields(event) if "live" not in each.metadata}
    return json.dumps({"event": type(event).__name__, **values})


def from_json(text: str) -> Event:
    """Read an event that `to_json` wrote.

    Raises:
        ValueError: If the text is not an event.

    Example:
        >>> from_json('{"event": "Failed", "message": "no data"}')
        Failed(message='no data')
    """
    try:
        values = json.loads(text)
        return _KINDS[values.pop("event")](**{name: _frozen(value) for name, value in values.items()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"line {text[:60]!r} is not an event ({error})") from None


def _frozen(value):
    """Turn lists into tuples, which is what events hold."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
