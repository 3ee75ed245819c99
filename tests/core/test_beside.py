import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from cnn_core import beside, published, training
from cnn_core.beside import process, rows, worker
from cnn_core.network import LENET, format
from cnn_core.published import PUBLISHED
from cnn_core.training import Settings, checkpoints
from tests.core.running import is_process, wait_for

ROOT = Path(__file__).parents[2]
LENET_TEXT = format(LENET)


@pytest.fixture(scope="module")
def real():
    """The process that all tests of this module share."""
    with pytest.MonkeyPatch.context() as patch:
        fresh = process.Process()
        patch.setattr(beside, "_PROCESS", fresh)
        yield fresh
        fresh.shut_down()


FAKE = """
import json, os, signal, sys, time
def answer(content=b"", error=""):
    header = json.dumps({"error": error, "num_bytes": len(content)}).encode()
    sys.stdout.buffer.write(header + b"\\n" + content)
    sys.stdout.flush()
answer()
for line in sys.stdin:
    request = json.loads(line)
    exec(request)
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A process that does whatever line of Python it is asked, and starts at once."""
    (tmp_path / "fake.py").write_text(FAKE)
    monkeypatch.setattr(process, "COMMAND", [sys.executable, str(tmp_path / "fake.py")])
    fresh = process.Process()
    yield fresh
    fresh.shut_down()


def ask(fake, code, *, seconds=30):
    return fake.ask(json.dumps(code), seconds=seconds)


# What it does


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_layer_table_comes_as_it_is_made(real, name):
    assert beside.layer_table(name) == published.layer_table(name)
    size = np.int64(97)
    assert beside.layer_table(name, (3, size, 130)) == published.layer_table(name, (3, 97, 130))


@pytest.mark.parametrize(
    ("name", "input_shape"),
    [("vgg16", (3, 31, 224)), ("vgg11", (1, 28, 28)), ("vgg61", (3, 224, 224)), ("vgg16", (3, 28.5, 28))],
)
def test_what_does_not_fit_is_explained_in_the_same_words(real, name, input_shape):
    with pytest.raises((TypeError, ValueError)) as expected:
        published.layer_table(name, input_shape)
    with pytest.raises(expected.type) as raised:
        beside.layer_table(name, input_shape)
    assert str(raised.value) == str(expected.value)


def test_an_onnx_file_comes_whole(real):
    content = beside.to_onnx(LENET_TEXT, (1, 28, 28), seed=3)
    assert content == beside.to_onnx(LENET_TEXT, (1, 28, 28), seed=3)
    assert content != beside.to_onnx(LENET_TEXT, (1, 28, 28), seed=4)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)


def test_an_onnx_file_of_a_trained_network_holds_its_parameters(real, tmp_path):
    events = training.train(Settings(network="flatten-10"))
    checkpoints.save(tmp_path, next(events).state)
    events.close()
    content = beside.to_onnx("flatten-10", (1, 28, 28), checkpoint=tmp_path)
    weights = checkpoints.load_weights(tmp_path)
    x = np.random.default_rng(0).normal(size=(2, 1, 28, 28)).astype(np.float32)
    (outputs,) = ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"input": x})
    expected = x.reshape(2, -1) @ weights["linear1.weight"].T + weights["linear1.bias"]
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_a_network_over_the_budget_is_refused(real):
    with pytest.raises(ValueError, match=r"num_params 79,500,010 .* exceeds 50,000,000"):
        beside.to_onnx("flatten-100000-10", (1, 28, 28))


def test_without_the_packages_for_onnx_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(worker.onnx_export, "PACKAGES", ("no_such_package",))
    arguments = {"notation": "10", "input_shape": [4], "seed": 0, "checkpoint": None}
    error, content = worker.execute(json.dumps({"task": "to_onnx", "arguments": arguments}))
    assert error == "Failed"
    assert b"python -m pip install -r requirements-onnx.txt" in content


def test_rows_come_back_as_they_were():
    table = published.layer_table("mobilenet-v2")
    assert rows.from_json(rows.to_json(table)) == table


# How it lives


def test_it_starts_without_waiting(fake):
    assert not fake.is_ready
    fake.warm_up()
    wait_for(lambda: fake.is_ready)
    pid = fake.pid
    fake.warm_up()
    assert ask(fake, "answer(str(os.getpid()).encode())") == str(pid).encode()


def test_requests_wait_for_each_other_and_get_their_own_answers(fake):
    with ThreadPoolExecutor(8) as pool:
        codes = [f"time.sleep(0.01); answer(b'{number}')" for number in range(40)]
        answers = list(pool.map(lambda code: ask(fake, code), codes))
    assert answers == [str(number).encode() for number in range(40)]


def test_an_error_leaves_the_process_as_it_is(fake):
    pid = ask(fake, "answer(str(os.getpid()).encode())")
    for error, kind in (("ValueError", ValueError), ("TypeError", TypeError), ("Failed", beside.Failed)):
        with pytest.raises(kind, match="too bad"):
            ask(fake, f"answer(b'too bad', '{error}')")
    assert ask(fake, "answer(str(os.getpid()).encode())") == pid


def test_a_process_that_is_killed_in_the_middle_of_a_request_is_replaced(fake, tmp_path):
    begun = tmp_path / "begun"
    wait_once = f"""
from pathlib import Path
begun = Path({str(begun)!r})
is_second = begun.exists()
begun.touch()
is_second or time.sleep(60)
answer(b"here")
"""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, fake, wait_once)
        wait_for(begun.exists)
        os.kill(fake.pid, signal.SIGKILL)
        assert answer.result(timeout=20) == b"here"


def test_a_request_that_ends_every_process_fails(fake):
    with pytest.raises(beside.Failed, match=r"ended unexpectedly \(signal 9\): try again"):
        ask(fake, "os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(beside.Failed, match=r"ended unexpectedly \(exit status 3\): try again"):
        ask(fake, "sys.stdout.write('{\"err'); sys.stdout.flush(); os._exit(3)")
    assert ask(fake, "answer(b'next')") == b"next"


def test_a_process_that_stands_still_is_replaced(fake):
    began = time.monotonic()
    with pytest.raises(beside.Failed, match=r"no answer in 0\.3 s"):
        ask(fake, "time.sleep(60)", seconds=0.3)
    assert time.monotonic() - began < 5
    assert ask(fake, "answer(b'next')") == b"next"


def test_who_waits_too_long_for_others_is_told(fake, monkeypatch):
    monkeypatch.setattr(process, "START_SECONDS", 0)
    with fake._lock, pytest.raises(beside.Failed, match=r"others were being served for 0\.1 s: try again"):
        ask(fake, "answer()", seconds=0.1)


def test_a_process_that_cannot_start_says_so(fake, monkeypatch):
    monkeypatch.setattr(process, "COMMAND", [sys.executable, "-c", "raise SystemExit(5)"])
    fake.warm_up()
    wait_for(lambda: not fake._lock.locked())
    with pytest.raises(beside.Failed, match=r"ended unexpectedly \(exit status 5\)"):
        ask(fake, "answer()")
    monkeypatch.setattr(process, "COMMAND", ["/nowhere"])
    with pytest.raises(beside.Failed, match=r"no process can be started \(No such file or directory\)"):
        ask(fake, "answer()")


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next(fake, monkeypatch):
    ask(fake, "answer()")

    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(process.Worker, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ask(fake, "answer(b'old')")
    assert ask(fake, "answer(b'new')") == b"new"


def test_it_ends_when_nothing_is_asked_and_is_started_again(monkeypatch):
    brief = process.Process(idle_seconds=1)
    monkeypatch.setattr(beside, "_PROCESS", brief)
    rows_before = beside.layer_table("alexnet")
    wait_for(lambda: not beside.is_ready())
    assert brief._worker._process.returncode == 0
    assert beside.layer_table("alexnet") == rows_before
    beside.shut_down()


def test_nothing_is_left_after_shut_down(real):
    beside.layer_table("alexnet")
    pid = real.pid
    beside.shut_down()
    assert not is_process(pid)
    assert not beside.is_ready()


APP = """
import json, signal, sys, threading, time
from cnn_core import beside
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is born deaf to it
beside.layer_table("alexnet")
clean = {"torch", "torchvision", "onnx", "streamlit"}.isdisjoint(sys.modules)
threading.Thread(target=beside.to_onnx, args=("flatten-60000-10", (1, 28, 28)), daemon=True).start()
print(json.dumps({"pid": beside._PROCESS.pid, "clean": clean}), flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_the_app_in_the_middle_of_a_request(end):
    app = subprocess.Popen(
        [sys.executable, "-c", APP], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with app:
        try:
            told = json.loads(app.stdout.readline())
            assert told["clean"], "the app has imported torch"
            assert is_process(told["pid"])
            app.send_signal(end)
            app.wait(timeout=10)
        finally:
            app.kill()
    wait_for(lambda: not is_process(told["pid"]))
