"""What the outcomes of an experiment amount to: the numbers that its figure and its words say."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from cnn_core.experiments.definitions import NETWORKS, PERMUTED, PLAIN, SIZES, network_name
from cnn_core.experiments.outcomes import Outcome


@dataclass(frozen=True, kw_only=True)
class Level:
    """What one network reached with so many training pictures.

    Attributes:
        network: As the experiments call it.
        size: Training pictures.
        accuracies: Test accuracy with each seed that is finished, at least one.
    """

    network: str
    size: int
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return mean(self.accuracies)


def levels(outcomes: Iterable[Outcome]) -> list[Level]:
    """Put the finished trainings of a network with one number of pictures together, the fewest pictures first."""
    found: dict[tuple[str, int], list[float]] = {(name, size): [] for name in NETWORKS for size in SIZES}
    for each in outcomes:
        if each.test_accuracy is not None:
            found[network_name(each.settings), each.settings.num_train].append(each.test_accuracy)
    return [
        Level(network=name, size=size, accuracies=tuple(values))
        for (name, size), values in found.items()
        if values
    ]


def lost_points(outcomes: Iterable[Outcome]) -> dict[str, tuple[float, float]]:
    """Pair the test accuracies of each network on plain and on permuted pictures, where both are finished.

    Returns:
        Network -> accuracy on plain pictures, accuracy on permuted ones.
    """
    reached = {
        (network_name(each.settings), way_of(each)): each.test_accuracy
        for each in outcomes
        if each.test_accuracy is not None
    }
    return {
        name: (reached[name, PLAIN], reached[name, PERMUTED])
        for name in NETWORKS
        if (name, PLAIN) in reached and (name, PERMUTED) in reached
    }


def way_of(outcome: Outcome) -> str:
    """Say how the pixels lay in a training: plain or permuted."""
    return PERMUTED if outcome.settings.permuted else PLAIN


def standard_error(accuracy: float, num_pictures: int) -> float:
    """Compute how far an accuracy may well be from that on ever more pictures, as a share.

    It is the standard deviation of a share that was counted on so many pictures, sqrt(p (1 - p) / n).

    Example:
        >>> round(standard_error(0.9, 1000), 4)
        0.0095
    """
    return math.sqrt(accuracy * (1 - accuracy) / num_pictures)
