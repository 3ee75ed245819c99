import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from cnn_core import modules
from cnn_core.inspection import CHUNK, activations, check_parameters, confusion_matrix, predict, softmax
from cnn_core.network import LENET, PRESETS, parse

PICTURE = (1, 28, 28)
SIGNALS = [
    ("conv6k5s2p2-relu-max3s2p1-conv8k3d2g2-norm-tanh-avg2p1-flatten-10-norm-sigmoid-3", (1, 64)),
    ("conv4k3-drop0.5-gap-5", (3, 20)),
    ("norm-max4s1-flatten-2", (2, 9)),
    ("16-relu-norm-drop0.5-flatten-4-tanh", (12,)),
]
NETWORKS = [
    *(
        pytest.param(preset.network, shape, id=f"{name}-{shape[0]}")
        for name, preset in PRESETS.items()
        for shape in (PICTURE, (3, 32, 32))
    ),
    *(
        pytest.param(parse(text), shape, id=text)
        for text, shape in [
            ("conv8k5x3s2x1p1x2d2x1g2-tanh-max3x2s2p1x0-conv6k1-avg3s2p1-flatten-10", (2, 20, 17)),
            ("avg3s1p1-sigmoid-flatten-4", (1, 5, 6)),
            ("conv4k3-norm-relu-max2-drop0.5-conv6k3p1-norm-relu-gap-5-norm-tanh-drop0.25-3", (2, 11, 9)),
            ("norm-gap-drop0.5-norm", (3, 5, 6)),
        ]
    ),
]


def saved(module):
    """The parameters as a run saves them and a page loads them."""
    return load(save({name: tensor.numpy() for name, tensor in module.state_dict().items()}))


def built(network=LENET, input_shape=PICTURE):
    """A module as it is tested, and its parameters; batch norms have learned something."""
    module = modules.build(network, input_shape, seed=0)
    with torch.no_grad():
        for layer in module:
            if hasattr(layer, "running_mean"):
                generator = torch.Generator().manual_seed(1)
                for tensor in (layer.weight, layer.bias, layer.running_mean):
                    tensor.normal_(generator=generator)
                layer.running_var.uniform_(0.1, 4, generator=generator)
    return module.eval(), saved(module)


def pictures(input_shape, num_pictures=4):
    return np.random.default_rng(0).normal(size=(num_pictures, *input_shape)).astype(np.float32)


@pytest.mark.parametrize(("network", "input_shape"), NETWORKS)
def test_activations_are_those_of_torch(network, input_shape):
    module, parameters = built(network, input_shape)
    x = pictures(input_shape)
    expected = torch.from_numpy(x)
    for (name, output), (module_name, layer) in zip(
        activations(network, parameters, x), module.named_children(), strict=True
    ):
        expected = layer(expected)
        assert name == module_name
        assert output.dtype == np.float32
        np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("network", "input_shape"), NETWORKS)
def test_probabilities_are_those_of_torch(network, input_shape):
    module, parameters = built(network, input_shape)
    x = pictures(input_shape)
    expected = module(torch.from_numpy(x)).softmax(-1).detach().numpy()
    np.testing.assert_allclose(predict(network, parameters, x), expected, rtol=1e-5, atol=1e-6)


def test_one_picture_gives_outputs_without_a_batch_axis():
    _, parameters = built()
    x = pictures(PICTURE)
    outputs = dict(activations(LENET, parameters, x[0]))
    assert outputs["conv1"].shape == (6, 28, 28)
    assert outputs["linear3"].shape == predict(LENET, parameters, x[0]).shape == (10,)
    np.testing.assert_allclose(
        outputs["pool2"], dict(activations(LENET, parameters, x))["pool2"][0], rtol=1e-5
    )


@pytest.mark.parametrize(("text", "input_shape"), SIGNALS)
def test_signals_and_vectors_go_through_as_in_torch(text, input_shape):
    module, parameters = built(parse(text), input_shape)
    x = pictures(input_shape, 1)
    expected = torch.from_numpy(x)
    outputs = activations(parse(text), parameters, x[0])
    for (_, output), layer in zip(outputs, module, strict=True):
        expected = layer(expected)
        np.testing.assert_allclose(output, expected[0].detach().numpy(), rtol=1e-5, atol=2e-6)


def test_many_pictures_are_predicted_as_each_alone():
    _, parameters = built()
    x = pictures(PICTURE, CHUNK + 3)
    together = predict(LENET, parameters, x)
    alone = [predict(LENET, parameters, x[index]) for index in (0, CHUNK - 1, CHUNK, CHUNK + 2)]
    np.testing.assert_allclose(together[[0, CHUNK - 1, CHUNK, CHUNK + 2]], alone, rtol=1e-5)


def test_sigmoid_and_softmax_bear_large_numbers():
    parameters = {"linear1.weight": np.eye(2), "linear1.bias": np.zeros(2)}
    x = np.array([[[-1e4, 1e4]]])
    assert dict(activations(parse("sigmoid-flatten-2"), parameters, x))["sigmoid1"].tolist() == [[[0, 1]]]
    assert predict(parse("flatten-2"), parameters, x).tolist() == [0, 1]


def test_softmax_of_a_hand_worked_example():
    np.testing.assert_allclose(softmax(np.log([[1.0, 3.0], [2.0, 2.0]])), [[0.25, 0.75], [0.5, 0.5]])


def test_softmax_bears_logits_further_apart_than_the_largest_float():
    assert softmax(np.array([3e38, -3e38], np.float32)).tolist() == [1, 0]


def test_infinite_logits_are_refused():
    parameters = {"linear1.weight": np.full((2, 1), 3e38), "linear1.bias": np.zeros(2)}
    with pytest.raises(ValueError, match="logits have 2 values that are not finite"):
        predict(parse("flatten-2"), parameters, np.full((1, 1, 1), 10.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv2.bias": None}, r"parameters lack conv2\.bias of shape \(16,\)"),
        (
            {"conv1.weight": np.zeros((6, 3, 5, 5))},
            r"conv1\.weight of shape \(6, 3, 5, 5\) does not fit the network, which has \(6, 1, 5, 5\)",
        ),
        ({"linear3.bias": np.full(10, np.nan)}, r"linear3\.bias has 10 values that are not finite"),
        ({"linear3.bias": np.arange(10)}, r"linear3\.bias of type int64 does not hold floats"),
        ({"linear4.bias": np.zeros(3)}, r"parameters have linear4\.bias, which the network does not have"),
    ],
)
def test_parameters_of_another_network_are_refused(change, message):
    _, parameters = built()
    changed = {name: value for name, value in {**parameters, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        check_parameters(LENET, PICTURE, changed)
    for function in (activations, predict):
        with pytest.raises(ValueError, match=message):
            function(LENET, changed, pictures(PICTURE))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm1.running_mean": None}, r"parameters lack norm1\.running_mean of shape \(3,\)"),
        ({"norm1.running_var": np.array([1.0, -1, -2])}, r"norm1\.running_var has 2 values below 0"),
        ({"norm1.running_var": np.ones(4)}, r"norm1\.running_var of shape \(4,\) does not fit"),
        ({"norm1.num_batches_tracked": np.array(1.0)}, "type float64 does not hold integers"),
    ],
)
def test_the_statistics_of_a_batch_norm_are_checked(change, message):
    network, input_shape = parse("norm-gap"), (3, 5, 6)
    _, parameters = built(network, input_shape)
    check_parameters(network, input_shape, parameters)
    changed = {name: value for name, value in {**parameters, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        check_parameters(network, input_shape, changed)


def test_a_batch_norm_of_a_hand_worked_example():
    parameters = {
        "norm1.weight": np.array([2.0]),
        "norm1.bias": np.array([1.0]),
        "norm1.running_mean": np.array([5.0]),
        "norm1.running_var": np.array([4.0]),
        "norm1.num_batches_tracked": np.array(3),
    }
    ((_, norm), (_, dropout), (_, gap)) = activations(
        parse("norm-drop0.5-gap"), parameters, np.array([[[5.0, 9.0]]])
    )
    np.testing.assert_allclose(norm, [[[1, 5]]], rtol=1e-5)  # (5 - 5) / 2 * 2 + 1 and (9 - 5) / 2 * 2 + 1
    assert np.array_equal(dropout, norm)
    np.testing.assert_allclose(gap, [3], rtol=1e-5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((28, 28)), r"conv1\.weight of shape \(6, 1, 5, 5\) does not fit the network"),
        (np.zeros((1, 1, 1, 28, 28)), r"x \(1, 1, 1, 28, 28\) has 5 axes, not 3 \(C, H, W\), 2 \(C, L\)"),
        (np.full(PICTURE, np.inf), "x has 784 values that are not finite"),
        (np.zeros((1, 3, 3)), r"conv2 \(conv16k5\) gets \(6, 1, 1\): along the height"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(x, message):
    _, parameters = built()
    with pytest.raises(ValueError, match=message):
        activations(LENET, parameters, x)


def test_probabilities_need_a_flat_output():
    with pytest.raises(ValueError, match=r"relu1 gives \(1, 28, 28\), not \(num_classes,\)"):
        predict(parse("relu"), {}, pictures(PICTURE))


def test_a_confusion_matrix_counts_true_classes_in_rows():
    labels, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 2, 1, 2, 2, 0])
    assert confusion_matrix(labels, predictions, 4).tolist() == [
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [1, 0, 2, 0],
        [0, 0, 0, 0],
    ]


def test_a_confusion_matrix_of_bytes_does_not_overflow():
    labels = np.full(300, 99, np.uint8)
    assert confusion_matrix(labels, labels, 100)[99, 99] == 300


@pytest.mark.parametrize(
    ("labels", "predictions", "error", "message"),
    [
        ([0, 1], [0], ValueError, r"labels \(2,\) and predictions \(1,\) are not both \(N,\)"),
        ([0, 3], [0, 1], ValueError, "labels 0 to 3 exceed 0 to 2"),
        ([0, 1], [-1, 1], ValueError, "predictions -1 to 1 exceed 0 to 2"),
        ([0, 1], [0.5, 1], TypeError, "predictions of type float64 are not integers"),
    ],
)
def test_classes_that_cannot_be_counted_are_refused(labels, predictions, error, message):
    with pytest.raises(error, match=message):
        confusion_matrix(np.array(labels), np.array(predictions), 3)


def test_no_torch_is_needed():
    imports = "import sys, cnn_core.network, cnn_core.summary, cnn_core.inspection"
    script = f"{imports}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
