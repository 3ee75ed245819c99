"""The look "Slide a kernel" of the page Filters: a picture, its output, and each sum behind it."""

import math
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core import ops
from cnn_core.kernels import KERNELS
from cnn_core.plots import grids
from ui import controls, explorer, page
from ui.chapter import filters_picture, filters_questions, kernel_editor, part, predict, retouch, slide
from ui.chapter.filters_picture import SLIDE_SHOWN
from ui.chapter.filters_settings import FIRST_KERNEL, SLIDE
from ui.chapter.part import Part
from ui.chapter.slide import CHANNELS, Slide

FIRST_ROW, FIRST_COLUMN = 42, 41
PART_SIZE = 12
AUTOMATIC, SIGNED, PICTURE = "automatic", "signed", "picture"
NO_PADDING = "none"
PADDING_MODES = (NO_PADDING, *ops.PADDING_MODES)
MAX_STRIDE = 8


def section() -> None:
    """Show the whole look."""
    controls.reserve({"f-channel": CHANNELS[0], "f-look": AUTOMATIC})
    controls.reserve({"f-row": FIRST_ROW, "f-column": FIRST_COLUMN})
    _take_edits()
    left, right = st.columns([1, 2], gap="medium")
    with left:
        shown = _choose_setup()
    below = st.container()
    with right:
        try:
            _show(shown, below)
        except ValueError as error:
            page.refusal(error)
            filters_picture.offer_photograph(key="f-slide-way-out")
    page.try_this(SLIDE, prefix="f-")
    predict.ask(filters_questions.sliding(shown), prefix="f-")
    _explain(shown)
    ours, torch = slide.write_code(shown)
    page.in_code(ours=ours, torch=torch)


def _take_edits() -> None:
    edit, shown = explorer.received("f-"), st.session_state.get(SLIDE_SHOWN)
    if edit is None or shown is None:
        return
    seen, highest = shown
    kernel_editor.take_over(edit.weight[0], seen.scene.weight[0], prefix="f-")
    painted = retouch.edited_pixels(edit.x[0], seen.scene.x[0], seen.pixels, highest=highest)
    pixels = retouch.read(st.session_state.get("f-retouched", ""))
    st.session_state["f-retouched"] = retouch.write(pixels | painted)


def _choose_setup() -> Slide:
    picture = filters_picture.lay_retouched_over(filters_picture.choose(in_colour=True))
    kernel = kernel_editor.choose(prefix="f-", default=FIRST_KERNEL)
    flipped = controls.switch("Flip the kernel (true convolution)", key="f-flip")
    st.caption(slide.describe_flip(kernel))
    stride = controls.integer("Stride", key="f-stride", default=1, low=1, high=MAX_STRIDE)
    mode = controls.choice(
        "Padding mode",
        PADDING_MODES,
        key="f-mode",
        help="What lies beyond the border. With padding, the output has the size of the picture at stride 1.",
    )
    padding_mode = None if mode == NO_PADDING else mode
    return Slide(*picture, kernel, flipped, stride, padding_mode)


def _is_small(shown: Slide) -> bool:
    return max(shown.shape) <= explorer.MAX_SIZE


def _choose_look(shown: Slide) -> bool:
    look = controls.choice(
        "Output as",
        [AUTOMATIC, SIGNED, PICTURE],
        key="f-look",
        help="Signed colours, or a picture whose values are cut off at black and white. Automatic takes a "
        "picture where the cells add up to 1, which keeps the brightness.",
    )
    return look == PICTURE or (look == AUTOMATIC and math.isclose(shown.kernel.sum(), 1))


def _choose_channel(shown: Slide) -> int:
    if shown.picture.ndim == 2:
        return 0
    return CHANNELS.index(controls.choice("Channel", CHANNELS, key="f-channel"))


def _choose_part(shown: Slide, height: int, width: int) -> Part:
    first, second = st.columns(2, wrap=False)
    shared = {"low": 0, "as_box": True, "help": "The part lies around this output."}
    with first:
        row = controls.integer("Output row", key="f-row", default=FIRST_ROW, high=height - 1, **shared)
    with second:
        column = controls.integer(
            "Output column", key="f-column", default=FIRST_COLUMN, high=width - 1, **shared
        )
    return part.cut(shown, channel=_choose_channel(shown), at=(row, column), size=PART_SIZE)


def _height_for(shape: tuple[int, int], *, width: int, rest: int) -> int:
    """Leave room for a grid of this shape about as wide as its column, and for what is above and below it."""
    rows, columns = shape
    return rest + round(width * min(max(rows / columns, 0.3), 1.2))


def _draw_outputs(shown: Slide, *, as_picture: bool) -> dict[str, Any]:
    y = shown.y[:, 0].astype(np.float32)  # (1 or 3, H_out, W_out)
    look = {
        "show_scale": True,
        "within": shown.shape if shown.stride == 1 else None,
        "height": _height_for(shown.shape, width=264, rest=76),
        "palette": page.palette(),
    }
    if as_picture and len(y) > 1:
        together = np.clip(np.rint(y), 0, shown.highest).astype(np.uint8).transpose(1, 2, 0)
        return {"Output": grids.picture(together, title="Output, channels put together", **look)}
    if as_picture:
        return {"Output": grids.picture(y[0], title="Output", vmax=shown.highest, **look)}
    names = [f"Output of {name}" for name in CHANNELS] if len(y) > 1 else ["Output"]
    limit = grids.limit_of(y)
    return {
        name: grids.signed(channel, title=name, limit=limit, **look)
        for name, channel in zip(names, y, strict=True)
    }


def _show_figures(shown: Slide, seen: Part, *, as_picture: bool) -> None:
    palette = page.palette()
    picture = grids.picture(
        shown.picture,
        title="Picture",
        vmax=shown.highest,
        show_scale=True,
        height=_height_for(shown.shape, width=264, rest=76),
        palette=palette,
    )
    grids.outline(picture, seen.rows.inside, seen.columns.inside, palette=palette)
    outputs = _draw_outputs(shown, as_picture=as_picture)
    places = [*st.columns(2)] if len(outputs) == 1 else [*st.columns(2), *st.columns(2)]
    with places[0]:
        page.figure(picture, key="f-input", alt=f"The picture. {part.describe(seen)}")
    for place, (name, output) in zip(places[1:], outputs.items(), strict=True):
        grids.outline(output, seen.rows.outputs, seen.columns.outputs, palette=palette)
        with place:
            page.figure(output, key=f"f-{name}", alt=f"{name}. {slide.describe(shown)}")


def _book_example(shown: Slide, seen: Part) -> tuple[np.ndarray | None, np.ndarray | None]:
    picture, kernel = filters_picture.load("book-edge", 8) * shown.highest, KERNELS["book-columns"].values
    x, weight = seen.scene.x, seen.scene.weight
    return (
        picture[None] if x.shape[1:] == picture.shape else None,
        kernel[None] if weight.shape[1:] == kernel.shape else None,
    )


def _explore(shown: Slide, seen: Part, *, as_picture: bool = False) -> None:
    st.session_state[SLIDE_SHOWN] = seen, shown.highest
    explorer.show(
        seen.scene,
        prefix="f-",
        channel=seen.channel,
        part=(st.session_state["f-retouched-base"], seen.rows.outputs, seen.columns.outputs),
        first=seen.first,
        grey=shown.highest,
        grey_output=as_picture,
        highest=shown.highest,
        book=_book_example(shown, seen),
    )


def _describe_editing(shown: Slide) -> None:
    st.caption(
        f"Pixels are whole numbers from 0 to {shown.highest}. What you write into the input is painted on the "
        "picture. What you write into the kernel makes it your own."
    )


def _describe(shown: Slide, *, as_picture: bool) -> None:
    page.reading(slide.describe(shown))
    st.caption(slide.describe_range(shown, as_picture=as_picture))


def _show(shown: Slide, below: DeltaGenerator) -> None:
    height, width = shown.y.shape[2:]  # refused before anything is drawn, if the kernel does not fit
    if _is_small(shown):
        _explore(shown, part.cut(shown, channel=_choose_channel(shown)))
        _describe(shown, as_picture=False)
        _describe_editing(shown)
        return
    figures = st.container()
    as_picture = _choose_look(shown)
    seen = _choose_part(shown, height, width)
    st.caption(part.describe(seen))
    with figures:
        _show_figures(shown, seen, as_picture=as_picture)
        _describe(shown, as_picture=as_picture)
    with below:
        st.subheader("A part of the picture, number by number", anchor=False)
        _explore(shown, seen, as_picture=as_picture)
        _describe_editing(shown)


def _explain(shown: Slide) -> None:
    page.explanation()
    if shown.flipped:
        st.markdown(
            "Flipped, this is the **convolution** of mathematics. The kernel's indices run backwards:"
        )
    else:
        st.markdown("This is a **cross-correlation**. The kernel lies on the picture just as it is written:")
    st.latex(slide.write_formula(shown))
    st.markdown(slide.explain_shift(shown.stride))
    st.markdown(slide.explain_sums(shown.kernel) + slide.EXPLANATION.lstrip())
