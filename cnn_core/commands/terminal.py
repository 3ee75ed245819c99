"""From arguments to an exit status: which command is meant, and what is said of its errors."""

import argparse
import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import TextIO

from cnn_core.commands import CLOSED_PIPE, FAILED, USER_ERROR, data, experiment, summary, train
from cnn_core.data import DataUnavailable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str):
        self.exit(USER_ERROR, f"{self.prog}: {message}\n")


def run(arguments: Sequence[str] | None) -> int:
    """Run one command and return its exit status; Ctrl-C is left to the caller."""
    try:
        return _run(arguments)
    except BrokenPipeError:  # as in `| head`: nothing is wrong, and nobody is there to be told
        _discard(sys.stdout)
        _discard(sys.stderr)
        return CLOSED_PIPE


def _run(arguments: Sequence[str] | None) -> int:
    try:
        try:
            options = _parser().parse_args(arguments)
            return options.command(options)
        finally:
            _flush()
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError, DataUnavailable) as error:
        # Of a notation, two more lines point at the place.
        print(f"cnn_core: {_words(error)}", file=sys.stderr)
        return USER_ERROR
    except (MemoryError, RuntimeError) as error:
        # torch has an error of its own for a GPU's memory, and none for the machine's.
        if not (
            isinstance(error, MemoryError) or re.search("(out of|not enough|allocate) memory", str(error))
        ):
            raise
        print("cnn_core: the memory is not enough: try a smaller batch_size or network", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="cnn_core", description="Convolutional networks in a terminal.")
    commands = parser.add_subparsers(required=True, metavar="train|summary|data|experiment")
    for each in (train, summary, data, experiment):
        each.add_parser(commands)
    return parser


def _words(error: Exception) -> str:
    """Say what is wrong; a disk that is full while no file is named is that of the output."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    if error.errno in _FULL:
        return f"the output could not be written ({error.strerror}): make room or send it elsewhere"
    return error.strerror


def _flush() -> None:
    """Write what is left of the output while an error can still be told."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        _discard(sys.stdout)
        raise


def _discard(stream: TextIO | None) -> None:
    """Let a stream end in nothing: Python writes what is left in it at its own end, and would fail once more."""
    if stream:  # which is missing where the program was started without
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), stream.fileno())
