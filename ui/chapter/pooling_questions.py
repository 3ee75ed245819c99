"""What the page on pooling lets a visitor predict."""

from dataclasses import replace
from functools import partial

import numpy as np

from cnn_core import ops, scene, shifts
from cnn_core.geometry import Axis
from cnn_core.pooling import format_number, stack_channels
from cnn_core.scene import Scene
from ui.chapter.pooling_settings import IN_PLACE, MOVED
from ui.chapter.pooling_text import EXACT, written
from ui.chapter.predict import NotNow, Question, Questions
from ui.wording import both, count

DARKER, AS_BRIGHT, BRIGHTER = "darker", "about as bright", "brighter"
SAME_LEVEL = 5.0
"""Grey levels, of 255, by which a mean may differ and still look the same."""

NOTHING, LESS, AS_MUCH = "nothing", "less than in the feature map", "as much as in the feature map, or more"
TOO_CLOSE = 0.05
"""Part of the larger of two changes by which they have to differ, so that it is worth asking which it is."""


# The small grid


def grid(shown: Scene, height: Axis, width: Axis) -> Questions:
    """Ask about channels, and about windows that overlap."""
    return {
        "channels": partial(_channels, shown, height, width),
        "extreme": partial(_extreme, shown, height, width),
    }


def _channels(shown: Scene, height: Axis, width: Axis) -> Question:
    num_channels = 2 if len(shown.x) == 3 else 3
    pooled = scene.pooling(stack_channels(shown.x[0], num_channels), height, width, mode=shown.mode)
    return Question(
        text=f"Put **{num_channels} channels** in. How many channels come out?",
        values={"p-channels": num_channels},
        answer=len(pooled.y),
        why="Each channel is pooled by itself, and nothing is added up.",
        mistakes={
            1: "A convolution with one output channel would add them up.",
            num_channels**2: "A convolution has a kernel for each pair of channels. Pooling has none.",
        },
    )


def _extreme(shown: Scene, height: Axis, width: Axis) -> Question:
    is_max_now = shown.mode == "max" and height.stride == width.stride == 1
    mode, word = ("min", "smallest") if is_max_now else ("max", "largest")
    height, width = (replace(axis, stride=1) for axis in (height, width))
    pooled = scene.pooling(shown.x, height, width, mode=mode)
    extreme = getattr(shown.x[0], mode)()
    window = height.kernel_size * width.kernel_size
    channel = " of channel 0" if len(shown.x) > 1 else ""
    return Question(
        text=f"The {word} number of the input{channel} is {format_number(extreme)}. Take **{mode} pooling** with "
        f"**stride 1**, window {both(height.kernel_size, width.kernel_size)} and padding "
        f"{both(height.padding[0], width.padding[0])} as now. How many outputs{channel} are "
        f"{format_number(extreme)}?",
        values={"p-mode": mode, "p-h-stride": 1, "p-w-stride": 1},
        answer=int(np.count_nonzero(pooled.y[0] == extreme)),
        why="With stride 1, windows overlap. The number wins in each window that it lies in.",
        mistakes={
            1: "That would be so if each number were in one window only.",
            window: "So many windows hold a number far from the border. Near the border there are fewer.",
        },
    )


# A picture


def picture(x: np.ndarray, height: Axis, width: Axis, mode: str) -> Questions:
    """Ask what another way to pool does to the brightness of a picture (C, H, W)."""
    return {"brightness": partial(_brightness, x, height, width, mode)}


def _brightness(x: np.ndarray, height: Axis, width: Axis, mode: str) -> Question | NotNow:
    wanted = "average" if mode == "min" else "min"
    if height.kernel_size == width.kernel_size == 1:
        return NotNow("A window of one pixel leaves all pixels as they are. Take a larger one.")
    pooled = _pool(x[None], height, width, wanted)
    before, after = x.mean(), pooled.mean()
    changed = after - before
    answer = AS_BRIGHT if abs(changed) <= SAME_LEVEL else BRIGHTER if changed > 0 else DARKER
    if wanted == "min":
        why = _why_darkest(answer, skips=any(axis.stride > axis.kernel_size for axis in (height, width)))
    else:
        # An average of ones is the share of a window that is no padding.
        unpadded = (pooled / _pool(np.ones_like(x[None]), height, width, wanted)).mean()
        why = _why_mean(answer, is_by_padding=unpadded - after > before - unpadded)
    return Question(
        text=f"Take **{wanted} pooling**. How does the picture look afterwards, compared with before?",
        values={"p-mode": wanted},
        answer=answer,
        why=f"The mean is {before:.0f} before and {after:.0f} after. {why}",
        options=(DARKER, AS_BRIGHT, BRIGHTER),
    )


def _why_darkest(answer: str, *, skips: bool) -> str:
    keeps = "Each window keeps its darkest pixel"
    if answer == DARKER:
        return f"{keeps}, so all others of the window lose."
    if answer == BRIGHTER:
        return f"{keeps}. {_unevenly_seen('darker')}"
    stepped = ", or the windows step over darker ones" if skips else ""
    return f"{keeps}. But in most windows here the pixels are nearly alike{stepped}."


def _why_mean(answer: str, *, is_by_padding: bool) -> str:
    keeps = "Each window keeps its mean"
    if answer == AS_BRIGHT:
        return f"{keeps}, so light and dark stay in balance."
    if answer == DARKER and is_by_padding:
        return f"{keeps}. But padding counts as black, and that makes the border darker."
    return f"{keeps}. {_unevenly_seen('darker' if answer == BRIGHTER else 'brighter')}"


def _unevenly_seen(how: str) -> str:
    return f"But pixels that lie in fewer windows, or in none, count less. Here these are {how} on the whole."


# The shift test


def shift(maps: np.ndarray, height: Axis, width: Axis, *, moved: bool) -> Questions:
    """Ask how max pooling answers to a shift, from the shifted feature maps (num_shifts, 1, H, W)."""
    return {
        "in-place": partial(_in_place, maps, height, width),
        "moved-along": partial(_moved_along, maps, height, width, moved=moved),
    }


def _in_place(maps: np.ndarray, height: Axis, width: Axis) -> Question | NotNow:
    window = 3 if height.kernel_size == width.kernel_size == 4 else 4
    height, width = (replace(axis, kernel_size=window) for axis in (height, width))
    taken = f"With window {window} and stride {both(height.stride, width.stride)},"
    another = "Take another picture."
    before = shifts.changes(maps)[1]
    after = shifts.changes(_pool(maps, height, width, "max"))[1]
    if np.isnan([before, after]).any():
        return NotNow(
            f"{taken} all numbers are the same after max pooling, and no change can be measured. {another}"
        )
    if after <= EXACT:
        return NotNow(f"{taken} a shift by 1 pixel changes nothing after max pooling. {another}")
    if abs(after - before) <= TOO_CLOSE * max(before, after):
        return NotNow(
            f"{taken} the changes before and after max pooling are too close to tell apart. {another}"
        )
    answer = LESS if after < before else AS_MUCH
    why = {
        LESS: "In many windows the largest number is still inside, in others it has left or a larger one has come in.",
        AS_MUCH: "Where a window changes, its largest number has left or a larger one has come in. Here that is more "
        "than the change before.",
    }
    before, after = written(before, after)
    return Question(
        text=f"Take **max pooling** with **window {window}**, and shift the picture by **1 pixel**. How much changes "
        "in the output, position by position?",
        values={
            "p-mode": "max",
            "p-h-window": window,
            "p-w-window": window,
            "p-shift": 1,
            "p-compare": IN_PLACE,
        },
        answer=answer,
        why=f"The change is {before} before pooling and {after} after. {why[answer]}",
        options=(NOTHING, LESS, AS_MUCH),
        mistakes={NOTHING: "Texts call this invariant. But not every window keeps its largest number."},
    )


def _moved_along(maps: np.ndarray, height: Axis, width: Axis, *, moved: bool) -> Question | NotNow:
    stride = 3 if moved and width.stride == 4 else 4
    height, width = (replace(axis, stride=stride) for axis in (height, width))
    changed = shifts.changes(_pool(maps, height, width, "max"), effective_stride=stride)[1:]
    if np.isnan(changed).any():
        return NotNow(
            "After max pooling all numbers are the same here, and nothing can move. Take another picture."
        )
    num_exact = int(np.count_nonzero(changed <= EXACT))
    num_whole = len(changed) // stride
    between = (
        "Other shifts fall between two places."
        if num_exact == num_whole
        else f"At {num_exact - num_whole} of the shifts between two places nothing changes either: this picture is "
        "even over many pixels, so the windows find the same numbers."
    )
    return Question(
        text=f"Take **max pooling** with **stride {stride}**, and move the first output along with the picture. At how "
        f"many of the shifts from 1 to {len(changed)} is the change 0?",
        values={"p-mode": "max", "p-h-stride": stride, "p-w-stride": stride, "p-compare": MOVED},
        answer=num_exact,
        why=f"The output can move by whole places only, and a place is {count(stride, 'pixel')}. {between}",
        mistakes={
            len(changed): "That would be so with stride 1.",
            0: "At some shifts the windows find exactly the same pixels again.",
            1: "There may be more than one.",
        },
    )


def _pool(x: np.ndarray, height: Axis, width: Axis, mode: str) -> np.ndarray:
    return ops.pool2d(
        x,
        (height.kernel_size, width.kernel_size),
        stride=(height.stride, width.stride),
        padding=(height.padding, width.padding),
        ceil_mode=height.ceil_mode,
        mode=mode,
    )
