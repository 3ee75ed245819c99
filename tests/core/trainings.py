"""What the tests of the training share."""

import torch

from cnn_core import training
from cnn_core.training import Settings

SMALL = Settings(
    network="conv4k5s2-relu-max2-flatten-10", validation_fraction=0.5, num_epochs=4, batch_size=100
)


def finish(settings, **options):
    """Train to the end; return the parameters and the events."""
    happened = list(training.train(settings, device="cpu", **options))
    parameters = happened[0].state.model.state_dict()
    return {name: value.clone() for name, value in parameters.items()}, happened


def start(settings, **options):
    """Start a training; return its events and its state."""
    running = training.train(settings, device="cpu", **options)
    return running, next(running).state


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first) and first.keys() == second.keys()


def of_kind(happened, kind):
    return [event for event in happened if isinstance(event, kind)]
