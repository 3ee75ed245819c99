"""Fresh parameters, and the gradient of one output with respect to the input."""

import math

import numpy as np
import pytest
import torch

from cnn_core import modules
from cnn_core.inspection import activations, check_parameters, draw_parameters, input_gradient
from cnn_core.network import LENET, LENET_MODERN, SIMPLE_CNN, parse
from cnn_core.network import format as format_network
from cnn_core.summary import follow, summarize

PICTURE = (1, 28, 28)


def as_torch(network, input_shape, parameters):
    """The same network with the same parameters in torch, in float64, as it is tested."""
    module = modules.build(network, input_shape, seed=0).double().eval()
    module.load_state_dict({name: torch.as_tensor(values) for name, values in parameters.items()})
    return module


def torch_gradient(module, x, layer, at):
    x = torch.tensor(x, requires_grad=True)
    output = x[None]
    for name, child in module.named_children():
        output = child(output)
        if name == layer:
            break
    output[(0, *at)].backward()
    return x.grad.numpy()


def assert_as_torch(network, input_shape, *, seed=0, layers=None):
    """Compare the gradients of a number of each layer; batch norms have learned something."""
    generator = np.random.default_rng(seed)
    parameters = draw_parameters(network, input_shape, seed=seed)
    for name, values in parameters.items():
        if "norm" in name and values.ndim:
            parameters[name] = generator.uniform(0.2, 2, values.shape)
    module = as_torch(network, input_shape, parameters)
    x = generator.normal(size=input_shape)
    for row in summarize(network, input_shape):
        if layers and row.name not in layers:
            continue
        at = tuple(generator.integers(size) for size in row.output_shape)
        gradient = input_gradient(network, parameters, x, layer=row.name, at=at)
        assert gradient.dtype == np.float64
        expected = torch_gradient(module, x, row.name, at)
        np.testing.assert_allclose(
            gradient, expected, rtol=1e-9, atol=1e-12, err_msg=f"{row.name} {format_network(network)}"
        )


@pytest.mark.parametrize("network", [LENET, LENET_MODERN, SIMPLE_CNN])
def test_gradients_of_the_presets_are_those_of_autograd(network):
    assert_as_torch(network, PICTURE)


@pytest.mark.parametrize(
    ("text", "input_shape"),
    [
        ("conv8k5x3s2x1p1x2d2x1g2-tanh-max3x2s2p1x0-conv6k1-avg3s2p1-flatten-10", (2, 20, 17)),
        ("conv4k3-norm-relu-max2-drop0.5-conv6k3p1-norm-relu-gap-5-norm-tanh-drop0.25-3", (2, 11, 9)),
        ("conv6k3g3s3-conv6k2g6-sigmoid-max3s1p1-flatten-4", (3, 16, 15)),
        ("conv2k2s5-flatten-3", (1, 13, 14)),
        ("avg3s4p1-conv2k3p4", (2, 12, 11)),
        ("max5s2p2-max2s3", (2, 19, 16)),
        ("conv6k5s2p2-relu-max3s2p1-conv8k3d2g2-norm-tanh-avg2p1-flatten-10", (1, 64)),
        ("conv4k3-gap-5", (3, 20)),
        ("16-relu-norm-flatten-4-tanh", (12,)),
    ],
)
def test_gradients_are_those_of_autograd(text, input_shape):
    assert_as_torch(parse(text), input_shape)


def random_network(generator) -> tuple:
    """Layers drawn one after another; those that do not fit are left out."""
    input_shape = (
        (int(generator.integers(1, 4)), int(generator.integers(9, 20)), int(generator.integers(9, 20)))
        if generator.random() < 0.7
        else (int(generator.integers(1, 4)), int(generator.integers(12, 40)))
    )
    tokens = []
    for _ in range(generator.integers(2, 9)):
        kind = generator.choice(["conv", "max", "avg", "norm", "relu", "tanh", "sigmoid"])
        window, stride, dilation = (
            generator.integers(1, 5),
            generator.integers(1, 4),
            generator.integers(1, 3),
        )
        padding = generator.integers(0, window // 2 + 1)
        groups = generator.integers(1, 4)
        token = {
            "conv": f"conv{groups * generator.integers(1, 4)}k{window}s{stride}p{padding}d{dilation}g{groups}",
            "max": f"max{window}s{stride}p{padding}",
            "avg": f"avg{window}s{stride}p{padding}",
        }.get(kind, kind)
        if not follow(parse("-".join([*tokens, token])), input_shape)[1]:
            tokens.append(token)
    tokens.append(generator.choice(["gap-4", "flatten-5-relu-3", "relu"]))
    return parse("-".join(tokens)), input_shape


@pytest.mark.parametrize("seed", range(60))
def test_gradients_of_random_networks_are_those_of_autograd(seed):
    network, input_shape = random_network(np.random.default_rng(seed))
    names = network.names
    assert_as_torch(network, input_shape, seed=seed, layers={names[-1], names[len(names) // 2]})


def test_the_first_of_equal_numbers_wins_a_maximum_as_in_torch():
    x = np.array([[[1.0, 3, 3], [3, 0, 3], [2, 3, 1]]])
    network = parse("max2s1")
    for at in np.ndindex(1, 2, 2):
        expected = torch_gradient(modules.build(network, x.shape, seed=0), x, "pool1", at)
        np.testing.assert_array_equal(input_gradient(network, {}, x, layer="pool1", at=at), expected)


def test_pixels_that_no_window_reaches_have_no_gradient():
    network = parse("conv1k2s3")
    parameters = draw_parameters(network, (1, 9, 9), seed=0)
    gradient = input_gradient(network, parameters, np.ones((1, 9, 9)), layer="conv1", at=(0, 2, 2))
    assert {tuple(place) for place in np.argwhere(gradient[0])} == {(6, 6), (6, 7), (7, 6), (7, 7)}


def test_later_layers_change_nothing():
    parameters = draw_parameters(LENET, PICTURE, seed=0)
    x = np.random.default_rng(0).normal(size=PICTURE)
    part = parse("conv6k5p2-sigmoid-avg2")
    own = {name: values for name, values in parameters.items() if name.startswith("conv1")}
    place = {"layer": "pool1", "at": (3, 7, 8)}
    np.testing.assert_array_equal(
        input_gradient(LENET, parameters, x, **place), input_gradient(part, own, x, **place)
    )


def test_a_picture_of_float32_keeps_its_type():
    parameters = draw_parameters(LENET, PICTURE, seed=0)
    x = np.random.default_rng(0).normal(size=PICTURE)
    narrow = input_gradient(LENET, parameters, x.astype(np.float32), layer="linear3", at=(4,))
    assert narrow.dtype == np.float32
    wide = input_gradient(LENET, parameters, x, layer="linear3", at=(4,))
    np.testing.assert_allclose(narrow, wide, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("x", "layer", "at", "error", "message"),
    [
        (
            PICTURE,
            "conv9",
            (0,),
            ValueError,
            "the network has no layer 'conv9': it has conv1, sigmoid1, pool1",
        ),
        (
            PICTURE,
            "pool2",
            (16, 0, 0),
            ValueError,
            r"at \(16, 0, 0\) is not a number of pool2's output \(16, 5, 5\)",
        ),
        (PICTURE, "pool2", (0, 0), ValueError, r"at \(0, 0\) is not a number of pool2's output"),
        (PICTURE, "pool2", (0, -1, 0), ValueError, "at -1 is below 0"),
        (PICTURE, "pool2", (0, 0.5, 0), TypeError, "at 0.5 .float. is not an integer"),
        ((2, *PICTURE), "pool2", (0, 0, 0), ValueError, "has 4 axes: give one example"),
    ],
)
def test_a_number_that_is_not_there_is_refused(x, layer, at, error, message):
    parameters = draw_parameters(LENET, PICTURE, seed=0)
    with pytest.raises(error, match=message):
        input_gradient(LENET, parameters, np.zeros(x), layer=layer, at=at)


@pytest.mark.parametrize(
    ("text", "input_shape"),
    [
        ("conv64k5p2g2-norm-relu-gap-200-norm-10", (8, 12, 12)),
        ("conv64k9-max2-norm-flatten-100", (4, 60)),
        ("300-norm-100", (200,)),
    ],
)
def test_fresh_parameters_are_distributed_as_those_of_torch(text, input_shape):
    network = parse(text)
    drawn = draw_parameters(network, input_shape, seed=0)
    check_parameters(network, input_shape, drawn)
    built = modules.build(network, input_shape, seed=0).state_dict()
    assert list(drawn) == list(built)
    for name, tensor in built.items():
        theirs, ours = tensor.numpy(), drawn[name]
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if "norm" in name:
            np.testing.assert_array_equal(ours, theirs)
        elif ours.size > 1000:
            assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.01)
            assert ours.std() == pytest.approx(np.abs(ours).max() / math.sqrt(3), rel=0.05)


def test_biases_lie_within_one_over_the_root_of_their_inputs():
    biases = draw_parameters(parse("flatten-5000"), (1, 10, 10), seed=0)["linear1.bias"]
    assert 0.099 < np.abs(biases).max() <= 0.1


def test_the_seed_decides_the_parameters_and_later_layers_do_not():
    one, same, other = (draw_parameters(LENET, PICTURE, seed=seed) for seed in (1, 1, 2))
    part = draw_parameters(parse("conv6k5p2-sigmoid-avg2-conv16k5"), PICTURE, seed=1)
    for name, values in one.items():
        np.testing.assert_array_equal(values, same[name])
        assert not np.array_equal(values, other[name])
    for name, values in part.items():
        np.testing.assert_array_equal(values, one[name])


def test_fresh_parameters_send_a_picture_through():
    outputs = activations(LENET, draw_parameters(LENET, PICTURE, seed=0), np.ones(PICTURE))
    assert np.isfinite(outputs[-1][1]).all()
