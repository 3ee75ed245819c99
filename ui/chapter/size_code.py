"""The code that the page on padding and stride shows: with this package, and with PyTorch."""

import numpy as np

from ui.chapter.size_layer import POOLING, TRANSPOSED, Layer

MAX_WRITTEN = 100
"""Most numbers of an array that are written out once some are edited."""

MAX_EDITED = 12
"""Most edited cells that are written one by one."""


def snippets(layer: Layer, x: np.ndarray, weight: np.ndarray | None) -> dict[str, str]:
    """Write programs that apply a layer and call its output `y`.

    Args:
        layer: What is applied.
        x: Its input, shape (1, H, W).
        weight: Shape (1, 1, kH, kW); None for pooling.
    """
    arrays = {"x": x[None]} | ({} if weight is None else {"weight": weight})
    call = {POOLING: _pooling, TRANSPOSED: _transposed}.get(layer.operation, _convolution)
    our_call, torch_call = call(layer)
    ours = "".join(_array(name, array, "np", "np.array") for name, array in arrays.items())
    torch = "".join(_array(name, array, "torch", "torch.tensor") for name, array in arrays.items())
    if layer.flipped and weight is not None:
        ours += "weight = ops.flip(weight)\n"
        torch += "weight = weight.flip(2, 3)\n"
    return {
        "ours": f"import numpy as np\nfrom cnn_core import ops\n\n{ours}{our_call}",
        "torch": f"import torch\nfrom torch.nn import functional as F\n\n{torch}{torch_call}",
    }


def _array(name: str, array: np.ndarray, module: str, make: str) -> str:
    """Write an array: as few lines as make it, or number by number."""
    if (array == 1).all():
        return f"{name} = {module}.ones({array.shape})\n"
    edited = np.argwhere(array != np.arange(array.size).reshape(array.shape))
    if len(edited) and (array.size <= MAX_WRITTEN or len(edited) > MAX_EDITED):
        rows = ",\n    ".join(f"[{', '.join(map(_number, row))}]" for row in array[0, 0])
        dtype = ", dtype=torch.float32" if module == "torch" else ", dtype=float"
        return f"{name} = {make}([[[\n    {rows},\n]]]{dtype})\n"
    counted = f"{name} = {module}.arange({array.size}.0).reshape{array.shape}\n"
    return counted + "".join(f"{name}{at.tolist()} = {_number(array[*at])}\n" for at in edited)


def _number(value: float) -> str:
    return f"{value:.10g}"


def _convolution(layer: Layer) -> tuple[str, str]:
    height, width = layer.axes
    (top, bottom), (left, right) = height.padding, width.padding
    settings = _settings(stride=(height.stride, width.stride), dilation=(height.dilation, width.dilation))
    zeros = layer.padding_mode == "zeros"
    mode = "" if zeros else f', padding_mode="{layer.padding_mode}"'
    ours = f"y = ops.conv2d(x, weight, padding={(height.padding, width.padding)}{mode}{settings})\n"
    if zeros and top == bottom and left == right:
        return ours, f"y = F.conv2d(x, weight, padding={(top, left)}{settings})\n"
    mode = "" if zeros else f', mode="{layer.padding_mode}"'
    pad = f"x = F.pad(x, {(left, right, top, bottom)}{mode})\n"
    return ours, f"{pad}y = F.conv2d(x, weight{settings})\n"


def _transposed(layer: Layer) -> tuple[str, str]:
    height, width = layer.axes
    settings = _settings(
        stride=(height.stride, width.stride),
        padding=(height.padding[0], width.padding[0]),
        output_padding=(height.output_padding, width.output_padding),
        dilation=(height.dilation, width.dilation),
    )
    return (
        f"y = ops.conv_transpose2d(x, weight{settings})\n",
        f"y = F.conv_transpose2d(x, weight{settings})\n",
    )


def _pooling(layer: Layer) -> tuple[str, str]:
    height, width = layer.axes
    settings = _settings(
        stride=(height.stride, width.stride),
        padding=(height.padding[0], width.padding[0]),
        dilation=(height.dilation, width.dilation),
    )
    window = (height.kernel_size, width.kernel_size)
    rounding = ", ceil_mode=True" if height.ceil_mode else ""
    return (
        f"y = ops.pool2d(x, {window}{settings}{rounding})\n",
        f"y = F.max_pool2d(x, {window}{settings}{rounding})\n",
    )


def _settings(**pairs: tuple[int, int]) -> str:
    return "".join(f", {name}={pair}" for name, pair in pairs.items())
