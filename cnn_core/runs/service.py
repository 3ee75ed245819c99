"""The service in front of the engine: a bounded, fair queue, and one thread that hands runs over."""

import contextlib
import math
import threading
import time
import traceback
from collections.abc import Callable

from cnn_core.inspection.parameters import Parameters
from cnn_core.runs import engines, folders
from cnn_core.runs.engines import Engine, EngineFailed, Machine, WorkerDied
from cnn_core.runs.forecast import Execution, foretell
from cnn_core.runs.queue import Queue, Ticket
from cnn_core.runs.reading import Run, read
from cnn_core.training.events import Event, Failed, Paused, Resumed, Stopped
from cnn_core.training.settings import Settings

MAX_QUEUED = 60
MAX_DEATHS = 1
MAX_FALSE_STARTS = 3
FALSE_STARTS = (
    f"{MAX_FALSE_STARTS + 1} workers in a row ended unexpectedly before the training had started there "
    "(killed, or out of memory): try again, and a smaller network if that does not help"
)
NO_WORKER = "the engine has no worker at present: runs wait until one comes"
POLL_SECONDS = 0.25
TIDY_SECONDS = 60.0


class QueueFull(folders.RunRefused):
    """As many runs are waiting as the queue holds, or as it holds of one visitor."""


class Service:
    """Takes runs, keeps them in a fair order, and has an engine execute as many at a time as it can.

    Nothing is started before the first `warm_up` or `submit`. A run whose worker died is tried once more, from
    its checkpoint, and so are those that ran when the engine was lost, with a new engine.

    Attributes:
        machine: What a worker has to train with, as soon as that is known.
        trouble: Why nothing can be executed at present; "" if it can.
        failures: Why runs failed, where that could not be written into their folders.
    """

    def __init__(self, choose_engine: Callable[[], Engine] = engines.choose):
        self.machine: Machine | None = None
        self.trouble = ""
        self.failures: dict[str, str] = {}
        self._choose_engine = choose_engine
        self._changed = threading.Condition(threading.RLock())
        self._queue = Queue()
        self._executions: dict[str, Execution] = {}
        self._num_slots = 1
        self._seconds_per_work: float | None = None
        self._engine: Engine | None = None
        self._has_answered = False
        self._thread: threading.Thread | None = None
        self._is_told = False
        self._tidied_at = -math.inf

    def submit(
        self, settings: Settings, *, owner: str, device: str | None, weights: Parameters | None = None
    ) -> str:
        """Make a run and put it into the queue; see `cnn_core.runs.submit`."""
        owner_hash = folders.hash_owner(owner)
        self._check_room(owner_hash)
        try:
            run_id = folders.create(settings, owner=owner, device=device, weights=weights)
        except OSError as error:
            raise folders.cannot_write(error) from None
        with self._changed:
            try:
                self._check_room(owner_hash)  # others may have come while the folder was made
            except QueueFull:
                folders.remove(folders.path_of(run_id))
                raise
            self._queue.add(run_id, owner_hash, settings)
        self.warm_up()
        return run_id

    def warm_up(self) -> None:
        """Have an engine started, if there is none."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="cnn-runs", daemon=True)
                self._thread.start()
            self._tell()

    def place(self, run_id: str) -> int | None:
        """Return 0 for a running run, the place in the queue (from 1) for a waiting one, else None."""
        with self._changed:
            return self._queue.places().get(run_id)

    def active_ids(self) -> set[str]:
        """Return the runs that wait or run."""
        with self._changed:
            return set(self._queue.places())

    def seconds_to_start(self, run_id: str) -> float | None:
        """Estimate when a waiting run starts; None if it does not wait or nothing can be said yet."""
        with self._changed:
            waiting, taken = [*self._queue.waiting], [*self._queue.taken]
            executions, num_slots, per_work = {**self._executions}, self._num_slots, self._seconds_per_work
        starts = foretell(waiting, taken, executions, num_slots=num_slots, seconds_per_work=per_work)
        return starts.get(run_id)

    def heed(self, run_id: str) -> None:
        """Do what the owner of a run wants, as far as no worker does it, which looks for itself."""
        with self._changed:
            if run_id in self._executions and read(run_id, place=0).is_over:
                self._close(self._executions[run_id], "")  # its last word is written, but not yet collected
            place = self.place(run_id)
            if place != 0:
                self._heed(read(run_id, place=place, failure=self.failures.get(run_id, "")))

    def shut_down(self) -> None:
        """End the engine and forget the queue."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._queue = Queue()
            self._executions.clear()
            if self._engine:
                self._engine.dismiss()
            self._tell()
        if thread:
            thread.join(timeout=5)

    def _tell(self) -> None:
        """Wake the thread that serves."""
        with self._changed:
            self._is_told = True
            self._changed.notify_all()

    def _check_room(self, owner: str) -> None:
        with self._changed:
            refusal = self._queue.refusal(owner, size=MAX_QUEUED)
        if refusal:
            raise QueueFull(refusal)

    def _heed(self, run: Run) -> None:
        """Take a waiting run out of the queue, or put one that has ended before its time back into it."""
        folder = folders.path_of(run.id)
        wish = folders.read_wish(folder)
        if wish.goes_beyond(run.step):
            if run.can_go_on:
                self._check_room(run.owner_hash)
                self._go_on(run)
        elif run.state in ("queued", "paused"):
            self._queue.waiting = [each for each in self._queue.waiting if each.run_id != run.id]
            folders.append(folder, Stopped() if wish.want == "stop" else Paused())

    def _go_on(self, run: Run) -> None:
        folders.append(folders.path_of(run.id), Resumed())
        self.failures.pop(run.id, None)
        self._queue.add(run.id, run.owner_hash, run.settings)
        self.warm_up()

    def _serve(self) -> None:
        """Hand runs to an engine and close those that are over, until `shut_down`."""
        while self._wait():
            # Slots are counted after that: the slot of a worker that dies meanwhile is not handed out once more.
            done = self._done()
            try:
                self._num_slots = self._ready_engine().num_slots()
                self._has_answered = True
                self.trouble = "" if self._num_slots else NO_WORKER
                self._collect(done)
                self._hand_over()
                self._tidy()
            except EngineFailed as error:
                self._lose_engine(error)
            except Exception as error:  # whatever it was, the next run must find this thread
                traceback.print_exception(error)
                self._lose_engine(EngineFailed(f"the engine failed ({type(error).__name__}: {error})"))
        self._end_engine()

    def _is_shut_down(self) -> bool:
        return self._thread is not threading.current_thread()

    def _wait(self) -> bool:
        """Wait until there may be something to do; return False to end."""
        with self._changed:
            is_busy = self._executions or self._queue.waiting or self.trouble == NO_WORKER
            self._changed.wait_for(
                lambda: self._is_told or self._is_shut_down(), POLL_SECONDS if is_busy else None
            )
            self._is_told = False
            return not self._is_shut_down()

    def _ready_engine(self) -> Engine:
        """Return the engine; start one if there is none."""
        if self._engine is None:
            engine = self._choose_engine()
            with self._changed:
                self._engine = engine
                if self._is_shut_down():
                    engine.dismiss()
            self.machine = engine.start()
        return self._engine

    def _end_engine(self) -> None:
        engine, self._engine = self._engine, None
        try:
            if engine:
                engine.end()
        except Exception as error:  # it is given up in any case
            traceback.print_exception(error)

    def _lose_engine(self, error: EngineFailed) -> None:
        """Try again, with a new engine, what was running; if that one never answers, no run can be executed."""
        has_answered, self._has_answered = self._has_answered, False
        self._end_engine()
        with self._changed:
            if self._is_shut_down():
                return
            for execution in [*self._executions.values()]:
                self._retry(
                    execution,
                    f"{error}, and the run had lost its worker before: go on from its last checkpoint",
                )
            if not has_answered:
                self.trouble = str(error)
                waiting, self._queue.waiting = self._queue.waiting, []
                for ticket in waiting:
                    self._write(ticket.run_id, Failed(message=str(error)))
            self._is_told = bool(self._queue.waiting)

    def _done(self) -> list[Execution]:
        """Return what the engine is done with."""
        with self._changed:
            return [each for each in self._executions.values() if each.future.done()]

    def _collect(self, done: list[Execution]) -> None:
        """Close runs that the engine is done with, unless somebody has meanwhile."""
        with self._changed:
            for execution in done:
                if self._executions.get(execution.ticket.run_id) is not execution:
                    continue
                try:
                    failure = execution.future.result()
                except WorkerDied as error:
                    self._retry(
                        execution, f"the training failed twice, {error}: try a smaller network or batch_size"
                    )
                except Exception as error:
                    self._close(execution, f"the training failed ({type(error).__name__}: {error})")
                else:
                    self._close(execution, failure)

    def _retry(self, execution: Execution, failure: str) -> None:
        """Put a run back whose process died, unless one had died before and no epoch was completed since.

        A process that died before it wrote that the run has started there had executed no step of it. When a machine
        dies, a run may be handed to one of its workers after another, all of them about to die. So such a death
        does not count, up to `MAX_FALSE_STARTS` times in a row; after that it may be the run that kills them.

        A run that had said its last word, or was paused, is only closed.
        """
        ticket = execution.ticket
        with contextlib.suppress(folders.UnknownRun):
            run = read(ticket.run_id, place=0)
            has_started = run.num_starts > execution.num_starts
            if has_started:
                has_epoch = bool(run.epochs) and run.epochs[-1].step > execution.step
                may_retry = ticket.deaths < MAX_DEATHS or has_epoch
            else:
                may_retry, failure = ticket.false_starts < MAX_FALSE_STARTS, FALSE_STARTS
            if run.state != "running":
                failure = ""
            elif may_retry:
                del self._executions[ticket.run_id]
                self._queue.put_back(ticket, has_started=has_started)
                return
        self._close(execution, failure)

    def _close(self, execution: Execution, failure: str) -> None:
        """Close a run; if its owner had it end and has changed his mind meanwhile, it goes back into the queue."""
        ticket = execution.ticket
        del self._executions[ticket.run_id]
        self._queue.taken.remove(ticket)
        if failure:
            self._write(ticket.run_id, Failed(message=failure))
        with contextlib.suppress(folders.UnknownRun, OSError):
            run = read(ticket.run_id)
            if run.result and (pace := execution.pace(run)):
                self._seconds_per_work = pace * run.settings.num_steps / ticket.work
            wish = folders.read_wish(folders.path_of(run.id))
            if run.state in ("paused", "stopped") and wish.goes_beyond(run.step):
                self._go_on(run)

    def _write(self, run_id: str, event: Event) -> None:
        """Write down an end that no worker could write down; where that fails, keep it in mind."""
        try:
            folders.append(folders.path_of(run_id), event)
        except (OSError, folders.UnknownRun):
            self.failures[run_id] = event.message

    def _hand_over(self) -> None:
        """Give the engine as many runs as it has slots for. What cannot be started fails alone."""
        while ticket := self._take():
            try:
                self._start(ticket)
            except Exception as error:
                self._refuse(ticket, f"the run could not be started: {error}")

    def _take(self) -> Ticket | None:
        with self._changed:
            return self._queue.take() if len(self._executions) < self._num_slots else None

    def _start(self, ticket: Ticket) -> None:
        """Have the engine execute a run. The folder is written first: who looks at runs need not wait for a disk."""
        folder = folders.path_of(ticket.run_id)
        attempt = folders.read_wish(folder).attempt + 1
        try:
            folders.change_wish(folder, attempt=attempt)
        except OSError as error:
            raise folders.cannot_write(error) from None
        run = read(ticket.run_id)
        with self._changed:
            if not self._is_shut_down():
                future = self._engine.execute(folder, attempt, self._tell)
                self._executions[ticket.run_id] = Execution(
                    ticket, future, run.step, run.num_starts, time.monotonic()
                )

    def _refuse(self, ticket: Ticket, failure: str) -> None:
        with self._changed:
            if not self._is_shut_down():
                self._queue.taken.remove(ticket)
                self._write(ticket.run_id, Failed(message=failure))

    def _tidy(self) -> None:
        """Remove old runs, now and then; what the two limits say wrongly, `submit` has said."""
        if time.monotonic() - self._tidied_at > TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            with contextlib.suppress(OSError, folders.RunRefused):
                folders.tidy(keep=self.active_ids())
