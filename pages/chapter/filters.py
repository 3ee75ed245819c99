import math
from typing import Any

import numpy as np
import streamlit as st

from cnn_core import cells, images, ops
from cnn_core.images import IMAGES
from cnn_core.plots import grids
from ui import controls, kernel_editor, page, slide
from ui.slide import CHANNELS, Slide

OWN, FIRST_PICTURE, FIRST_KERNEL = "your-own", "camera", "sobel-x"
FIRST_SIZE, FIRST_ROW, FIRST_COLUMN = 128, 42, 41
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
    return pixels, bundled.highest, code


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
        help="Pixels along the longer side. At 8, each cell shows its number.",
    )


def choose_setup() -> tuple[Slide, bool]:
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
    look = controls.choice(
        "Output as",
        [AUTOMATIC, SIGNED, PICTURE],
        key="f-look",
        help="Signed colours, or a picture whose values are cut off at black and white. Automatic takes a "
        "picture where the cells add up to 1, which keeps the brightness.",
    )
    as_picture = look == PICTURE or (look == AUTOMATIC and math.isclose(kernel.sum(), 1))
    padding_mode = None if mode == NO_PADDING else mode
    return Slide(*picture, kernel, flipped, stride, padding_mode), as_picture


def choose_output(y: np.ndarray) -> tuple[int, int, int]:
    height, width = y.shape[2:]
    first, second = st.columns(2, wrap=False)
    with first:
        row = controls.integer(
            "Output row", key="f-row", default=FIRST_ROW, low=0, high=height - 1, as_box=True
        )
    with second:
        column = controls.integer(
            "Output column", key="f-column", default=FIRST_COLUMN, low=0, high=width - 1, as_box=True
        )
    channel = controls.choice("Channel", CHANNELS, key="f-channel") if len(y) > 1 else CHANNELS[0]
    return CHANNELS.index(channel), row, column


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


def show_figures(shown: Slide, seen: ops.ConvTerms, *, row: int, column: int, as_picture: bool) -> None:
    palette = page.palette()
    picture = grids.picture(
        shown.picture,
        title="Picture",
        vmax=shown.highest,
        show_scale=True,
        height=height_for(shown.shape, width=264, rest=76),
        palette=palette,
    )
    grids.outline(picture, seen.rows, seen.columns, palette=palette)
    outputs = draw_outputs(shown, as_picture=as_picture)
    places = [*st.columns(2)] if len(outputs) == 1 else [*st.columns(2), *st.columns(2)]
    with places[0]:
        words = f"The picture. The window of output row {row}, column {column} is framed."
        page.figure(picture, key="f-input", alt=words)
    for place, (name, output) in zip(places[1:], outputs.items(), strict=True):
        grids.outline(output, range(row, row + 1), range(column, column + 1), palette=palette)
        with place:
            page.figure(output, key=f"f-{name}", alt=f"{name}. {slide.describe(shown)}")
    page.reading(slide.describe(shown))
    st.caption(slide.describe_range(shown, as_picture=as_picture))


def work_out(shown: Slide, seen: ops.ConvTerms, *, channel: int, row: int, column: int) -> None:
    summed = cells.whole_sum(seen.window[0], seen.weight[0])
    look = {
        "height": height_for(summed.cells.shape, width=150, rest=40),
        "cell_size": 150 / max(summed.cells.shape),
        "palette": page.palette(),
    }
    window = "Window" if len(shown.y) == 1 else f"Window in {CHANNELS[channel]}"
    kernel = "Flipped kernel" if shown.flipped else "Kernel"
    kernel = kernel if summed.denominator == 1 else f"{kernel} x {summed.denominator}"
    drawn = (
        (window, summed.window, grids.picture(summed.window, title=window, vmax=shown.highest, **look)),
        (kernel, summed.cells, grids.signed(summed.cells, title=kernel, **look)),
        ("Products", summed.products, grids.signed(summed.products, title="Products", **look)),
    )
    for number, (place, (name, array, drawing)) in enumerate(zip(st.columns(3), drawn, strict=True)):
        with place:
            page.figure(drawing, key=f"f-term-{number}", alt=f"{name}, row by row: {array.tolist()}")
    st.markdown(slide.describe_window(shown, seen))
    st.markdown(slide.write_sum(summed, (row, column)))


def show(shown: Slide, *, as_picture: bool) -> None:
    y = shown.y  # refused before anything is drawn, if the kernel does not fit
    figures = st.container()
    st.subheader("One output, worked out", anchor=False)
    channel, row, column = choose_output(y)
    seen = ops.conv2d_terms(shown.x, shown.weight, at=(channel, 0, row, column), **shown.how)
    with figures:
        show_figures(shown, seen, row=row, column=column, as_picture=as_picture)
    work_out(shown, seen, channel=channel, row=row, column=column)


def tried_settings() -> list[page.Setting]:
    book = {"f-picture": "book-edge", "f-row": 2, "f-column": 1}
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
            {"f-picture": "camera", "f-size": 224, "f-kernel": "sobel-x"},
        ),
        page.Setting(
            "Blur in colour",
            "Each channel is averaged alone. Which details disappear? Now choose Sharpen: which come out?",
            {"f-picture": "chelsea", "f-colour": PER_CHANNEL, "f-kernel": "box-blur-5", "f-size": 160},
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
    controls.reserve({"f-size": FIRST_SIZE, "f-colour": GREY, "f-channel": CHANNELS[0]})
    left, right = st.columns([1, 2], gap="medium")
    with left:
        shown, as_picture = choose_setup()
    with right, page.errors_in_place():
        show(shown, as_picture=as_picture)
    page.try_this(tried_settings(), prefix="f-")
    explain(shown)
    ours, torch = slide.write_code(shown)
    page.in_code(ours=ours, torch=torch)


main()
