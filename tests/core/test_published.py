import math
import re

import pytest
import torch
import torchinfo
import torchvision
from torch import nn

from cnn_core.network import PRESETS, Conv, Dropout, MaxPool, Network
from cnn_core.published import INPUT_SHAPE, PUBLISHED, layer_table, layers
from cnn_core.summary import summarize

WEIGHTS = {
    "alexnet": torchvision.models.AlexNet_Weights,
    "vgg11": torchvision.models.VGG11_Weights,
    "vgg16": torchvision.models.VGG16_Weights,
    "resnet18": torchvision.models.ResNet18_Weights,
    "mobilenet-v2": torchvision.models.MobileNet_V2_Weights,
}
FUNCTIONS = ("add", "flatten", "adaptive_avg_pool2d")
every_network = pytest.mark.parametrize("name", PUBLISHED)


def torchvision_model(name):
    with torch.device("meta"):
        return torchvision.models.get_model(PUBLISHED[name].builder, weights=None).eval()


def leaves(model):
    return {name: module for name, module in model.named_modules() if not list(module.children())}


def outputs_of_leaves(model, x):
    """Run a network: (name, class, input, output) of each use of a leaf module, first one first."""
    uses = []
    for name, module in leaves(model).items():
        module.register_forward_hook(
            lambda module, inputs, output, name=name: uses.append(
                (name, type(module).__name__, inputs[0], output)
            )
        )
    model(x)
    return uses


def module_rows(name, input_shape):
    return [row for row in layer_table(name, input_shape) if row.kind not in FUNCTIONS]


def thin(model):
    """Leave one channel and what decides which inputs an output depends on; all weights are positive."""
    for name, module in leaves(model).items():
        parent = model.get_submodule(name.rpartition(".")[0])
        replacement = nn.Identity()
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            replacement = nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            replacement = module
        setattr(parent, name.rpartition(".")[2], replacement)
    return model


def thin_uses(name, height, width):
    """Return the picture, and what each step of the thin network makes of it."""
    x = torch.zeros(1, 1, height, width, dtype=torch.float64, requires_grad=True)
    return x, outputs_of_leaves(thin(torchvision_model(name)), x)


def gradient_support(output, x):
    """Find the rows and columns of the picture on which an output depends: (first, number of them)."""
    (gradient,) = torch.autograd.grad(output.sum(), x, retain_graph=True)
    positions = gradient[0, 0].nonzero()
    first, last = positions.min(0).values, positions.max(0).values
    return first, tuple((last - first + 1).tolist())


@every_network
@pytest.mark.parametrize("input_shape", [INPUT_SHAPE, (3, 97, 130), (3, 256, 320)])
def test_the_rows_are_the_modules_that_torch_runs_with_their_shapes(name, input_shape):
    uses = outputs_of_leaves(torchvision_model(name), torch.empty(1, *input_shape, device="meta"))
    assert [
        (row.name, row.kind, row.input_shape, row.output_shape, row.activation_bytes)
        for row in module_rows(name, input_shape)
    ] == [
        (name, kind, tuple(source.shape[1:]), tuple(output.shape[1:]), output.nbytes)
        for name, kind, source, output in uses
    ]


@every_network
@pytest.mark.parametrize("input_shape", [INPUT_SHAPE, (3, 97, 130)])
def test_parameters_and_mult_adds_agree_with_torchinfo(name, input_shape):
    table = torchinfo.summary(
        torchvision_model(name), input_size=(1, *input_shape), device="meta", depth=9, verbose=0
    )
    lines = [line for line in table.summary_list if line.is_leaf_layer]
    rows = module_rows(name, input_shape)
    assert [row.num_params for row in rows] == [line.num_params for line in lines]
    assert sum(row.num_params for row in rows) == table.total_params

    def as_torchinfo_counts(row):
        if row.kind == "BatchNorm2d":
            return row.num_params  # at one position only
        has_bias = "bias" in dict(row.parameter_shapes)
        return row.mult_adds + has_bias * math.prod(row.output_shape)

    assert [as_torchinfo_counts(row) for row in rows] == [line.macs for line in lines]


@every_network
def test_totals_are_those_that_torchvision_publishes(name):
    published = WEIGHTS[name].IMAGENET1K_V1.meta
    rows = layer_table(name, INPUT_SHAPE)
    assert sum(row.num_params for row in rows) == published["num_params"]
    without_norms = sum(row.mult_adds for row in rows if row.kind in ("Conv2d", "Linear"))
    assert round(without_norms / 1e9, 3) == published["_ops"]


def test_a_batch_norm_multiplies_each_number_once():
    rows = {row.name: row for row in layer_table("resnet18", INPUT_SHAPE)}
    assert rows["bn1"].mult_adds == math.prod(rows["bn1"].output_shape) == 64 * 112 * 112


def test_steps_without_a_module_have_rows_but_cost_nothing():
    rows = layer_table("resnet18", INPUT_SHAPE)
    steps = [row for row in rows if row.kind in ("add", "flatten")]
    assert [row.name for row in steps][:2] == ["layer1.0.add", "layer1.1.add"]
    assert len(steps) == 8 + 1
    assert {(row.num_params, row.mult_adds) for row in steps} == {(0, 0)}
    pooling = [row for row in layer_table("mobilenet-v2", INPUT_SHAPE) if row.kind == "adaptive_avg_pool2d"]
    assert [(row.input_shape, row.output_shape) for row in pooling] == [((1280, 7, 7), (1280, 1, 1))]


@every_network
def test_a_layer_of_our_own_makes_the_shape_that_torch_makes(name):
    for row in layer_table(name, (3, 97, 130)):
        if row.layer is None:
            assert row.kind in ("add", "adaptive_avg_pool2d", "AdaptiveAvgPool2d", "ReLU6"), row.name
            continue
        (own,) = summarize(Network([row.layer]), row.input_shape)
        assert own.output_shape == row.output_shape, row.name
        shapes, own_shapes = dict(row.parameter_shapes), dict(own.parameter_shapes)
        assert shapes.get("weight") == own_shapes.get("weight"), row.name
        assert shapes.items() <= own_shapes.items(), row.name  # some convolutions have no bias


def test_layers_of_our_own_have_the_numbers_of_torchs():
    residual = {row.name: row.layer for row in layer_table("resnet18", INPUT_SHAPE)}
    assert residual["conv1"] == Conv(64, kernel_size=7, stride=2, padding=3)
    assert residual["maxpool"] == MaxPool(3, stride=2, padding=1)
    assert residual["layer1.0.add"] is None
    depthwise = {row.name: row.layer for row in layer_table("mobilenet-v2", INPUT_SHAPE)}
    assert depthwise["features.2.conv.1.0"] == Conv(96, kernel_size=3, stride=2, padding=1, groups=96)
    assert depthwise["classifier.0"] == Dropout(0.2)


@every_network
def test_receptive_fields_are_where_the_gradient_is(name):
    x, uses = thin_uses(name, 640, 640)
    for row, (_, _, _, output) in zip(module_rows(name, (3, 640, 640)), uses, strict=True):
        if row.kind not in ("Conv2d", "MaxPool2d", "ReLU") or row.effective_stride is None:
            continue
        row_index, column = (size // 2 for size in output.shape[2:])
        here, size = gradient_support(output[..., row_index, column], x)
        beyond, _ = gradient_support(output[..., row_index + 1, column + 1], x)
        assert size == row.receptive_field, row.name
        assert tuple((beyond - here).tolist()) == row.effective_stride, row.name
        expected = zip(row.receptive_field_start, row.effective_stride, (row_index, column), strict=True)
        assert here.tolist() == [start + index * stride for start, stride, index in expected], row.name


@pytest.mark.parametrize(("name", "published"), [("alexnet", 195), ("vgg16", 212)])
def test_the_last_pooling_sees_what_araujo_et_al_list(name, published):
    last = [row for row in layer_table(name, INPUT_SHAPE) if row.kind == "MaxPool2d"][-1]
    assert (last.receptive_field, last.effective_stride) == ((published, published), (32, 32))


def test_an_addition_sees_what_its_longer_path_sees():
    fields = {row.name: row.receptive_field for row in layer_table("resnet18", INPUT_SHAPE)}
    assert fields["layer2.0.downsample.0"] == (43, 43)
    assert fields["layer2.0.add"] == fields["layer2.0.bn2"] == (67, 67)


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [
        ("alexnet", 66, 71),  # the first convolution leaves the last row over
        ("vgg11", 33, 47),
        ("vgg16", 224, 40),
        ("resnet18", 33, 70),
        ("mobilenet-v2", 37, 64),
    ],
)
def test_linear_layers_see_all_that_the_last_map_sees(name, height, width):
    x, uses = thin_uses(name, height, width)
    last_map = next(output for _, _, _, output in reversed(uses) if output.dim() == 4)
    last = layer_table(name, (3, height, width))[-1]
    first, size = gradient_support(last_map, x)
    assert last.receptive_field == size
    assert last.receptive_field_start == tuple(first.tolist())
    assert last.effective_stride is None


@pytest.mark.parametrize("name", ["resnet18", "mobilenet-v2"])
def test_pooling_to_one_pixel_sees_the_picture_without_padding(name):
    rows = layer_table(name, (3, 224, 160))
    pooled = next(row for row in rows if row.output_shape[1:] == (1, 1))
    assert pooled.receptive_field == (224, 160)
    assert pooled.effective_stride is None


def test_alexnet_leaves_a_row_over_that_no_layer_sees():
    assert layer_table("alexnet", (3, 66, 71))[-1].receptive_field == (65, 71)


@pytest.mark.parametrize(
    ("size", "num_positions", "expected_field", "expected_stride"),
    [
        (224, 6, 195, 32),  # one window for each position
        (447, 13, 195 + 2 * 32, 64),  # windows of 3, two apart
        (511, 15, 195 + 2 * 32, None),  # windows of 3, two or three apart
        (63, 1, 195, None),  # one position, six times
    ],
)
def test_pooling_to_a_fixed_size_has_a_stride_if_its_windows_are_evenly_spaced(
    size, num_positions, expected_field, expected_stride
):
    pooling = next(row for row in layer_table("alexnet", (3, size, size)) if row.name == "avgpool")
    assert pooling.input_shape[1:] == (num_positions, num_positions)
    assert pooling.receptive_field == (expected_field, expected_field)
    assert pooling.effective_stride == (expected_stride and (expected_stride, expected_stride))


def test_pooling_to_a_fixed_size_sees_where_its_gradient_is():
    x, uses = thin_uses("alexnet", 447, 447)
    pooled = next(output for name, _, _, output in uses if name == "avgpool")
    here, size = gradient_support(pooled[..., 2, 2], x)
    beyond, _ = gradient_support(pooled[..., 3, 3], x)
    row = next(row for row in layer_table("alexnet", (3, 447, 447)) if row.name == "avgpool")
    assert size == row.receptive_field == (259, 259)
    assert (beyond - here).tolist() == [64, 64] == list(row.effective_stride)
    assert here.tolist() == [start + 2 * 64 for start in row.receptive_field_start]


@pytest.mark.parametrize(
    ("name", "input_shape", "message"),
    [
        (
            "alexnet",
            (3, 224, 62),
            "alexnet needs a larger picture than 224 x 62: features.12 (MaxPool2d) gets (256, 13, 2): along the "
            "width, effective kernel size 3 (kernel_size=3, dilation=1) exceeds padded input size 2",
        ),
        (
            "vgg16",
            (3, 31, 224),
            "vgg16 needs a larger picture than 31 x 224: features.30 (MaxPool2d) gets (512, 1, 14): along the "
            "height, effective kernel size 2 (kernel_size=2, dilation=1) exceeds padded input size 1",
        ),
        (
            "vgg11",
            (1, 28, 28),
            "vgg11 takes 3 channels (red, green, blue), not 1 (input_shape=(1, 28, 28))",
        ),
        ("resnet18", (784,), "input_shape (784,) has 1 axes, not 3 (C, H, W)"),
        ("resnet18", (3, 0, 28), "input_shape 0 is below 1"),
        ("vgg61", INPUT_SHAPE, "unknown network 'vgg61': did you mean 'vgg16'?"),
        (
            "transformer",
            INPUT_SHAPE,
            "unknown network 'transformer': it is one of alexnet, vgg11, vgg16, resnet18, mobilenet-v2",
        ),
    ],
)
def test_what_does_not_fit_is_explained(name, input_shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        layer_table(name, input_shape)


def test_a_size_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match=re.escape("input_shape 28.5 (float) is not an integer")):
        layer_table("vgg16", (3, 28.5, 28))


@every_network
def test_the_smallest_picture_that_torchvision_names_fits(name):
    height, width = WEIGHTS[name].IMAGENET1K_V1.meta["min_size"]
    assert layer_table(name, (3, height, width))[-1].output_shape == (1000,)
    if height > 1:
        with pytest.raises(ValueError, match="needs a larger picture"):
            layer_table(name, (3, height - 1, width))


def test_no_weights_are_made_and_no_random_numbers_used(monkeypatch):
    built = []
    get_model = torchvision.models.get_model

    def remember(*arguments, **settings):
        built.append(get_model(*arguments, **settings))
        return built[-1]

    monkeypatch.setattr(torchvision.models, "get_model", remember)
    layers._traced.cache_clear()  # as in a fresh process
    before = torch.get_rng_state()
    layer_table("vgg16", INPUT_SHAPE)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(built) == 1
    assert {parameter.device.type for model in built for parameter in model.parameters()} == {"meta"}


def test_published_names_are_no_names_of_presets():
    assert not PUBLISHED.keys() & PRESETS.keys()
