"""Test accuracy on the real Fashion-MNIST, as a Markdown table: ``python -m benchmarks.accuracy``.

Each published recipe is trained with several seeds, on all 60,000 training pictures. ``--recipe fast`` or ``good``
trains one of `cnn_core.training.recipes` as it is, with its own epochs and a tenth of the pictures kept for validation.
"""

import argparse
import sys
import time
from dataclasses import replace
from statistics import mean

import torch

from cnn_core.training import EpochEnded, Failed, Settings, train
from cnn_core.training.recipes import RECIPES

PUBLISHED = {
    "LeNet as published, SGD 0.1, batch 128": {
        "network": "lenet",
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "batch_size": 128,
    },
    "LeNet as published, SGD 0.9, batch 256": {
        "network": "lenet",
        "optimizer": "sgd",
        "learning_rate": 0.9,
        "batch_size": 256,
    },
    "LeNet, ReLU and max pooling, Adam 1e-3, batch 128": {
        "network": "lenet-modern",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "batch_size": 128,
    },
    "Small two-convolution network, Adam 1e-3, batch 64": {
        "network": "simple-cnn",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "batch_size": 64,
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recipe", choices=RECIPES)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.recipe:
        chosen = {options.recipe: RECIPES[options.recipe].settings}
    else:
        common = {"data": "fashion-mnist", "num_epochs": options.epochs, "validation_fraction": 0}
        chosen = {name: Settings(**common, **values) for name, values in PUBLISHED.items()}
    print(f"Fashion-MNIST, {options.threads} threads, torch {torch.__version__}\n")
    print("| Recipe | Seeds | Test accuracy of each | Mean | Training loss, accuracy | Seconds a run |")
    print("|---|---|---|---|---|---|")
    for name, settings in chosen.items():
        print(row(name, settings, options.seeds), flush=True)


def row(name: str, settings: Settings, seeds: list[int]) -> str:
    """Train a recipe with each seed and return its line of the table."""
    runs = []
    for seed in seeds:
        print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
        runs.append(run(replace(settings, seed=seed)))
    accuracies, losses, train_accuracies, seconds = zip(*runs, strict=True)
    return (
        f"| {name} | {' '.join(map(str, seeds))} "
        f"| {' '.join(f'{each:.3f}' for each in accuracies)} | {mean(accuracies):.3f} "
        f"| {mean(losses):.3f}, {mean(train_accuracies):.3f} | {mean(seconds):.0f} |"
    )


def run(settings: Settings) -> tuple[float, float, float, float]:
    """Train once; return test accuracy, the last epoch's training loss and accuracy, and the seconds."""
    began = time.perf_counter()
    for event in train(settings, device="cpu"):
        if isinstance(event, EpochEnded):
            last = event
        if isinstance(event, Failed):
            raise SystemExit(event.message)
    return event.test_accuracy, last.train_loss, last.train_accuracy, time.perf_counter() - began


if __name__ == "__main__":
    main()
