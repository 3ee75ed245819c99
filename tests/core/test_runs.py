import os
import resource
import time
from dataclasses import replace

import numpy as np
import pytest

from cnn_core import inspection, runs, training
from cnn_core.runs import folders, reading
from cnn_core.runs.reading import Reader
from cnn_core.training import (
    EpochEnded,
    Failed,
    Finished,
    LearningRateChanged,
    StepLogged,
    Stopped,
    initial,
)
from cnn_core.training.events import Paused, Resumed
from tests.core.running import SMALL, STARTED

STEP = StepLogged(step=3, epoch=1, loss=2.0, accuracy=0.25, examples_per_second=1000.0)

EPOCH = EpochEnded(
    epoch=1,
    step=36,
    train_loss=2.0,
    train_accuracy=0.5,
    validation_loss=None,
    validation_accuracy=None,
    examples_per_second=1.0,
    seconds=1.0,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.mark.parametrize(
    "text", ["", "..", "../../etc", "a/b", "x" * 22 + "/", "ä" * 22, "-" * 22, None, 5, "\0" * 22]
)
def test_what_is_no_id_is_no_run(folder, text):
    with pytest.raises(runs.UnknownRun, match="is not on this machine"):
        runs.get(text)
    with pytest.raises(runs.UnknownRun, match="is not on this machine"):
        runs.control(text, "stop", owner="A")


def test_ids_cannot_be_guessed(folder):
    ids = {folders.create(SMALL, owner="A", device=None) for _ in range(20)}
    assert len(ids) == 20
    assert {len(run_id) for run_id in ids} == {22}


def test_a_run_keeps_only_a_hash_of_its_owner(folder):
    run_id = folders.create(SMALL, owner="visitor-1", device=None)
    run = runs.get(run_id)
    assert run.belongs_to("visitor-1")
    assert not run.belongs_to("visitor-2")
    assert "visitor-1" not in (folder / run_id / "run.json").read_text()


def test_events_are_read_as_they_are_written(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    assert runs.get(run_id).steps == ()
    folders.append(folder / run_id, STEP)
    assert runs.get(run_id).steps == (STEP,)
    line = training.events.to_json(replace(STEP, step=6)).encode() + b"\n"
    with (folder / run_id / "events.jsonl").open("ab") as file:
        file.write(line[:20])
        file.flush()
        assert runs.get(run_id).step == 3
        file.write(line[20:])
    assert runs.get(run_id).step == 6


def test_a_broken_line_hides_no_other(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    (folder / run_id / "events.jsonl").write_bytes(b'{"event": "StepLog')
    folders.append(folder / run_id, STEP)
    folders.append(folder / run_id, Failed(message="too bad"))
    run = runs.get(run_id)
    assert (run.steps, run.state, run.error) == ((STEP,), "failed", "too bad")


def test_a_full_disk_leaves_no_part_of_a_line(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    folders.append(folder / run_id, STEP)
    path = folder / run_id / "events.jsonl"
    before = path.read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            folders.append(folder / run_id, STEP)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert path.read_bytes() == before


def drawn(settings=SMALL):
    return inspection.draw_parameters(settings.layers, settings.spec.input_shape, seed=3)


def test_the_weights_that_a_run_begins_from_lie_in_its_folder(folder):
    run_id = folders.create(SMALL, owner="A", device=None, weights=drawn())
    file = runs.get(run_id).initial_file
    assert file == folder / run_id / "initial.safetensors"
    kept = initial.load(file, SMALL.layers, SMALL.spec.input_shape)
    assert initial.sha256(kept) == initial.sha256(drawn())
    assert runs.get(folders.create(SMALL, owner="A", device=None)).initial_file is None


def test_a_disk_that_is_full_before_the_weights_are_written_leaves_nothing(folder):
    folder.mkdir()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # enough for all but the weights
    try:
        with pytest.raises(OSError, match="File too large"):
            folders.create(SMALL, owner="A", device=None, weights=drawn())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert list(folder.iterdir()) == []


def test_weights_that_do_not_fit_are_refused_and_no_run_is_made(folder):
    with pytest.raises(ValueError, match=r"parameters have conv2\.bias, which the network does not have"):
        runs.submit(SMALL, owner="A", weights=drawn() | {"conv2.bias": np.zeros(1, np.float32)})
    assert not folder.exists()


def test_a_run_that_nobody_executes_is_interrupted(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    folders.append(folder / run_id, STEP)
    assert runs.get(run_id).state == "interrupted"
    assert runs.get(run_id).is_over


def test_a_damaged_folder_is_no_run(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    (folder / run_id / "settings.json").write_text('{"learning_rat": 1}')
    with pytest.raises(runs.UnknownRun, match=r"cannot be read .*learning_rat"):
        runs.get(run_id)


def test_the_time_left_is_that_of_the_pictures_left(folder):
    settings = replace(SMALL, num_epochs=2)  # 2 epochs of 3,600 pictures in 36 steps
    run_id = folders.create(settings, owner="A", device=None)
    folders.append(folder / run_id, replace(STEP, step=18, examples_per_second=1800.0))
    assert reading.read(run_id, place=0).seconds_left == pytest.approx(3600 * 1.5 / 1800)
    assert runs.get(run_id).seconds_left is None
    assert runs.get(run_id).progress == 0.25


def test_the_time_left_is_at_most_that_until_the_clock_ends_it(folder):
    settings = replace(SMALL, num_epochs=2, max_minutes=0.05)  # 36 steps an epoch, of 100 pictures
    run_id = folders.create(settings, owner="A", device=None)
    folders.append(folder / run_id, replace(STEP, step=10, examples_per_second=500.0))
    assert reading.read(run_id, place=0).seconds_left == pytest.approx(3 - 10 * 100 / 500)
    folders.append(folder / run_id, replace(STEP, step=20, examples_per_second=500.0))
    assert reading.read(run_id, place=0).seconds_left == 0


def test_a_learning_rate_set_by_hand_is_the_next_one_until_it_is_taken(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    assert runs.get(run_id).next_rate is None
    for rate in (0.1, 0.2):
        runs.control(run_id, owner="A", learning_rate=rate)
        assert runs.get(run_id).next_rate == rate
    folders.append(folder / run_id, LearningRateChanged(step=3, learning_rate=0.2))
    folders.append(folder / run_id, LearningRateChanged(step=3, learning_rate=0.2))
    assert runs.get(run_id).next_rate is None


def test_runs_are_listed_newest_first_for_their_owner(folder):
    ids = [folders.create(SMALL, owner=owner, device=None) for owner in "ABA"]
    assert [run.id for run in runs.list()] == ids[::-1]
    assert [run.id for run in runs.list("A")] == [ids[2], ids[0]]
    assert runs.list("C") == ()


def test_old_runs_are_tidied_away(folder, monkeypatch):
    def age(run_id):
        path = folder / run_id / "events.jsonl"
        os.utime(path, (time.time() - 3 * 24 * 3600 - 60,) * 2)

    ids = [folders.create(SMALL, owner="A", device=None) for _ in range(5)]
    monkeypatch.setenv("CNN_RUNS_MAX_DAYS", "3")
    age(ids[3])
    age(ids[0])
    folders.tidy(keep={ids[0]})
    assert folders.ids() == [ids[4], ids[2], ids[1], ids[0]]
    monkeypatch.setattr(folders, "MAX_RUNS", 3)
    folders.tidy(keep=())
    assert folders.ids() == [ids[4], ids[2], ids[1]]
    (folder / ids[2] / "big").write_bytes(bytes(100_000))
    folders.append(folder / ids[2], Stopped())
    folders.append(folder / ids[1], Paused())
    monkeypatch.setenv("CNN_RUNS_MAX_GB", "0.00005")
    folders.tidy(keep=())
    assert folders.ids() == [ids[4]]


def test_a_run_of_the_last_hour_that_has_no_end_may_be_another_apps_and_stays(folder, monkeypatch):
    ended, going, waiting, left, newest = [folders.create(SMALL, owner="A", device=None) for _ in range(5)]
    for run_id in (ended, going, left):
        folders.append(folder / run_id, STEP)
    folders.append(folder / ended, Stopped())
    make_old(folder / left / "events.jsonl")
    monkeypatch.setattr(folders, "MAX_RUNS", 1)
    folders.tidy(keep=())
    assert folders.ids() == [newest, waiting, going]


def test_what_has_not_changed_is_measured_once(folder, monkeypatch):
    ids = [folders.create(SMALL, owner="A", device=None) for _ in range(3)]
    folders.tidy(keep=())
    looked = []
    monkeypatch.setattr(folders.Path, "rglob", lambda path, _: looked.append(path.name) or [])
    folders.append(folder / ids[1], STEP)
    folders.tidy(keep=())
    assert looked == [ids[1]]


def test_what_a_crash_has_left_goes_after_an_hour_and_nothing_else_does(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    draft, doomed, damaged, young = ".a" + "x" * 21, ".b" + "x" * 21, "c" + "x" * 21, ".d" + "x" * 21
    own, named = "my-important-documents", "notes"
    for name in (draft, doomed, damaged, young, own, named):
        (folder / name).mkdir()
    (folder / draft / "settings.json").touch()
    (folder / doomed / "checkpoint").mkdir()
    (folder / doomed / ".control.json.123-456").touch()
    (folder / damaged / "run.json").touch()
    (folder / own / "letter.txt").touch()
    for name in (run_id, draft, doomed, damaged, own, named):
        make_old(folder / name)
    folders.tidy(keep=())
    assert {path.name for path in folder.iterdir()} == {run_id, young, own, named}


def make_old(path):
    os.utime(path, (time.time() - 3700,) * 2)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"wan": "run"}', b'{"want": "run"', b'{"learning_rates": 1}']
)
def test_a_wish_that_is_damaged_is_no_wish_and_the_run_can_still_be_looked_at(folder, content):
    run_id = folders.create(SMALL, owner="A", device=None)
    (folder / run_id / "control.json").write_bytes(content)
    with pytest.raises(runs.UnknownRun, match=rf"run {run_id} is damaged \(control.json: .*start it again"):
        runs.control(run_id, "run", owner="A")
    assert runs.get(run_id).next_rate is None


def test_what_a_new_run_is_made_of_is_on_the_disk_before_it_is_a_run(folder, monkeypatch):
    kept = []
    monkeypatch.setattr(os, "fsync", lambda number: kept.append(os.readlink(f"/proc/self/fd/{number}")))
    run_id = folders.create(SMALL, owner="A", device=None, weights=drawn())
    for name in ("settings.json", "run.json", "control.json", "initial.safetensors"):
        assert any(f"/.{run_id}/.{name}." in path for path in kept), name


@pytest.mark.parametrize("text", ["-1", "0", "nan", "many"])
def test_a_limit_that_is_no_number_is_refused(folder, monkeypatch, text):
    monkeypatch.setenv("CNN_RUNS_MAX_GB", text)
    with pytest.raises(runs.RunRefused, match=f"CNN_RUNS_MAX_GB '{text}' must be a number greater than 0"):
        runs.submit(SMALL, owner="A")


def test_an_unknown_wish_is_refused(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    with pytest.raises(ValueError, match="unknown wish 'stopp': did you mean 'stop'"):
        runs.control(run_id, "stopp", owner="A")


def test_a_wish_that_cannot_be_written_is_refused(folder, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    run_id = folders.create(SMALL, owner="A", device=None)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(runs.RunRefused, match=r"cannot be written \(No space left on device\)"):
        runs.control(run_id, "stop", owner="A")
    assert list((folder / run_id).glob(".*")) == []


def test_only_its_owner_can_change_a_run(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    for change in (
        lambda: runs.control(run_id, "stop", owner="B"),
        lambda: runs.control(run_id, owner="", learning_rate=0.1),
        lambda: runs.label(run_id, owner=run_id, name="mine"),
        lambda: runs.delete(run_id, owner="B"),
    ):
        with pytest.raises(runs.RunRefused, match="somebody else's"):
            change()
    assert folders.read_wish(folder / run_id) == folders.Wish()
    runs.delete(run_id, owner="A")
    assert list(folder.iterdir()) == []
    with pytest.raises(runs.UnknownRun):
        runs.get(run_id)


def test_a_run_keeps_the_name_and_the_note_of_its_owner(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    assert (runs.get(run_id).name, runs.get(run_id).note) == ("", "")
    runs.label(run_id, owner="A", name="ä <b>")
    runs.label(run_id, owner="A", note="two\nlines")
    assert (runs.get(run_id).name, runs.get(run_id).note) == ("ä <b>", "two\nlines")
    with pytest.raises(ValueError, match="name has 61 characters, more than 60"):
        runs.label(run_id, owner="A", name="x" * 61)


def test_a_learning_rate_that_is_no_number_is_refused(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    with pytest.raises(ValueError, match="learning_rate nan must be a finite number"):
        runs.control(run_id, owner="A", learning_rate=float("nan"))
    runs.control(run_id, owner="A", learning_rate=0.1)
    runs.control(run_id, owner="A", learning_rate=0.2)
    assert folders.read_wish(folder / run_id).learning_rates == (0.1, 0.2)


def test_a_start_from_a_checkpoint_takes_back_what_came_after_it(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    steps = [replace(STEP, step=step) for step in (3, 6, 9)]
    changes = [LearningRateChanged(step=step, learning_rate=0.1) for step in (6, 9)]
    for event in (STARTED, steps[0], steps[1], changes[0], steps[2], changes[1], replace(STARTED, step=6)):
        folders.append(folder / run_id, event)
    run = runs.get(run_id)
    assert run.steps == (*steps[:2],)
    assert run.rate_changes == (changes[0],)
    assert run.started.step == 6


def test_an_epoch_that_ends_again_after_a_resume_stands_once(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    for loss in (2.0, 1.0):
        folders.append(folder / run_id, replace(EPOCH, train_loss=loss))
    folders.append(folder / run_id, replace(EPOCH, epoch=2, step=72))
    assert [(each.epoch, each.train_loss) for each in runs.get(run_id).epochs] == [(1, 1.0), (2, 2.0)]


def test_what_was_read_is_kept_while_it_takes_little_room(folder, monkeypatch):
    ids = [folders.create(SMALL, owner="A", device=None) for _ in range(100)]
    for run_id in ids:
        runs.get(run_id)
    made = []
    monkeypatch.setattr(reading, "Reader", lambda path: made.append(path.name) or Reader(path))
    assert len([runs.get(run_id) for run_id in ids]) == 100
    assert made == []

    reading._readers.clear()
    monkeypatch.setattr(reading, "MAX_BYTES", 200_000)
    line = training.events.to_json(STEP) + "\n"
    for run_id in ids[:3]:
        (folder / run_id / "events.jsonl").write_text(line * (reading.MAX_BYTES // 2 // len(line)))
        assert runs.get(run_id).step == 3
    runs.get(ids[2])
    assert sum(reader.num_bytes for reader in reading._readers._kept.values()) <= reading.MAX_BYTES
    assert runs.get(ids[0]).step == 3
    assert made == [*ids[:3], ids[0]]


def test_the_records_that_end_a_run_decide_its_state(folder):
    finished = Finished(test_loss=1.0, test_accuracy=0.5, confusion=((1, 0), (0, 1)), predictions=(0, 1))
    for event, state in (
        (finished, "finished"),
        (Stopped(), "stopped"),
        (Failed(message="x"), "failed"),
        (Paused(), "paused"),
    ):
        run_id = folders.create(SMALL, owner="A", device=None)
        folders.append(folder / run_id, event)
        assert runs.get(run_id).state == state
        folders.append(folder / run_id, Resumed())
        assert runs.get(run_id).state == "interrupted"
    assert of_epochs(folder) == (0.5,)


def of_epochs(folder):
    """Write one epoch into a new run and return what is read of it."""
    run_id = folders.create(SMALL, owner="A", device=None)
    folders.append(folder / run_id, EPOCH)
    return tuple(epoch.train_accuracy for epoch in runs.get(run_id).epochs)
