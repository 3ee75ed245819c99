import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

from cnn_core.__main__ import main
from cnn_core.data import DATASETS
from cnn_core.network import PRESETS
from cnn_core.published import PUBLISHED
from cnn_core.training import Failed, Settings, checkpoints

ROOT = Path(__file__).parents[2]
QUICK = [
    "--network",
    "conv4k5s2-relu-max2-flatten-10",
    "--batch-size",
    "100",
    "--device",
    "cpu",
    "--threads",
    "1",
]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def threads():
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(
    not DATASETS["fashion-mnist"].system_folder.is_dir(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)
def test_one_epoch_on_the_real_fashion_mnist_gets_most_clothes_right():
    command = (
        "train --data fashion-mnist --network lenet-modern --optimizer adam --learning-rate 0.003 --epochs 1"
    )
    run = subprocess.run(
        [sys.executable, "-m", "cnn_core", *command.split(), "--batch-size", "256", "--threads", "1"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("54000 training, 6000 validation pictures, ")
    assert float(re.search(r"test accuracy (0\.\d{4})", run.stdout).group(1)) > 0.75


def test_train_prints_the_epochs_and_the_test_accuracy(capsys):
    assert main(["train", "--epochs", "2", *QUICK]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3600 training, 400 validation pictures, cpu"
    assert [line.split(":")[0] for line in lines[1:3]] == ["epoch 1", "epoch 2"]
    found = re.fullmatch(r"test accuracy (0\.\d{4}), test loss (\d\.\d{4})", lines[-1])
    assert float(found.group(1)) > 0.7


def test_a_saved_training_goes_on(capsys, tmp_path):
    folder = str(tmp_path / "kept")
    assert main(["train", "--epochs", "1", "--save", folder, *QUICK]) == 0
    assert checkpoints.load(folder).progress["epoch"] == 1
    assert main(["train", "--epochs", "2", "--resume", folder, *QUICK]) == 0
    resumed = capsys.readouterr().out.splitlines()[-1]
    assert main(["train", "--epochs", "2", *QUICK]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == resumed


def test_options_count_more_than_the_settings_file(capsys, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"num_epochs": 500, "validation_fraction": 0.5, "network": "flatten-10"}))
    assert main(["train", "--settings", str(path), "--epochs", "1"]) == 0
    assert "2000 training, 2000 validation pictures" in capsys.readouterr().out


def test_the_help_of_train_has_every_setting_with_its_default(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    for field in fields(Settings):
        option = f"--{field.name.removeprefix('num_').replace('_', '-')}"
        shown = printed.rpartition(f" {option}")[2].partition(" --")[0]
        if field.type is bool:
            assert f"{option}, --no-{field.name}" in printed
        else:
            assert f"(by default {field.default:{'' if field.type is str else 'g'}})" in shown
    headings = ["what is trained:", "pictures:", "steps:", "when it ends:", "the machine and what is kept:"]
    places = [printed.index(heading) for heading in headings]
    assert places == sorted(places)


def test_a_switch_of_the_settings_file_can_be_turned_off(capsys, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"flip": True, "num_epochs": 1}))
    printed = []
    for arguments in (["--settings", str(path), "--no-flip"], ["--epochs", "1"], ["--epochs", "1", "--flip"]):
        assert main(["train", *arguments, *QUICK]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]


def test_a_training_that_ends_early_says_why(capsys):
    assert main(["train", "--epochs", "9", "--target-accuracy", "0.3", *QUICK]) == 0
    ended, tested = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r"ended: target accuracy 0\.3 reached in epoch [1-4]", ended)
    assert tested.startswith("test accuracy")


def test_a_training_that_diverges_has_status_1(capsys):
    assert main(["train", "--learning-rate", "1e30", *QUICK]) == 1
    assert "try a smaller learning_rate" in capsys.readouterr().err
    assert Failed.__name__ not in capsys.readouterr().err


def test_summary_prints_the_layer_table_and_its_totals(capsys):
    assert main(["summary", "--network", "lenet"]) == 0
    lines = [re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["conv1", "conv6k5p2", "6 x 28 x 28", "156", "117,600", "5 x 5", "1 x 1"]
    assert ["linear3", "10", "10", "850", "840", "28 x 28", "-"] in lines
    text = "\n".join("  ".join(line) for line in lines)
    assert "61,706 (246,824 bytes)" in text
    assert "416,520 for one picture" in text


def test_summary_takes_a_notation_and_a_shape(capsys):
    assert main(["summary", "--network", "conv6k5-flatten-10", "--input", "3x32x32"]) == 0
    assert "6 x 28 x 28" in capsys.readouterr().out


def test_summary_prints_the_table_of_a_published_network(capsys):
    assert main(["summary", "--network", "vgg16", "--input", "3x224x224"]) == 0
    printed = capsys.readouterr().out
    lines = [re.split(r"\s{2,}", line) for line in printed.splitlines()]
    assert printed.startswith("VGG-16. Thirteen convolutions")
    assert lines[3] == ["features.0", "Conv2d", "64 x 224 x 224", "1,792", "86,704,128", "3 x 3", "1 x 1"]
    assert "138,357,544 (553,430,176 bytes)" in printed
    assert "15,470,264,320 for one picture" in printed
    assert main(["summary", "--network", "vgg16"]) == 0
    assert capsys.readouterr().out == printed


def test_the_help_of_summary_names_presets_and_published_networks(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["summary", "--help"])
    words = re.split(r"[,\s]+", capsys.readouterr().out)
    assert {*PRESETS, *PUBLISHED} <= set(words)


def test_data_lists_what_is_here(capsys):
    assert main(["data"]) == 0
    rows = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]}
    assert rows.keys() == DATASETS.keys()
    assert rows["mnist-5k"] == "yes"
    assert rows["kmnist"] == "no"


def test_data_fetch_says_that_a_data_set_is_here(capsys):
    assert main(["data", "fetch", "mnist-5k"]) == 0
    assert capsys.readouterr().out == "mnist-5k is here\n"


def test_training_on_a_missing_data_set_tries_to_fetch_it(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNN_CACHE_DIR", str(tmp_path / "file"))
    assert main(["train", "--data", "kmnist"]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "minst"], "cnn_core: unknown data set 'minst': did you mean 'mnist'?"),
        (["train", "--network", "lenet-moden"], "did you mean 'lenet-modern'?"),
        (["train", "--learning-rate", "nan"], "learning_rate nan must be a finite number greater than 0"),
        (["train", "--epochs", "0"], "num_epochs 0 must be between 1 and 1000"),
        (["train", "--schedule", "cosin"], "unknown schedule 'cosin': did you mean 'cosine'?"),
        (["train", "--patience", "3", "--validation-fraction", "0"], "patience 3 needs validation pictures"),
        (["train", "--threads", "0"], "threads 0 must be at least 1"),
        (["train", "--device", "tpu"], "unknown device 'tpu'"),
        (["train", "--resume", "nowhere"], "folder nowhere has no checkpoint"),
        (["train", "--settings", "nowhere.json"], "No such file"),
        (["summary", "--network", "lenett"], "unknown network 'lenett': did you mean 'lenet'?"),
        (["summary", "--network", "vgg-16"], "unknown network 'vgg-16': did you mean 'vgg16'?"),
        (["summary", "--network", "vgg16", "--input", "1x28x28"], "vgg16 takes 3 channels"),
        (
            ["summary", "--network", "vgg16", "--input", "3x28x28"],
            "vgg16 needs a larger picture than 28 x 28",
        ),
        (["summary", "--input", "28 by 28"], "input '28 by 28' is not a shape: write it as 1x28x28"),
        (["summary", "--input", "1x4x4"], "conv2 (conv16k5) gets (6, 2, 2)"),
        (["data", "fetch", "kmnits"], "unknown data set 'kmnits': did you mean 'kmnist'?"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(capsys, arguments, message):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["train", "summary"])
def test_a_notation_that_cannot_be_read_is_shown_with_the_place(capsys, command):
    assert main([command, "--network", "conv3k5-relu-flaten-10"]) == 2
    message, text, carets = capsys.readouterr().err.splitlines()
    assert message.startswith('cnn_core: layer 3 "flaten"')
    assert text[carets.index("^") : carets.rindex("^") + 1] == "flaten"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "cnn_core: the following arguments are required: train|summary|data"),
        (["train", "--epochs", "two"], "cnn_core train: argument --epochs: invalid int value: 'two'"),
        (["trian"], "cnn_core: argument train|summary|data: invalid choice: 'trian'"),
    ],
)
def test_a_mistyped_command_is_one_line_and_status_2(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_misspelt_key_in_a_settings_file_is_named(capsys, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"learning_rat": 0.1}')
    assert main(["train", "--settings", str(path)]) == 2
    assert (
        capsys.readouterr().err == "cnn_core: unknown setting 'learning_rat': did you mean 'learning_rate'?\n"
    )


def test_summary_and_data_import_no_torch():
    code = (
        "import sys; from cnn_core.__main__ import main; main(['summary']); main(['data']);"
        "print({'torch', 'torchvision', 'streamlit', 'plotly'}.isdisjoint(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_ctrl_c_ends_cleanly_and_keeps_the_checkpoint(tmp_path):
    command = [
        sys.executable,
        "-m",
        "cnn_core",
        "train",
        "--epochs",
        "900",
        "--save",
        str(tmp_path / "kept"),
        *QUICK,
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "training" in process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    steps = int(re.search(r"stopped after (\d+) of 32400 steps", errors).group(1))
    progress = checkpoints.load(tmp_path / "kept").progress
    assert progress["epoch"] * 36 + progress["step"] == steps
