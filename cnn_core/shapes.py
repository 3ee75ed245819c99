"""The shape of one example as a text: ``1x28x28``."""

MAX_AXES = 3
MAX_SIZE = 1_000_000


def parse_shape(text: str) -> tuple[int, ...]:
    """Read the shape of one example; spaces do not matter.

    Args:
        text: (C, H, W) of a picture, (C, L) of a signal, or the features of a vector, joined by x.

    Returns:
        The sizes, each at least 1.

    Raises:
        ValueError: If a size is missing, is no whole number or out of range, or if there are too many.

    Example:
        >>> parse_shape("3 x 32 x 32"), parse_shape("1x128"), parse_shape("784")
        ((3, 32, 32), (1, 128), (784,))
        >>> parse_shape("28 by 28")
        Traceback (most recent call last):
        ...
        ValueError: input '28 by 28' is not a shape: write it as 1x28x28
    """
    parts = [part.strip() for part in text[:100].lower().replace("×", "x").split("x")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"input {text[:40]!r} is not a shape: write it as 1x28x28")
    shape = tuple(int(part) for part in parts)
    if len(shape) > MAX_AXES:
        raise ValueError(
            f"input {text[:40]!r} has {len(shape)} sizes, not 3 (C, H, W), 2 (C, L) or 1 (features)"
        )
    for size in shape:
        if not 1 <= size <= MAX_SIZE:
            raise ValueError(f"size {size:,} of the input is not between 1 and {MAX_SIZE:,}")
    return shape


def write_shape(shape: tuple[int, ...]) -> str:
    """Write a shape so that `parse_shape` reads it.

    Example:
        >>> write_shape((3, 224, 224))
        '3x224x224'
    """
    return "x".join(map(str, shape))


def format_shape(shape: tuple[int, ...]) -> str:
    """Write a shape as people read it.

    Example:
        >>> format_shape((6, 28, 28)), format_shape((4096,))
        ('6 x 28 x 28', '4,096')
    """
    return " x ".join(f"{size:,}" for size in shape)
