from functools import reduce

import numpy as np
import pytest
import torch

from cnn_core import modules
from cnn_core.inspection import draw_parameters, input_gradient
from cnn_core.network import LENET, LENET_MODERN, MLP, Conv, Linear, Network, parse
from cnn_core.receptive import Middle, effective, middle, theoretical, work
from cnn_core.summary import summarize

PICTURE = (1, 28, 28)
NETWORKS = [
    ("conv6k5p2-sigmoid-avg2-conv16k5-sigmoid-avg2", PICTURE),
    ("conv4k3p1-relu-max2-conv8k3p1-relu-max2", (3, 20, 17)),
    ("conv8k5x3s2x1p1x2d2x1g2-tanh-max3x2s2p1x0-conv6k1-avg3s2p1", (2, 23, 19)),
    ("conv4k2s2-conv4k3p1-max2s3-norm-conv2k2p1", (1, 29, 25)),
    ("avg3s4p1-conv2k3p4", (2, 12, 11)),
    ("conv4k5s2p2-relu-max3s2p1-conv4k3d2g2", (2, 64)),
]


def row_of(network, input_shape, layer):
    return next(row for row in summarize(network, input_shape) if row.name == layer)


def inside(seen, field) -> np.ndarray:
    """Mark the pixels of a receptive field in the input."""
    marks = [np.isin(np.arange(size), pixels) for pixels, size in zip(seen, field.shape, strict=True)]
    return reduce(np.logical_and.outer, marks)


def places(row):
    """The corners and the middle of a layer's output."""
    sizes = row.output_shape[1:]
    return {
        tuple(round(share * (size - 1)) for share, size in zip(shares, sizes, strict=True))
        for shares in [(0,) * len(sizes), (1,) * len(sizes), (0.5,) * len(sizes), (0, 1)[: len(sizes)]]
    }


def test_a_receptive_field_of_a_hand_worked_example():
    # LeNet's pool2: 16 x 16 pixels, 4 apart; the padding of conv1 moves the first one to -2.
    row = row_of(LENET, PICTURE, "pool2")
    assert theoretical(row, (0, 4)) == (range(-2, 14), range(14, 30))


def test_a_layer_after_the_last_map_sees_the_whole_input():
    for network, layer in ((LENET, "linear1"), (LENET, "sigmoid3"), (MLP, "linear2")):
        assert theoretical(row_of(network, PICTURE, layer)) == (range(28), range(28))


def without_kinks(text):
    """The same windows; every input number counts, and for all inputs alike."""
    return parse(text.replace("max", "avg").replace("-relu", "").replace("-sigmoid", "").replace("-tanh", ""))


@pytest.mark.parametrize(("text", "input_shape"), NETWORKS)
def test_the_receptive_field_of_each_place_is_the_support_of_autograd(text, input_shape):
    network = without_kinks(text)
    module = modules.build(network, input_shape, seed=0).eval()
    for parameter in module.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 1)  # nothing cancels
    row = summarize(network, input_shape)[-1]
    for at in places(row):
        x = torch.ones(1, *input_shape, requires_grad=True)
        module(x)[(0, slice(None), *at)].sum().backward()
        touched = (x.grad[0].abs().sum(0) > 0).numpy()
        within = inside(theoretical(row, at), touched)
        assert not touched[~within].any()
        if "d2" not in text and "s4" not in text and "s3" not in text:  # those leave pixels between out
            np.testing.assert_array_equal(touched, within)


@pytest.mark.parametrize(("text", "input_shape"), NETWORKS)
def test_nothing_counts_outside_the_receptive_field(text, input_shape):
    network = parse(text)
    parameters = draw_parameters(network, input_shape, seed=3)
    row = summarize(network, input_shape)[-1]
    for at in places(row):
        field = effective(network, parameters, input_shape, layer=row.name, at=at)
        assert field.shape == input_shape[1:]
        assert (field >= 0).all()
        assert not field[~inside(theoretical(row, at), field)].any()


@pytest.mark.parametrize(("text", "input_shape"), NETWORKS)
def test_the_part_of_the_input_that_is_computed_is_enough(text, input_shape):
    network = Network([*without_kinks(text).layers, Conv(1, kernel_size=1)])
    parameters = draw_parameters(network, input_shape, seed=1)
    row = summarize(network, input_shape)[-1]
    for at in np.ndindex(row.output_shape[1:]):
        whole = input_gradient(network, parameters, np.zeros(input_shape), layer=row.name, at=(0, *at))
        field = effective(network, parameters, input_shape, layer=row.name, at=at, num_inputs=1)
        np.testing.assert_allclose(field, np.abs(whole).mean(axis=0), rtol=1e-4, atol=1e-7)


def torch_field(network, parameters, x, layer, at=()):
    module = modules.build(network, PICTURE, seed=0)
    module.load_state_dict({name: torch.as_tensor(values) for name, values in parameters.items()})
    x = torch.tensor(x, requires_grad=True)
    output = x
    for name, child in module.named_children():
        output = child(output)
        if name == layer:
            break
    signs = 1 - 2 * torch.randint(2, output.shape[:2], generator=torch.Generator().manual_seed(0))
    (output[(..., *at)] * signs).sum().backward()
    return x.grad.abs().mean(dim=(0, 1)).numpy()


def test_the_effective_field_is_the_mean_gradient_of_autograd():
    network = Network([*LENET_MODERN.layers[:-1], Linear(1)])
    parameters = draw_parameters(network, PICTURE, seed=0)
    x = np.random.default_rng(5).standard_normal((16, *PICTURE), np.float32)
    field = effective(network, parameters, PICTURE, layer="linear3", num_inputs=16, seed=5)
    np.testing.assert_allclose(field, torch_field(network, parameters, x, "linear3"), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("layer", "at"), [("pool1", (5, 9)), ("pool2", (4, 0))])
def test_the_effective_field_of_many_inputs_is_that_of_other_inputs_in_autograd(layer, at):
    parameters = draw_parameters(LENET_MODERN, PICTURE, seed=0)
    x = np.random.default_rng(6).standard_normal((800, *PICTURE), np.float32)
    expected = torch_field(LENET_MODERN, parameters, x, layer, at)
    field = effective(LENET_MODERN, parameters, PICTURE, layer=layer, at=at, num_inputs=800)
    np.testing.assert_allclose(field, expected, atol=0.15 * expected.max())


def test_a_stack_of_convolutions_is_seen_through_mostly_in_the_middle():
    network = parse("-".join(["conv8k3p1-relu"] * 6))
    weights = [draw_parameters(network, (1, 33, 33), seed=seed) for seed in range(8)]
    field = sum(effective(network, each, (1, 33, 33), layer="relu6", at=(16, 16)) for each in weights)
    seen = theoretical(row_of(network, (1, 33, 33), "relu6"), (16, 16))
    assert seen == (range(10, 23), range(10, 23))
    sums = [field[16 - ring : 17 + ring, 16 - ring : 17 + ring].sum() for ring in range(1, 7)]
    per_pixel = np.diff(sums) / [8 * ring for ring in range(2, 7)]  # of the rings around the middle 3 x 3
    assert (np.diff([sums[0] / 9, *per_pixel]) < 0).all()
    held = middle(field, seen)
    assert held.region == (range(13, 20), range(13, 20))
    assert held.pixel_share == 49 / 169
    assert held.influence_share > 2 * held.pixel_share


def test_an_average_counts_all_pixels_alike():
    field = effective(parse("avg4"), {}, (2, 8, 8), layer="pool1", at=(1, 0))
    np.testing.assert_allclose(field[4:, :4], 1 / 16)
    assert field.sum() == pytest.approx(1)


def test_the_seed_decides_the_inputs():
    parameters = draw_parameters(LENET, PICTURE, seed=0)
    one, same, other = (
        effective(LENET, parameters, PICTURE, layer="pool2", at=(2, 2), seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_inputs_in_several_chunks_are_averaged_alike(monkeypatch):
    parameters = draw_parameters(LENET, PICTURE, seed=0)
    options = {"layer": "pool2", "at": (2, 2), "num_inputs": 7}
    together = effective(LENET, parameters, PICTURE, **options)
    monkeypatch.setattr("cnn_core.receptive.MAX_CHUNK_BYTES", 100_000)
    np.testing.assert_allclose(effective(LENET, parameters, PICTURE, **options), together, rtol=1e-4)


def test_an_output_that_sees_padding_only_has_an_empty_field():
    network = parse("conv1k1p3")
    parameters = draw_parameters(network, (1, 5, 5), seed=0)
    field = effective(network, parameters, (1, 5, 5), layer="conv1", at=(0, 4))
    assert not field.any()
    assert middle(field, theoretical(row_of(network, (1, 5, 5), "conv1"), (0, 4))) is None


def test_the_work_grows_with_the_field_and_not_with_the_picture():
    network = parse("conv4k3p1-conv4k3p1")
    small, large = (work(network, (1, size, size), layer="conv2", at=(9, 9)) for size in (20, 200))
    assert small == large
    first, second = (4 * 9 * 5 * 5, 4 * 4 * 9 * 5 * 5)
    assert small == first + second


@pytest.mark.parametrize(
    ("values", "seen", "expected"),
    [
        ([0, 1, 2, 10, 6, 1, 0, 0], range(8), Middle((range(2, 6),), 0.5, 0.95)),
        ([3, 4, 3], range(3), Middle((range(1, 2),), 1 / 3, 0.4)),
        ([6, 4], range(2), Middle((range(2),), 1.0, 1.0)),
        ([5, 3, 2, 0], range(-5, 3), Middle((range(1),), 1 / 3, 0.5)),  # the middle is -3 to 0
    ],
)
def test_the_middle_of_a_hand_worked_field(values, seen, expected):
    assert middle(np.array(values, float), (seen,)) == expected


def test_the_middle_of_an_even_field_counts_as_much_as_it_has_pixels():
    field = effective(parse("avg8x4"), {}, (2, 16, 8), layer="pool1", at=(1, 0))
    held = middle(field, (range(8, 16), range(4)))
    assert held.region == (range(10, 14), range(1, 3))
    assert (held.pixel_share, held.influence_share) == (0.25, pytest.approx(0.25))


@pytest.mark.parametrize(
    ("layer", "at", "message"),
    [
        ("pool2", (5, 0), r"at \(5, 0\) is not a position in pool2's output, which has \(5, 5\)"),
        ("pool2", (0,), r"at \(0,\) is not a position"),
        ("pool2", (0, -1), "at -1 is below 0"),
        ("linear1", (0,), r"at \(0,\) is not a position in linear1's output, which has \(\)"),
    ],
)
def test_a_position_that_is_not_there_is_refused(layer, at, message):
    parameters = draw_parameters(LENET, PICTURE, seed=0)
    with pytest.raises(ValueError, match=message):
        theoretical(row_of(LENET, PICTURE, layer), at)
    with pytest.raises(ValueError, match=message):
        effective(LENET, parameters, PICTURE, layer=layer, at=at)


def test_a_flattened_map_points_to_the_layer_before():
    with pytest.raises(ValueError, match="flatten lines up the numbers of a map: take the layer before it"):
        theoretical(row_of(LENET, PICTURE, "flatten"))


def test_a_vector_has_no_field():
    with pytest.raises(ValueError, match="linear1 sees a vector, whose numbers have no neighbours"):
        theoretical(summarize(parse("10"), (784,))[0])
    parameters = draw_parameters(parse("10"), (784,), seed=0)
    with pytest.raises(ValueError, match=r"input_shape \(784,\) is a vector"):
        effective(parse("10"), parameters, (784,), layer="linear1")
