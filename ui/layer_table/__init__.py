"""The table of a network's layers, to be edited in the browser.

A page takes what was done to the layers, and then shows them:

    edited = layer_table.received("a-", layers, fixes=fixes)  # None: nothing was done
    layer_table.show(lines, prefix="a-", totals={"num_params": "61,706"})

The browser knows no layers: it draws what `show` sends, and sends back what the visitor does. What cannot be is
refused here and explained in the row it concerns.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import streamlit as st

from cnn_core.network import MAX_NUMBER, Layer
from ui.layer_table import edits
from ui.layer_table.edits import History

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "output_shape": "Output shape",
        "num_params": "Parameters",
        "mult_adds": "Mult-adds",
        "activation_bytes": "Memory, bytes",
        "receptive_field": "Receptive field",
        "effective_stride": "Stride",
    }
)
"""Key of a column -> its heading."""

_LABELS = {
    "out_channels": "Output channels",
    "kernel_size": "Kernel size",
    "stride": "Stride",
    "padding": "Padding",
    "dilation": "Dilation",
    "groups": "Groups",
    "window": "Window",
    "probability": "Probability",
    "out_features": "Outputs",
    "in_features": "Expected inputs",
}
_IF_EMPTY = {"stride": "as the window", "in_features": "as many as come"}
_WORDS = {
    "caption": "The layers of the network, first one first",
    "layer": "Layer",
    "change": "Change",
    "input": "Input",
    "total": "Total",
    "of": "{column} of {name}",
    "cell": "{column} of {name}: {text}",
    "most": "{column} of {name}: {text}, the most of all layers",
    "open": "Settings of {name}",
    "up": "Move {name} up",
    "down": "Move {name} down",
    "drag": "Drag {name} to another place",
    "duplicate": "Duplicate {name}",
    "remove": "Remove {name}",
    "waits": "waits for the layer above",
    "empty": "No layer yet.",
    "nothing": "This layer has nothing to set.",
    "kind": "Kind",
    "after": "Add a layer after {name}:",
    "end": "Add a layer at the end:",
    "undo": "Undo",
    "redo": "Redo",
}
_HTML = """
<div class="layers">
  <div id="scroll">
    <table>
      <caption></caption>
      <thead><tr></tr></thead>
      <tbody></tbody>
      <tfoot></tfoot>
    </table>
  </div>
  <p id="refused" role="alert"></p>
  <div id="tools">
    <p id="where"></p>
    <div id="add" class="bar" role="group" aria-labelledby="where"></div>
    <div class="bar"><span id="back" class="bar"></span><span id="said" role="status"></span></div>
  </div>
</div>
"""
_FILES = {kind: Path(__file__).with_name(f"layer_table.{kind}").read_text() for kind in ("css", "js")}
_mount = st.components.v2.component("layer_table", html=_HTML, **_FILES)


@dataclass(frozen=True)
class Cell:
    """One number of the table, and how it comes about.

    Attributes:
        text: The number as it is shown.
        lines: Label and arithmetic of each step that makes the number.
        share: Part of the column's total, between 0 and 1; drawn as a bar behind the number.
        most: Whether it is the largest of its column.
    """

    text: str
    lines: Sequence[tuple[str, str]] = ()
    share: float = 0.0
    most: bool = False


@dataclass(frozen=True)
class Line:
    """One row of the table.

    Attributes:
        name: Name of the layer, such as "conv1".
        words: What it is, such as "6 kernels of 5 x 5, padding 2".
        cells: Key of a column -> its number; empty where the layer does not fit or waits.
        layer: The layer; None where it cannot be edited.
        reason: Why the layer does not fit; "" if it does.
        waits: Whether a layer before it does not fit.
        fixes: What would make it fit, in words for buttons.
    """

    name: str
    words: str
    cells: Mapping[str, Cell] = field(default_factory=dict)
    layer: Layer | None = None
    reason: str = ""
    waits: bool = False
    fixes: Sequence[str] = ()


@dataclass
class _Memory:
    """What is known of a table from run to run."""

    history: History = field(default_factory=History)
    is_new: bool = True
    count: int = 0
    made: str | None = None
    said: str = ""
    refused: Mapping[str, str] | None = None

    def follow(self, layers: Sequence[Layer]) -> None:
        """Take the layers that a page shows; a list that came from elsewhere can be undone too."""
        rows = self.history.carried_over(layers)
        if self.is_new:
            self.history.rows, self.is_new = rows, False
        elif self.history.rows != rows:
            self.forget()
            self.history.take(rows)

    def forget(self) -> None:
        """Forget what the last action has brought."""
        self.made, self.said, self.refused = None, "", None


def received(
    prefix: str, layers: Sequence[Layer], *, fixes: Sequence[Sequence[Layer]] = ()
) -> tuple[Layer, ...] | None:
    """Return the layers as the visitor has just made them; None if there is nothing new.

    Call it before `show`. What cannot be is refused: `show` says why, and the layers stay as they were.

    Args:
        prefix: What the keys of the page's controls begin with.
        layers: The layers that the table shows.
        fixes: The layers that each of the shown fixes would make of them.

    Returns:
        The new layers, which make a `Network` if there are any.
    """
    memory = _memory(prefix)
    was_new = memory.is_new
    memory.follow(layers)
    sent = _sent(prefix, memory)
    if sent is None:
        return None
    memory.count = sent["count"]
    if was_new:  # then it was meant for a table of an earlier session
        return None
    memory.forget()
    history, is_stale = memory.history, sent.get("shown") != _token(layers)
    names_before = {name for name, _ in history.rows}
    try:
        if is_stale:
            raise ValueError("the layers have changed in the meantime")
        memory.said = edits.apply(history, sent, fixes)
    except (TypeError, ValueError) as error:
        memory.refused = _refusal(history, {} if is_stale else sent, str(error))
    if sent.get("do") == "add":
        memory.made = next((name for name, _ in history.rows if name not in names_before), None)
    return None if history.layers == tuple(layers) else history.layers


def show(
    lines: Sequence[Line],
    *,
    prefix: str,
    totals: Mapping[str, str],
    editable: bool = True,
    input_text: str = "",
) -> None:
    """Show the layers, number by number.

    Args:
        lines: One for each layer, first one first.
        prefix: What the keys of the page's controls begin with.
        totals: Key of a column -> what stands below it.
        editable: Whether the visitor can change the layers.
        input_text: Shape of the network's input, as it is shown.
    """
    memory, layers = _memory(prefix), [line.layer for line in lines]
    names = [f"shown {number}" for number in range(len(lines))]
    if editable:
        memory.follow(layers)
        names = [name for name, _ in memory.history.rows]
    data = {
        "columns": list(COLUMNS.items()),
        "input": input_text,
        "rows": [_row(name, line) for name, line in zip(names, lines, strict=True)],
        "totals": dict(totals),
        "editable": editable,
        "new": list(edits.NEW),
        "can": {"undo": bool(memory.history.undo), "redo": bool(memory.history.redo)},
        "count": memory.count,
        "shown": _token(layers),
        "made": memory.made,
        "said": memory.said,
        "refused": memory.refused,
        "words": _WORDS,
    }
    _mount(key=f"{prefix}layer-table", data=data)


def _memory(prefix: str) -> _Memory:
    return st.session_state.setdefault(f"{prefix}layer-table-memory", _Memory())


def _sent(prefix: str, memory: _Memory) -> Mapping[str, Any] | None:
    """Return what the browser has sent, if it has not been looked at yet."""
    component = st.session_state.get(f"{prefix}layer-table")
    sent = component.get("action") if isinstance(component, Mapping) else None
    count = sent.get("count") if isinstance(sent, Mapping) else None
    return sent if type(count) is int and memory.count < count < 10**9 else None


def _token(layers: Sequence[Layer | None]) -> str:
    """Name a list of layers, so that what comes back can say which list it means."""
    return hashlib.sha256(repr(tuple(layers)).encode()).hexdigest()[:16]


def _refusal(history: History, sent: Mapping[str, Any], why: str) -> dict[str, str]:
    """Keep what was refused and why, with the row and the field that it concerns, if there are such."""
    for key, label in _LABELS.items():
        why = why.replace(key, label.lower())
    words = f"{why[:1].upper()}{why[1:]}. Nothing was changed."
    index, name, typed = (sent.get(key) for key in ("index", "field", "value"))
    if sent.get("do") == "set" and type(index) is int and 0 <= index < len(history.rows):
        row, layer = history.rows[index]
        if isinstance(typed, str) and name in list(edits.values(layer)):
            return {"id": row, "field": name, "value": typed[: edits.MAX_TYPED], "words": words}
    return {"id": "", "field": "", "value": "", "words": words}


def _row(name: str, line: Line) -> dict[str, Any]:
    """Write a line in the form in which the browser takes it."""
    kinds = edits.kinds(line.layer)
    return {
        "id": name,
        "name": line.name,
        "words": line.words,
        "cells": {column: vars(cell) for column, cell in line.cells.items()},
        "reason": line.reason,
        "waits": line.waits,
        "fixes": list(line.fixes),
        "isLayer": line.layer is not None,
        "kinds": list(kinds),
        "kind": next((kind for kind in kinds if kinds[kind] is type(line.layer)), None),
        "fields": _fields(line.layer) if line.layer else [],
    }


def _fields(layer: Layer) -> list[dict[str, Any]]:
    values = edits.values(layer)
    return [
        {
            "name": each.name,
            "label": _LABELS[each.name],
            "value": edits.write(values[each.name]),
            "min": each.metadata.get("minimum", 0),
            "props": _props(each),
        }
        for each in fields(layer)
    ]


def _props(each: Field) -> dict[str, Any]:
    """Say what kind of input a field is: a text where it holds two numbers, else a number."""
    hint = {"placeholder": _IF_EMPTY[each.name]} if each.default is None else {}
    if each.metadata["pair"]:
        return {"type": "text", "inputMode": "numeric", **hint}
    if each.type is float:
        return {"type": "number", "min": 0, "max": 1, "step": 0.05}
    return {"type": "number", "min": each.metadata["minimum"], "max": MAX_NUMBER, "step": 1, **hint}
