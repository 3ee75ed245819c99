"""What is trained in each experiment: the same two networks, one that looks through windows and one that does not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cnn_core.data.registry import find_spec, unknown
from cnn_core.network import LENET_MODERN, Network
from cnn_core.summary import Shape, summarize
from cnn_core.training.settings import Settings

LENET, MLP = "LeNet", "MLP"
_SPEC = find_spec("mnist-5k")


@dataclass(frozen=True)
class Trial:
    """One training of an experiment.

    Attributes:
        label: What to call it; no two of an experiment have the same.
        settings: What is trained.
    """

    label: str
    settings: Settings


@dataclass(frozen=True)
class Experiment:
    """Several trainings that together answer one question.

    Attributes:
        name: What the terminal and files call it.
        trials: Its trainings, in the order in which they are done.
    """

    name: str
    trials: tuple[Trial, ...]


def num_params(network: Network, input_shape: Shape = _SPEC.input_shape) -> int:
    """Count the parameters of a network.

    Args:
        network: The network.
        input_shape: What it gets, (C, H, W); of a handwritten digit by default.

    Example:
        >>> num_params(LENET_MODERN)
        61706
    """
    return sum(row.num_params for row in summarize(network, input_shape))


def hidden_units(target: int, *, num_inputs: int, num_outputs: int) -> int:
    """Find the width of one hidden layer that brings an MLP nearest to a number of parameters.

    With h hidden units it has (num_inputs + 1) h + (h + 1) num_outputs of them.

    Args:
        target: Parameters that it should have.
        num_inputs: Numbers that come in.
        num_outputs: Numbers that go out.

    Returns:
        The number of hidden units, at least 1.

    Example:
        >>> hidden_units(61706, num_inputs=28 * 28, num_outputs=10)
        78
    """
    return max(1, round((target - num_outputs) / (num_inputs + 1 + num_outputs)))


def _mlp() -> str:
    """Write the MLP that has as nearly as can be as many parameters as LeNet, in the one-line notation."""
    _, height, width = _SPEC.input_shape
    classes = len(_SPEC.class_names)
    units = hidden_units(num_params(LENET_MODERN), num_inputs=height * width, num_outputs=classes)
    return f"flatten-{units}-relu-{classes}"


NETWORKS: Mapping[str, str] = MappingProxyType({LENET: "lenet-modern", MLP: _mlp()})
"""What the experiments call a network -> what `Settings` does."""

PLAIN, PERMUTED = "plain", "permuted"
WAYS: Mapping[str, bool] = MappingProxyType({PLAIN: False, PERMUTED: True})
"""How the pixels lie -> `Settings.permuted`."""

PERMUTATION = Experiment(
    "permutation",
    tuple(
        Trial(f"{name}, {way}", Settings(data=_SPEC.name, network=network, permuted=permuted))
        for way, permuted in WAYS.items()
        for name, network in NETWORKS.items()
    ),
)

SIZES = (50, 100, 250, 500, 1000, 3600)
"""Numbers of training pictures; the last one is all that validation leaves."""
NUM_STEPS, FEWER_BATCH = 360, 50
MAX_SEEDS = 3


def fewer(num_seeds: int = MAX_SEEDS) -> Experiment:
    """Define the experiment with fewer training pictures.

    Each training makes the same number of steps with the same number of pictures in each. So the trainings differ
    in one thing: how many of these pictures are different ones. With the same number of epochs, few pictures would
    mean few steps, and the networks would hardly have been trained.

    Args:
        num_seeds: So many trainings of each kind, with the seeds from 0.

    Example:
        >>> len(fewer(1).trials), {trial.settings.num_steps for trial in fewer(1).trials}
        (12, {360})
    """
    return Experiment(
        "fewer",
        tuple(
            Trial(f"{name}, {size:,} pictures, seed {seed}", _with_fewer(network, size, seed))
            for seed in range(num_seeds)
            for size in SIZES
            for name, network in NETWORKS.items()
        ),
    )


def _with_fewer(network: str, size: int, seed: int) -> Settings:
    settings = Settings(data=_SPEC.name, network=network, batch_size=FEWER_BATCH, seed=seed)
    all_pictures = settings.num_train
    return replace(settings, train_fraction=size / all_pictures, num_epochs=NUM_STEPS * FEWER_BATCH // size)


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType({each.name: each for each in (PERMUTATION, fewer())})
"""Name -> experiment, with all its trainings."""


def find(name: str) -> Experiment:
    """Return an experiment by its name.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> find("permutaton")
        Traceback (most recent call last):
        ...
        ValueError: unknown experiment 'permutaton': did you mean 'permutation'?
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]


def network_name(settings: Settings) -> str:
    """Return what the experiments call the network of one of their trainings.

    Example:
        >>> network_name(PERMUTATION.trials[0].settings)
        'LeNet'
    """
    return next(name for name, network in NETWORKS.items() if network == settings.network)
