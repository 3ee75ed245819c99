import errno
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cnn_core.__main__ import main
from cnn_core.data import DATASETS
from cnn_core.network import PRESETS
from cnn_core.published import PUBLISHED
from cnn_core.training import Failed, Settings, checkpoints
from cnn_core.training.recipes import RECIPES

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


def test_the_weights_of_a_training_that_the_time_ends_are_kept_as_they_were_tested(capsys, tmp_path):
    assert main(["train", "--max-minutes", "1e-9", "--save", str(tmp_path), *QUICK]) == 0
    ended, tested = capsys.readouterr().out.splitlines()[-2:]
    step = checkpoints.load(tmp_path).progress["step"]
    assert ended == f"ended: 1e-09 minutes over, after step {step}"
    assert main(["train", "--max-minutes", "1e-9", "--resume", str(tmp_path), *QUICK]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == tested


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["train", "--save", str(tmp_path / "file"), *QUICK]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "cannot be written (" in printed.err
    assert printed.err.count("\n") == 1


def test_a_training_begins_from_the_weights_of_a_file_or_a_checkpoint(capsys, tmp_path):
    assert main(["train", "--epochs", "1", "--save", str(tmp_path), *QUICK]) == 0
    path = tmp_path / "weights.safetensors"
    save_file(checkpoints.load_weights(tmp_path), path)
    for file in (path, tmp_path / checkpoints.FILE_NAME):
        assert main(["train", "--epochs", "1", "--weights", str(file), *QUICK]) == 0
    losses = re.findall(r"epoch 1: training loss ([\d.]+)", capsys.readouterr().out)
    assert float(losses[0]) > 1.5 * float(losses[1])
    assert losses[1] == losses[2]


def test_weights_of_another_network_are_refused(capsys, tmp_path):
    save_file({"linear1.bias": np.zeros(10, np.float32)}, tmp_path / "weights.safetensors")
    assert main(["train", "--weights", str(tmp_path / "weights.safetensors"), *QUICK]) == 2
    assert "parameters lack conv1.weight of shape (4, 1, 5, 5)" in capsys.readouterr().err


def test_options_count_more_than_the_settings_file(capsys, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"num_epochs": 500, "validation_fraction": 0.5, "network": "flatten-10"}))
    assert main(["train", "--settings", str(path), "--epochs", "1"]) == 0
    assert "2000 training, 2000 validation pictures" in capsys.readouterr().out


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_trained_by_its_name_and_options_count_more(monkeypatch, name):
    trained = []

    def stop(settings, **_):
        trained.append(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr("cnn_core.commands.train.start_training", stop)
    monkeypatch.setattr("cnn_core.commands.train.show_fetch", lambda name: None)
    assert main(["train", "--recipe", name, "--seed", "5"]) == 130
    assert trained == [replace(RECIPES[name].settings, seed=5)]


def test_a_recipe_and_a_file_of_settings_are_too_much(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--recipe", "fast", "--settings", "x.json"])
    assert "argument --settings: not allowed with argument --recipe" in capsys.readouterr().err


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
        printed.append(capsys.readouterr().out.splitlines()[-1])
    assert printed[0] == printed[1] != printed[2]


def test_a_training_that_ends_early_says_why(capsys):
    assert main(["train", "--epochs", "9", "--target-accuracy", "0.3", *QUICK]) == 0
    ended, spent, tested = capsys.readouterr().out.splitlines()[-3:]
    assert re.fullmatch(r"ended: target accuracy 0\.3 reached in epoch [1-4]", ended)
    assert spent.startswith("time of the steps: taking the pictures ")
    assert tested.startswith("test accuracy")


def test_a_training_that_diverges_has_status_1(capsys):
    assert main(["train", "--learning-rate", "1e30", *QUICK]) == 1
    assert "try a smaller learning_rate" in capsys.readouterr().err
    assert Failed.__name__ not in capsys.readouterr().err


def too_large():
    import torch

    torch.empty(2**60)


def too_large_for_a_gpu():
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")


def too_large_for_numpy():
    raise MemoryError


@pytest.mark.parametrize("allocate", [too_large, too_large_for_a_gpu, too_large_for_numpy])
def test_a_lack_of_memory_is_one_line_and_status_1(capsys, monkeypatch, allocate):
    monkeypatch.setattr("cnn_core.commands.train.start_training", lambda *_, **__: iter(allocate, None))
    assert main(["train", *QUICK]) == 1
    error = capsys.readouterr().err
    assert error == "cnn_core: the memory is not enough: try a smaller batch_size or network\n"


def test_another_error_of_torch_is_not_hidden(monkeypatch):
    def fail():
        raise RuntimeError("shapes differ")

    monkeypatch.setattr("cnn_core.commands.train.start_training", lambda *_, **__: iter(fail, None))
    with pytest.raises(RuntimeError, match="shapes differ"):
        main(["train", *QUICK])


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
    assert main(["summary", "--network", "VGG16"]) == 0
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
        (["train", "--recipe", "fats"], "unknown recipe 'fats': did you mean 'fast'?"),
        (["train", "--threads", "0"], "threads 0 must be at least 1"),
        (["train", "--threads", "100000"], "threads 100000 must be at most 1024"),
        (["experiment", "fewer", "--threads", "1000000000"], "threads 1000000000 must be at most 1024"),
        (["train", "--momentum", "0.9"], "momentum 0.9 has no effect with optimizer adam: leave --momentum"),
        (["train", "--optimizer", "adamw", "--nesterov"], "no effect with optimizer adamw: leave --nesterov"),
        (["train", "--device", "tpu"], "unknown device 'tpu'"),
        (["train", "--weights", "nowhere.safetensors"], "nowhere.safetensors: No such file or directory"),
        (["train", "--weights", __file__], "is no whole safetensors file"),
        (["train", "--resume", "nowhere"], "folder nowhere has no checkpoint"),
        (["train", "--settings", "nowhere.json"], "cnn_core: nowhere.json: No such file or directory"),
        (["train", "--settings", str(ROOT)], f"cnn_core: {ROOT}: Is a directory"),
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
        (["train", "--save", ""], "cnn_core train: argument --save: the name is empty: write one"),
        (["train", "--resume", ""], "cnn_core train: argument --resume: the name is empty: write one"),
        (["experiment", "x", "--save", ""], "cnn_core experiment: argument --save: the name is empty"),
        (["trian"], "cnn_core: argument train|summary|data|experiment: invalid choice: 'trian'"),
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


def test_a_settings_file_in_utf_16_is_named_with_what_to_do(capsys, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text("{}", encoding="utf-16")
    assert main(["train", "--settings", str(path)]) == 2
    assert capsys.readouterr().err == f"cnn_core: {path} is no text in UTF-8: save it as UTF-8\n"


def test_a_settings_file_may_hold_a_momentum_that_adam_does_not_use(capsys, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"optimizer": "adam", "momentum": 0.9, "num_epochs": 1}))
    assert main(["train", "--settings", str(path), *QUICK]) == 0
    assert main(["train", "--settings", str(path), "--momentum", "0.9", *QUICK]) == 2
    assert "momentum 0.9 has no effect" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["teacher", "http://[bad"])
def test_a_mirror_that_is_no_address_is_one_line_and_status_2(capfd, monkeypatch, address):
    monkeypatch.setenv("CNN_DATA_MIRROR", address)
    assert main(["data", "fetch", "kmnist"]) == 2
    expected = f"cnn_core: CNN_DATA_MIRROR {address!r} is no address: write it as http://host:port\n"
    assert capfd.readouterr().err == expected


def test_the_help_of_data_shows_that_fetch_is_not_needed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["data", "--help"])
    assert capsys.readouterr().out.startswith("usage: cnn_core data [-h] [fetch NAME]\n")
    with pytest.raises(SystemExit, match="0"):
        main(["data", "fetch", "--help"])
    assert capsys.readouterr().out.startswith("usage: cnn_core data fetch [-h] name\n")


def test_the_help_of_train_says_what_is_kept_and_what_a_resumed_training_needs(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "keep a checkpoint there, after each epoch; without it nothing is kept" in printed
    assert "the options or --settings must be those of that training" in printed


@pytest.fixture(params=["", "1"], ids=["buffered", "unbuffered"])
def environment(request):
    return os.environ | {"PYTHONUNBUFFERED": request.param}


def test_an_output_that_nobody_reads_ends_the_command_quietly(environment):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "cnn_core", "summary"]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_an_output_on_a_full_disk_is_said_in_words(environment):
    command = [sys.executable, "-m", "cnn_core", "summary"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.startswith("cnn_core: the output could not be written (No space left on device): ")
    assert done.stderr.count("\n") == 1


def test_a_checkpoint_on_a_full_disk_is_not_taken_for_the_output(capsys, monkeypatch, tmp_path):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints, "save", fail)
    assert main(["train", "--save", str(tmp_path), *QUICK]) == 2
    assert f"cnn_core: {tmp_path} could not be written (No space left on device)" in capsys.readouterr().err


def test_an_epoch_that_nobody_reads_of_is_kept(tmp_path):
    command = [sys.executable, "-m", "cnn_core", "train", "--epochs", "900", "--save", str(tmp_path), *QUICK]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 141
    assert checkpoints.load(tmp_path).progress["epoch"] >= 1


@pytest.mark.parametrize("module", ["cnn_core.data", "numpy", "tqdm", "torch", "torch.nn"])
def test_ctrl_c_while_a_module_is_imported_leaves_no_traceback(module):
    code = f"""
import os, runpy, signal, sys

class Press:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job has not
sys.meta_path.insert(0, Press())
sys.argv = ["cnn_core", "train", "--threads", "1", "--device", "cpu"]
runpy.run_module("cnn_core", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == "cnn_core: interrupted\n"
    assert done.returncode == 130
    assert done.stdout == ""


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
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert "training" in process.stdout.readline()
        assert "epoch 1" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    steps = int(re.search(r"stopped after (\d+) of 32400 steps", errors).group(1))
    progress = checkpoints.load(tmp_path / "kept").progress
    assert progress["epoch"] * 36 + progress["step"] == steps
