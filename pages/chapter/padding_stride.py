from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core import sizes
from cnn_core.geometry import Axis, TransposedAxis, output_size, tensorflow_same_padding, total_padding
from cnn_core.plots.sizes import size_panels
from cnn_core.plots.windows import windows
from ui import controls, explorer, page
from ui.chapter import predict, size_code, size_questions, size_text
from ui.chapter.size_controls import LIMITS, choose_layer, values_of
from ui.chapter.size_layer import CONVOLUTION, TRANSPOSED, Layer
from ui.chapter.size_settings import TO_TRY
from ui.wording import count

SHOWN_AT_ONCE = 8
# In pixels: four numbers and a button stand side by side on a phone, a remark below them.
NUMBER_WIDTH, SET_WIDTH = 56, 64

settings_for = st.cache_resource(sizes.settings_for, max_entries=64, show_spinner=False)
reachable_sizes = st.cache_data(sizes.reachable_sizes, max_entries=64, show_spinner=False)


# The figure


def show_figure(layer: Layer) -> tuple[np.ndarray, np.ndarray | None]:
    words = size_text.reading(layer)
    x, weight = layer.counting()
    if layer.is_small:
        x, weight = explorer.numbers(x, weight, prefix="ps-", base="counting")
        explorer.show(layer.scene(x, weight), prefix="ps-")
        page.reading(words)
        return x, weight
    explorer.step_back("ps-")
    if layer.operation != TRANSPOSED:
        page.figure(windows(*layer.axes, palette=page.palette()), key="ps-figure", alt=words)
    page.reading(words)
    st.caption(size_text.large(layer))
    return x, None if weight is None else np.ones_like(weight)


# The question turned round


def look_closer(layer: Layer) -> None:
    is_asked = layer.operation == CONVOLUTION
    over = "Output size over each setting"
    st.subheader("Which settings give this size?" if is_asked else over, anchor=False)
    controls.reserve({"ps-axis": "height", "ps-wanted": 7})
    axes = layer.named_axes
    name = controls.choice("Axis", list(axes), key="ps-axis") if len(axes) > 1 else "height"
    axis = axes[name]
    if is_asked:
        turn_round(axis, prefix=f"ps-{name[0]}-")
        st.subheader(over, anchor=False)
    draw_sizes(axis)


def turn_round(axis: Axis, *, prefix: str) -> None:
    reachable = reachable_sizes(axis.input_size, limits=LIMITS)
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    with left:
        wanted = controls.integer(
            "Output size wanted", key="ps-wanted", default=7, low=1, high=reachable[-1], as_box=True
        )
    settings = settings_for(axis.input_size, wanted, limits=LIMITS)
    with right:
        describe_answers(axis.input_size, wanted, settings, reachable)
    if settings:
        list_settings(settings, axis, prefix=prefix)


def describe_answers(input_size: int, wanted: int, settings: Sequence[Axis], reachable: list[int]) -> None:
    if settings:
        number = count(len(settings), "setting")
        verb = "gives" if len(settings) == 1 else "give"
        st.markdown(f"**{number} {verb} {wanted} from {input_size}**, from simple to odd.")
        return
    st.markdown(
        f"**No setting gives {wanted} from {input_size}.** Here kernels end at {LIMITS.kernel_size}, "
        f"strides at {LIMITS.stride}, paddings at {LIMITS.padding}, dilations at {LIMITS.dilation}. "
        "The nearest sizes:"
    )
    smaller = [size for size in reachable if size < wanted]
    larger = [size for size in reachable if size > wanted]
    row = st.container(horizontal=True)
    for size in (*smaller[-1:], *larger[:1]):
        stride = settings_for(input_size, size, limits=LIMITS)[0].stride
        row.button(
            f"{size}, with stride {stride}",
            key=f"ps-near-{size}",
            on_click=controls.set_values,
            args=({"ps-wanted": size},),
        )


def list_settings(settings: Sequence[Axis], now: Axis, *, prefix: str) -> None:
    asked = (now.input_size, settings[0].output_size)
    before, shown = st.session_state.get("ps-shown", (asked, SHOWN_AT_ONCE))
    shown = shown if before == asked else SHOWN_AT_ONCE
    rows = st.container(gap="xxsmall")
    write_row(rows, (f":small[:gray[{word}]]" for word in ("kernel", "stride", "padding", "dilation")))
    for index, setting in enumerate(settings[:shown]):
        padding = ", ".join(map(str, sorted(set(setting.padding))))
        row = write_row(rows, (setting.kernel_size, setting.stride, padding, setting.dilation))
        row.button(
            "Now" if setting == now else "Set",
            key=f"ps-set-{index}",
            disabled=setting == now,
            width=SET_WIDTH,
            on_click=controls.set_values,
            args=(values_of(prefix, setting),),
        )
        row.caption(size_text.remark(setting, "row" if prefix == "ps-h-" else "column"))
    if shown < len(settings):
        more = min(SHOWN_AT_ONCE, len(settings) - shown)
        st.button(
            f"{more} more",
            key="ps-more",
            icon=":material/expand_more:",
            type="tertiary",
            on_click=controls.set_values,
            args=({"ps-shown": (asked, shown + more)},),
        )


def write_row(rows: DeltaGenerator, values: Iterable[object]) -> DeltaGenerator:
    row = rows.container(horizontal=True, vertical_alignment="center", gap="xsmall")
    for value in values:
        row.markdown(str(value), width=NUMBER_WIDTH)
    return row


def draw_sizes(axis: Axis | TransposedAxis) -> None:
    st.markdown(
        "Each panel changes one setting and leaves the others as they are. The large dot is where you are now. "
        "A curve ends where nothing fits."
    )
    curves = sizes.size_curves(axis, limits=LIMITS)
    largest = max(max(curve.sizes.values()) for curve in curves)
    parts = curves[:3], curves[3:]
    for column, part in zip(st.columns([len(part) for part in parts]), parts, strict=True):
        with column:
            fig = size_panels(part, largest=largest, palette=page.palette())
            page.figure(fig, key=f"ps-sizes-{part[0].name}", alt=size_text.alt(part))


# The explanation


def show_formula(layer: Layer) -> None:
    for name, axis in layer.named_axes.items():
        if layer.operation == TRANSPOSED:
            st.latex(size_text.latex_transposed(axis, name))
            continue
        st.latex(size_text.latex_size(axis, name))
        if axis.rounded_size != axis.output_size:
            st.markdown(
                f"PyTorch drops the last of these {axis.rounded_size} windows, because it would start in the padding "
                f"after the picture. So the {name} of the output is **{axis.output_size}**."
            )


def compare_conventions(axes: Mapping[str, Axis]) -> None:
    st.subheader("Three ways to count padding", anchor=False)
    book, pytorch, tensorflow = st.columns(3)
    with book.container(border=True, height="stretch"):
        st.markdown("**The book** counts both sides together: the *total* padding.")
        for name, axis in axes.items():
            st.markdown(f"{name.capitalize()}: total padding $p = {total_padding(axis.padding)}$")
            st.latex(size_text.latex_book(axis))
        if any(axis.dilation > 1 for axis in axes.values()):
            st.markdown("The book has no dilation. Here $k$ is the dilated size, $d(k-1)+1$.")
        st.markdown("Its formula rounds down. Put a padding *per side* into it, and the answer is wrong.")
    with pytorch.container(border=True, height="stretch"):
        st.markdown("**PyTorch** counts the padding *per side*.")
        for name, axis in axes.items():
            before, after = axis.padding
            written = (
                f"`padding={before}`"
                if before == after
                else f"{before} before, {after} after: pad first with `F.pad`"
            )
            st.markdown(f"{name.capitalize()}: {written}, output {axis.output_size}")
        st.markdown("One number stands for both sides. It adds twice as many pixels as it says.")
    with tensorflow.container(border=True, height="stretch"):
        st.markdown('**TensorFlow** takes a word: `"valid"` or `"same"`.')
        for name, axis in axes.items():
            st.markdown(f"{name.capitalize()}: {say_tensorflow(axis)}")
        st.markdown(
            '`"same"` keeps the size at stride 1 only. In general it gives $\\lceil n / s \\rceil$ outputs, '
            "and an odd pixel goes after the picture."
        )


def say_tensorflow(axis: Axis) -> str:
    how = {"stride": axis.stride, "dilation": axis.dilation}
    before, after = tensorflow_same_padding(axis.input_size, axis.kernel_size, **how)
    same = output_size(axis.input_size, axis.kernel_size, padding=(before, after), **how)
    verdict = "as set here" if (before, after) == axis.padding else "not what is set here"
    return f'`"same"` pads {before} before and {after} after, output {same} ({verdict})'


def explain(layer: Layer) -> None:
    page.explanation()
    show_formula(layer)
    if layer.operation != TRANSPOSED:
        st.markdown(
            "The first window takes up $d(k-1)+1$ pixels of the padded input. The rest can be travelled. Each "
            "step goes $s$ pixels, so the number of steps is a division. The first window makes the $+1$."
        )
    st.markdown(size_text.EXPLANATIONS[layer.operation])


def main() -> None:
    page.header(
        "Padding & stride",
        "How large is the output, and which pixels does it see?",
        ideas=[
            "output size",
            "padding per side and in total",
            "stride",
            "dilation",
            "transposed convolution",
        ],
    )
    left, right = st.columns([1, 2], gap="medium")
    with left:
        layer = choose_layer()
    with right:
        x, weight = show_figure(layer)
    page.try_this(TO_TRY[layer.operation], prefix="ps-")
    predict.ask(size_questions.about(layer), prefix="ps-")
    look_closer(layer)
    explain(layer)
    if layer.operation == CONVOLUTION:
        compare_conventions(layer.named_axes)
    page.in_code(**size_code.snippets(layer, x, weight))


main()
