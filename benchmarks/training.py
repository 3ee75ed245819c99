"""One epoch of LeNet on Fashion-MNIST, ours against the textbook loop: ``python -m benchmarks.training``.

The textbook loop is a torchvision data set with ToTensor, a DataLoader without workers, and `loss.item()` at each
step. Both loops take the same batches from the same first parameters, with the same number of threads, and the
largest difference of their loss curves is printed. They run in turns; the fastest of each counts.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import ToTensor

from cnn_core import data, modules
from cnn_core.training import EpochEnded, Settings, StepLogged, loop, train


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--network", default="lenet")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    settings = Settings(
        data="fashion-mnist",
        network=options.network,
        optimizer="sgd",
        learning_rate=0.9,
        batch_size=options.batch_size,
        num_epochs=1,
        validation_fraction=0,
    )
    print(
        f"{options.network}, {settings.num_train:,} pictures, batch {settings.batch_size}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        textbook_set = torchvision_set(Path(folder))
    ours, textbook = [], []
    for _ in range(options.repeats):
        seconds, curve = our_epoch(settings)
        ours.append(seconds)
        seconds, losses = textbook_epoch(settings, textbook_set)
        textbook.append(seconds)
    for name, times in (("textbook", textbook), ("ours", ours)):
        speed = settings.num_train / min(times)
        print(f"{name:9} {speed:8,.0f} examples/s  epoch {', '.join(f'{each:.2f}' for each in times)} s")
    print(f"ratio     {min(textbook) / min(ours):.2f}")
    print(f"largest difference of the loss curves {difference(curve, losses):.1e}")


def torchvision_set(folder: Path) -> datasets.FashionMNIST:
    """Let torchvision read the training split, as a textbook has it."""
    dataset = data.load("fashion-mnist", split="train")
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, array in zip(
        data.find_spec("fashion-mnist").files["train"],
        (dataset.images, dataset.labels.astype(np.uint8)),
        strict=True,
    ):
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
        (raw / name).write_bytes(header + array.tobytes())
    for name in data.find_spec("fashion-mnist").files["test"]:
        (raw / name).touch()  # torchvision looks whether they are there
    return datasets.FashionMNIST(folder, train=True, transform=ToTensor())


def our_epoch(settings: Settings) -> tuple[float, list[StepLogged]]:
    """Return the seconds of one epoch and the logged steps; the test set is left out."""
    events = train(settings, device="cpu")
    next(events)
    began, steps = time.perf_counter(), []
    for event in events:
        if isinstance(event, EpochEnded):
            break
        steps.append(event)
    seconds = time.perf_counter() - began
    events.close()
    return seconds, steps


def textbook_epoch(settings: Settings, dataset: datasets.FashionMNIST) -> tuple[float, list[float]]:
    """Return the seconds of one epoch and the loss of each step."""
    model = modules.build(settings.layers, settings.spec.input_shape, seed=settings.seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate)
    rows, _ = loop.split_rows(settings)
    order = loop.epoch_order(rows, seed=settings.seed, epoch=1).tolist()
    loader = DataLoader(dataset, batch_size=settings.batch_size, sampler=order)
    losses, num_correct = [], 0
    began = time.perf_counter()
    for images, labels in loader:
        logits = model(images)
        loss = cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        num_correct += (logits.argmax(1) == labels).sum().item()
    return time.perf_counter() - began, losses


def difference(curve: list[StepLogged], losses: list[float]) -> float:
    """Return the largest difference between logged means and the means of the same steps elsewhere."""
    first, largest = 0, 0.0
    for logged in curve:
        largest = max(largest, abs(logged.loss - float(np.mean(losses[first : logged.step]))))
        first = logged.step
    return largest


if __name__ == "__main__":
    main()
