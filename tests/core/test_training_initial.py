"""Weights that are brought along: reading a file of them, beginning from them, and their sum in the record."""

import hashlib
import io
import json
import pickle
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from safetensors.torch import save as save_tensors

from cnn_core import inspection, modules, training
from cnn_core.network import parse
from cnn_core.training import checkpoints, events, initial
from tests.core.trainings import SMALL, finish, same, start

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = (1, 28, 28)
NETWORK = parse("conv2k5s4-norm-relu-flatten-10")
TINY = parse("flatten-2")


def drawn(network=NETWORK, shape=SHAPE, seed=3):
    return inspection.draw_parameters(network, shape, seed=seed)


def weights_of(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def equal(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def header_and_data(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def as_pt(weights):
    file = io.BytesIO()
    torch.save({name: torch.tensor(array) for name, array in weights.items()}, file)
    return file.getvalue()


def test_a_file_of_weights_is_read_as_it_was_saved():
    read = initial.read(save(drawn()), NETWORK, SHAPE)
    assert equal(read, drawn())
    assert {array.dtype for name, array in read.items() if "tracked" not in name} == {np.dtype(np.float32)}


def test_weights_in_the_memory_format_of_the_training_and_from_torch_are_read(tmp_path):
    running, state = start(replace(SMALL, num_epochs=1))
    *_, _ = running
    path = tmp_path / "weights.safetensors"
    path.write_bytes(save_tensors({name: t.contiguous() for name, t in state.model.state_dict().items()}))
    assert equal(initial.load(path, SMALL.layers, SHAPE), weights_of(state.model))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_checkpoint_is_read_as_its_weights(optimizer, tmp_path):
    settings = replace(SMALL, optimizer=optimizer, momentum=0.9, num_epochs=1)
    running, state = start(settings)
    *_, _ = running
    path = checkpoints.save(tmp_path, state)
    read = initial.load(path, settings.layers, SHAPE)
    assert equal(read, checkpoints.load_weights(tmp_path))


def changed(**changes):
    return save({**drawn(), **changes})


def without(name):
    return save({other: array for other, array in drawn().items() if other != name})


REFUSED = {
    "empty": (b"", "is no whole safetensors file"),
    "text": (b'{"learning_rate": 1}', "is no whole safetensors file"),
    "random": (np.random.default_rng(0).bytes(1000), "is no whole safetensors file"),
    "truncated": (save(drawn())[:-1], "is no whole safetensors file"),
    "too long": (save(drawn()) + b"x", "is no whole safetensors file"),
    "pickle": (pickle.dumps(drawn()), "is a pickle, as torch.save writes it"),
    "pt": (as_pt(drawn()), "is a pickle, as torch.save writes it"),
    "half": (
        changed(**{"conv1.bias": np.zeros(2, np.float16)}),
        "conv1.bias has numbers of type F16, not float32",
    ),
    "double": (changed(**{"conv1.bias": np.zeros(2)}), "conv1.bias has numbers of type F64, not float32"),
    "whole": (
        changed(**{"conv1.bias": np.zeros(2, np.int64)}),
        "conv1.bias of type int64 does not hold floats",
    ),
    "bfloat16": (
        save_tensors({"linear1.weight": torch.zeros(2, dtype=torch.bfloat16)}),
        "linear1.weight has numbers of type BF16, not float32",
    ),
    "NaN": (
        changed(**{"conv1.bias": np.array([0, np.nan], np.float32)}),
        "conv1.bias has 1 values that are not",
    ),
    "infinite": (
        changed(**{"conv1.bias": np.array([np.inf] * 2, np.float32)}),
        "conv1.bias has 2 values that are",
    ),
    "variance": (
        changed(**{"norm1.running_var": -np.ones(2, np.float32)}),
        "norm1.running_var has 2 values below 0",
    ),
    "shape": (
        changed(**{"conv1.bias": np.zeros((1, 2), np.float32)}),
        r"conv1.bias of shape \(1, 2\) does not fit",
    ),
    "missing": (without("conv1.bias"), r"parameters lack conv1.bias of shape \(2,\)"),
    "unknown": (changed(other=np.zeros(2, np.float32)), "parameters have other, which the network does not"),
    "nothing": (save({}), "parameters lack conv1.weight"),
    "hole": (
        header_and_data({"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, bytes(12)),
        "is no whole safetensors file",
    ),
    "overflow": (
        header_and_data({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, bytes(4)),
        "is no whole safetensors file",
    ),
    "zeros": (
        header_and_data({"a": {"dtype": "F32", "shape": [0, 2**60], "data_offsets": [0, 0]}}),
        "parameters lack conv1.weight",
    ),
    "deep": (struct.pack("<Q", 50_000) + b"[" * 50_000, "is no whole safetensors file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_used_says_why(name):
    raw, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        initial.read(raw, NETWORK, SHAPE)


def test_a_file_is_read_whole_or_refused_wherever_it_is_damaged():
    raw = bytearray(save(drawn(TINY)))
    whole = drawn(TINY)
    generator = np.random.default_rng(0)
    for place in [*range(400), *generator.integers(0, len(raw), 200)]:
        damaged = raw.copy()
        damaged[place] ^= int(generator.integers(1, 256))
        try:
            read = initial.read(bytes(damaged), TINY, SHAPE)
        except ValueError:
            continue
        assert {name: array.shape for name, array in read.items()} == {
            name: array.shape for name, array in whole.items()
        }


def test_a_file_larger_than_the_network_needs_is_refused_before_it_is_read(tmp_path, monkeypatch):
    limit = initial.max_bytes(TINY, SHAPE)
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(10**12)  # it takes no space on the disk, and would not fit into memory
    monkeypatch.setattr(initial, "deserialize", None)
    with pytest.raises(
        ValueError, match=f"the file has more than {limit:,} bytes, the most that the weights"
    ):
        initial.load(path, TINY, SHAPE)


def test_the_limit_leaves_room_for_the_checkpoint_of_any_network(tmp_path):
    notation = "conv1k1-norm-" * 40 + "flatten-10"
    settings = replace(SMALL, network=notation, num_epochs=1, train_fraction=0.1)
    running, state = start(settings)
    *_, _ = running
    path = checkpoints.save(tmp_path, state)
    assert equal(initial.load(path, settings.layers, SHAPE), checkpoints.load_weights(tmp_path))


def test_the_sum_is_that_of_names_shapes_and_numbers():
    weights = {"b": np.array([1, 2], ">f4"), "a.n": np.array(3, np.int32), "a": np.ones((2, 1), np.float32)}
    by_hand = (
        b"a (2, 1)\n" + struct.pack("<2f", 1, 1) + b"a.n ()\n" + struct.pack("<q", 3) + b"b (2,)\n"
    ) + struct.pack("<2f", 1, 2)
    assert initial.sha256(weights) == hashlib.sha256(by_hand).hexdigest()


def test_the_sum_does_not_depend_on_how_arrays_lie_in_memory_and_tells_any_change():
    weights = drawn()
    turned = {name: np.array(array, order="F") for name, array in reversed(weights.items())}
    assert initial.sha256(turned) == initial.sha256(weights)
    bias = weights["conv1.bias"].copy()
    bias[0] = np.nextafter(bias[0], np.float32(1))
    assert initial.sha256(weights | {"conv1.bias": bias}) != initial.sha256(weights)


def test_a_training_from_the_seeds_own_weights_is_the_same_to_the_last_bit():
    parameters, happened = finish(SMALL)
    weights = weights_of(modules.build(SMALL.layers, SHAPE, seed=SMALL.seed))
    again, also = finish(SMALL, initial_weights=weights)
    assert same(parameters, again)
    assert happened[-1] == also[-1]
    assert happened[0].initial_sha256 == also[0].initial_sha256 == initial.sha256(weights)


def test_a_training_begins_from_the_weights_that_are_given():
    settings = replace(SMALL, network="conv2k5s4-norm-relu-flatten-10", num_epochs=1)
    weights = drawn()
    weights["norm1.running_mean"] += 1
    _, state = start(settings, initial_weights=weights)
    assert equal(weights_of(state.model), weights)
    assert state.initial_sha256 == initial.sha256(weights)
    _, other = start(replace(settings, seed=5), initial_weights=weights)
    assert other.initial_sha256 == state.initial_sha256


def test_the_seed_decides_the_sum_and_other_settings_do_not():
    first, other, seeded = (
        start(settings)[1].initial_sha256
        for settings in (
            SMALL,
            replace(SMALL, learning_rate=0.1, optimizer="sgd", shift=1),
            replace(SMALL, seed=1),
        )
    )
    assert first == other != seeded


def test_a_resumed_training_tells_the_weights_that_the_first_began_from(tmp_path):
    running, state = start(SMALL, initial_weights=drawn(SMALL.layers))
    next(running)
    checkpoints.save(tmp_path, state)
    _, resumed = start(SMALL, resume_from=tmp_path)
    assert resumed.initial_sha256 == initial.sha256(drawn(SMALL.layers))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "parameters lack conv1.weight"),
        (
            drawn(SMALL.layers) | {"linear1.bias": np.zeros(10)},
            "linear1.bias has numbers of type float64, not float32",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        start(SMALL, initial_weights=weights)


def test_a_checkpoint_and_other_weights_exclude_each_other(tmp_path):
    checkpoints.save(tmp_path, start(SMALL)[1])
    with pytest.raises(ValueError, match="a training that is resumed has its weights in the checkpoint"):
        start(SMALL, resume_from=tmp_path, initial_weights=drawn(SMALL.layers))


def test_the_sum_is_written_down_and_old_records_without_one_are_read():
    running = training.train(SMALL, device="cpu")
    line = events.to_json(next(running))
    running.close()
    assert len(events.from_json(line).initial_sha256) == 64
    older = json.loads(line)
    del older["initial_sha256"]
    assert events.from_json(json.dumps(older)).initial_sha256 == ""
