"""What the fields of a layer may hold: an integer, a (height, width) or a fraction, within limits."""

from dataclasses import MISSING, Field, field
from numbers import Real

from cnn_core.geometry import as_integer

MAX_NUMBER = 999_999_999


def number_field(letter: str = "", *, default=MISSING, minimum: int = 1) -> Field:
    """Declare a field that holds one integer; `letter` is its option in the notation."""
    return field(default=default, metadata={"letter": letter, "minimum": minimum, "pair": False})


def pair_field(letter: str = "", *, default=MISSING, minimum: int = 1) -> Field:
    """Declare a field that holds a (height, width); one integer stands for both."""
    return field(default=default, metadata={"letter": letter, "minimum": minimum, "pair": True})


def fraction_field(letter: str = "", *, default=MISSING) -> Field:
    """Declare a field that holds one number from 0 up to 1, without 1."""
    return field(default=default, metadata={"letter": letter, "pair": False})


def checked(each: Field, value) -> int | float | tuple[int, int] | None:
    """Return a field's value as one integer, as (height, width) or as a fraction, within its limits.

    None stays where it is the default.
    """
    if value is None and each.default is None:
        return None
    numbers = tuple(value) if isinstance(value, tuple | list) else (value,)
    most = 2 if each.metadata["pair"] else 1
    if not 1 <= len(numbers) <= most:
        raise ValueError(
            f"{each.name} {value!r} has {len(numbers)} numbers, not {'1 or 2' if most == 2 else 1}"
        )
    if each.type is float:
        return _as_fraction(numbers[0], each.name)
    numbers = tuple(as_integer(number, each.name, minimum=each.metadata["minimum"]) for number in numbers)
    if max(numbers) > MAX_NUMBER:
        raise ValueError(
            f"{each.name} {max(numbers):,} exceeds {MAX_NUMBER:,} (the largest that a layer takes)"
        )
    return (numbers[0], numbers[-1]) if each.metadata["pair"] else numbers[0]


def _as_fraction(value: object, name: str) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} {value!r} ({type(value).__name__}) is not a number")
    if not (0 <= value < 1 and float(value) < 1):  # a number just below 1 may become the float 1.0
        raise ValueError(f"{name} {value} must be at least 0 and less than 1")
    return abs(float(value))  # -0.0 would be written with a hyphen
