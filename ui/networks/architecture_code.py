"""The network as code: with this package, with PyTorch, in a terminal, as a table."""

import csv
import io
from collections.abc import Sequence

from cnn_core.network import format_layer
from cnn_core.published import PUBLISHED
from cnn_core.shapes import write_shape
from cnn_core.source import source
from cnn_core.summary import LayerSummary
from ui.networks.chosen_network import Chosen


def ours(chosen: Chosen) -> str:
    """Write a program that makes the layer table and calls its parameters `y`."""
    if chosen.is_published:
        made = (
            "from cnn_core.published import layer_table\n\n"
            f'rows = layer_table("{chosen.text}", {chosen.input_shape})'
        )
    else:
        made = (
            "from cnn_core.network import parse\nfrom cnn_core.summary import summarize\n\n"
            f'network = parse("{chosen.text}")\nrows = summarize(network, {chosen.input_shape})'
        )
    return f"""\
{made}
for row in rows:
    print(row.name, row.output_shape, row.num_params, row.mult_adds)
y = sum(row.num_params for row in rows)
"""


def pytorch(chosen: Chosen) -> str:
    """Write the network as a class of PyTorch."""
    return source(chosen.network, chosen.input_shape)


def torch(chosen: Chosen) -> str:
    """Write the network in PyTorch; the program calls its number of parameters `y`."""
    if chosen.is_published:
        made = f"""\
import torch
import torchvision

with torch.device("meta"):  # shapes without numbers
    network = torchvision.models.{PUBLISHED[chosen.text].builder}()
"""
    else:
        made = f"{pytorch(chosen)}\n\nnetwork = Network()\n"
    return made + "y = sum(parameter.numel() for parameter in network.parameters())\n"


def terminal(chosen: Chosen, data: str | None) -> str:
    """Write the commands that print the table, and train the network if a data set fits."""
    shape = write_shape(chosen.input_shape)
    lines = [f"python -m cnn_core summary --network {chosen.text} --input {shape}"]
    if data:
        lines.append(f"python -m cnn_core train --network {chosen.text} --data {data}")
    return "\n".join(lines)


def table(rows: Sequence[LayerSummary]) -> str:
    """Write the layer table as CSV, sizes joined by x."""
    text = io.StringIO()
    lines = csv.writer(text)
    columns = ("num_params", "mult_adds", "activation_bytes")
    lines.writerow(["layer", "notation", "output_shape", *columns, "receptive_field", "effective_stride"])
    for row in rows:
        shapes = (row.receptive_field, row.effective_stride)
        lines.writerow(
            [
                row.name,
                format_layer(row.layer) if row.layer else row.kind,
                write_shape(row.output_shape),
                *(getattr(row, column) for column in columns),
                *("" if shape is None else write_shape(shape) for shape in shapes),
            ]
        )
    return text.getvalue()
