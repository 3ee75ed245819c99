"""Data sets: where they come from, whether they are whole, and their arrays. Nothing here imports torch."""

from cnn_core.data.fetching import Progress, fetch
from cnn_core.data.loading import Dataset, available, load
from cnn_core.data.registry import DATASETS, SPLITS, DatasetSpec, DataUnavailable, cache_folder, find_spec

__all__ = [
    "DATASETS",
    "SPLITS",
    "DataUnavailable",
    "Dataset",
    "DatasetSpec",
    "Progress",
    "available",
    "cache_folder",
    "fetch",
    "find_spec",
    "load",
]
