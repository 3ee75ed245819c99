import json
import math
from dataclasses import asdict

import pytest

from cnn_core.training import Settings


def test_settings_survive_json():
    settings = Settings(
        data="fashion-mnist", network="conv6k5-relu-flatten-10", learning_rate=1, seed=2**32 - 1, flip=True
    )
    assert Settings.from_json(settings.to_json()) == settings
    assert Settings.from_json("{}") == Settings()
    assert json.loads(settings.to_json()) == asdict(settings)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": "minst"}, "unknown data set 'minst': did you mean 'mnist'"),
        ({"network": "vgg16"}, "network 'vgg16' has a layer table, but is not trained here; try lenet, "),
        ({"network": "lenet-moden"}, "unknown network 'lenet-moden': did you mean 'lenet-modern'"),
        ({"network": "conv6k99-flatten-10"}, "99"),
        (
            {"network": "conv6k5-flatten-11"},
            r"network output shape \(11,\) differs from \(10,\), one logit for each",
        ),
        ({"network": "conv6k5"}, r"network output shape \(6, 24, 24\) differs from \(10,\)"),
        ({"network": "max14x5-flatten"}, "network has no parameters"),
        ({"network": "flatten-20000-10"}, r"num_params .* exceeds 10,000,000"),
        (
            {"network": "conv999k3p1-flatten-10", "batch_size": 1000},
            r"activation memory .* exceeds 500,000,000",
        ),
        ({"optimizer": "adamm"}, "unknown optimizer 'adamm': did you mean 'adam'"),
        ({"learning_rate": 0}, "learning_rate 0 must be a finite number greater than 0"),
        ({"learning_rate": math.nan}, "learning_rate nan must be a finite number"),
        ({"learning_rate": math.inf}, "learning_rate inf must be a finite number"),
        ({"learning_rate": 10**400}, "learning_rate 10+ must be a finite number"),
        ({"network": "conv6k5-\ud800"}, r"network has the character '\\ud800', which cannot be shown"),
        ({"network": "\0"}, r"network has the character '\\x00', which cannot be shown"),
        ({"momentum": 1}, "momentum 1 must be at least 0 and less than 1"),
        ({"momentum": math.nan}, "momentum nan must be"),
        (
            {"batch_size": 0},
            r"batch_size 0 must be between 1 and 3600 \(the training pictures of mnist-5k at",
        ),
        ({"batch_size": 3601}, "batch_size 3601 must be between 1 and 3600"),
        (
            {"network": "flatten-16-norm-10", "batch_size": 59},
            r"batch_size 59 leaves 1 picture for the last step \(3600 training pictures\), and norm1 needs 2",
        ),
        ({"network": "conv4k28-norm-flatten-10", "batch_size": 1}, "batch_size 1 leaves 1 picture"),
        ({"num_epochs": 0}, "num_epochs 0 must be between 1 and 1000"),
        ({"num_epochs": 1001}, "num_epochs 1001 must be between 1 and 1000"),
        ({"seed": -1}, "seed -1 must be between 0 and 4294967295"),
        ({"validation_fraction": 0.95}, "validation_fraction 0.95 must be between 0 and 0.9"),
        ({"validation_fraction": math.nan}, "validation_fraction nan must be"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin': did you mean 'cosine'"),
        (
            {"optimizer": "sgd", "nesterov": True},
            r"nesterov True needs momentum greater than 0 \(momentum=0\)",
        ),
        ({"weight_decay": -1}, "weight_decay -1 must be between 0 and 1"),
        ({"weight_decay": math.nan}, "weight_decay nan must be"),
        ({"label_smoothing": 1}, "label_smoothing 1 must be at least 0 and less than 1"),
        ({"shift": 15}, "shift 15 must be between 0 and 14"),
        ({"train_fraction": 0}, "train_fraction 0 must be greater than 0 and at most 1"),
        ({"train_fraction": math.nan}, "train_fraction nan must be"),
        ({"train_fraction": 1e-4}, "train_fraction 0.0001 leaves no training picture of mnist-5k"),
        (
            {"train_fraction": 0.01},
            r"batch_size 64 must be between 1 and 36 \(.* at validation_fraction=0.1, train_fraction=0.01\)",
        ),
        ({"target_accuracy": 1.1}, "target_accuracy 1.1 must be between 0 and 1"),
        (
            {"target_accuracy": 0.9, "validation_fraction": 0},
            r"target_accuracy 0.9 needs validation pictures \(validation_fraction=0\): make validation_fraction",
        ),
        ({"patience": 3, "validation_fraction": 0}, "patience 3 needs validation pictures"),
        ({"patience": -1}, "patience -1 must be between 0 and 1000"),
        ({"max_minutes": math.inf}, "max_minutes inf must be between 0 and 1440"),
    ],
)
def test_a_setting_out_of_range_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Settings(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": "64"}, "batch_size '64' must be a whole number"),
        ({"batch_size": 64.0}, "batch_size 64.0 must be a whole number"),
        ({"num_epochs": True}, "num_epochs True must be a whole number"),
        ({"learning_rate": None}, "learning_rate None must be a number"),
        ({"network": 5}, "network 5 must be text"),
        ({"flip": 1}, "flip 1 must be True or False"),
        ({"permuted": "yes"}, "permuted 'yes' must be True or False"),
        ({"shift": True}, "shift True must be a whole number"),
    ],
)
def test_a_setting_of_another_type_is_refused(values, message):
    with pytest.raises(TypeError, match=message):
        Settings(**values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"learning_rat": 0.1}', "unknown setting 'learning_rat': did you mean 'learning_rate'"),
        ("{", "settings are not JSON"),
        ("", "settings are not JSON"),
        ("[" * 100_000, "settings are not JSON"),
        ('{"seed": 1' + "0" * 5000 + "}", "settings are not JSON"),
        ("[1]", "settings are a list, not a JSON object"),
        ('{"learning_rate": NaN}', "learning_rate nan must be"),
    ],
)
def test_a_settings_file_that_is_wrong_says_where(text, message):
    with pytest.raises(ValueError, match=message):
        Settings.from_json(text)


def test_a_byte_order_mark_before_the_settings_does_not_count():
    assert Settings.from_json("\ufeff" + '{"seed": 4}') == Settings(seed=4)
