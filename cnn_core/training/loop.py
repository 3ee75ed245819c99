"""The training loop. This module imports torch; `cnn_core.training.train` imports it when it is needed."""

import math
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from cnn_core import data, modules
from cnn_core.data.registry import unknown
from cnn_core.inspection import confusion_matrix
from cnn_core.summary import summarize
from cnn_core.training import checkpoints
from cnn_core.training.events import EpochEnded, Event, Failed, Finished, Started, StepLogged
from cnn_core.training.settings import Settings

MAX_LOG_STEPS = 25
MAX_LOG_SECONDS = 0.2
MAX_LOGS = 2000
MAX_FLOAT_BYTES = 2**28
EVALUATION_BYTES = 200_000_000
# Convolutions learn faster with channels last, even LeNet's with its few channels.
MEMORY_FORMAT = torch.channels_last


class _Diverged(ArithmeticError):  # noqa: N818
    """The loss is no longer a finite number."""


@dataclass
class Progress:
    """How far a training has come; the sums are over the running epoch.

    Attributes:
        epoch: Epochs that are over.
        step: Steps done in the running epoch.
        num_examples: Pictures trained on.
        loss_sum: Sum of their losses.
        num_correct: How many of them were classified correctly.
        seconds: Time of the steps.
    """

    epoch: int = 0
    step: int = 0
    num_examples: int = 0
    loss_sum: float = 0.0
    num_correct: int = 0
    seconds: float = 0.0


@dataclass
class State:
    """A live training. Between two events it is at rest and may be read or saved.

    Attributes:
        settings: What is trained, and how.
        model: The network, on the training's device.
        optimizer: Its optimizer.
        progress: How far it has come.
    """

    settings: Settings
    model: nn.Module
    optimizer: torch.optim.Optimizer
    progress: Progress = field(default_factory=Progress)

    @property
    def step(self) -> int:
        """Steps done since the training began."""
        return self.progress.epoch * self.settings.steps_per_epoch + self.progress.step


class Pictures:
    """A data set on a device, from which batches are taken by index.

    On a CPU the pixels are kept as float32 unless that takes too much memory; otherwise as the uint8 that
    they are.
    """

    def __init__(self, dataset: data.Dataset, device: torch.device):
        images = dataset.images  # (N, H, W) or (N, H, W, C)
        images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        self.pixels = torch.tensor(np.ascontiguousarray(images), device=device)  # (N, C, H, W)
        self.labels = torch.tensor(dataset.labels, device=device)  # (N,)
        if device.type == "cpu" and 4 * self.pixels.numel() <= MAX_FLOAT_BYTES:
            self.pixels = _scaled(self.pixels)

    def batch(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the pictures of these rows as (N, C, H, W) float32 in [0, 1], and their labels."""
        pixels = self.pixels.index_select(0, rows)
        images = pixels if pixels.is_floating_point() else _scaled(pixels)
        return images.contiguous(memory_format=MEMORY_FORMAT), self.labels.index_select(0, rows)


def _scaled(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float().div_(255)


def devices() -> tuple[str, ...]:
    """Name the devices of this machine, the fastest first."""
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, is_here in here.items() if is_here)


def choose_device(name: str | None) -> torch.device:
    """Return a device by name; None takes CNN_DEVICE, else the fastest.

    Raises:
        ValueError: If there is no such device here.
    """
    name = name or os.environ.get("CNN_DEVICE") or devices()[0]
    if name not in devices():
        raise unknown("device", name, devices())
    return torch.device(name)


def split_rows(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the training split that are trained on, and those kept apart for validation."""
    rows = np.random.default_rng([settings.seed, 0]).permutation(settings.spec.num_train)
    return np.sort(rows[settings.num_validation :]), np.sort(rows[: settings.num_validation])


def epoch_order(rows: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """Return the rows in the order of one epoch, which depends on seed and epoch alone.

    So a checkpoint needs no random state.

    Args:
        rows: The rows trained on.
        seed: The training's seed.
        epoch: The number of the epoch, from 1.
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)


def train(
    settings: Settings, *, device: str | None = None, resume_from: str | os.PathLike | None = None
) -> Iterator[Event]:
    """Train a network; see `cnn_core.training.train`."""
    place = choose_device(device)
    dataset = data.load(settings.data, split="train")
    state = _fresh_state(settings, place)
    if resume_from is not None:
        checkpoints.restore(state, checkpoints.load(resume_from))
    pictures = Pictures(dataset, place)
    train_rows, validation_rows = split_rows(settings)
    yield Started(
        device=place.type,
        num_threads=torch.get_num_threads(),
        versions={"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        num_train=settings.num_train,
        num_validation=settings.num_validation,
        num_params=sum(parameter.numel() for parameter in state.model.parameters()),
        steps_per_epoch=settings.steps_per_epoch,
        data_sha256=dataset.sha256,
        step=state.step,
        state=state,
    )
    del dataset
    try:
        while state.progress.epoch < settings.num_epochs:
            yield from _train_epoch(state, pictures, train_rows)
            yield _end_epoch(state, pictures, validation_rows)
    except _Diverged as error:
        yield Failed(message=str(error))
        return
    del pictures
    yield _test(state, place)


def _fresh_state(settings: Settings, device: torch.device) -> State:
    """Build the model and its optimizer."""
    model = modules.build(settings.layers, settings.spec.input_shape, seed=settings.seed)
    model.to(device=device, memory_format=MEMORY_FORMAT)
    options = {"lr": settings.learning_rate, "fused": device.type in ("cpu", "cuda")}
    if settings.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), momentum=settings.momentum, **options)
    else:
        optimizer = torch.optim.Adam(model.parameters(), **options)
    return State(settings, model, optimizer)


def _train_epoch(state: State, pictures: Pictures, rows: np.ndarray) -> Iterator[StepLogged]:
    """Do what is left of an epoch."""
    settings, progress = state.settings, state.progress
    order = epoch_order(rows, seed=settings.seed, epoch=progress.epoch + 1)
    order = torch.tensor(order, device=pictures.labels.device)
    log_every = max(
        1, min(MAX_LOG_STEPS, settings.steps_per_epoch // 10), math.ceil(settings.num_steps / MAX_LOGS)
    )
    state.model.train()
    recent, began = [], time.perf_counter()
    for batch_rows in order.split(settings.batch_size)[progress.step :]:
        images, labels = pictures.batch(batch_rows)
        with _random_state(state, images.device):
            logits = state.model(images)
        loss = cross_entropy(logits, labels)
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        recent.append((loss.detach(), logits.detach(), labels))
        progress.step += 1
        is_last = progress.step == settings.steps_per_epoch
        if is_last or len(recent) >= log_every or time.perf_counter() - began > MAX_LOG_SECONDS:
            yield _log(state, recent, began)
            recent, began = [], time.perf_counter()


@contextmanager
def _random_state(state: State, device: torch.device) -> Iterator[None]:
    """Let what dropout draws depend on seed, epoch and step alone, as `epoch_order` does; torch's own stays."""
    if not any(isinstance(layer, nn.Dropout) for layer in state.model):
        yield
        return
    numbers = [state.settings.seed, state.progress.epoch + 1, state.progress.step]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))
        yield


def _log(state: State, recent: Sequence[tuple[torch.Tensor, ...]], began: float) -> StepLogged:
    """Read the metrics of the last steps, which waits for the device, and add them to the epoch's."""
    losses, logits, labels = zip(*recent, strict=True)
    sizes = [len(batch) for batch in labels]
    num_examples = sum(sizes)
    loss_sum = sum(loss * size for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True))
    num_correct = int((torch.cat(logits).argmax(1) == torch.cat(labels)).sum())
    seconds = time.perf_counter() - began
    if not math.isfinite(loss_sum):
        rate = state.settings.learning_rate
        raise _Diverged(
            f"loss {loss_sum} at step {state.step} (learning_rate={rate:g}) is not finite: "
            f"the training has diverged; try a smaller learning_rate, such as {rate / 10:g}"
        )
    progress = state.progress
    progress.num_examples += num_examples
    progress.loss_sum += loss_sum
    progress.num_correct += num_correct
    progress.seconds += seconds
    return StepLogged(
        step=state.step,
        epoch=progress.epoch + 1,
        loss=loss_sum / num_examples,
        accuracy=num_correct / num_examples,
        examples_per_second=num_examples / seconds,
    )


def _end_epoch(state: State, pictures: Pictures, validation_rows: np.ndarray) -> EpochEnded:
    """Close an epoch's sums and look at the validation pictures."""
    validation_loss = validation_accuracy = None
    if len(validation_rows):
        validation_loss, predictions = evaluate(state, pictures, validation_rows)
        labels = pictures.labels[torch.tensor(validation_rows, device=pictures.labels.device)]
        validation_accuracy = int((predictions == labels).sum()) / len(labels)
    done = state.progress
    state.progress = Progress(epoch=done.epoch + 1)
    return EpochEnded(
        epoch=done.epoch + 1,
        step=state.step,
        train_loss=done.loss_sum / done.num_examples,
        train_accuracy=done.num_correct / done.num_examples,
        validation_loss=validation_loss,
        validation_accuracy=validation_accuracy,
        examples_per_second=done.num_examples / done.seconds,
        seconds=done.seconds,
    )


@torch.inference_mode()
def evaluate(state: State, pictures: Pictures, rows: np.ndarray) -> tuple[float, torch.Tensor]:
    """Return the mean loss over these rows, and the class predicted for each."""
    state.model.eval()
    settings = state.settings
    example_bytes = sum(row.activation_bytes for row in summarize(settings.layers, settings.spec.input_shape))
    batch_size = min(10_000, max(1, EVALUATION_BYTES // example_bytes))
    losses, predictions = [], []
    for batch_rows in torch.tensor(rows, device=pictures.labels.device).split(batch_size):
        images, labels = pictures.batch(batch_rows)
        logits = state.model(images)
        losses.append(cross_entropy(logits, labels, reduction="sum"))
        predictions.append(logits.argmax(1))
    return float(torch.stack(losses).sum()) / len(rows), torch.cat(predictions)


def _test(state: State, device: torch.device) -> Finished:
    """Look at the test set: the only place that does."""
    dataset = data.load(state.settings.data, split="test")
    pictures = Pictures(dataset, device)
    loss, predictions = evaluate(state, pictures, np.arange(len(dataset)))
    predicted = predictions.cpu().numpy()
    confusion = confusion_matrix(dataset.labels, predicted, len(dataset.class_names))
    return Finished(
        test_loss=loss,
        test_accuracy=float(np.mean(predicted == dataset.labels)),
        confusion=tuple(map(tuple, confusion.tolist())),
        predictions=tuple(predicted.tolist()),
    )
