import re

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from cnn_core import onnx_export
from cnn_core.modules import build
from cnn_core.network import LENET, PRESETS, parse

NORMS = parse("conv6k5p2-norm-relu-max2-drop0.5-conv8k3s2d2g2-tanh-avg3s2p1-gap-drop0.2-norm-10")
SIGNAL = parse("conv6k5p2-norm-relu-max2-conv8k3s2p1-sigmoid-avg2-gap-10")


def trained(network, input_shape):
    """Build a module whose batch norms have seen something."""
    module = build(network, input_shape, seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    for name, values in module.state_dict().items():
        if name.startswith("norm") and values.is_floating_point():
            values.uniform_(0.5, 1.5, generator=generator)
    return module


def arrays(module):
    return {name: value.numpy() for name, value in module.state_dict().items()}


def run(content, x):
    """Run an ONNX file with onnx's own reference, which shares nothing with torch."""
    return ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"input": x.numpy()})[0]


@pytest.mark.parametrize(
    ("network", "input_shape"),
    [
        *((preset.network, (1, 28, 28)) for preset in PRESETS.values()),
        (NORMS, (3, 32, 27)),
        (SIGNAL, (2, 60)),
        (parse("20-norm-tanh-drop0.5-3"), (12,)),
    ],
)
def test_the_file_computes_what_torch_computes_for_a_batch_of_any_size(network, input_shape):
    module = trained(network, input_shape)
    content = onnx_export.export(network, input_shape, parameters=arrays(module))
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    for num_examples in (1, 3):
        x = torch.randn(num_examples, *input_shape, generator=torch.Generator().manual_seed(3))
        expected = module(x).detach().numpy()
        np.testing.assert_allclose(run(content, x), expected, rtol=1e-5, atol=1e-5)


def test_fresh_parameters_are_those_of_the_seed():
    x = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    content = onnx_export.export(LENET, (1, 28, 28), seed=7)
    expected = build(LENET, (1, 28, 28), seed=7)(x).detach().numpy()
    np.testing.assert_allclose(run(content, x), expected, atol=1e-5)


def test_the_file_names_its_ends_and_its_layers():
    graph = onnx.load_from_string(onnx_export.export(LENET, (1, 28, 28))).graph
    (source,), (target,) = graph.input, graph.output
    axes = [axis.dim_param or axis.dim_value for axis in source.type.tensor_type.shape.dim]
    assert (source.name, axes, target.name) == ("input", ["N", 1, 28, 28], "output")
    assert {"conv1.weight", "linear3.bias"} <= {tensor.name for tensor in graph.initializer}


def test_torchs_random_state_is_left_alone():
    before = torch.get_rng_state()
    onnx_export.export(LENET, (1, 28, 28))
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_over_the_budget_is_refused_before_anything_is_made(monkeypatch):
    monkeypatch.setattr("cnn_core.modules.build", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(ValueError, match=r"num_params 79,500,010 .* exceeds 50,000,000"):
        onnx_export.export(parse("flatten-100000-10"), (1, 28, 28))


def test_parameters_of_another_network_are_refused():
    parameters = arrays(build(LENET, (1, 28, 28), seed=0))
    with pytest.raises(ValueError, match=re.escape("conv1.weight of shape (6, 1, 5, 5) does not fit")):
        onnx_export.export(SIGNAL, (1, 28), parameters=parameters)


def test_without_the_packages_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(onnx_export, "PACKAGES", ("onnx", "no_such_package"))
    assert not onnx_export.is_available()
    expected = "python -m pip install -r requirements-onnx.txt"
    with pytest.raises(onnx_export.PackagesMissing, match=expected):
        onnx_export.export(LENET, (1, 28, 28))
