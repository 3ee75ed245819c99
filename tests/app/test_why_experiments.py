import re
from dataclasses import replace

import numpy as np
import pytest

from cnn_core import data, experiments, runs
from cnn_core.experiments import PERMUTATION, fewer
from cnn_core.training import Failed, LearningRateChanged, Stopped
from tests.app import recorded
from tests.app.recorded import RESULT, STEP
from ui import visitor
from ui.chapter import experiments as ui_experiments
from ui.chapter.experiments import SOURCE

PAGE = "chapter/why_convolutions.py"
PERMUTED, FEWER = LOOKS = ["permuted pixels", "less data"]
ME = "a visitor"
STARTED = replace(recorded.STARTED, versions={"torch": "1.2.3"})
EPOCH = replace(recorded.EPOCH, seconds=1.25)


@pytest.fixture(autouse=True)
def known(asleep, monkeypatch):
    """A visitor who is known."""
    monkeypatch.setattr(visitor, "owner", lambda: ME)


@pytest.fixture
def open_look(open_page):
    def open_look(look, *run_ids, **query):
        name = "permutation" if look == PERMUTED else "fewer"
        ids = {f"why-{name}": ".".join(run_ids)} if run_ids else {}
        return open_page(PAGE, **{"w-view": look}, **ids, **{f"w-{key}": query[key] for key in query})

    return open_look


def record(trial, *events, owner=ME):
    return recorded.record(trial.settings, *events, owner=owner)


def finished(trial, accuracy, **options):
    return record(trial, STARTED, STEP, EPOCH, replace(RESULT, test_accuracy=accuracy), **options)


def all_finished(accuracies=(0.75, 0.5, 0.25, 0.5), **options):
    pairs = zip(PERMUTATION.trials, accuracies, strict=True)
    return [finished(trial, accuracy, **options) for trial, accuracy in pairs]


def texts(app):
    parts = (app.markdown, app.caption, app.warning, app.error)
    return "\n".join(element.value for group in parts for element in group)


def reading(app):
    return next(text.value.strip("*") for text in app.markdown if text.value.startswith("**"))


def table(app):
    """The words of the table of the runs, row by row, without where they lead."""
    text = next((text.value for text in app.markdown if text.value.startswith("| |")), "")
    lines = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text).replace("*", "").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def buttons(app):
    names = ("Go on", "Stop all", "Train these again")
    return [name for name in names if any(button.label == name for button in app.button)]


def press(app, name):
    app.button(f"why-{name.lower().replace(' ', '-')}").click().run()
    assert not app.exception
    return app


def followed(app, name="permutation"):
    given = "".join(app.query_params.get(f"why-{name}", ""))
    return [runs.get(run_id) for run_id in given.split(".") if run_id]


@pytest.mark.parametrize("look", LOOKS)
def test_each_experiment_has_the_anatomy_of_all_pages_and_code_that_agrees(open_look, look):
    app = open_look(look)
    assert not app.exception
    assert not app.error
    assert [heading.value for heading in app.subheader][-3:] == [
        "Try this",
        "What happens here",
        "In code",
    ]
    results = []
    for code in app.code[:2]:
        names = {}
        exec(code.value, names)
        results.append(np.asarray(names["y"]))
    np.testing.assert_array_equal(*results)
    assert "python -m cnn_core experiment" in app.code[2].value


@pytest.mark.parametrize("look", LOOKS)
def test_each_setting_to_try_opens_and_the_runs_stay(open_look, look):
    ids = all_finished() if look == PERMUTED else [finished(fewer().trials[0], 0.5)]
    app = open_look(look, *ids)
    keys = [button.key for button in app.button if button.key.startswith("w-try-")]
    assert len(keys) == 3
    for key in keys:
        app.button(key).click().run()
        assert not app.exception
        assert not app.error
        assert [run.id for run in followed(app, "permutation" if look == PERMUTED else "fewer")] == ids


def test_looking_starts_nothing(open_look, asleep, tmp_path):
    for look in LOOKS:
        app = open_look(look)
        assert buttons(app) == ["Train these again"]
        assert not table(app)
    assert asleep._thread is None
    assert not (tmp_path / "runs").exists()


def test_the_kept_results_are_shown_at_once_with_what_made_them(open_look):
    app = open_look(PERMUTED)
    kept = {each.label: each.test_accuracy for each in experiments.shipped("permutation").outcomes}
    plain, permuted = kept["LeNet, plain"], kept["LeNet, permuted"]
    assert f"LeNet loses {100 * (plain - permuted):.1f} percentage points" in reading(app)
    assert f"({plain:.3f} to {permuted:.3f})" in reading(app)
    for words in (
        "Kept with the app: trained on ",
        "PyTorch ",
        "on cpu, 1 thread",
        "`python -m cnn_core experiment permutation`",
        "3,600 to train on, 400 for validation, 1,000 for the test",
        "61,706 parameters; MLP `flatten-78-relu-10`, 62,020 parameters",
        "batches of 64, 570 steps (10 epochs) each, seed 0",
    ):
        assert words in texts(app)


def test_the_picture_is_a_digit_and_its_permutation(open_look):
    labels = data.load("mnist-5k", split="test").labels
    app = open_look(PERMUTED)
    for name, digit in (("A seven", 7), ("A one", 1), ("Another one", 1)):
        app.button(f"w-try-{name}").click().run()
        assert labels[app.number_input("w-digit").value] == digit
        (image,) = app.get("image")
        assert image.proto.imgs[0].caption == f"Digit {digit}: plain, and permuted"


def test_training_again_queues_all_and_they_stop_and_go_on(open_look):
    app = press(open_look(PERMUTED), "Train these again")
    submitted = followed(app)
    assert [run.settings for run in submitted] == [trial.settings for trial in PERMUTATION.trials]
    assert [run.name for run in submitted] == [trial.label for trial in PERMUTATION.trials]
    assert all(run.belongs_to(ME) for run in submitted)
    assert table(app) == [["plain", "place 1", "place 2"], ["permuted", "place 3", "place 4"]]
    assert "are compared here" in reading(app)
    assert buttons(app) == ["Stop all"]

    press(app, "Stop all")
    assert [run.state for run in followed(app)] == ["stopped"] * 4
    assert table(app) == [["plain", "stopped", "stopped"], ["permuted", "stopped", "stopped"]]
    assert buttons(app) == ["Go on", "Train these again"]

    press(app, "Go on")
    assert [run.id for run in followed(app)] == [run.id for run in submitted]
    assert [run.state for run in followed(app)] == ["queued"] * 4
    assert buttons(app) == ["Stop all"]


def test_each_entry_of_the_table_leads_to_its_run(open_look):
    ids = all_finished()
    app = open_look(PERMUTED, *ids)
    written = next(text.value for text in app.markdown if text.value.startswith("| |"))
    assert re.findall(r"\(lenet-trainer\?run=(.*?)\)", written) == ids


def test_what_has_come_is_shown_and_the_kept_results_are_one_click_away(open_look):
    app = open_look(PERMUTED, *all_finished())
    assert reading(app) == (
        "Permuted, LeNet loses 50.0 percentage points (0.750 to 0.250), the MLP loses 0.0 points (0.500 to 0.500)."
    )
    assert "Trained here on " in texts(app)
    assert "with PyTorch 1.2.3 on cpu, 1 thread, in 5 s of training" in texts(app)
    assert "The same test accuracy as kept with the app: 0 of 4 trainings." in texts(app)
    app.button_group(SOURCE).set_value("kept with the app").run()
    assert "Kept with the app: trained on " in texts(app)
    assert "(0.750 to 0.250)" not in reading(app)
    assert len(followed(app)) == 4


def test_a_gain_is_called_a_gain(open_look):
    app = open_look(PERMUTED, *all_finished((0.5, 0.5, 0.625, 0.5)))
    assert "LeNet gains 12.5 percentage points (0.500 to 0.625)" in reading(app)


def test_equal_results_are_said_to_be_equal(open_look):
    kept = {each.label: each.test_accuracy for each in experiments.shipped("permutation").outcomes}
    app = open_look(PERMUTED, *all_finished([kept[trial.label] for trial in PERMUTATION.trials]))
    assert "The same test accuracy as kept with the app: 4 of 4 trainings." in texts(app)


def test_what_did_not_end_says_why_and_goes_on(open_look):
    first, second, third, _ = PERMUTATION.trials
    ids = [
        finished(first, 0.75),
        record(second, STARTED, STEP, EPOCH),
        record(third, STARTED, STEP, Failed(message="the training failed twice, the worker died")),
    ]
    app = open_look(PERMUTED, *ids)
    assert table(app) == [["plain", "0.750", "interrupted"], ["permuted", "failed", "not yet"]]
    assert "The training failed twice, the worker died (LeNet, permuted). Go on tries again." in texts(app)
    assert "The app, or what trains for it, ended in the middle (MLP, plain)." in texts(app)
    assert buttons(app) == ["Go on", "Train these again"]
    press(app, "Go on")
    assert {run.state for run in followed(app)} == {"finished", "queued"}
    assert [run.id for run in followed(app)][:3] == ids
    assert followed(app)[3].settings == PERMUTATION.trials[3].settings


def test_runs_of_somebody_else_can_be_looked_at_only(open_look):
    ids = all_finished(owner="somebody else")[:3]
    app = open_look(PERMUTED, *ids)
    assert table(app) == [["plain", "0.750", "0.500"], ["permuted", "0.250", "not yet"]]
    assert buttons(app) == ["Train these again"]
    assert "Somebody else had these trained." in texts(app)
    press(app, "Train these again")
    assert not {run.id for run in followed(app)} & set(ids)


def test_a_full_queue_takes_what_it_can_and_says_so(open_look, monkeypatch):
    monkeypatch.setattr("cnn_core.runs.service.MAX_QUEUED", 2)
    app = press(open_look(PERMUTED), "Train these again")
    assert "2 runs are waiting, as many as the queue holds" in app.error[0].value
    assert "2 of 4 trainings are here. Go on asks for the others." in app.error[0].value
    assert table(app) == [["plain", "place 1", "place 2"], ["permuted", "not yet", "not yet"]]
    assert buttons(app) == ["Go on", "Stop all"]
    monkeypatch.setattr("cnn_core.runs.service.MAX_QUEUED", 60)
    press(app, "Go on")
    assert len(followed(app)) == 4


def test_a_folder_that_cannot_be_written_is_named_in_place(open_look, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "file"))
    app = press(open_look(PERMUTED), "Train these again")
    assert "cannot be written" in app.error[0].value
    assert "Kept with the app" in texts(app)


def test_ids_that_name_no_training_of_the_experiment_are_left_out_with_a_word(open_look):
    first, second, *_ = PERMUTATION.trials
    others = [
        "nonsense",
        "a" * 22,
        finished(fewer().trials[0], 0.5),
        record(second, STARTED, STEP, LearningRateChanged(step=57, learning_rate=0.5), Stopped()),
    ]
    app = open_look(PERMUTED, *others[:3])
    assert not app.exception
    assert "3 trainings that this address names are not on this machine" in texts(app)
    assert not table(app)
    app = open_look(PERMUTED, finished(first, 0.75), *others[3:])
    assert "1 training that this address names is not on this machine" in texts(app)
    assert table(app) == [["plain", "0.750", "not yet"], ["permuted", "not yet", "not yet"]]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("value", ["-3", "nan", "", "999999", "<b>"])
def test_links_with_wrong_values_fall_back(open_look, look, value):
    app = open_look(look, value, digit=value, seeds=value, axis=value, results=value)
    assert not app.exception
    assert not app.error
    assert "Kept with the app" in texts(app)


def test_one_seed_is_a_third_of_the_work_and_goes_on_to_three(open_look):
    app = open_look(FEWER, seeds=1)
    assert "12 trainings, one after another." in texts(app)
    press(app, "Train these again")
    assert len(followed(app, "fewer")) == 12
    app.button_group("w-seeds").set_value(3).run()
    assert buttons(app) == ["Go on", "Stop all"]
    assert table(app)[0] == ["50 pictures", "place 1 · not yet · not yet", "place 2 · not yet · not yet"]
    press(app, "Go on")
    assert len({run.settings for run in followed(app, "fewer")}) == 36
    app.button_group("w-seeds").set_value(1).run()
    press(app, "Stop all")
    assert {run.state for run in followed(app, "fewer")} == {"stopped"}


def test_means_over_the_seeds_are_compared_where_both_networks_have_finished(open_look):
    reached = {0.5: ("LeNet", 50, 0), 0.75: ("LeNet", 50, 1), 0.25: ("MLP", 50, 0), 0.875: ("MLP", 100, 0)}
    trials = {
        (experiments.network_name(each.settings), each.settings.num_train, each.settings.seed): each
        for each in fewer().trials
    }
    ids = [finished(trials[key], accuracy) for accuracy, key in reached.items()]
    app = open_look(FEWER, *ids)
    assert reading(app) == "With 50 pictures, LeNet 0.625 and the MLP 0.250."
    app = open_look(FEWER, *ids, finished(trials["LeNet", 100, 2], 0.5))
    assert reading(app) == (
        "With 50 pictures, LeNet 0.625 and the MLP 0.250; with 100 pictures, LeNet 0.500 and the MLP 0.875. "
        "LeNet is ahead at 1 of 2 numbers of pictures."
    )


def test_the_trainings_stay_when_the_visitor_looks_elsewhere(open_look):
    ids = all_finished()
    app = open_look(PERMUTED, *ids)
    for look in ("the weights", FEWER, PERMUTED):
        app.button_group("w-view").set_value(look).run()
        assert not app.exception
    assert table(app)[0] == ["plain", "0.750", "0.500"]
    app.switch_page("pages/start/home.py").run()
    app.switch_page(f"pages/{PAGE}").run()
    app.button_group("w-view").set_value(PERMUTED).run()
    assert [run.id for run in followed(app)] == ids


def test_the_words_fit_the_number_of_seeds(open_look):
    several = "That is why there are several seeds."
    assert several not in texts(open_look(FEWER, seeds=1))
    assert several in texts(open_look(FEWER, seeds=3))


def test_how_much_is_chance_is_said_in_plain_words(open_look):
    # The square root of 0.5 * 0.5 / 1,000 is 1.6 %.
    app = open_look(PERMUTED, *all_finished((0.5, 0.5, 0.5, 0.5)))
    assert "On 1,000 other pictures, an accuracy could easily be 1.6 points higher or lower." in texts(app)


def test_the_command_trains_where_the_experiment_did(open_look):
    command = next(code.value for code in open_look(PERMUTED).code if "cnn_core train" in code.value)
    assert "cnn_core train --device cpu --threads 1 " in command


def test_where_nothing_can_be_trained_the_page_says_why(open_look, asleep):
    app = open_look(PERMUTED, runs.submit(PERMUTATION.trials[0].settings, owner=ME))
    assert "0 of 4 trainings finished. PyTorch is being loaded, once." in recorded.progress(app)
    asleep.trouble = "the engine has no worker at present"
    app.run()
    assert "0 of 4 trainings finished. No training can be executed now: the engine has no worker" in (
        recorded.progress(app)
    )


def test_trainings_that_only_wait_are_looked_at_less_often(asleep, monkeypatch):
    trial = PERMUTATION.trials[0]
    waiting = runs.submit(trial.settings, owner=ME)

    def pace(*ids):
        return ui_experiments.read(PERMUTATION, ids).pace

    assert pace() is None
    assert pace(waiting) == 2.0
    monkeypatch.setattr(asleep, "place", lambda run_id: 0)
    assert pace(waiting) == 1.0
    assert pace(finished(trial, 0.5)) is None
