"""What a trained network has learned: one picture on its way through it, the kernels, the errors."""

import numpy as np
import pandas as pd
import streamlit as st

from cnn_core import data, inspection, runs
from cnn_core.network import Activation, Conv, Linear, Network, Pool
from cnn_core.plots import curves
from cnn_core.plots import training as plots
from cnn_core.training import checkpoints
from ui import controls, page

STAGES = {"Convolution": Conv, "Activation": Activation, "Pooling": Pool}
MAX_UNITS = 32


def sections(run: runs.Run) -> None:
    """Draw what can be seen of a network that is trained, or was on its way."""
    if not run.is_over or not run.checkpoint.is_dir():
        return
    with page.errors_in_place():
        parameters = _parameters(run.id)
        inspection.check_parameters(run.settings.layers, run.settings.spec.input_shape, parameters)
        try:
            pictures = _test_pictures(run.settings.data)
        except data.DataUnavailable as error:
            st.warning(str(error), icon=":material/cloud_off:")
        else:
            st.subheader("One picture through the network", anchor=False)
            st.fragment(_one_picture)(run, pictures, parameters)
        _kernels(run.settings.layers, run.settings.spec, parameters)
    _errors(run)


@st.cache_resource(max_entries=8, show_spinner=False)
def _parameters(run_id: str) -> dict[str, np.ndarray]:
    return checkpoints.load_weights(runs.get(run_id).checkpoint)


@st.cache_resource(max_entries=2, show_spinner="Reading the test pictures")
def _test_pictures(name: str) -> data.Dataset:
    return data.load(name, split="test")


def _one_picture(run: runs.Run, pictures: data.Dataset, parameters: dict[str, np.ndarray]) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        index = controls.integer("Test picture", key="t-picture", default=0, low=0, high=len(pictures) - 1)
        _wrong_one(run, pictures, index)
    network = run.settings.layers
    outputs = inspection.activations(network, parameters, inspection.as_input(pictures.images[index]))
    probabilities = inspection.softmax(outputs[-1][1])
    with left:
        _picture(pictures, index, probabilities)
    with right:
        _feature_maps(network, outputs)


def _wrong_one(run: runs.Run, pictures: data.Dataset, index: int) -> None:
    """Offer the next test picture that the network gets wrong."""
    predictions = np.array(run.result.predictions if run.result else pictures.labels)
    (wrong,) = np.nonzero(predictions != pictures.labels)
    later = wrong[wrong > index]
    following = later if later.size else wrong
    st.button(
        "Next wrong one",
        key="t-wrong",
        icon=":material/skip_next:",
        disabled=not wrong.size,
        help=None if wrong.size else "Known only when the whole test set has been looked at.",
        on_click=controls.set_values,
        args=({"t-picture": int(following[0])} if wrong.size else {},),
    )


def _picture(pictures: data.Dataset, index: int, probabilities: np.ndarray) -> None:
    label, guess = int(pictures.labels[index]), int(probabilities.argmax())
    true, taken = pictures.class_names[label], pictures.class_names[guess]
    st.image(
        plots.enlarged(pictures.images[index]),
        width=200,
        output_format="PNG",
        alt=f"test picture {index}, which shows: {true}",
    )
    verdict = "That is right." if guess == label else f"That is wrong: it shows {true}."
    page.reading(f"The network says {taken}, with probability {probabilities[guess]:.1%}. {verdict}")
    st.vega_lite_chart(
        pd.DataFrame(curves.probability_bars(probabilities, pictures.class_names, label=label)),
        curves.probability_spec(palette=page.palette()),
        height=290,
        key="t-probabilities",
        alt=f"probability of each class; highest for {taken}, {probabilities[guess]:.1%}",
    )


def _feature_maps(network: Network, outputs: list[tuple[str, np.ndarray]]) -> None:
    """Draw the maps after each convolution, or after the activation or the pooling that follows it."""
    if not any(isinstance(layer, Conv) for layer in network.layers):
        st.info(
            "This network has no convolution, so it has no feature maps: it flattens the picture at once.",
            icon=":material/info:",
        )
        return
    stage = controls.choice("Feature maps after", tuple(STAGES), key="t-stage", default="Activation")
    shown = [
        (name, maps)
        for layer, (name, maps) in zip(network.layers, outputs, strict=True)
        if isinstance(layer, STAGES[stage]) and maps.ndim == 3
    ]
    for name, maps in shown:
        channels, height, width = maps.shape
        st.image(
            plots.mosaic(maps, palette=page.palette()),
            caption=f"{name}: {channels} feature maps of {height} x {width}. "
            f"Values from {maps.min():.3g} to {maps.max():.3g}; blue is below zero, orange above.",
            width="stretch",
            output_format="PNG",
            alt=f"the {channels} feature maps of {name} for this picture, as tiles",
        )


def _kernels(network: Network, spec: data.DatasetSpec, parameters: dict[str, np.ndarray]) -> None:
    convolutions = [
        name for name, layer in zip(network.names, network.layers, strict=True) if isinstance(layer, Conv)
    ]
    st.subheader("The kernels it learned" if convolutions else "The weights it learned", anchor=False)
    for name in convolutions:
        weight = parameters[f"{name}.weight"]
        out_channels, in_channels, height, width = weight.shape
        rows = f", {in_channels} input channels from top to bottom" if in_channels > 1 else ""
        st.image(
            plots.kernel_mosaic(weight, palette=page.palette()),
            caption=f"{name}: {out_channels} output channels from left to right{rows}; kernels of {height} x {width}. "
            f"The strongest weight is {np.abs(weight).max():.2f}; blue is negative, orange positive.",
            width="stretch",
            output_format="PNG",
            alt=f"the {out_channels * in_channels} kernels of {name} as tiles",
        )
    if not convolutions:
        _units(network, spec, parameters)


def _units(network: Network, spec: data.DatasetSpec, parameters: dict[str, np.ndarray]) -> None:
    """Draw the weights of the first linear layer as pictures: what a unit looks for, over the whole input."""
    name = next(
        n for n, layer in zip(network.names, network.layers, strict=True) if isinstance(layer, Linear)
    )
    weight = parameters[f"{name}.weight"]
    channels, height, width = spec.input_shape
    tiles = f", in {channels} tiles, one for each colour" if channels > 1 else ""
    shown = weight[:MAX_UNITS].reshape(-1, height, width)
    st.image(
        plots.mosaic(shown, palette=page.palette()),
        caption=f"{name}: the weights of the first {min(MAX_UNITS, len(weight))} of {len(weight)} units, "
        f"each as large as the picture{tiles}. "
        "A convolution has small kernels instead and moves them over the picture.",
        width="stretch",
        output_format="PNG",
        alt=f"weights of {name} as tiles",
    )


def _errors(run: runs.Run) -> None:
    st.subheader("What it takes for what", anchor=False)
    if not run.result:
        st.markdown(
            "The confusion matrix counts the errors on the test pictures. They are looked at once, when a "
            "training is complete; this one was not."
        )
        return
    class_names = run.settings.spec.class_names
    left, right = st.columns([3, 2], gap="large")
    with left:
        page.figure(
            plots.confusion(run.result.confusion, class_names, palette=page.palette()),
            key="t-confusion",
            alt="confusion matrix: how many test pictures of each class were taken for each class",
        )
    with right:
        st.markdown(
            "Each row is a true class, each column what the network took it for. "
            "The framed diagonal is what it got right. "
            "The colour shows errors alone, as a share of the pictures of their class."
        )
        for error in plots.largest_errors(run.result.confusion):
            st.markdown(
                f"- **{class_names[error.label]}** taken for **{class_names[error.prediction]}**: "
                f"{error.count:,} of {error.total:,} times"
            )
