"""What a visitor can have his own training do, and what the page says meanwhile."""

import pytest

from cnn_core import runs
from cnn_core.runs import folders
from cnn_core.training import Failed, Stopped
from cnn_core.training.events import LearningRateChanged, Paused
from tests.app.recorded import (
    EPOCH,
    PAGE,
    STARTED,
    STEP,
    captions,
    followed,
    keep,
    orders,
    progress,
    texts,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("runs_folder")


@pytest.fixture
def own(open_page, asleep):
    """The page, and the folder of a run of this visitor that nobody executes."""
    app = open_page(PAGE)
    app.button(key="t-start").click().run()
    return app, folders.path_of(followed(app).id)


def told(own, *events, place=None):
    """Let a worker have told so much, and read the page again."""
    app, folder = own
    runs._SERVICE._queue = runs.service.Queue()
    runs._SERVICE.place = lambda run_id: place
    for event in events:
        folders.append(folder, event)
    app.run()
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("events", "place", "expected"),
    [
        ([], 1, ["stop"]),
        ([STARTED, STEP], 0, ["pause", "stop"]),
        ([STARTED, STEP, Paused()], None, ["run", "step", "epoch", "stop"]),
        ([STARTED, STEP, Stopped()], None, ["run"]),
        ([STARTED, STEP, Failed(message="the disk is full")], None, ["run"]),
        ([STARTED, STEP], None, ["run"]),
    ],
    ids=["queued", "running", "paused", "stopped", "failed", "interrupted"],
)
def test_in_each_state_there_are_the_buttons_that_can_do_something(own, events, place, expected):
    assert orders(told(own, *events, place=place)) == expected


@pytest.mark.parametrize("event", [Stopped(), Failed(message="the disk is full")])
def test_only_what_has_kept_something_goes_on(own, event):
    app = told(own, STARTED, STEP, event)
    assert app.button(key="t-run").label == "Try again"
    keep(own[1].name, step=57)
    assert app.run().button(key="t-run").label == "Go on"


def test_a_paused_training_says_how_far_it_is(own):
    app = told(own, STARTED, STEP, EPOCH, Paused())
    assert "57 of 570 steps done, in epoch 1 of 10" in progress(app)


def test_a_waiting_training_says_when_it_begins(own, monkeypatch):
    known = runs.Machine(devices=("cpu",), num_threads=1, versions={})
    monkeypatch.setattr(runs._SERVICE, "machine", known)
    monkeypatch.setattr(runs._SERVICE, "seconds_to_start", lambda run_id: 100.0)
    assert "It begins in about 2 min." in progress(told(own, place=3))


def test_a_training_that_diverged_says_that_the_rate_has_to_change(own):
    app = told(own, STARTED, STEP, Failed(message="loss nan: the training has diverged"))
    assert "With the same learning rate it would happen again." in texts(app)


def set_rate(app, rate):
    """Type a learning rate, and send it."""
    app.number_input(key="t-live-rate").set_value(rate)
    return app.button(key="t-live-rate-set").click().run()


def test_a_new_learning_rate_is_taken_down_once(own):
    app = set_rate(told(own, STARTED, STEP, place=0), 0.001)
    assert folders.read_wish(own[1]).learning_rates == (0.001,)
    app.run()
    assert folders.read_wish(own[1]).learning_rates == (0.001,)


def test_an_empty_box_sets_no_learning_rate(own):
    set_rate(told(own, STARTED, STEP, place=0), None)
    assert folders.read_wish(own[1]).learning_rates == ()


@pytest.mark.parametrize("event", [Paused(), Stopped(), Failed(message="the disk is full")])
def test_a_new_learning_rate_is_shown_until_it_is_used(own, event):
    app = set_rate(told(own, STARTED, STEP, event), 0.001)
    assert "Learning rate next: 0.001, set by hand." in texts(app)
    told(own, LearningRateChanged(step=57, learning_rate=0.001))
    assert "Learning rate next" not in texts(app)


def test_an_order_that_cannot_be_carried_out_is_said_in_place(own, monkeypatch):
    def refuse(*_, **__):
        raise runs.RunRefused("the folder of the runs cannot be written")

    app = told(own, STARTED, STEP, place=0)
    monkeypatch.setattr(runs, "control", refuse)
    app.button(key="t-pause").click().run()
    assert [error.value for error in app.error] == ["the folder of the runs cannot be written"]


def test_a_real_training_is_paused_makes_a_step_goes_on_and_stops(open_page):
    app = open_page(PAGE, **{"t-epochs": 60})
    app.button(key="t-start").click().run()
    wait_until(app, lambda: followed(app).steps)
    app.button(key="t-pause").click().run()
    wait_until(app, lambda: followed(app).state == "paused")
    app.run()
    step = followed(app).step
    app.button(key="t-step").click().run()
    wait_until(app, lambda: followed(app).step == step + 1 and followed(app).state == "paused")
    app.run()
    assert "Kernels of conv1, as they are now" in captions(app)
    app.button(key="t-run").click().run()
    wait_until(app, lambda: followed(app).step > step + 1)
    app.run()
    app.button(key="t-stop").click().run()
    wait_until(app, lambda: followed(app).state == "stopped")
    app.run()
    assert orders(app) == ["run"]
    assert "Kernels of conv1, as they are now" not in captions(app)
