"""A picture before and after pooling, drawn."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from cnn_core.plots.sheets import GREYS, sheet_layout, unit_square
from cnn_core.plots.theme import LIGHT, Palette

SPACE = 0.12
"""Between one picture and the next, when the longer side of each is 1."""


def before_after(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    to_scale: bool = False,
    size: int = 260,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw pictures before and after a layer side by side, one pair below the other.

    Args:
        pairs: Name of a pair -> (before, after); each grey, shape (H, W), or colour, shape (H, W, 3), with
            values from 0 to 255; drawn in whole numbers.
        to_scale: Draw all pixels in one size, so that a smaller picture looks smaller; else fit each picture.
        size: Longer side of a picture on the page, in pixels, where there is room.
        palette: Colours of the page's theme.

    Returns:
        One heatmap for each grey picture, one image for each colour picture; row 0 on top, square pixels.
    """
    fig = go.Figure()
    top = 0.0
    for name, pair in pairs.items():
        largest = max(max(picture.shape[:2]) for picture in pair)
        for column, (when, picture) in enumerate(zip(("before", "after"), pair, strict=True)):
            place = (top, column * (1 + SPACE))
            square = unit_square(picture.shape, place, side=largest if to_scale else 0)
            fig.add_trace(_picture(picture, square))
            words = f"{name} {when}, {picture.shape[0]} x {picture.shape[1]}"
            fig.add_annotation(text=words, x=place[1], y=place[0], xanchor="left", yanchor="bottom")
        top += SPACE + max(picture.shape[0] / max(picture.shape[:2]) for picture in pair)
    fig.update_annotations(showarrow=False, borderpad=0)
    return fig.update_layout(
        sheet_layout(x=(0, 2 + SPACE), y=(top, -SPACE), height=int(size * (top + SPACE)), palette=palette)
    )


def _picture(picture: np.ndarray, square: dict[str, float]) -> go.Heatmap | go.Image:
    pixels = np.rint(picture).astype(np.uint8)
    if pixels.ndim == 3:
        return go.Image(z=pixels, **square, hovertemplate="%{z}<extra></extra>")
    return go.Heatmap(z=pixels, **square, **GREYS, showscale=False, hovertemplate="%{z}<extra></extra>")
