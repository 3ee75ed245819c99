"""One dimension: a kernel that slides over a signal."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from cnn_core import signals
from cnn_core.plots.marked import write
from cnn_core.plots.signals import output_name, slid_drawings
from cnn_core.signals import EXAMPLE, KERNELS, SAMPLE_RATE, Slid
from ui import controls, page, pointing
from ui.chapter import predict, typed, why_questions
from ui.chapter.why_sums import write_sum
from ui.page import Setting
from ui.wording import count

LOOK = "a signal"
SHORT, HEART, OWN_SIGNAL = "example", "heartbeat", "own"
OWN = "your-own"
NUM_SAMPLES, DECIMALS, MAX_SIGNAL, MAX_KERNEL, MAX_WRITTEN = 400, 4, 64, 25, 7

SETTINGS = [
    Setting(
        "Seven numbers",
        "Each output is the first number of its window less the last. Which output is the largest, and why?",
        {"w-view": LOOK, "w-signal": SHORT},
    ),
    Setting(
        "Find the beats",
        "The kernel looks like the spike of a beat. Where is the output large? Does it matter when the beat comes?",
        {"w-view": LOOK, "w-signal": HEART, "w-taps-of": "beat"},
    ),
    Setting(
        "Too smooth",
        "Averages of 15 take the noise away. What else do they take away? Try the average of 5.",
        {"w-view": LOOK, "w-signal": HEART, "w-noise": 0.1, "w-taps-of": "average-15"},
    ),
    Setting(
        "Too long",
        "Nine cells on seven numbers: why is there no output? Take three cells away.",
        {"w-view": LOOK, "w-signal": SHORT, "w-taps-of": OWN, "w-taps": "1,1,1,1,1,1,1,1,1"},
    ),
]

RESERVED = {"w-rate": 72, "w-noise": 0.03, "w-seed": 0, "w-own": signals.format(EXAMPLE), "w-taps": "1,0,-1"}


@dataclass(frozen=True, eq=False)
class Source:
    """A signal and where it comes from.

    Attributes:
        values: Shape (L,).
        code: The Python expression that makes it.
        unit: Its unit.
        sample_rate: Samples in a second; None where they have no time.
    """

    values: np.ndarray
    code: str
    unit: str = ""
    sample_rate: int | None = None


def show() -> None:
    """Show the signal, the products and the outputs."""
    left, right = st.columns([1, 2], gap="large")
    slid = None
    with left:
        source = choose_signal()
        kernel = choose_kernel()
    with right, page.errors_in_place():
        slid = signals.slide(source.values, kernel)
        draw(slid, source)
    if slid is None:
        right.markdown("An output needs a whole window. Take cells away, or take a longer signal.")
    page.try_this(SETTINGS, prefix="w-")
    if slid:
        predict.ask(why_questions.signal(slid), prefix="w-")
        page.explanation()
        explain(slid)
        page.in_code(**write_code(source, kernel))


def choose_signal() -> Source:
    """Choose the signal."""
    name = controls.choice("Signal", [SHORT, HEART, OWN_SIGNAL], key="w-signal")
    if name == SHORT:
        return Source(EXAMPLE, f"np.array({EXAMPLE.tolist()})")
    if name == OWN_SIGNAL:
        values = typed.numbers(
            "Numbers as text",
            key="w-own",
            default=RESERVED["w-own"],
            read=partial(signals.parse, name="signal", most=MAX_SIGNAL),
            max_chars=signals.MAX_CHARS,
            help=f"Commas between numbers, at most {MAX_SIGNAL} of them.",
        )
        return Source(values, f"np.array({values.tolist()})")
    rate = controls.integer(
        "Heart rate", key="w-rate", default=72, low=40, high=180, as_box=True, help="Beats in a minute."
    )
    noise = controls.number(
        "Noise", key="w-noise", default=0.03, low=0.0, high=0.5, step=0.01, help="Standard deviation, in mV."
    )
    seed = controls.integer(
        "Seed", key="w-seed", default=0, low=0, high=9999, help="Start of the random numbers.", as_box=True
    )
    made = {"beats_per_minute": rate, "noise": round(noise, 4), "seed": seed}
    written = ", ".join(f"{key}={value}" for key, value in made.items())
    # So few decimals that a sum can be written with all of them.
    return Source(
        np.round(signals.heartbeat(NUM_SAMPLES, **made), DECIMALS),
        f"np.round(signals.heartbeat({NUM_SAMPLES}, {written}), {DECIMALS})",
        unit="mV",
        sample_rate=SAMPLE_RATE,
    )


def choose_kernel() -> np.ndarray:
    """Choose one of the kernels for signals, or write one's own."""
    name = controls.choice(
        "Kernel",
        [*KERNELS, OWN],
        key="w-taps-of",
        format=lambda name: "Your own kernel" if name == OWN else KERNELS[name].title,
    )
    if name == OWN:
        return typed.numbers(
            "Cells as text",
            key="w-taps",
            default=RESERVED["w-taps"],
            read=partial(signals.parse, name="kernel", most=MAX_KERNEL),
            max_chars=signals.MAX_CHARS,
            help=f"Commas between cells, at most {MAX_KERNEL}; 1/5 is a cell too.",
        )
    kernel = KERNELS[name]
    st.markdown(kernel.purpose)
    st.button(
        "Edit its cells",
        key="w-edit",
        icon=":material/edit:",
        on_click=controls.set_values,
        args=({"w-taps-of": OWN, "w-taps": signals.format(kernel.values)},),
    )
    return kernel.values


def draw(slid: Slid, source: Source) -> None:
    """Draw the three curves, and say in a line what they are."""
    largest = int(np.abs(slid.y).argmax())
    pointing.show(
        slid_drawings(slid, unit=source.unit, sample_rate=source.sample_rate),
        {output_name(output): describe(slid, output) for output in range(len(slid.y))},
        prefix="w-signal-",
        first=output_name(largest),
        steps={"output": 10},
        alt="A signal, the products in the window of an output, and the outputs. Arrow keys go from output to output.",
    )
    page.reading(
        f"{count(len(slid.x), 'number')} in, kernel size {len(slid.kernel)}, stride 1, no padding: "
        f"{count(len(slid.y), 'output')}, from {write(slid.y.min(), 3)} to {write(slid.y.max(), 3)}."
    )
    st.caption("Point at an output, or use the arrow keys: its window, its products and their sum light up.")
    if source.sample_rate:
        st.caption(
            "A made signal: a sum of five bell curves for each beat (McSharry and others, 2003), with the slow sway of "
            f"the breath and noise, rounded to {DECIMALS} decimals. It is nobody's heart."
        )


def describe(slid: Slid, output: int) -> str:
    """Write the products that make an output."""
    window = slid.window(output)
    seen = f"number {window[0]}" if len(window) == 1 else f"numbers {window[0]} to {window[-1]}"
    made = write_sum(slid.x[window.start : window.stop], slid.kernel, most=MAX_WRITTEN)
    return f"Output {output}, {seen}: {made}"


def explain(slid: Slid) -> None:
    """Write the formula with its sizes, and say what is the same as with pictures."""
    length, size = len(slid.x), len(slid.kernel)
    total = signals.settle(slid.kernel.sum(), np.abs(slid.kernel).sum())
    st.latex(
        rf"y_i = \sum_{{a=0}}^{{{size - 1}}} k_a \, x_{{i+a}}, \qquad "
        rf"n - k + 1 = {length} - {size} + 1 = {len(slid.y)}"
    )
    st.markdown(
        f"A signal has one axis instead of two. All else is as with pictures: a window of {size}, the same "
        f"{count(size, 'weight')} everywhere, and one output for each place where the kernel fits. A dense layer from "
        f"{length} numbers to {len(slid.y)} would have {length * len(slid.y):,} weights.\n\n"
        "- **Local.** What is going on at a moment shows in the moments around it.\n"
        "- **Shared.** A beat looks like a beat whenever it comes. One kernel finds all of them.\n"
        "- **The kernel is not turned.** This is cross-correlation, as in networks: the kernel's first cell meets the "
        "first number of the window.\n"
        "- **Sum of the cells.** With sum 0, a slow sway of the signal gives almost 0. With sum 1, it passes. "
        f"Here the sum is {write(float(total), 3)}.{_remark(slid)}"
    )


def write_code(source: Source, kernel: np.ndarray) -> dict[str, str]:
    """Write the outputs with this package and with PyTorch."""
    imported = "from cnn_core import signals\n" if source.sample_rate else ""
    both = "from cnn_core import ops, signals\n" if source.sample_rate else "from cnn_core import ops\n"
    numbers = f"x = {source.code}\nkernel = np.array({kernel.tolist()})\n"
    return {
        "ours": f"import numpy as np\n{both}\n{numbers}y = ops.conv1d(x[None, None], kernel[None, None])[0, 0]\n",
        "torch": (
            f"import numpy as np\nimport torch\n{imported}from torch.nn import functional as F\n\n{numbers}"
            "x, kernel = torch.tensor(x), torch.tensor(kernel)\n"
            "y = F.conv1d(x[None, None], kernel[None, None])[0, 0]\n"
        ),
    }


def _remark(slid: Slid) -> str:
    """Warn of a slip in print, where the page shows the same numbers."""
    is_printed = np.array_equal(slid.x, EXAMPLE) and np.array_equal(slid.kernel, KERNELS["two-apart"].values)
    if not is_printed:
        return ""
    third = write_sum(slid.x[2:5], slid.kernel, most=MAX_WRITTEN)
    return f"\n- **A slip in print.** Some texts print −1 as the third output. It is {third}."
