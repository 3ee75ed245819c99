"""The look "Learn a kernel" of the page Filters: gradient descent finds a kernel from an input and its output."""

import numpy as np
import pandas as pd
import streamlit as st

from cnn_core import learning, ops
from cnn_core.kernels import KERNELS
from cnn_core.learning import MEAN, SUM, Bowl, Descent
from cnn_core.plots import kernels as drawn
from cnn_core.plots import learning as plots
from cnn_core.plots.theme import Palette
from ui import controls, page
from ui.chapter import filters_learn_text as words
from ui.chapter import filters_picture, filters_questions, kernel_editor, predict
from ui.chapter.filters_settings import BOOK, FIRST_KERNEL, LEARN, PHOTOGRAPH
from ui.chapter.filters_task import HIGHEST_RATE, HIGHEST_SEED, LOWEST_RATE, Task

MAX_STEPS = 5000
BUTTONS = {"One step": 1, "10 steps": 10, "100 steps": 100, "1,000 steps": 1000}
BOOK_RATE, RATE = 0.03, 0.1
MAX_DRAWN = 8
DECIMALS = 2


def section() -> None:
    """Show the whole look."""
    filters_picture.put_slide_away()
    controls.reserve({"f-rate": RATE, "f-book-rate": BOOK_RATE})
    controls.reserve({"f-picture": filters_picture.FIRST, "f-kernel": FIRST_KERNEL})
    left, right = st.columns([1, 2], gap="medium")
    with left:
        task = _choose()
    with right:
        try:
            bowl = task.bowl
        except ValueError as error:
            page.refusal(error)
            filters_picture.offer_photograph(key="f-learn-way-out")
            page.try_this(LEARN, prefix="f-")
            return
        descent = learning.descend(bowl, task.start, learning_rate=task.rate, num_steps=task.num_steps)
        _show(task, descent)
    page.try_this(LEARN, prefix="f-")
    predict.ask(filters_questions.learning(task), prefix="f-")
    _explain(task)
    how = {"learning_rate": task.rate, "num_steps": descent.num_steps, "reduction": task.reduction}
    ours, torch = words.code(task.code, task.true, task.start, how)
    page.in_code(ours=ours, torch=torch)


def _choose() -> Task:
    example = controls.choice("Example", [BOOK, PHOTOGRAPH], key="f-example")
    if example == BOOK:
        filters_picture.forget_upload()
        x, code = filters_picture.load("book-edge", 8).astype(float), 'images.load("book-edge").astype(float)'
        true, reduction, rate_key = KERNELS["book-columns"].values, SUM, "f-book-rate"
        st.markdown(
            "The book's picture, 6 x 8, and its kernel $[1, -1]$. The loss is the sum of the squared errors."
        )
    else:
        picture = filters_picture.choose(in_colour=False)
        x, code = picture.pixels / picture.highest, f"{picture.code} / {picture.highest}"
        true = kernel_editor.choose(prefix="f-", default=FIRST_KERNEL, label="Kernel to be found")
        reduction, rate_key = MEAN, "f-rate"
        st.markdown("Pixels are brought to 0 to 1. The loss is the mean of the squared errors.")
    rate = _choose_rate(rate_key)
    seed = controls.integer(
        "Seed",
        key="f-seed",
        default=0,
        low=0,
        high=HIGHEST_SEED,
        as_box=True,
        help="Decides the kernel to begin with.",
    )
    return Task(x, code, true, reduction, rate_key, rate, seed, _choose_steps())


def _choose_rate(key: str) -> float:
    default = BOOK_RATE if key == "f-book-rate" else RATE
    return controls.number(
        "Learning rate", key=key, default=default, low=LOWEST_RATE, high=HIGHEST_RATE, step=0.01, format="%g"
    )


def _choose_steps() -> int:
    steps = controls.integer("Steps", key="f-steps", default=10, low=0, high=MAX_STEPS, as_box=True)
    with st.container(horizontal=True, gap="small"):
        for label, more in BUTTONS.items():
            st.button(
                label,
                key=f"f-more-{more}",
                icon=":material/add:",
                disabled=steps == MAX_STEPS,
                on_click=controls.set_values,
                args=({"f-steps": min(steps + more, MAX_STEPS)},),
            )
        st.button(
            "To step 0",
            key="f-step-0",
            icon=":material/first_page:",
            disabled=steps == 0,
            on_click=controls.set_values,
            args=({"f-steps": 0},),
        )
    return steps


def _show(task: Task, descent: Descent) -> None:
    bowl = task.bowl
    _warn(task, descent)
    palette = page.palette()
    now = ops.corr2d(task.x, descent.kernels[-1])
    outputs = {"output wanted": task.target, "output now": now}
    reading = words.reading(descent, task.true)
    page.figure(
        drawn.pictures(task.x, outputs, white=1, palette=palette),
        key="f-learn-outputs",
        alt=f"The input, the output that is wanted, and the output of the kernel so far. {reading}",
    )
    page.reading(reading)
    st.caption(f"{words.pace(bowl, task.rate)} Orange is positive, blue is negative.")
    if bowl.rank and bowl.is_stable(task.rate):
        _offer_safe_rate(task)
    steps = plots.shown_steps(descent.num_steps)
    named = {f"step {step:,}": descent.kernels[step] for step in steps} | {"true": task.true}
    rounded = {name: np.round(kernel, DECIMALS) for name, kernel in named.items()}
    page.figure(
        drawn.kernels(rounded, meant="true", palette=palette),
        key="f-learn-kernels",
        alt=f"The kernel at some of the steps, and the true one. {reading}",
    )
    st.vega_lite_chart(
        pd.DataFrame(plots.loss_points(descent.losses)),
        plots.loss_spec(descent.losses, palette=palette),
        height=240,
        key="f-learn-loss",
        alt=f"The loss against the steps, on a log scale. {reading}",
    )
    if bowl.rank < task.true.size:
        _show_unseen(bowl)


def _warn(task: Task, descent: Descent) -> None:
    """Say what keeps the kernel from being found, and offer what helps."""
    bowl = task.bowl
    if not bowl.is_stable(task.rate):
        st.error(words.diverges(bowl, descent, task.rate, task.num_steps), icon=":material/trending_up:")
        _offer_safe_rate(task)
    if bowl.rank < task.true.size:
        st.warning(words.cannot_recover(task.x, bowl), icon=":material/visibility_off:")


def _show_unseen(bowl: Bowl) -> None:
    drawn_ones = bowl.unseen[:MAX_DRAWN]
    names = {f"hidden {index}": direction for index, direction in enumerate(drawn_ones, start=1)}
    page.figure(drawn.kernels(names, palette=page.palette()), key="f-learn-unseen", alt=words.UNSEEN)
    more = len(bowl.unseen) - len(drawn_ones)
    st.caption(words.UNSEEN + (f" Not drawn: {more} more." if more else ""))


def _offer_safe_rate(task: Task) -> None:
    safe = task.safe_rate
    if task.rate != safe:
        st.button(
            f"Learning rate {safe:g}",
            key="f-safe-rate",
            icon=":material/speed:",
            help="About nine tenths of the largest stable one."
            if safe < HIGHEST_RATE
            else "The largest that this page takes.",
            on_click=controls.set_values,
            args=({task.rate_key: safe},),
        )


def _explain(task: Task) -> None:
    bowl = task.bowl
    page.explanation()
    for formula in words.formulas(bowl, task.rate, task.reduction):
        st.latex(formula)
    st.markdown(words.explanation(bowl, task.rate, task.reduction))
    if bowl.rank > 1:
        ends = np.round(bowl.directions[[0, bowl.rank - 1]], DECIMALS)
        page.figure(_directions(ends, page.palette()), key="f-learn-directions", alt=words.DIRECTIONS)
        st.caption(words.DIRECTIONS)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={Palette: id})
def _directions(ends: np.ndarray, palette: Palette):
    """Draw the two directions, which all steps share: a step is to be seen at once."""
    return drawn.kernels(dict(zip(("steepest", "flattest"), ends, strict=True)), palette=palette)
