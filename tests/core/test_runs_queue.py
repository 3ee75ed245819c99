"""The queue of the runs: its order, its bounds, the places in it and the forecast of the starts."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core import runs
from cnn_core.runs import folders, forecast, queue
from cnn_core.runs.service import MAX_QUEUED, POLL_SECONDS
from cnn_core.training import StepLogged
from cnn_core.training.events import Paused
from tests.core.fake_engine import FINISHED, positions
from tests.core.running import SMALL, wait_for


def test_owners_take_turns(engine):
    first, *others = [runs.submit(SMALL, owner="A") for _ in range(10)]
    wait_for(lambda: engine.executed == [first])
    late = runs.submit(SMALL, owner="B")
    assert positions([late, *others]) == list(range(1, 11))
    assert runs.get(first).state == "running"
    engine.let(first, FINISHED)
    wait_for(lambda: engine.executed == [first, late])
    assert positions(others) == list(range(1, 10))


def test_an_owner_who_submits_one_after_another_does_not_overtake(engine):
    first = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [first])
    waiting = runs.submit(SMALL, owner="B")
    engine.let(first, FINISHED)
    wait_for(lambda: engine.executed == [first, waiting])
    again, other = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="C")
    assert positions([again, other]) == [1, 2]


def test_one_run_of_an_owner_is_executed_at_a_time(engine):
    engine.slots = 3
    first, second = [runs.submit(SMALL, owner="A") for _ in range(2)]
    other = runs.submit(SMALL, owner="B")
    wait_for(lambda: engine.executed == [first, other])
    third = runs.submit(SMALL, owner="C")
    wait_for(lambda: third in engine.executed)
    assert engine.executed == [first, other, third]
    engine.let(first, FINISHED)
    wait_for(lambda: engine.executed == [first, other, third, second])


def submit_many(owners):
    """Submit a run of each owner, and return what those were told that were refused."""
    refusals = []
    for owner in owners:
        try:
            runs.submit(SMALL, owner=owner)
        except runs.QueueFull as error:
            refusals.append(str(error))
    return refusals


def test_the_queue_is_bounded_and_what_is_refused_leaves_nothing(engine):
    engine.slots = 2
    submit_many(["first", "second"])
    wait_for(lambda: len(engine.executed) == 2)
    refusals = submit_many(f"visitor {number}" for number in range(200))
    words = "60 runs are waiting, as many as the queue holds: try again when one has finished"
    assert refusals == [words] * 140
    assert sorted(positions(run.id for run in runs.list() if run.state == "queued")) == list(range(1, 61))
    assert len(list(folders.runs_folder().iterdir())) == 62


def test_one_visitor_alone_does_not_take_the_last_places(engine):
    engine.slots = 0
    refusals = submit_many(["A"] * 200)
    words = (
        "40 runs are waiting, 40 of them yours, and the last 20 places are kept for visitors "
        "who have fewer than 2 waiting: try again when some have finished"
    )
    assert refusals == [words] * 160
    assert len(submit_many(["B", "B", "B"])) == 1
    assert submit_many(f"visitor {number}" for number in range(18)) == []
    assert "60 runs are waiting, as many as" in submit_many(["one more"])[0]


def test_a_run_that_would_go_on_needs_a_place_too(engine):
    engine.slots = 0
    first = runs.submit(SMALL, owner="A")
    runs.control(first, "pause", owner="A")
    submit_many(["A"] * 40)
    with pytest.raises(runs.QueueFull, match="the last 20 places are kept"):
        runs.control(first, "run", owner="A")


def test_a_run_that_finds_the_queue_full_when_its_folder_is_made_leaves_nothing(engine, monkeypatch):
    engine.slots = 0
    create, others = folders.create, iter(range(MAX_QUEUED))

    def slow_create(*args, **options):
        for number in others:
            runs._SERVICE._queue.add(f"run {number}", f"visitor {number}", SMALL)
        return create(*args, **options)

    monkeypatch.setattr(folders, "create", slow_create)
    with pytest.raises(runs.QueueFull, match="60 runs are waiting"):
        runs.submit(SMALL, owner="A")
    assert list(folders.runs_folder().iterdir()) == []


def test_a_run_has_one_place_only():
    fair = queue.Queue()
    for _ in range(2):
        fair.add("a", "A", SMALL)
    assert fair.places() == {"a": 1}
    fair.take()
    fair.add("a", "A", SMALL)
    assert fair.places() == {"a": 0}


def test_the_place_is_exact_and_never_rises_and_the_start_is_foretold(engine, clock):
    """The service sees a clock on which each run takes 10 seconds."""
    ids = [runs.submit(SMALL, owner=f"visitor {number}") for number in range(20)]
    history = {run_id: [] for run_id in ids}
    for done, run_id in enumerate(ids):
        wait_for(
            lambda done=done: engine.executed == ids[: done + 1] and runs.get(ids[done]).state == "running"
        )
        for waiting in ids[done + 1 :]:
            run = runs.get(waiting)
            history[waiting].append(run.position)
            if done:
                expected = 10.0 * run.position
                assert run.seconds_to_start == pytest.approx(expected, rel=0.3)
        clock[0] += 10.0
        step = StepLogged(step=36, epoch=1, loss=1.0, accuracy=0.5, examples_per_second=360.0)
        engine.let(run_id, step, FINISHED)
    assert all(places == list(range(len(places), 0, -1)) for places in history.values())


def test_the_start_of_a_waiting_run_is_foretold_from_the_steps_of_the_running_one(engine, clock):
    first, second = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="B")
    wait_for(lambda: engine.executed == [first] and runs.get(first).state == "running")
    assert runs.get(second).seconds_to_start is None
    clock[0] = 9.0
    step = StepLogged(step=9, epoch=1, loss=1.0, accuracy=0.5, examples_per_second=100.0)
    folders.append(folders.path_of(first), step)
    assert runs.get(second).seconds_to_start == pytest.approx(27.0)  # 9 of 36 steps took 9 seconds


def test_without_a_worker_nothing_is_foretold(engine):
    first = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [first])
    step = StepLogged(step=36, epoch=1, loss=1.0, accuracy=0.5, examples_per_second=360.0)
    engine.let(first, step, FINISHED)
    wait_for(lambda: not runs._SERVICE.active_ids())
    engine.slots = 0
    waiting = runs.submit(SMALL, owner="A")
    wait_for(runs.trouble)
    assert runs.trouble() == "the engine has no worker at present: runs wait until one comes"
    assert runs.get(waiting).seconds_to_start is None
    engine.slots = 1
    wait_for(lambda: engine.executed == [first, waiting])
    assert runs.trouble() == ""


def test_that_there_is_no_worker_is_no_longer_said_when_one_comes_although_nothing_waits(engine):
    engine.slots = 0
    run_id = runs.submit(SMALL, owner="A")
    wait_for(runs.trouble)
    runs.control(run_id, "stop", owner="A")
    time.sleep(3 * POLL_SECONDS)
    assert runs.trouble()
    engine.slots = 1
    wait_for(lambda: not runs.trouble())


def test_a_forecast_gives_each_owner_one_slot_at_a_time():
    ticket = queue.Ticket
    waiting = [ticket(0, 1, "a", "A", 10.0), ticket(0, 2, "b", "B", 4.0), ticket(1, 3, "a2", "A", 1.0)]
    assert forecast.forecast(waiting, {}, num_slots=2, seconds_per_work=1.0) == {
        "a": 0.0,
        "b": 0.0,
        "a2": 10.0,
    }


def test_a_run_that_its_owner_keeps_waiting_blocks_no_slot_in_a_forecast():
    waiting = [queue.Ticket(1, 1, "a2", "A", 10.0), queue.Ticket(2, 2, "b", "B", 10.0)]
    foretold = forecast.forecast(waiting, {"A": 50.0}, num_slots=2, seconds_per_work=1.0)
    assert foretold == {"b": 0.0, "a2": 50.0}


def starts_of(fair, num_slots):
    """Let the runs of a queue be executed on a clock, each as long as its work, and note when they start."""
    clock, ends, starts = 0.0, {}, {}
    while True:
        while len(ends) < num_slots and (ticket := fair.take()):
            starts[ticket.run_id], ends[ticket] = clock, clock + ticket.work
        if not ends:
            return starts
        clock = min(ends.values())
        for ticket in [each for each in ends if ends[each] == clock]:
            fair.taken.remove(ticket)
            del ends[ticket]


@given(
    asked=st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 9)), max_size=10),
    num_slots=st.integers(1, 4),
)
def test_a_forecast_says_what_the_queue_does(asked, num_slots):
    fair = queue.Queue()
    for number, (owner, _) in enumerate(asked):
        fair.add(str(number), owner, SMALL)
    fair.waiting = [replace(each, work=float(asked[int(each.run_id)][1])) for each in fair.waiting]
    waiting = [*fair.waiting]
    running = [ticket for _ in range(num_slots) if (ticket := fair.take())]
    seconds_left = {ticket.owner: ticket.work for ticket in running}
    foretold = forecast.forecast([*fair.waiting], seconds_left, num_slots=num_slots, seconds_per_work=1.0)
    again = queue.Queue()
    again.waiting = waiting
    started_at_once = {ticket.run_id: 0.0 for ticket in running}
    assert foretold | started_at_once == starts_of(again, num_slots)


def test_a_waiting_run_that_is_stopped_or_paused_leaves_the_queue(engine):
    first, second, third, fourth = [runs.submit(SMALL, owner="A") for _ in range(4)]
    wait_for(lambda: engine.executed == [first])
    runs.control(second, "stop", owner="A")
    runs.control(third, "pause", owner="A")
    assert [runs.get(run_id).state for run_id in (second, third)] == ["stopped", "paused"]
    assert positions([fourth]) == [1]
    runs.control(third, "run", owner="A")
    runs.control(second, "run", owner="A")
    assert positions([fourth, third, second]) == [1, 2, 3]
    with pytest.raises(runs.RunRefused, match="not over: stop it first"):
        runs.delete(second, owner="A")


def test_a_paused_run_gives_its_slot_back_and_waits_for_its_turn_again(engine):
    first, second = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="B")
    wait_for(lambda: engine.executed == [first])
    runs.control(first, "pause", owner="A")
    engine.let(first, Paused())
    wait_for(lambda: engine.executed == [first, second])
    assert runs.get(first).state == "paused"
    runs.control(first, "step", owner="A")
    assert runs.get(first).position == 1
    assert folders.read_wish(folders.path_of(first)).step == 1


def test_who_changes_his_mind_while_his_run_ends_is_heard(engine):
    first = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [first])
    runs.control(first, "pause", owner="A")
    folders.append(folders.path_of(first), Paused())
    runs.control(first, "run", owner="A")  # the worker no longer waits, which the service has not yet heard
    engine.let(first)
    wait_for(lambda: engine.executed == [first, first])
    assert folders.read_wish(folders.path_of(first)).attempt == 2
