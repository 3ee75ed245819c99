"""The terminal: ``python -m cnn_core train|summary|data``. It needs neither Streamlit nor Plotly."""

import argparse
import dataclasses
import math
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from cnn_core import data
from cnn_core.data import DATASETS, DataUnavailable
from cnn_core.data.registry import nearest, unknown
from cnn_core.network import PRESETS, Network, format_layer
from cnn_core.published import INPUT_SHAPE, PUBLISHED, PublishedLayer, layer_table
from cnn_core.shapes import format_shape, parse_shape
from cnn_core.summary import BYTES_PER_NUMBER, LayerSummary, summarize
from cnn_core.training import (
    OPTIMIZERS,
    SCHEDULES,
    EpochEnded,
    Event,
    Failed,
    Finished,
    Settings,
    StepLogged,
    checkpoints,
)
from cnn_core.training import train as start_training
from cnn_core.training.settings import find_network

if TYPE_CHECKING:
    from cnn_core.training.state import State

USER_ERROR = 2
INTERRUPTED = 130


_TRAIN_OPTIONS = {
    "what is trained": {
        "network": f"{', '.join(PRESETS)}, or a notation such as conv6k5-relu-...",
        "seed": "decides the first parameters and all that is drawn at random",
    },
    "pictures": {
        "data": ", ".join(DATASETS),
        "validation_fraction": "part of the training pictures kept apart; 0 trains on all of them",
        "train_fraction": "part of the others that is trained on",
        "shift": "move each picture at random, by up to so many pixels",
        "flip": "mirror each picture with a chance of one half",
    },
    "steps": {
        "optimizer": ", ".join(OPTIMIZERS),
        "learning_rate": "the largest one, where the schedule changes it",
        "schedule": f"of the learning rate: {', '.join(SCHEDULES)}",
        "momentum": "of sgd",
        "nesterov": "take Nesterov's momentum, with sgd",
        "weight_decay": "0 for none",
        "label_smoothing": "part of the target that is spread over all classes",
        "batch_size": "pictures in a step",
    },
    "when it ends": {
        "num_epochs": "passes over the training pictures, at most",
        "target_accuracy": "end when validation reaches it; 0 for none",
        "max_minutes": "end when the steps have taken so long; 0 for no limit",
        "patience": "end after so many epochs without a smaller validation loss; 0 for no limit",
    },
}
"""Title of a group of options -> name of a setting -> what its help says."""


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str):
        self.exit(USER_ERROR, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 if a training failed, 2 for a user's mistake."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, TypeError, OSError, DataUnavailable) as error:
        print(f"cnn_core: {error}", file=sys.stderr)  # of a notation, two more lines that point at the place
        return USER_ERROR
    except KeyboardInterrupt:
        print("cnn_core: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="cnn_core", description="Convolutional networks in a terminal.")
    commands = parser.add_subparsers(required=True, metavar="train|summary|data")

    train = commands.add_parser("train", help="train a network and test it")
    train.set_defaults(command=_train)
    train.add_argument(
        "--settings", type=Path, metavar="FILE", help="read them from JSON; an option given here counts more"
    )
    for title, texts in _TRAIN_OPTIONS.items():
        group = train.add_argument_group(title)
        for name, text in texts.items():
            _add_setting(group, name, text)
    train = train.add_argument_group("the machine and what is kept")
    train.add_argument("--device", help="cuda, mps or cpu; the fastest by default")
    train.add_argument("--threads", type=int, help="threads on the CPU")
    train.add_argument("--save", type=Path, metavar="FOLDER", help="keep a checkpoint there")
    train.add_argument("--resume", type=Path, metavar="FOLDER", help="go on from the checkpoint there")

    summary = commands.add_parser("summary", help="print the layer table of a network")
    summary.set_defaults(command=_summary)
    summary.add_argument(
        "--network",
        default=Settings.network,
        help=f"{', '.join([*PRESETS, *PUBLISHED])}, or a notation such as conv6k5-relu-...",
    )
    published = "x".join(map(str, INPUT_SHAPE))
    summary.add_argument(
        "--input",
        metavar="CxHxW",
        help=f"shape of one picture, or CxL of a signal; 1x28x28 by default, {published} for {', '.join(PUBLISHED)}",
    )

    data_sets = commands.add_parser("data", help="list the data sets, or fetch one")
    data_sets.set_defaults(command=_list_data)
    fetch = data_sets.add_subparsers(metavar="fetch").add_parser("fetch", help="download a data set")
    fetch.set_defaults(command=_fetch)
    fetch.add_argument("name", help=", ".join(DATASETS))
    return parser


def _add_setting(group: argparse._ArgumentGroup, name: str, text: str) -> None:
    """Add the option of a setting; without a default, so that one that is not given can be told."""
    field = next(each for each in dataclasses.fields(Settings) if each.name == name)
    flag = "--" + name.removeprefix("num_").replace("_", "-")
    if field.type is bool:
        group.add_argument(
            flag, dest=name, action=argparse.BooleanOptionalAction, help=f"{text}; not by default"
        )
        return
    metavar = {str: "NAME", int: "N", float: "X"}[field.type]
    text += f" (by default {field.default:{'' if field.type is str else 'g'}})"
    group.add_argument(flag, dest=name, type=field.type, metavar=metavar, help=text)


def _train(options: argparse.Namespace) -> int:
    settings = _settings(options)
    if options.threads is not None and options.threads < 1:
        raise ValueError(f"threads {options.threads} must be at least 1")
    if settings.data not in data.available():
        _show_fetch(settings.data)
    if options.threads is not None:
        import torch

        torch.set_num_threads(options.threads)
    events = start_training(settings, device=options.device, resume_from=options.resume)
    started = next(events)
    pictures = f"{started.num_train} training, {started.num_validation} validation pictures"
    print(f"{pictures}, {started.device}", flush=True)
    with (
        tqdm(total=settings.num_steps, initial=started.step, unit="step") as bar,
        _interruptible() as is_interrupted,
    ):
        event = _follow(events, started.state, bar, options.save, is_interrupted)
    match event:
        case Finished():
            if event.reason != "epochs":
                print(f"ended: {event.reason}")
            print(f"test accuracy {event.test_accuracy:.4f}, test loss {event.test_loss:.4f}")
            return 0
        case Failed():
            print(f"cnn_core: {event.message}", file=sys.stderr)
            return 1
    print(f"stopped after {started.state.step} of {settings.num_steps} steps", file=sys.stderr)
    return INTERRUPTED


def _follow(
    events: Iterator[Event],
    state: "State",
    bar: tqdm,
    save: Path | None,
    is_interrupted: Callable[[], bool],
) -> Event:
    """Show the events on a progress bar and keep checkpoints; return the last event."""
    for event in events:
        match event:
            case StepLogged():
                bar.update(event.step - bar.n)
                bar.set_postfix(
                    loss=f"{event.loss:.3f}", examples_per_second=f"{event.examples_per_second:.0f}"
                )
            case EpochEnded():
                bar.write(_describe(event))
        if save and (isinstance(event, EpochEnded) or is_interrupted()):
            checkpoints.save(save, state)
        if is_interrupted():
            events.close()
            break
    return event


def _describe(event: EpochEnded) -> str:
    line = f"epoch {event.epoch}: training loss {event.train_loss:.3f}, accuracy {event.train_accuracy:.3f}"
    if event.validation_loss is None:
        return line
    return f"{line}; validation loss {event.validation_loss:.3f}, accuracy {event.validation_accuracy:.3f}"


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C be asked for between two steps; a second one ends the program at once."""
    pressed = []

    def remember(*_):
        pressed.append(True)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _settings(options: argparse.Namespace) -> Settings:
    """Take the settings from the file, if one is named, and from the options that are given."""
    names = [field.name for field in dataclasses.fields(Settings)]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    settings = Settings()
    if options.settings:
        settings = Settings.from_json(options.settings.read_text(encoding="utf-8"))
    return dataclasses.replace(settings, **given)


def _summary(options: argparse.Namespace) -> int:
    if options.network in PUBLISHED:
        rows = layer_table(options.network, parse_shape(options.input) if options.input else INPUT_SHAPE)
        published = PUBLISHED[options.network]
        print(f"{published.title}. {published.sentence}\n")
        _print_summary(rows, "kind", [row.kind for row in rows])
    else:
        rows = summarize(_network(options.network), parse_shape(options.input or "1x28x28"))
        _print_summary(rows, "notation", [format_layer(row.layer) for row in rows])
    return 0


def _network(text: str) -> Network:
    """Find a preset or read a notation; the error for an unknown name knows the published networks too."""
    try:
        return find_network(text)
    except ValueError:
        if nearest(text, PUBLISHED):
            raise unknown("network", text, [*PRESETS, *PUBLISHED]) from None
        raise


def _print_summary(
    rows: Sequence[LayerSummary | PublishedLayer], heading: str, descriptions: Sequence[str]
) -> None:
    """Print the layer table and its totals; the second column holds the descriptions."""
    lines = [("layer", heading, "output shape", "parameters", "mult-adds", "receptive field", "stride")]
    lines += [
        (
            row.name,
            description,
            _times(row.output_shape),
            f"{row.num_params:,}",
            f"{row.mult_adds:,}",
            _times(row.receptive_field),
            _times(row.effective_stride),
        )
        for row, description in zip(rows, descriptions, strict=True)
    ]
    _print_table(lines)
    num_params = sum(row.num_params for row in rows)
    print(f"\nparameters  {num_params:,} ({num_params * BYTES_PER_NUMBER:,} bytes)")
    print(f"mult-adds   {sum(row.mult_adds for row in rows):,} for one picture")
    print(f"activations {sum(row.activation_bytes for row in rows):,} bytes for one picture")


def _times(sizes: tuple[int, ...] | None) -> str:
    return "-" if sizes is None else format_shape(sizes)


def _list_data(options: argparse.Namespace) -> int:
    here = data.available()
    lines = [("name", "here", "train", "test", "picture", "download", "licence")]
    lines += [
        (
            spec.name,
            "yes" if spec.name in here else "no",
            f"{spec.num_train:,}",
            f"{spec.num_test:,}",
            _times(spec.image_shape),
            f"{math.ceil(spec.num_bytes / 1e6)} MB" if spec.num_bytes else "bundled",
            spec.licence,
        )
        for spec in DATASETS.values()
    ]
    _print_table(lines)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    _show_fetch(options.name)
    print(f"{options.name} is here")
    return 0


def _show_fetch(name: str) -> None:
    """Download a data set with a progress bar."""
    num_bytes = data.find_spec(name).num_bytes
    with tqdm(total=num_bytes, unit="B", unit_scale=True, desc=name) as bar:
        for progress in data.fetch(name):
            bar.update(progress.bytes_done - bar.n)


def _print_table(lines: Sequence[tuple[str, ...]]) -> None:
    """Print rows of text in columns, the first row as heading: numbers to the right, words to the left."""
    columns = [_aligned(column) for column in zip(*lines, strict=True)]
    for line in zip(*columns, strict=True):
        print("  ".join(line).rstrip())


def _aligned(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    has_numbers = all(cell.replace(",", "").isdigit() for cell in column[1:])
    return [cell.rjust(width) if has_numbers else cell.ljust(width) for cell in column]


if __name__ == "__main__":
    sys.exit(main())
