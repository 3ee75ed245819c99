"""Where the time of the steps goes, and what limits a training. Nothing here imports torch."""

import time
from collections.abc import Mapping

PARTS = {
    "pictures": "taking the pictures",
    "forward": "the forward pass",
    "backward": "the backward pass",
    "update": "moving the parameters",
    "waiting": "waiting for the GPU",
    "metrics": "reading loss and gradients",
}
"""The parts of a step, in their order, and what each of them is. On the processor there is no waiting."""

MIN_WAIT = 0.2
"""A device that is waited for during so much of the time has more to do than the program orders meanwhile."""


class Stopwatch:
    """Takes the time of the parts of some steps, one after another.

    Attributes:
        seconds: Time of each part so far, by its name in `PARTS`; of those that there were.
    """

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        """Count the time since the last lap, or since the beginning, to a part."""
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Seconds of all parts."""
        return sum(self.seconds.values())


def percentages(seconds: Mapping[str, float]) -> dict[str, int]:
    """Return the share of each part in whole percent; together they are 100.

    The parts with the largest remainders are rounded up.

    Args:
        seconds: Time of each part; one of them at least is more than 0.

    Example:
        >>> percentages({"forward": 1.0, "backward": 1.0, "update": 1.0})
        {'forward': 34, 'backward': 33, 'update': 33}
    """
    total = sum(seconds.values())
    exact = {part: 100 * value / total for part, value in seconds.items()}
    shares = {part: int(value) for part, value in exact.items()}
    by_remainder = sorted(exact, key=lambda part: shares[part] - exact[part])
    for part in by_remainder[: 100 - sum(shares.values())]:
        shares[part] += 1
    return shares


def limit(seconds: Mapping[str, float], *, device: str) -> str:
    """Say in a sentence what limits a training.

    On the processor each part takes what it takes. On another device the program only orders the work. Before it reads
    the metrics it waits until the work is done: a long wait shows that the device is behind. A short one is no proof of
    the contrary, because a device takes about a thousand orders in advance, and then each new one waits too.

    Args:
        seconds: Time of each part in `PARTS`.
        device: "cpu", or one that works beside the program: "cuda" or "mps".

    Example:
        >>> seconds = {"pictures": 1.0, "forward": 3.0, "backward": 5.0, "update": 1.0, "metrics": 0.1}
        >>> limit(seconds, device="cpu")
        'The processor is the limit, most of all in the backward pass.'
        >>> limit(seconds | {"waiting": 5.0}, device="cuda")
        'The arithmetic of the GPU is the limit.'
    """
    if device == "cpu":
        return f"The processor is the limit, most of all in {PARTS[max(seconds, key=seconds.get)]}."
    if seconds["waiting"] < MIN_WAIT * sum(seconds.values()):
        return (
            "The program hardly waits for the GPU. So its orders are probably the limit, not the arithmetic: "
            "try larger batches."
        )
    return "The arithmetic of the GPU is the limit."


def describe(seconds: Mapping[str, float], *, device: str) -> str:
    """Say where the time went, and what limits the training.

    Args:
        seconds: Time of each part in `PARTS`.
        device: Name of the device.

    Example:
        >>> describe({"forward": 1.0, "backward": 3.0}, device="cpu")
        'the forward pass 25 %, the backward pass 75 %. The processor is the limit, most of all in the backward pass.'
    """
    shares = ", ".join(f"{PARTS[part]} {share} %" for part, share in percentages(seconds).items())
    return f"{shares}. {limit(seconds, device=device)}"
