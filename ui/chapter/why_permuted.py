"""The permutation experiment: the same pixels in another order, for a network with windows and one without."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from cnn_core import data
from cnn_core.data.permutation import permute
from cnn_core.experiments import LENET, MLP, PERMUTATION, Outcome, Trial, network_name
from cnn_core.experiments.summaries import lost_points, standard_error
from cnn_core.plots.experiments import accuracy_columns, accuracy_spec
from ui import controls, page
from ui.chapter import experiments
from ui.chapter.experiments_words import network_words
from ui.page import Setting

LOOK = "permuted pixels"
SETTINGS_OF_ALL = PERMUTATION.trials[0].settings
SCALE, GAP, HEIGHT = 8, 2, 380

SETTINGS = [
    Setting(
        "A seven",
        "Could you name the permuted one? Could you learn to, from thousands of examples?",
        {"w-view": LOOK, "w-digit": 4},
    ),
    Setting(
        "A one",
        "Few pixels are bright. Where do they go? Count them on both sides.",
        {"w-view": LOOK, "w-digit": 3},
    ),
    Setting(
        "Another one",
        "A pixel always goes to the same place. Compare with the one before: what have both permuted pictures in "
        "common?",
        {"w-view": LOOK, "w-digit": 31},
    ),
]

RESERVED = {experiments.SOURCE: experiments.OWN}


def show() -> None:
    """Show the four trainings, and what the permutation does to a picture."""
    followed = experiments.follow(PERMUTATION)
    left, right = st.columns([1, 2], gap="large")
    with left:
        index = controls.integer(
            "Test picture",
            key="w-digit",
            default=0,
            low=0,
            high=SETTINGS_OF_ALL.spec.num_test - 1,
            as_box=True,
        )
        draw_picture(index)
        shows_own = experiments.choose(followed)
    with right:
        experiments.panel(followed, draw, shows_own=shows_own, cell=cell)
    page.try_this(SETTINGS, prefix="w-")
    page.explanation()
    explain()
    page.in_code(**write_code(index))
    experiments.in_a_terminal(PERMUTATION)


@st.cache_resource(max_entries=1, show_spinner="Reading the digits")
def read_digits() -> data.Dataset:
    """Read the pictures of the test."""
    return data.load(SETTINGS_OF_ALL.data, split="test")


def draw_picture(index: int) -> None:
    """Draw a test picture as it is, and as the networks get it when it is permuted."""
    digits = read_digits()
    picture, name = digits.images[index], digits.class_names[digits.labels[index]]
    # One image, so that both stay beside each other; grey and alpha, which is 0 between them.
    sheet = np.zeros((28, 2 * 28 + GAP, 4), np.uint8)
    for left, pixels in ((0, picture), (28 + GAP, permute(picture))):
        sheet[:, left : left + 28, :3] = pixels[:, :, None]
        sheet[:, left : left + 28, 3] = 255
    large = sheet.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    st.image(large, caption=f"Digit {name}: plain, and permuted", width="stretch", output_format="PNG")


def cell(trial: Trial) -> tuple[str, str]:
    """Place a training in the table of the runs."""
    way = "permuted" if trial.settings.permuted else "plain"
    return way, network_name(trial.settings)


def draw(outcomes: Sequence[Outcome]) -> None:
    """Draw accuracy by epoch, and say what the permutation cost."""
    kept = experiments.shipped_outcomes(PERMUTATION)
    spread = [value for each in (*kept, *outcomes) for value in each.validation_accuracies]
    limits = min(spread), max(spread)
    st.vega_lite_chart(
        pd.DataFrame(accuracy_columns(outcomes, limits=limits)),
        accuracy_spec(num_epochs=SETTINGS_OF_ALL.num_epochs, limits=limits, palette=page.palette()),
        height=HEIGHT,
        key="w-permuted-chart",
        alt="Validation accuracy by epoch of LeNet and of an MLP, on plain and on permuted pictures.",
    )
    page.reading(read(outcomes))
    st.caption(
        "Colour: the network. Solid with dots: plain pictures. Dashed with triangles: permuted pictures. The lines "
        f"are on validation pictures, the numbers above are of the test. {_uncertain(outcomes)}"
    )


def read(outcomes: Sequence[Outcome]) -> str:
    """Say what the permutation changed at the test, for each network."""
    lost = lost_points(outcomes)
    if not lost:
        return "As soon as a network has finished on plain and on permuted pictures, both are compared here."
    parts = []
    for name, (plain, permuted) in lost.items():
        points = round(100 * (plain - permuted), 2)
        verb = "loses" if points >= 0 else "gains"
        unit = "percentage points" if not parts else "points"
        parts.append(f"{network_words(name)} {verb} {abs(points):.1f} {unit} ({plain:.3f} to {permuted:.3f})")
    return f"Permuted, {', '.join(parts)}."


def _uncertain(outcomes: Sequence[Outcome]) -> str:
    done = [each.test_accuracy for each in outcomes if each.test_accuracy is not None]
    if not done:
        return ""
    num_test = SETTINGS_OF_ALL.spec.num_test
    error = 100 * max(standard_error(each, num_test) for each in done)
    return f"On {num_test:,} other pictures, an accuracy could easily be {error:.1f} points higher or lower."


def explain() -> None:
    """Say why the order of the pixels matters to one network and not to the other."""
    st.latex(r"h_u = \sum_{p} w_{u,p}\, x_p = \sum_{p} w_{u,\pi(p)}\, x_{\pi(p)}")
    st.markdown(
        "One permutation $\\pi$ of all pixels is drawn once. Every picture is permuted by it, those of the test too. "
        "No pixel is lost. Only the neighbours are.\n\n"
        f"- **{MLP}.** Each hidden unit $h_u$ has a weight $w_{{u,p}}$ for each pixel $p$. The order does not change "
        "the sum. Permute the weights of the first layer too, and the network computes the same as before. So it can "
        "learn the same. It only begins with other random weights.\n"
        f"- **{LENET}.** A window of 5 x 5 relies on one thing: pixels that lie close together belong together. They "
        "form strokes, corners and ends. Permuted, a window holds 25 pixels from all over the picture. There is no "
        "pattern to find, and none that would look the same elsewhere.\n"
        "- **It still learns something.** The linear layers at its end see all feature maps. But pooling has dropped "
        "places on the way, and here the place of a pixel is all there is.\n"
        "- **What follows.** Convolutions are no better for all data. They suit data whose neighbours belong together. "
        "This is called **locality**. If the columns of a table may be swapped, they have no neighbours."
    )


def write_code(index: int) -> dict[str, str]:
    """Write the permutation of one picture with this package and with PyTorch."""
    load = f'picture = data.load("{SETTINGS_OF_ALL.data}", split="test").images[{index}]\n'
    return {
        "ours": (
            "from cnn_core import data\nfrom cnn_core.data.permutation import permute\n\n"
            f"{load}y = permute(picture)\n"
        ),
        "torch": (
            "import torch\nfrom cnn_core import data\nfrom cnn_core.data.permutation import permutation\n\n"
            f"{load}order = torch.tensor(permutation(28, 28))  # once, for all pictures\n"
            "y = torch.tensor(picture).flatten()[order].reshape(28, 28)\n"
        ),
    }
