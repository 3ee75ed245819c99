"""What a training needs to know, as one record that can be written down."""

import json
import math
from dataclasses import asdict, dataclass, fields

from cnn_core.data.registry import DatasetSpec, find_spec, nearest, unknown
from cnn_core.network import PRESETS, BatchNorm, Network, parse
from cnn_core.published import PUBLISHED
from cnn_core.summary import check_budget, summarize

OPTIMIZERS = ("sgd", "adam")
MAX_EPOCHS = 1000
MAX_SEED = 2**32 - 1
MAX_VALIDATION_FRACTION = 0.9
MAX_PARAMS = 10_000_000
MAX_ACTIVATION_BYTES = 500_000_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to train, and how. The defaults reach a test accuracy of about 0.96 within seconds.

    Args:
        data: Name of a data set.
        network: Name of a preset, or a network in the one-line notation.
        optimizer: "sgd" or "adam".
        learning_rate: Greater than 0.
        momentum: Of SGD, from 0 to below 1; Adam does not use it.
        batch_size: Pictures in a step; at most the training pictures.
        num_epochs: Passes over the training pictures.
        seed: Decides the first parameters, the validation pictures and the order of the pictures.
        validation_fraction: Part of the training pictures kept apart and never trained on; 0 for none.

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
    momentum: float = 0.0
    batch_size: int = 64
    num_epochs: int = 10
    seed: int = 0
    validation_fraction: float = 0.1

    def __post_init__(self):
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), field.type)
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate {self.learning_rate} must be a finite number greater than 0")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum {self.momentum} must be at least 0 and less than 1")
        if not 0 <= self.validation_fraction <= MAX_VALIDATION_FRACTION:
            fraction = self.validation_fraction
            raise ValueError(
                f"validation_fraction {fraction} must be between 0 and {MAX_VALIDATION_FRACTION}"
            )
        _check_range("num_epochs", self.num_epochs, 1, MAX_EPOCHS)
        _check_range("seed", self.seed, 0, MAX_SEED)
        if not 1 <= self.batch_size <= self.num_train:
            raise ValueError(
                f"batch_size {self.batch_size} must be between 1 and {self.num_train} "
                f"(the training pictures of {self.data} at validation_fraction={self.validation_fraction})"
            )
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
        return self.spec.num_train - self.num_validation

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
        """Steps of the whole training."""
        return self.num_epochs * self.steps_per_epoch

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
            values = json.loads(text)
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


def find_network(text: str) -> Network:
    """Return a preset by its name, or read a network in the one-line notation.

    Raises:
        ValueError: If it is neither; the message names the nearest preset, or the layer that cannot be read.

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
    try:
        return parse(text)
    except ValueError as error:
        raise (unknown("network", text, PRESETS) if nearest(text, PRESETS) else error) from None


def _check_type(name: str, value: object, wanted: type) -> None:
    """Refuse a value of the wrong type; a whole number will do for a float, True for neither."""
    accepted = {str: str, int: int, float: int | float}[wanted]
    if isinstance(value, bool) or not isinstance(value, accepted):
        word = {str: "text", int: "a whole number", float: "a number"}[wanted]
        raise TypeError(f"{name} {value!r} must be {word}")


def _check_range(name: str, value: int, smallest: int, largest: int) -> None:
    if not smallest <= value <= largest:
        raise ValueError(f"{name} {value} must be between {smallest} and {largest}")


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
