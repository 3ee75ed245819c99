import json
import math
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_core import data, inspection, training
from cnn_core.training import (
    EpochEnded,
    Failed,
    Settings,
    StepLogged,
    checkpoints,
    events,
    loop,
)

SMALL = Settings(
    network="conv4k5s2-relu-max2-flatten-10", validation_fraction=0.5, num_epochs=4, batch_size=100
)


def finish(settings, **options):
    """Train to the end; return the parameters and the events."""
    happened = list(training.train(settings, device="cpu", **options))
    parameters = happened[0].state.model.state_dict()
    return {name: value.clone() for name, value in parameters.items()}, happened


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first) and first.keys() == second.keys()


def of_kind(happened, kind):
    return [event for event in happened if isinstance(event, kind)]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Several threads wait for each other where other tests run at the same time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def small():
    return finish(SMALL)


def test_the_first_visit_succeeds():
    _, happened = finish(replace(Settings(), num_epochs=3))
    assert happened[-1].test_accuracy > 0.9
    assert len([event for event in of_kind(happened, StepLogged) if event.epoch == 1]) >= 10


def test_the_same_settings_give_the_same_parameters(small):
    assert same(small[0], finish(SMALL)[0])
    assert not same(small[0], finish(replace(SMALL, seed=1))[0])


def test_the_state_of_torch_decides_nothing(small):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    assert same(small[0], finish(SMALL)[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_is_decided_by_the_seed_and_leaves_the_state_of_torch_alone():
    settings = replace(SMALL, network="flatten-16-drop0.5-10", num_epochs=1)
    parameters, _ = finish(settings)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    assert same(parameters, finish(settings)[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_training_agrees_with_the_plain_loop_of_a_textbook():
    settings = Settings(
        network="conv4k5s2-sigmoid-avg2-flatten-10",
        optimizer="sgd",
        momentum=0.5,
        learning_rate=0.5,
        num_epochs=1,
        batch_size=500,
        validation_fraction=0,
    )
    parameters, happened = finish(settings)
    model = training.loop.modules.build(settings.layers, (1, 28, 28), seed=settings.seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
    digits = data.load("mnist-5k", split="train")
    images, labels = torch.tensor(digits.images) / 255, torch.tensor(digits.labels)
    order = loop.epoch_order(np.arange(len(digits)), seed=settings.seed, epoch=1)
    losses = []
    for rows in torch.tensor(order).split(500):
        loss = torch.nn.functional.cross_entropy(model(images[rows].unsqueeze(1)), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(parameters[name], value)
    assert happened[-2].train_loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_events_come_in_their_order(small):
    _, happened = small
    names = [type(event).__name__ for event in happened]
    assert names[0] == "Started"
    assert names[-2:] == ["EpochEnded", "Finished"]
    assert names.count("EpochEnded") == SMALL.num_epochs
    steps = [event.step for event in happened[1:-1]]
    assert steps == sorted(steps)
    assert [event.step for event in of_kind(happened, EpochEnded)] == [20, 40, 60, 80]
    assert steps[-1] == SMALL.num_steps


def test_the_start_is_recorded(small):
    started = small[1][0]
    assert (started.device, started.num_train, started.num_validation) == ("cpu", 2000, 2000)
    assert started.num_params == sum(value.numel() for value in small[0].values())
    assert started.num_threads == torch.get_num_threads()
    assert started.versions["torch"] == torch.__version__
    assert started.data_sha256 == data.load("mnist-5k", split="train").sha256


def test_the_mean_of_the_steps_is_the_mean_of_the_epoch(small):
    _, happened = small
    first = [event for event in of_kind(happened, StepLogged) if event.epoch == 1]
    sizes = np.diff([0, *(event.step for event in first)])
    assert np.average([e.loss for e in first], weights=sizes) == pytest.approx(
        of_kind(happened, EpochEnded)[0].train_loss
    )


def test_validation_and_test_are_those_of_the_final_parameters(small):
    _, happened = small
    model = happened[0].state.model.eval()
    _, validation_rows = loop.split_rows(SMALL)

    def look_at(dataset, rows):
        with torch.no_grad():
            logits = model(torch.tensor(dataset.images[rows]).unsqueeze(1) / 255)
        labels = torch.tensor(dataset.labels[rows])
        return (
            torch.nn.functional.cross_entropy(logits, labels).item(),
            logits.argmax(1).numpy(),
            labels.numpy(),
        )

    loss, predictions, labels = look_at(data.load("mnist-5k", split="train"), validation_rows)
    last = of_kind(happened, EpochEnded)[-1]
    assert last.validation_loss == pytest.approx(loss, rel=1e-5)
    assert last.validation_accuracy == pytest.approx(np.mean(predictions == labels))
    loss, predictions, labels = look_at(data.load("mnist-5k", split="test"), np.arange(1000))
    finished = happened[-1]
    assert finished.test_loss == pytest.approx(loss, rel=1e-5)
    assert finished.predictions == tuple(predictions)
    assert finished.test_accuracy == pytest.approx(np.mean(predictions == labels))
    for true, row in enumerate(finished.confusion):
        assert row == tuple(np.bincount(predictions[labels == true], minlength=10))


def test_the_test_set_is_touched_once_at_the_end(monkeypatch):
    splits = []
    load = data.load
    monkeypatch.setattr(
        loop.data, "load", lambda name, *, split: splits.append(split) or load(name, split=split)
    )
    running = training.train(replace(SMALL, num_epochs=1), device="cpu")
    for event in running:
        if isinstance(event, EpochEnded):
            assert splits == ["train"]
    assert splits == ["train", "test"]


def test_validation_pictures_are_never_trained_on():
    train_rows, validation_rows = loop.split_rows(SMALL)
    assert sorted([*train_rows, *validation_rows]) == list(range(4000))
    orders = [loop.epoch_order(train_rows, seed=0, epoch=epoch) for epoch in (1, 2)]
    assert all(sorted(order) == sorted(train_rows) for order in orders)
    assert not np.array_equal(*orders)


def test_without_validation_all_pictures_are_trained_on():
    _, happened = finish(replace(SMALL, validation_fraction=0, num_epochs=1))
    assert happened[0].num_train == 4000
    assert happened[-2].validation_loss is None


def test_the_last_step_takes_what_is_left():
    settings = replace(SMALL, batch_size=1500, num_epochs=1)
    assert settings.steps_per_epoch == 2
    _, happened = finish(settings)
    assert [event.step for event in of_kind(happened, StepLogged)] == [1, 2]


@pytest.mark.parametrize(
    "settings",
    [
        SMALL,
        replace(SMALL, network="conv4k5s2-sigmoid-avg2-flatten-10", optimizer="sgd", learning_rate=0.5),
        replace(SMALL, optimizer="sgd", learning_rate=0.1, momentum=0.9),
        replace(SMALL, network="conv4k5s2-norm-relu-max2-drop0.25-flatten-16-relu-drop0.5-10"),
    ],
    ids=["adam", "sgd", "momentum", "dropout"],
)
def test_a_resumed_training_is_the_same_to_the_last_bit(settings, tmp_path):
    whole, happened = finish(settings)

    state = next(iter(half := training.train(replace(settings, num_epochs=2), device="cpu"))).state
    list(half)
    checkpoints.save(tmp_path / "half", state)
    assert same(whole, finish(settings, resume_from=tmp_path / "half")[0])

    running = training.train(settings, device="cpu")
    state = next(running).state
    while state.step < 31:
        next(running)
    assert 0 < state.progress.step < settings.steps_per_epoch
    checkpoints.save(tmp_path / "middle", state)
    running.close()
    parameters, resumed = finish(settings, resume_from=tmp_path / "middle")
    assert same(whole, parameters)
    assert resumed[0].step == state.step
    ends, resumed_ends = of_kind(happened, EpochEnded), of_kind(resumed, EpochEnded)
    assert [end.train_loss for end in resumed_ends] == pytest.approx([end.train_loss for end in ends[1:]])
    assert resumed[-1] == happened[-1]


def test_what_batch_norms_have_learned_is_saved_resumed_and_inspected(tmp_path):
    settings = replace(SMALL, network="conv4k5s2-norm-relu-max2-flatten-16-norm-relu-10", num_epochs=2)
    whole, happened = finish(settings)
    running = training.train(settings, device="cpu")
    state = next(running).state
    while state.step < 31:
        next(running)
    checkpoints.save(tmp_path / "middle", state)
    running.close()
    parameters, resumed = finish(settings, resume_from=tmp_path / "middle")
    assert same(whole, parameters)
    assert parameters["norm2.num_batches_tracked"] == settings.num_steps
    assert resumed[-1] == happened[-1]

    checkpoints.save(tmp_path / "end", happened[0].state)
    weights = checkpoints.load_weights(tmp_path / "end")
    images = data.load("mnist-5k", split="test").images
    probabilities = inspection.predict(settings.layers, weights, images[:, None] / np.float32(255))
    assert tuple(probabilities.argmax(1)) == happened[-1].predictions


def test_a_checkpoint_at_the_very_end_only_tests(small, tmp_path):
    parameters, happened = small
    checkpoints.save(tmp_path, happened[0].state)
    again, resumed = finish(SMALL, resume_from=tmp_path)
    assert same(parameters, again)
    assert resumed[1:] == happened[-1:]


def test_the_weights_of_a_checkpoint_are_the_models(small, tmp_path):
    checkpoints.save(tmp_path, small[1][0].state)
    weights = checkpoints.load_weights(tmp_path)
    assert {name: value.shape for name, value in weights.items()} == {
        "conv1.weight": (4, 1, 5, 5),
        "conv1.bias": (4,),
        "linear1.weight": (10, 144),
        "linear1.bias": (10,),
    }
    assert all(np.array_equal(weights[name], value) for name, value in small[0].items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 50}, r"batch_size 50 differs from the checkpoint's 100: only num_epochs may change"),
        ({"num_epochs": 3}, "num_epochs 3 is less than the 4 epochs"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(small, tmp_path, change, message):
    checkpoints.save(tmp_path, small[1][0].state)
    with pytest.raises(ValueError, match=message):
        next(training.train(replace(SMALL, **change), device="cpu", resume_from=tmp_path))


def test_a_missing_or_damaged_checkpoint_is_refused(small, tmp_path):
    with pytest.raises(ValueError, match=r"has no checkpoint \(no file checkpoint.safetensors\)"):
        checkpoints.load(tmp_path)
    path = checkpoints.save(tmp_path, small[1][0].state)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"checkpoint .* cannot be read"):
        checkpoints.load(tmp_path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(small, tmp_path, monkeypatch):
    state = small[1][0].state
    old = checkpoints.save(tmp_path, state).read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(tmp_path, state)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [old]


def test_a_training_that_diverges_says_so_and_what_to_do():
    _, happened = finish(replace(SMALL, optimizer="sgd", learning_rate=1e30))
    assert isinstance(happened[-1], Failed)
    assert "has diverged; try a smaller learning_rate, such as 1e+29" in happened[-1].message
    assert "(learning_rate=1e+30) is not finite" in happened[-1].message
    assert all(math.isfinite(event.loss) for event in of_kind(happened, StepLogged))


def test_colour_pictures_are_trained_on_channels_first(monkeypatch):
    generator = np.random.default_rng(0)
    pictures = data.Dataset(
        name="cifar-10",
        split="train",
        images=generator.integers(0, 256, (50, 32, 32, 3), dtype=np.uint8),
        labels=generator.integers(0, 10, 50),
        class_names=data.DATASETS["cifar-10"].class_names,
    )
    on_cpu = loop.Pictures(pictures, torch.device("cpu"))
    monkeypatch.setattr(loop, "MAX_FLOAT_BYTES", 0)
    as_bytes = loop.Pictures(pictures, torch.device("cpu"))
    assert (on_cpu.pixels.dtype, as_bytes.pixels.dtype) == (torch.float32, torch.uint8)
    images, labels = on_cpu.batch(torch.tensor([3, 1]))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(images.numpy(), pictures.images[[3, 1]].transpose(0, 3, 1, 2) / np.float32(255))
    assert torch.equal(images, as_bytes.batch(torch.tensor([3, 1]))[0])
    assert labels.tolist() == pictures.labels[[3, 1]].tolist()


def test_the_device_is_the_argument_then_the_environment_then_the_fastest(monkeypatch):
    assert training.devices()[-1] == "cpu"
    assert loop.choose_device(None).type == training.devices()[0]
    monkeypatch.setenv("CNN_DEVICE", "cpu")
    assert loop.choose_device(None).type == "cpu"
    monkeypatch.setenv("CNN_DEVICE", "gpu")
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        loop.choose_device(None)
    assert loop.choose_device("cpu").type == "cpu"


def test_events_survive_json(small):
    for event in [*small[1], Failed(message="x"), training.Stopped()]:
        line = events.to_json(event)
        assert "\n" not in line
        assert json.loads(line)["event"] == type(event).__name__
        assert events.from_json(line) == event


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "3", '{"event": "Party"}', '{"event": "Failed"}', '{"message": "x"}']
)
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ValueError, match="is not an event"):
        events.from_json(line)


def test_settings_survive_json():
    settings = Settings(
        data="fashion-mnist", network="conv6k5-relu-flatten-10", learning_rate=1, seed=2**32 - 1
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


def test_settings_events_and_weights_need_no_torch(small, tmp_path):
    checkpoints.save(tmp_path, small[1][0].state)
    code = (
        "import sys; from cnn_core.training import Settings, checkpoints, events;"
        "Settings.from_json(Settings().to_json()); checkpoints.load_weights(sys.argv[1]);"
        "print({'torch', 'torchvision', 'streamlit'}.isdisjoint(sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"
