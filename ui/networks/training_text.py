"""What the trainer page says about what happens: steps, sets of pictures, the plateau."""

import streamlit as st

from cnn_core.network import LENET, BatchNorm, Dropout, Sigmoid
from cnn_core.training import Settings
from ui import page
from ui.networks.training_charts import chance


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
    if settings.label_smoothing:
        _smoothing(settings.label_smoothing, num_classes)
    st.markdown(
        "The gradient says how the loss changes with each parameter. The optimizer moves all parameters a "
        "little against it:"
    )
    formula, meaning = UPDATES[settings.optimizer](settings)
    st.latex(formula)
    st.markdown(meaning + SCHEDULES[settings.schedule].format(rate=f"{settings.learning_rate:g}"))
    if settings.weight_decay:
        st.markdown(
            "Weight decay pulls each parameter towards 0. Only what lowers the loss again and again stays large."
        )
    st.markdown(
        f"**An epoch** shows each of the {settings.num_train:,} training pictures once, in a new order:"
    )
    st.latex(
        rf"\left\lceil \frac{{{settings.num_train}}}{{{settings.batch_size}}} \right\rceil"
        rf" = {settings.steps_per_epoch} \text{{ steps}}"
    )
    if settings.shift or settings.flip:
        _augmentation(settings)
    st.markdown(
        f"**Three sets.** The network learns from the *training* pictures. {settings.num_validation:,} others "
        "are kept apart for *validation*: they show during the training whether it learns more than those "
        "pictures by heart. The *test* pictures are looked at once, at the end. Who chooses settings by their "
        "test accuracy has learned from them too.\n\n"
        "Training accuracy is counted during the epoch, before each step. Validation comes after the "
        f"epoch. So validation can be better at first.{_differs_in_training(settings)}"
    )
    st.markdown(f"**Chance.** Who gives all {num_classes} classes the same probability has the loss")
    st.latex(rf"-\ln \tfrac{{1}}{{{num_classes}}} = {chance('loss', settings):.3f}")


def _differs_in_training(settings: Settings) -> str:
    """Say what layers that work otherwise in training mean for the curves; nothing if there are none."""
    kinds = {type(layer) for layer in settings.layers.layers}
    dropout = " Dropout rests in validation; that too can make it better." * (Dropout in kinds)
    norm = " Batch norm uses the batch's own mean and variance in training, and running ones in validation."
    return dropout + norm * (BatchNorm in kinds)


def _smoothing(part: float, num_classes: int) -> None:
    st.markdown(f"Label smoothing {part:g} spreads this part of the target over all {num_classes} classes:")
    st.latex(
        rf"L = -{1 - part:g}\,\ln p_{{\text{{true class}}}} - \tfrac{{{part:g}}}{{{num_classes}}} \sum_k \ln p_k"
    )
    st.markdown("So the network is not drawn towards probability 1. Validation and test are without it.")


def _augmentation(settings: Settings) -> None:
    moved = f"moved by up to {settings.shift} pixels down and across" * bool(settings.shift)
    mirrored = "mirrored with a chance of one half" * settings.flip
    st.markdown(
        f"**Changed pictures.** Each training picture is {' and '.join(filter(None, [moved, mirrored]))}, each time "
        "anew. So it is hard to learn by heart. Validation and test pictures stay as they are."
    )


def _sgd(settings: Settings) -> tuple[str, str]:
    rate, momentum, gradient = f"{settings.learning_rate:g}", f"{settings.momentum:g}", _gradient(settings)
    velocity = rf"v &\leftarrow {momentum}\,v + {gradient}"
    meaning = "The momentum keeps a part of the earlier gradients in $v$."
    change = "v"
    if settings.nesterov:
        change = rf"({gradient} + {momentum}\,v)"
        meaning += " Nesterov's form goes one step further along it."
    return rf"\begin{{aligned}} {velocity} \\ w &\leftarrow w - {rate}\,{change} \end{{aligned}}", meaning


def _adam(settings: Settings) -> tuple[str, str]:
    rate, gradient = f"{settings.learning_rate:g}", _gradient(settings)
    shrunk = "w"
    if settings.optimizer == "adamw" and settings.weight_decay:
        shrunk = rf"(1 - {rate} \cdot {settings.weight_decay:g})\,w"
    return (
        rf"\begin{{aligned}} g &= {gradient} \\ w &\leftarrow {shrunk} - {rate}\,"
        r"\frac{\text{mean of } g}{\sqrt{\text{mean of } g^2}} \end{aligned}",
        "The means run over the last steps. So a parameter usually moves by at most about "
        f"{rate}, however small or large its gradient is.",
    )


def _gradient(settings: Settings) -> str:
    """Write the gradient; the weight decay of SGD and Adam is added to it."""
    if settings.weight_decay and settings.optimizer != "adamw":
        return rf"\nabla L + {settings.weight_decay:g}\,w"
    return r"\nabla L"


UPDATES = {"sgd": _sgd, "adam": _adam, "adamw": _adam}
SCHEDULES = {
    "constant": "",
    "step": " The learning rate begins with {rate}. After each third of the steps it falls to a tenth.",
    "cosine": " The learning rate begins with {rate}. It falls to 0 along half a cosine.",
    "one-cycle": " The learning rate begins with a 25th of {rate}. It rises to {rate} for 30 % of the steps, "
    "then falls to almost 0.",
}
"""What follows the meaning of an update."""


def _plateau(settings: Settings) -> None:
    num_sigmoids = sum(isinstance(layer, Sigmoid) for layer in LENET.layers)
    st.markdown(
        "**Why the published LeNet stands still at first.** A sigmoid squeezes every number into 0 to 1. "
        "With the small weights of the start, all its outputs are near 0.5, whatever the picture. "
        "Average pooling takes means of them, and differences shrink again.\n\n"
        "So the last layer gets almost the same numbers for every picture. "
        "From these it can learn one thing: how frequent each class is. "
        "They are about equally frequent, so it guesses, and the loss stays at "
        f"{chance('loss', settings):.3f}.\n\n"
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
