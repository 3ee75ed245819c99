"""Drawings to point at: what belongs to the chosen part lights up, and a line says what it is.

A page makes drawings whose parts carry names (`cnn_core.plots.marked`) and gives a line of words for each name:

    pointing.show(drawings, {"output-0": "Output 0: ..."}, prefix="w-signal-", first="output-0", steps={"output": 10},
                  alt="...")

The browser needs no server for that. What was chosen last stays chosen when the hand leaves, so a tap does too. A
name is a kind and a number. The arrow keys go from number to number of a kind, and Enter to the next kind.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import streamlit as st

from cnn_core.plots.marked import Drawing, Label
from ui import page

_HTML = """
<div class="pointing">
  <div id="drawings" tabindex="0" role="application"></div>
  <p id="reading" role="status"></p>
</div>
"""
_FILES = {kind: Path(__file__).with_name(f"pointing.{kind}").read_text() for kind in ("css", "js")}
_mount = st.components.v2.component("pointing", html=_HTML, **_FILES)


def show(
    drawings: Sequence[Drawing],
    words: Mapping[str, str],
    *,
    prefix: str,
    first: str,
    steps: Mapping[str, int],
    alt: str,
) -> None:
    """Show drawings beside or below one another, and below them the line for what is chosen.

    Args:
        drawings: What to show.
        words: Name of what can be chosen -> what is said of it; a kind's numbers begin at 0.
        prefix: What the component's key begins with.
        first: Name that is chosen to begin with.
        steps: Kind of name -> how many numbers the arrow keys up and down go.
        alt: What the drawings show, for those who cannot see them.
    """
    palette = page.palette()
    colours = {
        "accent": palette.accent,
        "line": palette.line,
        "muted": palette.muted,
        "under": palette.background,
    }
    data = {
        "html": "".join(map(_figure, drawings)),
        "words": dict(words),
        "first": first,
        "steps": dict(steps),
        "alt": alt,
        "style": "".join(f"--{name}:{colour};" for name, colour in colours.items()),
    }
    _mount(key=f"{prefix}pointing", data=data)


def _figure(drawing: Drawing) -> str:
    width = f"width:{drawing.width}px;" if drawing.width else ""
    height = f"height:{drawing.height}px;" if drawing.height else ""
    labels = "".join(map(_label, drawing.labels))
    kind = "grid" if drawing.width else "curve" if drawing.height else "wide"
    return (
        f'<figure class="{kind}"><figcaption>{escape(drawing.caption)}</figcaption>'
        f'<div style="{width}{height}">{drawing.svg}{labels}</div></figure>'
    )


def _label(label: Label) -> str:
    place = f"left:{100 * label.left:.2f}%;top:{100 * label.top:.2f}%"
    return f'<span class="{escape(label.side)}" style="{place}">{escape(label.text)}</span>'
