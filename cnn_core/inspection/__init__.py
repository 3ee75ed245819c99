"""What a network does with pictures, computed from its parameters: NumPy only, no torch."""

from cnn_core.inspection.confusion import confusion_matrix
from cnn_core.inspection.forward import CHUNK, activations, as_input, predict, softmax
from cnn_core.inspection.gradients import input_gradient
from cnn_core.inspection.parameters import Parameters, check_parameters, draw_parameters

__all__ = [
    "CHUNK",
    "Parameters",
    "activations",
    "as_input",
    "check_parameters",
    "confusion_matrix",
    "draw_parameters",
    "input_gradient",
    "predict",
    "softmax",
]
