"""A page with nothing but the layer table on it; the query names the network it begins with."""

from collections.abc import Sequence

import streamlit as st

from cnn_core.network import Flatten, Layer, Network, format_layer, parse
from cnn_core.network import format as format_network
from cnn_core.summary import LayerSummary, follow
from ui import layer_table
from ui.layer_table import Cell, Line

INPUT = (1, 28, 28)
COUNTED = ("num_params", "mult_adds", "activation_bytes")


def with_flatten(layers: Sequence[Layer], place: int) -> tuple[Layer, ...]:
    """Put a flatten before a layer; the one fix that this page offers."""
    return (*layers[:place], Flatten(), *layers[place:])


def compute(layers: Sequence[Layer]) -> tuple[list[LayerSummary], str]:
    """Follow an example through the layers, if there are any."""
    return follow(Network(layers), INPUT) if layers else ([], "")


def cells(row: LayerSummary, rows: Sequence[LayerSummary]) -> dict[str, Cell]:
    """Write the numbers of a row, each with two lines of arithmetic."""
    written = {}
    for column in layer_table.COLUMNS:
        value = getattr(row, column)
        text = f"{value:,}" if isinstance(value, int) else " x ".join(map(str, value or "-"))
        all_values = [getattr(one, column) for one in rows] if column in COUNTED else [0]
        share = value / max(sum(all_values), 1) if column in COUNTED else 0.0
        steps = [("Step", f"{text} = {text}"), ("Result", text)]
        written[column] = Cell(text, steps, share, most=bool(share) and value == max(all_values))
    return written


def lines(layers: Sequence[Layer], rows: Sequence[LayerSummary], reason: str) -> list[Line]:
    """Write the lines of all layers."""
    names = Network(layers).names if layers else ()
    written = [Line(row.name, format_layer(row.layer), cells(row, rows), row.layer) for row in rows]
    for name, layer in list(zip(names, layers, strict=True))[len(rows) :]:
        why = {"waits": True} if len(written) > len(rows) else {"reason": reason, "fixes": ["Flatten first"]}
        written.append(Line(name, format_layer(layer), {}, layer, **why))
    return written


def take_typed() -> None:
    """Take what was typed. The field is never written: a browser may send it late, as it was a moment ago."""
    st.session_state["text"] = st.session_state["typed"]


def main() -> None:
    """Take what was done, and show what comes of it."""
    state, query = st.session_state, st.query_params
    state.setdefault("text", query.get("network", ""))
    layers = parse(state["text"]).layers if state["text"] else ()
    rows, reason = compute(layers)
    fixes = [with_flatten(layers, len(rows))] if reason else []
    edited = layer_table.received("h-", layers, fixes=fixes)
    if edited is not None:
        state["text"] = format_network(Network(edited)) if edited else ""
        layers = edited
        rows, reason = compute(layers)
    st.text_input("Another network", key="typed", on_change=take_typed)
    st.text(f"Network: {state['text']}")
    layer_table.show(
        lines(layers, rows, reason),
        prefix="h-",
        totals={column: f"{sum(getattr(row, column) for row in rows):,}" for column in COUNTED},
        editable="read-only" not in query,
        input_text=" x ".join(map(str, INPUT)),
    )


if __name__ == "__main__":
    st.set_page_config(layout="wide")
    main()
