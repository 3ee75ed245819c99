import json
import math
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_core import data, modules, training
from cnn_core.training import (
    EpochEnded,
    Failed,
    LearningRateChanged,
    Settings,
    StepLogged,
    checkpoints,
    events,
    loop,
)
from tests.core.trainings import SMALL, finish, of_kind, same, start

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small(one_thread):
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


def test_dropout_seeds_no_device_but_that_of_the_training(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    running, _ = start(replace(SMALL, network="flatten-16-drop0.5-10", seed=3))
    seeded.clear()  # making the network is not what is tested
    next(running)
    assert seeded == []


SGD = partial(torch.optim.SGD, lr=0.5, momentum=0.5)


@pytest.mark.parametrize(
    ("values", "make", "options"),
    [
        ({}, SGD, {}),
        ({"nesterov": True, "weight_decay": 0.01}, partial(SGD, nesterov=True, weight_decay=0.01), {}),
        ({"optimizer": "adam", "weight_decay": 0.1}, partial(torch.optim.Adam, lr=0.5, weight_decay=0.1), {}),
        (
            {"optimizer": "adamw", "weight_decay": 0.1},
            partial(torch.optim.AdamW, lr=0.5, weight_decay=0.1),
            {},
        ),
        ({"label_smoothing": 0.2}, SGD, {"label_smoothing": 0.2}),
    ],
    ids=["sgd", "nesterov", "adam", "adamw", "smoothing"],
)
def test_a_training_agrees_with_the_plain_loop_of_a_textbook(values, make, options):
    settings = Settings(
        **{"optimizer": "sgd", "momentum": 0.5, "learning_rate": 0.5} | values,
        network="conv4k5s2-sigmoid-avg2-flatten-10",
        num_epochs=1,
        batch_size=500,
        validation_fraction=0,
    )
    parameters, happened = finish(settings)
    model = modules.build(settings.layers, (1, 28, 28), seed=settings.seed)
    optimizer = make(model.parameters())
    digits = data.load("mnist-5k", split="train")
    images, labels = torch.tensor(digits.images) / 255, torch.tensor(digits.labels)
    order = loop.epoch_order(np.arange(len(digits)), seed=settings.seed, epoch=1)
    losses = []
    for rows in torch.tensor(order).split(500):
        loss = torch.nn.functional.cross_entropy(model(images[rows].unsqueeze(1)), labels[rows], **options)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(parameters[name], value, rtol=1e-4, atol=1e-5)
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


def test_the_norm_of_each_layers_gradient_is_that_of_the_last_logged_step():
    settings = replace(
        SMALL, network="conv4k5s2-relu-flatten-16-relu-10", batch_size=2000, num_epochs=1, weight_decay=0.5
    )
    _, happened = finish(settings)
    model = modules.build(settings.layers, (1, 28, 28), seed=settings.seed)
    digits = data.load("mnist-5k", split="train")
    rows, _ = loop.split_rows(settings)
    logits = model(torch.tensor(digits.images[rows]).unsqueeze(1) / 255)
    torch.nn.functional.cross_entropy(logits, torch.tensor(digits.labels[rows])).backward()
    expected = {
        name: torch.cat([each.grad.flatten() for each in getattr(model, name).parameters()]).norm().item()
        for name in ("conv1", "linear1", "linear2")
    }
    assert happened[1].gradient_norms == pytest.approx(expected, rel=1e-4)


def test_single_steps_can_be_asked_for_at_any_time(small):
    running, state = start(replace(SMALL, num_epochs=2))
    next(running)
    state.log_each_step = True
    before = state.step
    assert [next(running).step for _ in range(5)] == list(range(before + 1, before + 6))
    state.log_each_step = False
    *_, ended = running
    assert [type(ended).__name__, state.step] == ["Finished", 40]
    reference = of_kind(small[1], EpochEnded)[1]
    assert state.progress.validation_accuracy == reference.validation_accuracy


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


def test_a_training_that_diverges_says_so_and_what_to_do():
    _, happened = finish(replace(SMALL, optimizer="sgd", learning_rate=1e30))
    assert isinstance(happened[-1], Failed)
    assert "has diverged; try a smaller learning_rate, such as 1e+29" in happened[-1].message
    assert "(learning_rate=1e+30) is not finite" in happened[-1].message
    assert all(math.isfinite(event.loss) for event in of_kind(happened, StepLogged))


@pytest.mark.parametrize(("fraction", "kind"), [(0.5, "validation"), (0, "test")])
def test_a_training_whose_last_step_diverges_says_so(fraction, kind):
    """The loss of that step is the one before it: only the next look at pictures can tell."""
    settings = Settings(
        network="flatten-16-relu-10",
        optimizer="sgd",
        learning_rate=1e38,
        num_epochs=1,
        batch_size=2000,
        train_fraction=1 if fraction else 0.5,
        validation_fraction=fraction,
    )
    assert settings.num_steps == 1
    _, happened = finish(settings)
    assert isinstance(happened[-1], Failed)
    assert happened[-1].message.startswith(f"{kind} loss ")
    assert "at step 1 (learning_rate=1e+38) is not finite" in happened[-1].message
    assert len(of_kind(happened, EpochEnded)) == (0 if fraction else 1)


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
    monkeypatch.setattr("cnn_core.training.pictures.MAX_FLOAT_BYTES", 0)
    as_bytes = loop.Pictures(pictures, torch.device("cpu"))
    assert (on_cpu.pixels.dtype, as_bytes.pixels.dtype) == (torch.float32, torch.uint8)
    images, labels = on_cpu.batch(torch.tensor([3, 1]))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(images.numpy(), pictures.images[[3, 1]].transpose(0, 3, 1, 2) / np.float32(255))
    assert torch.equal(images, as_bytes.batch(torch.tensor([3, 1]))[0])
    assert labels.tolist() == pictures.labels[[3, 1]].tolist()


def test_the_device_is_the_argument_then_the_environment_then_the_fastest(monkeypatch):
    monkeypatch.delenv("CNN_DEVICE", raising=False)
    assert training.devices()[-1] == "cpu"
    assert loop.choose_device(None).type == training.devices()[0]
    monkeypatch.setenv("CNN_DEVICE", "cpu")
    assert loop.choose_device(None).type == "cpu"
    monkeypatch.setenv("CNN_DEVICE", "gpu")
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        loop.choose_device(None)
    monkeypatch.setattr(loop, "devices", lambda: ("mps", "cpu"))
    monkeypatch.setenv("CNN_DEVICE", "cuda")
    with pytest.raises(ValueError, match=r"^this machine has no device 'cuda': use mps or cpu$"):
        loop.choose_device(None)
    assert loop.choose_device("cpu").type == "cpu"


def test_events_survive_json(small):
    for event in [
        *small[1],
        Failed(message="x"),
        training.Stopped(),
        LearningRateChanged(step=3, learning_rate=0.1),
    ]:
        line = events.to_json(event)
        assert "\n" not in line
        assert json.loads(line)["event"] == type(event).__name__
        assert events.from_json(line) == event


def test_events_of_older_trainings_are_read():
    line = '{"event": "StepLogged", "step": 1, "epoch": 1, "loss": 2.0, "accuracy": 0.5, "examples_per_second": 9.0}'
    assert events.from_json(line).learning_rate is None


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "3", '{"event": "Party"}', '{"event": "Failed"}', '{"message": "x"}']
)
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ValueError, match="is not an event"):
        events.from_json(line)


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
