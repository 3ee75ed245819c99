import math
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core import images, ops
from cnn_core.images import IMAGES
from cnn_core.kernels import KERNELS
from cnn_core.plots import grids
from ui import controls, explorer, kernel_editor, page, part, retouch, slide
from ui.part import Part
from ui.slide import CHANNELS, Slide

OWN, FIRST_PICTURE, FIRST_KERNEL = "your-own", "camera", "sobel-x"
FIRST_SIZE, FIRST_ROW, FIRST_COLUMN = 128, 42, 41
PART_SIZE = 12
SHOWN = "f-shown"
GREY, PER_CHANNEL = "grey", "per channel"
AUTOMATIC, SIGNED, PICTURE = "automatic", "signed", "picture"
NO_PADDING = "none"
PADDING_MODES = (NO_PADDING, *ops.PADDING_MODES)
MAX_STRIDE = 8


@st.cache_data(max_entries=64, show_spinner=False)
def load_bundled(name: str, size: int) -> np.ndarray:
    return images.load(name, size=size)


@st.cache_data(max_entries=8, show_spinner=False)
def read_upload(raw: bytes, size: int) -> np.ndarray:
    return images.fit(images.decode(raw), size=size)


def take_edits() -> None:
    edit, shown = explorer.received("f-"), st.session_state.get(SHOWN)
    if edit is None or shown is None:
        return
    seen, highest = shown
    kernel_editor.take_over(edit.weight[0], seen.scene.weight[0], prefix="f-")
    painted = retouch.edited_pixels(edit.x[0], seen.scene.x[0], seen.pixels, highest=highest)
    pixels = retouch.read(st.session_state.get("f-retouched", ""))
    st.session_state["f-retouched"] = retouch.write(pixels | painted)


def choose_picture() -> tuple[np.ndarray, int, str]:
    name = controls.choice(
        "Picture",
        [*IMAGES, OWN],
        key="f-picture",
        default=FIRST_PICTURE,
        format=lambda name: "Your own picture" if name == OWN else IMAGES[name].title,
    )
    raw = choose_upload() if name == OWN else None
    name = FIRST_PICTURE if name == OWN else name
    bundled = IMAGES[name]
    if raw is None:
        st.caption(f"Picture: {bundled.credit} ({bundled.licence}).")
    size = choose_size() if bundled.highest == 255 else max(bundled.read().shape)
    pixels, code = load_bundled(name, size), f'images.load("{name}", size={size})'
    if raw is not None:
        with page.errors_in_place():
            pixels = read_upload(raw, size)
            code = f'images.fit(images.decode(open("my-picture.png", "rb").read()), size={size})'
    if pixels.ndim == 3 and controls.choice("Colour", [GREY, PER_CHANNEL], key="f-colour") == GREY:
        pixels, code = images.to_grey(pixels), f"images.to_grey({code})"
    return lay_retouched_over(pixels, bundled.highest, code, upload=raw)


def lay_retouched_over(
    picture: np.ndarray, highest: int, code: str, *, upload: bytes | None
) -> tuple[np.ndarray, int, str]:
    state = st.session_state
    base = (code, upload and hash(upload))
    if state.setdefault("f-retouched-base", base) != base:
        state["f-retouched-base"], state["f-retouched"] = base, ""
    # A link does not carry an upload, so it does not carry what was painted on it.
    kept = {"key": "f-retouched", "max_chars": 0 if upload else retouch.MAX_CHARS}
    pixels = retouch.read(controls.hidden(**kept))
    picture, pixels = retouch.lay_over(picture, pixels, highest=highest)
    state["f-retouched"] = retouch.write(pixels)  # without those that are as they were
    text = controls.hidden(**kept)
    if pixels:
        how_many = "1 pixel is retouched." if len(pixels) == 1 else f"{len(pixels):,} pixels are retouched."
        st.caption(
            how_many if len(text) <= kept["max_chars"] else f"{how_many} The link does not carry this."
        )
        st.button(
            "Undo the retouching",
            key="f-undo",
            icon=":material/undo:",
            on_click=controls.set_values,
            args=({"f-retouched": ""},),
        )
    return picture, highest, f"picture = {code}\n{retouch.code(picture, pixels)}"


def choose_upload() -> bytes | None:
    file = st.file_uploader(
        "A picture of up to 5 MB",
        type=[*map(str.lower, images.FORMATS), "jpg"],
        max_upload_size=images.MAX_BYTES // 2**20,
        key="f-upload",
    )
    st.caption(
        "An uploaded picture is not in the link. It is gone when you choose another or leave the page."
    )
    return file.getvalue() if file else None


def choose_size() -> int:
    return controls.integer(
        "Input size",
        key="f-size",
        default=FIRST_SIZE,
        low=8,
        high=224,
        step=8,
        help=f"Pixels along the longer side. Up to {explorer.MAX_SIZE}, the whole picture shows its numbers.",
    )


def choose_setup() -> Slide:
    picture = choose_picture()
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


def is_small(shown: Slide) -> bool:
    return max(shown.shape) <= explorer.MAX_SIZE


def choose_look(shown: Slide) -> bool:
    look = controls.choice(
        "Output as",
        [AUTOMATIC, SIGNED, PICTURE],
        key="f-look",
        help="Signed colours, or a picture whose values are cut off at black and white. Automatic takes a "
        "picture where the cells add up to 1, which keeps the brightness.",
    )
    return look == PICTURE or (look == AUTOMATIC and math.isclose(shown.kernel.sum(), 1))


def choose_channel(shown: Slide) -> int:
    if shown.picture.ndim == 2:
        return 0
    return CHANNELS.index(controls.choice("Channel", CHANNELS, key="f-channel"))


def choose_part(shown: Slide, height: int, width: int) -> Part:
    first, second = st.columns(2, wrap=False)
    shared = {"low": 0, "as_box": True, "help": "The part lies around this output."}
    with first:
        row = controls.integer("Output row", key="f-row", default=FIRST_ROW, high=height - 1, **shared)
    with second:
        column = controls.integer(
            "Output column", key="f-column", default=FIRST_COLUMN, high=width - 1, **shared
        )
    return part.cut(shown, channel=choose_channel(shown), at=(row, column), size=PART_SIZE)


def height_for(shape: tuple[int, int], *, width: int, rest: int) -> int:
    """Leave room for a grid of this shape about as wide as its column, and for what is above and below it."""
    rows, columns = shape
    return rest + round(width * min(max(rows / columns, 0.3), 1.2))


def draw_outputs(shown: Slide, *, as_picture: bool) -> dict[str, Any]:
    y = shown.y[:, 0].astype(np.float32)  # (1 or 3, H_out, W_out)
    look = {
        "show_scale": True,
        "within": shown.shape if shown.stride == 1 else None,
        "height": height_for(shown.shape, width=264, rest=76),
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


def show_figures(shown: Slide, seen: Part, *, as_picture: bool) -> None:
    palette = page.palette()
    picture = grids.picture(
        shown.picture,
        title="Picture",
        vmax=shown.highest,
        show_scale=True,
        height=height_for(shown.shape, width=264, rest=76),
        palette=palette,
    )
    grids.outline(picture, seen.rows.inside, seen.columns.inside, palette=palette)
    outputs = draw_outputs(shown, as_picture=as_picture)
    places = [*st.columns(2)] if len(outputs) == 1 else [*st.columns(2), *st.columns(2)]
    with places[0]:
        page.figure(picture, key="f-input", alt=f"The picture. {part.describe(seen)}")
    for place, (name, output) in zip(places[1:], outputs.items(), strict=True):
        grids.outline(output, seen.rows.outputs, seen.columns.outputs, palette=palette)
        with place:
            page.figure(output, key=f"f-{name}", alt=f"{name}. {slide.describe(shown)}")


def book_example(shown: Slide, seen: Part) -> tuple[np.ndarray | None, np.ndarray | None]:
    picture, kernel = load_bundled("book-edge", 8) * shown.highest, KERNELS["book-columns"].values
    x, weight = seen.scene.x, seen.scene.weight
    return (
        picture[None] if x.shape[1:] == picture.shape else None,
        kernel[None] if weight.shape[1:] == kernel.shape else None,
    )


def explore(shown: Slide, seen: Part, *, as_picture: bool = False) -> None:
    st.session_state[SHOWN] = seen, shown.highest
    explorer.show(
        seen.scene,
        prefix="f-",
        channel=seen.channel,
        part=(st.session_state["f-retouched-base"], seen.rows.outputs, seen.columns.outputs),
        first=seen.first,
        grey=shown.highest,
        grey_output=as_picture,
        highest=shown.highest,
        book=book_example(shown, seen),
    )


def describe_editing(shown: Slide) -> None:
    st.caption(
        f"Pixels are whole numbers from 0 to {shown.highest}. What you write into the input is painted on the "
        "picture. What you write into the kernel makes it your own."
    )


def describe(shown: Slide, *, as_picture: bool) -> None:
    page.reading(slide.describe(shown))
    st.caption(slide.describe_range(shown, as_picture=as_picture))


def show(shown: Slide, below: DeltaGenerator) -> None:
    height, width = shown.y.shape[2:]  # refused before anything is drawn, if the kernel does not fit
    if is_small(shown):
        explore(shown, part.cut(shown, channel=choose_channel(shown)))
        describe(shown, as_picture=False)
        describe_editing(shown)
        return
    figures = st.container()
    as_picture = choose_look(shown)
    seen = choose_part(shown, height, width)
    st.caption(part.describe(seen))
    with figures:
        show_figures(shown, seen, as_picture=as_picture)
        describe(shown, as_picture=as_picture)
    with below:
        st.subheader("A part of the picture, number by number", anchor=False)
        explore(shown, seen, as_picture=as_picture)
        describe_editing(shown)


def tried_settings() -> list[page.Setting]:
    book = {"f-picture": "book-edge", "f-pin": "output.0.2.1"}
    return [
        page.Setting(
            "The book's edges",
            "Subtract the right neighbour. Why is one edge positive, the other negative, and all else 0?",
            book | {"f-kernel": "book-columns"},
        ),
        page.Setting(
            "Its transpose",
            "Subtract the lower neighbour instead. Every output is 0. Which picture would this kernel answer to?",
            book | {"f-kernel": "book-rows"},
        ),
        page.Setting(
            "Sobel on a photograph",
            "Upright edges light up. Which edges are missing? Flip the kernel: what changes?",
            {"f-size": 224, "f-row": 74, "f-column": 72, "f-pin": "output.0.5.5"},
        ),
        page.Setting(
            "Blur in colour",
            "Each channel is averaged alone. Which details disappear? Now choose Sharpen: which come out?",
            {"f-picture": "chelsea", "f-colour": PER_CHANNEL, "f-kernel": "box-blur-5", "f-size": 160}
            | {"f-row": 40, "f-column": 56, "f-pin": "output.0.4.4"},
        ),
    ]


def explain(shown: Slide) -> None:
    page.explanation()
    if shown.flipped:
        st.markdown(
            "Flipped, this is the **convolution** of mathematics. The kernel's indices run backwards:"
        )
    else:
        st.markdown("This is a **cross-correlation**. The kernel lies on the picture just as it is written:")
    st.latex(slide.write_formula(shown))
    st.markdown(
        "The same cells are used at every place. So a pattern is found wherever it is, and away from the border "
        "a shifted picture gives a shifted output."
    )
    st.markdown(slide.explain_sums(shown.kernel) + slide.EXPLANATION.lstrip())


def main() -> None:
    page.header(
        "Filters",
        "What does sliding a small kernel over a picture find?",
        ideas=["kernel", "cross-correlation", "convolution", "signed output"],
    )
    controls.reserve({"f-size": FIRST_SIZE, "f-colour": GREY, "f-channel": CHANNELS[0], "f-look": AUTOMATIC})
    controls.reserve({"f-row": FIRST_ROW, "f-column": FIRST_COLUMN})
    take_edits()
    left, right = st.columns([1, 2], gap="medium")
    with left:
        shown = choose_setup()
    below = st.container()
    with right, page.errors_in_place():
        show(shown, below)
    page.try_this(tried_settings(), prefix="f-")
    explain(shown)
    ours, torch = slide.write_code(shown)
    page.in_code(ours=ours, torch=torch)


main()
