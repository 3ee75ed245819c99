"""The charts of a training, which grow while it goes on: native ones, which do not flicker."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st

from cnn_core import runs
from cnn_core.plots import curves, rates
from cnn_core.summary import summarize
from cnn_core.training import Settings, pace
from ui import controls, page
from ui.wording import count

CHART_HEIGHTS = {
    "loss": 250,
    "accuracy": 215,
    "learning_rate": 215,
    "examples_per_second": 215,
    "gradients": 400,
}

HOW_TO_ZOOM = "Ctrl and the wheel zoom in. Dragging moves. A double click shows all again."


def chance(quantity: str, settings: Settings) -> float:
    """Return the loss or the accuracy of guessing."""
    return curves.chance(quantity, num_classes=len(settings.spec.class_names))


def show_charts(run: runs.Run | None, settings: Settings) -> None:
    """Draw the charts that the visitor has chosen.

    Args:
        run: What is drawn; None leaves the charts empty.
        settings: Those of the run, or of the controls.
    """
    shown = controls.choice("Charts", tuple(_CHARTS), key="t-charts", help=HOW_TO_ZOOM)
    _CHARTS[shown](run, settings)


def _curves(run: runs.Run | None, settings: Settings) -> None:
    for quantity in ("loss", "accuracy"):
        collect = partial(
            curves.curves,
            run.steps if run else (),
            run.epochs if run else (),
            quantity,
            steps_per_epoch=settings.steps_per_epoch,
            rate_changes=run.rate_changes if run else (),
        )
        spec = curves.curves_spec(
            quantity,
            num_epochs=settings.num_epochs,
            chance=chance(quantity, settings),
            palette=page.palette(),
        )
        _draw(quantity, run, collect, spec, alt=_alt(quantity, run))
    top = curves.LOSS_LIMIT * chance("loss", settings)
    if run and (highest := _highest_loss(run)) > top:
        st.caption(f"The loss went up to {highest:.3g}. Its chart ends at {top:.3g}.")


def _highest_loss(run: runs.Run) -> float:
    """Return the highest of the losses that are drawn."""
    losses = [step.loss for step in run.steps]
    losses += [epoch.validation_loss for epoch in run.epochs if epoch.validation_loss is not None]
    return max(losses, default=0.0)


def _rates(run: runs.Run | None, settings: Settings) -> None:
    for quantity, title in rates.TITLES.items():
        collect = partial(
            rates.step_values,
            run.steps if run else (),
            quantity,
            steps_per_epoch=settings.steps_per_epoch,
        )
        spec = rates.step_spec(
            quantity,
            num_epochs=settings.num_epochs,
            is_log=quantity == "learning_rate" and settings.schedule == "step",
            palette=page.palette(),
        )
        _draw(quantity, run, collect, spec, alt=f"{title} against epochs")
    if run and run.started and run.epochs and run.epochs[-1].seconds_by_part:
        where = pace.describe(run.epochs[-1].seconds_by_part, device=run.started.device)
        st.caption(f"Where the time of the steps of epoch {run.epochs[-1].epoch} went: {where}")


def _gradients(run: runs.Run | None, settings: Settings) -> None:
    rows = summarize(settings.layers, settings.spec.input_shape)
    names = [row.name for row in rows if row.num_params]
    layers = rates.spread(names)
    steps = run.steps if run else ()
    collect = partial(rates.gradient_norms, steps, layers, steps_per_epoch=settings.steps_per_epoch)
    spec = rates.gradient_spec(layers, num_epochs=settings.num_epochs, palette=page.palette())
    _draw("gradients", run, collect, spec, alt="gradient norm of each layer against epochs, on a log scale")
    some = f" {len(layers)} of {len(names)} layers are shown." if len(layers) < len(names) else ""
    st.caption(
        "How long the gradient of each layer is, on a logarithmic axis. With SGD, a layer whose line is far below "
        f"the others hardly moves. Adam evens that out.{some}"
    )


def _draw(
    name: str,
    run: runs.Run | None,
    collect: Callable[[], Mapping[str, np.ndarray]],
    spec: Mapping[str, Any],
    *,
    alt: str,
) -> None:
    known = run and (run.id, run.step, len(run.epochs), len(run.rate_changes))
    st.vega_lite_chart(
        _table(name, known, collect),
        spec,
        height=CHART_HEIGHTS[name],
        key=f"t-chart-{name}",
        on_select="rerun",  # a zoom that Streamlit does not know of is undone by the next points
        selection_mode=curves.ZOOM,
        alt=alt,
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def _table(
    name: str, known: tuple[str, int, int, int] | None, _collect: Callable[[], Mapping[str, np.ndarray]]
) -> pa.Table:
    """Collect the points of a chart once for all who look, as long as no more is known of the run.

    As a table of Arrow they are sent as they are; one of pandas would be turned into it each time.
    """
    return pa.table(_collect())


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
