"""The layers that the page on channels shows, and the code that computes the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_core import ops
from cnn_core.geometry import Axis
from cnn_core.network import Conv

MOST_WRITTEN = 64
"""Most numbers of an array that are written out cell by cell."""


@dataclass(frozen=True, eq=False)
class Example:
    """Numbers to begin with.

    Attributes:
        x: Input, shape (1, C_in, H, W).
        weight: Shape (C_out, C_in, kH, kW).
        code: The Python that makes both.
    """

    x: np.ndarray
    weight: np.ndarray
    code: str


@dataclass(frozen=True, eq=False)
class SmallLayer:
    """A convolution on few numbers, some of which a visitor may have edited.

    Attributes:
        example: What the numbers were before.
        x: Input, shape (1, C_in, H, W).
        weight: Shape (C_out, C_in, kH, kW).
        bias: Shape (C_out,).
        axis: The layer along the rows, and along the columns.
        padding_mode: What the added pixels hold.
    """

    example: Example
    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    axis: Axis
    padding_mode: str

    @property
    def settings(self) -> dict[str, Any]:
        """What `ops.conv2d` takes besides the arrays."""
        sizes = {"stride": self.axis.stride, "padding": self.axis.padding[0]}
        return sizes | ({} if self.padding_mode == "zeros" else {"padding_mode": self.padding_mode})

    def partial_sums(self, at: tuple[int, int, int]) -> np.ndarray:
        """Return what each input channel gives to the output at (c_out, row, column), shape (C_in,)."""
        terms = ops.conv2d_terms(self.x, self.weight, at=(0, *at), **self.settings)
        return terms.products.sum(axis=(1, 2))

    def outputs(self, row: int, column: int) -> np.ndarray:
        """Return what all output channels hold at one place, shape (C_out,)."""
        return ops.conv2d(self.x, self.weight, self.bias, **self.settings)[0, :, row, column]


def example(make: Callable[..., tuple[np.ndarray, np.ndarray]], *counts: int, **sizes: int) -> Example:
    """Make numbers with a function of `cnn_core.examples`, and keep the call."""
    arguments = ", ".join([*map(str, counts), _arguments(sizes)])
    return Example(*make(*counts, **sizes), f"examples.{make.__name__}({arguments})")


def sum_code(layer: SmallLayer) -> dict[str, str]:
    """Write the code that applies a small layer; what can be read as a list is written as one."""
    ours, torch = "import numpy as np\nfrom cnn_core import {}ops\n\n", f"{_TORCH}{{}}\n"
    if max(layer.x.size, layer.weight.size) <= MOST_WRITTEN:
        arrays = {"x": layer.x, "weight": layer.weight}
        ours = ours.format("") + _arrays("np.array", **arrays)
        torch = torch.format("") + _arrays("torch.tensor", **arrays)
    else:
        lines = f"x, weight = {layer.example.code}\n"
        lines += _edits("x", layer.example.x, layer.x) + _edits("weight", layer.example.weight, layer.weight)
        ours = ours.format("examples, ") + lines
        torch = torch.format("from cnn_core import examples\n") + lines
        torch += "x, weight = torch.tensor(x), torch.tensor(weight)\n"
    ours += _arrays("np.array", bias=layer.bias)
    ours += f"y = ops.conv2d(x, weight, bias, {_arguments(layer.settings)})\n"
    torch += _arrays("torch.tensor", bias=layer.bias) + _apply_torch(layer.settings)
    return {"ours": ours, "torch": torch}


def colour_code(name: str, size: int, colour_weights: np.ndarray, kernel: np.ndarray) -> dict[str, str]:
    """Write the code that adds up the colours of a picture under one kernel."""
    load = f'picture = images.load("{name}", size={size})\n'
    layer = "x, weight.reshape(1, 3, 1, 1) * kernel"
    ours = (
        f"import numpy as np\nfrom cnn_core import images, ops\n\n{load}"
        "x = np.moveaxis(picture, 2, 0)[None]\n"
        f"{_arrays('np.array', kernel=kernel, weight=colour_weights)}y = ops.conv2d({layer})\n"
    )
    torch = (
        f"{_TORCH}from cnn_core import images\n\n{load}"
        "x = torch.tensor(picture, dtype=torch.float64).permute(2, 0, 1)[None]\n"
        f"{_arrays('torch.tensor', kernel=kernel, weight=colour_weights)}y = F.conv2d({layer})\n"
    )
    return {"ours": ours, "torch": torch}


def matrix_code(example: Example) -> dict[str, str]:
    """Write the code that computes a 1 x 1 convolution in two ways."""
    ours = (
        "import numpy as np\nfrom cnn_core import examples, ops\n\n"
        f"x, weight = {example.code}\ny = ops.conv2d(x, weight)\n\n"
        "product = weight[:, :, 0, 0] @ x.reshape(x.shape[1], -1)\n"
        "print(np.abs(y - product.reshape(y.shape)).max())\n"
    )
    torch = (
        f"{_TORCH}from cnn_core import examples\n\n"
        f"x, weight = map(torch.tensor, {example.code})\n"
        'y = torch.einsum("oc,nchw->nohw", weight[:, :, 0, 0], x)\n\n'
        "print((y - F.conv2d(x, weight)).abs().max())\n"
    )
    return {"ours": ours, "torch": torch}


def cost_code(layer: Conv, input_shape: tuple[int, ...]) -> dict[str, str]:
    """Write the code that counts the parameters of a layer."""
    sizes = {"kernel_size": layer.kernel_size[0], "stride": layer.stride[0], "padding": layer.padding[0]}
    arguments = _arguments(sizes | {"groups": layer.groups})
    ours = (
        "from cnn_core.network import Conv, Network\nfrom cnn_core.summary import summarize\n\n"
        f"layer = Conv({layer.out_channels}, {arguments})\n"
        f"summary = summarize(Network([layer]), {input_shape})[0]\ny = summary.num_params\n"
    )
    torch = (
        "from torch import nn\n\n"
        f'layer = nn.Conv2d({input_shape[0]}, {layer.out_channels}, {arguments}, device="meta")\n'
        "y = sum(parameter.numel() for parameter in layer.parameters())\n"
    )
    return {"ours": ours, "torch": torch}


_TORCH = "import torch\nfrom torch.nn import functional as F\n"


def _apply_torch(settings: Mapping[str, Any]) -> str:
    """Write the call to PyTorch, whose function pads with zeros only."""
    stride, side, mode = settings["stride"], settings["padding"], settings.get("padding_mode")
    if mode is None:
        return f"y = F.conv2d(x, weight, bias, {_arguments(settings)})\n"
    pad = f'x = F.pad(x, ({side}, {side}, {side}, {side}), mode="{mode}")\n'
    return f"{pad}y = F.conv2d(x, weight, bias, stride={stride})\n"


def _arguments(settings: Mapping[str, Any]) -> str:
    written = {name: f'"{value}"' if isinstance(value, str) else value for name, value in settings.items()}
    return ", ".join(f"{name}={value}" for name, value in written.items())


def _arrays(make: str, **arrays: np.ndarray) -> str:
    dtype = ", dtype=torch.float64" if make == "torch.tensor" else ""
    return "".join(f"{name} = {make}({_in_lines(array)}{dtype})\n" for name, array in arrays.items())


def _edits(name: str, before: np.ndarray, after: np.ndarray) -> str:
    """Write the rows of an array that are no longer what they were."""
    edited = np.argwhere((before != after).any(axis=-1)).tolist()
    return "".join(f"{name}{at} = {_in_a_line(after[tuple(at)])}\n" for at in edited)


def _in_lines(array: np.ndarray) -> str:
    if array.ndim == 1:
        return _in_a_line(array)
    if len(array) == 1:
        return f"[{_in_lines(array[0])}]"
    lines = "".join(f"    {_in_a_line(part)},\n" for part in array)
    return f"[\n{lines}]"


def _in_a_line(array: np.ndarray) -> str:
    if array.ndim == 0:
        return f"{float(array):.10g}"
    return f"[{', '.join(map(_in_a_line, array))}]"
