"""The look "Two in a row" of the page Filters: the single kernel that does the same, and kernels that are products."""

import numpy as np
import pandas as pd
import streamlit as st

from cnn_core import cells, composition, ops
from cnn_core.plots import kernels as drawn
from ui import controls, page
from ui.chapter import filters_picture, filters_questions, kernel_editor, predict
from ui.chapter import filters_two_text as words
from ui.chapter.filters_picture import Picture
from ui.chapter.filters_settings import FIRST_KERNEL, TWO

SECOND_KERNEL = "gaussian-3"


def section() -> None:
    """Show the whole look."""
    filters_picture.put_slide_away()
    left, right = st.columns([1, 2], gap="medium")
    with left:
        picture = filters_picture.choose(in_colour=False)
        first = kernel_editor.choose(prefix="f-", default=FIRST_KERNEL, label="First kernel")
        second = kernel_editor.choose(prefix="f-2-", default=SECOND_KERNEL, label="Second kernel")
        relu = controls.switch(
            "ReLU between them", key="f-relu", help="Negative numbers become 0 before the second kernel."
        )
    with right:
        try:
            _show(picture, first, second, relu=relu)
        except ValueError as error:
            page.refusal(error)
            filters_picture.offer_photograph(key="f-two-way-out")
    page.try_this(TWO, prefix="f-")
    predict.ask(filters_questions.two(picture.pixels, first, second), prefix="f-")
    page.explanation()
    for formula in words.formulas(first, second):
        st.latex(formula)
    st.markdown(words.EXPLANATION)
    _show_products(first, second)
    ours, torch = words.code(picture.code, first, second, relu=relu)
    page.in_code(ours=ours, torch=torch)


def _show(picture: Picture, first: np.ndarray, second: np.ndarray, *, relu: bool) -> None:
    x = picture.pixels.astype(float)
    single = composition.compose(first, second)
    if np.any(np.array(single.shape) > x.shape):
        raise ValueError(words.too_large(x, first, second, single))
    at_once = ops.corr2d(x, single)
    between = ops.corr2d(x, first)
    between = np.maximum(between, 0) if relu else between
    y = ops.corr2d(between, second)
    far = float(np.max(np.abs(y - at_once)))
    reach = float(x.max() * np.abs(first).sum() * np.abs(second).sum())
    reading = words.reading(x, first, second, single)
    whole, names = words.in_whole_numbers({"first": first, "second": second, "single": single})
    page.figure(
        drawn.composed(*whole, names=names, palette=page.palette()),
        key="f-two-kernels",
        alt=f"The first kernel, the second, and the single one. {reading}",
    )
    page.figure(
        drawn.pictures(
            x,
            {"after the first": between, "after both": y},
            {"difference": y - at_once, "at once": at_once},
            white=picture.highest,
            palette=page.palette(),
        ),
        key="f-two-outputs",
        alt=f"The picture, the outputs in a row, the output at once, the difference. {reading}",
    )
    page.reading(reading)
    told = (
        words.difference(far, reach=reach, relu=relu),
        words.recognise(single),
        words.costs(first, second, single),
    )
    st.markdown(" ".join(filter(None, told)))
    times = (
        " A number behind a kernel's name: its cells are drawn so many times larger."
        if "·" in "".join(names)
        else ""
    )
    st.caption(f"Orange is positive, blue is negative, neutral is 0. All outputs share one scale.{times}")


def _show_products(first: np.ndarray, second: np.ndarray) -> None:
    st.subheader("A column times a row", anchor=False)
    for name, kernel in (("first", first), ("second", second)):
        st.markdown(words.split_words(name, kernel))
        product = composition.split(kernel)
        if product and min(kernel.shape) > 1:
            st.latex(words.split_formula(product))
            if max(np.abs(factor).max() for factor in product.kernels) <= cells.MAX_CELL:
                _offer_split(name, product)
    st.markdown(words.separable_count())
    with st.expander("All named kernels", key="f-products", on_change="rerun") as table:
        if table.open:
            st.dataframe(pd.DataFrame(words.table()), hide_index=True)


def _offer_split(name: str, product: composition.Product) -> None:
    column, row = map(cells.format, product.kernels)
    own = {"f-kernel": kernel_editor.OWN, "f-2-kernel": kernel_editor.OWN}
    st.button(
        f"Put the two factors of the {name} kernel in a row",
        key=f"f-split-{name}",
        icon=":material/call_split:",
        on_click=controls.set_values,
        args=(own | {"f-cells": column, "f-2-cells": row},),
    )
