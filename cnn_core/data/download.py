"""One download by torchvision, in a process of its own.

`python -m cnn_core.data.download NAME FOLDER TIMEOUT` ends with status 1 and one line on stdout that says
why, or with 0 when the data set is in the cache.
"""

import hashlib
import http.client
import pickle
import re
import socket
import sys
import tarfile
import zlib
from pathlib import Path

import numpy as np

from cnn_core.data.fetching import mirror
from cnn_core.data.loading import is_intact
from cnn_core.data.registry import SUMS_FILE, DatasetSpec, cache_folder, find_spec


class Damaged(RuntimeError):  # noqa: N818
    """What arrived is not the data set."""


def main(name: str, folder: str, timeout: str) -> int:
    """Download a data set and put it into the cache."""
    socket.setdefaulttimeout(float(timeout))
    spec = find_spec(name)
    try:
        download(spec, Path(folder))
    except (
        RuntimeError,
        OSError,
        ValueError,  # of an address that only urllib finds wrong
        EOFError,
        ImportError,
        zlib.error,
        tarfile.TarError,
        pickle.UnpicklingError,
        http.client.HTTPException,
    ) as error:
        words = re.sub(r"<urlopen error (?:\[Errno -?\d+\] )?([^>]*)>", r"\1", " ".join(f"{error}".split()))
        print(words or type(error).__name__)
        return 1
    return 0


def download(spec: DatasetSpec, folder: Path) -> None:
    """Download a data set into an empty folder, check it, and move it into the cache in one step.

    Args:
        spec: Which data set.
        folder: An empty folder on the same disk as the cache.

    Raises:
        Damaged: If a sum differs.
        OSError: If the server or the disk fails; torchvision's RuntimeError if every mirror failed.
    """
    ready = folder / "ready"
    ready.mkdir()
    if spec.torchvision == "CIFAR10":
        _download_cifar(spec, folder, ready)
    else:
        _download_idx(spec, folder, ready)
    sums = {name: _sha256(ready / name) for name in spec.all_files}
    for name, expected in spec.sha256.items():
        _compare(name, sums[name], expected)
    (ready / SUMS_FILE).write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    _put_in_place(ready, cache_folder() / spec.name, spec)


def _download_idx(spec: DatasetSpec, folder: Path, ready: Path) -> None:
    """Let torchvision fetch the four files of MNIST or of a set like it."""
    from torchvision import datasets

    original = getattr(datasets, spec.torchvision)
    address = _address(spec)
    # A mirror may have compressed the files anew, which changes the md5 of the archive but not the content.
    resources = [(name, None) for name, _ in original.resources] if address else original.resources
    source = type(
        spec.torchvision,
        (original,),
        {"mirrors": [address] if address else original.mirrors, "resources": resources},
    )
    source(folder, download=True)
    raw = folder / spec.torchvision / "raw"
    for name, expected in spec.archive_sha256.items():
        _compare(name, _sha256(raw / name), expected)
    for name in spec.all_files:
        (raw / name).rename(ready / name)


def _download_cifar(spec: DatasetSpec, folder: Path, ready: Path) -> None:
    """Let torchvision fetch CIFAR-10, and turn its pickles into plain arrays.

    The archive's sha256 is checked before anything in it is unpickled.
    """
    from torchvision import datasets
    from torchvision.datasets.utils import download_url

    ((archive, expected),) = spec.archive_sha256.items()
    address = _address(spec)
    download_url(address + archive if address else datasets.CIFAR10.url, folder, archive)
    _compare(archive, _sha256(folder / archive), expected)
    for split, (images, labels) in spec.files.items():
        pictures = datasets.CIFAR10(folder, train=split == "train", download=True)
        np.save(ready / images, pictures.data)
        np.save(ready / labels, np.array(pictures.targets, dtype=np.uint8))


def _address(spec: DatasetSpec) -> str:
    """Return the address of a data set on the mirror that the environment names, or ""."""
    return f"{mirror()}/{spec.name}/" if mirror() else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(name: str, actual: str, expected: str) -> None:
    if actual != expected:
        raise Damaged(f"{name} arrived damaged: its sha256 is {actual[:12]}..., not {expected[:12]}...")


def _put_in_place(ready: Path, target: Path, spec: DatasetSpec) -> None:
    """Move a whole data set into the cache; one that another fetch has put there meanwhile stays."""
    try:
        ready.rename(target)
    except OSError:
        if not is_intact(target, spec):
            target.rename(ready.with_name("replaced"))  # goes when the folder of the download does
            ready.rename(target)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
