"""Pictures to work on: some that are always here, and the safe reading of those that visitors bring.

A picture is a uint8 array, (H, W) if grey and (H, W, 3) if coloured (red, green, blue); 0 is black.
"""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image, UnidentifiedImageError

from cnn_core.geometry import as_integer

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""What is read. Others are not even tried: some run programs or open further files."""

MAX_BYTES = 5 * 2**20
"""Largest file that is looked at."""

MAX_PIXELS = 2**23
"""Most pixels that are read, a screen of 3840 x 2160, so that reading takes at most 150 MB of memory."""

MAX_WEBP_PIXELS = 5_000_000
"""Most pixels of a WebP, whose decoder keeps several copies."""

MAX_JPEG_PIXELS = 13_000_000
"""Most pixels of a JPEG, whose decoder can halve both sides on the way: a telephone's 4032 x 3024."""

MAX_JPEG_SCANS = 25
"""Most passes over a progressive JPEG; editors make about ten, and each costs time."""

_TURN_UPRIGHT: Mapping[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}
"""EXIF's orientation -> what turns the stored picture upright; 1 is upright already."""

_ORIENTATION = 0x0112


class ImageRejected(ValueError):  # noqa: N818 - says what happened, and pages import it by this name
    """A file that is not read as a picture; the message says why and what helps."""


def decode(raw: bytes) -> np.ndarray:
    """Read a picture file that may come from anybody.

    Upright by its EXIF orientation; transparent parts on white; 16 bits for each pixel rescaled to 8 by their
    full range; the first frame of an animation. A JPEG of more than `MAX_PIXELS` comes out at half its size.

    Args:
        raw: The file's content: PNG, JPEG, WebP, GIF or BMP, whatever its name was.

    Returns:
        uint8, (H, W) for grey or (H, W, 3) for colour.

    Raises:
        ImageRejected: If the file is no such picture, too large, or damaged. Nothing else is raised.

    Example:
        >>> decode(b"%!PS-Adobe-3.0 EPSF-3.0")
        Traceback (most recent call last):
            ...
        cnn_core.images.ImageRejected: file is not a PNG, JPEG, WEBP, GIF or BMP picture: save it as one
    """
    try:
        if len(raw) == 0:
            raise ImageRejected("file is empty: choose a picture")
        if len(raw) > MAX_BYTES:
            sizes = f"{math.ceil(10 * len(raw) / 2**20) / 10} MB exceeds {MAX_BYTES / 2**20:.0f} MB"
            raise ImageRejected(f"file size {sizes}: save the picture smaller")
        with Image.open(io.BytesIO(raw), formats=FORMATS) as picture:
            _check_effort(picture, raw)
            picture.load()
            upright = _TURN_UPRIGHT.get(picture.getexif().get(_ORIENTATION), lambda image: image)
            return np.array(upright(_as_grey_or_colour(picture)), order="C")
    except ImageRejected:
        raise
    except UnidentifiedImageError:
        names = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise ImageRejected(f"file is not a {names} picture: save it as one") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageRejected(f"picture exceeds {_millions(MAX_PIXELS)} pixels: scale it down") from None
    except Exception as error:  # decoders raise dozens of kinds for damaged files, MemoryError included
        raise ImageRejected(
            "picture is damaged or cut off: open it, save it again and use the copy"
        ) from error


def to_grey(image: np.ndarray) -> np.ndarray:
    """Turn colours into brightness: 0.299 red + 0.587 green + 0.114 blue, rounded.

    Args:
        image: uint8, (H, W, 3), or (H, W), which comes back as it is.

    Returns:
        uint8, (H, W).

    References:
        ITU-R Recommendation BT.601, the weights that Pillow uses too.

    Example:
        >>> to_grey(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8))
        array([[ 76, 150,  29]], dtype=uint8)
    """
    return image if image.ndim == 2 else np.array(Image.fromarray(image).convert("L"))


def fit(image: np.ndarray, *, size: int) -> np.ndarray:
    """Scale a picture down until its longest side has a given size; a smaller one comes back as it is.

    Args:
        image: uint8, (H, W) or (H, W, 3).
        size: Longest side allowed, in pixels.

    Returns:
        uint8, same number of axes, same proportions to the nearest pixel.

    Raises:
        TypeError: If the size is not an integer.
        ValueError: If the size is below 1.

    Example:
        >>> fit(np.zeros((300, 400), np.uint8), size=100).shape
        (75, 100)
    """
    size = as_integer(size, "size", minimum=1)
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= size:
        return image
    new_size = (max(1, round(width * size / longest)), max(1, round(height * size / longest)))
    return np.array(Image.fromarray(image).resize(new_size, Image.Resampling.LANCZOS))


@dataclass(frozen=True)
class Picture:
    """A picture that is always here.

    Attributes:
        name: Its key in `IMAGES`.
        title: What it shows.
        credit: Who made it.
        licence: On what terms.
        colour: Whether it has three channels.
        highest: Value of its brightest possible pixel: 255, or 1 where pixels are plain zeros and ones.
        read: Function that gives the whole picture.
    """

    name: str
    title: str
    credit: str
    licence: str
    colour: bool = False
    highest: int = 255
    read: Callable[[], np.ndarray] = field(kw_only=True, repr=False)


def load(name: str, *, size: int | None = 224) -> np.ndarray:
    """Give one of `IMAGES`.

    Args:
        name: A key of `IMAGES`.
        size: Longest side allowed, in pixels; larger pictures are scaled down. None is the whole picture.

    Returns:
        uint8, (H, W) or (H, W, 3).

    Raises:
        ValueError: If there is no picture of this name.
        FileNotFoundError: If the photograph is not installed.

    Example:
        >>> load("book-edge")[0]
        array([1, 1, 0, 0, 0, 0, 1, 1], dtype=uint8)
    """
    if name not in IMAGES:
        raise ValueError(f"picture {name!r} is not one of {', '.join(IMAGES)}")
    image = IMAGES[name].read()
    return image if size is None else fit(image, size=size)


def _check_effort(picture: Image.Image, raw: bytes) -> None:
    """Refuse a picture that would cost too much memory or time; have a large JPEG read at half its size."""
    width, height = picture.size
    is_jpeg = picture.format in ("JPEG", "MPO")
    limit = {"JPEG": MAX_JPEG_PIXELS, "MPO": MAX_JPEG_PIXELS, "WEBP": MAX_WEBP_PIXELS}.get(
        picture.format, MAX_PIXELS
    )
    if width * height > limit:
        sizes = f"{width} x {height} exceeds {_millions(limit)} pixels"
        raise ImageRejected(f"picture size {sizes}: scale it down or cut a part out")
    if is_jpeg and raw.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise ImageRejected(
            f"picture exceeds {MAX_JPEG_SCANS} JPEG scans: save it as an ordinary JPEG or PNG"
        )
    if width * height > MAX_PIXELS:
        picture.draft(None, (width // 2, height // 2))


def _as_grey_or_colour(picture: Image.Image) -> np.ndarray:
    """Bring any of Pillow's modes to uint8, (H, W) or (H, W, 3), with transparent parts on white."""
    if picture.mode.startswith("I"):
        return _from_16_bits(np.asarray(picture), transparent=picture.info.get("transparency"))
    is_grey = picture.mode in ("1", "L", "LA") or _has_grey_palette(picture)
    mode = "L" if is_grey else "RGB"
    if not picture.has_transparency_data:
        return np.asarray(picture.convert(mode))
    picture = picture.convert("LA" if is_grey else "RGBA")
    white = Image.new(mode, picture.size, "white")
    white.paste(picture, mask=picture)
    return np.asarray(white)


def _has_grey_palette(picture: Image.Image) -> bool:
    palette = picture.getpalette()  # red, green, blue, red, ... or None
    return palette is not None and palette[0::3] == palette[1::3] == palette[2::3]


def _from_16_bits(values: np.ndarray, *, transparent: int | None) -> np.ndarray:
    to_8_bits = np.rint(np.arange(2**16) / 257).astype(np.uint8)
    if transparent is not None:
        to_8_bits[transparent] = 255
    return to_8_bits[values]


def _millions(pixels: int) -> str:
    return f"{pixels / 1e6:.1f} million"


def _read_photograph(file_name: str) -> np.ndarray:
    """Read a file beside scikit-image's code without importing it, which would take half a second."""
    package = find_spec("skimage")
    if package is None:
        raise FileNotFoundError(f"photograph {file_name} needs scikit-image, which is not installed")
    return decode((Path(package.submodule_search_locations[0]) / "data" / file_name).read_bytes())


def _draw_book_edge() -> np.ndarray:
    image = np.ones((6, 8), np.uint8)
    image[:, 2:6] = 0
    return image


def _draw_checkerboard(size: int = 128, square: int = 16) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] // square
    return (255 * ((rows + columns) % 2)).astype(np.uint8)


def _draw_disc(size: int = 128) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    return np.where(np.hypot(rows, columns) < size / 3, 255, 0).astype(np.uint8)


def _draw_gradient(height: int = 128) -> np.ndarray:
    return np.tile(np.arange(0, 256, 2, dtype=np.uint8), (height, 1))


def _photograph(
    name: str, suffix: str, title: str, credit: str, licence: str = "CC0", *, colour: bool = False
) -> Picture:
    return Picture(name, title, credit, licence, colour, read=partial(_read_photograph, f"{name}{suffix}"))


_drawing = partial(Picture, credit="drawn by this program", licence="CC0")

_ALL = (
    _photograph("camera", ".png", "Photographer with a camera", "Lav Varshney"),
    _photograph("coffee", ".png", "Cup of coffee", "Rachel Michetti, Pikolo Espresso Bar", colour=True),
    _photograph("chelsea", ".png", "Chelsea the cat", "Stefan van der Walt", colour=True),
    _photograph("astronaut", ".png", "Astronaut Eileen Collins", "NASA", "public domain", colour=True),
    _photograph("rocket", ".jpg", "Rocket before its launch", "SpaceX", "public domain", colour=True),
    _photograph("brick", ".png", "Brick wall", "CC0 Textures, Bricks25"),
    _photograph("grass", ".png", "Grass", "linolafett, DeviantArt"),
    _photograph("gravel", ".png", "Gravel", "CC0 Textures, Gravel04"),
    _drawing("book-edge", "The book's small picture, 6 x 8", highest=1, read=_draw_book_edge),
    _drawing("checkerboard", "Checkerboard", read=_draw_checkerboard),
    _drawing("disc", "Disc, with edges in all directions", read=_draw_disc),
    _drawing("gradient", "Slope from black to white", read=_draw_gradient),
)

IMAGES: Mapping[str, Picture] = MappingProxyType({picture.name: picture for picture in _ALL})
"""Name -> picture, in the order in which a page lists them. The photographs come with scikit-image."""
