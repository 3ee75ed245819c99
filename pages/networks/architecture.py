import math
import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core import beside, data, onnx_export
from cnn_core.plots import architecture as plots
from cnn_core.training import Settings
from ui import controls, page
from ui.networks import (
    architecture_code,
    architecture_text,
    chosen_network,
    model_input,
    model_weights,
    on_the_way,
    seen,
)
from ui.networks.architecture_settings import SETTINGS
from ui.networks.chosen_network import Chosen

SHAPES, WAY, SEEN = "The shapes, to scale", "Layer by layer", "What one output sees"
VIEWS = (SHAPES, WAY, SEEN)
# What a browser needs to show a new table, before it is kept busy by figures.
PAINTING_SECONDS = 0.15
MAX_ONNX_PARAMS = 10_000_000


@st.fragment
def show_table(chosen: Chosen) -> None:
    """Draw the table by itself first, so that an edit is answered before the figures are drawn anew."""
    edited = chosen_network.edited(chosen)
    draw_table(edited or chosen)
    if edited:
        time.sleep(PAINTING_SECONDS)
        st.rerun()


def draw_table(chosen: Chosen) -> None:
    if chosen.is_published and not chosen.rows:  # the message above says why
        return
    chosen_network.show_table(chosen)
    if not chosen.rows:
        return
    up_to = f"Up to {chosen.rows[-1].name}: " if chosen.reason else ""
    page.reading(up_to + architecture_text.in_and_out(chosen.rows, chosen.input_shape))
    st.markdown(architecture_text.where_it_goes(chosen.rows))
    if chosen.obstacle:
        st.warning(f"This network is counted, but not built: {chosen.obstacle}.", icon=":material/scale:")


def show_next_steps(chosen: Chosen) -> None:
    row = st.container(horizontal=True)
    name, why_not = where_to_train(chosen)
    if row.button(
        "Train this",
        key="a-train",
        type="primary",
        icon=":material/model_training:",
        disabled=bool(why_not),
    ):
        st.switch_page(
            "pages/networks/lenet_trainer.py",
            query_params={"t-network": chosen.text, "t-data": data.find_spec(name).title},
        )
    if chosen.network and not chosen.reason:
        show_source(row, architecture_code.pytorch(chosen))
    show_onnx(row, chosen)
    row.download_button(
        "Table as CSV",
        architecture_code.table(chosen.rows),
        "layers.csv",
        "text/csv",
        key="a-csv",
        icon=":material/table:",
        on_click="ignore",
    )
    if why_not:
        st.caption(f"It cannot be trained here: {why_not}.")


def show_source(row: DeltaGenerator, text: str) -> None:
    with row.popover("Copy as PyTorch", icon=":material/code:"):
        st.code(text, language="python")
        st.download_button(
            "Download",
            text,
            "network.py",
            "text/x-python",
            key="a-source",
            icon=":material/download:",
            on_click="ignore",
        )


def show_onnx(row: DeltaGenerator, chosen: Chosen) -> None:
    """Offer the network with its weights; it is written beside the app, when the button is pressed."""
    run = chosen.network and model_weights.fitting_run(chosen.network, chosen.input_shape)
    weights, origin = {"seed": 0}, "fresh, as a training with seed 0 begins"
    if run and model_weights.are_readable(run):
        weights, origin = {"checkpoint": run.checkpoint}, "those of your last training of it"
    why_not = why_no_onnx(chosen)
    row.download_button(
        "ONNX",
        "" if why_not else lambda: beside.to_onnx(chosen.text, chosen.input_shape, **weights),
        "network.onnx",
        "application/octet-stream",
        key="a-onnx",
        icon=":material/deployed_code:",
        help=why_not or f"The network for other programs, with weights: {origin}. It takes some seconds.",
        disabled=bool(why_not),
        on_click="ignore",
    )


def why_no_onnx(chosen: Chosen) -> str:
    num_params = sum(layer.num_params for layer in chosen.rows)
    if not onnx_export.is_available():
        return "This needs two more packages: python -m pip install -r requirements-onnx.txt"
    if chosen.is_published:
        return "torchvision has this network, and its trained weights."
    if chosen.reason:
        return "A layer does not fit."
    if chosen.obstacle or num_params > MAX_ONNX_PARAMS:
        return f"Files for more than {MAX_ONNX_PARAMS:,} parameters are not made here."
    return ""


def where_to_train(chosen: Chosen) -> tuple[str, str]:
    """Return the data set to train on, the nearest first, and why there is none."""
    if chosen.is_published:
        return "", "it is made for 1,000 classes and a million pictures"
    if chosen.reason:
        return "", "a layer does not fit"
    fitting = [name for name, spec in data.DATASETS.items() if spec.input_shape == chosen.input_shape]
    if not fitting:
        return "", f"no data set has {architecture_text.examples_of(chosen.input_shape)}"
    name = next((name for name in fitting if name in data.available()), fitting[0])
    try:
        Settings(data=name, network=chosen.text)
    except ValueError as error:
        return "", str(error).splitlines()[0]
    return name, ""


def show_view(chosen: Chosen) -> None:
    """Show one look at the network: a page that drew all of them would be slow to answer an edit."""
    view = controls.choice("Look at", VIEWS, key="a-view")
    if view == SHAPES:
        show_shapes(chosen)
    elif math.prod(chosen.input_shape) > chosen_network.MAX_INPUT_NUMBERS:
        st.info("The input is too large to be drawn number by number.", icon=":material/scale:")
    else:
        show_numbers(chosen, view)


def show_shapes(chosen: Chosen) -> None:
    st.subheader("The shapes, to scale", anchor=False)
    page.figure(
        plots.shapes(chosen.rows, chosen.input_shape, palette=page.palette()),
        key="a-shapes",
        alt="The output of each layer as a box, in the order of the data. "
        + architecture_text.in_and_out(chosen.rows, chosen.input_shape),
    )


def show_numbers(chosen: Chosen, view: str) -> None:
    """Show what needs a real input: its way through the network, or how much of it an output sees."""
    left, right = st.columns(2, gap="large")
    with left:
        picture = model_input.choose(chosen.input_shape, key_prefix="a-")
    weights = None
    if chosen.fitting and not chosen.obstacle:
        with right:
            weights = model_weights.choose(chosen.fitting, chosen.input_shape)
    if view == SEEN:
        seen.section(chosen.fitting, chosen.rows, chosen.input_shape, picture, weights)
    elif weights:
        on_the_way.section(chosen.fitting, chosen.input_shape, picture, parameters=weights.parameters)
    else:
        why = (
            "A published network has no weights here" if chosen.is_published else "No weights are made for it"
        )
        st.info(f"{why}, so no picture can go through it.", icon=":material/info:")


def explain(chosen: Chosen) -> None:
    page.explanation()
    for formula in architecture_text.formulas(chosen.rows):
        st.latex(formula)
    st.markdown(architecture_text.about_costs(chosen.rows, is_published=chosen.is_published))
    page.in_code(ours=architecture_code.ours(chosen), torch=architecture_code.torch(chosen))
    st.caption("In one line")
    st.code(chosen.text, language=None, wrap_lines=True)
    st.caption("In a terminal")
    st.code(architecture_code.terminal(chosen, where_to_train(chosen)[0]), language="bash", wrap_lines=True)


def main() -> None:
    page.header(
        "Architecture",
        "What shape do the numbers have on their way through a network, and what does each layer cost?",
        ideas=["output shape", "parameters", "mult-adds", "receptive field", "from wide to deep"],
    )
    chosen = chosen_network.choose()
    show_table(chosen)
    if chosen.rows:
        show_view(chosen)
        show_next_steps(chosen)
    page.try_this(SETTINGS, prefix="a-")
    if chosen.rows and not chosen.reason:
        explain(chosen)


main()
