"""Sums of products in words, such that what is written adds up to what is written behind it."""

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cnn_core import signals
from cnn_core.plots.marked import write

FULL, ROUNDED = 10, 6
"""Digits of a total that has no more, and of one that has."""


def write_sum(numbers: np.ndarray, weights: np.ndarray, *, most: int) -> str:
    """Write numbers times weights and their sum; the products one by one if there are few.

    Args:
        numbers: Shape (n,).
        weights: Shape (n,).
        most: Most products that are written.

    Returns:
        The words. Each number is written in full, and an equals sign stands only where no digit is missing.

    Example:
        >>> write_sum(np.array([0.1, 3]), np.array([1, -1]), most=2)
        '0.1 · 1 + 3 · (−1) = −2.9'
        >>> write_sum(np.array([2, 5]), np.array([1 / 3, 0]), most=2)
        '2 · 1/3 + 5 · 0 ≈ 0.666667'
        >>> write_sum(np.ones(9), np.ones(9), most=2)
        '9 products add up to 9'
    """
    products = numbers * weights
    total = float(signals.settle(products.sum(), np.abs(products).sum()))
    if len(products) > most:
        return f"{len(products)} products add up to {write(total, ROUNDED)}"
    terms = [(_read(number), _read(weight)) for number, weight in zip(numbers, weights, strict=True)]
    written = " + ".join(f"{number.text} · {weight.text}" for number, weight in terms)
    full = write(total, FULL)
    is_full = Fraction(full.replace("−", "-")) == sum(number.exact * weight.exact for number, weight in terms)
    return f"{written} {f'= {full}' if is_full else f'≈ {write(total, ROUNDED)}'}"


class _Number(NamedTuple):
    text: str
    exact: Fraction


# The same few numbers come in window after window.
@lru_cache(maxsize=1000)
def _read(number: float) -> _Number:
    text = signals.write(number)
    return _Number(f"({text.replace('-', '−')})" if number < 0 else text, Fraction(text))
