"""A live training: the model, its optimizer and schedule, and how far it has come. This module imports torch."""

import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR, StepLR

from cnn_core import modules
from cnn_core.inspection.parameters import Parameters
from cnn_core.training import initial
from cnn_core.training.events import LearningRateChanged
from cnn_core.training.settings import Settings, check_learning_rate

# Convolutions learn faster with channels last, even LeNet's with its few channels.
MEMORY_FORMAT = torch.channels_last


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
        seconds_by_part: The same for each of `pace.PARTS`.
        total_seconds: Time of the steps since the training began.
        learning_rate: Of the last step; 0 before the first.
        validation_accuracy: At the end of the last epoch.
        best_loss: Smallest validation loss so far.
        num_stale: Epochs since then.
    """

    epoch: int = 0
    step: int = 0
    num_examples: int = 0
    loss_sum: float = 0.0
    num_correct: int = 0
    seconds: float = 0.0
    seconds_by_part: dict[str, float] = field(default_factory=dict)
    total_seconds: float = 0.0
    learning_rate: float = 0.0
    validation_accuracy: float | None = None
    best_loss: float | None = None
    num_stale: int = 0


@dataclass
class State:
    """A live training. Between two events it is at rest and may be read or saved.

    Attributes:
        settings: What is trained, and how.
        model: The network, on the training's device.
        optimizer: Its optimizer.
        scheduler: What changes the optimizer's learning rate after each step.
        initial_sha256: Sum of the weights that it began from, by `initial.sha256`.
        progress: How far it has come.
        log_each_step: Whether each step is told by itself; it may be changed between two events.
    """

    settings: Settings
    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler
    initial_sha256: str
    progress: Progress = field(default_factory=Progress)
    log_each_step: bool = False

    @property
    def step(self) -> int:
        """Steps done since the training began."""
        return self.progress.epoch * self.settings.steps_per_epoch + self.progress.step

    @property
    def rates(self) -> dict[str, float]:
        """The learning rates in the optimizer: "lr" of the next step, and those that the schedule keeps there."""
        return {name: value for name, value in self.optimizer.param_groups[0].items() if name.endswith("lr")}

    @property
    def peak(self) -> float:
        """The learning rate that the schedule starts from or goes up to, after all changes by hand."""
        return self.rates.get("max_lr", self.rates["initial_lr"])

    def change_learning_rate(self, rate: float) -> LearningRateChanged:
        """Set the learning rate of the next step, between two events; the rest of the schedule is scaled with it.

        Checkpoints keep the change.

        Args:
            rate: Greater than 0.

        Returns:
            The event to write down; `train` does not yield it.

        Raises:
            ValueError: If it is not a finite number greater than 0.
        """
        check_learning_rate(rate)
        now = self.rates["lr"]
        factor = rate / now if now else 1  # a cosine is at 0 after the last step
        scaled = {name: value * factor for name, value in self.rates.items()}
        self.optimizer.param_groups[0].update(scaled | {"lr": rate})
        return LearningRateChanged(step=self.step, learning_rate=rate)


def fresh(settings: Settings, device: torch.device, initial_weights: Parameters | None = None) -> State:
    """Build the model, its optimizer and its schedule.

    Raises:
        ValueError: If the weights do not fit the network.
    """
    model = modules.build(settings.layers, settings.spec.input_shape, seed=settings.seed)
    if initial_weights is not None:
        initial.check(initial_weights, settings.layers, settings.spec.input_shape)
        model.load_state_dict({name: torch.tensor(array) for name, array in initial_weights.items()})
    begins_from = initial.sha256({name: tensor.numpy() for name, tensor in model.state_dict().items()})
    model.to(device=device, memory_format=MEMORY_FORMAT)
    optimizer = _optimizer(settings, model, device)
    return State(settings, model, optimizer, _scheduler(settings, optimizer), begins_from)


def _optimizer(settings: Settings, model: nn.Module, device: torch.device) -> Optimizer:
    options = {
        "lr": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "fused": device.type in ("cpu", "cuda"),
    }
    if settings.optimizer == "sgd":
        options |= {"momentum": settings.momentum, "nesterov": settings.nesterov}
    return {"sgd": SGD, "adam": Adam, "adamw": AdamW}[settings.optimizer](model.parameters(), **options)


def _scheduler(settings: Settings, optimizer: Optimizer) -> LRScheduler:
    """Make the schedule, whose step is one of the training's."""
    match settings.schedule:
        case "step":
            return StepLR(optimizer, step_size=math.ceil(settings.num_steps / 3), gamma=0.1)
        case "cosine":
            return CosineAnnealingLR(optimizer, T_max=settings.num_steps)
        case "one-cycle":
            # The momentum stays as it is set; torch would have it fall and rise against the learning rate.
            peak, num_steps = settings.learning_rate, settings.num_steps
            return OneCycleLR(optimizer, max_lr=peak, total_steps=num_steps, cycle_momentum=False)
    return ConstantLR(optimizer, factor=1.0, total_iters=0)
