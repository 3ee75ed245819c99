import os

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core import data, ops
from cnn_core.kernels import KERNELS
from cnn_core.plots.grids import limit_of
from cnn_core.plots.training import enlarged, mosaic
from ui import controls, machine, page

EXAMPLE_KERNELS = ["vertical-edges", "horizontal-edges", "laplacian-4", "gaussian-3"]
PICTURE_WIDTH = 172

CHAPTER = [
    ("pages/chapter/why_convolutions.py", "Why small windows, and the same weights everywhere?"),
    ("pages/chapter/filters.py", "What does sliding a small kernel over a picture find?"),
    ("pages/chapter/padding_stride.py", "How large is the output, and which pixels does it see?"),
    ("pages/chapter/channels.py", "How do several inputs become several outputs?"),
    ("pages/chapter/pooling.py", "What is lost, and what is won, when a picture is made smaller?"),
    ("pages/networks/architecture.py", "What shape do the numbers have on their way, and what does it cost?"),
    ("pages/networks/lenet_trainer.py", "What does a whole network learn from real pictures?"),
]


@st.cache_data(max_entries=1)
def one_of_each_digit() -> np.ndarray:
    digits = data.load("mnist-5k", split="test")
    first = [int(np.flatnonzero(digits.labels == label)[0]) for label in range(10)]
    return digits.images[first]  # (10, 28, 28)


def show_example() -> tuple[int, str]:
    left, right = st.columns([1, 2], gap="large")
    with left:
        digit = controls.integer("Digit", key="h-digit", default=5, low=0, high=9)
    with right:
        name = controls.choice(
            "Kernel", EXAMPLE_KERNELS, key="h-kernel", format=lambda name: KERNELS[name].title
        )
    image = one_of_each_digit()[digit]
    x = image[None, None].astype(np.float32) / 255
    feature_map = ops.conv2d(x, KERNELS[name].values[None, None])
    rectified = np.maximum(feature_map, 0)
    pooled = ops.pool2d(rectified, 2)
    limit = limit_of(feature_map)
    row = st.container(horizontal=True)
    show(row, "Picture", x, enlarged(image))
    for title, array in (("Convolution", feature_map), ("ReLU", rectified), ("Max pooling", pooled)):
        show(row, title, array, mosaic(array[0], limit=limit, width=280, palette=page.palette()))
    # Where its cells add up to 0, an even area gives 0, and what is above that is a find. A blur finds nothing.
    found = ": there the kernel found its pattern" if np.isclose(KERNELS[name].values.sum(), 0) else ""
    page.reading(
        f"{x.size} pixels in, {pooled.size} numbers out. {int((pooled > 0).sum())} of them are above zero{found}."
    )
    st.caption(
        f"{KERNELS[name].title}: {KERNELS[name].purpose} Orange is above zero, blue below. "
        "The three maps share one scale."
    )
    return digit, name


def show(row: DeltaGenerator, title: str, array: np.ndarray, picture: np.ndarray) -> None:
    size = f"{array.shape[2]} x {array.shape[3]}"
    row.image(
        picture,
        caption=f"{title}, {size}",
        width=PICTURE_WIDTH,
        output_format="PNG",
        alt=f"{title}: {size} values from {array.min():.2f} to {array.max():.2f}",
    )


def show_way() -> None:
    st.subheader("The way through the chapter", anchor=False)
    for path, question in CHAPTER:
        card = st.container(border=True, horizontal=True, vertical_alignment="center")
        card.page_link(path, icon=":material/arrow_forward:", width=180)
        card.markdown(question)


def code_ours(digit: int, name: str) -> str:
    return f"""\
import numpy as np
from cnn_core import data, kernels, ops

digits = data.load("mnist-5k", split="test")
image = digits.images[digits.labels == {digit}][0]
x = image[None, None].astype(np.float32) / 255
weight = kernels.KERNELS["{name}"].values[None, None]
y = ops.pool2d(np.maximum(ops.conv2d(x, weight), 0), 2)
"""


def code_torch(digit: int, name: str) -> str:
    return f"""\
import torch
from torch.nn import functional as F
from cnn_core import data

digits = data.load("mnist-5k", split="test")
image = digits.images[digits.labels == {digit}][0]
x = torch.tensor(image)[None, None] / 255
weight = torch.tensor({KERNELS[name].values.tolist()})[None, None]
y = F.max_pool2d(F.relu(F.conv2d(x, weight)), 2)
"""


def show_machine() -> None:
    st.subheader("What this machine has", anchor=False)
    here = data.available()
    for spec in data.DATASETS.values():
        place = "here" if spec.name in here else f"not here yet, {spec.num_bytes / 1e6:.0f} MB to fetch"
        st.markdown(f"- **{spec.title}** ({place}). {spec.description}")
    titles = [machine.DEVICE_TITLES[device] for device in machine.devices()]
    st.markdown(f"- **Device for training:** {titles[0]}. The processor has {os.cpu_count()} cores.")


def main() -> None:
    page.header(
        "CNN Workbench",
        "What does a convolutional network do with a picture? Touch every number and see.",
        ideas=["local", "shared weights", "layer by layer"],
    )
    digit, name = show_example()
    page.explanation()
    st.markdown(
        "A convolutional network looks at a picture through small windows. In each window it multiplies the "
        "pixels with a **kernel**, a handful of numbers, and adds up. The same kernel is used everywhere, so a "
        "pattern is found wherever it is. The result is a **feature map**.\n\n"
        "**ReLU** then sets what is below zero to zero. **Pooling** keeps one number of each small window, so "
        "the map gets smaller. Layer after layer, the maps get smaller and the patterns larger. The kernels are "
        "not made by hand: the network learns them from examples."
    )
    show_way()
    page.in_code(ours=code_ours(digit, name), torch=code_torch(digit, name))
    show_machine()


main()
