"""What several commands share: exit statuses, checks that come before any work, and a table of text."""

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130


def check_threads(number: int | None) -> None:
    """Refuse a number of threads below 1; None leaves it to torch."""
    if number is not None and number < 1:
        raise ValueError(f"threads {number} must be at least 1")


def check_place(path: Path) -> None:
    """Refuse a file that cannot be written, before hours of training; its folder is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror}): name another place to --save") from None


def print_table(lines: Sequence[tuple[str, ...]]) -> None:
    """Print rows of text in columns, the first row as heading: numbers to the right, words to the left."""
    columns = [_aligned(column) for column in zip(*lines, strict=True)]
    for line in zip(*columns, strict=True):
        print("  ".join(line).rstrip())


def _aligned(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    has_numbers = all(cell.replace(",", "").isdigit() for cell in column[1:])
    return [cell.rjust(width) if has_numbers else cell.ljust(width) for cell in column]
