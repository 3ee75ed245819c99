"""The terminal: ``python -m cnn_core train|summary|data|experiment``. It needs neither Streamlit nor Plotly."""

import argparse
import re
import sys
from collections.abc import Sequence

from cnn_core.commands import data, experiment, summary, train
from cnn_core.commands.shared import FAILED, INTERRUPTED, USER_ERROR
from cnn_core.data import DataUnavailable


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str):
        self.exit(USER_ERROR, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 if a training failed, 2 for a user's mistake."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, TypeError, OSError, DataUnavailable) as error:
        named = isinstance(error, OSError) and error.filename and error.strerror
        words = f"{error.filename}: {error.strerror}" if named else error
        print(f"cnn_core: {words}", file=sys.stderr)  # of a notation, two more lines that point at the place
        return USER_ERROR
    except KeyboardInterrupt:
        print("cnn_core: interrupted", file=sys.stderr)
        return INTERRUPTED
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


if __name__ == "__main__":
    sys.exit(main())
