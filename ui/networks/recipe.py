"""The recipe of a training: optimizer, numbers, and what is off until somebody turns it on."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core.data.registry import DatasetSpec
from cnn_core.training import OPTIMIZERS, SCHEDULES, Settings
from cnn_core.training import settings as limits
from ui import controls
from ui.networks import trained_network
from ui.wording import OPTIMIZER_NAMES

USUAL = Settings()
MOMENTUM = 0.9
MAX_EPOCHS = 60
OPTIMIZER_TITLES = OPTIMIZER_NAMES | {"sgd": "SGD with momentum"}
SCHEDULE_TITLES = {"constant": "Constant", "step": "Steps", "cosine": "Cosine", "one-cycle": "One-cycle"}
KEYS = MappingProxyType(
    {
        "data": "t-data",
        "network": trained_network.TEXT,
        "optimizer": "t-optimizer",
        "learning_rate": "t-rate",
        "batch_size": "t-batch",
        "num_epochs": "t-epochs",
        "seed": "t-seed",
        "momentum": "t-momentum",
        "schedule": "t-schedule",
        "weight_decay": "t-decay",
        "nesterov": "t-nesterov",
        "label_smoothing": "t-smoothing",
        "validation_fraction": "t-validation",
        "train_fraction": "t-part",
        "shift": "t-shift",
        "flip": "t-mirror",
        "permuted": "t-permuted",
        "target_accuracy": "t-target",
        "max_minutes": "t-minutes",
        "patience": "t-patience",
    }
)
"""Name of a setting -> key of its control."""
LABELS = MappingProxyType(
    {
        "data": "Data set",
        "network": "Network",
        "optimizer": "Optimizer",
        "learning_rate": "Learning rate",
        "momentum": "Momentum",
        "batch_size": "Batch size",
        "num_epochs": "Epochs",
        "seed": "Seed",
        "schedule": "Schedule of the learning rate",
        "weight_decay": "Weight decay",
        "label_smoothing": "Label smoothing",
        "nesterov": "Nesterov momentum",
        "validation_fraction": "Part for validation",
        "train_fraction": "Part to train on",
        "shift": "Shift",
        "flip": "Mirror at random",
        "permuted": "Permute the pixels",
        "target_accuracy": "Stop at accuracy",
        "max_minutes": "Stop after minutes",
        "patience": "Patience",
    }
)
"""What the page calls a setting."""
RANGES = MappingProxyType(
    {
        "learning_rate": (0.00001, 10.0),
        "momentum": (0.0, 0.99),
        "num_epochs": (1, MAX_EPOCHS),
        "label_smoothing": (0.0, 0.99),
        "train_fraction": (0.01, 1.0),
    }
)
"""What the controls of this page offer, where it is less than `Settings` takes."""
_IN_MORE = list(KEYS)[list(KEYS).index("schedule") :]
_IS_OPEN = "trainer-more-is-open"


def choose(spec: DatasetSpec, *, more_place: DeltaGenerator) -> dict[str, Any]:
    """Draw the controls and return the settings that they stand for, by name.

    Args:
        spec: The data set.
        more_place: Where those stand that are off by default.
    """
    # A file of settings may set them before they are drawn for the first time.
    controls.reserve({KEYS["momentum"]: MOMENTUM, KEYS["nesterov"]: False})
    optimizer = controls.choice(
        LABELS["optimizer"],
        OPTIMIZERS,
        key=KEYS["optimizer"],
        default=USUAL.optimizer,
        format=OPTIMIZER_TITLES.get,
        as_list=True,
    )
    left, right = st.columns(2)
    with left:
        values = {
            "optimizer": optimizer,
            "learning_rate": _number("learning_rate", step=0.001),
        }
        batch_place = st.container()
    with right:
        values["num_epochs"] = _integer("num_epochs", 1, MAX_EPOCHS)
        values["seed"] = _integer("seed", 0, limits.MAX_SEED)
    if optimizer == "sgd":
        values["momentum"] = _number("momentum", step=0.1, default=MOMENTUM)
    with more_place:
        values |= _choose_more(spec, with_nesterov=values.get("momentum", 0) > 0)
    with batch_place:
        values["batch_size"] = _integer("batch_size", 1, _num_train(spec, values), as_box=True)
    return values


def control_values(settings: Settings) -> dict[str, Any]:
    """Return what the controls have to be set to, by key, so that they stand for these settings.

    Raises:
        ValueError: If a value is one that this page does not offer.
    """
    values = {name: getattr(settings, name) for name in KEYS}
    if settings.optimizer != "sgd":  # Adam uses neither, and has no controls for them
        values |= {"momentum": MOMENTUM, "nesterov": False}
    for name, (low, high) in RANGES.items():
        if not low <= values[name] <= high:
            raise ValueError(f"{name} {values[name]} must be between {low} and {high} on this page")
    floats = {name for name, value in vars(USUAL).items() if isinstance(value, float)}
    return {KEYS[name]: float(value) if name in floats else value for name, value in values.items()}


def unusual(settings: Settings) -> list[str]:
    """Say in a few words each what differs from a plain training."""
    ends = [
        (settings.target_accuracy, f"ends at validation accuracy {settings.target_accuracy:g}"),
        (settings.max_minutes, f"ends after {settings.max_minutes:g} min"),
        (settings.patience, f"ends with patience {settings.patience}"),
    ]
    told = [
        (settings.schedule != USUAL.schedule, f"schedule {SCHEDULE_TITLES[settings.schedule].lower()}"),
        (settings.optimizer == "sgd" and settings.nesterov, "Nesterov"),
        (settings.weight_decay, f"weight decay {settings.weight_decay:g}"),
        (settings.label_smoothing, f"label smoothing {settings.label_smoothing:g}"),
        (
            settings.validation_fraction != USUAL.validation_fraction,
            f"{settings.validation_fraction:g} kept for validation",
        ),
        (settings.train_fraction < 1, f"{settings.train_fraction:g} of the other pictures"),
        (settings.shift, f"shifted by up to {settings.shift} px"),
        (settings.flip, "mirrored at random"),
        (settings.permuted, "pixels permuted"),
        *ends,
    ]
    return [words for is_told, words in told if is_told]


def _num_train(spec: DatasetSpec, values: Mapping[str, Any]) -> int:
    """Count the pictures that are trained on: the most that a batch can hold."""
    parts = {name: values[name] for name in ("validation_fraction", "train_fraction")}
    return Settings(data=spec.name, batch_size=1, **parts).num_train


def _choose_more(spec: DatasetSpec, *, with_nesterov: bool) -> dict[str, Any]:
    """Draw what is off by default. It opens if a link or a button sets one of them, and stays open then."""
    keys = [KEYS[name] for name in _IN_MORE]
    is_set = any(
        key in st.query_params or st.session_state.get(key, getattr(USUAL, name)) != getattr(USUAL, name)
        for name, key in zip(_IN_MORE, keys, strict=True)
    )
    st.session_state[_IS_OPEN] = st.session_state.get(_IS_OPEN, False) or is_set
    with st.expander("More of the recipe", expanded=st.session_state[_IS_OPEN], icon=":material/tune:"):
        return _choose_steps(with_nesterov) | _choose_pictures(spec) | _choose_ends()


def _choose_steps(with_nesterov: bool) -> dict[str, Any]:
    schedule = controls.choice(
        LABELS["schedule"],
        SCHEDULES,
        key=KEYS["schedule"],
        default=USUAL.schedule,
        format=SCHEDULE_TITLES.get,
        as_list=True,
        help="Steps: a tenth after each third. Cosine: down to 0. One-cycle: up, then down to almost 0.",
    )
    left, right = st.columns(2)
    with left:
        decay = _number(
            "weight_decay",
            high=1.0,
            step=0.001,
            help="Pulls each parameter towards 0, in each step a little.",
        )
    with right:
        smoothing = _number(
            "label_smoothing",
            step=0.05,
            help="This part of the target is spread evenly over all classes.",
        )
    values = {"schedule": schedule, "weight_decay": decay, "label_smoothing": smoothing}
    if with_nesterov:
        values["nesterov"] = controls.switch(
            LABELS["nesterov"], key=KEYS["nesterov"], help="The momentum looks one step ahead."
        )
    return values


def _choose_pictures(spec: DatasetSpec) -> dict[str, Any]:
    left, right = st.columns(2)
    with left:
        validation = _number(
            "validation_fraction",
            high=limits.MAX_VALIDATION_FRACTION,
            step=0.05,
            help="This part of the pictures is kept apart and never trained on.",
        )
    with right:
        part = _number(
            "train_fraction",
            step=0.1,
            help="Of the pictures that are left, train on this part.",
        )
    shift = _integer(
        "shift",
        0,
        min(spec.input_shape[1:]) // 2,
        help="Moves each picture at random by up to so many pixels; black comes in.",
    )
    flip = controls.switch(
        LABELS["flip"],
        key=KEYS["flip"],
        help="Mirrors each second picture, left to right. That suits clothes; a mirrored 3 is no 3.",
    )
    permuted = controls.switch(
        LABELS["permuted"],
        key=KEYS["permuted"],
        help="Gives each pixel another place, the same one in all pictures, those of validation and test too. "
        "Which networks mind?",
    )
    return {
        "validation_fraction": validation,
        "train_fraction": part,
        "shift": shift,
        "flip": flip,
        "permuted": permuted,
    }


def _choose_ends() -> dict[str, Any]:
    st.markdown("**Stop early** (0 is off)")
    left, right = st.columns(2)
    with left:
        target = _number(
            "target_accuracy",
            high=1.0,
            step=0.01,
            help="Ends after the epoch in which validation reaches it.",
        )
    with right:
        minutes = _number(
            "max_minutes",
            high=float(limits.MAX_MINUTES),
            step=1.0,
            help="Ends when the steps have taken so long.",
        )
    with left:
        patience = _integer(
            "patience",
            0,
            limits.MAX_EPOCHS,
            as_box=True,
            help="Ends after so many epochs without a smaller validation loss.",
        )
    return {"target_accuracy": target, "max_minutes": minutes, "patience": patience}


def _number(
    name: str,
    *,
    step: float,
    high: float | None = None,
    default: float | None = None,
    help: str | None = None,
) -> float:
    low, most = RANGES.get(name, (0.0, high))
    default = getattr(USUAL, name) if default is None else default
    return controls.number(
        LABELS[name], key=KEYS[name], default=default, low=low, high=most, step=step, format="%g", help=help
    )


def _integer(name: str, low: int, high: int, **options: Any) -> int:
    return controls.integer(
        LABELS[name], key=KEYS[name], default=getattr(USUAL, name), low=low, high=high, **options
    )
