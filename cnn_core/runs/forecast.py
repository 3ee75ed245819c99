"""When each waiting run starts: foretold from how fast the running ones are."""

import contextlib
import heapq
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from cnn_core.runs import folders
from cnn_core.runs.queue import Ticket
from cnn_core.runs.reading import Run, read


@dataclass(frozen=True)
class Execution:
    """A run that an engine has.

    Attributes:
        ticket: The run.
        future: What will say why it failed.
        step: Steps done before.
        num_starts: As in `Run`, before.
        began: When it was handed over, by the monotonic clock.
    """

    ticket: Ticket
    future: "Future[str]"
    step: int
    num_starts: int
    began: float

    def pace(self, run: Run) -> float | None:
        """Return the seconds for each step until now, with all that is between the steps; None before the first."""
        num_steps = run.step - self.step
        return (time.monotonic() - self.began) / num_steps if num_steps > 0 else None


def foretell(
    waiting: Sequence[Ticket],
    taken: Sequence[Ticket],
    executions: Mapping[str, Execution],
    *,
    num_slots: int,
    seconds_per_work: float | None,
) -> dict[str, float]:
    """Estimate in how many seconds each waiting run starts.

    Args:
        waiting: The tickets in their order.
        taken: The tickets of the runs that are executed, or soon will be.
        executions: What is known of these, by run.
        num_slots: Runs that are executed at a time, perhaps none.
        seconds_per_work: How fast this machine has been; None if that is not known.

    Returns:
        Seconds by run; nothing if nothing can be said.
    """
    seconds_left = {}
    for ticket in taken:
        with contextlib.suppress(folders.UnknownRun):
            run, execution = read(ticket.run_id, place=0), executions.get(ticket.run_id)
            work_per_step = ticket.work / run.settings.num_steps
            pace = (execution and execution.pace(run)) or (
                seconds_per_work and seconds_per_work * work_per_step
            )
            if pace is None:
                return {}
            seconds_per_work = seconds_per_work or pace / work_per_step
            seconds_left[ticket.owner] = pace * (run.settings.num_steps - run.step)
    if seconds_per_work is None or num_slots == 0:
        return {}
    return forecast(waiting, seconds_left, num_slots=num_slots, seconds_per_work=seconds_per_work)


def forecast(
    waiting: Sequence[Ticket], seconds_left: Mapping[str, float], *, num_slots: int, seconds_per_work: float
) -> dict[str, float]:
    """Estimate in how many seconds each waiting run starts, if runs are taken as `Queue.take` does.

    Args:
        waiting: The tickets in their order.
        seconds_left: For each owner of a running run, how long that still takes.
        num_slots: Runs that are executed at a time, at least 1.
        seconds_per_work: How fast this machine is.

    Returns:
        Seconds by run, in the order of the starts.

    Example:
        >>> waiting = [Ticket(1, 1, "a2", "A", 10.0), Ticket(1, 2, "b1", "B", 10.0)]
        >>> forecast(waiting, {"A": 4.0}, num_slots=2, seconds_per_work=0.5)
        {'b1': 0.0, 'a2': 4.0}
    """
    ends = [(seconds, owner) for owner, seconds in seconds_left.items()]
    heapq.heapify(ends)
    remaining, begins, now = [*waiting], {}, 0.0
    while remaining:
        busy = {owner for _, owner in ends}
        ticket = next((each for each in remaining if each.owner not in busy), None)
        if ticket and len(ends) < num_slots:
            remaining.remove(ticket)
            begins[ticket.run_id] = now
            heapq.heappush(ends, (now + ticket.work * seconds_per_work, ticket.owner))
        else:
            now = ends[0][0]
            while ends and ends[0][0] <= now:  # all that end together make room before the next is taken
                heapq.heappop(ends)
    return begins
