"""The layer tables of published networks as torchvision builds them; no weights are made.

Torch and torchvision are imported when a table is asked for, not before.
"""

from cnn_core.published.layers import PublishedLayer, layer_table
from cnn_core.published.registry import INPUT_SHAPE, PUBLISHED, PublishedNetwork

__all__ = ["INPUT_SHAPE", "PUBLISHED", "PublishedLayer", "PublishedNetwork", "layer_table"]
