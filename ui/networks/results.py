"""What a trained network has learned: one picture on its way through it, the kernels, the errors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cnn_core import data, inspection, runs
from cnn_core.data.permutation import permute
from cnn_core.inspection import Parameters
from cnn_core.network import Activation, BatchNorm, Conv, GlobalAveragePool, Layer, Linear, Network, Pool
from cnn_core.plots import curves
from cnn_core.plots import training as plots
from cnn_core.plots.theme import Palette
from cnn_core.summary import LayerSummary, summarize
from ui import controls, page
from ui.networks import learned, training_files
from ui.networks.on_the_way import MAX_BYTES
from ui.wording import count, first_of

STAGES = {"Convolution": Conv, "Batch norm": BatchNorm, "Activation": Activation, "Pooling": Pool}
MAX_KEPT_BYTES = 1_000_000
"""Most memory for the outputs of all layers that are kept for the next rerun; LeNet's take 0.06 MB."""

MAX_LAYERS = 10
MAX_MAPS = 64
MAX_KERNELS = 32
"""Most kernels that stand side by side, and below each other; also most units."""


def sections(run: runs.Run) -> None:
    """Draw what can be seen of a network that is trained, or was on its way, and offer what it leaves."""
    if not run.is_over:
        return
    parameters: Parameters | None = None
    if run.checkpoint.is_dir():
        try:
            parameters = learned.read(run).parameters
        except (ValueError, runs.UnknownRun) as error:
            page.refusal(error)
    if parameters is not None:
        _learned(run, parameters)
        _errors(run)
    training_files.offer_results(run, parameters)


def _learned(run: runs.Run, parameters: Parameters) -> None:
    with page.errors_in_place():
        rows = summarize(run.settings.layers, run.settings.spec.input_shape)
        inspection.check_parameters(run.settings.layers, run.settings.spec.input_shape, parameters)
        try:
            pictures = _test_pictures(run.settings.data)
        except data.DataUnavailable as error:
            st.warning(str(error), icon=":material/cloud_off:")
        else:
            st.subheader("One picture through the network", anchor=False)
            if sum(row.activation_bytes for row in rows) <= MAX_BYTES:
                st.fragment(_one_picture)(run, pictures, parameters)
            else:
                _too_large(rows)
        _weights(rows, parameters)


def _too_large(rows: list[LayerSummary]) -> None:
    num_bytes = sum(row.activation_bytes for row in rows)
    st.info(
        f"For one picture the layers of this network give {num_bytes / 1e6:,.0f} MB of numbers. "
        f"That is more than the {MAX_BYTES / 1e6:.0f} MB that this page computes for a visitor.",
        icon=":material/info:",
    )


@st.cache_resource(max_entries=2, show_spinner="Reading the test pictures")
def _test_pictures(name: str) -> data.Dataset:
    return data.load(name, split="test")


def _one_picture(run: runs.Run, pictures: data.Dataset, parameters: Parameters) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        index = controls.integer("Test picture", key="t-picture", default=0, low=0, high=len(pictures) - 1)
        _wrong_one(run, pictures, index)
    network, image = run.settings.layers, pictures.images[index]
    seen = permute(image) if run.settings.permuted else image
    outputs = _outputs(run, index, parameters, seen)
    probabilities = inspection.softmax(outputs[-1][1])
    with left:
        _pictures(image, seen, f"test picture {index}, which shows: {_class_of(pictures, index)}")
        _verdict(pictures, index, probabilities)
    with right:
        _feature_maps(network, outputs)


def _outputs(
    run: runs.Run, index: int, parameters: Parameters, seen: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    """Compute the outputs of all layers for a picture; where they are small, once for all reruns that show it."""

    def compute() -> list[tuple[str, np.ndarray]]:
        return inspection.activations(run.settings.layers, parameters, inspection.as_input(seen))

    rows = summarize(run.settings.layers, run.settings.spec.input_shape)
    is_small = sum(row.activation_bytes for row in rows) <= MAX_KEPT_BYTES
    return _keep(run.id, run.step, index, compute) if is_small else compute()


@st.cache_resource(max_entries=32, show_spinner=False)
def _keep(run_id: str, step: int, index: int, _compute: Callable[[], Any]) -> Any:
    return _compute()


@st.cache_resource(max_entries=64, show_spinner=False)
def _wrong(run_id: str, _predictions: tuple[int, ...], _labels: np.ndarray) -> np.ndarray:
    """Find the test pictures that a finished run names wrong."""
    (wrong,) = np.nonzero(np.array(_predictions) != _labels)
    return wrong


def _wrong_one(run: runs.Run, pictures: data.Dataset, index: int) -> None:
    """Offer the next test picture that the network gets wrong."""
    wrong = np.array([], int)
    if run.result:
        wrong = _wrong(run.id, run.result.predictions, pictures.labels)
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


def _class_of(pictures: data.Dataset, index: int) -> str:
    return pictures.class_names[pictures.labels[index]]


def _pictures(image: np.ndarray, seen: np.ndarray, alt: str) -> None:
    """Show a picture, and beside it what the network sees of it where that is something else."""
    row = st.container(horizontal=True)
    if seen is image:
        row.image(plots.enlarged(image), width=200, output_format="PNG", alt=alt)
        return
    for each, words in ((image, "As it is"), (seen, "As the network sees it")):
        row.image(
            plots.enlarged(each), caption=words, width=130, output_format="PNG", alt=f"{alt}; {words.lower()}"
        )


def _verdict(pictures: data.Dataset, index: int, probabilities: np.ndarray) -> None:
    label, guess = int(pictures.labels[index]), int(probabilities.argmax())
    true, taken = _class_of(pictures, index), pictures.class_names[guess]
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
    """Draw the maps after each layer of one kind, such as all activations."""
    layers = list(zip(network.layers, outputs, strict=True))
    found = {
        stage: [output for layer, output in layers if isinstance(layer, kind) and output[1].ndim == 3]
        for stage, kind in STAGES.items()
    }
    stages = [stage for stage in STAGES if found[stage]]
    if not stages:
        averages = any(isinstance(layer, GlobalAveragePool) for layer in network.layers)
        done = "averages each channel" if averages else "flattens the picture"
        st.info(f"This network has no feature maps: it {done} at once.", icon=":material/info:")
        return
    stage = stages[0]
    if len(stages) > 1:
        usual = "Activation" if "Activation" in stages else stage
        stage = controls.choice("Feature maps after", stages, key="t-stage", default=usual)
    for name, maps in found[stage][:MAX_LAYERS]:
        _draw_maps(name, maps)
    _left_out(len(found[stage]))


def _draw_maps(name: str, maps: np.ndarray) -> None:
    channels, height, width = maps.shape
    shown = maps[:MAX_MAPS]
    st.image(
        _tiles(shown, page.palette()),
        caption=f"{name}: {first_of(len(shown), channels, 'feature map')} of {height} x {width}. "
        f"Values from {shown.min():.3g} to {shown.max():.3g}; blue is below zero, orange above.",
        width="stretch",
        output_format="PNG",
        alt=f"{first_of(len(shown), channels, 'feature map')} of {name} for this picture, as tiles",
    )


def _weights(rows: list[LayerSummary], parameters: Parameters) -> None:
    """Draw the kernels of all convolutions, or the weights of the first linear layer if there are none."""
    convolutions = [row for row in rows if isinstance(row.layer, Conv)]
    linear = next((row for row in rows if isinstance(row.layer, Linear)), None)
    if convolutions:
        st.subheader("The kernels it learned", anchor=False)
        for row in convolutions[:MAX_LAYERS]:
            _kernels(row.name, row.layer, parameters[f"{row.name}.weight"])
        _left_out(len(convolutions))
    elif linear:
        st.subheader("The weights it learned", anchor=False)
        _units(linear, rows, parameters[f"{linear.name}.weight"])


def _kernels(name: str, layer: Layer, weight: np.ndarray) -> None:
    out_channels, in_channels, height, width = weight.shape
    shown = weight[:MAX_KERNELS, :MAX_KERNELS]
    across, down = shown.shape[:2]
    of_group = " of its group" if layer.groups > 1 else ""
    rows = f", {first_of(down, in_channels, 'input channel')}{of_group} from top to bottom"
    st.image(
        _tiles(shown, page.palette()),
        caption=f"{name}: {first_of(across, out_channels, 'output channel')} from left to right"
        f"{rows if in_channels > 1 else ''}; kernels of {height} x {width}. "
        f"The strongest of these weights is {np.abs(shown).max():.2f}; blue is negative, orange positive.",
        width="stretch",
        output_format="PNG",
        alt=f"{count(across * down, 'kernel')} of {name} as tiles",
    )


def _units(linear: LayerSummary, rows: list[LayerSummary], weight: np.ndarray) -> None:
    """Draw the weights of the first linear layer as pictures: what a unit looks for, over all that it gets."""
    picture = rows[0].input_shape
    shapes = [picture] + [row.output_shape for row in rows[: rows.index(linear)]]
    channels, height, width = next(shape for shape in reversed(shapes) if len(shape) == 3)
    if channels * height * width != linear.input_shape[0]:
        st.markdown(
            f"{linear.name} gets the mean of each channel. Its weights have no place in the picture, "
            "so there is nothing to draw."
        )
        return
    size = (
        "as large as the picture"
        if (height, width) == picture[1:]
        else f"of {height} x {width}, as the map it gets"
    )
    tiles = f", in {channels} tiles, one for each colour" if channels > 1 else ""
    shown = weight[:MAX_KERNELS]
    st.image(
        _tiles(shown.reshape(-1, height, width), page.palette()),
        caption=f"{linear.name}: the weights of {first_of(len(shown), len(weight), 'unit')}, each {size}{tiles}. "
        "A convolution has small kernels instead and moves them over the picture.",
        width="stretch",
        output_format="PNG",
        alt=f"weights of {linear.name} as tiles",
    )


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs={Palette: id})
def _tiles(arrays: np.ndarray, palette: Palette) -> bytes:
    """Draw maps (N, H, W) or the kernels of a layer (C_out, C_in, kH, kW) as a PNG file.

    Drawing and packing take longer than all else in a run of the page.
    """
    draw = plots.kernel_mosaic if arrays.ndim == 4 else plots.mosaic
    return page.png(draw(arrays, palette=palette))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Palette: id})
def _confusion(confusion: tuple[tuple[int, ...], ...], class_names: tuple[str, ...], palette: Palette):
    return plots.confusion(confusion, class_names, palette=palette)


def _left_out(num_layers: int) -> None:
    if num_layers > MAX_LAYERS:
        st.caption(f"These are the first {MAX_LAYERS} of {num_layers} such layers.")


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
            _confusion(run.result.confusion, class_names, page.palette()),
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
