"""The picture of the page Filters: one that is always here, a file, or one from the visitor's camera."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from cnn_core import images
from cnn_core.images import IMAGES
from ui import controls, explorer, page
from ui.chapter import retouch
from ui.wording import credit

FIRST, FIRST_SIZE = "camera", 128
OWN, WEBCAM = "your-own", "webcam"
GREY, PER_CHANNEL = "grey", "per channel"
SETTINGS = {"f-picture": FIRST, "f-size": FIRST_SIZE}
"""The controls that lead back to a picture into which every kernel fits."""

SLIDE_SHOWN = "f-shown"
"""What the look with the explorer showed last, pixels among it, so that an edit of these can be told."""

_UPLOADED = "f-uploaded"

_TITLES = {name: picture.title for name, picture in IMAGES.items()}
_TITLES |= {OWN: "Your own picture", WEBCAM: "A picture from your webcam"}


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the page works with it.

    Attributes:
        pixels: uint8, shape (H, W), or (H, W, 3).
        highest: Value of the brightest possible pixel.
        code: Python that gives `pixels`.
        upload: The file, if the visitor brought one.
    """

    pixels: np.ndarray
    highest: int
    code: str
    upload: bytes | None = None


@st.cache_data(max_entries=64, show_spinner=False)
def load(name: str, size: int) -> np.ndarray:
    """Return a picture that is always here, its longest side at most so many pixels."""
    return images.load(name, size=size)


def forget_upload() -> None:
    """Let go of what a visitor brought."""
    st.session_state.pop(_UPLOADED, None)


def put_slide_away() -> None:
    """Let go of what the look with the explorer keeps, while another look is shown."""
    explorer.step_back("f-")
    st.session_state.pop(SLIDE_SHOWN, None)


def _read_upload(raw: bytes, size: int) -> np.ndarray:
    """Read a file once, for this visit alone: a cache would keep it for longer, and share it."""
    key = hash(raw), size
    before, pixels = st.session_state.pop(_UPLOADED, (None, None))
    if before != key:
        pixels = images.fit(images.decode(raw), size=size)
    st.session_state[_UPLOADED] = key, pixels
    return pixels


def choose(*, in_colour: bool) -> Picture:
    """Choose the picture, and how large it is; what cannot be read leaves the first picture.

    Args:
        in_colour: Whether a picture in colour may stay so; else it is turned into grey.
    """
    name = controls.choice(
        "Picture", list(_TITLES), key="f-picture", default=FIRST, format=_TITLES.__getitem__
    )
    raw = {OWN: _choose_file, WEBCAM: _take_photograph}.get(name, lambda: None)()
    name = name if name in IMAGES else FIRST
    bundled = IMAGES[name]
    if raw is None:
        forget_upload()
        st.caption(credit(name))
    size = _choose_size() if bundled.highest == 255 else max(bundled.read().shape)
    pixels, code = load(name, size), f'images.load("{name}", size={size})'
    if raw is not None:
        with page.errors_in_place():
            pixels = _read_upload(raw, size)
            code = f'images.fit(images.decode(open("my-picture.png", "rb").read()), size={size})'
    is_grey = pixels.ndim == 2
    if not is_grey and not (in_colour and _choose_colour() == PER_CHANNEL):
        pixels, code = images.to_grey(pixels), f"images.to_grey({code})"
    return Picture(pixels, bundled.highest, code, raw)


def lay_retouched_over(picture: Picture) -> tuple[np.ndarray, int, str]:
    """Paint over the picture what the visitor has painted; another picture begins untouched.

    Returns:
        What `Slide` takes: the pixels, the highest value, and the code that assigns `picture`.
    """
    state = st.session_state
    base = (picture.code, picture.upload and hash(picture.upload))
    if state.setdefault("f-retouched-base", base) != base:
        state["f-retouched-base"], state["f-retouched"] = base, ""
    # A link does not carry an upload, so it does not carry what was painted on it.
    kept = {"key": "f-retouched", "max_chars": 0 if picture.upload else retouch.MAX_CHARS}
    painted = retouch.read(controls.hidden(**kept))
    pixels, painted = retouch.lay_over(picture.pixels, painted, highest=picture.highest)
    state["f-retouched"] = retouch.write(painted)  # without those that are as they were
    text = controls.hidden(**kept)
    if painted:
        _show_retouched(len(painted), is_in_link=len(text) <= kept["max_chars"])
    return pixels, picture.highest, f"picture = {picture.code}\n{retouch.code(pixels, painted)}"


def offer_photograph(*, key: str) -> None:
    """Offer the way out where a kernel does not fit: a picture that is large enough for all of them."""
    st.button(
        "Take the photograph",
        key=key,
        icon=":material/photo_camera:",
        on_click=controls.set_values,
        args=(SETTINGS,),
    )


def _show_retouched(how_many: int, *, is_in_link: bool) -> None:
    words = "1 pixel is retouched." if how_many == 1 else f"{how_many:,} pixels are retouched."
    st.caption(words if is_in_link else f"{words} The link does not carry this.")
    st.button(
        "Undo the retouching",
        key="f-undo",
        icon=":material/undo:",
        on_click=controls.set_values,
        args=({"f-retouched": ""},),
    )


def _choose_file() -> bytes | None:
    file = st.file_uploader(
        "A picture of up to 5 MB",
        type=[*map(str.lower, images.FORMATS), "jpg"],
        max_upload_size=images.MAX_BYTES // 2**20,
        key="f-upload",
    )
    st.caption(
        "An uploaded picture is not in the link. It is gone when you choose another or close this tab."
    )
    return file.getvalue() if file else None


def _take_photograph() -> bytes | None:
    photograph = st.camera_input("A picture from your webcam", key="f-webcam", resolution="480p")
    if photograph:
        st.caption("Your picture is not in the link. It is gone when you choose another or close this tab.")
        return photograph.getvalue()
    st.caption(
        f"Your browser asks whether this page may use the camera. If you refuse, or if there is no camera, nothing "
        f"is lost: the page works with *{IMAGES[FIRST].title}*. A file does as well."
    )
    st.button(
        "Choose a file instead",
        key="f-no-webcam",
        icon=":material/upload_file:",
        on_click=controls.set_values,
        args=({"f-picture": OWN},),
    )
    return None


def _choose_size() -> int:
    return controls.integer(
        "Input size",
        key="f-size",
        default=FIRST_SIZE,
        low=8,
        high=224,
        step=8,
        help=f"Pixels along the longer side. Up to {explorer.MAX_SIZE}, the whole picture shows its numbers.",
    )


def _choose_colour() -> str:
    return controls.choice("Colour", [GREY, PER_CHANNEL], key="f-colour")
