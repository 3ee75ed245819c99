"""What the page on architecture offers to try."""

from cnn_core.network import LENET, SIMPLE_CNN
from cnn_core.network import format as format_network
from ui.page import Setting

SETTINGS = [
    Setting(
        "The funnel",
        "Two convolutions that keep the size, and pooling that halves it. Where do the numbers get fewer?",
        {"a-network": format_network(SIMPLE_CNN)},
    ),
    Setting(
        "No flatten",
        "A linear layer takes a vector. What does the row say, and which of the two ways out is cheaper?",
        {"a-network": "conv6k5p2-relu-max2-conv16k5-relu-max2-120-relu-10"},
    ),
    Setting(
        "A larger picture",
        "LeNet on 64 x 64. Which layer alone pays for it, and why do the convolutions not?",
        {"a-network": format_network(LENET), "a-input": "1x64x64"},
    ),
    Setting(
        "A signal",
        "The same layers in one dimension. How far does one output see after three steps of 2?",
        {
            "a-network": "conv8k9s2p4-relu-conv16k9s2p4-relu-conv32k9s2p4-relu-gap-5",
            "a-input": "1x256",
            "a-view": "What one output sees",
        },
    ),
]
