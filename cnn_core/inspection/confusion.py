"""How often each class is taken for each other."""

import numpy as np


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Count how often each class is taken for each other.

    Args:
        labels: True classes (N,), integers from 0.
        predictions: Predicted classes (N,), integers from 0.
        num_classes: Number of classes.

    Returns:
        Counts (num_classes, num_classes): the row is the true class, the column the predicted one.

    Raises:
        TypeError: If a class is not an integer.
        ValueError: If the lengths differ, or a class is not between 0 and `num_classes` - 1.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim != 1 or labels.shape != predictions.shape:
        raise ValueError(f"labels {labels.shape} and predictions {predictions.shape} are not both (N,)")
    for name, classes in (("labels", labels), ("predictions", predictions)):
        if not np.issubdtype(classes.dtype, np.integer):
            raise TypeError(f"{name} of type {classes.dtype} are not integers")
        if not np.isin(classes, np.arange(num_classes)).all():
            raise ValueError(f"{name} {classes.min()} to {classes.max()} exceed 0 to {num_classes - 1}")
    pairs = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
