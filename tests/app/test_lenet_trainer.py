import threading
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from cnn_core import data, runs
from cnn_core.network import LENET, PRESETS
from cnn_core.network import format as format_network
from cnn_core.runs import folders
from cnn_core.training import Failed, Settings, Stopped
from cnn_core.training.events import LearningRateChanged
from tests.app.recorded import (
    EPOCH,
    PAGE,
    RESULT,
    STARTED,
    STEP,
    captions,
    damage,
    followed,
    keep,
    line,
    orders,
    preset,
    progress,
    record,
    texts,
    wait_until,
)
from ui.networks import downloads, learned

ERRORS = "What it takes for what"

pytestmark = pytest.mark.usefixtures("runs_folder")


def headings(app: AppTest) -> list[str]:
    return [heading.value for heading in app.subheader]


def accuracies(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


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
    assert not app.button(key="t-start").disabled
    assert orders(app) == []
    assert headings(app)[1:4] == ["One picture through the network", "The weights it learned", ERRORS]
    assert "This network has no feature maps: it flattens the picture at once." in texts(app)

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


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("write", [str, lambda name: PRESETS[name].title, lambda name: notation(name)])
def test_a_link_takes_a_preset_by_name_by_title_and_written_out(open_page, asleep, name, write):
    app = open_page(PAGE, **{"t-network": write(name), "t-optimizer": "SGD with momentum"})
    assert not app.exception
    assert preset(app).value == name
    assert not app.text_input
    assert PRESETS[name].sentence in texts(app)


def notation(name: str) -> str:
    return format_network(PRESETS[name].network)


OWN = "conv8k3-relu-max2-flatten-10"


def test_a_link_takes_an_own_network(open_page, asleep):
    app = open_page(PAGE, **{"t-network": OWN})
    assert not app.exception
    assert (preset(app).value, line(app).value) == ("own", OWN)
    assert not app.button(key="t-start").disabled
    # 8 kernels of 3 x 3 and 8 biases; 8 maps of 13 x 13 to 10 outputs, and 10 biases.
    assert "| **Total** | | **13,610** |" in texts(app)
    app.button(key="t-start").click().run()
    assert followed(app).settings.network == OWN
    assert f"A network of 5 layers, `{OWN}`, on " in texts(app)


def test_an_own_network_begins_as_a_copy_and_is_kept(open_page, asleep):
    app = open_page(PAGE)
    preset(app).select("lenet").run()
    preset(app).select("own").run()
    assert line(app).value == format_network(LENET)
    line(app).set_value(OWN).run()
    assert "".join(app.query_params["t-network"]) == OWN
    preset(app).select("mlp").run()
    assert "".join(app.query_params["t-network"]) == "mlp"
    preset(app).select("own").run()
    assert line(app).value == OWN
    app.button(key="t-reset").click().run()
    assert preset(app).value == "lenet-modern"
    assert "t-network" not in app.query_params


def test_the_link_counts_more_than_the_visit_before(open_page, asleep):
    app = open_page(PAGE, **{"t-network": "mlp"})
    app.switch_page("pages/start/home.py").run()
    app.query_params.clear()
    app.query_params["t-network"] = OWN
    app.switch_page(f"pages/{PAGE}").run()
    assert line(app).value == OWN
    app.switch_page("pages/start/home.py").run()
    app.query_params.clear()
    app.switch_page(f"pages/{PAGE}").run()
    assert line(app).value == OWN


def test_dropout_has_a_control_where_the_network_has_such_layers(open_page, asleep):
    def dropout():
        return next(each for each in app.number_input if each.label == "Dropout")

    app = open_page(PAGE, **{"t-network": "flatten-20-relu-drop0.5-10"})
    assert dropout().value == 0.5
    dropout().set_value(0.2).run()
    assert line(app).value == "flatten-20-relu-drop0.2-10"
    assert "".join(app.query_params["t-network"]) == "flatten-20-relu-drop0.2-10"
    line(app).set_value("drop0.995-flatten-20-relu-drop0.1-10").run()
    assert dropout().value is None
    dropout().set_value(0.3).run()
    app.button(key="t-start").click().run()
    assert followed(app).settings.network == "drop0.3-flatten-20-relu-drop0.3-10"
    line(app).set_value("flatten-drop0.999-10").run()
    assert dropout().value == 0.999
    line(app).set_value("flatten-10").run()
    assert "Dropout" not in {box.label for box in app.number_input}
    assert not app.exception


def test_each_run_of_the_page_tells_a_browser_the_network_that_an_address_names(open_page, asleep):
    app = open_page(PAGE, **{"t-network": "flatten-20-relu-drop0.5-10"})
    for _ in range(2):  # of a run that another one cuts short, a browser hears nothing
        drawn = line(app).proto, preset(app).proto
        assert [each.default for each in drawn] == ["flatten-20-relu-drop0.5-10", len(PRESETS)]
        app.run()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv8k3-rellu-flatten-10", 'layer 2 "rellu": no layer is called "rellu": did you mean "relu"?'),
        ("", "a layer is missing here"),
        ("vgg16", "is not trained here"),
        ("conv8k3-relu-10", "put flatten before it"),
        ("flatten-11", "one logit for each class"),
        ("flatten-10i100", "expects 100 inputs, gets 784"),
        ("max14x5-flatten", "network has no parameters"),
        ("flatten-999999-10", "exceeds 10,000,000"),
        ("[link](https://example.org)", r"\[link\](https://example.org)"),
        ("$x$ <b>`", r"\$x\$ \<b>\`"),
    ],
)
def test_a_wrong_network_is_refused_in_place_and_the_rest_stays(open_page, asleep, text, message):
    app = open_page(PAGE, **{"t-network": OWN})
    app.button(key="t-start").click().run()
    run_id, table = followed(app).id, [part.value for part in app.markdown if "| **Total**" in part.value]
    line(app).set_value(text).run()
    assert not app.exception
    assert message in app.error[0].value
    assert app.button(key="t-start").disabled
    assert line(app).value == text
    assert followed(app).id == run_id
    assert "place 1 in the queue" in texts(app)
    assert table == [part.value for part in app.markdown if "| **Total**" in part.value]
    assert "Table and code below are of the last settings that were right." in texts(app)


def test_what_cannot_be_read_is_pointed_at(open_page, asleep):
    app = open_page(PAGE, **{"t-network": "conv8k3-rellu-flatten-10"})
    assert app.code[0].value == "conv8k3-rellu-flatten-10\n        ^^^^^"
    assert not app.get("page_link")
    assert "Table and code below are of the usual settings." in texts(app)


def test_a_long_network_stays_for_the_visit_and_out_of_the_address(open_page, asleep):
    long = "conv1k3x3s1x1p1x1d1x1g1-" * 98 + "flatten-10"
    app = open_page(PAGE, **{"t-network": OWN})
    line(app).set_value(long).run()
    assert "t-network" not in app.query_params
    app.button(key="t-start").click().run()
    assert len(followed(app).settings.layers.layers) == 100
    assert "A network of 100 layers, `conv1k3p1-conv1k3p1-" in texts(app)


def test_the_network_leads_to_its_shapes(open_page, asleep):
    app = open_page(PAGE, **{"t-network": OWN})
    (link,) = app.get("page_link")
    assert link.proto.page == "architecture"
    assert link.proto.query_string == f"a-network={OWN}&a-input=1x28x28"


@pytest.mark.parametrize(
    ("network", "begins"),
    [
        ("lenet", "**This will stand still at first.**"),
        ("flatten-64-sigmoid-64-sigmoid-64-sigmoid-10", "**This may stand still at first.** With 3 sigmoids"),
        ("flatten-64-sigmoid-10", None),
        ("flatten-64-norm-sigmoid-64-norm-sigmoid-64-norm-sigmoid-10", None),
    ],
)
def test_a_plateau_is_announced_where_one_was_seen(open_page, asleep, network, begins):
    app = open_page(PAGE, **{"t-network": network, "t-optimizer": "SGD with momentum"})
    announced = [info.value for info in app.info if "stand still" in info.value]
    assert [text[: len(begins)] for text in announced] == ([begins] if begins else [])


def stopped_at_once(settings: Settings) -> str:
    """Write down a run that was stopped before it learned anything."""
    run_id = record(settings, STARTED, STEP, Stopped())
    keep(run_id)
    return run_id


@pytest.mark.parametrize(
    ("network", "maps", "weights"),
    [
        ("conv3k5-flatten-10", "conv1: 3 feature maps of 24 x 24.", "conv1: 3 output channels from left"),
        ("conv10k28-flatten", "conv1: 10 feature maps of 1 x 1.", "kernels of 28 x 28."),
        ("conv1k3-norm-gap-10", "norm1: 1 feature map of 26 x 26.", "conv1: 1 output channel from left"),
        (
            "conv96k3s3-relu-gap-10",
            "relu1: the first 64 of 96 feature maps",
            "the first 32 of 96 output channels",
        ),
        ("conv4k3-conv8k3g2-gap-10", "conv1: 4 feature maps", "2 input channels of its group from top"),
        (
            "max2-flatten-10",
            "pool1: 1 feature map of 14 x 14.",
            "10 units, each of 14 x 14, as the map it gets.",
        ),
        (
            "relu-flatten-drop0.5-64-tanh-32-10",
            "relu1: 1 feature map",
            "the first 32 of 64 units, each as large",
        ),
        ("gap-10", "it averages each channel at once", "linear1 gets the mean of each channel."),
        ("max14x5-norm-flatten", "norm1: 1 feature map of 2 x 5.", ""),
    ],
)
def test_what_any_network_learned_is_shown(open_page, asleep, one_thread, network, maps, weights):
    stage = "Batch norm" if "norm" in network else "Activation"
    app = open_page(PAGE, run=stopped_at_once(Settings(network=network)), **{"t-stage": stage})
    assert not app.exception
    shown = captions(app) + texts(app)
    assert maps in shown
    assert weights in shown
    assert ("The weights it learned" in headings(app)) == (weights != "" and "conv" not in network)


def test_of_many_layers_the_first_are_shown(open_page, asleep, one_thread):
    deep = Settings(network="conv2k3p1-relu-" * 12 + "flatten-10")
    app = open_page(PAGE, run=stopped_at_once(deep))
    assert not app.exception
    assert [caption.value for caption in app.caption].count("These are the first 10 of 12 such layers.") == 2
    assert "relu10: 2 feature maps" in captions(app)
    assert "relu11: " not in captions(app)


def test_maps_that_take_too_much_memory_are_not_computed(open_page, asleep, one_thread):
    settings = Settings(network="conv9999k1-relu-gap-10", batch_size=4)
    app = open_page(PAGE, run=stopped_at_once(settings))
    assert not app.exception
    assert "give 63 MB of numbers" in texts(app)
    assert "the first 32 of 9,999 output channels" in captions(app)


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
        {"t-network": ""},
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


def test_only_the_next_training_waits_for_pytorch(open_page, asleep):
    first = runs.submit(Settings(), owner="somebody")
    second = runs.submit(Settings(), owner="somebody else")
    assert "PyTorch is being loaded, once. Then it begins." in progress(open_page(PAGE, run=first))
    assert "It begins when those before it are done." in progress(open_page(PAGE, run=second))


def test_where_no_engine_can_be_started_the_page_says_why_and_waits_for_no_pytorch(open_page, asleep):
    run_id = runs.submit(Settings(), owner="somebody")
    app = open_page(PAGE, run=run_id)
    assert "PyTorch is being loaded beside the app." in texts(app)
    asleep.trouble = "the cluster tcp://teacher:8786 does not answer"
    app.run()
    assert not app.exception
    assert "No training can be executed now: the cluster tcp://teacher:8786 does not answer." in texts(app)
    assert "PyTorch is being loaded" not in texts(app) + progress(app)
    assert "It begins as soon as a training can be executed." in progress(app)


def test_when_an_engine_is_there_again_the_page_says_so_by_itself(open_page, asleep, monkeypatch):
    answers = iter(["the cluster tcp://teacher:8786 does not answer"])
    monkeypatch.setattr(runs, "trouble", lambda: next(answers, ""))
    app = open_page(PAGE)
    assert next(answers, None) is None
    assert "No training can be executed now" not in texts(app)
    assert "PyTorch is being loaded beside the app." in texts(app)


def test_a_full_queue_is_said_in_place(open_page, asleep, monkeypatch):
    monkeypatch.setattr(runs.service, "MAX_QUEUED", 0)
    app = open_page(PAGE)
    app.button(key="t-start").click().run()
    assert "as many as the queue holds" in app.error[0].value
    assert "run" not in app.query_params


def test_a_run_of_somebody_else_can_be_watched_but_not_stopped(open_page, asleep):
    app = open_page(PAGE, run=runs.submit(Settings(), owner="somebody"))
    assert "place 1 in the queue" in texts(app)
    assert not app.button(key="t-start").disabled
    assert orders(app) == []


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
            [STARTED, STEP],
            "ended in the middle of this training. Nothing of it is kept: it can only begin anew.",
        ),
        ([], "Interrupted: the app, or what trains for it, ended in the middle of this training."),
        ([STARTED, Failed(message="loss nan is not finite")], "This training failed: loss nan is not finite"),
        ([STARTED, STEP, Stopped()], "Stopped after 57 of 570 steps."),
    ],
)
def test_each_end_is_said_in_words(open_page, asleep, events, expected):
    app = open_page(PAGE, run=record(Settings(), *events))
    assert not app.exception
    assert expected in texts(app)


@pytest.mark.parametrize(
    ("epoch", "step", "expected"),
    [
        (0, 20, "in its first 20 steps is kept. It had not come to the end of an epoch then."),
        (1, 0, "in its first 57 steps is kept. The last whole epoch among them is number 1, with validation"),
        (1, 7, "in its first 64 steps is kept. The last whole epoch among them is number 1, with validation"),
    ],
)
def test_what_is_kept_is_what_the_checkpoint_holds_not_what_was_told_last(
    open_page, asleep, one_thread, epoch, step, expected
):
    second = replace(EPOCH, epoch=2, step=114, validation_accuracy=0.5)
    run_id = record(Settings(), STARTED, STEP, EPOCH, second, Failed(message="the disk is full"))
    keep(run_id, epoch=epoch, step=step)
    app = open_page(PAGE, run=run_id)
    assert not app.exception
    assert expected in texts(app)
    assert "number 2" not in texts(app)


def test_a_damaged_checkpoint_is_said_in_place(open_page, asleep):
    run_id = record(Settings(), STARTED, STEP, Stopped())
    damage(run_id)
    app = open_page(PAGE, run=run_id)
    assert not app.exception
    assert "cannot be read" in app.error[0].value


def test_a_run_that_is_removed_while_its_page_is_drawn_is_said_in_place(
    open_page, asleep, one_thread, monkeypatch
):
    run_id = stopped_at_once(Settings())

    def gone(run):
        raise runs.UnknownRun(f"run {run.id} is not on this machine")

    monkeypatch.setattr(learned, "read", gone)
    app = open_page(PAGE, run=run_id)
    assert not app.exception
    assert [error.value for error in app.error] == [f"run {run_id} is not on this machine"]


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
        "Validation accuracy": "0.312",
        "Test accuracy": "—",
    }


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({"target_accuracy": 0.9}, "3,000 examples a second, at most about 11 s left"),
        ({"patience": 3}, "3,000 examples a second, at most about 11 s left"),
        ({"max_minutes": 0.05}, "3,000 examples a second, about 2 s left"),  # 3 s, and 1.2 s are over
    ],
)
def test_the_time_left_is_no_longer_than_what_ends_the_training(
    open_page, asleep, monkeypatch, ends, expected
):
    run_id = runs.submit(Settings(**ends), owner="somebody")
    monkeypatch.setattr(asleep, "place", lambda run_id: 0)
    for event in (STARTED, STEP, EPOCH):
        folders.append(folders.path_of(run_id), event)
    assert expected in progress(open_page(PAGE, run=run_id))


@pytest.mark.parametrize(
    ("rate", "advice"),
    [(0.003, "Try a smaller learning rate, such as 0.0003, or more epochs."), (0.00005, "Try more epochs.")],
)
def test_no_learning_rate_is_advised_that_the_page_does_not_offer(open_page, asleep, rate, advice):
    result = replace(RESULT, confusion=((100,) + (0,) * 9,) * 10, test_accuracy=0.1)
    app = open_page(PAGE, run=record(Settings(learning_rate=rate), STARTED, STEP, EPOCH, result))
    assert f"or the network learns slowly. {advice}" in texts(app)


def test_after_a_larger_rate_by_hand_that_of_the_settings_is_advised(open_page, asleep):
    result = replace(RESULT, confusion=((100,) + (0,) * 9,) * 10, test_accuracy=0.1)
    changed = LearningRateChanged(step=20, learning_rate=10.0)
    app = open_page(PAGE, run=record(Settings(), STARTED, changed, STEP, EPOCH, result))
    assert "Try a smaller learning rate, such as 0.003, or more epochs." in texts(app)


@pytest.mark.parametrize(("loss", "is_cut"), [(3.4, False), (3.5, True)])
def test_a_loss_above_the_chart_is_said_below_it(open_page, asleep, loss, is_cut):
    # The chart ends at one and a half times the loss of guessing: 1.5 ln 10 = 3.454.
    app = open_page(PAGE, run=record(Settings(), STARTED, replace(STEP, loss=loss), EPOCH, Stopped()))
    assert ("The loss went up to 3.5. Its chart ends at 3.45." in texts(app)) == is_cut


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


@pytest.mark.parametrize(
    ("network", "optimizer"),
    [("mlp", "Adam"), ("mlp", "SGD with momentum"), ("max2-flatten-64-norm-relu-drop0.25-10", "Adam")],
)
def test_both_snippets_train_to_about_the_same_accuracy(
    open_page, asleep, one_thread, run_snippets, network, optimizer
):
    app = open_page(PAGE, **{"t-epochs": 1, "t-network": network, "t-optimizer": optimizer, "t-rate": 0.01})
    ours, torchs = run_snippets(app)
    assert ours > 0.7
    assert float(torchs) == pytest.approx(ours, abs=0.1)
