"""What a worker does: execute a run in its folder, and obey its owner meanwhile.

Dask's workers load this module before their first run (`dask worker --preload cnn_core.runs.worker`), and torch
with it. The engine in the process calls `execute` by itself.
"""

import contextlib
import json
import os
import platform
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnn_core.data import DataUnavailable
from cnn_core.runs import folders, glimpse
from cnn_core.runs.folders import UnknownRun, Wish
from cnn_core.runs.merging import Merger
from cnn_core.runs.reading import Reader
from cnn_core.training import (
    EpochEnded,
    Event,
    Failed,
    Finished,
    LearningRateChanged,
    Settings,
    Started,
    StepLogged,
    Stopped,
    checkpoints,
    initial,
    train,
)
from cnn_core.training.events import Paused, Resumed

if TYPE_CHECKING:
    from cnn_core.training.state import State

HOLD_SECONDS = 10.0
HOLD_POLL_SECONDS = 0.05
CHECKPOINT_SECONDS = 30.0
GLIMPSE_SECONDS = 1.0
NICENESS = 5


def dask_setup(worker) -> None:
    """Prepare a worker of Dask; `--preload` calls it.

    CNN_THREADS sets the number of threads. One is right where the app and other runs want the processor too:
    threads that wait for each other there are slower than one.
    """
    import torch

    if hasattr(os, "nice"):
        os.nice(NICENESS)  # who looks at a page waits for milliseconds, who trains for minutes
    torch.set_num_threads(int(os.environ.get("CNN_THREADS") or "1"))
    rehearse()


def rehearse() -> None:
    """Train a few steps: the first ones of a process import for seconds what torch had put off.

    Where that cannot be done, each run says why.
    """
    events = train(Settings(network="flatten-10"))
    with contextlib.suppress(DataUnavailable, ValueError):
        next(events)
        next(events)
    events.close()


def describe() -> dict:
    """Return what this process has to train with; see `engines.Machine`.

    It is plain text and numbers: torch's version, as torch has it, would load torch where it is received.
    """
    import torch

    from cnn_core.training import loop

    return {
        "devices": loop.devices(),
        "num_threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
    }


def execute(folder: Path, attempt: int, is_wanted: Callable[[], bool] = lambda: True) -> str:
    """Execute a run, writing its events and checkpoints into its folder, from its checkpoint if there is one.

    It returns when the run is over, when it is paused for longer than `HOLD_SECONDS`, or when it is no longer
    wanted.

    Args:
        folder: A run's folder.
        attempt: Number of this attempt; another one in the folder's wish ends this one.
        is_wanted: Whether who asked for this is still there.

    Returns:
        Why it failed, if that could not be written into the folder; else "".
    """
    try:
        _Attempt(folder, attempt, is_wanted).execute()
    except Exception as error:  # whatever it was, the next run must find a worker
        message = _explain(error, folder)
        try:
            if folders.read_wish(folder).attempt == attempt:
                folders.append(folder, Failed(message=message))
        except (OSError, UnknownRun):
            return message
    return ""


class _Attempt:
    """One attempt at a run, from its last checkpoint on."""

    def __init__(self, folder: Path, number: int, is_wanted: Callable[[], bool]):
        self.folder = folder
        self.number = number
        self.is_wanted = is_wanted
        self.settings = Settings.from_json((folder / "settings.json").read_text(encoding="utf-8"))
        self.device = json.loads((folder / "run.json").read_bytes())["device"]
        self.state: State | None = None
        self.merger: Merger | None = None
        self.num_rates = 0
        self.saved_at = time.monotonic()
        self.saved_step = 0
        self.glimpsed_at = 0.0

    def execute(self) -> None:
        """Train until the run is over, or until its owner, or who asked for this, wants no more of it."""
        wish = folders.read_wish(self.folder)
        if not self.is_mine(wish):
            return
        if wish.want == "stop":
            self.write(Stopped())
            return
        checkpoint = self.folder / "checkpoint"
        resume_from = checkpoint if (checkpoint / checkpoints.FILE_NAME).exists() else None
        weights = None if resume_from else self.initial_weights()
        events = train(self.settings, device=self.device, resume_from=resume_from, initial_weights=weights)
        with contextlib.closing(events):
            for event in events:
                wish = folders.read_wish(self.folder)
                if not self.is_mine(wish):
                    return
                self.tell(event)
                if isinstance(event, Finished | Failed) or not self.obey(wish, event):
                    return

    def initial_weights(self) -> dict[str, np.ndarray] | None:
        """Read the weights that were brought along, if there are any."""
        path = self.folder / initial.FILE_NAME
        if not path.exists():
            return None
        return initial.load(path, self.settings.layers, self.settings.spec.input_shape)

    def tell(self, event: Event) -> None:
        """Write down an event, and a checkpoint with some: what happens after that, a resumed run repeats."""
        if isinstance(event, Started):
            self.begin(event)
        elif isinstance(event, StepLogged):
            self.write(*self.merger.add(event))
            self.look_at_the_clock()
        else:
            if isinstance(event, Finished) and self.saved_step < self.state.step:
                self.save()  # the clock ended it in the middle of an epoch
            self.write(*self.merger.flush(), event)
            if isinstance(event, EpochEnded):
                self.save()

    def begin(self, event: Started) -> None:
        """Take the live state, and see what the run has told before."""
        self.write(event)
        self.state, self.saved_step = event.state, event.step
        reader = Reader(self.folder)
        reader.refresh()
        self.num_rates = len(reader.all(LearningRateChanged))
        self.merger = Merger(self.settings, step=event.step, num_lines=len(reader.all(StepLogged)))

    def write(self, *events: Event) -> None:
        """Write down events."""
        for event in events:
            folders.append(self.folder, event)

    def look_at_the_clock(self) -> None:
        """Write a glimpse or a checkpoint if the last one is old."""
        now = time.monotonic()
        if now - self.glimpsed_at > GLIMPSE_SECONDS:
            self.show()
        if now - self.saved_at > CHECKPOINT_SECONDS:
            self.save()

    def save(self) -> None:
        """Write a checkpoint, with the line of the steps up to it before."""
        self.write(*self.merger.flush())
        folder = self.folder / "checkpoint"
        folder.mkdir(exist_ok=True)  # alone: a run that was removed meanwhile does not come back
        checkpoints.save(folder, self.state)
        self.saved_at, self.saved_step = time.monotonic(), self.state.step
        self.show()

    def show(self) -> None:
        """Write a glimpse of the network, for who looks."""
        glimpse.write(self.folder, self.state)
        self.glimpsed_at = time.monotonic()

    def is_mine(self, wish: Wish) -> bool:
        """Tell whether this attempt may still write into the folder."""
        return wish.attempt == self.number

    def is_due(self, wish: Wish, event: Event) -> bool:
        """Tell whether to pause after this event. What ends an epoch belongs to its last step."""
        step = self.state.step
        ends_epoch = isinstance(event, StepLogged) and step % self.settings.steps_per_epoch == 0
        return wish.want == "pause" and (step > wish.step or (step == wish.step and not ends_epoch))

    def obey(self, wish: Wish, event: Event) -> bool:
        """Do after an event what the owner wants; return False to end the attempt."""
        if self.is_due(wish, event):
            self.save()
            self.write(Paused())
            wish = self.hold(wish, event)
            if self.may_go_on(wish, event):
                self.write(Resumed())
        if self.may_go_on(wish, event):
            self.set_rate(wish)
            self.state.log_each_step = wish.want == "pause" and wish.step - self.state.step == 1
            return True
        if self.is_mine(wish) and self.state.step:
            self.save()
        if self.is_mine(wish) and wish.want == "stop":
            self.write(Stopped())
        return False

    def may_go_on(self, wish: Wish, event: Event) -> bool:
        """Tell whether the next step is wanted."""
        return (
            self.is_mine(wish) and self.is_wanted() and wish.want != "stop" and not self.is_due(wish, event)
        )

    def hold(self, wish: Wish, event: Event) -> Wish:
        """Wait while the run is paused, for some seconds; return what the owner wants in the end."""
        end = time.monotonic() + HOLD_SECONDS
        while self.is_mine(wish) and self.is_wanted() and self.is_due(wish, event) and time.monotonic() < end:
            time.sleep(HOLD_POLL_SECONDS)
            wish = folders.read_wish(self.folder)
        return wish

    def set_rate(self, wish: Wish) -> None:
        """Take the last learning rate that was set by hand, if it is new.

        The checkpoint comes before the event: a crash between the two sets the rate once more, at the same step.
        """
        if len(wish.learning_rates) > self.num_rates:
            change = self.state.change_learning_rate(wish.learning_rates[-1])
            self.save()
            self.write(*[change for _ in wish.learning_rates[self.num_rates :]])
            self.num_rates = len(wish.learning_rates)


def _explain(error: Exception, folder: Path) -> str:
    """Say in words what ended a run."""
    if isinstance(error, DataUnavailable | UnknownRun | ValueError):
        return str(error)
    if not folder.is_dir():
        return (
            f"the worker does not see the folder {folder}: "
            "name one in CNN_RUNS_DIR that the app and all workers see"
        )
    if isinstance(error, OSError):
        return f"the run could not be saved ({error.strerror or error}): free some space, then start it again"
    traceback.print_exception(error)
    return f"the training failed ({type(error).__name__}: {error}): try a smaller network or batch_size"
