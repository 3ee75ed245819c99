import numpy as np
import pytest

from cnn_core import training
from cnn_core.runs import glimpse
from cnn_core.training import Settings
from tests.core.running import SMALL


@pytest.fixture
def state():
    events = training.train(SMALL, device="cpu")
    yield next(events).state
    events.close()


def test_a_glimpse_has_the_parameters_as_they_are(tmp_path, state):
    glimpse.write(tmp_path, state)
    network, parameters = glimpse.read(tmp_path, SMALL)
    assert network == SMALL.layers
    for name, value in state.model.state_dict().items():
        assert np.array_equal(parameters[name], value)


def test_of_a_large_network_it_has_the_first_layers(tmp_path, state, monkeypatch):
    monkeypatch.setattr(
        glimpse, "MAX_BYTES", 4 * 4 * 26
    )  # the convolution has 4 kernels of 25 weights, and 4 biases
    glimpse.write(tmp_path, state)
    network, parameters = glimpse.read(tmp_path, SMALL)
    assert network.names == ("conv1", "relu1", "pool1", "flatten")
    assert set(parameters) == {"conv1.weight", "conv1.bias"}


def test_there_is_none_before_the_first_second_or_where_no_layer_is_small_enough(
    tmp_path, state, monkeypatch
):
    assert glimpse.read(tmp_path, SMALL) is None
    monkeypatch.setattr(glimpse, "MAX_BYTES", 10)
    glimpse.write(tmp_path, state)
    assert glimpse.read(tmp_path, SMALL) is None
    (tmp_path / glimpse.FILE_NAME).write_bytes(b"damaged")
    assert glimpse.read(tmp_path, Settings()) is None
