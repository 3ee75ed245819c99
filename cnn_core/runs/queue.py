"""A fair order of runs, and who may have one more wait in it."""

from dataclasses import dataclass, field, replace

from cnn_core.summary import summarize
from cnn_core.training.settings import Settings


@dataclass(frozen=True, order=True)
class Ticket:
    """A run's place in the queue: tickets are served in their order.

    Attributes:
        round: The runs of one owner get rounds one after another, so that owners take turns.
        number: Counts all tickets.
        run_id: The run.
        owner: Hash of its owner.
        work: What it costs; see `work_of`.
        deaths: How often a worker has died that had started it.
        false_starts: How often in a row a worker has died that had not started it.
    """

    round: int
    number: int
    run_id: str
    owner: str
    work: float = field(compare=False)
    deaths: int = field(default=0, compare=False)
    false_starts: int = field(default=0, compare=False)


FEW, KEPT_FOR_FEW = 2, 20
"""The last places are kept for owners of whom fewer runs than `FEW` wait: nobody alone shuts the others out."""


class Queue:
    """The runs that wait, in a fair order, and those that have been taken. It knows no threads."""

    def __init__(self):
        self.waiting: list[Ticket] = []
        self.taken: list[Ticket] = []
        self._round = 0
        self._number = 0

    def refusal(self, owner: str, *, size: int) -> str:
        """Say why no more runs of an owner may wait; "" if one more may.

        Args:
            owner: Hash of the owner.
            size: How many runs may wait, those of all owners together.
        """
        num_waiting, num_own = len(self.waiting), sum(ticket.owner == owner for ticket in self.waiting)
        if num_waiting >= size:
            return (
                f"{num_waiting} runs are waiting, as many as the queue holds: try again when one has finished"
            )
        if num_own >= FEW and num_waiting >= size - KEPT_FOR_FEW:
            return (
                f"{num_waiting} runs are waiting, {num_own} of them yours, and the last {KEPT_FOR_FEW} places are "
                f"kept for visitors who have fewer than {FEW} waiting: try again when some have finished"
            )
        return ""

    def add(self, run_id: str, owner: str, settings: Settings) -> None:
        """Put a run behind the others of its owner, and behind those of other owners in the same round.

        A run that waits or is taken already keeps its place.

        Example:
            >>> queue = Queue()
            >>> for run_id, owner in (("a1", "A"), ("a2", "A"), ("b1", "B")):
            ...     queue.add(run_id, owner, Settings())
            >>> [ticket.run_id for ticket in queue.waiting]
            ['a1', 'b1', 'a2']
        """
        if run_id in self.places():
            return
        rounds = [ticket.round + 1 for ticket in (*self.waiting, *self.taken) if ticket.owner == owner]
        self._number += 1
        ticket = Ticket(max([self._round, *rounds]), self._number, run_id, owner, work_of(settings))
        self.waiting = sorted([*self.waiting, ticket])

    def take(self) -> Ticket | None:
        """Take the next run of an owner of whom none is taken; None if there is none."""
        busy = {ticket.owner for ticket in self.taken}
        for ticket in self.waiting:
            if ticket.owner not in busy:
                self.waiting.remove(ticket)
                self.taken.append(ticket)
                self._round = max(self._round, ticket.round)
                return ticket
        return None

    def put_back(self, ticket: Ticket, *, has_started: bool) -> None:
        """Put a run whose worker died where it was, before all that came later.

        Args:
            ticket: The run's.
            has_started: Whether that worker had started it.
        """
        self.taken.remove(ticket)
        if has_started:
            ticket = replace(ticket, deaths=ticket.deaths + 1, false_starts=0)
        else:
            ticket = replace(ticket, false_starts=ticket.false_starts + 1)
        self.waiting = sorted([*self.waiting, ticket])

    def places(self) -> dict[str, int]:
        """Return 0 for each run that is taken, and the place from 1 for each that waits."""
        waiting = {ticket.run_id: place for place, ticket in enumerate(self.waiting, start=1)}
        return waiting | {ticket.run_id: 0 for ticket in self.taken}


def work_of(settings: Settings) -> float:
    """Return the multiplications of a training; the seconds of two trainings are about in this proportion."""
    rows = summarize(settings.layers, settings.spec.input_shape)
    return float(settings.num_epochs * settings.num_train * sum(row.mult_adds for row in rows))
