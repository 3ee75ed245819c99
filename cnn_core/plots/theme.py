"""Every colour and the common layout of the figures, once for light pages and once for dark ones."""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go


@dataclass(frozen=True)
class Palette:
    """The colours of one theme. Each means one thing on every page.

    Attributes:
        text: Axis labels and numbers on the page's background.
        on_strong: Numbers on the strong ends of the signed scale.
        strong_from: Where the strong ends begin, as a share of the scale's limit.
        background: The page behind the figure.
        line: Thin lines between cells.
        muted: What is there but not meant: hatches, padding, left-over rows.
        accent: The window and the output it makes.
        training: Curves of the training set.
        validation: Curves of the validation set.
        signed: Colour stops from negative (blue) over zero (neutral) to positive (orange).
        sequential: Colour stops from none to much, for counts.
    """

    text: str
    on_strong: str
    strong_from: float
    background: str
    line: str
    muted: str
    accent: str
    training: str
    validation: str
    signed: tuple[str, ...]
    sequential: tuple[str, ...]

    @property
    def neutral(self) -> str:
        """The colour of zero on the signed scale."""
        return self.signed[len(self.signed) // 2]


LIGHT = Palette(
    text="#1b2227",
    on_strong="#ffffff",
    strong_from=0.7,
    background="#ffffff",
    line="#c5ccd2",
    muted="#9aa4ad",
    accent="#0b7a69",
    training="#7b5cd6",
    validation="#c93a73",
    signed=(
        "#174a94",
        "#2f6fbd",
        "#6ea3db",
        "#a9c9ea",
        "#f4f5f5",
        "#f7cd9c",
        "#eca557",
        "#c9680f",
        "#8f4706",
    ),
    sequential=("#f4f5f5", "#c5e4de", "#7dc3b6", "#349d8c", "#0b7a69", "#04493f"),
)

DARK = Palette(
    text="#e5e9ec",
    on_strong="#10151a",
    strong_from=0.48,
    background="#13171b",
    line="#3c454e",
    muted="#78838d",
    accent="#46c9b3",
    training="#a68ff2",
    validation="#f0719f",
    signed=(
        "#9ccaff",
        "#6aa9ef",
        "#3f79bd",
        "#2d5482",
        "#242b32",
        "#6b4822",
        "#a8692a",
        "#f0a04b",
        "#ffcf94",
    ),
    sequential=("#1d2329", "#154d45", "#1b7668", "#2ba391", "#46c9b3", "#c5f2ea"),
)


def colorscale(stops: tuple[str, ...]) -> list[tuple[float, str]]:
    """Spread colour stops evenly over [0, 1], in the form that Plotly takes.

    Example:
        >>> colorscale(("black", "grey", "white"))
        [(0.0, 'black'), (0.5, 'grey'), (1.0, 'white')]
    """
    return [(index / (len(stops) - 1), stop) for index, stop in enumerate(stops)]


def layout(*, palette: Palette, height: int | None = None) -> dict[str, Any]:
    """Return the layout all figures share: no chrome, small margins, the palette's text."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 32, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": palette.text, "size": 13},
        "hoverlabel": {"font": {"size": 13}},
        "showlegend": False,
        "dragmode": False,
    }


def finish(fig: go.Figure, *, palette: Palette, height: int | None = None) -> go.Figure:
    """Give a figure the layout all figures share."""
    return fig.update_layout(layout(palette=palette, height=height))
