import threading
import time

import pytest
import torch
from streamlit.testing.v1 import AppTest

from cnn_core import data, runs
from cnn_core.runs import folders
from cnn_core.training import EpochEnded, Failed, Settings, Started, StepLogged, Stopped
from ui import downloads

PAGE = "networks/lenet_trainer.py"
ERRORS = "What it takes for what"
STARTED = Started(
    device="cpu",
    num_threads=1,
    versions={},
    num_train=3600,
    num_validation=400,
    num_params=61706,
    steps_per_epoch=57,
    data_sha256="",
)
STEP = StepLogged(step=57, epoch=1, loss=2.0, accuracy=0.25, examples_per_second=3000.0)
EPOCH = EpochEnded(
    epoch=1,
    step=57,
    train_loss=2.1,
    train_accuracy=0.24,
    validation_loss=1.9,
    validation_accuracy=0.31,
    examples_per_second=3000.0,
    seconds=1.2,
)


@pytest.fixture(autouse=True)
def runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))


@pytest.fixture
def asleep(monkeypatch):
    """The door to the runs, with nobody behind it: what is submitted waits."""
    service = runs.Service()
    monkeypatch.setattr(service, "warm_up", lambda: None)
    monkeypatch.setattr(runs, "_SERVICE", service)
    return service


def wait_until(app: AppTest, condition, *, seconds: float = 60) -> None:
    """Rerun the page, as its own timer does in a browser, until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
        app.run()
        assert not app.exception


def texts(app: AppTest) -> str:
    parts = (app.markdown, app.caption, app.success, app.info, app.warning, app.error)
    return "\n".join(element.value for group in parts for element in group)


def progress(app: AppTest) -> str:
    return "\n".join(element.proto.text for element in app.get("progress"))


def captions(app: AppTest) -> str:
    return "\n".join(image.caption for element in app.get("image") for image in element.proto.imgs)


def headings(app: AppTest) -> list[str]:
    return [heading.value for heading in app.subheader]


def followed(app: AppTest) -> runs.Run:
    given = app.query_params["run"]
    return runs.get(given if isinstance(given, str) else given[0])


def accuracies(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def record(settings: Settings, *events) -> str:
    """Write down a run as a worker would have."""
    run_id = folders.create(settings, owner="somebody", device=None)
    for event in events:
        folders.append(folders.path_of(run_id), event)
    return run_id


def test_a_training_runs_from_start_to_end(open_page):
    app = open_page(PAGE, **{"t-epochs": 1, "t-network": "MLP"})
    app.button(key="t-start").click().run()
    assert app.button(key="t-start").disabled
    assert "Your training is under way" in texts(app)
    wait_until(app, lambda: app.success)

    result, labels = followed(app).result, data.load("mnist-5k", split="test").labels
    num_right = int((labels == result.predictions).sum())
    assert f"**{num_right} of 1,000**" in app.success[0].value
    assert accuracies(app)["Test accuracy"] == f"{num_right / 1000:.3f}"
    assert (app.button(key="t-start").disabled, app.button(key="t-stop").disabled) == (False, True)
    assert headings(app)[1:4] == ["One picture through the network", "The weights it learned", ERRORS]
    assert "This network has no convolution" in texts(app)

    app.button(key="t-wrong").click().run()
    index = app.session_state["t-picture"]
    assert result.predictions[index] != labels[index]
    assert f"That is wrong: it shows {labels[index]}." in texts(app)


def test_a_stopped_training_keeps_what_it_learned(open_page):
    app = open_page(PAGE, **{"t-epochs": 60})
    app.button(key="t-start").click().run()
    wait_until(app, lambda: followed(app).steps)
    app.button(key="t-stop").click().run()
    wait_until(app, lambda: followed(app).is_over)
    app.run()
    run = followed(app)
    assert run.state == "stopped"
    assert f"Stopped after {run.step:,} of 3,420 steps" in texts(app)
    assert accuracies(app)["Test accuracy"] == "—"
    assert headings(app)[1:4] == ["One picture through the network", "The kernels it learned", ERRORS]
    assert app.button(key="t-wrong").disabled
    for stage in ("Convolution", "Pooling"):
        app.button_group(key="t-stage").set_value(stage).run()
        assert not app.exception
    assert "pool2: 16 feature maps of 5 x 5." in captions(app)
    assert not app.button(key="t-start").disabled


def test_the_table_counts_what_lenet_has(open_page, asleep):
    app = open_page(PAGE)
    assert "| **Total** | | **61,706** | **416,520** |" in texts(app)
    assert "| conv2 | 16 x 10 x 10 | 2,416 | 240,000 |" in texts(app)
    assert "3,600 pictures in 570 steps (57 in each epoch) and keeps 400" in texts(app)


@pytest.mark.parametrize("title", ["LeNet, as published", "Small two-convolution network", "MLP"])
def test_each_network_opens(open_page, asleep, title):
    app = open_page(PAGE, **{"t-network": title, "t-optimizer": "SGD with momentum"})
    assert not app.exception
    assert app.selectbox(key="t-network").value == {"L": "lenet", "S": "simple-cnn", "M": "mlp"}[title[0]]


def test_each_setting_to_try_opens_and_the_way_back_leads_to_the_defaults(open_page, asleep):
    app = open_page(PAGE)
    names = [button.label for button in app.button if button.key.startswith("t-try-")]
    assert names[:3] == ["Published LeNet", "With ReLU", "With Adam"]
    for name in names:
        app.button(key=f"t-try-{name}").click().run()
        assert not app.exception
    app.button(key="t-try-Published LeNet").click().run()
    assert app.number_input(key="t-rate").value == 0.1
    assert "**This will stand still at first.**" in texts(app)
    app.button(key="t-reset").click().run()
    assert app.number_input(key="t-rate").value == 0.003
    assert "This will stand still" not in texts(app)


@pytest.mark.parametrize(
    "query",
    [
        {"t-rate": "nan"},
        {"t-rate": -3},
        {"t-rate": 0},
        {"t-batch": 999999},
        {"t-batch": 0},
        {"t-epochs": -3},
        {"t-epochs": "many"},
        {"t-seed": 10**30},
        {"t-momentum": 1.5, "t-optimizer": "SGD with momentum"},
        {"t-data": "../../etc/passwd"},
        {"t-network": "<script>alert(1)</script>"},
        {"t-optimizer": ""},
        {"t-picture": 999999},
        {"t-stage": "nowhere"},
    ],
)
def test_a_wrong_value_in_a_link_falls_back(open_page, asleep, query):
    app = open_page(PAGE, **query)
    assert not app.exception
    assert not app.button(key="t-start").disabled
    assert "3,600 pictures in 570 steps" in texts(app)


@pytest.mark.parametrize("run_id", ["nope", "../../etc/passwd", "A" * 22, "<b>x</b>", ""])
def test_an_unknown_run_is_said_and_the_page_stays(open_page, asleep, run_id):
    app = open_page(PAGE, run=run_id)
    assert not app.exception
    assert "not on this machine" in app.warning[0].value
    app.button(key="t-start").click().run()
    assert not app.warning
    assert followed(app).state == "queued"


def test_a_waiting_training_says_its_place(open_page, asleep):
    runs.submit(Settings(), owner="somebody")
    app = open_page(PAGE)
    app.button(key="t-start").click().run()
    assert "place 2 in the queue" in texts(app)
    app.button(key="t-stop").click().run()
    app.run()
    assert "Stopped before its first step. The test pictures were not looked at." in texts(app)
    assert "One picture through the network" not in headings(app)


def test_a_full_queue_is_said_in_place(open_page, asleep, monkeypatch):
    monkeypatch.setattr(runs.service, "MAX_QUEUED", 0)
    app = open_page(PAGE)
    app.button(key="t-start").click().run()
    assert "as many as the queue holds" in app.error[0].value
    assert "run" not in app.query_params


def test_a_run_of_somebody_else_can_be_watched_but_not_stopped(open_page, asleep):
    app = open_page(PAGE, run=runs.submit(Settings(), owner="somebody"))
    assert "place 1 in the queue" in texts(app)
    assert (app.button(key="t-start").disabled, app.button(key="t-stop").disabled) == (False, True)


def test_the_run_is_found_again_by_the_menu(open_page, asleep):
    app = open_page(PAGE)
    app.button(key="t-start").click().run()
    run_id = followed(app).id
    app.switch_page("pages/start/home.py").run()
    app.query_params.clear()
    app.switch_page("pages/networks/lenet_trainer.py").run()
    assert followed(app).id == run_id


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [STARTED, STEP, EPOCH],
            "Interrupted: the app ended while this training ran. What it learned in 1 epoch",
        ),
        ([], "Interrupted: the app ended while this training ran. Press Start"),
        ([STARTED, Failed(message="loss nan is not finite")], "This training failed: loss nan is not finite"),
        ([STARTED, STEP, Stopped()], "Stopped after 57 of 570 steps."),
    ],
)
def test_each_end_is_said_in_words(open_page, asleep, events, expected):
    app = open_page(PAGE, run=record(Settings(), *events))
    assert not app.exception
    assert expected in texts(app)


def test_a_damaged_checkpoint_is_said_in_place(open_page, asleep):
    run_id = record(Settings(), STARTED, STEP, Stopped())
    folder = folders.path_of(run_id) / "checkpoint"
    folder.mkdir()
    (folder / "checkpoint.safetensors").write_bytes(b"not a checkpoint")
    app = open_page(PAGE, run=run_id)
    assert not app.exception
    assert "cannot be read" in app.error[0].value


def test_a_running_training_shows_progress_speed_and_the_time_left(open_page, asleep, monkeypatch):
    run_id = runs.submit(Settings(), owner="somebody")
    monkeypatch.setattr(asleep, "place", lambda run_id: 0)
    app = open_page(PAGE, run=run_id)
    assert "Loading PyTorch." in progress(app)
    for event in (STARTED, STEP, EPOCH):
        folders.append(folders.path_of(run_id), event)
    app.run()
    # 9 of 10 epochs of 3,600 pictures are left, at 3,000 a second.
    assert "Epoch 1 of 10, 3,000 examples a second, about 11 s left" in progress(app)
    assert accuracies(app) == {
        "Training accuracy": "0.240",
        "Validation accuracy": "0.310",
        "Test accuracy": "—",
    }


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """Put a download in place of the real one: it waits until it is told to fail."""
    monkeypatch.setenv("CNN_CACHE_DIR", str(tmp_path / "cache"))
    may_fail = threading.Event()

    def fetch(name):
        yield data.Progress(17_049_807, 170_498_071, f"Fetching {name}")
        may_fail.wait(30)
        raise data.DataUnavailable(f"{name} could not be fetched (no network): use mnist-5k")

    monkeypatch.setattr(downloads.data, "fetch", fetch)
    downloads._downloads.clear()
    yield may_fail
    may_fail.set()


def test_a_data_set_that_is_not_here_can_be_fetched_and_its_failure_says_what_to_do(
    open_page, asleep, fetched
):
    app = open_page(PAGE, **{"t-data": "CIFAR-10"})
    assert app.button(key="t-start").disabled
    assert "The data set is not here yet." in texts(app)
    app.button(key="t-download").click().run()
    wait_until(app, lambda: "Fetching cifar-10: 17.0 MB of 170.5 MB" in progress(app))

    fetched.set()
    wait_until(app, lambda: app.error)
    assert app.error[0].value == "cifar-10 could not be fetched (no network): use mnist-5k"
    assert app.button(key="t-download").label == "Try again"
    app.button(key="t-bundled").click().run()
    assert app.selectbox(key="t-data").value == "mnist-5k"
    assert not app.button(key="t-start").disabled


@pytest.fixture
def one_thread():
    """Train with one thread, which is faster while other tests run beside."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD with momentum"])
def test_both_snippets_train_to_about_the_same_accuracy(
    open_page, asleep, one_thread, run_snippets, optimizer
):
    app = open_page(PAGE, **{"t-epochs": 1, "t-network": "MLP", "t-optimizer": optimizer, "t-rate": 0.01})
    ours, torchs = run_snippets(app)
    assert ours > 0.7
    assert float(torchs) == pytest.approx(ours, abs=0.1)
