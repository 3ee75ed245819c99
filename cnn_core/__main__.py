"""The terminal: ``python -m cnn_core train|summary|data|experiment``. It needs neither Streamlit nor Plotly."""

import sys
from collections.abc import Sequence

from cnn_core.commands import INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Returns:
        0; 1 if a training failed, 2 for a user's mistake, 130 after Ctrl-C, 141 if nobody reads the output any more.
    """
    try:
        from cnn_core.commands import terminal  # here, because Ctrl-C may come while it is imported

        return terminal.run(arguments)
    except KeyboardInterrupt:
        print("cnn_core: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
