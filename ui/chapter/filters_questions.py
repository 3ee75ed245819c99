"""What the page on filters lets a visitor predict, look by look."""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from cnn_core import composition, images
from cnn_core import learning as core
from cnn_core.kernels import KERNELS
from ui.chapter.filters_learn_text import short
from ui.chapter.filters_task import HIGHEST_RATE, HIGHEST_SEED, Task
from ui.chapter.predict import NotNow, Question, Questions
from ui.chapter.slide import Slide
from ui.wording import count

EVEN, EVEN_SIZE = "disc", 128
"""A picture whose middle is even, and the size at which it is asked about."""

SAME, OPPOSITE, OTHER = "it stays as it is", "every output changes its sign", "it becomes another picture"
GROWS, SHRINKS = "it grows", "it shrinks"
VISIBLE = 0.01
"""A cell that moves by less looks the same on the page."""

MAX_WRITTEN = 3
"""Most rows, and most columns, of a kernel of decimals that is written into a question."""

RUN = 10
"""Steps after which the loss is asked for."""

SETTLED = 1e-12
"""Part of the first loss below which a loss is rounding."""


# Slide a kernel


def sliding(shown: Slide) -> Questions:
    """Ask what even ground gives, and what a flip does, under a kernel that the page does not show."""
    return {"even": partial(_even, shown), "flip": partial(_flip, shown)}


def _even(shown: Slide) -> Question:
    name = _another(shown.kernel, ("book-columns", "sharpen"))
    kernel, disc = KERNELS[name], images.load(EVEN, size=EVEN_SIZE)
    made = replace(shown, picture=disc, highest=255, kernel=kernel.values)
    row, column = (size // 2 for size in made.y.shape[2:])
    pixel, total = int(disc[EVEN_SIZE // 2, EVEN_SIZE // 2]), round(kernel.values.sum())
    return Question(
        text=f"In the middle of the **white disc**, all pixels are {pixel}. Take the kernel **{kernel.title}**. "
        f"What is the output there?\n\n{_write(kernel.values)}",
        values={"f-picture": EVEN, "f-size": EVEN_SIZE, "f-kernel": name, "f-retouched": "", "f-pin": ""}
        | {"f-row": row, "f-column": column},
        answer=round(made.y[0, 0, row, column]),
        why=f"All pixels under the kernel are {pixel}, so only the sum of its cells counts. It is {total}, and "
        f"{total} · {pixel} = {total * pixel}.",
        mistakes={
            0: "Only a kernel whose cells add up to 0 gives 0 on even ground.",
            round(np.abs(kernel.values).sum() * pixel): "That leaves out the minus.",
            round(kernel.values.max() * pixel): "That is the largest cell alone.",
            pixel: "The cells with a minus take all of it away again.",
        },
    )


def _flip(shown: Slide) -> Question | NotNow:
    name = _another(shown.kernel, ("laplacian-4", "sobel-y"))
    plain = replace(shown, kernel=KERNELS[name].values, flipped=False)
    flipped = replace(plain, flipped=True)
    if not plain.y.any():
        return NotNow("On this picture all outputs are 0, and a sign does not show. Take another picture.")
    same, opposite = np.allclose(plain.y, flipped.y), np.allclose(plain.y, -flipped.y)
    return Question(
        text=f"Take the kernel **{KERNELS[name].title}**, and **flip** it, which is half a turn. What becomes of "
        f"the output?\n\n{_write(KERNELS[name].values)}",
        values={"f-kernel": name, "f-flip": True},
        answer=SAME if same else OPPOSITE if opposite else OTHER,
        why={
            "laplacian-4": "Half a turn puts each cell on a cell with the same number.",
            "sobel-y": "Half a turn puts each cell on a cell with the opposite number.",
        }[name],
        options=(SAME, OPPOSITE, OTHER),
    )


# Learn a kernel


def learning(task: Task) -> Questions:
    """Ask where the first step goes, and what another learning rate does."""
    return {"first-step": partial(_first_step, task), "rate": partial(_rate, task)}


def _first_step(now: Task) -> Question | NotNow:
    if not now.bowl.rank:
        return NotNow("The input is black, so no step moves a cell. Take another picture.")
    seed = now.seed + 1 if now.seed < HIGHEST_SEED else 0
    task = replace(now, rate=now.safe_rate, seed=seed, num_steps=1)
    slopes = core.gradient(task.x, task.target, task.start, reduction=task.reduction)
    to_go = task.true - task.start
    moves = task.rate * np.abs(slopes) * (to_go != 0)
    # A cell that the step takes further from the true one teaches most.
    cell = max(
        np.ndindex(slopes.shape),
        key=lambda at: (moves[at] > VISIBLE and slopes[at] * to_go[at] > 0, moves[at]),
    )
    start, slope = task.start[cell], slopes[cell]
    if moves[cell] <= VISIBLE:
        return NotNow("This picture is so dark that a step hardly moves a cell. Take another one.")
    answer, towards = SHRINKS if slope > 0 else GROWS, GROWS if to_go[cell] > 0 else SHRINKS
    away = "" if answer == towards else " The errors that the other cells make count too."
    return Question(
        text=f"Take **seed {seed}** and the **learning rate {task.rate:g}**. The cell in row {cell[0]}, column "
        f"{cell[1]} begins at {short(start)}, and the true one is {short(task.true[cell])}. What becomes of it in the "
        f"**first step**?{_write_start(task.start)}",
        values={task.rate_key: task.rate, "f-seed": seed, "f-steps": 1},
        answer=answer,
        why=f"Its gradient is {short(slope)}: the loss {'grows' if slope > 0 else 'falls'} when the cell grows. The "
        f"step goes against that, from {short(start)} to {short(start - task.rate * slope)}.{away}",
        options=(GROWS, SHRINKS),
        mistakes={towards: "That is the way to the true cell, which the step does not know."},
    )


def _write_start(kernel: np.ndarray) -> str:
    """Write the cells to begin with, where they fit on a phone."""
    return f" All cells begin as:\n\n{_write(kernel)}" if max(kernel.shape) <= MAX_WRITTEN else ""


def _rate(now: Task) -> Question | NotNow:
    can_double = now.bowl.is_stable(now.rate) and 2 * now.rate <= HIGHEST_RATE
    rate, word = (2 * now.rate, "twice") if can_double else (now.rate / 2, "half")
    before, after = (
        core.descend(now.bowl, now.start, learning_rate=each, num_steps=RUN).losses
        for each in (now.rate, rate)
    )
    first, last, made = before[0], before[-1], after[-1]
    if max(last, made) <= SETTLED * first or len({short(loss) for loss in (first, last, made)}) < 3:
        return NotNow(
            "Here both learning rates lead to much the same loss. Take another rate, seed or picture."
        )
    low, high = sorted((first, last))
    below, above = f"below {short(low)}", f"above {short(high)}"
    between = f"between {short(low)} and {short(high)}"
    return Question(
        text=f"The loss is {short(first)} at the start. With the learning rate {now.rate:g}, it is {short(last)} after "
        f"{count(len(before) - 1, 'step')}. Take **{word} the rate**, {rate:g}, and {RUN} steps. Where is the "
        "loss then?",
        values={now.rate_key: rate, "f-steps": RUN},
        answer=below if made < low else above if made > high else between,
        why=f"It is {short(made)}. {_tell_factors(now, rate)} Between -1 and 1 an error shrinks, and the nearer to 0 "
        "the faster.",
        options=(below, between, above),
    )


def _tell_factors(now: Task, rate: float) -> str:
    """Say what a step does to the error along the steepest direction and, if one can see it, along the flattest."""
    before, after = ([*map(write_factor, now.bowl.factors(each)[[0, -1]])] for each in (now.rate, rate))
    told = f"Each step multiplies the error in the steepest direction by {after[0]} (before: {before[0]})"
    if now.bowl.rank > 1 and after[1] != before[1]:
        told += f", in the flattest by {after[1]} (before: {before[1]})"
    return f"{told}."


def write_factor(factor: float) -> str:
    """Write a factor with so many decimals that only 1 is written as 1: at 1 an error stays, beside it not."""
    text = short(factor)
    if abs(factor) == 1 or text.lstrip("-") != "1":
        return text
    return f"{factor:.{math.ceil(-math.log10(abs(1 - abs(factor))))}f}"


# Two in a row


def two(picture: np.ndarray, first: np.ndarray, second: np.ndarray) -> Questions:
    """Ask for the size of the single kernel that does what two do."""
    return {"single": partial(_single, picture, first, second)}


def _single(picture: np.ndarray, first: np.ndarray, second: np.ndarray) -> Question | NotNow:
    rows = len(first)
    made = {
        name: composition.compose(first, KERNELS[name].values).shape
        for name in ("gaussian-5", "laplacian-8", "second-x")
        if len(KERNELS[name].values) != len(second)
    }
    fitting = (name for name, shape in made.items() if all(np.array(shape) <= picture.shape))
    name = next(fitting, None)
    if name is None:
        return NotNow("No other second kernel fits on this picture. Take a larger one.")
    more = len(KERNELS[name].values)
    each_further = ", and each further one a row more" if more > 1 else ""
    return Question(
        text=f"Leave the first kernel, which has {count(rows, 'row')}, and take **{KERNELS[name].title}** with "
        f"{count(more, 'row')} as the second, without a ReLU between them. How many rows has the **single kernel** "
        "that does the same?",
        values={"f-2-kernel": name, "f-relu": False},
        answer=made[name][0],
        why=f"An output of the second sees {count(more, 'row')} of the first's outputs. The first of these sees "
        f"{count(rows, 'row')} of the picture{each_further}: {rows} + {more} − 1.",
        mistakes={
            rows * more: "The windows overlap, so they do not multiply.",
            rows + more: "The two windows share a row.",
            max(rows, more): "The second sees outputs, each of which has seen more than one row.",
            len(second) + rows - 1: "So many it has now.",
        },
    )


def _another(now: np.ndarray, names: tuple[str, ...]) -> str:
    return next(name for name in names if not np.array_equal(KERNELS[name].values, now))


def _write(kernel: np.ndarray) -> str:
    rows = r" \\ ".join(" & ".join(f"{cell:g}" for cell in row) for row in kernel)
    return rf"$\begin{{bmatrix}} {rows} \end{{bmatrix}}$"
