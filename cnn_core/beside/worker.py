"""The process beside the app: ``python -m cnn_core.beside.worker SECONDS``, started by `cnn_core.beside.process`.

It reads requests from stdin, one line of JSON each, and answers on stdout: a line of JSON, and as many bytes as
that counts. It ends when stdin closes, in the middle of a request if need be, or after SECONDS without one.
"""

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import BinaryIO

from cnn_core import onnx_export, published
from cnn_core.beside import rows
from cnn_core.network import parse
from cnn_core.training import checkpoints


def main() -> None:
    """Load torch and answer requests."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the app, whose end closes stdin
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    _load_torch()
    _answer(answers, "", b"")
    while True:
        try:
            request = requests.get(timeout=float(sys.argv[1]))
        except queue.Empty:
            os._exit(0)  # the listening thread still holds stdin
        _answer(answers, *execute(request))


def _listen(requests: "queue.SimpleQueue[str]") -> None:
    """Pass the requests on; end the process when the app is gone."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _load_torch() -> None:
    """Import what a layer table needs; one thread, as the app and a training want the processor too."""
    import torch

    torch.set_num_threads(1)
    published.layer_table("alexnet")


def _answer(answers: BinaryIO, error: str, content: bytes) -> None:
    answers.write(json.dumps({"error": error, "num_bytes": len(content)}).encode() + b"\n")
    answers.write(content)
    answers.flush()


def execute(request: str) -> tuple[str, bytes]:
    """Do what is asked for.

    Args:
        request: JSON with the name of a task and its arguments.

    Returns:
        Name of the error, or "", and the content: the result, or what the error says.
    """
    values = json.loads(request)
    try:
        return "", TASKS[values["task"]](**values["arguments"])
    except TypeError as error:
        return "TypeError", str(error).encode()
    except ValueError as error:
        return "ValueError", str(error).encode()
    except onnx_export.PackagesMissing as error:
        return "Failed", str(error).encode()
    except Exception as error:  # whatever it was, the next request must find a process
        traceback.print_exception(error)
        return "Failed", f"it failed ({type(error).__name__}: {error}): try something smaller".encode()


def layer_table(name: str, input_shape: Sequence[int]) -> bytes:
    """Write the layer table of a published network as JSON."""
    return rows.to_json(published.layer_table(name, input_shape))


def to_onnx(notation: str, input_shape: Sequence[int], seed: int, checkpoint: str | None) -> bytes:
    """Write a network as ONNX, with the parameters of a checkpoint's folder if one is given."""
    parameters = None if checkpoint is None else checkpoints.load_weights(checkpoint)
    return onnx_export.export(parse(notation), input_shape, seed=seed, parameters=parameters)


TASKS = {"layer_table": layer_table, "to_onnx": to_onnx}

if __name__ == "__main__":
    main()
