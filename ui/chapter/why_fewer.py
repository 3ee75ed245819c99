"""Less data: what two networks of the same size reach with fewer training pictures."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from cnn_core.experiments import (
    LENET,
    MLP,
    NETWORKS,
    SIZES,
    Experiment,
    Outcome,
    Trial,
    fewer,
    network_name,
    num_params,
)
from cnn_core.experiments.summaries import Level, levels
from cnn_core.plots.experiments import size_columns, size_spec
from cnn_core.training.settings import find_network
from ui import controls, page
from ui.chapter import experiments
from ui.chapter.experiments_words import network_words
from ui.page import Setting
from ui.wording import count

LOOK = "less data"
HEIGHT = 380
NUM_SEEDS = (1, 3)
FACTORS, STEPS = "equal factors", "equal steps"

SETTINGS = [
    Setting(
        "Three seeds",
        "Each point is a mean, each bar reaches from the lowest to the highest. Where are the bars longest?",
        {"w-view": LOOK, "w-seeds": 3},
    ),
    Setting(
        "One seed",
        "One training for each point. Would you trust a small difference between two of them?",
        {"w-view": LOOK, "w-seeds": 1},
    ),
    Setting(
        "Equal steps",
        "Now one step along the axis is always as many pictures more. Where does one more picture help most?",
        {"w-view": LOOK, "w-axis": STEPS},
    ),
]

RESERVED = {experiments.SOURCE: experiments.OWN}


def show() -> None:
    """Show accuracy against the number of training pictures."""
    left, right = st.columns([1, 2], gap="large")
    with left:
        num_seeds = controls.choice(
            "Seeds",
            NUM_SEEDS,
            key="w-seeds",
            default=NUM_SEEDS[-1],
            help="A seed decides the first weights and which pictures are taken.",
        )
        axis = controls.choice(
            "Axis of the pictures",
            [FACTORS, STEPS],
            key="w-axis",
            help="Equal factors: from 100 to 200 is as far as from 1,000 to 2,000. "
            "Equal steps: from 100 to 200 is as far as from 1,000 to 1,100.",
        )
        experiment = fewer(num_seeds)
        followed = experiments.follow(experiment)
        shows_own = experiments.choose(followed)
    with right:
        experiments.panel(followed, partial(draw, is_log=axis == FACTORS), shows_own=shows_own, cell=cell)
    page.try_this(SETTINGS, prefix="w-")
    page.explanation()
    explain(experiment)
    page.in_code(**write_code())
    experiments.in_a_terminal(experiment)


def cell(trial: Trial) -> tuple[str, str]:
    """Place a training in the table of the runs."""
    return f"{trial.settings.num_train:,} pictures", network_name(trial.settings)


def draw(outcomes: Sequence[Outcome], *, is_log: bool) -> None:
    """Draw test accuracy by number of pictures, and say what its ends are."""
    found, kept = levels(outcomes), levels(experiments.shipped_outcomes(fewer()))
    spread = [value for each in (*kept, *found) for value in each.accuracies]
    limits = min(spread), max(spread)
    st.vega_lite_chart(
        pd.DataFrame(size_columns(found, limits=limits)),
        size_spec(limits=limits, is_log=is_log, palette=page.palette()),
        height=HEIGHT,
        key="w-fewer-chart",
        alt="Test accuracy by number of training pictures, of LeNet and of an MLP with as many parameters.",
    )
    page.reading(read(found))
    st.caption(
        "Dots and squares are means over the seeds, pale bars reach from the lowest to the highest. "
        f"Along the axis, equal distances are equal {'factors' if is_log else 'numbers of pictures'}: from 100 to 200 "
        f"is as far as from 1,000 to {'2,000' if is_log else '1,100'}."
    )


def read(found: Sequence[Level]) -> str:
    """Say what the networks reach with the fewest and with the most pictures, and who is ahead how often."""
    means = {(each.network, each.size): each.mean for each in found}
    both = [size for size in SIZES if all((name, size) in means for name in NETWORKS)]
    if not both:
        return "As soon as both networks have finished with as many pictures, they are compared here."
    parts = []
    for size in dict.fromkeys((both[0], both[-1])):
        reached = " and ".join(f"{network_words(name)} {means[name, size]:.3f}" for name in NETWORKS)
        parts.append(f"with {count(size, 'picture')}, {reached}")
    text = f"{'; '.join(parts)}."
    if len(both) > 1:
        ahead = sum(means[LENET, size] > means[MLP, size] for size in both)
        text += f" {LENET} is ahead at {ahead} of {len(both)} numbers of pictures."
    return text[0].upper() + text[1:]


def explain(experiment: Experiment) -> None:
    """Say why the trainings are comparable, and what helps with few pictures."""
    settings = experiment.trials[0].settings
    sizes = {name: num_params(find_network(network)) for name, network in NETWORKS.items()}
    steps, batch = settings.num_steps, settings.batch_size
    product = (
        rf"{steps:,} \text{{ steps}} \cdot {batch} \text{{ pictures}} = {steps * batch:,} \text{{ seen}}"
    )
    st.latex(product.replace(",", "{,}"))
    st.markdown(
        f"- **The same number of steps.** Each training makes {steps:,} steps with {batch} pictures. With {SIZES[0]} "
        f"training pictures it sees each of them {steps * batch // SIZES[0]:,} times, with {SIZES[-1]:,} only "
        f"{steps * batch // SIZES[-1]} times. So only one thing differs: how many different pictures there are. With "
        "the same number of epochs, few pictures would also mean few steps.\n"
        f"- **The same size.** {LENET} has {sizes[LENET]:,} parameters, the {MLP} {sizes[MLP]:,}. A hidden layer "
        "has whole units, so it cannot be closer.\n"
        "- **What is built in need not be learned.** A convolution knows before any picture that neighbours belong "
        "together, and that a stroke is a stroke wherever it is. A kernel learns from each place of each picture. A "
        f"weight of the {MLP} learns from one pixel.\n"
        f"- **Few pictures, much chance.** Which pictures are taken depends on the seed. {_seeds(experiment)}\n"
        f"- **The test** is the same for all: {settings.spec.num_test:,} pictures that no network was trained on."
    )


def _seeds(experiment: Experiment) -> str:
    """Say what the number of seeds is good for."""
    if len({trial.settings.seed for trial in experiment.trials}) == 1:
        return "With one seed that cannot be seen: choose three."
    return "That is why there are several seeds. Three are enough to see chance, and too few to measure it."


def write_code() -> dict[str, str]:
    """Write both networks and their numbers of parameters, with this package and with PyTorch."""
    mlp = NETWORKS[MLP]
    units = mlp.split("-")[1]
    return {
        "ours": (
            "from cnn_core import experiments\nfrom cnn_core.network import LENET_MODERN, parse\n\n"
            f'networks = [LENET_MODERN, parse("{mlp}")]\n'
            "y = [experiments.num_params(network) for network in networks]\n"
        ),
        "torch": (
            "from torch import nn\n\n"
            "lenet = nn.Sequential(\n"
            "    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),\n"
            "    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),\n"
            "    nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),\n)\n"
            f"mlp = nn.Sequential(nn.Flatten(), nn.Linear(784, {units}), nn.ReLU(), nn.Linear({units}, 10))\n"
            "y = [sum(p.numel() for p in network.parameters()) for network in (lenet, mlp)]\n"
        ),
    }
