"""The published networks that torchvision builds."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

INPUT_SHAPE = (3, 224, 224)
"""Shape (C, H, W) of the pictures that the published networks were trained on."""


@dataclass(frozen=True)
class PublishedNetwork:
    """A network that torchvision builds.

    Attributes:
        title: What to call it on a page.
        builder: Its name in torchvision.models.
        sentence: What it is, in one sentence.
    """

    title: str
    builder: str
    sentence: str


PUBLISHED: Mapping[str, PublishedNetwork] = MappingProxyType(
    {
        "alexnet": PublishedNetwork(
            "AlexNet",
            "alexnet",
            "Five convolutions, the first with kernels of 11 x 11, and three linear layers.",
        ),
        "vgg11": PublishedNetwork(
            "VGG-11", "vgg11", "Eight convolutions of 3 x 3 in five stages, and three linear layers."
        ),
        "vgg16": PublishedNetwork(
            "VGG-16", "vgg16", "Thirteen convolutions of 3 x 3 in five stages, and three linear layers."
        ),
        "resnet18": PublishedNetwork(
            "ResNet-18",
            "resnet18",
            "Eight blocks of two convolutions; each block adds its input to its output.",
        ),
        "mobilenet-v2": PublishedNetwork(
            "MobileNet-V2",
            "mobilenet_v2",
            "Blocks of cheap convolutions: one mixes the channels, the next sees each channel by itself.",
        ),
    }
)
"""Name of a network -> what it is. All take colour pictures and give one logit for each of 1,000 classes."""
