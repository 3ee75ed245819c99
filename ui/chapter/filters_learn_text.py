"""What the look "Learn a kernel" says in words, formulas and code, for the settings of the moment."""

import math

import numpy as np

from cnn_core.learning import ROUNDING, SUM, Bowl, Descent
from ui.chapter.slide import write_kernel
from ui.wording import count

SAFE = 0.9
"""Share of the largest stable learning rate that is offered; the book's rate is this share too."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def short(number: float) -> str:
    """Write a number with three digits that count.

    Example:
        >>> short(0.03333), short(12345), short(0), short(2.5e-7)
        ('0.0333', '12,300', '0', '2.5 · 10⁻⁷')
    """
    if number == 0 or 1e-3 <= abs(number) < 1e6:
        rounded = float(f"{number:.3g}")
        text = f"{rounded:,.6f}".rstrip("0").rstrip(".")
        return text
    digits, power = f"{number:.2e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')} · 10{str(int(power)).translate(_SUPERSCRIPTS)}"


def safe_rate(bowl: Bowl) -> float:
    """Return a learning rate that works, with two digits that count, rounded down."""
    rate = SAFE * bowl.largest_rate
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(f"{math.floor(rate / unit + 1e-6) * unit:.2g}")


def reading(descent: Descent, true: np.ndarray) -> str:
    """Say where the descent has come to."""
    far = np.max(np.abs(descent.kernels[-1] - true))
    now, first = short(descent.losses[-1]), short(descent.losses[0])
    loss = f"loss {now}" if descent.num_steps == 0 else f"loss {now}, at the start {first}"
    return (
        f"After {count(descent.num_steps, 'step')}: {loss}. "
        f"The farthest cell is {short(far)} away from the true kernel."
    )


def pace(bowl: Bowl, learning_rate: float) -> str:
    """Say how the learning rate stands to the largest stable one, and how long the slowest direction takes."""
    if not bowl.rank:
        return "The input is black. No output depends on the kernel, so the loss is flat everywhere."
    limit = (
        f"Largest stable learning rate: {short(bowl.largest_rate)}, which is 2 over the steepest curvature, "
        f"{short(bowl.curvatures[0])}."
    )
    steps = bowl.steps_per_digit(learning_rate)
    if math.isinf(steps):
        return limit
    slow = f"{slowest(bowl, learning_rate)} direction" if bowl.rank > 1 else "only direction that shows"
    return f"{limit} In the {slow}, an error ten times smaller takes {count(math.ceil(steps), 'step')}."


def slowest(bowl: Bowl, learning_rate: float) -> str:
    """Name the direction in which the error shrinks least.

    What a step leaves of an error falls evenly with the curvature, so its magnitude is largest at one of the ends.
    """
    steepest, flattest = np.abs(bowl.factors(learning_rate))[[0, -1]]
    return "steepest" if steepest >= flattest else "flattest"


def diverges(bowl: Bowl, descent: Descent, learning_rate: float, num_steps: int) -> str:
    """Say that the learning rate is too large, and what each step does."""
    factor = bowl.factors(learning_rate)[0]
    if factor >= -1 - ROUNDING:
        words = "The loss does not grow, but it never comes down to its lowest point"
    elif descent.num_steps == 0:
        words = "The loss would grow"
    elif descent.has_grown:
        words = f"The loss grows: from {short(descent.losses[0])} to {short(descent.losses[-1])}"
    else:
        words = "The loss still falls, but it will grow"
    stopped = (
        f" After {count(descent.num_steps, 'step')} there is no use in more, so the run stops."
        if descent.num_steps < num_steps
        else ""
    )
    return (
        f"{words}. The learning rate {short(learning_rate)} should be below {short(bowl.largest_rate)}. Each step "
        f"multiplies the error in the steepest direction by {short(factor)}: it jumps over the lowest point, to a "
        f"place at least as far on the other side.{stopped}"
    )


def why_unseen(image: np.ndarray, bowl: Bowl) -> str:
    """Say what about an input hides some directions of the kernel."""
    if not image.any():
        return "The input is black, so every kernel gives 0."
    if np.all(image == image.flat[0]):
        return (
            "The input has no contrast: all pixels are equal. So the output tells only the sum of all cells."
        )
    rows, columns = bowl.best.shape
    if np.all(image == image[:1]) and rows > 1:
        return "All rows of the input are equal. So the output tells at most the sum of each column of the kernel."
    if np.all(image == image[:, :1]) and columns > 1:
        return "All columns of the input are equal. So the output tells at most the sum of each row of the kernel."
    if bowl.num_outputs < bowl.best.size:
        outputs = count(bowl.num_outputs, "output")
        return f"There are fewer equations than cells: {outputs}, {count(bowl.best.size, 'cell')}."
    return "In every window, some pixels follow from the others. So the output does not tell all cells apart."


def cannot_recover(image: np.ndarray, bowl: Bowl) -> str:
    """Say that the kernel cannot be found, how much of it can, and why."""
    num_cells = bowl.best.size
    return (
        f"**This input does not show the whole kernel.** {why_unseen(image, bowl)} Of {num_cells} directions, "
        f"{bowl.rank} can be learned: the rank of the windows is {bowl.rank} of {num_cells}."
    )


UNSEEN = (
    "Add any of these to the kernel, any number of times: no output changes. Along them the kernel stays as it was "
    "at the start. So the loss can go to 0 while the kernel is still another one."
)


DIRECTIONS = (
    "The directions of the bowl. Steepest: change the cells like this, and the outputs change most. Flattest: they "
    "change least, but they do. The sign of a direction does not matter."
)


def formulas(bowl: Bowl, learning_rate: float, reduction: str) -> list[str]:
    """Write the loss, its gradient and a step in LaTeX, with the numbers of the moment."""
    share = "" if reduction == SUM else rf"\frac{{1}}{{{bowl.num_outputs}}} "
    twice = "2 " if reduction == SUM else rf"\frac{{2}}{{{bowl.num_outputs}}} "
    return [
        rf"L(k) = {share}\sum_{{i,j}} \left(\hat y_{{i,j}} - y_{{i,j}}\right)^2",
        rf"\frac{{\partial L}}{{\partial k_{{a,b}}}} = {twice}\sum_{{i,j}} "
        r"\left(\hat y_{i,j} - y_{i,j}\right) x_{i+a,\,j+b}",
        rf"k \leftarrow k - {_decimal(learning_rate)} \cdot \frac{{\partial L}}{{\partial k}}",
    ]


def explanation(bowl: Bowl, learning_rate: float, reduction: str) -> str:
    """Explain what the formulas mean, and what decides the pace."""
    loss = (
        "The loss is the **sum** of the squared errors, as in the book."
        if reduction == SUM
        else f"The loss is the **mean** of the squared errors. With the sum, as in the book, the gradient would be "
        f"{bowl.num_outputs:,} times larger, and the learning rate would have to be as many times smaller."
    )
    if not bowl.rank:
        return f"- {loss}\n"
    steepest, flattest = bowl.curvatures[0], bowl.curvatures[bowl.rank - 1]
    which = slowest(bowl, learning_rate)
    now = f" At a rate of {short(learning_rate)}, the {which} sets the pace."
    has_pace = bowl.rank > 1 and bowl.is_stable(learning_rate)
    return (
        f"- {loss}\n"
        "- **The gradient is a cross-correlation too:** of the input with the errors. A cell grows where its pixel "
        "was bright and the output too small.\n"
        "- **The loss is a bowl.** Its second derivatives are twice the Gram matrix of the windows, $X^T X$"
        f"{'' if reduction == SUM else ' over the number of outputs'}. Its curvature is "
        f"{short(steepest)} in the steepest direction and {short(flattest)} in the flattest one that shows: "
        f"{short(steepest / flattest)} to 1. The steepest sets the largest learning rate.{now if has_pace else ''}\n"
        "- **A network learns its kernels like this.** But it is told only its last output, and whether that was "
        "right.\n"
    )


def code(picture: str, true: np.ndarray, start: np.ndarray, how: dict[str, object]) -> tuple[str, str]:
    """Write the descent with this package and with PyTorch; both call the learned kernel `y`.

    Args:
        picture: Python that gives the input, from 0 to 1.
        true: The kernel to be found.
        start: The kernel to begin with.
        how: `learning_rate`, `num_steps` and `reduction`.
    """
    rate, steps, reduction = how["learning_rate"], how["num_steps"], how["reduction"]
    whole, divided = write_kernel(true)
    ours = (
        f"import numpy as np\nfrom cnn_core import images, learning, ops\n\nx = {picture}\n"
        f"target = ops.corr2d(x, np.array({whole}){divided})\nkernel = np.array({start.tolist()})\n"
        f"for step in range({steps}):\n"
        f'    gradient = learning.gradient(x, target, kernel, reduction="{reduction}")\n'
        f"    kernel = kernel - {rate} * gradient\ny = kernel\n"
    )
    torch = (
        "import torch\nfrom cnn_core import images\nfrom torch.nn import functional as F\n\n"
        f"x = torch.tensor({picture})[None, None]\n"
        f"true = torch.tensor({whole}, dtype=x.dtype){divided}\ntarget = F.conv2d(x, true[None, None])\n"
        f"kernel = torch.tensor({start.tolist()}, dtype=x.dtype, requires_grad=True)\n"
        f"optimizer = torch.optim.SGD([kernel], lr={rate})\n"
        f"for step in range({steps}):\n    optimizer.zero_grad()\n"
        f'    loss = F.mse_loss(F.conv2d(x, kernel[None, None]), target, reduction="{reduction}")\n'
        "    loss.backward()\n    optimizer.step()\ny = kernel.detach()\n"
    )
    return ours, torch


def _decimal(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
