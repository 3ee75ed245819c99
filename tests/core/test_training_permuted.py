"""One fixed permutation of all pixels: what it does to pictures, and to what is trained on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cnn_core import data, inspection
from cnn_core.data.permutation import permutation, permute
from cnn_core.training import EpochEnded, Settings, loop, pictures
from tests.core.trainings import SMALL, finish, of_kind, start

pytestmark = pytest.mark.usefixtures("one_thread")

MLP = Settings(network="mlp", num_epochs=2, batch_size=200)


def test_the_permutation_moves_each_pixel_once():
    order = permutation(28, 28)
    assert sorted(order) == list(range(784))
    assert np.mean(order == np.arange(784)) < 0.02
    assert not order.flags.writeable


def test_the_permutation_is_this_one_for_ever():
    """Runs and their weights rely on it."""
    assert permutation(28, 28)[:8].tolist() == [318, 2, 606, 446, 758, 13, 98, 539]


def test_a_pixel_goes_where_the_permutation_says_with_all_its_colours():
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    order = permutation(4, 5)
    seen = permute(image)
    for place in range(20):
        source = order[place]
        assert np.array_equal(seen[place // 5, place % 5], image[source // 5, source % 5])
    assert np.array_equal(permute(image[:, :, 1]), seen[:, :, 1])
    assert seen.dtype == np.uint8


def test_a_batch_is_permuted_as_its_pictures_are():
    images = np.random.default_rng(0).random((6, 7, 8, 3), dtype=np.float32)
    batch = torch.tensor(images).permute(0, 3, 1, 2)
    seen = pictures.permute(batch, replace(SMALL, permuted=True))
    assert np.array_equal(seen.permute(0, 2, 3, 1), np.stack([permute(image) for image in images]))
    assert seen.is_contiguous(memory_format=torch.channels_last)
    assert pictures.permute(batch, SMALL) is batch


def test_the_permutation_goes_to_the_device_once(monkeypatch):
    """Also if a test comes before the first step, as in a training that is resumed."""
    made = []
    monkeypatch.setattr(pictures, "permutation", lambda *size: made.append(size) or permutation(*size))
    pictures._order.cache_clear()
    settings = replace(SMALL, permuted=True)
    with torch.inference_mode():
        pictures.permute(torch.ones(1, 1, 5, 6), settings)
    weight = torch.ones(1, 1, 2, 2, requires_grad=True)
    for _ in range(2):
        torch.conv2d(pictures.permute(torch.ones(1, 1, 5, 6), settings), weight).sum().backward()
    assert made == [(5, 6)]
    assert weight.grad.flatten().tolist() == [40.0] * 4


def seen_by(settings):
    """Return the first batch of a training, as the network gets it."""
    running, state = start(settings)
    batches = []
    state.model.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))
    next(running)
    return batches[0].numpy()


def test_a_picture_is_moved_and_mirrored_before_it_is_permuted():
    settings = replace(SMALL, shift=3, flip=True)
    moved = seen_by(settings)
    permuted = seen_by(replace(settings, permuted=True))
    assert np.array_equal(permuted, np.stack([[permute(image[0])] for image in moved]))


def test_validation_and_test_are_those_of_permuted_pictures():
    settings = replace(SMALL, permuted=True)
    _, happened = finish(settings)
    model = happened[0].state.model.eval()

    def predictions(dataset, rows):
        seen = np.stack([permute(image) for image in dataset.images[rows]])[:, None] / np.float32(255)
        with torch.no_grad():
            return model(torch.tensor(seen)).argmax(1).numpy()

    train, test = (data.load("mnist-5k", split=split) for split in ("train", "test"))
    _, rows = loop.split_rows(settings)
    right = predictions(train, rows) == train.labels[rows]
    assert of_kind(happened, EpochEnded)[-1].validation_accuracy == pytest.approx(right.mean())
    assert happened[-1].predictions == tuple(predictions(test, np.arange(len(test))))


def test_a_dense_network_does_not_mind_if_its_first_weights_are_permuted_too():
    weights = inspection.draw_parameters(MLP.layers, (1, 28, 28), seed=0)
    order = permutation(28, 28).copy()
    turned = weights | {"linear1.weight": weights["linear1.weight"][:, order]}
    plain, happened = finish(MLP, initial_weights=weights)
    permuted, also = finish(replace(MLP, permuted=True), initial_weights=turned)
    torch.testing.assert_close(
        plain["linear1.weight"][:, order], permuted["linear1.weight"], rtol=0, atol=1e-3
    )
    assert also[-1].test_loss == pytest.approx(happened[-1].test_loss, rel=1e-3)


def test_a_convolution_learns_less_from_permuted_pictures_and_a_dense_network_as_much():
    def accuracy(network, permuted):
        settings = Settings(network=network, num_epochs=2, permuted=permuted)
        return finish(settings)[1][-1].test_accuracy

    assert accuracy("mlp", True) == pytest.approx(accuracy("mlp", False), abs=0.02)
    assert accuracy("lenet-modern", True) < accuracy("lenet-modern", False) - 0.08


def test_the_permutation_is_the_same_for_every_seed():
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    first, other = (pictures.permute(images, replace(SMALL, permuted=True, seed=seed)) for seed in (0, 7))
    assert torch.equal(first, other)
