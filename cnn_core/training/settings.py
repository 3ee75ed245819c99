"""What a training needs to know, as one record that can be written down."""

import functools
import json
import math
import sys
from dataclasses import asdict, dataclass, fields

from cnn_core.data.registry import DatasetSpec, find_spec, nearest, unknown
from cnn_core.network import PRESETS, BatchNorm, Network, parse
from cnn_core.published import PUBLISHED
from cnn_core.summary import check_budget, summarize

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine", "one-cycle")
MAX_EPOCHS = 1000
MAX_SEED = 2**32 - 1
MAX_VALIDATION_FRACTION = 0.9
MAX_MINUTES = 24 * 60
MAX_PARAMS = 10_000_000
MAX_ACTIVATION_BYTES = 500_000_000
MAX_EVALUATION_BYTES = 200_000_000
MAX_EVALUATION_BATCH_SIZE = 10_000
_LIMITS = {
    "num_epochs": (1, MAX_EPOCHS),
    "seed": (0, MAX_SEED),
    "validation_fraction": (0, MAX_VALIDATION_FRACTION),
    "weight_decay": (0, 1),
    "target_accuracy": (0, 1),
    "max_minutes": (0, MAX_MINUTES),
    "patience": (0, MAX_EPOCHS),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to train, and how. The defaults reach a test accuracy of about 0.96 within seconds.

    Args:
        data: Name of a data set.
        network: Name of a preset, or a network in the one-line notation.
        optimizer: "sgd", "adam" or "adamw".
        learning_rate: Greater than 0; the largest one, where the schedule changes it.
        schedule: How the learning rate changes from step to step. "constant": not at all. "step": it falls to a
            tenth after each third of the steps. "cosine": it falls to 0 along half a cosine. "one-cycle": it
            rises from a 25th for 30 % of the steps, then falls to almost 0.
        momentum: Of SGD, from 0 to below 1; Adam does not use it.
        nesterov: Whether SGD's momentum is Nesterov's, which looks one step ahead; Adam does not use it.
        weight_decay: From 0 to 1. SGD and Adam add it times the parameter to each gradient; AdamW takes it times
            the learning rate from each parameter. Biases and batch norms decay too, as in PyTorch.
        label_smoothing: Part of the target that is spread evenly over all classes, from 0 to below 1. It is
            in the training loss; validation and test are without it.
        batch_size: Pictures in a step; at most the training pictures.
        num_epochs: Passes over the training pictures.
        seed: Decides the first parameters, the validation pictures and the order of the pictures.
        validation_fraction: Part of the training pictures kept apart and never trained on; 0 for none.
        train_fraction: Part of the others that is trained on, greater than 0; classes keep their shares.
        shift: Each picture is moved by up to so many pixels, down and across, at random; black comes in.
        flip: Whether each picture is mirrored, left to right, with a chance of one half.
        permuted: Whether all pictures, those of validation and test too, have their pixels permuted by one fixed
            permutation, the same for every seed. A picture is moved and mirrored before.
        target_accuracy: Validation accuracy that ends the training after an epoch; 0 for none.
        max_minutes: Time of the steps that ends the training, in the middle of an epoch if need be; 0 for no
            limit. Validation and pauses do not count. Where a clock ends a training, it cannot be repeated.
        patience: Epochs without a smaller validation loss that end the training; 0 for no limit. The loss
            says more than the accuracy, which stands still on few pictures.

    Raises:
        ValueError: If a value is out of range, or the network does not fit the data set or the memory, or has
            no parameters.
        TypeError: If a value is of another type.

    Example:
        >>> Settings(learning_rate=0.1, optimizer="sgd").batch_size
        64
        >>> Settings(learning_rate=-1)
        Traceback (most recent call last):
        ...
        ValueError: learning_rate -1 must be a finite number greater than 0
    """

    data: str = "mnist-5k"
    network: str = "lenet-modern"
    optimizer: str = "adam"
    learning_rate: float = 0.003
    schedule: str = "constant"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    batch_size: int = 64
    num_epochs: int = 10
    seed: int = 0
    validation_fraction: float = 0.1
    train_fraction: float = 1.0
    shift: int = 0
    flip: bool = False
    permuted: bool = False
    target_accuracy: float = 0.0
    max_minutes: float = 0.0
    patience: int = 0

    def __post_init__(self):
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), field.type)
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)
        check_learning_rate(self.learning_rate)
        for name in ("momentum", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 0 and less than 1")
        if self.nesterov and self.optimizer == "sgd" and self.momentum == 0:
            raise ValueError("nesterov True needs momentum greater than 0 (momentum=0)")
        for name, limits in _LIMITS.items():
            _check_range(name, getattr(self, name), *limits)
        _check_range("shift", self.shift, 0, min(self.spec.input_shape[1:]) // 2)
        _check_sets(self)
        _check_network(self.layers, self.spec, self.batch_size)
        _check_last_step(self)

    @property
    def spec(self) -> DatasetSpec:
        """What is known of the data set."""
        return find_spec(self.data)

    @property
    def layers(self) -> Network:
        """The network as a record of its layers."""
        return find_network(self.network)

    @property
    def num_validation(self) -> int:
        """Pictures that are kept apart for validation."""
        return round(self.validation_fraction * self.spec.num_train)

    @property
    def num_train(self) -> int:
        """Pictures that are trained on."""
        return round(self.train_fraction * (self.spec.num_train - self.num_validation))

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch; the last one takes what is left.

        Example:
            >>> Settings().steps_per_epoch  # 3,600 pictures, 64 at a time
            57
        """
        return math.ceil(self.num_train / self.batch_size)

    @property
    def num_steps(self) -> int:
        """Steps of the whole training, unless something ends it before."""
        return self.num_epochs * self.steps_per_epoch

    @property
    def evaluation_batch_size(self) -> int:
        """Pictures that are looked at at once in validation and test; it decides the last bits of the loss."""
        example_bytes = sum(row.activation_bytes for row in summarize(self.layers, self.spec.input_shape))
        return min(MAX_EVALUATION_BATCH_SIZE, max(1, MAX_EVALUATION_BYTES // example_bytes))

    def to_json(self) -> str:
        """Write the settings as JSON.

        Example:
            >>> Settings.from_json(Settings(seed=3).to_json()).seed
            3
        """
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Read settings; what is left out has its default.

        Raises:
            ValueError: If the text is not a JSON object, a key is unknown, or a value is out of range.
            TypeError: If a value is of another type.

        Example:
            >>> Settings.from_json('{"learning_rat": 0.1}')
            Traceback (most recent call last):
            ...
            ValueError: unknown setting 'learning_rat': did you mean 'learning_rate'?
        """
        try:
            values = json.loads(text.removeprefix("\ufeff"))  # which some editors of Windows put first
        except (ValueError, RecursionError) as error:
            raise ValueError(f"settings are not JSON ({error}): write them as {{...}}") from None
        if not isinstance(values, dict):
            raise ValueError(
                f"settings are a {type(values).__name__}, not a JSON object: write them as {{...}}"
            )
        names = [field.name for field in fields(cls)]
        for name in values:
            if name not in names:
                raise unknown("setting", name, names)
        return cls(**values)


@functools.lru_cache(maxsize=256)
def find_network(text: str) -> Network:
    """Return a preset by its name, or read a network in the one-line notation.

    Raises:
        ValueError: If it is neither; the message names the nearest preset, the layer that cannot be read, or a
            character that cannot be shown.

    Example:
        >>> find_network("lenett")
        Traceback (most recent call last):
        ...
        ValueError: unknown network 'lenett': did you mean 'lenet'?
    """
    if text in PRESETS:
        return PRESETS[text].network
    if text in PUBLISHED:
        raise ValueError(
            f"network '{text}' has a layer table, but is not trained here; try {', '.join(PRESETS)}"
        )
    if hidden := next((each for each in text if not each.isprintable() and not each.isspace()), ""):
        raise ValueError(
            f"network has the character {hidden!r}, which cannot be shown: write layers joined by hyphens"
        )
    try:
        return parse(text)
    except ValueError as error:
        raise (unknown("network", text, PRESETS) if nearest(text, PRESETS) else error) from None


def _check_type(name: str, value: object, wanted: type) -> None:
    """Refuse a value of the wrong type; a whole number will do for a float, True for neither."""
    accepted = {str: str, bool: bool, int: int, float: int | float}[wanted]
    if (isinstance(value, bool) and wanted is not bool) or not isinstance(value, accepted):
        word = {str: "text", bool: "True or False", int: "a whole number", float: "a number"}[wanted]
        raise TypeError(f"{name} {value!r} must be {word}")


def check_learning_rate(rate: float) -> None:
    """Refuse a learning rate that is not a finite number greater than 0.

    Raises:
        ValueError: If it is not.

    Example:
        >>> check_learning_rate(0.1)
    """
    if not 0 < rate <= sys.float_info.max:  # a whole number may be larger than any float
        raise ValueError(f"learning_rate {rate} must be a finite number greater than 0")


def _check_range(name: str, value: float, smallest: float, largest: float) -> None:
    if not smallest <= value <= largest:
        raise ValueError(f"{name} {value} must be between {smallest} and {largest}")


def _check_sets(settings: Settings) -> None:
    """Refuse a batch larger than the training pictures, and an end that needs validation where there is none."""
    fraction = settings.train_fraction
    if not 0 < fraction <= 1:
        raise ValueError(f"train_fraction {fraction} must be greater than 0 and at most 1")
    chosen = f"validation_fraction={settings.validation_fraction}"
    if fraction < 1:
        chosen += f", train_fraction={fraction}"
    if settings.num_train == 0:
        raise ValueError(
            f"train_fraction {fraction} leaves no training picture of {settings.data} ({chosen})"
        )
    if not 1 <= settings.batch_size <= settings.num_train:
        raise ValueError(
            f"batch_size {settings.batch_size} must be between 1 and {settings.num_train} "
            f"(the training pictures of {settings.data} at {chosen})"
        )
    for name in ("target_accuracy", "patience"):
        if getattr(settings, name) and settings.num_validation == 0:
            raise ValueError(
                f"{name} {getattr(settings, name)} needs validation pictures ({chosen}): "
                "make validation_fraction larger"
            )


def _check_network(network: Network, spec: DatasetSpec, batch_size: int) -> None:
    """Refuse a network that does not fit the pictures, the classes or the memory, or that cannot learn."""
    check_budget(
        network,
        spec.input_shape,
        batch_size=batch_size,
        max_params=MAX_PARAMS,
        max_activation_bytes=MAX_ACTIVATION_BYTES,
    )
    rows = summarize(network, spec.input_shape)
    output_shape, num_classes = rows[-1].output_shape, len(spec.class_names)
    if output_shape != (num_classes,):
        raise ValueError(
            f"network output shape {output_shape} differs from ({num_classes},), "
            f"one logit for each class of {spec.name}: end the network with flatten and {num_classes}"
        )
    if not any(row.num_params for row in rows):
        raise ValueError(
            "network has no parameters (nothing could learn): add a convolution or a linear layer"
        )


def _check_last_step(settings: Settings) -> None:
    """Refuse a step of one picture where a batch norm has then one number only, which has no variance."""
    if (settings.num_train % settings.batch_size or settings.batch_size) > 1:
        return
    for row in summarize(settings.layers, settings.spec.input_shape):
        if isinstance(row.layer, BatchNorm) and math.prod(row.input_shape[1:]) == 1:
            raise ValueError(
                f"batch_size {settings.batch_size} leaves 1 picture for the last step "
                f"({settings.num_train} training pictures), and {row.name} needs 2 in each"
            )
