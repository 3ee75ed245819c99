"""The anatomy that all pages share: question, figure, reading, settings to try, explanation, code."""

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from cnn_core.plots.theme import DARK, LIGHT, Palette
from ui import controls

MAX_ACROSS = 4
"""Most settings to try that stand side by side."""


@dataclass(frozen=True)
class Setting:
    """One click of "Try this": a name, the question to ask oneself, and the controls it sets."""

    name: str
    question: str
    values: Mapping[str, Any] = field(default_factory=dict)


def palette() -> Palette:
    """Return the colours of the theme the visitor looks at."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def png(picture: np.ndarray) -> bytes:
    """Pack a picture (H, W) or (H, W, 3), uint8, as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def header(title: str, question: str, *, ideas: Sequence[str]) -> None:
    """Open the page: its title, the question it answers, the few ideas it teaches."""
    st.title(title, anchor=False)
    st.markdown(question)
    st.markdown(" ".join(f":gray-badge[{idea}]" for idea in ideas))


def figure(fig: Any, *, key: str, alt: str) -> None:
    """Show a Plotly figure across its column, with words for those who cannot see it."""
    st.plotly_chart(fig, key=key, alt=alt, config={"displayModeBar": False, "scrollZoom": False})


def reading(text: str) -> None:
    """Say in one line, in words and numbers, what the figure shows now."""
    st.markdown(f"**{text}**")


@contextmanager
def errors_in_place() -> Iterator[None]:
    """Show what `cnn_core` refuses as a message where the figure would be; the rest of the page stays."""
    try:
        yield
    except ValueError as error:
        refusal(error)


def refusal(error: Exception) -> None:
    """Show why something is refused; further lines of the message, which point at a place, stay aligned."""
    message, *pointing = str(error).splitlines()
    # A message may quote what a visitor typed: no link, picture or formula may come of it.
    st.error(re.sub(r"([\\`*~\[\]<$])", r"\\\1", message), icon=":material/error:")
    if pointing:
        st.code("\n".join(pointing), language=None)


def try_this(settings: Sequence[Setting], *, prefix: str) -> None:
    """Offer settings worth seeing, and the way back to where the page began.

    Args:
        settings: Up to four settings side by side, more in two rows; controls that one does not name return to
            their defaults.
        prefix: What the keys of the page's controls begin with.
    """
    st.subheader("Try this", anchor=False)
    across = len(settings) if len(settings) <= MAX_ACROSS else math.ceil(len(settings) / 2)
    columns = [column for start in range(0, len(settings), across) for column in st.columns(across)]
    for column, setting in zip(columns, settings, strict=False):
        with column.container(border=True, height="stretch"):
            st.button(
                setting.name,
                key=f"{prefix}try-{setting.name}",
                width="stretch",
                on_click=lambda values: controls.set_values(controls.defaults(prefix) | dict(values)),
                args=(setting.values,),
            )
            st.markdown(setting.question)
    st.button(
        "Back to the start",
        key=f"{prefix}reset",
        icon=":material/restart_alt:",
        type="tertiary",
        on_click=lambda: controls.set_values(controls.defaults(prefix)),
    )


def explanation() -> None:
    """Head the explanation that follows."""
    st.subheader("What happens here", anchor=False)


def in_code(*, ours: str, torch: str) -> None:
    """Show the call to `cnn_core` and the lines of PyTorch that do just what the figure shows."""
    st.subheader("In code", anchor=False)
    left, right = st.columns(2)
    left.caption("With this package")
    left.code(ours, language="python", wrap_lines=True)
    right.caption("With PyTorch")
    right.code(torch, language="python", wrap_lines=True)
