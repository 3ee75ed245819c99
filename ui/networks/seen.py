"""The part of the page on architecture that shows what one output of a layer sees of the input."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from cnn_core.inspection import Parameters
from cnn_core.network import Network
from cnn_core.network import format as format_network
from cnn_core.plots.receptive import can_see, counts
from cnn_core.receptive import NUM_INPUTS, Middle, Region, effective, middle, theoretical, work
from cnn_core.summary import LayerSummary, check_budget
from ui import controls, page
from ui.networks.model_input import Picture
from ui.networks.model_weights import Weights
from ui.wording import count, percent

LAYER, ROW, COLUMN = "a-layer", "a-row", "a-column"
_LAST = "a-seen-last"

MAX_PARAMS, MAX_BYTES = 20_000_000, 400_000_000
MAX_WORK = 300_000_000
"""Most mult-adds for one input; with more the page would wait."""
TOTAL_WORK, MIN_INPUTS = 300_000_000, 2
"""Mult-adds for all inputs: where one takes long, there are fewer of them, but not less than so many."""


@st.fragment
def section(
    network: Network | None,
    rows: Sequence[LayerSummary],
    input_shape: tuple[int, ...],
    picture: Picture,
    weights: Weights | None = None,
) -> None:
    """Show the receptive field of one output on the picture, and how much each pixel counts.

    Args:
        network: The network; None if it is a published one.
        rows: Its layer table, up to the first layer that does not fit.
        input_shape: (C, H, W), (C, L) or (features,).
        picture: What goes through it.
        weights: The network's; None if none are made, as for a published one.
    """
    st.subheader("What one output sees", anchor=False)
    if len(input_shape) == 1:
        st.markdown(
            "The input is a vector. Its numbers have no neighbours, and a linear layer sees all of them. Choose a "
            "picture, such as 1x28x28, or a signal, such as 1x128."
        )
        return
    named = _named(rows)
    if not named:
        st.markdown("Add a layer, and here is what one of its outputs sees.")
        return
    left, right = st.columns([1, 3], gap="large")
    with left:
        row = named[_choose_layer(named)]
        at = _choose_place(row)
    with right, page.errors_in_place():
        _draw(network, rows[: list(rows).index(row) + 1], at, input_shape, picture, weights)
    _explain(network, rows, row)


def _named(rows: Sequence[LayerSummary]) -> dict[str, LayerSummary]:
    """Give each layer to choose from a name of its own; one that lines up a map is left out."""
    named = {}
    for row in rows:
        if row.effective_stride is None or len(row.output_shape) > 1:
            uses = sum(name.split(" (")[0] == row.name for name in named)
            named[f"{row.name} ({uses + 1})" if uses else row.name] = row
    return named


def _choose_layer(named: dict[str, LayerSummary]) -> str:
    maps = [name for name, row in named.items() if row.effective_stride is not None]
    usual = maps[-1] if maps else next(iter(named))
    return controls.choice("Layer", list(named), key=LAYER, default=usual, as_list=True)


def _choose_place(row: LayerSummary) -> tuple[int, ...]:
    """Choose the output's row and column, or its place in a signal; another map begins in its middle."""
    sizes = row.output_shape[1:]
    keys = {0: {}, 1: {COLUMN: "Output place"}, 2: {ROW: "Output row", COLUMN: "Output column"}}[len(sizes)]
    last_map, last_place = st.session_state.get(_LAST, ((row.name, sizes), {}))
    untouched = all(st.session_state.get(key) == value for key, value in last_place.items())
    if last_map != (row.name, sizes) and untouched:
        controls.set_values({key: (size - 1) // 2 for key, size in zip(keys, sizes, strict=True)})
    at = {
        key: controls.integer(label, key=key, default=(size - 1) // 2, low=0, high=size - 1, as_box=True)
        for (key, label), size in zip(keys.items(), sizes, strict=True)
    }
    st.session_state[_LAST] = ((row.name, sizes), at)
    return tuple(at.values())


def _draw(
    network: Network | None,
    rows: Sequence[LayerSummary],
    at: tuple[int, ...],
    input_shape: tuple[int, ...],
    picture: Picture,
    weights: Weights | None,
) -> None:
    seen = theoretical(rows[-1], at)
    words = _can_see(rows[-1], at, seen, input_shape[1:])
    first, second = st.columns(2)
    with first:
        page.figure(can_see(picture.shown, seen, palette=page.palette()), key="a-can-see", alt=words)
    part = Network([row.layer for row in rows]) if network else None
    obstacle = _obstacle(part, weights, input_shape, rows[-1].name, at)
    if obstacle:
        second.markdown(f"**How much each part counts** is not measured here: {obstacle}")
        page.reading(words)
        return
    needed = work(part, input_shape, layer=rows[-1].name, at=at)
    num_inputs = max(MIN_INPUTS, min(NUM_INPUTS, TOTAL_WORK // max(1, needed)))
    own = {name: values for name, values in weights.parameters.items() if name.split(".")[0] in part.names}
    network_key = (format_network(network), weights.origin)
    field = _measure(part, own, network_key, input_shape, rows[-1].name, at, num_inputs)
    held = middle(field, seen)
    words = f"{words} {_counts(held)}"
    with second:
        page.figure(
            counts(field, seen, middle=held.region if held else None, palette=page.palette()),
            key="a-counts",
            alt=words,
        )
    page.reading(words)
    st.caption(
        "The frame in the accent colour holds what can reach this output; hatched is padding. How much of it does "
        f"reach it depends on the weights. Here they are {weights.words}. A part counts as much as the "
        "output grows with it: the absolute value of the gradient, averaged over "
        f"{count(num_inputs, 'input')} of random noise and over all channels. The dotted frame is the middle half."
    )


def _obstacle(
    network: Network | None,
    weights: Weights | None,
    input_shape: tuple[int, ...],
    layer: str,
    at: tuple[int, ...],
) -> str:
    """Say why the effective field is not measured; nothing if it is."""
    if network is None:
        return "that needs weights, and no weights are made for a published network."
    try:
        check_budget(network, input_shape, max_params=MAX_PARAMS, max_activation_bytes=MAX_BYTES)
    except ValueError as error:
        return f"{error}."
    needed = work(network, input_shape, layer=layer, at=at)
    if needed > MAX_WORK:
        return f"it would take {needed:,} mult-adds for each input, more than {MAX_WORK:,}."
    if weights is None:
        return "that needs weights, and the network is too large for them."
    return ""


@st.cache_data(max_entries=32, show_spinner=False)
def _measure(
    _network: Network,
    _parameters: Parameters,
    network_key: tuple[str, str],
    input_shape: tuple[int, ...],
    layer: str,
    at: tuple[int, ...],
    num_inputs: int,
) -> np.ndarray:
    """Measure the effective field; the key names network and parameters, which would take long to compare."""
    return effective(_network, _parameters, input_shape, layer=layer, at=at, num_inputs=num_inputs)


def _can_see(row: LayerSummary, at: tuple[int, ...], seen: Region, sizes: tuple[int, ...]) -> str:
    """Say in numbers what an output can see."""
    names = ("row", "column") if len(sizes) == 2 else ("place",)
    thing, unit = ("picture", "pixel") if len(sizes) == 2 else ("signal", "place")
    size = _size(seen, unit)
    if seen == tuple(map(range, sizes)) and not at:
        return f"{row.name}: every output can see the whole {thing}, {size}."
    where = ", ".join(f"{name} {index}" for name, index in zip(names, at, strict=bool(at)))
    subject = f"{row.name}, {where}," if at else f"{row.name}: every output"
    spans = " and ".join(_span(name, pixels) for name, pixels in zip(names, seen, strict=True))
    words = f"{subject} can see {size}: {spans}."
    outside = 1 - np.prod(
        [len(range(max(0, each.start), min(size, each.stop))) for each, size in zip(seen, sizes, strict=True)]
    ) / np.prod([len(each) for each in seen])
    return words if not outside else f"{words} Of these, {percent(outside)} are padding."


def _size(region: Region, unit: str) -> str:
    size = " x ".join(f"{len(pixels):,}" for pixels in region)
    return f"{size} {unit}" if all(len(pixels) == 1 for pixels in region) else f"{size} {unit}s"


def _span(name: str, pixels: range) -> str:
    first, last = (str(end).replace("-", "−") for end in (pixels[0], pixels[-1]))
    return f"{name} {first}" if len(pixels) == 1 else f"{name}s {first} to {last}"


def _counts(held: Middle | None) -> str:
    """Say in numbers how much the middle counts."""
    if held is None:
        return "None of it counts: the gradient is 0 everywhere."
    if held.pixel_share == 1:
        return "It is too small to have a middle."
    thing = "picture's pixels" if len(held.region) == 2 else "signal's places"
    return (
        f"Of the {thing} in it, the middle {' x '.join(str(len(pixels)) for pixels in held.region)} are "
        f"{percent(held.pixel_share)} and have {percent(held.influence_share)} of the influence."
    )


def _explain(network: Network | None, rows: Sequence[LayerSummary], row: LayerSummary) -> None:
    lines = [r"r_l &= r_{l-1} + (k_l - 1)\, j_{l-1}", r"j_l &= j_{l-1}\, s_l, \qquad r_0 = j_0 = 1"]
    if network and row.effective_stride:
        lines += _with_numbers(rows, row)
    if not row.effective_stride:
        st.markdown(
            f"**{row.name}** has all positions of the last map before it. So it can see what any of them sees. "
            "For the layers up to that map:"
        )
    st.latex(r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}")
    st.markdown(
        "What an output can see grows with each layer. $r_l$ is its size in input pixels, along one axis. $k_l$ is the "
        "window of layer $l$, from its first cell to its last, and $s_l$ its stride. $j_l$ is the effective stride: "
        "the input pixels between what two neighbours see "
        "([Araujo, Norris & Sim, 2019](https://distill.pub/2019/computing-receptive-fields/)).\n\n"
        "What can reach an output need not count much. From the middle many ways lead to it, from a corner only one. "
        "So the influence often falls off from the middle like a bell, and the field that counts, the *effective* one, "
        "is smaller. Training can widen it ([Luo et al., 2016](https://arxiv.org/abs/1701.04128))."
    )


def _with_numbers(rows: Sequence[LayerSummary], row: LayerSummary) -> list[str]:
    """Write the recursion with the numbers of one layer; where height and width differ, of the height."""
    index = list(rows).index(row)
    size, stride = row.receptive_field[0], row.effective_stride[0]
    before, jump = (
        (rows[index - 1].receptive_field[0], rows[index - 1].effective_stride[0]) if index else (1, 1)
    )
    window = (size - before) // jump + 1
    name = rf"\text{{{row.name}}}"
    return [
        rf"r_{{{name}}} &= {before} + ({window} - 1) \cdot {jump} = {size}",
        rf"j_{{{name}}} &= {jump} \cdot {stride // jump} = {stride}",
    ]
