import io
import pickle
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnn_core import images
from cnn_core.images import IMAGES, ImageRejected, decode

GREY = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}}


def encode(image, file_format="PNG", **options):
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def png(width, height, bit_depth, colour_type, rows, *, transparent=None):
    """Write a PNG by hand, for what Pillow cannot write."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    transparency = b"" if transparent is None else chunk(b"tRNS", transparent)
    lines = b"".join(b"\0" + row for row in rows)
    body = chunk(b"IHDR", header) + transparency + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def frames(count=3):
    return [Image.fromarray(np.full((6, 7), 60 * i, np.uint8)) for i in range(count)]


@pytest.mark.parametrize("file_format", LOSSLESS)
def test_a_colour_picture_comes_back_as_it_was(file_format):
    assert np.array_equal(decode(encode(COLOUR, file_format, **LOSSLESS[file_format])), COLOUR)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF"])
def test_a_grey_picture_stays_grey(file_format):
    assert np.array_equal(decode(encode(GREY, file_format)), GREY)


@pytest.mark.parametrize("image", [GREY, COLOUR])
def test_a_jpeg_comes_back_nearly_as_it_was(image):
    decoded = decode(encode(image, "JPEG", quality=100, subsampling=0))
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).max() <= 6


@pytest.mark.parametrize("image", [GREY, COLOUR])
def test_what_is_decoded_can_be_written_to_and_is_contiguous(image):
    decoded = decode(encode(image))
    assert decoded.dtype == np.uint8
    assert decoded.flags.writeable
    assert decoded.flags.c_contiguous


@pytest.mark.parametrize("wrap", [bytearray, memoryview])
def test_bytes_may_come_in_any_wrapping(wrap):
    assert np.array_equal(decode(wrap(encode(GREY))), GREY)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_a_photograph_is_turned_upright(orientation, file_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif, "lossless": True} if file_format == "WEBP" else {"exif": exif}
    raw = encode(COLOUR, file_format, **options)
    with Image.open(io.BytesIO(raw)) as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    assert np.array_equal(decode(raw), upright)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_unknown_orientation_is_left_alone(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode(encode(GREY, exif=exif)), GREY)


def test_16_bits_are_rescaled_by_their_full_range():
    values = np.array([[0, 128, 129, 257], [1000, 32768, 65406, 65535]], np.uint16)
    assert decode(encode(values)).tolist() == [[0, 0, 1, 1], [4, 128, 254, 255]]


def test_16_bits_with_a_dark_range_stay_dark():
    assert decode(encode(np.full((4, 4), 300, np.uint16))).max() == 1


def test_16_bit_colours_are_right_to_one_step():
    values = np.random.default_rng(0).integers(0, 2**16, (5, 6, 3))
    raw = png(6, 5, 16, 2, [row.astype(">u2").tobytes() for row in values])
    assert np.abs(decode(raw) - values / 257).max() <= 1


def test_black_on_transparent_is_black_on_white():
    drawing = np.zeros((4, 4, 4), np.uint8)
    drawing[1:3, 1:3, 3] = 255
    expected = np.full((4, 4, 3), 255)
    expected[1:3, 1:3] = 0
    assert np.array_equal(decode(encode(drawing)), expected)
    assert np.array_equal(decode(encode(drawing, "WEBP", lossless=True)), expected)
    grey = Image.fromarray(drawing).convert("LA")
    assert np.array_equal(decode(encode(grey)), expected[:, :, 0])


def test_half_transparent_is_half_white():
    drawing = np.zeros((2, 2, 4), np.uint8)
    drawing[..., 0], drawing[..., 3] = 200, 128
    np.testing.assert_allclose(decode(encode(drawing)), np.full((2, 2, 3), [228, 127, 127]), atol=1)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (png(2, 1, 8, 0, [b"\x05\x09"], transparent=b"\x00\x05"), [[255, 9]]),
        (png(2, 1, 1, 0, [b"\x40"], transparent=b"\x00\x00"), [[255, 255]]),
        (png(2, 1, 16, 0, [b"\x01\x01\x02\x02"], transparent=b"\x01\x01"), [[255, 2]]),
        (
            png(2, 1, 8, 2, [b"\x01\x02\x03\x04\x05\x06"], transparent=b"\x00\x01\x00\x02\x00\x03"),
            [[[255, 255, 255], [4, 5, 6]]],
        ),
    ],
)
def test_the_colour_that_a_png_names_as_transparent_becomes_white(raw, expected):
    assert decode(raw).tolist() == expected


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_a_palette_gives_its_colours_and_its_transparent_entry_white(file_format):
    picture = Image.new("P", (2, 2))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putdata([0, 1, 1, 0])
    first, second, white = [10, 20, 30], [200, 100, 50], [255, 255, 255]
    assert decode(encode(picture, file_format)).tolist() == [[first, second], [second, first]]
    transparent = encode(picture, file_format, transparency=0)
    assert decode(transparent).tolist() == [[white, second], [second, white]]


def test_a_palette_of_greys_gives_a_grey_picture():
    picture = Image.new("P", (2, 1))
    picture.putpalette([30, 30, 30, 200, 200, 200])
    picture.putdata([1, 0])
    assert decode(encode(picture, "GIF")).tolist() == [[200, 30]]
    assert decode(encode(picture, "PNG", transparency=0)).tolist() == [[200, 255]]


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF"])
def test_a_picture_of_single_bits_becomes_black_and_white(file_format):
    bits = Image.fromarray(GREY > 100)
    assert np.array_equal(decode(encode(bits, file_format)), np.where(GREY > 100, 255, 0))


def test_a_cmyk_jpeg_has_the_colours_that_pillow_gives_it():
    blocks = np.zeros((16, 32, 4), np.uint8)
    blocks[:, 16:] = [0, 255, 255, 0]
    decoded = decode(encode(Image.fromarray(blocks, "CMYK"), "JPEG", quality=100))
    np.testing.assert_allclose(decoded[8, [8, 24]], [[255, 255, 255], [255, 0, 0]], atol=3)


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "WEBP"])
def test_an_animation_gives_its_first_frame(file_format):
    first, *others = frames()
    raw = encode(first, file_format, save_all=True, append_images=others)
    decoded = decode(raw)
    assert decoded.shape[:2] == (6, 7)
    assert not decoded.any()


def test_a_telephones_photograph_is_read_at_half_its_size():
    raw = encode(Image.new("RGB", (4032, 3024), (200, 100, 50)), "JPEG")
    decoded = decode(raw)
    assert decoded.shape == (1512, 2016, 3)
    np.testing.assert_allclose(decoded[700, 900], [200, 100, 50], atol=3)


def test_the_largest_screen_is_read_in_full():
    assert decode(encode(Image.new("1", (3840, 2160)))).shape == (2160, 3840)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "file is empty: choose a picture"),
        (bytes(5 * 2**20 + 1), "file size 5.1 MB exceeds 5 MB: save the picture smaller"),
        (png(9400, 9400, 8, 0, []), "picture size 9400 x 9400 exceeds 8.4 million pixels: scale"),
        (png(2**31 - 1, 2**31 - 1, 8, 0, []), "picture exceeds 8.4 million pixels: scale it down"),
        (encode(Image.new("1", (3000, 2900)), "GIF"), "picture size 3000 x 2900 exceeds 8.4 million"),
        (encode(Image.new("L", (3700, 3700)), "JPEG"), "picture size 3700 x 3700 exceeds 13.0 million"),
        (encode(Image.new("L", (16000, 320)), "WEBP"), "picture size 16000 x 320 exceeds 5.0 million"),
    ],
)
def test_what_is_too_large_or_empty_is_refused_with_its_size(raw, message):
    with pytest.raises(ImageRejected, match=f"^{re.escape(message)}"):
        decode(raw)


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("picture.png", encode(GREY))
    return file.getvalue()


NOT_PICTURES = {
    "text": b"hello",
    "one byte": b"\x89",
    "zeros": bytes(1000),
    "EPS named .png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(x) run\n%%EOF\n",
    "PDF": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "HTML": b"<html><img src=x onerror=alert(1)></html>",
    "TIFF": encode(GREY, "TIFF"),
    "ICO": encode(Image.fromarray(GREY).resize((16, 16)), "ICO"),
    "PPM": encode(GREY, "PPM"),
    "TGA": encode(GREY, "TGA"),
    "pickle": pickle.dumps(GREY),
    "zip": zipped(),
    "PNG signature alone": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("raw", NOT_PICTURES.values(), ids=NOT_PICTURES)
def test_what_is_no_picture_is_refused_and_says_what_would_be(raw):
    with pytest.raises(
        ImageRejected, match=r"^file is not a PNG, JPEG, WEBP, GIF or BMP picture: save it as one$"
    ):
        decode(raw)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_picture_cut_off_is_refused_wherever_it_is_cut(file_format):
    raw = encode(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8), file_format)
    for end in range(1, len(raw) * 9 // 10, max(1, len(raw) // 40)):
        with pytest.raises(ImageRejected, match=r"^(picture is damaged|file is not)"):
            decode(raw[:end])


def test_a_jpeg_of_many_scans_is_refused():
    raw = encode(GREY, "JPEG", progressive=True)
    last_scan = raw[raw.rindex(b"\xff\xda") : -2]
    with pytest.raises(
        ImageRejected, match=r"^picture exceeds 25 JPEG scans: save it as an ordinary JPEG or PNG$"
    ):
        decode(raw[:-2] + 40 * last_scan + raw[-2:])


def test_a_png_whose_notes_unpack_to_many_megabytes_is_refused():
    def note(number):
        content = b"k%d\0\0" % number + zlib.compress(bytes(2_000_000))
        return (
            struct.pack(">I", len(content))
            + b"zTXt"
            + content
            + struct.pack(">I", zlib.crc32(b"zTXt" + content))
        )

    raw = encode(GREY)
    with pytest.raises(ImageRejected, match=r"^picture is damaged"):
        decode(raw[:33] + b"".join(map(note, range(50))) + raw[33:])


def test_a_damaged_exif_note_raises_nothing_else():
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = encode(GREY, "JPEG", exif=exif)
    start = raw.index(b"Exif") + 6
    for damage in (b"\xff" * 8, bytes(12), b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff"):
        outcome(raw[:start] + damage + raw[start + len(damage) :])


def outcome(raw):
    """Decode and check what comes out; anything but a picture or ImageRejected fails the test."""
    try:
        image = decode(raw)
    except ImageRejected:
        return "refused"
    assert image.dtype == np.uint8
    assert image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    assert 0 < image.shape[0] * image.shape[1] <= images.MAX_JPEG_PIXELS
    return "read"


def mutated(raw, rng):
    """Flip bytes, cut, repeat or swap parts, or set a size to an extreme."""
    raw = bytearray(raw)
    for _ in range(rng.integers(1, 6)):
        kind, place = rng.integers(5), int(rng.integers(len(raw)))
        length = int(rng.integers(1, 40))
        if kind == 0:
            raw[place] = rng.integers(256)
        elif kind == 1:
            raw[place : place + length] = rng.bytes(length)
        elif kind == 2:
            del raw[place : place + length]
        elif kind == 3:
            raw[place:place] = raw[:length] * 3
        else:
            extreme = int(rng.choice([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]))
            raw[place : place + 4] = struct.pack(rng.choice([">I", "<I"]), extreme)
    return bytes(raw)


SEEDS = {
    "PNG grey": partial(encode, GREY),
    "PNG palette": lambda: encode(Image.fromarray(COLOUR).quantize(16), transparency=3),
    "PNG 16 bits": lambda: encode(GREY.astype(np.uint16) * 257),
    "PNG alpha": lambda: encode(Image.fromarray(COLOUR).convert("RGBA")),
    "PNG animation": lambda: encode(frames()[0], save_all=True, append_images=frames()[1:]),
    "JPEG": partial(encode, COLOUR, "JPEG"),
    "JPEG progressive": lambda: encode(Image.fromarray(COLOUR).convert("CMYK"), "JPEG", progressive=True),
    "JPEG exif": lambda: encode(COLOUR, "JPEG", exif=bytes(Image.Exif().tobytes()) + bytes(40)),
    "GIF animation": lambda: encode(frames()[0], "GIF", save_all=True, append_images=frames()[1:]),
    "WEBP": partial(encode, COLOUR, "WEBP"),
    "WEBP animation": lambda: encode(
        frames()[0].convert("RGBA"), "WEBP", lossless=True, save_all=True, append_images=frames()[1:]
    ),
    "BMP": partial(encode, COLOUR, "BMP"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damaged notes and reads on
@pytest.mark.parametrize("make_seed", SEEDS.values(), ids=SEEDS)
def test_a_mutated_file_is_read_or_refused_and_nothing_else(make_seed):
    seed = make_seed()
    assert outcome(seed) == "read"
    rng = np.random.default_rng(len(seed))
    outcomes = [outcome(mutated(seed, rng)) for _ in range(150)]
    assert "refused" in outcomes


def test_random_bytes_behind_a_signature_are_refused():
    rng = np.random.default_rng(1)
    signatures = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\xff\0\0\0WEBPVP8 ", b"BM"]
    for signature in signatures:
        for _ in range(40):
            with pytest.raises(ImageRejected):
                decode(signature + rng.bytes(200))


def test_grey_weighs_the_colours_as_pillow_does():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (20, 30, 3), np.uint8)
    expected = colours @ [0.299, 0.587, 0.114]
    assert np.abs(images.to_grey(colours) - expected).max() <= 0.51


def test_a_grey_picture_is_grey_already():
    assert images.to_grey(GREY) is GREY


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((300, 400), 100, (75, 100)),
        ((400, 300, 3), 100, (100, 75, 3)),
        ((2, 1000), 10, (1, 10)),
        ((50, 60), 60, (50, 60)),
        ((5, 6), 100, (5, 6)),
    ],
)
def test_fitting_keeps_the_proportions_and_never_enlarges(shape, size, expected):
    assert images.fit(np.full(shape, 7, np.uint8), size=size).shape == expected


def test_fitting_averages_instead_of_dropping_pixels():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    small = images.fit(stripes, size=16)
    assert np.abs(small[:, 2:-2].astype(int) - 128).max() <= 2


def test_fitting_to_nothing_is_refused():
    with pytest.raises(ValueError, match=r"^size 0 is below 1$"):
        images.fit(GREY, size=0)


@pytest.mark.parametrize("name", IMAGES)
def test_every_picture_is_what_its_record_says(name):
    picture = IMAGES[name]
    whole = images.load(name, size=None)
    assert picture.name == name
    assert whole.dtype == np.uint8
    assert whole.ndim == (3 if picture.colour else 2)
    assert whole.max() <= picture.highest
    assert whole.min() < whole.max()
    assert picture.title
    assert picture.credit
    assert picture.licence in ("CC0", "public domain")


@pytest.mark.parametrize("name", IMAGES)
def test_every_picture_loads_at_most_as_large_as_wanted(name):
    assert max(images.load(name).shape) <= 224
    assert max(images.load(name, size=40).shape) <= 40


def test_the_books_picture_is_6_by_8_with_its_middle_columns_zero():
    expected = [[1, 1, 0, 0, 0, 0, 1, 1]] * 6
    assert images.load("book-edge").tolist() == expected
    assert IMAGES["book-edge"].highest == 1


def test_the_disc_looks_the_same_after_a_quarter_turn():
    disc = images.load("disc")
    assert np.array_equal(disc, np.rot90(disc))


def test_the_gradient_rises_by_the_same_step_everywhere():
    assert np.all(np.diff(images.load("gradient").astype(int), axis=1) == 2)


def test_an_unknown_picture_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"^picture 'lena' is not one of camera, coffee, "):
        images.load("lena")


def test_a_photograph_that_is_not_installed_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(images, "find_spec", lambda name: None)
    with pytest.raises(
        FileNotFoundError, match=r"^photograph camera\.png needs scikit-image, which is not installed$"
    ):
        images.load("camera")


def test_pictures_load_without_importing_scikit_image_or_torch():
    code = (
        "import sys; from cnn_core import images, kernels, ops; images.load('camera'); "
        "sys.exit(sorted({'skimage', 'torch', 'streamlit', 'plotly'} & set(sys.modules)) or None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
