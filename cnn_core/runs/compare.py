"""Runs side by side: in what their settings differ, and whether one repeats the other bit by bit."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from cnn_core.runs.reading import Run
from cnn_core.training import checkpoints
from cnn_core.training.settings import MAX_SEED, Settings

ROUNDING = 1e-12
"""How far, in parts of itself, a mean depends on how its sum was taken. Where a step differs, it differs more."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a comparison of two runs has found.

    Attributes:
        why_not: Why nothing was compared; empty if it was.
        circumstances: What was not alike beside the settings, in words, such as "threads (1 and 2)".
        num_numbers: Numbers in the parameters that were compared.
        num_losses: Losses that were compared: those logged, those of the epochs, that of the test.
        num_unmatched: Losses that one run alone has, because it logged at other steps.
        different_arrays: Names of the parameters that differ in a bit.
        largest_difference: Of two numbers in these.
        num_different_losses: Losses that differ by more than `ROUNDING`.
        first_different_step: Step of the first of the logged losses that differ; None if none does.
        has_same_predictions: Whether both name the same class for each test picture.
    """

    why_not: str = ""
    circumstances: tuple[str, ...] = ()
    num_numbers: int = 0
    num_losses: int = 0
    num_unmatched: int = 0
    different_arrays: tuple[str, ...] = ()
    largest_difference: float = 0.0
    num_different_losses: int = 0
    first_different_step: int | None = None
    has_same_predictions: bool = True

    @property
    def is_identical(self) -> bool:
        """Whether all that was compared is the same: parameters bit by bit, losses up to the rounding of a mean."""
        is_same = not self.different_arrays and not self.num_different_losses and self.has_same_predictions
        return not self.why_not and is_same


def differing(settings: Sequence[Settings]) -> list[str]:
    """Name the settings that are not the same in all of them, in the order of `Settings`.

    Two ways to write one network are the same.

    Args:
        settings: Those of several trainings.

    Returns:
        Names of fields.

    Example:
        >>> differing([Settings(), Settings(seed=1), Settings(learning_rate=0.1)])
        ['learning_rate', 'seed']
    """
    names = [field.name for field in fields(Settings)]
    found = [name for name in names if len({getattr(each, name) for each in settings}) > 1]
    if "network" in found and len({each.layers for each in settings}) == 1:
        found.remove("network")
    return found


def next_seed(settings: Settings, others: Iterable[Settings]) -> int:
    """Find the next seed with which nobody of the others has trained the same settings.

    Args:
        settings: Those to train again.
        others: Those of the trainings there are.

    Returns:
        The first unused seed after that of the settings; after the largest one comes 0.

    Example:
        >>> next_seed(Settings(seed=3), [Settings(seed=4), Settings(seed=5, batch_size=32)])
        5
    """
    used = {other.seed for other in others if set(differing([settings, other])) <= {"seed"}}
    seed = settings.seed
    while seed in used | {settings.seed}:
        seed = (seed + 1) % (MAX_SEED + 1)
    return seed


def changes_first_weights(first: Settings, second: Settings) -> list[str]:
    """Say what gives two trainings other weights to begin with; nothing else in their settings does.

    This is of weights that the seed draws. A training may begin with others, from a file.

    Example:
        >>> changes_first_weights(Settings(), Settings(optimizer="sgd", learning_rate=0.1))
        []
        >>> changes_first_weights(Settings(), Settings(data="cifar-10", seed=1))
        ['shape of the pictures', 'seed']
    """
    found = {
        "shape of the pictures": first.spec.input_shape != second.spec.input_shape,
        "network": first.layers != second.layers,
        "seed": first.seed != second.seed,
    }
    return [name for name, is_other in found.items() if is_other]


def compare(first: Run, second: Run) -> Comparison:
    """Compare what two runs have learned, bit by bit, and what they have told.

    Losses are compared where both are means over the same steps: a slow training logs more often. Such means may
    have been summed in other parts, so they are the same up to `ROUNDING`.

    Args:
        first: A finished run.
        second: A finished run with the same settings.

    Returns:
        What was found, or why nothing was compared.
    """
    if first.result is None or second.result is None:
        return Comparison(why_not="both have to be finished")
    if names := differing([first.settings, second.settings]):
        return Comparison(why_not=f"their settings differ: {', '.join(names)}")
    try:
        arrays, others = (checkpoints.load_weights(run.checkpoint) for run in (first, second))
    except ValueError as error:
        return Comparison(why_not=str(error))
    if {name: value.shape for name, value in arrays.items()} != {n: v.shape for n, v in others.items()}:
        return Comparison(why_not="their parameters have other names or shapes")
    different = tuple(name for name, value in arrays.items() if not _same_bits(value, others[name]))
    losses, other_losses = _losses(first), _losses(second)
    common = losses.keys() & other_losses.keys()
    steps = [key for key in common if not math.isclose(losses[key], other_losses[key], rel_tol=ROUNDING)]
    return Comparison(
        circumstances=tuple(_circumstances(first, second)),
        num_numbers=sum(value.size for value in arrays.values()),
        num_losses=len(common),
        num_unmatched=len(losses.keys() ^ other_losses.keys()),
        different_arrays=different,
        largest_difference=max((_distance(arrays[name], others[name]) for name in different), default=0.0),
        num_different_losses=len(steps),
        first_different_step=min((key[2] for key in steps if key[0] == "step"), default=None),
        has_same_predictions=first.result.predictions == second.result.predictions,
    )


def _same_bits(first: np.ndarray, second: np.ndarray) -> bool:
    """Tell whether two arrays hold the same bits: unlike ==, it tells 0.0 from -0.0."""
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(float) - second.astype(float)).max())


def _losses(run: Run) -> dict[tuple, float]:
    """Collect all losses of a run by what they are the means of."""
    losses, begin = {("test",): run.result.test_loss}, 0
    for step in run.steps:
        losses["step", begin, step.step] = step.loss
        begin = step.step
    for epoch in run.epochs:
        losses["training", epoch.epoch] = epoch.train_loss
        if epoch.validation_loss is not None:
            losses["validation", epoch.epoch] = epoch.validation_loss
    return losses


def _circumstances(first: Run, second: Run) -> Iterable[str]:
    """Say what, beside the settings, was not alike, and lets a training take another way."""
    for word, values in _facts(first, second).items():
        one, other = values
        if one != other and all(values):  # what old records do not know is empty
            yield f"{word} ({one} and {other})"
    if first.started.device == second.started.device != "cpu":
        yield f"{first.started.device}, which adds numbers in an order of its own"
    if [*first.rate_changes] != [*second.rate_changes]:
        yield "the learning rate, which was changed by hand"
    if first.settings.max_minutes and first.step != second.step:
        yield f"the clock, which ended them after {first.step:,} and {second.step:,} steps"


def _facts(first: Run, second: Run) -> dict[str, tuple[object, object]]:
    """Pair what is known of the two runs' machines, pictures and initial weights."""
    one, other = first.started, second.started
    titles = {"python": "Python", "torch": "PyTorch", "numpy": "NumPy"}
    versions = {
        title: (one.versions.get(name, ""), other.versions.get(name, "")) for name, title in titles.items()
    }
    return {
        "device": (one.device, other.device),
        "threads": (one.num_threads, other.num_threads),
        **versions,
        "pictures": (one.data_sha256[:8], other.data_sha256[:8]),
        "initial weights": (one.initial_sha256[:8], other.initial_sha256[:8]),
    }
