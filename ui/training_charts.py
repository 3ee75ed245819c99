"""The charts of a training, which grow while it goes on: native ones, which do not flicker."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from cnn_core import runs
from cnn_core.plots import curves, rates
from cnn_core.summary import summarize
from cnn_core.training import Settings
from ui import controls, page
from ui.wording import count

CHART_HEIGHTS = {
    "loss": 250,
    "accuracy": 215,
    "learning_rate": 215,
    "examples_per_second": 215,
    "gradients": 400,
}


def chance(quantity: str, settings: Settings) -> float:
    """Return the loss or the accuracy of guessing."""
    return curves.chance(quantity, num_classes=len(settings.spec.class_names))


def show_charts(run: runs.Run | None, settings: Settings) -> None:
    """Draw the charts that the visitor has chosen.

    Args:
        run: What is drawn; None leaves the charts empty.
        settings: Those of the run, or of the controls.
    """
    shown = controls.choice("Charts", tuple(_CHARTS), key="t-charts")
    _CHARTS[shown](run, settings)


def _curves(run: runs.Run | None, settings: Settings) -> None:
    for quantity in ("loss", "accuracy"):
        points = curves.curves(
            run.steps if run else (),
            run.epochs if run else (),
            quantity,
            steps_per_epoch=settings.steps_per_epoch,
        )
        spec = curves.curves_spec(
            quantity,
            num_epochs=settings.num_epochs,
            chance=chance(quantity, settings),
            palette=page.palette(),
        )
        _draw(quantity, points, spec, alt=_alt(quantity, run))


def _rates(run: runs.Run | None, settings: Settings) -> None:
    for quantity, title in rates.TITLES.items():
        points = rates.step_values(
            run.steps if run else (), quantity, steps_per_epoch=settings.steps_per_epoch
        )
        spec = rates.step_spec(
            quantity,
            num_epochs=settings.num_epochs,
            is_log=quantity == "learning_rate" and settings.schedule == "step",
            palette=page.palette(),
        )
        _draw(quantity, points, spec, alt=f"{title} against epochs")


def _gradients(run: runs.Run | None, settings: Settings) -> None:
    rows = summarize(settings.layers, settings.spec.input_shape)
    names = [row.name for row in rows if row.num_params]
    layers = rates.spread(names)
    points = rates.gradient_norms(run.steps if run else (), layers, steps_per_epoch=settings.steps_per_epoch)
    spec = rates.gradient_spec(layers, num_epochs=settings.num_epochs, palette=page.palette())
    _draw("gradients", points, spec, alt="gradient norm of each layer against epochs, on a log scale")
    some = f" {len(layers)} of {len(names)} layers are shown." if len(layers) < len(names) else ""
    st.caption(
        "How long the gradient of each layer is, on a logarithmic axis. With SGD, a layer whose line is far below "
        f"the others hardly moves. Adam evens that out.{some}"
    )


def _draw(name: str, points: Mapping[str, Any], spec: Mapping[str, Any], *, alt: str) -> None:
    st.vega_lite_chart(pd.DataFrame(points), spec, height=CHART_HEIGHTS[name], key=f"t-chart-{name}", alt=alt)


_CHARTS = {
    "Loss and accuracy": _curves,
    "Learning rate and speed": _rates,
    "Gradient norms": _gradients,
}


def _alt(quantity: str, run: runs.Run | None) -> str:
    """Say what a chart shows. While it moves the words stay: other words would build the chart anew."""
    if run is None:
        return f"{quantity} against epochs, still empty"
    if not run.is_over or not run.epochs:
        return f"{quantity} of training and validation against epochs"
    last = run.epochs[-1]
    text = f"{quantity} after {count(last.epoch, 'epoch')}: training {getattr(last, f'train_{quantity}'):.3f}"
    validation = getattr(last, f"validation_{quantity}")
    return text if validation is None else f"{text}, validation {validation:.3f}"
