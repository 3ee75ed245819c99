"""What came of an experiment: a record for each training, as JSON in the package or from a run's events."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cnn_core import training
from cnn_core.experiments.definitions import Trial, find
from cnn_core.training import EpochEnded, Event, Failed, Finished, Settings, Started


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one training reached, and what made it.

    Attributes:
        label: The trial's.
        settings: What was trained.
        date: When it was started, in UTC, as in 2026-01-31T12:00:00+00:00.
        device: "cuda", "mps" or "cpu".
        num_threads: Threads of torch.
        versions: Of Python, torch and NumPy.
        num_params: Parameters of the network.
        data_sha256: Sum of the training split.
        validation_accuracies: After each epoch, as far as it has come.
        test_accuracy: None until it is finished.
        test_loss: In nats; None until it is finished.
        seconds: Time of its steps.
    """

    label: str
    settings: Settings
    date: str
    device: str
    num_threads: int
    versions: Mapping[str, str]
    num_params: int
    data_sha256: str
    validation_accuracies: tuple[float, ...]
    test_accuracy: float | None
    test_loss: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Results:
    """What came of an experiment.

    Attributes:
        name: The experiment's.
        outcomes: Of its trainings; some may be missing.
    """

    name: str
    outcomes: tuple[Outcome, ...]

    def to_json(self) -> str:
        """Write the results as JSON, a line for each training."""
        lines = [json.dumps(asdict(each)) for each in self.outcomes]
        head = f'{{"name": {json.dumps(self.name)}, "outcomes": [\n'
        return head + ",\n".join(lines) + "\n]}\n"

    @classmethod
    def from_json(cls, text: str) -> "Results":
        """Read what `to_json` wrote.

        Raises:
            ValueError: If the text is something else, or settings are out of range.

        Example:
            >>> Results.from_json(Results(name="fewer", outcomes=()).to_json())
            Results(name='fewer', outcomes=())
        """
        try:
            values = json.loads(text)
            outcomes = tuple(_read(each) for each in values["outcomes"])
            return cls(name=values["name"], outcomes=outcomes)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"text {text[:40]!r} is not the results of an experiment ({error})") from None


def _read(values: dict) -> Outcome:
    settings = Settings.from_json(json.dumps(values["settings"]))
    curve = tuple(values["validation_accuracies"])
    return Outcome(**values | {"settings": settings, "validation_accuracies": curve})


def of_events(trial: Trial, events: Iterable[Event], *, created: float) -> Outcome:
    """Sum up a training from what it has told so far; `Started` must be among it.

    Args:
        trial: What was trained.
        events: What happened; other kinds than `Started`, `EpochEnded` and `Finished` do not count.
        created: When it was started, in seconds since 1970.
    """
    events = list(events)
    started = next(event for event in events if isinstance(event, Started))
    epochs = [event for event in events if isinstance(event, EpochEnded)]
    finished = next((event for event in events if isinstance(event, Finished)), None)
    return Outcome(
        label=trial.label,
        settings=trial.settings,
        date=datetime.fromtimestamp(created, UTC).isoformat(timespec="seconds"),
        device=started.device,
        num_threads=started.num_threads,
        versions=started.versions,
        num_params=started.num_params,
        data_sha256=started.data_sha256,
        validation_accuracies=tuple(epoch.validation_accuracy for epoch in epochs),
        test_accuracy=finished and finished.test_accuracy,
        test_loss=finished and finished.test_loss,
        seconds=round(sum(epoch.seconds for epoch in epochs), 3),
    )


def train(trial: Trial) -> Outcome:
    """Do one training of an experiment, on the processor, in this process. This imports torch.

    Raises:
        ValueError: If it diverges.
        DataUnavailable: If the data set is not here.
    """
    created = datetime.now(UTC).timestamp()
    events = list(training.train(trial.settings, device="cpu"))
    if isinstance(events[-1], Failed):
        raise ValueError(f"{trial.label}: {events[-1].message}")
    return of_events(trial, events, created=created)


def shipped(name: str) -> Results:
    """Read the results of an experiment that the package ships.

    Raises:
        ValueError: If there is no experiment of that name.

    Example:
        >>> [outcome.label for outcome in shipped("permutation").outcomes]
        ['LeNet, plain', 'MLP, plain', 'LeNet, permuted', 'MLP, permuted']
    """
    path = Path(__file__).parent / "results" / f"{find(name).name}.json"
    return Results.from_json(path.read_text(encoding="utf-8"))
