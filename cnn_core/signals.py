"""Signals of one dimension, kernels for them, and their short text."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from cnn_core import cells, ops
from cnn_core.geometry import Axis, as_integer

EXAMPLE = np.array([1.0, 0, 2, 3, 1, 0, 1])
EXAMPLE.flags.writeable = False
"""Seven numbers to follow with a pencil."""

SAMPLE_RATE = 100
"""Samples of a heartbeat in a second."""

MAX_NUMBER = 1000
"""Largest magnitude of a number that is written as text."""

MAX_CHARS = 600
"""Longest text that is looked at."""

MAX_DECIMAL = 12
"""Longest decimal that is written where a fraction would do."""

_ROUNDING = 1e-12

_WAVES = {
    "P": (-np.pi / 3, 1.2, 0.25),
    "Q": (-np.pi / 12, -5.0, 0.1),
    "R": (0.0, 30.0, 0.1),
    "S": (np.pi / 12, -7.5, 0.1),
    "T": (np.pi / 2, 0.75, 0.4),
}
"""Wave of a heartbeat -> its angle in the beat, its strength a and its width b, both as in the reference."""

_PEAK = 30.0 * 0.1**2
_RESPIRATION = 0.25


def heartbeat(
    num_samples: int,
    *,
    beats_per_minute: float = 72,
    noise: float = 0.03,
    wander: float = 0.15,
    seed: int = 0,
) -> np.ndarray:
    """Make a trace like that of an electrocardiogram: a sum of five bell curves for each beat.

    At the angle theta of the beat, which runs from -pi to pi, the trace is the sum over the waves P, Q, R, S, T of
    A exp(-(theta - theta_wave)^2 / (2 b^2)), with A = a b^2 scaled so that R alone is 1 mV. Beats differ in
    length by about 3 %. The breath moves the trace slowly up and down, and white noise is added.

    Args:
        num_samples: Number of samples, `SAMPLE_RATE` in a second.
        beats_per_minute: Mean rate of the heart.
        noise: Standard deviation of the noise, in mV.
        wander: How far the breath moves the trace up and down, in mV.
        seed: Start of the random numbers; the same seed gives the same beats and the same noise.

    Returns:
        Shape (num_samples,), float64, in mV.

    Raises:
        TypeError: If the number of samples is not an integer.
        ValueError: If it is below 1, the rate is not positive, or the noise is negative.

    References:
        McSharry, Clifford, Tarassenko & Smith, 2003, A dynamical model for generating synthetic
        electrocardiogram signals, IEEE Transactions on Biomedical Engineering 50(3), table I. Their equation is
        integrated here without its pull to the baseline.

    Example:
        >>> trace = heartbeat(400, beats_per_minute=60, noise=0, wander=0)
        >>> trace.shape, bool(0.9 < trace.max() < 1)
        ((400,), True)
    """
    num_samples = as_integer(num_samples, "num_samples", minimum=1)
    if not beats_per_minute > 0:
        raise ValueError(f"beats_per_minute {beats_per_minute} is not above 0")
    if not noise >= 0:
        raise ValueError(f"noise {noise} is below 0")
    generator = np.random.default_rng(seed)
    seconds = np.arange(num_samples) / SAMPLE_RATE
    num_beats = int(np.ceil(1.5 * seconds[-1] * beats_per_minute / 60)) + 2
    lengths = 60 / beats_per_minute * generator.normal(1, 0.03, num_beats).clip(0.9, 1.1)
    starts = np.concatenate([[0], lengths.cumsum()])
    angle = 2 * np.pi * (np.interp(seconds, starts, np.arange(num_beats + 1)) % 1) - np.pi
    trace = wander * np.sin(2 * np.pi * _RESPIRATION * seconds) + generator.normal(0, noise, num_samples)
    return trace + _beat(angle)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel for signals.

    Attributes:
        title: Its name for a reader.
        values: Shape (k,), float64, read-only.
        purpose: What it does, in one sentence for a student.
    """

    title: str
    values: np.ndarray
    purpose: str

    def __post_init__(self) -> None:
        """Protect the numbers."""
        self.values.flags.writeable = False


def parse(text: str, *, name: str, most: int) -> np.ndarray:
    """Read numbers from their short text: commas between them.

    Args:
        text: For example `1,0,-1`; numbers are whole, decimals or fractions.
        name: What the numbers are, for messages: signal or kernel.
        most: Most numbers allowed.

    Returns:
        Shape (n,), float64.

    Raises:
        ValueError: If a number is missing, no number or too large, or if there are too many.

    Example:
        >>> parse("1, -0.5, 1/4", name="kernel", most=3)
        array([ 1.  , -0.5 ,  0.25])
    """
    if len(text) > MAX_CHARS:
        raise ValueError(f"{name} text of {len(text)} characters exceeds {MAX_CHARS}")
    written = text.replace("−", "-").split(",")
    if len(written) > most:
        raise ValueError(f"{name} of {len(written)} numbers exceeds {most}")
    return np.array([_parse_number(number.strip(), place, name) for place, number in enumerate(written)])


def format(values: np.ndarray) -> str:
    """Write numbers as the short text that `parse` reads; it reads the same numbers again.

    Example:
        >>> format(np.array([1, -0.5, 1 / 3]))
        '1,-0.5,1/3'
    """
    return ",".join(map(write, values))


def write(number: float) -> str:
    """Write a number in full: as a decimal, or as a fraction if it is one whose decimals would be long.

    Args:
        number: Any finite number.

    Returns:
        The text, which stands for just this number.

    Example:
        >>> write(-0.25), write(1 / 15), write(1000.0)
        ('-0.25', '1/15', '1000')
    """
    decimal = np.format_float_positional(number + 0.0, trim="-")
    if len(decimal) <= MAX_DECIMAL:
        return decimal
    fraction = Fraction(number).limit_denominator(cells.MAX_DENOMINATOR)
    return str(fraction) if float(fraction) == number else decimal


@dataclass(frozen=True, eq=False)
class Slid:
    """A kernel that slides over a signal.

    Attributes:
        x: The signal, shape (L,).
        kernel: Shape (k,).
        axis: The layer, which says what each output sees.
        y: The outputs, shape (L - k + 1,); 0 where the products cancel but for rounding.
    """

    x: np.ndarray
    kernel: np.ndarray
    axis: Axis
    y: np.ndarray

    def window(self, output: int) -> range:
        """List the places of the signal that an output sees."""
        return self.axis.seen_by(output)

    def products(self, output: int) -> np.ndarray:
        """Multiply what an output sees with the kernel, shape (k,); the products sum to the output."""
        seen = self.window(output)
        return self.x[seen.start : seen.stop] * self.kernel


def slide(x: np.ndarray, kernel: np.ndarray) -> Slid:
    """Slide a kernel over a signal, without padding and with stride 1.

    Args:
        x: The signal, shape (L,).
        kernel: Shape (k,).

    Returns:
        The outputs and how they come about.

    Raises:
        ValueError: If the kernel is longer than the signal.

    Example:
        >>> slide(EXAMPLE, np.array([1, 0, -1])).y
        array([-1., -3.,  1.,  3.,  0.])
        >>> print(slide(np.array([0.1, 0.2, 0.3]), np.array([1, 1, -1])).y)
        [0.]
    """
    if len(kernel) > len(x):
        raise ValueError(f"kernel size {len(kernel)} exceeds signal length {len(x)}")
    axis = Axis(len(x), len(kernel))
    y = settle(_convolve(x, kernel), _convolve(np.abs(x), np.abs(kernel)))
    return Slid(x, kernel, axis, y)


def settle(sums: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
    """Replace by 0 the sums in which all cancels but for rounding.

    Args:
        sums: Sums of floats, any shape.
        magnitudes: Sums of the magnitudes of the same floats, same shape.

    Returns:
        Same shape.

    Example:
        >>> settle(np.array([0.1 + 0.2 - 0.3, 1e-20]), np.array([0.6, 1e-20]))
        array([0.e+00, 1.e-20])
    """
    return np.where(np.abs(sums) <= _ROUNDING * magnitudes, 0.0, sums)


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return ops.conv1d(x[None, None], kernel[None, None])[0, 0]


def _beat(angle: np.ndarray) -> np.ndarray:
    """Add up the five waves at angles of the beat, in mV."""
    trace = np.zeros(angle.shape)
    for centre, strength, width in _WAVES.values():
        away = (angle - centre + np.pi) % (2 * np.pi) - np.pi
        trace += strength * width**2 / _PEAK * np.exp(-(away**2) / (2 * width**2))
    return trace


def _beat_shape(size: int) -> np.ndarray:
    """Sample the middle of a beat at 72 beats a minute, less its mean."""
    turns = (np.arange(size) - size // 2) / SAMPLE_RATE * 72 / 60
    shape = _beat(2 * np.pi * turns)
    return np.round(shape - shape.mean(), 2)


def _parse_number(text: str, place: int, name: str) -> float:
    if not text:
        raise ValueError(f"{name} number (place {place}) is empty; write 0 for one that does not count")
    shown = text if len(text) <= 12 else f"{text[:12]}..."
    try:
        # Fraction would take exponents too, and compute powers of ten of any size.
        number = Fraction(text) if set(text) <= set("+-.0123456789/") else None
    except (ValueError, ZeroDivisionError):
        number = None
    if number is None:
        raise ValueError(f"{name} number '{shown}' (place {place}) is not a number such as -1, 0.5 or 1/5")
    if abs(number) > MAX_NUMBER:
        raise ValueError(
            f"{name} number {shown} (place {place}) is not between -{MAX_NUMBER} and {MAX_NUMBER}"
        )
    return float(number)


KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {
        "two-apart": Kernel(
            "Two apart, 1 0 -1",
            np.array([1.0, 0, -1]),
            "Subtracts from each number the one two places on: positive where the signal falls.",
        ),
        "neighbours": Kernel(
            "Neighbours, 1 -1",
            np.array([1.0, -1]),
            "Subtracts from each number the next one: positive where the signal falls.",
        ),
        "bend": Kernel(
            "Bend, 1 -2 1",
            np.array([1.0, -2, 1]),
            "Compares each number with its two neighbours: negative at a peak, positive in a dip.",
        ),
        "average-5": Kernel(
            "Average of 5", np.full(5, 1 / 5), "Averages 5 numbers, which smooths the signal."
        ),
        "average-15": Kernel(
            "Average of 15", np.full(15, 1 / 15), "Averages 15 numbers, which smooths the signal more."
        ),
        "beat": Kernel(
            "Shape of a beat",
            _beat_shape(15),
            "Looks like the spike of a beat: large where the signal looks like it too.",
        ),
    }
)
"""Name -> kernel, in the order in which a page lists them."""
