"""Networks worth having by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cnn_core.network.layers import Network
from cnn_core.network.notation import parse


@dataclass(frozen=True)
class Preset:
    """A network worth having by name.

    Attributes:
        title: What to call it on a page.
        network: The network.
        sentence: What it is, in one sentence.
    """

    title: str
    network: Network
    sentence: str


LENET = parse("conv6k5p2-sigmoid-avg2-conv16k5-sigmoid-avg2-flatten-120-sigmoid-84-sigmoid-10")
LENET_MODERN = parse("conv6k5p2-relu-max2-conv16k5-relu-max2-flatten-120-relu-84-relu-10")
SIMPLE_CNN = parse("conv16k3p1-relu-max2-conv32k3p1-relu-max2-flatten-128-relu-10")
MLP = parse("flatten-256-relu-10")

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "lenet": Preset(
            "LeNet, as published",
            LENET,
            "Two convolutions with sigmoid and average pooling, then three linear layers.",
        ),
        "lenet-modern": Preset(
            "LeNet with ReLU and max pooling",
            LENET_MODERN,
            "The same sizes as LeNet, with the activation and the pooling of today.",
        ),
        "simple-cnn": Preset(
            "Small two-convolution network",
            SIMPLE_CNN,
            "Two convolutions of 3 x 3 that keep the size; max pooling halves it after each.",
        ),
        "mlp": Preset("MLP", MLP, "No convolution: each of 256 hidden units sees every pixel."),
    }
)
"""Name of a network -> what it is. All take pictures (C, H, W) and give one logit for each of 10 classes."""
