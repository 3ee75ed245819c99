"""The process that executes runs: ``python -m cnn_core.runs.worker``, started by `cnn_core.runs.service`.

It reads the folder of a run from each line of stdin and answers when the run is over, with JSON on stdout. It
ends when stdin closes, in the middle of a run if need be: the checkpoint is always whole.
"""

import contextlib
import json
import os
import platform
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path

from cnn_core.data import DataUnavailable
from cnn_core.runs import folders
from cnn_core.training import (
    EpochEnded,
    Event,
    Failed,
    Finished,
    Settings,
    Started,
    Stopped,
    checkpoints,
    train,
)


def main() -> None:
    """Load torch, say what the machine has, and execute runs until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the app, whose end closes stdin
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    tasks: queue.SimpleQueue[Path] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    _answer(answers, _load_torch())
    while True:
        _answer(answers, {"error": execute(tasks.get())})


def _listen(tasks: "queue.SimpleQueue[Path]") -> None:
    """Pass the folders on; end the process when the app is gone."""
    for line in sys.stdin:
        tasks.put(Path(json.loads(line)))
    os._exit(0)


def _answer(answers, values: dict) -> None:
    answers.write(json.dumps(values) + "\n")
    answers.flush()


def _load_torch() -> dict:
    """Import what a training needs, and return what the machine has.

    CNN_THREADS sets the number of threads. One is right where the app and other runs want the processor too:
    threads that wait for each other there are slower than one.
    """
    import torch

    from cnn_core.training import loop

    torch.set_num_threads(int(os.environ.get("CNN_THREADS", "1")))
    _rehearse()
    return {
        "devices": loop.devices(),
        "num_threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def _rehearse() -> None:
    """Train a few steps: the first ones of a process import for seconds what torch had put off.

    Where that cannot be done, each run says why.
    """
    events = train(Settings(network="flatten-10"))
    with contextlib.suppress(DataUnavailable, ValueError):
        next(events)
        next(events)
    events.close()


def execute(folder: Path) -> str:
    """Execute a run, writing its events and checkpoints into its folder.

    Args:
        folder: A run's folder.

    Returns:
        Why it failed, if that could not be written into the folder; else "".
    """
    try:
        _execute(folder)
    except Exception as error:  # whatever it was, the next run must find a worker
        message = _explain(error)
        try:
            folders.append(folder, Failed(message=message))
        except OSError:
            return message
    return ""


def _execute(folder: Path) -> None:
    settings = Settings.from_json((folder / "settings.json").read_text(encoding="utf-8"))
    record = json.loads((folder / "run.json").read_bytes())
    events = train(settings, device=record["device"])
    state = None
    while not folders.wants_stop(folder):
        event = next(events)
        if isinstance(event, Started):
            state = event.state
        if isinstance(event, EpochEnded):
            checkpoints.save(folder / "checkpoint", state)
        folders.append(folder, event)
        if _is_last(event):
            return
    events.close()
    if state:
        checkpoints.save(folder / "checkpoint", state)
    folders.append(folder, Stopped())


def _is_last(event: Event) -> bool:
    return isinstance(event, Finished | Failed)


def _explain(error: Exception) -> str:
    """Say in words what ended a run."""
    if isinstance(error, DataUnavailable | ValueError):
        return str(error)
    if isinstance(error, OSError):
        return f"the run could not be saved ({error.strerror or error}): free some space, then start it again"
    traceback.print_exception(error)
    return f"the training failed ({type(error).__name__}: {error}): try a smaller network or batch_size"


if __name__ == "__main__":
    main()
