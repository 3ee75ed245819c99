"""A network as an ONNX file, which programs other than PyTorch run.

It needs the packages of requirements-onnx.txt; they and torch are imported when a file is asked for, not before.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import numpy as np

from cnn_core.inspection import check_parameters
from cnn_core.network import Network
from cnn_core.summary import check_budget

PACKAGES = ("onnx", "onnxscript")
INPUT_NAME, OUTPUT_NAME, BATCH_AXIS = "input", "output", "N"


class PackagesMissing(ImportError):  # noqa: N818
    """The packages that write ONNX are not installed; the message says how to get them."""


def is_available() -> bool:
    """Tell whether the packages are installed, without importing them."""
    return all(find_spec(package) for package in PACKAGES)


def export(
    network: Network,
    input_shape: Sequence[int],
    *,
    seed: int = 0,
    parameters: Mapping[str, np.ndarray] | None = None,
) -> bytes:
    """Write a network as ONNX, as it works after training: batch norms and dropout are in evaluation mode.

    Args:
        network: The network.
        input_shape: Shape of one example, without the batch axis.
        seed: Seed of fresh parameters, those of `modules.build`.
        parameters: Arrays to use instead, named as in `training.checkpoints.load_weights`; None for fresh ones.

    Returns:
        The file. Its one input, "input", has shape (N, *input_shape) with N free; its one output is "output".

    Raises:
        PackagesMissing: If the packages are not installed.
        ValueError: If the network does not fit the input, is over the budget of `summary.check_budget`, or
            `parameters` are not those of this network. Nothing has been allocated then.

    References:
        ONNX, onnx.ai; the exporter is torch.onnx.export(..., dynamo=True).

    Example:
        >>> from cnn_core.network import LENET
        >>> len(export(LENET, (1, 28, 28))) // 1000, "kB"
        (261, 'kB')
    """
    check_budget(network, input_shape)
    if parameters is not None:
        check_parameters(network, input_shape, parameters)
    if not is_available():
        raise PackagesMissing(
            "ONNX files need packages that are not installed: python -m pip install -r requirements-onnx.txt"
        )
    import torch

    from cnn_core.modules import build

    module = build(network, input_shape, seed=seed).eval()
    if parameters is not None:
        module.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()})
    example = torch.zeros(2, *input_shape)  # of a batch of 1 the exporter would keep the 1
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        verbose=False,
        external_data=False,
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_shapes=({0: torch.export.Dim(BATCH_AXIS)},),
    )
    return program.model_proto.SerializeToString()
