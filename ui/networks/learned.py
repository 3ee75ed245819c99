"""What a run has learned, read once for all visitors."""

from dataclasses import dataclass

import streamlit as st

from cnn_core import runs
from cnn_core.inspection import Parameters
from cnn_core.training import checkpoints


@dataclass(frozen=True, eq=False)
class Learned:
    """What the last checkpoint of a run holds.

    Attributes:
        parameters: The network's, by name.
        num_epochs: Whole epochs that lie behind it.
        num_steps: Steps that lie behind it, those of the epoch that it was written in among them.
    """

    parameters: Parameters
    num_epochs: int
    num_steps: int


def read(run: runs.Run) -> Learned:
    """Read the checkpoint of a run that is over.

    Raises:
        ValueError: If there is none, or it is damaged.
        runs.UnknownRun: If the run has been removed meanwhile.
    """
    try:
        written = (run.checkpoint / checkpoints.FILE_NAME).stat().st_mtime_ns
    except OSError:
        written = 0
    return _read(run.id, written)


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(run_id: str, written: int) -> Learned:
    """Read a checkpoint; when it was written is there because a run can go on and learn more."""
    run = runs.get(run_id)
    progress = checkpoints.load(run.checkpoint).progress
    num_steps = progress["epoch"] * run.settings.steps_per_epoch + progress["step"]
    return Learned(checkpoints.load_weights(run.checkpoint), progress["epoch"], num_steps)
