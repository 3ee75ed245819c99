"""Fetching a data set: torchvision downloads in a process of its own, and this one watches it."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cnn_core.data.loading import advice, load
from cnn_core.data.registry import SPLITS, DatasetSpec, DataUnavailable, cache_folder, find_spec

LEFTOVER_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Progress:
    """How far a download has come.

    Attributes:
        bytes_done: Bytes that have arrived.
        bytes_total: Bytes of the whole download.
        message: What is being done, for a person.
    """

    bytes_done: int
    bytes_total: int
    message: str


def fetch(name: str, *, timeout: float = 20.0) -> Iterator[Progress]:
    """Download a data set into the app's cache, unless it is here already and undamaged.

    The download runs in a process of its own, so that the caller never imports torchvision. It goes to a
    folder beside the cached sets and is moved into place in one step when it is whole and its sums are right;
    several fetches at once do not disturb each other. Closing the iterator ends the download.

    The environment variable CNN_DATA_MIRROR=http://host:port names a server to use in place of torchvision's;
    it has the files under /fashion-mnist/, /mnist/, /kmnist/ and /cifar-10/. Where the sums of the
    decompressed files are published they alone decide, so that files compressed anew (as those of Debian's
    package) are taken too.

    Args:
        name: A name in `DATASETS`.
        timeout: Seconds without a byte after which a server is given up.

    Yields:
        Progress, about five times a second; the last one when the data set is in place.

    Raises:
        DataUnavailable: If it cannot be had; the message says why and what to do.
        ValueError: If there is no such data set.
    """
    spec = find_spec(name)
    if not _is_here(spec):
        mirror()  # what is wrong there is said before a process starts
        try:
            yield from _download(spec, timeout=timeout)
        except OSError as error:
            raise DataUnavailable(
                f"the cache folder {cache_folder()} cannot be written ({error.strerror}): "
                "name another one in the environment variable CNN_CACHE_DIR"
            ) from None
    yield Progress(spec.num_bytes, spec.num_bytes, f"{spec.title} is here")


def mirror() -> str:
    """Return the address in CNN_DATA_MIRROR, without a slash at its end; "" if there is none.

    Raises:
        DataUnavailable: If what stands there is no address.
    """
    text = os.environ.get("CNN_DATA_MIRROR", "").strip()
    try:
        parts = urlsplit(text)
        has_host = parts.scheme in ("http", "https", "ftp") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a bracket that is not closed, or a port that is no number
        has_host = False
    if text and not has_host and not text.lower().startswith("file:///"):
        raise DataUnavailable(f"CNN_DATA_MIRROR {text!r} is no address: write it as http://host:port")
    return text.rstrip("/")


def _is_here(spec: DatasetSpec) -> bool:
    """Tell whether a data set can be read, by reading it; one that cannot be downloaded says what to do."""
    try:
        for split in SPLITS:
            load(spec.name, split=split)
    except DataUnavailable:
        if not spec.torchvision:
            raise
        return False
    return True


def _download(spec: DatasetSpec, *, timeout: float) -> Iterator[Progress]:
    """Run `cnn_core.data.download` and report how the files grow."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    _remove_leftovers(spec)
    folder = Path(tempfile.mkdtemp(prefix=f".{spec.name}-", dir=cache_folder()))
    child = subprocess.Popen(
        [sys.executable, "-m", "cnn_core.data.download", spec.name, str(folder), str(timeout)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TQDM_DISABLE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        while child.poll() is None:
            bytes_done = min(_bytes_in(folder), spec.num_bytes)
            yield Progress(bytes_done, spec.num_bytes, f"Fetching {spec.title}")
            _wait(child, seconds=0.2)
        if child.returncode != 0:
            reason = child.stdout.read().strip() or f"the download ended with status {child.returncode}"
            raise DataUnavailable(f"{spec.name} could not be fetched ({reason}): {_remedy(spec)}")
    finally:
        child.kill()
        child.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(spec: DatasetSpec) -> None:
    """Remove what fetches that were killed have left behind."""
    for folder in cache_folder().glob(f".{spec.name}-*"):
        with contextlib.suppress(FileNotFoundError):  # that fetch has just ended
            if time.time() - folder.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _bytes_in(folder: Path) -> int:
    """Add up the archives that have arrived so far, where torchvision puts them."""
    archives = [*folder.glob("*.gz"), *folder.glob("*/raw/*.gz")]
    return sum(path.stat().st_size for path in archives)


def _wait(child: subprocess.Popen, *, seconds: float) -> None:
    """Wait until the child ends, at most for so long."""
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def _remedy(spec: DatasetSpec) -> str:
    return f"check the network or name a mirror in CNN_DATA_MIRROR, then {advice(spec)}"
