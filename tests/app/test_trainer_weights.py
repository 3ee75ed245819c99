"""Weights that are brought along, and permuted pictures, on the pages."""

import pickle

import numpy as np
import pytest
from safetensors.numpy import save
from streamlit.testing.v1 import AppTest

from cnn_core import data, inspection, runs
from cnn_core.data.permutation import permute
from cnn_core.network import PRESETS, parse
from cnn_core.runs import folders
from cnn_core.training import Settings, Stopped, checkpoints, initial, train
from tests.app.recorded import PAGE, damage
from ui.networks import runs_table, training_uploads

SHAPE = (1, 28, 28)


pytestmark = pytest.mark.usefixtures("asleep")


def drawn(network: str) -> dict[str, np.ndarray]:
    layers = PRESETS[network].network if network in PRESETS else parse(network)
    return inspection.draw_parameters(layers, SHAPE, seed=3)


def open_place() -> AppTest:
    """Draw the place for a file of weights in an app of its own, beside a network that can be changed."""

    def script():
        import streamlit as st

        from cnn_core.training import Settings
        from ui.networks import training_uploads

        network = st.text_input("Network", "flatten-10", key="network")
        settings = Settings(network=network, seed=4) if network else None
        st.session_state["brought"] = training_uploads.bring_weights(settings)

    return AppTest.from_function(script, default_timeout=120).run()


def upload(app: AppTest, content: bytes) -> AppTest:
    (uploader,) = [each for each in app.file_uploader if each.key.startswith(training_uploads.WEIGHTS_UPLOAD)]
    uploader.upload("w.safetensors", content, "application/octet-stream").run()
    assert not app.exception
    return app


def brought(app: AppTest) -> dict[str, np.ndarray] | None:
    return app.session_state["brought"]


def test_without_a_file_the_seed_draws_the_weights():
    app = open_place()
    assert brought(app) is None
    assert not app.button


def test_weights_that_fit_are_begun_from_and_that_is_said():
    app = upload(open_place(), save(drawn("flatten-10")))
    assert initial.sha256(brought(app)) == initial.sha256(drawn("flatten-10"))
    assert (
        "Start begins from the weights of your file: 7,850 numbers. Seed 4 still decides" in app.info[0].value
    )
    app.run()
    assert initial.sha256(brought(app)) == initial.sha256(drawn("flatten-10"))


def test_another_network_is_checked_anew_and_a_network_that_fits_again_takes_the_weights():
    app = upload(open_place(), save(drawn("flatten-10")))
    app.text_input(key="network").set_value("flatten-16-10").run()
    assert brought(app) is None
    assert (
        "linear1.weight of shape (10, 784) does not fit the network, which has (16, 784)"
        in app.error[0].value
    )
    assert app.error[0].value.endswith("Start takes the seed's weights.")
    app.text_input(key="network").set_value("").run()  # one that cannot be trained
    assert brought(app) is None
    assert not app.error
    app.text_input(key="network").set_value("flatten-10").run()
    assert initial.sha256(brought(app)) == initial.sha256(drawn("flatten-10"))
    assert not app.error


def test_the_help_says_how_large_a_network_a_file_may_hold():
    # 5 MB are 5 * 2**20 bytes, for 1,310,720 numbers of 4 bytes.
    assert "At most 5 MB." in open_place().file_uploader[0].help
    assert "1.3 million of them" in open_place().file_uploader[0].help


def test_a_run_that_began_from_a_file_is_trained_with_other_settings_from_the_same_weights(open_page):
    weights = drawn("mlp")
    run_id = stopped_at_once(Settings(network="mlp", learning_rate=0.01), weights)
    app = open_page(PAGE, run=run_id)
    app.session_state[runs_table.TABLE] = {"selection": {"rows": [0]}}
    app.run()
    app.button(key=f"t-run-settings-{run_id}").click().run()
    assert not app.exception
    assert "Start would begin with those of your file." in texts(app)
    app.number_input(key="t-rate").set_value(0.1).run()
    app.button(key="t-start").click().run()
    run = runs.get("".join(app.query_params["run"]))
    assert run.settings == Settings(network="mlp", learning_rate=0.1)
    kept = initial.load(run.initial_file, run.settings.layers, SHAPE)
    assert initial.sha256(kept) == initial.sha256(weights)


def test_a_run_that_began_from_its_seed_takes_the_file_of_before_away(open_page):
    run_id = stopped_at_once(Settings(network="mlp"))
    app = upload(open_page(PAGE, run=run_id, **{"t-network": "mlp"}), save(drawn("mlp")))
    app.session_state[runs_table.TABLE] = {"selection": {"rows": [0]}}
    app.run()
    app.button(key=f"t-run-settings-{run_id}").click().run()
    assert "Start would begin with the same weights as this run, whatever else" in texts(app)


def test_initial_weights_that_are_gone_are_said_in_place_and_nothing_is_changed(open_page):
    run_id = stopped_at_once(Settings(network="mlp", learning_rate=0.01), drawn("mlp"))
    app = open_page(PAGE, run=run_id)
    app.session_state[runs_table.TABLE] = {"selection": {"rows": [0]}}
    app.run()
    runs.get(run_id).initial_file.unlink()
    app.button(key=f"t-run-settings-{run_id}").click().run()
    assert not app.exception
    assert "its initial weights cannot be read" in app.error[0].value
    assert app.number_input(key="t-rate").value == 0.003


def test_a_button_leads_back_to_the_weights_of_the_seed():
    app = upload(open_place(), save(drawn("flatten-10")))
    app.button(key="t-seed-weights").click().run()
    assert brought(app) is None
    assert not app.info
    upload(app, save(drawn("flatten-10")))
    assert brought(app)


def test_a_file_that_is_taken_out_of_the_control_is_gone():
    app = upload(open_place(), save(drawn("flatten-10")))
    app.file_uploader[0].clear().run()
    assert brought(app) is None
    assert not app.info


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no whole safetensors file"),
        (pickle.dumps(drawn("flatten-10")), "it can run any program, so it is not opened"),
        (save(drawn("flatten-10"))[:-1], "no whole safetensors file"),
        (
            save(drawn("flatten-10") | {"linear1.bias": np.full(10, np.nan, np.float32)}),
            "10 values that are not",
        ),
        (save(drawn("flatten-10") | {"linear1.bias": np.zeros(10)}), "numbers of type F64, not float32"),
        (
            save(drawn("flatten-10") | {"<b>$x$[a](b)": np.zeros(1, np.float32)}),
            r"\<b>\$x\$\[a\](b), which the",
        ),
        (bytes(10**6), "the most that the weights of this network take"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_place(content, message):
    app = upload(open_place(), content)
    assert message in app.error[0].value
    assert brought(app) is None
    assert upload(app, save(drawn("flatten-10"))).info


def test_start_begins_from_the_weights_of_the_file(open_page):
    app = upload(open_page(PAGE, **{"t-network": "mlp"}), save(drawn("mlp")))
    app.button(key="t-start").click().run()
    run = runs.get("".join(app.query_params["run"]))
    kept = initial.load(run.initial_file, run.settings.layers, SHAPE)
    assert initial.sha256(kept) == initial.sha256(drawn("mlp"))


def stopped_at_once(settings: Settings, weights=None) -> str:
    """Write down a run of a visitor who stopped it before its first step."""
    run_id = folders.create(settings, owner="somebody", device=None, weights=weights)
    events = train(settings, device="cpu", initial_weights=weights)
    checkpoints.save(folders.path_of(run_id) / "checkpoint", next(events).state)
    folders.append(folders.path_of(run_id), Stopped())
    events.close()
    return run_id


def texts(app: AppTest) -> str:
    return "\n".join(element.value for group in (app.markdown, app.caption) for element in group)


def captions(app: AppTest) -> list[str]:
    return [image.caption for element in app.get("image") for image in element.proto.imgs]


@pytest.mark.parametrize("is_permuted", [True, False])
def test_a_test_picture_is_shown_and_classified_as_the_network_sees_it(open_page, is_permuted):
    settings = Settings(network="conv4k5s2-relu-flatten-10", permuted=is_permuted)
    weights = drawn(settings.network)
    app = open_page(PAGE, run=stopped_at_once(settings, weights), **{"t-picture": 5})
    assert not app.exception
    image = data.load("mnist-5k", split="test").images[5]
    seen = permute(image) if is_permuted else image
    logits = inspection.activations(settings.layers, weights, inspection.as_input(seen))[-1][1]
    probability = inspection.softmax(logits).max()
    assert f"The network says {logits.argmax()}, with probability {probability:.1%}." in texts(app)
    assert captions(app)[:2] == ["As it is", "As the network sees it"] or not is_permuted
    assert ("As the network sees it" in captions(app)) == is_permuted
    assert "from the weights of a file: put initial.safetensors beside the script." in texts(app)
    assert "t-initial" in [each.key for each in app.get("download_button")]


def test_weights_that_saw_permuted_pixels_are_not_offered_for_other_pictures(open_page):
    query = {"a-network": "conv4k5s2-relu-flatten-10", "a-view": "Layer by layer"}
    for is_permuted in (False, True):
        settings = Settings(network=query["a-network"], permuted=is_permuted)
        app = open_page(PAGE, run=stopped_at_once(settings))
        for key, value in query.items():
            app.query_params[key] = value
        app.switch_page("pages/networks/architecture.py").run()
        assert not app.exception
        assert ("As your last training of this network left them." in texts(app)) != is_permuted
        assert ("Your last training saw pictures with permuted pixels" in texts(app)) == is_permuted


def test_a_damaged_checkpoint_leaves_architecture_with_fresh_weights_and_a_reason(open_page):
    settings = Settings(network="conv4k5s2-relu-flatten-10")
    run_id = stopped_at_once(settings)
    damage(run_id)
    app = open_page(PAGE, run=run_id)
    app.query_params["a-network"] = settings.network
    app.query_params["a-view"] = "Layer by layer"
    app.switch_page("pages/networks/architecture.py").run()
    assert not app.exception
    assert "cannot be read" in app.error[0].value
    assert "Drawn by chance, as a training begins." in texts(app)
    (onnx,) = [each for each in app.get("download_button") if each.key == "a-onnx"]
    assert "those of your last training" not in onnx.help
