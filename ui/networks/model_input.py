"""What goes through a network: a digit, a photograph or a made signal, brought to the shape of its input."""

import math
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from cnn_core import data, images, signals
from cnn_core.images import IMAGES
from cnn_core.inspection import as_input
from cnn_core.summary import Shape
from ui import controls
from ui.wording import credit

LARGEST_DIGIT = 64
"""Up to this height and width, a grey input is given a digit."""

FIRST_PHOTOGRAPH = "astronaut"
DIGITS = tuple(f"digit-{digit}" for digit in range(10))
PICTURES = tuple(name for name, picture in IMAGES.items() if picture.highest == 255)
SIGNALS = {"heartbeat": "Heartbeat, as an ECG shows it", "tones": "Sum of two tones"}


@dataclass(frozen=True, eq=False)
class Picture:
    """What goes through a network.

    Attributes:
        x: float32 from 0 to 1, of the shape of the input: (C, H, W), (C, L) or (features,).
        shown: How it looks: uint8 (H, W) or (H, W, 3), or a signal (L,) from 0 to 1.
        name: What it is, in words.
        class_names: What the classes are called that it belongs to one of; empty if unknown.
    """

    x: np.ndarray
    shown: np.ndarray
    name: str
    class_names: tuple[str, ...] = ()


def choose(input_shape: Shape, *, key_prefix: str) -> Picture:
    """Draw the control that chooses a picture or a signal, and return what is chosen.

    A small grey input is offered digits, other pictures photographs, a signal two made ones. A vector whose
    length is a square number is a grey picture, row by row; any other is a signal.

    Args:
        input_shape: (C, H, W), (C, L) or (features,); of a size that fits into memory.
        key_prefix: What the key of the control begins with.
    """
    if len(input_shape) == 1:
        side = math.isqrt(input_shape[0])
        if side * side != input_shape[0]:
            return _signal(input_shape, key_prefix)
        picture = choose((1, side, side), key_prefix=key_prefix)
        return Picture(picture.x.ravel(), picture.shown, picture.name, picture.class_names)
    return (_signal if len(input_shape) == 2 else _picture)(input_shape, key_prefix)


def _picture(input_shape: Shape, key_prefix: str) -> Picture:
    channels, height, width = input_shape
    if channels == 1 and max(height, width) <= LARGEST_DIGIT:
        picture = _digit(height, width, key_prefix)
    else:
        picture = _photograph(height, width, key_prefix, colour=channels == 3)
    x = picture.x
    if len(x) != channels:
        x = np.repeat(x, channels, axis=0)
        st.caption(f"The same grey picture on each of the {channels:,} channels.")
    return Picture(x, picture.shown, picture.name, picture.class_names)


def _digit(height: int, width: int, key_prefix: str) -> Picture:
    name = controls.choice(
        "Picture",
        DIGITS,
        key=f"{key_prefix}picture",
        default="digit-7",
        format=lambda name: f"Digit {name[-1]}",
    )
    digits = _test_digits()
    index = int(np.flatnonzero(digits.labels == int(name[-1]))[0])
    st.caption(f"Test picture {index} of MNIST, {digits.images.shape[1]} x {digits.images.shape[2]} pixels.")
    shown = _brought_to(digits.images[index], height, width)
    return Picture(as_input(shown), shown, f"Handwritten {name[-1]}", digits.class_names)


def _photograph(height: int, width: int, key_prefix: str, *, colour: bool) -> Picture:
    name = controls.choice(
        "Picture",
        PICTURES,
        key=f"{key_prefix}picture",
        default=FIRST_PHOTOGRAPH,
        format=lambda name: IMAGES[name].title,
    )
    st.caption(credit(name))
    shown = _photograph_pixels(name, height, width, colour=colour)
    x = as_input(shown)  # (1 or 3, H, W)
    x = np.repeat(x, 3, axis=0) if colour and len(x) == 1 else x
    return Picture(x, shown, IMAGES[name].title)


def _signal(input_shape: Shape, key_prefix: str) -> Picture:
    *channels, length = input_shape
    name = controls.choice("Signal", tuple(SIGNALS), key=f"{key_prefix}picture", format=SIGNALS.get)
    each = "" if channels in ([], [1]) else f" The same on each of the {channels[0]:,} channels."
    st.caption(f"Made by this program, {length:,} numbers from 0 to 1.{each}")
    shown = {"heartbeat": heartbeat, "tones": tones}[name](length)
    x = np.broadcast_to(shown, input_shape).astype(np.float32)
    return Picture(x, shown, SIGNALS[name])


def heartbeat(length: int) -> np.ndarray:
    """Make some beats as an electrocardiogram shows them: about four, or as many as have 32 samples each.

    Args:
        length: Number of samples.

    Returns:
        float32 (length,), from 0 to 1.
    """
    num_beats = min(4, max(1, length // 32))
    beats_per_minute = num_beats * 60 * signals.SAMPLE_RATE / length
    return _from_0_to_1(signals.heartbeat(length, beats_per_minute=beats_per_minute, noise=0, wander=0))


def tones(length: int) -> np.ndarray:
    """Make the sum of a slow and a fast tone: 3 and 16 periods.

    Args:
        length: Number of samples.

    Returns:
        float32 (length,), from 0 to 1.
    """
    turns = 2 * np.pi * np.arange(length) / length
    return _from_0_to_1(np.sin(3 * turns) + 0.4 * np.sin(16 * turns))


def _from_0_to_1(signal: np.ndarray) -> np.ndarray:
    low, high = signal.min(), signal.max()
    return ((signal - low) / (high - low or 1)).astype(np.float32)


@st.cache_resource(max_entries=1, show_spinner="Reading the digits")
def _test_digits() -> data.Dataset:
    return data.load("mnist-5k", split="test")


@st.cache_data(max_entries=16, show_spinner=False)
def _photograph_pixels(name: str, height: int, width: int, *, colour: bool) -> np.ndarray:
    whole = images.load(name, size=None)
    return _brought_to(whole if colour else images.to_grey(whole), height, width)


def _brought_to(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale a picture to a height and a width, and cut off on both sides what its proportions leave over."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(ImageOps.fit(Image.fromarray(image), (width, height), Image.Resampling.LANCZOS))
