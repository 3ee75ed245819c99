"""The training loop. This module imports torch; `cnn_core.training.train` imports it when it is needed."""

import math
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from cnn_core import data
from cnn_core.data.registry import unknown
from cnn_core.inspection import Parameters, confusion_matrix
from cnn_core.training import checkpoints
from cnn_core.training.events import EpochEnded, Event, Failed, Finished, Started, StepLogged
from cnn_core.training.pace import Stopwatch
from cnn_core.training.pictures import Pictures, augment, choose_rows, epoch_order, permute, split_rows
from cnn_core.training.settings import Settings
from cnn_core.training.state import Progress, State, fresh

MAX_LOG_STEPS = 25
MAX_LOG_SECONDS = 0.2
MAX_LOGS = 2000
_DEVICES = ("cuda", "mps", "cpu")


class _Diverged(ArithmeticError):  # noqa: N818
    """The loss or a gradient is no longer a finite number."""


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
        if name in _DEVICES:
            raise ValueError(f"this machine has no device {name!r}: use {' or '.join(devices())}")
        raise unknown("device", name, devices())
    return torch.device(name)


def train(
    settings: Settings,
    *,
    device: str | None = None,
    resume_from: str | os.PathLike | None = None,
    initial_weights: Parameters | None = None,
) -> Iterator[Event]:
    """Train a network; see `cnn_core.training.train`."""
    if resume_from is not None and initial_weights is not None:
        raise ValueError("a training that is resumed has its weights in the checkpoint: give no others")
    place = choose_device(device)
    dataset = data.load(settings.data, split="train")
    state = fresh(settings, place, initial_weights)
    if resume_from is not None:
        checkpoints.restore(state, checkpoints.load(resume_from))
    pictures = Pictures(dataset, place)
    rows, validation_rows = split_rows(settings)
    train_rows = choose_rows(rows, dataset.labels, settings)
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
        initial_sha256=state.initial_sha256,
        state=state,
    )
    del dataset
    try:
        while True:
            # A checkpoint may have been taken between the last step of an epoch and its end.
            if state.progress.step == settings.steps_per_epoch:
                yield _end_epoch(state, pictures, validation_rows)
            if reason := _why_over(state):
                break
            yield from _train_epoch(state, pictures, train_rows)
        del pictures
        yield _test(state, place, reason)
    except _Diverged as error:
        yield Failed(message=str(error))


def _train_epoch(state: State, pictures: Pictures, rows: np.ndarray) -> Iterator[StepLogged]:
    """Do what is left of an epoch, or of the time."""
    settings, progress = state.settings, state.progress
    order = epoch_order(rows, seed=settings.seed, epoch=progress.epoch + 1)
    order = torch.tensor(order, device=pictures.labels.device)
    log_every = _log_every(settings)
    state.model.train()
    recent, watch = [], Stopwatch()
    for batch_rows in order.split(settings.batch_size)[progress.step :]:
        images, labels = pictures.batch(batch_rows)
        images = augment(images, settings, epoch=progress.epoch + 1, step=progress.step + 1)
        images = permute(images, settings)
        watch.lap("pictures")
        with _random_state(state, images.device):
            logits = state.model(images)
        loss = cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
        watch.lap("forward")
        state.optimizer.zero_grad()
        loss.backward()
        watch.lap("backward")
        state.optimizer.step()
        progress.learning_rate = state.optimizer.param_groups[0]["lr"]
        state.scheduler.step()
        watch.lap("update")
        recent.append((loss.detach(), logits.detach(), labels))
        progress.step += 1
        is_due = progress.step == settings.steps_per_epoch or len(recent) >= log_every
        if is_due or state.log_each_step or watch.total > MAX_LOG_SECONDS:
            yield _log(state, recent, watch)
            if _is_time_over(state):
                return
            recent, watch = [], Stopwatch()


def _log_every(settings: Settings) -> int:
    """Return after how many steps these are told, if that is soon enough."""
    least = math.ceil(settings.num_steps / MAX_LOGS)
    return max(1, min(MAX_LOG_STEPS, settings.steps_per_epoch // 10), least)


def _is_time_over(state: State) -> bool:
    minutes = state.settings.max_minutes
    return 0 < minutes * 60 <= state.progress.total_seconds


def _why_over(state: State) -> str:
    """Say why the training is over; an empty text if it is not. The progress alone decides, so a resume agrees."""
    settings, progress = state.settings, state.progress
    accuracy, target = progress.validation_accuracy, settings.target_accuracy
    if target and accuracy is not None and accuracy >= target:
        return f"target accuracy {target:g} reached in epoch {progress.epoch}"
    if 0 < settings.patience <= progress.num_stale:
        return f"no smaller validation loss for {progress.num_stale} epochs, after epoch {progress.epoch}"
    if progress.epoch >= settings.num_epochs:
        return "epochs"
    if _is_time_over(state):
        return f"{settings.max_minutes:g} minutes over, after step {state.step}"
    return ""


@contextmanager
def _random_state(state: State, device: torch.device) -> Iterator[None]:
    """Let what dropout draws depend on seed, epoch and step alone, as `epoch_order` does; torch's own stays."""
    if not any(isinstance(layer, nn.Dropout) for layer in state.model):
        yield
        return
    numbers = [state.settings.seed, state.progress.epoch + 1, state.progress.step]
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # torch.manual_seed would seed all devices, also those that are not put back.
        if device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.get_device_module(device).manual_seed(seed)
        yield


def _log(state: State, recent: Sequence[tuple[torch.Tensor, ...]], watch: Stopwatch) -> StepLogged:
    """Read the metrics of the last steps, which waits for the device, and add them to the epoch's."""
    losses, logits, labels = zip(*recent, strict=True)
    if losses[0].device.type != "cpu":
        torch.accelerator.synchronize()
        watch.lap("waiting")
    sizes = [len(batch) for batch in labels]
    num_examples = sum(sizes)
    loss_sum = sum(loss * size for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True))
    num_correct = int((torch.cat(logits).argmax(1) == torch.cat(labels)).sum())
    norms = _gradient_norms(state)
    watch.lap("metrics")
    seconds = watch.total
    _check_finite(state, {"loss": loss_sum} | {f"gradient of {name}": norm for name, norm in norms.items()})
    progress = state.progress
    progress.num_examples += num_examples
    progress.loss_sum += loss_sum
    progress.num_correct += num_correct
    progress.seconds += seconds
    for part, value in watch.seconds.items():
        progress.seconds_by_part[part] = progress.seconds_by_part.get(part, 0.0) + value
    progress.total_seconds += seconds
    return StepLogged(
        step=state.step,
        epoch=progress.epoch + 1,
        loss=loss_sum / num_examples,
        accuracy=num_correct / num_examples,
        examples_per_second=num_examples / seconds,
        learning_rate=progress.learning_rate,
        gradient_norms=norms,
    )


def _check_finite(state: State, values: dict[str, float]) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise _Diverged(
                f"{name} {value} at step {state.step} (learning_rate={state.peak:g}) is not finite: "
                f"the training has diverged; try a smaller learning_rate, such as {state.peak / 10:g}"
            )


def _gradient_norms(state: State) -> dict[str, float]:
    """Measure the gradients of the last step, which stand until the next: one number for each layer."""
    layers = {name: list(layer.parameters()) for name, layer in state.model.named_children()}
    gradients = [each.grad for parameters in layers.values() for each in parameters]
    # One norm for each parameter on the device, and one wait for all of them.
    norms = iter(torch.stack([torch.linalg.vector_norm(each) for each in gradients]).tolist())
    return {name: math.hypot(*islice(norms, len(each))) for name, each in layers.items() if each}


def _end_epoch(state: State, pictures: Pictures, validation_rows: np.ndarray) -> EpochEnded:
    """Close an epoch's sums and look at the validation pictures."""
    validation_loss = validation_accuracy = None
    if len(validation_rows):
        validation_loss, predictions = evaluate(state, pictures, validation_rows)
        labels = pictures.labels[torch.tensor(validation_rows, device=pictures.labels.device)]
        validation_accuracy = int((predictions == labels).sum()) / len(labels)
        _check_finite(state, {"validation loss": validation_loss})
    done = state.progress
    best = math.inf if done.best_loss is None else done.best_loss
    is_better = validation_loss is not None and validation_loss < best
    state.progress = Progress(
        epoch=done.epoch + 1,
        total_seconds=done.total_seconds,
        learning_rate=done.learning_rate,
        validation_accuracy=validation_accuracy,
        best_loss=validation_loss if is_better else done.best_loss,
        num_stale=0 if is_better else done.num_stale + 1,
    )
    return EpochEnded(
        epoch=done.epoch + 1,
        step=state.step,
        train_loss=done.loss_sum / done.num_examples,
        train_accuracy=done.num_correct / done.num_examples,
        validation_loss=validation_loss,
        validation_accuracy=validation_accuracy,
        examples_per_second=done.num_examples / done.seconds,
        seconds=done.seconds,
        seconds_by_part=done.seconds_by_part,
        learning_rate=done.learning_rate,
    )


@torch.inference_mode()
def evaluate(state: State, pictures: Pictures, rows: np.ndarray) -> tuple[float, torch.Tensor]:
    """Return the mean loss over these rows, and the class predicted for each."""
    state.model.eval()
    batch_size = state.settings.evaluation_batch_size
    losses, predictions = [], []
    for batch_rows in torch.tensor(rows, device=pictures.labels.device).split(batch_size):
        images, labels = pictures.batch(batch_rows)
        logits = state.model(permute(images, state.settings))
        losses.append(cross_entropy(logits, labels, reduction="sum"))
        predictions.append(logits.argmax(1))
    return float(torch.stack(losses).sum()) / len(rows), torch.cat(predictions)


def _test(state: State, device: torch.device, reason: str) -> Finished:
    """Look at the test set: the only place that does."""
    dataset = data.load(state.settings.data, split="test")
    pictures = Pictures(dataset, device)
    loss, predictions = evaluate(state, pictures, np.arange(len(dataset)))
    _check_finite(state, {"test loss": loss})
    predicted = predictions.cpu().numpy()
    confusion = confusion_matrix(dataset.labels, predicted, len(dataset.class_names))
    return Finished(
        test_loss=loss,
        test_accuracy=float(np.mean(predicted == dataset.labels)),
        confusion=tuple(map(tuple, confusion.tolist())),
        predictions=tuple(predicted.tolist()),
        reason=reason,
    )
