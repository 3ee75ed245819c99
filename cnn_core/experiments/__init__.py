"""Experiments: several trainings that together answer one question, and what came of them.

`EXPERIMENTS` says what is trained, an `Outcome` what one training reached. The package ships what
`python -m cnn_core experiment NAME --save cnn_core/experiments/results/NAME.json` has written; `shipped` reads it.
Nothing here imports torch until it trains.
"""

from cnn_core.experiments.definitions import (
    EXPERIMENTS,
    LENET,
    MLP,
    NETWORKS,
    PERMUTATION,
    SIZES,
    Experiment,
    Trial,
    fewer,
    find,
    hidden_units,
    network_name,
    num_params,
)
from cnn_core.experiments.outcomes import Outcome, Results, of_events, shipped, train

__all__ = [
    "EXPERIMENTS",
    "LENET",
    "MLP",
    "NETWORKS",
    "PERMUTATION",
    "SIZES",
    "Experiment",
    "Outcome",
    "Results",
    "Trial",
    "fewer",
    "find",
    "hidden_units",
    "network_name",
    "num_params",
    "of_events",
    "shipped",
    "train",
]
