"""A training in code: with this package, with PyTorch, and in a terminal."""

from dataclasses import fields

import streamlit as st

from cnn_core.network import PRESETS
from cnn_core.training import Settings
from ui import page
from ui.networks import training_files
from ui.wording import OPTIMIZER_NAMES

_ALWAYS = (
    "data",
    "network",
    "optimizer",
    "learning_rate",
    "momentum",
    "batch_size",
    "num_epochs",
    "seed",
)


def show(settings: Settings) -> None:
    """Show a training with these settings in code. Both ends assign the test accuracy to `y`."""
    page.in_code(ours=_ours(settings), torch=_torch(settings))
    st.caption(
        f"The loop on the right {_differences(settings)}, so its accuracy differs a little. "
        "The PyTorch script leaves nothing out. "
        "In a terminal: `python -m cnn_core train --settings settings.json`"
    )
    training_files.offer_recipe(settings, st.container(horizontal=True), of="page")
    st.caption(training_files.what_the_script_needs(settings))


def _ours(settings: Settings) -> str:
    shown = [
        field.name
        for field in fields(settings)
        if field.name in _ALWAYS or getattr(settings, field.name) != field.default
    ]
    lines = "\n".join(f"    {name}={getattr(settings, name)!r}," for name in shown)
    return f"""from cnn_core.training import Settings, train

settings = Settings(
{lines}
)
for event in train(settings):
    print(event)
y = event.test_accuracy"""


def _differences(settings: Settings) -> str:
    """Say what the short loop does otherwise."""
    ends_early = settings.target_accuracy or settings.max_minutes or settings.patience
    words = {
        "keeps no pictures for validation": settings.num_validation,
        "trains on all pictures": settings.train_fraction < 1,
        "does not move or mirror them": settings.shift or settings.flip,
        "does not stop early": ends_early,
        "takes the pictures in another order": True,
    }
    *others, last = [text for text, is_so in words.items() if is_so]
    return f"{', '.join(others)} and {last}" if others else last


def _torch(settings: Settings) -> str:
    spec = settings.spec
    imported, network = "parse", f"parse({settings.network!r})"
    if settings.network in PRESETS:
        imported, network = "PRESETS", f"PRESETS[{settings.network!r}].network"
    smoothing = f", label_smoothing={settings.label_smoothing}" if settings.label_smoothing else ""
    permute, images = "", "torch.tensor(pictures.images)"
    if settings.permuted:
        permute = "\nfrom cnn_core.data.permutation import permute"
        images = "torch.stack([torch.tensor(permute(image)) for image in pictures.images])"
    math, scheduler, scheduler_step = "", "", ""
    if settings.schedule != "constant":
        scheduler = (
            f"\nnum_steps = {settings.num_epochs} * math.ceil(len(x) / {settings.batch_size})\n"
            f"scheduler = torch.optim.lr_scheduler.{_SCHEDULERS[settings.schedule](settings)}"
        )
        math, scheduler_step = "import math\n\n", "\n        scheduler.step()"
    return f"""{math}import torch
from torch.nn.functional import cross_entropy

from cnn_core import data, modules{permute}
from cnn_core.network import {imported}


def tensors(split):
    pictures = data.load({settings.data!r}, split=split)
    x = {images}
    x = x.reshape(len(pictures), {spec.image_shape[0]}, {spec.image_shape[1]}, -1)
    return x.permute(0, 3, 1, 2) / 255, torch.tensor(pictures.labels)


network = {network}
model = modules.build(network, {spec.input_shape}, seed={settings.seed})
optimizer = torch.optim.{_optimizer(settings)}
x, labels = tensors("train"){scheduler}
for epoch in range({settings.num_epochs}):
    for rows in torch.randperm(len(x)).split({settings.batch_size}):
        loss = cross_entropy(model(x[rows]), labels[rows]{smoothing})
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(){scheduler_step}

x, labels = tensors("test")
model.eval()
with torch.no_grad():
    y = (model(x).argmax(1) == labels).float().mean()"""


def _optimizer(settings: Settings) -> str:
    """Write the call that makes the optimizer, with the options that differ from PyTorch's own."""
    options = {"lr": settings.learning_rate}
    if settings.optimizer == "sgd":
        options |= {"momentum": settings.momentum}
        options |= {"nesterov": True} if settings.nesterov else {}
    if settings.weight_decay or settings.optimizer == "adamw":  # PyTorch's AdamW decays by 0.01 if not told
        options["weight_decay"] = settings.weight_decay
    written = ", ".join(f"{name}={value!r}" for name, value in options.items())
    return f"{OPTIMIZER_NAMES[settings.optimizer]}(model.parameters(), {written})"


_SCHEDULERS = {
    "step": lambda settings: "StepLR(optimizer, step_size=math.ceil(num_steps / 3), gamma=0.1)",
    "cosine": lambda settings: "CosineAnnealingLR(optimizer, T_max=num_steps)",
    "one-cycle": lambda settings: (
        f"OneCycleLR(\n    optimizer, max_lr={settings.learning_rate}, total_steps=num_steps, cycle_momentum=False\n)"
    ),
}
