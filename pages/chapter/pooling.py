from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import streamlit as st

from cnn_core import images, ops, scene, shifts
from cnn_core.geometry import Axis, max_pool_padding
from cnn_core.kernels import KERNELS
from cnn_core.plots.pooling import before_after
from cnn_core.plots.shifts import Stage, change_curves, stages
from cnn_core.pooling import GRIDS, PHOTOGRAPH, stack_channels
from ui import controls, explorer, page
from ui.chapter import pooling_code, pooling_questions, pooling_settings, pooling_text, predict
from ui.chapter.pooling_settings import (
    CEIL,
    FLOOR,
    GRID,
    IN_PLACE,
    MOVED,
    NONE,
    PICTURE,
    PLAIN,
    RECTIFIED,
    SHIFT,
)
from ui.wording import count, credit

MAX_CHANNELS, MAX_WINDOW, MAX_STRIDE = 3, 13, 8
MODES = ["max", "average", "min"]
PICTURES = [name for name, picture in images.IMAGES.items() if picture.highest == 255]
CROP, NUM_SHIFTS = 96, 9
EDGES = KERNELS["book-columns"].values
BEFORE = "before pooling"

load_picture = st.cache_data(images.load, max_entries=len(PICTURES), show_spinner=False)


@st.cache_data(max_entries=20, show_spinner=False)
def make_grid(name: str, height: int, width: int) -> np.ndarray:
    return GRIDS[name](height, width)


def choose_mode() -> str:
    return controls.choice("Pooling", MODES, key="p-mode")


def choose_picture() -> str:
    take_older_link()
    return controls.choice(
        "Picture",
        PICTURES,
        key="p-picture",
        format=lambda name: images.IMAGES[name].title,
        as_list=True,
    )


def take_older_link() -> None:
    """Write the title of a picture into the address where an older link has its name: the control reads titles."""
    name = st.query_params.get("p-picture")
    if name in PICTURES and "p-picture" not in st.session_state:
        st.query_params["p-picture"] = images.IMAGES[name].title
        st.rerun()


def choose_layer(shape: tuple[int, int] | None = None, *, pads: bool = True) -> tuple[Axis, Axis]:
    """Choose the layer along both axes; where the input has no shape yet, its size as well."""
    alike = controls.switch("Height and width alike", key="p-alike", default=True)
    ceil_mode = pads and choose_rounding() == CEIL
    input_height, input_width = shape or (None, None)
    if alike:
        largest = min(shape) if shape else None
        height = choose_axis("p-h-", input_height, largest=largest, pads=pads)
        width = replace(height, input_size=input_width or height.input_size)
        # When the two are told apart, the width starts where the height stands.
        controls.set_values(values_of("p-w-", width))
    else:
        first, second = st.columns(2)
        with first:
            st.markdown("**Height** (rows)")
            height = choose_axis("p-h-", input_height, pads=pads)
        with second:
            st.markdown("**Width** (columns)")
            width = choose_axis("p-w-", input_width, pads=pads)
    return replace(height, ceil_mode=ceil_mode), replace(width, ceil_mode=ceil_mode)


def choose_rounding() -> str:
    return controls.choice(
        "Rounding",
        [FLOOR, CEIL],
        key="p-rounding",
        help="With ceil, one last window may hang over the end. PyTorch calls it ceil_mode=True.",
    )


def choose_axis(prefix: str, input_size: int | None, *, largest: int | None = None, pads: bool) -> Axis:
    if input_size is None:
        input_size = controls.integer(
            "Input size", key=f"{prefix}input", default=4, low=2, high=explorer.MAX_SIZE
        )
    largest = min(MAX_WINDOW, largest or input_size)
    window = controls.integer("Window size", key=f"{prefix}window", default=2, low=1, high=largest)
    padding = 0
    if pads:
        padding = controls.integer(
            "Padding",
            key=f"{prefix}padding",
            default=0,
            low=0,
            high=max_pool_padding(window),
            help="On each side. At most half of the window, as in PyTorch.",
        )
    stride = controls.integer("Stride", key=f"{prefix}stride", default=2, low=1, high=MAX_STRIDE)
    return Axis(input_size, window, stride, padding)


def values_of(prefix: str, axis: Axis) -> dict[str, int]:
    return {
        f"{prefix}input": min(axis.input_size, explorer.MAX_SIZE),
        f"{prefix}window": axis.kernel_size,
        f"{prefix}padding": axis.padding[0],
        f"{prefix}stride": axis.stride,
    }


def pool(x: np.ndarray, height: Axis, width: Axis, mode: str) -> np.ndarray:
    return ops.pool2d(
        x,
        (height.kernel_size, width.kernel_size),
        stride=(height.stride, width.stride),
        padding=(height.padding, width.padding),
        ceil_mode=height.ceil_mode,
        mode=mode,
    )


# The small grid


def show_grid() -> None:
    left, right = st.columns([1, 2], gap="large")
    with left:
        mode = choose_mode()
        name = controls.choice("Numbers", list(GRIDS), key="p-numbers")
        height, width = choose_layer()
        num_channels = controls.integer("Channels in", key="p-channels", default=1, low=1, high=MAX_CHANNELS)
    start = stack_channels(make_grid(name, height.input_size, width.input_size), num_channels)
    x, _ = explorer.numbers(start, None, prefix="p-", base=name)
    pooled = scene.pooling(x, height, width, mode=mode)
    at = explorer.pinned_output("p-", pooled)
    with right:
        white = 255 if name == "photograph" else None
        explorer.show(pooled, prefix="p-", grey=white, highest=white or 9, grey_output=bool(white))
        page.reading(pooling_text.layer(height, width))
        st.caption(pooling_text.legend(height, width, mode))
        if white:
            st.caption(credit(PHOTOGRAPH))
    page.try_this(pooling_settings.GRIDS, prefix="p-")
    predict.ask(pooling_questions.grid(pooled, height, width), prefix="p-")
    explain_grid(pooled, height, width, at)
    page.in_code(**pooling_code.grid_code(name, start, pooled, height, width))


def explain_grid(pooled: scene.Scene, height: Axis, width: Axis, at: tuple[int, int, int]) -> None:
    page.explanation()
    st.latex(pooling_text.latex_output(pooled, at))
    st.markdown(
        "Each window becomes one number. Nothing is multiplied by a weight, so nothing is learned: pooling has "
        "**0 parameters**, whatever its window."
    )
    st.markdown(
        "**The gradient** says how much an output grows if one of its inputs grows by a little. Training needs it. "
        + pooling_text.where_gradient_goes(pooled, at)
    )
    show_sizes(height, width)
    channels = count(len(pooled.y), "channel")
    st.markdown(
        f"- **Padding** {pooling_text.PADDING[pooled.mode]} It may be at most half of the window: then no window "
        "sees padding alone.\n"
        "- **Floor** leaves out the last rows and columns if they do not fill a window. **Ceil** takes one more "
        "window for them. Where it hangs over there is nothing, not even a zero.\n"
        f"- **Channels** are pooled one by one: {channels} in, {channels} out. A convolution adds up what it makes "
        "of its input channels.\n"
        "- **Stride** is the window size if you do not say otherwise in PyTorch's layers. Then windows do not overlap."
    )


def show_sizes(height: Axis, width: Axis) -> None:
    axes = {"output size": height} if height == width else {"output height": height, "output width": width}
    for name, axis in axes.items():
        st.latex(pooling_text.latex_size(axis, name))
        if axis.rounded_size != axis.output_size:
            st.markdown(
                "The last of these windows would start in the padding behind the numbers. PyTorch drops it: "
                f"**{axis.output_size}**."
            )


# A picture


def show_picture() -> None:
    left, right = st.columns([1, 2], gap="large")
    with left:
        mode = choose_mode()
        name = choose_picture()
        picture = load_picture(name)
        apart = picture.ndim == 3 and controls.switch("Channels apart", key="p-apart")
        to_scale = controls.switch(
            "One scale",
            key="p-scale",
            help="Draw all pixels in one size, so that a smaller picture looks smaller.",
        )
        height, width = choose_layer(picture.shape[:2])
    x = np.moveaxis(np.atleast_3d(picture), 2, 0)  # (C, H, W)
    pooled = pool(x[None], height, width, mode)[0]
    with right:
        figure = before_after(
            pairs(x, pooled, apart=apart),
            to_scale=to_scale,
            size=200 if apart else 260,
            palette=page.palette(),
        )
        words = pooling_text.layer(height, width)
        alt = f"{images.IMAGES[name].title}, before and after {mode} pooling. {words}"
        page.figure(figure, key="p-pictures", alt=alt)
        page.reading(words)
        st.caption(credit(name))
    page.try_this(pooling_settings.PICTURES, prefix="p-")
    predict.ask(pooling_questions.picture(x, height, width, mode), prefix="p-")
    explain_picture(pooled.shape, height, width)
    page.in_code(**pooling_code.picture_code(name, height, width, mode, colour=len(x) == 3))


def pairs(x: np.ndarray, output: np.ndarray, *, apart: bool) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Name what is drawn before and after: each channel, or the picture as a whole."""
    if apart:
        return dict(zip(("red", "green", "blue"), zip(x, output, strict=True), strict=True))
    if len(x) == 1:
        return {"picture": (x[0], output[0])}
    return {"picture": (np.moveaxis(x, 0, 2), np.moveaxis(output, 0, 2))}


def explain_picture(shape: tuple[int, int, int], height: Axis, width: Axis) -> None:
    page.explanation()
    channels, rows, columns = shape
    before, after = height.input_size * width.input_size, rows * columns
    st.latex(
        rf"\frac{{\text{{pixels after}}}}{{\text{{pixels before}}}} = \frac{{{rows} \cdot {columns}}}"
        rf"{{{height.input_size} \cdot {width.input_size}}} = \frac{{{after}}}{{{before}}} "
        rf"\approx {100 * after / before:.1f}\,\%"
    )
    st.markdown(
        "So much is left of each channel. The layers that follow have less to compute. Each of their windows "
        "sees a larger part of the picture."
    )
    channels = count(channels, "channel")
    st.markdown(
        "- **Max** keeps the brightest pixel of a window. Bright spots grow, thin dark lines vanish.\n"
        "- **Min** keeps the darkest. It is max pooling of the negative: $\\min(x) = -\\max(-x)$.\n"
        "- **Average** blurs. It is a convolution of each channel with a kernel whose cells are all "
        f"$\\frac{{1}}{{{height.kernel_size * width.kernel_size}}}$.\n"
        f"- **Channels** stay apart: {channels} in, {channels} out. In a colour picture, the largest red and "
        "the largest blue of a window may come from different pixels."
    )


# The shift test


def show_shift() -> None:
    left, right = st.columns([1, 2], gap="large")
    with left:
        mode = choose_mode()
        name = choose_picture()
        map_name = controls.choice("Feature map", [RECTIFIED, PLAIN, NONE], key="p-map")
        crops, maps = feature_maps(name, map_name)
        height, width = choose_layer(maps.shape[2:], pads=False)
        moved = choose_comparison() == MOVED
        shift = controls.integer("Shift", key="p-shift", default=1, low=0, high=NUM_SHIFTS - 1)
    pooled = {each: pool(maps, height, width, each) for each in MODES}
    stride = width.stride if moved else None
    changes = {BEFORE: shifts.changes(maps, effective_stride=1 if moved else None)}
    for each in dict.fromkeys(("max", "average", mode)):
        changes[after(each)] = shifts.changes(pooled[each], effective_stride=stride)
    with right:
        draw_changes(changes, mode, shift)
        st.markdown(pooling_text.verdict(changes[BEFORE], changes[after(mode)], mode, moved=moved))
        grey = map_name == NONE
        columns = {"picture": stage(crops, shift, 1 if moved else None, grey=True)}
        if not grey:
            columns[map_name] = stage(maps, shift, 1 if moved else None)
        columns[f"{mode} pooled"] = stage(pooled[mode], shift, stride, grey=grey)
        draw_stages(columns, shift)
    page.try_this(pooling_settings.SHIFTS, prefix="p-")
    predict.ask(pooling_questions.shift(maps, height, width, moved=moved), prefix="p-")
    at = max(shift, 1)
    over_strides = changes_over_strides(maps[[0, at]], height, width, mode)
    explain_shift(pooling_text.about_shift(width, at, over_strides, mode, moved=moved), moved=moved)
    page.in_code(
        **pooling_code.shift_code(
            name,
            height,
            width,
            mode,
            kernel=None if grey else EDGES,
            relu=map_name == RECTIFIED,
            moves=[shifts.nearest_move(each, width.stride) for each in range(NUM_SHIFTS)] if moved else None,
            crop=CROP,
        )
    )


def choose_comparison() -> str:
    return controls.choice(
        "Compare outputs",
        [IN_PLACE, MOVED],
        key="p-compare",
        help="In place: position by position. Moved along: after moving the first output with the picture, "
        "by the nearest whole number of outputs.",
    )


def after(mode: str) -> str:
    return f"after {mode} pooling"


def feature_maps(name: str, map_name: str) -> tuple[np.ndarray, np.ndarray]:
    """Make the shifted crops of a picture and their feature maps, both (num_shifts, 1, H, W)."""
    grey = images.to_grey(load_picture(name))
    crops = shifts.shifted_crops(grey, CROP, num_shifts=NUM_SHIFTS).astype(np.float32)
    if map_name == NONE:
        return crops, crops
    maps = ops.conv2d(crops, EDGES[None, None].astype(np.float32))
    return crops, np.maximum(maps, 0) if map_name == RECTIFIED else maps


def changes_over_strides(maps: np.ndarray, height: Axis, width: Axis, mode: str) -> np.ndarray:
    """Measure in place what the shift from the first to the second of two maps changes, shape (MAX_STRIDE,)."""
    layers = ((replace(height, stride=s), replace(width, stride=s)) for s in range(1, MAX_STRIDE + 1))
    return np.array([shifts.changes(pool(maps, *layer, mode))[1] for layer in layers])


def stage(outputs: np.ndarray, shift: int, stride: int | None, *, grey: bool = False) -> Stage:
    difference = shifts.difference(outputs, shift, effective_stride=stride)
    return Stage(outputs[0, 0], outputs[shift, 0], difference[0], grey=grey)


def draw_changes(changes: Mapping[str, np.ndarray], mode: str, shift: int) -> None:
    words = pooling_text.shift(changes, shift)
    figure = change_curves(changes, before=BEFORE, chosen=after(mode), shift=shift, palette=page.palette())
    page.figure(
        figure, key="p-changes", alt=f"The change over shifts of 0 to {NUM_SHIFTS - 1} pixels. {words}"
    )
    page.reading(words)


def draw_stages(columns: Mapping[str, Stage], shift: int) -> None:
    page.figure(
        stages(columns, shift=shift, palette=page.palette()),
        key="p-stages",
        alt=f"{', '.join(columns)}: as it is, shifted by {shift}, and the difference.",
    )
    st.caption(
        "Blue is negative, orange positive. The crop moves over a larger picture, so real pixels come in "
        "from the left. There is no padding here: every window sees real pixels."
    )


def explain_shift(about: str, *, moved: bool) -> None:
    page.explanation()
    st.latex(
        r"\text{change}(s) = \frac{\operatorname{mean} |y_s(i) - y_0(i)|}{\operatorname{mean} |y_0(i) - y_0(j)|}"
    )
    along = " Above, $y_0$ is moved along with the picture first." if moved else ""
    st.markdown(
        f"$y_s$ is the output for the picture shifted by $s$ pixels.{along} Above: the mean over all positions $i$. "
        "Below: the mean over all pairs of positions $i$ and $j$, which is what a shuffle would change. So **0** means "
        "the same output, and **1** means as different as if its numbers had been shuffled."
    )
    st.markdown(about)


def main() -> None:
    page.header(
        "Pooling",
        "What is left when each window gives a single number, and what does a shift of the picture change then?",
        ideas=["max, average, min", "channel by channel", "no parameters", "shifts: equivariant, invariant"],
    )
    controls.reserve({"p-apart": False})
    views = {GRID: show_grid, PICTURE: show_picture, SHIFT: show_shift}
    view = controls.choice("Look at", list(views), key="p-view")
    if view != GRID:
        explorer.step_back("p-")
    views[view]()


main()
