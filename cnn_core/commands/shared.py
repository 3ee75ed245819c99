"""What several commands share: checks that come before any work, and a table of text."""

import argparse
import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MAX_THREADS = 1024
"""More than the processors of most machines; with a hundred times as many the system refuses, and torch crashes."""


def check_threads(number: int | None) -> None:
    """Refuse a number of threads that cannot be had; None leaves it to torch."""
    if number is not None and number < 1:
        raise ValueError(f"threads {number} must be at least 1")
    if number is not None and number > MAX_THREADS:
        raise ValueError(f"threads {number} must be at most {MAX_THREADS}")


def as_path(text: str) -> Path:
    """Read the path of an option; an empty one, as of a variable that is not set, would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty: write one")
    return Path(text)


def check_place(place: Path) -> None:
    """Refuse a file that cannot be written, before hours of training; its folder is made."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place.parent).close()
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise OSError(f"{place} cannot be written ({error.strerror}): name another place to --save") from None


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Have an error of the disk name the place; without a name it is taken for that of the output."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{place} could not be written ({error.strerror})") from None


def print_table(lines: Sequence[tuple[str, ...]]) -> None:
    """Print rows of text in columns, the first row as heading: numbers to the right, words to the left."""
    columns = [_aligned(column) for column in zip(*lines, strict=True)]
    for line in zip(*columns, strict=True):
        print("  ".join(line).rstrip())


def _aligned(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    has_numbers = all(cell.replace(",", "").isdigit() for cell in column[1:])
    return [cell.rjust(width) if has_numbers else cell.ljust(width) for cell in column]
