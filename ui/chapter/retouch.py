"""Pixels that a visitor has painted over: their short text for the address, and the picture with them on it."""

import re

import numpy as np

MAX_CHARS = 4000
"""Longest text that still goes into a link."""

MAX_WRITTEN = 64
"""Most retouched pixels that are written out as code."""

_TEXT = re.compile(r"\d{1,6}\.\d{1,3}(_\d{1,6}\.\d{1,3})*", re.ASCII)


def read(text: str) -> dict[int, int]:
    """Read retouched pixels from their text; what is no such text is none.

    Args:
        text: The place in the flat picture and the value of each pixel.

    Returns:
        Place -> value.

    Example:
        >>> read("12.255_13.0"), read("12.255_13")
        ({12: 255, 13: 0}, {})
    """
    if not _TEXT.fullmatch(text):
        return {}
    pairs = (pixel.split(".") for pixel in text.split("_"))
    return {int(place): int(value) for place, value in pairs}


def write(pixels: dict[int, int]) -> str:
    """Write retouched pixels as the text that `read` reads.

    Example:
        >>> write({12: 255, 13: 0})
        '12.255_13.0'
    """
    return "_".join(f"{place}.{value}" for place, value in pixels.items())


def lay_over(
    picture: np.ndarray, pixels: dict[int, int], *, highest: int
) -> tuple[np.ndarray, dict[int, int]]:
    """Paint pixels over.

    Args:
        picture: uint8, any shape; it stays as it is.
        pixels: Place in the flat picture -> value. Places beyond the picture are left out.
        highest: Largest value of a pixel; larger ones are brought down to it.

    Returns:
        The retouched picture, and those pixels that now differ from the untouched one, in order.
    """
    retouched = picture.copy()
    for place, value in pixels.items():
        if place < picture.size:
            retouched.flat[place] = min(value, highest)
    places = np.flatnonzero(retouched != picture)
    return retouched, dict(zip(places.tolist(), retouched.flat[places].tolist(), strict=True))


def edited_pixels(
    edited: np.ndarray, shown: np.ndarray, places: np.ndarray, *, highest: int
) -> dict[int, int]:
    """Find the pixels that a visitor has changed.

    Args:
        edited: Numbers that came from the browser, shape (H, W).
        shown: Numbers that it was shown, same shape.
        places: Where they stand in the flat picture, same shape.
        highest: Largest value of a pixel.

    Returns:
        Place -> value, a whole number from 0 to the highest.
    """
    changed = edited != shown
    values = np.clip(np.rint(edited[changed]), 0, highest).astype(int)
    return dict(zip(places[changed].tolist(), values.tolist(), strict=True))


def code(picture: np.ndarray, pixels: dict[int, int]) -> str:
    """Write the retouching as a line of Python, or say in a comment that it is left out.

    Example:
        >>> print(code(np.zeros((3, 4)), {5: 9, 6: 0}), end="")
        picture[[1, 1], [1, 2]] = [9, 0]
    """
    if not pixels:
        return ""
    if len(pixels) > MAX_WRITTEN:
        return f"# Here the picture is untouched: {len(pixels):,} retouched pixels are too many to write.\n"
    places = ", ".join(str(axis.tolist()) for axis in np.unravel_index(list(pixels), picture.shape))
    return f"picture[{places}] = {list(pixels.values())}\n"
