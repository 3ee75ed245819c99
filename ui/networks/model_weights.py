"""The weights that a network on the page has: fresh ones, or those of the visitor's training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from cnn_core import inspection, runs
from cnn_core.network import Network, parse
from cnn_core.network import format as format_network
from cnn_core.training.settings import MAX_SEED
from ui import controls, page, visitor
from ui.networks import learned

FRESH, TRAINED = "Fresh", "From your training"


@dataclass(frozen=True, eq=False)
class Weights:
    """The parameters of a network.

    Attributes:
        parameters: Name -> values.
        origin: Where they come from: the same for the same network and values, so that results can be kept.
        words: The same for people, after "they are".
    """

    parameters: Mapping[str, np.ndarray]
    origin: str
    words: str


def choose(network: Network, input_shape: tuple[int, ...]) -> Weights:
    """Draw the control, and return the weights.

    Trained ones are offered if the run that the visitor followed last has this network and this input.
    """
    controls.reserve({"a-seed": 0})
    run = fitting_run(network, input_shape)
    kinds = [FRESH, TRAINED] if run else [FRESH]
    if (
        run and st.session_state.get("a-trained-run") != run.id
    ):  # a new training: its weights are what he came for
        st.session_state["a-trained-run"] = run.id
        if "a-from" in st.session_state:
            st.session_state["a-from"] = TRAINED
    kind = controls.choice("Weights", kinds, key="a-from", default=kinds[-1])
    if kind == TRAINED and (trained := _trained(run)):
        return trained
    seed = controls.integer("Seed", key="a-seed", default=0, low=0, high=MAX_SEED, as_box=True)
    st.caption(f"Drawn by chance, as a training begins. {_how_to_get_trained_ones()}")
    parameters = _fresh(format_network(network), input_shape, seed)
    return Weights(parameters, f"seed {seed}", "drawn by chance, not trained")


def _trained(run: runs.Run) -> Weights | None:
    """Read what a run has learned; None, with a message in place, if that cannot be read."""
    try:
        parameters = learned.read(run).parameters
    except (ValueError, runs.UnknownRun) as error:
        page.refusal(error)
        return None
    accuracy = f" Its test accuracy is {run.result.test_accuracy:.3f}." if run.result else ""
    st.caption(f"As your last training of this network left them.{accuracy}")
    return Weights(parameters, f"{run.id} after {run.step} steps", "those of your training")


def are_readable(run: runs.Run) -> bool:
    """Tell whether what a run has learned can be read."""
    try:
        learned.read(run)
    except (ValueError, runs.UnknownRun):
        return False
    return True


def fitting_run(network: Network, input_shape: tuple[int, ...]) -> runs.Run | None:
    """Return the run that the visitor followed last, if it has trained this network on such inputs.

    One that has seen permuted pictures only knows nothing of those that are shown here.
    """
    run = visitor.last_run()
    if run is None or not run.is_over or not run.checkpoint.is_dir():
        return None
    fits = run.settings.layers == network and run.settings.spec.input_shape == input_shape
    return run if fits and not run.settings.permuted else None


def _how_to_get_trained_ones() -> str:
    run = visitor.last_run()
    if run and run.settings.permuted:
        return (
            "Your last training saw pictures with permuted pixels, and none like those here. "
            "So its weights are not offered."
        )
    return "Train this network, come back, and its learned weights are here."


@st.cache_resource(max_entries=4, show_spinner=False)
def _fresh(notation: str, input_shape: tuple[int, ...], seed: int) -> dict[str, np.ndarray]:
    return inspection.draw_parameters(parse(notation), input_shape, seed=seed)
