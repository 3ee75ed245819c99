"""What the trainer page says about what happens: steps, sets of pictures, the plateau; and the same in code."""

import streamlit as st

from cnn_core.network import LENET, PRESETS, BatchNorm, Dropout, Sigmoid
from cnn_core.training import Settings
from ui import page, training


def explain(settings: Settings) -> None:
    """Explain what a training does, with the numbers of these settings."""
    page.explanation()
    left, right = st.columns(2, gap="large")
    with left:
        _steps(settings)
    with right:
        _plateau(settings)


def _steps(settings: Settings) -> None:
    num_classes = len(settings.spec.class_names)
    st.markdown(
        "**One step.** The network sees a batch of pictures and gives each class a probability. "
        "The loss of a picture is large when its true class got a small one:"
    )
    st.latex(r"L = -\ln p_{\text{true class}}")
    st.markdown(
        "The gradient says how the loss changes with each parameter. The optimizer moves all parameters a "
        "little against it:"
    )
    formula, meaning = UPDATES[settings.optimizer](settings)
    st.latex(formula)
    st.markdown(meaning)
    st.markdown(
        f"**An epoch** shows each of the {settings.num_train:,} training pictures once, in a new order:"
    )
    st.latex(
        rf"\left\lceil \frac{{{settings.num_train}}}{{{settings.batch_size}}} \right\rceil"
        rf" = {settings.steps_per_epoch} \text{{ steps}}"
    )
    st.markdown(
        f"**Three sets.** The network learns from the *training* pictures. {settings.num_validation:,} others "
        "are kept apart for *validation*: they show during the training whether it learns more than those "
        "pictures by heart. The *test* pictures are looked at once, at the end. Who chooses settings by their "
        "test accuracy has learned from them too.\n\n"
        "Training accuracy is counted during the epoch, before each step. Validation comes after the "
        f"epoch. So validation can be better at first.{_differs_in_training(settings)}"
    )
    st.markdown(f"**Chance.** Who gives all {num_classes} classes the same probability has the loss")
    st.latex(rf"-\ln \tfrac{{1}}{{{num_classes}}} = {training.chance('loss', settings):.3f}")


def _differs_in_training(settings: Settings) -> str:
    """Say what layers that work otherwise in training mean for the curves; nothing if there are none."""
    kinds = {type(layer) for layer in settings.layers.layers}
    dropout = " Dropout rests in validation; that too can make it better." * (Dropout in kinds)
    norm = " Batch norm uses the batch's own mean and variance in training, and running ones in validation."
    return dropout + norm * (BatchNorm in kinds)


UPDATES = {
    "sgd": lambda settings: (
        rf"v \leftarrow {settings.momentum:g}\,v + \nabla L, \qquad w \leftarrow w - {settings.learning_rate:g}\,v",
        "The momentum keeps a part of the earlier gradients in $v$.",
    ),
    "adam": lambda settings: (
        rf"w \leftarrow w - {settings.learning_rate:g}\,"
        r"\frac{\text{mean of } \nabla L}{\sqrt{\text{mean of } (\nabla L)^2}}",
        "The means run over the last steps. So a parameter usually moves by at most about "
        f"{settings.learning_rate:g}, however small or large its gradient is.",
    ),
}


def _plateau(settings: Settings) -> None:
    num_sigmoids = sum(isinstance(layer, Sigmoid) for layer in LENET.layers)
    st.markdown(
        "**Why the published LeNet stands still at first.** A sigmoid squeezes every number into 0 to 1. "
        "With the small weights of the start, all its outputs are near 0.5, whatever the picture. "
        "Average pooling takes means of them, and differences shrink again.\n\n"
        "So the last layer gets almost the same numbers for every picture. "
        "From these it can learn one thing: how frequent each class is. "
        "They are about equally frequent, so it guesses, and the loss stays at "
        f"{training.chance('loss', settings):.3f}.\n\n"
        "The way back is as narrow. A gradient that passes a sigmoid is multiplied by its slope:"
    )
    st.latex(r"\sigma'(x) = \sigma(x)\,(1 - \sigma(x)) \le \tfrac14")
    st.markdown(
        f"There are {num_sigmoids} sigmoids between the loss and the first kernels. They alone leave at most"
    )
    st.latex(rf"\left(\tfrac14\right)^{{{num_sigmoids}}} = \tfrac{{1}}{{{4**num_sigmoids}}}")
    st.markdown(
        "of the gradient. The first kernels hardly move. Slowly the last layers make the small differences "
        "larger, then the gradients grow as well, and the loss falls off the plateau.\n\n"
        "**What helps.** ReLU leaves positive numbers as they are: its slope there is 1. Max pooling keeps the "
        "strongest answer in place of the mean. Adam divides each gradient by its own usual size, so small "
        "gradients make steps as large as large ones. More steps help too: in the end it does leave the plateau."
    )


def code(settings: Settings) -> None:
    """Show a training with these settings in code. Both ends assign the test accuracy to `y`."""
    spec = settings.spec
    imported, network = "parse", f"parse({settings.network!r})"
    if settings.network in PRESETS:
        imported, network = "PRESETS", f"PRESETS[{settings.network!r}].network"
    page.in_code(
        ours=f"""from cnn_core.training import Settings, train

settings = Settings(
    data={settings.data!r},
    network={settings.network!r},
    optimizer={settings.optimizer!r},
    learning_rate={settings.learning_rate!r},
    momentum={settings.momentum!r},
    batch_size={settings.batch_size!r},
    num_epochs={settings.num_epochs!r},
    seed={settings.seed!r},
)
for event in train(settings):
    print(event)
y = event.test_accuracy""",
        torch=f"""import torch
from torch.nn.functional import cross_entropy

from cnn_core import data, modules
from cnn_core.network import {imported}


def tensors(split):
    pictures = data.load({settings.data!r}, split=split)
    x = torch.tensor(pictures.images).reshape(len(pictures), {spec.image_shape[0]}, {spec.image_shape[1]}, -1)
    return x.permute(0, 3, 1, 2) / 255, torch.tensor(pictures.labels)


network = {network}
model = modules.build(network, {spec.input_shape}, seed={settings.seed})
optimizer = torch.optim.{OPTIMIZER_CALLS[settings.optimizer](settings)}
x, labels = tensors("train")
for epoch in range({settings.num_epochs}):
    for rows in torch.randperm(len(x)).split({settings.batch_size}):
        loss = cross_entropy(model(x[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

x, labels = tensors("test")
model.eval()
with torch.no_grad():
    y = (model(x).argmax(1) == labels).float().mean()""",
    )
    st.caption(
        "The loop on the right keeps no pictures for validation and takes them in another order, so its "
        "accuracy differs a little. In a terminal: "
        f"`python -m cnn_core train --data {settings.data} --network {settings.network}`"
    )


OPTIMIZER_CALLS = {
    "sgd": lambda settings: (
        f"SGD(model.parameters(), lr={settings.learning_rate}, momentum={settings.momentum})"
    ),
    "adam": lambda settings: f"Adam(model.parameters(), lr={settings.learning_rate})",
}
