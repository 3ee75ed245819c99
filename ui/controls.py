"""Controls that live in the address: one for each kind of quantity, the same on every page.

Streamlit's binding restores a control from the address and refuses values out of range. It lets pass what
this module mends: values between two steps, an empty choice, a bound that moved below the value.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

_DEFAULTS = "control-defaults"


def integer(
    label: str,
    *,
    key: str,
    default: int,
    low: int,
    high: int,
    step: int = 1,
    as_box: bool = False,
    help: str | None = None,
) -> int:
    """Choose a whole number from low to high, in pixels or pieces.

    A slider while the range is short enough to hit each value with the mouse, else a box. Where the range is
    now short, now long, choose `as_box`: a control that changes its kind forgets its value.
    A moved bound takes the value with it instead of throwing it back to the default.
    """
    default = min(max(_remember(key, default), low), high)
    _keep_within(key, low, high)
    shared = {"key": key, "help": help, "bind": "query-params"}
    values = range(low, high + 1, step)
    if as_box or len(values) > 64:
        return int(st.number_input(label, low, high, default, step, **shared))
    # Unlike a slider, a select slider stays the same control when its bounds move.
    value = st.select_slider(label, values, default, disabled=len(values) == 1, **shared)
    return value if value in values else default


def number(
    label: str,
    *,
    key: str,
    default: float,
    low: float,
    high: float,
    step: float,
    format: str | None = None,
    help: str | None = None,
) -> float:
    """Choose a real number from low to high."""
    default = _remember(key, default)
    _keep_within(key, low, high)
    value = st.number_input(
        label, low, high, default, step, format=format, key=key, help=help, bind="query-params"
    )
    return default if value is None else float(value)


def choice(
    label: str,
    options: Sequence[Any],
    *,
    key: str,
    default: Any = None,
    format: Callable[[Any], str] = str,
    as_list: bool | None = None,
    help: str | None = None,
) -> Any:
    """Choose one of a few options: all in sight up to five, a list beyond, unless `as_list` says which."""
    default = _remember(key, options[0] if default is None else default)
    if st.session_state.get(key, default) not in options:
        st.session_state[key] = default
    shared = {"key": key, "format_func": format, "help": help, "bind": "query-params"}
    if as_list is None:
        as_list = len(options) > 5
    if not as_list:
        value = st.segmented_control(label, options, default=default, required=True, wrap=True, **shared)
    else:
        value = st.selectbox(label, options, index=list(options).index(default), **shared)
    return value if value in options else default


def switch(label: str, *, key: str, default: bool = False, help: str | None = None) -> bool:
    """Turn something on or off."""
    return st.toggle(label, _remember(key, default), key=key, help=help, bind="query-params")


def text(label: str, *, key: str, default: str, max_chars: int, help: str | None = None) -> str:
    """Type a short text."""
    value = st.text_input(label, _remember(key, default), max_chars, key=key, help=help, bind="query-params")
    return (value or "")[:max_chars]


def hidden(*, key: str, default: str = "", max_chars: int, in_address: bool = True) -> str:
    """Keep a text in the address that no control shows: what a button or a component has set.

    A text longer than `max_chars` is kept for this visit, and left out of the address; so is any while
    `in_address` is False.
    """
    _remember(key, default)
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get(key, default)[:max_chars]
    value = st.session_state[key]
    if in_address and value != default and len(value) <= max_chars:
        if st.query_params.get(key) != value:
            st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]
    return value


def set_values(values: dict[str, Any]) -> None:
    """Set controls by key; for a button's `on_click`, which runs before the controls are drawn."""
    for key, value in values.items():
        st.session_state[key] = value


def reserve(values: dict[str, Any]) -> None:
    """Prepare controls that are drawn under some settings only, with their defaults.

    Without this, a control that appears because a button has set it and others does not reach the address.
    """
    for key, value in values.items():
        st.session_state.setdefault(key, _remember(key, value))


def defaults(prefix: str) -> dict[str, Any]:
    """Return the defaults of the controls drawn so far whose key begins with the prefix."""
    remembered = st.session_state.get(_DEFAULTS, {})
    return {key: value for key, value in remembered.items() if key.startswith(prefix)}


def _remember(key: str, default: Any) -> Any:
    st.session_state.setdefault(_DEFAULTS, {})[key] = default
    return default


def _keep_within(key: str, low: float, high: float) -> None:
    value = st.session_state.get(key)
    if isinstance(value, int | float) and not low <= value <= high:
        st.session_state[key] = min(max(value, low), high)
