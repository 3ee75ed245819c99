"""The service in front of the engine: what becomes of the runs when a worker, the engine or a folder fails."""

import re
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cnn_core import runs
from cnn_core.runs import cluster, engines, folders, local_cluster, reading, worker
from cnn_core.runs.engines import EngineFailed, WorkerDied
from cnn_core.runs.service import Service
from cnn_core.training.events import Paused
from tests.core.fake_engine import FINISHED, FakeEngine
from tests.core.running import LONG, ROOT, SMALL, STARTED, finish, wait_for


def test_a_run_whose_worker_died_is_next_again_and_fails_the_second_time(engine):
    first, second = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="B")
    wait_for(lambda: engine.executed == [first])
    engine.let(first, STARTED, error=WorkerDied("killed"))
    wait_for(lambda: engine.executed == [first, first])
    engine.let(first, STARTED, error=WorkerDied("killed"))
    run = finish(first)
    assert (run.state, run.error) == (
        "failed",
        "the training failed twice, killed: try a smaller network or batch_size",
    )
    wait_for(lambda: engine.executed == [first, first, second])
    engine.let(second, error=ModuleNotFoundError("no module cnn_core"))
    assert "the training failed (ModuleNotFoundError: no module cnn_core)" in finish(second).error


def kill(engine, run_id, *attempts):
    """Have a run's worker die in each of these attempts, after it has told these events."""
    for events in attempts:
        wait_for(lambda: run_id in engine.ends)
        engine.let(run_id, *events, error=WorkerDied("killed"))


def test_workers_that_die_before_they_have_started_a_run_are_not_held_against_it(engine):
    """A machine that dies takes down one after another the workers that the run is handed to."""
    run_id = runs.submit(SMALL, owner="A")
    kill(engine, run_id, [STARTED], [], [], [])
    wait_for(lambda: run_id in engine.ends)
    assert runs.get(run_id).state == "running"
    engine.let(run_id, STARTED, FINISHED)
    assert finish(run_id).state == "finished"


def test_a_run_that_no_worker_lives_to_start_is_given_up(engine):
    first, second = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="B")
    kill(engine, first, [], [], [], [])
    run = finish(first)
    assert (run.state, run.can_go_on, run.error) == (
        "failed",
        True,
        "4 workers in a row ended unexpectedly before the training had started there "
        "(killed, or out of memory): try again, and a smaller network if that does not help",
    )
    wait_for(lambda: engine.executed == [first] * 4 + [second])


def test_only_workers_in_a_row_count_that_die_before_they_have_started_a_run(engine):
    run_id = runs.submit(SMALL, owner="A")
    kill(engine, run_id, [], [], [], [STARTED], [], [], [])
    wait_for(lambda: run_id in engine.ends)
    kill(engine, run_id, [STARTED])
    assert "failed twice" in finish(run_id).error


def test_a_run_whose_worker_died_while_it_was_paused_stays_paused(engine):
    first = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [first])
    runs.control(first, "pause", owner="A")
    engine.let(first, Paused(), error=WorkerDied("killed"))
    wait_for(lambda: not runs._SERVICE.active_ids())
    assert runs.get(first).state == "paused"
    runs.control(first, "run", owner="A")
    wait_for(lambda: engine.executed == [first, first])
    engine.let(first, FINISHED)
    wait_for(lambda: not runs._SERVICE.active_ids())
    assert (runs.get(first).state, engine.executed) == ("finished", [first, first])
    runs.delete(first, owner="A")


def test_a_run_whose_worker_died_after_its_last_word_is_not_executed_again(engine):
    first, second = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="B")
    wait_for(lambda: engine.executed == [first])
    engine.let(first, FINISHED, error=WorkerDied("killed"))
    wait_for(lambda: engine.executed == [first, second])
    assert runs.get(first).state == "finished"


def test_an_engine_that_is_lost_takes_no_run_with_it(engine):
    first, second = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="B")
    wait_for(lambda: engine.executed == [first])
    engine.failures["num_slots"] = EngineFailed("gone")
    wait_for(lambda: runs.get(first).state == "failed", seconds=5)  # for a new one is not to be had
    assert {runs.get(run_id).error for run_id in (first, second)} == {"gone"}
    assert runs.trouble() == "gone"
    del engine.failures["num_slots"]
    runs.control(first, "run", owner="A")
    wait_for(lambda: engine.executed == [first, first])
    assert (runs.get(first).state, runs.trouble()) == ("running", "")


@pytest.fixture
def later_engines(engine, monkeypatch):
    """The engines that are started one after another when the first one is lost."""
    later = [FakeEngine() for _ in range(2)]
    coming = iter([engine, *later])
    monkeypatch.setattr(runs._SERVICE, "_choose_engine", lambda: next(coming))
    return later


def test_an_engine_that_was_lost_at_rest_is_replaced_before_any_run_fails(engine, later_engines):
    first = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [first])
    engine.let(first, FINISHED)
    wait_for(lambda: not runs._SERVICE.active_ids())
    engine.failures["num_slots"] = EngineFailed("gone")
    second = runs.submit(SMALL, owner="A")
    wait_for(lambda: later_engines[0].executed == [second])
    assert (runs.get(second).state, runs.trouble()) == ("running", "")


def test_a_run_whose_engine_was_lost_twice_says_so_and_gives_no_advice_about_the_network(
    engine, later_engines
):
    first, second = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="B")
    wait_for(lambda: engine.executed == [first])
    folders.append(folders.path_of(first), STARTED)
    engine.failures["num_slots"] = EngineFailed("the cluster is gone")
    wait_for(lambda: later_engines[0].executed == [first])
    folders.append(folders.path_of(first), STARTED)
    later_engines[0].failures["num_slots"] = EngineFailed("the cluster is gone")
    wait_for(lambda: later_engines[1].executed == [second])
    words = "the cluster is gone, and the run had lost its worker before: go on from its last checkpoint"
    assert (runs.get(first).state, runs.get(first).error) == ("failed", words)
    assert runs.get(first).can_go_on


@pytest.mark.parametrize("broken", ["start", "num_slots"])
def test_whatever_an_engine_raises_ends_runs_with_words_and_not_the_service(engine, broken):
    engine.failures |= {broken: TypeError("broken"), "end": RuntimeError("broken, too")}
    run = finish(runs.submit(SMALL, owner="A"))
    assert (run.state, run.error) == ("failed", "the engine failed (TypeError: broken)")
    assert runs.trouble() == run.error
    engine.failures.clear()
    runs.warm_up()
    wait_for(lambda: not runs.trouble())
    runs.control(run.id, "run", owner="A")
    wait_for(lambda: engine.executed == [run.id])


def test_an_engine_that_cannot_be_made_is_said_in_words(engine, monkeypatch):
    def broken():
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(runs._SERVICE, "_choose_engine", broken)
    error = finish(runs.submit(SMALL, owner="A")).error
    assert error == "the engine failed (OSError: [Errno 12] Cannot allocate memory)"


def test_a_run_that_the_engine_does_not_take_fails_alone(engine):
    engine.failures["execute"] = RuntimeError("broken")
    run = finish(runs.submit(SMALL, owner="A"))
    assert (run.state, run.error) == ("failed", "the run could not be started: broken")
    engine.failures.clear()
    second = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [second])


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_run_with_a_damaged_folder_fails_alone(engine, content):
    first, second, third = [runs.submit(SMALL, owner=owner) for owner in "ABC"]
    wait_for(lambda: engine.executed == [first])
    for damaged in (first, second):
        (folders.path_of(damaged) / "control.json").write_text(content)
    engine.let(first, FINISHED)
    wait_for(lambda: engine.executed == [first, third])
    assert [runs.get(run_id).state for run_id in (first, second, third)] == ["finished", "failed", "running"]
    assert "the run could not be started" in runs.get(second).error


def test_a_full_disk_refuses_to_start_a_run_with_words(engine, monkeypatch):
    def full(folder, **changes):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "change_wish", full)
    run = finish(runs.submit(SMALL, owner="A"))
    assert re.search(r"cannot be written \(No space left on device\): free some space, or name", run.error)


@pytest.mark.parametrize("slow", ["change_wish", "create"])
def test_who_looks_at_runs_does_not_wait_for_the_disk(engine, monkeypatch, slow):
    first = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [first])
    original, is_writing, may_end = getattr(folders, slow), threading.Event(), threading.Event()

    def write(*args, **options):
        is_writing.set()
        assert may_end.wait(60)
        return original(*args, **options)

    monkeypatch.setattr(folders, slow, write)
    submits = threading.Thread(target=runs.submit, args=[SMALL], kwargs={"owner": "B"})
    submits.start()
    engine.let(first, FINISHED)
    assert is_writing.wait(60)
    looks = threading.Thread(target=runs.get, args=[first], daemon=True)
    looks.start()
    looks.join(20)
    is_blocked = looks.is_alive()
    may_end.set()
    submits.join()
    assert not is_blocked
    wait_for(lambda: len(engine.executed) == 2)


def test_old_runs_are_tidied_away_behind_the_visitor_and_now_and_then(engine, clock, monkeypatch):
    tidied = []
    monkeypatch.setattr(folders, "tidy", lambda keep: tidied.append((threading.current_thread().name, keep)))
    first = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [first])
    second = runs.submit(SMALL, owner="A")
    engine.let(first, FINISHED)
    wait_for(lambda: engine.executed == [first, second])
    assert tidied == [("cnn-runs", {first})]
    clock[0] = 61.0
    wait_for(lambda: len(tidied) == 2)
    assert tidied[1] == ("cnn-runs", {second})


def test_a_limit_of_the_runs_that_is_no_number_refuses_runs(engine, monkeypatch):
    monkeypatch.setenv("CNN_RUNS_MAX_DAYS", "many")
    with pytest.raises(runs.RunRefused, match="CNN_RUNS_MAX_DAYS 'many' must be a number greater than 0"):
        runs.submit(SMALL, owner="A")
    assert runs.list() == ()


def test_a_failure_that_cannot_be_written_is_kept_in_mind(engine, monkeypatch):
    run_id = runs.submit(SMALL, owner="A")
    wait_for(lambda: engine.executed == [run_id])

    def full(folder, event):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "append", full)
    engine.ends[run_id][1].set_result("the disk is full")
    engine.ends[run_id][2]()
    assert (finish(run_id).state, runs.get(run_id).error) == ("failed", "the disk is full")


def test_runs_that_waited_when_the_app_ended_are_interrupted(engine):
    ids = [runs.submit(SMALL, owner="A") for _ in range(3)]
    wait_for(lambda: engine.executed == ids[:1])
    runs.shut_down()
    assert {runs.get(run_id).state for run_id in ids} == {"interrupted"}


def test_a_folder_that_cannot_be_written_refuses_runs(engine, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "file"))
    with pytest.raises(
        runs.RunRefused, match=r"cannot be written \(.*\): free some space, or name .*CNN_RUNS_DIR"
    ):
        runs.submit(SMALL, owner="A")


@pytest.mark.parametrize(
    "name", ["local", "http://here", "127.0.0.1:8786", "tcp://127.0.0.1:abc", "tcp://", "tls://teacher"]
)
def test_a_scheduler_that_is_no_address_fails_the_run_with_words(tmp_path, monkeypatch, name):
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("CNN_SCHEDULER", name)
    monkeypatch.setattr(runs, "_SERVICE", Service())
    run = finish(runs.submit(SMALL, owner="A"))
    runs.shut_down()
    assert (run.state, f"CNN_SCHEDULER '{name}' must be tcp://host:port" in run.error) == ("failed", True)


@pytest.mark.parametrize("variable", ["CNN_WORKERS", "CNN_THREADS"])
@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_or_threads_that_is_none_is_refused(monkeypatch, variable, value):
    monkeypatch.delenv("CNN_SCHEDULER", raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(EngineFailed, match=f"{variable} '{value}' must be a whole number greater than 0"):
        engines.choose()


@pytest.mark.parametrize(
    ("settings", "has_gpu", "expected"),
    [({}, False, 16), ({}, True, 4), ({"CNN_DEVICE": "cpu"}, True, 16), ({"CNN_WORKERS": "9"}, True, 9)],
)
def test_a_gpu_is_shared_by_few_workers(monkeypatch, tmp_path, settings, has_gpu, expected):
    for variable in ("CNN_WORKERS", "CNN_THREADS", "CNN_DEVICE"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr("dask.system.CPU_COUNT", 16)
    monkeypatch.setattr("distributed.system.MEMORY_LIMIT", 10**12)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10**12))
    monkeypatch.setattr(local_cluster, "GPU_FILE", str(tmp_path if has_gpu else tmp_path / "none"))
    assert local_cluster.num_workers() == expected


def test_without_distributed_the_terminal_trains_and_the_engine_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EngineFailed, match="runs need the package distributed: pip install distributed"):
        cluster.Cluster("tcp://127.0.0.1:1").start()
    code = (
        "import sys; sys.modules['distributed'] = None; from cnn_core.__main__ import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "train", "--network", "flatten-10", "--epochs", "1"]
    assert subprocess.run(command, capture_output=True, cwd=ROOT).returncode == 0


def test_a_pause_gives_the_place_to_others_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(worker, "HOLD_SECONDS", 0.2)
    monkeypatch.setattr(runs, "_SERVICE", Service(engines.Here))
    first = runs.submit(LONG, owner="A", device="cpu")
    wait_for(lambda: runs.get(first).steps)
    runs.control(first, "pause", owner="A")
    assert finish(runs.submit(SMALL, owner="B", device="cpu")).state == "finished"
    paused = runs.get(first)
    assert (paused.state, paused.is_over, paused.position) == ("paused", False, None)
    runs.control(first, "run", owner="A")
    wait_for(lambda: runs.get(first).step > paused.step)
    runs.control(first, "stop", owner="A")
    assert finish(first).started.step == paused.step
    runs.shut_down()


def test_a_long_epoch_is_saved_in_its_middle(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    run_id = folders.create(replace(SMALL, num_epochs=2), owner="A", device="cpu")
    is_wanted = iter([True] * 3)
    assert worker.execute(folders.path_of(run_id), 0, lambda: next(is_wanted, False)) == ""
    run = reading.read(run_id)
    assert (run.state, len(run.epochs)) == ("interrupted", 0)
    assert run.step > 0
    assert worker.execute(folders.path_of(run_id), 0) == ""
    assert reading.read(run_id).started.step == run.step
    assert reading.read(run_id).state == "finished"


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path):
    words = "the worker does not see the folder .*elsewhere: name one in CNN_RUNS_DIR that the app and all workers see"
    assert re.search(words, worker.execute(tmp_path / "elsewhere", 1))


def test_a_worker_starts_where_it_cannot_rehearse(monkeypatch):
    monkeypatch.setenv("CNN_DEVICE", "no such device")
    worker.rehearse()
