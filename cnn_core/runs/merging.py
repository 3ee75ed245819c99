"""Fewer lines for a slow training, which tells of its steps more often than anybody wants to read later."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from cnn_core.training.events import StepLogged
from cnn_core.training.settings import Settings

MAX_LINES = 2000
SECONDS = 1.0


class Merger:
    """Holds back records of steps until there are enough for a line.

    A line is due when it stands for so many steps that `MAX_LINES` of them would be the whole training. Until a run
    has `MAX_LINES`, one is due for each second as well, and the first at once. So a run never has more than twice
    as many, but for the ends of epochs and for what `flush` asks for.

    Args:
        settings: Those of the training.
        step: Steps done before.
        num_lines: Lines that the run has already.
    """

    def __init__(self, settings: Settings, *, step: int, num_lines: int):
        self._settings = settings
        self._step = step
        self._num_lines = num_lines
        self._records: list[StepLogged] = []

    def add(self, record: StepLogged) -> list[StepLogged]:
        """Take a record of the next steps, and return the line that is due; none, if none is."""
        self._records.append(record)
        return self.flush() if self._is_due() else []

    def flush(self) -> list[StepLogged]:
        """Return what was held back, as one line; none, if nothing was."""
        if not self._records:
            return []
        line = merge(self._records, self._settings, begin=self._step)
        self._step, self._records = line.step, []
        self._num_lines += 1
        return [line]

    def _is_due(self) -> bool:
        last = self._records[-1].step
        if (last - self._step) * MAX_LINES >= self._settings.num_steps:
            return True
        pace = merge(self._records, self._settings, begin=self._step).examples_per_second
        num_pictures = count_pictures(self._settings, last) - count_pictures(self._settings, self._step)
        is_long = num_pictures / pace >= (SECONDS if self._num_lines else 0)
        return is_long and self._num_lines < MAX_LINES


def merge(records: Sequence[StepLogged], settings: Settings, *, begin: int) -> StepLogged:
    """Make one record of several that follow each other in an epoch. A single one stays as it is.

    Args:
        records: At least one.
        settings: Those of the training.
        begin: Steps done before the first of them.

    Returns:
        The last of them, with means over the pictures of all.

    Example:
        >>> first = StepLogged(step=1, epoch=1, loss=4.0, accuracy=0.0, examples_per_second=100.0)
        >>> second = StepLogged(step=4, epoch=1, loss=2.0, accuracy=0.5, examples_per_second=100.0)
        >>> merge([first, second], Settings(), begin=0).loss
        2.5
    """
    if len(records) == 1:
        return records[0]
    seen = [count_pictures(settings, step) for step in (begin, *(each.step for each in records))]
    sizes = [after - before for before, after in pairwise(seen)]
    num_pictures = sum(sizes)

    def mean(values) -> float:
        return math.fsum(size * value for size, value in zip(sizes, values, strict=True)) / num_pictures

    return replace(
        records[-1],
        loss=mean(each.loss for each in records),
        accuracy=mean(each.accuracy for each in records),
        examples_per_second=1 / mean(1 / each.examples_per_second for each in records),
    )


def count_pictures(settings: Settings, step: int) -> int:
    """Count the pictures of the first steps of a training; the last batch of each epoch takes what is left.

    Example:
        >>> [count_pictures(Settings(), step) for step in (1, 56, 57, 58)]  # 3,600 pictures, 64 at a time
        [64, 3584, 3600, 3664]
    """
    num_epochs, num_steps = divmod(step, settings.steps_per_epoch)
    return num_epochs * settings.num_train + num_steps * settings.batch_size
