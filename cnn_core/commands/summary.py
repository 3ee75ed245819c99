"""The command ``summary``: print the layer table of a network."""

import argparse
from collections.abc import Sequence

from cnn_core.commands.shared import print_table
from cnn_core.data.registry import nearest, unknown
from cnn_core.network import PRESETS, Network, format_layer
from cnn_core.published import INPUT_SHAPE, PUBLISHED, PublishedLayer, layer_table
from cnn_core.shapes import format_shape, parse_shape
from cnn_core.summary import BYTES_PER_NUMBER, LayerSummary, summarize
from cnn_core.training import Settings
from cnn_core.training.settings import find_network


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of ``summary``."""
    summary = commands.add_parser("summary", help="print the layer table of a network")
    summary.set_defaults(command=_execute)
    summary.add_argument(
        "--network",
        default=Settings.network,
        help=f"{', '.join([*PRESETS, *PUBLISHED])}, or a notation such as conv6k5-relu-...",
    )
    published = "x".join(map(str, INPUT_SHAPE))
    summary.add_argument(
        "--input",
        metavar="CxHxW",
        help=f"shape of one picture, or CxL of a signal; 1x28x28 by default, {published} for {', '.join(PUBLISHED)}",
    )


def _execute(options: argparse.Namespace) -> int:
    name = options.network.lower()
    if name in PUBLISHED:
        rows = layer_table(name, parse_shape(options.input) if options.input else INPUT_SHAPE)
        published = PUBLISHED[name]
        print(f"{published.title}. {published.sentence}\n")
        _print_summary(rows, "kind", [row.kind for row in rows])
    else:
        rows = summarize(_network(options.network), parse_shape(options.input or "1x28x28"))
        _print_summary(rows, "notation", [format_layer(row.layer) for row in rows])
    return 0


def _network(text: str) -> Network:
    """Find a preset or read a notation; the error for an unknown name knows the published networks too."""
    try:
        return find_network(text)
    except ValueError:
        if nearest(text, PUBLISHED):
            raise unknown("network", text, [*PRESETS, *PUBLISHED]) from None
        raise


def _print_summary(
    rows: Sequence[LayerSummary | PublishedLayer], heading: str, descriptions: Sequence[str]
) -> None:
    """Print the layer table and its totals; the second column holds the descriptions."""
    lines = [("layer", heading, "output shape", "parameters", "mult-adds", "receptive field", "stride")]
    lines += [
        (
            row.name,
            description,
            _times(row.output_shape),
            f"{row.num_params:,}",
            f"{row.mult_adds:,}",
            _times(row.receptive_field),
            _times(row.effective_stride),
        )
        for row, description in zip(rows, descriptions, strict=True)
    ]
    print_table(lines)
    num_params = sum(row.num_params for row in rows)
    print(f"\nparameters  {num_params:,} ({num_params * BYTES_PER_NUMBER:,} bytes)")
    print(f"mult-adds   {sum(row.mult_adds for row in rows):,} for one picture")
    print(f"activations {sum(row.activation_bytes for row in rows):,} bytes for one picture")


def _times(sizes: tuple[int, ...] | None) -> str:
    return "-" if sizes is None else format_shape(sizes)
