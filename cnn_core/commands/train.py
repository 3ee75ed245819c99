"""The command ``train``: train a network, test it, and keep it where one asks for that."""

import argparse
import dataclasses
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from cnn_core import data
from cnn_core.commands import FAILED, INTERRUPTED
from cnn_core.commands.data import show_fetch
from cnn_core.commands.shared import MAX_THREADS, as_path, check_place, check_threads, writing
from cnn_core.data import DATASETS
from cnn_core.data.registry import unknown
from cnn_core.network import PRESETS
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
    initial,
    pace,
)
from cnn_core.training import train as start_training
from cnn_core.training.recipes import RECIPES

if TYPE_CHECKING:
    from cnn_core.training.state import State

_OPTIONS = {
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
        "permuted": "permute the pixels of all pictures, also of validation and test, in one fixed way",
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


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of ``train``, with an option for each setting."""
    train = commands.add_parser("train", help="train a network and test it")
    train.set_defaults(command=_execute)
    basis = train.add_mutually_exclusive_group()
    basis.add_argument(
        "--settings",
        type=as_path,
        metavar="FILE",
        help="read them from JSON; an option given here counts more",
    )
    basis.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"{', '.join(RECIPES)}: settings that were searched for; an option given here counts more",
    )
    for title, texts in _OPTIONS.items():
        group = train.add_argument_group(title)
        for name, text in texts.items():
            _add_setting(group, name, text)
    train = train.add_argument_group("the machine and what is kept")
    train.add_argument("--device", help="cuda, mps or cpu; the fastest by default")
    train.add_argument("--threads", type=int, metavar="N", help=f"threads on the CPU, up to {MAX_THREADS}")
    train.add_argument(
        "--weights",
        type=as_path,
        metavar="FILE",
        help="begin from those in a safetensors file, or a checkpoint's",
    )
    train.add_argument(
        "--save",
        type=as_path,
        metavar="FOLDER",
        help="keep a checkpoint there, after each epoch; without it nothing is kept",
    )
    train.add_argument(
        "--resume",
        type=as_path,
        metavar="FOLDER",
        help="go on from the checkpoint there; the options or --settings must be those of that training, but for "
        "what ends it",
    )


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


def _execute(options: argparse.Namespace) -> int:
    settings = _settings(options)
    check_threads(options.threads)
    if options.save:
        check_place(options.save / checkpoints.FILE_NAME)
    weights = None
    if options.weights:
        weights = initial.load(options.weights, settings.layers, settings.spec.input_shape)
    if settings.data not in data.available():
        show_fetch(settings.data)
    # Also while torch is imported, which may garble KeyboardInterrupt.
    with _interruptible() as is_interrupted:
        if options.threads is not None:
            import torch

            torch.set_num_threads(options.threads)
        events = start_training(
            settings, device=options.device, resume_from=options.resume, initial_weights=weights
        )
        started = next(events)
        if is_interrupted():
            raise KeyboardInterrupt
        pictures = f"{started.num_train} training, {started.num_validation} validation pictures"
        print(f"{pictures}, {started.device}", flush=True)
        with tqdm(total=settings.num_steps, initial=started.step, unit="step") as bar:
            event, last_epoch = _follow(events, started.state, bar, options.save, is_interrupted)
    match event:
        case Finished():
            if event.reason != "epochs":
                print(f"ended: {event.reason}")
            if last_epoch and last_epoch.seconds_by_part:
                print(
                    f"time of the steps: {pace.describe(last_epoch.seconds_by_part, device=started.device)}"
                )
            print(f"test accuracy {event.test_accuracy:.4f}, test loss {event.test_loss:.4f}")
            return 0
        case Failed():
            print(f"cnn_core: {event.message}", file=sys.stderr)
            return FAILED
    print(f"stopped after {started.state.step} of {settings.num_steps} steps", file=sys.stderr)
    return INTERRUPTED


def _settings(options: argparse.Namespace) -> Settings:
    """Take the settings from the file or the recipe, if one is named, and from the options that are given."""
    names = [field.name for field in dataclasses.fields(Settings)]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    settings = Settings()
    if options.settings:
        settings = Settings.from_json(_read(options.settings))
    if options.recipe:
        if options.recipe not in RECIPES:
            raise unknown("recipe", options.recipe, RECIPES)
        settings = RECIPES[options.recipe].settings
    settings = dataclasses.replace(settings, **given)
    if not options.resume:  # which needs the settings of the checkpoint, whatever they are
        _check_has_effect(settings, given)
    return settings


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # as of `>` in PowerShell, which writes UTF-16
        raise ValueError(f"{file} is no text in UTF-8: save it as UTF-8") from None


def _check_has_effect(settings: Settings, given: Mapping[str, object]) -> None:
    """Refuse an option that the optimizer does not look at; a file of settings may have it, as the app's do."""
    for name in ("momentum", "nesterov"):
        if given.get(name) and settings.optimizer != "sgd":
            raise ValueError(
                f"{name} {given[name]} has no effect with optimizer {settings.optimizer}: "
                f"leave --{name} out or take --optimizer sgd"
            )


def _follow(
    events: Iterator[Event],
    state: "State",
    bar: tqdm,
    save: Path | None,
    is_interrupted: Callable[[], bool],
) -> tuple[Event, EpochEnded | None]:
    """Show the events on a progress bar and keep checkpoints; return the last event, and that of the last epoch."""
    last_epoch = None
    for event in events:
        is_over = is_interrupted()
        kept = StepLogged | EpochEnded | Finished if is_over else EpochEnded | Finished
        if save and isinstance(event, kept):  # before anything is written: nobody may read it any more
            with writing(save):
                checkpoints.save(save, state)
        match event:
            case StepLogged():
                bar.update(event.step - bar.n)
                bar.set_postfix(
                    loss=f"{event.loss:.3f}", examples_per_second=f"{event.examples_per_second:.0f}"
                )
            case EpochEnded():
                bar.write(_describe(event))
                last_epoch = event
        if is_over:
            events.close()
            break
    return event, last_epoch


def _describe(event: EpochEnded) -> str:
    line = f"epoch {event.epoch}: training loss {event.train_loss:.3f}, accuracy {event.train_accuracy:.3f}"
    if event.validation_loss is None:
        return line
    return f"{line}; validation loss {event.validation_loss:.3f}, accuracy {event.validation_accuracy:.3f}"


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C be asked for where it does no harm, as between two steps; a second one ends the program at once."""
    pressed = []

    def remember(*_):
        pressed.append(True)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
