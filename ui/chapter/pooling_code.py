"""The code that the page on pooling shows: with this package, and with PyTorch."""

import numpy as np

from cnn_core.geometry import Axis
from cnn_core.scene import Scene

MAX_WRITTEN = 192
"""Most numbers of a grid that are written out even if a function makes them."""

MAX_EDITED = 12
"""Most edited cells that are written one by one."""


def grid_code(name: str, start: np.ndarray, pooled: Scene, height: Axis, width: Axis) -> dict[str, str]:
    """Write the code that pools a small grid and finds the gradient of the sum of its outputs.

    Args:
        name: Key of `cnn_core.pooling.GRIDS` that the grid began with.
        start: Channels X, X + 1, ... of that grid, shape (C, H, W).
        pooled: The layer on the grid as it is now.
        height: The layer along the rows.
        width: The layer along the columns.
    """
    edited = np.argwhere(pooled.x != start)
    if start.size <= MAX_WRITTEN or len(edited) > MAX_EDITED:
        numbers = _array(pooled.x)
        our_import, torch_import, edits = "import numpy as np\n", "", ""
        ours, torch = f"np.array({numbers})", f"torch.tensor({numbers}).float()"
    else:
        made = f"pooling.{name}{start.shape[1:]}"
        made = f"{made}[None]" if len(start) == 1 else f"pooling.stack_channels({made}, {len(start)})"
        our_import, torch_import = "", "from cnn_core import pooling\n"
        ours, torch = f"{made}.astype(float)", f"torch.from_numpy({made}).float()"
        edits = "".join(f"x{at.tolist()} = {_number(pooled.x[*at])}\n" for at in edited)
    axes = f"height = {_axis(height)}\nwidth = {_axis(width)}"
    if height == width:
        axes = f"height = width = {_axis(height)}"
    return {
        "ours": (
            f"{our_import}from cnn_core import pooling, scene\nfrom cnn_core.geometry import Axis\n\n"
            f'x = {ours}\n{edits}{axes}\npooled = scene.pooling(x, height, width, mode="{pooled.mode}")\n'
            "y = pooled.y\ngradient = pooling.gradient(pooled)"
        ),
        "torch": (
            f"import torch\nfrom torch import nn\n{torch_import}\nx = {torch}\n{edits}x.requires_grad_()\n"
            f"y = {_torch_pool(height, width, pooled.mode)}\ny.sum().backward()\ngradient = x.grad"
        ),
    }


def picture_code(name: str, height: Axis, width: Axis, mode: str, *, colour: bool) -> dict[str, str]:
    """Write the code that pools a picture that is always here."""
    head = {"ours": "import numpy as np\nfrom cnn_core import images, ops\n"}
    head["torch"] = "import torch\nfrom torch import nn\nfrom cnn_core import images\n"
    load = f'\npicture = images.load("{name}")\n'
    if colour:
        x = {"ours": "np.moveaxis(picture, 2, 0)[None]"}
        x["torch"] = "torch.from_numpy(picture).permute(2, 0, 1)[None].float()"
    else:
        x = {"ours": "picture[None, None]", "torch": "torch.from_numpy(picture)[None, None].float()"}
    y = {"ours": _our_pool(height, width, mode)}
    y["torch"] = _torch_pool(height, width, mode)
    return {key: f"{head[key]}{load}x = {x[key]}\ny = {y[key]}" for key in head}


def shift_code(
    name: str,
    height: Axis,
    width: Axis,
    mode: str,
    *,
    kernel: np.ndarray | None,
    relu: bool,
    moves: list[int] | None,
    crop: int,
) -> dict[str, str]:
    """Write the code that measures the changes after pooling.

    Args:
        name: Name of the picture.
        height: The layer along the rows.
        width: The layer along the columns.
        mode: max, average or min.
        kernel: Kernel that makes the feature map, shape (kH, kW); None for the picture itself.
        relu: Whether negative numbers of the feature map become 0.
        moves: Whole outputs by which the first output is moved along at each shift; None for in place.
        crop: Height and width of the crops, in pixels.
    """
    load = f'\npicture = images.to_grey(images.load("{name}"))\n'
    crops = f"shifts.shifted_crops(picture, {crop})"
    cells = None if kernel is None else kernel.tolist()
    ours = f"import numpy as np\nfrom cnn_core import images, ops, shifts\n{load}x = {crops}.astype(np.float32)\n"
    torch = (
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
        f"from cnn_core import images, shifts\n{load}x = torch.from_numpy({crops}).float()\n"
    )
    if cells:
        ours += f"x = ops.conv2d(x, np.array([[{cells}]]))\n"
        torch += f"x = F.conv2d(x, torch.tensor([[{cells}]]))\n"
    if relu:
        ours += "x = np.maximum(x, 0)\n"
        torch += "x = x.relu()\n"
    stride = "" if moves is None else f", effective_stride={width.stride}"
    ours += f"pooled = {_our_pool(height, width, mode)}\ny = shifts.changes(pooled{stride})"
    torch += (
        f"pooled = {_torch_pool(height, width, mode)}.double()\n"
        "values = pooled[0].flatten().sort().values\n"
        "n = len(values)\n"
        "typical = 2 * ((2 * torch.arange(n) - n + 1) * values).mean() / n\n"
    )
    if moves is None:
        torch += "y = (pooled - pooled[0]).abs().mean((1, 2, 3)) / typical"
    else:
        torch += (
            f"moves = {moves}\nwidth = pooled.shape[-1]\ny = torch.stack([\n"
            "    (pooled[s, ..., m:] - pooled[0, ..., : width - m]).abs().mean()\n"
            "    for s, m in enumerate(moves)\n]) / typical"
        )
    return {"ours": ours, "torch": torch}


def _array(x: np.ndarray) -> str:
    planes = [",\n     ".join(f"[{', '.join(map(_number, row))}]" for row in plane) for plane in x]
    return "[\n" + "".join(f"    [{plane}],\n" for plane in planes) + "]"


def _number(value: float) -> str:
    return f"{value:.10g}"


def _axis(axis: Axis) -> str:
    padding = f", padding={axis.padding[0]}" if axis.padding[0] else ""
    rounding = ", ceil_mode=True" if axis.ceil_mode else ""
    return f"Axis({axis.input_size}, {axis.kernel_size}, stride={axis.stride}{padding}{rounding})"


def _arguments(height: Axis, width: Axis) -> str:
    pairs = {
        "": (height.kernel_size, width.kernel_size),
        "stride=": (height.stride, width.stride),
        "padding=": (height.padding[0], width.padding[0]),
    }
    written = [
        f"{name}{pair[0] if pair[0] == pair[1] else pair}" for name, pair in pairs.items() if any(pair)
    ]
    return ", ".join([*written, "ceil_mode=True"] if height.ceil_mode else written)


def _our_pool(height: Axis, width: Axis, mode: str) -> str:
    return f'ops.pool2d(x, {_arguments(height, width)}, mode="{mode}")'


def _torch_pool(height: Axis, width: Axis, mode: str) -> str:
    arguments = _arguments(height, width)
    if mode == "min":
        return f"-nn.MaxPool2d({arguments})(-x)"
    return f"nn.{'AvgPool2d' if mode == 'average' else 'MaxPool2d'}({arguments})(x)"
