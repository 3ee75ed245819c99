"""The explorer: the grids of a small layer, to be pointed at, played and edited in the browser.

A page makes a `cnn_core.scene.Scene` and shows it:

    x, weight = explorer.numbers(x, weight, prefix="ps-", base=("counting",))  # what the visitor edited, laid over
    shown = scene.convolution(x[0], weight[0], height, width)
    explorer.show(shown, prefix="ps-")

Pointing, playing and editing need no server. When the hand rests, the edited numbers arrive here; `numbers` checks
them and keeps them in the address. A pinned cell is in the address too, as `<prefix>pin`.
"""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from cnn_core.plots.theme import DARK, LIGHT, Palette
from cnn_core.scene import NOTHING, Scene, Wiring
from ui import controls

MAX_SIZE = 28
"""Most rows, and most columns, of an input that is worth showing number by number."""

MAX_NUMBER = 1000
"""Largest magnitude of an edited number."""

DECIMALS = 4
"""Decimals that a typed number keeps."""

MAX_CHARS = 4000
"""Longest text of edited numbers that still goes into a link."""

MAX_PIN_CHARS = 30
"""Longest text of a pin."""

_PIN = re.compile(r"(input|kernel|partial|output)(?:\.-?\d{1,3}){3}", re.ASCII)
_TITLES = {
    "input": "Input",
    "kernel": "Kernel",
    "partial": "Partial sum",
    "output": "Output",
    "server": "By Python",
    "gradient": "Gradient",
}
_WORDS = {
    "output": "Output row {row}, column {column}:",
    "partial": "Partial sum {channel}, row {row}, column {column}:",
    "made": "{num} products, with input {rows} and {columns}.",
    "unmade": "no input reaches it.",
    "padded": "{numPadding} of them from padding.",
    "max": "the largest of {num} numbers, from input {rows} and {columns}.",
    "min": "the smallest of {num} numbers, from input {rows} and {columns}.",
    "average": "the average of {num} numbers, from input {rows} and {columns}.",
    "shares": "Each gets 1/{num} of the gradient.",
    "averaged": "({plus}) / {num} = {sum} / {num} {equal}",
    "tie": "{numEqual} are equal: the first wins, as in PyTorch.",
    "chosen": "From {list} it takes {value}.",
    "wins": "Input row {winnerRow}, column {winnerColumn} wins. It gets the whole gradient, the others get 0.",
    "kernel": "Kernel row {row}, column {column} is {value}. It touches {numPlaces} places of the input and makes "
    "{num} products.",
    "product": "{n} · {w} {equal} for output row {i}, column {j}",
    "input": "Input row {row}, column {column} is {value}.",
    "padding": "Padding row {row}, column {column} is {value}.",
    "never": "Padding row {row}, column {column} never wins.",
    "copy": "It is a copy of input row {sourceRow}, column {sourceColumn}.",
    "feeds": "It feeds {numOutputs} of {all} outputs.",
    "fewer": "Other inputs feed up to {most}.",
    "fullest": "No input feeds more.",
    "unreached": "No window reaches it.",
    "won": "It wins {numWon}.",
    "gradient": "Its gradient is {gradient}.",
    "broken": "The figure could not be drawn. Reload the page to see it again.",
    "nothing": "Nothing is here: the last window hangs over the end.",
    "marked": "Marked: {rows}, {columns}.",
    "scale": "Strongest colour: {ends}.",
    "grey": "Input: black is 0, white is {grey}.",
    "compared": "Largest difference between Python and the browser: {far}.",
}
# With several channels a cell is named with its own; but all channels make one sum.
_CHANNEL_WORDS = {
    name: _WORDS[name].replace(" row", " {channel}, row", 1)
    for name in ("input", "kernel", "output", "padding", "never")
}
_MIDDLE_WORDS = {"fewer": "An input in the middle feeds {most}."}
_SUM_WORDS = {"output": _WORDS["output"]}
_FILLS = "".join(
    f'<span id="{kind}">{_TITLES[kind]}'
    + "".join(
        f'<button type="button" data-kind="{kind}" data-fill="{name}" aria-label="{_TITLES[kind]}: {name}">'
        f"{name}</button>"
        for name in ("Clear", "Random", "Edge", "The book's")
    )
    + "</span>"
    for kind in ("input", "kernel")
)
# A field of type number would swallow what it does not know: 1/3 would be 13.
_NUMBER = (
    f'inputmode="decimal" required maxlength="12" title="A number from -{MAX_NUMBER} to {MAX_NUMBER} '
    f'with at most {DECIMALS} decimals, as -0.5" '
    rf'pattern="-?({MAX_NUMBER}|\d{{1,3}}(\.\d{{0,{DECIMALS}}})?|\.\d{{1,{DECIMALS}}})"'
)
_HTML = f"""
<div class="explorer">
  <div id="sheet"></div>
  <div id="words">
    <p id="reading"></p>
    <p id="sum"></p>
  </div>
  <div class="bar" role="group" aria-label="Player">
    <button type="button" id="play">Play</button>
    <button type="button" id="back" aria-label="Step back">Back</button>
    <button type="button" id="next" aria-label="Step forward">Step</button>
    <input id="step" type="range" min="0" aria-label="Step"><output id="place"></output>
    <label>Speed <input id="speed" type="range" min="1" max="60" value="4" aria-label="Steps a second"></label>
    <output id="rate"></output>
    <button type="button" id="release" hidden>Release the pin</button>
  </div>
  <div class="bar" role="group" aria-label="Editing">
    {_FILLS}
    <span>
      <label><input type="checkbox" id="paint"> Paint with</label>
      <input id="brush" value="1" class="number" aria-label="Number to paint with" {_NUMBER}>
    </span>
  </div>
  <p class="legend"><span>negative</span><i></i><span>positive.</span><span id="scale"></span></p>
  <p id="server" hidden></p>
  <template id="pieces">
    <div class="line"></div>
    <figure>
      <figcaption><b></b><span></span></figcaption>
      <div><canvas></canvas><canvas tabindex="0" role="application"></canvas></div>
    </figure>
    <input class="number typed" aria-label="New number" {_NUMBER}>
  </template>
</div>
"""
_FILES = {kind: Path(__file__).with_name(f"explorer.{kind}").read_text() for kind in ("css", "js")}
_mount = st.components.v2.component("explorer", html=_HTML, **_FILES)


@dataclass(frozen=True, eq=False)
class Edit:
    """What a visitor has made of the numbers.

    Attributes:
        x: Input, shape (C_in, H, W).
        weight: Kernels of the shown output channel, shape (C_in, kH, kW); None for pooling.
        channel: The shown output channel.
    """

    x: np.ndarray
    weight: np.ndarray | None
    channel: int


def numbers(
    x: np.ndarray, weight: np.ndarray | None, *, prefix: str, base: Hashable
) -> tuple[np.ndarray, np.ndarray | None]:
    """Lay what the visitor has edited over the numbers that a page begins with.

    Args:
        x: The page's input, shape (C_in, H, W).
        weight: The page's kernels, shape (C_out, C_in, kH, kW); None for pooling.
        prefix: What the keys of the page's controls begin with.
        base: Which numbers the page begins with, without their sizes. With another base the edits are dropped;
            with another size they stay where they fit.

    Returns:
        The input and the kernels to work with, same shapes.
    """
    keys = {name: f"{prefix}edited-{name}" for name in ("x", "w")}
    _drop_edits_of_another_base(prefix, base, list(keys.values()))
    edit = received(prefix)
    x = _laid_over(x, keys["x"], None if edit is None else edit.x)
    if weight is not None:
        edited = None
        if edit is not None and edit.channel < len(weight):
            edited = _read_or_drop(keys["w"], weight.ndim, default=weight.astype(float))
            edited[edit.channel] = _overlapping(edited[edit.channel], edit.weight)
        weight = _laid_over(weight, keys["w"], edited)
    return x, weight


def received(prefix: str) -> Edit | None:
    """Return what the visitor has edited since the last run, checked; for pages that keep the numbers themselves.

    What cannot be right is refused: `show` says why, and the numbers stay as they were.
    """
    state, sent = st.session_state, _sent(prefix, "edit")
    if sent is None:
        return None
    state[f"{prefix}explorer-edits"] = sent["count"]
    state[f"{prefix}explorer-refused"] = ""
    try:
        return _check(sent, state.get(f"{prefix}explorer-shown"))
    except ValueError as error:
        state[f"{prefix}explorer-refused"] = str(error)
        return None


def pinned_output(prefix: str, scene: Scene, *, first: tuple[int, int] = (0, 0)) -> tuple[int, int, int]:
    """Return the pinned output as (channel, row, column); that of `show`'s `first` if none is pinned."""
    pin = _pin(prefix, scene)
    return (pin["channel"], *pin["at"]) if pin and pin["kind"] == "output" else (0, *first)


def show(
    scene: Scene,
    *,
    prefix: str,
    channel: int = 0,
    part: Hashable = None,
    first: tuple[int, int] = (0, 0),
    grey: float | None = None,
    grey_output: bool = False,
    highest: int = 9,
    book: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> None:
    """Show a layer, number by number, and below it the switch for the server's own result.

    Args:
        scene: The layer; inputs of up to `MAX_SIZE` pixels are drawn well.
        prefix: What the keys of the page's controls begin with.
        channel: Which output channel the kernels belong to, where there are several.
        part: Which part of something larger the input is; an edit that comes for another part is refused.
        first: Row and column of the output to show as long as none is pointed at or pinned.
        grey: Draw the input as a picture, black at 0 and white at this value; None for the signed scale.
        grey_output: Draw the output likewise.
        highest: Largest number that the buttons Random and Edge put into the input.
        book: Numbers that the button with the book's example puts into the input and into the kernels, with the
            shapes of the scene's; None counts up from 0, channel by channel.
    """
    state = st.session_state
    weight_shape = None if scene.weight is None else scene.weight.shape
    state[f"{prefix}explorer-shown"] = (scene.x.shape, weight_shape, channel, part)
    refused = state.get(f"{prefix}explorer-refused")
    if refused:
        st.error(f"{refused}. The numbers are as they were.", icon=":material/error:")
    figure = st.container()
    with_server = controls.switch(
        "Python's result beside it",
        key=f"{prefix}server",
        help="The browser computes what you see. With this switch the server computes it too.",
    )
    pin = _pin(prefix, scene)
    data = {
        **payload(scene, first=first, grey=grey, grey_output=grey_output, with_server=with_server),
        "pin": pin,
        "counts": {name: state.get(f"{prefix}explorer-{name}s", 0) for name in ("edit", "pin")},
        "shown": repr(state[f"{prefix}explorer-shown"]),
        "fills": _fills(scene, highest, book),
        "random": {"input": [0, highest], "kernel": [-2, 2]},
    }
    with figure:
        _mount(key=f"{prefix}explorer", data=data)
    if any(len(state.get(f"{prefix}edited-{name}", "")) > MAX_CHARS for name in ("x", "w")):
        st.caption(
            "These are too many edited numbers for a link. It opens the page with the numbers chosen above."
        )


def step_back(prefix: str) -> None:
    """Take pin and edited numbers out of the address while a page shows something else; they come back."""
    for name, max_chars in (("edited-x", MAX_CHARS), ("edited-w", MAX_CHARS), ("pin", MAX_PIN_CHARS)):
        controls.hidden(key=f"{prefix}{name}", max_chars=max_chars, in_address=False)


def payload(
    scene: Scene,
    *,
    first: tuple[int, int] = (0, 0),
    grey: float | None = None,
    grey_output: bool = False,
    with_server: bool = False,
) -> dict[str, Any]:
    """Write a scene in the form in which the browser takes it; the arguments are those of `show`."""
    finite = np.where(np.isfinite(scene.y), scene.y, None)
    has_kernel = scene.weight is not None
    greys = {"input": grey} | (dict.fromkeys(("output", "server"), grey) if grey_output else {})
    words = _WORDS | (_CHANNEL_WORDS if len(scene.x) > 1 else {}) | (_SUM_WORDS if has_kernel else {})
    if all(
        wiring.num_outputs(wiring.input_size // 2) == wiring.most_outputs
        for wiring in (scene.height, scene.width)
    ):
        words |= _MIDDLE_WORDS
    return {
        "mode": scene.mode,
        "x": scene.x.tolist(),
        "weight": scene.weight.tolist() if has_kernel else None,
        "bias": scene.bias,
        "lines": [
            [grid | {"grey": greys.get(grid["kind"])} for grid in line] for line in _lines(scene, with_server)
        ],
        "axes": [_axis(scene.height), _axis(scene.width)],
        "most": scene.height.most_outputs * scene.width.most_outputs,
        "filling": scene.filling,
        "server": finite.tolist() if with_server else None,
        "first": {"kind": "output", "channel": 0, "at": list(first)},
        "pin": None,
        "counts": {"edit": 0, "pin": 0},
        "shown": "",
        "grey": grey,
        "fills": {},
        "random": {},
        "words": words,
        # The browser takes the theme of its background: a visitor who changes it does not ask the server.
        "themes": _themes(),
    }


def write(array: np.ndarray) -> str:
    """Write numbers as a text that an address carries as it is.

    Example:
        >>> write(np.array([[[1, -2], [0.5, 3]], [[0, 0], [0, 0]]]))
        '1_-2~0.5_3~~0_0~0_0'
    """
    if array.ndim == 1:
        return "_".join(f"{float(number):z.12g}" for number in array)
    return ("~" * (array.ndim - 1)).join(write(part) for part in array)


def read(text: str, ndim: int) -> np.ndarray:
    """Read the numbers that `write` wrote.

    Raises:
        ValueError: If the text is no such array, or a number is out of bounds.
    """

    def parts(text: str, depth: int) -> Any:
        if depth == 0:
            return text
        separator = "~" * (depth - 1) or "_"
        return [parts(part, depth - 1) for part in text.split(separator)]

    return _bounded(np.array(parts(text, ndim), dtype=float), "number")


def _sent(prefix: str, name: str) -> Mapping[str, Any] | None:
    """Return what the browser has sent under a name, if it has not been looked at yet."""
    component = st.session_state.get(f"{prefix}explorer")
    sent = component.get(name) if isinstance(component, Mapping) else None
    count = sent.get("count") if isinstance(sent, Mapping) else None
    known = st.session_state.get(f"{prefix}explorer-{name}s", 0)
    return sent if type(count) is int and known < count < 10**9 else None


def _pin(prefix: str, scene: Scene) -> dict[str, Any] | None:
    """Return the pinned cell, in padded pixels: the last that the browser, a button or the address has named."""
    key, sent = f"{prefix}pin", _sent(prefix, "pin")
    before = (scene.height.before, scene.width.before)
    if sent is not None:
        st.session_state[f"{prefix}explorer-pins"] = sent["count"]
        st.session_state[key] = _write_pin(sent.get("cell"), before)
    text = controls.hidden(key=key, max_chars=MAX_PIN_CHARS)
    if not _PIN.fullmatch(text):
        st.session_state[key] = ""
        controls.hidden(key=key, max_chars=MAX_PIN_CHARS)
        return None
    kind, channel, *place = text.split(".")
    shift = before if kind == "input" else (0, 0)
    cell = {
        "kind": kind,
        "channel": int(channel),
        "at": [int(n) + s for n, s in zip(place, shift, strict=True)],
    }
    for grid in (grid for line in _lines(scene) for grid in line):
        if (grid["kind"], grid["channel"]) == (kind, cell["channel"]):
            inside = all(0 <= at < size for at, size in zip(cell["at"], grid["size"], strict=True))
            return cell if inside else None
    return None


def _write_pin(cell: Any, before: tuple[int, int]) -> str:
    at = cell.get("at") if isinstance(cell, Mapping) else None
    if not isinstance(at, list) or len(at) != 2 or not all(isinstance(place, int) for place in at):
        return ""
    shift = before if cell.get("kind") == "input" else (0, 0)
    return f"{cell.get('kind')}.{cell.get('channel')}.{at[0] - shift[0]}.{at[1] - shift[1]}"


def _lines(scene: Scene, with_server: bool = False) -> list[list[dict[str, Any]]]:
    """Lay out the grids as one would write the sum by hand: a line for each channel, and the sum below."""
    height, width = scene.height, scene.width
    several = len(scene.x) > 1
    real, output = (height.input_size, width.input_size), (height.output_size, width.output_size)
    sizes = {"input": real, "kernel": (height.kernel_size, width.kernel_size), "gradient": real}
    notes = {"gradient": "of all outputs"}
    if scene.bias:
        notes["output"] = f"{output[0]} x {output[1]}, bias {scene.bias:g}"

    def grid(kind: str, channel: int, *, numbered: bool = several) -> dict[str, Any]:
        rows, columns = sizes.get(kind, output)
        return {
            "kind": kind,
            "channel": channel,
            "size": (len(height.source), len(width.source)) if kind == "input" else (rows, columns),
            "name": f"{_TITLES[kind]} {channel}" if numbered else _TITLES[kind],
            "scale": {"partial": "output", "server": "output"}.get(kind, kind),
            "note": notes.get(kind, f"{rows} x {columns}"),
        }

    server = ["server"] if with_server else []
    if scene.weight is None:
        kinds = ["input", "output", *server, "gradient"]
        return [[grid(kind, channel) for kind in kinds] for channel in range(len(scene.x))]
    results = [grid(kind, 0, numbered=False) for kind in (*server, "output")]
    if not several:
        return [[grid("input", 0), grid("kernel", 0), *reversed(results)]]
    kinds = ["input", "kernel", "partial"]
    return [*([grid(kind, channel) for kind in kinds] for channel in range(len(scene.x))), results]


def _axis(wiring: Wiring) -> dict[str, Any]:
    padded = sum(source != NOTHING for source in wiring.source)
    return asdict(wiring) | {"left": list(range(padded - wiring.left_over, padded))}


def _check(sent: Mapping[str, Any], shown: tuple | None) -> Edit:
    if shown is None or sent.get("shown") != repr(shown):
        raise ValueError("edited numbers came for another figure than the one shown")
    shape, weight_shape, channel, _ = shown
    x = _as_array(sent.get("x"), shape, "input")
    weight = None if weight_shape is None else _as_array(sent.get("weight"), weight_shape, "kernel")
    return Edit(x, weight, channel)


def _as_array(sent: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    found, part = [], sent
    while isinstance(part, list) and part and len(found) < 4:
        found.append(len(part))
        part = part[0]
    if tuple(found) != shape:
        raise ValueError(f"{name} of shape {tuple(found)} is not the shape {shape} of the figure")
    try:
        array = np.array(sent, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} holds something that is not a number") from None
    if array.shape != shape:
        raise ValueError(f"{name} of shape {array.shape} is not the shape {shape} of the figure")
    return _bounded(array, name)


def _bounded(array: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds something that is not a number")
    largest = array.flat[np.abs(array).argmax()]
    if abs(largest) > MAX_NUMBER:
        raise ValueError(f"{name} {largest:.6g} is not between -{MAX_NUMBER} and {MAX_NUMBER}")
    return array


def _laid_over(array: np.ndarray, key: str, edited: np.ndarray | None) -> np.ndarray:
    """Lay edited numbers over an array where they fit: those given, else those of the address."""
    if edited is not None:
        st.session_state[key] = write(edited)
    edited = _read_or_drop(key, array.ndim, default=array)
    return array if edited is array else _overlapping(array.astype(float), edited)


def _read_or_drop(key: str, ndim: int, *, default: np.ndarray) -> np.ndarray:
    text = controls.hidden(key=key, max_chars=MAX_CHARS)
    try:
        return read(text, ndim) if text else default
    except ValueError:
        st.session_state[key] = ""
        controls.hidden(key=key, max_chars=MAX_CHARS)
        return default


def _overlapping(array: np.ndarray, edited: np.ndarray) -> np.ndarray:
    both = tuple(slice(min(sizes)) for sizes in zip(array.shape, edited.shape, strict=True))
    result = array.copy()
    result[both] = edited[both]
    return result


def _drop_edits_of_another_base(prefix: str, base: Hashable, keys: list[str]) -> None:
    state = st.session_state
    if state.setdefault(f"{prefix}explorer-base", base) != base:
        state[f"{prefix}explorer-base"] = base
        controls.set_values(dict.fromkeys(keys, ""))


def _fills(
    scene: Scene, highest: int, book: tuple[np.ndarray | None, np.ndarray | None]
) -> dict[str, dict[str, list]]:
    """Name what the buttons put into the grids; random numbers are drawn in the browser."""
    fills = {}
    for name, array, example in zip(("input", "kernel"), (scene.x, scene.weight), book, strict=True):
        if array is None:
            continue
        edge = np.zeros(array.shape)
        if name == "input":
            edge[..., : array.shape[-1] // 2] = highest
        else:
            first, last = np.s_[..., 0, :], np.s_[..., -1, :]
            if array.shape[-1] > 1:
                first, last = np.s_[..., 0], np.s_[..., -1]
            edge[last] = -1
            edge[first] = 1
        count = np.arange(len(array))[:, None, None] + np.arange(math.prod(array.shape[1:])).reshape(
            array.shape[1:]
        )
        fills[name] = {
            "Clear": np.zeros(array.shape).tolist(),
            "Edge": edge.tolist(),
            "The book's": np.asarray(count if example is None else example).tolist(),
        }
    return fills


def _blend(stops: Sequence[str], share: float) -> str:
    """Find the colour at a place between 0 and 1 on a scale of evenly spaced stops, each `#rrggbb`."""
    index = min(int(share * (len(stops) - 1)), len(stops) - 2)
    rest = share * (len(stops) - 1) - index
    first, second = (np.array(list(bytes.fromhex(stop[1:]))) for stop in stops[index : index + 2])
    return "#" + bytes(np.rint(first + (second - first) * rest).astype(np.uint8).tolist()).hex()


@cache
def _themes() -> dict[str, dict[str, Any]]:
    return {palette.background: _theme(palette) for palette in (LIGHT, DARK)}


def _theme(palette: Palette) -> dict[str, Any]:
    colours = {name: getattr(palette, name) for name in ("text", "line", "accent", "background")}
    colours["signed"] = ",".join(palette.signed)
    return {
        "palette": asdict(palette),
        "ramp": [_blend(palette.signed, index / 128) for index in range(129)],
        "style": "".join(f"--{name}:{value};" for name, value in colours.items()),
    }
