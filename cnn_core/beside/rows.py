"""The layer table of a published network as JSON, between the process beside the app and the app."""

import json
from collections.abc import Sequence
from dataclasses import fields

from cnn_core.network import format_layer, parse
from cnn_core.published import PublishedLayer


def to_json(rows: Sequence[PublishedLayer]) -> bytes:
    """Write a layer table; its layers are written in the one-line notation."""
    return json.dumps([_values(row) for row in rows]).encode()


def from_json(content: bytes) -> list[PublishedLayer]:
    """Read what `to_json` wrote."""
    return [
        PublishedLayer(**_with_tuples(values) | {"layer": _layer(values["layer"])})
        for values in json.loads(content)
    ]


def _values(row: PublishedLayer) -> dict:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return values | {"layer": row.layer and format_layer(row.layer)}


def _layer(text: str | None):
    return text and parse(text).layers[0]


def _with_tuples(value):
    """Turn the lists of JSON, also those in other lists and dicts, into tuples."""
    if isinstance(value, dict):
        return {name: _with_tuples(each) for name, each in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
