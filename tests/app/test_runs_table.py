import json
from dataclasses import fields, replace

import pytest
from safetensors.numpy import save as to_bytes

from cnn_core import runs
from cnn_core.runs import folders, worker
from cnn_core.training import Settings, Stopped, checkpoints
from cnn_core.training.events import LearningRateChanged
from tests.app import recorded
from tests.app.recorded import PAGE, RESULT, line
from ui import visitor
from ui.networks import recipe, runs_table, runs_words

ME = "a visitor"
SMALL = Settings(network="conv4k5s2-relu-max2-flatten-10", num_epochs=1, batch_size=100)
STARTED = replace(recorded.STARTED, num_params=1554, steps_per_epoch=36)
STEP = replace(recorded.STEP, step=36)
EPOCH = replace(recorded.EPOCH, step=36)
DIVERGED = replace(EPOCH, train_loss=900.0, validation_loss=800.0)
DONE = (STARTED, STEP, EPOCH, RESULT)
NASTY = "<img src=x onerror=alert(1)> [a](http://x) $y$ ![b](http://z)"


@pytest.fixture(autouse=True)
def known(asleep, monkeypatch):
    """A visitor who is known."""
    monkeypatch.setattr(visitor, "owner", lambda: ME)


def record(settings=SMALL, *events, owner=ME):
    return recorded.record(settings, *events, owner=owner)


def tick(app, *rows):
    app.session_state[runs_table.TABLE] = {"selection": {"rows": list(rows)}}
    app.run()
    assert not app.exception


def press(app, name, run_id):
    app.button(key=f"t-run-{name}-{run_id}").click().run()
    assert not app.exception


def table(app):
    return app.dataframe(key=runs_table.TABLE).value


def texts(app):
    parts = (app.markdown, app.caption, app.error, app.text)
    return "\n".join(element.value for group in parts for element in group)


def popovers(app):
    return [each.proto.popover.label for each in app.get("popover")]


def buttons(app, run_id):
    """Return the names of the buttons for a run."""
    ends = f"-{run_id}"
    return {
        each.key.removeprefix("t-run-").removesuffix(ends) for each in app.button if each.key.endswith(ends)
    }


def test_before_the_first_run_the_section_says_what_will_be_here(open_page):
    app = open_page(PAGE)
    assert "Each training that you start is kept here" in texts(app)
    assert not app.dataframe


def test_the_table_sums_up_the_runs_of_this_visitor_the_newest_first(open_page):
    record(SMALL, *DONE)
    record(SMALL, STARTED, STEP, Stopped())
    record(SMALL, *DONE, owner="somebody else")
    runs.submit(replace(SMALL, seed=5, shift=2), owner=ME)
    app = open_page(PAGE)
    shown = table(app)
    usual = "conv4k5s2-relu…, Adam 0.003, seed"
    assert shown["name"].tolist() == [f"{usual} 5", f"{usual} 0 (2)", f"{usual} 0"]
    assert shown["state"].tolist() == ["waiting, place 1", "stopped", "finished"]
    assert shown["best"].fillna(-1).tolist() == [-1, -1, 0.3125]
    assert shown["test"].fillna(-1).tolist() == [-1, -1, 0.375]
    assert shown["seconds"].fillna(-1).tolist() == [-1, 1.2, 1.2]
    assert shown["settings"].tolist()[0] == (
        "MNIST, 5,000 digits; 1 epoch, batches of 100, shifted by up to 2 px"
    )
    assert "whose" not in shown


def test_a_run_opened_by_a_link_is_in_the_table_for_this_session_and_offers_only_what_harms_nobody(open_page):
    record(SMALL, *DONE)
    foreign = record(SMALL, STARTED, STEP, EPOCH, Stopped(), owner="somebody else")
    runs.label(foreign, owner="somebody else", name="theirs", note=NASTY)
    app = open_page(PAGE, run=foreign)
    app.query_params.clear()
    app.run()
    assert table(app)["whose"].tolist() == ["by a link", "yours"]
    tick(app, 0)
    assert buttons(app, foreign) == {"open", "other-seed", "same-seed", "settings"}
    assert not [each for each in app.text_input if each.key.startswith("t-run-")]
    assert NASTY in [each.value for each in app.text]
    press(app, "same-seed", foreign)
    assert len(runs.list(ME)) == 2
    tick(app, 2)
    own = runs.list(ME)[1].id
    assert buttons(app, own) == {"open", "other-seed", "same-seed", "settings", "delete-now"}


def test_a_name_and_a_note_are_kept_and_shown_as_they_were_typed(open_page):
    run_id = record(SMALL, *DONE)
    app = open_page(PAGE)
    tick(app, 0)
    app.text_input(key=f"t-run-name-{run_id}").set_value(f"  {NASTY[:50]}  ").run()
    app.text_input(key=f"t-run-note-{run_id}").set_value(NASTY).run()
    assert not app.exception
    assert (runs.get(run_id).name, runs.get(run_id).note) == (NASTY[:50], NASTY)
    assert table(app)["name"].tolist() == [NASTY[:50]]
    assert f"**{runs_words.plain(NASTY[:50])}**" in texts(app)
    app.text_input(key=f"t-run-name-{run_id}").set_value("").run()
    assert table(app)["name"].tolist() == ["conv4k5s2-relu…, Adam 0.003, seed 0"]


def test_a_folder_that_cannot_be_written_is_said_in_place(open_page, monkeypatch):
    run_id = record(SMALL, *DONE)
    app = open_page(PAGE)
    tick(app, 0)

    def refuse(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "replace_file", refuse)
    app.text_input(key=f"t-run-name-{run_id}").set_value("new").run()
    assert not app.exception
    assert "No space left on device" in app.error[0].value
    tick(app)
    assert not app.error


def test_names_are_unique_whatever_they_were_called():
    rows = [
        type("Row", (), {"id": str(number), "name": name, "settings": SMALL})
        for number, name in enumerate(["A", "A", "A (2)", ""])
    ]
    assert runs_words.unique_names(rows) == {
        "3": "conv4k5s2-relu…, Adam 0.003, seed 0",
        "2": "A (2)",
        "1": "A",
        "0": "A (3)",
    }


def test_another_seed_is_the_next_one_and_several_wait(open_page):
    run_id = record(SMALL, *DONE)
    record(replace(SMALL, seed=1), *DONE)
    app = open_page(PAGE)
    tick(app, 1)
    for seed in (2, 3):
        press(app, "other-seed", run_id)
        assert f"Submitted: the same settings with seed {seed}." in texts(app)
    assert [run.settings.seed for run in runs.list(ME)] == [3, 2, 1, 0]
    assert [run.state for run in runs.list(ME)][:2] == ["queued", "queued"]
    # The tick has gone with its run, which is now the last row.
    assert app.session_state[runs_table.TABLE]["selection"]["rows"] == [3]


def test_a_full_queue_is_said_in_place(open_page, monkeypatch):
    run_id = record(SMALL, *DONE)
    app = open_page(PAGE)
    tick(app, 0)
    monkeypatch.setattr(runs.service, "MAX_QUEUED", 0)
    press(app, "same-seed", run_id)
    assert "as many as the queue holds" in app.error[0].value
    assert len(runs.list(ME)) == 1


def test_the_same_seed_is_found_bit_identical(open_page):
    first = record()
    worker.execute(folders.path_of(first), 0)
    app = open_page(PAGE)
    tick(app, 0)
    press(app, "same-seed", first)
    second = runs.list(ME)[0]
    assert second.settings == SMALL
    assert "When both are finished, they are compared here" in texts(app)
    worker.execute(folders.path_of(second.id), 0)
    app.run()
    assert "**Bit-identical:** all 1,554 numbers in the parameters" in texts(app)


def test_a_copy_that_differs_is_said_to_differ_and_why(open_page):
    first, second = record(), record()
    for run_id in (first, second):
        worker.execute(folders.path_of(run_id), 0)
    events = folders.path_of(second) / "events.jsonl"
    lines = events.read_text().splitlines()
    lines[0] = lines[0].replace('"num_threads": ', '"num_threads": 1')
    lines[-1] = lines[-1].replace('"predictions": [', '"predictions": [99, ')
    events.write_text("\n".join(lines) + "\n")
    app = open_page(PAGE)
    tick(app, 0, 1)
    assert "**Not identical:** some test pictures are named differently." in texts(app)
    assert "What was not alike: threads" in texts(app)


def test_the_controls_take_the_settings_of_a_run_and_the_page_says_whether_the_first_weights_stay(open_page):
    settings = replace(SMALL, optimizer="sgd", momentum=0.5, seed=7, flip=True)
    run_id = record(settings, *DONE)
    app = open_page(PAGE)
    tick(app, 0)
    assert "other weights than this run, because of another network and another seed" in texts(app)
    press(app, "settings", run_id)
    app.run()
    assert line(app).value == SMALL.network
    assert (app.number_input(key="t-seed").value, app.number_input(key="t-momentum").value) == (7, 0.5)
    assert "Start would begin with the same weights as this run" in texts(app)
    app.number_input(key="t-rate").set_value(0.5).run()
    assert "Start would begin with the same weights as this run" in texts(app)
    app.number_input(key="t-seed").set_value(8).run()
    assert "because of another seed." in texts(app)


def test_a_run_from_the_weights_of_a_file_is_repeated_from_them(open_page):
    first = record()
    worker.execute(folders.path_of(first), 0)
    weights = checkpoints.load_weights(runs.get(first).checkpoint)
    second = folders.create(SMALL, owner=ME, device=None, weights=weights)
    worker.execute(folders.path_of(second), 0)
    app = open_page(PAGE)
    tick(app, 0)
    assert "This run began with the weights of a file." in texts(app)
    assert "What was not alike: initial weights" in texts(app)
    press(app, "settings", second)
    assert "Start would begin with the same weights as this run, those of your file." in texts(app)
    press(app, "same-seed", second)
    third = runs.list(ME)[0].id
    worker.execute(folders.path_of(third), 0)
    app.run()
    assert texts(app).count("**Bit-identical:**") == 1
    assert runs.get(third).started.initial_sha256 == runs.get(second).started.initial_sha256
    runs.get(second).initial_file.unlink()
    press(app, "same-seed", second)
    assert "its initial weights cannot be read" in app.error[0].value


def test_the_page_says_whether_the_weights_of_a_file_are_those_that_a_run_began_with(open_page):
    first = record()
    worker.execute(folders.path_of(first), 0)
    weights = checkpoints.load_weights(runs.get(first).checkpoint)
    second = folders.create(SMALL, owner=ME, device=None, weights=weights)
    worker.execute(folders.path_of(second), 0)
    app = open_page(PAGE, **{"t-network": SMALL.network})
    app.session_state["trainer-weights-file"] = to_bytes(weights)
    tick(app, 0)
    assert "Start would begin with the same weights as this run, those of your file." in texts(app)
    tick(app, 1)
    assert "Start would begin with those of your file. This run began with others." in texts(app)


def test_settings_that_this_page_does_not_offer_are_refused_in_place(open_page):
    run_id = record(replace(SMALL, num_epochs=900), *DONE)
    app = open_page(PAGE)
    tick(app, 0)
    press(app, "settings", run_id)
    assert "num_epochs 900 must be between 1 and 60 on this page" in app.error[0].value


def test_a_run_is_deleted_after_one_more_press_and_forgotten_if_it_was_open(open_page):
    kept, run_id = record(SMALL, *DONE), record(SMALL, *DONE)
    app = open_page(PAGE, run=run_id)
    tick(app, 0)
    assert "Nobody can bring them back." in texts(app)
    press(app, "delete-now", run_id)
    assert [run.id for run in runs.list(ME)] == [kept]
    assert not app.warning
    assert "run" not in app.query_params
    assert len(table(app)) == 1
    assert app.session_state[runs_table.TABLE]["selection"]["rows"] == []


def test_a_run_that_is_not_over_cannot_be_deleted(open_page):
    run_id = runs.submit(SMALL, owner=ME)
    app = open_page(PAGE)
    tick(app, 0)
    assert "It is not over. Stop it first" in texts(app)
    assert "delete-now" not in buttons(app, run_id)


def test_a_run_can_be_opened_and_then_its_files_stand_above(open_page):
    record(SMALL, *DONE)
    run_id = record(SMALL, *DONE)
    app = open_page(PAGE)
    tick(app, 0)
    assert "Take away" in popovers(app)
    press(app, "open", run_id)
    assert "".join(app.query_params["run"]) == run_id
    assert app.button(key=f"t-run-open-{run_id}").disabled
    assert "Take away" not in popovers(app)


def test_a_run_that_is_not_open_has_its_files_too(open_page):
    opened, run_id = record(), record()
    for each in (opened, run_id):
        worker.execute(folders.path_of(each), 0)
    app = open_page(PAGE, run=opened)
    tick(app, 0)
    app.session_state[f"t-run-files-{run_id}"] = True
    app.run()
    assert not app.exception
    keys = [each.key for each in app.get("download_button") if each.key.endswith("-ticked")]
    assert keys == [
        f"t-{name}-ticked" for name in ("weights", "settings-run", "script-run", "epochs-csv", "steps-csv")
    ]


@pytest.mark.parametrize("quantity", ["Validation accuracy", "Validation loss", "Training accuracy"])
def test_several_are_overlaid_with_only_the_settings_that_differ(open_page, quantity):
    record(replace(SMALL, learning_rate=0.1, optimizer="sgd"), *DONE)
    record(SMALL, *DONE)
    record(replace(SMALL, validation_fraction=0.0), STARTED, STEP, Stopped())
    app = open_page(PAGE)
    tick(app, 1, 2)
    app.button_group(key="t-runs-curves").set_value(quantity.lower()).run()
    assert not app.exception
    assert quantity.lower() in app.get("vega_lite_chart")[-1].proto.spec
    differing = app.dataframe[-1].value
    assert differing.columns.tolist() == ["Run", "Optimizer", "Learning rate"]
    assert differing["Optimizer"].tolist() == ["Adam", "SGD"]
    assert differing["Learning rate"].tolist() == ["0.003", "0.1"]
    tick(app, 0, 1)
    assert ("it keeps no pictures for validation" in texts(app)) == quantity.startswith("Validation")


def test_every_setting_has_the_name_that_its_control_has():
    assert {*recipe.LABELS} == {field.name for field in fields(Settings)}


def test_a_run_that_ended_early_says_why_it_has_no_curve(open_page):
    record(SMALL, STARTED, STEP, Stopped())
    record(SMALL, *DONE)
    app = open_page(PAGE)
    tick(app, 0, 1)
    app.button_group(key="t-runs-curves").set_value("validation loss").run()
    assert "has no curve here: it ended before its first epoch was done." in texts(app)


def test_what_the_settings_do_not_tell_is_told_wherever_they_are(open_page):
    plain, other = record(SMALL, *DONE), record(SMALL, *DONE, owner="somebody else")
    (folders.path_of(plain) / "initial.safetensors").write_bytes(b"")
    rates = [LearningRateChanged(step=step, learning_rate=rate) for step, rate in ((10, 10.0), (20, 0.01))]
    led = record(SMALL, STARTED, rates[0], STEP, EPOCH, RESULT)
    record(SMALL, *rates)
    app = open_page(PAGE, run=led)
    by_hand = "learning rate set by hand to 10 after step 10"
    assert f"batches of 100, 1 epoch, seed 0, {by_hand}; on cpu" in texts(app)
    also = [words.partition("batches of 100")[2] for words in app.dataframe[0].value["settings"]]
    assert also == [
        ", learning rate set 2 times by hand, last to 0.01 after step 20",
        f", {by_hand}",
        ", weights from a file",
    ]
    tick(app, 1, 2)
    assert app.dataframe[-1].value["Beside the settings"].tolist() == [by_hand, "weights from a file"]
    assert "Their settings are the same." not in texts(app)
    assert "weights from a file" not in texts(open_page(PAGE, run=other))


def test_runs_without_any_epoch_are_compared_too(open_page):
    for _ in range(2):
        runs.submit(SMALL, owner=ME)
    app = open_page(PAGE)
    tick(app, 0, 1)
    assert "Their settings are the same." in texts(app)
    assert "has no curve here: its first epoch is not done yet." in texts(app)


def test_a_loss_that_explodes_leaves_the_chart_not_the_axis(open_page):
    record(SMALL, STARTED, STEP, DIVERGED, Stopped())
    record(SMALL, *DONE)
    app = open_page(PAGE, **{"t-runs-curves": "Validation loss"})
    tick(app, 0, 1)
    # One and a half times the loss of guessing, ln 10.
    assert "3.4538" in app.get("vega_lite_chart")[-1].proto.spec


def test_of_too_many_some_are_shown(open_page):
    for seed in range(10):
        record(replace(SMALL, seed=seed), *DONE)
    app = open_page(PAGE)
    tick(app, *range(10))
    assert "8 of the 10 ticked runs are shown" in texts(app)
    assert len(app.dataframe[-1].value) == 8


@pytest.mark.parametrize("name", ["Etc/Unknown", "", "../../etc/passwd", "Europe", "x" * 300, None])
def test_a_time_zone_that_is_not_known_here_is_utc(name):
    assert runs_table._zone(name).key == "UTC"


@pytest.mark.parametrize(("zone", "hour"), [("Asia/Tokyo", 9), ("Etc/Unknown", 0)])
def test_the_start_of_a_run_is_told_in_the_zone_of_the_browser_or_in_utc(open_page, zone, hour):
    run_id = record(SMALL, *DONE)
    path = folders.path_of(run_id) / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"created": 0}))
    app = open_page(PAGE)
    app.context["timezone"] = zone
    app.run()
    assert not app.exception
    assert table(app)["created"].tolist()[0].hour == hour
