"""What a visitor does to a list of layers: checked, applied, and undone again. It knows no browser."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

from cnn_core.network import (
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Network,
    ReLU,
    Sigmoid,
    Tanh,
)

MAX_UNDONE = 100
"""Most lists of layers that can be returned to."""

MAX_TYPED = 40
"""Longest text of a field, in characters."""

NEW = {
    "Convolution": Conv(6, kernel_size=3, padding=1),
    "Max pooling": MaxPool(2),
    "Average pooling": AveragePool(2),
    "Global average pooling": GlobalAveragePool(),
    "Batch norm": BatchNorm(),
    "ReLU": ReLU(),
    "Sigmoid": Sigmoid(),
    "Tanh": Tanh(),
    "Dropout": Dropout(0.5),
    "Flatten": Flatten(),
    "Linear": Linear(10),
}
"""Name of a kind -> the layer that is added."""

_ALIKE = (
    {"Maximum": MaxPool, "Average": AveragePool},
    {"ReLU": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh},
)
_UNKNOWN = "what the table sent is not known"
_WHOLE = re.compile(r"-?\d{1,12}", re.ASCII)
_PAIR = re.compile(r"\(?\s*(-?\d{1,12})\s*[x×,;]\s*(-?\d{1,12})\s*\)?", re.ASCII | re.IGNORECASE)

Rows = tuple[tuple[str, Layer], ...]
"""Layers, each with a name of its own that stays when the layer moves or changes."""


@dataclass
class History:
    """The rows of a table, those before them, and those that were undone."""

    rows: Rows = ()
    undo: list[Rows] = field(default_factory=list)
    redo: list[Rows] = field(default_factory=list)
    num_made: int = 0

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers alone."""
        return tuple(layer for _, layer in self.rows)

    def row(self, layer: Layer) -> tuple[str, Layer]:
        """Make a row of a layer."""
        self.num_made += 1
        return str(self.num_made), layer

    def take(self, rows: Rows) -> None:
        """Make these the rows, and keep those before them."""
        self.undo = [*self.undo, self.rows][-MAX_UNDONE:]
        self.redo = []
        self.rows = rows

    def carried_over(self, layers: Sequence[Layer]) -> Rows:
        """Find the rows of another list: the same where both begin alike and end alike."""
        old, new = self.layers, tuple(layers)
        if len(old) == len(new):
            return tuple((name, layer) for (name, _), layer in zip(self.rows, new, strict=True))
        shorter = min(len(old), len(new))
        start = next((i for i in range(shorter) if old[i] != new[i]), shorter)
        end = next((i for i in range(shorter - start) if old[-1 - i] != new[-1 - i]), shorter - start)
        middle = tuple(self.row(layer) for layer in new[start : len(new) - end])
        return self.rows[:start] + middle + self.rows[len(old) - end :]


def apply(history: History, action: Mapping[str, Any], fixes: Sequence[Sequence[Layer]] = ()) -> str:
    """Do to the rows what a visitor did, and say so.

    Args:
        history: The rows; they are replaced.
        action: What was done: "do", and what belongs to it. It may be anything that JSON can hold.
        fixes: Lists of layers that the action "fix" can choose from.

    Returns:
        What was done, in words; "" if nothing has changed.

    Raises:
        ValueError: If it cannot be done.
    """
    do = action.get("do")
    if do in ("undo", "redo"):
        return _return(history, do)
    rows, names = list(history.rows), _names(history.layers)
    at = _index(action, "index", len(rows) + (do == "add"))
    words = "{name} changed."
    match do:
        case "set":
            rows[at] = _with_value(rows[at], action)
        case "kind":
            name, layer = rows[at]
            rows[at] = (name, _known(kinds(layer), action.get("value"))(**values(layer)))
        case "move":
            moved, at = rows.pop(at), _index(action, "to", len(rows))
            rows.insert(at, moved)
            words = "{name} is now layer {number}."
        case "duplicate":
            rows.insert(at + 1, history.row(rows[at][1]))
            words = "{name} duplicated."
        case "remove":
            del rows[at]
            words = f"{names[at]} removed."
        case "add":
            rows.insert(at, history.row(_known(NEW, action.get("kind"))))
            words = "{name} added."
        case "fix":
            rows = history.carried_over(fixes[_index(action, "which", len(fixes))])
            words = "Changed as proposed."
        case _:
            raise ValueError(_UNKNOWN)
    if tuple(rows) == history.rows:
        return ""
    new_names = _names([layer for _, layer in rows])
    history.take(tuple(rows))
    return words.format(name=new_names[at] if at < len(rows) else "", number=at + 1)


def _return(history: History, do: str) -> str:
    """Go back to the rows before the last change, or forth again."""
    come_from, go_to = history.undo, history.redo
    if do == "redo":
        come_from, go_to = go_to, come_from
    if not come_from:
        raise ValueError(f"there is nothing to {do}")
    go_to.append(history.rows)
    history.rows = come_from.pop()
    return {"undo": "Undone.", "redo": "Done again."}[do]


def _names(layers: Sequence[Layer]) -> tuple[str, ...]:
    return Network(layers).names if layers else ()


def _index(action: Mapping[str, Any], name: str, length: int) -> int:
    index = action.get(name)
    if type(index) is not int or not 0 <= index < length:
        raise ValueError(_UNKNOWN)
    return index


def _known(choices: Mapping[str, Any], name: Any) -> Any:
    if not isinstance(name, str) or name not in choices:
        raise ValueError(_UNKNOWN)
    return choices[name]


def kinds(layer: Layer | None) -> Mapping[str, type[Layer]]:
    """Return the kinds that a layer can become with the same fields, its own among them; none if it has no like."""
    return next((alike for alike in _ALIKE if type(layer) in alike.values()), {})


def values(layer: Layer) -> dict[str, Any]:
    """Return the fields of a layer; None where a field was left out and so follows another one.

    Example:
        >>> values(MaxPool(2)), values(MaxPool(3, stride=2))["stride"]
        ({'window': (2, 2), 'stride': None, 'padding': (0, 0)}, (2, 2))
    """
    found = {each.name: getattr(layer, each.name) for each in fields(layer)}
    if "window" in found and found["stride"] == found["window"]:
        found["stride"] = None
    return found


def _with_value(row: tuple[str, Layer], action: Mapping[str, Any]) -> tuple[str, Layer]:
    name, layer = row
    each = _known({each.name: each for each in fields(layer)}, action.get("field"))
    return name, replace(layer, **(values(layer) | {each.name: _read(each, action.get("value"))}))


def _read(each: Field, typed: Any) -> int | float | tuple[int, ...] | None:
    """Read the text of a field; the layer itself checks the limits."""
    if not isinstance(typed, str) or len(typed) > MAX_TYPED:
        raise ValueError(f"{each.name} is not a text of at most {MAX_TYPED} characters")
    typed = typed.strip()
    if not typed and each.default is None:
        return None
    if not typed:
        raise ValueError(f"{each.name} is missing")
    if each.type is float:
        try:
            return float(typed)
        except ValueError:
            raise ValueError(f'{each.name} "{typed}" is not a number') from None
    if _WHOLE.fullmatch(typed):
        return int(typed)
    if not each.metadata["pair"]:
        raise ValueError(f'{each.name} "{typed}" is not a whole number')
    if not (found := _PAIR.fullmatch(typed)):
        raise ValueError(f'{each.name} "{typed}" is not a whole number, or two such as 5 x 3')
    return int(found[1]), int(found[2])


def write(value: int | float | tuple[int, int] | None) -> str:
    """Write the value of a field as a visitor would type it.

    Example:
        >>> write((5, 5)), write((5, 3)), write(0.5), write(None)
        ('5', '5 x 3', '0.5', '')
    """
    if value is None:
        return ""
    if isinstance(value, tuple):
        return str(value[0]) if value[0] == value[1] else f"{value[0]} x {value[1]}"
    return str(value)
