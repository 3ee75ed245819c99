import math

import pytest
import torch
from torch import nn

from cnn_core import modules
from cnn_core.network import LENET, PRESETS, parse
from cnn_core.summary import summarize

PICTURE = (1, 28, 28)
NETWORKS = [
    *(pytest.param(preset.network, PICTURE, id=name) for name, preset in PRESETS.items()),
    *(
        pytest.param(parse(text), shape, id=text)
        for text, shape in [
            ("conv8k5x3s2x1p1x2d2x1g2-tanh-max3x2s2p1x0-conv6k1-avg3s2p1-flatten-10", (2, 20, 17)),
            ("max2-relu-relu-tanh", (3, 9, 9)),
            ("relu-conv4k3-conv2k3-flatten-sigmoid", (1, 8, 8)),
            ("20-relu-10", (30,)),
            ("sigmoid", (1, 4, 4)),
            ("conv4k3-norm-relu-max2-drop0.5-conv6k3p1-norm-relu-gap-5-norm-tanh-drop0.25-3", (2, 11, 9)),
            ("norm-drop0-relu-norm-gap", (3, 5, 5)),
            ("norm-8-norm-drop0.9", (12,)),
            ("conv8k5s2p2d2g2-norm-tanh-max3s2p1-drop0.5-conv6k1-avg3s2p1-relu-flatten-10", (2, 41)),
            ("avg2-conv4k3-norm-relu-gap-norm-5-sigmoid-3", (3, 17)),
            ("relu-flatten-relu-flatten-8i27-flatten", (3, 9)),
        ]
    ),
]


def pictures(input_shape, *, seed=0):
    return torch.randn(3, *input_shape, generator=torch.Generator().manual_seed(seed))


def run_seeded(module, x, *, seed=0):
    """Run a module in training mode, with dropout that the seed decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return module.train()(x)


def built_from_source(text):
    namespace = {}
    exec(text, namespace)
    return namespace["Network"]()


@pytest.mark.parametrize(("network", "input_shape"), NETWORKS)
def test_the_source_computes_the_same_bit_for_bit(network, input_shape):
    module = modules.build(network, input_shape, seed=1)
    written = built_from_source(modules.source(network, input_shape))
    written.load_state_dict(module.state_dict())
    x = pictures(input_shape)
    for _ in range(2):
        assert torch.equal(
            run_seeded(written, x), run_seeded(module, x)
        )  # batch norms learn their statistics
    assert torch.equal(written.eval()(x), module.eval()(x))
    assert all(torch.equal(written.state_dict()[name], value) for name, value in module.state_dict().items())


@pytest.mark.parametrize(("network", "input_shape"), NETWORKS)
def test_no_line_of_the_source_ends_in_a_space(network, input_shape):
    assert not any(line.endswith(" ") for line in modules.source(network, input_shape).splitlines())


def test_the_source_imports_what_it_uses_only():
    assert modules.source(parse("conv4k3"), PICTURE).startswith("from torch import nn\n\n\nclass")
    assert "import torch\n" in modules.source(parse("relu"), PICTURE)
    assert "functional" not in modules.source(parse("relu"), PICTURE)


@pytest.mark.parametrize(("network", "input_shape"), NETWORKS)
def test_layers_and_parameters_are_named_as_in_the_summary(network, input_shape):
    rows = summarize(network, input_shape)
    module = modules.build(network, input_shape, seed=0)
    assert [name for name, _ in module.named_children()] == [row.name for row in rows]
    assert {name: tuple(parameter.shape) for name, parameter in module.named_parameters()} == {
        f"{row.name}.{name}": shape for row in rows for name, shape in row.parameter_shapes
    }
    assert {name: tuple(buffer.shape) for name, buffer in module.named_buffers()} == {
        f"{row.name}.{name}": shape for row in rows for name, shape in row.buffer_shapes
    }


def test_the_layers_are_those_of_the_notation():
    module = modules.build(parse("conv4k5x3s2p1-tanh-max3s2p1-avg2-flatten-relu-7-sigmoid"), PICTURE, seed=0)
    assert list(map(str, module)) == [
        "Conv2d(1, 4, kernel_size=(5, 3), stride=(2, 2), padding=(1, 1))",
        "Tanh()",
        "MaxPool2d(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=1, ceil_mode=False)",
        "AvgPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))",
        "Flatten(start_dim=1, end_dim=-1)",
        "ReLU()",
        "Linear(in_features=36, out_features=7, bias=True)",
        "Sigmoid()",
    ]


def test_a_batch_norm_has_as_many_axes_as_what_it_gets():
    module = modules.build(parse("conv4k5-norm-drop0.25-gap-7-norm"), PICTURE, seed=0)
    assert list(map(str, module))[2:4] == ["Dropout(p=0.25, inplace=False)", "GlobalAvgPool()"]
    assert (type(module.norm1), module.norm1.num_features) == (nn.BatchNorm2d, 4)
    assert (type(module.norm2), module.norm2.num_features) == (nn.BatchNorm1d, 7)


def test_on_a_signal_the_layers_have_one_axis():
    text = "conv4k5s2p1g2-norm-max3s2p1-avg2-gap-7i4"
    assert list(map(str, modules.build(parse(text), (2, 128), seed=0))) == [
        "Conv1d(2, 4, kernel_size=(5,), stride=(2,), padding=(1,), groups=2)",
        str(nn.BatchNorm1d(4)),
        "MaxPool1d(kernel_size=(3,), stride=(2,), padding=(1,), dilation=1, ceil_mode=False)",
        "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))",
        "GlobalAvgPool()",
        "Linear(in_features=4, out_features=7, bias=True)",
    ]


def test_global_average_pooling_is_torchs_adaptive_pooling_to_one_pixel():
    x = pictures((4, 7, 5))
    (gap,) = modules.build(parse("gap"), (4, 7, 5), seed=0)
    torch.testing.assert_close(gap(x), nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))
    signals = pictures((4, 7))
    torch.testing.assert_close(gap(signals), nn.functional.adaptive_avg_pool1d(signals, 1).flatten(1))


def test_a_fresh_batch_norm_in_training_makes_mean_0_and_variance_1():
    (norm,) = modules.build(parse("norm"), (4, 7, 5), seed=0)
    out = norm(3 * pictures((4, 7, 5)) + 2)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(out.var((0, 2, 3), correction=0), torch.ones(4), rtol=0, atol=1e-4)


def test_layers_without_random_parameters_leave_the_others_as_they_were():
    with_them = modules.build(parse("conv4k5-norm-drop0.5-gap-10"), PICTURE, seed=7).state_dict()
    without = modules.build(parse("conv4k5-max24-flatten-10"), PICTURE, seed=7).state_dict()
    assert all(torch.equal(with_them[name], value) for name, value in without.items())


def test_the_source_is_what_a_person_would_write():
    source = modules.source(parse("conv8k3p1-norm-relu-max2-drop0.25-gap-20-norm-relu-10"), PICTURE)
    assert (
        source
        == """\
import torch
from torch import nn
from torch.nn import functional as F


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.dropout1 = nn.Dropout(0.25)
        self.linear1 = nn.Linear(8, 20)
        self.norm2 = nn.BatchNorm1d(20)
        self.linear2 = nn.Linear(20, 10)

    def forward(self, x):  # (N, 1, 28, 28)
        x = torch.relu(self.norm1(self.conv1(x)))  # (N, 8, 28, 28)
        x = F.max_pool2d(x, 2)  # (N, 8, 14, 14)
        x = self.dropout1(x)  # (N, 8, 14, 14)
        x = x.mean((2, 3))  # (N, 8)
        x = torch.relu(self.norm2(self.linear1(x)))  # (N, 20)
        return self.linear2(x)  # (N, 10)
"""
    )


def test_the_source_for_a_signal_is_what_a_person_would_write():
    source = modules.source(parse("conv8k5s2p2g2-norm-relu-max3s2p1-avg2-gap-20i8-relu-10"), (2, 128))
    assert (
        source
        == """\
import torch
from torch import nn
from torch.nn import functional as F


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(2, 8, kernel_size=5, stride=2, padding=2, groups=2)
        self.norm1 = nn.BatchNorm1d(8)
        self.linear1 = nn.Linear(8, 20)
        self.linear2 = nn.Linear(20, 10)

    def forward(self, x):  # (N, 2, 128)
        x = torch.relu(self.norm1(self.conv1(x)))  # (N, 8, 64)
        x = F.max_pool1d(x, 3, stride=2, padding=1)  # (N, 8, 32)
        x = F.avg_pool1d(x, 2)  # (N, 8, 16)
        x = x.mean(-1)  # (N, 8)
        x = torch.relu(self.linear1(x))  # (N, 20)
        return self.linear2(x)  # (N, 10)
"""
    )


def test_the_same_seed_gives_the_same_parameters_whatever_was_drawn_before():
    first = modules.build(LENET, PICTURE, seed=7).state_dict()
    torch.rand(5)
    second = modules.build(LENET, PICTURE, seed=7).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_parameters():
    first, second = (modules.build(LENET, PICTURE, seed=seed).state_dict() for seed in (7, 8))
    assert not any(torch.equal(first[name], second[name]) for name in first)


def test_torchs_own_random_state_is_left_alone():
    before = torch.get_rng_state()
    modules.build(LENET, PICTURE, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_fill_the_range_of_xavier():
    module = modules.build(LENET, PICTURE, seed=0)
    (conv1d,) = modules.build(parse("conv60k25"), (10, 30), seed=0)
    for layer, fan_in, fan_out in [
        (module.conv2, 6 * 25, 16 * 25),
        (module.linear1, 400, 120),
        (conv1d, 10 * 25, 60 * 25),
    ]:
        bound = math.sqrt(6 / (fan_in + fan_out))
        assert 0.99 * bound < layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)


@pytest.mark.parametrize(
    ("text", "input_shape", "fan_in"),
    [
        ("conv1000k1", (1, 1, 1), 1),
        ("conv1000k2x1g2", (4, 3, 3), 4),
        ("conv1000k2g2", (4, 3), 4),
        ("1000", (3,), 3),
    ],
)
def test_biases_fill_the_range_that_torch_gives_them(text, input_shape, fan_in):
    (layer,) = modules.build(parse(text), input_shape, seed=0)
    bound = 1 / math.sqrt(fan_in)
    assert 0.98 * bound < layer.bias.abs().max() <= bound


def test_weights_are_drawn_as_init_cnn_draws_them():
    """The book's init_cnn, with the same generator, on the first layer."""
    expected = nn.Conv2d(1, 6, kernel_size=5, padding=2)
    nn.init.xavier_uniform_(expected.weight, generator=torch.Generator().manual_seed(5))
    assert torch.equal(modules.build(LENET, PICTURE, seed=5).conv1.weight, expected.weight)


def test_a_network_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"conv1 \(conv4k9\) gets \(1, 8, 8\)"):
        modules.build(parse("conv4k9"), (1, 8, 8), seed=0)
