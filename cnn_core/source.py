"""The PyTorch code of a network, as a person would write it; torch itself is not needed to write it."""

from collections.abc import Sequence

from cnn_core.network import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Network,
    Pool,
    ReLU,
    Sigmoid,
    Tanh,
)
from cnn_core.summary import LayerSummary, summarize


def source(network: Network, input_shape: Sequence[int]) -> str:
    """Write the PyTorch code of a network: one class, its parameters named as those of `build`.

    Args:
        network: The network.
        input_shape: Shape of one example: (C, H, W), (C, L) or (features,).

    Returns:
        Source text with its imports. `Network().load_state_dict(...)` takes the state of a built module.

    Raises:
        ValueError: If a layer does not fit what it gets.

    Example:
        >>> from cnn_core.network import parse
        >>> print(source(parse("conv6k5p2-relu-max2-flatten-10"), (1, 28, 28)))
        import torch
        from torch import nn
        from torch.nn import functional as F
        <BLANKLINE>
        <BLANKLINE>
        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
                self.linear1 = nn.Linear(1176, 10)
        <BLANKLINE>
            def forward(self, x):  # (N, 1, 28, 28)
                x = torch.relu(self.conv1(x))  # (N, 6, 28, 28)
                x = F.max_pool2d(x, 2)  # (N, 6, 14, 14)
                x = torch.flatten(x, 1)  # (N, 1176)
                return self.linear1(x)  # (N, 10)
        <BLANKLINE>
    """
    rows = summarize(network, input_shape)
    made = ["super().__init__()"]
    made += [f"self.{row.name} = {_creation(row)}" for row in rows if isinstance(row.layer, _MADE)]
    steps = []
    for row in rows:
        folded = steps and _folds_into(row.layer, steps[-1][0].layer)
        argument = steps.pop()[1] if folded else "x"
        steps.append((row, _call(row, argument)))
    body = [f"x = {call}  # {_batch_shape(row.output_shape)}" for row, call in steps]
    body[-1] = body[-1].replace("x =", "return", 1)
    text = _CLASS.format(
        made="\n        ".join(made),
        input_shape=_batch_shape(rows[0].input_shape),
        body="\n        ".join(body),
    )
    return "".join(line for name, line in _IMPORTS.items() if name in text) + text


_MADE = (Conv, BatchNorm, Dropout, Linear)
"""Layers that hold something: parameters, or whether the network is in training."""

_IMPORTS = {
    "torch.": "import torch\n",
    "nn.": "from torch import nn\n",
    "F.": "from torch.nn import functional as F\n",
}
_CLASS = """

class Network(nn.Module):
    def __init__(self):
        {made}

    def forward(self, x):  # {input_shape}
        {body}
"""


def _folds_into(layer: Layer, before: Layer) -> bool:
    """Tell whether a layer is written around the one before it, in one line, as a person would."""
    match layer:
        case Activation():
            return not isinstance(before, Activation)
        case BatchNorm():
            return isinstance(before, Conv | Linear)
    return False


def _creation(row: LayerSummary) -> str:
    """Write the call that makes a layer of `_MADE`."""
    layer = row.layer
    match layer:
        case Linear():
            return f"nn.Linear({row.input_shape[0]}, {layer.out_features})"
        case BatchNorm():
            return f"nn.{class_name(row)}({row.input_shape[0]})"
        case Dropout():
            return f"nn.Dropout({layer.probability})"
    options = _options(layer, kernel_size=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1)
    return f"nn.{class_name(row)}({row.input_shape[0]}, {layer.out_channels}{options})"


def _call(row: LayerSummary, x: str) -> str:
    """Write the call of a layer on the expression `x`."""
    layer = row.layer
    match layer:
        case Conv() | BatchNorm() | Dropout() | Linear():
            return f"self.{row.name}({x})"
        case MaxPool():
            return f"F.max_pool{num_axes(row)}d({x}, {_size(layer.window)}{_pool_options(layer)})"
        case AveragePool():
            return f"F.avg_pool{num_axes(row)}d({x}, {_size(layer.window)}{_pool_options(layer)})"
        case GlobalAveragePool():
            return f"{x}.mean({'(2, 3)' if num_axes(row) == 2 else '-1'})"
        case Sigmoid():
            return f"torch.sigmoid({x})"
        case ReLU():
            return f"torch.relu({x})"
        case Tanh():
            return f"torch.tanh({x})"
        case Flatten():
            return f"torch.flatten({x}, 1)"


def _pool_options(layer: Pool) -> str:
    return _options(layer, stride=layer.window, padding=(0, 0))


def _options(layer: Layer, **usual) -> str:
    """Write the keyword arguments that differ from what torch takes without them."""
    given = {name: getattr(layer, name) for name in usual if getattr(layer, name) != usual[name]}
    return "".join(f", {name}={_size(value)}" for name, value in given.items())


def _size(value: int | tuple[int, int]) -> str:
    return str(value[0]) if isinstance(value, tuple) and value[0] == value[1] else str(value)


def _batch_shape(shape: tuple[int, ...]) -> str:
    return f"(N, {', '.join(map(str, shape))})"


def class_name(row: LayerSummary) -> str:
    """Name the class of torch.nn that does the same to pictures, or to signals and features."""
    names = {Conv: "Conv", MaxPool: "MaxPool", AveragePool: "AvgPool", BatchNorm: "BatchNorm"}
    return f"{names[type(row.layer)]}{max(1, num_axes(row))}d"


def num_axes(row: LayerSummary) -> int:
    """Count the axes that windows slide along: 2 on a picture, 1 on a signal, 0 on features."""
    return len(row.input_shape) - 1
