"""A class of 30 starts a training each: ``python -m benchmarks.classroom``.

The server is real, and so are the sessions: each visitor has a websocket of his own, as a browser has. He presses
Start, lets the live parts redraw themselves as often as the page asks for, and now and then runs the whole page, as
moving a control does. What counts is how long the page takes then, against the same page before anybody trains, and
that each training comes to its end, in the order of the clicks. In the end all look at trainings that are paused: the
page draws as much of them as of those that run. Other programs should be idle.
"""

import argparse
import asyncio
import os
import random
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect

from cnn_core import runs
from cnn_core.runs import folders
from cnn_core.training.events import Paused
from tests.browser.conftest import Server

PAGE = "lenet-trainer"
FRAGMENT = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY


class Visitor:
    """One session on the trainer's page."""

    def __init__(self, url: str, query: str):
        self.url = url.replace("http", "ws") + "/_stcore/stream"
        self.query = query
        self.forget_times()
        self.start_button = ""
        self.fragments: dict[str, float] = {}
        self.due: dict[str, float] = {}

    def forget_times(self) -> None:
        """Begin to take times anew; those of live parts apart for trainings that wait and for those that have begun."""
        self.page_times: list[float] = []
        self.panel_times: dict[str, list[float]] = {"waiting": [], "begun": []}

    async def open(self) -> None:
        """Connect and read the page for the first time."""
        self.socket = await connect(self.url, subprotocols=["streamlit"], max_size=None)
        await self.run_page()

    async def run_page(self, *, click: str = "") -> float:
        """Run the whole page and return the seconds until it was complete; `click` is a button's id."""
        message = BackMsg()
        message.rerun_script.page_name = PAGE
        message.rerun_script.query_string = self.query
        if click:
            state = WidgetState(id=click, trigger_value=True)
            message.rerun_script.widget_states.widgets.append(state)
        return await self._ask(message, lambda status: status != FRAGMENT)

    async def run_fragment(self, fragment_id: str) -> float:
        """Run a part of the page alone, as the browser does by itself."""
        message = BackMsg()
        message.rerun_script.page_name = PAGE
        message.rerun_script.query_string = self.query
        message.rerun_script.fragment_id = fragment_id
        message.rerun_script.is_auto_rerun = True
        return await self._ask(message, lambda status: True)

    async def _ask(self, message: BackMsg, is_end: Callable[[int], bool]) -> float:
        began = time.monotonic()
        await self.socket.send(message.SerializeToString())
        while True:
            told = ForwardMsg.FromString(await self.socket.recv())
            kind = told.WhichOneof("type")
            if kind == "navigation":  # the whole page runs, whatever was asked for
                self.fragments.clear()
            elif kind == "auto_rerun":
                self.fragments[told.auto_rerun.fragment_id] = told.auto_rerun.interval
            elif kind == "page_info_changed":
                self.query = told.page_info_changed.query_string
            elif kind == "delta" and told.delta.new_element.button.label == "Start":
                self.start_button = told.delta.new_element.button.id
            elif kind == "script_finished":
                if told.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                if is_end(told.script_finished):
                    return time.monotonic() - began

    async def look(self, is_over: Callable[[], bool], pause: tuple[float, float]) -> None:
        """Watch the panel, and run the page now and then, until it is over."""
        next_page = time.monotonic() + random.uniform(*pause)
        while not is_over():
            await asyncio.sleep(0.1)
            if time.monotonic() > next_page:
                self.page_times.append(await self.run_page())
                next_page = time.monotonic() + random.uniform(*pause)
            for fragment_id, interval in [*self.fragments.items()]:
                # Not all came at the same moment, so their clocks do not tick together.
                due = self.due.setdefault(fragment_id, time.monotonic() + random.uniform(0, interval))
                if time.monotonic() > due and fragment_id in self.fragments:
                    self.panel_times[self.state()].append(await self.run_fragment(fragment_id))
                    self.due[fragment_id] = time.monotonic() + interval

    def state(self) -> str:
        """Tell whether the training that is looked at has begun."""
        (run_id,) = parse_qs(self.query).get("run", [""])
        events = folders.runs_folder() / run_id / "events.jsonl"
        return "begun" if events.exists() and events.stat().st_size else "waiting"

    async def turn_to(self, run_id: str) -> None:
        """Look at another run."""
        self.query = f"run={run_id}"
        self.due.clear()
        self.forget_times()
        await self.run_page()


async def lesson(url: str, options: argparse.Namespace) -> None:
    """Let the class come, look, start, and watch until the last training is over."""
    visitors = [Visitor(url, f"t-epochs={options.epochs}") for _ in range(options.visitors)]
    for visitor in visitors:
        await visitor.open()
    pause = (5.0, 15.0)
    quiet_end = time.monotonic() + 15
    await asyncio.gather(*(each.look(lambda: time.monotonic() > quiet_end, pause) for each in visitors))
    quiet = [seconds for each in visitors for seconds in each.page_times]
    report("page before anybody trains", quiet)
    clicks = []
    began = time.monotonic()
    for visitor in visitors:
        visitor.forget_times()
        clicks.append(await visitor.run_page(click=visitor.start_button))
        await asyncio.sleep(options.seconds / options.visitors)
    report("Start to a page that follows the run", clicks)

    def is_over() -> bool:
        found = runs.list()
        return len(found) == len(visitors) and all(run.result or run.error for run in found)

    over = asyncio.Event()

    async def wait() -> None:
        while not await asyncio.to_thread(is_over):
            await asyncio.sleep(1)
        over.set()

    await asyncio.gather(wait(), *(each.look(over.is_set, pause) for each in visitors))
    seconds = time.monotonic() - began
    busy = [each for visitor in visitors for each in visitor.page_times]
    report("page while all train", busy)
    report_panels("live parts", visitors)
    print(
        f"ratio of the page's p95, training to quiet: {np.percentile(busy, 95) / np.percentile(quiet, 95):.2f}"
    )
    report_runs(seconds, options)
    for visitor, run_id in zip(visitors, pause_copies(), strict=True):
        await visitor.turn_to(run_id)
    paused_end = time.monotonic() + 20
    await asyncio.gather(*(each.look(lambda: time.monotonic() > paused_end, pause) for each in visitors))
    report("page of a paused run", [each for visitor in visitors for each in visitor.page_times])
    report_panels("live parts of a paused run", visitors)


def pause_copies() -> list[str]:
    """Make of each finished run another that was paused just before its end; return their ids."""
    ids = []
    for run in runs.list():
        copy = shutil.copytree(run.folder, run.folder.with_name(secrets.token_urlsafe(16)))
        lines = (copy / "events.jsonl").read_bytes().splitlines(keepends=True)
        (copy / "events.jsonl").write_bytes(b"".join(lines[:-1]))
        folders.append(copy, Paused())
        ids.append(copy.name)
    return ids


def report_panels(what: str, visitors: list[Visitor]) -> None:
    """Print how long the live parts took."""
    for state in ("waiting", "begun"):
        seconds = [each for visitor in visitors for each in visitor.panel_times[state]]
        if seconds:
            report(f"{what}, {state}", seconds)


def report(what: str, seconds: list[float]) -> None:
    middle, high = 1000 * np.percentile(seconds, [50, 95])
    print(
        f"{what}: median {middle:.0f} ms, p95 {high:.0f} ms, worst {1000 * max(seconds):.0f} ms of {len(seconds)}"
    )


def report_runs(seconds: float, options: argparse.Namespace) -> None:
    """Print what became of the trainings, and in which order they began."""
    found = sorted(runs.list(), key=lambda run: run.created)
    num_finished = sum(run.result is not None for run in found)
    ends = [(run.folder / "events.jsonl").stat().st_mtime for run in found]
    moved = max(abs(place - rank) for rank, place in enumerate(np.argsort(np.argsort(ends))))
    print(
        f"{num_finished} of {options.visitors} trainings finished in {seconds:.0f} s: "
        f"{60 * options.epochs * num_finished / seconds:.0f} epochs a minute; "
        f"ends out of the order of the clicks by at most {moved} places"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=4, help="of each training")
    parser.add_argument("--seconds", type=float, default=10, help="in which all press Start")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNN_RUNS_DIR"] = folder
        server = Server({"CNN_RUNS_DIR": folder}, Path(folder, "server.log"))
        try:
            asyncio.run(lesson(server.url, options))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
